"""Storage of images and their sources."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.domain.errors import KnownError
from workbench.domain.formats import Origin
from workbench.domain.images import (
    FoundImage,
    ImageFile,
    ImageFilter,
    ImageRow,
    SkippedFile,
    Sort,
    Source,
)
from workbench.domain.labels import Author, LabelSet
from workbench.domain.splits import PARTS
from workbench.domain.text import Message, from_stored, stored
from workbench.domain.versions import VersionFile
from workbench.storage.annotators import EVER_OF_IMAGES
from workbench.storage.database import Database, IntArray, listed, listed_texts
from workbench.storage.history import Recorder, now
from workbench.storage.labels import Labels
from workbench.storage.searching import Search

_DIGITS = re.compile(r"\d+")


def sort_key(path: str) -> str:
    """Key that sorts paths naturally: folders first, 2 before 10, ignoring case."""
    return _DIGITS.sub(lambda number: number.group().zfill(9), path.casefold())


def mtime_bits(mtime: float) -> int:
    """Bits of a double as an integer, which survive undo without rounding."""
    return int(struct.unpack("<q", struct.pack("<d", mtime))[0])


class Intake:
    """Writes imported images within an open edit."""

    def __init__(self, db: Database, labels: Labels) -> None:
        self._db = db
        self._labels = labels

    def add(self, source: int, found: Sequence[FoundImage], author: Author) -> list[int]:
        """Insert new images and locations; return the ids of all images of `found`, in order."""
        ids = self._image_ids(found)
        self._write_locations(source, found, ids)
        self._give_labels(found, ids, author)
        return ids

    def _image_ids(self, found: Sequence[FoundImage]) -> list[int]:
        known: dict[str, int] = dict(
            self._db.rows(
                "SELECT hash, id FROM image WHERE hash IN (SELECT value FROM json_each(?))",
                (listed_texts(image.hash for image in found),),
            )
        )
        new: list[FoundImage] = []
        free = int(self._db.value("SELECT seq FROM sqlite_sequence WHERE name = 'image'") or 0) + 1
        for image in found:
            if image.hash not in known:
                known[image.hash] = free + len(new)
                new.append(image)
        moment = now()
        self._db.run_many(
            "INSERT INTO image (id, hash, width, height, sort_key, added_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            ((known[i.hash], i.hash, i.width, i.height, sort_key(i.path), moment) for i in new),
        )
        return [known[image.hash] for image in found]

    def _write_locations(
        self, source: int, found: Sequence[FoundImage], ids: Sequence[int]
    ) -> None:
        standing = {
            path: (image, size, bits)
            for path, image, size, bits in self._db.rows(
                "SELECT path, image, size, mtime_bits FROM place WHERE source = ?"
                " AND path IN (SELECT value FROM json_each(?))",
                (source, listed_texts(image.path for image in found)),
            )
        }
        new: dict[str, tuple[int, int, int]] = {}
        changed: dict[str, tuple[int, int, int]] = {}
        for image, id_ in zip(found, ids, strict=True):
            place = (id_, image.size, mtime_bits(image.mtime))
            if image.path not in standing:
                new[image.path] = place
            elif standing[image.path] != place:
                changed[image.path] = place
        self._db.run_many(
            "INSERT INTO place (source, path, image, size, mtime_bits) VALUES (?, ?, ?, ?, ?)",
            ((source, path, *place) for path, place in new.items()),
        )
        self._db.run_many(
            "UPDATE place SET image = ?, size = ?, mtime_bits = ? WHERE source = ? AND path = ?",
            ((*place, source, path) for path, place in changed.items()),
        )

    def _give_labels(self, found: Sequence[FoundImage], ids: Sequence[int], author: Author) -> None:
        given: dict[str, dict[str, list[int]]] = {}
        for image, id_ in zip(found, ids, strict=True):
            for label_set, label in image.labels:
                given.setdefault(label_set, {}).setdefault(label, []).append(id_)
        for label_set, by_label in given.items():
            self._ensure(label_set, by_label)
            for label, images in by_label.items():
                self._labels.assign(images, label_set, label, author)

    def _ensure(self, name: str, labels: Iterable[str]) -> None:
        sets = self._labels.sets()
        known = sets.get(name, LabelSet(name))
        wanted = known.with_labels(tuple(sorted(labels)))
        if name not in sets or wanted != known:
            self._labels.save_set(wanted)


_ROWS = (
    "SELECT i.id, i.hash, i.width, i.height, p.path, s.path, s.kind, m.part"
    " FROM json_each(?) wanted JOIN image i ON i.id = wanted.value"
    " LEFT JOIN place p ON p.image = i.id LEFT JOIN source s ON s.id = p.source"
    " LEFT JOIN membership m ON m.image = i.id"
    " AND m.split = (SELECT id FROM split WHERE standing)"
    " ORDER BY wanted.key, p.id"
)
_LABELS = (
    "SELECT a.image, s.name, l.name FROM json_each(?) wanted"
    " CROSS JOIN label_set s CROSS JOIN annotation a INDEXED BY standing_of_images"
    " ON a.label_set = s.id AND a.image = wanted.value"
    " AND a.ended_at IS NULL AND a.crop IS NULL JOIN label l ON l.id = a.label ORDER BY l.position"
)


class _LocationRow(NamedTuple):
    """A row of `_ROWS`: an image at one of its locations; those columns are None without one."""

    id: int
    hash: str
    width: int
    height: int
    path: str | None
    source: str | None
    kind: str | None
    part: int | None


EVERYTHING = ImageFilter()


class StoredImages:
    """The images of a project."""

    def __init__(self, db: Database, recorder: Recorder, labels: Labels, search: Search) -> None:
        self._db = db
        self._recorder = recorder
        self._search = search
        self._labels = labels
        self._intake = Intake(db, labels)

    def ids(
        self,
        filter: ImageFilter = EVERYTHING,
        sort: Sort = Sort.NAME,
        descending: bool = False,
    ) -> IntArray:
        """Ids of the images that meet all conditions of `filter`, in the order of `sort`."""
        return self._search.ids(filter, sort, descending)

    def rows(self, ids: Iterable[int] | IntArray) -> list[ImageRow]:
        """Images with these ids, in their order; unknown ids are skipped.

        Of several locations, the first one whose file exists is used.
        """
        wanted = listed(ids)
        labels: dict[int, dict[str, tuple[str, ...]]] = {}
        for image, name, label in self._db.rows(_LABELS, (wanted,)):
            of_image = labels.setdefault(image, {})
            of_image[name] = (*of_image.get(name, ()), label)
        return [
            _row(locations, labels.get(id_, {}))
            for id_, locations in self._locations(wanted).items()
        ]

    def files(self, ids: IntArray) -> dict[int, ImageFile]:
        """Hash, file and size of each of these images, by id."""
        return {
            id_: ImageFile(
                locations[0].hash, _path(locations), locations[0].width, locations[0].height
            )
            for id_, locations in self._locations(listed(ids)).items()
        }

    def _locations(self, wanted: str) -> dict[int, list[_LocationRow]]:
        found: dict[int, list[_LocationRow]] = {}
        for row in map(_LocationRow._make, self._db.rows(_ROWS, (wanted,))):
            found.setdefault(row.id, []).append(row)
        return found

    def row(self, id: int) -> ImageRow:
        """One image. Raises KnownError if no image has this id."""
        rows = self.rows([id])
        if not rows:
            raise KnownError("There is no image {id} in this project.", id=id)
        return rows[0]

    def sizes(self, ids: IntArray) -> IntArray:
        """Width and height in pixels of each of these N images as N × 2, 0 for unknown ids.

        Fast for any number of ids.
        """
        known, widths, heights = self._db.columns("SELECT id, width, height FROM image", (), 3)
        if not len(known) or not len(ids):
            return np.zeros((len(ids), 2), np.int64)
        of_id = np.zeros((max(int(known.max()), int(ids.max())) + 1, 2), np.int64)
        of_id[known] = np.stack((widths, heights), axis=1)
        return np.asarray(of_id[ids])

    def count(self) -> int:
        """Number of images."""
        return int(self._db.value("SELECT count(*) FROM image"))

    def path(self, id: int) -> Path:
        """Current or last known path of an image's file. Raises KnownError if it has none."""
        path = self.row(id).path
        if not path:
            raise KnownError(
                "Image {id} no longer has a file: its file was replaced by another image.",
                "Import the folder again, or remove the image.",
                id=id,
            )
        return Path(path)

    def index(self) -> list[tuple[int, str, str]]:
        """Id, hash and last known absolute path ("" without a file) of all images, several rows for
        several locations. Fast for any number of images."""
        rows = self._db.rows(
            "SELECT i.id, i.hash, s.path, s.kind, p.path FROM image i"
            " LEFT JOIN place p ON p.image = i.id LEFT JOIN source s ON s.id = p.source"
        )
        return [
            (id_, hash_, f"{_base(source, kind)}{os.sep}{path}" if path is not None else "")
            for id_, hash_, source, kind, path in rows
        ]

    def hashes(self) -> dict[str, int]:
        """Ids of all images by hash."""
        return dict(self._db.rows("SELECT hash, id FROM image"))

    def by_hash(self, hash: str) -> int | None:
        """Id of the image with this hash, or None."""
        found = self._db.value("SELECT id FROM image WHERE hash = ?", (hash,))
        return int(found) if found is not None else None

    def sources(self) -> list[Source]:
        """All sources, with the number of images and skipped files of each."""
        return [
            Source(id_, path, Origin(kind), images, skipped)
            for id_, path, kind, images, skipped in self._db.rows(
                "SELECT s.id, s.path, s.kind,"
                " (SELECT count(*) FROM place p WHERE p.source = s.id),"
                " (SELECT count(*) FROM skipped k WHERE k.source = s.id) FROM source s ORDER BY id"
            )
        ]

    def add_source(self, path: Path | str, kind: Origin = Origin.FOLDER) -> int:
        """Return the id of the source at `path`, creating it if needed."""
        known = self._db.value("SELECT id FROM source WHERE path = ?", (str(path),))
        if known is not None:
            return int(known)
        with self._recorder.edit(Message("Add source {name}", name=Path(path).name)):
            cursor = self._db.run(
                "INSERT INTO source (path, kind) VALUES (?, ?)", (str(path), kind.value)
            )
        return int(cursor.lastrowid or 0)

    def relink(self, source_id: int, new_path: Path | str) -> None:
        """Set a new path of a source's folder (or list file)."""
        other = self._db.value("SELECT id FROM source WHERE path = ?", (str(new_path),))
        if other is not None and other != source_id:
            raise KnownError("{new_path} is already a source of this project.", new_path=new_path)
        with self._recorder.edit(Message("Re-link {name}", name=Path(new_path).name)):
            self._db.run("UPDATE source SET path = ? WHERE id = ?", (str(new_path), source_id))

    def known_files(self, source_id: int) -> dict[str, tuple[int, float]]:
        """Size in bytes and modification time of each file of a source when last read, by path."""
        rows = self._db.rows(
            "SELECT path, size, mtime_bits FROM place WHERE source = ?", (source_id,)
        )
        times = np.array([bits for _, _, bits in rows], np.int64).view(np.float64).tolist()
        return {path: (size, mtime) for (path, size, _), mtime in zip(rows, times, strict=True)}

    def known_images(self, source_id: int) -> dict[str, FoundImage]:
        """Images of a source as last read, by their path in the source."""
        rows = self._db.rows(
            "SELECT p.path, i.hash, i.width, i.height, p.size, p.mtime_bits FROM place p"
            " JOIN image i ON i.id = p.image WHERE p.source = ?",
            (source_id,),
        )
        times = np.array([bits for *_, bits in rows], np.int64).view(np.float64).tolist()
        return {
            path: FoundImage(path, hash_, width, height, size, mtime)
            for (path, hash_, width, height, size, _), mtime in zip(rows, times, strict=True)
        }

    def with_labels(
        self, source_id: int, label_set: str, labels: Collection[str], since: float = 0.0
    ) -> list[tuple[str, str]]:
        """Path in the source and label of each image of a source that has one of `labels`, given
        after `since` (seconds since the epoch)."""
        if not labels:
            return []
        return self._db.rows(
            "SELECT p.path, l.name FROM label_set s JOIN label l ON l.label_set = s.id"
            " JOIN annotation a INDEXED BY standing_of_images ON a.label_set = s.id"
            " AND a.label = l.id AND a.ended_at IS NULL AND a.crop IS NULL"
            " JOIN place p ON p.image = a.image AND p.source = ?"
            " WHERE s.name = ? AND NOT l.removed"
            " AND l.name IN (SELECT value FROM json_each(?)) AND a.made_at > ? ORDER BY a.id",
            (source_id, label_set, listed_texts(labels), since * 1e6),  # stored in microseconds
        )

    def add(
        self, source_id: int, found: Sequence[FoundImage], author: Author = Author.IMPORT
    ) -> list[int]:
        """Import images found in a source; return their ids in the order of `found`.

        A known hash adds a location to its image. Missing labels are added to their set, missing
        sets are created. Manual labels are not overwritten.
        """
        with self._recorder.edit(Message("Import")):
            self._forget()
            return self._intake.add(source_id, found, author)

    def set_skipped(self, source_id: int, skipped: Sequence[SkippedFile]) -> None:
        """Replace the list of a source's skipped files and their reasons."""
        if list(skipped) == self.skipped(source_id):
            return
        with self._recorder.edit(Message("Import")):
            self._db.run("DELETE FROM skipped WHERE source = ?", (source_id,))
            self._db.run_many(
                "INSERT INTO skipped (source, path, reason) VALUES (?, ?, ?)",
                ((source_id, file.path, stored(file.reason)) for file in skipped),
            )

    def skipped(self, source_id: int) -> list[SkippedFile]:
        """Files of a source that could not be imported."""
        sql = "SELECT path, reason FROM skipped WHERE source = ? ORDER BY id"
        rows = self._db.rows(sql, (source_id,))
        return [SkippedFile(path, from_stored(reason)) for path, reason in rows]

    def locations(self, id: int) -> list[tuple[int, str]]:
        """Locations of an image: source id and path in the source."""
        return self._db.rows("SELECT source, path FROM place WHERE image = ? ORDER BY id", (id,))

    def places(self) -> list[tuple[int, int, str]]:
        """All locations of all images: image id, source id and path in the source."""
        return self._db.rows("SELECT image, source, path FROM place ORDER BY id")

    def remove(self, ids: Iterable[int] | IntArray) -> None:
        """Remove images from the project with their labels and crops; files on disk are kept."""
        ids = [int(id_) for id_ in ids]
        wanted = listed(ids)
        of_images = "IN (SELECT value FROM json_each(?))"
        with self._recorder.edit(Message("Remove images")):
            self._db.run(
                f"DELETE FROM annotation WHERE id IN ({EVER_OF_IMAGES})",  # noqa: S608
                (wanted,) * 3,
            )
            for table in ("crop", "place"):
                self._db.run(f"DELETE FROM {table} WHERE image {of_images}", (wanted,))  # noqa: S608
            self._db.run(f"DELETE FROM image WHERE id {of_images}", (wanted,))  # noqa: S608
            self._forget(ids)

    def put_back(self, files: Mapping[str, VersionFile]) -> None:
        """Add images that were removed, by their hashes, with their locations."""
        if not files:
            return
        with self._recorder.edit(Message("Put images back")):
            ids = self._insert_images(files)
            self._insert_places(files, ids)
            self._forget(ids.values())

    def _insert_images(self, files: Mapping[str, VersionFile]) -> dict[str, int]:
        last = int(self._db.value("SELECT seq FROM sqlite_sequence WHERE name = 'image'") or 0)
        ids = {hash_: last + number for number, hash_ in enumerate(files, start=1)}
        self._db.run_many(
            "INSERT INTO image (id, hash, width, height, sort_key, added_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (ids[hash_], hash_, one.width, one.height, one.sort_key, one.added_at)
                for hash_, one in files.items()
            ),
        )
        return ids

    def _insert_places(self, files: Mapping[str, VersionFile], ids: Mapping[str, int]) -> None:
        known = {id_ for (id_,) in self._db.rows("SELECT id FROM source")}
        sources: dict[tuple[int, str, str], int] = {}
        rows = []
        for hash_, file in files.items():
            for place in file.places:
                source = (place.source_id, place.source, place.kind)
                if source not in sources:  # its id names it even if it was re-linked since
                    sources[source] = (
                        place.source_id
                        if place.source_id in known
                        else self.add_source(place.source, Origin(place.kind))
                    )
                rows.append((sources[source], ids[hash_], place.path, place.size, place.mtime_bits))
        self._db.run_many(
            "INSERT INTO place (source, image, path, size, mtime_bits) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (source, path) DO UPDATE SET (image, size, mtime_bits)"
            " = (excluded.image, excluded.size, excluded.mtime_bits)",
            rows,
        )

    def _forget(self, removed: Iterable[int] = ()) -> None:
        self._search.forget()
        self._labels.forget(removed)


def _path(locations: Sequence[_LocationRow]) -> str:
    """First location of an image whose file exists, else the first one."""
    if len(locations) == 1:
        return _join_path(locations[0])
    paths = [_join_path(row) for row in locations]
    return next((path for path in paths if path and os.path.exists(path)), paths[0])


def _row(locations: Sequence[_LocationRow], labels: dict[str, tuple[str, ...]]) -> ImageRow:
    path, first = _path(locations), locations[0]
    return ImageRow(
        first.id,
        first.hash,
        path,
        os.path.basename(path),
        first.width,
        first.height,
        labels,
        PARTS[first.part].value if first.part is not None else "",
    )


def _join_path(row: _LocationRow) -> str:
    """Join the path of a location, "" if there is none.

    pathlib would dominate the time of reading many rows.
    """
    if row.source is None or row.kind is None or row.path is None:
        return ""
    return os.path.join(_base(row.source, row.kind), row.path.replace("/", os.sep))


@lru_cache
def _base(source: str, kind: str) -> str:
    return str(Path(Source(0, source, Origin(kind)).base))
