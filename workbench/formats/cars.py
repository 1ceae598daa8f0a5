"""Stanford Cars as published by Krause et al. (Stanford, 2013), in MATLAB files.

Either `cars_annos.mat` with all images (`annotations`: relative_im_path, bbox_x1 … bbox_y2, class,
test; and `class_names`), or the devkit: `cars_train_annos.mat` and `cars_test_annos.mat` (or
`cars_test_annos_withlabels.mat`), with fname, and `cars_meta.mat` with `class_names`. Classes are
numbered from 1. Pixels are counted from 1; right and bottom are inclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.domain.datasets import (
    MAIN_SET,
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.matlab import cells, entries_of, read_mat, structs, text_in, write_mat
from workbench.formats.published import (
    box_of,
    in_line,
    labels_in,
    labels_of_set,
    losses,
    main_set,
    number,
    reject,
    unparted_as_training,
    validation_as_training,
    writable_images,
)

WHOLE = "cars_annos.mat"
FOLDERS = (".", "devkit", "car_devkit/devkit")
NAMES = "cars_meta.mat"
PARTS = (  # file, folder of its images, part; the files of a part in order of preference
    (("cars_train_annos.mat",), "cars_train", Part.TRAIN),
    (
        ("cars_test_annos_withlabels.mat", "cars_test_annos.mat"),
        "cars_test",
        Part.TEST,
    ),
)
EDGES = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")
FIELDS = ("relative_im_path", *EDGES, "class", "test")


class Cars(DatasetFormat):
    """Folders with cars_annos.mat, or the devkit."""

    name = "cars"
    title = mark("Stanford Cars")
    about = mark(
        "The folder of Stanford Cars with its MATLAB files: classes, training and test images, and"
        " boxes."
    )
    carries = frozenset({Carry.LABELS, Carry.PARTS, Carry.BOXES})

    def recognises(self, path: Path) -> bool:
        names = (WHOLE, *(name for names, _, _ in PARTS for name in names))
        return any((path / folder / name).is_file() for folder in FOLDERS for name in names)

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path)
        if _has_devkit(path):
            variables = read_mat(file) if (file := _found(path, NAMES)) else {}
            names = _class_names(variables)
            for files, folder, part in PARTS:
                found = (_found(path, name) for name in files)
                if file := next((one for one in found if one), None):
                    values = read_mat(file).get("annotations", [])
                    rows = _CarRows(dataset, file.name, names, f"{folder}/", part)
                    yield from rows.add_all(entries_of(values))
        else:
            file = path / WHOLE
            variables = read_mat(file)
            names = _class_names(variables)
            rows = _CarRows(dataset, file.name, names, "", None)
            yield from rows.add_all(entries_of(variables.get("annotations", [])))
        used = (label for image in dataset.images for label in labels_in(image.labels, MAIN_SET))
        dataset.sets[MAIN_SET] = DeclaredSet(tuple(dict.fromkeys([*names, *used])))
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = writable_images(dataset, messages)
        main = main_set(dataset, options.label_set)
        names = labels_of_set(dataset, images, main)
        numbers = {label: at for at, label in enumerate(names, 1)}
        rows = []
        for image in images:
            labels = labels_in(image.labels, main)
            row = dict.fromkeys(FIELDS, 0.0) | _edges(image)
            row["class"] = float(numbers[labels[0]]) if labels else 0.0
            row["test"] = float(image.part is Part.TEST)
            rows.append({**row, "relative_im_path": image.path})
        annotations = structs(rows, FIELDS)
        write_mat(
            path / WHOLE, {"annotations": annotations, "class_names": cells(map(in_line, names))}
        )
        messages += losses(images, self.carries, (main,), most_regions=1)
        return [*messages, *validation_as_training(images), *unparted_as_training(images)]


class _CarRows:
    """Adds entries of one file to a dataset. Images are in `folder`, and in `part` unless the
    entries tell."""

    def __init__(
        self, dataset: Dataset, file: str, names: list[str], folder: str, part: Part | None
    ) -> None:
        self._dataset = dataset
        self._file = file
        self._names = names
        self._folder = folder
        self._part = part

    def add_all(self, rows: list[Any]) -> Reading:
        """Add all entries; malformed ones are rejected."""
        for at, row in enumerate(rows, 1):
            if at % 512 == 1:
                yield
            try:
                self._dataset.images.append(self._record(row, at))
            except ValueError as error:
                reject(self._dataset, self._file, at, error)
        return self._dataset

    def _record(self, row: Any, at: int) -> ImageRecord:
        if not isinstance(row, Mapping):
            raise ValueError(Message("the entry has no fields"))
        path = row.get("relative_im_path")
        path = self._folder + text_in(row.get("fname")) if path is None else text_in(path)
        part = self._part
        if part is None and "test" in row:
            part = Part.TEST if number(str(row["test"])) else Part.TRAIN
        return ImageRecord(
            path, self._labels(row.get("class")), part, _regions(row), at, self._file
        )

    def _labels(self, of_class: Any) -> tuple[GivenLabel, ...]:
        """The class of an image; 0 or nothing if it has none, as test images without labels."""
        at = 0 if of_class is None else round(number(str(of_class)))
        if at == 0:
            return ()
        if not self._names:
            return (GivenLabel(MAIN_SET, str(at)),)
        if not 1 <= at <= len(self._names):
            raise ValueError(Message("class {number} has no name", number=at))
        return (GivenLabel(MAIN_SET, self._names[at - 1]),)


def _regions(row: Mapping[str, Any]) -> tuple[Region, ...]:
    if not all(edge in row for edge in EDGES):
        return ()
    left, top, right, bottom = (number(str(row[edge])) for edge in EDGES)
    if not any((left, top, right, bottom)):
        return ()
    return (Region(box_of(left - 1, top - 1, right, bottom)),)


def _edges(image: ImageRecord) -> dict[str, float]:
    """The first box of an image as fields; none of them if it has no box."""
    if not image.regions:
        return {}
    left, top, right, bottom = image.regions[0].box
    return dict(zip(EDGES, (left + 1.0, top + 1.0, float(right), float(bottom)), strict=True))


def _class_names(variables: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in entries_of(variables.get("class_names", []))]


def _found(path: Path, name: str) -> Path | None:
    files = (path / folder / name for folder in FOLDERS)
    return next((file for file in files if file.is_file()), None)


def _has_devkit(path: Path) -> bool:
    """Whether the devkit is read: there is no file with all images, or only the devkit's images."""
    images = (path / "cars_train").is_dir() and not (path / "car_ims").is_dir()
    return images or not (path / WHOLE).is_file()


FORMATS.register(Cars())
