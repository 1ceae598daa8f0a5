"""The stages of a backbone as a row of blocks: what is frozen is seen and chosen by a click."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from workbench.domain.backbones import Backbone
from workbench.ui.look.icons import draw_icon
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized

HEIGHT = 52
GAP = 6
WIDEST = 116
HEAD = "head"


class StageRow(QWidget):
    """Stages from the input to the head; `chosen(frozen)` tells "none", a stage's name or "all"."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._frozen = "none"
        self._hover = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Frozen stages"))

    def show_backbone(self, backbone: Backbone, frozen: str) -> None:
        """The stages of `backbone`, frozen up to and with `frozen`."""
        self._names = backbone.stage_names
        self._frozen = frozen
        self.setAccessibleDescription(self.sentence())
        self.update()

    def frozen_stages(self) -> int:
        """How many stages stay as they are."""
        if self._frozen == "all":
            return len(self._names)
        return self._names.index(self._frozen) + 1 if self._frozen in self._names else 0

    def sentence(self) -> str:
        """What the picture says in words."""
        frozen, stages = self.frozen_stages(), len(self._names)
        if not frozen:
            return self.tr("Every stage learns.")
        if frozen == stages:
            return self.tr("Only the new head learns.")
        return self.tr("Frozen up to {stage}; {n} of {all} stages and the head learn.").format(
            stage=self._names[frozen - 1], n=stages - frozen, all=stages
        )

    def sizeHint(self) -> QSize:
        return QSize(480, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, HEIGHT)

    # Geometry

    def _block(self, at: int) -> QRectF:
        count = len(self._names) + 1
        wide = min(WIDEST, (self.width() - 4 - GAP * (count - 1)) / count)
        high = HEIGHT - 8 - 16 * at / max(1, count - 1)  # maps get smaller on the way
        return QRectF(2 + at * (wide + GAP), (HEIGHT - high) / 2, wide, high)

    def _at(self, point: QPointF) -> int:
        for at in range(len(self._names)):
            if self._block(at).adjusted(-GAP / 2, -8, GAP / 2, 8).contains(point):
                return at
        return -1

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        theme, frozen = Theme.of(self), self.frozen_stages()
        for at, name in enumerate((*self._names, HEAD)):
            self._paint_block(painter, theme, at, name, at < frozen)
        if self.hasFocus() and self._names:
            around = self._block(0).united(self._block(len(self._names)))
            painter.setPen(QPen(theme.accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(around.adjusted(-1, -1, 1, 1), 6, 6)

    def _paint_block(
        self, painter: QPainter, theme: Theme, at: int, name: str, frozen: bool
    ) -> None:
        box = self._block(at)
        if at:
            painter.setPen(QPen(theme.line, 1))
            middle = HEIGHT / 2
            painter.drawLine(QPointF(box.left() - GAP, middle), QPointF(box.left(), middle))
        learns = at == len(self._names)
        colour = theme.line if frozen else theme.accent
        painter.setPen(QPen(colour, 2 if at == self._hover else 1))
        painter.setBrush(theme.hover if frozen else theme.accent if learns else theme.raised)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(theme.muted if frozen else theme.on_accent if learns else theme.text)
        text = self._words(painter, name, box)
        if frozen:
            draw_icon(painter, "snowflake", QRectF(box.center().x() - 6, 8, 12, 12), theme.muted)
            painter.setPen(theme.muted)
            box = box.adjusted(0, 10, 0, 0)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    @staticmethod
    def _words(painter: QPainter, name: str, box: QRectF) -> str:
        metrics = QFontMetrics(painter.font())
        short = "".join(c for c in name if c.isdigit())
        if metrics.horizontalAdvance(name) <= box.width() - 2 or not short:
            return name
        return name[0] + short

    # Hands

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            self.update()
            text = (
                self.tr("Click: freeze up to {stage}").format(stage=self._names[at])
                if at >= 0
                else ""
            )
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at >= 0 and event.button() is Qt.MouseButton.LeftButton:
            # a click on the last frozen stage thaws it
            self._choose(at if at + 1 == self.frozen_stages() else at + 1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # what was pressed here is not for the widgets below

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            event.ignore()
            return
        self._choose(self.frozen_stages() + step)

    def _choose(self, count: int) -> None:
        count = max(0, min(len(self._names), count))
        name = "none" if count == 0 else "all" if count == len(self._names) else None
        self.chosen.emit(name or self._names[count - 1])

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()
