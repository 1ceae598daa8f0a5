"""One job of a dialog: a button that starts and stops it, and a line that says how far it is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QLabel, QPushButton

from workbench.app.jobs import Failed, Job, Outcome, Task
from workbench.domain.errors import KnownError
from workbench.domain.reports import Note, Progress
from workbench.ui.page import Context


class JobLine(QObject):
    """`over(outcome)` tells that the job has ended; what the button and the line say then is the
    dialog's, but a failure is said here."""

    over = Signal(object)

    def __init__(
        self,
        context: Context,
        make: Callable[[], Task],
        button: QPushButton,
        said: QLabel,
        parent: QObject,
    ) -> None:
        """`make` gives the job's task, or raises KnownError, which is said."""
        super().__init__(parent)
        self._context, self._make, self._button, self._said = context, make, button, said
        self._job: Job | None = None
        button.clicked.connect(self.toggle)

    @property
    def running(self) -> bool:
        return self._job is not None

    def toggle(self) -> None:
        """Start the job, or stop the one under way."""
        if self._job is not None:
            self._job.stop()
            return
        try:
            task = self._make()
        except KnownError as error:
            self._said.setText(str(error))
            return
        self._job = self._context.op.jobs.start(task)
        self._job.reported.connect(self._heard)
        self._job.ended.connect(self._over)
        self._button.setText(self.tr("Stop"))
        self._said.setText(self.tr("Starting…"))

    def stop(self) -> None:
        """Stop the job, if there is one."""
        if self._job is not None:
            self._job.stop()

    def _heard(self, report: object) -> None:
        if isinstance(report, Progress):
            self._said.setText(f"{report.text}: {report.done:,} / {report.total or 0:,}")
        elif isinstance(report, Note):
            self._said.setText(report.text)

    def _over(self, outcome: Outcome) -> None:
        self._job = None
        self.over.emit(outcome)
        if isinstance(outcome, Failed):
            self._said.setText(f"{outcome.sentence} {outcome.remedy}".strip())
