"""The list of images of a page: a filter, a sort order, and the matching ids."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from workbench.app.session import Session
from workbench.app.similar.similarity import Ranking
from workbench.app.similar.suggesting import by_uncertainty
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter, Similar, Sort

_FEW = 20_000  # number of changed images up to which only these are queried again


class ImageList:
    """Sorted image ids, updated with each edit; labelling does not query all of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.filter = ImageFilter()
        self.sort = Sort.NAME
        self.descending = False
        self.uncertain_in: str | None = None  # label set for UNCERTAINTY; None: any
        self.ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._ranked: tuple[Similar, Ranking] | None = None

    def rank(self, similar: Similar, ranking: Ranking) -> None:
        """Set the ranking of the filter's `similar`; it is used from the next `show` on."""
        self._ranked = (similar, ranking)

    def ranking(self, wanted: ImageFilter) -> Ranking | None:
        """Ranking of the filter's `similar`; None if it has none or it is not known yet."""
        known = self._ranked
        return known[1] if known is not None and known[0] == wanted.similar else None

    def reload(self) -> None:
        """Query all ids again."""
        self.ids = self._found(self.filter, self.sort, self.descending)

    def _found(self, wanted: ImageFilter, sort: Sort, descending: bool) -> NDArray[np.int64]:
        images = self._session.store.images
        ranking = self.ranking(wanted)
        if ranking is not None:
            ids = ranking.ordered(images.ids(wanted, sort))
            return ids[::-1].copy() if descending else ids
        if sort is not Sort.UNCERTAINTY or self.uncertain_in is None:
            return images.ids(wanted, sort, descending)
        ids = by_uncertainty(self._session, self.uncertain_in, images.ids(wanted))
        return ids[::-1].copy() if descending else ids

    def show(self, wanted: ImageFilter, sort: Sort, descending: bool) -> None:
        """Set the filter and the sort order. Raises KnownError without changing anything if they
        cannot be used."""
        ids = self._found(wanted, sort, descending)
        self.filter, self.sort, self.descending, self.ids = wanted, sort, descending, ids

    def update(self, changes: Changes) -> bool:
        """Apply an edit; return True if the ids or their order may have changed."""
        listed = changes.added or changes.removed or changes.sources
        if listed or (changes.split and self.filter.part is not None):
            self.reload()
            return True
        if changes.runs and self._depends_on_runs():
            self.reload()
            return True
        if changes.label_sets and self._depends_on_labels():
            self.reload()
            return True
        if changes.labelled and self._depends_on_labels():
            return self._update_labelled(changes.labelled)
        return False

    def _depends_on_runs(self) -> bool:
        by_run = self.sort in (Sort.UNCERTAINTY, Sort.DISAGREEMENT)
        return by_run or self.filter.disagreement is not None

    def _depends_on_labels(self) -> bool:
        sorted_by = self.sort in (Sort.CATEGORY, Sort.DISAGREEMENT)
        wanted = self.filter
        by_label = bool(wanted.labels or wanted.annotator) or wanted.disagreement is not None
        return by_label or sorted_by

    def _update_labelled(self, labelled: frozenset[int]) -> bool:
        """Remove images that no longer match the filter. If others match now, query all ids for
        their places in the order."""
        reordered = self.sort in (Sort.CATEGORY, Sort.DISAGREEMENT)
        if reordered or len(labelled) > _FEW:
            self.reload()
            return True
        wanted = labelled if self.filter.ids is None else labelled & frozenset(self.filter.ids)
        only_these = dataclasses.replace(self.filter, ids=tuple(sorted(wanted)))
        matching = self._session.store.images.ids(only_these)
        changed = np.fromiter(labelled, np.int64, len(labelled))
        touched = np.isin(self.ids, changed)
        if not np.isin(matching, self.ids[touched]).all():
            self.reload()
            return True
        gone = touched & ~np.isin(self.ids, matching)
        if not gone.any():
            return False
        self.ids = self.ids[~gone]
        return True
