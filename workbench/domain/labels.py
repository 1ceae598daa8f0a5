"""Label sets, their labels with keys and mirrors, and annotations: labels with their authors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NoReturn

from workbench.domain.errors import ValueRefused
from workbench.domain.text import Message


class Subject(StrEnum):
    """What the labels of a set describe: the whole image, or a mouth crop of it."""

    IMAGE = "image"
    CROP = "crop"


@dataclass(frozen=True)
class Label:
    """One label.

    `key` is the letter that assigns it; `mirror` names the label that replaces it when an image is
    flipped horizontally ("" if it stays the same).
    """

    name: str
    key: str = ""
    mirror: str = ""


@dataclass(frozen=True)
class LabelSet:
    """A named set of labels; if `exclusive`, a subject has at most one of them.

    Names and keys are unique, and mirrors are mutual: the mirror of a label's mirror is the label
    itself. Raises ValueRefused otherwise.
    """

    name: str
    labels: tuple[Label, ...] = ()
    subject: Subject = Subject.IMAGE
    exclusive: bool = True

    def __post_init__(self) -> None:
        if twice := _repeated(self.names):
            sentence = Message("“{name}” has two labels “{label}”.", name=self.name, label=twice)
            raise ValueRefused(Message("label"), twice, Message("different names"), sentence)
        if twice := _repeated(label.key.upper() for label in self.labels if label.key):
            sentence = Message(
                "“{key}” is the key of two labels of “{name}”.", key=twice, name=self.name
            )
            raise ValueRefused(Message("key"), twice, Message("a different key"), sentence)
        self._check_mirrors()

    def _check_mirrors(self) -> None:
        mirrors = {label.name: label.mirror for label in self.labels}
        if not any(mirrors.values()):
            return
        for name, mirror in mirrors.items():
            if mirror and (mirror == name or mirror not in mirrors):
                others = ", ".join(other for other in mirrors if other != name)
                _refuse_mirror(name, mirror, others or Message("no mirror"))
            if mirror and mirrors[mirror] != name:
                _refuse_mirror(mirror, mirrors[mirror], name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the labels, in order."""
        return tuple(label.name for label in self.labels)

    def index(self, name: str) -> int:
        """Position of the label called `name`. Raises ValueRefused if the set does not have it."""
        try:
            return self.names.index(name)
        except ValueError:
            known = ", ".join(self.names) or Message("no label yet")
            sentence = Message(
                "“{name}” is not a label of “{label_set}”.", name=name, label_set=self.name
            )
            raise ValueRefused(self.name, name, known, sentence) from None

    def mirror_permutation(self) -> tuple[int, ...]:
        """For each label's position, the position of its mirror, or its own without one."""
        return tuple(self.index(label.mirror or label.name) for label in self.labels)

    def with_labels(self, names: tuple[str, ...]) -> LabelSet:
        """A copy with missing `names` appended in their order, without keys."""
        new = tuple(Label(name) for name in dict.fromkeys(names) if name not in self.names)
        return dataclasses.replace(self, labels=self.labels + new)

    def merged(self, label: str, into: str) -> LabelSet:
        """A copy without `label`, whose key and mirror `into` gets if it has none.

        Raises ValueRefused if the set does not have both labels.
        """
        gone, kept = self.labels[self.index(label)], self.labels[self.index(into)]
        mirror = kept.mirror or gone.mirror
        mirror = "" if mirror in (label, into) else mirror
        key = kept.key or gone.key

        def changed(other: Label) -> Label:
            if other.name == into:
                return Label(into, key, mirror)
            if other.mirror in (label, into):
                return dataclasses.replace(other, mirror=into if other.name == mirror else "")
            return other

        rest = tuple(changed(other) for other in self.labels if other.name != label)
        return dataclasses.replace(self, labels=rest)

    def with_renamed(self, label: str, new: str) -> LabelSet:
        """A copy in which `label` is called `new`. Raises ValueRefused if the set does not have
        `label`, or has another label called `new`."""
        self.index(label)
        names = {name: new if name == label else name for name in ("", *self.names)}
        renamed = (Label(names[one.name], one.key, names[one.mirror]) for one in self.labels)
        return dataclasses.replace(self, labels=tuple(renamed))

    def label_for_key(self, key: str) -> Label | None:
        """The label that `key` assigns: its own letter, or its position 1–9; None for other
        keys."""
        for label in self.labels:
            if label.key and label.key.upper() == key.upper():
                return label
        if key.isdigit() and 1 <= int(key) <= min(9, len(self.labels)):
            return self.labels[int(key) - 1]
        return None


