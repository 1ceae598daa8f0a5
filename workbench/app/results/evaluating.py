"""Evaluation of a run from its weights, compared with its stored predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps, Task
from workbench.app.results.run_images import RunImages
from workbench.app.results.scoring import score_images
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.metrics import top_k_accuracy
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation of one part.

    `top1` and `top5` are accuracies in [0, 1] computed from the weights, `stored_top1` is that of
    the stored predictions. Of `images` images, `changed` have another prediction than stored;
    `largest_difference` is the largest absolute difference of a score. Files that cannot be read
    are in `unread` and not counted.
    """

    part: Part
    images: int
    top1: float
    top5: float
    stored_top1: float
    changed: int
    largest_difference: float
    unread: tuple[SkippedFile, ...]


def evaluate_task(session: Session, run_id: str, part: Part = Part.TEST) -> Task[Evaluation]:
    """A job that scores a part again from the weights and compares; the result is an Evaluation.

    Raises KnownError if the run has no predictions of that part.
    """
    run_images = RunImages(session, run_id)
    images = run_images.images(run_images.rows(part).tolist())
    if not images:
        raise KnownError(
            "The run “{name}” has no predictions of the {part} part.",
            "Select a run whose training has finished.",
            name=run_images.record.name,
            part=part.value,
        )
    rows = np.array([image.row for image in images])
    truth, stored = run_images.table.truth[rows], run_images.table.scores[rows]
    marks = run_images.table.marks[rows] if run_images.table.marks is not None else None
    folder = session.store.runs_folder / run_id

    def work() -> Steps[Evaluation]:
        scored = yield from score_images(folder, [image.input for image in images])
        if not scored.read.any():
            raise KnownError(
                counted(
                    len(images),
                    "The only image cannot be read.",
                    "None of the {n:,} images can be read.",
                ),
                "Check that the disk with the images is connected, or re-link their source folder.",
            )
        read = scored.read
        read_marks = marks[read] if marks is not None else None
        return compare(part, truth[read], stored[read], scored.known, scored.unread, read_marks)

    return Task(Message("Evaluate {run}", run=run_images.record.name), work, kind="evaluate")


def compare(
    part: Part,
    truth: NDArray[np.int64],
    stored: NDArray[np.float32],
    scores: NDArray[np.float32],
    unread: tuple[SkippedFile, ...] = (),
    marks: NDArray[np.bool_] | None = None,
) -> Evaluation:
    """Compare the scores of n images (n × C) with the stored ones.

    Images with truth −1 do not count in accuracies. With `marks` (n × C, multi-label) an image is
    right if one of its k highest labels is its own.
    """

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
