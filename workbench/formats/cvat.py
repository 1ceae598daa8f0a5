"""CVAT for images 1.1: an XML file with tags, boxes and points of all images.

As in docs.cvat.ai/docs/dataset_management/formats/format-cvat. Attributes are labels of further
sets; the subset of an image is its part.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from workbench.domain.datasets import (
    MAIN_SET,
    MISSING_POINT,
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.errors import reason_of
from workbench.domain.part_words import Given
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark
from workbench.formats.annotations import (
    HEARTBEAT,
    Box,
    Gathering,
    ImageNotes,
    Limits,
    Prepared,
    box_around,
    box_of,
    labels_in,
    prepared,
)
from workbench.formats.base import (
    AS_IT_IS,
    FORMATS,
    DatasetFormat,
    Reading,
    ReadOptions,
    WriteOptions,
)
from workbench.formats.image_paths import IMAGES, folder_of_images, inside
from workbench.formats.json_files import not_of_format
from workbench.formats.landmarks import (
    Point,
    without_last_gaps,
)
from workbench.formats.xml_files import add, has_root, opening_text, read_xml, text_of, write_xml

TITLE = "CVAT"
NO_LABEL = "(none)"  # CVAT needs a label; this one stands for none
_UNDEFINED = "__undefined__"  # CVAT: the attribute has no value
_SUBSETS = {Part.TRAIN: "Train", Part.VALIDATION: "Validation", Part.TEST: "Test"}
_BOX_EDGES = ("xtl", "ytl", "xbr", "ybr")
_OUTLINES = ("polygon", "polyline")
_LISTED = ("select", "radio")  # kinds of attributes whose values are declared
_NO_LABELS = ("number",)  # kinds of attributes that are no labels


class Cvat(DatasetFormat):
    """CVAT for images 1.1."""

    name = "cvat"
    title = mark("CVAT for images")
    about = mark(
        "One XML file, as CVAT exports it for images: labels, boxes, points, parts, and attributes,"
        " which are labels of further sets."
    )
    endings = (".xml",)
    carries = frozenset(
        {Carry.LABELS, Carry.LABEL_SETS, Carry.SEVERAL, Carry.PARTS, Carry.BOXES, Carry.POINTS}
    )

    def recognises(self, path: Path) -> bool:
        """Whether the root element is that of CVAT."""
        return path.suffix.lower() == ".xml" and has_root(opening_text(path), "annotations")

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read a file; its images are below its folder."""
        root = read_xml(path, "annotations", TITLE)
        if root.find("image") is None and root.find("track") is not None:
            raise not_of_format(path, Cvat.title)  # it is of a video
        yield
        reader = _CvatReader(path.name, options.base or path.parent, options.parts)
        reader.read_labels(root)
        drafts = yield from reader.read_images(root)
        reader.locate(drafts)
        return (yield from reader.gathering.finished(drafts, fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write a file; boxes with landmarks are groups of a box and points."""
        limits = Limits(self.carries, bare_boxes=True)
        ready = prepared(dataset, options.label_set, limits)
        write_xml(path, _annotations(ready))
        return ready.messages

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        """Images are in the folder `images`."""
        return f"{IMAGES}/{inside(image.path)}"


class _CvatShape(NamedTuple):
    """A box or points; shapes of the same group (not 0) belong together."""

    box: Box
    labels: tuple[GivenLabel, ...]
    points: tuple[Point, ...]
    group: str
    is_box: bool


class _CvatReader:
    """Collects the images of a file."""

    def __init__(self, file: str, base: Path, parts: Given) -> None:
        self._file, self._parts = file, parts
        self.gathering = Gathering(base)
        self.gathering.declare(MAIN_SET)
        self._no_labels: set[str] = set()  # attributes that are numbers

    def read_labels(self, root: Element) -> None:
        """Read the declared labels and values of attributes."""
        for label in root.iterfind("meta/*/labels/label"):
            name = text_of(label, "name")
            if name and name != NO_LABEL and not text_of(label, "parent"):
                self.gathering.declare(MAIN_SET, [name])
                if text_of(label, "type") == "tag":
                    self.gathering.of_images.add(name)
            for attribute in label.iterfind("attributes/attribute"):
                self._read_attribute(attribute)

    def _read_attribute(self, attribute: Element) -> None:
        name, kind = text_of(attribute, "name"), text_of(attribute, "input_type")
        if kind in _NO_LABELS:
            self._no_labels.add(name)
        elif name and kind in _LISTED:
            values = text_of(attribute, "values").split("\n")
            values = [value.strip() for value in values]
            labels = [value for value in values if value and value != _UNDEFINED]
            self.gathering.declare(name, labels)

    def read_images(self, root: Element) -> Generator[None, None, list[ImageNotes]]:
        """Read all images."""
        drafts = []
        for number, image in enumerate(root.iter("image"), start=1):
            if number % HEARTBEAT == 0:
                yield
            try:
                draft = ImageNotes(self.gathering.path(image.get("name", "")), line=number)
                draft.width = int(_number(image, "width", "0"))
                draft.height = int(_number(image, "height", "0"))
            except ValueError as error:
                self.gathering.reject(self._file, number, reason_of(error), "image")
                continue
            draft.part = self.gathering.dataset.part_named(image.get("subset", ""), self._parts)
            self._read_shapes(image, draft, number)
            drafts.append(draft)
        return drafts

    def locate(self, drafts: Sequence[ImageNotes]) -> None:
        """Put the folder of the images before their paths: CVAT exports them below `images`, those
        of a project in a folder for each subset."""
        base = self.gathering.dataset.base
        for part in {draft.part for draft in drafts}:
            own = [draft for draft in drafts if draft.part == part]
            subset = _SUBSETS[part] if part else ""
            folders = ["", IMAGES, f"{IMAGES}/{subset}", f"{IMAGES}/{subset.lower()}"]
            folder = folder_of_images(base, [draft.path for draft in own], folders)
            for draft in own if folder else ():
                draft.path = f"{folder}/{draft.path}"

    def _read_shapes(self, image: Element, draft: ImageNotes, number: int) -> None:
        shapes = []
        for entry, shape in enumerate(image, start=1):
            try:
                if shape.tag == "tag":
                    draft.labels += self._labels(shape)
                elif found := self._shape(shape):
                    shapes.append(found)
                else:
                    self.gathering.ignored += 1
            except ValueError as error:
                self.gathering.reject(draft.path, entry, reason_of(error), f"image {number}")
        draft.regions += _grouped(shapes)

    def _labels(self, shape: Element) -> list[GivenLabel]:
        name = (shape.get("label") or "").strip()
        if not name:
            raise ValueError(Message("the label is missing"))
        labels = [] if name == NO_LABEL else [GivenLabel(MAIN_SET, name)]
        for attribute in shape.iterfind("attribute"):
            label_set, value = attribute.get("name", ""), (attribute.text or "").strip()
            if label_set and label_set not in self._no_labels and value not in ("", _UNDEFINED):
                labels.append(GivenLabel(label_set, value))
        return labels

    def _shape(self, shape: Element) -> _CvatShape | None:
        """A box or points; None for another kind of shape. Raises ValueError."""
        group = shape.get("group_id") or "0"
        if shape.tag == "box":
            edges = [_number(shape, edge) for edge in _BOX_EDGES]
            box = _turned(box_of(*edges), _number(shape, "rotation", "0"))
            return _CvatShape(box, tuple(self._labels(shape)), (), group, True)
        if shape.tag in ("points", *_OUTLINES):
            points = _points(shape.get("points", ""))
            self.gathering.outlines += shape.tag in _OUTLINES
        elif shape.tag == "skeleton":
            points = without_last_gaps(
                MISSING_POINT if one.get("outside") == "1" else point
                for one in shape.iterfind("points")
                for point in _points(one.get("points", ""))
            )
        else:
            return None
        labels = tuple(self._labels(shape))
        return _CvatShape(box_around(points), labels, points, group, False)


def _number(element: Element, name: str, default: str = "") -> float:
    try:
        value = float(element.get(name) or default)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(Message("“{field}” is not a number", field=name))
    return value


def _points(text: str) -> tuple[Point, ...]:
    """Points of a text such as "1.5,2;3,4". Raises ValueError."""
    found = []
    for pair in text.split(";"):
        try:
            x, y = map(float, pair.split(","))
        except ValueError as error:
            raise ValueError(Message("“{text}” is not a point", text=pair)) from error
        found.append((x, y))
    return tuple(found)


def _turned(box: Box, degrees: float) -> Box:
    """The box around a box that is turned by an angle about its centre."""
    if degrees % 180 == 0:
        return box
    left, top, right, bottom = box
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    width = ((right - left) * cos + (bottom - top) * sin) / 2
    height = ((right - left) * sin + (bottom - top) * cos) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - width, y - height, x + width, y + height


def _grouped(shapes: Sequence[_CvatShape]) -> list[Region]:
    """Regions of the shapes; points become landmarks of the box of their group."""
    boxes: dict[str, list[_CvatShape]] = {}
    for shape in shapes:
        if shape.is_box and shape.group != "0":
            boxes.setdefault(shape.group, []).append(shape)
    inner: dict[str, tuple[Point, ...]] = {}
    regions = []
    for shape in shapes:
        if not shape.is_box and shape.group in boxes:
            inner[shape.group] = inner.get(shape.group, ()) + shape.points
    for shape in shapes:
        if shape.is_box:
            regions.append(Region(shape.box, shape.labels, inner.get(shape.group, ())))
        elif shape.group not in boxes:
            regions.append(Region(shape.box, shape.labels, shape.points))
    return regions


# writing


def _annotations(ready: Prepared) -> Element:
    root = Element("annotations")
    add(root, "version", "1.1")
    subsets = dict.fromkeys(_subset(image) for image in ready.images)
    # Only the images of projects have subsets; each one is that of a task.
    kind = "project" if any(subsets) else "task"
    meta = add(add(root, "meta"), kind)
    add(meta, "name", "Vantage Workbench")
    for subset in subsets if kind == "project" else ():
        add(add(add(meta, "tasks"), "task"), "subset", subset)
    labels = add(meta, "labels")
    names = [*ready.labels, *([NO_LABEL] if _needs_no_label(ready.images) else [])]
    for name in names:
        _declare(labels, name, ready.sets)
    if kind == "project":
        add(meta, "subsets", "\n".join(subsets))
    groups = count(1)
    for number, image in enumerate(ready.images):
        _add_image(root, number, image, groups)
    return root


def _subset(image: ImageRecord) -> str:
    return _SUBSETS[image.part] if image.part else ""


def _needs_no_label(images: Iterable[ImageRecord]) -> bool:
    """Whether a box, or an image with labels of other sets, has no label of the main set."""
    for image in images:
        given = [region.labels for region in image.regions]
        if image.labels:
            given.append(image.labels)
        if not all(labels_in(labels) for labels in given):
            return True
    return False


def _declare(labels: Element, name: str, sets: Mapping[str, DeclaredSet]) -> None:
    label = add(labels, "label")
    add(label, "name", name)
    add(label, "type", "any")
    attributes = add(label, "attributes")
    for label_set, known in sets.items():
        attribute = add(attributes, "attribute")
        add(attribute, "name", label_set)
        add(attribute, "mutable", "False")
        add(attribute, "input_type", "select")
        add(attribute, "default_value", _UNDEFINED)
        add(attribute, "values", "\n".join([_UNDEFINED, *known.labels]))


def _add_image(root: Element, number: int, image: ImageRecord, groups: Iterable[int]) -> None:
    own: dict[str, Any] = {"id": number, "name": image.path}
    if image.part:
        own["subset"] = _subset(image)
    element = add(root, "image", **own, width=image.width, height=image.height)
    for label in _main_labels(image.labels) if image.labels else ():
        _add_attributes(add(element, "tag", label=label, source="manual"), image.labels)
    for region in image.regions:
        _add_region(element, region, groups)


def _add_region(element: Element, region: Region, groups: Iterable[int]) -> None:
    edges = dict(zip(_BOX_EDGES, region.box, strict=True))
    group = {"group_id": next(iter(groups))} if region.points else {}
    for label in _main_labels(region.labels):
        own: dict[str, Any] = {"label": label, "source": "manual", "occluded": 0}
        box = add(element, "box", **own, **edges, z_order=0, **group)
        _add_attributes(box, region.labels)
    if region.points:
        text = ";".join(f"{x},{y}" for x, y in region.points)
        label = _main_labels(region.labels)[0]
        add(element, "points", label=label, source="manual", occluded=0, points=text, **group)


def _main_labels(labels: Iterable[GivenLabel]) -> list[str]:
    return [one.label for one in labels_in(labels)] or [NO_LABEL]


def _add_attributes(element: Element, labels: Iterable[GivenLabel]) -> None:
    for one in labels:
        if one.set != MAIN_SET:
            add(element, "attribute", one.label, name=one.set)


FORMATS.register(Cvat())
