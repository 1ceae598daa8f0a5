"""What to set for a transfer, by the size of the target and how similar the start is to it.

The four rows are those of Plested and Gedeon 2022, "Deep transfer learning for image
classification: a survey". The survey gives directions ("lower", "faster"); the numbers are ours,
around the rate of 0.005 and momentum of 0.9 that the program advises without a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.domain.advice import EPOCHS, LARGE, SECOND_ORDER, Advice, length_of
from workbench.domain.backbones import backbone

CLOSE_GAP = 0.05  # accuracy that fine-tuning may add to a frozen start which counts as similar
CLOSE_SHARE = 0.75  # of the way from chance to 1 that its frozen features reach, without a run


@dataclass(frozen=True)
class TransferFacts:
    """What was measured of a start on a target. Accuracies in [0, 1]; `chance` is the share of the
    commonest class, `fine_tuned_top1` that of a run which tuned this start, None without one."""

    backbone: str
    train_images: int
    classes: int
    frozen_top1: float
    chance: float
    fine_tuned_top1: float | None = None

    @property
    def per_class(self) -> float:
        return self.train_images / max(1, self.classes)

    @property
    def large(self) -> bool:
        """Whether there are enough images to trust what is learned from them alone."""
        return self.per_class >= LARGE

    @property
    def length(self) -> tuple[int, float]:
        """Epochs, and the share of the usual rate, of the head that is advised."""
        if self.backbone in SECOND_ORDER:
            return EPOCHS, 1.0
        epochs, _, share = length_of(self.backbone, self.train_images)
        return epochs, share

    @property
    def similar(self) -> bool:
        """Whether the start's features suit the target as they are."""
        if self.fine_tuned_top1 is not None:
            return self.fine_tuned_top1 - self.frozen_top1 <= CLOSE_GAP
        return self.reached >= CLOSE_SHARE

    @property
    def reached(self) -> float:
        """Share of the way from chance to 1 that a head on frozen features goes."""
        return (self.frozen_top1 - self.chance) / max(1e-9, 1 - self.chance)


def advise_transfer(facts: TransferFacts) -> Advice:
    """The recipe keys to set for a transfer from this start, and the reason for each. The reason
    called "row" says which row applies and why, "source" what to look for beside the recipe."""
    rows = {
        (True, True): _large_similar,
        (True, False): _large_different,
        (False, True): _small_similar,
        (False, False): _small_different,
    }
    values, reasons = rows[facts.large, facts.similar](facts)
    of_sgd = {"optimizer": "sgd"}  # the rows' rates and momenta are
    return Advice({**of_sgd, **values}, (("row", _row(facts)), *reasons.items()))


def _row(facts: TransferFacts) -> str:
    size = "large" if facts.large else "small"
    like = "similar" if facts.similar else "not similar"
    if facts.fine_tuned_top1 is None:
        seen = f"frozen features go {facts.reached:.0%} of the way from chance to perfect"
    else:
        gap = facts.fine_tuned_top1 - facts.frozen_top1
        did = f"adds {gap:.1%} to" if gap >= 0 else f"takes {-gap:.1%} from"
        seen = f"fine-tuning {did} the {facts.frozen_top1:.1%} of frozen features"
    return (
        f"A {size} target ({facts.per_class:.0f} images per class), {like} to what the start "
        f"has learned: {seen}."
    )


Row = tuple[Mapping[str, object], dict[str, str]]


def _large_similar(facts: TransferFacts) -> Row:
    return (
        {
            "frozen": "none",
            "learning_rate": 0.002,
            "momentum": 0.8,
            "penalty": "none",
            "weight_decay": 1e-5,
        },
        {
            "frozen": "There are images enough to tune every weight.",
            "learning_rate": "The weights are near where they should be: small steps.",
            "momentum": "Little momentum keeps them near.",
            "penalty": "So many images need little regularisation.",
        },
    )


def _large_different(facts: TransferFacts) -> Row:
    upper = backbone(facts.backbone).stage_names[-2:]
    return (
        {
            "frozen": "none",
            "stages": {stage: {"start": "new"} for stage in upper},
            "learning_rate": 0.02,
            "momentum": 0.95,
            "penalty": "none",
            "schedule": "step",
            "step_epochs": EPOCHS,
            "step_factor": 0.1,
            "epochs": 3 * EPOCHS // 2,
        },
        {
            "stages": f"The upper stages ({', '.join(upper)}) are the most particular: anew.",
            "learning_rate": "The weights have far to go: large steps.",
            "momentum": "High momentum carries them out of the start's basin.",
            "schedule": "The rate falls late, so that there is time to go far.",
            "penalty": "Nothing should hold them at weights that suit another task.",
            "source": "Compare with a training from scratch: a transfer can do harm here.",
        },
    )


def _small_similar(facts: TransferFacts) -> Row:
    _, share = facts.length
    return (
        {
            "learning_rate": 0.002 * share,
            "momentum": 0.8,
            "penalty": "l2-sp+bss",
            "schedule": "one-cycle",
        },
        {
            "learning_rate": "The weights need not move far, and few images would mislead them.",
            "momentum": "Little momentum keeps them near the start.",
            "penalty": (
                "Being held near the start helps most here: L2-SP with BSS; DELTA, and stochastic "
                "normalisation where the backbone has batch normalisation, are worth a try."
            ),
        },
    )


def _small_different(facts: TransferFacts) -> Row:
    stages = backbone(facts.backbone).stage_names
    lower = stages[max(1, len(stages) // 2 - 1)]
    epochs, share = facts.length
    return (
        {
            "frozen": stages[0],
            "learning_rate": 0.01 * share,
            "momentum": 0.9,
            "schedule": "step",
            "step_epochs": epochs // 4,
            "step_factor": 0.3,
            "epochs": epochs,
            "penalty": "l2-sp",
            "options": {"l2-sp": {"up_to": lower}},
        },
        {
            "source": (
                "Look for a closer source first, or learn one in between: that helps more than any "
                "setting of the recipe."
            ),
            "learning_rate": "The upper weights have far to go: a high rate at first.",
            "schedule": "It falls fast, because few images mislead a long search.",
            "frozen": "The first stage sees edges and colours, which are the same everywhere.",
            "penalty": f"Only the lower stages, up to {lower}, are held near the start.",
        },
    )
