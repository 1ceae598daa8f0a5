"""The legend of a heat map: its colours, as they are drawn, from nothing to the most."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from workbench.app.explain.explaining import OPACITY, heat_layer
from workbench.ui.explain.views import layer_image
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized


class HeatLegend(QWidget):
    """A ramp of the colours with a word at each end."""

    def __init__(self) -> None:
        super().__init__()
        ramp = np.linspace(0, 1, 256, dtype=np.float32)[None]
        self._ramp = layer_image(heat_layer(ramp, 256, 1))
        self._opacity = OPACITY
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            self.tr("How strongly a place speaks for the label, each map on its own scale")
        )

    def set_opacity(self, opacity: float) -> None:
        """Draw the colours as strongly as the map is drawn."""
        self._opacity = opacity
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, 26)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = Theme.of(self)
        ramp = QRect(0, 0, self.width(), 8)
        painter.fillRect(ramp, theme.well)
        painter.setOpacity(self._opacity)
        painter.drawImage(ramp, self._ramp)
        painter.setOpacity(1.0)
        painter.setPen(theme.line)
        painter.drawRect(ramp.adjusted(0, 0, -1, -1))
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        painter.setPen(theme.muted)
        words = QRect(0, 10, self.width(), 16)
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft, self.tr("nothing"))
        painter.drawText(words, Qt.AlignmentFlag.AlignRight, self.tr("the most"))
        painter.end()
