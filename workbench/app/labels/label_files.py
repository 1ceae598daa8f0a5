"""Import and export of labels in any dataset format."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from workbench.app.jobs import (
    Failed,
    JobResult,
    Outcome,
    Steps,
    Task,
    apply_each,
    applying,
)
from workbench.app.labels.label_intake import LabelIntake, PlacedRecord
from workbench.app.labels.path_index import PathIndex
from workbench.app.labels.reading import (
    NO_CHOICES,
    ReadChoices,
    decisions_about,
    place_of,
    read_dataset,
)
from workbench.app.session import Session
from workbench.app.training.splitting import take_split
from workbench.domain.crops import Crop
from workbench.domain.datasets import (
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.formats import IMPORTABLE_SETS, enumerated
from workbench.domain.import_reports import Decision, ImportReport, Skipped
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted
from workbench.files import new_folder, replacing, writing
from workbench.formats import FORMATS, OWN, DatasetFormat, WriteOptions
from workbench.storage.project import Project

BATCH = 20_000  # records applied together


@dataclass
class LabelImport:
    """An import of labels, filled while it is applied; `report` is complete when it ends."""

    report: ImportReport = field(default_factory=lambda: ImportReport(title=Message("")))


@dataclass(frozen=True)
class _Matched(JobResult):
    """Records of a file with their images, to be applied together."""

    records: tuple[PlacedRecord, ...]


@dataclass(frozen=True)
class _ReadFile(JobResult):
    """What is known of a file before its records are applied."""

    rows: int
    sets: Mapping[str, str]
    declared: Mapping[str, DeclaredSet]
    skipped: tuple[Skipped, ...]
    decisions: tuple[Decision, ...]


def import_labels_task(
    session: Session, file: Path, choices: ReadChoices = NO_CHOICES
) -> Task[LabelImport]:
    """A job that imports the labels, boxes and parts of a dataset for images of the project.

    Images are matched by hash, else by path (see PathIndex). Missing sets and labels are added;
    labels by hand are not replaced; boxes are matched with crops by rectangle, or created. It is
    one undoable edit, and ends with a stored report. Raises KnownError or ValueRefused if the file
    is not a dataset.
    """
    title = Message("Import labels from {name}", name=file.name)
    folder, known = session.folder, tuple(dict.fromkeys((*session.labels.sets(), *IMPORTABLE_SETS)))
    store = _LabelStore(session, file, title)

    def work() -> Steps[LabelImport]:
        read = yield from read_dataset(file, choices, known)
        with Project.reading(folder) as project:
            index = ProjectImages(project)
        matched: list[PlacedRecord] = []
        skipped = [Skipped(Message(one.path), Message(one.reason)) for one in read.dataset.rejected]
        for number, record in enumerate(read.dataset.images, start=1):
            if number % BATCH == 0:
                yield None
            image, reason = index.find(record)
            if image is None:
                name = record.path or record.hash
                place = place_of(file.name, record)
                about = Message("{name} ({place})", name=name, place=place)
                skipped.append(Skipped(about, reason))
            else:
                matched.append(PlacedRecord(image, record, file.name))
        decisions = tuple(decisions_about(file, read, choices))
        rows = len(read.dataset.images) + len(read.dataset.rejected)
        yield _ReadFile(rows, read.sets, read.dataset.sets, tuple(skipped), decisions)
        for at in range(0, len(matched), BATCH):
            yield _Matched(tuple(matched[at : at + BATCH]))
        return store.result

    apply = apply_each(applying(_ReadFile, store.begin), applying(_Matched, store.add))
    return Task(title, work, apply, finish=store.finish, kind="labels")


class _LabelStore:
    """Applies an import of labels in the owner's thread, as one undoable edit."""

    def __init__(self, session: Session, file: Path, title: Message) -> None:
        self.result = LabelImport()
        self._session, self._file, self._title = session, file, title
        self._read = _ReadFile(0, {}, {}, (), ())
        self._intake = LabelIntake(session, {})
        self._edit: int | None = None

    def begin(self, read: _ReadFile) -> None:
        """Note what was read of the file."""
        self._read = read
        self._intake = LabelIntake(self._session, read.sets, read.declared)

    def add(self, matched: _Matched) -> None:
        """Apply some records."""
        with self._session.edit(self._title, joined_to=self._edit) as edit:
            self._intake.add(matched.records)
        self._edit = edit.id

    def finish(self, outcome: Outcome[LabelImport]) -> None:
        """Take the parts of the split, and store the report."""
        if isinstance(outcome, Failed):
            return
        parts = self._intake.parts_without_conflict
        if parts:
            with self._session.edit(self._title, joined_to=self._edit):
                take_split(self._session, parts, self._file.stem)
        report = report_of(self._intake, self._title, parts)
        self.result.report = msgspec.structs.replace(
            report,
            rows=self._read.rows,
            skipped=self._read.skipped,
            decisions=self._read.decisions,
        )
        keep_report(self._session, self.result.report)


