"""Rows of Excel workbooks (.xlsx), within limits on what is unpacked and read."""

from __future__ import annotations

import datetime
import html
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from itertools import islice, repeat, zip_longest
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

PIECE = 1 << 20  # bytes searched at a time
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_FORMAT = re.compile(rb'numFmtId="(\d+)"')
_PLAIN_FORMATS = frozenset({b"0", b"49"})  # General and text
_ERRORS = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA"}
    | {"#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!"}
)
# Parts of formats of dates that are the same in every language; m is a month or a minute.
_SIGNS = re.compile(r"\\.|([a-z])\1*|.")
_PARTS = {
    **dict.fromkeys(("yyyy", "yy"), "year"),
    **dict.fromkeys(("m", "mm"), "month"),
    **dict.fromkeys(("d", "dd"), "day"),
    **dict.fromkeys(("h", "hh"), "hour"),
    **dict.fromkeys(("s", "ss"), "second"),
}
_LOCAL_DATES = ("mm-dd-yy", "m/d/yy h:mm")  # numbers 14 and 22, shown as the system has them

_REMEDY = mark("Save the sheet as CSV, and choose that file.")

Cell = str | int | float


class ShownCell(str):
    """The exact value of a cell as text, where the program that made the sheet shows something
    else: `shown`, or what is unknown for a `reason`."""

    shown: str = ""
    reason: Message | None = None


def shown_in(cell: str) -> str:
    """The text that people see in a cell. Raises ValueError with a Message if it is not known."""
    if not isinstance(cell, ShownCell):
        return cell
    if cell.reason is not None:
        raise ValueError(cell.reason)
    return cell.shown


def _unknown(text: str, reason: Message) -> ShownCell:
    cell = ShownCell(text)
    cell.reason = reason
    return cell


class SheetRows:
    """The rows of the first sheet with content: numbers (from 1) and cells as text.

    Numbers and dates that a format shows in another way, errors, and formulas without a stored
    value are `ShownCell`s.

    `remark` tells which sheet is read if there are several. Raises KnownError naming the file if it
    is not a workbook, or exceeds the limits of this module; also while it is iterated.
    """

    def __init__(self, path: Path) -> None:
        """Open a workbook."""
        self._path = path
        self.remark: Message | None = None
        _check_size(path)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        with parsing(self._path, _REMEDY), ExitStack() as stack:
            sheets = self._sheets(stack, data_only=True)
            formulas = self._sheets(stack, data_only=False) if _has_formulas(self._path) else None
            numbered = self._numbered if _is_plain(self._path) and not formulas else self._shown
            pairs = zip(sheets, formulas or [None] * len(sheets), strict=True)
            filled = (numbered(sheet, formula) for sheet, formula in pairs)
            first, rows = next(
                ((row, rows) for rows in filled if (row := next(rows, None))), (None, iter(()))
            )
            if first is None:
                return
            if len(sheets) > 1:
                self.remark = Message("Only the first of {n} sheets is read.", n=len(sheets))
            yield first
            yield from rows

    def _sheets(self, stack: ExitStack, data_only: bool) -> list[Any]:
        """The sheets with the stored values of formulas, or with the formulas."""
        from openpyxl import load_workbook  # slow to import, and seldom needed

        file = stack.enter_context(self._path.open("rb"))
        with warnings.catch_warnings(action="ignore"):  # about styles that are not needed
            book = load_workbook(file, read_only=True, data_only=data_only, keep_links=False)
        sheets: list[Any] = book.worksheets
        return sheets

    def _rows(self, sheet: Any, values_only: bool) -> Iterator[tuple[int, Sequence[Any]]]:
        sheet.reset_dimensions()  # declared ones may be wrong
        rows, number = sheet.iter_rows(values_only=values_only), 0
        while True:
            with warnings.catch_warnings(action="ignore"):
                some = list(islice(rows, AT_ONCE))
            if not some:
                return
            for number, row in enumerate(some, start=number + 1):  # noqa: B020
                if number > MOST_ROWS or len(row) > MOST_COLUMNS:
                    raise _too_large(self._path)
                yield number, row

    def _numbered(self, sheet: Any, _formulas: Any) -> Iterator[tuple[int, list[str]]]:
        """The rows of a sheet that are not empty, by their values."""
        for number, row in self._rows(sheet, values_only=True):
            if any(value is not None for value in row):
                place = partial(_name, number)
                yield number, [_text(value, column, place) for column, value in enumerate(row, 1)]

    def _shown(self, sheet: Any, formulas: Any) -> Iterator[tuple[int, list[str]]]:
        """The same by their cells, which takes longer."""
        rows = self._rows(sheet, values_only=False)
        written = self._rows(formulas, values_only=True) if formulas else repeat((0, ()))
        for (number, row), (_, of_row) in zip(rows, written, strict=False):
            place = partial(_name, number)
            cells = [
                _shown_text(cell, formula, column, place)
                for column, (cell, formula) in enumerate(zip_longest(row, of_row[: len(row)]), 1)
            ]
            if any(cells):
                yield number, cells


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


