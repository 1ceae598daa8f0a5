"""Processes that look for mouths, each loaded once: photographs go in, crops come out."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections import deque
from collections.abc import Generator, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from workbench.domain.errors import KnownError
from workbench.vision.mouth_worker import Looked, Photo, serve

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
) -> Generator[Looked | None, None, None]:
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
) -> Generator[Looked | None, None, None]:
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
) -> Generator[Looked | None, None, None]:
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
        yield Looked(died_at.image, failure=f"{died_at.path} ended the process that looked at it.")
