"""Every picture, table and text can leave the window: copied, or saved as a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QSaveFile, QSize, Qt
from PySide6.QtGui import QAction, QGuiApplication, QPainter, QPixmap
from PySide6.QtWidgets import (
    QDialog,
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

from workbench.domain.text import tr
from workbench.ui.look.icons import icon

Notify = Callable[[str, str], None]
SCALE = 2.0  # saved pictures have this many pixels per pixel on the screen


def picture_of(widget: QWidget, scale: float = SCALE) -> QPixmap:
    """The widget as it looks, at `scale` pixels per screen pixel."""
    pixmap = QPixmap(QSize(round(widget.width() * scale), round(widget.height() * scale)))
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(widget.palette().window().color())
    painter = QPainter(pixmap)
    widget.render(painter, QPoint(), renderFlags=QWidget.RenderFlag.DrawChildren)
    painter.end()
    return pixmap


class Copies(QObject):
    """The ways out of one widget; `picture` and `data` (CSV text) may be None where there is none.

    Hangs the actions on the widget's context menu (unless `menu` is False: the widget has its own)
    and on any button made by `button`.
    """

    def __init__(
        self,
        widget: QWidget,
        name: Callable[[], str],
        picture: Callable[[], QPixmap] | None,
        data: Callable[[], str] | None,
        notify: Notify,
        *,
        menu: bool = True,
    ) -> None:
        super().__init__(widget)
        self._widget, self._name, self._notify = widget, name, notify
        self._picture, self._data = picture, data
        self.actions = self._make_actions()
        if menu:
            widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            widget.customContextMenuRequested.connect(self._open_menu)

    def _make_actions(self) -> list[QAction]:
        widget, actions = self._widget, []
        wanted: list[tuple[str, Callable[[], None]]] = []
        if self._picture is not None:
            wanted += [(tr("Copy picture"), self.copy_picture)]
        if self._data is not None:
            wanted += [(tr("Copy table as CSV"), self.copy_data)]
        if self._picture is not None:
            wanted += [(tr("Save picture as PNG…"), self.ask_picture)]
        if self._data is not None:
            wanted += [(tr("Save table as CSV…"), self.ask_data)]
        for text, deed in wanted:
            action = QAction(text, widget)
            action.triggered.connect(lambda _=False, deed=deed: deed())
            actions.append(action)
        return actions

    def button(self, parent: QWidget) -> QToolButton:
        """A small button that opens the same menu."""
        button = QToolButton(parent)
        button.setIcon(icon("export", button))
        button.setAutoRaise(True)
        button.setToolTip(tr("Copy or save this as a picture or as data"))
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

    def copy_picture(self) -> None:
        if self._picture is not None:
            QGuiApplication.clipboard().setPixmap(self._picture())
            self._notify(tr("Copied the picture."), "info")

    def copy_data(self) -> None:
        if self._data is not None:
            QGuiApplication.clipboard().setText(self._data())
            self._notify(tr("Copied the table as CSV."), "info")

    def ask_picture(self) -> None:
        path = self._ask(".png", tr("PNG picture (*.png)"))
        if path is not None:
            self.save_picture(path)

    def ask_data(self) -> None:
        path = self._ask(".csv", tr("CSV table (*.csv)"))
        if path is not None:
            self.save_data(path)

    def _ask(self, suffix: str, kinds: str) -> Path | None:
        name = re.sub(r'[\\/:*?"<>|]+', " ", self._name()).strip() + suffix
        chosen, _ = QFileDialog.getSaveFileName(
            self._widget, tr("Save"), str(Path.home() / name), kinds
        )
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.suffix else path.with_suffix(suffix)

    def save_picture(self, path: Path) -> None:
        file = QSaveFile(str(path))
        if self._picture is not None and file.open(QSaveFile.OpenModeFlag.WriteOnly):
            self._picture().save(file, "PNG")
        self._say_saved(file, path)

    def save_data(self, path: Path) -> None:
        file = QSaveFile(str(path))
        if self._data is not None and file.open(QSaveFile.OpenModeFlag.WriteOnly):
            file.write(self._data().encode())
        self._say_saved(file, path)

    def _say_saved(self, file: QSaveFile, path: Path) -> None:
        if file.isOpen() and file.commit():
            self._notify(tr("Saved {path}.").format(path=path), "info")
        else:
            reason = file.errorString()
            self._notify(
                tr("{path} could not be written: {reason}.").format(path=path, reason=reason),
                "bad",
            )


class CopyDialog(QDialog):
    """Lays out what it tells one below the other, above *Copy* and *Close*."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.copy_button = QPushButton(tr("Copy"))

    def _lay_out(self, text: Callable[[], str], *told: QWidget) -> None:
        """`text` gives what is copied."""
        self.copy_button.clicked.connect(lambda: self._copy(text()))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        for widget in (*told, buttons):
            column.addWidget(widget)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.copy_button.setText(tr("Copied"))


def told_list(headers: list[str], first: int, last: int) -> QTreeWidget:
    """A list of three columns, the first and the last so many pixels wide."""
    made = QTreeWidget()
    made.setHeaderLabels(headers)
    made.setRootIsDecorated(False)
    made.setColumnWidth(0, first)
    made.header().setStretchLastSection(False)  # what is left over is the middle one's
    made.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    made.setColumnWidth(2, last)
    return made


def text_of(told: QTreeWidget) -> str:
    """A list's rows as lines, their columns between tabs."""
    items = [told.topLevelItem(row) for row in range(told.topLevelItemCount())]
    columns = range(told.columnCount())
    lines = ["\t".join(item.text(c) for c in columns).rstrip() for item in items if item]
    return "\n".join(lines)
