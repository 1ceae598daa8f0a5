"""The window on one project: rail, pages made when first shown, menus, keys, notes, status."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QObject, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench import __version__
from workbench.app.device import DeviceProbe
from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.jobs import Failed
from workbench.app.service import LearningService
from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.app.similar.suggesting import SuggestionUpdater
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.changes import Changes
from workbench.ui.commands import Action, CommandRegistry, portable
from workbench.ui.dialogs.report import ReportDialog, describe_system
from workbench.ui.look.theme import apply_theme
from workbench.ui.page import Context, Page
from workbench.ui.window.held_keys import HeldKeys
from workbench.ui.window.notifications import Notifications
from workbench.ui.window.palette import CommandPalette, PaletteEntry
from workbench.ui.window.rail import Rail, page_entries
from workbench.ui.window.statusbar import StatusBar

MENUS = ("File", "Edit", "Label", "Run", "View", "Help")


def window_actions(window: MainWindow) -> list[Action]:
    """The window's own actions, in the order of the menus."""
    return [*_file(window), *_edit(window), *_view(window), *_help(window)]


def _file(window: MainWindow) -> list[Action]:
    tr, deeds = window.tr, window.deeds
    return [
        Action("new", tr("New project…"), deeds.new_project, "Ctrl+N", menu="File"),
        Action("open", tr("Open project…"), deeds.open_project, "Ctrl+O", menu="File"),
        Action("import_folder", tr("Import folder…"), deeds.import_folder, "Ctrl+I", menu="File"),
        Action(
            "import_list", tr("Import list file…"), deeds.import_list, "Ctrl+Shift+I", menu="File"
        ),
        Action("import_labels", tr("Import labels…"), deeds.import_labels, menu="File"),
        Action("export_labels", tr("Export labels…"), deeds.export_labels, "Ctrl+E", menu="File"),
        Action("relink", tr("Find moved sources…"), deeds.relink, menu="File"),
        Action("close", tr("Close window"), window.close, "Ctrl+W", menu="File"),
    ]


def _edit(window: MainWindow) -> list[Action]:
    tr, history = window.tr, window.session.store.history
    return [
        Action(
            "undo",
            tr("Undo"),
            window.deeds.undo,
            "Ctrl+Z",
            lambda: history.undo_text() is not None,
            "Edit",
        ),
        Action(
            "redo",
            tr("Redo"),
            window.deeds.redo,
            "Ctrl+Shift+Z",
            lambda: history.redo_text() is not None,
            "Edit",
        ),
        Action(
            "label_sets", tr("Label sets…"), window.deeds.edit_label_sets, "Ctrl+L", menu="Label"
        ),
        Action("split", tr("Split images…"), window.deeds.split, "Ctrl+Shift+S", menu="Label"),
    ]


def _view(window: MainWindow) -> list[Action]:
    tr = window.tr
    pages = [
        Action(
            f"go_{page.name}",
            tr("Go to {0}").format(page.title),
            partial(window.go, page.name),
            f"Ctrl+{number}",
            menu="View",
        )
        for number, page in enumerate(window.pages, start=1)
    ]
    themes = [
        Action(f"theme_{mode}", title, partial(window.deeds.set_theme, mode), menu="View")
        for mode, title in (
            ("system", tr("Theme: as the system")),
            ("light", tr("Theme: light")),
            ("dark", tr("Theme: dark")),
        )
    ]
    whole = Action("full_screen", tr("Full screen"), window.deeds.full_screen, "F11", menu="View")
    find = Action("palette", tr("Find a command…"), window.open_palette, "Ctrl+K", menu="View")
    return [*pages, find, whole, *themes]


def _help(window: MainWindow) -> list[Action]:
    tr = window.tr
    return [
        Action("keys", tr("Keys…"), window.deeds.show_keys, "F1", menu="Help"),
        Action("doctor", tr("Check this computer…"), window.deeds.doctor, menu="Help"),
        Action("about", tr("About Vantage Workbench"), window.deeds.about, menu="Help"),
    ]


