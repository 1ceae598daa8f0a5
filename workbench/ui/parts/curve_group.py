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
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from workbench.app.results.result_tables import epochs_csv, to_csv
from workbench.domain.reports import Epoch
from workbench.domain.text import tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.parts.copying import Copies, Notify, pixmap_of
from workbench.ui.parts.curves import Curve, CurveChart, FloatArray

TRAIN_COLOUR = 0
LOW = 300  # below this height in pixels, two charts are shown instead of four
LIVE_POINTS = 4000  # largest number of step losses shown


@dataclass(frozen=True)
class StepLosses:
    """The training loss of single steps; x in epochs."""

    xs: FloatArray
    ys: FloatArray


class CurveGroup(QWidget):
    """Loss, accuracy, learning rate and images per second over the epochs of runs."""

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
        column.addLayout(self._make_grid(), 1)
        for chart in self.charts:
            chart.hovered.connect(self._set_cross)
            if chart is not self.loss:
                chart.link(self.loss)

    def _make_bar(self) -> QHBoxLayout:
        self.heading = PlainLabel()
        self.heading.setProperty("role", "muted")
        self.heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
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
        bar.addWidget(self.heading, 1)
        for widget in (label, self.smoothing, self.log, self.whole.button(self)):
            bar.addWidget(widget)
        return bar

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
        self._shown = {self.name: epochs}
        train, validation = tr("train"), tr("validation")
        losses = [
            _curve(train, epochs, lambda e: e.train_loss, TRAIN_COLOUR),
            _curve(validation, epochs, lambda e: e.validation_loss),
        ]
        if steps is not None and len(steps.xs):
            losses.insert(0, Curve(tr("steps"), steps.xs, steps.ys, TRAIN_COLOUR, faint=True))
        accuracies = [
            _curve(train, epochs, lambda e: e.train_accuracy, TRAIN_COLOUR),
            _curve(validation, epochs, lambda e: e.validation_accuracy),
            _curve(tr("view"), epochs, lambda e: e.view_accuracy, 2),
        ]
        total = epochs[-1].epochs if epochs else 0
        self.loss.set_curves(losses, total)
        self.accuracy.set_curves(_with_points(accuracies), total)
        rate = _curve(tr("rate"), epochs, lambda e: e.learning_rate)
        speed = _curve(tr("images/s"), epochs, lambda e: e.images_per_second)
        self.rate.set_curves([rate], total)
        self.speed.set_curves([speed], total)
        best = next((e.epoch for e in reversed(epochs) if e.best), None)
        for chart in (self.loss, self.accuracy):
            chart.set_best(best)
        self.heading.setText(tr("Best epoch: {number}").format(number=best) if best else "")

    def show_runs(self, runs: Mapping[str, Sequence[Epoch]]) -> None:
        """Show several runs: one colour each, validation solid, training dashed."""
        self._shown = dict(runs)
        many = list(runs.items())
        self.heading.setText(self._run_legend([name for name, _ in many]))
        for chart, train, validation in (
            (self.loss, "train_loss", "validation_loss"),
            (self.accuracy, "train_accuracy", "validation_accuracy"),
        ):
            curves = []
            for at, (name, epochs) in enumerate(many):
                curves.append(_named(escape(name), epochs, validation, at, dashed=False))
                training = tr("{name} train").format(name=escape(name))
                curves.append(_named(training, epochs, train, at, dashed=True))
            chart.set_curves(_with_points(curves), named=False)
            chart.set_best(None)
        for chart, what in ((self.rate, "learning_rate"), (self.speed, "images_per_second")):
            chart.set_curves(
                [_named(escape(n), e, what, at, dashed=False) for at, (n, e) in enumerate(many)],
                named=False,
            )

    def _run_legend(self, names: Sequence[str]) -> str:
        """Names of runs with their colours, as rich text."""
        if not names:
            return ""
        runs = [
            f'<span style="color:{self.loss.colour(at).name()}">━</span> {escape(name)}'
            for at, name in enumerate(names)
        ]
        return " &nbsp; ".join([*runs, tr("(dashed: train)")])

    def clear(self) -> None:
        """Remove all curves."""
        self.show_runs({})


def _with_points(curves: Sequence[Curve]) -> list[Curve]:
    return [curve for curve in curves if not np.isnan(curve.ys).all()]


def _named(name: str, epochs: Sequence[Epoch], what: str, colour: int, *, dashed: bool) -> Curve:
    made = _curve(name, epochs, lambda epoch: getattr(epoch, what), colour)
    return Curve(made.name, made.xs, made.ys, colour, dashed)


def _curve(
    name: str, epochs: Sequence[Epoch], value: Callable[[Epoch], float | None], colour: int = -1
) -> Curve:
    xs = np.array([epoch.epoch for epoch in epochs], dtype=np.float64)
    found = [value(epoch) for epoch in epochs]
    ys = np.array([np.nan if y is None else y for y in found], dtype=np.float64)
    return Curve(name, xs, ys, colour)
