"""What there is to look at in a project, read by a job over a connection of its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from workbench.domain.images import Source
from workbench.storage.database import world_error

_IMAGES = (
    "SELECT i.id, i.hash, s.path, s.kind, p.path FROM image i"
    " JOIN place p ON p.id = (SELECT min(id) FROM place WHERE image = i.id)"
    " JOIN source s ON s.id = p.source"
)
_BOX = "c.id, c.left, c.top, c.right, c.bottom"
_CROPS = (  # from the texts above alone
    f"SELECT v.*, {_BOX} FROM ({_IMAGES}) v JOIN crop c ON c.image = v.id"  # noqa: S608
    " WHERE c.state IN ('found', 'adjusted') AND c.left IS NOT NULL ORDER BY c.id"
)


@dataclass(frozen=True)
class SeenSubject:
    """An image, or a crop of it (`crop` its id, `box` in displayed pixels), and its file."""

    image: int
    hash: str
    path: str
    crop: int | None = None
    box: tuple[int, int, int, int] | None = None


def read_subjects(database: Path, crops: bool) -> list[SeenSubject]:
    """Every image with a file, or every usable crop, as last committed; for any thread.

    Raises KnownError where the project cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(_CROPS if crops else f"{_IMAGES} ORDER BY i.id").fetchall()
    except sqlite3.Error as error:
        known = world_error(error, database)
        if known is None:
            raise
        raise known from error
    bases: dict[tuple[str, str], Path] = {}
    found = []
    for image, hash_, source, kind, path, *crop in rows:
        base = bases.get((source, kind))
        if base is None:
            base = bases[source, kind] = Path(Source(0, source, kind).base)
        box = (crop[1], crop[2], crop[3], crop[4]) if crop else None
        found.append(SeenSubject(image, hash_, f"{base}/{path}", crop[0] if crop else None, box))
    return found
