"""Mouth crops: merging a new detection with existing crops, and the review queues."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from workbench.domain.geometry import Rect

SAME_FACE_IOU = 0.3  # boxes with at least this overlap are the same mouth


class CropState(StrEnum):
    """found: by a detector; adjusted: moved by a person; rejected: not a mouth; missed: no face."""

    FOUND = "found"
    ADJUSTED = "adjusted"
    REJECTED = "rejected"
    MISSED = "missed"


@dataclass(frozen=True)
class Crop:
    """One mouth region of one image.

    `rect` is None for a miss, whose `reason` is then given. `landmarks` are (x, y) points in image
    pixels (68 of a face that was detected; MISSING_POINT where a file has none), or empty. `face`
    numbers the faces of an image from 0, largest first. `reviewed` is true once a person accepted,
    adjusted or rejected it. `id` is None until it is stored.
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
        """Whether the crop can be trained on or predicted: it has a box that was not rejected."""
        return self.state in (CropState.FOUND, CropState.ADJUSTED) and self.rect is not None


@dataclass(frozen=True)
class CropUpdate:
    """Result of a new detection: crops to write (id None = new) and ids of crops to remove."""

    write: tuple[Crop, ...]
    remove: tuple[int, ...]


def merge_detection(
    existing: Sequence[Crop], detected: Sequence[Crop], labelled: frozenset[int]
) -> CropUpdate:
    """Merge a new detection of one image into its crops without losing manual work.

    Reviewed crops and crops with a label (ids in `labelled`) are kept. An unreviewed crop of the
    same face (IoU ≥ 0.3 of boxes or of landmarks) keeps its id, and so its labels, and gets the
    new box. Detections without a counterpart are added; remaining unreviewed, unlabelled crops
    are removed.
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
            continue  # a miss adds nothing where a crop exists
        write.append(crop)
    return CropUpdate(tuple(write), tuple(remove))


def _best_match(crop: Crop, detected: Sequence[Crop]) -> Crop | None:
    if crop.rect is None:
        return None
    overlaps = [(_overlap(crop, d), d) for d in detected if d.rect is not None]
    best = max(overlaps, key=lambda pair: pair[0], default=None)
    return best[1] if best is not None and best[0] >= SAME_FACE_IOU else None


def _overlap(one: Crop, other: Crop) -> float:
    """IoU of two boxes or, if a box was moved away from its face, of the landmarks."""
    assert one.rect is not None
    assert other.rect is not None
    boxes = one.rect.iou(other.rect)
    if not (one.landmarks and other.landmarks):
        return boxes
    return max(boxes, _around(one.landmarks).iou(_around(other.landmarks)))


def _around(points: Sequence[tuple[float, float]]) -> Rect:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Rect(round(min(xs)), round(min(ys)), round(max(xs)) + 1, round(max(ys)) + 1)


IntArray = NDArray[np.int64]
STATES = tuple(CropState)


class Queue(StrEnum):
    """Review queues.

    UNSEEN: detection has not run; REVIEW: a mouth that is not accepted, adjusted or labelled;
    MISSED: no mouth detected; SEVERAL: more than one mouth; UNLABELLED: a mouth without an
    expression; LABELLED: a mouth with the expression given with the queue.
    """

    ALL = "all"
    UNSEEN = "unseen"
    REVIEW = "review"
    MISSED = "missed"
    SEVERAL = "several"
    REJECTED = "rejected"
    UNLABELLED = "unlabelled"
    LABELLED = "labelled"


@dataclass(frozen=True)
class CropTable:
    """All crops as columns, one row each, in no particular order.

    Ids of crop and image, position of the state in STATES, whether it was reviewed, and the
    position of its expression (-1: none).
    """

    crops: IntArray
    images: IntArray
    states: IntArray
    reviewed: NDArray[np.bool_]
    labels: IntArray

    @staticmethod
    def of(rows: Iterable[tuple[int, int, CropState, bool, int]]) -> CropTable:
        """Build a table from (crop id, image id, state, reviewed, label position) rows."""
        listed = [(c, i, STATES.index(s), r, at) for c, i, s, r, at in rows]
        columns = np.array(listed, dtype=np.int64).reshape(-1, 5).T
        crops, images, states, reviewed, labels = columns
        return CropTable(crops, images, states, reviewed.astype(bool), labels)

    def exchange(self, images: Iterable[int], fresh: CropTable) -> tuple[CropTable, CropTable]:
        """Replace the rows of `images` by `fresh`; return the new table and the replaced rows."""
        gone = np.isin(self.images, np.fromiter(images, dtype=np.int64))
        return self.where(~gone).with_rows(fresh), self.where(gone)

    def where(self, mask: NDArray[np.bool_]) -> CropTable:
        """The rows where `mask` holds."""
        return CropTable(
            self.crops[mask],
            self.images[mask],
            self.states[mask],
            self.reviewed[mask],
            self.labels[mask],
        )

    def with_rows(self, more: CropTable) -> CropTable:
        """Append the rows of `more`."""
        return CropTable(
            np.concatenate([self.crops, more.crops]),
            np.concatenate([self.images, more.images]),
            np.concatenate([self.states, more.states]),
            np.concatenate([self.reviewed, more.reviewed]),
            np.concatenate([self.labels, more.labels]),
        )

    def tally(self, keys: Sequence[tuple[Queue, int]]) -> IntArray:
        """Count images and mouths.

        Returns the number of images in each (queue, label position), then mouths per label of the
        LABELLED queues among them, then mouths without a label. An image is counted from its own
        rows alone, so tallies of tables of different images can be added and subtracted.
        """
        mouths = self.labels[self.usable]
        labels = [label for queue, label in keys if queue is Queue.LABELLED]
        return np.array(
            [
                *(len(self.images_of(queue, label)) for queue, label in keys),
                *(np.count_nonzero(mouths == label) for label in labels),
                np.count_nonzero(mouths < 0),
            ],
            dtype=np.int64,
        )

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Mask of the rows that are mouths: found or adjusted."""
        return self._in(CropState.FOUND) | self._in(CropState.ADJUSTED)

    def _in(self, state: CropState) -> NDArray[np.bool_]:
        return np.asarray(self.states == STATES.index(state))

    def images_of(self, queue: Queue, label: int = -1) -> IntArray:
        """Ids (ascending, unique) of the images in `queue`.

        ALL returns the images with any crop; UNSEEN returns none, since such images have no crops.
        """
        if queue is Queue.SEVERAL:
            return np.flatnonzero(np.bincount(self.images[self.usable]) > 1)
        found = self._flags(self._rows(queue, label))
        if queue is Queue.MISSED:
            found &= ~self._flags(self.usable)
        return np.flatnonzero(found)

    def _flags(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """For each image id from 0, whether any of `rows` belongs to it.

        Works without sorting, so that a million crops are counted in milliseconds.
        """
        flags = np.zeros(int(self.images.max(initial=-1)) + 1, dtype=bool)
        flags[self.images[rows]] = True
        return flags

    def _rows(self, queue: Queue, label: int) -> NDArray[np.bool_]:
        if queue is Queue.UNSEEN:
            return np.zeros(len(self.images), dtype=bool)
        if queue is Queue.REVIEW:
            return np.asarray(self.usable & ~self.reviewed & (self.labels < 0))
        if queue in (Queue.REJECTED, Queue.MISSED):
            return self._in(CropState(queue.value))
        if queue is Queue.UNLABELLED:
            return np.asarray(self.usable & (self.labels < 0))
        if queue is Queue.LABELLED:
            return np.asarray(self.usable & (self.labels == label))
        return np.ones(len(self.images), dtype=bool)
