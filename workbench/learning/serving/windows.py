"""Where a class is, by looking at it through windows: several scales, each scored by itself.

Oquab, Bottou, Laptev and Sivic 2014, "Learning and Transferring Mid-Level Image Representations
using Convolutional Neural Networks": the score of a class is its highest over all windows, and the
scores of the windows say where it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.geometry import Rect
from workbench.domain.requests import PREDICTED, Check, Heat
from workbench.domain.runs import LabelList, ModelCard
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.attention import map_layer
from workbench.learning.networks.models import probabilities
from workbench.learning.serving.grad_cam import Maps, randomised_correlations
from workbench.learning.serving.loaded import Loaded
from workbench.vision.reading import read_header, read_rgb

SCALES = (1.0, 1.5, 2.0, 3.0)  # shorter side of the picture over that of a window
CELLS = 20  # of a map along the picture's shorter side
BATCH = 16  # windows at once
EVEN = 1e-6  # difference of a map's highest and lowest cell under which nothing stands out


@dataclass(frozen=True)
class Windows:
    """`pixels`: N × 3 × side × side bytes; `boxes`: N × 4, left, top, right and bottom as fractions
    of the picture; `scales`: N, the number of each window's scale; `shape`: rows and columns of the
    map to be made of them."""

    pixels: Tensor
    boxes: NDArray[np.float64]
    scales: NDArray[np.int64]
    shape: tuple[int, int]


def positions(length: int, side: int) -> list[int]:
    """Where windows of `side` pixels begin on `length` ≥ side: evenly from the first pixel to the
    last, neighbours overlapping by half a window or more."""
    count = 1 + math.ceil((length - side) / max(1, side // 2))
    return [round(float(at)) for at in np.linspace(0, length - side, count)]


def scaled_size(width: int, height: int, shorter: int) -> tuple[int, int]:
    """Width and height with the shorter of them brought to `shorter` pixels."""
    factor = shorter / min(width, height)
    return max(shorter, round(width * factor)), max(shorter, round(height * factor))


def cut(picture: Tensor, side: int, scales: Sequence[float] = SCALES) -> Windows:
    """The windows of a picture (H × W × 3 bytes), which is resized so that at each scale they are
    `side` pixels wide and high."""
    height, width = picture.shape[:2]
    planes = picture.permute(2, 0, 1)[None]
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


@torch.no_grad()
def scores_of(network: nn.Module, windows: Windows, card: ModelCard) -> list[NDArray[np.float64]]:
    """For each label set of the network an array N × labels: what each window is said to show, each
    score in [0, 1]."""
    device = next(network.parameters()).device
    found: list[list[Tensor]] = []
    for start in range(0, len(windows.pixels), BATCH):
        given = windows.pixels[start : start + BATCH].to(device)
        outputs = network(normalised(given, card.mean, card.std))
        found.append([scores.double().cpu() for scores in probabilities(outputs, card)])
    return [torch.cat(parts).numpy() for parts in zip(*found, strict=True)]


def localised(values: NDArray[np.float64], windows: Windows) -> NDArray[np.float32]:
    """Rows × columns: the mean score of the windows of a scale that lie over the middle of a cell,
    averaged over the scales. `values` are the N windows' scores of one label."""
    rows, columns = windows.shape
    left, top, right, bottom = windows.boxes.T[..., None]
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    down, across = ((top <= y) & (y <= bottom)) * 1.0, ((left <= x) & (x <= right)) * 1.0
    maps = []
    for number in np.unique(windows.scales):
        of = windows.scales == number
        sums = np.einsum("n,nr,nc->rc", values[of], down[of], across[of])
        maps.append(sums / np.einsum("nr,nc->rc", down[of], across[of]))
    return cast(NDArray[np.float32], np.mean(maps, axis=0).astype(np.float32))


def stretched(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map with its lowest cell at 0 and its highest at 1; all 0 where it is even."""
    low, high = float(found.min()), float(found.max())
    if high - low < EVEN:
        return np.zeros_like(found)
    return cast(NDArray[np.float32], (found - low) / (high - low))


def window_heat(
    windows: Windows, loaded: Loaded, block: int, labels: LabelList, label: str, check: bool
) -> Heat:
    """The map of a picture's windows for a label of `labels`, the label set at position `block` of
    the network's; PREDICTED: the label of the highest score over all windows."""
    network, card = loaded.network, loaded.card
    scores = scores_of(network, windows, card)
    best = [values.max(axis=0) for values in scores]
    chosen = int(best[block].argmax()) if label == PREDICTED else labels.labels.index(label)
    values = scores[block][:, chosen]
    strongest = int(values.argmax())
    found = localised(values, windows)
    again = partial(_again, windows=windows, card=card, block=block, chosen=chosen)
    return Heat(
        height=found.shape[0],
        width=found.shape[1],
        values=tuple(stretched(found).ravel().astype(float).round(4).tolist()),
        seen=(0.0, 0.0, 1.0, 1.0),
        label=labels.labels[chosen],
        score=float(values[strongest]),
        scores=tuple(best[0].tolist()),
        view_scores=tuple(best[1].tolist()) if len(best) > 1 else (),
        check=_check(loaded, windows, found, again) if check else None,
        window=tuple(windows.boxes[strongest].tolist()),
        windows=len(values),
    )


def _again(network: nn.Module, windows: Windows, card: ModelCard, block: int, chosen: int) -> Maps:
    return localised(scores_of(network, windows, card)[block][:, chosen], windows)[None]


def _check(
    loaded: Loaded, windows: Windows, found: NDArray[np.float32], again: partial[Maps]
) -> Check:
    layer = map_layer(loaded.network, loaded.card.layers)
    device = next(loaded.network.parameters()).device
    inputs = normalised(windows.pixels[:1].to(device), loaded.card.mean, loaded.card.std)
    none = torch.zeros(1, dtype=torch.int64, device=device)
    values = randomised_correlations(loaded.network, layer, inputs, none, found[None], again)
    return Check(float(values[0]))


def windows_of(path: Path, rect: Rect | None, side: int) -> Windows:
    """The windows of an image file, or of a rectangle of it. Raises KnownError where it cannot be
    read."""
    header = read_header(path)
    region = rect or Rect(0, 0, header.width, header.height)
    array = read_rgb(path, longest=_longest(region, side), rect=rect)
    if not array.flags.writeable:  # torch shares the memory and wants to be able to write to it
        array = array.copy()
    return cut(torch.from_numpy(array), side)


def _longest(rect: Rect, side: int) -> int:
    """Pixels of the longer side from which no window has to be enlarged."""
    sides = sorted((rect.width, rect.height))
    return math.ceil(side * max(SCALES) * sides[1] / sides[0])
