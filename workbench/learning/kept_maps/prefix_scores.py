"""Scores of all images from kept maps, so that trainings with one prefix compute it once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.runs import ModelCard
from workbench.learning.device import Device
from workbench.learning.evaluate import Scorer, checked
from workbench.learning.images.data import Images
from workbench.learning.images.pixels import Look, looks
from workbench.learning.kept_maps.prefix_maps import chunks, machine_words, read_maps
from workbench.learning.kept_maps.prefix_store import Maps
from workbench.learning.networks.models import Network, blocks


@dataclass(frozen=True)
class Looked:
    """Images in every look that they are scored by: one after the other, and after each, if the
    card says so, the mirror images in it."""

    images: Images
    rows: NDArray[np.int64]
    card: ModelCard
    device: Device
    precision: str

    @property
    def size(self) -> int:
        return self.card.image_size

    @property
    def sides(self) -> int:
        """2 where mirror images are scored too, else 1."""
        return 1 + self.card.test_mirror

    @property
    def passes(self) -> list[int]:
        return [len(self.rows)] * len(self._looks()) * self.sides

    @property
    def words(self) -> str:
        return f"{len(self.passes)} looks at each of {len(self.rows)} images"

    def inputs(self) -> Iterator[Tensor]:
        for look in self._looks():
            for side in range(self.sides):
                for rows in chunks(self.rows):
                    squares = self.images.squares[torch.from_numpy(rows)].to(self.device.torch)
                    seen = look(squares, self.card)
                    yield seen.flip(3) if side else seen

    def digest(self) -> bytes:
        found = hashlib.sha256(b"looks")
        told = (self.card.image_size, self.card.mean, self.card.std, self.card.test_crops)
        machine = machine_words(self.device, self.precision)
        found.update(repr((told, self.sides, machine, self.images.squares.shape[1:])).encode())
        for row in self.rows.tolist():
            found.update(self.images.squares[row].numpy().data)
        return found.digest()

    def scores(self, scorer: Scorer, tail: Network, maps: Maps, batch: int) -> NDArray[np.float32]:
        """Probabilities of `rows`, in their order, from their maps. Raises KnownError where they
        are no numbers."""
        scorer, count = replace(scorer, network=tail), len(self.rows)
        found = np.zeros((count, blocks(self.card)[-1].stop), dtype=np.float32)
        tail.eval()
        for start in range(0, count, batch):
            rows = np.arange(start, min(start + batch, count))
            seen = [read_maps(self, maps, at * count + rows) for at in range(len(self.passes))]
            pairs = [(seen[at], seen[at + 1]) for at in range(0, len(seen), 2)]
            plain = [(each, None) for each in seen]
            found[rows] = scorer.of_sides(pairs if self.sides == 2 else plain).numpy()
        return checked(found)

    def _looks(self) -> tuple[Look, ...]:
        return looks(self.images.squares.shape[1], self.card)
