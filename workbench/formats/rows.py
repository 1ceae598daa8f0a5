"""Rows of tables in CSV, TSV and Excel files, and what their cells mean in every format.

A malformed row is rejected by itself: a quotation mark that is not closed does not swallow the rows
after it, as it would in a plain CSV reader.
"""

from __future__ import annotations

import csv
import math
import os
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, islice
from pathlib import Path

from workbench.domain.datasets import ImageRecord, Region, place_in
from workbench.domain.errors import KnownError
from workbench.domain.formats import IMAGE_FORMATS
from workbench.domain.images import SkippedFile
from workbench.domain.part_words import part_named
from workbench.domain.spreadsheets import FormulaGuard, may_be_formula, unguarded
from workbench.domain.text import Message, counted
from workbench.files import PART
from workbench.formats.sheets import MOST_COLUMNS, Cell, SheetRows, first_texts, write_sheet
from workbench.formats.text import is_damaged, read_opening, read_text, text_lines

EXCEL = ".xlsx"
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}  # by extension
# Names of the column of image paths, the surest first.
PATH_NAMES = (
    "path", "filename", "file_name", "file", "filepath", "file_path", "image_path", "img_path",
    "image_name", "img_name", "image_file", "img_file", "image_filename", "image", "img",
    "image_id", "img_id", "images", "photo", "picture", "name", "id",
)  # fmt: skip
SPAN = 100  # lines that a row can have
SAMPLE = 50  # rows by which a file is recognised
SMALL = 1 << 18  # bytes of a workbook that is quickly read

IMAGE_ENDINGS = tuple(ending for format in IMAGE_FORMATS for ending in format.endings)
_TABLES = (".csv", ".psv", ".tab", EXCEL)  # extensions of files that have a header


class TextKind(Enum):
    """What a text file with rows is."""

    LIST = "list"
    TABLE = "table"
    LABELS = "label file"


# Extensions of texts that are of one kind only; others may be lists.
TEXT_ENDINGS = (".csv", ".tsv", ".json", EXCEL)


def ending_of(path: Path) -> str:
    """The lower-case extension of a file, also while it is written under a temporary name."""
    return os.path.splitext(path.name.removesuffix(PART))[1].lower()


def may_be_text(path: Path, *endings: str) -> bool:
    """Whether a file may be a table or a list: it has one of `endings` or that of no other format,
    and is a text or a workbook."""
    ending = ending_of(path)
    if ending == EXCEL:
        return EXCEL in endings and path.is_file() and zipfile.is_zipfile(path)
    possible = ending in endings or ending not in (*IMAGE_ENDINGS, *TEXT_ENDINGS)
    return possible and bool(read_opening(path).strip())


@dataclass
class TableRows:
    """A table: its header as written, and its rows with their line numbers (from 1).

    Iterate it once: malformed rows are added to `rejected`. Rows have as many cells as the header.
    `encoding` is that of a text file, `guessed` whether it was detected.
    """

    path: Path
    header: tuple[str, ...]
    rows: Iterator[tuple[int, list[str] | Message]]
    rejected: list[SkippedFile] = field(default_factory=list)
    encoding: str = ""
    guessed: bool = False
    remarks: list[Message] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        width = len(self.header)
        # Spreadsheets leave out empty cells at the end, texts do not.
        least = 0 if ending_of(self.path) == EXCEL else _named(self.header)
        for line, cells in self.rows:
            if isinstance(cells, Message):
                self.reject(line, cells)
            elif not any(map(str.strip, cells)):
                continue
            elif reason := self._fault(cells, least):
                self.reject(line, reason)
            else:
                yield line, (cells + [""] * (width - len(cells)))[:width]

    def _fault(self, cells: list[str], least: int) -> str:
        """Why a row is malformed, which has at least so many cells if it is not; "" if it is
        not."""
        width = len(self.header)
        if cells == list(self.header):
            return Message("the line repeats the header")
        if any(map(is_damaged, cells)):
            return Message("the line has bytes that are not text")
        if len(cells) < least or any(map(str.strip, cells[width:])):
            return counted(
                len(cells),
                "{n} cell, but {width} columns",
                "{n} cells, but {width} columns",
                width=width,
            )
        return ""

    def reject(self, line: int, reason: str) -> None:
        """Add a row to `rejected`."""
        self.rejected.append(rejection(self.path, line, reason))


