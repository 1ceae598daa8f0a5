"""Defaults for a training or a transfer, chosen for the data at hand, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.domain.backbones import (
    DEFAULT_BACKBONE,
    SMALL_CROP_BACKBONE,
    Backbone,
    StageRule,
    backbone,
)
from workbench.domain.recipes import (
    ADAMW_SHARE,
    NO_KEYS,
    PartialRecipe,
    RecipeValues,
    check_keys,
    partial_recipe,
)

FEW = 40  # training images of the rarest class under which most stages stay frozen
LARGE = 400  # training images per class from which none does
SMALL_SIDE = 64  # pixels of the shorter side up to which crops get the network for small ones
UNBALANCED = 4.0  # largest over smallest class from which classes are weighted
EPOCHS = 20
STEPS = 180  # that a training takes at least: 20 epochs of 288 images
SMALL_BATCHES = ((8, 64), (16, 128), (32, math.inf))  # images at once, below so many to train on
TEST_MARGIN = 8 / 7  # of the square crops are cut from at test, over their side: 256 over 224
TWICE = (
    "Sampling shows rare classes more often already: with class weights they count twice, "
    "which is seldom wanted."
)

TWO_LOSSES = ("at-cnn",)  # methods that add up two losses of a label
QUICK_HEADS = ("compact-bilinear", "bilinear", "fusion")


@dataclass(frozen=True)
class DataFacts:
    """What is known of the data before training: counts per class of the training part, how many
    images validate, whether the inputs are mouth crops, and their median shorter side in pixels."""

    class_counts: tuple[int, ...]
    validation: int = 0
    crops: bool = False
    shorter_side: int = 224

    @property
    def train(self) -> int:
        return sum(self.class_counts)

    @property
    def imbalance(self) -> float:
        present = [count for count in self.class_counts if count]
        return max(present) / min(present) if present else 1.0


@dataclass(frozen=True)
class Advice:
    """Advised recipe keys, and by key the reason in a sentence for those that need one."""

    values: PartialRecipe = NO_KEYS
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, later: Advice) -> Advice:
        """Both together; where both advise a key or give its reason, `later` holds."""
        return Advice(self.values | later.values, {**self.reasons, **later.reasons})


NO_ADVICE = Advice()


def advise(facts: DataFacts, chosen: PartialRecipe = NO_KEYS) -> Advice:
    """The recipe keys an expert would set for `facts`, given what is `chosen` already."""
    known = _network(facts, chosen)
    advice = _size(known) | _start(facts, known, chosen)
    held = (advice.values | chosen).with_defaults
    return advice | _rate(advice, held) | _crops(held) | _balance(facts, chosen)


def _network(facts: DataFacts, chosen: PartialRecipe) -> Backbone:
    if "backbone" in chosen:
        return backbone(chosen.with_defaults.backbone)
    small = facts.crops and facts.shorter_side <= SMALL_SIDE
    return backbone(SMALL_CROP_BACKBONE if small else DEFAULT_BACKBONE)


def _size(known: Backbone) -> Advice:
    advice = Advice(partial_recipe(backbone=known.name))
    if known.input_size == NO_KEYS.with_defaults.image_size:
        return advice
    return advice | Advice(partial_recipe(image_size=known.input_size))


def _start(facts: DataFacts, known: Backbone, chosen: PartialRecipe) -> Advice:
    """Everything that depends on the weights which a training starts from."""
    if known.recipe:
        return Advice(check_keys(known.recipe), dict(known.reasons))
    given = (
        chosen.with_defaults.start if "start" in chosen else "imagenet" if known.weights else "none"
    )
    if given == "none":
        return _scratch()
    advice = _transfer(chosen) | _head(known)
    held = (advice.values | chosen).with_defaults
    length = _length(
        facts, known, advice.values.with_defaults.learning_rate, held, "batch" in chosen
    )
    return advice | length | _depth(facts, known)


def _rate(advice: Advice, held: RecipeValues) -> Advice:
    """AdamW's share of the rate that is advised for SGD."""
    if held.optimizer != "adamw":
        return NO_ADVICE
    return Advice(
        partial_recipe(learning_rate=advice.values.with_defaults.learning_rate * ADAMW_SHARE),
        {
            "learning_rate": (
                "AdamW's steps do not shrink with the gradient: a tenth of SGD's rate is enough."
            )
        },
    )


def _balance(facts: DataFacts, chosen: PartialRecipe) -> Advice:
    if chosen.with_defaults.sampling != "plain":
        twice = chosen.with_defaults.class_weights == "balanced"
        reasons = {"class_weights": TWICE} if twice else {}
        return Advice(partial_recipe(class_weights="none"), reasons)
    if facts.imbalance < UNBALANCED:
        return NO_ADVICE
    return Advice(
        partial_recipe(class_weights="balanced"),
        {"class_weights": f"The largest class has {facts.imbalance:.0f} × the smallest."},
    )


def _transfer(chosen: PartialRecipe) -> Advice:
    advice = Advice(partial_recipe(start="imagenet", learning_rate=0.005))
    if chosen.with_defaults.method not in TWO_LOSSES:
        return advice
    return advice | Advice(
        partial_recipe(learning_rate=0.0025),
        {"learning_rate": "Its loss is a sum of two, so half the rate is enough."},
    )


def _head(known: Backbone) -> Advice:
    if not known.head:
        return NO_ADVICE
    return Advice(
        partial_recipe(head=known.head), {"head": "Products of features tell look-alikes apart."}
    )


