"""Studies: several recipes trained on the same splits and seeds, and their comparison."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import KeyValue
from workbench.domain.splits import DEFAULT_SPLIT, Part, SplitPlan
from workbench.domain.text import Message, counted

CONFIDENCE = 0.95
Keys = dict[str, KeyValue]  # a partial recipe


class SplitFractions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fractions of the split that is drawn for every seed of a study."""

    train: float = DEFAULT_SPLIT.train
    validation: float = DEFAULT_SPLIT.validation
    test: float = DEFAULT_SPLIT.test


HALVES = SplitFractions(0.5, 0.0, 0.5)


@dataclass(frozen=True)
class ClassPlan(SplitPlan):
    """A split with `per_class` training images of each class; all others of a class are tested."""

    per_class: int = 1

    @property
    def name(self) -> str:
        """Name of the split, without a translation."""
        return f"{self.per_class} per class · {self.seed}"


def draw_per_class(plan: ClassPlan, classes: Mapping[int, str]) -> dict[int, Part]:
    """The part of each image that has a class ("": none), shuffled within its class by the seed.

    The same images, plan and seed give the same split on every machine. Raises ValueRefused if a
    class has no image left to be tested.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for image in sorted(classes):
        members[classes[image]].append(image)
    members.pop("", None)
    found: dict[int, Part] = {}
    for name, images in members.items():
        if len(images) <= plan.per_class:
            allowed = Message(
                "less than {images}, the number of images of “{name}”",
                images=len(images),
                name=name,
            )
            raise ValueRefused("per_class", plan.per_class, allowed)
        random.Random(f"{plan.seed}/{name}").shuffle(images)
        found |= dict.fromkeys(images[: plan.per_class], Part.TRAIN)
        found |= dict.fromkeys(images[plan.per_class :], Part.TEST)
    return found


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The plan of a study: every variant (recipe keys over `base`) with every seed.

    The first variant is the baseline of the comparison. At most one of the following is set;
    without, the project's current split is used. `split`: each seed draws its own, the same for all
    variants. `per_class`: each seed draws so many training images of each class, and tests all
    others. `published`: the split of this name, such as one that was imported with a dataset.
    `folds`, the common name of folds of the project: each fold is used in turn, `seeds` are their
    numbers, and all runs have the seed of the recipe.
    """

    name: str
    base: Keys
    variants: dict[str, Keys]
    seeds: tuple[int, ...] = (0, 1, 2)
    split: SplitFractions | None = None
    folds: str = ""
    per_class: Annotated[int, Meta(ge=1)] | None = None
    published: str = ""

    @property
    def protocol(self) -> Message:
        """Which images are trained on and tested, in words."""
        if self.folds:
            return Message("each fold of {folds}", folds=self.folds)
        if self.per_class is not None:
            return counted(
                self.per_class,
                "{n:,} training image per class, drawn for each seed",
                "{n:,} training images per class, drawn for each seed",
            )
        if self.published:
            return Message("split {name}", name=self.published)
        if self.split is None:
            return Message("current split of the project")
        if self.split == HALVES:
            return Message("half for training, half for testing, drawn for each seed")
        shares = (self.split.train, self.split.validation, self.split.test)
        return Message(
            "{percentages}, drawn for each seed",
            percentages=" / ".join(f"{100 * share:.0f}" for share in shares),
        )

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Every (variant, seed), seed by seed, so that an interrupted study can still be
        compared."""
        return [(variant, seed) for seed in self.seeds for variant in self.variants]

    def keys(self, variant: str, seed: int) -> Keys:
        """Partial recipe of a cell."""
        keys = {**self.base, **self.variants[variant]}
        return keys if self.folds else {**keys, "seed": seed}


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A study in progress: `runs` lists the run of each started cell as [variant, seed, run id]."""

    id: str
    created: float
    plan: Plan
    runs: tuple[tuple[str, int, str], ...] = ()

    def run_of(self, variant: str, seed: int) -> str:
        """Run id of a cell, "" if it was not started."""
        return next((run for v, s, run in self.runs if (v, s) == (variant, seed)), "")

    def with_run(self, variant: str, seed: int, run: str) -> Study:
        """Copy of this study with a cell's run added or replaced."""
        others = [cell for cell in self.runs if cell[:2] != (variant, seed)]
        return msgspec.structs.replace(self, runs=(*others, (variant, seed, run)))


def parse_plan(values: Mapping[str, Any], name: str) -> Plan:
    """Parse a plan from TOML values; `protocol` is the text of a `named_protocol`. Raises
    ValueRefused naming the invalid key."""
    given = dict(values)
    if "protocol" in given:
        named = named_protocol(str(given.pop("protocol")))
        if twice := sorted({*_SPLITS}.intersection(given)):
            beside = Message("nothing beside {key}", key=twice[0])
            raise ValueRefused("protocol", values["protocol"], beside)
        given |= named
    try:
        plan = msgspec.convert({"name": name, **given}, Plan)
    except msgspec.ValidationError as error:
        sentence = Message("The study “{name}” is invalid: {error}.", name=name, error=error)
        allowed = f"name, seeds, protocol, {', '.join(_SPLITS)}, [base], [variants.NAME]"
        raise ValueRefused("study", str(error), allowed, sentence) from error
    return check_plan(plan)


