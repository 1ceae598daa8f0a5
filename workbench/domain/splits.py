"""Train / validation / test splits: stratified, seeded, group-aware, immutable."""

from __future__ import annotations

import dataclasses
import functools
import operator
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from itertools import chain

from workbench.domain.errors import ValueRefused
from workbench.domain.text import Message, counted, mark


class Part(StrEnum):
    """Part of a split; the values are stored, and shown with `tr`."""

    TRAIN = mark("train")
    VALIDATION = mark("validation")
    TEST = mark("test")


PARTS = (Part.TRAIN, Part.VALIDATION, Part.TEST)


class GroupBy(StrEnum):
    """What makes images a group, which a split does not divide; the values are stored."""

    LABELS = mark("labels")  # the same label of a set; `value` is its name
    FOLDER = mark("folder")  # the same folder at level `number`
    PATTERN = mark("pattern")  # the same text in the first group of the regular expression `value`
    TIME = mark("capture time")  # taken at most `number` minutes after the previous one
    DUPLICATES = mark("near-duplicates")


@dataclass(frozen=True)
class Grouping:
    """What makes images a group; `value` and `number` are as the kind needs them.

    A folder's level is 1 for the first below the source folder, and 0 for the folder that contains
    the image. Images without a label, match or time are groups of their own.
    """

    by: GroupBy
    value: str = ""
    number: int = 0


@dataclass(frozen=True)
class SplitPlan:
    """Requested fractions, each in [0, 1], summing to at most 1; the rest is left out.

    `grouping` is what no part divides. With `folds`, the split is number `fold` (from 1) of that
    many, whose test parts are disjoint and contain every image.
    """

    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0
    grouping: Grouping | None = None
    folds: int = 0
    fold: int = 0

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

        if self.folds == 1 or self.folds < 0:
            raise ValueRefused("folds", self.folds, Message("a whole number of at least 2"))
        if self.folds and self.validation * self.folds >= self.folds - 1 - 1e-9:
            most = Message("less than {share:.2f}", share=1 - 1 / self.folds)
            raise ValueRefused("validation", self.validation, most)

    def of_fold(self, fold: int) -> SplitPlan:
        """The plan of one of the folds, from 1: its fractions are those of its parts."""
        test = 1 / self.folds
        train = 1 - self.validation - test
        return dataclasses.replace(self, train=train, test=test, fold=fold)

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

    @property
    def name(self) -> str:
        """Name of a split drawn with this plan, unless the user names it; that of folds is common
        to all of them."""
        grouping = self.grouping
        rule = f" · {grouping.by} {grouping.value or grouping.number or ''}" if grouping else ""
        drawn = f"{self.folds} folds" if self.folds else self.percentages
        return f"{drawn} · {self.seed}{rule.rstrip()}"

    @property
    def fold_name(self) -> str:
        """What follows the common name in the name of a fold."""
        return f"fold {self.fold} of {self.folds}"


@dataclass(frozen=True)
class StoredSplit:
    """A split as the project stores it: its id and name, and the plan it was drawn with.

    `plan` is None for a split that was read from files. `made` is in seconds since the epoch.
    """

    id: int
    name: str
    plan: SplitPlan | None
    made: float
    current: bool


STRATA = ("category", "view")  # label sets that a split is stratified by, unless others are given
DEFAULT_SPLIT = SplitPlan()  # used if a project has no split, and the default of the dialog


Classes = Mapping[int, Collection[tuple[str, str]]]  # image id → its labels: (label set, label)


def shares(given: Mapping[Part, float | None]) -> dict[Part, float]:
    """The fraction of each part, where only some are given.

    The others divide what is left in the proportion of DEFAULT_SPLIT, so that nothing is left out:
    train 0.5 and test 0.5 mean no validation part.
    """
    known = {part: share for part in PARTS if (share := given.get(part)) is not None}
    free = [part for part in PARTS if part not in known]
    rest = max(0.0, round(1.0 - sum(known.values()), 9))
    total = sum(getattr(DEFAULT_SPLIT, part) for part in free)
    return known | {part: rest * getattr(DEFAULT_SPLIT, part) / total for part in free}


