"""The progress of a job as text, and the control that starts and stops a job with a button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLabel, QPushButton

from workbench.app.jobs import Failed, Job, Outcome, Task
from workbench.domain.errors import KnownError
from workbench.domain.reports import Epoch, Note, Progress, Report, Started, Step
from workbench.domain.text import tr
from workbench.ui.page import Context

T = TypeVar("T")


class JobLine(QObject, Generic[T]):
    """A button that starts and stops a job, with a label for progress and errors."""

    def __init__(
        self,
        context: Context,
        make: Callable[[], Task[T]],
        over: Callable[[Outcome[T]], None],
        button: QPushButton,
        status: QLabel,
        parent: QObject,
    ) -> None:
        """`make()` returns the task, or raises KnownError, which is shown; `over(outcome)` sets the
        texts of button and label when the job has ended."""
        super().__init__(parent)
        self._context, self._make, self._over = context, make, over
        self._button, self._status = button, status
        self._job: Job[T] | None = None
        button.clicked.connect(self.toggle)

    @property
    def running(self) -> bool:
        """Whether a job is followed that has not ended."""
        return self._job is not None

    def toggle(self) -> None:
        """Start the job, or stop it if it is running."""
        if self._job is not None:
            self._job.stop()
            return
        try:
            task = self._make()
        except KnownError as error:
            self._status.setText(tr(error.message))
            return
        self._job = self._context.session.start(
            task, reported=self._show_report, ended=self._ended, failed=self._show_failure
        )
        self._button.setText(tr("Stop"))
        self._status.setText(tr("Starting…"))

    def stop(self) -> None:
        """Stop the job if it is running."""
        if self._job is not None:
            self._job.stop()

    def _show_report(self, report: Report) -> None:
        if isinstance(report, Progress):
            text = tr("{text}: {done:,} / {total:,}")
            self._status.setText(
                text.format(text=tr(report.text), done=report.done, total=report.total or 0)
            )
        elif isinstance(report, Note):
            self._status.setText(tr(report.text))

    def _ended(self, outcome: Outcome[T]) -> None:
        self._job = None
        self._over(outcome)

    def _show_failure(self, failure: Failed) -> None:
        self._status.setText(tr(failure.text))


@dataclass(frozen=True)
class JobState:
    """The displayed state of a job: `fraction` done in [0, 1] and `eta` in seconds, None while
    unknown."""

    fraction: float | None = None
    text: str = ""
    eta: float | None = None


def state_after(report: Report, before: JobState) -> JobState:
    """The state of a job after `report`."""
    if isinstance(report, Progress):
        fraction = report.done / report.total if report.total else None
        count = f"{report.done:,}"
        if report.total:
            count = tr("{done:,} of {total:,}").format(done=report.done, total=report.total)
        return JobState(fraction, tr(report.text) or count, report.eta)
    if isinstance(report, Step):
        done = (report.epoch - 1 + report.step / max(1, report.steps)) / max(1, report.epochs)
        return JobState(done, _epoch(report.epoch, report.epochs), report.eta)
    if isinstance(report, Epoch):
        done = report.epoch / max(1, report.epochs)
        return JobState(done, _epoch(report.epoch, report.epochs), report.eta)
    if isinstance(report, Started):
        return JobState(before.fraction, tr(report.device), before.eta)
    return before


def _epoch(epoch: int, epochs: int) -> str:
    return tr("epoch {epoch}/{epochs}").format(epoch=epoch, epochs=epochs)


def clock(seconds: float) -> str:
    """A duration as minutes and seconds, or hours, minutes and seconds: "0:48", "1:02:03"."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
