"""Notifications: messages over the window that block nothing and close by themselves."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel

DURATIONS = {"info": 5000, "warn": 12000, "bad": 0}  # milliseconds; 0: until it is closed
_ICONS = {"info": ("info", "accent"), "warn": ("warning", "warn"), "bad": ("warning-circle", "bad")}
_MAX_CARDS = 4
_WIDTH = 360  # pixels


class _Card(QFrame):
    def __init__(self, text: str, kind: str, more: bool) -> None:
        super().__init__()
        self.text = text
        self.setProperty("role", "note")
        self.setFixedWidth(_WIDTH)
        symbol = QLabel()
        name, role = _ICONS[kind]
        symbol.setPixmap(icon(name, self, role).pixmap(QSize(20, 20), self.devicePixelRatioF()))
        message = PlainLabel(text)
        message.setWordWrap(True)
        message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.close_button = QToolButton()
        self.close_button.setIcon(icon("x", self))
        self.close_button.setToolTip(tr("Close"))
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.addWidget(symbol, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(message, 1)
        self.show_button = QPushButton(tr("Show"))
        self.show_button.setVisible(more)
        row.addWidget(self.show_button, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)


_INPUTS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QSlider)


class Notifications(QWidget):
    """Column of cards at the bottom of its host: at the right, unless it would cover more fields
    and buttons there than in the middle or at the left."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._cards: list[_Card] = []
        host.installEventFilter(self)
        self.hide()

    def post(self, text: str, kind: str = "info", show: Callable[[], None] | None = None) -> None:
        """Show a card with `text`, in place of one with the same text.

        `kind` is "info", "warn" or "bad"; it sets the icon and how long the card stays. With
        `show`, the card has a button that calls it.
        """
        for card in [card for card in self._cards if card.text == text]:
            self._remove(card)
        card = _Card(text, kind, show is not None)
        if show is not None:
            card.show_button.clicked.connect(show)
            card.show_button.clicked.connect(lambda: self._remove(card))
        card.close_button.clicked.connect(lambda: self._remove(card))
        self._cards.append(card)
        self._column.addWidget(card)
        if DURATIONS[kind]:
            QTimer.singleShot(DURATIONS[kind], card, lambda: self._remove(card))
        while len(self._cards) > _MAX_CARDS:
            self._remove(self._cards[0])
        self.place()

    def texts(self) -> list[str]:
        """Texts of the cards shown, the oldest first."""
        return [card.text for card in self._cards]

    def _remove(self, card: _Card) -> None:
        if card in self._cards:
            self._cards.remove(card)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
            self.place()

    def place(self) -> None:
        """Place the cards; to be called when another page is shown."""
        self.setVisible(bool(self._cards))
        if self._cards:
            height = sum(card.heightForWidth(_WIDTH) + 8 for card in self._cards) - 8
            host = self._host.rect()
            top, right = host.bottom() - height - 16, host.right() - _WIDTH - 16
            places = [QRect(left, top, _WIDTH, height) for left in (right, right // 2, 16)]
            self.setGeometry(min(places, key=self._covered))
            self.raise_()

    def _covered(self, place: QRect) -> int:
        """Number of fields and buttons in view that cards at `place` would cover."""
        return sum(
            place.intersects(shown.translated(one.mapTo(self._host, QPoint(0, 0))))
            for one in self._host.findChildren(QWidget)
            if isinstance(one, _INPUTS) and one.isVisible() and not self.isAncestorOf(one)
            if not (shown := one.visibleRegion().boundingRect()).isEmpty()
        )

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.place()
        return False