def _named(header: Sequence[str]) -> int:
    """The number of columns without those at the end that have no name."""
    return max((at for at, name in enumerate(header, start=1) if name), default=0)


def rejection(path: Path, line: int, reason: str) -> SkippedFile:
    """A malformed row of a file, with its line or row number."""
    return SkippedFile(place_in(path.name, line), reason)


def kind_of(path: Path, encoding: str = "") -> TextKind:
    """What a text file or workbook with images holds: LIST, TABLE or LABELS, a table with a row for
    each label.

    Its extension and its first lines decide. Empty and unreadable files are decided by the
    extension alone.
    """
    if ending_of(path) == EXCEL:
        return _kind_of_sheet(path)
    layout = _Layout.of(text_lines(read_opening(path, encoding)), ending_of(path))
    parsed = (cells for _, cells in islice(layout.rows(), SAMPLE))
    rows = [cells for cells in parsed if not isinstance(cells, Message)]
    own = layout.first_line.count(DELIMITERS.get(ending_of(path), "\t"))
    return _kind(ending_of(path), rows, own)


def _kind_of_sheet(path: Path) -> TextKind:
    """TABLE or LABELS. Only small workbooks are read, to see whether “set” has parts of a split."""
    if not _is_label_header([plain_name(text) for text in first_texts(path)[:MOST_COLUMNS]]):
        return TextKind.TABLE
    if path.stat().st_size > SMALL:
        return TextKind.LABELS
    try:
        rows = [cells for _, cells in islice(SheetRows(path), SAMPLE)]
    except KnownError:
        rows = []
    return _kind(EXCEL, rows, 0)


def _kind(ending: str, rows: Sequence[Sequence[str]], own: int) -> TextKind:
    """What rows are, the first of which has `own` delimiters of the file's extension."""
    header = [plain_name(cell) for cell in rows[0]] if rows else []
    if _is_label_header(header) and not _names_parts(header, rows[1:]):
        return TextKind.LABELS
    several = len(header) > 1
    if set(header) & set(PATH_NAMES) and (several or ending in (*_TABLES, ".tsv")):
        return TextKind.TABLE
    if any(map(is_image_name, header)) and len(header) <= 2:
        return TextKind.LIST
    if ending == ".tsv":
        return TextKind.TABLE if own > 1 or (own == 0 and several) else TextKind.LIST
    return TextKind.TABLE if ending in _TABLES else TextKind.LIST


def _is_label_header(header: Sequence[str]) -> bool:
    return {"set", "label"} <= set(header) and not {"hash", *PATH_NAMES}.isdisjoint(header)


