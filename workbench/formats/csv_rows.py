"""Rows of the CSV tables of published datasets, by the names of their columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.domain.datasets import Dataset
from workbench.domain.text import Message
from workbench.formats.published import Heartbeats, Unlisted, reject, text_of, unlisted_remark


def read_table(
    dataset: Dataset, path: Path, use: Callable[[int, dict[str, str]], None]
) -> Heartbeats:
    """Call `use` with the line and the cells of each row, by column; blank rows are left out.

    Rows for which it raises ValueError, or that have not as many cells as the first row, are
    rejected with the reason; those that are `Unlisted` are counted in a remark. Raises KnownError
    if the file cannot be read.
    """
    reader = csv.reader(io.StringIO(text_of(dataset, path), newline=""))
    header: list[str] = []
    rows = unlisted = 0
    while True:
        rows += 1
        if rows % 512 == 1:
            yield
        try:
            cells = next(reader)
            if header and any(cell.strip() for cell in cells):
                use(reader.line_num, _by_column(header, cells))
            header = header or [cell.strip() for cell in cells]
        except Unlisted:
            unlisted += 1
        except (ValueError, csv.Error) as error:
            reject(dataset, path.name, reader.line_num, error)
        except StopIteration:
            break
    dataset.remarks += unlisted_remark(path.name, unlisted)


def _by_column(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) != len(header):
        reason = Message(
            "the row has {found} values instead of {count}", found=len(cells), count=len(header)
        )
        raise ValueError(reason)
    return dict(zip(header, cells, strict=True))
