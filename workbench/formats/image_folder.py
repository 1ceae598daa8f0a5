"""Hugging Face's ImageFolder: images with `metadata.jsonl` or `metadata.csv` beside or above them.

Each row has a `file_name`, relative to the file with the row; every other column is a label set.
The column `label` is the main one. `objects` holds boxes as {"bbox": [[x, y, width, height], …],
"categories": [label, …]}, in CSV as JSON. Folders called train, validation, test and so on are the
parts of a split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec.structs import replace

from workbench.domain.datasets import (
    MAIN_SET,
    Carry,
    Dataset,
    GivenLabel,
    ImageRecord,
    Region,
    declared,
)
from workbench.domain.part_words import NO_WORDS, Given, is_unclear, part_named
from workbench.domain.splits import PARTS, Part
from workbench.domain.text import Message, counted, mark
from workbench.formats.base import (
    AS_IT_IS,
    FORMATS,
    DatasetFormat,
    Reading,
    ReadOptions,
    WriteOptions,
)
from workbench.formats.csv_rows import read_table
from workbench.formats.image_paths import first_entries
from workbench.formats.published import (
    Box,
    box_of,
    labels_in,
    losses,
    number,
    read_rows,
    writable_images,
    write_lines,
)

JSON_LINES, TABLE = "metadata.jsonl", "metadata.csv"
MAIN_COLUMN = "label"
DEPTH = 3  # levels of folders where metadata files are looked for
_ORDER: dict[Part | None, int] = {part: at for at, part in enumerate(PARTS)}  # of metadata files
BETWEEN = ("data", "images")  # folders that may lie between the dataset and its parts


class ImageFolder(DatasetFormat):
    """Folders with metadata.jsonl or metadata.csv."""

    name = "imagefolder"
    title = mark("Hugging Face ImageFolder")
    about = mark(
        "Folders with metadata.csv or metadata.jsonl, whose columns are label sets. Folders called"
        " train, validation and test name the parts of a split."
    )
    carries = frozenset({Carry.LABELS, Carry.LABEL_SETS, Carry.SEVERAL, Carry.PARTS, Carry.BOXES})

    def recognises(self, path: Path) -> bool:
        return any(True for _ in _metadata_files(path))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path, encoding=options.encoding)
        columns: dict[str, bool] = {}
        for file in _metadata_files(path, options.parts):
            folder = file.parent.relative_to(path).as_posix()
            rows = _MetadataRows(
                dataset, "" if folder == "." else f"{folder}/", file.name, columns, options.parts
            )
            if file.name == JSON_LINES:
                yield from read_rows(dataset, file, rows.add_json)
            else:
                yield from read_table(dataset, file, rows.add)
        dataset.sets = declared(dataset.images, (name for name, label in columns.items() if label))
        if other := [name for name, label in columns.items() if not label]:
            dataset.remarks.append(
                Message("Columns that hold no labels: {names}.", names=", ".join(other))
            )
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = writable_images(dataset, messages)
        rows = _WrittenRows(images, options.label_set)
        files: dict[str, list[str]] = {}
        for image in images:
            folder, place = _divided(self.place(image))
            files.setdefault(folder, []).append(rows.row(image, place))
        for folder, lines in files.items():
            write_lines(path / folder / JSON_LINES, lines)
        messages += losses(images, self.carries, rows.columns, region_labels=True)
        return messages + _further_losses(images, options.label_set)

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        fits = image.part is None or part_of(image.path) is image.part
        return image.path if fits else f"{image.part}/{image.path}"


class _MetadataRows:
    """Adds rows of one metadata file to a dataset."""

    def __init__(
        self, dataset: Dataset, folder: str, file: str, columns: dict[str, bool], parts: Given
    ) -> None:
        self._dataset, self._parts = dataset, parts
        self._folder = folder
        self._file = file
        self._columns = columns  # label sets, and whether all their values are labels

    def add_json(self, line: int, text: str) -> None:
        """Add a line of JSON. Raises ValueError if it is malformed."""
        try:
            values = msgspec.json.decode(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(Message("the line is not JSON")) from error
        if not isinstance(values, dict):
            raise ValueError(Message("the line is not an object of JSON"))
        self.add(line, values)

    def add(self, line: int, values: Mapping[str, Any]) -> None:
        """Add the image of a row. Raises ValueError if it is malformed."""
        name = values.get("file_name")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(Message("the row has no file name"))
        path = self._folder + name.replace("\\", "/").removeprefix("./")
        regions = _regions(values.get("objects"))
        labels = []
        for column, value in values.items():
            if column not in ("file_name", "objects"):
                set_name = MAIN_SET if column == MAIN_COLUMN else column
                labels += [GivenLabel(set_name, text) for text in self._texts(set_name, value)]
        for folder in PurePosixPath(path).parts[:-1]:
            self._dataset.part_named(folder, self._parts)  # reports those that are unclear
        self._dataset.images.append(
            ImageRecord(path, tuple(labels), part_of(path, self._parts), regions, line, self._file)
        )

    def _texts(self, set_name: str, value: Any) -> list[str]:
        """The labels that a value stands for; none for a missing value."""
        values = value if isinstance(value, list) else [value]
        texts = [_text(one) for one in values]
        self._columns[set_name] = None not in texts and self._columns.get(set_name, True)
        return list(dict.fromkeys(text for text in texts if text))


def _text(value: Any) -> str | None:
    """A value as a label: "" if it is missing, None if it is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else None


