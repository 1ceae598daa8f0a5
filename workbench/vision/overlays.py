"""Heat maps over images, in a perceptually uniform colour map."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # H × W × 3, RGB
Box = tuple[float, float, float, float]  # left, top, right, bottom as fractions

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
CLEAR_BELOW = 0.06  # values below this are transparent
FULL_FROM = 0.5  # values above this have the full opacity


@lru_cache(maxsize=1)
def heat_colours() -> Pixels:
    """The 256 × 3 RGB colours of inferno, a perceptually uniform map of Matplotlib."""
    ramp = np.arange(256, dtype=np.uint8)[None]
    colours = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[0, :, ::-1]
    return np.ascontiguousarray(colours, dtype=np.uint8)


def heat_layer(
    values: NDArray[np.float32], width: int, height: int, cells: Box = WHOLE
) -> NDArray[np.uint8]:
    """Upsample a coarse h × w map in [0, 1] smoothly to height × width × 4.

    The last channel is the coverage at full opacity. `cells` is the area covered by the map, as
    fractions; outside it, the border values are repeated.
    """
    rows, columns = values.shape
    across = columns / (width * (cells[2] - cells[0]))  # cells per pixel
    down = rows / (height * (cells[3] - cells[1]))
    left = (0.5 - cells[0] * width) * across - 0.5  # cell under the middle of the first pixel
    top = (0.5 - cells[1] * height) * down - 0.5
    smooth = cv2.warpAffine(
        values.astype(np.float32),
        np.array([[across, 0, left], [0, down, top]]),
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    amount = np.clip(smooth, 0.0, 1.0)
    layer = np.empty((height, width, 4), np.uint8)
    layer[..., :3] = heat_colours()[np.round(amount * 255).astype(np.uint8)]
    rise = np.clip((amount - CLEAR_BELOW) / (FULL_FROM - CLEAR_BELOW), 0.0, 1.0)
    layer[..., 3] = np.round(255 * rise * rise * (3 - 2 * rise))
    return layer


def overlaid(
    image: Pixels,
    values: NDArray[np.float32],
    opacity: float,
    seen: Box = WHOLE,
    cells: Box = WHOLE,
) -> Pixels:
    """`image` with a map over the part that was `seen`, of which the map covers `cells`.

    `opacity` is in [0, 1].
    """
    height, width = image.shape[:2]
    left, right = round(seen[0] * width), max(round(seen[0] * width) + 1, round(seen[2] * width))
    top, bottom = round(seen[1] * height), max(round(seen[1] * height) + 1, round(seen[3] * height))
    made = image.copy()
    part = made[top:bottom, left:right]
    layer = heat_layer(values, part.shape[1], part.shape[0], cells)
    cover = layer[..., 3:].astype(np.float32) / 255 * opacity
    part[:] = np.round(part * (1 - cover) + layer[..., :3] * cover).astype(np.uint8)
    return made


def framed(image: Pixels, box: Box) -> Pixels:
    """Draw a frame around a part of `image`: white with dark edges, visible on any background."""
    made = np.ascontiguousarray(image)
    made = made.copy() if made is image else made
    height, width = made.shape[:2]
    wide = max(1, round(min(height, width) / 200))
    far = width - 1 - wide, height - 1 - wide  # keeps the lines inside the image
    corners = [
        (min(far[0], max(wide, round(x * width))), min(far[1], max(wide, round(y * height))))
        for x, y in (box[:2], box[2:])
    ]
    for thick, colour in ((3 * wide, (0, 0, 0)), (wide, (255, 255, 255))):
        cv2.rectangle(made, corners[0], corners[1], colour, thick)
    return made


def enlarged(image: Pixels, least: int) -> Pixels:
    """Enlarge a small image smoothly to a longer side of `least` pixels."""
    longest = max(image.shape[:2])
    if longest >= least:
        return image
    size = round(image.shape[1] * least / longest), round(image.shape[0] * least / longest)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
