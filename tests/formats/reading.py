"""Reading and writing of small datasets, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from workbench.domain.datasets import Dataset, ImageRecord
from workbench.formats import FORMATS, ReadOptions


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files by relative path; returns the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(name: str, path: Path, options: ReadOptions | None = None) -> Dataset:
    """Read a dataset of the format called `name`, without its heartbeats."""
    reading = FORMATS[name].read(path, options or ReadOptions())
    while True:
        try:
            next(reading)
        except StopIteration as stop:
            return stop.value


def by_path(dataset: Dataset) -> dict[str, ImageRecord]:
    """Records by path, without the places where they were read."""
    assert len({image.path for image in dataset.images}) == len(dataset.images)
    return {image.path: unplaced(image) for image in dataset.images}


def unplaced(image: ImageRecord) -> ImageRecord:
    """A record without the place where it was read, its labels sorted by set."""
    labels = tuple(sorted(image.labels, key=lambda one: one.set))
    return msgspec.structs.replace(image, labels=labels, line=0, file="")


def rejects(dataset: Dataset) -> list[tuple[str, str]]:
    """Places and reasons of rejected rows."""
    return [(one.path, one.reason) for one in dataset.rejected]
