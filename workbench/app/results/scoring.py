"""Scores of many images by a run, for jobs: in chunks, with progress and remaining time."""

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
from workbench.domain.protocols import ScoringProtocol
from workbench.domain.reports import Progress, remaining_seconds
from workbench.domain.requests import ImageInput, Score, Scored
from workbench.domain.text import Message

CHUNK = 2000  # images per request
REPORT_SECONDS = 0.2


@dataclass(frozen=True)
class ScoredChunk:
    """Scores of some images: their indices among all images, and one row of scores for each.

    `unread` has the indices of images that cannot be read, with the reason; reading and scoring
    took `seconds`.
    """

    at: tuple[int, ...]
    scores: NDArray[np.float32]
    view_scores: NDArray[np.float32] | None
    unread: tuple[tuple[int, str], ...]
    seconds: float = 0.0


@dataclass(frozen=True)
class ImageScores:
    """Scores of all images: `read` is a mask over them, `known` has a row for each one read.

    Reading and scoring took `seconds`, without loading the network."""

    read: NDArray[np.bool_]
    known: NDArray[np.float32]
    unread: tuple[SkippedFile, ...]
    seconds: float = 0.0


PREDICTING = Message("Predicting images")


def scored_chunks(
    folder: Path,
    images: Sequence[ImageInput],
    protocol: ScoringProtocol | None = None,
    text: Message = PREDICTING,
) -> Generator[Progress | ScoredChunk | None, None, None]:
    """Score `images` with the run in `folder`; yields chunks, progress, and None as a heartbeat.

    With `protocol` they are scored by it, not as the run does. Raises KnownError if the run has no
    network.
    """
    yield Progress(done=0, total=len(images), text=text)
    began = last = time.monotonic()
    with ServingProcess() as program:
        for start in range(0, len(images), CHUNK):
            some = tuple(images[start : start + CHUNK])
            request = Score(run=str(folder), images=some, protocol=protocol)
            for answer in program.request(request):
                if not isinstance(answer, Scored):
                    yield None
                    continue
                yield _chunk(answer, start)
                now, done = time.monotonic(), start + answer.done
                if now - last >= REPORT_SECONDS or done == len(images):
                    last = now
                    eta = remaining_seconds(now - began, done, len(images))
                    yield Progress(done=done, total=len(images), text=text, eta=eta)


def _chunk(answer: Scored, start: int) -> ScoredChunk:
    views = np.array(answer.view_scores, np.float32) if answer.view_scores else None
    return ScoredChunk(
        tuple(start + at for at in answer.indices),
        np.array(answer.scores, np.float32),
        views,
        tuple((start + unread.index, unread.reason) for unread in answer.unread),
        answer.seconds,
    )


def score_images(
    folder: Path,
    images: Sequence[ImageInput],
    protocol: ScoringProtocol | None = None,
    text: Message = PREDICTING,
) -> Steps[ImageScores]:
    """Score all images; yields progress and heartbeats only, and returns the scores."""
    seconds = 0.0
    read = np.zeros(len(images), bool)
    rows: list[NDArray[np.float32]] = []
    unread: list[SkippedFile] = []
    for chunk in scored_chunks(folder, images, protocol, text):
        if not isinstance(chunk, ScoredChunk):
            yield chunk
            continue
        read[list(chunk.at)] = True
        seconds += chunk.seconds
        if chunk.at:
            rows.append(chunk.scores)
        unread += [SkippedFile(images[at].path, reason) for at, reason in chunk.unread]
    known = np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)
    return ImageScores(read, known, tuple(unread), seconds)
