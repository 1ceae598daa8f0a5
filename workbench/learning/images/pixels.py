"""Network inputs: square decoding, normalisation and scoring crops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.domain.geometry import Rect
from workbench.domain.recipes import LARGEST_RATIO, Aspect, Recipe
from workbench.domain.runs import ModelCard
from workbench.vision.reading import read_rgb

SIDES = (False, True)
BORDER = (124, 116, 104)  # RGB of a padded image's border: the mean of ImageNet, 0 when normalised


Fractions = tuple[float, float, float, float]  # left, top, right, bottom
CropFunction = Callable[[Tensor, ModelCard], Tensor]  # pixels of bytes -> what the network is given


def working_side(image_size: int, test_resize: int) -> int:
    """Side of the decoded images; see `scoring_crops` for the parts that are scored."""
    return max(image_size, test_resize)


def kept_part(width: int, height: int, aspect: Aspect = "centre") -> Rect:
    """The part of a width × height region that is resized to a square, as the recipe's `aspect`.

    "centre": a centre crop with sides that differ by at most 4:3, so that the distortion is within
    that of the training's random crops. "squeeze": the whole region. "pad": a square around it,
    which reaches beyond the region.
    """
    if aspect == "squeeze":
        return Rect(0, 0, width, height)
    if aspect == "pad":
        w = h = max(width, height)
    else:
        w, h = min(width, round(height * LARGEST_RATIO)), min(height, round(width * LARGEST_RATIO))
    left, top = (width - w) // 2, (height - h) // 2
    return Rect(left, top, left + w, top + h)


def seen_part(width: int, height: int, card: ModelCard) -> Fractions:
    """Scored part of a width × height region, as fractions left, top, right, bottom; the border of
    a padded image is below 0 and above 1."""
    kept = kept_part(width, height, card.aspect)
    margin = (1 - card.image_size / working_side(card.image_size, card.test_resize)) / 2
    dx, dy = kept.width * margin, kept.height * margin
    return (
        (kept.left + dx) / width,
        (kept.top + dy) / height,
        (kept.right - dx) / width,
        (kept.bottom - dy) / height,
    )


def shown_part(
    width: int, height: int, card: ModelCard, cells: Fractions
) -> tuple[Fractions, Fractions]:
    """The scored part without the border of a padded image, and the `cells` of a map, given as
    fractions of the whole scored part, as fractions of it."""
    left, top, right, bottom = seen_part(width, height, card)
    shown = max(0.0, left), max(0.0, top), min(1.0, right), min(1.0, bottom)
    x = [(left + at * (right - left) - shown[0]) / (shown[2] - shown[0]) for at in cells[::2]]
    y = [(top + at * (bottom - top) - shown[1]) / (shown[3] - shown[1]) for at in cells[1::2]]
    return shown, (x[0], y[0], x[1], y[1])


def decode_image(
    path: Path, rect: Rect | None, side: int, aspect: Aspect = "centre"
) -> Tensor:  # fmt: skip
    """Decode an image, or a rectangle of it in displayed pixels, to side × side × 3 uint8 as the
    recipe's `aspect`. Raises KnownError, naming the file, if it cannot be read."""
    # Of a panorama, what is kept has as many pixels as the square.
    array = read_rgb(path, 2 * side, rect, shortest=0 if aspect == "pad" else side)
    kept = kept_part(array.shape[1], array.shape[0], aspect)
    if not array.flags.writeable:  # torch requires writable memory
        array = array.copy()
    pixels = torch.from_numpy(array)
    if aspect == "pad":
        pixels = _padded(pixels, kept)
    else:
        pixels = pixels[kept.top : kept.bottom, kept.left : kept.right]
    if pixels.shape[:2] == (side, side):
        return pixels
    small = F.interpolate(
        pixels.permute(2, 0, 1)[None], (side, side), mode="bilinear", antialias=True
    )
    return small[0].permute(1, 2, 0)


def _padded(pixels: Tensor, square: Rect) -> Tensor:
    """The H × W × 3 pixels inside a `square` around them, with a border."""
    height, width, _ = pixels.shape
    padded = torch.empty((square.height, square.width, 3), dtype=torch.uint8)
    padded[:] = torch.tensor(BORDER, dtype=torch.uint8)
    padded[-square.top : height - square.top, -square.left : width - square.left] = pixels
    return padded


def scored_centre(pixels: Tensor, image_size: int) -> Tensor:
    """Centre crops: N × side × side × 3 bytes -> N × 3 × image_size × image_size (a view)."""
    margin = (pixels.shape[1] - image_size) // 2
    end = margin + image_size
    return pixels[:, margin:end, margin:end].permute(0, 3, 1, 2)


def normalised(
    images: Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Tensor:
    """(x / 255 − mean) / std of N × 3 × H × W bytes, as floats in channels-last layout."""
    scale = torch.tensor([1 / (255 * s) for s in std], device=images.device).view(1, 3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=images.device)
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return floats.mul_(scale).add_(shift.view(1, 3, 1, 1))


def network_input(pixels: Tensor, card: ModelCard) -> Tensor:
    """Normalised centre crops for the network of `card`."""
    return normalised(scored_centre(pixels, card.image_size), card.mean, card.std)


def corner_input(lower: bool, right: bool, pixels: Tensor, card: ModelCard) -> Tensor:
    """Normalised corner crops for the network of `card`."""
    size, far = card.image_size, pixels.shape[1] - card.image_size
    top, left = far * lower, far * right
    planes = pixels[:, top : top + size, left : left + size].permute(0, 3, 1, 2)
    return normalised(planes, card.mean, card.std)


def whole_input(pixels: Tensor, card: ModelCard) -> Tensor:
    """Normalised whole images, resized for the network of `card`."""
    size = (card.image_size, card.image_size)
    planes = pixels.permute(0, 3, 1, 2)
    if planes.device.type == "cpu":
        small = F.interpolate(planes, size, mode="bilinear", antialias=True)
    else:
        small = F.interpolate(planes.float(), size, mode="bilinear", antialias=True)
    return normalised(small, card.mean, card.std)


def scoring_crops(
    side: int, card: ModelCard | Recipe, quick: bool = False
) -> tuple[CropFunction, ...]:
    """Crop functions used for scoring: the centre and, if images are larger than the network's
    input, as set by `test_crops`, the four corners (Krizhevsky, Sutskever and Hinton 2012) and the
    whole image. `quick` skips the corners."""
    found: list[CropFunction] = [network_input]
    if side > card.image_size:
        if "five" in card.test_crops and not quick:
            found += [partial(corner_input, low, right) for low in SIDES for right in SIDES]
        if "whole" in card.test_crops:
            found.append(whole_input)
    return tuple(found)
