"""Boxes that files give to images, as crops: found among those of the image, or new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from workbench.app.session import Session
from workbench.domain.crops import SAME_FACE_IOU, Crop, CropState
from workbench.domain.datasets import ImageRecord, Region
from workbench.domain.geometry import Rect
from workbench.domain.import_reports import Decision, Skipped
from workbench.domain.text import Message, counted

FROM_FILE = "file"  # detector of a crop that was created by a label file
_EDGE = 1.0  # pixels by which a box may reach beyond its image: formats count pixels differently


class RecordOfImage(Protocol):
    """A record with the id of its image, and the place where it stands, for messages."""

    @property
    def image(self) -> int:
        """Id of the image."""

    @property
    def record(self) -> ImageRecord:
        """What the file has of the image."""

    @property
    def place(self) -> str:
        """The file, with the line or entry."""


class BoxCrops:
    """Adds the boxes of records as crops, cut off at the edges of their images, and collects what
    is to be reported: the number of new crops, and the boxes that are outside of their image."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.added = 0
        self.skipped: list[Skipped] = []
        self._cut: dict[int, tuple[RecordOfImage, int]] = {}  # with their number, by image
        self._sizes: dict[int, Decision] = {}  # images of another size than their file has

    @property
    def decisions(self) -> list[Decision]:
        """Images whose boxes were cut off, or made for an image of another size."""
        cut = (
            Decision(
                one.record.path,
                counted(
                    n,
                    "{n:,} box reached beyond the image and was cut off at its edge ({place})",
                    "{n:,} boxes reached beyond the image and were cut off at its edge ({place})",
                    place=one.place,
                ),
            )
            for one, n in self._cut.values()
        )
        return [*self._sizes.values(), *cut]

    def add(self, records: Sequence[RecordOfImage]) -> dict[int, Iterator[int | None]]:
        """Ids of the crops of each image's regions, in their order; missing ones are created within
        an open edit. None for regions outside of the image."""
        regions: dict[int, list[tuple[RecordOfImage, Region]]] = {}
        for one in records:
            if one.record.regions:
                found = regions.setdefault(one.image, [])
                found += [(one, region) for region in one.record.regions]
        if not regions:
            return {}
        store = self._session.store
        files = store.images.files(np.array(list(regions), np.int64))
        known = store.crops.of_images(list(regions))
        new: list[Crop] = []
        crops: dict[int, list[Crop | None]] = {}
        for image, of_image in regions.items():
            size = files[image].width, files[image].height
            existing = [crop for crop in known.get(image, []) if crop.rect is not None]
            face = 1 + max((crop.face for crop in existing), default=-1)
            for one, region in of_image:
                crop = self._placed(one, region, size, face)
                same = None if crop is None else _match(crop, existing)
                if crop is not None and same is None:
                    face += 1
                    new.append(crop)
                    existing.append(crop)
                crops.setdefault(image, []).append(same or crop)
        self.added += len(new)
        ids = iter(store.crops.add(new))
        made = {id(crop): next(ids) for crop in new}
        return {
            image: iter([crop if crop is None else made.get(id(crop), crop.id) for crop in some])
            for image, some in crops.items()
        }

    def _placed(
        self, one: RecordOfImage, region: Region, size: tuple[int, int], face: int
    ) -> Crop | None:
        """A new crop for a region of an image of `size`; None, with a report, if nothing of it is
        in the image."""
        written = one.record.width, one.record.height
        if all(written) and written != size and not region.relative:
            self._note_size(one, size)
        placed = region.in_pixels(*size)
        left, top, right, bottom = placed.box
        width, height = size
        if not (max(left, 0) < min(right, width) and max(top, 0) < min(bottom, height)):
            self._skip(one, region, size)
            return None
        if max(-left, -top, right - width, bottom - height) > _EDGE:
            self._cut[one.image] = one, self._cut.get(one.image, (one, 0))[1] + 1
        rect = _whole_pixels(placed.box, width, height)
        return Crop(
            None, one.image, face, CropState.ADJUSTED, rect, placed.points, FROM_FILE, reviewed=True
        )

    def _skip(self, one: RecordOfImage, region: Region, size: tuple[int, int]) -> None:
        about = Message("{name} ({place})", name=one.record.path, place=one.place)
        reason = Message(
            "the box ({box}) is empty, or outside of the image of {width} × {height} pixels",
            box=", ".join(f"{value:g}" for value in region.box),
            width=size[0],
            height=size[1],
        )
        self.skipped.append(Skipped(about, reason))

    def _note_size(self, one: RecordOfImage, size: tuple[int, int]) -> None:
        if one.image not in self._sizes:
            text = Message(
                "its boxes are for {width} × {height} pixels, but the image has {real_width} ×"
                " {real_height} ({place})",
                width=one.record.width,
                height=one.record.height,
                real_width=size[0],
                real_height=size[1],
                place=one.place,
            )
            self._sizes[one.image] = Decision(one.record.path, text)


def _whole_pixels(box: Sequence[float], width: int, height: int) -> Rect:
    """A box in whole pixels inside of an image, at least one pixel wide and high."""
    left = min(round(max(box[0], 0)), width - 1)
    top = min(round(max(box[1], 0)), height - 1)
    right = max(round(min(box[2], width)), left + 1)
    return Rect(left, top, right, max(round(min(box[3], height)), top + 1))


def _match(crop: Crop, existing: Sequence[Crop]) -> Crop | None:
    """The existing crop of the same box, else one of a detector that is nearly the same."""
    assert crop.rect is not None
    for other in existing:
        if other.rect == crop.rect:
            return other
    near = [
        (other.rect.iou(crop.rect), at)
        for at, other in enumerate(existing)
        if other.rect is not None and other.detector != FROM_FILE
    ]
    best = max(near, default=(0.0, 0))
    return existing[best[1]] if best[0] >= SAME_FACE_IOU else None
