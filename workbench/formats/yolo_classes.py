"""YOLO of Ultralytics for classification: folders train, val and test with a folder for each label.

Layout as in docs.ultralytics.com/datasets/classify.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, GivenLabel, ImageRecord
from workbench.domain.part_words import Given, part_named
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark
from workbench.formats.annotations import Gathering, ImageNotes, Limits, prepared
from workbench.formats.base import (
    AS_IT_IS,
    FORMATS,
    DatasetFormat,
    Reading,
    ReadOptions,
    WriteOptions,
)
from workbench.formats.class_folders import place_in
from workbench.formats.image_paths import (
    IMAGES,
    LABELS,
    UNASSIGNED,
    as_file_name,
    first_entries,
    from_file_name,
    image_files,
    inside,
    shortened_labels,
)
from workbench.formats.json_files import not_of_format
from workbench.formats.published import set_of_place
from workbench.formats.yolo import DATA, names_of, not_trained_on, read_yaml, write_yaml

TITLE = "YOLO"
FOLDERS = {Part.TRAIN: "train", Part.VALIDATION: "val", Part.TEST: "test"}


class YoloClasses(DatasetFormat):
    """YOLO for classification."""

    name = "yolo-classes"
    title = mark("YOLO classification")
    about = mark("Folders train, val and test with a folder of images for each label.")
    carries = frozenset({Carry.LABELS, Carry.PARTS})
    needs_images = True

    def recognises(self, path: Path) -> bool:
        """Whether the folder has one of training images, with a folder for each label."""
        return any(map(_has_labels, _training_folders(path)))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read the images of all folders; empty folders are labels, too."""
        if not path.is_dir():
            raise not_of_format(path, TITLE)
        gathering = Gathering(options.base or path)
        gathering.declare(MAIN_SET)
        if (path / DATA).is_file():
            gathering.declare(MAIN_SET, names_of(read_yaml(path / DATA)).values())
        gathering.declare(MAIN_SET, _label_folders(path))
        drafts = yield from _drafts(path, gathering, options.parts)
        return (yield from gathering.finished(drafts, fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Create the folders for the images, and data.yaml with the labels in their order."""
        ready = prepared(dataset, options.label_set, Limits(self.carries))
        used = {FOLDERS[image.part] for image in ready.images if image.part}
        for part in used | {FOLDERS[Part.TRAIN], FOLDERS[Part.VALIDATION]}:
            for label in ready.labels:
                (path / part / as_file_name(label)).mkdir(parents=True, exist_ok=True)
        write_yaml(path / DATA, {"names": dict(enumerate(ready.labels))})
        return [*ready.messages, *shortened_labels(ready.labels), *not_trained_on(ready.images)]

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        """Images are in the folder of their part and label, without folders of their own: the inner
        ones would be read as labels by other programs."""
        label_set = set_of_place(image, options)
        inner = msgspec.structs.replace(image, path=inside(image.path))
        return place_in(inner, (label_set,), options.divided, as_file_name)


def _folders(path: Path) -> Iterator[tuple[Path, Part | None]]:
    """The folders in a folder, sorted, and the parts that they are."""
    for one in first_entries(path):
        if one.is_dir():
            yield Path(one.path), part_named(one.name)


def _training_folders(path: Path) -> list[Path]:
    return [folder for folder, part in _folders(path) if part is Part.TRAIN]


def _has_labels(folder: Path) -> bool:
    """Whether a part has folders for labels, and is none of YOLO for detection."""
    names = {inner.name for inner, _ in _folders(folder)}
    return bool(names - {IMAGES, LABELS}) and LABELS not in names


def _label_folders(path: Path) -> list[str]:
    """Labels of the folders in all parts and beside them, sorted."""
    found = list(_folders(path))
    divided = [one for one, part in found if part or one.name == UNASSIGNED]
    inner = [folder for one in divided for folder, _ in _folders(one)]
    names = {one.name for one in [*inner, *(one for one, part in found if not part)]}
    names -= {UNASSIGNED}
    return sorted(map(from_file_name, names))


def _drafts(
    path: Path, gathering: Gathering, given: Given
) -> Generator[None, None, list[ImageNotes]]:
    images = yield from image_files(path, gathering.dataset.rejected)
    drafts = []
    for image in images:
        folders = image.split("/")[:-1]
        part = gathering.dataset.part_named(folders[0], given) if folders else None
        labels = folders[1:] if part or folders[:1] == [UNASSIGNED] else folders
        draft = ImageNotes(image, part)
        if labels:
            draft.labels.append(GivenLabel(MAIN_SET, from_file_name(labels[0])))
        drafts.append(draft)
    return drafts


FORMATS.register(YoloClasses())
