"""Mouth crops: found by a pool of processes, merged with existing ones, corrected by a person."""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from workbench.app.jobs import Task, applying
from workbench.app.mouths.crop_files import write_crops as write_crops
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState, CropUpdate, merge_detection
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Progress
from workbench.domain.text import Message
from workbench.vision.mouths import (
    LICENCE_NOTE,
    Photo,
    SearchedPhoto,
    landmarks_path,
    serve,
)

AHEAD = 3  # photographs a process has at hand, so that it never waits for the next
HEARTBEAT = 0.1  # seconds between chances to stop
WORTH = 12  # photographs for which a further process is worth its start


class _Worker:
    """One process and what it was given."""

    def __init__(self, landmarks_file: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, str(landmarks_file))
        self.process: SpawnProcess = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.given: deque[Photo] = deque()

    def give(self, photos: deque[Photo]) -> None:
        """Hand it photographs until it has enough at hand."""
        while photos and len(self.given) < AHEAD:
            self.pipe.send(photos[0])
            self.given.append(photos.popleft())

    def end(self) -> None:
        """End the process at once; whatever it was doing is forgotten."""
        self.process.terminate()
        self.process.join()
        self.process.close()
        self.pipe.close()


def look_at(
    photos: Iterable[Photo], landmarks_file: Path, workers: int | None = None
) -> Generator[SearchedPhoto | None, None, None]:
    """Yields what came of each photograph, in any order, and None while waiting. Closing it ends
    the processes at once.

    A process that dies costs the photograph it was looking at, which is reported, and is replaced.
    Raises KnownError when the detectors cannot be loaded.
    """
    left = deque(photos)
    count = workers or min(os.cpu_count() or 1, max(1, math.ceil(len(left) / WORTH)))
    team: list[_Worker] = []
    try:
        team = [_Worker(landmarks_file) for _ in range(min(count, len(left)))]
        while team:
            pipes = {worker.pipe: worker for worker in team}
            ready = wait(list(pipes), HEARTBEAT)
            if not ready:
                yield None
            for pipe in ready:
                assert isinstance(pipe, Connection)
                worker = pipes[pipe]
                yield from _hear(worker, left, team, landmarks_file)
    finally:
        for worker in team:
            worker.end()


def _hear(
    worker: _Worker, left: deque[Photo], team: list[_Worker], landmarks_file: Path
) -> Generator[SearchedPhoto | None, None, None]:
    """Take one answer of `worker`, give it more, or let it go when there is no more."""
    try:
        answer = worker.pipe.recv()
        if not worker.ready:
            if answer is not None:
                raise KnownError(*answer)
            worker.ready = True
        else:
            worker.given.popleft()
            yield answer
        worker.give(left)
    except (EOFError, OSError):
        yield from _replace(worker, left, team, landmarks_file)
        return
    if not worker.given:
        team.remove(worker)
        worker.end()


def _replace(
    worker: _Worker, left: deque[Photo], team: list[_Worker], landmarks_file: Path
) -> Generator[SearchedPhoto | None, None, None]:
    """Put another process in the place of one that died."""
    if not worker.ready:
        raise RuntimeError("a cropping process ended before it was ready")
    died_at = worker.given.popleft() if worker.given else None
    left.extendleft(reversed(worker.given))
    team.remove(worker)
    worker.end()
    if left:
        team.append(_Worker(landmarks_file))
    if died_at is not None:
        yield SearchedPhoto(
            died_at.image, failure=f"{died_at.path} ended the process that looked at it."
        )


BATCH_SECONDS = 0.5  # how long crops are gathered before they are stored and shown
LANDMARKS_SETTING = "landmarks_file"
BY_HAND = "hand"


@dataclass
class DetectionResult:
    """What a detection did, in images: looked at, with a mouth, with several, with none, left out
    because they had crops, and those that could not be read. Whole when the job ends."""

    images: int = 0
    found: int = 0
    several: int = 0
    missed: int = 0
    left_out: int = 0
    faces: int = 0
    failed: list[SkippedFile] = field(default_factory=list)


@dataclass(frozen=True)
class CropBatch:
    """Photographs looked at since the last batch, for the owner to store."""

    looked: tuple[SearchedPhoto, ...]


def landmarks_file(session: Session) -> Path:
    """The 68-point file in use; raises KnownError with what to do when it is missing."""
    return landmarks_path(session.store.settings.get(LANDMARKS_SETTING, "") or None)


def landmarks_licence(session: Session) -> str:
    """What restricts the use of the 68-point file that came with the program; "" where the project
    uses another."""
    return "" if session.store.settings.get(LANDMARKS_SETTING, "") else LICENCE_NOTE


def choose_landmarks_file(session: Session, path: Path | None) -> None:
    """Use another 68-point file (None: the one that came with the program) in this project."""
    if path is not None:
        landmarks_path(path)
    session.store.settings.put(LANDMARKS_SETTING, str(path) if path is not None else "")


def detection_task(
    session: Session, image_ids: Iterable[int], again: bool = True
) -> Task[DetectionResult]:
    """The task that finds the mouths of these images; ends Done(DetectionResult).

    What a person reviewed or labelled stays. With `again` False, images that have crops (or were
    missed) are left out. All of it is one undoable edit; stopping keeps what is stored so far.
    Raises KnownError when the 68-point file is missing.
    """
    model = landmarks_file(session)
    wanted = [int(image) for image in image_ids]
    result = DetectionResult()
    if not again:
        having = session.store.crops.of_images(wanted)
        result.left_out = sum(1 for image in wanted if having.get(image))
        wanted = [image for image in wanted if not having.get(image)]
    photos = [Photo(row.id, row.path) for row in session.store.images.rows(wanted)]
    folding = _Folding(session, result)

    def work() -> Generator[object | None, None, DetectionResult]:
        yield from _looking(photos, model)
        return result

    return Task(Message("Find mouths"), work, applying(CropBatch, folding.take), kind="crop")


