"""Text in CSV files that a spreadsheet would run as a formula.

Such text gets an apostrophe in front, in every CSV file that is written, and loses it when the file
is read here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

STARTS = frozenset("'=+-@\t\r\n＝＋－＠")  # first characters of what may need an apostrophe
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guarded(text: str) -> str:
    """A text with an apostrophe in front if a spreadsheet would run it."""
    return f"'{text}" if text[:1] in STARTS and _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text without the apostrophe of `guarded`."""
    return text[1:] if text[:1] == "'" and _GUARDED.match(text) else text


def guarded_rows(rows: Iterable[Iterable[T]]) -> Iterator[list[T | str]]:
    """Rows of cells with `guarded` text; numbers stay, also those that are texts."""
    for row in rows:
        yield [
            guarded(cell) if isinstance(cell, str) and not _is_number(cell) else cell
            for cell in row
        ]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
