"""Images like others, and labels from their neighbours: searches in a feature index as jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from workbench.app.features import FeatureSource, Indexed, Indexer
from workbench.app.jobs import Task
from workbench.app.open_project import OpenProject
from workbench.domain.errors import KnownError
from workbench.domain.features import Keys, places_of
from workbench.domain.labels import Subject
from workbench.domain.neighbours import Votes, similarity_to, vote
from workbench.domain.reports import Progress

JUDGED = 5000  # labelled images that the accuracy is measured on at most, drawn with a seed

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """All images that have features, the most similar first, with their mean cosine similarity to
    what was asked for, in [-1, 1]. `computed` were new to the index, `left_out` have no features,
    `bytes` is its size."""

    images: IntArray
    scores: NDArray[np.float32]
    source: FeatureSource
    computed: int = 0
    left_out: int = 0
    bytes: int = 0


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


def _tr(text: str) -> str:
    return QCoreApplication.translate("similarity", text)


def similar_task(
    op: OpenProject,
    source: FeatureSource,
    images: Sequence[int] | IntArray,
    files: Sequence[Path] = (),
    name: str = "",
) -> Task:
    """A job that orders all images by how similar they are to `images` and `files` together, and
    ends Done(Ranking); features that are missing are computed first. `name` is said in its title.
    """
    asked = np.asarray(images, np.int64)
    indexer = Indexer(op, source)

    def work() -> Generator[object | None, None, Ranking]:
        found = yield from indexer.steps(files)
        yield Progress(done=0, text=_tr("Comparing {n:,} images").format(n=len(found.subjects)))
        scores = similarity_to(found.rows(), _queries(found, asked))
        best, order = _by_image(found, scores)
        return Ranking(order, best, source, found.computed, found.left_out, found.index.bytes)

    title = _tr("Find similar to {name}").format(
        name=name or _tr("{n} images").format(n=len(asked))
    )
    return Task(title, work, kind="similar")


def _queries(found: Indexed, asked: IntArray) -> NDArray[np.float16]:
    at = found.places[np.isin(found.images, asked)]
    places = np.concatenate((at, found.extra))
    if not len(places):
        raise KnownError(
            "What is looked for has no features: its file cannot be read, or it shows no mouth.",
            "Choose another image, or other features.",
        )
    return found.rows(places)


def _by_image(found: Indexed, scores: NDArray[np.float32]) -> tuple[NDArray[np.float32], IntArray]:
    """Scores and images, the best first; an image with several crops counts by its best one."""
    images = found.images
    order = np.argsort(-scores, kind="stable")
    first = np.sort(np.unique(images[order], return_index=True)[1])
    order = order[first]
    return scores[order], images[order]


def recognise_task(
    op: OpenProject,
    source: FeatureSource,
    label_set: str,
    k: int = 20,
    images: Sequence[int] | IntArray | None = None,
    files: Sequence[Path] = (),
) -> Task:
    """A job that labels `files` and `images` (None: all without a label of the set) by a vote of
    their k nearest labelled neighbours, and ends Done(Recognised). Nothing is trained: a label that
    was given to a few images a moment ago takes part.

    Raises KnownError and ValueRefused where the set is unknown or nobody has a label of it.
    """
    known, crops = _labelled(op, label_set)
    source = dataclasses.replace(source, crops=crops)
    names = op.store.labels.get(label_set).names
    asked = None if images is None else frozenset(np.asarray(images, np.int64).tolist())
    indexer = Indexer(op, source)

    def work() -> Generator[object | None, None, Recognised]:
        found = yield from indexer.steps(files)
        ids = ((s.crop if crops else s.image) or 0 for s in found.subjects)
        own = np.fromiter((known.get(one, -1) for one in ids), np.int64, len(found.subjects))
        teachers = np.flatnonzero(own >= 0)
        _check_teachers(teachers, own, label_set)
        rows, labels = found.rows(found.places[teachers]), own[teachers]
        yield Progress(done=0, text=_tr("Asking {n:,} neighbours").format(n=len(teachers)))
        judged, votes = _judged(rows, labels, k)
        yield None
        learners = _learners(found, own, asked, bool(files))
        paths = [found.subjects[i].path for i in learners] + [str(path) for path in files]
        places = np.concatenate((found.places[learners], found.extra))
        own_rows = places_of(_as_keys(found.places[teachers]), _as_keys(places))
        said = vote(rows, labels, found.rows(places), k, own=own_rows)
        right = votes.labels == labels[judged]
        return Recognised(
            source,
            len(teachers),
            len(judged),
            float(right.mean()),
            _per_label(labels[judged], right, names),
            tuple(zip(paths, (names[i] for i in said.labels), said.shares.tolist(), strict=True)),
        )

    title = _tr("Recognise {name} by neighbours").format(name=label_set)
    return Task(title, work, kind="similar")


def _labelled(op: OpenProject, label_set: str) -> tuple[dict[int, int], bool]:
    """The position of the label of each image that has one, or of each crop where the set is about
    crops and there are any (True then)."""
    known = op.store.labels.get(label_set)
    crops = known.subject is Subject.CROP and bool(op.store.crops.detected_sources())
    if crops:
        table = op.store.crops.table(label_set)
        subjects, labels = table.crops, table.labels
    else:
        subjects = op.store.images.ids()
        labels = op.store.labels.label_ids(subjects, label_set)
    has = labels >= 0
    return dict(zip(subjects[has].tolist(), labels[has].tolist(), strict=True)), crops


def _check_teachers(teachers: IntArray, own: IntArray, label_set: str) -> None:
    if len(teachers) < 2 or len(np.unique(own[teachers])) < 2:
        raise KnownError(
            f"Neighbours need images with two different labels of {label_set}.",
            "Label a few images of each kind first.",
        )


def _judged(rows: NDArray[np.float16], labels: IntArray, k: int) -> tuple[IntArray, Votes]:
    """Leave-one-out votes on the labelled images, or on that many drawn of them."""
    at = np.arange(len(labels))
    if len(at) > JUDGED:
        at = np.sort(np.random.default_rng(0).choice(at, JUDGED, replace=False))
    return at, vote(rows, labels, rows[at], k, own=at)


def _learners(found: Indexed, own: IntArray, asked: frozenset[int] | None, files: bool) -> IntArray:
    if asked is not None:
        return np.flatnonzero([subject.image in asked for subject in found.subjects])
    return np.empty(0, np.int64) if files else np.flatnonzero(own < 0)


def _as_keys(places: IntArray) -> Keys:
    return places.astype(np.int64).view(np.uint64)


def _per_label(
    labels: IntArray, right: NDArray[np.bool_], names: Sequence[str]
) -> tuple[LabelAccuracy, ...]:
    return tuple(
        LabelAccuracy(names[label], int((labels == label).sum()), int(right[labels == label].sum()))
        for label in np.unique(labels).tolist()
    )