_SPLITS = ("split", "folds", "per_class", "published")  # keys of which a plan has at most one
_NAMED = re.compile(r"(half/half)|(\d+) folds|(\d+) per class|published (\S.*)")
_FORMS = Message("half/half, K folds, C per class, or published NAME")


def named_protocol(text: str) -> dict[str, Any]:
    """The keys of a plan that a named protocol stands for.

    "half/half", "5 folds", "30 per class" or "published NAME", the name of a split of the project.
    Raises ValueRefused for another text or a number that cannot be meant.
    """
    found = _NAMED.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueRefused("protocol", text, _FORMS)
    _, folds, count, name = found.groups()
    if folds is not None and int(folds) < 2:
        raise ValueRefused("protocol", text, Message("at least 2 folds"))
    if count is not None and int(count) < 1:
        raise ValueRefused("protocol", text, Message("at least 1 image per class"))
    if folds is not None:
        return {"folds": str(int(folds))}
    if count is not None:
        return {"per_class": int(count)}
    return {"published": name} if name is not None else {"split": HALVES}


def check_plan(plan: Plan) -> Plan:
    """Return the plan. Raises ValueRefused if it has too few variants, seeds twice, or several of
    folds, a split, images per class and a published split; one variant suffices without a choice of
    fractions."""
    given = [key for key in _SPLITS if getattr(plan, key)]
    if len(given) > 1:
        allowed = Message("nothing beside {key}", key=given[1])
        raise ValueRefused(given[0], str(getattr(plan, given[0])), allowed)
    if len(plan.variants) < (1 if given and plan.split is None else 2):
        allowed = Message("two or more, the baseline first")
        raise ValueRefused("variants", list(plan.variants), allowed)
    if len(set(plan.seeds)) < len(plan.seeds) or not plan.seeds:
        allowed = Message("one or more different whole numbers")
        raise ValueRefused("seeds", list(plan.seeds), allowed)
    return plan


@dataclass(frozen=True)
class Interval:
    """A mean and the half-width of its 95 % confidence interval (Student's t); NaN for one
    value."""

    mean: float
    half: float


@dataclass(frozen=True)
class Row:
    """Result of one variant: accuracies in [0, 1] by seed, and their mean.

    For seeds shared with the baseline, also the paired difference and the p-value of a two-sided
    paired t-test (NaN with fewer than two pairs, and for the baseline itself). `seconds` is the
    mean time, `deviation` the standard deviation of a sample (NaN for fewer than two values).
    """

    variant: str
    values: Mapping[int, float]
    accuracy: Interval
    difference: Interval
    p: float
    seconds: float
    deviation: float


def interval(values: Sequence[float]) -> Interval:
    """Mean and half-width t_{0.975, n−1} · s / √n of a sample; NaN if it is empty."""
    if not values:
        return Interval(float("nan"), float("nan"))
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return Interval(float(array.mean()), float("nan"))
    from scipy.special import stdtrit

    t = float(stdtrit(len(array) - 1, (1 + CONFIDENCE) / 2))
    return Interval(float(array.mean()), t * float(array.std(ddof=1)) / len(array) ** 0.5)


def paired_p(differences: Sequence[float]) -> float:
    """Two-sided p-value of Student's paired t-test; NaN for fewer than two pairs, 1 if all are
    0."""
    array: NDArray[np.float64] = np.asarray(differences, dtype=np.float64)
    if len(array) < 2:
        return float("nan")
    spread = float(array.std(ddof=1))
    if spread == 0:
        return 1.0 if array[0] == 0 else 0.0
    from scipy.special import stdtr

    t = float(array.mean()) / (spread / len(array) ** 0.5)
    return float(2 * stdtr(len(array) - 1, -abs(t)))


def compare(
    plan: Plan,
    values: Mapping[tuple[str, int], float],
    seconds: Mapping[tuple[str, int], float] | None = None,
    apart: Collection[tuple[str, int]] = (),
) -> list[Row]:
    """A row per variant from the accuracy (and time) of every finished cell.

    Cells in `apart` are not paired with the baseline: they learned from other images.
    """
    first = next(iter(plan.variants))
    took = seconds or {}
    rows = []
    for variant in plan.variants:
        own = {seed: values[variant, seed] for seed in plan.seeds if (variant, seed) in values}
        paired = [s for s in own if (first, s) in values and (variant, s) not in apart]
        pairs = [own[seed] - values[first, seed] for seed in paired if variant != first]
        times = [took[variant, seed] for seed in own if (variant, seed) in took]
        rows.append(
            Row(
                variant,
                own,
                interval(list(own.values())),
                interval(pairs),
                paired_p(pairs),
                float(np.mean(times)) if times else float("nan"),
                float(np.std(list(own.values()), ddof=1)) if len(own) > 1 else float("nan"),
            )
        )
    return rows
