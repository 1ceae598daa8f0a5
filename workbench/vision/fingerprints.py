"""Perceptual hashes and keypoints of images, and a comparison of two images' pixels.

They recognise copies of an image that were scaled, compressed, made brighter, mirrored, cropped,
framed or rotated; other images of the same subject differ. Hashes find small and blurred images,
keypoints find a copy wherever it lies. The limits were chosen on photographs of similar birds.
"""

from __future__ import annotations

from dataclasses import dataclass

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

POINTS = 128  # keypoints of an image
DESCRIPTOR = 32  # bytes
_POINT = 2 + DESCRIPTOR  # bytes of a place and a descriptor
FINGERPRINT = 8 * WINDOWS + 2 * POINTS * _POINT  # bytes
_LONGER = 256  # pixels of the longer side of the image that has keypoints
_BITS_APART = 64  # in which the descriptors of the same point may differ, of 256
_PIXELS_APART = 4  # between a point and where the other image has it
_INLIERS = 12  # points that must fit one affine map
_COVERED = 0.6  # share of the smaller image that lies in the other one
_SEEN = 0.1  # share of an image that the part common to both must cover
REGISTERED = 0.87  # correlation from which the common parts of two images are alike

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


def fingerprint_bytes(pixels: Pixels) -> bytes:
    """The hashes and keypoints of an image in FINGERPRINT bytes."""
    return fingerprint(pixels).tobytes() + keypoint_bytes(pixels).tobytes()


def read_fingerprint(data: bytes) -> tuple[Hashes, NDArray[np.uint8]]:
    """The results of `fingerprint` and `keypoint_bytes` that are stored in these bytes."""
    hashes = np.frombuffer(data, np.uint64, WINDOWS)
    points = np.frombuffer(data, np.uint8, offset=8 * WINDOWS)
    return hashes, points.reshape(2, POINTS, _POINT)


def both_keypoints(data: bytes) -> tuple[Keypoints, Keypoints]:
    """The keypoints of an image and of the mirrored one, from the bytes of its fingerprint."""
    plain, mirrored = map(_keypoints, read_fingerprint(data)[1])
    return plain, mirrored


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


@dataclass(frozen=True)
class Keypoints:
    """Up to POINTS keypoints of an image, the strongest first.

    `places` is P × 2 positions in the image with a longer side of 256 pixels, `descriptors` is
    P × 32 bytes of ORB (Rublee et al. 2011).
    """

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def keypoint_bytes(pixels: Pixels) -> NDArray[np.uint8]:
    """The keypoints of an H × W × 3 RGB image and of the mirrored one, as 2 × POINTS × 34 bytes;
    zeros where there are fewer."""
    levels = _levels(pixels)
    made = np.zeros((2, POINTS, _POINT), np.uint8)
    for side, image in enumerate((levels, np.ascontiguousarray(levels[:, ::-1]))):
        found = cv2.ORB.create(
            nfeatures=POINTS, edgeThreshold=12, patchSize=24, fastThreshold=8
        ).detectAndCompute(image, None)
        points, descriptors = found
        order = sorted(range(len(points)), key=lambda at: -points[at].response)[:POINTS]
        for row, at in enumerate(order):
            made[side, row, :2] = np.clip(np.round(points[at].pt), 0, 255)
            made[side, row, 2:] = descriptors[at]
    return made


def _keypoints(data: NDArray[np.uint8]) -> Keypoints:
    used = data[:, 2:].any(axis=1)
    return Keypoints(data[used, :2].astype(np.float32), np.ascontiguousarray(data[used, 2:]))


def _levels(pixels: Pixels) -> NDArray[np.uint8]:
    """Grey levels of an image with a longer side of 256 pixels."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = _LONGER / max(grey.shape)
    size = [max(1, round(scale * length)) for length in grey.shape[::-1]]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def common_likeness(one: Pixels, other: Pixels, fit: NDArray[np.float64], mirrored: bool) -> float:
    """Correlation, at most 1, of the part that two images have in common; 0 if it is too small.

    `fit` is what `fit_between` returned for them, with the keypoints of the mirrored `other` if
    `mirrored`.
    """
    base, moved = _levels(one), _levels(other)
    moved = np.ascontiguousarray(moved[:, ::-1]) if mirrored else moved
    size = base.shape[::-1]
    inside = cv2.warpAffine(np.full_like(moved, 255), fit, size) > 250
    warped = abs(float(np.linalg.det(fit[:, :2]))) * moved.size
    common = int(inside.sum())
    if common < max(_COVERED * min(base.size, warped), _SEEN * base.size):
        return 0.0
    still = _softened(base)[inside]
    put = cv2.warpAffine(_softened(moved), fit, size)[inside]
    if min(still.std(), put.std()) < _FLAT:
        return 0.0
    return float(np.corrcoef(still, put)[0, 1])


def _softened(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Levels in which an error of a pixel in the map does not matter."""
    return np.asarray(cv2.GaussianBlur(levels.astype(np.float64), (0, 0), 1.5))


def fit_between(points: Keypoints, others: Keypoints) -> NDArray[np.float64] | None:
    """The affine map, 2 × 3, from the places of `others` to those of `points` that fits at least 12
    of them; None if there is none."""
    if min(len(points.places), len(others.places)) < _INLIERS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(
        others.descriptors, points.descriptors
    )
    near = [pair for pair in pairs if pair.distance <= _BITS_APART]
    if len(near) < _INLIERS:
        return None
    found, inliers = cv2.estimateAffine2D(
        others.places[[pair.queryIdx for pair in near]],
        points.places[[pair.trainIdx for pair in near]],
        method=cv2.RANSAC,
        ransacReprojThreshold=_PIXELS_APART,
        maxIters=500,
    )
    if found is None or int(inliers.sum()) < _INLIERS:
        return None
    return np.asarray(found, np.float64)
