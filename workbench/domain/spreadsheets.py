"""Text in tables that a spreadsheet would run as a formula.

Such text gets an apostrophe in front, in every CSV, TSV and Excel file that is written, and loses
it when the file is read here. What only looks like it, because of apostrophes of its own, gets one
more, so that every text comes back.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from workbench.domain.text import Message, counted
from workbench.domain.values import Cells

T = TypeVar("T")

# Also in full width, as spreadsheets in East Asia accept them, and in small forms.
_SIGNS = "=+\\-@\t\r\n＝＋－＠﹦﹢﹣﹫"
_BLANKS = r"\s\u200b-\u200f\u2060\ufeff"  # those that show nothing, and those without a width
FORMULA_PATTERN = rf"['{_BLANKS}]*[{_SIGNS}]"  # how such text begins, with apostrophes or without
_FORMULA = re.compile(FORMULA_PATTERN)
_MAY_BEGIN = re.compile(rf"['{_BLANKS}{_SIGNS}]")
_NUMBER = re.compile(r"[+-](?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def may_be_formula(text: str) -> bool:
    """Whether the first character of a text is one of those that `guarded` looks behind."""
    return _MAY_BEGIN.match(text) is not None


def guarded(text: str) -> str:
    """A text with an apostrophe in front if a spreadsheet would run it; numbers stay."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """The text without the apostrophe of `guarded`."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text, 1) else text


class FormulaGuard:
    """Applies `guarded` to the cells of a table, and counts those that it has changed."""

    def __init__(self) -> None:
        self.count = 0

    def cells(self, row: Iterable[T]) -> list[T | str]:
        """A row whose text is not run; numbers stay."""
        return [self._cell(cell) if isinstance(cell, str) else cell for cell in row]

    def _cell(self, text: str) -> str:
        safe = guarded(text)
        self.count += safe is not text
        return safe

    def rows(self, rows: Iterable[Iterable[T]]) -> Iterator[list[T | str]]:
        """Rows whose text is not run."""
        return map(self.cells, rows)

    def notes(self) -> list[Message]:
        """How many cells were changed, for the person who asked for the file; empty for none."""
        return _notes(self.count)


def csv_text(rows: Iterable[Cells]) -> str:
    """A table as CSV text with `guarded` cells (RFC 4180 quoting, line feeds)."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(FormulaGuard().rows(rows))
    return text.getvalue()


def notes_on(text: str) -> list[Message]:
    """How many cells of what `csv_text` returned were changed, as `FormulaGuard.notes`."""
    rows = csv.reader(io.StringIO(text, newline=""))
    return _notes(sum(unguarded(cell) != cell for row in rows for cell in row))


def _notes(count: int) -> list[Message]:
    if not count:
        return []
    return [
        counted(
            count,
            "{n:,} cell begins as formulas do. An apostrophe in front keeps spreadsheets from"
            " running it; it is removed when the file is imported here.",
            "{n:,} cells begin as formulas do. An apostrophe in front keeps spreadsheets from"
            " running them; it is removed when the file is imported here.",
        )
    ]
