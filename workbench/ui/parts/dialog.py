"""A dialog that fits the screen."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QBoxLayout, QDialog, QFrame, QScrollArea, QVBoxLayout, QWidget

_FRAME = QSize(16, 40)  # room for the frame and title bar of a window


class Dialog(QDialog):
    """Base class of all dialogs: never larger than the screen.

    If even the smallest size does not fit, everything above the last row of the layout, which has
    the buttons, is put into a scroll area.
    """

    def showEvent(self, event: QShowEvent) -> None:
        """Fit the size to the screen; where the dialog opens is the window manager's decision."""
        self._fit_size(self.screen().availableGeometry())
        super().showEvent(event)

    def fit(self, screen: QRect) -> None:
        """Reduce the size to that of a screen (in logical pixels), scrolling what does not fit.

        A dialog that grew while it was open is moved so that all of it is on the screen.
        """
        self._fit_size(screen)
        if self.isVisible():
            self._move_onto(screen)

    def _fit_size(self, screen: QRect) -> None:
        room = screen.size() - _FRAME
        least = self.minimumSizeHint().expandedTo(self.minimumSize())
        if least != least.boundedTo(room):
            self._scroll_content()
        self.setMinimumSize(self.minimumSize().boundedTo(room))
        self.resize(self.size().boundedTo(room))

    def _move_onto(self, screen: QRect) -> None:
        frame = self.frameGeometry()
        right, bottom = min(frame.right(), screen.right()), min(frame.bottom(), screen.bottom())
        frame.moveBottomRight(QPoint(right, bottom))
        self.move(max(frame.left(), screen.left()), max(frame.top(), screen.top()))

    def _scroll_content(self) -> None:
        layout = self.layout()
        if not isinstance(layout, QBoxLayout) or layout.count() < 2:
            return
        last = layout.takeAt(layout.count() - 1)
        assert last is not None
        content = QWidget()
        content.setLayout(layout)  # takes the widgets along
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(content)
        outer = QVBoxLayout(self)
        margins = layout.contentsMargins()
        outer.setContentsMargins(0, 0, 0, margins.bottom())
        outer.setSpacing(layout.spacing())
        outer.addWidget(area, 1)
        below = QVBoxLayout()
        below.setContentsMargins(margins.left(), 0, margins.right(), 0)
        outer.addLayout(below)
        if (widget := last.widget()) is not None:
            below.addWidget(widget)
        elif (row := last.layout()) is not None:
            below.addLayout(row)
