"""Training on kept maps: what the frozen prefix makes of fixed views of each image, made once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.domain.runs import ModelCard
from workbench.learning.device import Device
from workbench.learning.evaluate import Scorer
from workbench.learning.images.augment import Augmenter, Views, draw_views
from workbench.learning.images.data import Images
from workbench.learning.images.pixels import looks
from workbench.learning.kept_maps.prefix_maps import chunks, machine_words, read_maps
from workbench.learning.kept_maps.prefix_store import Maps
from workbench.learning.networks.models import Network, blocks


def shown_in(recipe: Recipe, epoch: int) -> int:
    """The epoch whose augmentation an epoch shows: `cache` of them in turn; 0: always its own."""
    return 1 + (epoch - 1) % recipe.cache if recipe.cache else epoch


@dataclass(frozen=True)
class Order:
    """What is to be kept: the train part in each of `recipe.cache` augmentations, then the
    validation part in the quick looks it is scored by."""

    recipe: Recipe
    images: Images
    augmenter: Augmenter
    card: ModelCard
    device: Device
    precision: str
    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    @property
    def looks(self) -> int:
        """How often an image of the validation part is looked at."""
        return len(looks(self.images.squares.shape[1], self.card, quick=True))

    @property
    def size(self) -> int:
        return self.card.image_size

    @property
    def passes(self) -> list[int]:
        return [len(self.train)] * self.recipe.cache + [len(self.validation)] * self.looks

    @property
    def words(self) -> str:
        return f"{self.recipe.cache} views of each of {len(self.train)} images"

    def views(self) -> Iterator[Views]:
        for epoch in range(1, self.recipe.cache + 1):
            yield draw_views(self.recipe, len(self.images.samples), epoch)

    def inputs(self) -> Iterator[Tensor]:
        """All that is shown to the network, in the order of the cache's rows, CHUNK at a time."""
        for views in self.views():
            for rows in chunks(self.train):
                yield self.augmenter(self.images.squares, rows, views)
        for look in looks(self.images.squares.shape[1], self.card, quick=True):
            for rows in chunks(self.validation):
                yield look(self.images.squares[torch.from_numpy(rows)].to(self._at), self.card)

    @property
    def _at(self) -> torch.device:
        return self.device.torch

    def digest(self) -> bytes:
        """Of the pixels and of everything that says how they are shown and computed with."""
        found = hashlib.sha256()
        told = (self.card.image_size, self.card.mean, self.card.std, self.looks)
        machine = machine_words(self.device, self.precision)
        turned = (self.augmenter.turned, self.augmenter.contrasted)
        found.update(repr((told, machine, turned, self.images.squares.shape[1:])).encode())
        for rows in (self.train, self.validation):
            found.update(f"{len(rows)}\0".encode())
            for row in rows.tolist():
                found.update(self.images.squares[row].numpy().data)
        for views in self.views():
            for values in vars(views).values():
                found.update(np.ascontiguousarray(values[self.train]).data)
        return found.digest()


class KeptMaps:
    """The maps of an order, and the network that goes on from them."""

    def __init__(self, order: Order, maps: Maps, network: Network) -> None:
        self.network = network
        self._order, self._maps = order, maps
        self._of_row = np.full(len(order.images.samples), -1)
        self._of_row[order.train] = np.arange(len(order.train))
        self._of_row[order.validation] = np.arange(len(order.validation))

    def train(self, turns: NDArray[np.int64], rows: NDArray[np.int64]) -> Tensor:
        """The maps of images of the train part, each in one of its kept augmentations, counted
        from 1, on the device."""
        return self._read((turns - 1) * len(self._order.train) + self._of_row[rows])

    def scores(self, scorer: Scorer, batch: int) -> NDArray[np.float32]:
        """Probabilities of the validation part, in its order, its mirror images left out."""
        scorer = replace(scorer, network=self.network)
        order = self._order
        found = np.zeros((len(order.validation), blocks(order.card)[-1].stop), dtype=np.float32)
        first = order.recipe.cache * len(order.train)
        scorer.network.eval()
        for start in range(0, len(order.validation), batch):
            rows = np.arange(start, min(start + batch, len(order.validation)))
            ahead = [first + look * len(order.validation) for look in range(order.looks)]
            seen = [self._read(before + rows) for before in ahead]
            found[rows] = scorer.of_inputs(seen, mirrored=False).numpy()
        return found

    def _read(self, rows: NDArray[np.int64]) -> Tensor:
        return read_maps(self._order, self._maps, rows)