def _regions(objects: Any) -> tuple[Region, ...]:
    """The boxes of the column `objects`. Raises ValueError if it is malformed."""
    if isinstance(objects, str) and objects.strip():
        try:
            objects = msgspec.json.decode(objects)
        except (ValueError, RecursionError) as error:
            raise ValueError(Message("its objects are not JSON")) from error
    if not objects:
        return ()
    if not isinstance(objects, dict) or not isinstance(objects.get("bbox"), list):
        raise ValueError(Message("its objects have no boxes"))
    boxes = objects["bbox"]
    names = objects.get("categories", objects.get("category"))
    names = names if isinstance(names, list) else [None] * len(boxes)
    if len(names) != len(boxes):
        raise ValueError(Message("its objects have more boxes than categories, or fewer"))
    return tuple(_region(box, name) for box, name in zip(boxes, names, strict=True))


def _region(box: Any, name: Any) -> Region:
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError(Message("a box does not have four numbers"))
    left, top, width, height = (number(str(value)) for value in box)
    label = _text(name)
    labels = (GivenLabel(MAIN_SET, label),) if label else ()
    return Region(box_of(left, top, left + width, top + height), labels)


def part_of(path: str, given: Given = NO_WORDS) -> Part | None:
    """The part of a split that a folder of a path is called after; None if there is none."""
    folders = PurePosixPath(path).parts[:-1]
    parts = (part_named(folder, given) for folder in folders)
    return next((part for part in parts if part), None)


def _metadata_files(root: Path, given: Given = NO_WORDS) -> Iterator[Path]:
    """The metadata files of a folder, of folders called after parts, and of those between."""
    folders = [root]
    for _ in range(DEPTH):
        for folder in folders:
            found = (folder / name for name in (JSON_LINES, TABLE))
            yield from islice((file for file in found if file.is_file()), 1)
        below = (Path(one.path) for folder in folders for one in first_entries(folder))
        named = [one for one in below if _may_have_metadata(one.name, given) and one.is_dir()]
        folders = sorted(
            named, key=lambda one: _ORDER.get(part_named(one.name, given), len(_ORDER))
        )


def _may_have_metadata(name: str, given: Given) -> bool:
    part = name.lower() in given or part_named(name) is not None or is_unclear(name)
    return part or name in BETWEEN


def _divided(place: str) -> tuple[str, str]:
    """The folder of the metadata for an image ("": the dataset's), and the path from there."""
    first, _, rest = place.partition("/")
    return (first, rest) if rest and part_named(first) else ("", place)


class _WrittenRows:
    """Rows with the same columns for all images, as tables of Hugging Face must have."""

    def __init__(self, images: Sequence[ImageRecord], label_set: str) -> None:
        sets = declared(replace(image, regions=()) for image in images)
        taken = {"file_name", "objects", *((MAIN_COLUMN,) if MAIN_SET in sets else ())}
        self.columns = {name: one.exclusive for name, one in sets.items() if name not in taken}
        self._boxes = any(image.regions for image in images)
        self._label_set = label_set  # of the boxes

    def row(self, image: ImageRecord, place: str) -> str:
        """The line of an image whose file is called `place`."""
        row: dict[str, Any] = {"file_name": place}
        for name, exclusive in self.columns.items():
            labels = labels_in(image.labels, name)
            row[name or MAIN_COLUMN] = next(iter(labels), None) if exclusive else labels
        if self._boxes:
            names = (labels_in(one.labels, self._label_set) for one in image.regions)
            row["objects"] = {
                "bbox": [_sizes(one.box) for one in image.regions],
                "categories": [labels[0] if labels else None for labels in names],
            }
        return msgspec.json.encode(row).decode()


def _sizes(box: Box) -> list[float]:
    left, top, right, bottom = box
    return [round(value, 3) for value in (left, top, right - left, bottom - top)]


def _further_losses(images: Sequence[ImageRecord], label_set: str) -> list[Message]:
    regions = [region for image in images for region in image.regions]
    lost = sum(len(one.labels) - bool(labels_in(one.labels, label_set)) for one in regions)
    messages = []
    if lost:
        messages.append(
            counted(
                lost,
                "{n:,} label of a box is not written.",
                "{n:,} labels of boxes are not written.",
            )
        )
    without = sum(image.part is None and part_of(image.path) is not None for image in images)
    if without:
        messages.append(
            counted(
                without,
                "{n:,} image has no part, but lies in a folder that is called after one.",
                "{n:,} images have no part, but lie in a folder that is called after one.",
            )
        )
    return messages


FORMATS.register(ImageFolder())
