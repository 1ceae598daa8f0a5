"""Images and crops of a project, read by jobs over their own connection."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.domain.features import Keys, feature_key
from workbench.domain.formats import Origin
from workbench.domain.images import Source
from workbench.storage.database import IntArray, listed
from workbench.storage.read_only import reading

_AT_ONCE = 2000  # rows read between two yields, where the job can stop
_SIDES = "c.left, c.top, c.right, c.bottom"
_USABLE = "c.state IN ('found', 'adjusted') AND c.left IS NOT NULL"
_IMAGES = "SELECT id, -1, hash FROM image ORDER BY id"
_CROPS = (  # built from the constants above only
    f"SELECT i.id, c.id, i.hash, {_SIDES} FROM crop c JOIN image i ON i.id = c.image"  # noqa: S608
    f" WHERE {_USABLE} ORDER BY c.id"
)
_FILE = (
    " JOIN place p ON p.id = (SELECT min(id) FROM place WHERE image = i.id)"
    " JOIN source s ON s.id = p.source ORDER BY w.key"
)
_OF_IMAGES = (
    "SELECT i.id, NULL, i.hash, s.path, s.kind, p.path FROM json_each(?) w"  # noqa: S608
    " JOIN image i ON i.id = w.value" + _FILE
)
_OF_CROPS = (
    f"SELECT i.id, c.id, i.hash, s.path, s.kind, p.path, {_SIDES} FROM json_each(?) w"  # noqa: S608
    " JOIN crop c ON c.id = w.value JOIN image i ON i.id = c.image" + _FILE
)


@dataclass(frozen=True)
class Subjects:
    """All images of a project, or all its usable crops.

    N ids each (crops -1 for images) and the keys in a feature index.
    """

    images: IntArray
    crops: IntArray
    keys: Keys

    def __getitem__(self, rows: IntArray) -> Subjects:
        return Subjects(self.images[rows], self.crops[rows], self.keys[rows])

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class SubjectFile:
    """An image, or a crop of it (`box` in displayed pixels), and the path of its file."""

    image: int
    hash: str
    path: str
    crop: int | None = None
    box: tuple[int, int, int, int] | None = None


def read_subjects(database: Path, crops: bool) -> Generator[None, None, Subjects]:
    """Read every image, or every usable crop, as last committed.

    Yields None regularly so that a job can stop. Can be called from any thread. Raises KnownError
    if the project cannot be read.
    """
    parts: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    keys: list[Keys] = [np.empty(0, np.uint64)]
    with reading(database) as db:
        cursor = db.run(_CROPS if crops else _IMAGES)
        while rows := cursor.fetchmany(_AT_ONCE):
            parts.append(np.array([(image, crop) for image, crop, *_ in rows], np.int64))
            found = [feature_key(hash_, tuple(box) or None) for _, _, hash_, *box in rows]
            keys.append(np.array(found, np.uint64))
            yield None
    ids = np.concatenate(parts)
    return Subjects(ids[:, 0], ids[:, 1], np.concatenate(keys))


def read_files(database: Path, subjects: Subjects, crops: bool) -> list[SubjectFile]:
    """Files of these images (or crops), in order; those without a file are skipped.

    Can be called from any thread. Raises KnownError if the project cannot be read.
    """
    wanted: Sequence[int] = (subjects.crops if crops else subjects.images).tolist()
    with reading(database) as db:
        rows = db.rows(_OF_CROPS if crops else _OF_IMAGES, (listed(wanted),))
    bases: dict[tuple[str, str], Path] = {}
    found = []
    for image, crop, hash_, source, kind, path, *box in rows:
        base = bases.get((source, kind))
        if base is None:
            base = bases[source, kind] = Path(Source(0, source, Origin(kind)).base)
        found.append(SubjectFile(image, hash_, str(base / path), crop, tuple(box) or None))
    return found
