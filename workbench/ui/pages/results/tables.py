"""Sections of figures: per class, per view, and how well confidence is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from workbench.app.results.result_tables import classes_csv, reliability_csv, views_csv
from workbench.app.results.results import Scope
from workbench.domain.metrics import ReliabilityBin
from workbench.domain.text import tr
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized
from workbench.ui.pages.results.section import ResultSection, RunInScope
from workbench.ui.parts.copying import Copies, Notify, picture_of
from workbench.ui.parts.figure_table import Column, FigureTable
from workbench.ui.parts.run_words import percent

LEFT, RIGHT, TOP, BOTTOM = 48, 12, 20, 40
WARM = 5


class ReliabilityView(QWidget):
    """Bars of accuracy over confidence, the gap to honesty in the warm colour. `chosen(bin)` tells
    of a click on a bar."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bins: tuple[ReliabilityBin, ...] = ()
        self._hover = -1
        self._current = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Reliability diagram"))

    def set_bins(self, bins: Sequence[ReliabilityBin]) -> None:
        """Show these bins."""
        self._bins = tuple(bins)
        self._hover = self._current = -1
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 200)

    def sentence(self, at: int) -> str:
        """What a bar says in words."""
        each = self._bins[at]
        if not each.images:
            return tr("no image with a confidence of {low}–{high} %").format(
                low=f"{each.low * 100:.0f}", high=f"{each.high * 100:.0f}"
            )
        return tr("{n} images: {sure} % sure, {right} % right").format(
            n=f"{each.images:,}",
            sure=f"{each.confidence * 100:.1f}",
            right=f"{each.accuracy * 100:.1f}",
        )

    def _area(self) -> QRectF:
        side = min(self.width() - LEFT - RIGHT, self.height() - TOP - BOTTOM)
        return QRectF(LEFT, TOP, max(1, side), max(1, side))

    def _bar(self, at: int) -> QRectF:
        area, wide = self._area(), self._area().width() / max(1, len(self._bins))
        return QRectF(area.left() + at * wide, area.top(), wide, area.height())

    def _at(self, point: QPointF) -> int:
        found = (at for at in range(len(self._bins)) if self._bar(at).contains(point))
        return next(found, -1)

    # Drawing

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        theme = Theme.of(self)
        self._paint_axes(painter, theme)
        for at, each in enumerate(self._bins):
            if each.images:
                self._paint_bar(painter, theme, at, each)
        area = self._area()
        painter.setPen(QPen(theme.muted, 1, Qt.PenStyle.DashLine))
        painter.drawLine(area.bottomLeft(), area.topRight())

    def _paint_axes(self, painter: QPainter, theme: Theme) -> None:
        area = self._area()
        for step in range(0, 101, 20):
            y = area.bottom() - area.height() * step / 100
            x = area.left() + area.width() * step / 100
            painter.setPen(QPen(theme.hover, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.muted)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(area.left() - 44, y - 8, 38, 16), right, f"{step}")
            below = QRectF(x - 20, area.bottom() + 4, 40, 16)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, f"{step}")
        text = tr("confidence (%) →  accuracy (%) ↑")
        under = QRectF(area.left(), area.bottom() + 20, max(area.width(), 240), 16)
        painter.drawText(under, Qt.AlignmentFlag.AlignLeft, text)

    def _paint_bar(self, painter: QPainter, theme: Theme, at: int, each: ReliabilityBin) -> None:
        box = self._bar(at).adjusted(1.5, 0, -1.5, 0)

        def height(share: float) -> float:
            return box.bottom() - box.height() * share

        right, sure = height(each.accuracy), height(each.confidence)
        low, high = max(right, sure), min(right, sure)
        painter.fillRect(QRectF(box.left(), low, box.width(), box.bottom() - low), theme.accent)
        over = sure < right  # surer than right: the warm gap; righter than sure: the pale one
        gap = QColor(label_colour(WARM) if over else theme.accent)
        gap.setAlpha(180 if over else 70)
        painter.fillRect(QRectF(box.left(), high, box.width(), low - high), gap)
        painter.setPen(QPen(theme.text, 2))
        painter.drawLine(QPointF(box.left(), right), QPointF(box.right(), right))
        if box.width() >= 24:
            painter.setPen(theme.muted)
            above = QRectF(box.left() - 8, high - 16, box.width() + 16, 14)
            painter.drawText(above, Qt.AlignmentFlag.AlignCenter, f"{each.images:,}")
        if at in (self._hover, self._current):
            painter.setPen(QPen(theme.text if at == self._current else theme.muted, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            top = min(right, sure)
            painter.drawRect(QRectF(box.left(), top, box.width(), box.bottom() - top))

    # Hands

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            text = self.sentence(at) if at >= 0 else ""
            QToolTip.showText(event.globalPosition().toPoint(), text, self)
            self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self._choose(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # what was pressed here is not for the widgets below

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None or not self._bins:
            event.ignore()
            return
        self._choose(max(0, min(len(self._bins) - 1, self._current + step)))

    def _choose(self, at: int) -> None:
        self._current = at
        self.update()
        self.chosen.emit(at)


class ClassesSection(ResultSection):
    """Precision, recall, F1 and support of each label; a row leads to its images."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.table = FigureTable(
            (
                Column(tr("Label")),
                Column(tr("Precision"), "share", tr("Right among those predicted so")),
                Column(tr("Recall"), "share", tr("Found among those that are so")),
                Column(tr("F1"), "share", tr("Harmonic mean of precision and recall")),
                Column(tr("Support"), "count", tr("Images that are so")),
                Column(tr("AP"), "share", tr("Average precision over all thresholds")),
                Column(tr("Threshold"), "share", tr("Claimed from this score on")),
            )
        )
        self.table.picked.connect(self._picked)
        self.copies = Copies(
            self.table,
            lambda: self.shown.title("classes") if self.shown else "classes",
            partial(picture_of, self.table),
            lambda: classes_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.column.addWidget(self.table, 1)

    def fill(self, shown: RunInScope) -> None:
        scores = shown.results.classes(shown.scope)
        further: list[tuple[float, ...]] = [()] * len(scores)
        marked = shown.results.marked if shown.several_labels else None
        if marked is not None:  # labels that do not exclude each other
            precisions = marked.precisions(shown.results.inside(shown.scope))
            further = list(zip(precisions, marked.thresholds.tolist(), strict=True))
        self.table.show_columns(7 if marked is not None else 5)
        self.table.set_rows(
            [
                (n, s.precision, s.recall, s.f1, s.support, *more)
                for (n, s), more in zip(scores, further, strict=True)
            ]
        )
        supported = [score.f1 for _, score in scores if score.support]
        mean = sum(supported) / len(supported) if supported else None
        self.caption.setText(
            tr("Mean F1 {score}. Click a row to see its images.").format(score=percent(mean))
        )

    def _picked(self, row: int) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows_with(shown.scope, row)
            title = tr("true {label}: {n} images").format(label=shown.names[row], n=len(rows))
            self.rows_wanted.emit(title, rows)


class CalibrationSection(ResultSection):
    """The reliability diagram and its one number."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.view = ReliabilityView()
        self.view.chosen.connect(self._chosen)
        self.copies = Copies(
            self.view,
            lambda: self.shown.title("calibration") if self.shown else "calibration",
            partial(picture_of, self.view),
            lambda: reliability_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setFixedWidth(220)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.view, 1)
        row.addWidget(self.words, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(row, 1)

    def fill(self, shown: RunInScope) -> None:
        self.view.set_bins(shown.results.reliability(shown.scope))
        error = shown.results.scores(shown.scope).calibration
        self.caption.setText(tr("Click a bar to see its images."))
        self.words.setText(
            tr(
                "Expected calibration error {error}: so far the confidence is from the accuracy, "
                "on average.\n\nThe line on each bar is how often the network was right. "
                "Warm above it: too sure. Pale below it: too modest. On the dashed line: "
                "honest.\n\nThe numbers are images."
            ).format(error=percent(error))
        )

    def _chosen(self, at: int) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows_in_bin(shown.scope, at)
            title = tr("{low}–{high} % sure: {n} images").format(
                low=at * 10, high=at * 10 + 10, n=len(rows)
            )
            self.rows_wanted.emit(title, rows)


class ViewsSection(ResultSection):
    """Accuracy on the images of each view; `pairs` has room for what the page puts below."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.table = FigureTable(
            (
                Column(tr("View")),
                Column(tr("Accuracy"), "share"),
                Column(tr("Images"), "count"),
            )
        )
        self.table.picked.connect(self._picked)
        self.copies = Copies(
            self.table,
            lambda: self.shown.title("views") if self.shown else "views",
            partial(picture_of, self.table),
            lambda: views_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.below = QVBoxLayout()
        self.column.addWidget(self.table, 1)
        self.column.addLayout(self.below, 1)

    def fill(self, shown: RunInScope) -> None:
        scores = shown.results.by_view(shown.scope)
        self.table.set_rows([(s.view, s.accuracy, s.images) for s in scores])
        self._names = [score.view for score in scores]
        self.caption.setText(
            tr("Click a row to see the images of that view that went wrong.")
            if scores
            else tr("None of these images has a view: label views to see which one is hard.")
        )

    def _picked(self, row: int) -> None:
        shown = self.shown
        if shown is not None:
            view = self._names[row]
            scope = Scope(shown.scope.part, view, shown.scope.head)
            rows = shown.results.rows(scope, right=False)
            title = tr("errors in view {view}: {n} images").format(view=view, n=len(rows))
            self.rows_wanted.emit(title, rows)