def _depth(facts: DataFacts, known: Backbone) -> Advice:
    """How much of a pretrained network keeps its weights."""
    per_class = facts.train / max(1, len(facts.class_counts))
    rarest = min((count for count in facts.class_counts if count), default=0)
    if per_class >= LARGE:
        frozen = "none"
        reason = f"{per_class:.0f} images per class are enough to tune all."
    elif rarest < FEW and known.frozen_with_few:
        frozen = known.frozen_with_few
        reason = f"With {rarest} images of the rarest class most stages stay as they are."
    else:
        frozen = known.advised_frozen
        reason = f"With {per_class:.0f} images per class the early stages stay as they are."
    return Advice(partial_recipe(frozen=frozen), {"frozen": reason})


def _length(
    facts: DataFacts, known: Backbone, rate: float, held: RecipeValues, own_batch: bool
) -> Advice:
    """Epochs and batch, and the rate where it falls with the batch.

    Few images make few steps an epoch, in which a new linear head learns nothing. A second-order
    head gains nothing by more of them.
    """
    usual = Advice(partial_recipe(epochs=EPOCHS, batch=SMALL_BATCHES[-1][0]))
    if held.head in QUICK_HEADS:
        return usual
    size = held.batch if own_batch else None
    epochs, batch, share = length_of(known, facts.train, size)
    advice = Advice(partial_recipe(epochs=epochs, batch=batch))
    if share < 1:
        words = "Small batches upset batch normalisation: the rate falls with the batch."
        advice |= Advice(partial_recipe(learning_rate=rate * share), {"learning_rate": words})
    if epochs > EPOCHS and facts.train:
        words = f"{facts.train} images make few steps an epoch: {epochs} epochs, not {EPOCHS}."
        advice |= Advice(reasons={"epochs": words})
    return advice


def length_of(known: Backbone, images: int, own: int | None = None) -> tuple[int, int, float]:
    """Epochs, batch size and share of the usual rate for a backbone and so many training images (0:
    unknown, treated as many). `own` is the batch size where a person chose one. With batch
    normalisation the rate falls with the batch (Goyal et al. 2017, Accurate, large minibatch
    SGD)."""
    usual = SMALL_BATCHES[-1][0]
    few = images or STEPS * usual
    batch = next(size for size, most in SMALL_BATCHES if few < most)
    epochs = max(EPOCHS, math.ceil(STEPS / math.ceil(few / (own or batch))))
    share = min(1.0, (own or batch) / usual) if known.batch_norm else 1.0
    return epochs, batch, share


def _crops(held: RecipeValues) -> Advice:
    if "five" not in held.test_crops or held.test_resize > held.image_size:
        return NO_ADVICE
    return Advice(
        partial_recipe(test_resize=round(held.image_size * TEST_MARGIN)),
        {"test_resize": "Five crops are cut from a square that is larger."},
    )


def _scratch() -> Advice:
    return Advice(
        partial_recipe(start="none", frozen="none", learning_rate=0.02, head_factor=1.0, epochs=60),
        {"epochs": "Without start weights every layer is learned: three times longer."},
    )


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
        known = backbone(self.backbone)
        if known.head in QUICK_HEADS:
            return EPOCHS, 1.0
        epochs, _, share = length_of(known, self.train_images)
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
    of_sgd = partial_recipe(optimizer="sgd")  # the rows' rates and momenta are SGD's
    return Advice(of_sgd, {"row": _row(facts)}) | rows[facts.large, facts.similar](facts)


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


def _large_similar(_facts: TransferFacts) -> Advice:
    return Advice(
        partial_recipe(
            frozen="none",
            learning_rate=0.002,
            momentum=0.8,
            penalty="none",
            weight_decay=1e-5,
        ),
        {
            "frozen": "There are images enough to tune every weight.",
            "learning_rate": "The weights are near where they should be: small steps.",
            "momentum": "Little momentum keeps them near.",
            "penalty": "So many images need little regularisation.",
        },
    )


def _large_different(facts: TransferFacts) -> Advice:
    upper = backbone(facts.backbone).stage_names[-2:]
    return Advice(
        partial_recipe(
            frozen="none",
            stages={stage: StageRule(start="new") for stage in upper},
            learning_rate=0.02,
            momentum=0.95,
            penalty="none",
            schedule="step",
            step_epochs=EPOCHS,
            step_factor=0.1,
            epochs=3 * EPOCHS // 2,
        ),
        {
            "stages": f"The upper stages ({', '.join(upper)}) are the most particular: anew.",
            "learning_rate": "The weights have far to go: large steps.",
            "momentum": "High momentum carries them out of the start's basin.",
            "schedule": "The rate falls late, so that there is time to go far.",
            "penalty": "Nothing should hold them at weights that suit another task.",
            "source": "Compare with a training from scratch: a transfer can do harm here.",
        },
    )


def _small_similar(facts: TransferFacts) -> Advice:
    _, share = facts.length
    return Advice(
        partial_recipe(
            learning_rate=0.002 * share,
            momentum=0.8,
            penalty="l2-sp+bss",
            schedule="one-cycle",
        ),
        {
            "learning_rate": "The weights need not move far, and few images would mislead them.",
            "momentum": "Little momentum keeps them near the start.",
            "penalty": (
                "Being held near the start helps most here: L2-SP with BSS; DELTA, and stochastic "
                "normalisation where the backbone has batch normalisation, are worth a try."
            ),
        },
    )


def _small_different(facts: TransferFacts) -> Advice:
    stages = backbone(facts.backbone).stage_names
    lower = stages[max(1, len(stages) // 2 - 1)]
    epochs, share = facts.length
    return Advice(
        partial_recipe(
            frozen=stages[0],
            learning_rate=0.01 * share,
            momentum=0.9,
            schedule="step",
            step_epochs=epochs // 4,
            step_factor=0.3,
            epochs=epochs,
            penalty="l2-sp",
            options={"l2-sp": {"up_to": lower}},
        ),
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
