"""How accuracy grows with depth: every stage of a start judged by a linear head, as a plot."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QDialog,
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
from workbench.domain.assessments import LayerStudy
from workbench.domain.backbones import backbone
from workbench.domain.text import tr
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies, picture_of
from workbench.ui.parts.job_line import JobLine
from workbench.ui.parts.run_words import percent, start_words
from workbench.ui.parts.training_draft import TrainingModel

LEFT, TOP, RIGHT, BOTTOM = 48, 16, 16, 28  # pixels around the plot
NEAR = 14.0  # pixels to a point within which it is said


class LayerChart(QWidget):
    """`show_studies` draws studies of one backbone; hovering a point says it in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studies: tuple[LayerStudy, ...] = ()
        self._names: tuple[str, ...] = ()
        self.setMinimumHeight(220)
        self.setMouseTracking(True)
        policy = QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)

    def show_studies(self, studies: Sequence[LayerStudy], names: Sequence[str]) -> None:
        """Draw these studies, each under its name."""
        self._studies, self._names = tuple(studies), tuple(names)
        self.setAccessibleName(", ".join(names))
        self.update()

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages below the axis."""
        known = self._studies[:1]
        return tuple(layer.stage for study in known for layer in study.found.layers)

    def colour(self, position: int) -> QColor:
        """The colour of a study's line."""
        return Theme.of(self).accent if position == 0 else label_colour(position + 4)

    def point(self, position: int, stage: int) -> QPointF:
        """Where a study's stage is drawn."""
        value = self._studies[position].found.layers[stage].top1
        return QPointF(self._x(stage), self._y(value))

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
            place = QRectF(0, y - 8, LEFT - 8, 16)
            painter.drawText(place, _RIGHT, f"{10 * tenth} %")
        room = area.width() / max(1, len(self.stages))
        for at, stage in enumerate(self.stages):
            place = QRectF(self._x(at) - room / 2, area.bottom() + 6, room, 16)
            text = painter.fontMetrics().elidedText(stage, Qt.TextElideMode.ElideRight, int(room))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_chance(self, painter: QPainter, theme: Theme) -> None:
        area, chance = self._area(), self._studies[0].found.chance
        painter.setPen(QPen(theme.muted, 1, Qt.PenStyle.DashLine))
        y = self._y(chance)
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.drawText(QRectF(area.right() - 160, y - 18, 156, 16), _RIGHT, tr("chance"))

    def _draw_line(self, painter: QPainter, position: int) -> None:
        colour = self.colour(position)
        points = [self.point(position, at) for at in range(len(self.stages))]
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(points)
        best = self._studies[position].found.best.stage
        for point, stage in zip(points, self.stages, strict=True):
            wide = 5.0 if stage == best else 3.0
            painter.setBrush(colour)
            if position % 2:  # told apart by more than colour
                painter.drawRect(QRectF(point.x() - wide, point.y() - wide, 2 * wide, 2 * wide))
            else:
                painter.drawEllipse(point, wide, wide)

    def words_at(self, at: QPointF) -> str:
        """What is said of the point nearest to a place, "" where none is near."""
        found = [
            (abs(at.x() - point.x()) + abs(at.y() - point.y()), position, stage)
            for position in range(len(self._studies))
            for stage in range(len(self.stages))
            for point in [self.point(position, stage)]
        ]
        distance, position, stage = min(found, default=(NEAR + 1, 0, 0))
        if distance > NEAR:
            return ""
        layer = self._studies[position].found.layers[stage]
        text = tr("{0}, {1}: {2} of {3} features")
        return text.format(self._names[position], layer.stage, percent(layer.top1), layer.features)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        QToolTip.showText(event.globalPosition().toPoint(), self.words_at(event.position()), self)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class LayersDialog(QDialog):
    """The studies of a target that there are for the backbone, the one of `start` first; one button
    makes it, or makes it anew. `words` names starts."""

    def __init__(
        self,
        context: Context,
        target: str,
        start: str,
        name: str,
        words: dict[str, str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Accuracy by depth of {0}").format(backbone(name).title))
        self.resize(760, 480)
        self._context, self._target, self._start = context, target, start
        self._backbone, self._words = name, words
        self.studies: list[LayerStudy] = []
        self.said = QLabel()
        self.said.setProperty("role", "muted")
        self.said.setWordWrap(True)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.chart = LayerChart()
        self.study = QPushButton()
        self.job = JobLine(context, self._task, self._over, self.study, self.said, self)
        self.copies = Copies(
            self.chart,
            lambda: f"{self._backbone} by depth",
            lambda: picture_of(self._plot),
            self.csv,
            context.notify,
        )
        self._lay_out()
        self._show()

    def _lay_out(self) -> None:
        self._plot = QWidget()  # what a saved picture holds: the lines and what they are
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
        column.addWidget(self.said)
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
        self.study.setText(tr("Study again") if own is not None else tr("Study"))
        self.study.setProperty("primary", own is None)
        self.study.style().polish(self.study)
        self._say(own)

    def _write_legend(self) -> None:
        signs = [
            f'<span style="color:{self.chart.colour(at).name()}">{"●■"[at % 2]}</span> '
            f"{html.escape(self._name(study))}"
            for at, study in enumerate(self.studies)
        ]
        self.legend.setText(" &nbsp; ".join(signs))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "legend"):
            self._write_legend()

    def _name(self, study: LayerStudy) -> str:
        return self._words.get(study.start, start_words(study.start))

    def _say(self, own: LayerStudy | None) -> None:
        if own is None:
            self.said.setText(
                tr(
                    "A linear head is trained on what every stage of {0} makes of the images: how "
                    "far the labels can be told at each depth, before anything is fine-tuned."
                ).format(self._words.get(self._start, self._start))
            )
            return
        found, best = own.found, own.found.best
        text = tr(
            "{0}: {1} says most, {2} of {3} held-out images right; heads learned from {4} images "
            "of {5} classes."
        )
        said = (self._name(own), best.stage, percent(best.top1), found.held_out_images)
        self.said.setText(text.format(*said, found.train_images, found.classes))

    def _task(self) -> Task[LayerStudy]:
        return layers_task(self._context.session, self._target, self._start, self._backbone)

    def _over(self, outcome: Outcome[LayerStudy]) -> None:
        self._show()
        if not isinstance(outcome, Done):
            self.said.setText(tr("Stopped."))

    def csv(self) -> str:
        """Every stage of every study as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("start", "stage", "features", "train_top1", "top1"))
        for study in self.studies:
            for one in study.found.layers:
                writer.writerow((study.start, one.stage, one.features, one.train_top1, one.top1))
        return text.getvalue()

    def done(self, result: int) -> None:
        self.job.stop()
        super().done(result)


def open_layers(context: Context, desk: TrainingModel, page: QWidget) -> LayersDialog:
    """The dialog over a page, for the backbone and the start of its draft."""
    draft = desk.draft
    start, name = draft.recipe.start, draft.recipe.backbone
    words = {"imagenet": tr("ImageNet"), "none": tr("Nothing: random weights")}
    words |= {f"run:{run}": named for run, named in desk.start_runs()}
    words.setdefault(start, start_words(start))
    dialog = LayersDialog(context, draft.target, start, name, words, page)
    dialog.open()
    return dialog
