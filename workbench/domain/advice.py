"""Recommended recipe values for a training or a transfer, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.domain.backbones import DEFAULT_BACKBONE, SMALL_CROP_BACKBONE, Backbone, backbone
from workbench.domain.protocols import WINDOW_CROPS
from workbench.domain.recipes import (
    ADAMW_SHARE,
    NO_KEYS,
    PartialRecipe,
    RecipeValues,
    check_keys,
    partial_recipe,
)
from workbench.domain.stage_rules import StageRule
from workbench.domain.text import Message, counted, mark

FEW = 40  # training images of the rarest class below which most stages stay frozen
LARGE = 400  # training images per class from which all stages are trained
SMALL_SIDE = 64  # pixels; crops whose shorter side is at most this use the small network
UNBALANCED = 4.0  # ratio of largest to smallest class from which classes are weighted
EPOCHS = 20
STEPS = 180  # minimum optimizer steps of a training: 20 epochs of 288 images
# Batch sizes, each used below a number of training images
SMALL_BATCHES = ((8, 64), (16, 128), (32, math.inf))
CUT = 0.2  # mean share of the images that the centre crop may leave out
TEST_MARGIN = 8 / 7  # side of the resized test image over that of its crops: 256 / 224
TWICE = Message(
    "Sampling already oversamples rare classes; class weights would count them twice, "
    "which is rarely intended."
)
TWO_LOSSES = ("at-cnn",)  # methods whose loss is a sum of two losses per label
QUICK_HEADS = ("compact-bilinear", "bilinear", "fusion")


@dataclass(frozen=True)
class DataFacts:
    """Statistics of the data before training.

    Image counts per class of the training part, number of validation images, whether the inputs are
    mouth crops, their median shorter side in pixels, and the mean share of their area that lies
    outside the centre with sides that differ by at most 4:3 (see `cut_share`).
    """

    class_counts: tuple[int, ...]
    validation: int = 0
    crops: bool = False
    shorter_side: int = 224
    cut: float = 0.0

    @property
    def train(self) -> int:
        """Number of training images."""
        return sum(self.class_counts)

    @property
    def imbalance(self) -> float:
        """Size of the largest class ÷ that of the smallest class in use; 1 without images."""
        present = [count for count in self.class_counts if count]
        return max(present) / min(present) if present else 1.0


@dataclass(frozen=True)
class Advice:
    """Recommended recipe keys, and the reasons (one sentence each) of those that need one."""

    values: PartialRecipe = NO_KEYS
    reasons: Mapping[str, Message] = field(default_factory=dict)

    def __or__(self, later: Advice) -> Advice:
        """Merge two recommendations; on conflicts `later` wins."""
        return Advice(self.values | later.values, {**self.reasons, **later.reasons})


NO_ADVICE = Advice()


def advise(facts: DataFacts, chosen: PartialRecipe = NO_KEYS) -> Advice:
    """Recommend recipe keys for `facts`, given the keys already `chosen`."""
    known = _network(facts, chosen)
    advice = _size(known) | _start(facts, known, chosen)
    held = (advice.values | chosen).with_defaults
    late = _rate(advice, held) | _crops(held) | _balance(facts, chosen)
    return advice | _aspect(facts) | late


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
    """Settings that depend on the start weights."""
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
    """Scale the rate recommended for SGD to AdamW."""
    if held.optimizer != "adamw":
        return NO_ADVICE
    return Advice(
        partial_recipe(learning_rate=advice.values.with_defaults.learning_rate * ADAMW_SHARE),
        {
            "learning_rate": (
                Message(
                    "AdamW's step size does not shrink with the gradient; use a tenth of "
                    "SGD's rate."
                )
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
        {
            "class_weights": Message(
                "The largest class has {imbalance:.0f} × the smallest.", imbalance=facts.imbalance
            )
        },
    )


def _transfer(chosen: PartialRecipe) -> Advice:
    advice = Advice(partial_recipe(start="imagenet", learning_rate=0.005))
    if chosen.with_defaults.method not in TWO_LOSSES:
        return advice
    return advice | Advice(
        partial_recipe(learning_rate=0.0025),
        {"learning_rate": Message("Its loss is a sum of two terms, so the rate is halved.")},
    )


def _head(known: Backbone) -> Advice:
    if not known.head:
        return NO_ADVICE
    return Advice(
        partial_recipe(head=known.head),
        {"head": Message("Products of features distinguish similar classes.")},
    )


def _depth(facts: DataFacts, known: Backbone) -> Advice:
    """Recommend how many stages of a pretrained network to freeze."""
    per_class = round(facts.train / max(1, len(facts.class_counts)))
    rarest = min((count for count in facts.class_counts if count), default=0)
    if per_class >= LARGE:
        frozen = "none"
        reason = counted(
            per_class,
            "{n} image per class is enough to fine-tune all stages.",
            "{n} images per class are enough to fine-tune all stages.",
        )
    elif rarest < FEW and known.frozen_with_few:
        frozen = known.frozen_with_few
        reason = counted(
            rarest,
            "With {n} image of the rarest class, most stages are frozen.",
            "With {n} images of the rarest class, most stages are frozen.",
        )
    else:
        frozen = known.advised_frozen
        reason = counted(
            per_class,
            "With {n} image per class, the early stages are frozen.",
            "With {n} images per class, the early stages are frozen.",
        )
    return Advice(partial_recipe(frozen=frozen), {"frozen": reason})


def _length(
    facts: DataFacts, known: Backbone, rate: float, held: RecipeValues, own_batch: bool
) -> Advice:
    """Epochs and batch size, and the learning rate where it depends on the batch size.

    Few images give few steps per epoch, in which a new linear head learns nothing. A second-order
    head does not profit from more steps.
    """
    usual = Advice(partial_recipe(epochs=EPOCHS, batch=SMALL_BATCHES[-1][0]))
    if held.head in QUICK_HEADS:
        return usual
    size = held.batch if own_batch else None
    epochs, batch, share = length_of(known, facts.train, size)
    advice = Advice(partial_recipe(epochs=epochs, batch=batch))
    if share < 1:
        reason = Message(
            "Small batches disturb batch normalisation; the rate is scaled with the batch size."
        )
        advice |= Advice(partial_recipe(learning_rate=rate * share), {"learning_rate": reason})
    if epochs > EPOCHS and facts.train:
        reason = counted(
            facts.train,
            "{n:,} image gives few steps per epoch: {epochs} epochs instead of {usual}.",
            "{n:,} images give few steps per epoch: {epochs} epochs instead of {usual}.",
            epochs=epochs,
            usual=EPOCHS,
        )
        advice |= Advice(reasons={"epochs": reason})
    return advice


def length_of(known: Backbone, images: int, own: int | None = None) -> tuple[int, int, float]:
    """Epochs, batch size and learning-rate factor for a backbone and a number of training images.

    `images` 0 means unknown and counts as many. `own` is the batch size if the user chose one. With
    batch normalisation the rate scales linearly with the batch size (Goyal et al. 2017, Accurate,
    large minibatch SGD).
    """
    usual = SMALL_BATCHES[-1][0]
    few = images or STEPS * usual
    batch = next(size for size, most in SMALL_BATCHES if few < most)
    epochs = max(EPOCHS, math.ceil(STEPS / math.ceil(few / (own or batch))))
    share = min(1.0, (own or batch) / usual) if known.batch_norm else 1.0
    return epochs, batch, share


def _aspect(facts: DataFacts) -> Advice:
    """Keep wide images whole if their ends are more than CUT of their area."""
    if facts.cut < CUT:
        return NO_ADVICE
    return Advice(
        partial_recipe(aspect="squeeze"),
        {
            "aspect": Message(
                "The images are wide: their centre would leave out {share:.0f} % of them.",
                share=100 * facts.cut,
            )
        },
    )


def _crops(held: RecipeValues) -> Advice:
    if held.test_crops == WINDOW_CROPS and held.test_resize:
        reason = Message("Windows are cut at scales of their own.")
        return Advice(partial_recipe(test_resize=0), {"test_resize": reason})
    if "five" not in held.test_crops or held.test_resize > held.image_size:
        return NO_ADVICE
    side = round(held.image_size * TEST_MARGIN)
    reason = Message("Five crops need an image larger than the crop.")
    return Advice(partial_recipe(test_resize=side), {"test_resize": reason})


def _scratch() -> Advice:
    return Advice(
        partial_recipe(start="none", frozen="none", learning_rate=0.02, head_factor=1.0, epochs=60),
        {"epochs": Message("Training from random weights takes three times as many epochs.")},
    )


CLOSE_GAP = 0.05  # largest accuracy gain of fine-tuning at which a start counts as similar
CLOSE_SHARE = 0.75  # normalised accuracy of frozen features that counts as similar, without a run


@dataclass(frozen=True)
class TransferFacts:
    """Measurements of a start on a target.

    Accuracies in [0, 1]; `chance` is the share of the most frequent class, `fine_tuned_top1` the
    accuracy of a run fine-tuned from this start (None without one).
    """

    backbone: str
    train_images: int
    classes: int
    frozen_top1: float
    chance: float
    fine_tuned_top1: float | None = None

    @property
    def per_class(self) -> float:
        """Training images per class, on average."""
        return self.train_images / max(1, self.classes)

    @property
    def large(self) -> bool:
        """Whether the target has enough images to be trained on without a close source."""
        return self.per_class >= LARGE

    @property
    def length(self) -> tuple[int, float]:
        """Epochs and learning-rate factor of the recommended head."""
        known = backbone(self.backbone)
        if known.head in QUICK_HEADS:
            return EPOCHS, 1.0
        epochs, _, share = length_of(known, self.train_images)
        return epochs, share

    @property
    def similar(self) -> bool:
        """Whether the start's features suit the target without fine-tuning."""
        if self.fine_tuned_top1 is not None:
            return self.fine_tuned_top1 - self.frozen_top1 <= CLOSE_GAP
        return self.reached >= CLOSE_SHARE

    @property
    def reached(self) -> float:
        """Accuracy of a head on frozen features, rescaled so that chance is 0 and perfect is 1."""
        return (self.frozen_top1 - self.chance) / max(1e-9, 1 - self.chance)


