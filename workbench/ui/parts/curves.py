"""A chart of curves over epochs or time, redrawn by a timer however often the data change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from workbench.domain.metrics import nearest, smoothed
from workbench.domain.text import tr
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized
from workbench.ui.parts.job_line import clock

FloatArray = NDArray[np.float64]
REDRAW_MS = 66  # 15 frames per second
FEW = 40  # up to this many points are drawn as dots


@dataclass(frozen=True)
class Curve:
    """A named line over epochs, or over seconds of training time.

    `colour` is an index of the label colours, or −1 for the accent colour; `dashed` lines are
    training, not validation; `faint` lines are raw values behind a smoothed line.
    """

    name: str
    xs: FloatArray
    ys: FloatArray
    colour: int = -1
    dashed: bool = False
    faint: bool = False


class _BottomAxis(pg.AxisItem):  # type: ignore[misc]
    """The axis of epochs, or of seconds, which are written as times."""

    over_time = False

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        if self.over_time:
            return [clock(value) for value in values]
        return list(super().tickStrings(values, scale, spacing))


class CurveChart(QWidget):
    """A chart with a title, a legend with the values at the pointer, and lines.

    `hovered(epoch)` is emitted when the pointer moves, with None when it leaves the chart.
    """

    hovered = Signal(object)

    def __init__(self, title: str, *, decimals: int = 3, percent: bool = False) -> None:
        super().__init__()
        self.title = title
        self._decimals, self._percent = decimals, percent
        self._curves: tuple[Curve, ...] = ()
        self._smoothing = 0.0
        self._epochs = 0
        self._named = True
        self._cross: float | None = None
        self._best: float | None = None
        self._lines: list[Any] = []
        self._build()
        self._timer = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._timer.timeout.connect(self._redraw)
        self._update_colours()

    def _build(self) -> None:
        heading = QLabel(self.title)
        heading.setProperty("role", "heading")
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.legend.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.top = QHBoxLayout()
        self.top.setContentsMargins(8, 4, 8, 0)
        self.top.addWidget(heading)
        self.top.addWidget(self.legend, 1)
        self._bottom = _BottomAxis("bottom")
        self._view = pg.PlotWidget(axisItems={"bottom": self._bottom})
        self._view.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._plot = self._view.getPlotItem()
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setClipToView(True)
        self._plot.setDownsampling(auto=True, mode="peak")
        self._plot.getViewBox().setMouseEnabled(x=True, y=False)
        self._plot.getViewBox().enableAutoRange()
        self._cross_line = pg.InfiniteLine(angle=90, movable=False)
        self._best_line = pg.InfiniteLine(angle=90, movable=False)
        for line in (self._cross_line, self._best_line):
            line.hide()
            self._plot.addItem(line, ignoreBounds=True)
        self._view.scene().sigMouseMoved.connect(self._emit_hovered)
        self._plot.getViewBox().sigXRangeChanged.connect(self._space_ticks)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(self.top)
        column.addWidget(self._view, 1)
        self.setMinimumHeight(96)

    # Contents

    def set_curves(self, curves: Sequence[Curve], epochs: int = 0, *, named: bool = True) -> None:
        """Show these lines from the next redraw on, over at least `epochs` epochs.

        If not `named`, the legend shows colours without names and leaves out dashed lines."""
        self._curves = tuple(curves)
        self._named = named
        if epochs != self._epochs:
            self._epochs = epochs
            if epochs:
                self._plot.setXRange(0, epochs, padding=0.02)
            else:
                self.fit()
        self._schedule()

    def set_over_time(self, on: bool) -> None:
        """Take the places of the lines as seconds of training time instead of epochs."""
        self._bottom.over_time = on
        self._epochs = 0
        self.fit()
        self._space_ticks(None, self._plot.getViewBox().viewRange()[0])

    def link(self, other: CurveChart) -> None:
        """Show the same range of epochs as another chart."""
        self._plot.setXLink(other._plot)

    def set_smoothing(self, weight: float) -> None:
        """Smooth all lines by an exponential moving average; raw lines are drawn faintly behind."""
        self._smoothing = weight
        self._schedule()

    def set_log(self, on: bool) -> None:
        """Use a logarithmic axis for the values."""
        self._plot.setLogMode(x=False, y=on)
        self._schedule()

    def set_best(self, epoch: float | None) -> None:
        """Mark the best epoch; None removes the mark."""
        self._best = epoch
        self._schedule()

    def set_cross(self, epoch: float | None) -> None:
        """Show a line and the values at this epoch, also if the pointer is in another chart."""
        self._cross = epoch
        self._cross_line.setVisible(epoch is not None)
        if epoch is not None:
            self._cross_line.setPos(epoch)
        self._write_legend()

    def fit(self) -> None:
        """Show all epochs again after zooming."""
        self._plot.getViewBox().enableAutoRange()
        if self._epochs:
            self._plot.setXRange(0, self._epochs, padding=0.02)

    def values_at(self, epoch: float | None) -> dict[str, float]:
        """The value of each line at the point nearest to `epoch`; None is the last point."""
        found: dict[str, float] = {}
        for curve in self._curves:
            known = ~np.isnan(curve.ys)
            xs, ys = curve.xs[known], curve.ys[known]
            at = (len(xs) - 1 if len(xs) else None) if epoch is None else nearest(xs, epoch)
            if at is not None and not curve.faint:
                found[curve.name] = float(ys[at])
        return found

    def table(self) -> tuple[list[str], list[list[float | None]]]:
        """Header and rows of a table with one column per line, None where a line has no point."""
        xs = sorted({float(x) for curve in self._curves for x in curve.xs})
        columns = [dict(zip(c.xs.tolist(), c.ys.tolist(), strict=True)) for c in self._curves]
        rows: list[list[float | None]] = [[x, *(c.get(x) for c in columns)] for x in xs]
        unit = "seconds" if self._bottom.over_time else "epoch"
        return [unit, *(curve.name for curve in self._curves)], rows

    # Drawing

    def _schedule(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._schedule()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_timer"):
            self._update_colours()
            self._schedule()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit(None)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        self.fit()
        super().mouseDoubleClickEvent(event)

    def _emit_hovered(self, at: QPointF) -> None:
        box = self._plot.getViewBox()
        if box.sceneBoundingRect().contains(at):
            self.hovered.emit(float(box.mapSceneToView(at).x()))

    def _space_ticks(self, _: object, span: Sequence[float]) -> None:
        """Put ticks at whole epochs only, or at whole seconds, minutes or hours."""
        wide = max(1.0, span[1] - span[0])
        steps = [m * 10**e for e in range(7) for m in (1, 2, 5)]
        if self._bottom.over_time:
            within = [unit * m for unit in (1, 60) for m in (1, 2, 5, 10, 15, 30)]
            steps = within + [3600 * step for step in steps]
        step = next((s for s in steps if wide / s <= 8), 10**7)
        self._plot.getAxis("bottom").setTickSpacing(levels=[(step, 0)])

    def _update_colours(self) -> None:
        theme = Theme.of(self)
        self._view.setBackground(theme.raised)
        for name in ("left", "bottom"):
            axis = self._plot.getAxis(name)
            axis.setPen(pg.mkPen(theme.hover))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setTickFont(sized(self.font(), CAPTION_PIXELS))
            axis.setStyle(tickLength=-4, maxTickLevel=1)
        self._plot.getAxis("left").setWidth(44)
        self._plot.getAxis("left").setScale(100.0 if self._percent else 1.0)
        self._plot.showGrid(x=False, y=True, alpha=0.35)
        self._cross_line.setPen(pg.mkPen(theme.muted, width=1))
        self._best_line.setPen(pg.mkPen(theme.good, width=1, style=Qt.PenStyle.DashLine))

    def _redraw(self) -> None:
        drawn = [pair for curve in self._curves for pair in self._layers(curve)]
        while len(self._lines) < len(drawn):
            self._lines.append(self._plot.plot(antialias=True))
        for line, (curve, faint) in zip(self._lines, drawn, strict=False):
            self._draw(line, curve, faint)
        for line in self._lines[len(drawn) :]:
            line.setData([], [])
        self._best_line.setVisible(self._best is not None)
        if self._best is not None:
            self._best_line.setPos(self._best)
        self._write_legend()

    def _layers(self, curve: Curve) -> list[tuple[Curve, bool]]:
        if curve.faint or self._smoothing <= 0.0:
            return [(curve, curve.faint)]
        smooth = Curve(
            curve.name, curve.xs, smoothed(curve.ys, self._smoothing), curve.colour, curve.dashed
        )
        return [(curve, True), (smooth, False)]

    def _draw(self, line: Any, curve: Curve, faint: bool) -> None:
        colour = QColor(self.colour(curve.colour))
        if faint:
            colour.setAlpha(90)
        style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
        known = ~np.isnan(curve.ys)
        few = len(curve.xs) <= FEW and not faint
        line.setPen(pg.mkPen(colour, width=1, style=style))
        line.setSymbol("o" if few else None)
        line.setSymbolSize(4)
        line.setSymbolBrush(pg.mkBrush(colour))
        line.setSymbolPen(None)
        line.setData(curve.xs[known], curve.ys[known])

    def colour(self, position: int) -> QColor:
        """The colour of a curve with this index; −1 is the accent colour."""
        return Theme.of(self).accent if position < 0 else label_colour(position)

    # Texts

    def _write_legend(self) -> None:
        values = self.values_at(self._cross)
        shown = [curve for curve in self._curves if curve.name in values]
        parts = []
        for curve in [c for c in shown if self._named or not c.dashed][:6]:
            sign = "┄" if curve.dashed else "━"
            colour = self.colour(curve.colour).name()
            value = self._value_text(values[curve.name])
            name = f"{curve.name} " if self._named else ""
            parts.append(f'<span style="color:{colour}">{sign}</span> {name}<b>{value}</b>')
        text = " &nbsp; ".join(parts)
        if self._cross is not None and shown:
            at = shown[0].xs[nearest(shown[0].xs, self._cross) or 0]
            place = tr("epoch {epoch}").format(epoch=f"{at:g}")
            place = clock(float(at)) if self._bottom.over_time else place
            text = f"{place} &nbsp; {text}"
        self.legend.setText(text)

    def _value_text(self, value: float) -> str:
        if self._percent:
            return f"{value * 100:.1f} %"
        return (
            f"{value:.3g}"
            if 0 < abs(value) < 10**-self._decimals
            else (f"{value:.{self._decimals}f}")
        )
