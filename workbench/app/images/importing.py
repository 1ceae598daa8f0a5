"""Importing images: files are hashed and measured in threads, and left where they are."""

from __future__ import annotations

import contextlib
import dataclasses
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
    Place,
    PlacePlan,
    is_image,
    plan_place,
    plan_singles,
)
from workbench.app.jobs import Task, apply_each, applying
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.formats import Origin, images_read
from workbench.domain.images import FoundImage, SkippedFile, Source
from workbench.domain.label_names import LabelNames, carried_spelling
from workbench.domain.reports import Note, Progress
from workbench.domain.text import Message
from workbench.vision.headers import FileFacts, Unreadable, examine

BATCH_SECONDS = 0.5  # how long found images are gathered before they are stored and shown
HEARTBEAT = 0.1  # seconds between chances to stop
BATCH_IMAGES = 400  # or this many: storing them takes some 20 ms of the window's time
CHUNK = 16  # files a thread takes at once

# By path relative to the source. Labels are those that stay: of a folder's images, the ones that
# differ from another label of their set in case alone.
KnownImages = Mapping[str, FoundImage]


@dataclass(frozen=True)
class ImportBatch:
    """What was read of one place since its last batch: images of `new` or changed files, images of
    unchanged files that a label is written beside, and the number of unchanged files."""

    plan: PlacePlan
    new: tuple[FoundImage, ...]
    relabelled: tuple[FoundImage, ...]
    known: int


@dataclass(frozen=True)
class UnreadFile:
    """All files of one place that could not be taken; comes once, after its batches."""

    plan: PlacePlan
    skipped: tuple[SkippedFile, ...]


@dataclass
class _Read:
    """What a thread found in its chunk, or a batch in the making."""

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
    """Progress over all places, with the time that is left at the pace so far."""

    total: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def report(self, text: Message) -> Progress:
        spent = time.monotonic() - self.began
        eta = spent / self.done * (self.total - self.done) if self.done and spent > 1 else None
        return Progress(done=self.done, total=self.total, text=text, eta=eta)


def read_places(
    paths: Sequence[Path], origins: LabelOrigins, known: Mapping[Path, KnownImages]
) -> Generator[object | None, None, None]:
    """Yields Progress, Note, Batch and Unread values, and heartbeats.

    `known` holds, for the places that are sources already, the images by path: a file of the same
    size and time is not read again. Raises KnownError when nothing at all is found.
    """
    places: list[Place] = []
    for path, singles in _grouped(paths).items():
        yield Progress(done=0, text=Message("Looking into {name}", name=path.name))
        place = plan_singles(path, singles) if singles else (yield from plan_place(path, origins))
        if place.plan.remark:
            yield Note(text=place.plan.remark, warning=True)
        places.append(place)
    if not any(place.files or place.skipped for place in places):
        names = ", ".join(str(path) for path in paths)
        raise KnownError("{names} holds no images.", images_read(), names=names)
    meter = _Meter(sum(len(place.files) for place in places))
    for place in places:
        yield from _read_place(place, known.get(place.plan.path, {}), meter)


