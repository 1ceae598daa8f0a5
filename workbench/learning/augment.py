"""Augmentation of whole batches: each image's parameters follow from seed, epoch and image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.recipes import Recipe

LONGEST = 4 / 3  # of a crop's sides, longer over shorter


@dataclass(frozen=True)
class Views:
    """How each image is shown in one epoch; one row per image.

    `boxes` are centre x, centre y, width and height as fractions of the square; `flips` says which
    are mirrored; `angles` are radians; `gains` and `contrasts` multiply.
    """

    boxes: NDArray[np.float32]
    flips: NDArray[np.bool_]
    angles: NDArray[np.float32]
    gains: NDArray[np.float32]
    contrasts: NDArray[np.float32]


def draw_views(recipe: Recipe, count: int, epoch: int) -> Views:
    """The augmentation of `count` images in `epoch`: the same whenever and wherever it is drawn."""
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, epoch, 1])))
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


class Augmenter:
    """Turns rows of N × side × side × 3 bytes into N × 3 × size × size normalised floats."""

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
        scale = [1 / (255 * s) for s in std]
        shift = [-m / s for m, s in zip(mean, std, strict=True)]
        if len({*zip(scale, shift, strict=True)}) == 1:  # one number for all channels is faster
            scale, shift = scale[:1], shift[:1]
        self.scale = torch.tensor(scale, device=device).view(1, -1, 1, 1)
        self.shift = torch.tensor(shift, device=device).view(1, -1, 1, 1)
        self.base = _base_grid(recipe.image_size).to(device)

    def __call__(self, squares: Tensor, rows: NDArray[np.int64], views: Views) -> Tensor:
        """The images `rows` as `views` shows them, on the device, channels last.

        On the CPU, crops that are not turned are resized as bytes, which is ten times faster than
        sampling a grid of floats; elsewhere one affine grid serves the whole batch.
        """
        if self.device.type == "cpu" and not self.turned:
            images = self._resized(squares, rows, views)
        else:
            images = self._sampled(squares, rows, views)
        gains = torch.from_numpy(views.gains[rows]).to(self.device).view(-1, 1, 1, 1)
        if self.contrasted:
            factors = torch.from_numpy(views.contrasts[rows]).to(self.device).view(-1, 1, 1, 1)
            grey = images.mean(dim=(1, 2, 3), keepdim=True)
            images = images.sub_(grey).mul_(factors).add_(grey)
        return images.mul_(self.scale * gains).add_(self.shift)

    def _resized(self, squares: Tensor, rows: NDArray[np.int64], views: Views) -> Tensor:
        side, size = squares.shape[1], self.size
        boxes = views.boxes[rows] * side
        starts = np.rint(boxes[:, :2] - boxes[:, 2:] / 2).astype(int)
        ends = np.minimum(np.maximum(np.rint(boxes[:, :2] + boxes[:, 2:] / 2), starts + 1), side)
        images = torch.empty((len(rows), size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
        for at, (row, (x0, y0), (x1, y1)) in enumerate(
            zip(rows.tolist(), starts.tolist(), ends.astype(int).tolist(), strict=True)
        ):
            cut = squares[row, y0:y1, x0:x1].permute(2, 0, 1)[None]
            small = F.interpolate(cut, (size, size), mode="bilinear", antialias=True)
            images[at] = small[0].flip(2) if views.flips[row] else small[0]
        return images.to(torch.float32, memory_format=torch.channels_last)

    def _sampled(self, squares: Tensor, rows: NDArray[np.int64], views: Views) -> Tensor:
        picked = squares[torch.from_numpy(rows)].to(self.device, non_blocking=True)
        images = picked.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
        theta = torch.from_numpy(affine(views, rows)).to(self.device)
        grid = (self.base @ theta.transpose(1, 2)).view(len(rows), self.size, self.size, 2)
        # beyond the border lies mid-grey: with the mean taken off, the sampler's zeros are neutral
        sampled = F.grid_sample(images.sub_(127.5), grid, align_corners=False)
        return sampled.add_(127.5).contiguous(memory_format=torch.channels_last)


def _base_grid(size: int) -> Tensor:
    """(size · size) × 3: x, y and 1 of each pixel's centre, with sides from -1 to 1."""
    line = (torch.arange(size) * 2 + 1) / size - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack((x, y, torch.ones_like(x)), dim=2).view(-1, 3)


def affine(views: Views, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """N × 2 × 3 maps from output to input, both with sides from -1 to 1: mirror, turn, crop."""
    cx, cy, w, h = views.boxes[rows].T
    sign = np.where(views.flips[rows], -1.0, 1.0)
    cos, sin = np.cos(views.angles[rows]), np.sin(views.angles[rows])
    rows_ = np.array(
        [[w * cos * sign, -w * sin, 2 * cx - 1], [h * sin * sign, h * cos, 2 * cy - 1]]
    )
    return np.ascontiguousarray(rows_.transpose(2, 0, 1), dtype=np.float32)
