"""Base class and registry of dataset formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, ImageRecord
from workbench.domain.errors import ValueRefused
from workbench.domain.formats import enumerated
from workbench.domain.part_words import NO_WORDS, Given
from workbench.domain.registry import Registry
from workbench.domain.text import Message, tr

OWN = "label-file"  # the format of this program, which loses nothing
Reading = Generator[None, None, Dataset]  # heartbeats while a dataset is read


@dataclass(frozen=True)
class ReadOptions:
    """What the user decided about reading a dataset.

    `encoding` of text files ("": detected). `base`: the folder that relative image paths are
    relative to (None: as the format has it). `path_column`: the column of a table that names
    images ("": detected). `levels`: the label sets that folders name, of the outer folder first.
    `parts`: words (in lower case) and the parts of a split that they stand for.
    """

    encoding: str = ""
    base: Path | None = None
    path_column: str = ""
    levels: tuple[str, ...] = (MAIN_SET,)
    parts: Given = field(default_factory=lambda: NO_WORDS)


@dataclass(frozen=True)
class WriteOptions:
    """What the user decided about writing a dataset: `label_set` is written by formats that have
    one set only; `levels` become nested folders where folders name labels (empty: one level of
    `label_set`), the first outside. `divided` tells `DatasetFormat.place` whether some image has a
    part, so that one without a part may have a folder of its own. `folders` are
    the names of the folders of labels (empty: found for the labels that are written)."""

    label_set: str = MAIN_SET
    levels: tuple[str, ...] = ()
    divided: bool = False
    folders: Mapping[str, str] = field(default_factory=dict)


AS_IT_IS = WriteOptions()


class DatasetFormat(ABC):
    """A format of datasets: label files, tables and lists, or folders with annotation files.

    `name` is used on the command line, `title` in the window. `endings` are the lower-case
    extensions of its files, with a dot; empty if a dataset is a folder. `carries` lists what it can
    describe. `specific` formats are recognised by their content and are asked before general ones
    such as CSV. `written` is false if it can only be read. `about` is a sentence for the manual.
    Exports name images by their `absolute` paths, or relative to the folder that all are in.
    `needs_images`: without copies of the images, a dataset has no labels or cannot name images.
    `by_stem`: images that differ in their extension only cannot be told apart. `boxes_only`: only
    boxes have labels.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    endings: ClassVar[tuple[str, ...]] = ()
    carries: ClassVar[frozenset[Carry]] = frozenset({Carry.LABELS})
    specific: ClassVar[bool] = True
    written: ClassVar[bool] = True
    absolute: ClassVar[bool] = False
    needs_images: ClassVar[bool] = False
    by_stem: ClassVar[bool] = False
    boxes_only: ClassVar[bool] = False

    @property
    def is_folder(self) -> bool:
        """Whether a dataset of this format is a folder."""
        return not self.endings

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether `path` is probably a dataset of this format.

        Fast: looks at names and the first bytes only. False for unreadable files.
        """

    @abstractmethod
    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read a dataset, yielding heartbeats at least every 512 records.

        Malformed rows are listed in `rejected` with their line and do not affect others. Raises
        KnownError naming the file if it cannot be read as this format.
        """

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write a dataset to the new file or empty folder `path`.

        Returns what the user should know, such as labels that the format cannot describe. Raises
        OSError.
        """
        raise NotImplementedError(f"{self.name} is only read")

    def place(self, image: ImageRecord, options: WriteOptions = AS_IT_IS) -> str:
        """Relative path of an image in a written folder, if images are copied with it; "" if it is
        not written with these options."""
        return image.path


FORMATS: Registry[DatasetFormat] = Registry("format", package="workbench.formats")


def recognised(path: Path) -> list[DatasetFormat]:
    """Formats that `path` may have, the likeliest first: specific ones before general ones."""
    ordered = sorted(FORMATS.values(), key=lambda format: not format.specific)
    return [format for format in ordered if _recognises(format, path)]


def written_format(path: Path, name: str = "") -> DatasetFormat:
    """The format called `name`, else that of the extension of `path`. Raises ValueRefused if there
    is none that can be written."""
    written = [format for format in FORMATS.values() if format.written]
    if name:
        found = [format for format in written if format.name == name]
    else:
        ending = path.suffix.lower()
        found = [format for format in written if ending in format.endings]
    if not found:
        endings = sorted({ending for format in written for ending in format.endings})
        allowed = Message("a name that ends in {endings}", endings=enumerated(endings, "or"))
        if name:
            allowed = Message(", ".join(format.name for format in written))
        sentence = Message("Labels cannot be exported to {path}.", path=path)
        raise ValueRefused(Message("format") if name else Message("file"),
                           name or str(path), allowed, sentence)  # fmt: skip
    return next((format for format in found if format.name == OWN), found[0])


def _recognises(format: DatasetFormat, path: Path) -> bool:
    """Whether a format recognises a path; false if a file or folder there cannot be read."""
    try:
        return format.recognises(path)
    except OSError:
        return False


def read_patterns() -> str:
    """The extensions of all files that can be read, as a file-dialog pattern."""
    endings = dict.fromkeys(ending for format in FORMATS.values() for ending in format.endings)
    return " ".join(f"*{ending}" for ending in endings)


def written_patterns() -> dict[str, tuple[str, str]]:
    """For each kind of file that labels can be written to: its file-dialog filter, with the name of
    the format and the extension.

    An extension that several formats have is listed for each, such as JSON for COCO.
    """
    found: dict[str, tuple[str, str]] = {}
    ordered = sorted(FORMATS.values(), key=lambda format: format.name != OWN)
    for format in ordered:
        if format.written:
            for ending in format.endings:
                found.setdefault(f"{tr(format.title)} (*{ending})", (format.name, ending))
    return found