def ask_new_project(parent: QWidget) -> Path | None:
    """Where a new project is to be; None when the person thought better of it."""
    title = parent.tr("New project")
    chosen, _ = QFileDialog.getSaveFileName(
        parent, title, str(Path.home() / "project.workbench"), "Projects (*.workbench)"
    )
    return Path(chosen) if chosen else None


def ask_project(parent: QWidget) -> Path | None:
    """An existing project's folder; None when none was chosen."""
    title = parent.tr("Open project (a folder that ends in .workbench)")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    return Path(chosen) if chosen else None


class WindowCommands(QObject):
    """The callbacks of `window_actions`."""

    def __init__(self, window: MainWindow, switch: Callable[[Path, bool], None]) -> None:
        """`switch(folder, new)` puts another project in this one's place."""
        super().__init__(window)
        self._window = window
        self._switch = switch

    def new_project(self) -> None:
        folder = ask_new_project(self._window)
        if folder is not None:
            self._switch(folder, True)

    def open_project(self) -> None:
        folder = ask_project(self._window)
        if folder is not None:
            self._switch(folder, False)

    def open_recent(self, folder: Path) -> None:
        self._switch(folder, False)

    def import_folder(self) -> None:
        from workbench.ui.dialogs.importing import ask_for_folder

        ask_for_folder(self._window.context, self._window)

    def import_list(self) -> None:
        from workbench.ui.dialogs.importing import ask_for_list

        ask_for_list(self._window.context, self._window)

    def import_labels(self) -> None:
        from workbench.ui.dialogs.files import ask_import

        ask_import(self._window.context, self._window)

    def export_labels(self) -> None:
        from workbench.ui.dialogs.files import ask_export

        ask_export(self._window.context, self._window)

    def relink(self) -> None:
        from workbench.ui.dialogs.files import find_moved

        find_moved(self._window.context, self._window)

    def say_moved(self) -> None:
        from workbench.ui.dialogs.files import say_moved

        say_moved(self._window.context, self._window)

    def undo(self) -> None:
        self._say(self._window.session.undo(), self.tr("Undone: {0}"))

    def redo(self) -> None:
        self._say(self._window.session.redo(), self.tr("Done again: {0}"))

    def _say(self, text: str | None, sentence: str) -> None:
        if text is not None:
            self._window.notify(sentence.format(text), "info")

    def edit_label_sets(self) -> None:
        from workbench.ui.dialogs.label_sets import LabelSetsDialog

        self._show(LabelSetsDialog(self._window.session, parent=self._window))

    def split(self) -> None:
        from workbench.ui.dialogs.split import SplitDialog

        self._show(SplitDialog(self._window.context, self._window))

    def _show(self, dialog: QDialog) -> None:
        dialog.exec()
        dialog.deleteLater()

    def set_theme(self, mode: str) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply_theme(application, mode)
        self._window.settings.set_theme(mode)

    def full_screen(self) -> None:
        window = self._window
        window.showNormal() if window.isFullScreen() else window.showFullScreen()

    def show_keys(self) -> None:
        from workbench.ui.dialogs.keys import KeysDialog

        self._window.make_all_pages()
        self._show(KeysDialog(self._window.board, self._window.settings, self._window))

    def doctor(self) -> None:
        from workbench.ui.dialogs.doctor import DoctorDialog

        self._show(DoctorDialog(self._window.session, self._window))

    def about(self) -> None:
        QMessageBox.about(
            self._window,
            self.tr("About Vantage Workbench"),
            self.tr(
                "Vantage Workbench {0}\n\nLabel, train and understand fine-grained image "
                "classifiers in one offline desktop program.\n\nApache License 2.0"
            ).format(__version__),
        )


STATE = "window"  # key of the project's settings


def _refuse(_: Path, __: bool) -> None:
    """A window that stands alone opens no other project."""


