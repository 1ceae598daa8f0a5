"""CelebA as published by Liu et al. (Hong Kong, 2015): attributes of faces.

    list_attr_celeba.txt       number of images, names of attributes, rows `000001.jpg -1 1 …`
    list_eval_partition.txt    rows `000001.jpg 0` (0 training, 1 validation, 2 test image)
    identity_CelebA.txt        rows `000001.jpg 2880`
    list_bbox_celeba.txt       number, header, rows `000001.jpg 95 71 226 313` (x, y, width, height)
    list_landmarks_celeba.txt  number, header, rows of five points; also …_align_celeba.txt

Boxes belong to the images in the folder `img_celeba`, others to those in `img_align_celeba`, which
are cut to 178 × 218 pixels. The files are in one folder or in Anno, Eval and Img.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.datasets import (
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.splits import PARTS
from workbench.domain.text import Message, counted, mark
from workbench.formats.base import (
    AS_IT_IS,
    FORMATS,
    DatasetFormat,
    Reading,
    ReadOptions,
    WriteOptions,
)
from workbench.formats.published import (
    Box,
    ImageDraft,
    Unlisted,
    below,
    box_of,
    finish,
    labels_in,
    labels_of_set,
    losses,
    main_set,
    number,
    plain,
    read_rows,
    whole,
    writable_images,
    write_lines,
)

ATTRIBUTES, IDENTITY = "attributes", "identity"  # label sets
ATTRIBUTE_FILE = "list_attr_celeba.txt"
ALIGNED, WILD = "img_align_celeba", "img_celeba"  # folders of images
ALIGNED_BOX = (0.0, 0.0, 178.0, 218.0)  # the images are cut to this size
POINTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
FOLDERS = (".", "Anno", "Eval", "Img")


class CelebA(DatasetFormat):
    """Folders with list_attr_celeba.txt and the files beside it."""

    name = "celeba"
    title = mark("CelebA")
    about = mark(
        "The folder of CelebA: the attributes of faces that are present as the label set"
        " “attributes”, the parts of its split, boxes and landmarks."
    )
    carries = frozenset({Carry.LABELS, Carry.SEVERAL, Carry.PARTS, Carry.BOXES, Carry.POINTS})

    def recognises(self, path: Path) -> bool:
        return _found(path, ATTRIBUTE_FILE).is_file()

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path, encoding=options.encoding)
        aligned = _found(path, ALIGNED).is_dir() or not _found(path, WILD).is_dir()
        images = _found(path, ALIGNED if aligned else WILD)
        inner = images / images.name  # where archives are unpacked into folders of their names
        folder = (inner if inner.is_dir() else images).relative_to(path).as_posix()
        rows = _FaceRows(folder)
        names = "list_landmarks_align_celeba.txt" if aligned else "list_landmarks_celeba.txt"
        for file, use in (
            (ATTRIBUTE_FILE, rows.add_attributes),
            ("list_eval_partition.txt", rows.add_part),
            ("identity_CelebA.txt", rows.add_identity),
            *((("list_bbox_celeba.txt", rows.add_box),) if not aligned else ()),
            (names, rows.add_points),
        ):
            rows.file = file
            yield from read_rows(dataset, _found(path, file), use)
        if aligned:
            _add_whole_boxes(rows.images.values())
            if _found(path, "list_bbox_celeba.txt").is_file():
                dataset.remarks.append(
                    Message("The boxes are ignored: they belong to “{folder}”.", folder=WILD)
                )
        yield from finish(dataset, rows.images.values())
        dataset.sets[ATTRIBUTES] = DeclaredSet(tuple(rows.attributes), exclusive=False)
        if rows.identities:
            dataset.sets[IDENTITY] = DeclaredSet(tuple(rows.identities))
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = writable_images(dataset, messages)
        aligned = all(image.path.startswith(f"{ALIGNED}/") for image in images)
        folder = ALIGNED if aligned else WILD
        named = [(self.place(image), image) for image in images]
        named = [(n.removeprefix(f"{folder}/"), i) for n, i in named if n.startswith(folder)]
        if left := len(images) - len(named):
            messages.append(
                counted(
                    left,
                    "{n:,} image is not written, since others are not in “{folder}”.",
                    "{n:,} images are not written, since others are not in “{folder}”.",
                    folder=ALIGNED,
                )
            )
        images = [image for _, image in named]
        (path / folder).mkdir(parents=True, exist_ok=True)  # tells which images the boxes are of
        main = _written_set(dataset, options.label_set)
        labels = labels_of_set(dataset, images, main)
        write_lines(path / ATTRIBUTE_FILE, _attribute_lines(named, labels, main))
        parts = [(name, image.part) for name, image in named if image.part]
        rows = [f"{name} {PARTS.index(part)}" for name, part in parts]
        write_lines(path / "list_eval_partition.txt", rows)
        identities = ((name, labels_in(image.labels, IDENTITY)) for name, image in named)
        rows = [f"{name} {_word(labels[0])}" for name, labels in identities if labels]
        if rows and main != IDENTITY:
            write_lines(path / "identity_CelebA.txt", rows)
        messages += _write_regions(path, named, aligned)
        messages += losses(images, self.carries, (main, IDENTITY), most_regions=1)
        return messages + _words_changed(labels)

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        there = image.path.startswith(f"{ALIGNED}/")
        return image.path if there else below(image.path, WILD)


@dataclass
class _FaceRows:
    """Images by the name of their file, which is in `folder`; the rows of `file` are read."""

    folder: str
    images: dict[str, ImageDraft] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)
    identities: dict[str, None] = field(default_factory=dict)
    file: str = ""

    def add_attributes(self, line: int, text: str) -> None:
        """A row of list_attr_celeba.txt; like the others, it raises ValueError if it is malformed.

        The second line names the attributes; it is blank if there are none.
        """
        if line == 1:
            whole(text.strip())
        elif line == 2:
            self.attributes = text.split()
        else:
            name, values = _row(text, len(self.attributes))
            if set(values) - {"1", "-1"}:
                raise ValueError(Message("a value is neither 1 nor -1"))
            if name in self.images:
                raise ValueError(Message("the image is listed twice"))
            named = zip(self.attributes, values, strict=True)
            labels = [GivenLabel(ATTRIBUTES, label) for label, value in named if value == "1"]
            self.images[name] = ImageDraft(f"{self.folder}/{name}", self.file, line, labels)

    def add_part(self, _line: int, text: str) -> None:
        """A row of list_eval_partition.txt."""
        name, (value,) = _row(text, 1)
        if value not in ("0", "1", "2"):
            raise ValueError(Message("“{text}” is not 0, 1 or 2", text=value))
        image, part = self._image(name), PARTS[int(value)]
        if image.part not in (None, part):
            raise ValueError(Message("the image is in two parts of the split"))
        image.part = part

    def add_identity(self, _line: int, text: str) -> None:
        """A row of identity_CelebA.txt."""
        name, (value,) = _row(text, 1)
        image = self._image(name)
        if labels_in(image.labels, IDENTITY):
            raise ValueError(Message("the image has an identity already"))
        image.labels.append(GivenLabel(IDENTITY, value))
        self.identities[value] = None

    def add_box(self, line: int, text: str) -> None:
        """A row of list_bbox_celeba.txt."""
        if _is_heading(line, text):
            return
        name, values = _row(text, 4)
        image = self._image(name)
        left, top, width, height = map(number, values)
        if image.regions:
            raise ValueError(Message("the image has a box already"))
        image.regions.append(Region(box_of(left, top, left + width, top + height)))

    def add_points(self, line: int, text: str) -> None:
        """A row of list_landmarks_celeba.txt or list_landmarks_align_celeba.txt."""
        if _is_heading(line, text):
            return
        name, values = _row(text, 2 * len(POINTS))
        image = self._image(name)
        numbers = [number(value) for value in values]
        image.points = dict(enumerate(zip(numbers[::2], numbers[1::2], strict=True)))

    def _image(self, name: str) -> ImageDraft:
        image = self.images.get(name)
        if image is None:
            raise Unlisted
        return image


def _row(text: str, count: int) -> tuple[str, list[str]]:
    """The name at the beginning of a row, which may have spaces, and the `count` values after it.
    Raises ValueError."""
    name, *values = text.strip().rsplit(maxsplit=count) if count else [text.strip()]
    if len(values) != count:
        raise ValueError(
            Message(
                "the row has {found} values instead of {count}",
                found=len(values) + 1,
                count=count + 1,
            )
        )
    return name, values


def _is_heading(line: int, text: str) -> bool:
    """Whether a line is one of the first two, with the number of images or names of columns."""
    words = text.split()
    return line <= 2 and (len(words) == 1 or words[-1][-1].isalpha())


def _found(path: Path, name: str) -> Path:
    """Where a file or folder is: in the folder, or in one of those of the publication."""
    places = (path / folder / name for folder in FOLDERS)
    return next((place for place in places if place.exists()), path / name)


def _add_whole_boxes(images: Iterable[ImageDraft]) -> None:
    """Give images that are cut to the face a box, if they have landmarks."""
    for image in images:
        if image.points:
            image.regions.append(Region(ALIGNED_BOX))


def _written_set(dataset: Dataset, label_set: str) -> str:
    """The set that becomes attributes: `label_set` if the dataset has it, else “attributes”, else
    the first one."""
    used = {one.set for image in dataset.images for one in image.labels}
    if label_set in dataset.sets or ATTRIBUTES not in used | dataset.sets.keys():
        return main_set(dataset, label_set)
    return ATTRIBUTES


def _word(label: str) -> str:
    """A label as one word, as in the heading."""
    return "_".join(label.split())


def _words_changed(labels: Iterable[str]) -> list[Message]:
    n = sum(_word(label) != label for label in labels)
    message = counted(
        n,
        "{n:,} label is changed: its spaces are written as “_”.",
        "{n:,} labels are changed: their spaces are written as “_”.",
    )
    return [message] if n else []


def _attribute_lines(
    named: Sequence[tuple[str, ImageRecord]], labels: Sequence[str], label_set: str
) -> Iterator[str]:
    words = list(dict.fromkeys(map(_word, labels)))
    yield str(len(named))
    yield " ".join(words)
    for name, image in named:
        given = {_word(label) for label in labels_in(image.labels, label_set)}
        yield " ".join([name, *("1" if word in given else "-1" for word in words)])


def _write_regions(
    path: Path, named: Sequence[tuple[str, ImageRecord]], aligned: bool
) -> list[Message]:
    """Write the first boxes and their landmarks; returns messages on those that do not fit."""
    firsts = [(name, image.regions[0]) for name, image in named if image.regions]
    pointed = [(name, region) for name, region in firsts if len(region.points) == len(POINTS)]
    boxes = [] if aligned else [(name, region.box) for name, region in firsts]
    if aligned:
        pointed = [(name, region) for name, region in pointed if region.box == ALIGNED_BOX]
    else:
        rows = [f"{name} {_numbers(_sizes(box))}" for name, box in boxes]
        heading = "image_id x_1 y_1 width height"
        write_lines(path / "list_bbox_celeba.txt", [str(len(rows)), heading, *rows])
    flat = ((name, [value for point in one.points for value in point]) for name, one in pointed)
    rows = [f"{name} {_numbers(values)}" for name, values in flat]
    file = "list_landmarks_align_celeba.txt" if aligned else "list_landmarks_celeba.txt"
    heading = " ".join(f"{point}_{axis}" for point in POINTS for axis in "xy")
    write_lines(path / file, [str(len(rows)), heading, *rows])
    lost = len(firsts) - len(pointed) if aligned else 0
    unwritten = [] if aligned else [one for _, one in firsts if len(one.points) not in (0, 5)]
    return [*_boxes_lost(lost), *_points_lost(len(unwritten))]


def _sizes(box: Box) -> tuple[float, ...]:
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


def _numbers(values: Iterable[float]) -> str:
    return " ".join(plain(value).removesuffix(".0") for value in values)


def _boxes_lost(n: int) -> list[Message]:
    message = counted(
        n,
        "{n:,} box is not written: its image is cut to another one.",
        "{n:,} boxes are not written: their images are cut to others.",
    )
    return [message] if n else []


def _points_lost(n: int) -> list[Message]:
    message = counted(
        n,
        "The landmarks of {n:,} box are not written: they are not five.",
        "The landmarks of {n:,} boxes are not written: they are not five.",
    )
    return [message] if n else []


FORMATS.register(CelebA())
