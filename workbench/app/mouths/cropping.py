"""Mouth crops: detection in a pool of processes, and review and correction by hand."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from workbench.app.jobs import JobResult, Steps, Task, applying
from workbench.app.mouths.crop_files import write_crops as write_crops
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState, CropUpdate, merge_detection
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Progress, remaining_seconds
from workbench.domain.text import Message
from workbench.signals import held_back
from workbench.vision.mouths import (
    LICENCE_NOTE,
    FaceImage,
    SearchedImage,
    landmarks_path,
    serve,
)

AHEAD = 3  # images queued for a process, so that it never waits
HEARTBEAT = 0.1  # seconds between chances to stop
WORTH = 12  # images for which starting another process pays off


class _Worker:
    """A process and its queued images."""

    def __init__(self, landmarks_file: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, str(landmarks_file))
        self.process: SpawnProcess = context.Process(target=serve, args=arguments, daemon=True)
        if sys.platform != "win32":
            resource_tracker.ensure_running()  # started by the first process; ends `held_back`
        with held_back():  # until the process ignores Ctrl+C
            self.process.start()
        theirs.close()
        self.ready = False
        self.queued: deque[FaceImage] = deque()

    def fill(self, images: deque[FaceImage]) -> None:
        """Move images from `images` to the process until it has enough."""
        while images and len(self.queued) < AHEAD:
            self.pipe.send(images[0])
            self.queued.append(images.popleft())

    def end(self) -> None:
        """Kill the process."""
        self.process.terminate()
        self.process.join()
        self.process.close()
        self.pipe.close()


def search_images(
    images: Iterable[FaceImage], landmarks_file: Path, workers: int | None = None
) -> Generator[SearchedImage | None, None, None]:
    """Search images for mouths; yield the results in any order, and None as a heartbeat.

    Closing the generator kills the processes. A crashed process is replaced, and its current image
    reported as failed. Raises KnownError if the detectors cannot be loaded.
    """
    left = deque(images)
    count = workers or min(os.cpu_count() or 1, max(1, math.ceil(len(left) / WORTH)))
    pool: list[_Worker] = []
    try:
        pool = [_Worker(landmarks_file) for _ in range(min(count, len(left)))]
        while pool:
            pipes = {worker.pipe: worker for worker in pool}
            ready = wait(list(pipes), HEARTBEAT)
            if not ready:
                yield None
            for pipe in ready:
                assert isinstance(pipe, Connection)
                worker = pipes[pipe]
                yield from _receive(worker, left, pool, landmarks_file)
    finally:
        for worker in pool:
            worker.end()


def _receive(
    worker: _Worker, left: deque[FaceImage], pool: list[_Worker], landmarks_file: Path
) -> Generator[SearchedImage | None, None, None]:
    """Receive one result of `worker` and refill its queue, or end it if no images are left."""
    try:
        result = worker.pipe.recv()
        if not worker.ready:
            if result is not None:
                raise KnownError(*result)
            worker.ready = True
        else:
            worker.queued.popleft()
            yield result
        worker.fill(left)
    except (EOFError, OSError):
        yield from _replace(worker, left, pool, landmarks_file)
        return
    if not worker.queued:
        pool.remove(worker)
        worker.end()


def _replace(
    worker: _Worker, left: deque[FaceImage], pool: list[_Worker], landmarks_file: Path
) -> Generator[SearchedImage | None, None, None]:
    """Replace a crashed process."""
    if not worker.ready:
        raise RuntimeError("a detection process ended before it was ready")
    current = worker.queued.popleft() if worker.queued else None
    left.extendleft(reversed(worker.queued))
    pool.remove(worker)
    worker.end()
    if left:
        pool.append(_Worker(landmarks_file))
    if current is not None:
        failure = Message("The detection process crashed on {path}.", path=current.path)
        yield SearchedImage(current.image, failure=failure)


BATCH_SECONDS = 0.5  # interval at which crops are stored and shown
LANDMARKS_SETTING = "landmarks_file"
BY_HAND = "hand"


@dataclass
class DetectionResult:
    """Result of a detection, as numbers of images; complete when the job ends.

    Searched `images`, with a mouth (`found`), with `several`, with none (`missed`), not searched
    because they had crops (`left_out`); `faces` is the number of mouths, and `failed` lists
    unreadable images.
    """

    images: int = 0
    found: int = 0
    several: int = 0
    missed: int = 0
    left_out: int = 0
    faces: int = 0
    failed: list[SkippedFile] = field(default_factory=list)


@dataclass(frozen=True)
class CropBatch(JobResult):
    """Results since the last batch, to be stored by the owner."""

    results: tuple[SearchedImage, ...]


def landmarks_file(session: Session) -> Path:
    """Path of the project's landmark file. Raises KnownError with a remedy if it is missing."""
    return landmarks_path(session.store.settings.get(LANDMARKS_SETTING, "") or None)


