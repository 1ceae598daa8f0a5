"""One run as it goes: where it stands in words, and its curves, from reports or from the store."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from workbench.domain.reports import Epoch, Note, Report, Started, Step
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.text import tr
from workbench.ui.parts.copying import Notify
from workbench.ui.parts.curve_group import LIVE_POINTS, CurveGroup, StepLosses
from workbench.ui.parts.curves import REDRAW_MS
from workbench.ui.parts.job_line import clock
from workbench.ui.parts.run_words import score_words, status_words


@dataclass
class _Course:
    """What has been reported of one run since this window looks at it."""

    epochs: list[Epoch] = field(default_factory=list)
    xs: list[float] = field(default_factory=list)
    ys: list[float] = field(default_factory=list)
    latest: Step | Epoch | None = None
    device: str = ""
    note: str = ""


class LiveRun(QWidget):
    """`results_wanted(run)` asks for the Results page of the run that is shown."""

    results_wanted = Signal(str)

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._courses: dict[str, _Course] = {}
        self._record: RunRecord | None = None
        self._later = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._later.timeout.connect(self._redraw)
        self.name = QLabel()
        self.name.setProperty("role", "heading")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.results = QPushButton(tr("Results"))
        self.results.clicked.connect(self._open_results)
        self.curves = CurveGroup(notify)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.name)
        top.addWidget(self.words, 1)
        top.addWidget(self.results)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.bar)
        column.addWidget(self.curves, 1)

    @property
    def run_id(self) -> str:
        """The run that is shown, "" for none."""
        return self._record.id if self._record is not None else ""

    def show_run(self, record: RunRecord, epochs: list[Epoch]) -> None:
        """This run, with the epochs the project remembers of it."""
        course = self._courses.setdefault(record.id, _Course())
        if len(epochs) >= len(course.epochs):
            course.epochs = list(epochs)
        self._record = record
        self.curves.name = record.name
        self.name.setText(record.name)
        self._draw()
        self._say()

    def show_record(self, record: RunRecord) -> None:
        """The same run, standing otherwise."""
        self._record = record
        self.name.setText(record.name)
        self._say()

    @property
    def record(self) -> RunRecord | None:
        """The run as it was shown last."""
        return self._record

    def take(self, run_id: str, report: Report) -> None:
        """A report of any run; it is kept, and shown where the run is."""
        course = self._courses.setdefault(run_id, _Course())
        if isinstance(report, Step):
            course.latest = report
            course.xs.append(report.epoch - 1 + report.step / max(1, report.steps))
            course.ys.append(report.loss)
            if len(course.xs) > LIVE_POINTS:  # every other point of the past is enough
                course.xs, course.ys = course.xs[::2], course.ys[::2]
        elif isinstance(report, Epoch):
            while course.epochs and course.epochs[-1].epoch >= report.epoch:
                course.epochs.pop()  # a resumed run makes them again
            course.epochs.append(report)
            course.latest = report
        elif isinstance(report, Started):
            course.device = f"{report.device}, {report.precision}"
            keep = sum(x <= report.epoch for x in course.xs)
            course.xs, course.ys = course.xs[:keep], course.ys[:keep]
        elif isinstance(report, Note):
            course.note = tr(report.text)
        if run_id == self.run_id and not self._later.isActive():
            self._later.start()

    def _redraw(self) -> None:
        if self._record is not None:
            self._draw()
            self._say()

    def forget(self, run_id: str) -> None:
        """The run is no more."""
        self._courses.pop(run_id, None)
        if run_id == self.run_id:
            self._record = None

    def _draw(self) -> None:
        course = self._courses[self.run_id]
        self.curves.show_run(course.epochs, StepLosses(np.array(course.xs), np.array(course.ys)))

    def _say(self) -> None:
        record = self._record
        if record is None:
            return
        course = self._courses[record.id]
        running = record.status is RunStatus.RUNNING
        failed = record.status is RunStatus.FAILED
        self.words.setText(self._running(course) if running else self._resting(record))
        self.words.setProperty("role", "bad" if failed else "muted")
        self.words.style().unpolish(self.words)
        self.words.style().polish(self.words)
        self.bar.setVisible(running)
        self.bar.setValue(round(1000 * _fraction(course)))
        self.results.setVisible(record.status is RunStatus.FINISHED)

    def _running(self, course: _Course) -> str:
        parts = [course.device] if course.device else [tr("starting…")]
        latest = course.latest
        if latest is not None:
            parts += [
                tr("epoch {epoch}/{epochs}").format(epoch=latest.epoch, epochs=latest.epochs),
                tr("{speed} images/s").format(speed=f"{latest.images_per_second:.0f}"),
                tr("rate {rate}").format(rate=f"{latest.learning_rate:.2g}"),
                tr("{time} left").format(time=clock(latest.eta)),
            ]
        elif course.note:
            parts.append(course.note)
        return "  ·  ".join(parts)

    def _resting(self, record: RunRecord) -> str:
        words = status_words(record)
        if record.status is RunStatus.FAILED:
            return f"{words}: {record.message}" if record.message else words
        score = score_words(record)
        return f"{words}  ·  {score}" if score else words

    def _open_results(self) -> None:
        self.results_wanted.emit(self.run_id)


def _fraction(course: _Course) -> float:
    latest = course.latest
    if isinstance(latest, Step):
        return (latest.epoch - 1 + latest.step / max(1, latest.steps)) / max(1, latest.epochs)
    return latest.epoch / max(1, latest.epochs) if latest is not None else 0.0