def advise_transfer(facts: TransferFacts) -> Advice:
    """Recommend recipe keys for a transfer from this start, each with its reason.

    Two reasons are not recipe keys: "row" names the row of the table that applies and why, "source"
    what to consider besides the recipe.
    """
    rows = {
        (True, True): _large_similar,
        (True, False): _large_different,
        (False, True): _small_similar,
        (False, False): _small_different,
    }
    of_sgd = partial_recipe(optimizer="sgd")  # rates and momenta of the table are for SGD
    return Advice(of_sgd, {"row": _row(facts)}) | rows[facts.large, facts.similar](facts)


def _row(facts: TransferFacts) -> Message:
    n, seen = round(facts.per_class), _seen(facts)
    if facts.large and facts.similar:
        return counted(
            n,
            "A large target ({n} image per class), similar to the data the start was trained on: "
            "{seen}.",
            "A large target ({n} images per class), similar to the data the start was trained on: "
            "{seen}.",
            seen=seen,
        )
    if facts.large:
        return counted(
            n,
            "A large target ({n} image per class), unlike the data the start was trained on: "
            "{seen}.",
            "A large target ({n} images per class), unlike the data the start was trained on: "
            "{seen}.",
            seen=seen,
        )
    if facts.similar:
        return counted(
            n,
            "A small target ({n} image per class), similar to the data the start was trained on: "
            "{seen}.",
            "A small target ({n} images per class), similar to the data the start was trained on: "
            "{seen}.",
            seen=seen,
        )
    return counted(
        n,
        "A small target ({n} image per class), unlike the data the start was trained on: {seen}.",
        "A small target ({n} images per class), unlike the data the start was trained on: {seen}.",
        seen=seen,
    )


