"""Bringing images into a project: files are read once, identified, and left where they are."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.app.file_search import is_image
from workbench.app.images.import_plan import LabelOrigins
from workbench.app.images.import_reading import Batch, Unread, read_places
from workbench.app.jobs import Task
from workbench.app.open_project import OpenProject
from workbench.domain.images import FoundImage, SkippedFile, Source
from workbench.domain.label_names import LabelNames


@dataclass
class ImportResult:
    """What an import did, in numbers of files: images `added`, files `known` already from the same
    source, `duplicates` (an image the project has, in one more place), files that brought a label,
    and the skipped ones. It is filled while the batches are stored and whole when the job ends."""

    added: int = 0
    known: int = 0
    duplicates: int = 0
    labelled: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)


def import_task(
    op: OpenProject,
    places: Sequence[Path],
    category_from: str = "",
    view_from: str = "",
    expression_from: str = "",
) -> Task:
    """The task that imports `places`: folders, list files, CSV tables or single image files.

    Labels come from "folder" (the innermost folders: with category and view `category/view`),
    "list" (the last word of a line), "csv" (the column of the set's name) or nowhere (""; a CSV's
    columns named category, view or expression are taken even so). Stopping keeps what is in so far;
    all of it is one undoable edit. Ends Done(ImportResult). Raises ValueRefused for another origin.
    """
    origins = LabelOrigins(
        {"category": category_from, "view": view_from, "expression": expression_from},
        {name: LabelNames(found.names) for name, found in op.store.labels.sets().items()},
    )
    whole = list(dict.fromkeys(Path(os.path.abspath(place)) for place in places))
    bases = {place if place.is_dir() or not is_image(place) else place.parent for place in whole}
    known = {
        Path(source.path): _known_images(op, source, origins.known)
        for source in op.store.images.sources()
        if Path(source.path) in bases
    }
    taking = _Taking(op, f"Import {', '.join(place.name for place in whole)[:80]}")

    def work() -> Generator[object | None, None, ImportResult]:
        yield from read_places(whole, origins, known)
        return taking.result

    return Task(taking.title, work, taking.take, kind="import")


def _known_images(
    op: OpenProject, source: Source, sets: Mapping[str, LabelNames]
) -> dict[str, FoundImage]:
    """The images of a source as they were read last, and those of their labels that stay."""
    images = op.store.images.known_images(source.id)
    if source.kind != "folder":  # a list or table may have been corrected since
        return images
    for name, known in sets.items():
        for path, label in op.store.images.carrying(source.id, name, known.twins()):
            labels = (*images[path].labels, (name, label))
            images[path] = dataclasses.replace(images[path], labels=labels)
    return images


class _Taking:
    """The owner thread's half: stores what was read, all in one undoable edit."""

    def __init__(self, op: OpenProject, title: str) -> None:
        self.title = title
        self.result = ImportResult()
        self._op = op
        self._edit: int | None = None
        self._sources: dict[Path, int] = {}

    def take(self, value: object) -> None:
        if isinstance(value, Batch):
            self._take_batch(value)
        elif isinstance(value, Unread):
            self._take_unread(value)

    def _take_batch(self, batch: Batch) -> None:
        files = batch.new + batch.relabelled
        self.result.known += batch.known
        if not files:
            return
        with self._op.edit(self.title, joined_to=self._edit) as edit:
            self._op.store.images.add(self._source(batch.place, batch.kind), files)
        self._edit = edit.id
        added = len(edit.changes.added)
        self.result.added += added
        self.result.duplicates += len(batch.new) - added
        self.result.labelled += sum(1 for found in files if found.labels)

    def _take_unread(self, unread: Unread) -> None:
        self.result.skipped.extend(unread.skipped)
        if not unread.skipped and unread.place not in self._sources:
            return
        with self._op.edit(self.title, joined_to=self._edit) as edit:
            source = self._source(unread.place, unread.kind)
            self._op.store.images.set_skipped(source, unread.skipped)
        self._edit = edit.id

    def _source(self, place: Path, kind: str) -> int:
        if place not in self._sources:
            self._sources[place] = self._op.store.images.add_source(str(place), kind)
        return self._sources[place]
