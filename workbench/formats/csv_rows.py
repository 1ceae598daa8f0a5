"""Rows of the CSV tables of published datasets, by the names of their columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.domain.datasets import Dataset
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
