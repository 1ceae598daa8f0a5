"""The batches of an epoch: its images in their order, each as the epoch shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.recipes import Recipe
from workbench.domain.runs import RunLabels
from workbench.learning.answers import Answers, answers_of
from workbench.learning.augment import Augmenter, Views, draw_views, joined
from workbench.learning.data import Images
from workbench.learning.device import Device, cores
from workbench.learning.distributed import Team
from workbench.learning.methods import Batch
from workbench.learning.prefix_cache import KeptMaps, shown_in
from workbench.learning.sampling import epoch_rows, showings

AHEAD = 2  # chunks of augmented images made before they are needed
CHUNK = 450_000  # floats of augmented images made at once: small images share the overhead

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Showing:
    """The images of an epoch in their order: each one's row, its row in `views`, and which of the
    kept augmentations that is, from 1."""

    rows: Rows
    looks: Rows
    turns: Rows
    views: Views


class Batches:
    """Makes the batches of any epoch, the same whenever and wherever they are made."""

    def __init__(
        self,
        recipe: Recipe,
        labels: RunLabels,
        images: Images,
        augmenter: Augmenter,
        device: Device,
        team: Team,
    ) -> None:
        """Raises KnownError where the train part holds no image that can be learned from."""
        self.recipe, self.images, self.augmenter = recipe, images, augmenter
        self.device, self.team = device, team
        rows = images.of_part("train")
        labelled = torch.maximum(images.targets, images.views).numpy() >= 0
        self.rows = rows[labelled[rows]]
        if not len(self.rows):
            raise KnownError(
                "No image of the train part can be read.", "Check the disk with the images."
            )
        self.steps = math.ceil(len(self.rows) / recipe.batch)
        self._labels, self._answers = labels, answers_of(images, labels)

    def of_epoch(self, epoch: int, done: int, kept: KeptMaps | None) -> Iterator[Batch]:
        """The batches of an epoch after the first `done`, of sizes that differ by at most one; of
        maps instead of images where they are `kept`."""
        shown = self.showing(epoch)
        whole = np.array_split(np.arange(len(shown.rows)), self.steps)[done:]
        order = [self.team.share(places) for places in whole]
        together = max(1, CHUNK // (3 * self.recipe.image_size**2 * self.recipe.batch))
        chunks = [order[start : start + together] for start in range(0, len(order), together)]
        for chunk, pixels in zip(chunks, self._inputs(chunks, shown, kept), strict=True):
            ends = np.cumsum([len(part) for part in chunk]).tolist()
            for part, end in zip(chunk, ends, strict=True):
                own = self._answered(shown, part)
                inputs = pixels[end - len(part) : end]
                yield Batch(inputs, own.targets, own.views, marks=own.marks)

    def showing(self, epoch: int) -> Showing:
        """What an epoch shows. An image that is shown again in it looks different each time: with
        `cache`, its augmentations come in turn."""
        recipe, count = self.recipe, len(self.images.samples)
        rows = epoch_rows(recipe, self.rows, self.images.targets.numpy()[self.rows], epoch)
        first = shown_in(recipe, epoch)
        if recipe.sampling == "plain":
            views = draw_views(recipe, count, first)
            return Showing(rows, rows, np.full(len(rows), first), views)
        if not recipe.cache:
            views = draw_views(recipe, len(rows), epoch)
            return Showing(rows, np.arange(len(rows)), np.full(len(rows), first), views)
        turns = 1 + (first - 1 + showings(rows)) % recipe.cache
        drawn = [draw_views(recipe, count, turn) for turn in range(1, recipe.cache + 1)]
        return Showing(rows, (turns - 1) * count + rows, turns, joined(drawn))

    def _inputs(
        self, chunks: list[list[Rows]], shown: Showing, kept: KeptMaps | None
    ) -> Iterator[Tensor]:
        """What the network is given of each chunk: kept maps or augmented images."""
        if kept is None:
            return self._augmented(chunks, shown)
        places = (np.concatenate(chunk) for chunk in chunks)
        return (kept.train(shown.turns[at], shown.rows[at]) for at in places)

    def _augmented(self, chunks: list[list[Rows]], shown: Showing) -> Iterator[Tensor]:
        """The images of each chunk; where the training leaves a core free, the next chunk is made
        there meanwhile."""

        def make(chunk: list[Rows]) -> Tensor:
            at = np.concatenate(chunk)
            return self.augmenter(self.images.squares, shown.rows[at], shown.views, shown.looks[at])

        if self.device.kind == "cpu" and torch.get_num_threads() >= cores():
            yield from map(make, chunks)
            return
        with ThreadPoolExecutor(1) as pool:
            coming = [pool.submit(make, chunk) for chunk in chunks[:AHEAD]]
            for at in range(len(chunks)):
                pixels = coming.pop(0).result()
                coming += [
                    pool.submit(make, chunk) for chunk in chunks[at + AHEAD : at + AHEAD + 1]
                ]
                yield pixels

    def _answered(self, shown: Showing, places: Rows) -> Answers:
        """The labels of what is shown, left and right swapped where it is mirrored."""
        flips = torch.from_numpy(shown.views.flips[shown.looks[places]])
        rows = torch.from_numpy(shown.rows[places])
        own = self._answers.of(rows, torch.device("cpu")).mirrored(flips, self._labels)
        return own.of(torch.arange(len(rows)), self.device.torch)
