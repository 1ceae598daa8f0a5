"""Sections of figures: per class, per view, and the calibration of the confidence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from workbench.app.results.result_tables import classes_csv, reliability_csv, views_csv
from workbench.app.results.results import Scope
from workbench.domain.metrics import ReliabilityBin, macro_average
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized
from workbench.ui.pages.results.section import ResultSection, RunInScope, with_count
from workbench.ui.parts.copying import Copies, Notify, pixmap_of
from workbench.ui.parts.figure_table import Column, FigureTable
from workbench.ui.parts.run_texts import percent

LEFT, RIGHT, TOP, BOTTOM = 48, 12, 20, 40
WARM = 5


class ReliabilityView(QWidget):
    """The reliability diagram: bars of accuracy over confidence, with the gap between them.

    `chosen(bin)` is emitted when a bar is clicked.
    """

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
        """The description of a bar."""
        each = self._bins[at]
        if not each.images:
            return tr("No images with a confidence of {low:.0f}–{high:.0f} %").format(
                low=each.low * 100, high=each.high * 100
            )
        return plural(
            each.images,
            "{n:,} image: confidence {confidence:.1f} %, accuracy {accuracy:.1f} %",
            "{n:,} images: confidence {confidence:.1f} %, accuracy {accuracy:.1f} %",
            confidence=each.confidence * 100,
            accuracy=each.accuracy * 100,
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

        accuracy, confidence = height(each.accuracy), height(each.confidence)
        low, high = max(accuracy, confidence), min(accuracy, confidence)
        painter.fillRect(QRectF(box.left(), low, box.width(), box.bottom() - low), theme.accent)
        overconfident = confidence < accuracy  # pixels grow downwards
        gap = QColor(label_colour(WARM) if overconfident else theme.accent)
        gap.setAlpha(180 if overconfident else 70)
        painter.fillRect(QRectF(box.left(), high, box.width(), low - high), gap)
        painter.setPen(QPen(theme.text, 2))
        painter.drawLine(QPointF(box.left(), accuracy), QPointF(box.right(), accuracy))
        if box.width() >= 24:
            painter.setPen(theme.muted)
            above = QRectF(box.left() - 8, high - 16, box.width() + 16, 14)
            painter.drawText(above, Qt.AlignmentFlag.AlignCenter, f"{each.images:,}")
        if at in (self._hover, self._current):
            painter.setPen(QPen(theme.text if at == self._current else theme.muted, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(box.left(), high, box.width(), box.bottom() - high))

    # Events

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            text = self.sentence(at) if at >= 0 else ""
            QToolTip.showText(event.globalPosition().toPoint(), plain_text(text), self)
            self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self._choose(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # keep it from the widgets below

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
    """Precision, recall, F1 and support of each label; a click on a row shows its images."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.table = FigureTable(
            (
                Column(tr("Label")),
                Column(
                    tr("Precision", "share of correct predictions"),
                    "share",
                    tr("Share of correct images among those predicted as this label"),
                ),
                Column(
                    tr("Recall"),
                    "share",
                    tr("Share of images with this label that were predicted correctly"),
                ),
                Column(tr("F1"), "share", tr("Harmonic mean of precision and recall")),
                Column(tr("Support"), "count", tr("Images with this label")),
                Column(tr("AP"), "share", tr("Average precision over all thresholds")),
                Column(tr("Threshold"), "share", tr("The label is predicted from this score on")),
            )
        )
        self.table.picked.connect(self._picked)
        self.copies = Copies(
            self.table,
            lambda: self.file_name(tr("classes", "file name")),
            partial(pixmap_of, self.table),
            lambda: classes_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.column.addWidget(self.table, 1)

    def fill(self, shown: RunInScope) -> None:
        scores = shown.results.classes(shown.scope)
        further: list[tuple[float, ...]] = [()] * len(scores)
        marked = shown.results.marked if shown.several_labels else None
        if marked is not None:
            precisions = marked.precisions(shown.results.inside(shown.scope))
            further = list(zip(precisions, marked.thresholds.tolist(), strict=True))
        self.table.show_columns(7 if marked is not None else 5)
        self.table.set_rows(
            [
                (n, s.precision, s.recall, s.f1, s.support, *more)
                for (n, s), more in zip(scores, further, strict=True)
            ]
        )
        mean = macro_average(score for _, score in scores).f1
        text = tr("Mean F1 {score}. Click a row to see its images.").format(score=percent(mean))
        empty = sum(not score.support for _, score in scores)
        if empty:
            more = plural(
                empty,
                "{n:,} label has no images here; its recall is undefined.",
                "{n:,} labels have no images here; their recall is undefined.",
            )
            text = f"{text} {more}"
        self.caption.setText(text)

    def _picked(self, row: int) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows_with(shown.scope, row)
            title = tr("True {label}").format(label=shown.names[row])
            self.rows_requested.emit(with_count(title, len(rows)), rows)


class CalibrationSection(ResultSection):
    """The reliability diagram and the expected calibration error."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.view = ReliabilityView()
        self.view.chosen.connect(self._chosen)
        self.copies = Copies(
            self.view,
            lambda: self.file_name(tr("calibration", "file name")),
            partial(pixmap_of, self.view),
            lambda: reliability_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.explanation = PlainLabel()
        self.explanation.setWordWrap(True)
        self.explanation.setFixedWidth(220)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.view, 1)
        row.addWidget(self.explanation, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(row, 1)

    def fill(self, shown: RunInScope) -> None:
        self.view.set_bins(shown.results.reliability(shown.scope))
        error = shown.results.scores(shown.scope).calibration
        self.caption.setText(tr("Click a bar to see its images."))
        self.explanation.setText(
            tr(
                "Expected calibration error {error}: the mean difference between confidence and "
                "accuracy.\n\nThe line on each bar is the accuracy. Orange above it: overconfident;"
                " pale below it: underconfident; on the dashed line: well calibrated.\n\nThe "
                "numbers count images."
            ).format(error=percent(error))
        )

    def _chosen(self, at: int) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows_in_bin(shown.scope, at)
            title = tr("Confidence {low}–{high} %").format(low=at * 10, high=at * 10 + 10)
            self.rows_requested.emit(with_count(title, len(rows)), rows)


class ViewsSection(ResultSection):
    """Accuracy on the images of each view; `below` is the layout for what the page adds."""

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
            lambda: self.file_name(tr("views", "file name")),
            partial(pixmap_of, self.table),
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
            tr("Click a row to see the wrongly predicted images of that view.")
            if scores
            else tr("None of these images has a view. Label views to see which one is difficult.")
        )

    def _picked(self, row: int) -> None:
        shown = self.shown
        if shown is not None:
            view = self._names[row]
            scope = Scope(shown.scope.part, view, shown.scope.head)
            rows = shown.results.rows(scope, right=False)
            title = tr("Errors in view {view}").format(view=view)
            self.rows_requested.emit(with_count(title, len(rows)), rows)
