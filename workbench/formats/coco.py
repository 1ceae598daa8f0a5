"""COCO: JSON with images, categories and annotations (cocodataset.org/#format-data)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.part_words import Given, PartWords, is_unclear, part_named
from workbench.domain.splits import PARTS, Part
from workbench.domain.text import Message, mark
from workbench.formats.annotations import (
    HEARTBEAT,
    Gathering,
    ImageNotes,
    Limits,
    Prepared,
    attribute_labels,
    attributes_of,
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
from workbench.formats.image_paths import IMAGES, folder_of_images, glimpsed, inside
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
    covered,
    flat_landmarks,
    known_points,
    landmarks,
    numbered_names,
)

TITLE = "COCO"
FOLDER = "annotations"
# Where images are, below the folder of the annotations, if they are not where they should be.
_IMAGE_FOLDERS = ("{part}", IMAGES, IMAGES + "/{part}", "data")
_TRIED_FILES = 20  # files that are looked at when a folder is recognised
_SIGNS = frozenset(
    {"images[].file_name", "annotations[].image_id", "annotations[].category_id",
     "categories[].supercategory"}
)  # fmt: skip

NOTHING = msgspec.Raw()
_NO_OUTLINE = (b"", b"null", b"[]", b"[[]]")

Id = int | str


class _CocoInfo(msgspec.Struct, gc=False):
    attributes: dict[str, list[str]]  # our own: labels of the other sets, in order


class _CocoContent(msgspec.Struct, gc=False):
    images: list[msgspec.Raw]
    info: msgspec.Raw = NOTHING
    categories: list[msgspec.Raw] | None = None
    annotations: list[msgspec.Raw] | None = None


class _CocoCategory(msgspec.Struct, gc=False):
    id: Id
    name: str
    keypoints: Any = None  # names of landmarks


class _CocoImage(msgspec.Struct, gc=False):
    id: Id
    file_name: str
    width: float | None = None
    height: float | None = None
    attributes: dict[str, Any] | None = None


class _CocoAnnotation(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id | None = None
    bbox: list[float] | None = None
    keypoints: list[float] | None = None
    segmentation: msgspec.Raw = NOTHING
    attributes: dict[str, Any] | None = None
    score: float | None = None


class CocoFile(DatasetFormat):
    """COCO in one JSON file."""

    name = "coco"
    title = TITLE
    about = mark(
        "One JSON file of images, categories and annotations. An annotation without a box labels"
        " the whole image; attributes are labels of further sets."
    )
    endings = (".json",)
    carries = frozenset(
        {Carry.LABELS, Carry.LABEL_SETS, Carry.SEVERAL, Carry.BOXES, Carry.POINTS, Carry.CONFIDENCE}
    )

    def recognises(self, path: Path) -> bool:
        """Whether the first keys of a JSON file are those of COCO."""
        return path.suffix.lower() == ".json" and bool(_SIGNS & opening_keys(path))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read a file; its images are below its folder."""
        reader = _CocoReader(options.base or _root_of(path))
        yield from reader.read(path, None, options.encoding)
        return (yield from reader.finished(fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write a file; sizes of images are needed for relative boxes only."""
        ready = prepared(dataset, options.label_set, Limits(self.carries, gaps=True))
        write_json(path, _as_file(ready, ready.images))
        return ready.messages


class CocoFolder(DatasetFormat):
    """COCO in a folder `annotations` with a JSON file for each part."""

    name = "coco-folder"
    title = mark("COCO folder")
    about = mark(
        "A folder “annotations” with a COCO file for each part, such as instances_train2017.json."
    )
    carries = CocoFile.carries | {Carry.PARTS}

    def recognises(self, path: Path) -> bool:
        """Whether the folder has a COCO file."""
        inner = path / FOLDER
        files = glimpsed(inner, ".json", 0) if inner.is_dir() else glimpsed(path, ".json")
        return any(_SIGNS & opening_keys(file) for file in islice(files, _TRIED_FILES))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read all COCO files of a folder; annotations of an image in several files are joined."""
        files = [file for file in _files(path) if _SIGNS & opening_keys(file)]
        if not files:
            raise not_of_format(path, TITLE)
        root = path.parent if path.name == FOLDER else path
        reader = _CocoReader(options.base or root, root)
        words = [_part_word(file, options.parts) for file in files]
        parts = PartWords(words, options.parts)
        for file, word in zip(files, words, strict=True):
            yield from reader.read(file, parts.part(word), options.encoding)
        dataset = yield from reader.finished(fixed=options.base is not None)
        dataset.part_words = parts.to_report()
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write a file for each part, and one for the images without a part."""
        ready = prepared(dataset, options.label_set, Limits(self.carries, gaps=True))
        (path / FOLDER).mkdir(parents=True, exist_ok=True)
        for part in (*PARTS, None):
            images = [image for image in ready.images if image.part == part]
            if images or (part is None and not ready.images):
                name = f"instances_{_SHORT[part]}.json" if part else "instances.json"
                write_json(path / FOLDER / name, _as_file(ready, images))
        return ready.messages

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        """Images are in the folder `images`."""
        return f"{IMAGES}/{inside(image.path)}"


_SHORT = {Part.TRAIN: "train", Part.VALIDATION: "val", Part.TEST: "test"}


def _root_of(file: Path) -> Path:
    """The folder that the images of a file are below."""
    return file.parent.parent if file.parent.name == FOLDER else file.parent


def _files(path: Path) -> list[Path]:
    """The JSON files of a dataset: in its folder `annotations`, or in itself and its parts."""
    inner = path / FOLDER
    try:
        if inner.is_dir():
            return sorted(inner.glob("*.json"))
        below = sorted(path.glob("*/_annotations.coco.json"))
        return [*sorted(path.glob("*.json")), *below] if path.is_dir() else []
    except OSError:
        return []


def _part_word(file: Path, given: Given) -> str:
    """The word for a part in the name of a file, such as instances_train2017.json, or of its
    folder; "" without one."""
    for name in (file.stem, file.parent.name):
        words = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
        meant = [word for word in words if word in given or part_named(word) or is_unclear(word)]
        if name.lower() in given or meant:
            return name if name.lower() in given else "_".join(dict.fromkeys(meant))
    return ""


# reading


class _CocoReader:
    """Collects the images of one or several files."""

    def __init__(self, base: Path, root: Path | None = None) -> None:
        """`root` is the folder of the dataset if it has several files."""
        self._gathering = Gathering(base)
        self._gathering.declare(MAIN_SET)
        self._root = root
        self._drafts: dict[tuple[str, Part | None], ImageNotes] = {}
        self._point_names: dict[str, list[str]] = {}  # by category
        self._given: dict[tuple[str, float], GivenLabel] = {}

    def read(self, path: Path, part: Part | None, encoding: str) -> Generator[None, None, None]:
        """Add the content of a file. Raises KnownError."""
        file = read_json(path, _CocoContent, TITLE, self._gathering.dataset, encoding)
        name = path.relative_to(self._root).as_posix() if self._root else path.name
        yield
        names: dict[Id, str] = {}
        reject = self._gathering.rejecting(name, "categories")
        for number, category in decoded_entries(file.categories or [], _CocoCategory, reject):
            if names.setdefault(category.id, category.name) != category.name:
                reject(number, Message("another category has the same id {id}", id=category.id))
            elif isinstance(category.keypoints, list):
                self._point_names[category.name] = [str(one) for one in category.keypoints]
        self._gathering.declare(MAIN_SET, names.values())
        with contextlib.suppress(msgspec.DecodeError):
            info = msgspec.json.decode(file.info, type=_CocoInfo)
            for label_set, labels in info.attributes.items():
                self._gathering.declare(label_set, labels)
        yield
        drafts = yield from self._images(file.images, name, part)
        self._locate(list(drafts.values()), path)
        for draft in drafts.values():
            known = self._drafts.setdefault((draft.path, part), draft)
            if known is not draft:
                draft.labels, draft.regions = known.labels, known.regions
        yield from self._annotations(file.annotations or [], name, drafts, names)

    def finished(self, fixed: bool) -> Reading:
        """The dataset of all files."""
        return (yield from self._gathering.finished(self._drafts.values(), fixed=fixed))

    def _images(
        self, entries: Sequence[msgspec.Raw], file: str, part: Part | None
    ) -> Generator[None, None, dict[Id, ImageNotes]]:
        drafts: dict[Id, ImageNotes] = {}
        reject = self._gathering.rejecting(file, "images")
        for number, image in decoded_entries(entries, _CocoImage, reject):
            if number % HEARTBEAT == 0:
                yield
            if image.id in drafts:
                reject(number, Message("another image has the same id {id}", id=image.id))
                continue
            try:
                draft = ImageNotes(self._gathering.path(image.file_name), part, number)
            except ValueError as error:
                reject(number, plain_reason(error))
                continue
            draft.file = file if self._root else ""
            draft.width, draft.height = int(image.width or 0), int(image.height or 0)
            if image.attributes:
                draft.labels += attribute_labels(image.attributes)
            drafts[image.id] = draft
        return drafts

    def _locate(self, drafts: Sequence[ImageNotes], path: Path) -> None:
        """Put the folder of the images before their paths if that is where they are."""
        base = self._gathering.dataset.base
        own = path.parent.relative_to(base).as_posix() if path.parent.is_relative_to(base) else "."
        word = re.split(r"[_.]", path.stem)[-1]  # such as train2017
        folders = ["", *(one.format(part=word) for one in _IMAGE_FOLDERS), own]
        folder = folder_of_images(base, [draft.path for draft in drafts], folders)
        for draft in drafts if folder not in ("", ".") else ():
            draft.path = f"{folder}/{draft.path}"

    def _annotations(
        self,
        entries: Sequence[msgspec.Raw],
        file: str,
        drafts: Mapping[Id, ImageNotes],
        names: Mapping[Id, str],
    ) -> Generator[None, None, None]:
        reject = self._gathering.rejecting(file, "annotations")
        for number, one in decoded_entries(entries, _CocoAnnotation, reject):
            if number % HEARTBEAT == 0:
                yield
            draft = drafts.get(one.image_id)
            if draft is None:
                reject(number, Message("no image has the id {id}", id=one.image_id))
            elif one.category_id is not None and one.category_id not in names:
                reject(number, Message("no category has the id {id}", id=one.category_id))
            else:
                try:
                    self._annotate(draft, one, names.get(one.category_id or 0, ""))
                except (ValueError, msgspec.DecodeError) as error:
                    reject(number, plain_reason(error))

    def _annotate(self, draft: ImageNotes, one: _CocoAnnotation, name: str) -> None:
        labels = self._labels(one, name)
        if one.bbox or one.keypoints or _has_outline(one.segmentation):
            draft.regions.append(self._region(one, tuple(labels)))
        elif labels:
            draft.labels += labels
        else:
            self._gathering.ignored += 1

    def _labels(self, one: _CocoAnnotation, name: str) -> list[GivenLabel]:
        labels = []
        if one.category_id is not None:
            score = 1.0 if one.score is None else one.score
            if not 0.0 <= score <= 1.0:
                raise ValueError(Message("the score is not between 0 and 1"))
            label = self._given.get((name, score))
            if label is None:
                label = self._given[name, score] = GivenLabel(MAIN_SET, name, confidence=score)
            labels.append(label)
        return labels + attribute_labels(one.attributes) if one.attributes else labels

    def _region(self, one: _CocoAnnotation, labels: tuple[GivenLabel, ...]) -> Region:
        points = landmarks(one.keypoints, 3) if one.keypoints else ()
        self._gathering.landmarks.covered += covered(one.keypoints or [], 3)
        if points and labels and (names := self._point_names.get(labels[0].label)):
            self._gathering.landmarks.names[labels[0].label] = names
        if one.bbox:
            if len(one.bbox) != 4:
                raise ValueError(Message("the box does not have four numbers"))
            left, top, width, height = one.bbox
            return Region(box_of(left, top, left + width, top + height), labels, points)
        if points:
            return Region(box_around(points), labels, points)
        outline = _outline(one.segmentation)
        self._gathering.outlines += 1
        return Region(box_around(outline), labels, outline)


def _has_outline(segmentation: msgspec.Raw) -> bool:
    return bytes(segmentation) not in _NO_OUTLINE


def _outline(segmentation: msgspec.Raw) -> tuple[Point, ...]:
    """The corners of all polygons of a segmentation. Raises ValueError if it is a mask."""
    try:
        polygons = msgspec.json.decode(segmentation, type=list[list[float]])
    except msgspec.ValidationError as error:
        raise ValueError(Message("it has a mask but no box")) from error
    return tuple(point for polygon in polygons for point in pairs(polygon))


# writing


def _as_file(ready: Prepared, images: Sequence[ImageRecord]) -> dict[str, Any]:
    """The content of a file with these images, and all categories."""
    ids = {name: number for number, name in enumerate(ready.labels, start=1)}
    counts = _landmark_counts(ready.images)
    attributes = {name: known.labels for name, known in ready.sets.items()}
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        for entry in _annotations_of(image, ids, counts):
            own = {"id": len(annotations) + 1, "image_id": number}
            annotations.append(own | entry)
    return {
        "info": {"description": "Vantage Workbench", "attributes": attributes},
        "licenses": [],
        "images": [_image_entry(number, image) for number, image in enumerate(images, start=1)],
        "annotations": annotations,
        "categories": [_category_entry(ids[name], name, counts) for name in ready.labels],
    }


def _landmark_counts(images: Iterable[ImageRecord]) -> dict[str, int]:
    """The number of landmarks of each category: the most that a box of it has."""
    counts: dict[str, int] = {}
    for image in images:
        for region in image.regions:
            for one in labels_in(region.labels):
                counts[one.label] = max(counts.get(one.label, 0), len(region.points))
    return counts


def _category_entry(number: int, name: str, counts: Mapping[str, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "name": name, "supercategory": ""}
    if count := counts.get(name):
        entry |= {"keypoints": numbered_names(count), "skeleton": []}
    return entry


def _image_entry(number: int, image: ImageRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": number,
        "file_name": image.path,
        "width": image.width,
        "height": image.height,
    }
    attributes = attributes_of(image.labels)
    return entry | {"attributes": attributes} if attributes else entry


def _annotations_of(
    image: ImageRecord, ids: Mapping[str, int], counts: Mapping[str, int]
) -> Iterable[dict[str, Any]]:
    for one in labels_in(image.labels):
        yield _scored({"category_id": ids[one.label], "iscrowd": 0}, one)
    for region in image.regions:
        left, top, right, bottom = region.box
        width, height = right - left, bottom - top
        geometry: dict[str, Any] = {
            "bbox": [left, top, width, height],
            "area": width * height,
            "iscrowd": 0,
        }
        if attributes := attributes_of(region.labels):
            geometry["attributes"] = attributes
        for one in labels_in(region.labels):
            entry = {"category_id": ids[one.label], **geometry}
            if region.points:
                entry["keypoints"] = flat_landmarks(region.points, counts[one.label])
                entry["num_keypoints"] = len(known_points(region.points))
            yield _scored(entry, one)


def _scored(entry: dict[str, Any], label: GivenLabel) -> dict[str, Any]:
    return entry | {"score": label.confidence} if label.confidence != 1.0 else entry


FORMATS.register(CocoFile())
FORMATS.register(CocoFolder())
