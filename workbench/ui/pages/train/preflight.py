"""The line that says what a training will take, from a trial step in the background."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget

from workbench.app.jobs import Done, Failed, Job, Outcome, Task
from workbench.app.session import Session
from workbench.domain.reports import Trial
from workbench.domain.text import tr
from workbench.ui.page import row
from workbench.ui.parts.job_line import clock

DELAY_MS = 1500  # quiet after the last change before a trial starts by itself


class PreflightLine(QWidget):
    """Asks for a trial when settings have rested; never blocks, and a change makes it start anew.

    `wanted` asks the page for the task; the page answers with `check`.
    """

    wanted = Signal()

    def __init__(self, project: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._job: Job[Trial] | None = None
        self.trial: Trial | None = None
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setProperty("role", "muted")
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.button = QPushButton(tr("Try a step"))
        self.button.setToolTip(
            tr("Run one real training step and say device, batch that fits, time and disk")
        )
        self.button.clicked.connect(self._press)
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.wanted)
        row((self.text, 1), self.button, on=self, spacing=8)

    def settings_changed(self, *, soon: bool) -> None:
        """What was said no longer holds; `soon` lets a trial start by itself."""
        self.trial = None
        self.cancel()
        self._say(tr("A trial step says device, time and room."))
        if soon:
            self._timer.start()

    def hold(self, text: str) -> None:
        """Say why no trial can run now."""
        self.cancel()
        self._say(text, "warn")

    def check(self, task: Task[Trial]) -> None:
        """Run the trial; a former one is stopped."""
        self.cancel()
        self._job = self._project.start(task, ended=self._ended)
        self._say(tr("Trying one step…"))
        self.button.setText(tr("Stop"))

    def cancel(self) -> None:
        """Stop a trial under way or planned."""
        self._timer.stop()
        if self._job is not None:
            self._job.stop()
            self._job = None
        self.button.setText(tr("Try a step"))

    def _press(self) -> None:
        if self._job is not None:
            self.cancel()
            self._say(tr("A trial step says device, time and room."))
        else:
            self.wanted.emit()

    def _ended(self, outcome: Outcome[Trial]) -> None:
        if self._job is None or self._job.outcome is not outcome:
            return  # of a trial that was cancelled
        self._job = None
        self.button.setText(tr("Try a step"))
        if isinstance(outcome, Done):
            self.trial = outcome.value
            self._say(*self._words(outcome.value))
        elif isinstance(outcome, Failed):
            self._say(tr(outcome.text), "bad")
        else:
            self._say(tr("A trial step says device, time and room."))

    def _words(self, trial: Trial) -> tuple[str, str]:
        parts = [
            f"{trial.device}, {trial.precision}",
            tr("batch {batch} (up to {largest} fits)").format(
                batch=trial.batch, largest=trial.largest_batch
            ),
            tr("about {time}").format(time=clock(trial.total_seconds)),
            tr("memory {used} of {free}").format(
                used=amount(trial.memory), free=amount(trial.memory_free)
            ),
            tr("disk {used} of {free} free").format(
                used=amount(trial.disk), free=amount(trial.disk_free)
            ),
        ]
        tight = trial.batch > trial.largest_batch or trial.disk > trial.disk_free
        return "  ·  ".join(parts), "warn" if tight else "text"

    def _say(self, text: str, role: str = "muted") -> None:
        if (text, role) == (self.text.text(), self.text.property("role")):
            return
        self.text.setText(text)
        self.text.setProperty("role", role)
        self.text.style().unpolish(self.text)
        self.text.style().polish(self.text)


def amount(value: float) -> str:
    """Bytes in the unit that leaves one to three digits before the point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit in ("B", "KiB") else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
