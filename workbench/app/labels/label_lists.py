"""Text files with images and their labels: lists (`path label`) and tables with a header."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.errors import KnownError
from workbench.domain.formats import (
    FORMATS,
    IMPORTABLE_SETS,
    LIST_FILE,
    FileKind,
    Format,
    Origin,
    enumerated,
)
from workbench.domain.images import SkippedFile
from workbench.domain.text import Message
from workbench.files import read_regular

PATH_COLUMNS = ("path", "filename", "file", "image")
FIRST_BYTES = 1 << 16  # bytes read to find the first line of a file


@dataclass(frozen=True)
class Entry:
    """A listed image: line number (from 1), path as written, labels by column ("" in a list)."""

    line: int
    path: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass
class ListedLabels:
    """A parsed list or table: its entries, invalid lines (`bad`), and the label columns of a
    table."""

    kind: FileKind
    entries: list[Entry] = field(default_factory=list)
    bad: list[SkippedFile] = field(default_factory=list)
    columns: tuple[str, ...] = ()


# Readers of formats that are neither a plain list nor have a delimiter.
LIST_READERS: dict[Format, Callable[[Path], ListedLabels]] = {}


def format_of(path: Path) -> Format:
    """Format of a list or table by its extension; a plain list if that is unknown."""
    return FORMATS.of(path) or LIST_FILE


def may_be_both(path: Path) -> bool:
    """Whether the content decides if a file with this extension is a list or a table."""
    return len(format_of(path).reads(FileKind.LIST, FileKind.TABLE)) == 2


def kind_of(path: Path) -> FileKind | None:
    """LIST or TABLE, by the extension and if needed the first line; None for other files.

    Raises KnownError if the file cannot be read.
    """
    format = format_of(path)
    kinds = format.reads(FileKind.LIST, FileKind.TABLE)
    if len(kinds) < 2:
        return kinds[0] if kinds else None
    return FileKind.TABLE if _has_header(_first_line(path), format) else FileKind.LIST


def labels_offered(path: Path) -> Origin:
    """Origin of the labels in an import of a list or table: LIST, TABLE, or NONE for a table
    without a label column or an unreadable file."""
    try:
        kind = kind_of(path)
        if kind is FileKind.LIST:
            return Origin.LIST
        if kind is not FileKind.TABLE:
            return Origin.NONE
        if format_of(path) in LIST_READERS:
            return Origin.TABLE
        header = _header(_cells(_first_line(path), format_of(path)))
    except KnownError:
        return Origin.NONE
    return Origin.TABLE if set(header) & set(IMPORTABLE_SETS) else Origin.NONE


def read_listed(path: Path) -> ListedLabels:
    """Read a list or table. Raises KnownError, naming the file, if it is neither or unreadable."""
    format, kind = format_of(path), kind_of(path)
    if kind is None:
        raise KnownError(
            "{path} is not a list of images.", "Choose a folder, a list file or a table.", path=path
        )
    if format in LIST_READERS:
        return LIST_READERS[format](path)
    return read_table(path) if kind is FileKind.TABLE else read_list(path)


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, else GB 18030. Raises KnownError naming the file."""
    return _decoded(path, read_regular(path))


def _decoded(path: Path, data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise KnownError("{path} is not a text file.", "Choose a list file or a table.", path=path)


def _first_line(path: Path) -> str:
    """The first line that is not empty. In both encodings, a line feed is a single byte."""
    data = read_regular(path, FIRST_BYTES).removeprefix(codecs.BOM_UTF8)
    line = next((line for line in data.splitlines() if line.strip()), b"")
    return _decoded(path, line)


def read_list(path: Path) -> ListedLabels:
    """Read a list file with `relative/path.jpg label` on each line.

    The label follows the last delimiter of the format, or is the last word if the file has none;
    paths may contain spaces. A line that is itself an existing path has no label. Raises KnownError
    as `read_text`.
    """
    result = ListedLabels(FileKind.LIST)
    whole, delimiter = read_text(path), format_of(path).delimiter
    between = delimiter if delimiter and delimiter in whole else None
    for number, line in enumerate(whole.splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        name, label = _divided(text, between)
        if not label or _exists(path.parent, text):
            name, label = text, ""
        if not label and not _exists(path.parent, name):
            reason = Message("“{text}” is not “path label”", text=text[:80])
            result.bad.append(_bad(path, number, reason))
            continue
        result.entries.append(Entry(number, name, (("", label),) if label else ()))
    return result


def read_table(path: Path) -> ListedLabels:
    """Read a table with a header: a column path, filename, file or image, and label columns
    category, view and expression. Raises KnownError naming the file and its columns."""
    rows = table_rows(path)
    header = _header(next(rows, (0, []))[1])
    at = next((header.index(name) for name in PATH_COLUMNS if name in header), None)
    if at is None:
        raise KnownError(
            "{path} has no column of image paths; its columns are {columns}.",
            "Rename that column to {names}.",
            path=path,
            columns=", ".join(header)[:200],
            names=enumerated(PATH_COLUMNS, "or"),
        )
    places = {name: header.index(name) for name in IMPORTABLE_SETS if name in header}
    result = ListedLabels(FileKind.TABLE, columns=tuple(places))
    for number, row in rows:
        name = row[at].strip() if at < len(row) else ""
        if not name:
            result.bad.append(_bad(path, number, Message("the line has no image path")))
            continue
        labels = ((column, row[i].strip()) for column, i in places.items() if i < len(row))
        result.entries.append(Entry(number, name, tuple((c, v) for c, v in labels if v)))
    return result


def table_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers (from 1) and cells of the non-empty lines of a table.

    The delimiter is the most frequent one in the header. Raises KnownError naming file and line.
    """
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first, format_of(path)))
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise KnownError(
            "{path}, line {line}: {error}.", path=path, line=reader.line_num, error=error
        ) from error


def _delimiter(header: str, format: Format) -> str:
    """The most frequent of comma, semicolon, tab and the format's own delimiter in `header`; at a
    tie the own one, then the first."""
    return max(format.delimiter + ",;\t", key=header.count)


def _cells(line: str, format: Format) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=_delimiter(line, format)), [])
    except csv.Error:
        return [line]


def _header(cells: list[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def _has_header(line: str, format: Format) -> bool:
    """Whether `line` is the header of a table.

    It has a column of paths, or more than the two cells of a list, or another delimiter than lists
    of this format.
    """
    cells = _header(_cells(line, format))
    if set(cells) & set(PATH_COLUMNS):
        return True
    own = line.count(format.delimiter)
    return own > 1 or (own == 0 and len(cells) > 1)


def locate(base: Path, name: str) -> Path | None:
    """The existing file called `name`, relative to `base`; None if there is none."""
    for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
        if _exists(base, spelling):
            return Path(os.path.normpath(base / spelling))
    return None


def _exists(base: Path, name: str) -> bool:
    try:
        return (base / name).is_file()
    except (OSError, ValueError):
        return False


def _divided(text: str, between: str | None) -> tuple[str, str]:
    parts = [part.strip() for part in text.rsplit(between, maxsplit=1)]
    return (parts[0], parts[1]) if len(parts) == 2 else (text, "")


def _bad(path: Path, number: int, reason: Message) -> SkippedFile:
    place = Message("{file}, line {line}", file=path.name, line=number)
    return SkippedFile(place, reason)
