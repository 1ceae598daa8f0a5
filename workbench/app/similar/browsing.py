"""The list of images a page shows: a filter, an order, and the ids that answer them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from workbench.app.session import Session
from workbench.app.similar.similarity import Ranking
from workbench.app.similar.suggesting import by_uncertainty
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter, Similar, Sort

_FEW = 20_000  # changed images up to which only these are asked about again


class ImageList:
    """Ids in the order shown, kept in step with the project without asking for all of them each
    time a label is given."""

    def __init__(self, session: Session) -> None:
        self._op = session
        self.filter = ImageFilter()
        self.sort = Sort.NAME
        self.descending = False
        self.uncertain_in: str | None = None  # the label set UNCERTAINTY speaks of; None: any
        self.ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._ranked: tuple[Similar, Ranking] | None = None

    def rank(self, similar: Similar, ranking: Ranking) -> None:
        """What the filter's `similar` means is known from now on; it counts at the next `show`."""
        self._ranked = (similar, ranking)

    def ranking(self, wanted: ImageFilter) -> Ranking | None:
        """The order that the filter's `similar` asks for; None where it asks for none, or where it
        is not known yet."""
        known = self._ranked
        return known[1] if known is not None and known[0] == wanted.similar else None

    def reload(self) -> None:
        """Ask for all ids anew."""
        self.ids = self._found(self.filter, self.sort, self.descending)

    def _found(self, wanted: ImageFilter, sort: Sort, descending: bool) -> NDArray[np.int64]:
        images = self._op.store.images
        ranking = self.ranking(wanted)
        if ranking is not None:
            ids = ranking.ordered(images.ids(wanted, sort))
            return ids[::-1].copy() if descending else ids
        if sort is not Sort.UNCERTAINTY or self.uncertain_in is None:
            return images.ids(wanted, sort, descending)
        ids = by_uncertainty(self._op, self.uncertain_in, images.ids(wanted))
        return ids[::-1].copy() if descending else ids

    def show(self, wanted: ImageFilter, sort: Sort, descending: bool) -> None:
        """Another filter or order; raises KnownError, changing nothing, where it cannot be."""
        ids = self._found(wanted, sort, descending)
        self.filter, self.sort, self.descending, self.ids = wanted, sort, descending, ids

    def update(self, changes: Changes) -> bool:
        """Take an edit in; True when the ids or their order may be others now."""
        listed = changes.added or changes.removed or changes.sources
        if listed or (changes.split and self.filter.part is not None):
            self.reload()
            return True
        if changes.runs and self._needs_a_run():
            self.reload()
            return True
        if changes.label_sets and self._depends_on_labels():
            self.reload()
            return True
        if changes.labelled and self._depends_on_labels():
            return self._update_labelled(changes.labelled)
        return False

    def _needs_a_run(self) -> bool:
        by_run = self.sort in (Sort.UNCERTAINTY, Sort.DISAGREEMENT)
        return by_run or self.filter.disagreement is not None

    def _depends_on_labels(self) -> bool:
        sorted_by = self.sort in (Sort.CATEGORY, Sort.DISAGREEMENT)
        return bool(self.filter.labels) or self.filter.disagreement is not None or sorted_by

    def _update_labelled(self, labelled: frozenset[int]) -> bool:
        """Take out what no longer answers the filter; what newly does needs its place in the order,
        so then everything is asked for."""
        reordered = self.sort in (Sort.CATEGORY, Sort.DISAGREEMENT)
        if reordered or len(labelled) > _FEW:
            self.reload()
            return True
        wanted = labelled if self.filter.ids is None else labelled & frozenset(self.filter.ids)
        asked = dataclasses.replace(self.filter, ids=tuple(sorted(wanted)))
        answering = self._op.store.images.ids(asked)
        changed = np.fromiter(labelled, np.int64, len(labelled))
        touched = np.isin(self.ids, changed)
        if not np.isin(answering, self.ids[touched]).all():
            self.reload()
            return True
        gone = touched & ~np.isin(self.ids, answering)
        if not gone.any():
            return False
        self.ids = self.ids[~gone]
        return True
