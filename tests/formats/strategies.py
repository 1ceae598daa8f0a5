"""Drawn datasets of what a format carries, and what a dataset that was read back lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from workbench.domain.datasets import (
    MAIN_SET,
    MISSING_POINT,
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
    declared,
)
from workbench.domain.label_names import tidied
from workbench.domain.splits import PARTS
from workbench.formats import FORMATS, ReadOptions

EXAMPLES = int(os.environ.get("WORKBENCH_EXAMPLES", "8"))  # of each round trip

ODD_LABELS = (
    "cat", "dog", "no", "1", "1.0", "null", "a/b", "a\\b", "train", "con", "images", "100%", "%41",
    "x.jpg", "a, b", "ä ö", "🦉", "<b>", "&amp;", '"q"', "'", "#1", "- x", "a: b", "CON.txt", "~",
)  # fmt: skip
ODD_PATHS = (
    "1.jpg", "1.png", "a b.jpg", "x/1.jpg", "x/1.png", "x/y/2.jpg", "ä/é.jpg", "100%.jpg",
    "a%20b.jpg", "#1.jpg", "'q'.jpg", "train/1.jpg", "🦉.png", "a,b;c.jpg", "a.b.c.jpg", "1.JPG",
)  # fmt: skip

_signs = st.characters(exclude_categories=["C", "Zl", "Zp"])
label_names = st.one_of(
    st.sampled_from(ODD_LABELS), st.text(_signs, min_size=1, max_size=8).map(tidied).filter(bool)
)
_file_names = st.text(
    st.characters(categories=["L", "N"], include_characters=" _-.()+&"), min_size=1, max_size=8
)
image_paths = st.one_of(
    st.sampled_from(ODD_PATHS),
    _file_names.map(str.strip).filter(lambda name: name.strip(".")).map("p{}.jpg".format),
)


@dataclass(frozen=True)
class Drawn:
    """What to draw for one format.

    `sets`: names of its label sets, the main one first. `bare_boxes`: boxes may have no label of
    the main set. `image_labels`: images have labels themselves. `confident_sets`: sets whose labels
    have confidences. `region_sets`: sets of the labels of boxes. `largest`: most pixels of a side.
    """

    carries: Collection[Carry]
    sets: tuple[str, ...] = (MAIN_SET,)
    region_sets: tuple[str, ...] = ()
    confident_sets: tuple[str, ...] = (MAIN_SET,)
    bare_boxes: bool = False
    image_labels: bool = True
    gaps: bool = False  # landmarks are missing before others
    stems: bool = False  # paths differ not only in their extensions
    largest: int = 5000
    paths: st.SearchStrategy[str] = image_paths
    labels: st.SearchStrategy[str] = label_names


@dataclass(frozen=True)
class Compared:
    """What is compared: all that is drawn, with these exceptions."""

    order: bool = True  # of declared labels
    unused: bool = True  # labels that are declared only
    size: bool = True
    tolerance: float = 1e-3  # in pixels
    place: Callable[[ImageRecord], str] = field(default=lambda image: image.path)


@st.composite
def datasets(draw: st.DrawFn, drawn: Drawn, base: Path = Path()) -> Dataset:
    """A dataset with nothing but what the format carries."""
    names = st.lists(drawn.labels, min_size=1, max_size=4, unique=True)
    labels = {name: draw(names) for name in drawn.sets}
    alike = (lambda path: path.rpartition(".")[0].lower()) if drawn.stems else str.lower
    paths = draw(st.lists(drawn.paths, max_size=4, unique_by=alike))
    images = [draw(records(drawn, path, labels)) for path in paths]
    used = declared(images)
    sets = {
        name: DeclaredSet(tuple(some), used[name].exclusive if name in used else True)
        for name, some in labels.items()
    }
    return Dataset(base, images, sets=sets)


@st.composite
def records(
    draw: st.DrawFn, drawn: Drawn, path: str, labels: dict[str, list[str]]
) -> ImageRecord:  # fmt: skip
    """An image with labels of `labels`, boxes and a part."""
    sides = st.integers(4, drawn.largest)
    width, height = draw(sides), draw(sides)
    given = draw(given_labels(drawn, labels)) if drawn.image_labels else ()
    regions = []
    if Carry.BOXES in drawn.carries:
        own = {name: labels[name] for name in drawn.region_sets or drawn.sets}
        for box in draw(st.lists(boxes(width, height), max_size=3, unique=True)):
            least = not drawn.bare_boxes
            inner = draw(given_labels(drawn, own, least))
            points = ()
            if Carry.POINTS in drawn.carries:
                point = st.tuples(st.integers(1, width), st.integers(1, height))
                points = tuple(draw(st.lists(point, max_size=3, unique=True)))
                if drawn.gaps and points and draw(st.booleans()):
                    points = (MISSING_POINT, *points)
            regions.append(Region(box, inner, points))
    part = None
    if Carry.PARTS in drawn.carries:
        part = draw(st.sampled_from([*PARTS, None]))
    return ImageRecord(path, given, part, tuple(regions), width=width, height=height)


@st.composite
def given_labels(
    draw: st.DrawFn, drawn: Drawn, labels: dict[str, list[str]], least: bool = False
) -> tuple[GivenLabel, ...]:
    """Labels of an image or box; `least` one of the first set."""
    found = []
    for name, some in labels.items():
        first = name == next(iter(labels))
        most = len(some) if Carry.SEVERAL in drawn.carries and first else 1
        for label in draw(
            st.lists(
                st.sampled_from(some),
                min_size=int(least and first),
                max_size=most,
                unique=True,
            )
        ):
            confidence = 1.0
            if Carry.CONFIDENCE in drawn.carries and name in drawn.confident_sets:
                confidence = draw(st.sampled_from([1.0, 0.5, 0.0, 0.123456]))
            found.append(GivenLabel(name, label, confidence=confidence))
    return tuple(found)


def boxes(width: int, height: int) -> st.SearchStrategy[tuple[float, float, float, float]]:
    """Boxes of whole pixels inside of an image."""

    def edges(size: int) -> st.SearchStrategy[tuple[int, int]]:
        pair = st.lists(st.integers(0, size), min_size=2, max_size=2, unique=True)
        return pair.map(sorted).map(tuple)

    pairs = st.tuples(edges(width), edges(height))
    return pairs.map(lambda pair: (pair[0][0], pair[1][0], pair[0][1], pair[1][1]))


def read_dataset(name: str, path: Path, options: ReadOptions | None = None) -> Dataset:
    """Read a dataset, without the heartbeats."""
    reading = FORMATS[name].read(path, options or ReadOptions())
    while True:
        try:
            next(reading)
        except StopIteration as stop:
            return stop.value


def write_files(
    folder: Path, files: Mapping[str, str | bytes | list[Any] | dict[str, Any]]
) -> Path:
    """Write files by relative path, lists and mappings as JSON; returns the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content) if isinstance(content, list | dict) else content
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def by_path(dataset: Dataset) -> dict[str, ImageRecord]:
    """The records by path, which differ."""
    found = {image.path: image for image in dataset.images}
    assert len(found) == len(dataset.images)
    return found


