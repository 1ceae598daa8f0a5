"""Batches of an epoch: images, augmentation and mixing."""

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
from workbench.learning.frozen_cache.cache import CachedFeatures, augmentation_epoch
from workbench.learning.images.augment import UNLABELLED, Augmenter, Views, draw_views, joined
from workbench.learning.images.data import Images
from workbench.learning.images.label_tensors import LabelTensors, label_tensors
from workbench.learning.images.sampling import epoch_rows, repeat_counts, unlabelled_rows
from workbench.learning.loop.distributed import ProcessGroup
from workbench.learning.methods import Batch, Method, Unlabelled
from workbench.learning.networks.device import Device, cores

PREFETCH = 2  # chunks of augmented images
CHUNK = 450_000  # floats per chunk; amortises the overhead of small images

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class EpochPlan:
    """Images of an epoch in order: the row of each image, its row in `views`, and the number of its
    cached augmentation, from 1."""

    rows: Rows
    view_rows: Rows
    turns: Rows
    views: Views


class Batches:
    """Create the batches of any epoch; deterministic."""

    def __init__(
        self,
        recipe: Recipe,
        labels: RunLabels,
        images: Images,
        augmenter: Augmenter,
        device: Device,
        group: ProcessGroup,
        method: Method,
    ) -> None:
        """Raises KnownError if the train part has no readable images, or if the method needs
        unlabelled images and there are none."""
        self.recipe, self.images, self.augmenter = recipe, images, augmenter
        self.device, self.group = device, group
        rows = images.of_part("train")
        labelled = torch.maximum(images.targets, images.views).numpy() >= 0
        self.rows = rows[labelled[rows]]
        if not len(self.rows):
            raise KnownError(
                "No image of the train part can be read.",
                "Check that the disk with the images is connected.",
            )
        self.steps = math.ceil(len(self.rows) / recipe.batch)
        self.augmentations = method.augmentations
        self.unlabelled = method.unlabelled(images)
        self._labels, self._label_tensors = labels, label_tensors(images, labels)

    def of_epoch(self, epoch: int, done: int, cached: CachedFeatures | None) -> Iterator[Batch]:
        """Yield the batches of an epoch after the first `done`, with sizes that differ by at most
        one; cached features instead of images if `cached` is given."""
        plan = self.plan(epoch)
        count, labels = len(plan.rows), self._plan_labels(plan)
        whole = np.array_split(np.arange(count), self.steps)[done:]
        order = [self.group.shard(places) for places in whole]
        if self.augmentations:
            plan = self._with_unlabelled(plan, epoch)
            order = [_repeated(places, count, self.augmentations) for places in order]
        batch = self.recipe.batch * (1 + self.augmentations)
        together = max(1, CHUNK // (3 * self.recipe.image_size**2 * batch))
        chunks = [order[start : start + together] for start in range(0, len(order), together)]
        step = (epoch - 1) * self.steps + done
        for chunk, pixels in zip(chunks, self._inputs(chunks, plan, cached), strict=True):
            ends = np.cumsum([len(part) for part in chunk]).tolist()
            for part, end in zip(chunk, ends, strict=True):
                inputs, labelled = (
                    pixels[end - len(part) : end],
                    len(part) // (1 + self.augmentations),
                )
                own = labels.of(torch.from_numpy(part[:labelled]), self.device.torch)
                yield Batch(
                    *(inputs[:labelled], own.targets, own.views),
                    marks=own.marks,
                    unlabelled=self._unlabelled(plan, part[labelled:], inputs[labelled:]),
                    progress=step / (self.steps * self.recipe.epochs),
                )
                step += 1

    def _unlabelled(self, plan: EpochPlan, places: Rows, inputs: Tensor) -> Unlabelled | None:
        if not self.augmentations:
            return None
        flips = plan.views.flips[plan.view_rows[places]].reshape(self.augmentations, -1)
        flipped = torch.from_numpy(flips).to(self.device.torch)
        return Unlabelled(inputs.view(*flips.shape, *inputs.shape[1:]), flipped)

    def _with_unlabelled(self, plan: EpochPlan, epoch: int) -> EpochPlan:
        """Append as many unlabelled images, in each of their augmentations."""
        count, drawn = self.augmentations * len(plan.rows), len(plan.views.flips)
        rows = unlabelled_rows(self.recipe, self.unlabelled, len(plan.rows), epoch)
        views = draw_views(self.recipe, count, epoch, UNLABELLED)
        return EpochPlan(
            np.concatenate([plan.rows, np.tile(rows, self.augmentations)]),
            np.concatenate([plan.view_rows, drawn + np.arange(count)]),
            plan.turns,
            joined([plan.views, views]),
        )

    def plan(self, epoch: int) -> EpochPlan:
        """Plan an epoch. Repeated images get different augmentations; with `cache`, the cached
        augmentations in rotation."""
        recipe, count = self.recipe, len(self.images.samples)
        rows = epoch_rows(recipe, self.rows, self.images.targets.numpy()[self.rows], epoch)
        first = augmentation_epoch(recipe, epoch)
        if recipe.sampling == "plain":
            views = draw_views(recipe, count, first)
            return EpochPlan(rows, rows, np.full(len(rows), first), views)
        if not recipe.cache:
            views = draw_views(recipe, len(rows), epoch)
            return EpochPlan(rows, np.arange(len(rows)), np.full(len(rows), first), views)
        turns = 1 + (first - 1 + repeat_counts(rows)) % recipe.cache
        drawn = [draw_views(recipe, count, turn) for turn in range(1, recipe.cache + 1)]
        return EpochPlan(rows, (turns - 1) * count + rows, turns, joined(drawn))

    def _inputs(
        self, chunks: list[list[Rows]], plan: EpochPlan, cached: CachedFeatures | None
    ) -> Iterator[Tensor]:
        """Network inputs of each chunk: cached features or augmented images."""
        if cached is None:
            return self._augmented(chunks, plan)
        places = (np.concatenate(chunk) for chunk in chunks)
        return (cached.train(plan.turns[at], plan.rows[at]) for at in places)

    def _augmented(self, chunks: list[list[Rows]], plan: EpochPlan) -> Iterator[Tensor]:
        """Augmented images of each chunk; the next chunk is prepared on a spare core if there is
        one."""

        def make(chunk: list[Rows]) -> Tensor:
            at = np.concatenate(chunk)
            return self.augmenter(self.images.pixels, plan.rows[at], plan.views, plan.view_rows[at])

        if self.device.kind == "cpu" and torch.get_num_threads() >= cores():
            yield from map(make, chunks)
            return
        with ThreadPoolExecutor(1) as pool:
            coming = [pool.submit(make, chunk) for chunk in chunks[:PREFETCH]]
            for at in range(len(chunks)):
                pixels = coming.pop(0).result()
                coming += [
                    pool.submit(make, chunk) for chunk in chunks[at + PREFETCH : at + PREFETCH + 1]
                ]
                yield pixels

    def _plan_labels(self, plan: EpochPlan) -> LabelTensors:
        """Labels of the planned images, with left and right swapped for mirrored ones."""
        flips = torch.from_numpy(plan.views.flips[plan.view_rows])
        own = self._label_tensors.of(torch.from_numpy(plan.rows), torch.device("cpu"))
        return own.mirrored(flips, self._labels)


def _repeated(places: Rows, count: int, augmentations: int) -> Rows:
    """Positions of labelled images followed by those of each augmentation of the unlabelled
    ones."""
    return np.concatenate([places + at * count for at in range(1 + augmentations)])


def mix_batch(batch: Batch, recipe: Recipe) -> Batch:
    """Mix `batch` by mixup or CutMix; depends on torch's random state only.

    "mixup": x = λ·x_i + (1 − λ)·x_j with one λ ~ Beta(α, α) per image (Zhang et al. 2018, "mixup:
    beyond empirical risk minimization"). "cutmix": a rectangle of area 1 − λ, with the image's
    aspect ratio and clipped at its border, is pasted from x_j; the share is the remaining area of
    x_i (Yun et al. 2019, "CutMix"). λ ≥ 1/2, since i and j are symmetric.
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
    """Mask, B × 1 × H × W: 1 for the image's own pixels, 0 inside the pasted rectangle."""
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