def stratified_split(
    plan: SplitPlan,
    strata: Mapping[int, str],
    groups: Mapping[int, str] | None = None,
    classes: Classes | None = None,
) -> dict[int, Part]:
    """Assign each image id in `strata` (id → label, "" for none) to a part.

    Each stratum is shuffled with the plan's seed and divided by the largest-remainder method, so
    that its parts differ from the requested fractions by less than one group. Images that share a
    group (id → key; missing: a group of its own) are in the same part. Each class (None: each
    stratum) has at least one image in the train part, for which others leave it if possible. The
    same input gives the same split on every machine.
    """
    bundles = _bundles(plan.seed, strata, groups)
    result: dict[int, Part] = {}
    carry = [0.0] * len(PARTS)  # rounding error of earlier strata
    fractions = [getattr(plan, part) for part in PARTS]
    for of_stratum in bundles:
        for bundle, at in _deal(fractions, of_stratum, carry):
            result |= dict.fromkeys(bundle, PARTS[at])
    if classes is None:
        classes = {image: [("", name)] for image, name in strata.items() if name}
    _keep_training(list(chain.from_iterable(bundles)), classes, result)
    return result


def k_folds(
    plan: SplitPlan,
    strata: Mapping[int, str],
    groups: Mapping[int, str] | None = None,
    classes: Classes | None = None,
) -> list[dict[int, Part]]:
    """The members of `plan.folds` splits, whose test parts are disjoint and contain every image.

    They are stratified and divide no group, as in `stratified_split`. The validation part is
    `plan.validation` of all images, drawn from those outside the test part. A class whose images
    are a single group has no training image in the fold that tests it. Raises ValueRefused for more
    folds than groups.
    """
    if classes is None:
        classes = {image: [("", name)] for image, name in strata.items() if name}
    bundles = _bundles(plan.seed, strata, groups)
    _check_folds(plan, sum(map(len, bundles)), bool(groups))
    dealt = _deal_evenly(bundles, plan.folds)
    fold_of = {image: at for bundle, at in dealt for image in bundle}
    _spread([bundle for bundle, _ in dealt], classes, fold_of, plan.folds)
    splits = []
    for fold in range(plan.folds):
        rest = {image: strata[image] for image in strata if fold_of[image] != fold}
        share = min(1.0, plan.validation * plan.folds / (plan.folds - 1))
        inner = SplitPlan(max(1.0 - share, 1e-9), share, 0.0, plan.seed)
        tested = dict.fromkeys((i for i in strata if fold_of[i] == fold), Part.TEST)
        splits.append(stratified_split(inner, rest, groups, classes) | tested)
    return splits


def _check_folds(plan: SplitPlan, most: int, grouped: bool) -> None:
    """Raise ValueRefused for more folds than groups, or images."""
    if most >= plan.folds:
        return
    images = counted(
        most,
        "There is only {n:,} image for {folds} folds.",
        "There are only {n:,} images for {folds} folds.",
        folds=plan.folds,
    )
    groups = counted(
        most,
        "There is only {n:,} group of images for {folds} folds.",
        "There are only {n:,} groups of images for {folds} folds.",
        folds=plan.folds,
    )
    allowed = Message("at most {most}", most=most)
    raise ValueRefused("folds", plan.folds, allowed, groups if grouped else images)


Bundle = list[int]  # images that stay together


def _bundles(
    seed: int, strata: Mapping[int, str], groups: Mapping[int, str] | None
) -> list[list[Bundle]]:
    """The groups of each stratum, shuffled; larger ones first. The stratum of a group is that of
    most of its images."""
    members: dict[str | int, Bundle] = defaultdict(list)
    for image in sorted(strata):
        members[groups.get(image, image) if groups else image].append(image)
    by_stratum: dict[str, list[Bundle]] = defaultdict(list)
    for bundle in members.values():
        most, _ = Counter(strata[image] for image in bundle).most_common(1)[0]
        by_stratum[most].append(bundle)
    for stratum, bundles in by_stratum.items():
        random.Random(f"{seed}/{stratum}").shuffle(bundles)
        bundles.sort(key=len, reverse=True)
    return [by_stratum[stratum] for stratum in sorted(by_stratum)]


