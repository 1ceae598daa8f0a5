"""Progress and coverage of the labels of one set, updated with each edit.

Counts are computed from arrays in memory, so that labelling one of a million images needs no query
over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.app.session import Session
from workbench.domain.changes import Changes

_CHUNK = 4096

Heading = str | Literal[True] | None
"""A row or column of a coverage: a label, None for "no label", True for all of them."""


@dataclass(frozen=True)
class Coverage:
    """Numbers of images by label of one set (rows) and of another (columns).

    The last row and the last column of `counts`, beyond `rows` and `columns`, are for images
    without a label.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: NDArray[np.int64]


class LabelOverview:
    """The labels of all images in `label_set`, and in the set `rows` for the coverage table."""

    def __init__(self, session: Session, label_set: str, rows: str = "category") -> None:
        self._session = session
        self.label_set = label_set
        self.rows = rows
        self._ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._labels: NDArray[np.int64] = np.empty(0, np.int64)
        self._row_labels: NDArray[np.int64] = np.empty(0, np.int64)
        self._counts: NDArray[np.int64] = np.zeros((1, 1), np.int64)
        self.reload()

    def reload(self) -> None:
        """Read all labels again."""
        self._ids = np.sort(self._session.store.images.ids())
        self._labels = self._read(self._ids, self.label_set)
        self._row_labels = self._read(self._ids, self.rows)
        sets = self._session.store.labels.sets()
        shape = (len(sets[self.rows].names) + 1, len(sets[self.label_set].names) + 1)
        self._counts = np.zeros(shape, np.int64)
        self._count(np.arange(len(self._ids)), 1)

    def _count(self, at: NDArray[np.int64], sign: int) -> None:
        """Add images to the counts, or subtract them if `sign` is -1. Label -1 is counted last."""
        height, width = self._counts.shape
        cells = (self._row_labels[at] % height) * width + self._labels[at] % width
        self._counts += sign * np.bincount(cells, minlength=height * width).reshape(height, width)

    def _read(self, ids: NDArray[np.int64], label_set: str) -> NDArray[np.int64]:
        found = self._session.store.labels.label_ids(ids, label_set)
        return np.asarray(found, np.int64).copy()

    def update(self, changes: Changes) -> None:
        """Apply an edit; only changed images are read."""
        if changes.added or changes.removed or changes.label_sets:
            self.reload()
        elif changes.labelled:
            changed = np.array(sorted(changes.labelled), np.int64)
            at = self._places(changed)
            self._count(at, -1)
            self._labels[at] = self._read(changed, self.label_set)
            self._row_labels[at] = self._read(changed, self.rows)
            self._count(at, 1)

    def _places(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self._ids, ids).astype(np.int64)

    def progress(self) -> tuple[int, int]:
        """Number of labelled images, and of all images."""
        return len(self._ids) - int(self._counts[:, -1].sum()), len(self._ids)

    def next_unlabelled(self, ids: NDArray[np.int64], after: int) -> int | None:
        """Position in `ids` of the next unlabelled image after `after`, continuing at the start;
        None if all are labelled."""
        order = (range(after + 1, len(ids), _CHUNK), range(0, after + 1, _CHUNK))
        for starts in order:
            for start in starts:
                chunk = ids[start : start + _CHUNK]
                open_ones = np.flatnonzero(self._labels[self._places(chunk)] < 0)
                if len(open_ones):
                    return int(start + open_ones[0])
        return None

    def coverage(self) -> Coverage:
        """Number of images for each pair of labels."""
        sets = self._session.store.labels.sets()
        rows, columns = sets[self.rows].names, sets[self.label_set].names
        return Coverage(rows, columns, self._counts.copy())
