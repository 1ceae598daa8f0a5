"""Batch augmentation. Each image's parameters are determined by seed, epoch and image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.vision.reading import resize_into

LABELLED, UNLABELLED = 1, 3  # random streams, separate from the epoch's order
LONGEST = 4 / 3  # largest aspect ratio of a crop


@dataclass(frozen=True)
class Views:
    """Augmentation parameters, one row per image (or per repetition of an image) in an epoch.

    `boxes` are centre x, centre y, width and height as fractions of the image; `flips` are mirrored
    images; `angles` are in radians; `gains` and `contrasts` are factors.
    """

    boxes: NDArray[np.float32]
    flips: NDArray[np.bool_]
    angles: NDArray[np.float32]
    gains: NDArray[np.float32]
    contrasts: NDArray[np.float32]


def draw_views(recipe: Recipe, count: int, epoch: int, stream: int = LABELLED) -> Views:
    """Draw the augmentations of `count` images in `epoch`; deterministic."""
    seeds = np.random.SeedSequence([recipe.seed, epoch, stream])
    draw = np.random.Generator(np.random.Philox(seeds))
    u = draw.random((count, 8), dtype=np.float32)
    area = recipe.crop_scale + (1 - recipe.crop_scale) * u[:, 0]
    shape = np.exp((2 * u[:, 1] - 1) * (math.log(LONGEST) if recipe.crop_scale < 1 else 0.0) / 2)
    sides = np.stack((np.sqrt(area) * shape, np.sqrt(area) / shape), axis=1).clip(max=1.0)
    centres = sides / 2 + (1 - sides) * u[:, 2:4]
    return Views(
        np.concatenate((centres, sides), axis=1).astype(np.float32),
        (u[:, 4] < 0.5) & recipe.flip,
        np.radians((2 * u[:, 5] - 1) * recipe.rotation).astype(np.float32),
        (1 + (2 * u[:, 6] - 1) * recipe.brightness).astype(np.float32),
        (1 + (2 * u[:, 7] - 1) * recipe.contrast).astype(np.float32),
    )


def joined(drawn: Sequence[Views]) -> Views:
    """Concatenate the rows of several Views."""
    names = [field.name for field in fields(Views)]
    return Views(*(np.concatenate([getattr(each, name) for each in drawn]) for name in names))


class Augmenter:
    """Augment rows of N × side × side × 3 bytes to N × 3 × size × size normalised floats."""

    def __init__(
        self,
        recipe: Recipe,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        device: torch.device,
    ) -> None:
        self.size = recipe.image_size
        self.turned = recipe.rotation > 0
        self.contrasted = recipe.contrast > 0
        self.device = device
        self.scale = torch.tensor([1 / (255 * s) for s in std], device=device)
        self.shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device)
        self.base = _base_grid(recipe.image_size).to(device)

    def __call__(
        self,
        pixels: Tensor,
        rows: NDArray[np.int64],
        views: Views,
        view_rows: NDArray[np.int64] | None = None,
    ) -> Tensor:
        """Augment the images `rows` with the rows `view_rows` of `views` (None: the same rows). The
        result is on the device, channels last.

        On the CPU, crops without rotation are resized as bytes, which is much faster than sampling
        a float grid; otherwise one affine grid serves the whole batch.
        """
        view_rows = rows if view_rows is None else view_rows
        gains = torch.from_numpy(views.gains[view_rows]).to(self.device)
        if self.device.type == "cpu" and not self.turned:
            images = self._resized(pixels, rows, views, view_rows)
        else:
            images = self._sampled(pixels, rows, views, view_rows).permute(0, 2, 3, 1)
        scale = self.scale * gains[:, None]
        shift = self.shift.expand_as(scale)
        if self.contrasted:
            factors = torch.from_numpy(views.contrasts[view_rows]).to(self.device)
            grey = images.to(torch.float32).mean(dim=(1, 2, 3))
            shift = shift + scale * (grey * (1 - factors))[:, None]
            scale = scale * factors[:, None]
        return self._scaled(images, scale, shift).permute(0, 3, 1, 2)

    def _scaled(self, images: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """N × H × W × 3 times N × 3 plus N × 3. Each row of pixels is processed as one vector: five
        times as fast as an innermost dimension of three channels."""
        width = images.shape[2]
        rows = images.reshape(len(images), -1, width * 3)
        floats = rows.to(torch.float32).mul_(scale.repeat(1, width)[:, None])
        return floats.add_(shift.repeat(1, width)[:, None]).view(images.shape)

    def _resized(
        self, pixels: Tensor, rows: NDArray[np.int64], views: Views, view_rows: NDArray[np.int64]
    ) -> Tensor:
        side, size = pixels.shape[1], self.size
        boxes = views.boxes[view_rows] * side
        starts = np.rint(boxes[:, :2] - boxes[:, 2:] / 2).astype(int)
        ends = np.minimum(np.maximum(np.rint(boxes[:, :2] + boxes[:, 2:] / 2), starts + 1), side)
        flips = views.flips[view_rows].tolist()
        source, images = pixels.numpy(), np.empty((len(rows), size, size, 3), dtype=np.uint8)
        for at, (row, (x0, y0), (x1, y1)) in enumerate(
            zip(rows.tolist(), starts.tolist(), ends.astype(int).tolist(), strict=True)
        ):
            resize_into(images[at], source[row, y0:y1, x0:x1], flips[at])
        return torch.from_numpy(images)

    def _sampled(
        self, pixels: Tensor, rows: NDArray[np.int64], views: Views, view_rows: NDArray[np.int64]
    ) -> Tensor:
        picked = pixels[torch.from_numpy(rows)].to(self.device, non_blocking=True)
        images = picked.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
        theta = torch.from_numpy(affine(views, view_rows)).to(self.device)
        grid = (self.base @ theta.transpose(1, 2)).view(len(rows), self.size, self.size, 2)
        # pad with mid-grey: zero after subtracting it
        sampled = F.grid_sample(images.sub_(127.5), grid, align_corners=False)
        return sampled.add_(127.5)


def _base_grid(size: int) -> Tensor:
    """(size · size) × 3: x, y and 1 of each pixel centre, coordinates in [−1, 1]."""
    line = (torch.arange(size) * 2 + 1) / size - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack((x, y, torch.ones_like(x)), dim=2).view(-1, 3)


def affine(views: Views, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """N × 2 × 3 affine maps from output to input coordinates in [−1, 1]: flip, rotate, crop."""
    cx, cy, w, h = views.boxes[rows].T
    sign = np.where(views.flips[rows], -1.0, 1.0)
    cos, sin = np.cos(views.angles[rows]), np.sin(views.angles[rows])
    rows_ = np.array(
        [[w * cos * sign, -w * sin, 2 * cx - 1], [h * sin * sign, h * cos, 2 * cy - 1]]
    )
    return np.ascontiguousarray(rows_.transpose(2, 0, 1), dtype=np.float32)
