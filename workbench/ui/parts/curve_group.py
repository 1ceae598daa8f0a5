"""The curves of runs: charts that share the pointer, the smoothing and the export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.app.results.result_tables import epochs_csv, to_csv
from workbench.domain.reports import Epoch, common_goal, elapsed_seconds, time_to_accuracy
from workbench.domain.text import tr
from workbench.ui.parts.copying import Copies, Notify, pixmap_of
from workbench.ui.parts.curves import Curve, CurveChart, FloatArray
from workbench.ui.parts.job_line import clock

TRAIN_COLOUR = 0
LEGEND_NAME = 260  # largest width of a run's name in the legend, in pixels
LOW = 300  # below this height in pixels, two charts are shown instead of four
LIVE_POINTS = 4000  # largest number of step losses shown


@dataclass(frozen=True)
class StepLosses:
    """The training loss of single steps; x in epochs."""

    xs: FloatArray
    ys: FloatArray


class CurveGroup(QWidget):
    """Loss, accuracy, learning rate and images per second over the epochs of runs, or over their
    training time; and the time until the validation accuracy reaches a goal.
    """

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._notify = notify
        self.name = ""
        self.loss = CurveChart(tr("Loss"))
        self.accuracy = CurveChart(tr("Accuracy"), percent=True)
        self.rate = CurveChart(tr("Learning rate"), decimals=4)
        self.speed = CurveChart(tr("Images per second"), decimals=0)
        self.charts = (self.loss, self.accuracy, self.rate, self.speed)
        self._shown: dict[str, Sequence[Epoch]] = {}
        self._steps: StepLosses | None = None
        self._single = True
        self._goal_chosen = False
        self.whole = Copies(
            self,
            lambda: tr("{name} curves").format(name=self.name).strip(),
            partial(pixmap_of, self),
            lambda: epochs_csv(self._shown),
            notify,
        )
        self.copies = [self._make_copies(chart) for chart in self.charts]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._make_bar())
        column.addWidget(self.heading)
        column.addLayout(self._make_grid(), 1)
        for chart in self.charts:
            chart.hovered.connect(self._set_cross)
            if chart is not self.loss:
                chart.link(self.loss)

    def _make_bar(self) -> QHBoxLayout:
        self.heading = QLabel()
        self.heading.setTextFormat(Qt.TextFormat.RichText)  # names are escaped
        self.heading.setProperty("role", "muted")
        self.heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.heading.setWordWrap(True)
        self.log = QCheckBox(tr("Log axis"))
        self.log.setToolTip(tr("Use a logarithmic axis for the loss"))
        self.log.toggled.connect(self.loss.set_log)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, 95)
        self.smoothing.setFixedWidth(96)
        self.smoothing.setAccessibleName(tr("Smoothing"))
        self.smoothing.setToolTip(tr("Smooth the lines; raw lines stay faintly visible"))
        self.smoothing.valueChanged.connect(self._smooth)
        label = QLabel(tr("Smoothing"))
        label.setBuddy(self.smoothing)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        self._add_times(bar)
        bar.addStretch(1)
        for widget in (label, self.smoothing, self.log, self.whole.button(self)):
            bar.addWidget(widget)
        return bar

    def _add_times(self, bar: QHBoxLayout) -> None:
        self.over = QComboBox()
        self.over.addItems([tr("Over epochs"), tr("Over time")])
        self.over.setToolTip(tr("Training time is counted without pauses"))
        self.over.setAccessibleName(tr("Axis of the curves"))
        self.over.currentIndexChanged.connect(self._change_axis)
        self.goal = QSpinBox()
        self.goal.setRange(1, 100)
        self.goal.setSuffix("\u00a0%")
        self.goal.setToolTip(tr("Show the training time until validation accuracy reaches this"))
        self.goal.setAccessibleName(tr("Accuracy to reach"))
        self.goal.valueChanged.connect(self._change_goal)
        label = QLabel(tr("Time to"))
        label.setBuddy(self.goal)
        for widget in (self.over, label, self.goal):
            bar.addWidget(widget)

    @property
    def over_time(self) -> bool:
        """Whether the curves are shown over training time."""
        return self.over.currentIndex() == 1

    def show_over_time(self, on: bool) -> None:
        """Show the curves over training time, or over epochs."""
        self.over.setCurrentIndex(int(on))

    def _change_axis(self) -> None:
        for chart in self.charts:
            chart.set_over_time(self.over_time)
        self._show_again()

    def _change_goal(self) -> None:
        self._goal_chosen = True
        self._show_again()

    def _show_again(self) -> None:
        if self._single and self._shown:
            self.show_run(next(iter(self._shown.values())), self._steps)
        else:
            self.show_runs(self._shown)

    def _update_goal(self) -> None:
        """Set a goal that all runs reach, unless the user chose one."""
        found = common_goal(self._shown.values())
        if not self._goal_chosen and found:
            self.goal.blockSignals(True)
            self.goal.setValue(max(1, round(100 * found)))
            self.goal.blockSignals(False)

    def _time_to_goal(self, epochs: Sequence[Epoch]) -> str:
        """When a run reaches the goal, "" without a validation part."""
        if not any(epoch.validation_accuracy is not None for epoch in epochs):
            return ""
        found = time_to_accuracy(epochs, self.goal.value() / 100)
        if found is None:
            return tr("{goal} % not reached").format(goal=self.goal.value())
        return tr("{goal} % after {time}").format(goal=self.goal.value(), time=clock(found))

    def _make_grid(self) -> QGridLayout:
        self._grid = grid = QGridLayout()
        grid.setSpacing(8)
        self._cards = [QFrame() for _ in self.charts]
        for at, (chart, card) in enumerate(zip(self.charts, self._cards, strict=True)):
            card.setProperty("role", "card")
            inside = QVBoxLayout(card)
            inside.setContentsMargins(4, 4, 4, 4)
            inside.addWidget(chart)
            chart.top.addWidget(self.copies[at].button(chart))
            grid.addWidget(card, at // 2, at % 2)
        grid.setRowStretch(0, 5)
        grid.setRowStretch(1, 3)
        return grid

    def _make_copies(self, chart: CurveChart) -> Copies:
        return Copies(
            chart,
            lambda: f"{self.name} {chart.title}".strip(),
            partial(pixmap_of, chart),
            lambda: to_csv(*chart.table()),
            self._notify,
        )

    def _smooth(self, value: int) -> None:
        for chart in (self.loss, self.accuracy):
            chart.set_smoothing(value / 100)

    def _set_cross(self, epoch: float | None) -> None:
        for chart in self.charts:
            chart.set_cross(epoch)

    def minimumSizeHint(self) -> QSize:
        return QSize(360, 160)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show only loss and accuracy if the height is small."""
        super().resizeEvent(event)
        high = self.height() >= LOW
        for card in self._cards[2:]:
            card.setVisible(high)
        self._grid.setRowStretch(1, 3 if high else 0)

    # Contents

    def show_run(self, epochs: Sequence[Epoch], steps: StepLosses | None = None) -> None:
        """Show training and validation of one run, with the losses of single steps behind."""
        self._shown, self._steps, self._single = {self.name: epochs}, steps, True
        self._update_goal()
        train, validation = tr("train"), tr("validation")
        losses = [
            self._curve(train, epochs, lambda e: e.train_loss, TRAIN_COLOUR),
            self._curve(validation, epochs, lambda e: e.validation_loss),
        ]
        if steps is not None and len(steps.xs):
            losses.insert(0, self._step_curve(epochs, steps))
        accuracies = [
            self._curve(train, epochs, lambda e: e.train_accuracy, TRAIN_COLOUR),
            self._curve(validation, epochs, lambda e: e.validation_accuracy),
            self._curve(tr("view"), epochs, lambda e: e.view_accuracy, 2),
        ]
        total = epochs[-1].epochs if epochs and not self.over_time else 0
        self.loss.set_curves(losses, total)
        self.accuracy.set_curves(_with_points(accuracies), total)
        rate = self._curve(tr("rate"), epochs, lambda e: e.learning_rate)
        speed = self._curve(tr("images/s"), epochs, lambda e: e.images_per_second)
        self.rate.set_curves([rate], total)
        self.speed.set_curves([speed], total)
        at = next((i for i in reversed(range(len(epochs))) if epochs[i].best), None)
        for chart in (self.loss, self.accuracy):
            chart.set_best(None if at is None else float(self._xs(epochs)[at]))
        best = "" if at is None else tr("Best epoch: {number}").format(number=epochs[at].epoch)
        self._set_heading("  ·  ".join(filter(None, (best, self._time_to_goal(epochs)))))

    def show_runs(self, runs: Mapping[str, Sequence[Epoch]]) -> None:
        """Show several runs: one colour each, validation solid, training dashed."""
        self._shown, self._single = dict(runs), False
        self._update_goal()
        many = list(runs.items())
        self._set_heading(self._run_legend())
        for chart, train, validation in (
            (self.loss, "train_loss", "validation_loss"),
            (self.accuracy, "train_accuracy", "validation_accuracy"),
        ):
            curves = []
            for at, (name, epochs) in enumerate(many):
                curves.append(self._named(escape(name), epochs, validation, at, dashed=False))
                training = tr("{name} train").format(name=escape(name))
                curves.append(self._named(training, epochs, train, at, dashed=True))
            chart.set_curves(_with_points(curves), named=False)
            chart.set_best(None)
        for chart, what in ((self.rate, "learning_rate"), (self.speed, "images_per_second")):
            chart.set_curves(
                [
                    self._named(escape(name), epochs, what, at, dashed=False)
                    for at, (name, epochs) in enumerate(many)
                ],
                named=False,
            )

    def _run_legend(self) -> str:
        """Names of the runs with their colours and the times to the goal, as rich text."""
        if not self._shown:
            return ""
        runs = []
        for at, (name, epochs) in enumerate(self._shown.items()):
            colour, time = self.loss.colour(at).name(), self._time_to_goal(epochs)
            short = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, LEGEND_NAME)
            named = f'<span style="color:{colour}">━</span> {escape(short)}'
            runs.append(f"{named} ({escape(time)})" if time else named)
        return " &nbsp; ".join([*runs, tr("(dashed: train)")])

    def _set_heading(self, text: str) -> None:
        self.heading.setText(text)
        self.heading.setVisible(bool(text))

    def clear(self) -> None:
        """Remove all curves."""
        self.show_runs({})

    # Curves

    def _xs(self, epochs: Sequence[Epoch]) -> FloatArray:
        """The places of the epochs on the axis: their numbers, or the times of their ends."""
        found = elapsed_seconds(epochs) if self.over_time else [float(e.epoch) for e in epochs]
        return np.array(found, dtype=np.float64)

    def _curve(
        self,
        name: str,
        epochs: Sequence[Epoch],
        value: Callable[[Epoch], float | None],
        colour: int = -1,
    ) -> Curve:
        found = [value(epoch) for epoch in epochs]
        ys = np.array([np.nan if y is None else y for y in found], dtype=np.float64)
        return Curve(name, self._xs(epochs), ys, colour)

    def _named(
        self, name: str, epochs: Sequence[Epoch], what: str, colour: int, *, dashed: bool
    ) -> Curve:
        made = self._curve(name, epochs, lambda epoch: getattr(epoch, what), colour)
        return Curve(made.name, made.xs, made.ys, colour, dashed)

    def _step_curve(self, epochs: Sequence[Epoch], steps: StepLosses) -> Curve:
        """The losses of steps; over time, those of finished epochs, spread evenly over each."""
        xs, ys = steps.xs, steps.ys
        if self.over_time:
            ends = np.array([0.0, *(float(epoch.epoch) for epoch in epochs)])
            inside = xs <= ends[-1]
            xs, ys = np.interp(xs[inside], ends, [0.0, *self._xs(epochs)]), ys[inside]
        return Curve(tr("steps"), xs, ys, TRAIN_COLOUR, faint=True)


def _with_points(curves: Sequence[Curve]) -> list[Curve]:
    return [curve for curve in curves if not np.isnan(curve.ys).all()]
