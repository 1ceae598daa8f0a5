"""The line that shows what a training needs, measured by a trial step in the background."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from workbench.app.jobs import Done, Failed, Job, Outcome, Task
from workbench.app.session import Session
from workbench.domain.reports import Trial
from workbench.domain.text import mark, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import row
from workbench.ui.parts.job_line import clock

_SIZES = (
    mark("{size:,.0f} B"),
    mark("{size:,.0f} KiB"),
    mark("{size:.1f} MiB"),
    mark("{size:.1f} GiB"),
)
DELAY_MS = 1500  # after the last change, before a trial starts by itself


class PreflightLine(QWidget):
    """Device, batch, time, memory and disk space of a training.

    `trial_requested()` is emitted DELAY_MS after the last change of a setting or when the button is
    pressed; the page then calls `run` with the task. A change cancels a trial.
    """

    trial_requested = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job[Trial] | None = None
        self.trial: Trial | None = None
        self.text = PlainLabel()
        self.text.setWordWrap(True)
        self.text.setProperty("role", "muted")
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.button = QPushButton(tr("Try a step"))
        self.button.setToolTip(
            tr("Run one training step to measure batch size, time, memory and disk space")
        )
        self.button.clicked.connect(self._press)
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.trial_requested)
        row((self.text, 1), self.button, on=self, spacing=8)

    def settings_changed(self, *, soon: bool) -> None:
        """Drop the last trial; with `soon`, start another one after DELAY_MS."""
        self.trial = None
        self.cancel()
        self._show_idle()
        if soon:
            self._timer.start()

    def show_reason(self, text: str) -> None:
        """Show why no trial can run now."""
        self.cancel()
        self._show(text, "warn")

    def run(self, task: Task[Trial]) -> None:
        """Run a trial; the previous one is stopped."""
        self.cancel()
        self._job = self._session.start(task, ended=self._ended)
        self._show(tr("Trying one step…"))
        self.button.setText(tr("Stop"))

    def cancel(self) -> None:
        """Stop a trial that is running or about to start."""
        self._timer.stop()
        if self._job is not None:
            self._job.stop()
            self._job = None
        self.button.setText(tr("Try a step"))

    def _press(self) -> None:
        if self._job is not None:
            self.cancel()
            self._show_idle()
        else:
            self.trial_requested.emit()

    def _ended(self, outcome: Outcome[Trial]) -> None:
        if self._job is None or self._job.outcome is not outcome:
            return  # of a trial that was cancelled
        self._job = None
        self.button.setText(tr("Try a step"))
        if isinstance(outcome, Done):
            self.trial = outcome.value
            self._show(*self._summary(outcome.value))
        elif isinstance(outcome, Failed):
            self._show(tr(outcome.text), "bad")
        else:
            self._show_idle()

    def _show_idle(self) -> None:
        self._show(tr("A trial step measures time, memory and disk space."))

    @staticmethod
    def _summary(trial: Trial) -> tuple[str, str]:
        """The text for a trial, and its role: "warn" if the training does not fit."""
        parts = [
            f"{tr(trial.device)}, {trial.precision}",
            tr("batch {batch} (up to {largest} fit)").format(
                batch=trial.batch, largest=trial.largest_batch
            ),
            tr("about {time}").format(time=clock(trial.total_seconds)),
            tr("memory {used} of {free}").format(
                used=byte_size(trial.memory), free=byte_size(trial.memory_free)
            ),
            tr("disk {used} of {free} free").format(
                used=byte_size(trial.disk), free=byte_size(trial.disk_free)
            ),
        ]
        tight = trial.batch > trial.largest_batch or trial.disk > trial.disk_free
        return "  ·  ".join(parts), "warn" if tight else "text"

    def _show(self, text: str, role: str = "muted") -> None:
        if (text, role) == (self.text.text(), self.text.property("role")):
            return
        self.text.setText(text)
        self.text.setProperty("role", role)
        self.text.style().unpolish(self.text)
        self.text.style().polish(self.text)


def byte_size(value: float) -> str:
    """A number of bytes in the largest unit from B to TiB that keeps it at 1 or more."""
    for text in _SIZES:
        if value < 1024:
            return tr(text).format(size=value)
        value /= 1024
    return tr("{size:.1f} TiB").format(size=value)
