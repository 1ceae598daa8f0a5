"""The application: one window at a time; every error is shown."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import (
    QLocale,
    QMessageLogContext,
    QObject,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMessageBox

from workbench.app.project_folders import find_project
from workbench.app.restoring import unrecorded_runs
from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.domain.errors import KnownError
from workbench.domain.projects import DamagedProject
from workbench.domain.text import mark, tr
from workbench.ui.dialogs.projects import choose_new_project, choose_project
from workbench.ui.dialogs.report import ReportDialog, report_of
from workbench.ui.dialogs.restoring import RestoreDialog
from workbench.ui.look.language import install_language
from workbench.ui.look.markup import plain_text
from workbench.ui.look.theme import apply_theme
from workbench.ui.window.welcome import WelcomeWindow
from workbench.ui.window.window import MainWindow

ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "workbench.png"


class Workbench(QObject):
    """The owner of the current window, which it replaces when another project is opened."""

    def __init__(self, settings: UserSettings) -> None:
        super().__init__()
        self.settings = settings
        self.window: MainWindow | None = None
        self.welcome: WelcomeWindow | None = None

    def show_welcome(self) -> None:
        """Show the welcome window, which has no project."""
        self.welcome = WelcomeWindow(
            self.settings, self._choose_new, self._choose_project, self.open
        )
        self.welcome.show()

    def _choose_new(self) -> None:
        folder = choose_new_project(self._front())
        if folder is not None:
            self.switch(folder, True)

    def _choose_project(self) -> None:
        folder = choose_project(self._front())
        if folder is not None:
            self.switch(folder, False)

    def _front(self) -> MainWindow | WelcomeWindow:
        front = self.window or self.welcome
        assert front is not None
        return front

    def open(self, folder: Path) -> bool:
        """Open an existing project; return False after showing the error if that fails."""
        return self.switch(folder, False)

    def switch(self, folder: Path, new: bool) -> bool:
        """Open (or, with `new`, create) a project in place of the current one.

        If that fails, show the error, keep the current window and return False."""
        try:
            folder = folder if new else find_project(folder) or folder
            if self.window is not None and _same(folder, self.window.session.folder):
                return True
            session = Session.create(folder) if new else Session.open(folder)
        except DamagedProject as error:
            return self._offer_restore(error)
        except KnownError as error:
            self.show_error(error)
            return False
        previous, welcome = self.window, self.welcome
        self.window = MainWindow(session, self.settings, self._switch_later, self._offer_later)
        self.settings.remember(session.folder)
        self.window.show()
        self.welcome = None
        if previous is not None:
            previous.close()
            previous.deleteLater()
        if welcome is not None:
            welcome.close()
            welcome.deleteLater()
        return True

    def _offer_restore(self, error: DamagedProject) -> bool:
        """Show the restore points of a project that cannot be opened; open it once restored."""
        front = self.window or self.welcome
        dialog = RestoreDialog(error.folder, tr(error.sentence), front)
        restored = dialog.exec() == RestoreDialog.DialogCode.Accepted
        dialog.deleteLater()
        return restored and self.open(error.folder) and self._adopt_again()

    def offer_points(self) -> None:
        """Show the restore points of the open project. If one is chosen, close the project, restore
        it and open it again."""
        window = self.window
        assert window is not None
        session, folder = window.session, window.session.folder
        reason = tr("Restore points of {name}, copies of its whole database:")
        dialog = RestoreDialog(folder, reason.format(name=session.name), None, window.close)
        if session.read_only is not None:
            dialog.forbid(tr(session.read_only.refusal(session.name).message))
        restored = dialog.exec() == RestoreDialog.DialogCode.Accepted
        dialog.deleteLater()
        if window.isVisible():
            return
        self.window = None
        window.deleteLater()
        if not self.open(folder):
            self.show_welcome()
        elif restored:
            self._adopt_again()

    def _adopt_again(self) -> bool:
        """Add runs newer than the restored state to the list of the project again; True."""
        from workbench.app.training.adopting import adopt_again_task

        assert self.window is not None
        session = self.window.session
        if session.read_only is None and unrecorded_runs(session):
            session.start(adopt_again_task(session), done=self.window.show_adopted)
        return True

    def _offer_later(self) -> None:
        """Offer restore points after the current event: it belongs to the window they close."""
        QTimer.singleShot(0, self, self.offer_points)

    def _switch_later(self, folder: Path, new: bool) -> None:
        """Switch after the current event: the menu it comes from belongs to the old window."""
        QTimer.singleShot(0, self, lambda: self.switch(folder, new))

    def show_error(self, error: KnownError) -> None:
        """Show an expected error in the current window, or else in a message box."""
        if self.window is not None:
            own = isinstance(error, DamagedProject) and error.folder == self.window.session.folder
            self.window.notify(tr(error.message), "bad", self._offer_later if own else None)
        elif self.welcome is not None:
            self.welcome.notes.post(tr(error.message), "bad")
        else:
            QMessageBox.warning(None, "Vantage Workbench", plain_text(tr(error.message)))

    def report(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Handle an uncaught exception: show a KnownError, open a report for anything else."""
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        sys.__excepthook__(kind, error, trace)
        if isinstance(error, KnownError):
            self.show_error(error)
            return
        text = report_of(kind, error, trace)
        if self.window is not None:
            self.window.show_report(text)
        else:
            ReportDialog(text, self.welcome).exec()


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


