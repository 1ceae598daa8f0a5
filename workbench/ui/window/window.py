"""Main window of a project: navigation rail, pages, menus, keys, notifications, status bar."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QMessageBox,
    QStackedWidget,
)

from workbench import __version__
from workbench.app.device import DeviceProbe
from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.jobs import Failed, Job, Outcome
from workbench.app.restoring import daily_point_is_due, daily_task
from workbench.app.service import LearningService
from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.app.similar.suggesting import SuggestionUpdater
from workbench.app.training.adopting import AdoptedAgain
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.changes import Changes
from workbench.domain.text import mark, plural, tr
from workbench.domain.values import Json
from workbench.ui.commands import (
    Command,
    CommandRegistry,
    HeldKeys,
    Menu,
    Menus,
    RecentProjects,
    command,
    commands_of,
    portable,
)
from workbench.ui.dialogs.report import ReportDialog, describe_system
from workbench.ui.look.theme import apply_theme
from workbench.ui.page import PAGES, Context, Page, PageTarget, boxed, column, row
from workbench.ui.window.dialog_commands import DialogCommands
from workbench.ui.window.notifications import Notifications
from workbench.ui.window.palette import CommandPalette, PaletteEntry
from workbench.ui.window.rail import Rail
from workbench.ui.window.statusbar import StatusBar, read_only_banner

SHOWN_RUNS = 3  # in a notification
STATE = "window"  # key in the settings of the project
RESTORE_POINT_AFTER = 10_000  # milliseconds, so that it does not slow the start


def _ignore_switch(_: Path, __: bool) -> None:
    """Open no other project: default for a window on its own."""


def _offer_nothing() -> None:
    """Offer no restore points: default for a window on its own."""


class MainWindow(DialogCommands):
    """Window of one project. Closing it pauses runs, stops other jobs and closes the project.

    Pages are created when they are first shown.
    """

    def __init__(
        self,
        session: Session,
        settings: UserSettings | None = None,
        switch: Callable[[Path, bool], None] = _ignore_switch,
        offer_points: Callable[[], None] = _offer_nothing,
    ) -> None:
        """`switch(folder, new)` opens another project, created if `new`, in place of this one;
        `offer_points` shows the restore points of this one."""
        super().__init__()
        self.session = session
        self.settings = settings if settings is not None else UserSettings(None)
        self.context = Context(
            session=session,
            service=LearningService(self),
            queue=TrainingQueue(session),
            thumbnails=ThumbnailLoader(session),
            go=self.go,
            notify=self.notify,
        )
        self.suggestions = SuggestionUpdater(session, self)
        self._switch = switch
        self._offer_points = offer_points
        self.commands = CommandRegistry(self.settings.keys)
        self.held_keys = HeldKeys(self, self.commands, self.current_page, session.labels.sets)
        self._pages: dict[str, Page] = {}
        self._state: dict[str, Any] = dict(session.settings.get(STATE, {}) or {})
        self._shown = ""
        self._closed = False
        self._build()
        self._fill_menus()
        self._listen()
        self._restore()

    # Layout

    def _build(self) -> None:
        self.setWindowTitle(f"{self.session.name} – Vantage Workbench")
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 520)  # a 1,920 × 1,080 screen at 200 %
        self.rail = Rail(PAGES.values())
        self.stack = QStackedWidget()
        self.status = StatusBar(self.session.jobs, self.context.queue)
        right = column(*read_only_banner(self.session.read_only), (self.stack, 1), self.status)
        self.setCentralWidget(boxed(row(self.rail, (right, 1))))
        self.notes = Notifications(self.stack)
        self.stack.currentChanged.connect(self.notes.place)
        self.palette_box = CommandPalette(self)

    def _fill_menus(self) -> None:
        self.menus = Menus(self, self.commands)
        own = commands_of(self)
        view = [each.menu for each in own].index(Menu.VIEW)
        self.menus.add(self, [*own[:view], *self._page_commands(), *own[view:]])
        file = self.menus[Menu.FILE]
        recent = RecentProjects(file, self._other_projects, self.open_recent)
        file.insertMenu(file.actions()[2], recent)

    def _page_commands(self) -> list[Command]:
        title = tr("Go to {page}")
        return [
            Command(
                f"go_{page.name}",
                title.format(page=page.title_now()),
                partial(self.go, page.name),
                f"Ctrl+{number}",
                Menu.VIEW,
            )
            for number, page in enumerate(PAGES.values(), start=1)
        ]

    def _other_projects(self) -> list[Path]:
        return [each for each in self.settings.recent if each != self.session.folder]

    def _listen(self) -> None:
        self.rail.chosen.connect(self.go)
        self.palette_box.chosen.connect(self.commands.trigger)
        self.session.changed.connect(self._changed)
        self.status.annotator_clicked.connect(self.choose_annotator)
        self.session.annotator_changed.connect(self.status.show_annotator)
        self.session.set_annotator(self.settings.annotator, self.settings.repeat_share)
        self.session.jobs.ended.connect(self._job_ended)
        self.device = DeviceProbe(self)
        self.device.found.connect(self.status.set_device)
        self.device.start()
        QTimer.singleShot(0, self, self._check_sources)
        QTimer.singleShot(RESTORE_POINT_AFTER, self, self.make_daily_restore_point)

    def make_daily_restore_point(self) -> None:
        """Copy the database in a job, if today's copy is missing."""
        if not self._closed and daily_point_is_due(self.session):
            self.session.start(daily_task(self.session))

    def _check_sources(self) -> None:
        if not self._closed:
            from workbench.ui.dialogs.files import notify_of_missing_sources

            notify_of_missing_sources(self.context)

    # Pages

    def page(self, name: str) -> Page:
        """Return the page `name`, creating it if needed."""
        if name not in self._pages:
            page = PAGES[name].page_class()(self.context)
            self._pages[name] = page
            self.stack.addWidget(page)
            self.menus.add(page, commands_of(page))
            page.restore_state(self._state.get("pages", {}).get(name, {}))
        return self._pages[name]

    def make_all_pages(self) -> None:
        """Create all pages, so that all commands are registered."""
        for name in PAGES:
            self.page(name)
        self.menus.show_page(self.current_page())

    def go(self, name: str, /, **what: Unpack[PageTarget]) -> None:
        """Show the page `name`; `what` is passed to its `show_target`."""
        page = self.page(name)
        self._shown = name
        self.stack.setCurrentWidget(page)
        self.rail.show_current(name)
        self.menus.show_page(page)
        page.opened(**what)
        page.setFocus()

    def current_page(self) -> Page | None:
        """Return the page that is shown."""
        return self._pages.get(self._shown)

    def _changed(self, changes: Changes) -> None:
        for page in self._pages.values():
            page.refresh(changes)

    # Notifications and errors

    def notify(self, text: str, kind: str = "info", show: Callable[[], None] | None = None) -> None:
        """Show a notification over the page; see `Notifications.post`."""
        self.notes.post(text, kind, show)

    def show_adopted(self, result: AdoptedAgain) -> None:
        """Report the runs that were added to the list again, and why others were not."""
        if result.adopted:
            self.notify(
                plural(
                    len(result.adopted),
                    "{n:,} run newer than the restored state was added to the list again: {names}.",
                    "{n:,} runs newer than the restored state were added to the list again: "
                    "{names}.",
                    names=", ".join(run.name for run in result.adopted[:SHOWN_RUNS]),
                ),
            )
        if result.refused:
            reason = "\n".join(tr(each) for each in result.refused[:SHOWN_RUNS])
            self.notify(
                plural(
                    len(result.refused),
                    "{n:,} run could not be added to the list again. {reason}",
                    "{n:,} runs could not be added to the list again. {reason}",
                    reason=reason,
                ),
                "bad",
            )

    def show_report(self, report: str) -> None:
        """Show the report of an internal error."""
        dialog = ReportDialog(report, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _job_ended(self, _job: Job[object], outcome: Outcome[object]) -> None:
        if not isinstance(outcome, Failed):
            return
        if outcome.report:
            self.show_report(f"{describe_system()}{outcome.sentence}\n\n{outcome.report}")
        else:
            self.notify(tr(outcome.text), "bad")

    # Keys and drag and drop

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run the page's command for a key without modifiers that no widget used."""
        if not self.commands.press(self.current_page(), portable(event)):
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.held_keys.watch()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        QTimer.singleShot(0, self, lambda: self.import_paths(paths))

    def import_paths(self, paths: list[Path]) -> None:
        """Open the import dialog for dropped folders and files."""
        from workbench.ui.dialogs.importing import import_with_dialog

        if paths:
            import_with_dialog(self.context, self, paths)

    # Commands, in the order of the menus; dialogs are imported when they are first opened

    def open_recent(self, folder: Path) -> None:
        """Open another project in place of this one."""
        self._switch(folder, False)

    def _can_undo(self) -> bool:
        return self.session.history.undo_text() is not None

    def _can_redo(self) -> bool:
        return self.session.history.redo_text() is not None

    def _undo_title(self) -> str:
        text = self.session.history.undo_text()
        return tr("Undo {edit}").format(edit=tr(text)) if text else tr("Undo")

    def _redo_title(self) -> str:
        text = self.session.history.redo_text()
        return tr("Redo {edit}").format(edit=tr(text)) if text else tr("Redo")

    def _set_theme(self, mode: str) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply_theme(application, mode)
        self.settings.set_theme(mode)

    @command(mark("Close window"), id="close", key="Ctrl+W", menu=Menu.FILE)
    def close_window(self) -> None:
        """Close the window."""
        self.close()

    @command(
        mark("Undo"),
        key="Ctrl+Z",
        menu=Menu.EDIT,
        when=_can_undo,
        live_title=_undo_title,
        edits=True,
    )
    def undo(self) -> None:
        """Undo the last edit."""
        text = self.session.undo()
        if text is not None:
            self.notify(tr("Undone: {edit}").format(edit=tr(text)))

    @command(
        mark("Redo"),
        key="Ctrl+Shift+Z",
        menu=Menu.EDIT,
        when=_can_redo,
        live_title=_redo_title,
        edits=True,
    )
    def redo(self) -> None:
        """Redo the edit that was undone last."""
        text = self.session.redo()
        if text is not None:
            self.notify(tr("Redone: {edit}").format(edit=tr(text)))

    @command(mark("Versions…"), id="versions", key="Ctrl+Shift+V", menu=Menu.EDIT)
    def show_versions(self) -> None:
        """List, create and compare versions, and go back to one."""
        from workbench.ui.dialogs.versions import VersionsDialog

        self._show(VersionsDialog(self.context, self))

    @command(mark("Find a command…"), id="palette", key="Ctrl+K", menu=Menu.VIEW)
    def open_palette(self) -> None:
        """Open the command palette."""
        self.palette_box.open_with(
            [
                PaletteEntry(
                    each.id,
                    each.title_now(),
                    each.menu.title if each.menu is not None else "",
                    self.commands.key(each),
                    each.enabled(),
                )
                for each in self.commands.shown(self.current_page())
                if each.id != "palette"
            ]
        )

    @command(mark("Full screen"), key="F11", menu=Menu.VIEW)
    def full_screen(self) -> None:
        """Enter or leave full screen."""
        self.showNormal() if self.isFullScreen() else self.showFullScreen()

    @command(mark("Theme: system"), menu=Menu.VIEW)
    def theme_system(self) -> None:
        """Follow the theme of the system."""
        self._set_theme("system")

    @command(mark("Theme: light"), menu=Menu.VIEW)
    def theme_light(self) -> None:
        """Use the light theme."""
        self._set_theme("light")

    @command(mark("Theme: dark"), menu=Menu.VIEW)
    def theme_dark(self) -> None:
        """Use the dark theme."""
        self._set_theme("dark")

    @command(mark("Manual"), key="Shift+F1", menu=Menu.HELP)
    def manual(self) -> None:
        """Open the manual at the chapter of the current page."""
        from workbench.ui.dialogs.manual import ManualDialog

        dialog = self.findChild(ManualDialog) or ManualDialog(self)
        page = self.current_page()
        dialog.show_page(page.name if page is not None else "")
        dialog.show()
        dialog.raise_()

    @command(mark("Keyboard shortcuts…"), id="keys", key="F1", menu=Menu.HELP)
    def edit_keys(self) -> None:
        """List all commands and edit their keyboard shortcuts."""
        from workbench.ui.dialogs.keys import KeysDialog

        self.make_all_pages()
        self._show(KeysDialog(self.commands, self.settings, self))

    @command(mark("Check this computer…"), id="doctor", menu=Menu.HELP)
    def check_computer(self) -> None:
        """Check the installation and the project."""
        from workbench.ui.dialogs.doctor import DoctorDialog

        self._show(DoctorDialog(self.session, self))

    @command(mark("About Vantage Workbench"), menu=Menu.HELP)
    def about(self) -> None:
        """Show version and licence."""
        QMessageBox.about(
            self,
            tr("About Vantage Workbench"),
            tr(
                "Vantage Workbench {version}\n\nLabel images, train classifiers and understand "
                "their results, offline.\n\nApache License 2.0"
            ).format(version=__version__),
        )

    # Saved state and closing

    def _restore(self) -> None:
        self.resize(1280, 800)
        geometry = self._state.get("geometry", "")
        if isinstance(geometry, str) and geometry:
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))
        shown = self._state.get("page", "")
        self.go(shown if shown in PAGES else next(iter(PAGES)))

    def save_state(self) -> None:
        """Store page, filters, selections, splitters and geometry for the next start."""
        pages = dict(self._state.get("pages", {}))
        pages.update({name: page.save_state() for name, page in self._pages.items()})
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        state: dict[str, Json] = {"geometry": geometry, "page": self._shown, "pages": pages}
        self.session.remember(STATE, state)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.shut_down()
        event.accept()
        super().closeEvent(event)

    def shut_down(self) -> None:
        """Close everything in the order that loses nothing; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self.session.jobs.stop_all_and_wait("version")  # one may keep others from writing
        self.save_state()
        for page in self._pages.values():
            page.closing()
        self.device.close()
        self.context.queue.close()
        self.session.jobs.stop_all_and_wait()
        self.context.service.close()
        self.context.thumbnails.close()
        self.session.close()
