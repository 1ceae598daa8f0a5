"""Where the parts of the Views page stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from workbench.ui.widgets.side import SidePanel, with_side

if TYPE_CHECKING:
    from workbench.ui.views.page import ViewsPage

_STRIP = 112


def arrange(page: ViewsPage) -> tuple[QStackedWidget, QSplitter]:
    """Put the parts in their places; the stack of stage and empty state, and the splitter."""
    stage = QWidget()
    beside = QHBoxLayout(stage)
    beside.setContentsMargins(16, 0, 12, 0)
    beside.setSpacing(12)
    beside.addWidget(page.stage, 1)
    beside.addWidget(page.keys)
    stack = QStackedWidget()
    stack.addWidget(stage)
    stack.addWidget(page.none)
    page.strip.setFixedHeight(_STRIP)
    line = QWidget()
    filters = QVBoxLayout(line)
    filters.setContentsMargins(16, 0, 12, 0)
    filters.addWidget(page.bar)
    main = QWidget()
    column = QVBoxLayout(main)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    column.addWidget(page.header)
    column.addWidget(line)
    column.addWidget(stack, 1)
    column.addWidget(page.strip)
    side = SidePanel()
    side.add(page.tr("Coverage"), page.coverage, stretch=3)
    side.add(page.tr("History"), page.history)
    splitter = with_side(main, side)
    whole = QVBoxLayout(page)
    whole.setContentsMargins(0, 0, 0, 0)
    whole.addWidget(splitter)
    return stack, splitter
