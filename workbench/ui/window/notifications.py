"""Sentences that come and go over the window without stopping anyone."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from workbench.domain.text import tr
from workbench.ui.look.icons import icon

_LASTS = {"info": 5000, "warn": 12000, "bad": 0}  # milliseconds; 0 stays until it is closed
_ICONS = {"info": ("info", "accent"), "warn": ("warning", "warn"), "bad": ("warning-circle", "bad")}
_MOST = 4
_WIDTH = 360


class _Card(QFrame):
    def __init__(self, text: str, kind: str) -> None:
        super().__init__()
        self.text = text
        self.setProperty("role", "note")
        self.setFixedWidth(_WIDTH)
        sign = QLabel()
        name, role = _ICONS[kind]
        sign.setPixmap(icon(name, self, role).pixmap(QSize(20, 20), self.devicePixelRatioF()))
        words = QLabel(text)
        words.setWordWrap(True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.close_button = QToolButton()
        self.close_button.setIcon(icon("x", self))
        self.close_button.setToolTip(tr("Close"))
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(words, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)


class Notifications(QWidget):
    """A column of cards at the lower right of the widget it lies over."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._cards: list[_Card] = []
        over.installEventFilter(self)
        self.hide()

    def say(self, text: str, kind: str = "info") -> None:
        """Show `text`; the same sentence is not shown twice at once."""
        for card in [card for card in self._cards if card.text == text]:
            self._drop(card)
        card = _Card(text, kind)
        card.close_button.clicked.connect(lambda: self._drop(card))
        self._cards.append(card)
        self._column.addWidget(card)
        if _LASTS[kind]:
            QTimer.singleShot(_LASTS[kind], card, lambda: self._drop(card))
        while len(self._cards) > _MOST:
            self._drop(self._cards[0])
        self._place()

    def texts(self) -> list[str]:
        """What is being said."""
        return [card.text for card in self._cards]

    def _drop(self, card: _Card) -> None:
        if card in self._cards:
            self._cards.remove(card)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
            self._place()

    def _place(self) -> None:
        self.setVisible(bool(self._cards))
        if self._cards:
            height = sum(card.heightForWidth(_WIDTH) + 8 for card in self._cards) - 8
            size = QSize(_WIDTH, height)
            over = self._over.rect()
            self.setGeometry(
                over.right() - size.width() - 16,
                over.bottom() - size.height() - 16,
                size.width(),
                size.height(),
            )
            self.raise_()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False
