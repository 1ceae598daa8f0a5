"""FGVC-Aircraft as published by Maji et al. (2013): variant, family and manufacturer.

In the folder `data`, `images_variant_train.txt` has rows `1025794 737-200`: the name of an image
without its extension .jpg, and its variant; the same for family and manufacturer, and for val,
trainval and test. `variants.txt` lists all variants. `images_box.txt` has the left, top, right and
bottom of the aircraft; pixels are counted from 1, right and bottom are inclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from workbench.domain.splits import Part
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
    lines_of,
    losses,
    main_set,
    number,
    plain,
    read_rows,
    unparted_as_training,
    writable_images,
    write_lines,
)

LEVELS = {"variant": "variants.txt", "family": "families.txt", "manufacturer": "manufacturers.txt"}
FILES = {  # in the order of reading: trainval repeats the images of train and val
    "train": Part.TRAIN,
    "val": Part.VALIDATION,
    "test": Part.TEST,
    "trainval": Part.TRAIN,
}
FOLDER = "data/images"


class Aircraft(DatasetFormat):
    """Folders with data/images_variant_train.txt and so on, or the folder `data` itself."""

    name = "aircraft"
    title = mark("FGVC-Aircraft")
    about = mark(
        "The folder of FGVC-Aircraft: the label sets “variant”, “family” and “manufacturer”, the"
        " parts of its split, and boxes."
    )
    carries = frozenset({Carry.LABELS, Carry.LABEL_SETS, Carry.PARTS, Carry.BOXES})

    def recognises(self, path: Path) -> bool:
        places = [path / "data", path]
        files = [f"images_{level}_{part}.txt" for level in LEVELS for part in FILES]
        return any((place / file).is_file() for place in places for file in files)

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path, encoding=options.encoding)
        folder = path / "data" if (path / "data").is_dir() else path
        rows = _AircraftRows("data/images" if folder != path else "images")
        for part in FILES:
            rows.part = FILES[part]
            for level in ("", *LEVELS):
                rows.level = level
                rows.file = f"images_{level}_{part}.txt" if level else f"images_{part}.txt"
                yield from read_rows(dataset, folder / rows.file, rows.add)
        yield from read_rows(dataset, folder / "images_box.txt", rows.add_box)
        yield from finish(dataset, rows.images.values())
        for level, file in LEVELS.items():
            listed = folder / file
            known = (
                [line.strip() for _, line in lines_of(dataset, listed)] if listed.is_file() else []
            )
            dataset.sets[level] = DeclaredSet(tuple(dict.fromkeys([*known, *rows.labels[level]])))
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = _with_ids(writable_images(dataset, messages), messages)
        used = {one.set for _, image in images for one in image.labels}
        sets = {level: level for level in LEVELS}
        main = main_set(dataset, options.label_set)
        if "variant" not in used and main not in LEVELS:
            sets["variant"] = main
        folder = path / "data"
        for part in FILES:
            within = [(key, image) for key, image in images if _is_in(image.part, part)]
            write_lines(folder / f"images_{part}.txt", (key for key, _ in within))
            for level, name in sets.items():
                pairs = ((key, labels_in(image.labels, name)) for key, image in within)
                rows = [f"{key} {in_line(labels[0])}" for key, labels in pairs if labels]
                write_lines(folder / f"images_{level}_{part}.txt", rows)
        records = [image for _, image in images]
        for level, name in sets.items():
            write_lines(folder / LEVELS[level], map(in_line, labels_of_set(dataset, records, name)))
        boxes = [(key, image.regions[0].box) for key, image in images if image.regions]
        write_lines(folder / "images_box.txt", (f"{key} {_edges(box)}" for key, box in boxes))
        messages += losses(records, self.carries, [*sets.values()], most_regions=1)
        return messages + unparted_as_training(records)

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        place = below(image.path, FOLDER)
        return place if _has_id(place) else ""


@dataclass
class _AircraftRows:
    """Images by name. `file` is being read, whose rows have labels of `level` ("": none)."""

    folder: str
    images: dict[str, ImageDraft] = field(default_factory=dict)
    labels: dict[str, dict[str, None]] = field(default_factory=lambda: {one: {} for one in LEVELS})
    file: str = ""
    part: Part | None = None
    level: str = ""

    def add(self, line: int, text: str) -> None:
        """Add a row with an image and its label. Raises ValueError if it is malformed."""
        key, label = keyed(text) if self.level else (fields(text, 1)[0], "")
        image = self.images.get(key)
        if image is None:
            place = f"{self.folder}/{key}.jpg"
            image = self.images[key] = ImageDraft(place, self.file, line, part=self.part)
        elif image.part is not self.part and "trainval" not in self.file:
            raise ValueError(Message("the image is in two parts of the split"))
        given = labels_in(image.labels, self.level)
        if label and given not in ([], [label]):
            raise ValueError(Message("the image has the label “{label}” already", label=given[0]))
        if label and not given:
            image.labels.append(GivenLabel(self.level, label))
            self.labels[self.level][label] = None

    def add_box(self, _line: int, text: str) -> None:
        """Add a row of images_box.txt. Raises ValueError if it is malformed."""
        key, *edges = fields(text, 5)
        image = self.images.get(key)
        if image is None:
            raise Unlisted
        left, top, right, bottom = map(number, edges)
        if image.regions:
            raise ValueError(Message("the image has a box already"))
        image.regions.append(Region(box_of(left - 1, top - 1, right, bottom)))


def _with_ids(
    images: Sequence[ImageRecord], messages: list[Message]
) -> list[tuple[str, ImageRecord]]:
    """The images that can be named without extension, with these names."""
    placed = [(below(image.path, FOLDER).removeprefix(f"{FOLDER}/"), image) for image in images]
    fit = [(key[:-4], one) for key, one in placed if _has_id(key)]
    if left := len(images) - len(fit):
        messages.append(
            counted(
                left,
                "{n:,} image is not written: it is no .jpg file, or its name has a space.",
                "{n:,} images are not written: they are no .jpg files, or their names have spaces.",
            )
        )
    return fit


def _has_id(place: str) -> bool:
    """Whether an image can be named without its extension, in a row of words."""
    return place.endswith(".jpg") and len(place.split()) == 1


def _is_in(part: Part | None, name: str) -> bool:
    """Whether the file for a part called `name` has the images of `part`."""
    part = part or Part.TRAIN
    return part is not Part.TEST if name == "trainval" else FILES[name] is part


def _edges(box: Sequence[float]) -> str:
    left, top, right, bottom = box
    texts = map(plain, (left + 1, top + 1, right, bottom))
    return " ".join(text.removesuffix(".0") for text in texts)


FORMATS.register(Aircraft())