def _deal(
    fractions: Sequence[float], bundles: Sequence[Bundle], carry: list[float]
) -> list[tuple[Bundle, int]]:
    """Deal the groups of a stratum to parts, each to the one that lacks most; return each group
    with the position of its part. Groups beyond the fractions are left out."""
    total = sum(len(bundle) for bundle in bundles)
    need = [share * total + owed for share, owed in zip(fractions, carry, strict=True)]
    left_out = functools.reduce(operator.sub, fractions, 1.0) * total
    dealt = []
    dropped = 0
    wanted, given = list(need), [0] * len(need)
    for bundle in bundles:
        most = max(need)
        if left_out - dropped > most:
            dropped += len(bundle)
            continue
        at = need.index(most)
        given[at] += len(bundle)
        need[at] = wanted[at] - given[at]
        dealt.append((bundle, at))
    carry[:] = need
    return dealt


def _deal_evenly(strata: Iterable[Sequence[Bundle]], folds: int) -> list[tuple[Bundle, int]]:
    """Deal the groups of all strata to folds: each to the one with the fewest images of its
    stratum, and with the fewest of all among equals. Single images of a stratum differ by at most
    one between folds, and so do all images."""
    sizes = [0] * folds
    dealt = []
    for bundles in strata:
        own = [0] * folds
        for bundle in bundles:
            at = min(range(folds), key=lambda fold: (own[fold], sizes[fold]))
            own[at] += len(bundle)
            sizes[at] += len(bundle)
            dealt.append((bundle, at))
    return dealt


class _Surplus:
    """The groups of the train part that may leave it, those of the most frequent classes first."""

    def __init__(
        self, bundles: Sequence[Bundle], classes: Classes, counts: Counter[tuple[str, str]]
    ) -> None:
        self._classes, self._counts = classes, counts
        self._heaps: dict[int, list[tuple[int, int, Bundle]]] = defaultdict(list)
        for at, bundle in enumerate(bundles):
            heappush(self._heaps[len(bundle)], (-self._spare(bundle), at, bundle))

    def _spare(self, bundle: Bundle) -> int:
        """Training images that the rarest class of the group has besides."""
        own = Counter(name for image in bundle for name in self._classes.get(image, ()))
        return min((self._counts[name] - n for name, n in own.items()), default=0)

    def pop(self, size: int) -> Bundle | None:
        """A group of this number of images that leaves a training image to all its classes."""
        heap = self._heaps[size]
        while heap:
            stored, at, bundle = heappop(heap)
            spare = self._spare(bundle)
            if spare == -stored and spare > 0:
                return bundle
            if spare > 0:
                heappush(heap, (-spare, at, bundle))
        return None


def _keep_training(bundles: Sequence[Bundle], classes: Classes, result: dict[int, Part]) -> None:
    """Move groups into the train part until each class has an image there, each in exchange for
    one of the same size that can be spared."""
    counts: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    for image in chain.from_iterable(bundles):
        names = classes.get(image, ())
        total.update(names)
        if result.get(image) is Part.TRAIN:
            counts.update(names)
    lacking = sorted((n, name) for name, n in total.items() if not counts[name])
    if not lacking:
        return
    holders = _holders(bundles, classes, {name for _, name in lacking})
    inside = [bundle for bundle in bundles if result.get(bundle[0]) is Part.TRAIN]
    surplus = _Surplus(inside, classes, counts)
    for _, name in lacking:
        if counts[name]:
            continue  # a group that was moved for another class has it, too
        chosen = min(holders[name], key=len)
        before = result.get(chosen[0])
        for image in chosen:
            result[image] = Part.TRAIN
            counts.update(classes.get(image, ()))
        spared = surplus.pop(len(chosen)) if before is not None else None
        for image in spared or ():
            result[image] = before or Part.TRAIN
            counts.subtract(classes.get(image, ()))


def _holders(
    bundles: Sequence[Bundle], classes: Classes, names: Collection[tuple[str, str]]
) -> dict[tuple[str, str], list[Bundle]]:
    """The groups with an image of each of these classes."""
    found: dict[tuple[str, str], list[Bundle]] = defaultdict(list)
    for bundle in bundles:
        for name in {name for image in bundle for name in classes.get(image, ())}:
            if name in names:
                found[name].append(bundle)
    return found


