"""Labels without training: a vote of the nearest labelled neighbours, and its accuracy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps, Task
from workbench.app.session import Session
from workbench.app.similar.features import FeatureSource, Indexed, Indexer
from workbench.domain.errors import KnownError
from workbench.domain.features import Keys, Votes, positions_of, vote
from workbench.domain.labels import Subject
from workbench.domain.reports import Progress
from workbench.domain.text import Message

MEASURED = 5000  # maximum number of labelled images for measuring the accuracy, drawn with a seed

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class LabelAccuracy:
    """Number of images with a label, and how many of them the vote gives it (`right`)."""

    label: str
    images: int
    right: int


@dataclass(frozen=True)
class Recognised:
    """Result of a vote.

    `found` has (path, label, share of the votes) for each image or file. `accuracy` in [0, 1] is
    the leave-one-out accuracy on `measured` of the `labelled` images, and `labels` has it by label.
    """

    source: FeatureSource
    labelled: int
    measured: int
    accuracy: float
    labels: tuple[LabelAccuracy, ...]
    found: tuple[tuple[str, str, float], ...]


def recognise_task(
    session: Session,
    source: FeatureSource,
    label_set: str,
    k: int = 20,
    images: Sequence[int] | IntArray | None = None,
    files: Sequence[Path] = (),
) -> Task[Recognised]:
    """A job that labels `files` and `images` by a vote of their k nearest labelled neighbours, and
    ends Done(Recognised).

    `images` None: all unlabelled ones, unless there are files. Raises ValueRefused for an unknown
    set; the job fails if fewer than two labels of it are in use.
    """
    known, crops = _labelled(session, label_set)
    source = dataclasses.replace(source, crops=crops)
    names = session.store.labels.get(label_set).names
    chosen = None if images is None else np.asarray(images, np.int64)
    indexer = Indexer(session, source)

    def work() -> Steps[Recognised]:
        found = yield from indexer.steps(files)
        own = _own_labels(found, known, crops)
        _check_labelled(own, label_set)
        yield Progress(done=0, text=Message("Comparing with neighbours"))
        measured = _measure(found, own, k)
        queries = _queries(found, own, chosen, bool(files))
        votes = _vote(found, own, queries, k)
        paths = [file.path for file in indexer.files(found.subjects[queries])]
        paths += [str(path) for path in files]
        return Recognised(
            source,
            int((own >= 0).sum()),
            len(measured[0]),
            float(measured[1].mean()),
            _per_label(*measured, names),
            tuple(zip(paths, (names[i] for i in votes.labels), votes.shares.tolist(), strict=True)),
        )

    return Task(Message("Recognise {name} by neighbours", name=label_set), work, kind="similar")


def _labelled(session: Session, label_set: str) -> tuple[IntArray, bool]:
    """Label positions by image id, -1 without a label; by crop id if the set is one of crops and
    there are any. Also returns whether they are those of crops."""
    known = session.store.labels.get(label_set)
    crops = known.subject is Subject.CROP and bool(session.store.crops.detected_sources())
    if crops:
        table = session.store.crops.table(label_set)
        subjects, labels = table.crops, table.labels
    else:
        subjects = session.store.images.ids()
        labels = session.store.labels.label_ids(subjects, label_set)
    by_id = np.full(int(subjects.max(initial=0)) + 1, -1, np.int64)
    by_id[subjects] = labels
    return by_id, crops


def _own_labels(found: Indexed, by_id: IntArray, crops: bool) -> IntArray:
    ids = found.subjects.crops if crops else found.subjects.images
    inside = ids < len(by_id)  # subjects added since the job was created have no label
    return np.where(inside, by_id[np.where(inside, ids, 0)], -1)


def _check_labelled(own: IntArray, label_set: str) -> None:
    if len(np.unique(own[own >= 0])) < 2:
        raise KnownError(
            "Fewer than two labels of {label_set} are in use.",
            "Label a few images of each class first.",
            label_set=label_set,
        )


def _measure(found: Indexed, own: IntArray, k: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Labels of the labelled subjects (at most MEASURED), and whether the vote of the others is
    right."""
    labelled = np.flatnonzero(own >= 0)
    rows, labels = found.rows(found.positions[labelled]), own[labelled]
    at = np.arange(len(labels))
    if len(at) > MEASURED:
        at = np.sort(np.random.default_rng(0).choice(at, MEASURED, replace=False))
    return labels[at], vote(rows, labels, rows[at], k, own=at).labels == labels[at]


def _queries(found: Indexed, own: IntArray, chosen: IntArray | None, files: bool) -> IntArray:
    if chosen is not None:
        return np.flatnonzero(np.isin(found.subjects.images, chosen))
    return np.empty(0, np.int64) if files else np.flatnonzero(own < 0)


def _vote(found: Indexed, own: IntArray, queries: IntArray, k: int) -> Votes:
    """Votes on the queries and then the files; an image does not vote on itself."""
    labelled = np.flatnonzero(own >= 0)
    positions = np.concatenate((found.positions[queries], found.extra))
    itself = positions_of(_as_keys(found.positions[labelled]), _as_keys(positions))
    rows = found.rows(found.positions[labelled])
    return vote(rows, own[labelled], found.rows(positions), k, own=itself)


def _as_keys(positions: IntArray) -> Keys:
    return positions.astype(np.int64).view(np.uint64)


def _per_label(
    labels: IntArray, right: NDArray[np.bool_], names: Sequence[str]
) -> tuple[LabelAccuracy, ...]:
    return tuple(
        LabelAccuracy(names[label], int((labels == label).sum()), int(right[labels == label].sum()))
        for label in np.unique(labels).tolist()
    )
