"""What the formats of annotation tools share: collecting what is read about each image, and
preparing records for what a format can describe."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from workbench.domain.datasets import (
    MAIN_SET,
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
    declared,
    place_in,
)
from workbench.domain.images import SkippedFile
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted
from workbench.formats.image_paths import cleaned, inside, settle
from workbench.formats.landmarks import LandmarkLosses, Point, known_points

Box = tuple[float, float, float, float]

HEARTBEAT = 512  # records between two heartbeats
# What CVAT writes about every annotation; as numbers and truth values they are no labels.
_SYSTEM = frozenset({"occluded", "rotation", "track_id", "keyframe", "is_crowd"})


# reading


@dataclass
class ImageNotes:
    """What has been read about one image so far; the fields are those of its record."""

    path: str
    part: Part | None = None
    line: int = 0
    file: str = ""
    width: int = 0
    height: int = 0
    labels: list[GivenLabel] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)

    def record(self) -> ImageRecord:
        """The finished record, with each label and box once."""
        return ImageRecord(
            self.path,
            tuple(dict.fromkeys(self.labels)),
            self.part,
            merged(self.regions),
            self.line,
            self.file,
            width=self.width,
            height=self.height,
        )


def merged(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Regions with the labels of those that have the same box combined: formats with one label for
    each box repeat the box. Boxes with different landmarks stay apart."""
    if len(regions) < 2:
        return tuple(regions)
    alike: dict[Box, list[Region]] = {}
    order: list[tuple[Box, int]] = []
    for region in regions:
        others = alike.setdefault(region.box, [])
        for at, other in enumerate(others):
            if not region.points or not other.points or region.points == other.points:
                labels = tuple(dict.fromkeys((*other.labels, *region.labels)))
                points = other.points or region.points
                others[at] = Region(region.box, labels, points, region.relative)
                break
        else:
            order.append((region.box, len(others)))
            others.append(region)
    return tuple(alike[box][at] for box, at in order)


class Gathering:
    """A dataset while its files are read: images, rejected entries and counts for remarks."""

    def __init__(self, base: Path) -> None:
        """Begin a dataset whose image paths are relative to `base`."""
        self.dataset = Dataset(base)
        self.known: dict[str, dict[str, None]] = {}  # declared labels by set
        self.ignored = 0  # annotations of kinds that are not used
        self.outlines = 0  # outlines that became boxes
        self.landmarks = LandmarkLosses()
        self.of_images: set[str] = set()  # labels of the main set that no box can have

    def declare(self, label_set: str, labels: Iterable[str] = ()) -> None:
        """Declare a label set, or further labels of it."""
        self.known.setdefault(label_set, {}).update(dict.fromkeys(labels))

    def reject(self, file: str, number: int, reason: str, entries: str = "") -> None:
        """List a malformed entry: its number in the file, or in its list called `entries`."""
        self.dataset.rejected.append(SkippedFile(place_in(file, number, entries), reason))

    def rejecting(self, file: str, entries: str = "") -> Callable[[int, str], None]:
        """`reject` for the entries of one list."""
        return lambda number, reason: self.reject(file, number, reason, entries)

    def path(self, written: str) -> str:
        """A cleaned path of an image. Raises ValueError if there is none."""
        path = cleaned(written)
        if path.rpartition("/")[2] not in ("", ".."):
            return path
        if written.startswith("data:"):
            raise ValueError(Message("the image is part of the file"))
        raise ValueError(Message("no path of an image is given"))

    def finished(
        self, drafts: Iterable[ImageNotes], *, fixed: bool = False
    ) -> Generator[None, None, Dataset]:
        """The dataset with the records of `drafts`, its sets and remarks; see `settle` for
        `fixed`."""
        for count, draft in enumerate(drafts):
            if count % HEARTBEAT == 0:
                yield
            self.dataset.images.append(draft.record())
        settle(self.dataset, fixed=fixed)
        self._declare()
        self.dataset.remarks += [*self._remarks(), *self.landmarks.remarks()]
        return self.dataset

    def _declare(self) -> None:
        found = declared(self.dataset.images)
        for name in dict.fromkeys([*self.known, *found]):
            used = found.get(name, DeclaredSet())
            labels = dict.fromkeys([*self.known.get(name, ()), *used.labels])
            of_images = frozenset(self.of_images if name == MAIN_SET else ())
            self.dataset.sets[name] = DeclaredSet(tuple(labels), used.exclusive, of_images)

    def _remarks(self) -> list[Message]:
        return _nonzero(
            (
                self.outlines,
                counted(
                    self.outlines,
                    "{n:,} outline became a box; its corners are landmarks.",
                    "{n:,} outlines became boxes; their corners are landmarks.",
                ),
            ),
            (
                self.ignored,
                counted(
                    self.ignored,
                    "{n:,} annotation is ignored: it is neither a label nor a box.",
                    "{n:,} annotations are ignored: they are neither labels nor boxes.",
                ),
            ),
        )


def _nonzero(*counts: tuple[int, Message]) -> list[Message]:
    return [message for n, message in counts if n]


