"""The menu bar: the commands that apply now, and the projects opened of late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QMainWindow, QMenu, QWidget

from workbench.ui.commands import Command, CommandRegistry, Menu


class Menus(QObject):
    """The menus of a window, one per `Menu`; those without commands are hidden."""

    def __init__(self, window: QMainWindow, commands: CommandRegistry) -> None:
        super().__init__(window)
        self._commands = commands
        bar = window.menuBar()
        self._menus = {menu: bar.addMenu(menu.title) for menu in Menu}
        for made in self._menus.values():
            made.aboutToShow.connect(commands.refresh)
            made.aboutToHide.connect(lambda: QTimer.singleShot(0, self, commands.enable_all))

    def __getitem__(self, menu: Menu) -> QMenu:
        return self._menus[menu]

    def add(self, owner: QWidget, commands: Sequence[Command]) -> None:
        """Register the commands of a page or of the window, and put each into its menu."""
        self._commands.add(owner, commands, self._menus)

    def show_page(self, page: QWidget | None) -> None:
        """Commands of hidden pages leave the menus, and menus without commands leave the bar."""
        self._commands.show_page(page)
        for menu in self._menus.values():
            menu.menuAction().setVisible(any(action.isVisible() for action in menu.actions()))


class RecentProjects(QMenu):
    """The projects opened of late, read each time the menu above opens."""

    def __init__(
        self,
        parent: QMenu,
        folders: Callable[[], Sequence[Path]],
        open_project: Callable[[Path], None],
    ) -> None:
        """`folders()` are listed without those that are open; `open_project(folder)` opens one."""
        super().__init__(parent)
        self.setTitle(self.tr("Open recent"))
        self._folders, self._open = folders, open_project
        parent.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for folder in self._folders():
            action = self.addAction(folder.stem)
            action.setToolTip(str(folder))
            action.triggered.connect(lambda _=False, f=folder: self._open(f))
        self.setEnabled(not self.isEmpty())
