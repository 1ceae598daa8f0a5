"""The line at the top of the Mouths page: how far one is, and the button that finds mouths."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QWidget,
)

from workbench.app.mouths.mouth_book import MouthBook
from workbench.ui.look.icons import icon
from workbench.ui.page import PageHeader

NEW, SELECTED, ALL = "new", "selected", "all"


class MouthHeader(PageHeader):
    """`find_wanted(which)` where which is "new" (images not looked at), "selected" or "all"."""

    find_wanted = Signal(str)
    marks_toggled = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(140)
        self.marks = QToolButton()
        self.marks.setIcon(icon("eye", self))
        self.marks.setCheckable(True)
        self.marks.setChecked(True)
        self.marks.setToolTip(self.tr("Show landmarks and squares (M)"))
        self.marks.setAccessibleName(self.tr("Show landmarks and squares"))
        self.marks.toggled.connect(self.marks_toggled)
        self.find_button = QPushButton()
        self.find_button.setIcon(icon("user-focus", self))
        self.find_button.clicked.connect(lambda: self.find_wanted.emit(NEW))
        self.more = QToolButton()
        self.more.setIcon(icon("caret-down", self))
        self.more.setToolTip(self.tr("Where to find mouths"))
        self.more.setAccessibleName(self.more.toolTip())
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self.more)
        self.choices = {which: self._choice(which) for which in (NEW, SELECTED, ALL)}
        self.more.setMenu(self._menu)
        self.add(self.count, self.bar)
        self.stretch()
        self.controls = QWidget()
        row = QHBoxLayout(self.controls)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self.marks, self.find_button, self.more):
            row.addWidget(widget)
        self.add(self.controls)

    def _choice(self, which: str) -> QAction:
        action = QAction(self._menu)
        action.triggered.connect(lambda: self.find_wanted.emit(which))
        self._menu.addAction(action)
        return action

    def toggle_marks(self) -> None:
        """Show landmarks and squares, or the bare photo."""
        self.marks.toggle()

    def show_progress(self, done: int, total: int) -> None:
        """Mouths labelled, of all."""
        self.count.setVisible(total > 0)
        self.bar.setVisible(total > 0)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)
        self.count.setText(
            self.tr("{done} of {total} mouths labelled").format(
                done=f"{done:,}", total=f"{total:,}"
            )
        )

    def show_choices(self, book: MouthBook, selected: int, running: bool) -> None:
        """How many images each way of finding mouths would look at."""
        images = book.images
        new = images - book.looked_at
        texts = {
            NEW: self.tr("In {n} images not looked at yet").format(n=f"{new:,}"),
            SELECTED: self.tr("Again in {n} selected images").format(n=f"{selected:,}"),
            ALL: self.tr("Again in all {n} images").format(n=f"{images:,}"),
        }
        counts = {NEW: new, SELECTED: selected, ALL: images}
        for which, action in self.choices.items():
            action.setText(texts[which])
            action.setEnabled(counts[which] > 0 and not running)
        self.find_button.setText(self.tr("Finding mouths…") if running else self.tr("Find mouths"))
        self.find_button.setEnabled(new > 0 and not running)
        self.find_button.setToolTip(texts[NEW] + " (Ctrl+M)")
        primary = new > 0 and not running
        if self.find_button.property("primary") != primary:
            self.find_button.setProperty("primary", primary)
            self.find_button.setIcon(icon("user-focus", self, "on_accent" if primary else ""))
            self.find_button.style().unpolish(self.find_button)
            self.find_button.style().polish(self.find_button)
        self.more.setEnabled(not running and images > 0)