class MainWindow(QMainWindow):
    """One project's window. Closing it pauses trainings, stops other jobs, closes the project."""

    def __init__(
        self,
        session: Session,
        settings: UserSettings | None = None,
        switch: Callable[[Path, bool], None] = _refuse,
    ) -> None:
        super().__init__()
        self.session = session
        self.settings = settings if settings is not None else UserSettings(None)
        self.pages = page_entries()
        self.context = Context(
            session=session,
            service=LearningService(self),
            queue=TrainingQueue(session),
            thumbnails=ThumbnailLoader(session),
            go=self.go,
            notify=self.notify,
        )
        self.suggestions = SuggestionUpdater(session, self)
        self.deeds = WindowCommands(self, switch)
        self.board = CommandRegistry(self.settings.keys)
        self.held_keys = HeldKeys(self, self.board, self.current_page, session.store.labels.sets)
        self._made: dict[str, Page] = {}
        self._state: dict[str, Any] = dict(session.store.settings.get(STATE, {}) or {})
        self._shown = ""
        self._closed = False
        self._build()
        self._fill_menus()
        self._listen()
        self._restore()

    # structure

    def _build(self) -> None:
        self.setWindowTitle(f"{self.session.store.name} – Vantage Workbench")
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 520)  # a 1,920 × 1,080 screen at 200 %
        self.rail = Rail(self.pages)
        self.stack = QStackedWidget()
        self.status = StatusBar(self.session.jobs, self.context.queue)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.stack, 1)
        right.addWidget(self.status)
        middle = QWidget()
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(right, 1)
        self.setCentralWidget(middle)
        self.notes = Notifications(self.stack)
        self.palette_box = CommandPalette(self)

    def _fill_menus(self) -> None:
        titles = {
            "File": self.tr("File"),
            "Edit": self.tr("Edit"),
            "Label": self.tr("Label"),
            "Run": self.tr("Run"),
            "View": self.tr("View"),
            "Help": self.tr("Help"),
        }
        self.menus = {name: self.menuBar().addMenu(titles[name]) for name in MENUS}
        self.board.add(self, window_actions(self), self.menus)
        history = self.session.store.history
        undo, redo = self.tr("Undo {0}"), self.tr("Redo {0}")
        self.board.set_title("undo", lambda: undo.format(history.undo_text() or "").strip())
        self.board.set_title("redo", lambda: redo.format(history.redo_text() or "").strip())
        self._recent = QMenu(self.tr("Open recent"), self)
        file_menu = self.menus["File"]
        file_menu.insertMenu(file_menu.actions()[2], self._recent)
        for menu in self.menus.values():
            self._watch(menu)

    def _watch(self, menu: QMenu) -> None:
        menu.aboutToShow.connect(self._menu_opens)
        menu.aboutToHide.connect(lambda: QTimer.singleShot(0, self, self.board.enable_all))

    def _menu_opens(self) -> None:
        self.board.refresh()
        self._recent.clear()
        for folder in self.settings.recent:
            if folder != self.session.store.folder:
                open_it = self._recent.addAction(folder.stem)
                open_it.setToolTip(str(folder))
                open_it.triggered.connect(lambda _=False, f=folder: self.deeds.open_recent(f))
        self._recent.setEnabled(not self._recent.isEmpty())

    def _listen(self) -> None:
        self.rail.chosen.connect(self.go)
        self.palette_box.chosen.connect(self.board.trigger)
        self.session.changed.connect(self._changed)
        self.session.jobs.ended.connect(self._job_ended)
        self.device = DeviceProbe(self)
        self.device.found.connect(self.status.set_device)
        self.device.start()
        QTimer.singleShot(0, self, self._look_round)

    def _look_round(self) -> None:
        if not self._closed:
            self.deeds.say_moved()

    # pages

    def page(self, name: str) -> Page:
        """The page called `name`, made now if it is not there yet."""
        if name not in self._made:
            entry = next(page for page in self.pages if page.name == name)
            made: Page = getattr(import_module(entry.module), entry.class_name)(self.context)
            self._made[name] = made
            self.stack.addWidget(made)
            self._add_menus(made)
            made.restore_state(self._state.get("pages", {}).get(name, {}))
        return self._made[name]

    def _add_menus(self, page: Page) -> None:
        actions = page.actions()
        for action in actions:
            if action.menu and action.menu not in self.menus:
                menu = QMenu(action.menu, self)
                self.menuBar().insertMenu(self.menus["Help"].menuAction(), menu)
                self.menus[action.menu] = menu
                self._watch(menu)
        self.board.add(page, actions, self.menus)

    def make_all_pages(self) -> None:
        """Make the pages that were not opened yet, for a list of all that can be done."""
        for entry in self.pages:
            self.page(entry.name)
        self._show_menus()

    def go(self, name: str, **what: Any) -> None:
        """Show a page and tell it what to show."""
        page = self.page(name)
        self._shown = name
        self.stack.setCurrentWidget(page)
        self.rail.show_chosen(name)
        self._show_menus()
        page.opened(**what)
        page.setFocus()

    def current_page(self) -> Page | None:
        """The page that is shown."""
        return self._made.get(self._shown)

    def _show_menus(self) -> None:
        """Actions of hidden pages leave the menus, and menus without actions leave the bar."""
        self.board.show_page(self.current_page())
        for menu in self.menus.values():
            menu.menuAction().setVisible(any(action.isVisible() for action in menu.actions()))

    def _changed(self, changes: Changes) -> None:
        for page in self._made.values():
            page.refresh(changes)

    # what is said

    def notify(self, text: str, kind: str = "info") -> None:
        """Say a sentence over the page."""
        self.notes.say(text, kind)

    def show_report(self, report: str) -> None:
        """Show the report of a defect."""
        dialog = ReportDialog(report, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _job_ended(self, job: object, outcome: object) -> None:
        if not isinstance(outcome, Failed):
            return
        if outcome.report:
            self.show_report(f"{describe_system()}{outcome.sentence}\n\n{outcome.report}")
        else:
            self.notify(f"{outcome.sentence} {outcome.remedy}".strip(), "bad")

    def open_palette(self) -> None:
        """Every action that is there now, to be found by a few letters."""
        page = self.current_page()
        entries = [
            PaletteEntry(action.id, title, action.menu, self.board.key(action), action.enabled())
            for action, title in self.board.shown(page)
            if action.id != "palette"
        ]
        self.palette_box.open_with(entries)

    # hands

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Bare keys that no control took belong to the page's actions."""
        if not self.board.press(self.current_page(), portable(event)):
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.held_keys.watch()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        places = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        QTimer.singleShot(0, self, lambda: self.import_places(places))

    def import_places(self, places: list[Path]) -> None:
        """Ask what dropped folders and lists say, and import them."""
        from workbench.ui.dialogs.importing import ask_and_import

        if places:
            ask_and_import(self.context, self, places)

    # a restart, and the end

    def _restore(self) -> None:
        self.resize(1280, 800)
        geometry = self._state.get("geometry", "")
        if isinstance(geometry, str) and geometry:
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))
        shown = self._state.get("page", "images")
        self.go(shown if shown in {page.name for page in self.pages} else "images")

    def save_state(self) -> None:
        """Keep page, filters, selections, splitters and geometry for the next start."""
        pages = dict(self._state.get("pages", {}))
        pages.update({name: page.save_state() for name, page in self._made.items()})
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        state = {"geometry": geometry, "page": self._shown, "pages": pages}
        self.session.store.settings.put(STATE, state)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.shut_down()
        event.accept()
        super().closeEvent(event)

    def shut_down(self) -> None:
        """End everything in the order in which nothing is lost; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self.save_state()
        for page in self._made.values():
            page.closing()
        self.device.close()
        self.context.queue.close()
        self.session.jobs.stop_all_and_wait()
        self.context.service.close()
        self.context.thumbnails.close()
        self.session.close()
