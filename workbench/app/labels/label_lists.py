"""Text files that name images and their labels: list files (`path label`) and CSV tables."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile

PATH_COLUMNS = ("path", "filename", "file", "image")
LABEL_COLUMNS = ("category", "view", "expression")


@dataclass(frozen=True)
class Entry:
    """One named image: line number (from 1), path as written, labels by column or under ""."""

    line: int
    path: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass
class ListedLabels:
    """A parsed text file: its entries, the lines that say nothing, and its label columns."""

    entries: list[Entry] = field(default_factory=list)
    bad: list[SkippedFile] = field(default_factory=list)
    columns: tuple[str, ...] = ()


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, else GB 18030; raises KnownError naming the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KnownError(f"{path} cannot be read: {error.strerror}.") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise KnownError(f"{path} is not a text file.", "Choose a list file or a CSV table.")


def read_list(path: Path) -> ListedLabels:
    """A list file: `relative/path.jpg label` per line; the label is the last word, and a path may
    hold spaces. A line that is one existing path has no label. Raises KnownError as `read_text`."""
    result = ListedLabels()
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        name, label = _parted(text)
        if not label or _exists(path.parent, text):
            name, label = text, ""
        if not label and not _exists(path.parent, name):
            result.bad.append(_bad(path, number, f"“{text[:80]}” is not “path label”"))
            continue
        result.entries.append(Entry(number, name, (("", label),) if label else ()))
    return result


def read_csv(path: Path) -> ListedLabels:
    """A CSV table with a header: a column path, filename, file or image, and category, view and
    expression where there are any. Raises KnownError naming the file and the columns it has."""
    rows = read_table(path)
    header = [cell.strip().lower() for cell in next(rows, (0, []))[1]]
    at = next((header.index(name) for name in PATH_COLUMNS if name in header), None)
    if at is None:
        raise KnownError(
            f"{path} has no column that names images; its columns are {', '.join(header)[:200]}.",
            f"Name one of its columns {', '.join(PATH_COLUMNS[:-1])} or {PATH_COLUMNS[-1]}.",
        )
    places = {name: header.index(name) for name in LABEL_COLUMNS if name in header}
    result = ListedLabels(columns=tuple(places))
    for number, row in rows:
        name = row[at].strip() if at < len(row) else ""
        if not name:
            result.bad.append(_bad(path, number, "the line names no image"))
            continue
        labels = ((column, row[i].strip()) for column, i in places.items() if i < len(row))
        result.entries.append(Entry(number, name, tuple((c, v) for c, v in labels if v)))
    return result


def read_table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers (from 1) and cells of the lines of a CSV file that are not empty; a comma,
    semicolon or tab parts them, as in the header. Raises KnownError naming file and line."""
    text = read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise KnownError(f"{path}, line {reader.line_num}: {error}.") from error


def locate(base: Path, name: str) -> Path | None:
    """The existing file that `name` means, relative to `base`; None when there is none."""
    for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
        if _exists(base, spelling):
            return Path(os.path.normpath(base / spelling))
    return None


def _exists(base: Path, name: str) -> bool:
    try:
        return (base / name).is_file()
    except (OSError, ValueError):
        return False


def _parted(text: str) -> tuple[str, str]:
    parts = text.rsplit(maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else (text, "")


def _bad(path: Path, number: int, reason: str) -> SkippedFile:
    return SkippedFile(f"{path.name}, line {number}", reason)
