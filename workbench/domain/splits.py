"""Train / validation / test splits: stratified, seeded, group-aware, immutable."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from workbench.domain.errors import ValueRefused
from workbench.domain.text import Message, mark


class Part(StrEnum):
    """Part of a split; the values are stored, and shown with `tr`."""

    TRAIN = mark("train")
    VALIDATION = mark("validation")
    TEST = mark("test")


PARTS = (Part.TRAIN, Part.VALIDATION, Part.TEST)


@dataclass(frozen=True)
class SplitPlan:
    """Requested fractions, each in [0, 1], summing to at most 1; the rest is left out."""

    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        for part in PARTS:
            value = getattr(self, part)
            if not 0.0 <= value <= 1.0:
                raise ValueRefused(part, value, Message("a fraction from 0 to 1"))
        total = self.train + self.validation + self.test
        if total > 1.0 + 1e-9:
            raise ValueRefused("train + validation + test", round(total, 6), Message("at most 1"))
        if self.train <= 0:
            raise ValueRefused("train", self.train, Message("a fraction above 0"))

    @property
    def percentages(self) -> str:
        """The fractions in percent, such as "70 / 15 / 15"."""
        return " / ".join(f"{100 * getattr(self, part):.0f}" for part in PARTS)

    @property
    def sentence(self) -> Message:
        """The fractions with their parts, such as "70 % train, 15 % validation and 15 % test"."""
        return Message(
            "{train:.0f} % train, {validation:.0f} % validation and {test:.0f} % test",
            train=100 * self.train,
            validation=100 * self.validation,
            test=100 * self.test,
        )


STRATA = ("category", "view")  # label sets that a split is stratified by, unless others are given
DEFAULT_SPLIT = SplitPlan()  # used if a project has no split, and the default of the dialog


def stratified_split(
    plan: SplitPlan, strata: Mapping[int, str], groups: Mapping[int, str] | None = None
) -> dict[int, Part]:
    """Assign each image id in `strata` (id → label, "" for none) to a part.

    Each stratum is shuffled with the plan's seed and divided by the largest-remainder method, so
    that its parts differ from the requested fractions by less than one group. Images that share a
    group (id → key; missing: a group of its own) are in the same part. The same input gives the
    same split on every machine.
    """
    members: dict[str | int, list[int]] = defaultdict(list)
    for image in sorted(strata):
        members[groups.get(image, image) if groups else image].append(image)
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for group in members.values():
        by_stratum[strata[group[0]]].append(group)
    result: dict[int, Part] = {}
    carry = dict.fromkeys(PARTS, 0.0)  # rounding error of earlier strata
    for stratum in sorted(by_stratum):
        bundles = by_stratum[stratum]
        random.Random(f"{plan.seed}/{stratum}").shuffle(bundles)
        _deal(plan, bundles, carry, result)
    return result


def _deal(
    plan: SplitPlan,
    bundles: Sequence[list[int]],
    carry: dict[Part, float],
    result: dict[int, Part],
) -> None:
    total = sum(len(bundle) for bundle in bundles)
    wanted = [getattr(plan, part) * total + carry[part] for part in PARTS]
    left_out = (1 - plan.train - plan.validation - plan.test) * total
    need, given = list(wanted), [0, 0, 0]
    dropped = 0
    for bundle in bundles:
        most = max(need)
        if left_out - dropped > most:
            dropped += len(bundle)
            continue
        at = need.index(most)
        given[at] += len(bundle)
        need[at] = wanted[at] - given[at]
        for image in bundle:
            result[image] = PARTS[at]
    carry.update(zip(PARTS, need, strict=True))
