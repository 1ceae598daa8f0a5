"""Folders as labels: `owl/1.jpg`, `train/owl/1.jpg`, or nested folders such as `owl/left/1.jpg`.

The folder of an image names its label, and a level of folders that are called train, val, test and
so on names its part of a split; it may be anywhere above the image.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from workbench.domain.datasets import (
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    declared,
)
from workbench.domain.part_words import NO_WORDS, Given, PartWords, is_unclear, part_named
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
from workbench.formats.image_paths import DEVICES, UNASSIGNED, short_name
from workbench.formats.published import (
    files_below,
    is_image,
    labels_in,
    losses,
    main_set,
    set_of_place,
    without_part,
    writable_images,
)

Folders = tuple[str, ...]  # the folders above an image, the outer one first

WRITTEN_PARTS = {Part.TRAIN: "train", Part.VALIDATION: "val", Part.TEST: "test"}
NOT_IN_NAMES = frozenset('/\\:*?"<>|')  # not allowed in the names of folders on all systems
SEARCHED = 100  # entries of a folder that are looked at to recognise it


class ClassFolders(DatasetFormat):
    """A folder for each label, and above them a folder for each part of a split."""

    name = "folders"
    title = mark("Class folders")
    about = mark(
        "A folder for each label, as in “owl/1.jpg”. Folders above or below them that are called"
        " train, val and test name the parts of a split."
    )
    carries = frozenset({Carry.LABELS, Carry.LABEL_SETS, Carry.PARTS})
    specific = False
    needs_images = True

    def recognises(self, path: Path) -> bool:
        return any(True for _ in islice(_images_two_levels_below(path), 1))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path)
        names = yield from files_below(path, dataset.rejected)
        names = [name for name in names if is_image(name)]
        folders = [PurePosixPath(name).parts[:-1] for name in names]
        parts = part_folders(folders, options.parts)
        # A folder without subfolders is itself that of a label.
        alone = (path.resolve().name,) if not any(folders) else ()
        if parts is not None:
            dataset.part_words = parts.words.to_report()
        for count, (name, above) in enumerate(zip(names, folders, strict=True)):
            if count % 512 == 0:
                yield
            part, naming = None, above or alone
            if parts is not None and above:
                part, naming = parts.part(above), parts.labels(above)
            labels = labels_of_folders(naming, options.levels)
            dataset.images.append(ImageRecord(name, labels, part))
        for name, one in declared(dataset.images, options.levels).items():
            dataset.sets[name] = DeclaredSet(tuple(sorted(one.labels)))
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = writable_images(dataset, messages)
        levels = options.levels or (main_set(dataset, options.label_set),)
        divided = any(image.part for image in images)
        names = options.folders or folder_names(given_labels(images, levels))
        for image in images:
            place = place_in(image, levels, divided, names.__getitem__)
            (path / place).parent.mkdir(parents=True, exist_ok=True)
        messages += losses(images, self.carries, levels)
        messages += changed_names(names, given_labels(images, levels))
        return messages + without_part(images, UNASSIGNED)

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        levels = options.levels or (set_of_place(image, options),)
        return place_in(image, levels, options.divided, folder_of(options))


def labels_of_folders(folders: Sequence[str], levels: Sequence[str]) -> tuple[GivenLabel, ...]:
    """Labels from the innermost of the folders above an image. `levels` are their label sets, the
    outer one first; if there are fewer folders, the inner sets get no label."""
    last = folders[-len(levels) :] if levels else ()
    return tuple(GivenLabel(name, label) for name, label in zip(levels, last, strict=False))


@dataclass(frozen=True)
class PartFolders:
    """Which of the folders above images are parts of a split: `levels` has their level, from 0
    outside, by the folders above an image, and `words` what they stand for."""

    levels: Mapping[Folders, int]
    words: PartWords

    def part(self, above: Folders) -> Part | None:
        """The part of the images in these folders."""
        level = self.levels.get(above)
        return None if level is None else self.words.part(above[level])

    def others(self, above: Folders) -> Folders:
        """The folders that are no part, the outer one first."""
        level = self.levels.get(above)
        return above if level is None else (*above[:level], *above[level + 1 :])

    def labels(self, above: Folders) -> Folders:
        """The folders that name labels: those below the part, or above if parts are innermost."""
        level = self.levels.get(above, -1)
        return above[:level] if level >= 0 and self._inside else above[level + 1 :]

    @functools.cached_property
    def _inside(self) -> bool:
        """Whether the parts are inside of the labels, as in `owl/train/1.jpg`, `jay/test/2.jpg`."""
        innermost = all(len(one) == level + 1 for one, level in self.levels.items())
        return innermost and len({one[:-1] for one in self.levels}) > 1


def part_folders(folders: Iterable[Folders], given: Given = NO_WORDS) -> PartFolders | None:
    """The folders that are the parts of a split; None if there are none.

    All images in folders must have such a folder, or one called unassigned: at the same level, or,
    as in `seen/train` and `dev`, one folder each. A single folder that is called train, without
    further folders, is rather a label.
    """
    paths = {one for one in folders if one}
    for level in range(min(map(len, paths), default=0)):
        words = PartWords({one[level] for one in paths} - {UNASSIGNED}, given)
        if words.parts() and not words.others():
            deeper = level > 0 or any(len(one) > 1 for one in paths)
            enough = deeper or len(words.parts()) > 1
            return PartFolders(dict.fromkeys(paths, level), words) if enough else None
    return _parts_at_several_levels(paths, given)


def _parts_at_several_levels(paths: Collection[Folders], given: Given) -> PartFolders | None:
    """Parts of which each image has one at some level, and not all are the same."""
    words = PartWords({name for one in paths for name in one if _may_be_part(name, given)}, given)
    levels: dict[Folders, int] = {}
    for one in paths:
        own = [level for level, name in enumerate(one) if _may_be_part(name, given)]
        if len(own) != 1:
            return None
        levels[one] = own[0]
    return PartFolders(levels, words) if len(words.parts()) > 1 else None


def _may_be_part(name: str, given: Given) -> bool:
    return name.lower() in given or part_named(name) is not None or is_unclear(name)


def folders_like_parts(folders: Iterable[Folders], given: Given = NO_WORDS) -> tuple[str, ...]:
    """Names of folders of one level that look like several parts of a split, although no part is
    taken from them; sorted."""
    paths = {one for one in folders if one}
    for level in range(max(map(len, paths), default=0)):
        names = {one[level] for one in paths if len(one) > level}
        alike = sorted(name for name in names if _may_be_part(name, given))
        if len(alike) > 1:
            return tuple(alike)
    return ()


def place_in(
    image: ImageRecord,
    levels: Sequence[str],
    divided: bool = False,
    called: Callable[[str], str] | None = None,
) -> str:
    """Relative path of an image in class folders for the label sets `levels`, the outer first;
    `called` has the name of the folder of a label (None: `folder_name`).

    The image's other folders become part of its name, so that images of one name stay apart. An
    image without a part has a folder `unassigned` if others are `divided` into parts.
    """
    labels: list[str] = []
    for name in levels:
        found = labels_in(image.labels, name)
        if not found:
            break
        labels.append((called or folder_name)(found[0]))
    *above, file = PurePosixPath(image.path).parts
    if above and image.part and part_named(above[0]) is image.part:
        above = above[1:]
    if labels and above[-len(labels) :] == labels:
        above = above[: -len(labels)]
    part = [UNASSIGNED] if divided else []
    part = [WRITTEN_PARTS[image.part]] if image.part else part
    stem, dot, ending = "__".join([*above, file]).rpartition(".")
    return "/".join([*part, *labels, short_name(stem, dot + ending)])


def given_labels(images: Iterable[ImageRecord], levels: Collection[str]) -> tuple[str, ...]:
    """The labels of these sets that images have, in order."""
    used = (one.label for image in images for one in image.labels if one.set in levels)
    return tuple(dict.fromkeys(used))


def changed_names(names: Mapping[str, str], labels: Iterable[str]) -> list[Message]:
    """The message on labels that folders cannot be called after, with the `names` of these."""
    changed = [f"“{label}” → “{names[label]}”" for label in labels if names[label] != label]
    message = counted(
        len(changed),
        "{n:,} label is changed, because its folder cannot have its name: {names}.",
        "{n:,} labels are changed, because their folders cannot have their names: {names}.",
        names=", ".join(changed),
    )
    return [message] if changed else []


def folder_names(labels: Sequence[str]) -> dict[str, str]:
    """The names of the folders of `labels`, which differ, also where upper and lower case are the
    same: a number is added to those that would be called as another label."""
    plain = {label: folder_name(label) for label in labels}
    names: dict[str, str] = {}
    used: set[str] = set()
    for label in sorted(labels, key=lambda label: plain[label] != label):
        name, number = plain[label], 1
        while _folded(name) in used:
            number += 1
            name = short_name(plain[label], f"_{number}")
        used.add(_folded(name))
        names[label] = name
    return names


def options_for(
    images: Iterable[ImageRecord], label_set: str, labels: Sequence[str]
) -> WriteOptions:
    """The options for writing these images, where `labels` are all labels of `label_set`."""
    divided = any(image.part for image in images)
    return WriteOptions(label_set, divided=divided, folders=folder_names(labels))


def folder_of(options: WriteOptions) -> Callable[[str], str]:
    """The name of the folder of a label in what is written with these options."""
    return lambda label: options.folders.get(label) or folder_name(label)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def folder_name(label: str) -> str:
    """A label as the name of a folder that all systems allow and that is not hidden."""
    allowed = ("_" if sign in NOT_IN_NAMES or ord(sign) < 32 else sign for sign in label)
    name = "".join(allowed).rstrip(". ")
    stem = name.split(".", 1)[0].lower()
    if not name or name.startswith(".") or stem in DEVICES or name == UNASSIGNED:
        name = f"_{name}"
    return short_name(name)


def _images_two_levels_below(path: Path) -> Iterator[os.DirEntry[str]]:
    """Images in the first folders of a folder, and in the first folders of those."""
    for folder in _first(path):
        if folder.is_dir():
            for inside in _first(folder.path):
                found = _first(inside.path) if inside.is_dir() else [inside]
                yield from (entry for entry in found if is_image(entry.name))


def _first(folder: Path | str) -> list[os.DirEntry[str]]:
    """The first entries of a folder that are not hidden; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in islice(entries, SEARCHED) if entry.name[0] != "."]
    except (OSError, ValueError):
        return []


FORMATS.register(ClassFolders())
