"""Copying and saving what widgets show: as an image, as a CSV table, or as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QSaveFile, QSize, Qt
from PySide6.QtGui import QAction, QGuiApplication, QPainter, QPixmap
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QHeaderView,
    QMenu,
    QPushButton,
    QToolButton,
    QTreeWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.spreadsheets import notes_on
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.parts.dialog import Dialog

Notify = Callable[[str, str], None]
SCALE = 2.0  # pixels of a saved image per pixel on the screen


def pixmap_of(widget: QWidget, scale: float = SCALE) -> QPixmap:
    """An image of the widget with `scale` pixels per pixel on the screen."""
    pixmap = QPixmap(QSize(round(widget.width() * scale), round(widget.height() * scale)))
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(widget.palette().window().color())
    painter = QPainter(pixmap)
    widget.render(painter, QPoint(), renderFlags=QWidget.RenderFlag.DrawChildren)
    painter.end()
    return pixmap


class Copies(QObject):
    """Actions that copy or save what a widget shows.

    `name()` returns the suggested file name, `pixmap()` the image, `data()` the CSV text; either
    of the two may be None. The actions are in the widget's context menu, unless `menu` is False
    because it has its own, and in the menu of buttons created with `button`.
    """

    def __init__(
        self,
        widget: QWidget,
        name: Callable[[], str],
        pixmap: Callable[[], QPixmap] | None,
        data: Callable[[], str] | None,
        notify: Notify,
        *,
        menu: bool = True,
    ) -> None:
        super().__init__(widget)
        self._widget, self._name, self._notify = widget, name, notify
        self._pixmap, self._data = pixmap, data
        self.actions = self._make_actions()
        if menu:
            widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            widget.customContextMenuRequested.connect(self._open_menu)

    def _make_actions(self) -> list[QAction]:
        widget, actions = self._widget, []
        entries: list[tuple[str, Callable[[], None]]] = []
        if self._pixmap is not None:
            entries += [(tr("Copy as image"), self.copy_image)]
        if self._data is not None:
            entries += [(tr("Copy table as CSV"), self.copy_data)]
        if self._pixmap is not None:
            entries += [(tr("Save as PNG…"), self.choose_image_file)]
        if self._data is not None:
            entries += [(tr("Save table as CSV…"), self.choose_data_file)]
        for text, run in entries:
            action = QAction(text, widget)
            action.triggered.connect(lambda _=False, run=run: run())
            actions.append(action)
        return actions

    def button(self, parent: QWidget) -> QToolButton:
        """A tool button with the same menu."""
        button = QToolButton(parent)
        button.setIcon(icon("export", button))
        button.setAutoRaise(True)
        button.setToolTip(tr("Copy or save as an image or a table"))
        button.setAccessibleName(button.toolTip())
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addActions(self.actions)
        button.setMenu(menu)
        return button

    def _open_menu(self, at: QPoint) -> None:
        menu = QMenu(self._widget)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(self.actions)
        menu.popup(self._widget.mapToGlobal(at))

    def copy_image(self) -> None:
        """Copy the image to the clipboard."""
        if self._pixmap is not None:
            QGuiApplication.clipboard().setPixmap(self._pixmap())
            self._notify(tr("Image copied."), "info")

    def copy_data(self) -> None:
        """Copy the table to the clipboard as CSV."""
        if self._data is not None:
            text = self._data()
            QGuiApplication.clipboard().setText(text)
            self._notify(_with_notes(tr("Table copied as CSV."), text), "info")

    def choose_image_file(self) -> None:
        """Let the user choose a PNG file and save the image there."""
        path = self._choose_file(".png", tr("PNG images (*.png)"))
        if path is not None:
            self.save_image(path)

    def choose_data_file(self) -> None:
        """Let the user choose a CSV file and save the table there."""
        path = self._choose_file(".csv", tr("CSV tables (*.csv)"))
        if path is not None:
            self.save_data(path)

    def _choose_file(self, suffix: str, kinds: str) -> Path | None:
        name = re.sub(r'[\\/:*?"<>|]+', " ", self._name()).strip() + suffix
        chosen, _ = QFileDialog.getSaveFileName(
            self._widget, tr("Save"), str(Path.home() / name), kinds
        )
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.suffix else path.with_suffix(suffix)

    def save_image(self, path: Path) -> None:
        """Save the image as a PNG file and show a notification, also of an error."""
        file = QSaveFile(str(path))
        if self._pixmap is not None and file.open(QSaveFile.OpenModeFlag.WriteOnly):
            self._pixmap().save(file, "PNG")
        self._finish(file, path)

    def save_data(self, path: Path) -> None:
        """Save the table as a CSV file and show a notification, also of an error."""
        file = QSaveFile(str(path))
        text = self._data() if self._data is not None else ""
        if self._data is not None and file.open(QSaveFile.OpenModeFlag.WriteOnly):
            file.write(text.encode())
        self._finish(file, path, text)

    def _finish(self, file: QSaveFile, path: Path, table: str = "") -> None:
        if file.isOpen() and file.commit():
            self._notify(_with_notes(tr("{path} saved.").format(path=path), table), "info")
        else:
            reason = file.errorString()
            self._notify(
                tr("{path} cannot be written: {reason}.").format(path=path, reason=reason),
                "bad",
            )


def _with_notes(text: str, table: str) -> str:
    """A text, and what was changed in a table for spreadsheets."""
    return " ".join([text, *map(tr, notes_on(table))])


class CopyDialog(Dialog):
    """A dialog with a column of widgets above the buttons *Copy* and *Close*."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.copy_button = QPushButton(tr("Copy"))

    def _lay_out(self, text: Callable[[], str], *contents: QWidget) -> None:
        """Show `contents`; `text()` returns what is copied."""
        self.copy_button.clicked.connect(lambda: self._copy(text()))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        for widget in (*contents, buttons):
            column.addWidget(widget)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.copy_button.setText(tr("Copied"))


def three_column_list(headers: list[str], first: int, last: int) -> QTreeWidget:
    """A list of three columns, the first and the last with the given widths in pixels."""
    made = QTreeWidget()
    made.setHeaderLabels(headers)
    made.setRootIsDecorated(False)
    made.setColumnWidth(0, first)
    made.header().setStretchLastSection(False)  # the middle column gets spare width
    made.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    made.setColumnWidth(2, last)
    return made


def text_of(tree: QTreeWidget) -> str:
    """The rows of a list as lines with tab-separated columns."""
    items = [tree.topLevelItem(row) for row in range(tree.topLevelItemCount())]
    columns = range(tree.columnCount())
    lines = ["\t".join(item.text(c) for c in columns).rstrip() for item in items if item]
    return "\n".join(lines)
