"""Clustering of images without labels, and labelling of clusters ("groups" in the window)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.learner import run_request
from workbench.app.session import Session
from workbench.app.similar.features import FeatureSource, check_weights
from workbench.domain.backbones import backbone
from workbench.domain.clusters import CLUSTERINGS, FEWEST, Clustering, ClusterRequest, Clusters
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.labels import ACCEPTED, Author, LabelSet, Subject
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.reports import Clustered, Note, Progress
from workbench.domain.runs import SAMPLES_FILE, Sample, encode_samples
from workbench.domain.text import Message, counted
from workbench.storage.subjects import SubjectFile, read_files, read_subjects


def cluster_request(
    source: FeatureSource, method: str, clusters: int, rounds: int = 0, seed: int = 0
) -> ClusterRequest:
    """Request to the learning program; with 0 rounds, the usual number of the method.

    Raises ValueRefused for an unknown method, or fewer than two clusters.
    """
    spec = CLUSTERINGS.find(method)
    if clusters < FEWEST:
        raise ValueRefused("clusters", clusters, Message("{least} or more", least=FEWEST))
    return ClusterRequest(
        start=source.request,
        folder="",
        method=method,
        clusters=clusters,
        rounds=rounds or spec.rounds,
        batch=spec.batch_for(clusters),
        frozen=backbone(source.request.backbone).frozen
        or "none",  # where nobody measured: all learn
        seed=seed,
    )


def cluster_task(
    session: Session, source: FeatureSource, request: ClusterRequest
) -> Task[Clustering]:
    """A job that clusters all images (or crops, if the source uses crops) and ends
    Done(Clustering).

    If it is stopped, the next job with the same request continues after the last complete round; a
    finished clustering is returned without work.
    """
    clusterings, database = session.store.clusterings, session.store.folder / DATABASE_FILE
    parent = session.store.runs_folder

    def work() -> Steps[Clustering]:
        yield Progress(done=0, text=Message("Reading the list of images"))
        subjects = yield from read_subjects(database, source.crops)
        files = read_files(database, subjects, source.crops)
        id = _id_of(request, files)
        known = clusterings.find(id)
        if known is not None:
            try:
                clusterings.read(id)
                return known
            except KnownError as error:
                again = Message("{sentence} The images are grouped again.", sentence=error.sentence)
                yield Note(text=again, warning=True)
        check_weights(request.start)
        complete = msgspec.structs.replace(request, folder=str(clusterings.folder_of(id)))
        samples = {SAMPLES_FILE: encode_samples([_sample(file) for file in files])}
        answer = yield from run_request("cluster", complete, samples, parent, Clustered)
        return Clustering(
            id=id,
            method=request.method,
            start_title=str(source.title),
            made=time.time(),
            sizes=answer.sizes,
        )

    title = Message("Group images with {method}", method=CLUSTERINGS[request.method].title)
    return Task(title, work, finish=when_done(clusterings.keep), kind="cluster")


def forget_clusterings(session: Session) -> int:
    """Delete all clusterings, finished or not; return their number. Their labels are kept."""
    return session.store.clusterings.forget()


def _id_of(request: ClusterRequest, files: Sequence[SubjectFile]) -> str:
    digest = blake2b(msgspec.json.encode(request), digest_size=6)
    for file in files:
        digest.update(f"{file.hash} {file.box} ".encode())
    return f"{request.method}-{request.clusters}-{digest.hexdigest()}"


def _sample(file: SubjectFile) -> Sample:
    return Sample(
        image=file.image,
        hash=file.hash,
        path=str(Path(file.path).absolute()),
        crop=file.crop,
        box=file.box,
    )


def cluster_label_counts(session: Session, clusters: Clusters, label_set: str) -> NDArray[np.int64]:
    """Number of images of each cluster with each label of a set: a row for each cluster, a column
    for each label, and a last column for images without a label."""
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
    """Label the images of clusters, or the most confident `share` of each, as one undoable edit.

    `named` maps cluster numbers (from 0) to labels. A missing set is created, as are missing
    labels. They count as labels by hand, with the confidence of the cluster. Returns the number of
    changed images. Raises KnownError if the set is one of crops, ValueRefused for a cluster that
    does not exist.
    """
    known = session.store.labels.sets().get(label_set, LabelSet(label_set))
    if known.subject is not Subject.IMAGE:
        raise KnownError(
            "“{label_set}” is a label set of mouth crops.",
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
                allowed = Message("1 to {count}", count=count)
                raise ValueRefused(Message("group"), cluster + 1, allowed)
            images = [one for one in clusters.members(cluster, share).tolist() if one in there]
            sure = min(clusters.mean_confidence(cluster), ACCEPTED)
            changed |= session.store.labels.assign(images, label_set, label, Author.HUMAN, sure)
    return len(changed)


def _edit_text(label_set: str, named: Mapping[int, str]) -> Message:
    if len(named) == 1:
        ((cluster, label),) = named.items()
        return Message("Label group {group} “{label}”", group=cluster + 1, label=label)
    return counted(
        len(named),
        "Label {n:,} group in {label_set}",
        "Label {n:,} groups in {label_set}",
        label_set=label_set,
    )


def agreement(
    session: Session, clusters: Clusters, label_set: str
) -> tuple[float, float, int] | None:
    """Agreement of clusters with the labels of a set; None with fewer than two labels.

    Normalised mutual information (arithmetic mean of the entropies), share of labelled images with
    the most frequent label of their cluster, and number of labelled images.
    """
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
    both = _entropy(rows) + _entropy(columns)  # above 0 with two labels
    return float(2 * information / both), float(table.max(axis=1).sum() / table.sum()), len(labels)


def _entropy(shares: np.ndarray) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())
