"""Rows of Excel workbooks (.xlsx), within limits on what is unpacked and read."""

from __future__ import annotations

import datetime
import html
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.domain.errors import KnownError, parsing
from workbench.domain.text import Message, mark
from workbench.files import unusable

MOST_ROWS = 1 << 20  # rows of a sheet, as in Excel
MOST_COLUMNS = 1 << 10  # columns that a table of images may have
MOST_UNPACKED = 1 << 29  # bytes of an unpacked workbook
AT_ONCE = 512  # rows read together
OPENING = 1 << 16  # bytes in which the texts of a header are looked for

# Characters that XML does not have, or changes, and text that would be read as their code.
_CODED = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_CODE = re.compile(r"_x([0-9A-Fa-f]{4})_")

_TEXTS = ("xl/sharedStrings.xml", "xl/worksheets/sheet1.xml")  # where texts are, if anywhere
_TEXT = re.compile(r"<(?:\w+:)?t(?: [^>]*)?>([^<]*)</")

_REMEDY = mark("Save the sheet as CSV, and choose that file.")

Cell = str | int | float


class SheetRows:
    """The rows of the first sheet with content: numbers (from 1) and cells as text.

    `remark` tells which sheet is read if there are several. Raises KnownError naming the file if it
    is not a workbook, or exceeds the limits of this module; also while it is iterated.
    """

    def __init__(self, path: Path) -> None:
        """Open a workbook."""
        self._path = path
        self.remark: Message | None = None
        _check_size(path)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        from openpyxl import load_workbook  # slow to import, and seldom needed

        with parsing(self._path, _REMEDY), self._path.open("rb") as file:
            with warnings.catch_warnings(action="ignore"):  # about styles that are not needed
                workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheets = workbook.worksheets
            filled = (self._numbered(sheet) for sheet in sheets)
            first, rows = next(
                ((row, rows) for rows in filled if (row := next(rows, None))), (None, iter(()))
            )
            if first is None:
                return
            if len(sheets) > 1:
                self.remark = Message("Only the first of {n} sheets is read.", n=len(sheets))
            yield first
            yield from rows

    def _numbered(self, sheet: Any) -> Iterator[tuple[int, list[str]]]:
        """The rows of a sheet that are not empty."""
        sheet.reset_dimensions()  # declared ones may be wrong
        rows, number = sheet.iter_rows(values_only=True), 0
        while True:
            with warnings.catch_warnings(action="ignore"):
                some = list(islice(rows, AT_ONCE))
            if not some:
                return
            for number, row in enumerate(some, start=number + 1):  # noqa: B020
                if number > MOST_ROWS or len(row) > MOST_COLUMNS:
                    raise _too_large(self._path)
                if any(value is not None for value in row):
                    yield number, [_text(value) for value in row]


def first_texts(path: Path) -> list[str]:
    """The first texts of a workbook, which has them in the order in which they were first written;
    none if it is damaged.

    Fast: openpyxl may read a whole workbook before the first row.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in _TEXTS if name in archive.namelist())
            with archive.open(member) as file:
                start = file.read(OPENING).decode("utf-8", "replace")
    except Exception:  # damaged fields can raise anything
        return []
    return [html.unescape(found) for found in _TEXT.findall(start)]


def write_sheet(path: Path, rows: Iterable[Sequence[Cell]]) -> None:
    """Write rows as the only sheet of a workbook; text stays text.

    Raises OSError, and KnownError if there are more rows than a sheet can have.
    """
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    written = list(rows)
    if len(written) > MOST_ROWS:
        raise KnownError(
            "An Excel sheet has at most {most:,} rows.", "Export to CSV.", most=MOST_ROWS
        )
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()
    # Without a size, readers such as openpyxl parse the whole sheet to find it.
    size = f"A1:{get_column_letter(max(map(len, written), default=1))}{max(1, len(written))}"
    sheet.calculate_dimension = lambda: size
    for row in written:
        sheet.append([_coded(cell) for cell in row])
    workbook.save(path)


def _check_size(path: Path) -> None:
    """Raise KnownError unless `path` is an archive that may be unpacked."""
    if not path.is_file():
        raise unusable(path, mark("Choose a file."))
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except Exception as error:  # damaged fields can raise anything
        raise KnownError("{path} is not an Excel workbook.", _REMEDY, path=path) from error
    if unpacked > MOST_UNPACKED:
        raise _too_large(path)


def _too_large(path: Path) -> KnownError:
    return KnownError(
        "{path} is too large: a sheet may have {rows:,} rows, {columns:,} columns and {size:.1f} GB"
        " unpacked.",
        _REMEDY,
        path=path,
        rows=MOST_ROWS,
        columns=MOST_COLUMNS,
        size=MOST_UNPACKED / 1e9,
    )


def _text(value: Any) -> str:
    """A cell as text: whole numbers without a fraction, dates as in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _CODE.sub(lambda code: chr(int(code[1], 16)), value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _coded(cell: Cell) -> Cell:
    """A cell as XML can have it. Numbers that need more digits than a workbook has are text."""
    if isinstance(cell, str):
        return _CODED.sub(lambda found: f"_x{ord(found[0]):04X}_", cell)
    return cell if float(f"{cell:.16g}") == cell else str(cell)