def report_of(intake: LabelIntake, title: Message, parts: Mapping[int, Part]) -> ImportReport:
    """What labels an import gave, as the start of its report."""
    return ImportReport(
        title=title,
        made_at=time.time(),
        labelled=intake.labelled,
        kept=intake.kept,
        conflicts=tuple(intake.conflicts),
        new_sets=tuple(intake.new_sets),
        new_labels=tuple(intake.new_labels),
        parts={part.value: count for part, count in Counter(parts.values()).items()},
    )


def keep_report(session: Session, report: ImportReport) -> None:
    """Store a report, so that it can be reopened."""
    session.store.import_reports.add(report)


_FOUND = Message("")


class ProjectImages:
    """The images of a project, found by a record's hash or path."""

    def __init__(self, store: Project) -> None:
        rows = store.images.index()
        self._by_hash = {hash_: id_ for id_, hash_, _ in rows}
        self._by_path = PathIndex((path, id_) for id_, _, path in rows if path)

    def find(self, record: ImageRecord) -> tuple[int | None, Message]:
        """Id of a record's image, or None and the reason."""
        by_hash = self._by_hash.get(record.hash)
        if by_hash is not None:
            return by_hash, _FOUND
        found = self._by_path.find(record.path) if record.path else []
        if len(found) == 1:
            return found[0], _FOUND
        if found:
            return None, counted(
                len(found), "{n:,} image has this name", "{n:,} images have this name"
            )
        return None, Message("not an image of this project")


@dataclass(frozen=True)
class LabelExport:
    """Result of an export: the number of `labels`, and `notes` about what the format lacks."""

    labels: int
    notes: tuple[Message, ...] = ()


def export_labels(
    session: Session, path: Path, format: str = "", label_set: str = ""
) -> LabelExport:
    """Export all labels to `path` in the format called `format`, else that of its extension.

    `label_set` is written by formats that have one set (the first with labels, if not given). A
    file is replaced when complete; a folder must not exist, or be empty. Raises ValueRefused for an
    unknown format, KnownError if it cannot be written.
    """
    chosen = written_format(path, format)
    store = session.store
    dataset = _dataset_of(store, whole=chosen.specific and chosen.name != OWN)
    main = label_set or _main_set(store)
    with writing(path), _target(path, chosen) as part:
        notes = chosen.write(part, dataset, WriteOptions(store.labels.get(main).name))
    labels = sum(
        len(image.labels) + sum(len(region.labels) for region in image.regions)
        for image in dataset.images
    )
    return LabelExport(labels, tuple(notes))


def written_format(path: Path, name: str = "") -> DatasetFormat:
    """The format called `name`, else that of the extension of `path`. Raises ValueRefused if there
    is none that can be written."""
    written = [format for format in FORMATS.values() if format.written]
    if name:
        found = [format for format in written if format.name == name]
    else:
        ending = path.suffix.lower()
        found = [format for format in written if ending in format.endings]
    if not found:
        endings = sorted({ending for format in written for ending in format.endings})
        allowed = Message("a name that ends in {endings}", endings=enumerated(endings, "or"))
        if name:
            allowed = Message(", ".join(format.name for format in written))
        sentence = Message("Labels cannot be exported to {path}.", path=path)
        raise ValueRefused(Message("format") if name else Message("file"),
                           name or str(path), allowed, sentence)  # fmt: skip
    return next((format for format in found if format.name == OWN), found[0])