@contextlib.contextmanager
def _reporting(workbench: Workbench) -> Iterator[None]:
    """Show uncaught exceptions in the window while the block runs."""
    previous = sys.excepthook
    sys.excepthook = workbench.report
    try:
        yield
    finally:
        sys.excepthook = previous


@contextlib.contextmanager
def _start_explained() -> Iterator[None]:
    """Within the block, which creates the application, explain why Qt cannot show windows.

    Qt aborts the process after its fatal message; this ends it before, with exit code 1.
    """
    reasons: list[str] = []

    def handle(kind: QtMsgType, _: QMessageLogContext, text: str | None) -> None:
        if kind is not QtMsgType.QtFatalMsg:
            reasons.append(text or "")
            return
        sys.stderr.write(f"error: {_no_window(reasons)}\n")
        sys.stderr.flush()
        os._exit(1)

    before = qInstallMessageHandler(handle)
    try:
        yield
    finally:
        qInstallMessageHandler(before)
    for reason in reasons:
        sys.stderr.write(f"{reason}\n")


def _no_window(reasons: Sequence[str]) -> KnownError:
    """Why no window can be shown, from what Qt reported before it gave up."""
    commands = mark("Start it on a desktop, or use its commands: see workbench --help.")
    if any("connect to display" in reason for reason in reasons) or not reasons:
        return KnownError("The window cannot be shown: there is no display.", commands)
    if any("xcb-cursor0" in reason for reason in reasons):
        return KnownError(
            "The window cannot be shown: the library libxcb-cursor0 is missing.",
            mark("Install it, on Debian and Ubuntu with: sudo apt install libxcb-cursor0"),
        )
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform:
        return KnownError(
            "The window cannot be shown: Qt cannot start on QT_QPA_PLATFORM={platform}.",
            mark("Unset QT_QPA_PLATFORM, or use the commands: see workbench --help."),
            platform=platform,
        )
    return KnownError("The window cannot be shown: {reason}", commands, reason=reasons[-1])


def run_window(path: Path | None) -> int:
    """Show the project at `path`, or the welcome window for None, and return the exit code.

    Without a display, print the reason and exit with code 1.
    """
    with _start_explained():
        application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("vantage-workbench")
    application.setApplicationDisplayName("Vantage Workbench")
    application.setDesktopFileName("vantage-workbench")
    application.setWindowIcon(QIcon(str(ICON)))
    install_language(application, QLocale())
    settings = UserSettings.of_user()
    apply_theme(application, settings.theme)
    workbench = Workbench(settings)
    with _reporting(workbench):
        if path is None or not workbench.open(path):
            workbench.show_welcome()
        code = application.exec()
        if workbench.window is not None:
            workbench.window.shut_down()
    return int(code)