def landmarks_licence(session: Session) -> str:
    """Restriction on the use of the default landmark file; "" if the project uses another."""
    return "" if session.store.settings.get(LANDMARKS_SETTING, "") else LICENCE_NOTE


def choose_landmarks_file(session: Session, path: Path | None) -> None:
    """Use another landmark file of 68 points in this project (None: the default).

    Raises KnownError if the file does not exist.
    """
    if path is not None:
        landmarks_path(path)
    session.store.settings.put(LANDMARKS_SETTING, str(path) if path is not None else "")


def detection_task(
    session: Session, image_ids: Iterable[int], again: bool = True
) -> Task[DetectionResult]:
    """A job that finds the mouths of these images and ends Done(DetectionResult).

    Reviewed and labelled crops are kept. With `again` False, images that were searched before are
    left out. The detection is one undoable edit; stopping keeps the crops stored so far. Raises
    KnownError if the landmark file is missing, or the project cannot be changed.
    """
    session.check_writable()
    model = landmarks_file(session)
    wanted = [int(image) for image in image_ids]
    result = DetectionResult()
    if not again:
        having = session.store.crops.of_images(wanted)
        result.left_out = sum(1 for image in wanted if having.get(image))
        wanted = [image for image in wanted if not having.get(image)]
    images = [FaceImage(row.id, row.path) for row in session.store.images.rows(wanted)]
    crops = _CropStore(session, result)

    def work() -> Steps[DetectionResult]:
        yield from _detect(images, model)
        return result

    return Task(Message("Find mouths"), work, applying(CropBatch, crops.store), kind="crop")


def _detect(images: Sequence[FaceImage], model: Path) -> Steps[None]:
    """Yield batches and progress, in the job's thread."""
    began = last = time.monotonic()
    gathered: list[SearchedImage] = []
    done = 0
    steps = search_images(images, model)
    yield Progress(done=0, total=len(images))
    try:
        for found in steps:
            if found is not None:
                gathered.append(found)
                done += 1
            now = time.monotonic()
            if now - last < BATCH_SECONDS or not gathered:
                yield None
                continue
            yield CropBatch(tuple(gathered))
            eta = remaining_seconds(now - began, done, len(images))
            yield Progress(done=done, total=len(images), eta=eta)
            gathered, last = [], now
    finally:
        steps.close()
    yield CropBatch(tuple(gathered))
    yield Progress(done=done, total=len(images), eta=0.0)


class _CropStore:
    """Merges detections into the crops, in the owner's thread and as one undoable edit."""

    def __init__(self, session: Session, result: DetectionResult) -> None:
        self._session = session
        self._result = result
        self._edit: int | None = None

    def store(self, batch: CropBatch) -> None:
        """Store the crops of a batch."""
        if not batch.results:
            return
        store = self._session.store
        images = [found.image for found in batch.results]
        present = {row.id for row in store.images.rows(images)}
        crops, labelled = store.crops.of_images(images), store.crops.labelled(images)
        with self._session.edit(Message("Find mouths"), joined_to=self._edit) as edit:
            for found in batch.results:
                if found.image in present:
                    self._merge(found, crops.get(found.image, []), labelled)
        self._edit = edit.id

    def _merge(self, found: SearchedImage, existing: list[Crop], labelled: frozenset[int]) -> None:
        detected = found.crops
        self._count(found)
        if found.failure:
            if existing:
                return  # an unreadable file is no reason to remove crops
            reason = found.failure
            detected = (Crop(None, found.image, 0, CropState.MISSED, reason=reason),)
        update = merge_detection(existing, detected, labelled)
        if update.write or update.remove:
            self._session.store.crops.apply(found.image, update)

    def _count(self, found: SearchedImage) -> None:
        faces = sum(crop.usable for crop in found.crops)
        self._result.images += 1
        self._result.faces += faces
        self._result.found += faces > 0
        self._result.several += faces > 1
        self._result.missed += faces == 0
        if found.failure:
            path = self._session.store.images.row(found.image).path
            self._result.failed.append(SkippedFile(path, found.report or found.failure))


