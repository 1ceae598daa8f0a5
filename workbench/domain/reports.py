"""Reports: events of a running job, as tagged values sent as JSON lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec

from workbench.domain.assessments import Assessment, LayerScores
from workbench.domain.relatedness import Relatedness
from workbench.domain.text import Message, decode_message, encode_message


class Report(msgspec.Struct, frozen=True, tag_field="report", kw_only=True):
    """Base class of all reports."""


class Progress(Report, frozen=True, tag="progress", kw_only=True):
    """Progress of a job; `total` 0 while unknown. `eta` in seconds, None while unknown."""

    done: int
    total: int = 0
    text: Message = Message("")
    eta: float | None = None


def remaining_seconds(spent: float, done: int, total: int) -> float | None:
    """Estimated seconds for the rest of `total` steps, if the first `done` took `spent` seconds;
    None before the first."""
    return spent / done * (total - done) if done else None


class Note(Report, frozen=True, tag="note", kw_only=True):
    """A message of one sentence; `warning` marks a possible problem."""

    text: Message
    warning: bool = False


class Started(Report, frozen=True, tag="started", kw_only=True):
    """A training started (or resumed from `epoch` and `step`). `device` is a readable name."""

    device: Message
    precision: str
    batch: int
    parameters: int
    trained_parameters: int
    images: dict[str, int]
    epoch: int = 0
    step: int = 0


class Step(Report, frozen=True, tag="step", kw_only=True):
    """One optimizer step, throttled to a few per second. `eta` in seconds to the end of the run."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    learning_rate: float
    images_per_second: float
    eta: float


class Epoch(Report, frozen=True, tag="epoch", kw_only=True):
    """One finished epoch (from 1). Accuracies in [0, 1]; None without a validation part.

    `seconds` is its training time with its scoring, without pauses. `memory` is the peak resident
    memory of the learning process so far, `device_memory` its peak on a GPU, in bytes; 0 if
    unknown.
    """

    epoch: int
    epochs: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    view_accuracy: float | None = None
    learning_rate: float
    images_per_second: float
    seconds: float
    eta: float
    best: bool = False
    memory: int = 0
    device_memory: int = 0


def elapsed_seconds(epochs: Sequence[Epoch]) -> list[float]:
    """Training time in seconds at the end of each epoch, without pauses."""
    return list(accumulate(epoch.seconds for epoch in epochs))


def time_to_accuracy(epochs: Sequence[Epoch], goal: float) -> float | None:
    """Training time in seconds at the end of the first epoch whose validation accuracy is at least
    `goal`, in [0, 1]; None if none reaches it."""
    for epoch, seconds in zip(epochs, elapsed_seconds(epochs), strict=True):
        if epoch.validation_accuracy is not None and epoch.validation_accuracy >= goal:
            return seconds
    return None


GOAL_SHARE = 0.95  # of the best validation accuracy of the least accurate run


def common_goal(runs: Iterable[Sequence[Epoch]]) -> float | None:
    """An accuracy in whole per cent that each of the runs reaches: GOAL_SHARE of the lowest of
    their best validation accuracies. None if one of them has no validation accuracy."""
    lowest = 1.0
    for epochs in (runs := list(runs)):
        known = [e.validation_accuracy for e in epochs if e.validation_accuracy is not None]
        if not known:
            return None
        lowest = min(lowest, max(known))
    return math.floor(100 * GOAL_SHARE * lowest) / 100 if runs else None


class PartScore(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one part: top-1 and top-5 accuracy in [0, 1], mean loss, number of images.

    For multi-label sets, `exact` is the share of images with every label right, `mean_ap` the mean
    average precision, and top-k counts an image if one of its labels is among the k highest.
    """

    top1: float
    top5: float
    loss: float
    images: int
    view_top1: float | None = None
    exact: float | None = None
    mean_ap: float | None = None


class Trial(Report, frozen=True, tag="trial", kw_only=True):
    """Estimates from a trial step before a training; in bytes and seconds."""

    device: Message
    precision: str
    batch: int
    largest_batch: int
    step_seconds: float
    total_seconds: float
    memory: int
    memory_free: int
    disk: int
    disk_free: int


class Finished(Report, frozen=True, tag="finished", kw_only=True):
    """A training completed; predictions and weights are in the run folder.

    `memory` and `device_memory` are as in `Epoch`, with the scoring of all images.
    """

    parts: dict[str, PartScore]
    seconds: float
    epochs: int
    kept_epoch: int
    memory: int = 0
    device_memory: int = 0


class Paused(Report, frozen=True, tag="paused", kw_only=True):
    """A training stopped at a checkpoint from which it resumes exactly."""

    epoch: int
    step: int


class Stopped(Report, frozen=True, tag="stopped", kw_only=True):
    """A training was stopped on request; the current weights are kept."""

    epoch: int


class ErrorReport(Report, frozen=True, tag="broken", kw_only=True):
    """A training failed: a sentence, a remedy, and the traceback if it is a bug."""

    sentence: Message
    remedy: Message = Message("")
    traceback: str = ""


class Assessed(Report, frozen=True, tag="assessed", kw_only=True):
    """Starts were scored on a target."""

    assessment: Assessment


class Related(Report, frozen=True, tag="related", kw_only=True):
    """Sources were compared with a target."""

    relatedness: Relatedness


class Layered(Report, frozen=True, tag="layered", kw_only=True):
    """Linear heads on the stages of a network were scored."""

    scores: LayerScores


class Featured(Report, frozen=True, tag="featured", kw_only=True):
    """`rows` rows of `dimensions` numbers were added to a feature index, `unread` images
    skipped."""

    rows: int
    dimensions: int
    unread: int = 0


class Clustered(Report, frozen=True, tag="clustered", kw_only=True):
    """Images were clustered; `sizes` are images per cluster, largest first."""

    sizes: tuple[int, ...]


AnyReport = (
    Progress
    | Note
    | Started
    | Step
    | Epoch
    | Trial
    | Finished
    | Paused
    | Stopped
    | ErrorReport
    | Assessed
    | Related
    | Layered
    | Featured
    | Clustered
)

_encoder = msgspec.json.Encoder(enc_hook=encode_message)
_decoder: msgspec.json.Decoder[AnyReport] = msgspec.json.Decoder(AnyReport, dec_hook=decode_message)


def encode_report(report: Report) -> bytes:
    """Encode a report as one JSON object without a line break."""
    return _encoder.encode(report)


def decode_report(line: bytes | str) -> AnyReport:
    """Decode a line. Raises msgspec.DecodeError or ValidationError if it is not a report."""
    return _decoder.decode(line)
