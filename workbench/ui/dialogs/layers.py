"""Plot of accuracy by depth: a linear head trained on each stage of a start."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Done, Outcome, Task
from workbench.app.transfer.assessing import layer_studies, layers_task
from workbench.domain.assessments import LAST_LAYER, LayerStudy
from workbench.domain.backbones import backbone
from workbench.domain.spreadsheets import csv_text
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies, pixmap_of
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.job_line import JobLine
from workbench.ui.parts.run_texts import START_TITLES, percent, start_text
from workbench.ui.parts.training_draft import TrainingModel

LEFT, TOP, RIGHT, BOTTOM = 48, 16, 16, 28  # pixels around the plot
NEAR = 14.0  # pixels: largest distance from a point at which its tip is shown


class LayerChart(QWidget):
    """Line chart of layer studies of one backbone; hovering over a point shows its values."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studies: tuple[LayerStudy, ...] = ()
        self._names: tuple[str, ...] = ()
        self.setMinimumHeight(220)
        self.setMouseTracking(True)
        policy = QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)

    def show_studies(self, studies: Sequence[LayerStudy], names: Sequence[str]) -> None:
        """Draw `studies`; `names` are their names, in the same order."""
        self._studies, self._names = tuple(studies), tuple(names)
        self.setAccessibleName(", ".join(names))
        self.update()

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages on the x axis. Studies of starts without classes lack the last."""
        names = (layer.stage for study in self._studies for layer in study.found.layers)
        stages = dict.fromkeys(names)
        last = [LAST_LAYER] if LAST_LAYER in stages else []
        return (*(name for name in stages if name != LAST_LAYER), *last)

    def colour(self, position: int) -> QColor:
        """Return the colour of the line of study `position`."""
        return Theme.of(self).accent if position == 0 else label_colour(position + 4)

    def point(self, position: int, stage: int) -> QPointF:
        """Return the position in pixels of stage `stage` of study `position`."""
        value = self._studies[position].found.layers[stage].top1
        return QPointF(self._x(stage), self._y(value))

    def points(self, position: int) -> list[QPointF]:
        """Return the points of study `position`, in the order of its stages."""
        return [self.point(position, at) for at in range(len(self._studies[position].found.layers))]

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(LEFT, TOP, -RIGHT, -BOTTOM)

    def _x(self, stage: int) -> float:
        area, count = self._area(), max(1, len(self.stages))
        return area.left() + (stage + 0.5) * area.width() / count

    def _y(self, value: float) -> float:
        area = self._area()
        return area.bottom() - value * area.height()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = Theme.of(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.raised)
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        self._draw_axes(painter, theme)
        if self._studies:
            self._draw_chance(painter, theme)
        for position in reversed(range(len(self._studies))):  # the newest on top
            self._draw_line(painter, position)
        painter.end()

    def _draw_axes(self, painter: QPainter, theme: Theme) -> None:
        area = self._area()
        for tenth in range(0, 11, 2):
            y = self._y(tenth / 10)
            painter.setPen(QPen(theme.hover, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.muted)
            rect = QRectF(0, y - 8, LEFT - 8, 16)
            painter.drawText(rect, _RIGHT, f"{10 * tenth} %")
        room = area.width() / max(1, len(self.stages))
        for index, stage in enumerate(self.stages):
            rect = QRectF(self._x(index) - room / 2, area.bottom() + 6, room, 16)
            title = stage_title(stage)
            text = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, int(room))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_chance(self, painter: QPainter, theme: Theme) -> None:
        area, chance = self._area(), self._studies[0].found.chance
        painter.setPen(QPen(theme.muted, 1, Qt.PenStyle.DashLine))
        y = self._y(chance)
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.drawText(QRectF(area.right() - 160, y - 18, 156, 16), _RIGHT, tr("chance"))

    def _draw_line(self, painter: QPainter, position: int) -> None:
        colour = self.colour(position)
        points = self.points(position)
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(points)
        best = self._studies[position].found.best.stage
        for point, layer in zip(points, self._studies[position].found.layers, strict=True):
            radius = 5.0 if layer.stage == best else 3.0
            painter.setBrush(colour)
            if position % 2:  # distinguishable without colour
                square = QRectF(point.x() - radius, point.y() - radius, 2 * radius, 2 * radius)
                painter.drawRect(square)
            else:
                painter.drawEllipse(point, radius, radius)

    def text_at(self, cursor: QPointF) -> str:
        """Return the values of the point nearest to `cursor`, "" if none is near."""
        found = [
            (abs(cursor.x() - point.x()) + abs(cursor.y() - point.y()), position, stage)
            for position in range(len(self._studies))
            for stage, point in enumerate(self.points(position))
        ]
        distance, position, stage = min(found, default=(NEAR + 1, 0, 0))
        if distance > NEAR:
            return ""
        layer = self._studies[position].found.layers[stage]
        return plural(
            layer.features,
            "{start}, {stage}: {accuracy} with {n:,} feature",
            "{start}, {stage}: {accuracy} with {n:,} features",
            start=self._names[position],
            stage=stage_title(layer.stage),
            accuracy=percent(layer.top1),
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        text = plain_text(self.text_at(event.position()))
        QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def stage_title(stage: str) -> str:
    """The name of a stage, as shown."""
    return tr("last layer") if stage == LAST_LAYER else stage


class LayersDialog(Dialog):
    """Layer studies of a target for one backbone, the one of `start` first.

    A button runs the study of `start`, again if there is one. `name` is the backbone, `titles` maps
    starts to their titles.
    """

    def __init__(
        self,
        context: Context,
        target: str,
        start: str,
        name: str,
        titles: dict[str, str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        title = tr("Accuracy by depth: {backbone}")
        self.setWindowTitle(title.format(backbone=backbone(name).title))
        self.resize(760, 480)
        self._context, self._target, self._start = context, target, start
        self._backbone, self._titles = name, titles
        self.studies: list[LayerStudy] = []
        self.status = PlainLabel()
        self.status.setProperty("role", "muted")
        self.status.setWordWrap(True)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.chart = LayerChart()
        self.study = QPushButton()
        self.job = JobLine(context, self._task, self._job_ended, self.study, self.status, self)
        self.copies = Copies(
            self.chart,
            lambda: tr("{backbone} by depth").format(backbone=self._backbone),
            lambda: pixmap_of(self._plot),
            self.csv,
            context.notify,
        )
        self._lay_out()
        self._show()

    def _lay_out(self) -> None:
        self._plot = QWidget()  # saved as an image: the legend and the chart
        inside = QVBoxLayout(self._plot)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addWidget(self.legend)
        inside.addWidget(self.chart, 1)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        below = QHBoxLayout()
        below.setSpacing(8)
        self.export = self.copies.button(self)
        below.addWidget(self.export)
        below.addStretch(1)
        below.addWidget(self.study)
        below.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.status)
        column.addWidget(self._plot, 1)
        column.addLayout(below)

    def _show(self) -> None:
        known = layer_studies(self._context.session, self._target, self._backbone)
        self.studies = sorted(known, key=lambda study: study.start != self._start)
        self._plot.setVisible(bool(self.studies))
        self.export.setEnabled(bool(self.studies))
        self.chart.show_studies(self.studies, [self._name(study) for study in self.studies])
        self._write_legend()
        own = next((study for study in self.studies if study.start == self._start), None)
        self.study.setText(tr("Measure again") if own is not None else tr("Measure"))
        self.study.setProperty("primary", own is None)
        self.study.style().polish(self.study)
        self._show_status(own)

    def _write_legend(self) -> None:
        entries = [
            f'<span style="color:{self.chart.colour(position).name()}">{"●■"[position % 2]}</span> '
            f"{html.escape(self._name(study))}"
            for position, study in enumerate(self.studies)
        ]
        self.legend.setText(" &nbsp; ".join(entries))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "legend"):
            self._write_legend()

    def _name(self, study: LayerStudy) -> str:
        return self._titles.get(study.start, start_text(study.start))

    def _show_status(self, own: LayerStudy | None) -> None:
        if own is None:
            text = tr(
                "Trains a linear head on the features of each stage of {start}, to show how well "
                "the labels can be predicted at each depth without fine-tuning."
            )
            self.status.setText(text.format(start=self._titles.get(self._start, self._start)))
            return
        found, best = own.found, own.found.best
        text = tr(
            "{start}: {stage} is best with {accuracy} on {held_out}. The heads were trained on "
            "{images} of {classes}."
        )
        self.status.setText(
            text.format(
                start=self._name(own),
                stage=stage_title(best.stage),
                accuracy=percent(best.top1),
                held_out=plural(
                    found.held_out_images, "{n:,} held-out image", "{n:,} held-out images"
                ),
                images=plural(found.train_images, "{n:,} image", "{n:,} images"),
                classes=plural(found.classes, "{n:,} class", "{n:,} classes"),
            )
        )

    def _task(self) -> Task[LayerStudy]:
        return layers_task(self._context.session, self._target, self._start, self._backbone)

    def _job_ended(self, outcome: Outcome[LayerStudy]) -> None:
        self._show()
        if not isinstance(outcome, Done):
            self.status.setText(tr("Stopped."))

    def csv(self) -> str:
        """Return CSV text with a row per stage of each study."""
        rows = (
            (study.start, one.stage, one.features, one.train_top1, one.top1)
            for study in self.studies
            for one in study.found.layers
        )
        return csv_text([("start", "stage", "features", "train_top1", "top1"), *rows])

    def done(self, result: int) -> None:
        self.job.stop()
        super().done(result)


def open_layers(context: Context, model: TrainingModel, page: QWidget) -> LayersDialog:
    """Open the dialog over a page, for the backbone and start of the draft in `model`."""
    draft = model.draft
    start, name = draft.recipe.start, draft.recipe.backbone
    titles = {start: tr(title) for start, title in START_TITLES.items()}
    titles |= {f"run:{run}": title for run, title in model.start_runs()}
    titles.setdefault(start, start_text(start))
    dialog = LayersDialog(context, draft.target, start, name, titles, page)
    dialog.open()
    return dialog