def box_of(left: float, top: float, right: float, bottom: float) -> Box:
    """A box from two corners. Raises ValueError if it is empty or infinite."""
    if not (left < right and top < bottom):
        raise ValueError(Message("the box is empty"))
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise ValueError(Message("the box is infinite"))
    return left, top, right, bottom


def box_around(points: Sequence[Point], pixel: Point = (1.0, 1.0)) -> Box:
    """The box around points; at least one pixel wide and high, whose size is `pixel`.

    Raises ValueError without points that are known.
    """
    if not (points := known_points(points)):
        raise ValueError(Message("no points are given"))
    left, top = min(x for x, _ in points), min(y for _, y in points)
    right, bottom = max(x for x, _ in points), max(y for _, y in points)
    right = right if right > left else left + pixel[0]
    bottom = bottom if bottom > top else top + pixel[1]
    return box_of(left, top, right, bottom)


def pairs(values: Sequence[float]) -> tuple[Point, ...]:
    """Points of a list of x and y in turn. Raises ValueError if one is missing."""
    if len(values) % 2:
        raise ValueError(Message("a coordinate of a point is missing"))
    return tuple(zip(values[::2], values[1::2], strict=True))


def attribute_labels(attributes: Mapping[str, Any] | None) -> list[GivenLabel]:
    """Labels of attributes: a label set for each one that has a text, a truth value, a whole
    number, or a list of these."""
    found = []
    for name, value in (attributes or {}).items():
        if not name or (name in _SYSTEM and not isinstance(value, str | list)):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool):
                found.append(GivenLabel(name, "true" if one else "false"))
            elif isinstance(one, str | int) and one != "":
                found.append(GivenLabel(name, str(one)))
    return found


