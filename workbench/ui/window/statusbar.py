"""Status bar: running jobs with their progress and stop buttons, the annotator, the device; and the
banner of a read-only project."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from workbench.app.jobs import Job, JobRunner, Outcome
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.projects import ReadOnly
from workbench.domain.reports import Report, Started
from workbench.domain.text import plural, tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.parts.job_line import JobState, clock, state_after

HEIGHT = 36  # pixels
_NAME = 140  # largest width of the annotator's name in pixels
TRAINING = "training"  # kind of the tasks started by the training queue


class StatusJob(QWidget):
    """One running job: name, progress bar, status with the time left, and buttons."""

    def __init__(self, job: Job[object], queue: TrainingQueue) -> None:
        super().__init__()
        self.job = job
        self._queue = queue
        self._ending = False
        self.state = JobState()
        title = tr(job.task.title)
        self.name = QLabel(title)
        self.name.setMaximumWidth(260)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setFixedWidth(120)
        self.bar.setTextVisible(False)
        self.status = PlainLabel()
        self.status.setProperty("role", "muted")
        self.status.setMinimumWidth(40)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.stop = _button("stop", tr("Stop “{job}”").format(job=title), self)
        self.stop.clicked.connect(self._stop)
        self.pause = _button("pause", tr("Pause “{job}”").format(job=title), self)
        self.pause.clicked.connect(self._pause)
        self.pause.setVisible(self._is_training)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self.name, self.bar):
            row.addWidget(widget)
        row.addWidget(self.status, 1)
        row.addWidget(self.pause)
        row.addWidget(self.stop)

    @property
    def _is_training(self) -> bool:
        return self.job.task.kind == TRAINING and bool(self._queue.current)

    def show_report(self, report: Report) -> None:
        """Show the progress that a report of the job carries."""
        self.state = state_after(report, self.state)
        if self._ending:
            return
        if self.state.fraction is not None:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * min(1.0, self.state.fraction)))
        parts = [self.state.text]
        if self.state.eta is not None:
            parts.append(tr("{time} left").format(time=clock(self.state.eta)))
        text = " · ".join(part for part in parts if part)
        self.status.setText(text)
        self.status.setToolTip(plain_text(text))

    def _stop(self) -> None:
        if self._is_training:
            self._queue.stop(self._queue.current)
        else:
            self.job.stop()
        self._show_ending(tr("Stopping…"))

    def _pause(self) -> None:
        self._queue.pause(self._queue.current)
        self._show_ending(tr("Pausing…"))

    def _show_ending(self, status: str) -> None:
        self._ending = True
        self.pause.setEnabled(False)
        self.stop.setEnabled(False)
        self.status.setText(status)


def _button(name: str, tip: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setIcon(icon(name, parent))
    button.setIconSize(QSize(16, 16))
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def read_only_banner(found: ReadOnly | None) -> list[QLabel]:
    """A line that tells why a project is read-only; nothing if it is not."""
    if found is None:
        return []
    text = tr("Read-only: {reason}. {remedy}")
    banner = PlainLabel(text.format(reason=tr(found.reason), remedy=tr(found.remedy)))
    banner.setObjectName("readOnlyBanner")
    banner.setProperty("role", "warn")
    banner.setWordWrap(True)
    banner.setContentsMargins(16, 8, 16, 8)
    return [banner]


class StatusBar(QFrame):
    """One entry per running job, as many as fit, then the number of the others; the person who
    labels, and the device. `annotator_clicked()` is emitted for a click on the person's name."""

    annotator_clicked = Signal()

    def __init__(self, jobs: JobRunner, queue: TrainingQueue) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self._queue = queue
        self.lines: dict[Job[object], StatusJob] = {}
        self.idle = QLabel(tr("Nothing is running"))
        self.idle.setProperty("role", "muted")
        self.more = PlainLabel()
        self.more.setProperty("role", "muted")
        self.device = PlainLabel()
        self.device.setProperty("role", "muted")
        self.annotator = _button("user", tr("Name stored with your labels"), self)
        self.annotator.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.annotator.clicked.connect(self.annotator_clicked)
        self.show_annotator("")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(16, 0, 16, 0)
        self._row.setSpacing(16)
        self._row.addWidget(self.idle)
        self._row.addWidget(self.more)
        self._row.addStretch(1)
        self._row.addWidget(self.annotator)
        self._row.addWidget(self.device)
        jobs.started.connect(self._add_job)
        jobs.reported.connect(self._show_report)
        jobs.ended.connect(self._remove_job)
        for job in jobs.jobs():
            self._add_job(job)

    def set_device(self, name: str) -> None:
        """Show the device that computes."""
        self.device.setText(tr(name))

    def show_annotator(self, name: str) -> None:
        """Show the name of the person who labels, "" for none."""
        text = name or tr("No annotator")
        middle = Qt.TextElideMode.ElideMiddle
        self.annotator.setText(self.annotator.fontMetrics().elidedText(text, middle, _NAME))
        self.annotator.setProperty("role", "" if name else "muted")

    def _add_job(self, job: Job[object]) -> None:
        line = StatusJob(job, self._queue)
        self.lines[job] = line
        self._row.insertWidget(len(self.lines) - 1, line, 1)
        self._hide_excess()

    def _show_report(self, job: Job[object], report: Report) -> None:
        if isinstance(report, Started):
            self.set_device(report.device)
        if job in self.lines:
            self.lines[job].show_report(report)

    def _remove_job(self, job: Job[object], _outcome: Outcome[object]) -> None:
        line = self.lines.pop(job, None)
        if line is not None:
            self._row.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._hide_excess()

    def _hide_excess(self) -> None:
        """Show as many jobs as fit; the number of the others is shown, their names as its tip."""
        room = max(1, (self.width() - 240) // 420)
        lines = list(self.lines.values())
        for number, line in enumerate(lines):
            line.setVisible(number < room)
        hidden = lines[room:]
        self.more.setVisible(bool(hidden))
        self.more.setText(plural(len(hidden), "and {n:,} more", "and {n:,} more"))
        self.more.setToolTip(plain_text("\n".join(tr(line.job.task.title) for line in hidden)))
        self.idle.setVisible(not lines)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._hide_excess()
        super().resizeEvent(event)
