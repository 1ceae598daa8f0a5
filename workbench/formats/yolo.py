"""YOLO of Ultralytics: `data.yaml` with label names, folders of images and of text files.

Each line of a text file is a label's number and a box in fractions of the image: its centre, width
and height. Landmarks follow for poses; corners of an outline replace the box for segmentation.
Layout as in docs.ultralytics.com/datasets. For classification, see `yolo_classes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError, parsing, reason_of
from workbench.domain.images import SkippedFile
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted, mark
from workbench.files import read_regular, write_whole
from workbench.formats.annotations import (
    HEARTBEAT,
    Gathering,
    ImageNotes,
    Limits,
    Prepared,
    box_around,
    box_of,
    labels_in,
    pairs,
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
from workbench.formats.image_paths import (
    IMAGES,
    LABELS,
    UNASSIGNED,
    below,
    cleaned,
    first_entries,
    glimpsed,
    image_files,
    inside,
    is_foreign,
)
from workbench.formats.json_files import not_of_format
from workbench.formats.landmarks import (
    covered,
    flat_landmarks,
    landmarks,
)

TITLE = "YOLO"
DATA = "data.yaml"
CLASSES = "classes.txt"  # label names without data.yaml, as Label Studio exports them
ENDINGS = (".yaml", ".yml")
MOST_YAML = 1 << 20  # bytes of data.yaml
# Makes nothing but texts, lists and mappings; PyYAML has it in C in its wheels.
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
# Our own key for the images without a part is the name of their folder.
KEYS = {"train": Part.TRAIN, "val": Part.VALIDATION, "test": Part.TEST, UNASSIGNED: None}
_OTHER_KEYS = {"valid": "val", "validation": "val"}
_FOLDERS = {part: key for key, part in KEYS.items()}
_TRIED, _LINE = 20, 4096  # files that are looked at to recognise a folder, and bytes of each
_BOX = re.compile(r"\d+(?:\s+[01]?\.?\d+(?:e-\d+)?){4,}")
_TOLERANCE = 0.01  # by which a box may leave its image
_DIGITS = 9


class Yolo(DatasetFormat):
    """YOLO for detection, poses and segmentation."""

    name = "yolo"
    title = mark("YOLO detection")
    about = mark(
        "data.yaml with label names, and text files with boxes in fractions of the image and their"
        " landmarks; outlines become boxes."
    )
    carries = frozenset({Carry.LABELS, Carry.SEVERAL, Carry.PARTS, Carry.BOXES, Carry.POINTS})
    by_stem = True  # text files are called after images
    boxes_only = True

    def recognises(self, path: Path) -> bool:
        """Whether the folder, or the file itself, names labels and parts."""
        try:
            file = data_file(path)
            return _has_boxes(path) if file is None else _is_detection(read_yaml(file))
        except KnownError:
            return False

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read the images that data.yaml lists, and their text files."""
        file = data_file(path)
        if file is None and _has_boxes(path):
            raise KnownError(
                "{path} has boxes in {format} format, but no names of their labels.",
                "Add data.yaml, or classes.txt with a name in each line.",
                path=path,
                format=TITLE,
            )
        if file is None:
            raise not_of_format(path, TITLE)
        data = read_yaml(file)
        if not _is_detection(data):
            raise not_of_format(file, TITLE)
        reader = _YoloReader(file, data, options.base)
        yield from reader.read()
        return (yield from reader.finished(fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write data.yaml, lists of images, and a text file for each image."""
        limits = Limits(self.carries, relative=True, image_labels=False, gaps=True)
        ready = prepared(dataset, options.label_set, limits)
        several = _keep_distinct(ready)
        _write(path, ready)
        return [*ready.messages, *several, *not_trained_on(ready.images)]

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        """Images are in the folder of their part."""
        return _place(image)


def data_file(path: Path) -> Path | None:
    """The YAML file of a dataset, or its list of labels: `path` itself, or the one in this folder;
    None if there is none."""
    if path.suffix.lower() in ENDINGS and path.is_file():
        return path
    names = [one.name for one in first_entries(path)]
    if DATA in names:
        return path / DATA
    if CLASSES in names and {IMAGES, LABELS} <= set(names):
        return path / CLASSES
    return next((path / name for name in names if name.lower().endswith(ENDINGS)), None)


def read_yaml(file: Path) -> dict[str, Any]:
    """The content of a YAML file, with all values as texts: `no` and `1.0` are names of labels.

    A list of labels, with folders of images and text files beside it, stands for images without
    parts. Raises KnownError.
    """
    data = read_regular(file, most=MOST_YAML)
    if file.name == CLASSES:
        lines = data.decode("utf-8-sig", errors="replace").split("\n")
        return {"names": [line.strip() for line in lines if line.strip()], UNASSIGNED: IMAGES}
    with parsing(file):
        found = yaml.load(data, Loader=_Loader)  # noqa: S506
    if not isinstance(found, dict):
        raise not_of_format(file, TITLE)
    return found


def names_of(data: dict[str, Any]) -> dict[str, str]:
    """Label names by their number, which is a text."""
    names = data.get("names")
    if isinstance(names, dict):
        return {str(key): str(name) for key, name in names.items()}
    if isinstance(names, list):
        return {str(number): str(name) for number, name in enumerate(names)}
    return {}


def _is_detection(data: dict[str, Any]) -> bool:
    return bool(names_of(data)) and any(key in data for key in (*KEYS, *_OTHER_KEYS))


def _has_boxes(path: Path) -> bool:
    """Whether a folder has folders of images and of text files, with a box in one of the first."""
    if not {IMAGES, LABELS} <= {one.name for one in first_entries(path)}:
        return False
    for file in islice(glimpsed(path / LABELS, ".txt"), _TRIED):
        line = read_regular(file, _LINE).decode(errors="replace").partition("\n")[0]
        if _BOX.fullmatch(line.strip()):
            return True
    return False


def write_yaml(file: Path, values: dict[str, Any]) -> None:
    """Write a YAML file with the keys in the order of `values`. Raises OSError."""
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    write_whole(file, text.encode())


# reading


@dataclass
class _YoloReader:
    """Collects the images of a dataset."""

    file: Path
    data: dict[str, Any]
    base: Path | None
    drafts: list[ImageNotes] = field(default_factory=list)

    def __post_init__(self) -> None:
        here = self.file.parent
        self._names = names_of(self.data)
        root = here / cleaned(str(self.data.get("path") or ""))
        self._root = root if root.is_dir() else here
        self._gathering = Gathering(self.base or self._root)
        self._gathering.declare(MAIN_SET, self._names.values())
        self._size = self._landmark_size()

    def _landmark_size(self) -> tuple[int, int]:
        """The number of landmarks of a box, and of numbers for each; (0, 0) without landmarks."""
        shape = self.data.get("kpt_shape")
        try:
            count, size = (int(value) for value in shape or (0, 2))
        except (TypeError, ValueError):
            return 0, 2
        return (count, size) if count > 0 and size in (2, 3) else (0, 2)

    def read(self) -> Generator[None, None, None]:
        """Read all parts."""
        for key, value in self.data.items():
            name = _OTHER_KEYS.get(key, key)
            if name in KEYS:
                for place in value if isinstance(value, list) else [value]:
                    images = yield from self._images(key, str(place or ""))
                    yield from self._read_images(images, KEYS[name])

    def _images(self, key: str, place: str) -> Generator[None, None, list[str]]:
        """Paths of the images of a part, relative to the root: those in its folder or list."""
        if not place:
            return []
        found = self._found(place)
        if found is not None and found.is_dir():
            relative = _relative(found, self._root)
            rejected = self._gathering.dataset.rejected
            images = yield from image_files(found, rejected)
            self._list_unused(relative, images)
            if images:
                return [f"{relative}/{image}" for image in images]
        if found is None or found.is_dir():
            found = self._found(f"{key}.txt")
        return [] if found is None else self._listed(found)

    def _list_unused(self, folder: str, images: Sequence[str]) -> None:
        """Reject the text files of a folder of images that has no image for them."""
        texts = self._root / _text_file(f"{folder}/x")
        if not images or not texts.parent.is_dir() or texts.parent == self._root / folder:
            return
        used = {_text_file(f"{folder}/{image}") for image in images}
        for file in sorted(texts.parent.rglob("*.txt")):
            shown = _relative(file, self._root)
            one = SkippedFile(shown, Message("there is no image of this name"))
            rejected = self._gathering.dataset.rejected
            if shown not in used and not is_foreign(file.name) and one not in rejected:
                rejected.append(one)

    def _found(self, place: str) -> Path | None:
        """A folder or file of data.yaml. Some programs write a path that leads to the folder of
        the dataset from outside, such as ../train/images."""
        clean = cleaned(place)
        inner = clean
        while inner.startswith("../"):
            inner = inner[3:]
        here = self.file.parent
        for folder, name in ((self._root, clean), (here, clean), (self._root, inner)):
            if (folder / name).exists():
                return folder / name
        return None

    def _listed(self, file: Path) -> list[str]:
        """The images that a list file names, relative to the root."""
        text = read_regular(file).decode("utf-8-sig", errors="replace")
        folder = _relative(file.parent, self._root)
        found = []
        for line in text.split("\n"):
            if path := cleaned(line.strip()):
                # As in Ultralytics, ./ is the folder of the list.
                local = line.strip().startswith("./") and folder != "."
                found.append(f"{folder}/{path}" if local else path)
        return found

    def _read_images(self, images: Sequence[str], part: Part | None) -> Generator[None, None, None]:
        for number, image in enumerate(images, start=1):
            if number % HEARTBEAT == 0:
                yield
            draft = ImageNotes(image, part)
            text = _text_file(image)
            draft.file = text if (self._root / text).is_file() else ""
            if draft.file:
                draft.regions += self._regions(self._root / text, text)
            draft.path = self._shown(image)
            self.drafts.append(draft)

    def _shown(self, image: str) -> str:
        """The path of an image; without the folders of the format if it was not copied there."""
        if (self._root / image).exists() or not image.startswith(f"{IMAGES}/"):
            return image
        parts = image.split("/")
        return "/".join(parts[2 if parts[1] in KEYS and len(parts) > 2 else 1 :])

    def _regions(self, file: Path, shown: str) -> Iterator[Region]:
        try:
            text = read_regular(file).decode("utf-8-sig", errors="replace")
        except KnownError as error:
            self._gathering.dataset.rejected.append(SkippedFile(shown, error.sentence))
            return
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                try:
                    yield self._region(line.split())
                except ValueError as error:
                    self._gathering.reject(shown, number, reason_of(error))

    def _region(self, words: Sequence[str]) -> Region:
        name = self._names.get(words[0].removesuffix(".0"))
        if name is None:
            raise ValueError(Message("data.yaml has no label {number}", number=words[0]))
        values = [_number(word) for word in words[1:]]
        count, size = self._size
        if count and len(values) == 4 + count * size:
            points = landmarks(values[4:], size)
            self._gathering.landmarks.covered += covered(values[4:], size)
            _check([value for point in points for value in point])
            return _boxed(values[:4], GivenLabel(MAIN_SET, name), points)
        if len(values) in (4, 5):
            confidence = values[4] if len(values) == 5 else 1.0
            return _boxed(values[:4], GivenLabel(MAIN_SET, name, confidence=confidence))
        if len(values) < 6:
            raise ValueError(Message("the line does not have five numbers"))
        _check(values)
        outline = pairs(values)
        self._gathering.outlines += 1
        label = GivenLabel(MAIN_SET, name)
        return Region(box_around(outline, (1e-6, 1e-6)), (label,), outline, relative=True)

    def finished(self, fixed: bool) -> Reading:
        """The dataset."""
        return (yield from self._gathering.finished(self.drafts, fixed=fixed))


def _relative(path: Path, root: Path) -> str:
    """A path relative to the root if it is below it, else absolute."""
    return (path.relative_to(root) if path.is_relative_to(root) else path.absolute()).as_posix()


def _text_file(image: str) -> str:
    """The text file of an image: beside it, or in `labels` if the image is in a folder
    `images`."""
    path = PurePosixPath(image)
    parts = list(path.with_suffix(".txt").parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == IMAGES:
            parts[at] = LABELS
            break
    return "/".join(parts).replace("//", "/")


def _number(word: str) -> float:
    """A finite number. Raises ValueError for anything else."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(Message("“{text}” is not a number", text=word))
    return value


def _check(values: Iterable[float]) -> None:
    """Raise ValueError unless all values are fractions of the image."""
    for value in values:
        if not -_TOLERANCE <= value <= 1.0 + _TOLERANCE:
            raise ValueError(Message("{value:g} is not a fraction of the image", value=value))


def _boxed(
    values: Sequence[float], label: GivenLabel, points: tuple[tuple[float, float], ...] = ()
) -> Region:
    """A region of centre, width and height."""
    _check(values)
    x, y, width, height = values
    box = box_of(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Region(box, (label,), points, relative=True)


# writing


def _keep_distinct(ready: Prepared) -> list[Message]:
    """Leave out images whose text file is that of another image."""
    images = {_text_file(_place(image)): image for image in reversed(ready.images)}
    lost = len(ready.images) - len(images)
    ready.images = list(reversed(images.values()))
    message = counted(
        lost,
        "{n:,} image is not listed: its name differs from another one in the extension only.",
        "{n:,} images are not listed: their names differ from others in the extension only.",
    )
    return [message] if lost else []


def not_trained_on(images: Sequence[ImageRecord]) -> list[Message]:
    """The message on images without a part, which YOLO ignores."""
    n = sum(image.part is None for image in images)
    message = counted(
        n,
        "{n:,} image has no part of a split: YOLO does not train on it.",
        "{n:,} images have no part of a split: YOLO does not train on them.",
    )
    return [message] if n else []


def _write(path: Path, ready: Prepared) -> None:
    numbers = {name: number for number, name in enumerate(ready.labels)}
    count = max((len(one.points) for image in ready.images for one in image.regions), default=0)
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for image in ready.images:
        place = _place(image)
        lists.setdefault(_FOLDERS[image.part], []).append(f"./{place}")
        text = path / _text_file(place)
        text.parent.mkdir(parents=True, exist_ok=True)
        lines = _lines(image.regions, numbers, count)
        write_whole(text, "".join(f"{line}\n" for line in lines).encode(), flush=False)
    data: dict[str, Any] = {}
    for key, images in lists.items():
        (path / IMAGES / key).mkdir(parents=True, exist_ok=True)
        data[key] = f"{IMAGES}/{key}"
        write_whole(path / f"{key}.txt", "".join(f"{one}\n" for one in images).encode())
    if count:
        data["kpt_shape"] = [count, 3]
    data["nc"] = len(numbers)
    data["names"] = {number: name for name, number in numbers.items()}
    write_yaml(path / DATA, data)


def _place(image: ImageRecord) -> str:
    return below(f"{IMAGES}/{_FOLDERS[image.part]}", inside(image.path))


def _lines(regions: Iterable[Region], numbers: dict[str, int], count: int) -> Iterator[str]:
    for region in regions:
        left, top, right, bottom = region.box
        values = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        if count:
            values += flat_landmarks(region.points, count)
        numbers_text = " ".join(f"{value:.{_DIGITS}g}" for value in values)
        for label in labels_in(region.labels):
            yield f"{numbers[label.label]} {numbers_text}"


FORMATS.register(Yolo())
