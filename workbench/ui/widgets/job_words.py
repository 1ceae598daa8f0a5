"""What a job's reports say to a person: how far, in which words, how long still."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from workbench.domain.reports import Epoch, Progress, Started, Step


@dataclass(frozen=True)
class JobState:
    """`fraction` in [0, 1], None while unknown; `eta` in seconds, None while unknown."""

    fraction: float | None = None
    text: str = ""
    eta: float | None = None


def state_after(report: object, before: JobState) -> JobState:
    """The state of a job once `report` has come."""
    if isinstance(report, Progress):
        fraction = report.done / report.total if report.total else None
        count = f"{report.done:,} of {report.total:,}" if report.total else f"{report.done:,}"
        return JobState(fraction, report.text or count, report.eta)
    if isinstance(report, Step):
        done = (report.epoch - 1 + report.step / max(1, report.steps)) / max(1, report.epochs)
        return JobState(done, _epoch(report.epoch, report.epochs), report.eta)
    if isinstance(report, Epoch):
        done = report.epoch / max(1, report.epochs)
        return JobState(done, _epoch(report.epoch, report.epochs), report.eta)
    if isinstance(report, Started):
        return JobState(before.fraction, report.device, before.eta)
    return before


def _epoch(epoch: int, epochs: int) -> str:
    return QCoreApplication.translate("JobBar", "epoch {0}/{1}").format(epoch, epochs)


def clock(seconds: float) -> str:
    """Minutes and seconds, or hours, minutes and seconds: "0:48", "1:02:03"."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
