"""Feature indexes and clusterings: files that can be deleted at any time, read as memory maps."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.domain.clusters import CLUSTERS_FILE, RECORD_FILE, Clustering, Clusters
from workbench.domain.errors import KnownError, parsing
from workbench.domain.features import CARD_FILE, KEY_BYTES, KEYS_FILE, ROWS_FILE, FeatureCard, Keys
from workbench.files import DamagedFile, check_archive, check_digest, write_whole

KEPT_BYTES = 8 * 1024**3  # all indexes of a project together


@dataclass(frozen=True)
class FeatureIndex:
    """N rows of D features of unit length, on the disk, and the key of each. Without rows it may
    be `damaged`: then there are some, but they cannot be used."""

    rows: NDArray[np.float16]
    keys: Keys
    card: FeatureCard | None = None
    damaged: bool = False

    @property
    def bytes(self) -> int:
        return int(self.rows.nbytes + self.keys.nbytes)


NOTHING = FeatureIndex(np.empty((0, 0), np.float16), np.empty(0, np.uint64))
DAMAGED = dataclasses.replace(NOTHING, damaged=True)


class FeatureIndexes:
    """The folder `features` of a project, one folder in it per network."""

    def __init__(self, folder: Path, kept_bytes: int = KEPT_BYTES) -> None:
        self.folder = folder / "features"
        self._kept_bytes = kept_bytes
        self._checked: dict[str, object] = {}  # by name: what was found to be as it was written

    def place(self, name: str) -> Path:
        """Where the index called `name` lies, or will."""
        return self.folder / name

    def read(self, name: str) -> FeatureIndex:
        """The whole rows of an index, mapped; an empty one where there is none or it is damaged.

        Its digests are compared when it is read for the first time or has changed since.
        """
        place = self.place(name)
        if not (place / CARD_FILE).is_file():
            return NOTHING
        try:
            card = msgspec.json.decode((place / CARD_FILE).read_bytes(), type=FeatureCard)
            keys = np.fromfile(place / KEYS_FILE, np.uint64)
            count = min(len(keys), (place / ROWS_FILE).stat().st_size // card.row_bytes)
            if card.rows_digest:
                self._check(place, card)
                count = card.rows
            if not count:
                return NOTHING
            shape = (count, card.dimensions)
            rows = np.memmap(place / ROWS_FILE, np.float16, "r", shape=shape)
            os.utime(place / CARD_FILE)  # the index used longest ago goes first
        except (OSError, ValueError, ZeroDivisionError, msgspec.DecodeError, DamagedFile):
            return DAMAGED
        return FeatureIndex(rows, keys[:count], card)

    def _check(self, place: Path, card: FeatureCard) -> None:
        """Raise DamagedFile where rows or keys are not those that the card records. Files that were
        compared and have not changed since are not read again."""
        rows, keys = place / ROWS_FILE, place / KEYS_FILE
        found = [card, *((s.st_mtime_ns, s.st_size) for s in (rows.stat(), keys.stat()))]
        if self._checked.get(place.name) == found:
            return
        check_digest(rows, card.rows_digest, card.rows * card.row_bytes)
        check_digest(keys, card.keys_digest, card.rows * KEY_BYTES)
        self._checked[place.name] = found

    def remove(self, name: str) -> None:
        """Delete one index, if it is there."""
        shutil.rmtree(self.place(name), ignore_errors=True)

    def sizes(self) -> dict[str, int]:
        """Bytes that each index takes, that used longest ago first."""
        found = []
        for place in self.folder.iterdir() if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                size = sum(file.stat().st_size for file in place.iterdir())
                found.append(((place / CARD_FILE).stat().st_mtime, place.name, size))
        return {name: size for _, name, size in sorted(found)}

    def make_room(self, name: str, needed: int) -> list[str]:
        """Delete indexes used long ago until `needed` more bytes fit beside the one called `name`;
        the names of those deleted. Raises KnownError where even that is not enough."""
        sizes = self.sizes()
        over = sum(sizes.values()) + needed - self._kept_bytes
        gone: list[str] = []
        for other, size in sizes.items():
            if over > 0 and other != name:
                shutil.rmtree(self.place(other), ignore_errors=True)
                gone.append(other)
                over -= size
        if over > 0:
            raise KnownError(
                f"The features would take {(over + self._kept_bytes) / 1e9:.1f} GB, more than the "
                f"{self._kept_bytes / 1e9:.1f} GB that a project keeps of them.",
                "Choose a network with fewer features, such as ResNet-18.",
            )
        self._check_disk(needed)
        return gone

    def _check_disk(self, needed: int) -> None:
        if shutil.disk_usage(self.folder.parent).free < needed:
            raise KnownError(
                f"The disk has no room for {needed / 1e6:.0f} MB of features.",
                f"Make room on the disk that holds {self.folder.parent}.",
            )

    def forget(self) -> int:
        """Delete all indexes; the bytes that this sets free."""
        sizes = self.sizes()
        for name in sizes:
            shutil.rmtree(self.place(name), ignore_errors=True)
        return sum(sizes.values())


class Clusterings:
    """The folder `clusters` of a project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clusters"

    def place(self, id: str) -> Path:
        """Where a clustering lies, or will; made when it is not there."""
        place = self.folder / id
        place.mkdir(parents=True, exist_ok=True)
        return place

    def all(self) -> list[Clustering]:
        """Those that are whole, newest first."""
        found = []
        for path in self.folder.glob(f"*/{RECORD_FILE}"):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Clustering))
        return sorted(found, key=lambda one: -one.made)

    def find(self, id: str) -> Clustering | None:
        """The whole clustering with this id, or None."""
        return next((one for one in self.all() if one.id == id), None)

    def read(self, id: str) -> Clusters:
        """Who belongs where. Raises KnownError where the file is gone or damaged."""
        path = self.folder / id / CLUSTERS_FILE
        with parsing(path, "Group the images again."):
            check_archive(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                return Clusters(held["images"], held["crops"], held["clusters"], held["confidence"])

    def keep(self, made: Clustering) -> None:
        """List a clustering whose result is in its place."""
        path = self.place(made.id) / RECORD_FILE
        write_whole(path, msgspec.json.encode(made))

    def forget(self) -> int:
        """Delete all of them, also those that were not finished; how many. Labels that came of them
        stay."""
        places = list(self.folder.iterdir()) if self.folder.is_dir() else []
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
        return len(places)
