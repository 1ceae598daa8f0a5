"""Reading of dataset files as the user decided, and what was decided for the user."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from workbench.app.image_files import ARCHIVES
from workbench.domain.datasets import MAIN_SET, Carry, Dataset, DeclaredSet, ImageRecord, place_in
from workbench.domain.errors import KnownError
from workbench.domain.formats import IMPORTABLE_SETS, enumerated
from workbench.domain.import_reports import Decision, DecisionKind
from workbench.domain.label_names import LabelNames
from workbench.domain.part_words import NO_WORDS, Given, part_in_name, unclear_in_name, without_part
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark
from workbench.files import read_regular, unusable
from workbench.formats import FORMATS, DatasetFormat, ReadOptions, recognised

_BLANK = 1 << 10  # bytes of a file that is empty but for blank lines
KEYWORDS = "keywords"  # label set of several labels for an image, where a format names no sets
SAMPLES = 3  # labels shown to confirm an encoding
# Columns of labels that say nothing about what is labelled.
GENERAL_NAMES = frozenset(
    {"label", "labels", "class", "classname", "class_name", "target", "species", "breed"}
)


@dataclass(frozen=True)
class ReadChoices:
    """What the user decided about a file, "" or empty for what the program is to decide.

    `format` and `encoding` are names. `root` is the folder that relative paths are relative to.
    `path_column` is the column of a table that names images. `sets` maps label sets or columns of
    the file to label sets of the project, or to "" to leave them out; `main` is the set of labels
    in formats that do not name sets. `levels` are the label sets that the folders above an image
    name, the outer one first, "" for a level that names none. `parts` are words (in lower case)
    and the parts of a split that they stand for. `files` has the choices for single
    files or folders, where several are imported together.
    """

    format: str = ""
    encoding: str = ""
    root: Path | None = None
    path_column: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)
    main: str = IMPORTABLE_SETS[0]
    levels: tuple[str, ...] = ()
    parts: Given = field(default_factory=lambda: NO_WORDS)
    files: Mapping[Path, ReadChoices] = field(default_factory=dict)

    def at(self, path: Path) -> ReadChoices:
        """The choices for one file or folder."""
        return self.files.get(path, self)


NO_CHOICES = ReadChoices()


class EncodingUnsure(KnownError):
    """The encoding of a file was guessed, and must be confirmed by the user.

    `encoding` is the guess, `samples` are texts as it decodes them.
    """

    def __init__(self, path: Path, encoding: str, samples: Iterable[str]) -> None:
        self.encoding, self.samples = encoding, tuple(samples)
        super().__init__(
            "{path} is not UTF-8. In {encoding}, it contains {samples}.",
            "If this is right, give --encoding {encoding}; otherwise another encoding.",
            path=path,
            encoding=encoding,
            samples=enumerated([f"“{sample}”" for sample in self.samples]),
        )


class ReadDataset(NamedTuple):
    """A dataset, its format, the label sets that its sets are imported as, and those that are not
    imported unless the user chooses them."""

    dataset: Dataset
    format: DatasetFormat
    sets: dict[str, str]
    offered: tuple[str, ...]

    @property
    def declared(self) -> dict[str, DeclaredSet]:
        """What the files declare of their sets; tables and lists have labels in use alone."""
        sets = self.dataset.sets
        if self.format.specific:
            return sets
        return {name: DeclaredSet((), one.exclusive) for name, one in sets.items()}


def format_for(path: Path, name: str = "") -> DatasetFormat:
    """The format called `name`, or the likeliest one of `path`. Raises KnownError or ValueRefused
    if there is none, or `path` is nothing that can be read."""
    if not path.is_file() and not path.is_dir():
        raise unusable(path, mark("Choose a folder, a list file or a table."))
    if not name and path.is_file() and path.name.lower().endswith(ARCHIVES):
        raise KnownError("{path} is an archive.", "Unpack it, and import its folder.", path=path)
    format = FORMATS.find(name) if name else next(iter(recognised(path)), None)
    if path.is_file() and not read_regular(path, _BLANK).strip():
        raise KnownError("{path} is empty.", "Choose another file.", path=path)
    if format is None:
        raise KnownError(
            "{path} has no known format of labels.",
            "Formats: {formats}.",
            path=path,
            formats=", ".join(FORMATS),
        )
    if format.is_folder != path.is_dir() and format not in recognised(path):
        folder, file = mark("Choose the folder of the dataset."), mark("Choose a file.")
        raise unusable(path, folder if format.is_folder else file)
    return format


def read_dataset(
    path: Path, choices: ReadChoices, known: Iterable[str], several: Collection[str] = ()
) -> Generator[None, None, ReadDataset]:
    """Read a dataset, yielding heartbeats; `known` are the label sets of the project, `several`
    those that have several labels for an image.

    Raises EncodingUnsure if its encoding had to be guessed, and KnownError if it cannot be read.
    """
    format = format_for(path, choices.format)
    root = choices.root
    options = ReadOptions(choices.encoding, root, choices.path_column, parts=choices.parts)
    dataset = yield from format.read(path, options)
    if dataset.guessed and not choices.encoding:
        raise EncodingUnsure(path, dataset.encoding, samples_of(dataset))
    _add_part_of_name(path, dataset, choices.parts)
    together = choices.main not in several and _are_together(dataset)
    sets, offered = _choose(dataset, format, choices, known, together)
    return ReadDataset(dataset, format, sets, offered)


def _add_part_of_name(path: Path, dataset: Dataset, given: Given) -> None:
    """Put the images of a file such as train.txt into the part that its name names, unless the file
    itself names parts."""
    part = part_in_name(path.stem, given)
    if not path.is_file() or any(image.part for image in dataset.images):
        return
    if part is None:
        if (word := unclear_in_name(path.stem)) and word not in given:
            dataset.part_words[word] = None
        return
    dataset.images = [msgspec.structs.replace(image, part=part) for image in dataset.images]
    text = Message("Its name puts its images into the {part} part.", part=part.value)
    dataset.remarks.append(text)


def split_name(path: Path, given: Given = NO_WORDS) -> str:
    """The name of the split that comes with a file or folder: that of train.txt and test.txt is the
    same one."""
    if not path.is_file():
        return path.name
    if part_in_name(path.stem, given) is None:
        return path.stem
    return without_part(path.stem, given) or path.resolve().parent.name


def _are_together(dataset: Dataset) -> bool:
    """Whether a record gives an image several labels without a set, which are then declared as ones
    that go together: keywords, and no contradiction."""
    for image in dataset.images:
        if len({one.label for one in image.labels if one.set == MAIN_SET}) > 1:
            declared = dataset.sets.get(MAIN_SET, DeclaredSet())
            dataset.sets[MAIN_SET] = DeclaredSet(declared.labels, exclusive=False)
            return True
    return False


def _choose(
    dataset: Dataset,
    format: DatasetFormat,
    choices: ReadChoices,
    known: Iterable[str],
    together: bool,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which sets are imported as which, and which are only offered."""
    names = LabelNames(known)
    sets, offered = {}, []
    for name in dataset.sets:
        if name in choices.sets:
            chosen = choices.sets[name]
        elif name == MAIN_SET:
            chosen = names.equal(KEYWORDS) or "" if together else choices.main
        elif Carry.LABEL_SETS in format.carries and format.specific:
            chosen = name
        else:
            chosen = names.equal(name) or names.like(name)
        if chosen:
            sets[name] = names.equal_or_new(chosen)
        elif name not in choices.sets and (name or dataset.sets[name].labels):
            offered.append(name)
    missing = [name for name in choices.sets if name not in dataset.sets]
    if missing:
        raise KnownError(
            "The file has no labels called {names}; it has {known}.",
            "Choose one of these, or leave the option out.",
            names=enumerated(missing, "or"),
            known=enumerated([name or mark("labels without a name") for name in dataset.sets]),
        )
    return sets, tuple(offered)


