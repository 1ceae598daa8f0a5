"""Export of labels in any dataset format, with or without the images."""

from __future__ import annotations

import os
import stat
import time
import unicodedata
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any

import msgspec
import numpy as np

from workbench.app.jobs import DISK_ERRORS, Steps, Task
from workbench.app.labels.annotators import known_annotator, labels_given_by
from workbench.app.labels.label_files import image_bases
from workbench.app.session import Session
from workbench.domain.crops import Crop
from workbench.domain.datasets import (
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.errors import KnownError, reason_of
from workbench.domain.formats import IMPORTABLE_SETS
from workbench.domain.images import ImageFile
from workbench.domain.labels import Subject
from workbench.domain.reports import Progress, remaining_seconds
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted
from workbench.files import PART, new_folder, replacing, writing
from workbench.formats import OWN, DatasetFormat, ReadOptions, WriteOptions, written_format
from workbench.formats.class_folders import options_for
from workbench.formats.image_paths import short_name
from workbench.storage.project import Project

PIECE = 1 << 22  # bytes copied between two heartbeats
NAMED = 3  # images that a note names


class ImageCopies(StrEnum):
    """What an export does with the images."""

    NONE = "none"
    COPY = "copy"
    LINK = "link"  # hard links


@dataclass(frozen=True)
class ExportChoices:
    """What the user decided about an export, "" or None for what the program is to decide.

    `format` is the name of a format ("": by the extension). `label_set` is written by formats that
    have one set ("": the first with labels). `images` (None): copied if the format needs them. With
    an `annotator`, only the last labels of this person are written, also where they are not the
    current ones.
    """

    format: str = ""
    label_set: str = ""
    images: ImageCopies | None = None
    annotator: str = ""


NO_CHOICES = ExportChoices()


@dataclass(frozen=True)
class LabelExport:
    """Result of an export: the number of `labels` in the file, of `images` copied, and `notes`
    about what the file lacks."""

    labels: int
    images: int = 0
    notes: tuple[Message, ...] = ()


def export_task(
    session: Session, path: Path, choices: ExportChoices = NO_CHOICES
) -> Task[LabelExport]:
    """A job that exports all labels to `path`, a file or the folder of a dataset.

    A file is replaced when complete; a folder must not exist, or be empty, and appears when
    complete. Raises ValueRefused for an unknown format, label set or annotator, KnownError if
    `path` cannot be written or the images cannot be part of it.
    """
    chosen = written_format(path, choices.format)
    copies = _copies(chosen, choices.images)
    if choices.label_set:
        session.labels.get(choices.label_set)
    if choices.annotator:
        known_annotator(session.annotators, choices.annotator)
    _check_target(path, chosen)
    folder = session.folder

    def work() -> Steps[LabelExport]:
        with Project.reading(folder) as store:
            yield None
            content = _Exported.of(store, chosen, choices)
        notes = content.prepare(with_images=copies is not ImageCopies.NONE)
        copied = 0
        with writing(path), _target(path, chosen) as part:
            notes += chosen.write(part, content.dataset, content.options)
            yield None
            if copies is not ImageCopies.NONE:
                copier = _Copier(content, part, copies)
                copied = yield from copier.copy()
                notes += copier.notes()
        labels = yield from _labels_in(chosen, path, content.dataset)
        return LabelExport(labels, copied, (*notes, *_lost(content.labels - labels, notes)))

    return Task(Message("Export labels to {name}", name=path.name), work, kind="export")


def _copies(format: DatasetFormat, wanted: ImageCopies | None) -> ImageCopies:
    """What is done with the images. Raises KnownError if the format does not allow it."""
    copies = wanted or (ImageCopies.COPY if format.needs_images else ImageCopies.NONE)
    title = Message(format.title)
    if copies is ImageCopies.NONE and format.needs_images:
        raise KnownError(
            "The format “{format}” has no labels without the images.",
            "Copy or link the images, or choose another format.",
            format=title,
        )
    if copies is not ImageCopies.NONE and not format.is_folder:
        raise KnownError(
            "The format “{format}” is a file, which cannot contain the images.",
            "Choose the format of a dataset folder.",
            format=title,
        )
    return copies


def _check_target(path: Path, format: DatasetFormat) -> None:
    """Raise KnownError if a dataset folder would be written over something that exists, also while
    it is incomplete."""
    part = path.with_name(path.name + PART)
    if format.is_folder and os.path.lexists(part):
        raise KnownError(
            "{path} exists: an export was interrupted there, or it is another folder.",
            "Remove it, or choose another name.",
            path=part,
        )
    if format.is_folder and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise KnownError(
            "{path} exists and is not an empty folder.", "Choose a new folder.", path=path
        )


@contextmanager
def _target(path: Path, format: DatasetFormat) -> Iterator[Path]:
    """A temporary file or folder that becomes `path` when complete."""
    _check_target(path, format)
    with new_folder(path) if format.is_folder else replacing(path) as part:
        yield part


def _labels_in(format: DatasetFormat, path: Path, dataset: Dataset) -> Generator[None, None, int]:
    """The number of labels in a written file or folder, which is read for that; the program's own
    format has all."""
    if format.name == OWN or not _count(dataset):
        return _count(dataset)
    try:
        read = yield from format.read(path, ReadOptions())
    except KnownError:
        return 0  # nothing that the format can describe
    return _count(read)


def _count(dataset: Dataset) -> int:
    return sum(
        len(image.labels) + sum(len(region.labels) for region in image.regions)
        for image in dataset.images
    )


def _lost(labels: int, notes: Sequence[Message]) -> list[Message]:
    """The note on labels that are not in the file, if no other note is about them."""
    if labels <= 0 or notes:
        return []
    return [
        counted(
            labels,
            "{n:,} label is not in the file: the format cannot describe it.",
            "{n:,} labels are not in the file: the format cannot describe them.",
        )
    ]


# what is written


@dataclass(frozen=True)
class _LabelsOfImages:
    """Labels, boxes and parts of the images of a project, by id."""

    labels: Mapping[int, list[GivenLabel]]
    regions: Mapping[int, list[Region]]
    parts: Mapping[int, Part]

    @classmethod
    def of(cls, store: Project, format: DatasetFormat, annotator: str) -> _LabelsOfImages:
        """What a format can describe; boxes without labels only if it names all images."""
        given = labels_given_by(store, annotator) if annotator else _given_labels(store)
        labels, of_crops = given
        parts = store.splits.parts() if Carry.PARTS in format.carries or not format.absolute else {}
        return cls(labels, _regions(store, of_crops, not format.absolute), parts)

    def about(self, id: int) -> bool:
        """Whether anything is known of an image."""
        return id in self.labels or id in self.regions or id in self.parts

    def record(self, id: int, name: str, hash: str, file: ImageFile) -> ImageRecord:
        """The record of an image called `name`."""
        return ImageRecord(
            name,
            tuple(self.labels.get(id, ())),
            self.parts.get(id),
            tuple(self.regions.get(id, ())),
            hash=hash,
            width=file.width,
            height=file.height,
        )


@dataclass
class _Exported:
    """The dataset that is written, the image file of each record, and the number of all labels."""

    format: DatasetFormat
    dataset: Dataset
    options: WriteOptions
    files: list[str]
    labels: int
    without_file: int = 0

    @classmethod
    def of(cls, store: Project, format: DatasetFormat, choices: ExportChoices) -> _Exported:
        """The labels of a project as `format` names images: relative paths, also of images without
        labels, or absolute ones."""
        known = _LabelsOfImages.of(store, format, choices.annotator)
        # In the order of their import, so that a dataset comes out in the order it came in.
        infos = store.images.files(np.sort(store.images.ids()))
        places = _places(store)
        ids = [id_ for id_ in infos if not format.absolute or known.about(id_)]
        named = [id_ for id_ in ids if places[id_][1] or format.name == OWN]
        files = [places[id_][1] for id_ in named]
        base, names = ("", files) if format.absolute else _relative(store, files)
        images = [
            known.record(id_, name.replace(os.sep, "/"), places[id_][0], infos[id_])
            for id_, name in zip(named, names, strict=True)
        ]
        sets = {
            name: DeclaredSet(one.names, one.exclusive) for name, one in store.labels.sets().items()
        }
        dataset = Dataset(Path(base or "."), images, sets=sets)
        main = store.labels.get(choices.label_set or _main_set(store, format)).name
        options = options_for(images, main, sets[main].labels)
        return cls(format, dataset, options, files, _count(dataset), len(ids) - len(named))

    def prepare(self, with_images: bool) -> list[Message]:
        """Give images with a copy names of their own; returns notes on these, and on images without
        a file."""
        notes = []
        if self.without_file:
            notes.append(
                counted(
                    self.without_file,
                    "{n:,} image is not written: no place of its file is known.",
                    "{n:,} images are not written: no places of their files are known.",
                )
            )
        if with_images and (renamed := self._rename_alike()):
            notes.append(
                counted(
                    renamed,
                    "{n:,} copy has another name than its image: it would not be allowed, or is"
                    " that of another one.",
                    "{n:,} copies have other names than their images: these would not be"
                    " allowed, or are those of others.",
                )
            )
        return notes

    def _rename_alike(self) -> int:
        """Change the names of images whose copy would have a name that is not allowed, or that of
        another one where upper and lower case are the same; returns how many."""
        images, place = self.dataset.images, self._place
        folders = {folder for image in images for folder in _folders_of(place(image))}
        used: set[str] = set()
        renamed = 0
        for at, image in enumerate(images):
            name = _allowed(image.path)
            wanted, number = msgspec.structs.replace(image, path=name), 1
            while (found := place(wanted)) and (
                _folded(found) in folders or self._key(found) in used
            ):
                number += 1
                wanted = msgspec.structs.replace(image, path=_numbered(name, number))
            used.add(self._key(found))
            renamed += wanted.path != image.path
            images[at] = wanted
        return renamed

    def _place(self, image: ImageRecord) -> str:
        return self.format.place(image, self.options)

    def _key(self, place: str) -> str:
        """What no two copies may have in common."""
        folded = _folded(place)
        return os.path.splitext(folded)[0] if self.format.by_stem else folded


def _folded(place: str) -> str:
    return unicodedata.normalize("NFC", place).casefold()


def _folders_of(place: str) -> Iterator[str]:
    folder = _folded(place).rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _allowed(path: str) -> str:
    """A path that all formats can name: without control characters, spaces around it, and names
    that are too long."""
    plain = "".join("_" if sign < " " or sign in "\x7f\x85\u2028\u2029" else sign for sign in path)
    folders, slash, name = plain.strip().rpartition("/")
    stem, ending = os.path.splitext(name)
    return folders + slash + short_name(stem, ending)


def _numbered(path: str, number: int) -> str:
    stem, ending = os.path.splitext(path)
    return f"{stem} ({number}){ending}"


class _Copier:
    """Copies or links images to where a format has them."""

    def __init__(self, content: _Exported, folder: Path, how: ImageCopies) -> None:
        self._content, self._folder, self._how = content, folder, how
        self._missing: list[str] = []

    def copy(self) -> Steps[int]:
        """Copy all images; return how many. Raises OSError, and KnownError if they cannot be
        linked."""
        content = self._content
        began, copied, total = time.monotonic(), 0, len(content.files)
        pairs = zip(content.dataset.images, content.files, strict=True)
        for number, (image, file) in enumerate(pairs, start=1):
            place = content.format.place(image, content.options)
            if not place:
                continue
            if (yield from self._copy(Path(file), self._folder / place)):
                copied += 1
            else:
                self._missing.append(file)
            left = remaining_seconds(time.monotonic() - began, number, total)
            yield Progress(done=number, total=total, eta=left)
        return copied

    def _copy(self, file: Path, target: Path) -> Steps[bool]:
        """Copy one image; return whether its file could be read."""
        if not _is_regular(file):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._how is ImageCopies.LINK:
            _link(file, target)
            return True
        with ExitStack() as stack:
            try:
                source = stack.enter_context(file.open("rb"))
            except OSError:
                return False
            copy = stack.enter_context(target.open("xb"))
            while piece := source.read(PIECE):
                copy.write(piece)
                yield None
        return True

    def notes(self) -> list[Message]:
        """The note on images whose files could not be read."""
        if not self._missing:
            return []
        names = ", ".join(PurePath(file).name for file in self._missing[:NAMED])
        return [
            counted(
                len(self._missing),
                "{n:,} image is not copied, as its file is not found: {names}.",
                "{n:,} images are not copied, as their files are not found: {names}.",
                names=f"{names}, …" if len(self._missing) > NAMED else names,
            )
        ]


def _is_regular(file: Path) -> bool:
    """Whether a file can be read without waiting for ever."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except (OSError, ValueError):
        return False


def _link(file: Path, target: Path) -> None:
    """Make a hard link. Raises KnownError if the system cannot."""
    try:
        os.link(os.path.realpath(file), target)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise
        raise KnownError(
            "{path} cannot be linked: {reason}.",
            "Copy the images instead.",
            path=file,
            reason=reason_of(error),
        ) from error


# the labels of a project


def _main_set(store: Project, format: DatasetFormat) -> str:
    """The set that a format with one set writes: the first one with labels, of boxes if only these
    have labels."""
    sets = store.labels.sets()
    used = [
        name for name in sets if any(n for label, n in store.labels.counts(name).items() if label)
    ]
    of_boxes = [name for name in used if sets[name].subject is Subject.CROP and format.boxes_only]
    return next(iter([*of_boxes, *used]), IMPORTABLE_SETS[0])


def _places(store: Project) -> dict[int, tuple[str, str]]:
    """Hash and file of each image, by id; of several files the first that exists."""
    places: dict[int, tuple[str, str]] = {}
    for id_, hash_, path in store.images.index():
        if id_ not in places or not os.path.exists(places[id_][1]):
            places[id_] = hash_, path
    return places


def _relative(store: Project, files: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all of `files` are in, and their paths relative to it: that of the source, or
    of all sources. Files on several drives are relative to these."""
    above = f"{os.sep}..{os.sep}"
    files = [os.path.normpath(file) if above in file else file for file in files]
    base = min(image_bases(store), key=len, default="").rstrip(os.sep)
    start = base + os.sep
    if all(file.startswith(start) for file in files):
        return base, [file[len(start) :] for file in files]
    try:
        base = os.path.commonpath([os.path.dirname(file) for file in files])
        return base, [os.path.relpath(file, base) for file in files]
    except ValueError:  # several drives, or no file
        return "", [os.path.splitdrive(file)[1].lstrip(os.sep) for file in files]


def _given_labels(
    store: Project,
) -> tuple[dict[int, list[GivenLabel]], dict[int, list[GivenLabel]]]:
    """Labels by image, and by crop."""
    labels: dict[int, list[GivenLabel]] = {}
    of_crops: dict[int, list[GivenLabel]] = {}
    same: dict[tuple[Any, ...], GivenLabel] = {}  # most labels are given to many images
    for image, crop, *about in store.labels.values():
        key = tuple(about)
        if key not in same:
            same[key] = GivenLabel(*about)
        found, id_ = (labels, image) if crop is None else (of_crops, crop)
        found.setdefault(id_, []).append(same[key])
    return labels, of_crops


def _regions(
    store: Project, labels: Mapping[int, list[GivenLabel]], whole: bool
) -> dict[int, list[Region]]:
    """The usable crops of each image, with their labels; without `whole`, only labelled ones."""
    ids = store.crops.ids() if whole else list(labels)
    found: dict[int, list[Region]] = {}
    for crop in store.crops.get(ids):
        if crop.rect is not None and (crop.usable or crop.id in labels):
            found.setdefault(crop.image, []).append(_region(crop, labels.get(crop.id or 0, [])))
    return found


def _region(crop: Crop, labels: list[GivenLabel]) -> Region:
    assert crop.rect is not None
    left, top, right, bottom = map(float, crop.rect.as_tuple())
    return Region((left, top, right, bottom), tuple(labels), crop.landmarks)
