"""Pairs of runs that differ in nothing but what is compared: recipe, split, version and images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from workbench.domain.backbones import BACKBONES
from workbench.domain.recipes import KEYS
from workbench.domain.runs import LabelList, RunLabels, RunRecord, Sample

_MISSING = ()  # no value of a recipe


@dataclass(frozen=True)
class SeenImages:
    """Digests of what a run learned from: images with their boxes, parts and labels.

    `target` is that of the images with a label of the target, `view` that of those with a view (""
    if it did not learn views), `unlabelled` that of all others.
    """

    target: str
    view: str = ""
    unlabelled: str = ""

    def same(self, other: SeenImages) -> bool:
        """Whether the runs learned from the same; views count if both learned them."""
        views = not self.view or not other.view or self.view == other.view
        return views and (self.target, self.unlabelled) == (other.target, other.unlabelled)


Seen = Callable[[RunRecord], SeenImages | None]  # None if it is not known any more


def unknown_images(_: RunRecord) -> SeenImages | None:
    """A `Seen` for runs without their folders: nothing is known."""
    return None


def seen_images(samples: Sequence[Sample], labels: RunLabels) -> SeenImages:
    """The digests of a run's samples; the order of images and of labels does not affect them."""
    target, views = labels.target, labels.view
    labelled = [(s, _names(target, s.marks or (s.target,))) for s in samples if s.target >= 0]
    viewed = [(s, _names(views, (s.view,))) for s in samples if views is not None and s.view >= 0]
    others = [(s, list[str]()) for s in samples if s.target < 0 and s.view < 0]
    return SeenImages(_digest(labelled), _digest(viewed) if views else "", _digest(others))


def _names(found: LabelList, at: Iterable[int]) -> list[str]:
    return sorted(found.labels[index] for index in at)


def _digest(samples: Sequence[tuple[Sample, list[str]]]) -> str:
    encode = msgspec.json.encode
    lines = sorted(encode([one.hash, one.box, one.part, names]) for one, names in samples)
    return hashlib.blake2b(b"\n".join(lines), digest_size=16).hexdigest()


def recipe_differences(first: RunRecord, second: RunRecord) -> tuple[str, ...]:
    """The recipe keys, with those of tables dotted, that differ and affect the runs.

    A key that only one of the recipes has differs, as the defaults of other versions are unknown.
    Keys of views have no meaning for a run that does not learn them.
    """
    mine, theirs = first.recipe, second.recipe
    ignored = set() if first.target == second.target else {"view_weight", "tie"}
    used = [key for key in {**mine.values, **theirs.values} if key not in ignored]
    both = mine.effective | theirs.effective
    differing = [
        key
        for key in used
        if key in both
        and (key not in mine.values or theirs.values.get(key, _MISSING) != mine.values[key])
    ]
    order = {key: at for at, key in enumerate(KEYS)}
    places = {key: order.get(key.partition(".")[0], len(order)) for key in differing}
    return tuple(sorted(differing, key=places.__getitem__))


def data_differences(
    first: RunRecord, second: RunRecord, seen: Seen = unknown_images
) -> tuple[str, ...]:
    """What differs in the data of two runs: "labels", "split", "version" and "images".

    If the images, parts and labels are known to be the same, the names of splits and versions are
    immaterial.
    """
    mine, theirs = first.labels.target, second.labels.target
    found = []
    if (mine.name, set(mine.labels)) != (theirs.name, set(theirs.labels)):
        found.append("labels")
    images, others = seen(first), seen(second)
    if images is not None and others is not None and images.same(others):
        return tuple(found)
    if first.split != second.split:
        found.append("split")
    if first.version != second.version:
        found.append("version")
    if (images and others) or _counts(first) != _counts(second):
        found.append("images")
    return tuple(found)


def _counts(record: RunRecord) -> dict[str, Any]:
    parts = {name: part for name, part in record.metrics.items() if isinstance(part, dict)}
    return {name: part.get("images") for name, part in parts.items()}


def differences(
    first: RunRecord, second: RunRecord, seen: Seen = unknown_images
) -> tuple[str, ...]:
    """Everything in which two runs differ: recipe keys, then their data; empty if nothing does."""
    return recipe_differences(first, second) + data_differences(first, second, seen)


def differ_only_in(
    first: RunRecord, second: RunRecord, keys: Collection[str], seen: Seen = unknown_images
) -> bool:
    """Whether two runs differ in no other recipe keys than `keys`, and not in their data."""
    if not set(recipe_differences(first, second)) <= set(keys):
        return False
    return not data_differences(first, second, seen)


NAMED = 4  # settings in the name of a run
_FIRST = ("method", "head", "penalty", "frozen", "start", "image_size", "epochs", "learning_rate")
_WORDS: Mapping[str, Callable[[Any], str]] = {
    "method": str,
    "head": lambda head: f"{head} head",
    "penalty": lambda penalty: "no penalty" if penalty == "none" else str(penalty),
    "frozen": lambda stage: {"none": "nothing frozen", "all": "all frozen"}.get(
        stage, f"frozen up to {stage}"
    ),
    "start": lambda start: {"imagenet": "from ImageNet", "none": "from random weights"}.get(
        start, f"from {PurePath(start.partition(':')[2]).name}"
    ),
    "image_size": lambda side: f"{side} px",
    "epochs": lambda epochs: f"{epochs} epoch{'s' if epochs != 1 else ''}",
}  # by recipe key; others are written as "key value"


def automatic_name(record: RunRecord, others: Sequence[RunRecord]) -> str:
    """A name that no other run has: target, number, backbone, and the settings in which the run
    differs from the others of its target and backbone, at most NAMED of them."""
    alike = [one for one in others if one.target == record.target]
    title = BACKBONES[record.recipe.backbone].title
    beside = [one for one in alike if one.recipe.backbone == record.recipe.backbone]
    keys = {key for one in beside for key in recipe_differences(record, one)}
    order = {key: at for at, key in enumerate(dict.fromkeys((*_FIRST, *KEYS)))}
    ranked = sorted(keys, key=lambda key: order.get(key.partition(".")[0], len(order)))
    values = record.recipe.values
    words = [_word(key, values[key]) for key in ranked if key in values]
    if record.split and any(one.split not in ("", record.split) for one in beside):
        words.append(f"split {record.split}")
    taken, number = {one.name for one in others}, len(alike) + 1
    text = ", ".join((title, *words[:NAMED]))
    while f"{record.target} {number}: {text}" in taken:
        number += 1
    return f"{record.target} {number}: {text}"


def _word(key: str, value: Any) -> str:
    name = key.rpartition(".")[2].replace("_", " ")
    return _WORDS[key](value) if key in _WORDS else f"{name} {value}"