def samples_of(dataset: Dataset) -> list[str]:
    """Labels, else paths, that contain other characters than ASCII."""
    labels = (label for one in dataset.sets.values() for label in one.labels)
    paths = (image.path for image in dataset.images)
    found = dict.fromkeys(text for some in (labels, paths) for text in some if not text.isascii())
    return list(found)[:SAMPLES]


def decisions_about(path: Path, read: ReadDataset, choices: ReadChoices) -> list[Decision]:
    """What was decided about a file; what the user chose is a remark."""
    name, dataset = path.name, read.dataset
    text = Message("read as {format}", format=Message(read.format.title))
    kind = DecisionKind.REMARK if choices.format else DecisionKind.FORMAT
    found = [Decision(name, text, kind)]
    if dataset.encoding and dataset.encoding != "utf-8":
        text = Message("decoded from {encoding}", encoding=dataset.encoding)
        found.append(Decision(name, text, DecisionKind.ENCODING))
    for own, label_set in read.sets.items():
        text = Message("“{own}” is imported as {label_set}", own=own, label_set=label_set)
        if own != label_set and own:
            found.append(Decision(name, text, DecisionKind.LABEL_SET, own))
    for label_set, some_own in _shared(read).items():
        text = Message(
            "{columns} are all imported as {label_set}: images for which they differ have a"
            " conflict if the set has one label for each image",
            columns=enumerated(
                [f"“{own}”" if own else mark("labels without a name") for own in some_own]
            ),
            label_set=label_set,
        )
        found.append(Decision(name, text))
    for own in read.offered:
        some = ", ".join(" ".join(one.split()) for one in dataset.sets[own].labels[:SAMPLES])
        text = Message("“{own}” ({labels}, …) is not imported", own=own, labels=some)
        suggested = suggested_set(own)
        if own == MAIN_SET and not dataset.sets[own].exclusive:
            several = mark("images have several of its labels ({labels}, …): they are not imported")
            text, suggested = Message(several, labels=some), KEYWORDS
        elif own == MAIN_SET:
            text = Message("its labels ({labels}, …) are not imported", labels=some)
        found.append(Decision(name, text, DecisionKind.NOT_IMPORTED, own, suggested))
    found += decided_parts(name, dataset.part_words)
    return found + [Decision(name, remark) for remark in dataset.remarks]


