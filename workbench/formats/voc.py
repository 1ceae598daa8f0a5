"""Pascal VOC: an XML file for each image, and lists of the images of each part.

Layout and pixel numbers (from 1, right and bottom inclusive) as in the VOC development kit. Lists
such as `ImageSets/Main/cat_train.txt` label whole images, and `labelmap.txt` is that of CVAT.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from xml.etree.ElementTree import Element

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError, reason_of
from workbench.domain.images import SkippedFile
from workbench.domain.part_words import Given, part_named
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark
from workbench.files import read_regular, write_whole
from workbench.formats.annotations import (
    HEARTBEAT,
    Box,
    Gathering,
    ImageNotes,
    Limits,
    Prepared,
    attribute_labels,
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
from workbench.formats.image_paths import (
    DEEP,
    as_file_name,
    from_file_name,
    glimpsed,
    inside,
    is_foreign,
    is_image,
    shortened_labels,
    stems,
)
from workbench.formats.json_files import not_of_format
from workbench.formats.xml_files import add, has_root, opening_text, read_xml, text_of, write_xml

TITLE = "Pascal VOC"
ANNOTATIONS = "Annotations"
IMAGES = "JPEGImages"
LISTS = "ImageSets/Main"
JPEG = ".jpg"
LABELS = "labelmap.txt"
UNDIVIDED = "trainval"  # the list of images without a part
_LISTS = {Part.TRAIN: "train", Part.VALIDATION: "val", Part.TEST: "test", None: UNDIVIDED}
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_NO_LABEL = ("# label:", "background:0,0,0:")  # lines of a label map
_TRIED = 20  # files that are looked at when a folder is recognised


class PascalVoc(DatasetFormat):
    """Pascal VOC."""

    name = "voc"
    title = TITLE
    about = mark(
        "The folders Annotations, ImageSets and JPEGImages, or XML files beside the images. Lists"
        " such as cat_train.txt label whole images."
    )
    carries = frozenset({Carry.LABELS, Carry.SEVERAL, Carry.PARTS, Carry.BOXES})

    def recognises(self, path: Path) -> bool:
        """Whether the folder has XML files of annotations."""
        inner = path / ANNOTATIONS
        nested = inner.is_dir()
        found = glimpsed(inner, ".xml", DEEP) if nested else glimpsed(path, ".xml")
        files = islice(found, _TRIED)
        return any(has_root(opening_text(file), "annotation") for file in files)

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read the annotations of all images, and the lists of images."""
        reader = _VocReader(path, options.base or path, options.parts)
        yield from reader.read_annotations()
        if not reader.drafts:
            raise reader.unreadable()
        reader.read_lists()
        return (yield from reader.finished(fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write a folder; boxes are rounded to whole pixels."""
        ready = prepared(dataset, options.label_set, Limits(self.carries))
        names = stems([image.path for image in ready.images])
        for image, name in zip(ready.images, names, strict=True):
            file = path / ANNOTATIONS / f"{name}.xml"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_xml(file, _annotation(image))
        _write_lists(path, ready, names)
        lines = ["# label:color_rgb:parts:actions", *(f"{label}:::" for label in ready.labels)]
        _write_lines(path / LABELS, lines)
        return [*ready.messages, *shortened_labels(ready.labels)]

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        """Images are in the folder `JPEGImages`."""
        return f"{IMAGES}/{inside(image.path)}"


# reading


def _xml_files(folder: Path) -> Iterator[Path]:
    """XML files of a dataset, sorted: those of its folder `Annotations`, or of itself and its
    parts."""
    inner = folder / ANNOTATIONS
    try:
        start = inner if inner.is_dir() else folder
        files = sorted(start.rglob("*.xml")) if start is inner else _near(folder)
    except OSError:
        return
    yield from (file for file in files if not is_foreign(file.name))


def _near(folder: Path) -> Iterable[Path]:
    return chain(sorted(folder.glob("*.xml")), sorted(folder.glob("*/*.xml")))


class _VocReader:
    """Collects the images of a folder."""

    def __init__(self, root: Path, base: Path, parts: Given) -> None:
        self._root, self._parts = root, parts
        self._gathering = Gathering(base)
        self._gathering.declare(MAIN_SET)
        self.drafts: dict[
            str, ImageNotes
        ] = {}  # by name: the path of the XML file without its ending
        self._base = base
        self._images = f"{IMAGES}/" if (base / IMAGES).is_dir() else ""
        self._listed: dict[str, dict[str, list[str]]] = {}  # image files by folder, by stem

    def unreadable(self) -> KnownError:
        """Error for a folder without an annotation that can be read."""
        return not_of_format(self._root, TITLE, self._gathering.dataset.rejected)

    def read_annotations(self) -> Generator[None, None, None]:
        """Read the XML files; those that are damaged are rejected."""
        for label in _declared_labels(self._root / LABELS):
            self._gathering.declare(MAIN_SET, [label])
        in_folder = (self._root / ANNOTATIONS).is_dir()
        start = self._root / ANNOTATIONS if in_folder else self._root
        for number, file in enumerate(_xml_files(self._root), start=1):
            if number % HEARTBEAT == 0:
                yield
            name = file.relative_to(start).with_suffix("").as_posix()
            try:
                root = read_xml(file, "annotation", TITLE)
                self.drafts[name] = self._draft(root, name, in_folder)
            except (KnownError, ValueError) as error:
                shown = file.relative_to(self._root).as_posix()
                self._gathering.dataset.rejected.append(SkippedFile(shown, reason_of(error)))

    def _draft(self, root: Element, name: str, in_folder: bool) -> ImageNotes:
        written = text_of(root, "filename") or text_of(root, "path") or name
        path = self._gathering.path(written)
        folder = name.rpartition("/")[0]
        if folder and "/" not in path:
            path = f"{folder}/{path}"
        draft = ImageNotes(self._image_path(f"{self._images}{path}" if in_folder else path))
        draft.file = f"{ANNOTATIONS}/{name}.xml" if in_folder else f"{name}.xml"
        if not in_folder:
            word = folder.split("/", maxsplit=1)[0]
            draft.part = self._gathering.dataset.part_named(word, self._parts)
        draft.width = int(_number(root, "size/width", "0"))
        draft.height = int(_number(root, "size/height", "0"))
        for number, one in enumerate(root.iter("object"), start=1):
            try:
                draft.regions.append(self._region(one))
            except ValueError as error:
                self._gathering.reject(draft.file, number, reason_of(error), "object")
        return draft

    def _region(self, one: Element) -> Region:
        name = text_of(one, "name")
        if not name:
            raise ValueError(Message("the name is missing"))
        attributes = {
            text_of(each, "name"): text_of(each, "value")
            for each in one.iterfind("attributes/attribute")
        }
        # As numbers and truth values of XML are texts, what CVAT always writes is left out here.
        own = {key: value for key, value in attributes.items() if key not in _CVAT_ATTRIBUTES}
        self._gathering.ignored += len(one.findall("part"))
        return Region(_box(one), (GivenLabel(MAIN_SET, name), *attribute_labels(own)))

    def _image_path(self, path: str) -> str:
        """An image that may be written without its ending: that of its only file, else of a JPEG,
        which all published images are."""
        if is_image(path):
            return path
        folder, _, stem = path.rpartition("/")
        if folder not in self._listed:
            self._listed[folder] = _images_by_stem(self._base / folder)
        found = self._listed[folder].get(stem, ())
        return f"{path}{Path(found[0]).suffix}" if len(found) == 1 else f"{path}{JPEG}"

    def read_lists(self) -> None:
        """Read the lists of images: parts and labels of whole images."""
        try:
            files = sorted((self._root / LISTS).glob("*.txt"))
        except OSError:
            files = []
        lists = set(_LISTS.values())
        for file in files:
            label, _, part = file.stem.rpartition("_")
            if file.stem in lists:
                self._read_part(file, part_named(file.stem))
            elif part in lists and label:
                self._read_labels(file, from_file_name(label))

    def _read_part(self, file: Path, part: Part | None) -> None:
        for number, line in _lines(file):
            draft = self.drafts.get(line) or self.drafts.get(_unquoted(line)[0])
            if draft is None:
                path = self._image_path(f"{self._images}{line}")
                draft = self.drafts[line] = ImageNotes(path, line=number)
                draft.file = file.relative_to(self._root).as_posix()
            draft.part = part or draft.part

    def _read_labels(self, file: Path, label: str) -> None:
        shown = file.relative_to(self._root).as_posix()
        self._gathering.declare(MAIN_SET, [label])
        for number, line in _lines(file):
            name, flag = _unquoted(line)
            if flag not in ("1", "0", "-1"):
                reason = Message("the line does not end with 1, 0 or -1")
                self._gathering.reject(shown, number, reason)
            elif name not in self.drafts:
                self._gathering.reject(shown, number, Message("the image has no annotation"))
            elif flag == "1":
                self.drafts[name].labels.append(GivenLabel(MAIN_SET, label))

    def finished(self, fixed: bool) -> Reading:
        """The dataset of the folder."""
        return (yield from self._gathering.finished(self.drafts.values(), fixed=fixed))


def _images_by_stem(folder: Path) -> dict[str, list[str]]:
    """Names of the image files in a folder by their name without its ending."""
    by_stem: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ValueError):
        for name in filter(is_image, os.listdir(folder)):
            by_stem.setdefault(name.rpartition(".")[0], []).append(name)
    return by_stem


_CVAT_ATTRIBUTES = frozenset({"occluded", "rotation", "track_id", "keyframe"})


def _number(element: Element, path: str, default: str = "") -> float:
    text = text_of(element, path) or default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(Message("“{field}” is not a number", field=path))
    return value


def _box(one: Element) -> Box:
    left, top, right, bottom = (_number(one, f"bndbox/{edge}") for edge in _EDGES)
    return box_of(left - 1, top - 1, right, bottom)


def _declared_labels(file: Path) -> list[str]:
    """Labels of a label map, without the background."""
    if not file.is_file():
        return []
    lines = (line for _, line in _lines(file))
    return [line.rsplit(":", 3)[0] for line in lines if not line.startswith(_NO_LABEL)]


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file with their numbers from 1, without blank ones. Raises KnownError."""
    text = read_regular(file).decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def _unquoted(line: str) -> tuple[str, str]:
    """The name and flag of a line; names with spaces may be in quotation marks."""
    if line.startswith('"') and (end := line.rfind('"')) > 0:
        return line[1:end].replace('\\"', '"'), line[end + 1 :].strip()
    name, _, flag = line.rpartition(" ")
    return name.strip() or flag, flag if name else ""


# writing


def _annotation(image: ImageRecord) -> Element:
    root = Element("annotation")
    add(root, "folder", IMAGES)
    add(root, "filename", image.path)
    add(add(root, "source"), "database", "Vantage Workbench")
    size = add(root, "size")
    for name, value in (("width", image.width), ("height", image.height), ("depth", 3)):
        add(size, name, value)
    add(root, "segmented", 0)
    for region in image.regions:
        left, top, right, bottom = (round(value) for value in region.box)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        for label in labels_in(region.labels):
            one = add(root, "object")
            add(one, "name", label.label)
            for name, flag in (("pose", "Unspecified"), ("truncated", 0), ("difficult", 0)):
                add(one, name, flag)
            box = add(one, "bndbox")
            for edge, pixel in zip(_EDGES, (left + 1, top + 1, right, bottom), strict=True):
                add(box, edge, pixel)
    return root


def _write_lists(path: Path, ready: Prepared, names: list[str]) -> None:
    lists: dict[str, list[str]] = {}
    labelled = {one.label for image in ready.images for one in image.labels}
    for image, name in zip(ready.images, names, strict=True):
        part = _LISTS[image.part]
        lists.setdefault(part, []).append(_quoted(name))
        own = {one.label for one in image.labels}
        for label in labelled if own else ():
            line = f"{_quoted(name)} {1 if label in own else -1:2d}"
            lists.setdefault(f"{as_file_name(label)}_{part}", []).append(line)
    for name, lines in lists.items():
        _write_lines(path / LISTS / f"{name}.txt", lines)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"' if " " in name or '"' in name else name


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, "".join(f"{line}\n" for line in lines).encode(), flush=False)


FORMATS.register(PascalVoc())
