"""Import of labels in any dataset format; `label_export` writes them."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from workbench.app.jobs import (
    Failed,
    JobResult,
    Outcome,
    Steps,
    Task,
    apply_each,
    applying,
)
from workbench.app.labels.label_intake import LabelIntake
from workbench.app.labels.path_index import LooseMatches, PathIndex
from workbench.app.labels.reading import (
    NO_CHOICES,
    PlacedRecord,
    ReadChoices,
    decisions_about,
    place_of,
    read_dataset,
    split_name,
)
from workbench.app.session import Session
from workbench.app.training.splitting import take_split
from workbench.domain.datasets import DeclaredSet, ImageRecord
from workbench.domain.formats import IMPORTABLE_SETS
from workbench.domain.import_reports import Decision, ImportReport, Skipped
from workbench.domain.part_words import part_named
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted
from workbench.formats.image_paths import is_absolute
from workbench.storage.project import Project
from workbench.vision.headers import identify

BATCH = 20_000  # records applied together
HEARTBEAT = 32  # records that are found between two heartbeats


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
    session.check_writable()
    title = Message("Import labels from {name}", name=file.name)
    folder, known = session.folder, tuple(dict.fromkeys((*session.labels.sets(), *IMPORTABLE_SETS)))
    several = [name for name, one in session.labels.sets().items() if not one.exclusive]
    store = _LabelStore(session, title, split_name(file, choices.parts))

    def work() -> Steps[LabelImport]:
        read = yield from read_dataset(file, choices, known, several)
        base = read.dataset.base.absolute()
        with Project.reading(folder) as project:
            index = ProjectImages(project, choices.root)
        matched: list[PlacedRecord] = []
        skipped = [Skipped(Message(one.path), Message(one.reason)) for one in read.dataset.rejected]
        for number, record in enumerate(read.dataset.images, start=1):
            if number % HEARTBEAT == 0:
                yield None
            image, reason = index.find(record, base)
            if image is None:
                skipped.append(_not_found(record, file.name, reason))
            else:
                matched.append(PlacedRecord(image, record, file.name))
        decisions = (*decisions_about(file, read, choices), *index.loose.decisions(file.name))
        rows = len(read.dataset.images) + len(read.dataset.rejected)
        yield _ReadFile(rows, read.sets, read.declared, tuple(skipped), decisions)
        for at in range(0, len(matched), BATCH):
            yield _Matched(tuple(matched[at : at + BATCH]))
        return store.result

    apply = apply_each(applying(_ReadFile, store.begin), applying(_Matched, store.add))
    return Task(title, work, apply, finish=store.finish, kind="labels")


def _not_found(record: ImageRecord, file: str, reason: Message) -> Skipped:
    name, place = record.path or record.hash, place_of(file, record)
    return Skipped(Message("{name} ({place})", name=name, place=place), reason)


class _LabelStore:
    """Applies an import of labels in the owner's thread, as one undoable edit."""

    def __init__(self, session: Session, title: Message, split: str) -> None:
        self.result = LabelImport()
        self._session, self._title, self._split = session, title, split
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
        with self._session.edit(self._title, joined_to=self._edit):
            self._intake.finish()
            if parts:
                take_split(self._session, parts, self._split)
        report = report_of(self._intake, self._title, parts)
        self.result.report = msgspec.structs.replace(
            report,
            rows=self._read.rows,
            skipped=(*self._read.skipped, *report.skipped),
            decisions=(*self._read.decisions, *report.decisions),
        )
        keep_report(self._session, self.result.report)


def report_of(intake: LabelIntake, title: Message, parts: Mapping[int, Part]) -> ImportReport:
    """What labels an import gave, as the start of its report."""
    return ImportReport(
        title=title,
        made_at=time.time(),
        labelled=intake.labelled,
        equal=intake.equal,
        kept=intake.kept,
        changed=tuple(intake.changed),
        boxes=intake.boxes.added,
        skipped=tuple(intake.skipped),
        decisions=tuple(intake.decisions),
        conflicts=tuple(intake.conflicts),
        new_sets=tuple(intake.new_sets),
        new_labels=tuple(intake.new_labels),
        parts={part.value: count for part, count in Counter(parts.values()).items()},
    )


