"""Scores of many pictures by a run, from a job: asked for in pieces, told with the time left."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.learner import ServingProcess
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Progress
from workbench.domain.requests import Picture, Score, Scored
from workbench.domain.text import Message

PIECE = 2000  # pictures of one request
REPORT_SECONDS = 0.2


@dataclass(frozen=True)
class Piece:
    """Scores that arrived: positions among all pictures, and one row of scores for each; `unread`
    are positions with the reason."""

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


def pieces(
    folder: Path, pictures: Sequence[Picture]
) -> Generator[Progress | Piece | None, None, None]:
    """Scores of `pictures` by the run in `folder` as they come, with progress between and None as
    a heartbeat. Raises KnownError where the run has no network."""
    text = Message("Predicting")
    yield Progress(done=0, total=len(pictures), text=text)
    began = last = time.monotonic()
    with ServingProcess() as program:
        for start in range(0, len(pictures), PIECE):
            request = Score(run=str(folder), pictures=tuple(pictures[start : start + PIECE]))
            for answer in program.ask(request):
                if not isinstance(answer, Scored):
                    yield None
                    continue
                yield _piece(answer, start)
                now, done = time.monotonic(), start + answer.done
                if now - last >= REPORT_SECONDS or done == len(pictures):
                    last = now
                    eta = (now - began) / done * (len(pictures) - done)
                    yield Progress(done=done, total=len(pictures), text=text, eta=eta)


def _piece(answer: Scored, start: int) -> Piece:
    views = np.array(answer.view_scores, np.float32) if answer.view_scores else None
    return Piece(
        tuple(start + at for at in answer.indices),
        np.array(answer.scores, np.float32),
        views,
        tuple((start + lost.index, lost.reason) for lost in answer.unread),
    )


def score_pictures(
    folder: Path, pictures: Sequence[Picture]
) -> Generator[object | None, None, PictureScores]:
    """All pictures scored, yielding only reports and heartbeats."""
    read = np.zeros(len(pictures), bool)
    rows: list[NDArray[np.float32]] = []
    unread: list[SkippedFile] = []
    for piece in pieces(folder, pictures):
        if not isinstance(piece, Piece):
            yield piece
            continue
        read[list(piece.at)] = True
        if piece.at:
            rows.append(piece.scores)
        unread += [SkippedFile(pictures[at].path, reason) for at, reason in piece.unread]
    known = np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)
    return PictureScores(read, known, tuple(unread))
