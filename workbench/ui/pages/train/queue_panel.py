"""The queue of trainings: running, waiting, paused and ended runs with their buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.reports import Report
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel
from workbench.ui.parts.elided import ElidedLabel
from workbench.ui.parts.job_line import JobState, clock, state_after
from workbench.ui.parts.run_texts import STATUS_ICONS, score_text, status_text, target_text

ACTIONS: dict[RunStatus, tuple[str, ...]] = {
    RunStatus.QUEUED: ("pause", "remove"),
    RunStatus.RUNNING: ("pause", "stop"),
    RunStatus.PAUSED: ("resume", "stop", "remove"),
    RunStatus.FAILED: ("resume", "remove"),
    RunStatus.STOPPED: ("remove",),
    RunStatus.FINISHED: (),
}
_ICONS = {"pause": "pause", "resume": "play", "stop": "stop", "remove": "trash"}


class TrainingQueueRow(QFrame):
    """One run. Emits `picked(run)` on a click and `action_requested(action, run)` when a button is
    clicked; the actions are the keys of `_ICONS`."""

    picked = Signal(str)
    action_requested = Signal(str, str)

    def __init__(self, record: RunRecord) -> None:
        super().__init__()
        self.run_id = record.id
        self._state = JobState()
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._status_icon = QLabel()
        self._name = ElidedLabel()
        self._name.setProperty("role", "heading")
        self._text = PlainLabel()
        self._text.setProperty("role", "caption")
        self._text.setWordWrap(True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self.buttons = {name: self._make_button(name) for name in _ICONS}
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self._status_icon)
        top.addWidget(self._name, 1)
        for button in self.buttons.values():
            top.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 6, 8)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self._text)
        column.addWidget(self._bar)
        self.show_record(record, shown=False)

    def _make_button(self, name: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(_ICONS[name], button))
        titles = {
            "pause": tr("Pause"),
            "resume": tr("Resume"),
            "stop": tr("Stop permanently"),
            "remove": tr("Remove run"),
        }
        button.setToolTip(titles[name])
        button.setAccessibleName(titles[name])
        button.clicked.connect(lambda: self.action_requested.emit(name, self.run_id))
        return button

    def show_record(self, record: RunRecord, *, shown: bool) -> None:
        """Show the state of the run; `shown` marks it as the run whose curves are shown."""
        self._record = record
        self._draw_status_icon()
        self._name.setText(record.name)
        for name, button in self.buttons.items():
            button.setVisible(name in ACTIONS[record.status])
        self.setFrameShape(QFrame.Shape.StyledPanel if shown else QFrame.Shape.NoFrame)
        self.setAccessibleName(f"{record.name}, {status_text(record)}")
        self._show_text()

    def _draw_status_icon(self) -> None:
        name, role = STATUS_ICONS[self._record.status]
        self._status_icon.setPixmap(icon(name, self, role).pixmap(16, 16))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_record"):
            self._draw_status_icon()

    def add_report(self, report: Report) -> None:
        """Show the progress in a report of this run."""
        self._state = state_after(report, self._state)
        self._show_text()

    def _show_text(self) -> None:
        record, state = self._record, self._state
        running = record.status is RunStatus.RUNNING
        parts = [status_text(record)]
        if running and state.text:
            parts = [state.text]
            if state.eta is not None:
                parts.append(tr("{time} left").format(time=clock(state.eta)))
        elif record.status is RunStatus.FAILED:
            parts.append(tr(record.message))
        else:
            parts += [target_text(record.target), score_text(record)]
        self._text.setText("  ·  ".join(part for part in parts if part))
        self._bar.setVisible(running)
        self._bar.setValue(round(1000 * (state.fraction or 0.0)))

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.picked.emit(self.run_id)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the press was handled here, not by the widgets below

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.picked.emit(self.run_id)
        else:
            super().keyPressEvent(event)


class QueuePanel(QScrollArea):
    """The rows of the queue; the signals are those of the rows."""

    picked = Signal(str)
    action_requested = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, TrainingQueueRow] = {}
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._none = QLabel(tr("No runs in the queue."))
        self._none.setProperty("role", "muted")
        self._column.addWidget(self._none)
        self._column.addStretch(1)
        self.setWidget(inside)

    def show_runs(self, records: Sequence[RunRecord], shown: str) -> None:
        """Show runs in this order and mark the one with the id `shown`; rows are reused."""
        for run_id in set(self._rows) - {record.id for record in records}:
            row = self._rows.pop(run_id)
            self._column.removeWidget(row)
            row.deleteLater()
        for at, record in enumerate(records):
            row = self._rows.get(record.id) or self._make_row(record)
            if self._column.indexOf(row) != at:
                self._column.insertWidget(at, row)
            row.show_record(record, shown=record.id == shown)
        self._none.setVisible(not records)

    def row(self, run_id: str) -> TrainingQueueRow | None:
        """The row of a run; None if it has none."""
        return self._rows.get(run_id)

    def add_report(self, run_id: str, report: Report) -> None:
        """Pass a report to the row of its run."""
        row = self._rows.get(run_id)
        if row is not None:
            row.add_report(report)

    def _make_row(self, record: RunRecord) -> TrainingQueueRow:
        row = TrainingQueueRow(record)
        row.picked.connect(self.picked)
        row.action_requested.connect(self.action_requested)
        self._rows[record.id] = row
        return row


def queue_order(records: Sequence[RunRecord], ended: int = 6) -> list[RunRecord]:
    """Running runs first, then waiting and paused ones, oldest first, then the last `ended`
    runs."""
    order: list[Callable[[RunRecord], bool]] = [
        lambda r: r.status is RunStatus.RUNNING,
        lambda r: r.status is RunStatus.QUEUED,
        lambda r: r.status is RunStatus.PAUSED,
    ]
    oldest_first = sorted(records, key=lambda record: record.created)
    active = [record for test in order for record in oldest_first if test(record)]
    rest = [record for record in reversed(oldest_first) if record not in active]
    return active + rest[:ended]


def queue_side(queue: QueuePanel) -> QWidget:
    """The queue under its heading."""
    side = QWidget()
    side.setMinimumWidth(220)
    heading = QLabel(tr("Queue"))
    heading.setProperty("role", "heading")
    column = QVBoxLayout(side)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    column.addWidget(heading)
    column.addWidget(queue, 1)
    return side