def adjust(session: Session, crop: Crop, rect: Rect) -> Crop:
    """Move a mouth box to `rect`, shifted into the image if needed; return the new crop."""
    row = session.store.images.row(crop.image)
    placed = rect.inside(row.width, row.height)
    current = next(iter(session.store.crops.get([crop.id or 0])), crop)
    moved = replace(current, rect=placed, state=CropState.ADJUSTED, reviewed=True, reason="")
    with session.edit(Message("Adjust mouth")):
        return session.store.crops.save(moved)


def accept(session: Session, crop_ids: Iterable[int]) -> None:
    """Mark crops as correct, also rejected ones."""
    with session.edit(Message("Accept mouths")):
        _save(session, [_accepted(crop) for crop in session.store.crops.get(crop_ids) if crop.rect])


def reject(session: Session, crop_ids: Iterable[int]) -> None:
    """Mark crops as not to be used; their labels are kept."""
    with session.edit(Message("Reject mouths")):
        _save(session, [_rejected(crop) for crop in session.store.crops.get(crop_ids) if crop.rect])


def choose(session: Session, crop_id: int) -> None:
    """Accept this face of its image and reject the others.

    Raises KnownError if the crop no longer exists.
    """
    chosen = next(iter(session.store.crops.get([crop_id])), None)
    if chosen is None or chosen.rect is None:
        raise KnownError("This mouth no longer exists.", "Find the mouths of its image again.")
    others = [crop for crop in session.store.crops.of_image(chosen.image) if crop.id != crop_id]
    with session.edit(Message("Keep one face")):
        _save(session, [_accepted(chosen), *(_rejected(crop) for crop in others if crop.rect)])


def add_by_hand(
    session: Session, image_id: int, rect: Rect, detector: str = BY_HAND
) -> Crop:  # fmt: skip
    """Add a mouth box to an image, and remove its miss; return the new crop.

    `detector` is the origin of the box: BY_HAND or a label file.
    """
    row = session.store.images.row(image_id)
    existing = session.store.crops.of_image(image_id)
    face = 1 + max((crop.face for crop in existing if crop.rect), default=-1)
    placed = rect.inside(row.width, row.height)
    new = Crop(None, image_id, face, CropState.ADJUSTED, placed, (), detector, reviewed=True)
    misses = [crop.id for crop in existing if crop.state is CropState.MISSED]
    with session.edit(Message("Draw mouth")):
        session.store.crops.apply(
            image_id, CropUpdate((), tuple(i for i in misses if i is not None))
        )
        return session.store.crops.save(new)


def _accepted(crop: Crop) -> Crop:
    """The crop accepted; a drawn or moved box remains adjusted."""
    again = CropState.FOUND if crop.landmarks else CropState.ADJUSTED
    state = again if crop.state is CropState.REJECTED else crop.state
    return replace(crop, state=state, reviewed=True)


def _rejected(crop: Crop) -> Crop:
    return replace(crop, state=CropState.REJECTED, reviewed=True)


def _save(session: Session, crops: Sequence[Crop]) -> None:
    by_image: dict[int, list[Crop]] = {}
    for crop in crops:
        by_image.setdefault(crop.image, []).append(crop)
    for image, changed in by_image.items():
        session.store.crops.apply(image, CropUpdate(tuple(changed), ()))
