"""What a command says: short aligned tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import numpy as np


class Output:
    """Where a command speaks: stdout for its result, stderr for progress.

    With `as_json` nothing but the one JSON object goes to stdout. `exit_code` is what the command
    ends with when nothing is raised.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.exit_code = 0

    def say(self, text: str) -> None:
        """One line for a person."""
        if not self.as_json:
            _write(sys.stdout, text)

    def warn(self, text: str) -> None:
        """One line on stderr, in both modes."""
        _write(sys.stderr, text)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Rows under a head, columns aligned, numbers to the right; an empty head is left out."""
        for line in aligned(head, rows)[0 if any(head) else 1 :]:
            self.say(line)

    def finish(self, result: Mapping[str, object]) -> None:
        """The command's result, as the last line of stdout in JSON mode."""
        if self.as_json:
            _write(sys.stdout, json.dumps(_plain(result), ensure_ascii=False))


def aligned(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a table: columns two spaces apart, columns of numbers flush right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [
        all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(head))
    ]
    widths = [max(len(line[i]) for line in (list(head), *cells)) for i in range(len(head))]
    return [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in (list(head), *cells)
    ]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4f}"
    return str(value)


def _plain(value: Any) -> Any:
    """`value` with what strict JSON lacks replaced: NaN and infinities become null."""
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int | str | None):
        return value
    return str(value)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()
