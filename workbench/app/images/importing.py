"""Import of images: files are hashed and measured in threads, and stay where they are."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from workbench.app.image_files import is_image
from workbench.app.images.import_plan import (
    LabelOrigins,
    NamedFile,
    PlannedSource,
    SourcePlan,
    plan_singles,
    plan_source,
)
from workbench.app.jobs import Failed, JobResult, Outcome, Steps, Task, apply_each, applying
from workbench.app.labels.label_files import keep_report, report_of
from workbench.app.labels.label_intake import LabelIntake
from workbench.app.labels.reading import NO_CHOICES, PlacedRecord, ReadChoices, split_name
from workbench.app.session import Session
from workbench.app.training.splitting import take_split
from workbench.domain.datasets import ImageRecord
from workbench.domain.errors import KnownError
from workbench.domain.formats import enumerated, images_read
from workbench.domain.images import FoundImage, SkippedFile
from workbench.domain.import_reports import ImportReport, Skipped
from workbench.domain.part_words import Given
from workbench.domain.reports import Note, Progress, remaining_seconds
from workbench.domain.text import Message
from workbench.folders import check_printable, printable
from workbench.vision.headers import Unreadable
from workbench.vision.reading import FileFacts, examine

BATCH_SECONDS = 0.5  # interval at which found images are stored and shown
HEARTBEAT = 0.1  # seconds between chances to stop
BATCH_IMAGES = 400  # or this many, which are stored in about 20 ms
RESOLUTION = 2.0  # seconds; of FAT, the coarsest of file systems
CHUNK = 16  # files read by a thread at a time
SETTLING_SECONDS = 1.0  # before this the remaining time is not estimated

KnownImages = Mapping[str, FoundImage]  # by path relative to the source
Records = dict[str, tuple[tuple[ImageRecord, str], ...]]  # by path relative to the source


@dataclass(frozen=True)
class ImportBatch(JobResult):
    """Files of one source read since its last batch: images of `new` or changed files, images of
    unchanged files with a record, the `records` of both, the number of unchanged (`known`) files,
    and thumbnails of new images by hash, where they were decoded."""

    plan: SourcePlan
    new: tuple[FoundImage, ...]
    relabelled: tuple[FoundImage, ...]
    records: Records
    known: int
    thumbnails: Mapping[str, bytes]


@dataclass(frozen=True)
class UnreadFiles(JobResult):
    """All files of one source that cannot be imported; follows its batches."""

    plan: SourcePlan
    skipped: tuple[SkippedFile, ...]


@dataclass
class _Read:
    """Files read by a thread, or collected for a batch."""

    new: list[FoundImage] = field(default_factory=list)
    relabelled: list[FoundImage] = field(default_factory=list)
    records: Records = field(default_factory=dict)
    skipped: list[SkippedFile] = field(default_factory=list)
    known: int = 0
    thumbnails: dict[str, bytes] = field(default_factory=dict)

    def extend(self, other: _Read) -> None:
        self.new.extend(other.new)
        self.relabelled.extend(other.relabelled)
        self.records.update(other.records)
        self.skipped.extend(other.skipped)
        self.known += other.known
        self.thumbnails |= other.thumbnails


@dataclass
class _Meter:
    """Progress over all sources, with the estimated remaining time."""

    total: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def report(self, text: Message) -> Progress:
        spent = time.monotonic() - self.began
        eta = remaining_seconds(spent, self.done, self.total) if spent > SETTLING_SECONDS else None
        return Progress(done=self.done, total=self.total, text=text, eta=eta)


def read_sources(
    paths: Sequence[Path],
    origins: LabelOrigins,
    known: Mapping[Path, KnownImages],
    choices: ReadChoices,
    sets: Iterable[str],
) -> Steps[None]:
    """Read sources; yield Progress, Note, ImportBatch, UnreadFiles and heartbeats.

    `known` has the images by path of sources that are already imported: files of the same size and
    modification time are not read again. `sets` are the label sets of the project. Raises
    KnownError if nothing is found, EncodingUnsure if an encoding must be confirmed.
    """
    sources: list[PlannedSource] = []
    for path, singles in _grouped(paths).items():
        yield Progress(done=0, text=Message("Searching {name}", name=path.name))
        planned = (
            plan_singles(path, singles)
            if singles
            else (yield from plan_source(path, origins, choices, sets))
        )
        if planned.plan.remark:
            yield Note(text=planned.plan.remark, warning=True)
        sources.append(planned)
    if not any(planned.files or planned.skipped for planned in sources):
        found = enumerated([str(path) for path in paths], "or")
        raise KnownError("No images in {paths}.", images_read(), paths=found)
    meter = _Meter(sum(len(planned.files) for planned in sources))
    for planned in sources:
        yield from _read_source(planned, known.get(planned.plan.path, {}), meter)


def _grouped(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    """Paths to read; single image files are grouped by their folder."""
    groups: dict[Path, list[Path]] = {}
    for path in paths:
        if not path.is_dir() and is_image(path):
            groups.setdefault(path.parent, []).append(path)
        else:
            groups.setdefault(path, [])
    for path in paths:
        if path.is_dir():
            groups[path] = []  # the whole folder is imported
    return groups


def _read_source(planned: PlannedSource, known: KnownImages, meter: _Meter) -> Steps[None]:
    gathered = _Read(skipped=list(planned.skipped))
    last = time.monotonic()
    with contextlib.closing(_read_chunks(planned, known)) as steps:
        for step in steps:
            if step is None:
                yield None
                continue
            count, read = step
            meter.done += count
            gathered.extend(read)
            full = len(gathered.new) + len(gathered.relabelled) >= BATCH_IMAGES
            if full or time.monotonic() - last >= BATCH_SECONDS:
                yield _batch(planned, gathered)
                yield meter.report(Message(planned.plan.path.name))
                gathered = _Read(skipped=gathered.skipped)
                last = time.monotonic()
    yield _batch(planned, gathered)
    yield UnreadFiles(planned.plan, tuple(gathered.skipped))
    yield meter.report(Message(planned.plan.path.name))


def _batch(planned: PlannedSource, read: _Read) -> ImportBatch:
    new, relabelled = tuple(read.new), tuple(read.relabelled)
    return ImportBatch(planned.plan, new, relabelled, read.records, read.known, read.thumbnails)


def _read_chunks(
    planned: PlannedSource, known: KnownImages
) -> Generator[tuple[int, _Read] | None, None, None]:
    """Yield the size and content of each chunk in order, or None as a heartbeat; closing the
    generator stops the threads."""
    workers = min(16, os.cpu_count() or 1)
    stop = threading.Event()
    chunks = (planned.files[at : at + CHUNK] for at in range(0, len(planned.files), CHUNK))
    waiting: deque[tuple[int, Future[_Read]]] = deque()
    with ThreadPoolExecutor(workers, "import") as pool:
        try:
            while True:
                while len(waiting) < 3 * workers and (chunk := next(chunks, None)):
                    job = pool.submit(_read_chunk, planned.base, chunk, known, stop)
                    waiting.append((len(chunk), job))
                if not waiting:
                    return
                count, job = waiting[0]
                try:
                    read = job.result(HEARTBEAT)
                except TimeoutError:
                    yield None
                    continue
                waiting.popleft()
                yield count, read
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _read_chunk(
    base: Path, files: Sequence[NamedFile], known: KnownImages, stop: threading.Event
) -> _Read:
    read = _Read()
    for file in files:
        if stop.is_set():
            break
        before = known.get(file.path)
        if before is not None and _unchanged(base / file.path, before):
            read.known += 1
            if file.records:
                read.relabelled.append(before)
                read.records[file.path] = file.records
            continue
        try:
            facts = examine(base / file.path)
            read.new.append(_found(file, facts))
            if file.records:
                read.records[file.path] = file.records
            if facts.thumbnail:
                read.thumbnails[facts.hash] = facts.thumbnail
        except Unreadable as error:
            read.skipped.append(SkippedFile(file.path, error.reason))
    return read


def _unchanged(path: Path, before: FoundImage) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    return stat.st_size == before.size and stat.st_mtime == before.mtime


def _found(file: NamedFile, facts: FileFacts) -> FoundImage:
    return FoundImage(file.path, facts.hash, facts.width, facts.height, facts.size, facts.mtime)


@dataclass
class ImportResult:
    """Result of an import, as numbers of files.

    `added` images; `known`: unchanged files of the same source, and files that were moved;
    `duplicates`: another file of an existing image; `labelled`: labels given; `skipped` files; and
    the `plans` of all sources. Filled while batches are stored; complete, with its `report`, when
    the job ends.
    """

    added: int = 0
    known: int = 0
    duplicates: int = 0
    labelled: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    plans: list[SourcePlan] = field(default_factory=list)
    report: ImportReport = field(default_factory=lambda: ImportReport(title=Message("")))


def import_task(
    session: Session,
    paths: Sequence[Path],
    labels_from: Mapping[str, str] | None = None,
    choices: ReadChoices = NO_CHOICES,
) -> Task[ImportResult]:
    """A job that imports `paths` (folders, files of datasets, image files) and ends
    Done(ImportResult).

    `labels_from` maps label sets to an Origin or its value: "folder" (the innermost folders;
    `category/view` for both), "list" (the end of each line), "csv" (the column of the set's name in
    a table) or "" (none; matching columns of a table are imported nevertheless). `choices` are what
    the user decided about files of datasets. Stopping keeps the images imported so far; the import
    is one undoable edit, and its report is stored. Raises ValueRefused for other origins, and
    KnownError for a folder or list whose path is no UTF-8.
    """
    session.check_writable()
    origins = LabelOrigins(labels_from or {})
    whole = list(dict.fromkeys(Path(os.path.abspath(path)) for path in paths))
    for path in whole:
        check_printable(path if path.is_dir() or not is_image(path) else path.parent)
    bases = {path if path.is_dir() or not is_image(path) else path.parent for path in whole}
    known = {
        Path(source.path): session.store.images.known_images(source.id)
        for source in session.store.images.sources()
        if Path(source.path) in bases
    }
    names = ", ".join(printable(path.name) for path in whole)[:80]
    store = _ImportStore(session, Message("Import {names}", names=names), choices.parts)
    sets = tuple(session.labels.sets())

    def work() -> Steps[ImportResult]:
        yield from read_sources(whole, origins, known, choices, sets)
        return store.result

    apply = apply_each(
        applying(ImportBatch, store.add_batch), applying(UnreadFiles, store.add_unread)
    )
    return Task(store.title, work, apply, finish=store.finish, kind="import")


def _followed_since(plan: SourcePlan) -> float:
    """Labels of unchanged files that were given after this time (in seconds since the epoch) are
    kept: they may have been renamed since.

    A folder's names have not changed. A file of a dataset that was saved afterwards may have been
    corrected, so it is followed; the time is rounded up to the resolution of file systems.
    """
    if not plan.format:
        return 0.0
    files = (
        [plan.path]
        if plan.path.is_file()
        else [path for path in plan.path.iterdir() if path.is_file()]
    )
    try:
        return max((path.stat().st_mtime for path in files), default=0.0) + RESOLUTION
    except OSError:
        return math.inf


class _ImportStore:
    """Stores what was read, in the owner's thread and as one undoable edit."""

    def __init__(self, session: Session, title: Message, part_words: Given) -> None:
        self.title = title
        self._part_words = part_words
        self.result = ImportResult()
        self._session = session
        self._edit: int | None = None
        self._sources: dict[Path, int] = {}
        self._intake = LabelIntake(session, {}, elsewhere=self._elsewhere)

    def add_batch(self, batch: ImportBatch) -> None:
        """Store the images of a batch, and what is said of them."""
        files = batch.new + batch.relabelled
        self.result.known += batch.known
        if not files:
            return
        moved = self._moved(batch.new)
        with self._session.edit(self.title, joined_to=self._edit) as edit:
            ids = self._session.store.images.add(self._source(batch.plan), files)
            self._intake.sets, self._intake.declared = batch.plan.sets, batch.plan.declared
            self._intake.add(_placed(batch, ids))
        self._edit = edit.id
        if batch.thumbnails:
            with contextlib.suppress(KnownError):  # they can be made again
                self._session.store.thumbnails.put(batch.thumbnails)
        added = len(edit.changes.added)
        self.result.added += added
        self.result.known += moved
        self.result.duplicates += len(batch.new) - added - moved
        self.result.labelled = self._intake.labelled

    def add_unread(self, unread: UnreadFiles) -> None:
        """Store the skipped files of a source."""
        self.result.plans.append(unread.plan)
        self.result.skipped.extend(unread.skipped)
        if not unread.skipped and unread.plan.path not in self._sources:
            return
        with self._session.edit(self.title, joined_to=self._edit) as edit:
            source = self._source(unread.plan)
            self._session.store.images.set_skipped(source, unread.skipped)
        self._edit = edit.id

    def finish(self, outcome: Outcome[ImportResult]) -> None:
        """Take the parts of a split that came with the images, and store the report."""
        if isinstance(outcome, Failed):
            return
        parts = self._intake.parts_without_conflict
        with self._session.edit(self.title, joined_to=self._edit):
            self._intake.finish()
            if parts:
                plans = self.result.plans
                name = split_name(plans[0].path, self._part_words) if plans else str(self.title)
                take_split(self._session, parts, name)
        result = self.result
        result.labelled = self._intake.labelled
        report = report_of(self._intake, self.title, parts)
        result.report = msgspec.structs.replace(
            report,
            added=result.added,
            known=result.known,
            duplicates=result.duplicates,
            skipped=(
                *(Skipped(Message(one.path), Message(one.reason)) for one in result.skipped),
                *report.skipped,
            ),
            decisions=(
                *(one for plan in result.plans for one in plan.decisions),
                *report.decisions,
            ),
        )
        keep_report(self._session, result.report)

    def _moved(self, found: Iterable[FoundImage]) -> int:
        """The number of files whose image is known from places that have no file any more."""
        images = self._session.store.images
        bases = {source.id: Path(source.base) for source in images.sources()}
        known = {images.by_hash(one.hash) for one in found}
        return sum(
            not any((bases[source] / path).is_file() for source, path in images.locations(id_))
            for id_ in known - {None}
            if id_ is not None
        )

    def _elsewhere(self, image: int) -> str:
        """A place of an image in a source that is not part of this import, if its file exists."""
        images, here = self._session.store.images, set(self._sources.values())
        bases = {source.id: source.base for source in images.sources()}
        for source, path in images.locations(image):
            place = Path(bases[source]) / path
            if source not in here and place.is_file():
                return str(place)
        return ""

    def _source(self, plan: SourcePlan) -> int:
        if plan.path not in self._sources:
            self._sources[plan.path] = self._session.store.images.add_source(
                str(plan.path), plan.kind
            )
        return self._sources[plan.path]


def _placed(batch: ImportBatch, ids: Sequence[int]) -> list[PlacedRecord]:
    """The records of a batch with the ids of their images."""
    new, kept_since = len(batch.new), _followed_since(batch.plan)
    return [
        PlacedRecord(id_, record, source, math.inf if at < new else kept_since)
        for at, (found, id_) in enumerate(zip((*batch.new, *batch.relabelled), ids, strict=True))
        for record, source in batch.records.get(found.path, ())
    ]
