"""Import of images: files are hashed and measured in threads, and stay where they are."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from workbench.app.images.import_plan import (
    LabelOrigins,
    NamedFile,
    PlannedSource,
    SourcePlan,
    is_image,
    plan_singles,
    plan_source,
)
from workbench.app.jobs import JobResult, Steps, Task, apply_each, applying
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.formats import Origin, enumerated, images_read
from workbench.domain.images import FoundImage, SkippedFile, Source
from workbench.domain.label_names import LabelNames, current_spelling
from workbench.domain.reports import Note, Progress, remaining_seconds
from workbench.domain.text import Message
from workbench.vision.headers import FileFacts, Unreadable, examine

BATCH_SECONDS = 0.5  # interval at which found images are stored and shown
HEARTBEAT = 0.1  # seconds between chances to stop
BATCH_IMAGES = 400  # or this many, which are stored in about 20 ms
RESOLUTION = 2.0  # seconds; of FAT, the coarsest of file systems
CHUNK = 16  # files read by a thread at a time
SETTLING_SECONDS = 1.0  # before this the remaining time is not estimated

# By path relative to the source. `labels` are only those that are kept: for images of a folder,
# labels that differ from another label of their set in case only.
KnownImages = Mapping[str, FoundImage]


@dataclass(frozen=True)
class ImportBatch(JobResult):
    """Files of one source read since its last batch: images of `new` or changed files, images of
    unchanged files with a label, and the number of unchanged (`known`) files."""

    plan: SourcePlan
    new: tuple[FoundImage, ...]
    relabelled: tuple[FoundImage, ...]
    known: int


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
    skipped: list[SkippedFile] = field(default_factory=list)
    known: int = 0

    def extend(self, other: _Read) -> None:
        self.new.extend(other.new)
        self.relabelled.extend(other.relabelled)
        self.skipped.extend(other.skipped)
        self.known += other.known


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
    paths: Sequence[Path], origins: LabelOrigins, known: Mapping[Path, KnownImages]
) -> Steps[None]:
    """Read sources; yield Progress, Note, ImportBatch, UnreadFiles and heartbeats.

    `known` has the images by path of sources that are already imported: files of the same size and
    modification time are not read again. Raises KnownError if nothing is found.
    """
    sources: list[PlannedSource] = []
    for path, singles in _grouped(paths).items():
        yield Progress(done=0, text=Message("Searching {name}", name=path.name))
        planned = (
            plan_singles(path, singles) if singles else (yield from plan_source(path, origins))
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
    return ImportBatch(planned.plan, tuple(read.new), tuple(read.relabelled), read.known)


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
            if file.labels:
                read.relabelled.append(_found(_with_current_case(file, before), before))
            continue
        try:
            read.new.append(_found(file, examine(base / file.path)))
        except Unreadable as error:
            read.skipped.append(SkippedFile(file.path, error.reason))
    return read


def _with_current_case(file: NamedFile, before: FoundImage) -> NamedFile:
    """Replace labels of `file` by current labels of its image that differ in case only.

    The folder's name has not changed, even if the set now has a label with exactly that name.
    """
    labels = tuple(
        (name, current_spelling(label, [given for at, given in before.labels if at == name]))
        for name, label in file.labels
    )
    return NamedFile(file.path, labels)


def _unchanged(path: Path, before: FoundImage) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    return stat.st_size == before.size and stat.st_mtime == before.mtime


def _found(file: NamedFile, facts: FileFacts | FoundImage) -> FoundImage:
    return FoundImage(
        file.path, facts.hash, facts.width, facts.height, facts.size, facts.mtime, file.labels
    )


@dataclass
class ImportResult:
    """Result of an import, as numbers of files.

    `added` images; `known`: unchanged files of the same source; `duplicates`: another file of an
    existing image; `labelled`: files with a label; `skipped` files; and the `plans` of all sources.
    Filled while batches are stored; complete when the job ends.
    """

    added: int = 0
    known: int = 0
    duplicates: int = 0
    labelled: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    plans: list[SourcePlan] = field(default_factory=list)


def import_task(
    session: Session, paths: Sequence[Path], labels_from: Mapping[str, str] | None = None
) -> Task[ImportResult]:
    """A job that imports `paths` (folders, list files, tables, image files) and ends
    Done(ImportResult).

    `labels_from` maps importable label sets to an Origin or its value: "folder" (the innermost
    folders; `category/view` for both), "list" (the end of each line), "csv" (the column of the
    set's name in a table) or "" (none; matching columns of a table are imported nevertheless).
    Stopping keeps the images imported so far; the import is one undoable edit. Raises ValueRefused
    for other label sets or origins.
    """
    origins = LabelOrigins(
        labels_from or {},
        {name: LabelNames(found.names) for name, found in session.store.labels.sets().items()},
    )
    whole = list(dict.fromkeys(Path(os.path.abspath(path)) for path in paths))
    bases = {path if path.is_dir() or not is_image(path) else path.parent for path in whole}
    known = {
        Path(source.path): _known_images(session, source, origins.known)
        for source in session.store.images.sources()
        if Path(source.path) in bases
    }
    names = ", ".join(path.name for path in whole)[:80]
    store = _ImportStore(session, Message("Import {names}", names=names))

    def work() -> Steps[ImportResult]:
        yield from read_sources(whole, origins, known)
        return store.result

    apply = apply_each(
        applying(ImportBatch, store.add_batch), applying(UnreadFiles, store.add_unread)
    )
    return Task(store.title, work, apply, kind="import")


def _known_images(
    session: Session, source: Source, sets: Mapping[str, LabelNames]
) -> dict[str, FoundImage]:
    """Images of a source when it was last read, with the labels that are kept.

    These are labels with another spelling beside them in their set: an import gave them where the
    source has the other one, which was added later. A list or table that was saved afterwards may
    have been corrected, so it is followed.
    """
    images = session.store.images.known_images(source.id)
    saved = 0.0 if source.kind is Origin.FOLDER else _saved(Path(source.path))
    for name, known in sets.items():
        twins = known.twins()
        for path, label in session.store.images.with_labels(source.id, name, twins, saved):
            labels = (*images[path].labels, (name, label))
            images[path] = dataclasses.replace(images[path], labels=labels)
    return images


def _saved(path: Path) -> float:
    """When a list or table was saved, in seconds since the epoch, rounded up to the resolution of
    file systems; infinity if that is unknown."""
    try:
        return path.stat().st_mtime + RESOLUTION
    except OSError:
        return math.inf


class _ImportStore:
    """Stores what was read, in the owner's thread and as one undoable edit."""

    def __init__(self, session: Session, title: Message) -> None:
        self.title = title
        self.result = ImportResult()
        self._session = session
        self._edit: int | None = None
        self._sources: dict[Path, int] = {}

    def add_batch(self, batch: ImportBatch) -> None:
        """Store the images and labels of a batch."""
        files = batch.new + batch.relabelled
        self.result.known += batch.known
        if not files:
            return
        with self._session.edit(self.title, joined_to=self._edit) as edit:
            self._session.store.images.add(self._source(batch.plan), files)
        self._edit = edit.id
        added = len(edit.changes.added)
        self.result.added += added
        self.result.duplicates += len(batch.new) - added
        self.result.labelled += sum(1 for found in files if found.labels)

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

    def _source(self, plan: SourcePlan) -> int:
        if plan.path not in self._sources:
            self._sources[plan.path] = self._session.store.images.add_source(
                str(plan.path), plan.kind
            )
        return self._sources[plan.path]
