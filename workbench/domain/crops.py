"""Mouth crops, and how a new detection meets the crops that are already there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workbench.domain.geometry import Rect

SAME_FACE_IOU = 0.3  # two squares that overlap this much are one mouth


class CropState(StrEnum):
    """found: by a detector; adjusted: moved by a person; rejected: not a mouth; missed: no face."""

    FOUND = "found"
    ADJUSTED = "adjusted"
    REJECTED = "rejected"
    MISSED = "missed"


@dataclass(frozen=True)
class Crop:
    """One mouth region of one image.

    `rect` is None for a miss, whose `reason` then says why. `landmarks` are 68 (x, y) points in
    image pixels, or empty. `face` numbers the faces of an image from 0, largest first. `reviewed`
    says that a person accepted, adjusted or rejected it. `id` is None until it is stored.
    """

    id: int | None
    image: int
    face: int
    state: CropState
    rect: Rect | None = None
    landmarks: tuple[tuple[float, float], ...] = ()
    detector: str = ""
    reviewed: bool = False
    reason: str = ""

    @property
    def usable(self) -> bool:
        return self.state in (CropState.FOUND, CropState.ADJUSTED) and self.rect is not None


@dataclass(frozen=True)
class CropUpdate:
    """What a new detection changes: crops to write (id None = new) and ids of crops to remove."""

    write: tuple[Crop, ...]
    remove: tuple[int, ...]


def merge_detection(
    existing: Sequence[Crop], detected: Sequence[Crop], labelled: frozenset[int]
) -> CropUpdate:
    """Fold a new detection of one image into its crops; nothing a person did is lost.

    A crop that was reviewed, or carries a label (`labelled` holds such crop ids), stays; an
    unreviewed crop of the same face (IoU ≥ 0.3 of squares or of landmarks) keeps its id, and so its
    labels, and takes the new square; detections with no counterpart are added; unreviewed,
    unlabelled leftovers are removed.
    """
    write: list[Crop] = []
    remove: list[int] = []
    left = list(detected)
    for crop in existing:
        match = _best_match(crop, left)
        if match is not None:
            left.remove(match)
        if crop.reviewed:
            continue
        if match is not None:
            write.append(dataclasses.replace(match, id=crop.id, image=crop.image))
        elif crop.id is not None and crop.id not in labelled:
            remove.append(crop.id)
    kept_any = any(crop.reviewed or crop.id in labelled for crop in existing)
    for crop in left:
        if crop.state is CropState.MISSED and (kept_any or write):
            continue  # a miss says nothing new where a crop stands
        write.append(crop)
    return CropUpdate(tuple(write), tuple(remove))


def _best_match(crop: Crop, detected: Sequence[Crop]) -> Crop | None:
    if crop.rect is None:
        return None
    overlaps = [(_overlap(crop, d), d) for d in detected if d.rect is not None]
    best = max(overlaps, key=lambda pair: pair[0], default=None)
    return best[1] if best is not None and best[0] >= SAME_FACE_IOU else None


def _overlap(one: Crop, other: Crop) -> float:
    """IoU of two squares or, where a square was moved away from its face, of the landmarks."""
    assert one.rect is not None
    assert other.rect is not None
    squares = one.rect.iou(other.rect)
    if not (one.landmarks and other.landmarks):
        return squares
    return max(squares, _around(one.landmarks).iou(_around(other.landmarks)))


def _around(points: Sequence[tuple[float, float]]) -> Rect:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Rect(round(min(xs)), round(min(ys)), round(max(xs)) + 1, round(max(ys)) + 1)
