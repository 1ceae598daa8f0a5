"""What stands behind a toy vehicle: ground, sky, and shapes that mean nothing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def backdrop(side: int, horizon: float, random: np.random.Generator) -> Picture:
    """A background, side × side × 3 RGB uint8, whose ground begins at row `horizon`."""
    ground, sky = _tone(random, 60, 190), _tone(random, 110, 250)
    rows = np.arange(side, dtype=np.float32)[:, None]
    fade = np.clip(np.abs(rows - horizon) / side, 0, 1)
    column = np.where(rows > horizon, ground * (1.0 - 0.35 * fade), sky * (0.85 + 0.3 * fade))
    canvas = np.repeat(column[:, None, :], side, axis=1)
    picture: Picture = np.ascontiguousarray(np.clip(canvas, 0, 255).astype(np.uint8))
    _clutter(picture, horizon, random)
    grain = random.normal(0, 9, (side // 8 + 1, side // 8 + 1, 1)).astype(np.float32)
    rough = cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)
    result: Picture = np.clip(picture + rough[:, :, None], 0, 255).astype(np.uint8)
    return result


def _tone(random: np.random.Generator, low: float, high: float) -> NDArray[np.float64]:
    return random.uniform(low, high) * random.uniform(0.8, 1.1, 3)


def _clutter(picture: Picture, horizon: float, random: np.random.Generator) -> None:
    side = picture.shape[0]
    base = int(horizon + random.uniform(0, 0.08) * side)
    for _ in range(int(random.integers(2, 8))):
        colour = tuple(float(c) for c in _tone(random, 40, 230))
        x = int(random.uniform(-0.1, 1) * side)
        width, height = (int(v) for v in random.uniform(0.08, 0.4, 2) * side)
        if random.random() < 0.6:
            cv2.rectangle(picture, (x, base - height), (x + width, base), colour, -1)
        else:
            cv2.circle(picture, (x, base - height // 2), max(2, width // 2), colour, -1)
    for _ in range(int(random.integers(0, 4))):
        colour = tuple(float(c) for c in _tone(random, 60, 220))
        ends = random.uniform(0, 1, (2, 2)) * (side, side - horizon) + (0, horizon)
        first, last = np.rint(ends).astype(int).tolist()
        cv2.line(picture, first, last, colour, int(random.integers(1, 5)))