def decided_parts(about: str, words: Mapping[str, Part | None]) -> list[Decision]:
    """What words of a file or folder were read as, whose part of a split is not plain."""
    unclear = mark("“{word}” may mean several parts of a split: its images are in no part")
    chosen = mark("“{word}” is read as the {part} part of the split")
    return [
        Decision(about, Message(chosen, word=word, part=part.value), DecisionKind.PART, word)
        if part
        else Decision(about, Message(unclear, word=word), DecisionKind.PART, word)
        for word, part in words.items()
    ]


def _shared(read: ReadDataset) -> dict[str, list[str]]:
    """The label sets that several sets of a file are imported as, with these. Labels of boxes are
    those of crops, and differ from labels of images without a conflict."""
    of_images = {one.set for image in read.dataset.images for one in image.labels}
    found: dict[str, list[str]] = {}
    for own, label_set in read.sets.items():
        if own in of_images:
            found.setdefault(label_set, []).append(own)
    return {label_set: some for label_set, some in found.items() if len(some) > 1}


def suggested_set(own: str) -> str:
    """The label set that is suggested for a column: the main one for names such as `label`."""
    return IMPORTABLE_SETS[0] if own == MAIN_SET or own.lower() in GENERAL_NAMES else own


def place_of(file: str, record: ImageRecord) -> str:
    """Where a record stands, for messages: a file, with the line or entry if it has any."""
    name = record.file or file
    return place_in(name, record.line) if record.line else name


class PlacedRecord(NamedTuple):
    """A record, the image that it describes, and the file that it is from, for messages.

    A label that the image has is kept if it was given after `kept_since` (in seconds since the
    epoch): its file is unchanged since it was imported from the same place.
    """

    image: int
    record: ImageRecord
    source: str
    kept_since: float = math.inf

    @property
    def place(self) -> str:
        """The file, with the line or entry if it has any."""
        return place_of(self.source, self.record)