def _spread(
    bundles: Sequence[Bundle], classes: Classes, fold_of: dict[int, int], folds: int
) -> None:
    """Move a group of each class that is in one fold only, although it has several groups."""
    everything = {name for names in classes.values() for name in names}
    sizes = Counter(fold_of.values())
    for _, own in sorted(_holders(bundles, classes, everything).items()):
        if len(own) > 1 and len({fold_of[bundle[0]] for bundle in own}) == 1:
            moved = min(own, key=len)
            to = min(range(folds), key=lambda at: (at == fold_of[moved[0]], sizes[at]))
            sizes.update({fold_of[moved[0]]: -len(moved), to: len(moved)})
            fold_of |= dict.fromkeys(moved, to)


NAMED = 8  # labels named in a remark; the others are counted


@dataclass(frozen=True)
class SplitReport:
    """What a split holds of what was wanted.

    `counts` are images in each part, `outside` those in none; `wanted` is the number of images that
    the plan's fraction of each part means (empty for a split that was read from files); `without`
    are the labels, by set, that have images but none in a part; `groups` is the number of groups of
    several images and `largest` the number of images of the largest one.
    """

    counts: Mapping[Part, int]
    outside: int
    wanted: Mapping[Part, float]
    without: Mapping[Part, Mapping[str, tuple[str, ...]]]
    groups: int = 0
    largest: int = 0

    def remarks(self) -> list[Message]:
        """What the user should know, one sentence each."""
        found = self._differences()
        for part, title in _WITHOUT.items():
            for label_set, names in self.without.get(part, {}).items():
                found.append(Message(title, label_set=label_set, names=named_labels(names)))
        if self.outside:
            text = counted(
                self.outside,
                "{n:,} image is in no part of the split.",
                "{n:,} images are in no part of the split.",
            )
            found.append(text)
        return found

    def _differences(self) -> list[Message]:
        """Parts that differ from the plan by more than 2 % of the images, as groups force them."""
        total = sum(self.counts.values())
        return [
            Message(
                "The {part} part has {share:.1f} % of the images instead of {wanted:.1f} %.",
                part=Message(str(part)),
                share=100 * self.counts[part] / total,
                wanted=100 * self.wanted[part] / total,
            )
            for part in PARTS
            if self.wanted and abs(self.counts[part] - self.wanted[part]) > max(1, 0.02 * total)
        ]


_WITHOUT = {
    Part.TRAIN: mark("Labels of {label_set} without training images: {names}."),
    Part.VALIDATION: mark("Labels of {label_set} without validation images: {names}."),
    Part.TEST: mark("Labels of {label_set} without test images: {names}."),
}


def named_labels(names: Sequence[str]) -> str | Message:
    """Labels as a list; those beyond the first few are counted."""
    listed = ", ".join(names[:NAMED])
    if len(names) <= NAMED:
        return listed
    further = len(names) - NAMED
    return Message("{listed} and {further:,} more", listed=listed, further=further)


def report_split(
    plan: SplitPlan | None,
    members: Mapping[int, Part],
    classes: Classes,
    images: Collection[int],
    groups: Mapping[int, str] | None = None,
) -> SplitReport:
    """What the split `members` of `images` holds of `plan`. Parts without any image are not
    reported to lack labels."""
    counts = Counter(members[image] for image in images if image in members)
    every: set[tuple[str, str]] = set()
    inside: dict[Part, set[tuple[str, str]]] = {part: set() for part in PARTS}
    for image, names in classes.items():
        every.update(names)
        if image in members:
            inside[members[image]].update(names)
    without: dict[Part, dict[str, tuple[str, ...]]] = {}
    for part in PARTS:
        if counts[part]:
            lacking: dict[str, list[str]] = defaultdict(list)
            for label_set, label in sorted(every - inside[part]):
                lacking[label_set].append(label)
            without[part] = {name: tuple(labels) for name, labels in lacking.items()}
    wanted = {part: getattr(plan, part) * len(images) for part in PARTS} if plan else {}
    sizes = [size for size in Counter((groups or {}).values()).values() if size > 1]
    outside = len(images) - sum(counts.values())
    of_parts = {part: counts[part] for part in PARTS}
    return SplitReport(of_parts, outside, wanted, without, len(sizes), max(sizes, default=0))