def given_pairs(labels: Collection[GivenLabel]) -> list[tuple[str, str]]:
    """Set and name of each label."""
    return [(one.set, one.label) for one in labels]


def rejects(dataset: Dataset) -> list[tuple[str, str]]:
    """Places and reasons of rejected entries."""
    return [(one.path, one.reason) for one in dataset.rejected]


def differences(written: Dataset, read: Dataset, compared: Compared | None = None) -> list[str]:
    """What differs between a dataset and what was read back, for people."""
    how = compared or Compared()
    before = {how.place(image): image for image in written.images}
    after = _by_path(read.images)
    found = [f"rejected: {one.path}: {one.reason}" for one in read.rejected]
    if set(before) != set(after):
        found.append(f"paths: {sorted(before)} != {sorted(after)}")
    for path in set(before) & set(after):
        found += [f"{path}: {one}" for one in _image_differences(before[path], after[path], how)]
    return found + _set_differences(written, read, how)


def _by_path(images: list[ImageRecord]) -> dict[str, list[ImageRecord]]:
    found: dict[str, list[ImageRecord]] = {}
    for image in images:
        found.setdefault(image.path, []).append(image)
    return found


def _image_differences(before: ImageRecord, after: list[ImageRecord], how: Compared) -> list[str]:
    found = []
    labels = [one for image in after for one in image.labels]
    if _labels(before.labels) != _labels(labels):
        found.append(f"labels: {_labels(before.labels)} != {_labels(labels)}")
    if {image.part for image in after} != {before.part}:
        found.append(f"part: {before.part} != {[image.part for image in after]}")
    sizes = {(image.width, image.height) for image in after}
    if how.size and sizes != {(before.width, before.height)}:
        found.append(f"size: {before.width} x {before.height} != {sizes}")
    size = before.width, before.height
    regions = [one.in_pixels(*size) for image in after for one in image.regions]
    regions.sort(key=lambda one: [round(value, 2) for value in one.box])
    mine = sorted(before.regions, key=lambda one: one.box)
    alike = [_alike(one, other, how) for one, other in zip(mine, regions, strict=False)]
    if len(mine) != len(regions) or not all(alike):
        found.append(f"regions: {mine} != {regions}")
    return found


def _alike(one: Region, other: Region, how: Compared) -> bool:
    numbers = [*one.box, *(value for point in one.points for value in point)]
    others = [*other.box, *(value for point in other.points for value in point)]
    return (
        _labels(one.labels) == _labels(other.labels)
        and len(numbers) == len(others)
        and all(abs(a - b) <= how.tolerance for a, b in zip(numbers, others, strict=True))
    )


def _labels(labels: Collection[GivenLabel]) -> list[tuple[str, str, float]]:
    return sorted({(one.set, one.label, round(one.confidence, 9)) for one in labels})


def _set_differences(written: Dataset, read: Dataset, how: Compared) -> list[str]:
    found = []
    used = declared(written.images)
    for name, before in written.sets.items():
        after = read.sets.get(name, DeclaredSet())
        wanted = before.labels if how.unused else used.get(name, DeclaredSet()).labels
        same = wanted == after.labels if how.order else set(wanted) == set(after.labels)
        if not same:
            found.append(f"labels of {name!r}: {wanted} != {after.labels}")
        if before.exclusive != after.exclusive:
            found.append(f"exclusive {name!r}: {before.exclusive} != {after.exclusive}")
    if extra := set(read.sets) - set(written.sets) - {MAIN_SET}:
        found.append(f"sets: {sorted(extra)}")
    return found
