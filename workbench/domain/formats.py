"""File formats: extensions, possible content, and whether they are imported or exported.

Dialogs, drag and drop, commands, error messages and the manual are derived from `FORMATS`. To add a
format, add an entry there. Formats with a delimiter need no code; readers and writers of others are
registered in `app/labels/label_lists.py` and `app/labels/label_files.py`; images are decoded in
`vision/headers.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Literal, NamedTuple

from workbench.domain.text import Message, mark

# Label sets that an image import can fill, the outer folder level first.
IMPORTABLE_SETS = ("category", "view", "expression")


class FileKind(StrEnum):
    """Content of a file. The value is the plural shown to the user."""

    IMAGE = mark("images")
    LIST = mark("lists")
    TABLE = mark("tables")
    LABELS = mark("label files")


_HOLDS = {
    FileKind.IMAGE: mark("an image"),
    FileKind.LIST: mark("the path of an image on each line, and a label after it"),
    FileKind.TABLE: mark("a header, a column of image paths and a column for each label set"),
    FileKind.LABELS: mark("the labels of a project, one in each row"),
}


class Origin(StrEnum):
    """Origin of the labels in an import; also the kind of a source."""

    NONE = ""
    FOLDER = "folder"
    LIST = "list"
    TABLE = "csv"  # the name in commands and in stored projects, whatever the delimiter


@dataclass(frozen=True)
class Format:
    """A file format.

    `endings` are lower-case and start with a dot. `holds` lists the possible contents: for a list
    or a table the content decides. `read` is false for images that are recognised but not imported;
    `written` lists the kinds that are exported. `delimiter` separates the cells of a row ("" for
    formats without rows).
    """

    name: str
    endings: tuple[str, ...]
    holds: tuple[FileKind, ...]
    read: bool = True
    written: tuple[FileKind, ...] = ()
    delimiter: str = ""

    def reads(self, *kinds: FileKind) -> tuple[FileKind, ...]:
        """Return those of `kinds` that a file of this format may be read as."""
        return tuple(kind for kind in kinds if self.read and kind in self.holds)

    @property
    def pattern(self) -> str:
        """The extensions as a file-dialog pattern, such as "*.tif *.tiff"."""
        return " ".join(f"*{ending}" for ending in self.endings)


class FormatRow(NamedTuple):
    """A row of the format table in the manual."""

    name: str
    endings: tuple[str, ...]
    imported: bool
    exported: bool
    holds: str


class FormatRegistry:
    """Formats in display order, looked up by file extension."""

    def __init__(self, formats: Iterable[Format] = ()) -> None:
        self._by_ending: dict[str, Format] = {}
        for format in formats:
            self.register(format)

    def register(self, format: Format) -> None:
        """Add a format. Raises ValueError if an extension is already registered."""
        for ending in format.endings:
            if ending in self._by_ending:
                raise ValueError(f"{ending} of {format.name} is {self._by_ending[ending].name}")
        self._by_ending.update(dict.fromkeys(format.endings, format))

    def __iter__(self) -> Iterator[Format]:
        return iter(dict.fromkeys(self._by_ending.values()))

    def of(self, path: PurePath | str) -> Format | None:
        """Return the format of a file by its extension, ignoring case; None if it is unknown."""
        return self._by_ending.get(os.path.splitext(path)[1].lower())

    def read_as(self, *kinds: FileKind) -> tuple[Format, ...]:
        """Formats that can be read as one of `kinds`."""
        return tuple(format for format in self if format.reads(*kinds))

    def written_as(self, kind: FileKind) -> tuple[Format, ...]:
        """Formats that `kind` can be exported to."""
        return tuple(format for format in self if kind in format.written)


_DELIMITED = (FileKind.TABLE, FileKind.LABELS)

LIST_FILE = Format("List file", (".txt", ".lst", ".list"), (FileKind.LIST,))
JSON = Format("JSON", (".json",), (FileKind.LABELS,), written=(FileKind.LABELS,))

FORMATS = FormatRegistry(
    [
        Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), (FileKind.IMAGE,)),
        Format("PNG", (".png",), (FileKind.IMAGE,)),
        Format("BMP", (".bmp", ".dib"), (FileKind.IMAGE,)),
        Format("TIFF", (".tif", ".tiff"), (FileKind.IMAGE,)),
        Format("WebP", (".webp",), (FileKind.IMAGE,)),
        LIST_FILE,
        Format("CSV", (".csv",), _DELIMITED, written=(FileKind.LABELS,), delimiter=","),
        Format(
            "TSV",
            (".tsv",),
            (FileKind.LIST, *_DELIMITED),
            written=(FileKind.LABELS,),
            delimiter="\t",
        ),
        JSON,
        Format("GIF", (".gif",), (FileKind.IMAGE,), read=False),
        Format("HEIF", (".heic", ".heif"), (FileKind.IMAGE,), read=False),
        Format("AVIF", (".avif",), (FileKind.IMAGE,), read=False),
        Format("JPEG 2000", (".jp2",), (FileKind.IMAGE,), read=False),
        Format("JPEG XL", (".jxl",), (FileKind.IMAGE,), read=False),
        Format("Photoshop", (".psd",), (FileKind.IMAGE,), read=False),
        Format("SVG", (".svg",), (FileKind.IMAGE,), read=False),
        Format("ICO", (".ico",), (FileKind.IMAGE,), read=False),
        # Raw photographs look like TIFF but contain only a preview.
        Format(
            "Camera raw",
            (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf"),
            (FileKind.IMAGE,),
            read=False,
        ),
    ]
)


Conjunction = Literal["and", "or"]


def enumerated(texts: Sequence[str], last: Conjunction = "and") -> str:
    """Join texts for a sentence, such as "a, b and c"; a message if there are several."""
    if len(texts) < 2:
        return "".join(texts)
    first, end = ", ".join(texts[:-1]), texts[-1]
    if last == "or":
        return Message("{first} or {last}", first=first, last=end)
    return Message("{first} and {last}", first=first, last=end)


def names(formats: Iterable[Format], last: Conjunction = "and") -> str:
    """Join the names of formats for a sentence, such as "CSV, TSV and JSON"."""
    return enumerated([format.name for format in formats], last)


def endings(formats: Iterable[Format], last: Conjunction = "or") -> str:
    """Join the extensions of formats for a sentence, such as ".csv, .tsv or .json"."""
    return enumerated([ending for format in formats for ending in format.endings], last)


def patterns(formats: Iterable[Format]) -> str:
    """The extensions of formats as a file-dialog pattern, such as "*.csv *.tsv *.json"."""
    return " ".join(format.pattern for format in formats)


def images_read() -> Message:
    """The supported image formats as a sentence, such as "Supported formats: JPEG and PNG."."""
    return Message("Supported formats: {formats}.", formats=names(FORMATS.read_as(FileKind.IMAGE)))


def formats_table() -> list[FormatRow]:
    """Rows of the manual's format table: every format with each kind of content."""
    return [
        FormatRow(format.name, format.endings, format.read, kind in format.written, _HOLDS[kind])
        for format in FORMATS
        for kind in format.holds
    ]