def _looking(photos: Sequence[Photo], model: Path) -> Generator[object | None, None, None]:
    """Batches and progress, in the job's thread."""
    began = last = time.monotonic()
    gathered: list[SearchedPhoto] = []
    done = 0
    steps = look_at(photos, model)
    yield Progress(done=0, total=len(photos))
    try:
        for looked in steps:
            if looked is not None:
                gathered.append(looked)
                done += 1
            now = time.monotonic()
            if now - last < BATCH_SECONDS or not gathered:
                yield None
                continue
            yield CropBatch(tuple(gathered))
            eta = (now - began) / done * (len(photos) - done)
            yield Progress(done=done, total=len(photos), eta=eta)
            gathered, last = [], now
    finally:
        steps.close()
    yield CropBatch(tuple(gathered))
    yield Progress(done=done, total=len(photos), eta=0.0)


class _Folding:
    """The owner thread's half: folds detections into the crops, all in one undoable edit."""

    def __init__(self, session: Session, result: DetectionResult) -> None:
        self._op = session
        self._result = result
        self._edit: int | None = None

    def take(self, batch: CropBatch) -> None:
        if not batch.looked:
            return
        store = self._op.store
        images = [looked.image for looked in batch.looked]
        present = {row.id for row in store.images.rows(images)}
        crops, labelled = store.crops.of_images(images), store.crops.labelled(images)
        with self._op.edit(Message("Find mouths"), joined_to=self._edit) as edit:
            for looked in batch.looked:
                if looked.image in present:
                    self._fold(looked, crops.get(looked.image, []), labelled)
        self._edit = edit.id

    def _fold(self, looked: SearchedPhoto, standing: list[Crop], labelled: frozenset[int]) -> None:
        detected = looked.crops
        self._count(looked)
        if looked.failure:
            if standing:
                return  # a file out of reach says nothing against the crops there are
            why = looked.failure
            detected = (Crop(None, looked.image, 0, CropState.MISSED, reason=why),)
        update = merge_detection(standing, detected, labelled)
        if update.write or update.remove:
            self._op.store.crops.apply(looked.image, update)

    def _count(self, looked: SearchedPhoto) -> None:
        faces = sum(crop.usable for crop in looked.crops)
        self._result.images += 1
        self._result.faces += faces
        self._result.found += faces > 0
        self._result.several += faces > 1
        self._result.missed += faces == 0
        if looked.failure:
            path = self._op.store.images.row(looked.image).path
            self._result.failed.append(SkippedFile(path, looked.report or looked.failure))


def adjust(session: Session, crop: Crop, rect: Rect) -> Crop:
    """Put a crop's square elsewhere; it is pushed back inside the image. The crop as it is now."""
    row = session.store.images.row(crop.image)
    placed = rect.inside(row.width, row.height)
    standing = next(iter(session.store.crops.get([crop.id or 0])), crop)
    moved = replace(standing, rect=placed, state=CropState.ADJUSTED, reviewed=True, reason="")
    with session.edit(Message("Adjust mouth")):
        return session.store.crops.save(moved)


def accept(session: Session, crop_ids: Iterable[int]) -> None:
    """Say that these crops are right; a rejected one is a mouth again."""
    with session.edit(Message("Accept mouths")):
        _save(session, [_accepted(crop) for crop in session.store.crops.get(crop_ids) if crop.rect])


def reject(session: Session, crop_ids: Iterable[int]) -> None:
    """Say that these crops are no mouths, or not wanted; their labels stay."""
    with session.edit(Message("Reject mouths")):
        _save(session, [_rejected(crop) for crop in session.store.crops.get(crop_ids) if crop.rect])


def choose(session: Session, crop_id: int) -> None:
    """Keep this face of its image and reject the others."""
    chosen = next(iter(session.store.crops.get([crop_id])), None)
    if chosen is None or chosen.rect is None:
        raise KnownError("This mouth is not there any more.", "Find the mouths of its image again.")
    others = [crop for crop in session.store.crops.of_image(chosen.image) if crop.id != crop_id]
    with session.edit(Message("Choose a face")):
        _save(session, [_accepted(chosen), *(_rejected(crop) for crop in others if crop.rect)])


def add_by_hand(
    session: Session, image_id: int, rect: Rect, detector: str = BY_HAND
) -> Crop:  # fmt: skip
    """Add a mouth where no detector saw one; a miss of its image is over. `detector` says whose
    hand it was."""
    row = session.store.images.row(image_id)
    standing = session.store.crops.of_image(image_id)
    face = 1 + max((crop.face for crop in standing if crop.rect), default=-1)
    placed = rect.inside(row.width, row.height)
    new = Crop(None, image_id, face, CropState.ADJUSTED, placed, (), detector, reviewed=True)
    misses = [crop.id for crop in standing if crop.state is CropState.MISSED]
    with session.edit(Message("Draw a mouth")):
        session.store.crops.apply(
            image_id, CropUpdate((), tuple(i for i in misses if i is not None))
        )
        return session.store.crops.save(new)


def _accepted(crop: Crop) -> Crop:
    """A person's yes; a square that was drawn or moved stays known as such."""
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