def text_label(value: Any) -> str:
    """A label that is written as a text or number. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(Message("a label is not a text"))
    return str(value)


# writing


@dataclass(frozen=True)
class Limits:
    """What a format can describe, beside what it `carries`.

    `relative`: boxes are fractions of the image's size instead of pixels. `gaps`: landmarks may be
    missing before others. `image_labels`: images
    have labels, not only boxes. `bare_boxes`: boxes may have no label of the main set. `also` are
    sets that are written beside the main one.
    """

    carries: frozenset[Carry]
    relative: bool = False
    gaps: bool = False
    image_labels: bool = True
    bare_boxes: bool = False
    also: frozenset[str] = frozenset()


@dataclass
class Prepared:
    """Records that a format can describe, and messages on what it cannot.

    Labels of the set that is written first have MAIN_SET as their set; `labels` are all of them in
    their order, and `sets` the other sets. `main` is the name of the set that is written first.
    """

    main: str
    images: list[ImageRecord]
    labels: tuple[str, ...]
    sets: dict[str, DeclaredSet]
    messages: list[Message]


def prepared(dataset: Dataset, label_set: str, limits: Limits) -> Prepared:
    """Reduce a dataset to what a format can describe; `label_set` is its main set."""
    sets = dict(dataset.sets)
    for name, used in declared(dataset.images).items():
        known = sets.get(name, used)
        sets[name] = DeclaredSet(
            tuple(dict.fromkeys([*known.labels, *used.labels])), known.exclusive
        )
    main = main_set(sets, label_set)
    reducing = _Reducing(main, limits)
    images = [reducing.image(image) for image in dataset.images]
    main_labels = sets.pop(main, DeclaredSet()).labels
    sets.pop(MAIN_SET, None)
    return Prepared(main, images, main_labels, sets, reducing.messages())


def main_set(sets: Collection[str], label_set: str) -> str:
    """The set that is written where a format has one: `label_set` if the dataset has it, else the
    first of its `sets`."""
    return label_set if label_set in sets else next(iter(sets), label_set)


class _Reducing:
    """Reduces images to what a format can describe, and counts what is lost."""

    def __init__(self, main: str, limits: Limits) -> None:
        self._main = main
        self._limits = limits
        self._carries = limits.carries
        self._lost: Counter[str] = Counter()

    def image(self, image: ImageRecord) -> ImageRecord:
        labels = self._labels(image.labels)
        if labels and not self._limits.image_labels:
            self._lost["image labels"] += len(labels)
            labels = ()
        part = image.part
        if part is not None and Carry.PARTS not in self._carries:
            self._lost["parts"] += 1
            part = None
        return msgspec.structs.replace(
            image,
            path=inside(image.path),
            labels=labels,
            part=part,
            regions=tuple(self._regions(image)),
        )

    def _labels(self, given: Iterable[GivenLabel]) -> tuple[GivenLabel, ...]:
        labels = []
        has_main = False
        for one in given:
            is_main = one.set == self._main
            if not (is_main or self._writes(one.set)):
                self._lost["sets"] += 1
                continue
            if is_main and has_main and Carry.SEVERAL not in self._carries:
                self._lost["several"] += 1
                continue
            has_main = has_main or is_main
            confidence = one.confidence
            if confidence != 1.0 and not self._writes_confidence(one.set):
                self._lost["confidences"] += 1
                confidence = 1.0
            named = MAIN_SET if is_main else one.set
            labels.append(msgspec.structs.replace(one, set=named, confidence=confidence))
        return tuple(labels)

    def _writes(self, label_set: str) -> bool:
        """Whether the labels of a set other than the main one are written."""
        if label_set == MAIN_SET:
            return False  # it has no name
        return Carry.LABEL_SETS in self._carries or label_set in self._limits.also

    def _writes_confidence(self, label_set: str) -> bool:
        known = label_set == self._main or label_set in self._limits.also
        return known and Carry.CONFIDENCE in self._carries

    def _regions(self, image: ImageRecord) -> Iterable[Region]:
        if Carry.BOXES not in self._carries:
            self._lost["boxes"] += len(image.regions)
            return
        for region in image.regions:
            labels = self._labels(region.labels)
            if not self._limits.bare_boxes and all(one.set != MAIN_SET for one in labels):
                self._lost["other" if region.labels else "bare"] += 1
                continue
            scaled = self._scaled(region, image.width, image.height)
            if scaled is None:
                self._lost["unsized"] += 1
                continue
            points = scaled.points
            if points and Carry.POINTS not in self._carries:
                self._lost["points"] += 1
                points = ()
            if points and not self._limits.gaps:
                self._lost["gaps"] += len(points)
                points = known_points(points)
                self._lost["gaps"] -= len(points)
            yield Region(scaled.box, labels, points, scaled.relative)

    def _scaled(self, region: Region, width: int, height: int) -> Region | None:
        """The region in the unit of the format; None if the size of the image is needed but not
        known."""
        if region.relative == self._limits.relative:
            return region
        if not (width > 0 and height > 0):
            return None
        if region.relative:
            return region.in_pixels(width, height)
        left, top, right, bottom = region.box
        box = (left / width, top / height, right / width, bottom / height)
        points = tuple((x / width, y / height) for x, y in region.points)
        return Region(box, region.labels, points, relative=True)

    def messages(self) -> list[Message]:
        return [
            *self._label_messages(),
            *self._image_messages(),
            *self._box_messages(),
            *self._fitting_messages(),
        ]

    def _label_messages(self) -> list[Message]:
        n = self._lost
        return _nonzero(
            (
                n["sets"],
                counted(
                    n["sets"],
                    "{n:,} label of other label sets is not written.",
                    "{n:,} labels of other label sets are not written.",
                ),
            ),
            (
                n["several"],
                counted(
                    n["several"],
                    "{n:,} further label of an image or box is not written.",
                    "{n:,} further labels of images or boxes are not written.",
                ),
            ),
            (
                n["image labels"],
                counted(
                    n["image labels"],
                    "{n:,} label of a whole image is not written.",
                    "{n:,} labels of whole images are not written.",
                ),
            ),
        )

    def _image_messages(self) -> list[Message]:
        n = self._lost
        return _nonzero(
            (
                n["confidences"],
                counted(
                    n["confidences"],
                    "The confidence of {n:,} label is not written.",
                    "The confidences of {n:,} labels are not written.",
                ),
            ),
            (
                n["parts"],
                counted(
                    n["parts"],
                    "The part of {n:,} image is not written.",
                    "The parts of {n:,} images are not written.",
                ),
            ),
        )

    def _box_messages(self) -> list[Message]:
        n = self._lost
        return _nonzero(
            (
                n["boxes"],
                counted(n["boxes"], "{n:,} box is not written.", "{n:,} boxes are not written."),
            ),
            (
                n["bare"],
                counted(
                    n["bare"],
                    "{n:,} box without a label is not written.",
                    "{n:,} boxes without a label are not written.",
                ),
            ),
            (
                n["other"],
                counted(
                    n["other"],
                    "{n:,} box is not written: it has no label of “{name}”, but of other sets.",
                    "{n:,} boxes are not written: they have no label of “{name}”, but of other"
                    " sets.",
                    name=self._main,
                ),
            ),
        )

    def _fitting_messages(self) -> list[Message]:
        n = self._lost
        return _nonzero(
            (
                n["unsized"],
                counted(
                    n["unsized"],
                    "{n:,} box is not written: the size of its image is unknown.",
                    "{n:,} boxes are not written: the sizes of their images are unknown.",
                ),
            ),
            (
                n["points"],
                counted(
                    n["points"],
                    "The landmarks of {n:,} box are not written.",
                    "The landmarks of {n:,} boxes are not written.",
                ),
            ),
            (
                n["gaps"],
                counted(
                    n["gaps"],
                    "{n:,} missing landmark is not written: later ones of its box move up.",
                    "{n:,} missing landmarks are not written: later ones of their boxes move up.",
                ),
            ),
        )


def labels_in(labels: Iterable[GivenLabel], label_set: str = MAIN_SET) -> list[GivenLabel]:
    """The labels of one set."""
    return [one for one in labels if one.set == label_set]


def attributes_of(labels: Iterable[GivenLabel]) -> dict[str, str | list[str]]:
    """The labels of all sets but the main one as attributes; the inverse of `attribute_labels`."""
    found: dict[str, list[str]] = {}
    for one in labels:
        if one.set != MAIN_SET:
            found.setdefault(one.set, []).append(one.label)
    return {name: some[0] if len(some) == 1 else some for name, some in found.items()}
