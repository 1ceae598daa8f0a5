"""Rows of the CSV tables of published datasets, by the names of their columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.domain.datasets import Dataset
from workbench.domain.text import Message, counted
from workbench.formats.published import Heartbeats, Unlisted, reject, unlisted_remark
from workbench.formats.rows import open_table


def read_table(
    dataset: Dataset, path: Path, use: Callable[[int, dict[str, str]], None]
) -> Heartbeats:
    """Call `use` with the line and the cells of each row, by column; blank rows are left out.

    Rows for which it raises ValueError, or that are malformed, are rejected with the reason; those
    that are `Unlisted` are counted in a remark. Raises KnownError if the file cannot be read.
    """
    table = open_table(path, "" if dataset.guessed else dataset.encoding)
    if table.guessed:
        dataset.encoding, dataset.guessed = table.encoding, True
    table.rejected = dataset.rejected  # in the order of their lines
    unlisted = 0
    for count, (line, cells) in enumerate(table):
        if count % 512 == 0:
            yield
        try:
            use(line, dict(zip(table.header, cells, strict=True)))
        except Unlisted:
            unlisted += 1
        except ValueError as error:
            reject(dataset, path.name, line, error)
    dataset.remarks += unlisted_remark(path.name, unlisted)


class KeyedRows:
    """Lines and cells of the rows of a table called `name`, by a value that other data refer to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._rows: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self._used: set[str] = set()

    def add(self, key: str, line: int, cells: dict[str, str]) -> None:
        """Add a row."""
        self._rows.setdefault(_plain(key), []).append((line, cells))

    def use(self, key: str) -> Sequence[tuple[int, dict[str, str]]]:
        """The rows with a value."""
        self._used.add(_plain(key))
        return self._rows.get(_plain(key), ())

    def unused(self) -> list[Message]:
        """A remark on the rows that were never used, if there are any."""
        count = sum(len(rows) for key, rows in self._rows.items() if key not in self._used)
        remark = counted(
            count,
            "{n:,} row of {table} belongs to no image.",
            "{n:,} rows of {table} belong to no image.",
            table=self.name,
        )
        return [remark] if count else []


def _plain(key: str) -> str:
    return key.strip().replace("\\", "/")
