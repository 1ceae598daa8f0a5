"""The batches of an epoch: which images, how each is shown, and how pairs are mixed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.recipes import Recipe
from workbench.domain.runs import RunLabels
from workbench.learning.frozen_cache.cache import FrozenMaps, shown_in
from workbench.learning.images.answers import Answers, answers_of
from workbench.learning.images.augment import UNLABELLED, Augmenter, Views, draw_views, joined
from workbench.learning.images.data import Images
from workbench.learning.images.sampling import epoch_rows, showings, unlabelled_rows
from workbench.learning.loop.distributed import Team
from workbench.learning.methods import Batch, Method, Unlabelled
from workbench.learning.networks.device import Device, cores

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
        method: Method,
    ) -> None:
        """Raises KnownError where there are no images of the train part, or none without a label
        where the method looks at such."""
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
        self.looks = method.looks
        self.unlabelled = method.unlabelled(images)
        self._labels, self._answers = labels, answers_of(images, labels)

    def of_epoch(self, epoch: int, done: int, kept: FrozenMaps | None) -> Iterator[Batch]:
        """The batches of an epoch after the first `done`, of sizes that differ by at most one; of
        maps instead of images where they are `kept`."""
        shown = self.showing(epoch)
        count, answers = len(shown.rows), self._answered(shown)
        whole = np.array_split(np.arange(count), self.steps)[done:]
        order = [self.team.share(places) for places in whole]
        if self.looks:
            shown = self._with_unlabelled(shown, epoch)
            order = [_repeated(places, count, self.looks) for places in order]
        batch = self.recipe.batch * (1 + self.looks)
        together = max(1, CHUNK // (3 * self.recipe.image_size**2 * batch))
        chunks = [order[start : start + together] for start in range(0, len(order), together)]
        step = (epoch - 1) * self.steps + done
        for chunk, pixels in zip(chunks, self._inputs(chunks, shown, kept), strict=True):
            ends = np.cumsum([len(part) for part in chunk]).tolist()
            for part, end in zip(chunk, ends, strict=True):
                inputs, labelled = pixels[end - len(part) : end], len(part) // (1 + self.looks)
                own = answers.of(torch.from_numpy(part[:labelled]), self.device.torch)
                yield Batch(
                    *(inputs[:labelled], own.targets, own.views),
                    marks=own.marks,
                    unlabelled=self._unlabelled(shown, part[labelled:], inputs[labelled:]),
                    progress=step / (self.steps * self.recipe.epochs),
                )
                step += 1

    def _unlabelled(self, shown: Showing, places: Rows, inputs: Tensor) -> Unlabelled | None:
        if not self.looks:
            return None
        flips = shown.views.flips[shown.looks[places]].reshape(self.looks, -1)
        flipped = torch.from_numpy(flips).to(self.device.torch)
        return Unlabelled(inputs.view(*flips.shape, *inputs.shape[1:]), flipped)

    def _with_unlabelled(self, shown: Showing, epoch: int) -> Showing:
        """What is shown, then as many unlabelled images, once for each look at them."""
        count, drawn = self.looks * len(shown.rows), len(shown.views.flips)
        rows = unlabelled_rows(self.recipe, self.unlabelled, len(shown.rows), epoch)
        views = draw_views(self.recipe, count, epoch, UNLABELLED)
        return Showing(
            np.concatenate([shown.rows, np.tile(rows, self.looks)]),
            np.concatenate([shown.looks, drawn + np.arange(count)]),
            shown.turns,
            joined([shown.views, views]),
        )

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
        self, chunks: list[list[Rows]], shown: Showing, kept: FrozenMaps | None
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

    def _answered(self, shown: Showing) -> Answers:
        """The labels of what is shown, left and right swapped where it is mirrored."""
        flips = torch.from_numpy(shown.views.flips[shown.looks])
        own = self._answers.of(torch.from_numpy(shown.rows), torch.device("cpu"))
        return own.mirrored(flips, self._labels)


def _repeated(places: Rows, count: int, looks: int) -> Rows:
    """These of `count` places, and the same of each of the looks that follow them."""
    return np.concatenate([places + at * count for at in range(1 + looks)])


def mixed(batch: Batch, recipe: Recipe) -> Batch:
    """`batch` blended as the recipe says; what is drawn follows from torch's random state alone.

    "mixup": x = λ·x_i + (1 − λ)·x_j, one λ ~ Beta(α, α) per image (Zhang et al. 2018, "mixup:
    beyond empirical risk minimization"). "cutmix": a rectangle of the area 1 − λ, of the image's
    own proportions and cut off at its border, is taken from x_j; the share is what is left of x_i
    (Yun et al. 2019, "CutMix"). λ ≥ 1/2, since j and i are drawn alike.
    """
    count = len(batch.targets)
    if recipe.mix == "none" or count < 2:
        return batch
    alpha = torch.tensor(recipe.mix_alpha)
    drawn = torch.distributions.Beta(alpha, alpha).sample((count,))
    share = torch.maximum(drawn, 1 - drawn)
    partner = torch.randperm(count)
    if recipe.mix == "mixup":
        keep = share.view(-1, 1, 1, 1).to(batch.images.device)
    else:
        keep = _kept(share, batch.images.shape[2], batch.images.shape[3])
        share = keep.mean(dim=(1, 2, 3))
        keep = keep.to(batch.images.device)
    partner, share = partner.to(batch.images.device), share.to(batch.images.device)
    images = batch.images * keep + batch.images[partner] * (1 - keep)
    return replace(batch, images=images, partner=partner, share=share)


def _kept(share: Tensor, height: int, width: int) -> Tensor:
    """B × 1 × H × W: 1 where the image keeps its own pixels, 0 inside the pasted rectangle."""
    side = torch.sqrt(1 - share)
    middle = torch.rand(len(share), 2)
    inside = torch.ones(len(share), height, width, dtype=torch.bool)
    for axis, length in ((1, height), (2, width)):
        half = side * length / 2
        centre = middle[:, axis - 1] * length
        low, high = (centre - half).round(), (centre + half).round()
        at = torch.arange(length)
        within = (at >= low[:, None]) & (at < high[:, None])
        inside &= within[:, :, None] if axis == 1 else within[:, None, :]
    return 1 - inside[:, None].float()