def keep_report(session: Session, report: ImportReport) -> None:
    """Store a report, so that it can be reopened."""
    session.store.import_reports.add(report)


_FOUND = Message("")
_HASH = re.compile("[0-9a-fA-F]{64}")


def image_bases(store: Project) -> list[str]:
    """The folders that the paths of images are relative to: those of the sources, and the one that
    all sources are in."""
    bases = [source.base for source in store.images.sources()]
    with contextlib.suppress(ValueError):  # none, or on several drives
        bases.append(os.path.commonpath(bases))
    return list(dict.fromkeys(bases))


class ProjectImages:
    """The images of a project, found by a record's hash or path; with a `root`, absolute paths of
    another computer mean images below it alone."""

    def __init__(self, store: Project, root: Path | None = None) -> None:
        rows = store.images.index()
        self._names = {id_: path.replace("\\", "/").rsplit("/", 1)[-1] for id_, _, path in rows}
        self._by_hash = {hash_: id_ for id_, hash_, _ in rows}
        self._paths = {id_: path.replace("\\", "/") for id_, _, path in rows if path}
        known = ((path, id_) for id_, path in self._paths.items())
        self._by_path = PathIndex(known, image_bases(store))
        self._bases = {base.replace("\\", "/") for base in image_bases(store)}
        self._root = f"{root.absolute().as_posix().rstrip('/')}/" if root is not None else ""
        self.loose = LooseMatches()

    def find(self, record: ImageRecord, base: Path) -> tuple[int | None, Message]:
        """Id of a record's image, or None and the reason; `base` is that of its dataset.

        A file is read if only its content can tell, so that one call may take long.
        """
        by_hash = self._by_hash.get(record.hash)
        if by_hash is not None:
            return self._without_contradiction(by_hash, record, base)
        if record.hash and not _HASH.fullmatch(record.hash):
            return None, Message("“{text}” is not the hash of a file", text=record.hash[:80])
        found = self._found(record, base) if record.path else []
        if len(found) == 1:
            return found[0], _FOUND
        if found:
            return None, counted(
                len(found), "{n:,} image has this name", "{n:,} images have this name"
            )
        return None, Message("not an image of this project")

    def _without_contradiction(
        self, by_hash: int, record: ImageRecord, base: Path
    ) -> tuple[int | None, Message]:
        """The image with a record's hash, unless its path is exactly that of another image."""
        for folder in (base.as_posix(), *self._bases) if record.path else ():
            if at := self._by_path.at(os.path.join(folder, record.path)):
                if by_hash in at:
                    break
                return None, Message(
                    "its path is that of {path}, but its hash is that of {hash}",
                    path=self._names[at[0]],
                    hash=self._names[by_hash],
                )
        return by_hash, _FOUND

    def _found(self, record: ImageRecord, base: Path) -> list[int]:
        """Ids of the images that a record's path may mean: by its path as it is written, else by
        the content of a copy in the dataset, else without the folders that the format has."""
        path = record.path
        if exact := self._by_path.at(f"{base.as_posix()}/{path}") or self._by_path.at(path):
            return exact
        found = self._by_path.find_as_written(path)
        absolute = is_absolute(path.replace("\\", "/"))
        if self._root and absolute:
            found = [one for one in found if self._paths[one].startswith(self._root)]
        if len(found) == 1:
            return self._noted(path, found)
        if content := identify(base / path):
            same = self._by_hash.get(content)
            return found if same is None else [same]
        if not found and not absolute:
            found = self._by_path.find(path)
        first, _, rest = path.partition("/")
        if not found and rest and record.part and part_named(first) is record.part:
            found = self._by_path.find(rest)
        return self._noted(path, found)

    def _noted(self, written: str, found: list[int]) -> list[int]:
        """The images that a path may mean; if it is one, note how they agree."""
        if len(found) == 1:
            path = self._paths[found[0]]
            if path.rpartition("/")[0] not in self._bases or "/" in written:
                self.loose.add(written, path)
        return found
