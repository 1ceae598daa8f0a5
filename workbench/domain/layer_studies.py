"""How well labels follow from each stage of a network: what is asked, and accuracy by depth."""

from __future__ import annotations

import msgspec

from workbench.domain.assessments import StartOrder


class LayersOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A start whose stages are studied on the samples beside the order: heads learn from the train
    part and are judged on the part `held_out`. Of more than `most` images of a part, that many are
    drawn."""

    start: StartOrder
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
