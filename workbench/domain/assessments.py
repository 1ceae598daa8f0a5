"""Scores of starts and of single stages: the requests and what comes back."""

from __future__ import annotations

import msgspec

REQUEST_FILE = "order.json"


class StartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One start as a recipe names it. `weights` is the path of its weights file, or `run` that of
    the run folder it comes from; both "" for random weights."""

    start: str
    backbone: str
    weights: str = ""
    run: str = ""


class AssessmentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Starts to be scored on the samples beside the order: the train part is scored, the part
    `held_out` tells how good a head on frozen features is. Of more than `most` images of a part, or
    of a run's own, that many are drawn."""

    starts: tuple[StartRequest, ...]
    held_out: str
    neighbours: int = 1
    gamma: float = 0.01
    most: int = 4000
    seed: int = 0


class StartScores(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one start before a transfer; None where a score has no meaning for it.

    h_score: of shrunk covariance, from 0 to classes − 1; plain_h_score: with the pseudo-inverse.
    leep and nce: at most 0, of the start's own classifier with `source_classes` classes.
    neighbours: leave-one-out accuracy of nearest neighbours; frozen_top1: of a linear head on
    features that stay as they are; both in [0, 1]. domain_similarity in (0, 1] and the earth
    mover's distance it comes from: to the images of the run that the start comes from. `unread`
    says why the start could not be scored at all.
    """

    start: str
    backbone: str
    features: int = 0
    h_score: float | None = None
    plain_h_score: float | None = None
    leep: float | None = None
    nce: float | None = None
    source_classes: int = 0
    neighbours: float | None = None
    frozen_top1: float | None = None
    domain_similarity: float | None = None
    distance: float | None = None
    source_images: int = 0
    seconds: float = 0.0
    unread: str = ""


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of all starts on one target, in the order asked for. `chance` is the share of the
    commonest class among the held-out images."""

    starts: tuple[StartScores, ...]
    train_images: int
    held_out_images: int
    held_out: str
    classes: int
    chance: float


class StartReport(msgspec.Struct, frozen=True, kw_only=True):
    """A start's scores beside what trainings from it have reached on the same held-out part.

    tuning_gap: what fine-tuning added to the frozen features. negative_transfer_gap: error with
    transfer minus error without; None as long as there is no such run. `values` are the recipe keys
    advised for a training from this start, `reasons` why.
    """

    scores: StartScores
    fine_tuned_run: str = ""
    fine_tuned_top1: float | None = None
    tuning_gap: float | None = None
    scratch_run: str = ""
    scratch_top1: float | None = None
    negative_transfer_gap: float | None = None
    values: dict[str, bool | int | float | str | dict[str, dict[str, float | str]]] = {}
    reasons: tuple[tuple[str, str], ...] = ()


class TransferReport(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment as a project keeps it; `made` in seconds since the epoch."""

    target: str
    made: float
    assessment: Assessment
    starts: tuple[StartReport, ...]


class LayersRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A start whose stages are studied on the samples beside the order: heads learn from the train
    part and are judged on the part `held_out`. Of more than `most` images of a part, that many are
    drawn."""

    start: StartRequest
    held_out: str
    most: int = 2000
    seed: int = 0


class LayerScore(msgspec.Struct, frozen=True, kw_only=True):
    """A stage with the number of its pooled features, and the accuracies, in [0, 1], of a linear
    head on them: on the images it has learned from and on those held out."""

    stage: str
    features: int
    train_top1: float
    top1: float


class LayerScores(msgspec.Struct, frozen=True, kw_only=True):
    """The stages from shallow to deep. `chance` is the share of the commonest class among the
    held-out images."""

    layers: tuple[LayerScore, ...]
    train_images: int
    held_out_images: int
    held_out: str
    classes: int
    chance: float
    seconds: float

    @property
    def best(self) -> LayerScore:
        """The stage that a head says most from, the shallower of two equals."""
        return max(self.layers, key=lambda layer: layer.top1)


class LayerStudy(msgspec.Struct, frozen=True, kw_only=True):
    """A study as a project keeps it; `made` in seconds since the epoch."""

    target: str
    start: str
    backbone: str
    made: float
    found: LayerScores
