"""LabelMe: a JSON file beside each image, with flags of the image and shapes.

As github.com/wkentaro/labelme writes it: flags that are set label the whole image; points belong to
the rectangle with the same `group_id`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError, reason_of
from workbench.domain.images import SkippedFile
from workbench.domain.text import Message, mark
from workbench.files import read_regular, write_whole
from workbench.formats.annotations import (
    HEARTBEAT,
    Box,
    Gathering,
    ImageNotes,
    Limits,
    attribute_labels,
    box_around,
    labels_in,
    prepared,
)
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.image_paths import DEEP, glimpsed, is_absolute, is_foreign, stems
from workbench.formats.json_files import (
    decoded_entries,
    not_of_format,
    opening_keys,
    plain_reason,
    read_json,
    write_json,
)
from workbench.formats.landmarks import (
    Point,
)

TITLE = "LabelMe"
VERSION = "5.5.0"  # of LabelMe, whose files these are
FLAGS = "flags.txt"  # labels of images, as LabelMe is started with
LABELS = "labels.txt"  # labels of shapes
_OWN = frozenset({"shapes", "imagePath", "imageData"})
_SIGNS = _OWN | {"version", "flags", "imageHeight", "imageWidth"}
_TRIED = 20  # files that are looked at when a folder is recognised
_OUTLINES = ("polygon", "line", "linestrip")
_NO_LABELS = ("__ignore__", "_background_")  # which LabelMe's label files begin with


class _LabelMeFile(msgspec.Struct):
    imagePath: str  # noqa: N815 (as LabelMe writes it)
    shapes: list[msgspec.Raw] = []
    flags: dict[str, Any] | None = None
    imageHeight: float | None = None  # noqa: N815
    imageWidth: float | None = None  # noqa: N815


class _LabelMeShape(msgspec.Struct):
    label: str | int
    points: list[tuple[float, float]]
    shape_type: str | None = "polygon"
    group_id: int | None = None
    flags: dict[str, Any] | None = None


class LabelMe(DatasetFormat):
    """LabelMe."""

    name = "labelme"
    title = TITLE
    about = mark(
        "A folder with a JSON file for each image, as LabelMe writes it. Flags that are set label"
        " the whole image."
    )
    carries = frozenset({Carry.LABELS, Carry.SEVERAL, Carry.BOXES, Carry.POINTS})

    def recognises(self, path: Path) -> bool:
        """Whether the folder has files of LabelMe, or the file is one."""
        files = [path] if path.suffix.lower() == ".json" else glimpsed(path, ".json", DEEP)
        return any(_is_labelme(file) for file in islice(files, _TRIED))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read the JSON files of a folder and those below it, or a single one."""
        root = path if path.is_dir() else path.parent
        gathering = Gathering(options.base or root)
        gathering.declare(MAIN_SET)
        for name in (FLAGS, LABELS):
            gathering.declare(MAIN_SET, _declared_labels(root / name))
        drafts = yield from _drafts(path, root, gathering, options.encoding)
        if not drafts:
            raise not_of_format(path, TITLE, gathering.dataset.rejected)
        return (yield from gathering.finished(drafts, fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write a file for each image, and flags.txt with the labels in their order."""
        ready = prepared(dataset, options.label_set, Limits(self.carries))
        names = stems([image.path for image in ready.images])
        for image, stem in zip(ready.images, names, strict=True):
            file = path / f"{stem}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, _as_file(image), indent=2)
        lines = "".join(f"{label}\n" for label in ready.labels)
        write_whole(path / FLAGS, lines.encode())
        return ready.messages


def _is_labelme(file: Path) -> bool:
    """Whether a file has two of the keys of LabelMe; its embedded image may hide the others."""
    keys = opening_keys(file)
    return bool(keys & _OWN) and len(keys & _SIGNS) > 1 and "images" not in keys


# reading


def _files(path: Path) -> Iterator[Path]:
    """The JSON files of a dataset, sorted in each folder."""
    try:
        if path.is_file():
            yield from [path] if path.suffix.lower() == ".json" else []
            return
        here = sorted(path.iterdir())
    except OSError:
        return
    for one in here:
        if one.suffix.lower() == ".json" and not is_foreign(one.name) and one.is_file():
            yield one
    for one in here:
        if not is_foreign(one.name) and one.is_dir() and not one.is_symlink():
            yield from _files(one)


def _drafts(
    path: Path, root: Path, gathering: Gathering, encoding: str
) -> Generator[None, None, list[ImageNotes]]:
    drafts = []
    for number, file in enumerate(_files(path), start=1):
        if number % HEARTBEAT == 0:
            yield
        name = file.relative_to(root).as_posix()
        try:
            content = read_json(file, _LabelMeFile, TITLE, gathering.dataset, encoding)
            drafts.append(_draft(content, name, gathering))
        except KnownError as error:
            if path == file:
                raise
            gathering.dataset.rejected.append(SkippedFile(name, reason_of(error)))
        except ValueError as error:
            gathering.dataset.rejected.append(SkippedFile(name, plain_reason(error)))
    return drafts


def _draft(file: _LabelMeFile, name: str, gathering: Gathering) -> ImageNotes:
    written = file.imagePath.replace("\\", "/")
    folder = name.rpartition("/")[0]
    if folder and not is_absolute(written) and "://" not in written:
        written = f"{folder}/{written}"
    draft = ImageNotes(gathering.path(written), file=name)
    draft.width, draft.height = int(file.imageWidth or 0), int(file.imageHeight or 0)
    flags = file.flags or {}
    gathering.declare(MAIN_SET, [flag for flag in flags if flag])
    gathering.of_images.update(flags)
    draft.labels += [GivenLabel(MAIN_SET, flag) for flag, is_set in flags.items() if is_set is True]
    reject = gathering.rejecting(name, "shapes")
    shapes = []
    for number, shape in decoded_entries(file.shapes, _LabelMeShape, reject):
        try:
            shapes.append((shape, _box(shape)))
        except ValueError as error:
            reject(number, plain_reason(error))
    draft.regions += _regions(shapes)
    gathering.outlines += sum(shape.shape_type in _OUTLINES for shape, _ in shapes)
    return draft


def _box(shape: _LabelMeShape) -> Box:
    """The box around a shape. Raises ValueError."""
    if not str(shape.label).strip():
        raise ValueError(Message("the label is empty"))
    points = shape.points
    if shape.shape_type == "circle" and len(points) == 2:
        (x, y), (edge_x, edge_y) = points
        radius = ((x - edge_x) ** 2 + (y - edge_y) ** 2) ** 0.5
        points = [(x - radius, y - radius), (x + radius, y + radius)]
    return box_around(points)


def _regions(shapes: Sequence[tuple[_LabelMeShape, Box]]) -> list[Region]:
    """Regions of the shapes; points become landmarks of the rectangle of their group."""
    grouped = {
        shape.group_id
        for shape, _ in shapes
        if shape.shape_type == "rectangle" and shape.group_id is not None
    }
    inner: dict[int, list[Point]] = {}
    regions = []
    for shape, _ in shapes:
        if _is_landmark(shape) and shape.group_id in grouped:
            inner.setdefault(shape.group_id or 0, []).extend(shape.points)
    for shape, box in shapes:
        labels = (GivenLabel(MAIN_SET, str(shape.label)), *attribute_labels(shape.flags))
        if not _is_landmark(shape):
            points = shape.points if shape.shape_type in _OUTLINES else ()
            if shape.shape_type == "rectangle" and shape.group_id is not None:
                points = inner.get(shape.group_id, ())
            regions.append(Region(box, labels, tuple(points)))
        elif shape.group_id not in grouped:
            regions.append(Region(box, labels, tuple(shape.points)))
    return regions


def _is_landmark(shape: _LabelMeShape) -> bool:
    return shape.shape_type in ("point", "points")


def _declared_labels(file: Path) -> list[str]:
    """Labels of a text file, a line each; none if there is no such file. Raises KnownError."""
    if not file.is_file():
        return []
    lines = read_regular(file).decode("utf-8-sig", errors="replace").split("\n")
    names = (line.strip() for line in lines)
    return [name for name in names if name and name not in _NO_LABELS]


# writing


def _as_file(image: ImageRecord) -> dict[str, Any]:
    groups = enumerate(image.regions, start=1)
    return {
        "version": VERSION,
        "flags": {one.label: True for one in image.labels},
        "shapes": list(chain.from_iterable(_shapes(region, number) for number, region in groups)),
        "imagePath": image.path.rpartition("/")[2],
        "imageData": None,
        "imageHeight": image.height,
        "imageWidth": image.width,
    }


def _shapes(region: Region, number: int) -> Iterator[dict[str, Any]]:
    left, top, right, bottom = region.box
    group = number if region.points else None
    labels = [one.label for one in labels_in(region.labels)]
    for label in labels:
        yield _shape(label, [(left, top), (right, bottom)], "rectangle", group)
    for point in region.points:
        yield _shape(labels[0], [point], "point", group)


def _shape(label: str, points: list[Point], kind: str, group: int | None) -> dict[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": group,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }


FORMATS.register(LabelMe())
