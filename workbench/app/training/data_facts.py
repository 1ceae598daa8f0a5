"""What advice needs to know of a project's data, without reading a row for every image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.app.training.samples import TRAIN, VALIDATION, collect, list_in_use
from workbench.domain.advice import DataFacts
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.recipes import JOINT
from workbench.domain.splits import Part
from workbench.storage.project import Project


def facts_of(store: Project, target: str) -> DataFacts:
    """What `collect(store, target).facts()` is, and raises: from whole columns where images carry
    one label each, so that a page may ask for it in a project of a million images."""
    first = store.labels.get("category" if target == JOINT else target)
    views = store.labels.get("view") if target == JOINT else None
    plain = all(given.exclusive for given in (first, views) if given is not None)
    if first.subject is Subject.CROP or not plain:
        return collect(store, target).facts()
    ids = store.images.ids()
    labels = store.labels.label_ids(ids, first.name)
    used = _used(first, labels)
    seen = labels >= 0
    if views is not None:
        of_view = store.labels.label_ids(ids, views.name)
        seen |= of_view >= 0
        used_views = _used(views, of_view)
    if len(used) < 2 or (views is not None and len(list_in_use(views, used_views).labels) < 2):
        return collect(store, target).facts()  # says what is missing
    ids, labels = ids[seen], labels[seen]
    of_part = _parts(store, ids)
    split = any(inside.any() for inside in of_part.values())
    train = labels[of_part[Part.TRAIN]] if split else labels
    counts = np.bincount(train[train >= 0], minlength=len(first.names))
    kept = [first.index(name) for name in list_in_use(first, used).labels]
    share = 1.0 if split else TRAIN
    return DataFacts(
        tuple(round(int(counts[at]) * share) for at in kept),
        int(of_part[Part.VALIDATION].sum()) if split else round(VALIDATION * len(ids)),
        crops=False,
        shorter_side=int(np.median(store.images.shorter_sides(ids))),
    )


def _used(given: LabelSet, labels: NDArray[np.int64]) -> set[str]:
    return {given.names[at] for at in np.unique(labels[labels >= 0]).tolist()}


def _parts(store: Project, ids: NDArray[np.int64]) -> dict[Part, NDArray[np.bool_]]:
    """For each part of the split, which of the images stand in it."""
    return {part: np.isin(ids, members) for part, members in store.splits.members().items()}
