"""Perceptual hashes of images and of windows in them, and a comparison of two images' pixels.

They recognise copies of an image that were scaled, compressed, made brighter, mirrored or cropped;
other images of the same subject differ. The limits were chosen on photographs of similar birds.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.vision.reading import Pixels

Hashes = NDArray[np.uint64]
Grey = NDArray[np.float32]

_STEPS = (0.0, 0.5, 1.0)
# Scale and relative place of each hashed window: the whole image, and nine crops of two sizes.
_WINDOWS = (
    (1.0, 0.0, 0.0),
    *((scale, x, y) for scale in (0.9, 0.8) for y in _STEPS for x in _STEPS),
)
WINDOWS = 2 * len(_WINDOWS)  # with those of the mirrored image
_SIDE = 96  # pixels of the image whose windows are hashed
_DCT = 32
_BITS = np.uint64(1) << np.arange(64, dtype=np.uint64)
_FLAT = 2.0  # an image whose levels deviate less shows nothing

COMPARED = 64  # pixels of the images that `overlap` compares
_SCALES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)  # of a crop in the image


def fingerprint(pixels: Pixels) -> Hashes:
    """64-bit hashes of an H × W × 3 RGB image: WINDOWS of them, the first that of the whole image.

    Each is the signs of the 64 lowest frequencies of the DCT of 32 × 32 grey pixels, against their
    median (Zauner 2010). All are 0 for an image of a single colour.
    """
    grey = _grey(pixels, _SIDE)
    if grey.std() < _FLAT:
        return np.zeros(WINDOWS, np.uint64)
    found = [_hash(_window(image, *at)) for image in (grey, grey[:, ::-1]) for at in _WINDOWS]
    return np.array(found, np.uint64)


def _window(grey: Grey, scale: float, x: float, y: float) -> Grey:
    side = round(scale * _SIDE)
    left, top = round(x * (_SIDE - side)), round(y * (_SIDE - side))
    return grey[top : top + side, left : left + side]


def _hash(grey: Grey) -> np.uint64:
    small = cv2.resize(grey, (_DCT, _DCT), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small)[:8, :8].ravel()
    found: np.uint64 = (_BITS * (low > np.median(low[1:]))).sum(dtype=np.uint64)
    return found


def comparable(pixels: Pixels) -> Grey:
    """COMPARED × COMPARED grey levels of an image for `overlap`."""
    return _grey(pixels, COMPARED)


def _grey(pixels: Pixels, side: int) -> Grey:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


def overlap(one: Grey, other: Grey) -> float:
    """Similarity of two results of `comparable`: the highest normalised cross-correlation, at most
    1, of one with a crop of the other of at least 70 % of its sides, mirrored or not."""
    flipped = np.ascontiguousarray(other[:, ::-1])
    return max(
        _best_crop(image, crop)
        for turned in (other, flipped)
        for image, crop in ((one, turned), (turned, one))
    )


def _best_crop(image: Grey, crop: Grey) -> float:
    best = -1.0
    for scale in _SCALES:
        side = round(scale * COMPARED)
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        found = cv2.matchTemplate(image, small, cv2.TM_CCOEFF_NORMED)
        best = max(best, float(found.max()))
    return best
