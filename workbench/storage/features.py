"""Files of a project that can be deleted at any time: feature indexes, groupings, thumbnails."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.domain.clusters import CLUSTERS_FILE, RECORD_FILE, Clustering, Clusters
from workbench.domain.errors import KnownError, parsing
from workbench.domain.features import CARD_FILE, KEY_BYTES, KEYS_FILE, ROWS_FILE, FeatureCard, Keys
from workbench.domain.projects import DamagedProject
from workbench.domain.text import mark
from workbench.files import DamagedFile, check_archive, check_digest, write_whole
from workbench.storage.database import Database, listed_texts
from workbench.storage.read_only import forget_copy, open_to_read

KEPT_BYTES = 8 << 30  # limit for all indexes of a project


@dataclass(frozen=True)
class FeatureIndex:
    """N rows of D features of unit length on disk, and their keys.

    An index without rows may be `damaged`: its rows exist but cannot be used.
    """

    rows: NDArray[np.float16]
    keys: Keys
    card: FeatureCard | None = None
    damaged: bool = False

    @property
    def bytes(self) -> int:
        """Size of rows and keys in bytes."""
        return int(self.rows.nbytes + self.keys.nbytes)


NOTHING = FeatureIndex(np.empty((0, 0), np.float16), np.empty(0, np.uint64))
DAMAGED = dataclasses.replace(NOTHING, damaged=True)


class FeatureIndexes:
    """The `features` folder of a project, with a subfolder per network."""

    def __init__(self, folder: Path, kept_bytes: int = KEPT_BYTES) -> None:
        self.folder = folder / "features"
        self._kept_bytes = kept_bytes
        # by name: state of the files whose digests were verified
        self._checked: dict[str, list[FeatureCard | tuple[int, int]]] = {}

    def folder_of(self, name: str) -> Path:
        """Folder of the index called `name`, which may not exist yet."""
        return self.folder / name

    def read(self, name: str) -> FeatureIndex:
        """Map the complete rows of an index; return an empty index if it is missing or damaged.

        Its digests are verified on the first read and after each change.
        """
        folder = self.folder_of(name)
        if not (folder / CARD_FILE).is_file():
            return NOTHING
        try:
            card = msgspec.json.decode((folder / CARD_FILE).read_bytes(), type=FeatureCard)
            keys = np.fromfile(folder / KEYS_FILE, np.uint64)
            count = min(len(keys), (folder / ROWS_FILE).stat().st_size // card.row_bytes)
            if card.rows_digest:
                self._check(folder, card)
                count = card.rows
            if not count:
                return NOTHING
            shape = (count, card.dimensions)
            rows = np.memmap(folder / ROWS_FILE, np.float16, "r", shape=shape)
            os.utime(folder / CARD_FILE)  # marks it as the most recently used
        except (OSError, ValueError, ZeroDivisionError, msgspec.DecodeError, DamagedFile):
            return DAMAGED
        return FeatureIndex(rows, keys[:count], card)

    def _check(self, folder: Path, card: FeatureCard) -> None:
        """Raise DamagedFile if the digest of rows or keys differs from that in the card.

        Verified files are not read again until they change.
        """
        rows, keys = folder / ROWS_FILE, folder / KEYS_FILE
        found: list[FeatureCard | tuple[int, int]] = [
            card,
            *((s.st_mtime_ns, s.st_size) for s in (rows.stat(), keys.stat())),
        ]
        if self._checked.get(folder.name) == found:
            return
        check_digest(rows, card.rows_digest, card.rows * card.row_bytes)
        check_digest(keys, card.keys_digest, card.rows * KEY_BYTES)
        self._checked[folder.name] = found

    def remove(self, name: str) -> None:
        """Delete an index if it exists."""
        shutil.rmtree(self.folder_of(name), ignore_errors=True)

    def sizes(self) -> dict[str, int]:
        """Size of each index in bytes, least recently used first."""
        found = []
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                size = sum(file.stat().st_size for file in folder.iterdir())
                found.append(((folder / CARD_FILE).stat().st_mtime, folder.name, size))
        return {name: size for _, name, size in sorted(found)}

    def make_room(self, name: str, needed: int) -> list[str]:
        """Delete least recently used indexes, except `name`, until `needed` more bytes fit.

        Returns the names of the deleted indexes. Raises KnownError if the space is still not
        enough.
        """
        sizes = self.sizes()
        over = sum(sizes.values()) + needed - self._kept_bytes
        gone: list[str] = []
        for other, size in sizes.items():
            if over > 0 and other != name:
                shutil.rmtree(self.folder_of(other), ignore_errors=True)
                gone.append(other)
                over -= size
        if over > 0:
            raise KnownError(
                "The features need {needed:.1f} GB, above the limit of {limit:.1f} GB per project.",
                "Choose a network with fewer features, such as ResNet-18.",
                needed=(over + self._kept_bytes) / 1e9,
                limit=self._kept_bytes / 1e9,
            )
        self._check_disk(needed)
        return gone

    def _check_disk(self, needed: int) -> None:
        if shutil.disk_usage(self.folder.parent).free < needed:
            raise KnownError(
                "Not enough disk space for {needed:.0f} MB of features.",
                "Free up disk space for {parent}.",
                needed=needed / 1e6,
                parent=self.folder.parent,
            )

    def forget(self) -> int:
        """Delete all indexes; return the number of freed bytes."""
        sizes = self.sizes()
        for name in sizes:
            shutil.rmtree(self.folder_of(name), ignore_errors=True)
        return sum(sizes.values())


class Clusterings:
    """The `clusters` folder of a project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clusters"

    def folder_of(self, id: str) -> Path:
        """Folder of a clustering, created if missing."""
        folder = self.folder / id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def all(self) -> list[Clustering]:
        """Complete clusterings, newest first."""
        found = []
        for path in self.folder.glob(f"*/{RECORD_FILE}"):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Clustering))
        return sorted(found, key=lambda one: -one.made)

    def find(self, id: str) -> Clustering | None:
        """Return the complete clustering with this id, or None."""
        return next((one for one in self.all() if one.id == id), None)

    def read(self, id: str) -> Clusters:
        """Cluster assignments. Raises KnownError if the file is missing or damaged."""
        path = self.folder / id / CLUSTERS_FILE
        with parsing(path, mark("Group the images again.")):
            check_archive(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                return Clusters(held["images"], held["crops"], held["clusters"], held["confidence"])

    def keep(self, made: Clustering) -> None:
        """Store a clustering whose result is in its folder."""
        path = self.folder_of(made.id) / RECORD_FILE
        write_whole(path, msgspec.json.encode(made))

    def forget(self) -> int:
        """Delete all clusterings, including unfinished ones; return their number.

        Labels created from them remain.
        """
        folders = list(self.folder.iterdir()) if self.folder.is_dir() else []
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return len(folders)


THUMBNAILS_FILE = "thumbnails.sqlite"
THUMBNAILS_VERSION = 3  # raise when the pixels of images are decoded differently
_TABLE = "CREATE TABLE IF NOT EXISTS thumbnail (hash TEXT PRIMARY KEY, jpeg BLOB NOT NULL)"


_FINGERPRINTS = "CREATE TABLE IF NOT EXISTS fingerprint (hash TEXT PRIMARY KEY, bits BLOB)"


class Thumbnails:
    """JPEG bytes and perceptual hashes by image hash. A damaged file is replaced by an empty one;
    thumbnails of versions that decoded images differently are deleted. Threads have one each.

    If not `writable`, those in the file are read, and new ones live as long as this object.
    """

    def __init__(self, folder: Path, writable: bool = True) -> None:
        path = folder / THUMBNAILS_FILE
        self._earlier: Database | None = None
        if not writable:
            self._db = _opened(Path(":memory:"))
            with contextlib.suppress(sqlite3.Error, OSError):
                self._earlier = open_to_read(path)
            return
        try:
            self._db = _opened(path)
        except (sqlite3.DatabaseError, DamagedProject):
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            self._db = _opened(path)

    def get(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """Return the existing thumbnails of these images."""
        sql = "SELECT hash, jpeg FROM thumbnail WHERE hash IN (SELECT value FROM json_each(?))"
        wanted = listed_texts(hashes)
        found: dict[str, bytes] = {}
        for db in (self._earlier, self._db):
            if db is not None:
                with contextlib.suppress(DamagedProject):  # they are made again
                    found.update(db.rows(sql, (wanted,)))
        return found

    def put(self, jpegs: Mapping[str, bytes]) -> None:
        """Store thumbnails, replacing those of the same images."""
        with contextlib.suppress(DamagedProject), self._db.transaction():
            self._db.run_many("INSERT OR REPLACE INTO thumbnail VALUES (?, ?)", jpegs.items())

    def fingerprints(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """Return the existing perceptual hashes of these images, by image hash."""
        sql = "SELECT hash, bits FROM fingerprint WHERE hash IN (SELECT value FROM json_each(?))"
        return dict(self._db.rows(sql, (listed_texts(hashes),)))

    def put_fingerprints(self, bits: Mapping[str, bytes]) -> None:
        """Store perceptual hashes, replacing those of the same images."""
        with self._db.transaction():
            self._db.run_many("INSERT OR REPLACE INTO fingerprint VALUES (?, ?)", bits.items())

    def close(self) -> None:
        """Close the file."""
        self._db.close()
        if self._earlier is not None:
            self._earlier.close()
            forget_copy(self._earlier.path)


def _opened(path: Path) -> Database:
    db = Database(path)
    try:
        db.tune()
        db.run(_TABLE)
        if db.value("PRAGMA user_version") != THUMBNAILS_VERSION:
            with db.transaction():
                db.run("DELETE FROM thumbnail")
                db.run(f"PRAGMA user_version = {THUMBNAILS_VERSION}")
        db.run(_FINGERPRINTS)
        db.run("PRAGMA cache_size = -8192")
    except BaseException:
        db.close()
        raise
    return db
