"""Frozen-feature cache: outputs of the frozen stages for fixed views of each image."""

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
from workbench.domain.text import Message, counted, mark
from workbench.learning.evaluation.scores import Scorer, checked
from workbench.learning.frozen_cache.prefix import Split, digests, run_units, stored_dtype
from workbench.learning.frozen_cache.store import FeatureStore, StoredFeatures
from workbench.learning.images.augment import Augmenter, Views, draw_views
from workbench.learning.images.data import REPORT_SECONDS, Images
from workbench.learning.images.pixels import CropFunction, scoring_crops
from workbench.learning.networks.device import GIB, Device
from workbench.learning.networks.models import Network, blocks

CHUNK = 32  # images per batch; part of the key, since rounding depends on it


class ViewSource(Protocol):
    """Views of images as network inputs, in passes over the images and in chunks of CHUNK."""

    @property
    def device(self) -> Device:
        """Where the features are computed."""

    @property
    def precision(self) -> str:
        """Precision of the network: "fp32", "bf16" or "fp16"."""

    @property
    def size(self) -> int:
        """Side of the network input in pixels."""

    @property
    def passes(self) -> Sequence[int]:
        """Number of images in each pass."""

    @property
    def description(self) -> Message:
        """Description of the views for notes."""

    def inputs(self) -> Iterator[Tensor]:
        """Yield all inputs, at most CHUNK at a time, never mixing passes."""

    def digest(self) -> bytes:
        """Digest of the pixels, the views and the numeric environment."""


def numeric_environment(device: Device, precision: str) -> tuple[str | int, ...]:
    """Everything else that can change floating-point results."""
    return (str(device.description), torch.get_num_threads(), torch.__version__, CHUNK, precision)


LOADED = mark("Frozen-feature cache loaded: {images}, {size:.2f} GiB.")
COMPUTED = mark("Frozen-feature cache computed from the images: {images}, {size:.2f} GiB.")
EXTENDED = mark("Frozen-feature cache computed from a shallower split: {images}, {size:.2f} GiB.")
NO_SPACE = mark(
    "No space to cache {size:.1f} GiB of features: every step computes the frozen stages."
)
NOT_WRITTEN = Message(
    "The features could not be written to disk: every step computes the frozen stages."
)


def find_or_compute(
    source: ViewSource,
    split: Split,
    store: FeatureStore,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
    spare_others: bool = False,
) -> StoredFeatures | None:
    """Return the cached features of `source`, computing and storing them if needed, from the images
    or from cached features of a shallower split. Reports a note.

    Returns None if there is no space or on interruption. With `spare_others`, older caches are not
    evicted and a lack of space is not reported.
    """
    keys = digests(split.steps, source.digest())
    maps = store.find(keys[-1])
    if maps is not None:
        report(Note(text=_note(source, maps, LOADED)))
        return maps
    shape, (done, known) = _shape(source, split), _nearest(store, keys)
    size = 2 * int(np.prod(shape))
    if spare_others and not store.has_free(size):
        return None
    maps, why = None, Message(NO_SPACE, size=size / GIB)
    if store.room_for(size):
        parts = _parts(source, split, done, known, report, interrupted)
        maps = store.write(keys[-1], shape, parts)
        why = NOT_WRITTEN
    if maps is None:
        if not spare_others and not interrupted():
            report(Note(text=why, warning=True))
        return None
    report(Note(text=_note(source, maps, EXTENDED if known else COMPUTED)))
    return maps


def read_features(source: ViewSource, maps: StoredFeatures, rows: NDArray[np.int64]) -> Tensor:
    """Read rows of cached features onto the device, in the network's number format."""
    read = maps.rows(rows).to(source.device.torch)
    return read.float() if source.precision == "fp32" else read


def _note(source: ViewSource, maps: StoredFeatures, how: str) -> Message:
    size = maps.nbytes / GIB
    return Message(how).format(images=source.description, size=size)


def _nearest(store: FeatureStore, keys: list[str]) -> tuple[int, StoredFeatures | None]:
    """Number of units covered by the deepest cached features, and these features."""
    for done in range(len(keys) - 1, 0, -1):
        known = store.find(keys[done - 1])
        if known is not None:
            return done, known
    return 0, None


