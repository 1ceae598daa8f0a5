"""Storage of mouth crops, one by one or as columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from workbench.domain.crops import STATES, Crop, CropState, CropTable, CropUpdate
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.text import Message, from_stored, stored
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.history import Recorder, now

_STATE = (
    "CASE c.state " + " ".join(f"WHEN '{s.value}' THEN {i}" for i, s in enumerate(STATES)) + " END"
)
_QUERY = (
    "WITH place(id, at) AS (SELECT l.id, row_number() OVER (ORDER BY l.position, l.id) - 1"  # noqa: S608
    " FROM label l JOIN label_set s ON s.id = l.label_set WHERE s.name = ? AND NOT l.removed)"
    f" SELECT c.id, c.image, {_STATE}, c.reviewed, coalesce((SELECT max(p.at) FROM annotation a"
    " JOIN place p ON p.id = a.label WHERE a.crop = c.id AND a.ended_at IS NULL), -1)"
)


def crop_table(
    db: Database, label_set: str, images: Iterable[int] | IntArray | None = None
) -> CropTable:
    """Read the crops of `images` (None: all) with their labels of `label_set`, in no particular
    order."""
    if images is None:
        columns = db.columns(f"{_QUERY} FROM crop c", (label_set,), 5)
    else:
        columns = db.columns(
            f"{_QUERY} FROM json_each(?) wanted JOIN crop c ON c.image = wanted.value",
            (label_set, listed(images)),
            5,
        )
    crops, of_images, states, reviewed, labels = columns
    return CropTable(crops, of_images, states, reviewed.astype(bool), labels)


_COLUMNS = "image, face, state, left, top, right, bottom, landmarks, detector, reviewed, reason"
_SELECT = f"SELECT c.id, {', '.join('c.' + n for n in _COLUMNS.split(', '))}"
_LABELLED = (
    "SELECT a.crop FROM annotation a JOIN label_set s ON s.id = a.label_set"
    " JOIN label l ON l.id = a.label WHERE a.ended_at IS NULL AND a.crop IS NOT NULL AND s.name = ?"
)


class Crops:
    """The crops of a project."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder

    def of_image(self, id: int) -> list[Crop]:
        """Crops of one image, by face."""
        return self.of_images([id]).get(id, [])

    def of_images(self, ids: Iterable[int] | IntArray) -> dict[int, list[Crop]]:
        """Crops of each of these images that has any."""
        found: dict[int, list[Crop]] = {}
        for row in self._db.rows(
            f"{_SELECT} FROM json_each(?) wanted JOIN crop c ON c.image = wanted.value"
            " ORDER BY wanted.key, c.face, c.id",
            (listed(ids),),
        ):
            crop = _crop(row)
            found.setdefault(crop.image, []).append(crop)
        return found

    def get(self, ids: Iterable[int] | IntArray) -> list[Crop]:
        """Crops with these ids, in their order; unknown ids are skipped."""
        rows = self._db.rows(
            f"{_SELECT} FROM json_each(?) wanted JOIN crop c ON c.id = wanted.value"
            " ORDER BY wanted.key",
            (listed(ids),),
        )
        return [_crop(row) for row in rows]

    def ids(
        self,
        state: CropState | None = None,
        reviewed: bool | None = None,
        label: tuple[str, str | None] | None = None,
    ) -> IntArray:
        """Ids of the crops that meet all given conditions, in the order of their images' names.

        `label` is a set and a label, or None for crops without one of that set.
        """
        where, values = ["true"], []
        if state is not None:
            where.append("c.state = ?")
            values.append(state.value)
        if reviewed is not None:
            where.append("c.reviewed = ?")
            values.append(str(int(reviewed)))
        if label is not None:
            condition, more = _label_condition(*label)
            where.append(condition)
            values.extend(more)
        return self._db.ids(
            f"SELECT c.id FROM crop c JOIN image i ON i.id = c.image WHERE {' AND '.join(where)}"  # noqa: S608
            " ORDER BY i.sort_key, i.id, c.face, c.id",
            values,
        )

    def table(self, label_set: str, images: Iterable[int] | IntArray | None = None) -> CropTable:
        """Crops of `images` (None: all) as columns, with their labels of `label_set`."""
        return crop_table(self._db, label_set, images)

    def usable(self) -> tuple[IntArray, IntArray, IntArray]:
        """Ids (ascending), image ids and sizes (N × 2, in pixels) of all found or adjusted crops.

        Fast for any number of crops.
        """
        crops, images, widths, heights = self._db.columns(
            "SELECT id, image, right - left, bottom - top FROM crop"
            " WHERE state IN (?, ?) AND left IS NOT NULL ORDER BY id",
            (CropState.FOUND.value, CropState.ADJUSTED.value),
            4,
        )
        return crops, images, np.stack((widths, heights), axis=1)

    def counts(self) -> dict[CropState, int]:
        """Number of crops in each state."""
        found = dict(self._db.rows("SELECT state, count(*) FROM crop GROUP BY state"))
        return {state: found.get(state.value, 0) for state in CropState}

    def labelled(self, image_ids: Iterable[int] | IntArray) -> frozenset[int]:
        """Ids of the crops of these images that have any label."""
        return frozenset(
            self._db.ids(
                "SELECT DISTINCT a.crop FROM json_each(?) wanted"
                " JOIN crop c ON c.image = wanted.value JOIN annotation a"
                " ON a.crop = c.id AND a.ended_at IS NULL AND a.crop IS NOT NULL",
                (listed(image_ids),),
            ).tolist()
        )

    def detected_sources(self) -> frozenset[int]:
        """Ids of the sources with at least one image on which detection was run."""
        return frozenset(
            self._db.ids(
                "SELECT id FROM source WHERE EXISTS (SELECT 1 FROM crop c"
                " JOIN place p ON p.image = c.image WHERE p.source = source.id)"
            ).tolist()
        )

    def save(self, crop: Crop) -> Crop:
        """Insert (id None) or update a crop; return it with its id.

        Raises KnownError if the image or the crop no longer exists.
        """
        with self._recorder.edit(Message("Crop")):
            if crop.id is None:
                return self._insert(crop)
            self._update([crop])
        return crop

    def add(self, crops: Sequence[Crop]) -> list[int]:
        """Insert many new crops of existing images; return their ids, in order."""
        if not crops:
            return []
        with self._recorder.edit(Message("Crop")):
            free = 1 + int(
                self._db.value("SELECT seq FROM sqlite_sequence WHERE name = 'crop'") or 0
            )
            self._db.run_many(
                f"INSERT INTO crop (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                ((free + at, *_values(crop)) for at, crop in enumerate(crops)),
            )
        return list(range(free, free + len(crops)))

    def apply(self, image_id: int, update: CropUpdate) -> None:
        """Apply the result of a new detection of one image."""
        with self._recorder.edit(Message("Crop")):
            self._remove(update.remove)
            self._update([crop for crop in update.write if crop.id is not None])
            for crop in update.write:
                if crop.id is None:
                    self._insert(dataclasses.replace(crop, image=image_id))

    def _insert(self, crop: Crop) -> Crop:
        if self._db.value("SELECT 1 FROM image WHERE id = ?", (crop.image,)) is None:
            raise KnownError("There is no image {image} in this project.", image=crop.image)
        cursor = self._db.run(
            f"INSERT INTO crop ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            _values(crop),
        )
        return dataclasses.replace(crop, id=int(cursor.lastrowid or 0))

    def _update(self, crops: Sequence[Crop]) -> None:
        for crop in crops:
            values = _values(crop)
            cursor = self._db.run(
                f"UPDATE crop SET ({_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?",  # noqa: S608
                (*values, crop.id),
            )
            if not cursor.rowcount:
                raise KnownError("Crop {id} no longer exists in this project.", id=crop.id)

    def _remove(self, ids: Sequence[int]) -> None:
        if not ids:
            return
        wanted = listed(ids)
        self._db.run(
            "UPDATE annotation SET ended_at = ? WHERE ended_at IS NULL AND crop IS NOT NULL"
            " AND crop IN (SELECT value FROM json_each(?))",
            (now(), wanted),
        )
        self._db.run("DELETE FROM crop WHERE id IN (SELECT value FROM json_each(?))", (wanted,))


def _label_condition(label_set: str, label: str | None) -> tuple[str, list[str]]:
    if label is None:
        return f"c.id NOT IN ({_LABELLED})", [label_set]
    return f"c.id IN ({_LABELLED} AND l.name = ?)", [label_set, label]


def _values(crop: Crop) -> tuple[Any, ...]:
    rect = crop.rect.as_tuple() if crop.rect is not None else (None,) * 4
    landmarks = msgspec.json.encode(crop.landmarks).decode()
    state = crop.state.value
    return (
        crop.image,
        crop.face,
        state,
        *rect,
        landmarks,
        crop.detector,
        int(crop.reviewed),
        stored(crop.reason),
    )


_decode_landmarks = msgspec.json.Decoder(tuple[tuple[float, float], ...]).decode


def _crop(row: Sequence[Any]) -> Crop:
    id_, image, face, state, *rect, landmarks, detector, reviewed, reason = row
    return Crop(
        id_,
        image,
        face,
        CropState(state),
        Rect(*rect) if rect[0] is not None else None,
        _decode_landmarks(landmarks),
        detector,
        bool(reviewed),
        from_stored(reason) if reason else "",
    )
