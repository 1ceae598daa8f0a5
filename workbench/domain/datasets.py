"""Datasets as files describe them: images with labels, boxes, landmarks and parts of a split.

The readers of `workbench.formats` return these records and its writers take them, so that every
format can be read and written by itself. What a project does with them (find the files, report
conflicts, store labels) is decided in one place for all formats, in `workbench.app`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec

from workbench.domain.images import SkippedFile
from workbench.domain.part_words import Given, is_unclear, part_named
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark

MAIN_SET = ""  # set of a label in formats that do not name label sets; chosen at import and export


# A landmark whose place is unknown: it stands for its point, so that later ones keep their number.
MISSING_POINT = (0.0, 0.0)


class Carry(StrEnum):
    """What a format can describe. The value is shown to the user."""

    LABELS = mark("labels")  # one label set
    LABEL_SETS = mark("several label sets")
    SEVERAL = mark("several labels of a set")  # sets whose labels do not exclude each other
    PARTS = mark("parts of a split")
    BOXES = mark("boxes")
    POINTS = mark("landmarks")
    CONFIDENCE = mark("confidences")


class GivenLabel(msgspec.Struct, frozen=True, gc=False):
    """A label as a file gives it to an image or region.

    `set` is MAIN_SET where the format does not name label sets; `author` is a value of
    `labels.Author` ("" if unknown), `annotator` the name of a person, `confidence` in [0, 1].
    """

    set: str
    label: str
    author: str = ""
    confidence: float = 1.0
    annotator: str = ""


class Region(msgspec.Struct, frozen=True, gc=False):
    """A box in an image, with its own labels and landmarks.

    `box` is left, top, right and bottom in displayed pixels, right and bottom exclusive; or in
    fractions of width and height where `relative`. `points` are (x, y) in the same unit,
    MISSING_POINT for those that are not in the image.
    """

    box: tuple[float, float, float, float]
    labels: tuple[GivenLabel, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    relative: bool = False

    def in_pixels(self, width: int, height: int) -> Region:
        """The same region in pixels of an image of this size."""
        if not self.relative:
            return self
        left, top, right, bottom = self.box
        box = (left * width, top * height, right * width, bottom * height)
        points = tuple((x * width, y * height) for x, y in self.points)
        return msgspec.structs.replace(self, box=box, points=points, relative=False)


class ImageRecord(msgspec.Struct, frozen=True, gc=False):
    """What one place of a file says about one image.

    `path` is as written, with forward slashes, usually relative to the dataset's base; `line` is
    the line, row or entry (from 1; 0 without lines) for messages, and `file` the name of the file
    if the dataset has several. `hash` is the image's BLAKE3 digest, width and height are in
    displayed pixels; "" or 0 if the file does not give them.
    """

    path: str
    labels: tuple[GivenLabel, ...] = ()
    part: Part | None = None
    regions: tuple[Region, ...] = ()
    line: int = 0
    file: str = ""
    hash: str = ""
    width: int = 0
    height: int = 0


# Files whose records are entries or rows rather than lines, by extension.
_ENTRIES = (".json", ".xml", ".mat")
_ROWS = (".xlsx",)


def place_in(file: str, number: int, entries: str = "") -> Message:
    """Where a record stands in a file, for messages: a line, or an entry (of its list called
    `entries`) or row, counted from 1; 0 for the whole file."""
    ending = os.path.splitext(file)[1].lower()
    if not number:
        return Message("{file}", file=file)
    if entries:
        text = "{file}, entry {number} of “{list}”"
        return Message(text, file=file, number=number, list=entries)
    if ending in _ENTRIES:
        return Message("{file}, entry {number}", file=file, number=number)
    if ending in _ROWS:
        return Message("{file}, row {line}", file=file, line=number)
    return Message("{file}, line {line}", file=file, line=number)


@dataclass(frozen=True)
class DeclaredSet:
    """A label set as a file declares it: its labels in order, also unused ones, whether they
    exclude each other, and those that are of whole images only, never of boxes."""

    labels: tuple[str, ...] = ()
    exclusive: bool = True
    of_images: frozenset[str] = frozenset()


@dataclass
class Dataset:
    """Content of a file or folder in some format.

    `base` is the folder that image paths are relative to. `rejected` lists malformed rows with
    their line and reason. `sets` maps the name of each label set (or column of a table) to what is
    declared about it. `remarks` tell the user what was decided while reading. `encoding` is the
    character encoding of a text file, and `guessed` whether it was detected from the bytes alone,
    so that the user must confirm it. `part_words` has words whose part of a split is not plain, and
    the part that they were read as.
    """

    base: Path
    images: list[ImageRecord] = field(default_factory=list)
    rejected: list[SkippedFile] = field(default_factory=list)
    sets: dict[str, DeclaredSet] = field(default_factory=dict)
    remarks: list[Message] = field(default_factory=list)
    encoding: str = ""
    guessed: bool = False
    part_words: dict[str, Part | None] = field(default_factory=dict)

    def part_named(self, word: str, given: Given) -> Part | None:
        """The part of a split that a word stands for; one that is unclear goes to `part_words`."""
        if is_unclear(word) and word.strip().lower() not in given:
            self.part_words[word.strip()] = None
        return part_named(word, given)


def declared(images: Iterable[ImageRecord], known: Iterable[str] = ()) -> dict[str, DeclaredSet]:
    """Declare the label sets of `images` from their labels, in order of appearance.

    A set is exclusive unless an image or region has several of its labels. Sets in `known` are
    declared even without labels.
    """
    labels: dict[str, dict[str, None]] = {name: {} for name in known}
    several: set[str] = set()
    for image in images:
        for given in (image.labels, *(region.labels for region in image.regions)):
            first: dict[str, str] = {}
            for one in given:
                labels.setdefault(one.set, {})[one.label] = None
                if first.setdefault(one.set, one.label) != one.label:
                    several.add(one.set)
    return {name: DeclaredSet(tuple(some), name not in several) for name, some in labels.items()}
