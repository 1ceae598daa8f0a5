"""Mouth crops as files: squares of 128 × 128 pixels in PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.vision.reading import Pixels, read_rgb

SIDE = 128  # pixels, as the mouth-expression set of You and Long (ch. 4) is kept


def square(path: Path, rect: Rect) -> Pixels:
    """The part `rect` (full-size displayed pixels) of an image as 128 × 128 × 3 RGB pixels; raises
    KnownError as `read_rgb`."""
    part = read_rgb(path, rect=rect)
    mode = cv2.INTER_AREA if min(part.shape[:2]) >= SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=mode), dtype=np.uint8)


def save_square(path: Path, rect: Rect, target: Path) -> None:
    """Write `square` to the PNG file `target`, whole or not at all; raises KnownError naming it."""
    pixels = cv2.cvtColor(square(path, rect), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", pixels)
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(data.tobytes())
        part.replace(target)
    except OSError as error:
        raise KnownError(f"{target} cannot be written: {error.strerror}.") from error