def _repeated(values: Iterable[str]) -> str:
    """The first value that occurs a second time, or ""."""
    known: set[str] = set()
    for value in values:
        if value in known:
            return value
        known.add(value)
    return ""


def _refuse_mirror(label: str, mirror: str, allowed: str) -> NoReturn:
    sentence = Message("“{mirror}” cannot be the mirror of “{label}”.", mirror=mirror, label=label)
    if not mirror:
        sentence = Message("“{label}” needs a mirror, as it is one itself.", label=label)
    raise ValueRefused(Message("mirror"), mirror, allowed, sentence)


def with_paired_mirrors(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Make the mirrors of labels mutual, for labels stored before label sets checked this.

    Mutual mirrors are kept. Of the others, in the order of the labels, a mirror that names a label
    without a mirror is set on both; the rest are dropped.
    """
    found = tuple(labels)
    if not any(label.mirror for label in found):
        return found
    names = {label.name for label in found}
    named = {
        label.name: label.mirror if label.mirror in names - {label.name} else "" for label in found
    }
    paired = {name: mirror for name, mirror in named.items() if mirror and named[mirror] == name}
    for name, mirror in named.items():
        if mirror and not named[mirror] and mirror not in paired:
            paired |= {name: mirror, mirror: name}
    return tuple(dataclasses.replace(label, mirror=paired.get(label.name, "")) for label in found)


CATEGORY = LabelSet("category")

CAR_VIEWS = LabelSet(
    "view",
    (
        Label("front", "F"),
        Label("back", "B"),
        Label("left", "L", mirror="right"),
        Label("right", "R", mirror="left"),
    ),
)

ANIMAL_VIEWS = LabelSet(
    "view",
    (
        Label("front", "F"),
        Label("left", "L", mirror="right"),
        Label("right", "R", mirror="left"),
        Label("others", "O"),
    ),
)

EXPRESSIONS = LabelSet(
    "expression",
    (Label("none", "N"), Label("pouting", "P"), Label("smile", "S"), Label("open", "O")),
    subject=Subject.CROP,
)

VIEW_PRESETS = {"cars": CAR_VIEWS, "animals": ANIMAL_VIEWS}


class Author(StrEnum):
    """Author of a label: a person, an imported file or a trained model."""

    HUMAN = "human"
    IMPORT = "import"
    MODEL = "model"


ACCEPTED = 0.999999  # highest confidence of an accepted suggestion; 1.0 means a label by hand


class Role(IntEnum):
    """What a label is given for.

    BLIND labels were given without seeing the current one and never replace it. A DECISION settles
    a disagreement between annotators and is no rating of its own.
    """

    LABEL = 0
    BLIND = 1
    DECISION = 2


@dataclass(frozen=True)
class Annotation:
    """One label of one image (`crop` None) or of one crop of it.

    `made_at` and `ended_at` are seconds since the epoch; `ended_at` is None while the label is
    current. `confidence` is 1.0 for people and a softmax score in [0, 1] for models. `annotator` is
    the name of the person who gave it, or "".
    """

    id: int
    image: int
    crop: int | None
    label_set: str
    label: str
    author: Author
    confidence: float
    made_at: float
    ended_at: float | None = None
    annotator: str = ""
    role: Role = Role.LABEL

    @property
    def is_opinion(self) -> bool:
        """Whether it was never the current label: a second opinion."""
        return self.ended_at == self.made_at
