"""Filters and sort orders over all images, as id arrays: a million images within a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import Subject
from workbench.domain.splits import PARTS
from workbench.storage.annotators import Annotators
from workbench.storage.database import Database, IntArray
from workbench.storage.labels import Labels
from workbench.storage.predictions import Predictions

BoolArray = NDArray[np.bool_]


class Search:
    """Finds images. The order by name is cached until images are added or removed."""

    def __init__(
        self, db: Database, labels: Labels, annotators: Annotators, predictions: Predictions
    ) -> None:
        self._db = db
        self._annotators = annotators
        self._labels = labels
        self._predictions = predictions
        self._by_name: IntArray | None = None

    def update(self, changes: Changes | None) -> None:
        """Update the cache after an edit, an undo or a rollback (None)."""
        if changes is None or changes.added or changes.removed:
            self.forget()

    def forget(self) -> None:
        """Drop cached orders before images are added or removed."""
        self._by_name = None

    def _all_by_name(self) -> IntArray:
        if self._by_name is None:
            self._by_name = self._db.ids("SELECT id FROM image ORDER BY sort_key, id")
        return self._by_name

    def ids(self, wanted: ImageFilter, sort: Sort, descending: bool) -> IntArray:
        """Ids of the images that meet all conditions, in order."""
        order = self._ordered(wanted, sort)
        keep: BoolArray | None = None
        for ids, meant in self._conditions(wanted, order):
            mask = self._mask(ids, order)
            mask = mask if meant else ~mask
            keep = mask if keep is None else keep & mask
        found = order if keep is None else order[keep[order]]
        return found[::-1].copy() if descending else found.copy()

    def _mask(self, ids: IntArray, order: IntArray) -> BoolArray:
        mask = np.zeros(int(order.max(initial=0)) + 1, np.bool_)
        mask[ids[(ids >= 0) & (ids < len(mask))]] = True
        return mask

    def _conditions(self, wanted: ImageFilter, order: IntArray) -> Iterator[tuple[IntArray, bool]]:
        """Yield each condition as ids, and whether these are required (True) or excluded
        (False)."""
        if wanted.ids is not None:
            yield np.asarray(wanted.ids, np.int64), True
        if wanted.source is not None:
            yield self._in_source(wanted.source), True
        for label_set, label in wanted.labels:
            yield self._labelled(label_set, label, order)
        if wanted.part is not None:
            yield self._in_part(wanted.part)
        if wanted.text:
            yield self._with_text(wanted.text), True
        if wanted.annotator:
            yield self._annotators.images_of(wanted.annotator, wanted.ids), True
        if wanted.disagreement is not None:
            yield order[self._disagreeing(wanted.disagreement, order)], True

    def _in_source(self, source: int) -> IntArray:
        # Scanning this index is faster than a million look-ups through the index of paths.
        sql = "SELECT image FROM place INDEXED BY place_of_image WHERE source = ?"
        return self._db.ids(sql, (source,))

    def _labelled(
        self, label_set: str, label: str | None, order: IntArray
    ) -> tuple[IntArray, bool]:
        known = self._labels.get(label_set)
        at = known.index(label) if label is not None else -1
        if known.exclusive and known.subject is Subject.IMAGE:
            return order[self._labels.label_ids(order, label_set) == at], True
        sql = (
            "SELECT a.image FROM annotation a JOIN label l ON l.id = a.label"
            " JOIN label_set s ON s.id = a.label_set WHERE a.ended_at IS NULL AND s.name = ?"
        )
        if label is None:
            return self._db.ids(sql, (label_set,)), False
        return self._db.ids(sql + " AND l.name = ?", (label_set, label)), True

    def _in_part(self, part: str) -> tuple[IntArray, bool]:
        standing = (
            "SELECT image FROM membership WHERE split = (SELECT id FROM split WHERE standing)"
        )
        if part == "":
            return self._db.ids(standing), False
        code = [p.value for p in PARTS].index(part)
        return self._db.ids(standing + " AND part = ?", (code,)), True

    def _with_text(self, text: str) -> IntArray:
        escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        return self._db.ids(
            "SELECT p.image FROM place p JOIN source s ON s.id = p.source"
            " WHERE s.path || '/' || p.path LIKE ? ESCAPE '!'",
            (f"%{escaped}%",),
        )

    def _ordered(self, wanted: ImageFilter, sort: Sort) -> IntArray:
        by_name = self._all_by_name()
        if sort is Sort.ADDED:
            return np.sort(by_name)
        if sort is Sort.CATEGORY:
            return by_name[np.argsort(self._category_rank(by_name), kind="stable")]
        if sort is Sort.UNCERTAINTY:
            confidence = self._confidence(by_name, wanted.disagreement)
            return by_name[np.argsort(confidence, kind="stable")]
        if sort is Sort.DISAGREEMENT:
            return self._by_disagreement(by_name, wanted.disagreement)
        return by_name

    def _category_rank(self, images: IntArray) -> IntArray:
        """Position of each image's category in alphabetical order; images without one come last."""
        names = self._labels.get("category").names
        rank = np.full(len(names) + 1, len(names), np.int64)
        rank[sorted(range(len(names)), key=lambda i: names[i].casefold())] = np.arange(len(names))
        return rank[self._labels.label_ids(images, "category")]

    def _confidence(self, images: IntArray, label_set: str | None) -> NDArray[np.float64]:
        """Confidence of the newest run for each image; 2 without a prediction."""
        found = self._predictions.newest_of_images(label_set)
        if found is None:
            return np.full(len(images), 2.0)
        sure = np.full(int(images.max(initial=0)) + 1, 2.0)
        inside = found.images < len(sure)
        sure[found.images[inside]] = found.confidence[inside]
        return sure[images]

    def _disagreeing(self, label_set: str, images: IntArray) -> BoolArray:
        """Mask of the images whose label differs from the newest run's prediction for the set."""
        found = self._predictions.newest_of_images(label_set)
        if found is None:
            return np.zeros(len(images), np.bool_)
        names = self._labels.get(label_set).names
        to_set = [names.index(name) if name in names else -2 for name in found.labels]
        predicted = np.full(int(images.max(initial=0)) + 1, -1, np.int64)
        inside = found.images < len(predicted)
        predicted[found.images[inside]] = np.asarray(to_set, np.int64)[found.predicted[inside]]
        given, guessed = self._labels.label_ids(images, label_set), predicted[images]
        return np.asarray((given >= 0) & (guessed != -1) & (given != guessed), np.bool_)

    def _by_disagreement(self, images: IntArray, label_set: str | None) -> IntArray:
        """Images that contradict the newest run, most confident first, followed by the rest."""
        target = label_set or self._predictions.newest_target()
        if target is None:
            return images
        against = self._disagreeing(target, images)
        confidence = self._confidence(images, target)
        return images[np.argsort(np.where(against, -confidence, 3.0), kind="stable")]
