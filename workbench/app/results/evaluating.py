"""Evaluation of a run from its weights: compared with its stored predictions, or by several test
protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Outcome, Steps, Task
from workbench.app.results.run_images import RunImage, RunImages, card_of_run
from workbench.app.results.scoring import PREDICTING, ImageScores, score_images
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, parsing
from workbench.domain.images import SkippedFile
from workbench.domain.metrics import EVEN, mark_scores, top_k_accuracy
from workbench.domain.predictions import PredictionTable
from workbench.domain.protocols import ProtocolScore, ScoringProtocol, parse_protocol
from workbench.domain.runs import PROTOCOLS_FILE, ModelCard
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted, mark
from workbench.files import read_recorded, write_recorded, writing


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
        scored = yield from _scored(folder, images)
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


def _scored(
    folder: Path,
    images: Sequence[RunImage],
    protocol: ScoringProtocol | None = None,
    text: Message = PREDICTING,
) -> Steps[ImageScores]:
    """Scores of a run's images. Raises KnownError if none can be read."""
    scored = yield from score_images(folder, [image.input for image in images], protocol, text)
    if not scored.read.any():
        raise KnownError(
            counted(
                len(images),
                "The only image cannot be read.",
                "None of the {n:,} images can be read.",
            ),
            "Check that the disk with the images is connected, or re-link their source folder.",
        )
    return scored


COMPARED_PARTS = (Part.VALIDATION, Part.TEST)


def run_protocol(session: Session, run_id: str, text: str) -> ScoringProtocol:
    """Read a protocol for a run, of whose protocol it keeps what `text` does not change.

    Raises ValueRefused as `parse_protocol`, KnownError if the run has no network.
    """
    card = card_of_run(session.store.runs_folder / run_id)
    return parse_protocol(text, card.protocol, card.image_size)


def protocol_scores(session: Session, run_id: str) -> list[ProtocolScore]:
    """The stored scores of a run by test protocol, those of earlier weights left out.

    Empty without a network. Raises KnownError if the file is damaged.
    """
    return _stored(session.store.runs_folder / run_id)


def _stored(folder: Path) -> list[ProtocolScore]:
    path = folder / PROTOCOLS_FILE
    if not path.is_file():
        return []
    with parsing(path, mark("Delete this file, and compare the protocols again.")):
        found = msgspec.json.decode(read_recorded(path), type=list[ProtocolScore])
    weights = card_of_run(folder).weights_digest
    return [score for score in found if score.weights == weights]


def protocols_task(
    session: Session,
    run_id: str,
    protocols: Sequence[ScoringProtocol],
    parts: Sequence[Part] = COMPARED_PARTS,
) -> Task[list[ProtocolScore]]:
    """A job that scores parts by the run's own test protocol and by others, without training.

    Each score is stored with the run, where it replaces that of the same protocol and part; the
    result is the new ones. Protocols that score the same are scored once. Raises KnownError if the
    run has no network, or no images with a known label in these parts.
    """
    session.check_writable()
    folder = session.store.runs_folder / run_id
    card = card_of_run(folder)
    run_images = RunImages(session, run_id)
    by_part = _by_part(run_images, parts)
    own = card.protocol.as_scored(card.image_size)
    wanted = dict.fromkeys((own, *(each.as_scored(card.image_size) for each in protocols)))

    def work() -> Steps[list[ProtocolScore]]:
        found = []
        for protocol in wanted:
            for part, images in by_part.items():
                text = Message("{part}: {protocol}", part=Message(part), protocol=protocol.text)
                scored = yield from _scored(folder, images, protocol, text)
                rows = np.array([image.row for image in images])[scored.read]
                found.append(_score(protocol, part, run_images.table, rows, scored, card))
                _store(folder, found)
        return found

    def announce(_outcome: Outcome[list[ProtocolScore]]) -> None:
        session.announce(Changes(runs=frozenset({run_id})))

    title = Message("Compare test protocols of {run}", run=run_images.record.name)
    return Task(title, work, finish=announce, kind="evaluate")


def _by_part(run_images: RunImages, parts: Sequence[Part]) -> dict[Part, list[RunImage]]:
    """The images of each part whose true label is known. Raises KnownError if there are none."""
    found = {}
    for part in parts:
        rows = run_images.rows(part)
        found[part] = run_images.images(rows[run_images.table.truth[rows] >= 0].tolist())
    if not any(found.values()):
        raise KnownError(
            "The run “{name}” has no labelled images of the {parts} part.",
            "Select a run whose training has finished, or another part.",
            name=run_images.record.name,
            parts=" / ".join(part.value for part in parts),
        )
    return {part: images for part, images in found.items() if images}


def _score(
    protocol: ScoringProtocol,
    part: Part,
    table: PredictionTable,
    rows: NDArray[np.int64],
    scored: ImageScores,
    card: ModelCard,
) -> ProtocolScore:
    """Figures of the scores of rows of the run's predictions, which have the true labels."""
    known = scored.known.astype(np.float64)
    top1, mean_ap = top_k_accuracy(table.truth[rows], known, 1), None
    if table.marks is not None:
        found = mark_scores(table.marks[rows], known, np.array(EVEN))
        top1, mean_ap = found.top1, found.mean_ap
    return ProtocolScore(
        protocol=protocol,
        part=part,
        top1=top1,
        images=len(rows),
        images_per_second=len(rows) / scored.seconds if scored.seconds else None,
        mean_ap=mean_ap,
        unread=len(scored.unread),
        weights=card.weights_digest,
        own=protocol == card.protocol.as_scored(card.image_size),
    )


def _store(folder: Path, found: Sequence[ProtocolScore]) -> None:
    """Add scores to those of a run folder; a damaged file is replaced."""
    fresh = {(score.protocol, score.part) for score in found}
    try:
        earlier = _stored(folder)
    except KnownError:
        earlier = []
    kept = [score for score in earlier if (score.protocol, score.part) not in fresh]
    path = folder / PROTOCOLS_FILE
    with writing(path):
        write_recorded(path, msgspec.json.encode([*found, *kept]))
