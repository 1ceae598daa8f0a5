"""Which tiles are selected, over any number of them: one byte each, no widget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class TileSelection:
    """Selected positions of an array of ids, the current one, and the anchor of shift-clicks.

    Methods that change something return whether the selected set may have changed.
    """

    def __init__(self) -> None:
        self.ids: NDArray[np.int64] = np.empty(0, np.int64)
        self.mask: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.current = -1
        self.anchor = -1
        self._base: NDArray[np.bool_] | None = None

    def set_ids(self, ids: NDArray[np.int64]) -> None:
        """Show other ids; what is still among them stays selected and current."""
        selected, current = self.selected(), self.current_id()
        at = self.current
        self.ids = np.ascontiguousarray(ids, np.int64)
        self.mask = (
            np.isin(self.ids, selected) if len(selected) else np.zeros(len(self.ids), np.bool_)
        )
        self.current = self.position(current) if current is not None else -1
        if self.current < 0 <= at and len(self.ids):
            self.current = min(at, len(self.ids) - 1)  # the neighbour of what went away
            if not self.mask.any():
                self.mask[self.current] = True
        self.anchor = self.current

    def position(self, image: int) -> int:
        """Where `image` stands, -1 where it is not among the ids."""
        found = np.flatnonzero(self.ids == image)
        return int(found[0]) if len(found) else -1

    def selected(self) -> NDArray[np.int64]:
        """Ids in the order shown."""
        return self.ids[self.mask]

    def count(self) -> int:
        return int(np.count_nonzero(self.mask))

    def current_id(self) -> int | None:
        return int(self.ids[self.current]) if 0 <= self.current < len(self.ids) else None

    def only(self, position: int) -> bool:
        """Select one tile and nothing else."""
        self.mask[:] = False
        self.mask[position] = True
        self.current = self.anchor = position
        return True

    def toggle(self, position: int) -> bool:
        """Add a tile or take it out."""
        self.mask[position] = not self.mask[position]
        self.current = self.anchor = position
        return True

    def extend(self, position: int, *, add: bool = False) -> bool:
        """Select from the anchor to `position`; `add` keeps what was selected besides."""
        start = self.anchor if self.anchor >= 0 else position
        if not add:
            self.mask[:] = False
        self.mask[min(start, position) : max(start, position) + 1] = True
        self.current, self.anchor = position, start
        return True

    def everything(self) -> bool:
        self.mask[:] = True
        if self.current < 0 and len(self.ids):
            self.current = self.anchor = 0
        return True

    def nothing(self) -> bool:
        had = bool(self.mask.any())
        self.mask[:] = False
        return had

    def begin_band(self, *, add: bool) -> None:
        """A rubber band starts; `add` keeps what is selected."""
        self._base = self.mask.copy() if add else np.zeros(len(self.ids), np.bool_)

    def move_band(self, positions: NDArray[np.int64]) -> bool:
        """The rubber band now touches `positions`."""
        if self._base is None:
            return False
        self.mask[:] = self._base
        self.mask[positions] = True
        if len(positions):
            self.current = self.anchor = int(positions[0])
        return True

    def end_band(self) -> None:
        self._base = None
