"""Texts of runs that all lists of runs share: status, figures, parts, times."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.app.results.run_columns import RunColumn
from workbench.domain.backbones import BACKBONES
from workbench.domain.recipes import JOINT
from workbench.domain.runs import RunRecord, RunStatus, top1
from workbench.domain.splits import Part
from workbench.domain.text import mark, tr
from workbench.ui.parts.figure_table import Column, Figure, FigureCell, written
from workbench.ui.parts.job_line import clock

_STATUS = {
    RunStatus.QUEUED: mark("queued"),
    RunStatus.RUNNING: mark("running"),
    RunStatus.PAUSED: mark("paused"),
    RunStatus.FINISHED: mark("finished"),
    RunStatus.STOPPED: mark("stopped"),
    RunStatus.FAILED: mark("failed"),
}

_PART = "part of the split"  # comment for translators: "Train" is also the label of a button
_PARTS = {
    Part.TRAIN: mark("Train", "part of the split"),
    Part.VALIDATION: mark("Validation", "part of the split"),
    Part.TEST: mark("Test", "part of the split"),
}

_SCORES = {
    Part.TEST: mark("test top-1 {score}"),
    Part.VALIDATION: mark("validation top-1 {score}"),
}

STATUS_ICONS = {
    RunStatus.QUEUED: ("clock", "muted"),
    RunStatus.RUNNING: ("play-circle", "accent"),
    RunStatus.PAUSED: ("pause-circle", "warn"),
    RunStatus.FINISHED: ("check-circle", "good"),
    RunStatus.STOPPED: ("stop-circle", "muted"),
    RunStatus.FAILED: ("warning-circle", "bad"),
}


def status_text(record: RunRecord) -> str:
    """The status of a run."""
    return tr(_STATUS[record.status])


def part_title(part: Part) -> str:
    """The title of a part of the split."""
    return tr(_PARTS[part], _PART)


def backbone_text(name: str) -> str:
    """The title of a backbone, or its name if the program does not know it."""
    known = BACKBONES.get(name)
    return known.title if known is not None else name


def target_text(target: str) -> str:
    """The title of a recipe's target: names of label sets, which are not translated."""
    return "category + view" if target == JOINT else target


START_TITLES = {"imagenet": mark("ImageNet"), "none": mark("Random weights")}  # by recipe value


def start_text(start: str) -> str:
    """A recipe's start weights, shortened to the name if they are a file."""
    return Path(start).name if start.startswith("file:") else start


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage, "–" for None and NaN."""
    return "–" if share is None or not math.isfinite(share) else f"{share * 100:.1f}\u00a0%"


def score_text(record: RunRecord) -> str:
    """The top-1 accuracy of a run on the test part, else on validation; "" without either."""
    for part, text in _SCORES.items():
        value = top1(record, part)
        if value is not None:
            return tr(text).format(score=percent(value))
    return ""


def when(seconds: float | None) -> str:
    """A time in seconds since the epoch as local time: HH:MM today, else with the date.

    None becomes "–".
    """
    if seconds is None:
        return "–"
    then, now = time.localtime(seconds), time.localtime()
    same_day = then[:3] == now[:3]
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", then)


def memory_text(size: int | None) -> str:
    """A number of bytes in GB or MB, "–" for None."""
    if size is None:
        return "–"
    return tr("{size:.1f} GB").format(size=size / 1e9) if size >= 1e9 else _megabytes(size)


def _megabytes(size: int) -> str:
    return tr("{size:.0f} MB").format(size=size / 1e6)


def duration_text(seconds: float | None) -> str:
    """A duration as minutes and seconds, "–" for None."""
    return "–" if seconds is None else clock(seconds)


_TEXTS: Mapping[str, Callable[[Any], str | Figure]] = {
    "moment": lambda seconds: Figure(seconds, when(seconds)),
    "duration": lambda seconds: Figure(-1 if seconds is None else seconds, duration_text(seconds)),
    "bytes": lambda size: Figure(-1 if size is None else size, memory_text(size)),
    "status": lambda status: tr(_STATUS[status]),
    "target": target_text,
    "backbone": backbone_text,
    "start": start_text,
}  # by the kind of a column; other kinds are formatted by the table


def figure_column(column: RunColumn) -> Column:
    """The column of a table of figures for a column of runs."""
    kinds = {"count": "count", "share": "share", "duration": "figure", "bytes": "figure"}
    kind = kinds.get(column.kind, "text")
    tip = column.tip and tr(column.tip)
    return Column(tr(column.title), kind, tip)


def figure_cell(column: RunColumn, record: RunRecord) -> FigureCell:
    """The value of a run in a table of figures."""
    value = column.value(record)
    return _TEXTS[column.kind](value) if column.kind in _TEXTS else value


def cell_text(column: RunColumn, record: RunRecord) -> str:
    """The text of a run in a table of figures."""
    return written(figure_column(column), figure_cell(column, record))
