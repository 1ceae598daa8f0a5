"""The side panel of a page: sections with headings, initially 280 pixels wide."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSplitter, QVBoxLayout
from PySide6.QtWidgets import QWidget as Widget

from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import split

SIDE_WIDTH = 280
LEAST_WIDTH = 200


class SidePanel(QScrollArea):
    """A scrolling column of sections."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        inner = Widget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(8, 8, 16, 16)
        self._column.setSpacing(16)
        self._column.addStretch(1)
        self.setWidget(inner)

    def minimumSizeHint(self) -> QSize:
        """Room for the content beside its scroll bar, within limits: wider content scrolls."""
        needed = self._column.minimumSize().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(min(SIDE_WIDTH, max(LEAST_WIDTH, needed)), super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow changes of the content's smallest size."""
        if event.type() is QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def add(self, title: str, content: Widget, *beside: Widget, stretch: int = 0) -> Widget:
        """Add a section and return it: a heading ("" for none) with the controls `beside` it, and
        `content` below. `stretch` is its share of spare height."""
        section = Widget()
        rows = QVBoxLayout(section)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(8)
        if title:
            rows.addLayout(_head(title, beside))
        rows.addWidget(content, 1)
        self._column.insertWidget(self._column.count() - 1, section, stretch)
        return section


def _head(title: str, beside: tuple[Widget, ...]) -> QHBoxLayout:
    line = QHBoxLayout()
    heading = PlainLabel(title)
    heading.setProperty("role", "heading")
    line.addWidget(heading)
    line.addStretch(1)
    for widget in beside:
        line.addWidget(widget)
    return line


def with_side(main: Widget, side: Widget) -> QSplitter:
    """A splitter with the main part of a page and, at the right, its side panel."""
    return split(main, side, sizes=(1000, SIDE_WIDTH), stretch=(1, 0))