def _grouped(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    """Places to read; single image files are taken together under their folder."""
    groups: dict[Path, list[Path]] = {}
    for path in paths:
        if not path.is_dir() and is_image(path):
            groups.setdefault(path.parent, []).append(path)
        else:
            groups.setdefault(path, [])
    for path in paths:
        if path.is_dir():
            groups[path] = []  # the folder itself is wanted, so all of it
    return groups


def _read_place(
    place: Place, known: KnownImages, meter: _Meter
) -> Generator[object | None, None, None]:
    gathered = _Read(skipped=list(place.skipped))
    last = time.monotonic()
    with contextlib.closing(_read_chunks(place, known)) as steps:
        for step in steps:
            if step is None:
                yield None
                continue
            count, read = step
            meter.done += count
            gathered.extend(read)
            full = len(gathered.new) + len(gathered.relabelled) >= BATCH_IMAGES
            if full or time.monotonic() - last >= BATCH_SECONDS:
                yield _batch(place, gathered)
                yield meter.report(Message(place.plan.path.name))
                gathered = _Read(skipped=gathered.skipped)
                last = time.monotonic()
    yield _batch(place, gathered)
    yield UnreadFile(place.plan, tuple(gathered.skipped))
    yield meter.report(Message(place.plan.path.name))


def _batch(place: Place, read: _Read) -> ImportBatch:
    return ImportBatch(place.plan, tuple(read.new), tuple(read.relabelled), read.known)


def _read_chunks(
    place: Place, known: KnownImages
) -> Generator[tuple[int, _Read] | None, None, None]:
    """Sizes and contents of chunks in order, None while waiting; closing it stops the threads."""
    workers = min(16, os.cpu_count() or 1)
    stop = threading.Event()
    chunks = (place.files[at : at + CHUNK] for at in range(0, len(place.files), CHUNK))
    waiting: deque[tuple[int, Future[_Read]]] = deque()
    with ThreadPoolExecutor(workers, "import") as pool:
        try:
            while True:
                while len(waiting) < 3 * workers and (chunk := next(chunks, None)):
                    job = pool.submit(_read_chunk, place.base, chunk, known, stop)
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
        former = known.get(file.path)
        if former is not None and _unchanged(base / file.path, former):
            read.known += 1
            if file.labels:
                read.relabelled.append(_found(_as_carried(file, former), former))
            continue
        try:
            read.new.append(_found(file, examine(base / file.path)))
        except Unreadable as reason:
            read.skipped.append(SkippedFile(file.path, str(reason).removeprefix("is ")))
    return read


def _as_carried(file: NamedFile, former: FoundImage) -> NamedFile:
    """`file` with the labels its image carries in place of those that differ in case alone: its
    folder has the same name as ever, even if the set has a label of just that name now."""
    labels = tuple(
        (name, carried_spelling(label, [given for at, given in former.labels if at == name]))
        for name, label in file.labels
    )
    return NamedFile(file.path, labels)


def _unchanged(path: Path, former: FoundImage) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    return stat.st_size == former.size and stat.st_mtime == former.mtime


def _found(file: NamedFile, facts: FileFacts | FoundImage) -> FoundImage:
    return FoundImage(
        file.path, facts.hash, facts.width, facts.height, facts.size, facts.mtime, file.labels
    )


@dataclass
class ImportResult:
    """What an import did, in numbers of files: images `added`, files `known` already from the same
    source, `duplicates` (an image the project has, in one more place), files that brought a label,
    and the skipped ones; and what it decided about each place. It is filled while the batches are
    stored and whole when the job ends."""

    added: int = 0
    known: int = 0
    duplicates: int = 0
    labelled: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    plans: list[PlacePlan] = field(default_factory=list)


def import_task(
    session: Session, places: Sequence[Path], labels_from: Mapping[str, str] | None = None
) -> Task[ImportResult]:
    """The task that imports `places`: folders, list files, tables or single image files.

    `labels_from` maps importable label sets to an Origin or its value: "folder" (the innermost
    folders: with category and view `category/view`), "list" (the end of a line), "csv" (the column
    of the set's name in a table) or nowhere (""; a table's columns of importable sets are taken
    even so). Stopping keeps what is in so far; all of it is one undoable edit. Ends
    Done(ImportResult). Raises ValueRefused for another label set or origin.
    """
    origins = LabelOrigins(
        labels_from or {},
        {name: LabelNames(found.names) for name, found in session.store.labels.sets().items()},
    )
    whole = list(dict.fromkeys(Path(os.path.abspath(place)) for place in places))
    bases = {place if place.is_dir() or not is_image(place) else place.parent for place in whole}
    known = {
        Path(source.path): _known_images(session, source, origins.known)
        for source in session.store.images.sources()
        if Path(source.path) in bases
    }
    names = ", ".join(place.name for place in whole)[:80]
    taking = _Taking(session, Message("Import {names}", names=names))

    def work() -> Generator[object | None, None, ImportResult]:
        yield from read_places(whole, origins, known)
        return taking.result

    apply = apply_each(
        applying(ImportBatch, taking.add_batch), applying(UnreadFile, taking.add_unread)
    )
    return Task(taking.title, work, apply, kind="import")


def _known_images(
    session: Session, source: Source, sets: Mapping[str, LabelNames]
) -> dict[str, FoundImage]:
    """The images of a source as they were read last, and those of their labels that stay."""
    images = session.store.images.known_images(source.id)
    if source.kind is not Origin.FOLDER:  # a list or table may have been corrected since
        return images
    for name, known in sets.items():
        for path, label in session.store.images.carrying(source.id, name, known.twins()):
            labels = (*images[path].labels, (name, label))
            images[path] = dataclasses.replace(images[path], labels=labels)
    return images


class _Taking:
    """The owner thread's half: stores what was read, all in one undoable edit."""

    def __init__(self, session: Session, title: Message) -> None:
        self.title = title
        self.result = ImportResult()
        self._op = session
        self._edit: int | None = None
        self._sources: dict[Path, int] = {}

    def add_batch(self, batch: ImportBatch) -> None:
        files = batch.new + batch.relabelled
        self.result.known += batch.known
        if not files:
            return
        with self._op.edit(self.title, joined_to=self._edit) as edit:
            self._op.store.images.add(self._source(batch.plan), files)
        self._edit = edit.id
        added = len(edit.changes.added)
        self.result.added += added
        self.result.duplicates += len(batch.new) - added
        self.result.labelled += sum(1 for found in files if found.labels)

    def add_unread(self, unread: UnreadFile) -> None:
        self.result.plans.append(unread.plan)
        self.result.skipped.extend(unread.skipped)
        if not unread.skipped and unread.plan.path not in self._sources:
            return
        with self._op.edit(self.title, joined_to=self._edit) as edit:
            source = self._source(unread.plan)
            self._op.store.images.set_skipped(source, unread.skipped)
        self._edit = edit.id

    def _source(self, plan: PlacePlan) -> int:
        if plan.path not in self._sources:
            self._sources[plan.path] = self._op.store.images.add_source(str(plan.path), plan.kind)
        return self._sources[plan.path]
