"""What the formats of published datasets share: rows of text files, rejected rows, losses.

A published dataset has several text files about the same images. `read_rows` reads one of them, and
`ImageDraft` collects what they contain about one image.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import msgspec

from workbench.domain.datasets import (
    MAIN_SET,
    MISSING_POINT,
    Carry,
    Dataset,
    GivenLabel,
    ImageRecord,
    Region,
    place_in,
)
from workbench.domain.errors import KnownError, parsing, reason_of
from workbench.domain.formats import IMAGE_FORMATS
from workbench.domain.images import SkippedFile
from workbench.domain.projects import SUFFIX
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted
from workbench.files import read_regular, write_whole
from workbench.formats.base import WriteOptions
from workbench.formats.text import is_damaged, read_text
from workbench.formats.xml_files import parse_xml

Heartbeats = Generator[None, None, None]
Box = tuple[float, float, float, float]

MOST_XML = 1 << 26  # bytes of an XML file, which describes one image


class Unlisted(ValueError):
    """A row is about an image that the dataset does not list. Such rows are only counted: whoever
    uses some of the images often has the other files whole."""


@dataclass
class ImageDraft:
    """What has been read about one image so far; the fields are those of its record."""

    path: str
    file: str = ""
    line: int = 0
    labels: list[GivenLabel] = field(default_factory=list)
    part: Part | None = None
    regions: list[Region] = field(default_factory=list)
    points: dict[int, tuple[float, float]] = field(default_factory=dict)  # by number, from 0

    def record(self) -> ImageRecord:
        """The finished record. The points belong to the first region and are dropped without one;
        numbers that are missing in between are MISSING_POINT, as are invisible landmarks."""
        regions = self.regions
        if self.points and regions:
            points = tuple(self.points.get(n, MISSING_POINT) for n in range(max(self.points) + 1))
            first = Region(regions[0].box, regions[0].labels, points, regions[0].relative)
            regions = [first, *regions[1:]]
        return ImageRecord(
            self.path, tuple(self.labels), self.part, tuple(regions), self.line, self.file
        )


def finish(dataset: Dataset, drafts: Iterable[ImageDraft]) -> Heartbeats:
    """Add the records of `drafts` to the dataset, and a remark on landmarks without a box."""
    lost = 0
    for count, draft in enumerate(drafts):
        if count % 512 == 0:
            yield
        lost += bool(draft.points and not draft.regions)
        dataset.images.append(draft.record())
    if lost:
        dataset.remarks.append(
            counted(
                lost,
                "The landmarks of {n:,} image are ignored, since it has no box.",
                "The landmarks of {n:,} images are ignored, since they have no box.",
            )
        )


# text files


def text_of(dataset: Dataset, path: Path) -> str:
    """Content of a text file of a dataset, in its encoding if the user chose one.

    Otherwise it is detected; if it had to be guessed, the dataset then has it as a guess. Single
    lines may be damaged (see `is_damaged`). Raises KnownError.
    """
    found = read_text(path, "" if dataset.guessed else dataset.encoding)
    if found.guessed:
        dataset.encoding, dataset.guessed = found.encoding, True
    return found.content


def lines_of(dataset: Dataset, path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file with their numbers from 1, without blank ones. Raises KnownError."""
    text = text_of(dataset, path)
    start = number = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        number += 1
        line = text[start:end].rstrip("\r")
        if line.strip():
            yield number, line
        start = end + 1


def read_rows(dataset: Dataset, path: Path, use: Callable[[int, str], None]) -> Heartbeats:
    """Call `use` with the number and text of each line of a file; a missing file has none.

    A line for which it raises ValueError is rejected with the reason; those that are `Unlisted` are
    counted in a remark. Raises KnownError if the file cannot be read.
    """
    if not path.exists():
        return
    unlisted = 0
    for number, line in lines_of(dataset, path):
        if number % 512 == 1:
            yield
        try:
            if is_damaged(line):
                raise ValueError(Message("the line has bytes that are not text"))
            use(number, line)
        except Unlisted:
            unlisted += 1
        except ValueError as error:
            reject(dataset, path.name, number, error)
    dataset.remarks += unlisted_remark(path.name, unlisted)