def _names_parts(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Whether the column “set” has parts of a split: one of them, or nothing else in a file with
    columns that only label files have."""
    column = header.index("set")
    values = {row[column].strip() for row in rows if column < len(row)} - {""}
    enough = all if {"hash", "author"} & set(header) else any
    return bool(values) and enough(part_named(value) for value in values)


def open_table(path: Path, encoding: str = "") -> TableRows:
    """Open a table. Raises KnownError naming the file if it is unreadable or empty."""
    if ending_of(path) == EXCEL:
        sheet = SheetRows(path)
        rows: Iterator[tuple[int, list[str] | Message]] = iter(sheet)
        result = TableRows(path, _header(path, rows), rows)
        result.remarks += [sheet.remark] if sheet.remark else []
        return result
    text = read_text(path, encoding)
    rows = _Layout.of(text_lines(text.content), ending_of(path)).rows()
    return TableRows(path, _header(path, rows), rows, [], text.encoding, text.guessed)


def _header(path: Path, rows: Iterator[tuple[int, list[str] | Message]]) -> tuple[str, ...]:
    line, cells = next(rows, (0, []))
    if isinstance(cells, Message):
        raise KnownError("{path}, line {line}: {reason}.", path=path, line=line, reason=cells)
    if not cells:
        raise KnownError("{path} is empty.", "Choose another file.", path=path)
    return tuple(unguarded(cell).strip() for cell in cells)


@dataclass(frozen=True)
class _Layout:
    """How a text file is divided: `start` is the index of its first line with content, `spaced`
    whether a space follows the delimiter."""

    lines: Sequence[str]
    start: int
    delimiter: str
    spaced: bool

    @classmethod
    def of(cls, lines: Sequence[str], ending: str) -> _Layout:
        """The most frequent delimiter of the first line behind comments; at a tie that of the
        extension, then the first. Excel can name it in a line of its own."""
        start = _first_line(lines)
        named = re.fullmatch(r'"?sep=(.)"?\s*', lines[start], re.IGNORECASE) if lines else None
        first = lines[start + bool(named)] if start + bool(named) < len(lines) else ""
        bare = re.sub(r'"[^"]*"', "", first)
        candidates = DELIMITERS.get(ending, "") + ",;\t|"
        delimiter = named[1] if named else max(candidates, key=bare.count)
        spaced = re.search(re.escape(delimiter) + " ", bare) is not None
        return cls(lines, start + bool(named), delimiter, spaced)

    @property
    def first_line(self) -> str:
        """The first line with content."""
        return self.lines[self.start] if self.start < len(self.lines) else ""

    def rows(self) -> Iterator[tuple[int, list[str] | Message]]:
        """Line numbers and cells of the rows, or why a row is malformed.

        A row that cannot be read, or takes complete rows for a part of a cell, is rejected with its
        first line, and reading resumes at the next.
        """
        start, width = self.start, 0
        while start < len(self.lines):
            for first, end, cells in self._well_formed(start, width):
                yield first + 1, cells
                start, width = end, width or len(cells)
            if start < len(self.lines):
                reason = Message("the quotation marks do not match")
                yield start + 1, self._without_outer_spaces(start) or reason
                start += 1

    def _well_formed(self, start: int, width: int) -> Iterator[tuple[int, int, list[str]]]:
        """First line, end and cells of the rows from a line on, up to a malformed one."""
        feed = _Feed(self.lines, start)
        source = csv.reader(
            feed, delimiter=self.delimiter, skipinitialspace=self.spaced, strict=True
        )
        begin = start
        try:
            for cells in source:
                end = begin + source.line_num
                if '"' in self.lines[start] and self._is_misread(start, end, cells, width):
                    return
                yield start, end, cells
                start = feed.row = end
                width = width or len(cells)
        except csv.Error:
            return

    def _is_misread(self, start: int, end: int, cells: Sequence[str], width: int) -> bool:
        """Whether the quotation marks of a row are odd in number and one ends a cell, or stand
        after spaces, or a cell has complete rows although not all cells are quoted."""
        odd = sum(line.count('"') for line in self.lines[start:end]) % 2 == 1
        if odd and any(cell.count('"') % 2 and cell.rstrip().endswith('"') for cell in cells):
            return True
        if any(cell.startswith(" ") and cell.lstrip().startswith('"') for cell in cells):
            return bool(self._without_outer_spaces(start))
        if end == start + 1 or not _swallows_rows(cells, self.delimiter, width):
            return False
        quoted = self.delimiter.join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
        raw = "".join(self.lines[start:end]).rstrip("\r\n")
        return raw != quoted or len(cells) < width

    def _without_outer_spaces(self, at: int) -> list[str]:
        """The cells of a line that was misread because of spaces around its quotation marks; none
        if there are none."""
        line, mark = self.lines[at].strip("\r\n"), re.escape(self.delimiter)
        tight = re.sub(rf'" +(?={mark}|$)', '"', re.sub(rf'(^|{mark}) +"', r'\1"', line))
        try:
            cells = next(csv.reader([tight], delimiter=self.delimiter, strict=True), [])
        except csv.Error:
            return []
        return cells if tight != line else []


def _first_line(lines: Sequence[str]) -> int:
    """The index of the first line with content; that of the header if comments are before it."""
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    after = enumerate(islice(lines, first, first + SAMPLE), first)
    possible = (at for at, line in after if line.strip() and not re.match(r"#+\s", line))
    header = next(possible, first)
    cells = re.split(r"[,;\t|]", lines[header]) if header < len(lines) else []
    names = {plain_name(cell.strip('" \r\n')) for cell in cells}
    return header if len(names) > 1 and names & {*PATH_NAMES, "hash"} else first


class _Feed:
    """Lines for a CSV reader, which gets no more than `SPAN` lines for one row."""

    def __init__(self, lines: Sequence[str], start: int) -> None:
        self._lines = lines
        self.row = start  # first line of the row that is being read

    def __iter__(self) -> Iterator[str]:
        for at in range(self.row, len(self._lines)):
            if at - self.row >= SPAN:
                return
            yield self._lines[at]


def _swallows_rows(cells: Sequence[str], delimiter: str, width: int) -> bool:
    """Whether a cell of several lines has complete rows, so that its quotation mark is misplaced.

    A line within the cell counts if it has as many cells as the header has columns (`width`) and
    names an image, or if all of them do.
    """
    for cell in cells:
        inner = [line.split(delimiter) for line in re.split(r"\r\n|\r|\n", cell)[1:]]
        full = [parts for parts in inner if len(parts) >= max(2, width)]
        if full and (len(full) == len(inner) or any(map(is_image_name, chain(*full)))):
            return True
    return False


def write_rows(path: Path, rows: Iterable[Sequence[Cell]]) -> list[Message]:
    """Write rows, the header first, as CSV, TSV or Excel by the extension of `path`.

    Text that a spreadsheet would run as a formula gets an apostrophe in front, which `unguarded`
    removes; the number of such cells is returned as a message. Raises OSError.
    """
    guard = FormulaGuard()
    if ending_of(path) == EXCEL:
        write_sheet(path, guard.rows(rows))
    else:
        _write_text(path, rows, guard)
    return guard.notes()


def _write_text(path: Path, rows: Iterable[Sequence[Cell]], guard: FormulaGuard) -> None:
    """Write rows as CSV or TSV. Rows with cells of several lines have all cells quoted, as
    `_swallows_rows` cannot know them otherwise."""
    delimiter = DELIMITERS.get(ending_of(path), ",")
    with path.open("w", encoding="utf-8", newline="") as file:
        quoted = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)

        def plain() -> Iterator[Sequence[Cell]]:
            for row in rows:
                for cell in row:
                    if cell and isinstance(cell, str) and _may_need_care(cell):
                        safe = guard.cells(row)
                        if _has_lines(safe):
                            quoted.writerow(safe)
                        else:
                            yield safe
                        break
                else:
                    yield row

        csv.writer(file, delimiter=delimiter).writerows(plain())


def _may_need_care(cell: str) -> bool:
    return may_be_formula(cell) or not cell.isprintable()


def _has_lines(row: Sequence[Cell]) -> bool:
    return any(isinstance(cell, str) and ("\n" in cell or "\r" in cell) for cell in row)


def composed(text: str) -> str:
    """A text without spaces around it, in composed Unicode (NFC)."""
    return unicodedata.normalize("NFC", text).strip()


def plain_name(column: str) -> str:
    """The name of a column for comparisons: lower case, with underscores for spaces."""
    return re.sub(r"[\s\-]+", "_", unguarded(column).strip().lower())


def is_image_name(text: str) -> bool:
    """Whether a text ends as the name of an image file does."""
    return text.strip().strip('"').lower().endswith(IMAGE_ENDINGS)


def number_of(text: str) -> float | None:
    """The finite number that a cell has; None if it is not one."""
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def confidence_of(text: str) -> float:
    """The confidence in a cell, 1 in an empty one. Raises ValueError with a Message."""
    if not (text := text.strip()):
        return 1.0
    value = number_of(text)
    if value is None or not 0.0 <= value <= 1.0:
        raise ValueError(
            Message("the confidence “{text}” is not a number from 0 to 1, such as 0.75", text=text)
        )
    return value


def box_of(
    cells: Sequence[str], sized: bool = False
) -> tuple[float, float, float, float] | None:  # fmt: skip
    """Left, top, right and bottom of a box; None if all cells are empty.

    The last two cells are width and height if `sized`. Raises ValueError with a Message.
    """
    if not any(map(str.strip, cells)):
        return None
    left, top, right, bottom = map(number_of, cells)
    if left is None or top is None or right is None or bottom is None:
        raise ValueError(Message("a box needs four numbers: its sides, or a corner and its size"))
    if sized:
        right, bottom = left + right, top + bottom
    if right <= left or bottom <= top:
        raise ValueError(Message("the box is empty"))
    return left, top, right, bottom


def in_pixels(image: ImageRecord, region: Region) -> Region | None:
    """A region of an image in pixels; None if the image has no size and the region needs it."""
    if region.relative and not (image.width and image.height):
        return None
    return region.in_pixels(image.width, image.height)


def boxes_without_size(n: int) -> Message:
    """Remark that `n` regions could not be written in pixels."""
    return counted(
        n,
        "{n:,} box is not written: the size of its image is unknown.",
        "{n:,} boxes are not written: the sizes of their images are unknown.",
    )
