"""A run's state and figures in the words that every list of runs uses."""

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
from workbench.ui.parts.figure_table import Column, Figure, written

_CONTEXT = "RunWords"

_STATUS = {
    RunStatus.QUEUED: mark("waiting"),
    RunStatus.RUNNING: mark("running"),
    RunStatus.PAUSED: mark("paused"),
    RunStatus.FINISHED: mark("finished"),
    RunStatus.STOPPED: mark("stopped"),
    RunStatus.FAILED: mark("failed"),
}

_SCORES = (
    mark("test top-1 {score}"),
    mark("validation top-1 {score}"),
)

STATUS_ICONS = {
    RunStatus.QUEUED: ("clock", "muted"),
    RunStatus.RUNNING: ("play-circle", "accent"),
    RunStatus.PAUSED: ("pause-circle", "warn"),
    RunStatus.FINISHED: ("check-circle", "good"),
    RunStatus.STOPPED: ("stop-circle", "muted"),
    RunStatus.FAILED: ("warning-circle", "bad"),
}


def status_words(record: RunRecord) -> str:
    return tr(_STATUS[record.status])


def backbone_words(name: str) -> str:
    """A backbone's title; its name where the program does not know it."""
    known = BACKBONES.get(name)
    return known.title if known is not None else name


def target_words(target: str) -> str:
    """A recipe's target as it is said."""
    return "category + view" if target == JOINT else target


START_TITLES = {"imagenet": mark("ImageNet"), "none": mark("Random weights")}  # by recipe value


def start_words(start: str) -> str:
    """A recipe's start weights as a table has room for: of a file its name."""
    return Path(start).name if start.startswith("file:") else start


def percent(share: float | None) -> str:
    """A share of 1 in per cent, "–" where it is unknown."""
    return "–" if share is None or not math.isfinite(share) else f"{share * 100:.1f}\u00a0%"


def score_words(record: RunRecord) -> str:
    """The figure a run is known by."""
    for part, text in (
        (Part.TEST, _SCORES[0]),
        (Part.VALIDATION, _SCORES[1]),
    ):
        value = top1(record, part)
        if value is not None:
            return tr(text).format(score=percent(value))
    return ""


def when(seconds: float | None) -> str:
    """A moment as a person says it: the time today, else the day."""
    if seconds is None:
        return "–"
    then, now = time.localtime(seconds), time.localtime()
    same_day = then[:3] == now[:3]
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", then)


_WORDS: Mapping[str, Callable[[Any], str | Figure]] = {
    "moment": lambda seconds: Figure(seconds, when(seconds)),
    "status": lambda status: tr(_STATUS[status]),
    "target": target_words,
    "backbone": backbone_words,
    "start": start_words,
}  # by the kind of a column; other kinds are shown as every table shows them


def figure_column(column: RunColumn) -> Column:
    """A column of runs for a table of figures."""
    kind = column.kind if column.kind in ("count", "share") else "text"
    tip = column.tip and tr(column.tip)
    return Column(tr(column.title), kind, tip)


def figure_cell(column: RunColumn, record: RunRecord) -> Any:
    """The cell of a run in a table of figures."""
    value = column.value(record)
    return _WORDS[column.kind](value) if column.kind in _WORDS else value


def cell_text(column: RunColumn, record: RunRecord) -> str:
    """The cell of a run as the table shows it."""
    return written(figure_column(column), figure_cell(column, record))