def _seen(facts: TransferFacts) -> Message:
    if facts.fine_tuned_top1 is None:
        return Message(
            "frozen features go {share:.0%} of the way from chance to perfect", share=facts.reached
        )
    gap = facts.fine_tuned_top1 - facts.frozen_top1
    seen = (
        mark("fine-tuning adds {gap:.1%} to the {frozen:.1%} of frozen features")
        if gap >= 0
        else mark("fine-tuning takes {gap:.1%} from the {frozen:.1%} of frozen features")
    )
    return Message(seen).format(gap=abs(gap), frozen=facts.frozen_top1)


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
            "frozen": Message("There are enough images to fine-tune all weights."),
            "learning_rate": Message("The weights are close to a good solution: small steps."),
            "momentum": Message("Low momentum keeps the weights close to the start."),
            "penalty": Message("With this many images little regularisation is needed."),
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
            "stages": Message(
                "The upper stages ({upper}) are task-specific: random weights.",
                upper=", ".join(upper),
            ),
            "learning_rate": Message("The weights must move far: large steps."),
            "momentum": Message("High momentum helps to leave the start's local minimum."),
            "schedule": Message("The rate decays late, so that the weights can move far."),
            "penalty": Message("Weights that suit another task should not be pulled to the start."),
            "source": Message("Compare with training from scratch: transfer may hurt here."),
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
            "learning_rate": Message(
                "The weights need not move far, and few images would overfit them."
            ),
            "momentum": Message("Low momentum keeps the weights close to the start."),
            "penalty": (
                Message(
                    "Regularising towards the start helps most here: L2-SP with BSS; also try "
                    "DELTA and, for backbones with batch normalisation, stochastic normalisation."
                )
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
                Message(
                    "Look for a closer source first, or train on an intermediate one: "
                    "this helps more than any recipe setting."
                )
            ),
            "learning_rate": Message("The upper weights must move far: a high initial rate."),
            "schedule": Message("The rate decays fast, because long training overfits few images."),
            "frozen": Message("The first stage detects edges and colours, which suit every task."),
            "penalty": Message(
                "Only the stages up to {lower} are regularised towards the start.", lower=lower
            ),
        },
    )
