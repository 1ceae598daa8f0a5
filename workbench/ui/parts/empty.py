"""The empty state of a page: a sentence with the next step, and a button for it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.ui.look.icons import icon

_PIXELS = 48
_SENTENCE = 440


class EmptyState(QWidget):
    """An icon, a sentence and at most one button, centred."""

    def __init__(
        self,
        icon_name: str,
        sentence: str,
        button_text: str = "",
        callback: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._icon_name = icon_name
        self.sentence = QLabel(sentence)
        self.sentence.setWordWrap(True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setProperty("role", "muted")
        self.sentence.setMaximumWidth(_SENTENCE)
        self.button = QPushButton(button_text)
        self.button.setProperty("primary", True)
        self.button.setVisible(bool(button_text))
        if callback is not None:
            self.button.clicked.connect(lambda: callback())
        column = QVBoxLayout(self)
        column.setSpacing(16)
        column.addStretch(1)
        middle = QHBoxLayout()  # an aligned label would not get the height of its wrapped lines
        middle.addStretch(1)
        middle.addWidget(self.sentence, 1000)
        middle.addStretch(1)
        column.addWidget(self._icon)
        column.addLayout(middle)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self._draw_icon()

    def set_text(self, sentence: str, button_text: str = "") -> None:
        """Change the sentence and the button; a button without text is hidden."""
        self.sentence.setText(sentence)
        self.button.setText(button_text)
        self.button.setVisible(bool(button_text))

    def _draw_icon(self) -> None:
        drawn = icon(self._icon_name, self, "muted")
        ratio = self.devicePixelRatioF()
        self._icon.setPixmap(drawn.pixmap(QSize(_PIXELS, _PIXELS), ratio))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_icon()
        super().changeEvent(event)
