"""Groups of images without labels: learned as a job, looked through, and turned into labels."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Task, when_done
from workbench.app.learner import run_request
from workbench.app.session import Session
from workbench.app.similar.features import FeatureSource, check_weights
from workbench.domain.backbones import backbone
from workbench.domain.clusters import CLUSTERINGS, FEWEST, Clustering, ClusterRequest, Clusters
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.labels import Author, LabelSet, Subject
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.reports import Clustered, Note, Progress
from workbench.domain.runs import SAMPLES_FILE, Sample, encode_samples
from workbench.domain.text import Message, counted
from workbench.storage.subjects import SubjectFile, read_files, read_subjects


def cluster_request(
    source: FeatureSource, method: str, clusters: int, rounds: int = 0, seed: int = 0
) -> ClusterRequest:
    """The request to the learning program; 0 rounds: as many as the method usually needs. Raises
    ValueRefused for an unknown method, or fewer than two clusters."""
    spec = CLUSTERINGS.find(method)
    if clusters < FEWEST:
        raise ValueRefused("clusters", clusters, f"{FEWEST} or more")
    return ClusterRequest(
        start=source.order,
        folder="",
        method=method,
        clusters=clusters,
        rounds=rounds or spec.rounds,
        batch=spec.batch_for(clusters),
        frozen=backbone(source.order.backbone).frozen or "none",  # where nobody measured: all learn
        seed=seed,
    )


def cluster_task(
    session: Session, source: FeatureSource, order: ClusterRequest
) -> Task[Clustering]:
    """A job that groups all images (or crops, where the source looks at crops) and ends
    Done(Clustering). Stopped, the same job goes on from its last whole round; done, it ends at
    once."""
    clusterings, database = session.store.clusterings, session.store.folder / DATABASE_FILE
    passing = session.store.runs_folder

    def work() -> Generator[object | None, None, Clustering]:
        yield Progress(done=0, text=Message("Looking for the images"))
        subjects = yield from read_subjects(database, source.crops)
        files = read_files(database, subjects, source.crops)
        id = _id_of(order, files)
        known = clusterings.find(id)
        if known is not None:
            try:
                clusterings.read(id)
                return known
            except KnownError as error:
                again = Message("{sentence} The images are grouped again.", sentence=error.sentence)
                yield Note(text=again, warning=True)
        check_weights(order.start)
        whole = msgspec.structs.replace(order, folder=str(clusterings.place(id)))
        samples = {SAMPLES_FILE: encode_samples([_sample(file) for file in files])}
        answer = yield from run_request("cluster", whole, samples, passing, Clustered)
        return Clustering(
            id=id,
            method=order.method,
            words=str(source.words),
            made=time.time(),
            sizes=answer.sizes,
        )

    title = Message("Group images by {method}", method=CLUSTERINGS[order.method].title)
    return Task(title, work, finish=when_done(clusterings.keep), kind="cluster")


def forget_clusterings(session: Session) -> int:
    """Delete all groupings, also unfinished ones; how many. Labels made of them stay."""
    return session.store.clusterings.forget()


def _id_of(order: ClusterRequest, files: Sequence[SubjectFile]) -> str:
    digest = blake2b(msgspec.json.encode(order), digest_size=6)
    for file in files:
        digest.update(f"{file.hash} {file.box} ".encode())
    return f"{order.method}-{order.clusters}-{digest.hexdigest()}"


def _sample(file: SubjectFile) -> Sample:
    return Sample(
        image=file.image,
        hash=file.hash,
        path=str(Path(file.path).absolute()),
        crop=file.crop,
        box=file.box,
    )


def carried(session: Session, clusters: Clusters, label_set: str) -> NDArray[np.int64]:
    """How many images of each cluster carry each label of a set now: a row for each cluster, a
    column for each label and a last one for none."""
    names = session.store.labels.get(label_set).names
    labels = session.store.labels.label_ids(clusters.images, label_set)
    shape = (int(clusters.clusters.max(initial=-1)) + 1, len(names) + 1)
    at = clusters.clusters * shape[1] + np.where(labels < 0, len(names), labels)
    return np.bincount(at, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)


def label_clusters(
    session: Session,
    clusters: Clusters,
    label_set: str,
    named: Mapping[int, str],
    share: float = 1.0,
) -> int:
    """Give the images of clusters (numbers from 0), or the surest `share` of each, the labels they
    are `named`, as one edit that can be undone; how many images changed. A set that is not there is
    made, and so are labels. A person names clusters: the labels are a person's, with the clusters'
    confidence.

    Raises KnownError where the set speaks of crops or a cluster has no image.
    """
    known = session.store.labels.sets().get(label_set, LabelSet(label_set))
    if known.subject is not Subject.IMAGE:
        raise KnownError(
            "Labels of “{label_set}” are given to mouth crops.",
            "Choose a label set of images.",
            label_set=label_set,
        )
    wanted = known.with_labels(tuple(named.values()))
    count = int(clusters.clusters.max(initial=-1)) + 1
    changed: set[int] = set()
    there = set(session.store.images.ids().tolist())
    with session.edit(_edit_text(label_set, named)):
        if wanted != session.store.labels.sets().get(label_set):
            session.store.labels.save_set(wanted)
        for cluster, label in named.items():
            if not 0 <= cluster < count:
                raise ValueRefused("group", cluster + 1, f"1 to {count}")
            images = [one for one in clusters.members(cluster, share).tolist() if one in there]
            sure = clusters.sureness(cluster)
            changed |= session.store.labels.assign(images, label_set, label, Author.HUMAN, sure)
    return len(changed)


def _edit_text(label_set: str, named: Mapping[int, str]) -> Message:
    if len(named) == 1:
        ((cluster, label),) = named.items()
        return Message("Label group {group} {label}", group=cluster + 1, label=label)
    return counted(
        len(named),
        "Label {n:,} group in {label_set}",
        "Label {n:,} groups in {label_set}",
        label_set=label_set,
    )


def agreement(
    session: Session, clusters: Clusters, label_set: str
) -> tuple[float, float, int] | None:
    """How clusters agree with the labels that images carry already: normalised mutual information
    (arithmetic mean of the entropies), the share of images that carry the commonest label of their
    cluster, and how many carry one at all; None where fewer than two labels do."""
    labels = session.store.labels.label_ids(clusters.images, label_set)
    own = clusters.clusters[labels >= 0]
    labels = labels[labels >= 0]
    if len(np.unique(labels)) < 2:
        return None
    table = np.zeros((int(own.max()) + 1, int(labels.max()) + 1))
    np.add.at(table, (own, labels), 1)
    joint = table / table.sum()
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    known = joint > 0
    information = (joint[known] * np.log(joint[known] / np.outer(rows, columns)[known])).sum()
    both = _entropy(rows) + _entropy(columns)
    nmi = float(2 * information / both) if both > 0 else 0.0
    return nmi, float(table.max(axis=1).sum() / table.sum()), len(labels)


def _entropy(shares: np.ndarray) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())
