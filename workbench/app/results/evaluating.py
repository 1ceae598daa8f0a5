"""A run scored anew from its weights, beside the predictions it left."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Task
from workbench.app.results.run_images import RunImages
from workbench.app.results.scoring import score_pictures
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.metrics import top_k_accuracy
from workbench.domain.splits import Part
from workbench.domain.text import Message


@dataclass(frozen=True)
class Evaluation:
    """Top-1 and top-5 accuracy of a part in [0, 1] from the weights as they are now, how many of
    its `images` are predicted otherwise than the run left it, and the largest difference of a
    score. `unread` files are in none of these."""

    part: Part
    images: int
    top1: float
    top5: float
    stored_top1: float
    changed: int
    largest_difference: float
    unread: tuple[SkippedFile, ...]


def evaluate_task(session: Session, run_id: str, part: Part = Part.TEST) -> Task[Evaluation]:
    """A job that scores a run's part again and compares; ends with Evaluation.

    Raises KnownError where the run predicted no image of that part.
    """
    of_run = RunImages(session, run_id)
    images = of_run.images(of_run.rows(part).tolist())
    if not images:
        raise KnownError(
            "Run {name} has no predictions of the {part} part.",
            "They are written when a training finishes.",
            name=of_run.record.name,
            part=part.value,
        )
    rows = np.array([image.row for image in images])
    truth, stored = of_run.table.truth[rows], of_run.table.scores[rows]
    marks = of_run.table.marks[rows] if of_run.table.marks is not None else None
    folder = session.store.runs_folder / run_id

    def work() -> Generator[object | None, None, Evaluation]:
        scored = yield from score_pictures(folder, [image.picture for image in images])
        if not scored.read.any():
            raise KnownError(
                "None of the {count} images can be read.",
                "Check that the disk with the images is connected, or re-link their source.",
                count=len(images),
            )
        read = scored.read
        carried = marks[read] if marks is not None else None
        return compare(part, truth[read], stored[read], scored.known, scored.unread, carried)

    title = Message("Evaluate {run}")
    return Task(title.format(run=of_run.record.name), work, kind="evaluate")


def compare(
    part: Part,
    truth: NDArray[np.int64],
    stored: NDArray[np.float32],
    scores: NDArray[np.float32],
    unread: tuple[SkippedFile, ...] = (),
    marks: NDArray[np.bool_] | None = None,
) -> Evaluation:
    """Scores of n images (n × C) beside those stored; truth −1 is left out of accuracies. With
    `marks` (n × C) an image of which one of the k highest labels is its own counts as right."""

    def top(k: int, of: NDArray[np.float32]) -> float:
        if marks is None:
            return top_k_accuracy(truth, of.astype(np.float64), k)
        highest = np.argsort(-of, axis=1, kind="stable")[:, :k]
        return float(np.take_along_axis(marks, highest, axis=1).any(axis=1).mean())

    return Evaluation(
        part=part,
        images=len(scores),
        top1=top(1, scores),
        top5=top(5, scores),
        stored_top1=top(1, stored),
        changed=int((scores.argmax(axis=1) != stored.argmax(axis=1)).sum()),
        largest_difference=float(np.abs(scores - stored).max(initial=0.0)),
        unread=unread,
    )
