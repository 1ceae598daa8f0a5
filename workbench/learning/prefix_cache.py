"""Training on kept maps: what the frozen prefix makes of fixed views of each image, made once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.domain.reports import Note, Progress, Report
from workbench.domain.runs import ModelCard
from workbench.learning.augment import Augmenter, Views, draw_views
from workbench.learning.data import REPORT_SECONDS, Images
from workbench.learning.device import GIB, Device
from workbench.learning.evaluate import Scorer
from workbench.learning.models import Network, blocks
from workbench.learning.pixels import looks
from workbench.learning.prefix import Split, digests, run_units, stored_dtype
from workbench.learning.prefix_store import Maps, Store

CHUNK = 32  # images at once; part of the key, since sums may come out otherwise in other batches


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
    def count(self) -> int:
        return self.recipe.cache * len(self.train) + self.looks * len(self.validation)

    def views(self) -> Iterator[Views]:
        for epoch in range(1, self.recipe.cache + 1):
            yield draw_views(self.recipe, len(self.images.samples), epoch)

    def inputs(self) -> Iterator[Tensor]:
        """All that is shown to the network, in the order of the cache's rows, CHUNK at a time."""
        for views in self.views():
            for rows in _chunks(self.train):
                yield self.augmenter(self.images.squares, rows, views)
        for look in looks(self.images.squares.shape[1], self.card, quick=True):
            for rows in _chunks(self.validation):
                yield look(self.images.squares[torch.from_numpy(rows)].to(self._at), self.card)

    @property
    def _at(self) -> torch.device:
        return self.device.torch

    def digest(self) -> bytes:
        """Of the pixels and of everything that says how they are shown and computed with."""
        found = hashlib.sha256()
        told = (self.card.image_size, self.card.mean, self.card.std, self.looks, self.precision)
        machine = (self.device.words, torch.get_num_threads(), torch.__version__, CHUNK)
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
        maps = self._maps.rows(rows).to(self._order.device.torch)
        return maps.float() if self._order.precision == "fp32" else maps


def keep_maps(
    order: Order,
    split: Split,
    store: Store,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
) -> KeptMaps | None:
    """The maps of `order`, found in the store or made now, from the images or from the maps of a
    shallower cut; None when there is no room, or when interrupted. Says in a note what was done."""
    keys = digests(split.steps, order.digest())
    maps = store.find(keys[-1])
    if maps is not None:
        report(Note(text=_words(order, maps, "found and used")))
        return KeptMaps(order, maps, split.tail)
    shape, (done, known) = _shape(order, split), _nearest(store, keys)
    if not store.room_for(2 * int(np.prod(shape))):
        size = 2 * int(np.prod(shape)) / GIB
        text = f"No room for {size:.1f} GiB of maps: each step computes the frozen stages anew."
        report(Note(text=text, warning=True))
        return None
    parts = _parts(order, split, done, known, report, interrupted)
    maps = store.write(keys[-1], shape, parts)
    if maps is None:
        if not interrupted():
            text = "The maps could not be kept on the disk: each step computes the frozen stages."
            report(Note(text=text, warning=True))
        return None
    how = "made from those of a shallower cut" if known else "made from the images"
    report(Note(text=_words(order, maps, how)))
    return KeptMaps(order, maps, split.tail)


def _words(order: Order, maps: Maps, how: str) -> str:
    return (
        f"Maps of the frozen stages {how}: {order.recipe.cache} views of each of "
        f"{len(order.train)} images, {maps.nbytes / GIB:.2f} GiB."
    )


def _nearest(store: Store, keys: list[str]) -> tuple[int, Maps | None]:
    """How many units are done in the deepest shallower maps there are, and these maps."""
    for done in range(len(keys) - 1, 0, -1):
        known = store.find(keys[done - 1])
        if known is not None:
            return done, known
    return 0, None


def _parts(
    order: Order,
    split: Split,
    done: int,
    known: Maps | None,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
) -> Iterator[Tensor]:
    """The maps, CHUNK images at a time, for as long as nobody interrupts."""
    made, last = 0, time.monotonic()
    for given in order.inputs() if known is None else _stored(order, known):
        if interrupted():
            return
        at = given.to(order.device.torch)
        maps = run_units(split.steps[done:], at, order.device, order.precision)
        made += len(maps)
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            report(Progress(done=made, total=order.count, text="Computing the frozen stages"))
        yield maps


def _stored(order: Order, known: Maps) -> Iterator[Tensor]:
    """The stored maps in the very batches in which they would come from the images."""
    start = 0
    for count in [len(order.train)] * order.recipe.cache + [len(order.validation)] * order.looks:
        for rows in _chunks(np.arange(start, start + count)):
            yield known.rows(rows)
        start += count


def _shape(order: Order, split: Split) -> tuple[int, ...]:
    """N × H × W × C (or N × features) of the maps."""
    size = order.card.image_size
    image = torch.zeros(1, 3, size, size, device=order.device.torch)
    maps = run_units(split.steps, image, order.device, order.precision)
    shape = maps.permute(0, 2, 3, 1).shape if maps.ndim == 4 else maps.shape
    assert maps.dtype == stored_dtype(order.precision)
    return (order.count, *shape[1:])


def _chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]
