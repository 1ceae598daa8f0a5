"""Label sets, their labels with keys and mirrors, and annotations: who gave which label."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from workbench.domain.errors import ValueRefused


class Subject(StrEnum):
    """What a label of a set describes: the whole image, or the mouth crop in it."""

    IMAGE = "image"
    CROP = "crop"


@dataclass(frozen=True)
class Label:
    """One label. `key` is the letter that gives it; `mirror` names the other label that a
    horizontal flip turns it into ("" when a flip leaves it as it is)."""

    name: str
    key: str = ""
    mirror: str = ""


@dataclass(frozen=True)
class LabelSet:
    """A named family of labels; exclusive means that a subject carries at most one of them.

    Names differ, keys differ, and mirrors come in pairs: the mirror of a label's mirror is the
    label. Raises ValueRefused where they do not.
    """

    name: str
    labels: tuple[Label, ...] = ()
    subject: Subject = Subject.IMAGE
    exclusive: bool = True

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) != len(names):
            raise ValueRefused(f"labels of {self.name}", names, "names that differ")
        keys = [label.key.upper() for label in self.labels if label.key]
        if len(set(keys)) != len(keys):
            raise ValueRefused(f"keys of {self.name}", keys, "one key per label")
        self._check_mirrors()

    def _check_mirrors(self) -> None:
        mirrors = {label.name: label.mirror for label in self.labels}
        for name, mirror in mirrors.items():
            if mirror and (mirror == name or mirror not in mirrors):
                others = ", ".join(other for other in mirrors if other != name)
                raise ValueRefused(f"mirror of {name}", mirror, others or "none")
            if mirror and mirrors[mirror] != name:
                raise ValueRefused(f"mirror of {mirror}", mirrors[mirror], name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    def index(self, name: str) -> int:
        """Position of the label called `name`; raises ValueRefused when the set has none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise ValueRefused(self.name, name, ", ".join(self.names) or "no label yet") from None

    def mirror_permutation(self) -> tuple[int, ...]:
        """For each label's position, the position of the label a horizontal flip turns it into."""
        return tuple(self.index(label.mirror or label.name) for label in self.labels)

    def with_labels(self, names: tuple[str, ...]) -> LabelSet:
        """This set with those of `names` added that it lacks, in their order, without keys."""
        new = tuple(Label(name) for name in dict.fromkeys(names) if name not in self.names)
        return dataclasses.replace(self, labels=self.labels + new)

    def label_for_key(self, key: str) -> Label | None:
        """The label given by `key`: its own letter, or its position 1–9."""
        for label in self.labels:
            if label.key and label.key.upper() == key.upper():
                return label
        if key.isdigit() and 1 <= int(key) <= min(9, len(self.labels)):
            return self.labels[int(key) - 1]
        return None


def with_paired_mirrors(labels: Iterable[Label]) -> tuple[Label, ...]:
    """`labels` with mirrors in pairs, for labels that were stored before a set checked them.

    Pairs stay. Of the other mirrors, in the order of the labels, one that names a label without a
    mirror is set on both sides; the rest are dropped.
    """
    found = tuple(labels)
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
    """Who gave a label: a person, a file that was imported, or a trained model."""

    HUMAN = "human"
    IMPORT = "import"
    MODEL = "model"


@dataclass(frozen=True)
class Annotation:
    """One label given to one image (`crop` None) or to one crop of it.

    `made_at` and `ended_at` are seconds since the epoch; `ended_at` is None while the label stands.
    `confidence` is 1.0 for people and a softmax score in [0, 1] for models.
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
