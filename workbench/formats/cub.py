"""CUB-200-2011 as published by Wah et al. (Caltech, 2011), and datasets in the same layout.

Each file has rows of words that begin with the number of an image:

    images.txt                 1 001.Black_footed_Albatross/x.jpg   (in the folder `images`)
    classes.txt                1 001.Black_footed_Albatross         (number of a class)
    image_class_labels.txt     1 1
    train_test_split.txt       1 0                                  (1: training image)
    bounding_boxes.txt         1 60.0 27.0 325.0 304.0              (x, y, width, height)
    parts/parts.txt            1 back                               (number of a landmark)
    parts/part_locs.txt        1 2 312.0 182.0 1                    (landmark, x, y, visible)
    attributes/attributes.txt  1 has_bill_shape::dagger             (number of an attribute)
    attributes/image_attribute_labels.txt   1 1 0 3 27.708          (present, certainty, seconds)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

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
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark
from workbench.formats.base import (
    AS_IT_IS,
    FORMATS,
    DatasetFormat,
    Reading,
    ReadOptions,
    WriteOptions,
)
from workbench.formats.published import (
    Heartbeats,
    ImageDraft,
    Unlisted,
    below,
    box_of,
    fields,
    finish,
    in_line,
    keyed,
    labels_in,
    labels_of_set,
    losses,
    main_set,
    number,
    plain,
    read_rows,
    validation_as_training,
    whole,
    writable_images,
    write_lines,
)

ATTRIBUTES = "attributes"  # label set of the attributes, which do not exclude each other
MOST_CERTAIN = 4  # certainties: 1 not visible, 2 guessing, 3 probably, 4 definitely
BIRD_PARTS = (
    "back",
    "beak",
    "belly",
    "breast",
    "crown",
    "forehead",
    "left eye",
    "left leg",
    "left wing",
    "nape",
    "right eye",
    "right leg",
    "right wing",
    "tail",
    "throat",
)


class Cub(DatasetFormat):
    """Folders with images.txt, image_class_labels.txt and so on."""

    name = "cub"
    title = mark("CUB-200-2011")
    about = mark(
        "The folder of CUB-200-2011: classes, training and test images, boxes, landmarks, and the"
        " attributes that are present as the label set “attributes”."
    )
    carries = frozenset({Carry.LABELS, Carry.PARTS, Carry.BOXES, Carry.POINTS})

    def recognises(self, path: Path) -> bool:
        return all((path / name).is_file() for name in ("images.txt", "image_class_labels.txt"))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path, encoding=options.encoding)
        tables = _CubTables()
        for name, use in (
            ("images.txt", tables.add_image),
            ("classes.txt", tables.add_class),
            ("image_class_labels.txt", tables.add_label),
            ("train_test_split.txt", tables.add_part),
            ("bounding_boxes.txt", tables.add_box),
            ("parts/part_locs.txt", tables.add_point),
        ):
            yield from read_rows(dataset, path / name, use)
        yield from _read_attributes(dataset, path, tables)
        yield from finish(dataset, tables.images.values())
        used = chain.from_iterable(draft.labels for draft in tables.images.values())
        labels = (*tables.classes.values(), *labels_in(used, MAIN_SET))
        dataset.sets[MAIN_SET] = DeclaredSet(tuple(dict.fromkeys(labels)))
        if tables.attributes:
            declared = tuple(tables.attributes.values())
            dataset.sets[ATTRIBUTES] = DeclaredSet(declared, exclusive=False)
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = writable_images(dataset, messages)
        main = main_set(dataset, options.label_set)
        numbered = list(enumerate(images, 1))
        places = (f"{n} {self.place(image).removeprefix('images/')}" for n, image in numbered)
        write_lines(path / "images.txt", places)
        classes = labels_of_set(dataset, images, main)
        write_lines(path / "classes.txt", _listed(classes))
        numbers = {label: n for n, label in enumerate(classes, 1)}
        given = ((n, labels_in(image.labels, main)) for n, image in numbered)
        rows = (f"{n} {numbers[labels[0]]}" for n, labels in given if labels)
        write_lines(path / "image_class_labels.txt", rows)
        parts = [(n, image.part) for n, image in numbered if image.part]
        rows = (f"{n} {int(part is not Part.TEST)}" for n, part in parts)
        write_lines(path / "train_test_split.txt", rows)
        _write_regions(path, numbered)
        attributes = () if main == ATTRIBUTES else (ATTRIBUTES,)
        if attributes and (known := labels_of_set(dataset, images, ATTRIBUTES)):
            _write_attributes(path / "attributes", numbered, known)
        written = (main, *attributes)
        messages += losses(images, self.carries, written, free=attributes, most_regions=1)
        return [*messages, *validation_as_training(images)]

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        return below(image.path, "images")


@dataclass
class _CubTables:
    """What the files contain, by the numbers of images, classes and attributes."""

    images: dict[str, ImageDraft] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    def add_image(self, line: int, text: str) -> None:
        """A row of images.txt; like the others, it raises ValueError if it is malformed."""
        key, path = keyed(text)
        if key in self.images:
            raise ValueError(Message("image {key} is listed twice", key=key))
        self.images[key] = ImageDraft(f"images/{path}", "images.txt", line)

    def add_class(self, _line: int, text: str) -> None:
        """A row of classes.txt."""
        key, name = keyed(text)
        self.classes[key] = name

    def add_label(self, _line: int, text: str) -> None:
        """A row of image_class_labels.txt. A class without a name is called by its number."""
        key, of_class = fields(text, 2)
        image = self._image(key)
        if image.labels:
            raise ValueError(Message("image {key} has a class already", key=key))
        image.labels.append(GivenLabel(MAIN_SET, self.classes.get(of_class, of_class)))

    def add_part(self, _line: int, text: str) -> None:
        """A row of train_test_split.txt."""
        key, flag = fields(text, 2)
        if flag not in ("0", "1"):
            raise ValueError(Message("“{text}” is not 0 or 1", text=flag))
        image, part = self._image(key), Part.TRAIN if flag == "1" else Part.TEST
        if image.part not in (None, part):
            raise ValueError(Message("the image is in two parts of the split"))
        image.part = part

    def add_box(self, _line: int, text: str) -> None:
        """A row of bounding_boxes.txt."""
        key, *numbers = fields(text, 5)
        image = self._image(key)
        left, top, width, height = map(number, numbers)
        if image.regions:
            raise ValueError(Message("image {key} has a box already", key=key))
        image.regions.append(Region(box_of(left, top, left + width, top + height)))

    def add_point(self, _line: int, text: str) -> None:
        """A row of part_locs.txt."""
        key, landmark, x, y, visible = fields(text, 5)
        image = self._image(key)
        index = whole(landmark) - 1
        if not 0 <= index < 1000:
            raise ValueError(Message("“{text}” is not the number of a landmark", text=landmark))
        point = (number(x), number(y))
        image.points[index] = point if visible == "1" else MISSING_POINT

    def add_attribute(self, _line: int, text: str) -> None:
        """A row of attributes.txt."""
        key, name = keyed(text)
        self.attributes[key] = name

    def add_presence(self, _line: int, text: str) -> None:
        """A row of image_attribute_labels.txt."""
        key, attribute, present, certainty, _seconds = fields(text, 5)
        image = self._image(key)
        if present not in ("0", "1") or certainty not in ("1", "2", "3", "4"):
            raise ValueError(Message("the row has no presence and certainty"))
        if present == "1":
            label = self.attributes.setdefault(attribute, attribute)
            image.labels.append(
                GivenLabel(ATTRIBUTES, label, confidence=int(certainty) / MOST_CERTAIN)
            )

    def _image(self, key: str) -> ImageDraft:
        image = self.images.get(key)
        if image is None:
            raise Unlisted
        return image


def _read_attributes(dataset: Dataset, path: Path, tables: _CubTables) -> Heartbeats:
    """Read the attributes. Their names lie beside the folder where the archive is unpacked."""
    for names in ("attributes/attributes.txt", "attributes.txt", "../attributes.txt"):
        if (path / names).is_file():
            yield from read_rows(dataset, path / names, tables.add_attribute)
            break
    values = path / "attributes" / "image_attribute_labels.txt"
    yield from read_rows(dataset, values, tables.add_presence)


def _listed(names: Sequence[str]) -> Iterator[str]:
    return (f"{n} {in_line(name)}" for n, name in enumerate(names, 1))


def _write_regions(path: Path, numbered: list[tuple[int, ImageRecord]]) -> None:
    firsts = [(n, image.regions[0]) for n, image in numbered if image.regions]
    rows = []
    for n, region in firsts:
        left, top, right, bottom = region.box
        sizes = " ".join(map(plain, (left, top, right - left, bottom - top)))
        rows.append(f"{n} {sizes}")
    write_lines(path / "bounding_boxes.txt", rows)
    most = max((len(region.points) for _, region in firsts), default=0)
    if not most:
        return
    names = BIRD_PARTS if most == len(BIRD_PARTS) else [f"landmark {n + 1}" for n in range(most)]
    write_lines(path / "parts" / "parts.txt", _listed(names))
    places = (
        f"{n} {landmark} {plain(x)} {plain(y)} {int((x, y) != MISSING_POINT)}"
        for n, region in firsts
        for landmark, (x, y) in enumerate(region.points, 1)
    )
    write_lines(path / "parts" / "part_locs.txt", places)


def _write_attributes(
    folder: Path, numbered: list[tuple[int, ImageRecord]], known: list[str]
) -> None:
    """Write the attributes that are present; nothing is known of the others' certainty."""
    write_lines(folder / "attributes.txt", _listed(known))
    numbers = {label: n for n, label in enumerate(known, 1)}
    rows = (
        f"{n} {numbers[one.label]} 1 {min(4, max(1, round(one.confidence * MOST_CERTAIN)))} 0.0"
        for n, image in numbered
        for one in image.labels
        if one.set == ATTRIBUTES
    )
    write_lines(folder / "image_attribute_labels.txt", rows)


FORMATS.register(Cub())
