"""Labels without training: what an image's nearest labelled neighbours say, and how often they are
right."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Task
from workbench.app.session import Session
from workbench.app.similar.features import FeatureSource, Indexed, Indexer
from workbench.domain.errors import KnownError
from workbench.domain.features import Keys, Votes, places_of, vote
from workbench.domain.labels import Subject
from workbench.domain.reports import Progress
from workbench.domain.text import Message

JUDGED = 5000  # labelled images that the accuracy is measured on at most, drawn with a seed

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class LabelAccuracy:
    """Of `images` with this label, how many their neighbours gave it."""

    label: str
    images: int
    right: int


@dataclass(frozen=True)
class Recognised:
    """What neighbours say: for each name asked about, a label and its share of the votes; and how
    often they are right about images whose label is known (leave-one-out), in [0, 1]."""

    source: FeatureSource
    labelled: int
    judged: int
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
    """A job that labels `files` and `images` (None: all without a label of the set) by a vote of
    their k nearest labelled neighbours, and ends Done(Recognised). Nothing is trained: a label that
    was given to a few images a moment ago takes part.

    Raises KnownError and ValueRefused where the set is unknown or nobody has a label of it.
    """
    known, crops = _labelled(session, label_set)
    source = dataclasses.replace(source, crops=crops)
    names = session.store.labels.get(label_set).names
    asked = None if images is None else np.asarray(images, np.int64)
    indexer = Indexer(session, source)

    def work() -> Generator[object | None, None, Recognised]:
        found = yield from indexer.steps(files)
        own = _own_labels(found, known, crops)
        _check_teachers(own, label_set)
        yield Progress(done=0, text=Message("Asking neighbours"))
        right_of = _judged(found, own, k)
        learners = _learners(found, own, asked, bool(files))
        said = _said(found, own, learners, k)
        paths = [file.path for file in indexer.files(found.subjects[learners])]
        paths += [str(path) for path in files]
        return Recognised(
            source,
            int((own >= 0).sum()),
            len(right_of[0]),
            float(right_of[1].mean()),
            _per_label(*right_of, names),
            tuple(zip(paths, (names[i] for i in said.labels), said.shares.tolist(), strict=True)),
        )

    return Task(
        Message("Recognise {label_set} by neighbours", label_set=label_set), work, kind="similar"
    )


def _labelled(session: Session, label_set: str) -> tuple[IntArray, bool]:
    """The position of the label of the image with each id, -1 without one; of each crop where the
    set is about crops and there are any (True then)."""
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
    inside = ids < len(by_id)  # what came in since the job was made has no label
    return np.where(inside, by_id[np.where(inside, ids, 0)], -1)


def _check_teachers(own: IntArray, label_set: str) -> None:
    if len(np.unique(own[own >= 0])) < 2:
        raise KnownError(
            "Neighbours need images with two different labels of {label_set}.",
            "Label a few images of each kind first.",
            label_set=label_set,
        )


def _judged(found: Indexed, own: IntArray, k: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Labels of the labelled images (or of that many drawn of them), and of which of them the
    others say the right one."""
    teachers = np.flatnonzero(own >= 0)
    rows, labels = found.rows(found.places[teachers]), own[teachers]
    at = np.arange(len(labels))
    if len(at) > JUDGED:
        at = np.sort(np.random.default_rng(0).choice(at, JUDGED, replace=False))
    return labels[at], vote(rows, labels, rows[at], k, own=at).labels == labels[at]


def _learners(found: Indexed, own: IntArray, asked: IntArray | None, files: bool) -> IntArray:
    if asked is not None:
        return np.flatnonzero(np.isin(found.subjects.images, asked))
    return np.empty(0, np.int64) if files else np.flatnonzero(own < 0)


def _said(found: Indexed, own: IntArray, learners: IntArray, k: int) -> Votes:
    """The votes about the learners and then the files; no image has one about itself."""
    teachers = np.flatnonzero(own >= 0)
    places = np.concatenate((found.places[learners], found.extra))
    itself = places_of(_as_keys(found.places[teachers]), _as_keys(places))
    rows = found.rows(found.places[teachers])
    return vote(rows, own[teachers], found.rows(places), k, own=itself)


def _as_keys(places: IntArray) -> Keys:
    return places.astype(np.int64).view(np.uint64)


def _per_label(
    labels: IntArray, right: NDArray[np.bool_], names: Sequence[str]
) -> tuple[LabelAccuracy, ...]:
    return tuple(
        LabelAccuracy(names[label], int((labels == label).sum()), int(right[labels == label].sum()))
        for label in np.unique(labels).tolist()
    )
