"""Base class and registry of dataset formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, ImageRecord
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
    """

    encoding: str = ""
    base: Path | None = None
    path_column: str = ""
    levels: tuple[str, ...] = (MAIN_SET,)


@dataclass(frozen=True)
class WriteOptions:
    """What the user decided about writing a dataset: `label_set` is written by formats that have
    one set only; `levels` become nested folders where folders name labels (empty: one level of
    `label_set`), the first outside."""

    label_set: str = MAIN_SET
    levels: tuple[str, ...] = ()


class DatasetFormat(ABC):
    """A format of datasets: label files, tables and lists, or folders with annotation files.

    `name` is used on the command line, `title` in the window. `endings` are the lower-case
    extensions of its files, with a dot; empty if a dataset is a folder. `carries` lists what it can
    describe. `specific` formats are recognised by their content and are asked before general ones
    such as CSV. `written` is false if it can only be read. `about` is a sentence for the manual.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    endings: ClassVar[tuple[str, ...]] = ()
    carries: ClassVar[frozenset[Carry]] = frozenset({Carry.LABELS})
    specific: ClassVar[bool] = True
    written: ClassVar[bool] = True

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

    def place(self, image: ImageRecord) -> str:
        """Relative path of an image in a written folder, if images are copied with it."""
        return image.path


FORMATS: Registry[DatasetFormat] = Registry("format", package="workbench.formats")


def recognised(path: Path) -> list[DatasetFormat]:
    """Formats that `path` may have, the likeliest first: specific ones before general ones."""
    ordered = sorted(FORMATS.values(), key=lambda format: not format.specific)
    return [format for format in ordered if _recognises(format, path)]


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