# what cells contain


def _name(row: int, column: int) -> str:
    """The name of a cell, such as B2."""
    from openpyxl.utils import get_column_letter

    return f"{get_column_letter(column)}{row}"


def _has_formulas(path: Path) -> bool:
    return any(map(_FORMULA.search, _pieces(path, "xl/worksheets/sheet")))


def _is_plain(path: Path) -> bool:
    """Whether no cell can have a format, so that values are shown as they are."""
    formats = {found for data in _pieces(path, "xl/styles.xml") for found in _FORMAT.findall(data)}
    return formats <= _PLAIN_FORMATS


def _pieces(path: Path, name: str) -> Iterator[bytes]:
    """The content of the members of an archive whose names begin with `name`, in pieces that
    overlap."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.startswith(name):
                with archive.open(member) as file:
                    end = b""
                    while data := file.read(PIECE):
                        yield end + data
                        end = data[-100:]


def _text(value: Any, column: int, place: Callable[[int], str]) -> str:
    """A cell as text: whole numbers without a fraction, dates as in ISO 8601. `place` names cells
    by their column."""
    if value is None:
        return ""
    if isinstance(value, str):
        if value in _ERRORS:
            cell = place(column)
            return _unknown(value, Message("cell {cell} has the error {e}", cell=cell, e=value))
        return _CODE.sub(lambda code: chr(int(code[1], 16)), value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _shown_text(cell: Any, formula: Any, column: int, place: Callable[[int], str]) -> str:
    """A cell as text, with what is shown in its place."""
    value = cell.value
    if value is None and formula is not None and cell.data_type != "str":
        name = place(column)
        reason = Message("the formula in cell {cell} has no stored value", cell=name)
        return _unknown(str(formula), reason)
    text = _text(value, column, place)
    if value is None or isinstance(value, str | bool):
        return text
    shown = shown_value(value, cell.number_format)
    if shown == text:
        return text
    if shown is None:
        reason = Message("how cell {cell} is shown depends on the computer", cell=place(column))
        return _unknown(text, reason)
    found = ShownCell(text)
    found.shown = shown
    return found


def shown_value(value: Any, format: str) -> str | None:
    """A number, date or time as a format of Excel shows it; None if that depends on the system or
    its language, or the format is not known."""
    format = re.sub(r"^\[\$-[0-9A-Ea-e][0-9A-Fa-f]*\]", "", format.removesuffix(";@"))
    if isinstance(value, datetime.date | datetime.time):
        return _shown_date(value, format)
    if not isinstance(value, int | float):
        return None
    if format in ("General", "@"):
        return str(int(value)) if float(value).is_integer() else f"{value:.10g}"
    places = re.fullmatch(r"(0+)(?:\.(0+))?(%?)", format)
    if places is None:
        return None
    digits = len(places[2] or "")
    exact = Decimal(repr(value)) * (100 if places[3] else 1)
    rounded = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    width = len(places[1]) + (digits + 1 if digits else 0)
    sign = "-" if rounded < 0 else ""
    return f"{sign}{str(abs(rounded)).rjust(width, '0')}{places[3]}"


def _shown_date(value: datetime.date | datetime.time, format: str) -> str | None:
    if format.lower() in _LOCAL_DATES:
        return None
    signs = [found[0] for found in _SIGNS.finditer(format.lower())]
    shown = []
    for at, sign in enumerate(signs):
        if not sign.isalpha():
            if sign in '/"[@#?*_':
                return None
            shown.append(sign[-1])
            continue
        near = {*signs[max(0, at - 2) : at], *signs[at + 1 : at + 3]}
        minutes = sign in ("m", "mm") and near & {"h", "hh", "s", "ss"}
        number = getattr(value, "minute" if minutes else _PARTS.get(sign, ""), None)
        if number is None:
            return None
        shown.append(f"{number % 100 if len(sign) < 4 else number:0{len(sign)}}")
    return "".join(shown)


def _coded(cell: Cell) -> Cell | None:
    """A cell as XML can have it, None for an empty one, which is not written. Numbers that need
    more digits than a workbook has are text."""
    if cell == "":
        return None
    if isinstance(cell, str):
        return _CODED.sub(lambda found: f"_x{ord(found[0]):04X}_", cell)
    return cell if float(f"{cell:.16g}") == cell else str(cell)
