"""Scores of many pictures by a run, for jobs: in chunks, with progress and remaining time."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps
from workbench.app.learner import ServingProcess
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Progress
from workbench.domain.requests import Picture, Score, Scored
from workbench.domain.text import Message

CHUNK = 2000  # pictures per request
REPORT_SECONDS = 0.2


@dataclass(frozen=True)
class ScoredChunk:
    """Scores of some pictures: their indices among all pictures, and one row of scores for each.

    `unread` has the indices of pictures that cannot be read, with the reason.
    """

    at: tuple[int, ...]
    scores: NDArray[np.float32]
    view_scores: NDArray[np.float32] | None
    unread: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class PictureScores:
    """Scores of all pictures: `read` is a mask over them, `known` has a row for each one read."""

    read: NDArray[np.bool_]
    known: NDArray[np.float32]
    unread: tuple[SkippedFile, ...]


def scored_chunks(
    folder: Path, pictures: Sequence[Picture]
) -> Generator[Progress | ScoredChunk | None, None, None]:
    """Score `pictures` with the run in `folder`; yields chunks, progress, and None as a heartbeat.

    Raises KnownError if the run has no network.
    """
    text = Message("Predicting images")
    yield Progress(done=0, total=len(pictures), text=text)
    began = last = time.monotonic()
    with ServingProcess() as program:
        for start in range(0, len(pictures), CHUNK):
            request = Score(run=str(folder), pictures=tuple(pictures[start : start + CHUNK]))
            for answer in program.request(request):
                if not isinstance(answer, Scored):
                    yield None
                    continue
                yield _chunk(answer, start)
                now, done = time.monotonic(), start + answer.done
                if now - last >= REPORT_SECONDS or done == len(pictures):
                    last = now
                    eta = (now - began) / done * (len(pictures) - done)
                    yield Progress(done=done, total=len(pictures), text=text, eta=eta)


def _chunk(answer: Scored, start: int) -> ScoredChunk:
    views = np.array(answer.view_scores, np.float32) if answer.view_scores else None
    return ScoredChunk(
        tuple(start + at for at in answer.indices),
        np.array(answer.scores, np.float32),
        views,
        tuple((start + unread.index, unread.reason) for unread in answer.unread),
    )


def score_pictures(folder: Path, pictures: Sequence[Picture]) -> Steps[PictureScores]:
    """Score all pictures; yields progress and heartbeats only, and returns the scores."""
    read = np.zeros(len(pictures), bool)
    rows: list[NDArray[np.float32]] = []
    unread: list[SkippedFile] = []
    for chunk in scored_chunks(folder, pictures):
        if not isinstance(chunk, ScoredChunk):
            yield chunk
            continue
        read[list(chunk.at)] = True
        if chunk.at:
            rows.append(chunk.scores)
        unread += [SkippedFile(pictures[at].path, reason) for at, reason in chunk.unread]
    known = np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)
    return PictureScores(read, known, tuple(unread))
