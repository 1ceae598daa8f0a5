"""Outputs of the frozen prefix for fixed views of each image: computed once, then reused."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.domain.reports import Note, Progress, Report
from workbench.domain.runs import ModelCard
from workbench.learning.evaluation.scores import Scorer, checked
from workbench.learning.frozen_cache.prefix import Split, digests, run_units, stored_dtype
from workbench.learning.frozen_cache.store import Maps, Store
from workbench.learning.images.augment import Augmenter, Views, draw_views
from workbench.learning.images.data import REPORT_SECONDS, Images
from workbench.learning.images.pixels import Look, looks
from workbench.learning.networks.device import GIB, Device
from workbench.learning.networks.models import Network, blocks

CHUNK = 32  # images at once; part of a key, since sums may come out otherwise in other batches


class ViewSource(Protocol):
    """Images as they are shown to a network, pass after pass, CHUNK at a time within each."""

    @property
    def device(self) -> Device: ...

    @property
    def precision(self) -> str: ...

    @property
    def size(self) -> int:
        """Pixels along each side of what the network takes."""

    @property
    def passes(self) -> Sequence[int]:
        """How many images each pass shows."""

    @property
    def words(self) -> str:
        """What is shown, for people."""

    def inputs(self) -> Iterator[Tensor]:
        """All that is shown, at most CHUNK at a time, never two passes in one."""

    def digest(self) -> bytes:
        """Of the pixels and of everything that says how they are shown and computed with."""


def machine_words(device: Device, precision: str) -> tuple[object, ...]:
    """What makes sums come out otherwise."""
    return (device.words, torch.get_num_threads(), torch.__version__, CHUNK, precision)


def find_or_make(
    shown: ViewSource,
    split: Split,
    store: Store,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
    spare_others: bool = False,
) -> Maps | None:
    """The maps of `shown`, found in the store or made now, from the images or from the maps of a
    shallower cut. Says in a note what was done.

    None when there is no room, or when interrupted; `spare_others` makes no room by taking away
    older maps, and says nothing where there is none.
    """
    keys = digests(split.steps, shown.digest())
    maps = store.find(keys[-1])
    if maps is not None:
        report(Note(text=_words(shown, maps, "found and used")))
        return maps
    shape, (done, known) = _shape(shown, split), _nearest(store, keys)
    size = 2 * int(np.prod(shape))
    if spare_others and not store.has_free(size):
        return None
    maps, why = None, f"No room for {size / GIB:.1f} GiB of maps"
    if store.room_for(size):
        parts = _parts(shown, split, done, known, report, interrupted)
        maps, why = store.write(keys[-1], shape, parts), "The maps could not be kept on the disk"
    if maps is None:
        if not spare_others and not interrupted():
            text = f"{why}: each step computes the frozen stages anew."
            report(Note(text=text, warning=True))
        return None
    how = "made from those of a shallower cut" if known else "made from the images"
    report(Note(text=_words(shown, maps, how)))
    return maps


def read_maps(shown: ViewSource, maps: Maps, rows: NDArray[np.int64]) -> Tensor:
    """Rows of the maps of `shown`, on its device and as its network takes them."""
    read = maps.rows(rows).to(shown.device.torch)
    return read.float() if shown.precision == "fp32" else read


def _words(shown: ViewSource, maps: Maps, how: str) -> str:
    return f"Maps of the frozen stages {how}: {shown.words}, {maps.nbytes / GIB:.2f} GiB."


def _nearest(store: Store, keys: list[str]) -> tuple[int, Maps | None]:
    """How many units are done in the deepest shallower maps there are, and these maps."""
    for done in range(len(keys) - 1, 0, -1):
        known = store.find(keys[done - 1])
        if known is not None:
            return done, known
    return 0, None


def _parts(
    shown: ViewSource,
    split: Split,
    done: int,
    known: Maps | None,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
) -> Iterator[Tensor]:
    """The maps, CHUNK images at a time, for as long as nobody interrupts."""
    made, last = 0, time.monotonic()
    for given in shown.inputs() if known is None else _stored(shown, known):
        if interrupted():
            return
        at = given.to(shown.device.torch)
        maps = run_units(split.steps[done:], at, shown.device, shown.precision)
        made += len(maps)
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            report(Progress(done=made, total=sum(shown.passes), text="Computing the frozen stages"))
        yield maps


def _stored(shown: ViewSource, known: Maps) -> Iterator[Tensor]:
    """The stored maps in the very batches in which they would come from the images."""
    start = 0
    for count in shown.passes:
        for rows in chunks(np.arange(start, start + count)):
            yield known.rows(rows)
        start += count


def _shape(shown: ViewSource, split: Split) -> tuple[int, ...]:
    """N × H × W × C (or N × features) of the maps."""
    size = shown.size
    image = torch.zeros(1, 3, size, size, device=shown.device.torch)
    maps = run_units(split.steps, image, shown.device, shown.precision)
    shape = maps.permute(0, 2, 3, 1).shape if maps.ndim == 4 else maps.shape
    assert maps.dtype == stored_dtype(shown.precision)
    return (sum(shown.passes), *shape[1:])


def chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """`rows` CHUNK at a time."""
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def shown_in(recipe: Recipe, epoch: int) -> int:
    """The epoch whose augmentation an epoch shows: `cache` of them in turn; 0: always its own."""
    return 1 + (epoch - 1) % recipe.cache if recipe.cache else epoch


@dataclass(frozen=True)
class CacheRequest:
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


class FrozenMaps:
    """The maps of an order, and the network that goes on from them."""

    def __init__(self, order: CacheRequest, maps: Maps, network: Network) -> None:
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


@dataclass(frozen=True)
class ScoredViews:
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