def unlisted_remark(file: str, n: int) -> list[Message]:
    """The remark on `n` rows of a file about images that the dataset does not list."""
    message = counted(
        n,
        "{n:,} row of {file} is ignored: its image is not listed.",
        "{n:,} rows of {file} are ignored: their images are not listed.",
        file=file,
    )
    return [message] if n else []


def reject(dataset: Dataset, file: str, line: int, error: Exception) -> None:
    """List a malformed row, or the whole file if `line` is 0."""
    place = place_in(file, line) if line else file
    dataset.rejected.append(SkippedFile(place, reason_of(error)))


def fields(line: str, count: int) -> list[str]:
    """The words of a row. Raises ValueError unless there are `count` of them."""
    found = line.split()
    if len(found) != count:
        raise ValueError(
            Message("the row has {found} values instead of {count}", found=len(found), count=count)
        )
    return found


def keyed(line: str) -> tuple[str, str]:
    """The first word of a row, and the text after it, which may have spaces. Raises ValueError."""
    key, *rest = line.strip().split(maxsplit=1)
    if not rest:
        raise ValueError(Message("the row has {found} values instead of {count}", found=1, count=2))
    return key, rest[0]


def number(text: str) -> float:
    """A finite number. Raises ValueError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(Message("“{text}” is not a number", text=text))
    return value


def whole(text: str) -> int:
    """A whole number. Raises ValueError."""
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(Message("“{text}” is not a whole number", text=text)) from error


def box_of(left: float, top: float, right: float, bottom: float) -> Box:
    """A box from its edges. Raises ValueError if it is empty."""
    if not (left < right and top < bottom):
        raise ValueError(Message("the box is empty"))
    return left, top, right, bottom


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file in UTF-8, with its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def plain(value: float) -> str:
    """A coordinate as published files have them, such as 60.0; rounded to a thousandth of a
    pixel, which hides the error of a width that is the difference of two edges."""
    return repr(round(float(value), 3))


# XML files


def xml_of(path: Path) -> Element:
    """Root of an XML file without a document type. Raises KnownError."""
    data = read_regular(path, most=MOST_XML)
    with parsing(path):
        return parse_xml(data)


def voc_boxes(path: Path) -> list[tuple[str, Box]]:
    """Name and box of each object in an annotation of Pascal VOC, whose pixels are counted from 1
    and whose right and bottom are inclusive. Raises KnownError or ValueError."""
    found = []
    for each in xml_of(path).iter("object"):
        edges = (number(each.findtext(f"bndbox/{edge}", "")) for edge in VOC_EDGES)
        left, top, right, bottom = edges
        found.append((each.findtext("name", ""), box_of(left - 1, top - 1, right, bottom)))
    return found


def read_voc_boxes(
    dataset: Dataset, files: Iterable[tuple[Path, ImageDraft]], label_set: str | None = None
) -> Heartbeats:
    """Add the boxes in annotations of Pascal VOC to images, with their names as labels of
    `label_set`. Missing files are passed over, and damaged ones rejected."""
    for count, (file, image) in enumerate(files):
        if count % 64 == 0:
            yield
        if file.is_file():
            try:
                for name, box in voc_boxes(file):
                    labels = () if label_set is None else (GivenLabel(label_set, name),)
                    image.regions.append(Region(box, labels))
            except (ValueError, KnownError) as error:
                reject(dataset, file.name, 0, error)


VOC_EDGES = ("xmin", "ymin", "xmax", "ymax")


# folders and paths


def files_below(root: Path, rejected: list[SkippedFile]) -> Generator[None, None, list[str]]:
    """Names of the files below a folder, relative to it and sorted, with forward slashes.

    Hidden files and folders, links to folders and projects are left out. Folders that cannot be
    read, and names that are not valid, are added to `rejected`.
    """

    def unreadable(error: OSError) -> None:
        rejected.append(SkippedFile(str(error.filename), reason_of(error)))

    found = []
    for folder, below, names in os.walk(root, onerror=unreadable):
        yield
        below[:] = sorted(one for one in below if one[0] != "." and not one.endswith(SUFFIX))
        above = Path(folder).relative_to(root).as_posix()
        for name in sorted(name for name in names if name[0] != "."):
            relative = name if above == "." else f"{above}/{name}"
            if one_line(relative):
                found.append(relative)
            else:
                shown = os.fsencode(relative).decode(errors="replace")
                rejected.append(SkippedFile(shown, Message("its name is not valid")))
    return found


def is_image(name: str) -> bool:
    """Whether a file is an image that can be imported, by its extension."""
    format = IMAGE_FORMATS.of(name)
    return format is not None and format.read


def writable(path: str) -> bool:
    """Whether a path can be written in a line of a text file, and stays inside of its folder."""
    pure = PurePosixPath(path)
    inside = bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts
    return inside and path.strip() == path and one_line(path)


def in_line(text: str) -> str:
    """A label as it is written in a line of a file: line breaks become spaces."""
    return " ".join(text.splitlines()).strip()


def one_line(text: str) -> bool:
    """Whether a text can be written in a line of a file in UTF-8."""
    return not any(sign in "\n\r" or "\ud800" <= sign <= "\udfff" for sign in text)


def writable_images(dataset: Dataset, messages: list[Message]) -> list[ImageRecord]:
    """The images whose path is `writable`, with boxes in pixels; messages count the others."""
    images = [image for image in dataset.images if writable(image.path)]
    if left := len(dataset.images) - len(images):
        messages.append(
            counted(
                left,
                "{n:,} image is not written: its path is not valid in this format.",
                "{n:,} images are not written: their paths are not valid in this format.",
            )
        )
    unsized = sum(len(image.regions) - len(_pixel_regions(image)) for image in images)
    if unsized:
        messages.append(
            counted(
                unsized,
                "{n:,} box is not written: the size of its image is unknown.",
                "{n:,} boxes are not written: the sizes of their images are unknown.",
            )
        )
    return [msgspec.structs.replace(image, regions=_pixel_regions(image)) for image in images]


def _pixel_regions(image: ImageRecord) -> tuple[Region, ...]:
    """The regions in pixels, without those for which the size of the image would be needed."""
    sized = image.width > 0 and image.height > 0
    usable = (one for one in image.regions if sized or not one.relative)
    return tuple(one.in_pixels(image.width, image.height) for one in usable)


def validation_as_training(images: Iterable[ImageRecord]) -> list[Message]:
    """The message on validation images in a format that has training and test images only."""
    n = sum(image.part is Part.VALIDATION for image in images)
    message = counted(
        n,
        "{n:,} validation image is written as a training image.",
        "{n:,} validation images are written as training images.",
    )
    return [message] if n else []


def unparted_as_training(images: Iterable[ImageRecord]) -> list[Message]:
    """The message on images without a part in a format where each has one."""
    n = sum(image.part is None for image in images)
    message = counted(
        n,
        "{n:,} image without a part is written as a training image.",
        "{n:,} images without a part are written as training images.",
    )
    return [message] if n else []


def without_part(images: Sequence[ImageRecord], folder: str) -> list[Message]:
    """The message on images without a part, which are in `folder`, where others have one."""
    n = sum(image.part is None for image in images)
    message = counted(
        n,
        "{n:,} image has no part of the split: it is in the folder “{folder}”.",
        "{n:,} images have no part of the split: they are in the folder “{folder}”.",
        folder=folder,
    )
    return [message] if 0 < n < len(images) else []


def below(path: str, folder: str) -> str:
    """`path` inside of `folder` (without a slash at its end): as it is if it is there already."""
    return path if path.startswith(f"{folder}/") else f"{folder}/{path}"


# labels


def set_of_place(image: ImageRecord, options: WriteOptions) -> str:
    """The label set that names the folder of an image: that of the options, else that of its first
    label."""
    if options.label_set != MAIN_SET or not image.labels:
        return options.label_set
    return image.labels[0].set


def labels_in(labels: Iterable[GivenLabel], name: str) -> list[str]:
    """The different labels of one set, in order."""
    return list(dict.fromkeys(one.label for one in labels if one.set == name))


def main_set(dataset: Dataset, label_set: str) -> str:
    """The set that is written where a format has one: `label_set` if the dataset has it or declares
    none, else the first one."""
    return label_set if label_set in dataset.sets or not dataset.sets else next(iter(dataset.sets))


def labels_of_set(dataset: Dataset, images: Sequence[ImageRecord], name: str) -> list[str]:
    """All labels of a set: those that are declared, in their order, then those of `images`."""
    known = dataset.sets[name].labels if name in dataset.sets else ()
    used = (one.label for image in images for one in image.labels if one.set == name)
    return list(dict.fromkeys([*known, *used]))


def losses(
    images: Iterable[ImageRecord],
    carries: Collection[Carry],
    sets: Collection[str] | None = None,
    *,
    free: Collection[str] = (),
    most_regions: int | None = None,
    region_labels: bool = False,
) -> list[Message]:
    """Messages on what a format cannot describe, with counts.

    `sets` are the label sets that it writes (None: all), and `free` those of them that can have
    several labels and confidences whatever it carries. `most_regions` limits the boxes of an image,
    and `region_labels` tells whether boxes have labels.
    """
    lost: Counter[str] = Counter()
    unwritten: Counter[str] = Counter()
    for image in images:
        unwritten.update(
            one.set for one in image.labels if sets is not None and one.set not in sets
        )
        labels = [one for one in image.labels if sets is None or one.set in sets]
        labels = [one for one in labels if one.set not in free]
        regions = image.regions
        names = {one.set for one in labels}
        lost["several"] += len({(one.set, one.label) for one in labels}) - len(names)
        lost["confidences"] += sum(one.confidence != 1.0 for one in labels)
        lost["parts"] += image.part is not None
        lost["boxes"] += len(regions)
        lost["more"] += max(
            0, len(regions) - (len(regions) if most_regions is None else most_regions)
        )
        lost["points"] += sum(bool(one.points) for one in regions)
        lost["region_labels"] += 0 if region_labels else sum(len(one.labels) for one in regions)
    return [*_sets_lost(unwritten), *_counts_lost(lost, carries)]


def _sets_lost(unwritten: Counter[str]) -> list[Message]:
    return [
        counted(
            n,
            "{n:,} label of “{name}” is not written.",
            "{n:,} labels of “{name}” are not written.",
            name=name,
        )
        for name, n in unwritten.items()
    ]


def _counts_lost(lost: Counter[str], carries: Collection[Carry]) -> list[Message]:
    several = 0 if Carry.SEVERAL in carries else lost["several"]
    parts = 0 if Carry.PARTS in carries else lost["parts"]
    confidences = 0 if Carry.CONFIDENCE in carries else lost["confidences"]
    further = counted(
        several,
        "{n:,} further label of an image is not written.",
        "{n:,} further labels of images are not written.",
    )
    of_images = counted(
        parts,
        "The part of {n:,} image is not written.",
        "The parts of {n:,} images are not written.",
    )
    of_labels = counted(
        confidences,
        "The confidence of {n:,} label is not written.",
        "The confidences of {n:,} labels are not written.",
    )
    pairs = ((several, further), (parts, of_images), (confidences, of_labels))
    return [*(message for n, message in pairs if n), *_regions_lost(lost, carries)]


def _regions_lost(lost: Counter[str], carries: Collection[Carry]) -> list[Message]:
    boxes = lost["more"] if Carry.BOXES in carries else lost["boxes"]
    points = 0 if Carry.POINTS in carries else lost["points"]
    labels = lost["region_labels"]
    whole_boxes = counted(boxes, "{n:,} box is not written.", "{n:,} boxes are not written.")
    of_points = counted(
        points,
        "The landmarks of {n:,} box are not written.",
        "The landmarks of {n:,} boxes are not written.",
    )
    of_labels = counted(
        labels,
        "{n:,} label of a box is not written.",
        "{n:,} labels of boxes are not written.",
    )
    pairs = ((boxes, whole_boxes), (points, of_points), (labels, of_labels))
    return [message for n, message in pairs if n]