def _parts(
    source: ViewSource,
    split: Split,
    done: int,
    known: StoredFeatures | None,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
) -> Iterator[Tensor]:
    """Yield the features, CHUNK images at a time, until interrupted."""
    made, last = 0, time.monotonic()
    for given in source.inputs() if known is None else _stored(source, known):
        if interrupted():
            return
        at = given.to(source.device.torch)
        maps = run_units(split.steps[done:], at, source.device, source.precision)
        made += len(maps)
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            report(
                Progress(
                    done=made, total=sum(source.passes), text=Message("Computing the frozen stages")
                )
            )
        yield maps


def _stored(source: ViewSource, known: StoredFeatures) -> Iterator[Tensor]:
    """Yield stored features in the same batches as they would be computed from the images."""
    start = 0
    for count in source.passes:
        for rows in chunks(np.arange(start, start + count)):
            yield known.rows(rows)
        start += count


def _shape(source: ViewSource, split: Split) -> tuple[int, ...]:
    """Shape of the features: N × H × W × C, or N × features."""
    size = source.size
    image = torch.zeros(1, 3, size, size, device=source.device.torch)
    maps = run_units(split.steps, image, source.device, source.precision)
    shape = maps.permute(0, 2, 3, 1).shape if maps.ndim == 4 else maps.shape
    assert maps.dtype == stored_dtype(source.precision)
    return (sum(source.passes), *shape[1:])


def chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Split `rows` into chunks of CHUNK."""
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def augmentation_epoch(recipe: Recipe, epoch: int) -> int:
    """Epoch whose augmentation is used in `epoch`: cycles through `recipe.cache` augmentations;
    without a cache, `epoch` itself."""
    return 1 + (epoch - 1) % recipe.cache if recipe.cache else epoch


@dataclass(frozen=True)
class CacheRequest:
    """Views to cache: the train part in each of `recipe.cache` augmentations, then the validation
    part in its quick scoring crops."""

    recipe: Recipe
    images: Images
    augmenter: Augmenter
    card: ModelCard
    device: Device
    precision: str
    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    @property
    def crops(self) -> int:
        """Number of crops of each validation image."""
        return len(scoring_crops(self.images.pixels.shape[1], self.card, quick=True))

    @property
    def size(self) -> int:
        """Side of the network input in pixels."""
        return self.card.image_size

    @property
    def passes(self) -> list[int]:
        """Number of images in each pass: the training views, then the validation crops."""
        return [len(self.train)] * self.recipe.cache + [len(self.validation)] * self.crops

    @property
    def description(self) -> Message:
        """Number of training images, and of views of each."""
        return counted(
            self.recipe.cache,
            "{images}, {n:,} view each",
            "{images}, {n:,} views each",
            images=counted(len(self.train), "{n:,} image", "{n:,} images"),
        )

    def views(self) -> Iterator[Views]:
        """Yield the random views of all images, once per cached augmentation."""
        for epoch in range(1, self.recipe.cache + 1):
            yield draw_views(self.recipe, len(self.images.samples), epoch)

    def inputs(self) -> Iterator[Tensor]:
        """Yield all network inputs in the row order of the cache, CHUNK at a time."""
        for views in self.views():
            for rows in chunks(self.train):
                yield self.augmenter(self.images.pixels, rows, views)
        for crop in scoring_crops(self.images.pixels.shape[1], self.card, quick=True):
            for rows in chunks(self.validation):
                yield crop(self.images.pixels[torch.from_numpy(rows)].to(self._at), self.card)

    @property
    def _at(self) -> torch.device:
        return self.device.torch

    def digest(self) -> bytes:
        """Digest of the pixels, the views and the numeric environment."""
        found = hashlib.sha256()
        settings = (self.card.image_size, self.card.mean, self.card.std, self.crops)
        machine = numeric_environment(self.device, self.precision)
        turned = (self.augmenter.turned, self.augmenter.contrasted)
        found.update(repr((settings, machine, turned, self.images.pixels.shape[1:])).encode())
        for rows in (self.train, self.validation):
            found.update(f"{len(rows)}\0".encode())
            for row in rows.tolist():
                found.update(self.images.pixels[row].numpy().data)
        for views in self.views():
            for values in vars(views).values():
                found.update(np.ascontiguousarray(values[self.train]).data)
        return found.digest()


class CachedFeatures:
    """Cached features of a request, and the tail network that takes them."""

    def __init__(self, request: CacheRequest, maps: StoredFeatures, network: Network) -> None:
        self.network = network
        self._request, self._maps = request, maps
        self._of_row = np.full(len(request.images.samples), -1)
        self._of_row[request.train] = np.arange(len(request.train))
        self._of_row[request.validation] = np.arange(len(request.validation))

    def train(self, turns: NDArray[np.int64], rows: NDArray[np.int64]) -> Tensor:
        """Features of train images on the device, each in one of its cached augmentations (counted
        from 1)."""
        return self._read((turns - 1) * len(self._request.train) + self._of_row[rows])

    def scores(self, scorer: Scorer, batch: int) -> NDArray[np.float32]:
        """Probabilities of the validation part in its order, without mirror images."""
        scorer = replace(scorer, network=self.network)
        request = self._request
        found = np.zeros((len(request.validation), blocks(request.card)[-1].stop), dtype=np.float32)
        first = request.recipe.cache * len(request.train)
        scorer.network.eval()
        for start in range(0, len(request.validation), batch):
            rows = np.arange(start, min(start + batch, len(request.validation)))
            ahead = [first + crop * len(request.validation) for crop in range(request.crops)]
            seen = [self._read(before + rows) for before in ahead]
            found[rows] = scorer.of_inputs(seen, mirrored=False).numpy()
        return found

    def _read(self, rows: NDArray[np.int64]) -> Tensor:
        return read_features(self._request, self._maps, rows)


@dataclass(frozen=True)
class ScoredViews:
    """Images in every scoring crop, one crop after another, each followed by its mirror images if
    the card enables them."""

    images: Images
    rows: NDArray[np.int64]
    card: ModelCard
    device: Device
    precision: str

    @property
    def size(self) -> int:
        """Side of the network input in pixels."""
        return self.card.image_size

    @property
    def sides(self) -> int:
        """2 if mirror images are scored too, else 1."""
        return 1 + self.card.test_mirror

    @property
    def passes(self) -> list[int]:
        """Number of images in each pass: one pass for each crop and its mirror image."""
        return [len(self.rows)] * len(self._crops()) * self.sides

    @property
    def description(self) -> Message:
        """Number of images, and of crops of each."""
        return counted(
            len(self.passes),
            "{images}, {n:,} crop each",
            "{images}, {n:,} crops each",
            images=counted(len(self.rows), "{n:,} image", "{n:,} images"),
        )

    def inputs(self) -> Iterator[Tensor]:
        """Yield the crops, at most CHUNK at a time, each before its mirror image."""
        for crop in self._crops():
            for side in range(self.sides):
                for rows in chunks(self.rows):
                    pixels = self.images.pixels[torch.from_numpy(rows)].to(self.device.torch)
                    seen = crop(pixels, self.card)
                    yield seen.flip(3) if side else seen

    def digest(self) -> bytes:
        """SHA-256 of the pixels, the crops and the numeric environment."""
        found = hashlib.sha256(b"looks")
        settings = (self.card.image_size, self.card.mean, self.card.std, self.card.test_crops)
        machine = numeric_environment(self.device, self.precision)
        found.update(repr((settings, self.sides, machine, self.images.pixels.shape[1:])).encode())
        for row in self.rows.tolist():
            found.update(self.images.pixels[row].numpy().data)
        return found.digest()

    def scores(
        self, scorer: Scorer, tail: Network, maps: StoredFeatures, batch: int
    ) -> NDArray[np.float32]:
        """Probabilities of `rows` in order, from their cached features. Raises KnownError for NaN
        or infinite scores."""
        scorer, count = replace(scorer, network=tail), len(self.rows)
        found = np.zeros((count, blocks(self.card)[-1].stop), dtype=np.float32)
        tail.eval()
        for start in range(0, count, batch):
            rows = np.arange(start, min(start + batch, count))
            seen = [read_features(self, maps, at * count + rows) for at in range(len(self.passes))]
            pairs = [(seen[at], seen[at + 1]) for at in range(0, len(seen), 2)]
            plain = [(each, None) for each in seen]
            found[rows] = scorer.of_pairs(pairs if self.sides == 2 else plain).numpy()
        return checked(found)

    def _crops(self) -> tuple[CropFunction, ...]:
        return scoring_crops(self.images.pixels.shape[1], self.card)
