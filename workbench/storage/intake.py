"""Taking in what an import found: new images, further places, labels beside the files."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence

from workbench.domain.annotations import Author
from workbench.domain.images import FoundImage
from workbench.domain.labels import LabelSet
from workbench.storage.database import Database, listed_texts
from workbench.storage.labels import Labels
from workbench.storage.recording import now

_DIGITS = re.compile(r"\d+")


def sort_key(path: str) -> str:
    """A text that sorts like `path` read by a person: folders first, 2 before 10, case aside."""
    return _DIGITS.sub(lambda number: number.group().zfill(9), path.casefold())


def mtime_bits(mtime: float) -> int:
    """The bits of a double as an integer: stored so, it comes back the same after any undo."""
    return int(struct.unpack("<q", struct.pack("<d", mtime))[0])


class Intake:
    """Writes found images inside an open edit."""

    def __init__(self, db: Database, labels: Labels) -> None:
        self._db = db
        self._labels = labels

    def add(self, source: int, found: Sequence[FoundImage], author: Author) -> list[int]:
        """Ids of the images of `found`, in order, after writing what was not known."""
        ids = self._image_ids(found)
        self._write_places(source, found, ids)
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

    def _write_places(self, source: int, found: Sequence[FoundImage], ids: Sequence[int]) -> None:
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
