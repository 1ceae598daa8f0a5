"""What advice needs to know of a project's data, without reading a row for every image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.app.training.samples import collect, list_in_use, ready_made
from workbench.domain.advice import DataFacts
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.recipes import JOINT
from workbench.domain.splits import DEFAULT_SPLIT, Part
from workbench.storage.project import Project


@dataclass(frozen=True)
class _Things:
    """What a network would look at: N ids of images, labels by their place in the set (-1: none),
    and shorter sides in pixels."""

    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    sides: NDArray[np.int64]

    def where(self, rows: NDArray[np.bool_]) -> _Things:
        return _Things(self.images[rows], self.labels[rows], self.sides[rows])


def facts_of(store: Project, target: str) -> DataFacts:
    """What `collect(store, target).facts()` is, and raises: from whole columns where labels exclude
    each other, so that a page may ask for it in a project of a million images."""
    first = store.labels.get("category" if target == JOINT else target)
    views = store.labels.get("view") if target == JOINT else None
    crops = first.subject is Subject.CROP
    if not all(given.exclusive for given in (first, views) if given is not None):
        return collect(store, target).facts()
    things = _mouths(store, first) if crops else _images(store, first)
    used = _used(first, things.labels)
    seen = things.labels >= 0
    if views is not None:
        of_view = store.labels.label_ids(things.images, views.name)
        seen |= of_view >= 0
        used_views = _used(views, of_view)
    if len(used) < 2 or (views is not None and len(list_in_use(views, used_views).labels) < 2):
        return collect(store, target).facts()  # says what is missing
    names = first.names
    kept = [names.index(name) for name in list_in_use(first, used).labels]
    return _counted(store, things.where(seen), kept, crops)


def _counted(store: Project, things: _Things, kept: Sequence[int], crops: bool) -> DataFacts:
    """The facts of what can be learned from; `kept` are the labels in use."""
    of_part = _parts(store, things.images)
    split = any(inside.any() for inside in of_part.values())
    train = things.labels[of_part[Part.TRAIN]] if split else things.labels
    counts = np.bincount(train[train >= 0], minlength=max(kept) + 1)
    share = 1.0 if split else DEFAULT_SPLIT.train
    drawn = round(DEFAULT_SPLIT.validation * len(things.images))
    held = int(of_part[Part.VALIDATION].sum()) if split else drawn
    sides = int(np.median(things.sides))
    return DataFacts(tuple(round(int(counts[at]) * share) for at in kept), held, crops, sides)


def _images(store: Project, label_set: LabelSet) -> _Things:
    ids = store.images.ids()
    labels = store.labels.label_ids(ids, label_set.name)
    return _Things(ids, labels, store.images.shorter_sides(ids))


def _mouths(store: Project, label_set: LabelSet) -> _Things:
    """As `samples` takes them: usable crops with their own label, or that of an image which shows
    a single mouth; whole images of sources that no detection has met."""
    every = _images(store, label_set)
    table = store.crops.table(label_set.name)
    crops, images, sides = store.crops.usable()
    size = 1 + max((int(ids.max()) for ids in (every.images, table.images) if len(ids)), default=0)
    of_image = np.full(size, -1, np.int64)
    of_image[every.images] = every.labels
    order = np.argsort(table.crops)
    own = table.labels[order[np.searchsorted(table.crops, crops, sorter=order)]]
    single = np.bincount(images, minlength=size)[images] == 1
    labels = np.where((own < 0) & single, of_image[images], own)
    whole = np.fromiter(ready_made(store), np.int64)
    rest = every.where(np.isin(every.images, whole) & ~np.isin(every.images, table.images))
    return _Things(
        np.concatenate((images, rest.images)),
        np.concatenate((labels, rest.labels)),
        np.concatenate((sides, rest.sides)),
    )


def _used(given: LabelSet, labels: NDArray[np.int64]) -> set[str]:
    names = given.names
    return {names[at] for at in np.unique(labels[labels >= 0]).tolist()}


def _parts(store: Project, ids: NDArray[np.int64]) -> dict[Part, NDArray[np.bool_]]:
    """For each part of the split, which of the images stand in it."""
    return {part: np.isin(ids, members) for part, members in store.splits.members().items()}
