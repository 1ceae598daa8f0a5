"""The window as the program opens it: every page is shown, and when no job is left, it closes."""

from __future__ import annotations

import faulthandler
import sys

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from workbench.__main__ import main
from workbench.ui.page import PAGES
from workbench.ui.window.window import MainWindow


def visit() -> None:
    """Show every page, then close the window; a page that fails is in the error output."""
    (window,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, MainWindow)]
    idle = QTimer(window, interval=50)
    idle.timeout.connect(lambda: window.session.jobs.jobs() or window.close())
    idle.start()
    for name in PAGES:
        window.go(name)
        window.grab()


if __name__ == "__main__":
    faulthandler.dump_traceback_later(120, exit=True)  # a box that waits for a person
    application = QApplication(sys.argv[:1])
    QTimer.singleShot(0, visit)
    sys.exit(main(sys.argv[1:]))
