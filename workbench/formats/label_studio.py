"""Label Studio: a JSON export of tasks with their annotations, and its short form JSON-MIN.

As in labelstud.io/guide/export. Boxes are in percent. Each control of the labelling interface is a
label set, and each annotation of a task a record of its own, with the person who completed it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from workbench.domain.datasets import Carry, Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.part_words import Given
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted, mark
from workbench.formats.annotations import (
    HEARTBEAT,
    Box,
    Gathering,
    ImageNotes,
    Limits,
    box_around,
    box_of,
    prepared,
    text_label,
)
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.image_paths import is_image
from workbench.formats.json_files import (
    decoded_entries,
    opening_keys,
    plain_reason,
    read_json,
    write_json,
)
from workbench.formats.landmarks import (
    Point,
)

TITLE = "Label Studio"
IMAGE = "image"  # the field of a task, and the name of the control that shows it
_SIGNS = frozenset({"[].annotations[].result", "[].completions[].result", "[].data.image"})
_TASK_KEYS = frozenset({"[].annotations", "[].completions", "[].predictions"})
_SHORT_KEYS = frozenset({"[].annotation_id", "[].annotator", "[].lead_time"})
_NOT_LABELS = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
)  # fields of a task of JSON-MIN
_PART_FIELDS = ("part", "split", "subset")


class _TaskMeta(msgspec.Struct):
    label_sets: dict[str, list[str]] = {}  # our own: labels of all sets, in order


class _TaskAnnotation(msgspec.Struct):
    result: list[msgspec.Raw] = []
    completed_by: Any = None
    was_cancelled: bool | None = False


class _Task(msgspec.Struct):
    data: dict[str, Any]
    annotations: list[_TaskAnnotation] | None = None
    completions: list[_TaskAnnotation] | None = None
    predictions: list[msgspec.Raw] | None = None
    meta: msgspec.Raw = msgspec.Raw()


class _TaskResult(msgspec.Struct):
    type: str
    value: dict[str, Any]
    from_name: str = ""
    id: str = ""
    parent: str | None = msgspec.field(default=None, name="parentID")
    original_width: float | None = None
    original_height: float | None = None


class LabelStudio(DatasetFormat):
    """Label Studio."""

    name = "label-studio"
    title = TITLE
    about = mark(
        "An export of Label Studio as JSON or JSON-MIN: choices, boxes and key points. Each control"
        " is a label set; predictions are ignored."
    )
    endings = (".json",)
    carries = frozenset(
        {Carry.LABELS, Carry.LABEL_SETS, Carry.SEVERAL, Carry.PARTS, Carry.BOXES, Carry.POINTS}
    )

    def recognises(self, path: Path) -> bool:
        """Whether the first keys of a JSON file are those of tasks."""
        if path.suffix.lower() != ".json":
            return False
        keys = opening_keys(path)
        full = bool(keys & _SIGNS) or ("[].data" in keys and bool(keys & _TASK_KEYS))
        return full or len(keys & _SHORT_KEYS) > 1

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read an export; its images are below its folder."""
        gathering = Gathering(options.base or path.parent)
        tasks = read_json(path, list[msgspec.Raw], TITLE, gathering.dataset, options.encoding)
        yield
        reader = _TaskReader(gathering, path.name, options.parts)
        yield from reader.read(tasks)
        return (yield from reader.finished(fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write tasks with annotations, as Label Studio imports them."""
        limits = Limits(self.carries, relative=True, bare_boxes=True)
        ready = prepared(dataset, options.label_set, limits)
        main = ready.main or "label"
        named = {main: DeclaredSet(ready.labels), **ready.sets}
        sets = {name: list(known.labels) for name, known in named.items()}
        tasks = [
            _task_of(number, image, main, sets if number == 1 else {})
            for number, image in enumerate(ready.images, start=1)
        ]
        write_json(path, tasks)
        return ready.messages


# reading


@dataclass
class _TaskReader:
    """Collects the tasks of a file."""

    gathering: Gathering
    file: str
    parts: Given
    drafts: list[ImageNotes] = field(default_factory=list)
    predictions: int = 0
    cancelled: int = 0

    def _part_in(self, data: Mapping[str, Any]) -> Part | None:
        words = (data.get(name) for name in _PART_FIELDS)
        named = self.gathering.dataset.part_named
        found = (named(word, self.parts) for word in words if isinstance(word, str))
        return next((part for part in found if part), None)

    def read(self, tasks: Sequence[msgspec.Raw]) -> Generator[None, None, None]:
        """Read all tasks; those that are malformed are rejected."""
        reject = self.gathering.rejecting(self.file)
        for number, entry in decoded_entries(tasks, dict[str, msgspec.Raw], reject):
            if number % HEARTBEAT == 0:
                yield
            try:
                if "data" in entry:
                    self._read_task(msgspec.json.decode(tasks[number - 1], type=_Task), number)
                else:
                    self._read_short(msgspec.json.decode(tasks[number - 1]), number)
            except (ValueError, msgspec.DecodeError) as error:
                reject(number, plain_reason(error))

    def _read_task(self, task: _Task, number: int) -> None:
        path = self.gathering.path(_image_in(task.data))
        part = self._part_in(task.data)
        if task.meta:
            self._declare(task.meta)
        self.predictions += len(task.predictions or ())
        given = task.annotations or task.completions or ()
        used = [one for one in given if not one.was_cancelled]
        self.cancelled += len(given) - len(used)
        for one in used:
            draft = ImageNotes(path, part, number)
            reject = self.gathering.rejecting(self.file, f"result {number}")
            results = [result for _, result in decoded_entries(one.result, _TaskResult, reject)]
            self._read_results(draft, results, _person(one.completed_by))
            self.drafts.append(draft)
        if not used:
            self.drafts.append(ImageNotes(path, part, number))

    def _declare(self, meta: msgspec.Raw) -> None:
        try:
            known = msgspec.json.decode(meta, type=_TaskMeta)
        except msgspec.DecodeError:
            return  # of another program
        for name, labels in known.label_sets.items():
            self.gathering.declare(name, labels)

    def _read_short(self, task: Mapping[str, Any], number: int) -> None:
        """Read a task of JSON-MIN: its fields have the names of controls."""
        written = _image_in(task)
        draft = ImageNotes(self.gathering.path(written), self._part_in(task), number)
        results: list[_TaskResult] = []
        for name, value in task.items():
            if name not in _NOT_LABELS and name not in _PART_FIELDS and value != written:
                results += _short_results(name, value)
        self._read_results(draft, results, _person(task.get("annotator")))
        self.drafts.append(draft)

    def _read_results(self, draft: ImageNotes, results: Sequence[_TaskResult], person: str) -> None:
        """Add labels and boxes; results with the same id are about the same box."""
        boxes: dict[str, _Marked] = {}
        for number, result in enumerate(results):
            labels = list(_labels_of(result, person))
            outline = _is_placed(result.value)
            marked = boxes.get(result.id) if result.id else None
            if outline and marked is None:
                marked = boxes[result.id or f" {number}"] = _Marked(result)
            if marked is not None:
                marked.labels += labels
            elif labels and not outline:
                draft.labels += labels
            else:
                self.gathering.ignored += 1
        self._add_regions(draft, boxes)

    def _add_regions(self, draft: ImageNotes, boxes: Mapping[str, _Marked]) -> None:
        """Add all regions; key points become landmarks of the box that they were put into."""
        inner = {
            own: boxes[marked.result.parent or ""]
            for own, marked in boxes.items()
            if marked.is_point and (marked.result.parent or "") in boxes
        }
        for own, parent in inner.items():
            parent.points += boxes[own].corners()
        for own, marked in boxes.items():
            if own not in inner:
                draft.regions.append(marked.region())
                self.gathering.outlines += marked.is_outline

    def finished(self, fixed: bool) -> Reading:
        """The dataset, with remarks on what is ignored."""
        dataset = yield from self.gathering.finished(self.drafts, fixed=fixed)
        if self.predictions:
            dataset.remarks.append(
                counted(
                    self.predictions,
                    "{n:,} prediction is ignored.",
                    "{n:,} predictions are ignored.",
                )
            )
        if self.cancelled:
            dataset.remarks.append(
                counted(
                    self.cancelled,
                    "{n:,} annotation is ignored: it was skipped in Label Studio.",
                    "{n:,} annotations are ignored: they were skipped in Label Studio.",
                )
            )
        return dataset


@dataclass
class _Marked:
    """A box, point or outline with the labels of all results that have its id."""

    result: _TaskResult
    labels: list[GivenLabel] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    @property
    def is_point(self) -> bool:
        return self.result.type.startswith("keypoint")

    @property
    def is_outline(self) -> bool:
        return isinstance(self.result.value.get("points"), list)

    def corners(self) -> list[Point]:
        """The point itself, or the corners of the outline, in fractions."""
        value = self.result.value
        if self.is_outline:
            return [_corner(one) for one in value["points"]]
        return [(_fraction(value.get("x")), _fraction(value.get("y")))]

    def region(self) -> Region:
        """The region. Raises ValueError if a number is missing or the box is empty."""
        if self.is_point or self.is_outline:
            corners = self.corners()
            size = self.result.original_width or 1000, self.result.original_height or 1000
            box = box_around(corners, (1 / size[0], 1 / size[1]))
            return Region(box, tuple(self.labels), tuple(corners), relative=True)
        box = _box(self.result)
        return Region(box, tuple(self.labels), tuple(self.points), relative=True)


def _is_placed(value: Mapping[str, Any]) -> bool:
    """Whether a value has a box, a point or an outline."""
    return ("x" in value and "y" in value) or "points" in value


def _fraction(percent: Any) -> float:
    """A fraction of a percentage. Raises ValueError for anything but a number."""
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        raise ValueError(Message("a coordinate is not a number"))
    return percent / 100


def _corner(point: Any) -> Point:
    """A point of an outline, in fractions. Raises ValueError."""
    if not isinstance(point, list) or len(point) != 2:
        raise ValueError(Message("a coordinate of a point is missing"))
    return _fraction(point[0]), _fraction(point[1])


def _box(result: _TaskResult) -> Box:
    """The box around a rectangle or ellipse, in fractions; rectangles turn about their corner."""
    value = result.value
    x, y = _fraction(value.get("x")), _fraction(value.get("y"))
    if "radiusX" in value:
        across, down = _fraction(value["radiusX"]), _fraction(value.get("radiusY"))
        return box_of(x - across, y - down, x + across, y + down)
    width, height = _fraction(value.get("width")), _fraction(value.get("height"))
    degrees = value.get("rotation") or 0
    if not isinstance(degrees, int | float) or not degrees:
        return box_of(x, y, x + width, y + height)
    ratio = (result.original_height or 1) / (result.original_width or 1)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [
        (x + across * cos - down * ratio * sin, y + across / ratio * sin + down * cos)
        for across, down in ((0, 0), (width, 0), (0, height), (width, height))
    ]
    return box_around(corners)


def _labels_of(result: _TaskResult, person: str) -> Iterator[GivenLabel]:
    """The labels of a result: choices, or labels of a box. Raises ValueError."""
    key = result.type
    names = result.value.get(key)
    if key != "choices" and not key.endswith("labels"):
        return
    if names is None:
        names = []
    if not isinstance(names, list):
        raise ValueError(Message("the labels are not a list"))
    for name in names:
        yield GivenLabel(result.from_name, text_label(name), annotator=person)


def _short_results(name: str, value: Any) -> Iterator[_TaskResult]:
    """Results of a field of JSON-MIN: a choice, several choices, or boxes."""
    if isinstance(value, str):
        if not is_image(value):
            yield _TaskResult("choices", {"choices": [value]}, name)
    elif isinstance(value, dict) and "choices" in value:
        yield _TaskResult("choices", value, name)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, dict):
                kind = next((key for key in one if key.endswith("labels")), "")
                own = {**one, "type": kind, "value": one, "from_name": name}
                yield msgspec.convert(own, _TaskResult)


def _image_in(data: Mapping[str, Any]) -> str:
    """The path of a task's image: its field `image`, or the first one with the path of an image."""
    if isinstance(named := data.get(IMAGE), str):
        return named
    texts = [value for value in data.values() if isinstance(value, str)]
    return next((text for text in texts if is_image(text.split("?d=")[-1].split("?")[0])), "")


def _person(given: Any) -> str:
    """The person who completed an annotation: the address or number."""
    if isinstance(given, dict):
        given = given.get("email") or given.get("username") or given.get("id")
    return "" if given is None or isinstance(given, bool | list | dict) else str(given)


# writing


def _task_of(
    number: int, image: ImageRecord, main: str, sets: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    data = {IMAGE: image.path} | ({"part": image.part} if image.part else {})
    people = dict.fromkeys(one.annotator for labels in _all_labels(image) for one in labels)
    annotations = [_annotation(image, person, main) for person in people or [""]]
    task: dict[str, Any] = {"id": number, "data": data, "annotations": annotations}
    if not image.labels and not image.regions:
        task["annotations"] = []
    return task | ({"meta": {"label_sets": sets}} if sets else {})


def _all_labels(image: ImageRecord) -> Iterable[tuple[GivenLabel, ...]]:
    return (image.labels, *(region.labels for region in image.regions))


def _annotation(image: ImageRecord, person: str, main: str) -> dict[str, Any]:
    """What one person said about an image; boxes without labels are those of nobody."""
    results = list(_choices(image.labels, person, main, {}))
    for number, region in enumerate(image.regions, start=1):
        mine = any(one.annotator == person for one in region.labels)
        if mine or not (person or region.labels):
            results += _region_results(image, region, person, main, f"box{number}")
    return {"result": results, "was_cancelled": False} | (
        {"completed_by": person} if person else {}
    )


def _choices(
    labels: Iterable[GivenLabel], person: str, main: str, own: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """A result for each set with labels by one person; `own` are further fields."""
    chosen: dict[str, list[str]] = {}
    for one in labels:
        if one.annotator == person:
            chosen.setdefault(one.set or main, []).append(one.label)
    for name, choices in chosen.items():
        value = {**own.get("value", {}), "choices": choices}
        yield {"type": "choices", "from_name": name, "to_name": IMAGE, **own, "value": value}


def _region_results(
    image: ImageRecord, region: Region, person: str, main: str, box: str
) -> Iterator[dict[str, Any]]:
    left, top, right, bottom = (100 * value for value in region.box)
    value = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}
    size = {"original_width": image.width, "original_height": image.height, "image_rotation": 0}
    own = {"id": box, **size}
    shared = {"to_name": IMAGE, **own}
    labels = [one.label for one in region.labels if not one.set and one.annotator == person]
    if labels:
        named = value | {"rectanglelabels": labels}
        yield {"type": "rectanglelabels", "from_name": main, **shared, "value": named}
    else:
        yield {"type": "rectangle", "from_name": "box", **shared, "value": value}
    others = [one for one in region.labels if one.set]
    yield from _choices(others, person, main, {**own, "value": value})
    for number, (x, y) in enumerate(region.points, start=1):
        point = {"x": 100 * x, "y": 100 * y, "width": 0.5}
        yield {
            "type": "keypoint",
            "from_name": "landmarks",
            **shared,
            "id": f"{box}point{number}",
            "parentID": box,
            "value": point,
        }


FORMATS.register(LabelStudio())
