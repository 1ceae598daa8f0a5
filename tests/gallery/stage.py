"""Where scenes are played: the real window on a copy of a prepared project, and its images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget

from tests.gallery.loading import Loading
from tests.gallery.screenshots import Screen, Screenshot
from tests.gallery.waiting import Condition, PaintWatch, wait_until, work_off
from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.storage.project import Project
from workbench.ui.look.theme import Theme
from workbench.ui.window.window import STATE, MainWindow

QUIET = 0.25  # seconds without a paint event after which the window counts as finished
SOON = 3000  # milliseconds: timers that fire later than this are not waited for
QUICKLY = 80  # of Qt's qualities of PNG: a third of the time for files a tenth larger
TITLE = 28  # pixels of the title bar that a window manager would put over a dialog


@dataclass(frozen=True)
class Watches:
    """What shows whether the window has come to rest."""

    paint: PaintWatch
    loading: Loading


class Stage:
    """Opens windows one after another and takes images of them for one theme and screen.

    Copies of projects lie in `home`; `projects` holds the prepared ones.
    """

    quiet = QUIET

    def __init__(
        self, projects: Path, home: Path, out: Path, theme: str, screen: Screen, watches: Watches
    ) -> None:
        self.home = home
        self._projects, self._out = projects, out
        self._theme, self._screen, self._watches = theme, screen, watches
        self._page = self._state = ""
        self._window: QWidget | None = None
        self.taken: list[Screenshot] = []
        self.shown: set[type[QWidget]] = set()

    def begin(self, page: str, state: str) -> None:
        """Images are named for this scene from now on."""
        self._page, self._state = page, state
        self.shown.clear()

    # windows

    def copy(self, name: str) -> Path:
        """A fresh copy of a prepared project, as no window has opened it yet."""
        copy = self.home / f"{name}.workbench"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._projects / f"{name}.workbench", copy)
        return copy

    def beside(self, name: str) -> Path:
        """A folder or file that lies beside the prepared projects."""
        return self._projects / name

    def open(self, name: str, settings: UserSettings | None = None) -> MainWindow:
        """The real window on a fresh copy of a prepared project, as large as the screen."""
        session = Session(Project.open(self.copy(name)))
        session.store.settings.put(STATE, {})
        window = MainWindow(session, settings or UserSettings(None))
        self.put(window)
        return window

    def put(self, window: QWidget) -> None:
        """Show a window of any kind over the whole screen."""
        self._window = window
        window.resize(*self._screen.room)
        window.show()
        window.activateWindow()

    def end(self) -> None:
        """Close what is open, also after an error."""
        for top in QApplication.topLevelWidgets():
            if top.isVisible() and top is not self._window:
                top.close()
        if self._window is not None:
            self._window.close()
            self._window.deleteLater()
            self._window = None
        work_off()
        self._watches.loading.forget()

    def show(self, dialog: QDialog) -> None:
        """Open a dialog over the window, without waiting for what is chosen in it."""
        dialog.open()
        self.settle()

    # waiting

    def settle(self, *conditions: Condition, working: bool = False) -> None:
        """Wait for `conditions`, for images, jobs and short timers of the window (unless it is to
        be seen `working`), and until nothing has been painted for a moment."""
        for condition in conditions:
            wait_until(condition, f"{self._page}/{self._state}")
        self._watches.paint.begin()
        wait_until(
            lambda: self._watches.paint.still_for(self.quiet) and (working or not self._busy()),
            f"{self._page}/{self._state} to come to rest",
        )

    def _busy(self) -> bool:
        window = self._window
        if self._watches.loading.waiting():
            return True
        if isinstance(window, MainWindow) and window.session.jobs.jobs():
            return True
        timers = [] if window is None else window.findChildren(QTimer)
        return any(t.isActive() and t.isSingleShot() and t.interval() < SOON for t in timers)

    # images

    def take(self, detail: str = "", front: QWidget | None = None) -> None:
        """Save what is on the screen; `detail` is added to the name of the state, and `front` must
        be seen in it."""
        if front is not None and not front.isVisible():
            raise AssertionError(f"{type(front).__name__} is not shown.")
        state = f"{self._state}-{detail}" if detail else self._state
        screenshot = Screenshot(self._page, state, self._theme, self._screen.name)
        self.shown.update(type(top) for top in QApplication.topLevelWidgets() if top.isVisible())
        self.seen().save(str(self._out / screenshot.file), "PNG", QUICKLY)
        self.taken.append(screenshot)

    def take_menu(self, menu: QMenu, at: QPoint, detail: str) -> None:
        """Open a menu at a place on the screen, take it, and close it."""
        menu.popup(at)
        work_off()
        self.take(detail, menu)
        menu.close()
        work_off()

    def take_while(self, ask: Callable[[], object], detail: str = "") -> None:
        """Take the message box or small dialog that `ask` waits in, and cancel it."""
        failed: list[Exception] = []

        def look() -> None:
            box = QApplication.activeModalWidget()
            try:
                work_off()
                self.take(detail, box)
            except Exception as error:
                failed.append(error)
            finally:
                if isinstance(box, QDialog):
                    box.reject()

        QTimer.singleShot(0, look)
        ask()
        if failed:
            raise failed[0]

    def seen(self) -> QPixmap:
        """All windows that are open, each in its place, those in front drawn last."""
        assert self._window is not None
        width, height = self._screen.room
        scale = self._window.devicePixelRatioF()
        made = QPixmap(round(width * scale), round(height * scale))
        made.setDevicePixelRatio(scale)
        made.fill(Theme.of(self._window).well)
        painter = QPainter(made)
        origin = self._window.geometry().topLeft()
        for top in sorted(_visible(), key=_depth):
            place = QRect(top.geometry().topLeft() - origin, top.size())
            if isinstance(top, QDialog):
                _draw_title(painter, place, top)
            painter.drawPixmap(place.topLeft(), top.grab())
        painter.end()
        return made


def _visible() -> list[QWidget]:
    return [top for top in QApplication.topLevelWidgets() if top.isVisible()]


def _depth(top: QWidget) -> tuple[int, bool]:
    """How many windows lie behind this one; popups come after dialogs."""
    depth, above = 0, top.parentWidget()
    while above is not None:
        depth += 1
        above = above.window().parentWidget()
    return depth, top.windowType() is Qt.WindowType.Popup


def _draw_title(painter: QPainter, place: QRect, dialog: QDialog) -> None:
    """A plain frame and title bar: without them the title of a dialog would not be seen."""
    theme = Theme.of(dialog)
    frame = QRectF(place.adjusted(-1, -TITLE, 1, 1)).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.setPen(theme.line)
    painter.setBrush(theme.hover)
    painter.drawRect(frame)
    painter.setPen(theme.text)
    painter.setFont(dialog.font())
    bar = QRect(place.left(), place.top() - TITLE, place.width(), TITLE)
    painter.drawText(bar, Qt.AlignmentFlag.AlignCenter, dialog.windowTitle())
