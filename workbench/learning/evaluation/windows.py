"""Multi-scale windows of an image, their scores, and the map of these.

Oquab, Bottou, Laptev and Sivic 2014, "Learning and Transferring Mid-Level Image Representations
using Convolutional Neural Networks": each class gets its highest score over all scales and places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.protocols import WINDOW_CROPS, WINDOW_SCALES
from workbench.domain.recipes import Recipe
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.images.pixels import normalised, scoring_crops, working_side
from workbench.vision.reading import read_header, read_rgb

MOST_RATIO = 20  # of the sides of an image; more windows would take too long
CELLS = 20  # cells along the image's shorter side
WINDOW_BATCH = 16  # windows per batch


@dataclass(frozen=True)
class Windows:
    """Windows of an image for the network, N × 3 × side × side bytes in `pixels`.

    `boxes`: N × 4, left, top, right and bottom as fractions of the image; `scales`: index of each
    window's scale; `shape`: rows and columns of the resulting map.
    """

    pixels: Tensor
    boxes: NDArray[np.float64]
    scales: NDArray[np.int64]
    shape: tuple[int, int]


def positions(length: int, side: int) -> list[int]:
    """Evenly spaced start positions of windows of `side` pixels on `length` ≥ side, overlapping by
    at least half."""
    count = 1 + math.ceil((length - side) / max(1, side // 2))
    return [round(float(at)) for at in np.linspace(0, length - side, count)]


def scaled_size(width: int, height: int, shorter: int) -> tuple[int, int]:
    """Scale width and height so that the shorter one is `shorter` pixels."""
    factor = shorter / min(width, height)
    return max(shorter, round(width * factor)), max(shorter, round(height * factor))


def cut(image: Tensor, side: int, scales: Sequence[float] = WINDOW_SCALES) -> Windows:
    """Cut an image (H × W × 3 bytes) into windows of `side` × `side` pixels at each scale."""
    height, width = image.shape[:2]
    planes = image.permute(2, 0, 1)[None]
    pixels, boxes, numbers = [], [], []
    for number, scale in enumerate(scales):
        w, h = scaled_size(width, height, round(side * scale))
        sized = F.interpolate(planes, (h, w), mode="bilinear", antialias=True)[0]
        for top in positions(h, side):
            for left in positions(w, side):
                pixels.append(sized[:, top : top + side, left : left + side])
                boxes.append((left / w, top / h, (left + side) / w, (top + side) / h))
                numbers.append(number)
    columns, rows = scaled_size(width, height, CELLS)
    return Windows(torch.stack(pixels), np.array(boxes), np.array(numbers), (rows, columns))


def window_count(width: int, height: int, side: int) -> int:
    """Number of windows of an image of width × height pixels."""
    sizes = (scaled_size(width, height, round(side * scale)) for scale in WINDOW_SCALES)
    return sum(len(positions(w, side)) * len(positions(h, side)) for w, h in sizes)


def views_of_image(recipe: Recipe) -> int:
    """Number of crops, or of windows of a square image, that a recipe's test protocol scores."""
    side = recipe.image_size
    if recipe.test_crops == WINDOW_CROPS:
        return window_count(side, side, side)
    return len(scoring_crops(working_side(side, recipe.test_resize), recipe))


def scores_of(scorer: Scorer, windows: Windows) -> NDArray[np.float32]:
    """Scores of each window in [0, 1], N × C (or C + K); with the card's `test_mirror`, the mean of
    the window and its mirror image."""
    card, device = scorer.card, scorer.device.torch
    found = []
    for start in range(0, len(windows.pixels), WINDOW_BATCH):
        given = windows.pixels[start : start + WINDOW_BATCH].to(device)
        inputs = normalised(given, card.mean, card.std)
        found.append(scorer.of_inputs([inputs], card.test_mirror).numpy())
    return np.concatenate(found)


def highest_scores(scorer: Scorer, path: Path, rect: Rect | None) -> NDArray[np.float32]:
    """Scores of an image file, or of a rectangle of it: the highest of its windows for each of C
    (or C + K) outputs. Raises KnownError as `windows_of`."""
    found = scores_of(scorer, windows_of(path, rect, scorer.card.image_size))
    return cast(NDArray[np.float32], found.max(axis=0))


def localised(values: NDArray[np.floating], windows: Windows) -> NDArray[np.float32]:
    """Map of rows × columns: the highest score of the windows of all scales that cover each cell's
    centre. `values` are the N scores of one label.

    A window that covers all cells, such as the only one of a square image's smallest scale, does
    not count: as the highest, it would make the map constant.
    """
    rows, columns = windows.shape
    left, top, right, bottom = windows.boxes.T[..., None]
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    down, across = (top <= y) & (y <= bottom), (left <= x) & (x <= right)
    covers = down[:, :, None] & across[:, None, :]
    local = ~covers.all(axis=(1, 2))
    if local.any():
        covers, values = covers[local], values[local]
    highest = np.where(covers, values[:, None, None], -np.inf).max(axis=0)
    return cast(NDArray[np.float32], highest.astype(np.float32))


def windows_of(path: Path, rect: Rect | None, side: int) -> Windows:
    """Windows of an image file, or of a rectangle of it. Raises KnownError if it cannot be read."""
    header = read_header(path)
    region = (rect or header.whole).inside(header.width, header.height)
    sides = sorted((region.width, region.height))
    if sides[1] > MOST_RATIO * sides[0]:
        raise KnownError(
            "{path} is too narrow for windows: one side is more than {ratio} times the other.",
            "Choose another layer to explain, or another test protocol.",
            path=path,
            ratio=MOST_RATIO,
        )
    array = read_rgb(path, longest=_longest(region, side), rect=rect)
    if not array.flags.writeable:  # torch requires writable memory
        array = array.copy()
    return cut(torch.from_numpy(array), side)


def _longest(rect: Rect, side: int) -> int:
    """Longer side in pixels at which no window is upscaled."""
    sides = sorted((rect.width, rect.height))
    return math.ceil(side * max(WINDOW_SCALES) * sides[1] / sides[0])
