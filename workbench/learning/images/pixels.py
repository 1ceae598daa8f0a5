"""From an image file to what a network sees: one square of bytes, and its normalised centre."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.domain.geometry import Rect
from workbench.domain.recipes import Recipe
from workbench.domain.runs import ModelCard
from workbench.vision.reading import read_rgb

SIDES = (False, True)
ASPECT = 4 / 3  # of the part of a photograph that is kept; what is longer loses its far ends


Look = Callable[[Tensor, ModelCard], Tensor]  # squares of bytes -> what the network is given


def working_side(image_size: int, test_resize: int) -> int:
    """Side of the squares kept in memory; `looks` says what of one is scored."""
    return max(image_size, test_resize)


def kept_part(width: int, height: int) -> Rect:
    """The centred part of a width × height region whose sides differ by at most 4 : 3.

    It is squeezed into a square: the object stays whole, and the distortion stays within what
    the training's random crops show anyway.
    """
    w, h = min(width, round(height * ASPECT)), min(height, round(width * ASPECT))
    left, top = (width - w) // 2, (height - h) // 2
    return Rect(left, top, left + w, top + h)


def seen_part(width: int, height: int, card: ModelCard) -> tuple[float, float, float, float]:
    """The part of a width × height region that is scored, as fractions left, top, right, bottom."""
    kept = kept_part(width, height)
    margin = (1 - card.image_size / working_side(card.image_size, card.test_resize)) / 2
    dx, dy = kept.width * margin, kept.height * margin
    return (
        (kept.left + dx) / width,
        (kept.top + dy) / height,
        (kept.right - dx) / width,
        (kept.bottom - dy) / height,
    )


def load_square(path: Path, rect: Rect | None, side: int) -> Tensor:
    """The image (or a rectangle of it, in displayed pixels) as side × side × 3 uint8.

    Raises KnownError naming the file where it cannot be read.
    """
    array = read_rgb(path, longest=2 * side, rect=rect)
    kept = kept_part(array.shape[1], array.shape[0])
    if not array.flags.writeable:  # torch shares the memory and wants to be able to write to it
        array = array.copy()
    pixels = torch.from_numpy(array)[kept.top : kept.bottom, kept.left : kept.right]
    if pixels.shape[:2] == (side, side):
        return pixels
    small = F.interpolate(
        pixels.permute(2, 0, 1)[None], (side, side), mode="bilinear", antialias=True
    )
    return small[0].permute(1, 2, 0)


def scored_centre(squares: Tensor, image_size: int) -> Tensor:
    """N × side × side × 3 bytes -> their N × 3 × image_size × image_size centres (a view)."""
    margin = (squares.shape[1] - image_size) // 2
    end = margin + image_size
    return squares[:, margin:end, margin:end].permute(0, 3, 1, 2)


def normalised(
    images: Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Tensor:
    """N × 3 × H × W bytes as floats in channels-last layout, (x / 255 − mean) / std."""
    scale = torch.tensor([1 / (255 * s) for s in std], device=images.device).view(1, 3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=images.device)
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return floats.mul_(scale).add_(shift.view(1, 3, 1, 1))


def network_input(squares: Tensor, card: ModelCard) -> Tensor:
    """Squares of bytes as the network of `card` takes them when it scores."""
    return normalised(scored_centre(squares, card.image_size), card.mean, card.std)


def corner_input(lower: bool, right: bool, squares: Tensor, card: ModelCard) -> Tensor:
    """A corner of squares of bytes, as large as the network of `card` takes it."""
    size, far = card.image_size, squares.shape[1] - card.image_size
    top, left = far * lower, far * right
    planes = squares[:, top : top + size, left : left + size].permute(0, 3, 1, 2)
    return normalised(planes, card.mean, card.std)


def whole_input(squares: Tensor, card: ModelCard) -> Tensor:
    """Squares of bytes, reduced to the size that the network of `card` takes."""
    size = (card.image_size, card.image_size)
    planes = squares.permute(0, 3, 1, 2)
    if planes.device.type == "cpu":
        small = F.interpolate(planes, size, mode="bilinear", antialias=True)
    else:
        small = F.interpolate(planes.float(), size, mode="bilinear", antialias=True)
    return normalised(small, card.mean, card.std)


def looks(side: int, card: ModelCard | Recipe, quick: bool = False) -> tuple[Look, ...]:
    """What the network of `card` is shown of squares of a side: the centre and, where they are
    larger than it takes, as the card says the four corners (Krizhevsky, Sutskever and Hinton 2012)
    and the whole. `quick` leaves the corners out."""
    found: list[Look] = [network_input]
    if side > card.image_size:
        if "five" in card.test_crops and not quick:
            found += [partial(corner_input, low, right) for low in SIDES for right in SIDES]
        if "whole" in card.test_crops:
            found.append(whole_input)
    return tuple(found)
