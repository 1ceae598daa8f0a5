"""Small projects to test with: rows as an import writes them."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.domain.images import FoundImage
from workbench.storage.project import Project

MTIME = 1_700_000_000.123_456_7


def found(number: int, *labels: tuple[str, str], folder: str = "a") -> FoundImage:
    """The image with this number, in one of the folders of its source."""
    return FoundImage(
        f"{folder}/image {number}.jpg", f"hash{number}", 640, 480, 1000 + number, MTIME, labels
    )


def fill(project: Project, count: int, labels: Sequence[tuple[str, str]] = ()) -> list[int]:
    """`count` images of one source, imported as one edit; their ids."""
    with project.edit("Import"):
        source = project.images.add_source("/photos")
        return project.images.add(source, [found(i, *labels) for i in range(count)])


def state(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """All watched rows: what undo must bring back exactly."""
    from workbench.storage.recording import KINDS

    return {table: project._db.rows(f"SELECT * FROM {table} ORDER BY id") for table in KINDS}
