"""Preview of an import: what was recognised in files and folders, and what can be chosen."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from workbench.app.image_files import is_image, may_be_image
from workbench.app.images.import_plan import (
    FOLDERS,
    NO_REMARK,
    LabelOrigins,
    folders_above,
    is_plain_folder,
    locate,
    parts_of_folders,
)
from workbench.app.jobs import Steps, Task
from workbench.app.labels.label_files import ProjectImages
from workbench.app.labels.label_intake import boxed_set
from workbench.app.labels.path_index import PathIndex
from workbench.app.labels.reading import (
    GENERAL_NAMES,
    NO_CHOICES,
    EncodingUnsure,
    ReadChoices,
    ReadDataset,
    format_for,
    read_dataset,
    samples_of,
)
from workbench.app.session import Session
from workbench.domain.datasets import MAIN_SET, GivenLabel, ImageRecord
from workbench.domain.errors import KnownError
from workbench.domain.formats import IMPORTABLE_SETS
from workbench.domain.images import SkippedFile
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.part_words import Given
from workbench.domain.text import Message
from workbench.folders import walk
from workbench.formats import FORMATS, recognised
from workbench.storage.project import Project

MOST_FILES = 50_000  # of a folder that are counted
MOST_CHECKED = 2_000  # images of a dataset whose files are looked for
MOST_LEVELS = 6  # of folders that can name labels
SHOWN_LABELS = 40  # of each set; a preview shows as many as fit
SHOWN_REJECTED = 3


@dataclass(frozen=True)
class SetPreview:
    """A label set or column of a file, or a level of folders: `own` is its name in the file.

    `labels` are some of its `count` different labels; `images` is the number of images or regions
    with one. `suggested` is the label set of the project that it is likely to be, "" for none.
    """

    own: str
    labels: tuple[str, ...]
    count: int
    images: int
    suggested: str = ""


@dataclass(frozen=True)
class SourcePreview:
    """What was recognised in one file or dataset folder, or in the plain folders and images of an
    import together.

    `format` is the name of its format, `formats` are those that can be chosen; "" and none for
    single images. `images` is the number of images, a lower bound unless `complete`; of the first
    `checked` ones, the files of `found` exist (in an import of labels: that many are images of the
    project). `sets` are levels of folders, the outer one first, if `plain`. `parts` are numbers of
    images. `rejected` is the number of rows that cannot be read, `examples` are some of them.
    `guessed` tells whether the encoding needs a confirmation, with some `samples` of texts.
    `base` is the folder that paths are relative to. With a `problem`, nothing can be imported.
    """

    paths: tuple[Path, ...]
    plain: bool = False
    format: str = ""
    formats: tuple[str, ...] = ()
    images: int = 0
    complete: bool = True
    checked: int = 0
    found: int = 0
    sets: tuple[SetPreview, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    examples: tuple[SkippedFile, ...] = ()
    encoding: str = ""
    guessed: bool = False
    samples: tuple[str, ...] = ()
    base: Path | None = None
    remarks: tuple[Message, ...] = ()
    problem: Message = NO_REMARK


@dataclass(frozen=True)
class ImportPreview:
    """What an import would read, source by source."""

    sources: tuple[SourcePreview, ...]


@dataclass(frozen=True)
class _Known:
    """What a preview needs of the project: its label sets, and those that have labels. `images`
    are its images if only labels are imported."""

    sets: Mapping[str, tuple[str, ...]]
    used: frozenset[str]
    images: ProjectImages | None = None
    all: Mapping[str, LabelSet] = field(default_factory=dict)


def preview_task(
    session: Session,
    paths: Sequence[Path],
    choices: ReadChoices = NO_CHOICES,
    *,
    labels_only: bool = False,
) -> Task[ImportPreview]:
    """A job that reads folders, files of datasets and images without storing anything.

    A source that cannot be read has a `problem` and does not affect others. With `labels_only`,
    labels are imported for images that the project has.
    """
    all_sets = session.labels.sets()
    sets = {name: one.names for name, one in all_sets.items()}
    used = frozenset(
        name for name in sets if any(n for label, n in session.labels.counts(name).items() if label)
    )
    folder = session.folder

    def work() -> Steps[ImportPreview]:
        known = _Known(sets, used, all=all_sets)
        if labels_only:
            with Project.reading(folder) as project:
                known = _Known(sets, used, ProjectImages(project), all_sets)
        plain: list[Path] = []
        found: list[SourcePreview] = []
        for path in dict.fromkeys(Path(os.path.abspath(path)) for path in paths):
            if not labels_only and _is_plain(path, choices):
                plain.append(path)
            else:
                found.append((yield from _preview(path, choices, known)))
        if plain:
            found.insert(0, (yield from _preview_plain(tuple(plain), known, choices.parts)))
        return ImportPreview(tuple(found))

    names = ", ".join(path.name for path in paths)[:80]
    return Task(Message("Read {names}", names=names), work, kind="preview")


def _is_plain(path: Path, choices: ReadChoices) -> bool:
    """Whether a path is an image, or a folder without files that describe images."""
    if path.is_dir():
        return is_plain_folder(path, LabelOrigins({}), choices)
    return path.is_file() and is_image(path)


# Folders and images


def _preview_plain(
    paths: tuple[Path, ...], known: _Known, given: Given
) -> Generator[None, None, SourcePreview]:
    folders = [path for path in paths if path.is_dir()]
    images, complete, skipped = len(paths) - len(folders), True, list[SkippedFile]()
    levels: list[Counter[str]] = []
    parts: Counter[str] = Counter()
    for path in folders:
        walked = yield from walk(path, MOST_FILES)
        skipped += [one for one in walked.skipped if may_be_image(one.path)]
        names = [name for name in walked.files if is_image(path / name)]
        images += len(names)
        complete = complete and len(walked.files) < MOST_FILES
        divided = parts_of_folders(names, given)
        for _, naming, part in folders_above(path, names, divided):
            parts.update([part.value] if part else [])
            for level, name in enumerate(naming[-MOST_LEVELS:]):
                levels += [Counter()] if level == len(levels) else []
                levels[level][name] += 1
    formats = _formats_of(folders[0]) if len(folders) == 1 == len(paths) else ()
    return SourcePreview(
        paths,
        plain=True,
        format=FOLDERS[0] if folders else "",
        formats=formats,
        images=images,
        complete=complete,
        sets=tuple(_of_levels(levels, known)),
        parts=dict(parts),
        rejected=len(skipped),
        examples=tuple(skipped[:SHOWN_REJECTED]),
    )


def _of_levels(levels: Sequence[Counter[str]], known: _Known) -> Iterator[SetPreview]:
    """The levels of folders with the label sets that they probably name: one of whose labels two
    are among the folders, else the main one for the innermost level."""
    likely = [_likely_set(level, known.sets) for level in levels]
    free = [at for at, name in enumerate(likely) if not name]
    if free and IMPORTABLE_SETS[0] not in likely:
        likely[free[-1]] = IMPORTABLE_SETS[0]
    for level, (counts, name) in enumerate(zip(levels, likely, strict=True)):
        yield _set_preview(str(level), counts, name if name not in likely[:level] else "")


def _likely_set(folders: Iterable[str], known: Mapping[str, Iterable[str]]) -> str:
    """The first label set, except the main one, of which at least two labels are among the names of
    folders; "" if there is none."""
    names = list(folders)
    for label_set, of_set in known.items():
        labels = LabelNames(of_set)
        if label_set != IMPORTABLE_SETS[0]:
            alike = {labels.equal(name) or labels.like(name) for name in names} - {""}
            if len(alike) >= 2:
                return label_set
    return ""


def _set_preview(own: str, counts: Counter[str], suggested: str) -> SetPreview:
    return SetPreview(
        own, tuple(islice(counts, SHOWN_LABELS)), len(counts), counts.total(), suggested
    )


# Datasets


def _preview(
    path: Path, choices: ReadChoices, known: _Known
) -> Generator[None, None, SourcePreview]:
    formats = _formats_of(path) if path.exists() else ()
    try:
        format = format_for(path, choices.format).name
        chosen = dataclasses.replace(choices, format=format)
    except KnownError as error:
        return SourcePreview((path,), formats=formats, problem=error.message)
    guessed = False
    try:
        try:
            read = yield from read_dataset(path, chosen, known.sets)
        except EncodingUnsure as unsure:
            guessed = True
            chosen = dataclasses.replace(chosen, encoding=unsure.encoding)
            read = yield from read_dataset(path, chosen, known.sets)
    except KnownError as error:
        encoding = choices.encoding
        return SourcePreview(
            (path,), format=format, formats=formats, encoding=encoding, problem=error.message
        )
    return (yield from _described(path, read, guessed, known, formats))


def _described(
    path: Path, read: ReadDataset, guessed: bool, known: _Known, formats: tuple[str, ...]
) -> Generator[None, None, SourcePreview]:
    dataset = read.dataset
    counts: dict[str, Counter[str]] = {name: Counter() for name in dataset.sets}
    images: dict[str, ImageRecord] = {}
    parts: Counter[str] = Counter()
    for number, record in enumerate(dataset.images):
        if number % 512 == 0:
            yield
        images.setdefault(record.path or record.hash, record)
        parts.update([record.part.value] if record.part else [])
        for one in _all_labels(record):
            counts.setdefault(one.set, Counter())[one.label] += 1
    for name, declared in dataset.sets.items():
        counts[name].update(dict.fromkeys(declared.labels, 0))
    checked, found = yield from _checked(images.values(), dataset.base, known)
    return SourcePreview(
        (path,),
        format=read.format.name,
        formats=formats,
        images=len(images),
        checked=checked,
        found=found,
        sets=tuple(_suggestions(counts, read, known)),
        parts=dict(parts),
        rejected=len(dataset.rejected),
        examples=tuple(dataset.rejected[:SHOWN_REJECTED]),
        encoding=dataset.encoding,
        guessed=guessed,
        samples=tuple(samples_of(dataset)),
        base=dataset.base,
        remarks=(*dataset.remarks, *_about_boxes(read, known)),
    )


def _about_boxes(read: ReadDataset, known: _Known) -> Iterator[Message]:
    """Where labels of boxes go whose suggested label set describes images."""
    regions = (region for image in read.dataset.images for region in image.regions)
    boxed = dict.fromkeys(given.set for region in regions for given in region.labels)
    for own in boxed:
        name = read.sets.get(own, "")
        if name in known.all and known.all[name].subject is not Subject.CROP:
            yield Message(
                "Labels of boxes are imported as the label set “{label_set}”, not “{name}”: this"
                " describes whole images.",
                label_set=boxed_set(own, name, known.all),
                name=name,
            )


def _all_labels(record: ImageRecord) -> Iterator[GivenLabel]:
    yield from record.labels
    for region in record.regions:
        yield from region.labels


def _checked(
    images: Iterable[ImageRecord], base: Path, known: _Known
) -> Generator[None, None, tuple[int, int]]:
    """How many images were looked for, and how many of them were found: at their paths, or by the
    ends of their paths."""
    checked = 0
    missing: list[ImageRecord] = []
    for image in images if known.images else islice(images, MOST_CHECKED):
        checked += 1
        if checked % 16 == 0:
            yield
        if known.images is not None:
            missing += [image] if known.images.find(image, base.absolute())[0] is None else []
        else:
            missing += [image] if locate(base, image.path) is None else []
    if missing and known.images is None:
        names = (yield from walk(base, MOST_FILES)).files
        index = PathIndex((name, name) for name in names if may_be_image(name))
        missing = [image for image in missing if len(index.find(image.path)) != 1]
    return checked, checked - len(missing)


def _suggestions(
    counts: Mapping[str, Counter[str]], read: ReadDataset, known: _Known
) -> Iterator[SetPreview]:
    """The sets of a dataset; a column with a name such as label is offered as the main set as long
    as that has no labels."""
    main = IMPORTABLE_SETS[0]
    free = main not in known.used and main not in read.sets.values()
    for own, of_set in counts.items():
        suggested = read.sets.get(own, "")
        if not suggested and free and own != MAIN_SET and tidied(own).lower() in GENERAL_NAMES:
            suggested, free = main, False
        yield _set_preview(own, of_set, suggested)


def _formats_of(path: Path) -> tuple[str, ...]:
    """Formats that may be chosen for a path: those that it seems to have, then all that it can
    have."""
    found = dict.fromkeys(format.name for format in recognised(path))
    if path.is_dir():
        others = [format.name for format in FORMATS.values() if format.is_folder]
        found[FOLDERS[0]] = None
    else:
        others = [
            format.name for format in FORMATS.values() if path.suffix.lower() in format.endings
        ]
    return tuple(name for name in dict.fromkeys([*found, *others]) if name not in FOLDERS[1:])
