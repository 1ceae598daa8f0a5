"""Stanford Dogs as published by Khosla et al. (Stanford, 2011), with lists in MATLAB files.

`file_list.mat`, `train_list.mat` and `test_list.mat` have `file_list`, such as
`n02085620-Chihuahua/n02085620_5927.jpg` in the folder `Images`, `annotation_list`, the same without
extension in the folder `Annotation`, and `labels`, numbered from 1. The folder of an image is its
label. Annotations have boxes, as Pascal VOC does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from msgspec.structs import replace

from workbench.domain.datasets import (
    MAIN_SET,
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
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
from workbench.formats.class_folders import (
    changed_names,
    folder_names,
    folder_of,
    given_labels,
    place_in,
)
from workbench.formats.matlab import cells, entries_of, read_mat, text_in, write_mat
from workbench.formats.published import (
    VOC_EDGES,
    ImageDraft,
    finish,
    labels_in,
    labels_of_set,
    losses,
    main_set,
    number,
    plain,
    read_voc_boxes,
    reject,
    set_of_place,
    validation_as_training,
    writable_images,
    write_lines,
)

LISTS = {"train_list.mat": Part.TRAIN, "test_list.mat": Part.TEST, "file_list.mat": None}
FOLDERS = (".", "lists")


class Dogs(DatasetFormat):
    """Folders with file_list.mat, train_list.mat and test_list.mat."""

    name = "dogs"
    title = mark("Stanford Dogs")
    about = mark(
        "The folder of Stanford Dogs with its lists in MATLAB files: classes, training and test"
        " images, and boxes."
    )
    carries = frozenset({Carry.LABELS, Carry.PARTS, Carry.BOXES})
    needs_images = True  # lists name them in the folders of their labels
    by_stem = True  # annotations are called after images

    def recognises(self, path: Path) -> bool:
        return any((path / folder / name).is_file() for folder in FOLDERS for name in LISTS)

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path)
        images: dict[str, ImageDraft] = {}
        numbered: dict[str, float] = {}
        for name, part in LISTS.items():
            places = (path / folder / name for folder in FOLDERS)
            if file := next((place for place in places if place.is_file()), None):
                for label, at in (yield from _read_list(dataset, file, part, images)).items():
                    numbered.setdefault(label, at)
        folder = path / "Annotation"
        stems = ((PurePosixPath(name).with_suffix(""), one) for name, one in images.items())
        yield from read_voc_boxes(dataset, ((folder / stem, one) for stem, one in stems))
        yield from finish(dataset, images.values())
        labels = sorted(numbered, key=lambda label: (numbered[label], label))
        dataset.sets[MAIN_SET] = DeclaredSet(tuple(labels))
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        main = main_set(dataset, options.label_set)
        all_images = writable_images(dataset, messages)
        images = [image for image in all_images if labels_in(image.labels, main)]
        names = labels_of_set(dataset, images, main)
        folders = options.folders or folder_names(names)
        numbers = {folders[label]: float(at) for at, label in enumerate(names, 1)}
        places = (_place(image, main, folders.__getitem__) for image in images)
        placed = [
            (place.removeprefix("Images/"), image)
            for place, image in zip(places, images, strict=True)
        ]
        for name, part in LISTS.items():
            files = [place for place, image in placed if part is None or _in(image.part) is part]
            _write_list(path / name, files, [numbers[file.partition("/")[0]] for file in files])
        for place, image in placed:
            if image.regions:
                file = path / "Annotation" / PurePosixPath(place).with_suffix("")
                write_lines(file, _annotation(image))
        if left := len(all_images) - len(images):
            messages.append(
                counted(
                    left,
                    "{n:,} image without a label is not written.",
                    "{n:,} images without a label are not written.",
                )
            )
        messages += losses(images, self.carries, (main,))
        return [
            *messages,
            *changed_names(folders, given_labels(images, (main,))),
            *validation_as_training(images),
        ]

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        label_set = set_of_place(image, options)
        labelled = labels_in(image.labels, label_set)
        return _place(image, label_set, folder_of(options)) if labelled else ""


def _read_list(
    dataset: Dataset, file: Path, part: Part | None, images: dict[str, ImageDraft]
) -> Generator[None, None, dict[str, float]]:
    """Add the images of a list; returns the numbers of labels."""
    variables = read_mat(file)
    entries = entries_of(variables.get("file_list", []))
    numbers = entries_of(variables.get("labels", []))
    found: dict[str, float] = {}
    for at, entry in enumerate(entries, 1):
        if at % 512 == 1:
            yield
        try:
            label = _add(images, text_in(entry), ImageDraft("", file.name, at, part=part))
            if len(numbers) == len(entries):
                found.setdefault(label, number(str(numbers[at - 1])))
        except ValueError as error:
            reject(dataset, file.name, at, error)
    return found


def _add(images: dict[str, ImageDraft], name: str, draft: ImageDraft) -> str:
    """Add an image of a list unless it is there; returns its label. Raises ValueError."""
    label = PurePosixPath(name).parent.name
    if not label:
        raise ValueError(Message("the image is in no folder"))
    draft.path = f"Images/{name}"
    draft.labels = [GivenLabel(MAIN_SET, label)]
    known = images.setdefault(name, draft)
    if draft.part is not None and known.part is not draft.part:
        raise ValueError(Message("the image is in two parts of the split"))
    return label


def _place(image: ImageRecord, label_set: str, called: Callable[[str], str]) -> str:
    bare = replace(image, path=image.path.removeprefix("Images/"), part=None)
    return f"Images/{place_in(bare, (label_set,), called=called)}"


def _in(part: Part | None) -> Part | None:
    return Part.TRAIN if part is Part.VALIDATION else part


def _write_list(path: Path, files: Sequence[str], numbers: Sequence[float]) -> None:
    variables: dict[str, Any] = {
        "file_list": cells(files, column=True),
        "annotation_list": cells([file.rpartition(".")[0] for file in files], column=True),
        "labels": np.array(numbers, dtype=float).reshape(-1, 1),
    }
    write_mat(path, variables)


def _annotation(image: ImageRecord) -> list[str]:
    """The boxes of an image as an annotation of Pascal VOC."""
    lines = ["<annotation>"]
    for region in image.regions:
        left, top, right, bottom = region.box
        edges = zip(VOC_EDGES, (left + 1, top + 1, right, bottom), strict=True)
        inside = "".join(f"<{name}>{plain(value)}</{name}>" for name, value in edges)
        lines.append(f"<object><name>dog</name><bndbox>{inside}</bndbox></object>")
    return [*lines, "</annotation>"]


FORMATS.register(Dogs())
