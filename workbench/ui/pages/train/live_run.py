"""One run, live: its status and curves, from reports or from the project."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from workbench.domain.reports import Epoch, Note, Report, Started, Step
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.text import tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.parts.copying import Notify
from workbench.ui.parts.curve_group import LIVE_POINTS, CurveGroup, StepLosses
from workbench.ui.parts.curves import REDRAW_MS
from workbench.ui.parts.job_line import clock
from workbench.ui.parts.run_texts import score_text, status_text


@dataclass
class _History:
    """The reports of one run since the window opened: epochs, and losses `ys` at epochs `xs`."""

    epochs: list[Epoch] = field(default_factory=list)
    xs: list[float] = field(default_factory=list)
    ys: list[float] = field(default_factory=list)
    latest: Step | Epoch | None = None
    device: str = ""
    note: str = ""


class LiveRun(QWidget):
    """Status and curves of one run; `results_requested(run)` is emitted when its results are to be
    shown."""

    results_requested = Signal(str)

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histories: dict[str, _History] = {}
        self._record: RunRecord | None = None
        self._redraw_timer = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._redraw_timer.timeout.connect(self._redraw)
        self.name = PlainLabel()
        self.name.setProperty("role", "heading")
        self.status = PlainLabel()
        self.status.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.results = QPushButton(tr("Results"))
        self.results.clicked.connect(self._open_results)
        self.curves = CurveGroup(notify)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.name)
        top.addWidget(self.status, 1)
        top.addWidget(self.results)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.bar)
        column.addWidget(self.curves, 1)

    @property
    def run_id(self) -> str:
        """Id of the run shown; "" for none."""
        return self._record.id if self._record is not None else ""

    def show_run(self, record: RunRecord, epochs: list[Epoch]) -> None:
        """Show a run, with its epochs stored in the project."""
        history = self._histories.setdefault(record.id, _History())
        if len(epochs) >= len(history.epochs):
            history.epochs = list(epochs)
        self._record = record
        self.curves.name = record.name
        self.name.setText(record.name)
        self._draw()
        self._show_status()

    def show_record(self, record: RunRecord) -> None:
        """Show a new state of the same run."""
        self._record = record
        self.name.setText(record.name)
        self._show_status()

    @property
    def record(self) -> RunRecord | None:
        """The run as last shown; None without one."""
        return self._record

    def add_report(self, run_id: str, report: Report) -> None:
        """Remember a report of any run, and show it if that run is shown."""
        history = self._histories.setdefault(run_id, _History())
        if isinstance(report, Step):
            history.latest = report
            history.xs.append(report.epoch - 1 + report.step / max(1, report.steps))
            history.ys.append(report.loss)
            if len(history.xs) > LIVE_POINTS:  # thin out: older points need less detail
                history.xs, history.ys = history.xs[::2], history.ys[::2]
        elif isinstance(report, Epoch):
            while history.epochs and history.epochs[-1].epoch >= report.epoch:
                history.epochs.pop()  # a resumed run repeats them
            history.epochs.append(report)
            history.latest = report
        elif isinstance(report, Started):
            history.device = f"{tr(report.device)}, {report.precision}"
            keep = sum(x <= report.epoch for x in history.xs)
            history.xs, history.ys = history.xs[:keep], history.ys[:keep]
        elif isinstance(report, Note):
            history.note = tr(report.text)
        if run_id == self.run_id and not self._redraw_timer.isActive():
            self._redraw_timer.start()

    def _redraw(self) -> None:
        if self._record is not None:
            self._draw()
            self._show_status()

    def forget(self, run_id: str) -> None:
        """Drop a run that was removed."""
        self._histories.pop(run_id, None)
        if run_id == self.run_id:
            self._record = None

    def _draw(self) -> None:
        history = self._histories[self.run_id]
        self.curves.show_run(history.epochs, StepLosses(np.array(history.xs), np.array(history.ys)))

    def _show_status(self) -> None:
        record = self._record
        if record is None:
            return
        history = self._histories[record.id]
        running = record.status is RunStatus.RUNNING
        failed = record.status is RunStatus.FAILED
        self.status.setText(self._running_text(history) if running else self._resting_text(record))
        self.status.setProperty("role", "bad" if failed else "muted")
        self.status.style().unpolish(self.status)
        self.status.style().polish(self.status)
        self.bar.setVisible(running)
        self.bar.setValue(round(1000 * _fraction(history)))
        self.results.setVisible(record.status is RunStatus.FINISHED)

    def _running_text(self, history: _History) -> str:
        parts = [history.device] if history.device else [tr("starting…")]
        latest = history.latest
        if latest is not None:
            parts += [
                tr("epoch {epoch}/{epochs}").format(epoch=latest.epoch, epochs=latest.epochs),
                tr("{speed} images/s").format(speed=f"{latest.images_per_second:.0f}"),
                tr("learning rate {rate}").format(rate=f"{latest.learning_rate:.2g}"),
                tr("{time} left").format(time=clock(latest.eta)),
            ]
        elif history.note:
            parts.append(history.note)
        return "  ·  ".join(parts)

    def _resting_text(self, record: RunRecord) -> str:
        detail = score_text(record)
        if record.status is RunStatus.FAILED:
            detail = tr(record.message)
        return "  ·  ".join(part for part in (status_text(record), detail) if part)

    def _open_results(self) -> None:
        self.results_requested.emit(self.run_id)


def _fraction(history: _History) -> float:
    latest = history.latest
    if isinstance(latest, Step):
        return (latest.epoch - 1 + latest.step / max(1, latest.steps)) / max(1, latest.epochs)
    return latest.epoch / max(1, latest.epochs) if latest is not None else 0.0
