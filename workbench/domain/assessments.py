"""Transferability scores of starts and of single stages: requests and results."""

from __future__ import annotations

import msgspec

from workbench.domain.recipes import KeyValue, PartialRecipe, check_keys, parse_recipe
from workbench.domain.text import Message

REQUEST_FILE = "order.json"


class StartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A start as a recipe names it.

    `weights` is the path of its weights file, `run` that of the run folder it comes from; both ""
    for random weights.
    """

    start: str
    backbone: str
    weights: str = ""
    run: str = ""


class AssessmentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to score starts on the request's samples.

    The train part is scored; a head on frozen features is evaluated on the part `held_out`. Parts,
    and samples of source runs, with more than `most` images are subsampled to `most`.
    """

    starts: tuple[StartRequest, ...]
    held_out: str
    neighbours: int = 1
    gamma: float = 0.01
    most: int = 4000
    seed: int = 0


class StartScores(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one start before a transfer; None where a score does not apply.

    h_score: with shrunk covariance, from 0 to classes − 1; plain_h_score: with the pseudo-inverse.
    leep and nce: at most 0, from the start's own classifier with `source_classes` classes.
    neighbours: leave-one-out accuracy of nearest neighbours; frozen_top1: accuracy of a linear head
    on frozen features; both in [0, 1]. domain_similarity, in (0, 1], and the earth mover's distance
    it is computed from: to the images of the run that the start comes from. `unread` is the reason
    why the start could not be scored.
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
    unread: Message = Message("")


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of all starts on one target, in the order of the request.

    `chance` is the share of the most frequent class among the held-out images.
    """

    starts: tuple[StartScores, ...]
    train_images: int
    held_out_images: int
    held_out: str
    classes: int
    chance: float


class MissingRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a comparison lacks: that of `like` (an id) with `changes` to its recipe.

    `again` is true if the data have changed since, so that both have to be trained to compare them.
    """

    like: str
    changes: dict[str, KeyValue]
    again: bool = False

    def keys(self, recipe_toml: str, name: str) -> PartialRecipe:
        """The recipe keys of the run, from the recipe of `like`. Raises ValueRefused, with the
        `name` of that run, if its recipe is of another version."""
        return parse_recipe(recipe_toml, name) | check_keys(self.changes)


class StartReport(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of a start, and the results of runs trained from it, on the same held-out part.

    fine_tuned_run: the newest fine-tuned run from this start, "" without one. tuning_gap: accuracy
    gained by fine-tuning `tuned_run` over training only the head in `frozen_run`, the same run but
    for its frozen stages. negative_transfer_gap: error of `transfer_run` minus that of
    `scratch_run`, the same run from random weights. Both are None without such runs; `missing` are
    the runs to train for them. `values` are the recommended recipe keys for a training from this
    start, `reasons` their reasons.
    """

    scores: StartScores
    fine_tuned_run: str = ""
    fine_tuned_top1: float | None = None
    tuned_run: str = ""
    frozen_run: str = ""
    tuning_gap: float | None = None
    transfer_run: str = ""
    scratch_run: str = ""
    scratch_top1: float | None = None
    negative_transfer_gap: float | None = None
    missing: tuple[MissingRun, ...] = ()
    values: dict[str, KeyValue] = {}
    reasons: tuple[tuple[str, Message], ...] = ()


class TransferReport(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment as stored in a project; `made` in seconds since the epoch."""

    target: str
    made: float
    assessment: Assessment
    starts: tuple[StartReport, ...]


class LayersRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to study the stages of a start on the request's samples.

    Heads are trained on the train part and evaluated on the part `held_out`. Parts with more than
    `most` images are subsampled to `most`.
    """

    start: StartRequest
    held_out: str
    most: int = 2000
    seed: int = 0


LAST_LAYER = "classifier"  # in place of a stage: the start's own last layer, of its classes


class LayerScore(msgspec.Struct, frozen=True, kw_only=True):
    """A stage with the number of its pooled features and the accuracies of a linear head on them.

    LAST_LAYER stands for the start's own last layer, whose features are its scores before the
    softmax, one for each class that it was trained on.
    Accuracies in [0, 1] on the training images and on the held-out images.
    """

    stage: str
    features: int
    train_top1: float
    top1: float


class LayerScores(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of the stages, from shallow to deep, and of the start's own last layer if it has one.

    `chance` is the share of the most frequent class among the held-out images.
    """

    layers: tuple[LayerScore, ...]
    train_images: int
    held_out_images: int
    held_out: str
    classes: int
    chance: float
    seconds: float

    @property
    def best(self) -> LayerScore:
        """The stage with the highest held-out accuracy; the shallower of two equal ones."""
        return max(self.layers, key=lambda layer: layer.top1)


class LayerStudy(msgspec.Struct, frozen=True, kw_only=True):
    """A layer study as stored in a project; `made` in seconds since the epoch."""

    target: str
    start: str
    backbone: str
    made: float
    found: LayerScores
