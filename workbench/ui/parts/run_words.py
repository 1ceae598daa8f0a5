"""A run's state and figures in the words that every list of runs uses."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from workbench.domain.recipes import JOINT
from workbench.domain.reports import PartScore
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import Part

_CONTEXT = "RunWords"

_STATUS = {
    RunStatus.QUEUED: str(QT_TRANSLATE_NOOP("RunWords", "waiting")),
    RunStatus.RUNNING: str(QT_TRANSLATE_NOOP("RunWords", "running")),
    RunStatus.PAUSED: str(QT_TRANSLATE_NOOP("RunWords", "paused")),
    RunStatus.FINISHED: str(QT_TRANSLATE_NOOP("RunWords", "finished")),
    RunStatus.STOPPED: str(QT_TRANSLATE_NOOP("RunWords", "stopped")),
    RunStatus.FAILED: str(QT_TRANSLATE_NOOP("RunWords", "failed")),
}

_SCORES = (
    str(QT_TRANSLATE_NOOP("RunWords", "test top-1 {score}")),
    str(QT_TRANSLATE_NOOP("RunWords", "validation top-1 {score}")),
)

STATUS_ICONS = {
    RunStatus.QUEUED: ("clock", "muted"),
    RunStatus.RUNNING: ("play-circle", "accent"),
    RunStatus.PAUSED: ("pause-circle", "warn"),
    RunStatus.FINISHED: ("check-circle", "good"),
    RunStatus.STOPPED: ("stop-circle", "muted"),
    RunStatus.FAILED: ("warning-circle", "bad"),
}


def _tr(text: str) -> str:
    return QCoreApplication.translate(_CONTEXT, text)


def status_words(record: RunRecord) -> str:
    return _tr(_STATUS[record.status])


def target_words(target: str) -> str:
    """A recipe's target as it is said."""
    return "category + view" if target == JOINT else target


def start_words(start: str) -> str:
    """A recipe's start weights as a table has room for: of a file its name."""
    return Path(start).name if start.startswith("file:") else start


def part_score(record: RunRecord, part: Part) -> dict[str, Any] | None:
    """The score of one part as the run's metrics hold it."""
    found = record.metrics.get(part)
    if isinstance(found, PartScore):
        return {name: getattr(found, name) for name in found.__struct_fields__}
    return found if isinstance(found, dict) else None


def top1(record: RunRecord, part: Part = Part.TEST) -> float | None:
    """Top-1 accuracy in [0, 1], None where it is unknown."""
    score = part_score(record, part)
    value = score.get("top1") if score is not None else None
    known = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if known and value is not None else None


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
            return _tr(text).format(score=percent(value))
    return ""


def when(seconds: float | None) -> str:
    """A moment as a person says it: the time today, else the day."""
    if seconds is None:
        return "–"
    then, now = time.localtime(seconds), time.localtime()
    same_day = then[:3] == now[:3]
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", then)