@contextmanager
def _target(path: Path, format: DatasetFormat) -> Iterator[Path]:
    """A temporary file or folder that becomes `path` when complete."""
    if format.is_folder:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise KnownError(
                "{path} exists and is not an empty folder.", "Choose a new folder.", path=path
            )
        with new_folder(path) as part:
            yield part
    else:
        with replacing(path) as part:
            yield part


def _main_set(store: Project) -> str:
    """The set that formats with one set write: the first one with labels."""
    sets = store.labels.sets()
    used = (
        name for name in sets if any(n for label, n in store.labels.counts(name).items() if label)
    )
    return next(used, IMPORTABLE_SETS[0])


def _dataset_of(store: Project, whole: bool) -> Dataset:
    """The labels of a project as a dataset; with `whole`, also images without any.

    Paths are relative to the folder that all images are in if `whole`, else absolute.
    """
    labels, of_crops = _given_labels(store)
    paths: dict[int, tuple[str, str]] = {}
    for id_, hash_, path in store.images.index():
        if id_ not in paths or not os.path.exists(paths[id_][1]):
            paths[id_] = hash_, path
    base = _common_base(store) if whole else ""
    # In the order of their import, so that a dataset comes out in the order it came in.
    parts, files = store.splits.parts(), store.images.files(np.sort(store.images.ids()))
    regions = _regions(store, of_crops, whole)
    images = []
    for id_, file in files.items():
        if not whole and id_ not in labels and id_ not in regions:
            continue
        hash_, path = paths[id_]
        images.append(
            ImageRecord(
                (os.path.relpath(path, base) if base else path).replace(os.sep, "/"),
                tuple(labels.get(id_, ())),
                parts.get(id_),
                tuple(regions.get(id_, ())),
                hash=hash_,
                width=file.width,
                height=file.height,
            )
        )
    sets = {
        name: DeclaredSet(one.names, one.exclusive) for name, one in store.labels.sets().items()
    }
    return Dataset(Path(base or "."), images, sets=sets)


def _given_labels(
    store: Project,
) -> tuple[dict[int, list[GivenLabel]], dict[int, list[GivenLabel]]]:
    """Labels by image, and by crop."""
    labels: dict[int, list[GivenLabel]] = {}
    of_crops: dict[int, list[GivenLabel]] = {}
    same: dict[tuple[Any, ...], GivenLabel] = {}  # most labels are given to many images
    for image, crop, *about in store.labels.values():
        key = tuple(about)
        if key not in same:
            same[key] = GivenLabel(*about)
        found, id_ = (labels, image) if crop is None else (of_crops, crop)
        found.setdefault(id_, []).append(same[key])
    return labels, of_crops


def _common_base(store: Project) -> str:
    """The folder that image paths of an export are relative to: that of the source, or the one that
    all sources are in."""
    bases = [source.base for source in store.images.sources()]
    try:
        return os.path.commonpath(bases) if bases else ""
    except ValueError:  # several drives
        return ""


def _regions(
    store: Project, labels: Mapping[int, list[GivenLabel]], whole: bool
) -> dict[int, list[Region]]:
    """The usable crops of each image, with their labels; without `whole`, only labelled ones."""
    ids = store.crops.ids() if whole else list(labels)
    found: dict[int, list[Region]] = {}
    for crop in store.crops.get(ids):
        if crop.rect is not None and (crop.usable or crop.id in labels):
            found.setdefault(crop.image, []).append(_region(crop, labels.get(crop.id or 0, [])))
    return found


def _region(crop: Crop, labels: list[GivenLabel]) -> Region:
    assert crop.rect is not None
    left, top, right, bottom = map(float, crop.rect.as_tuple())
    return Region((left, top, right, bottom), tuple(labels), crop.landmarks)
