"""Waiting for the window: until a condition holds, and until nothing more is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, QTimer

LONGEST = 120.0  # seconds until a condition that never holds is an error
TICK = 10  # milliseconds between two checks of a condition

Condition = Callable[[], bool]


def wait_until(condition: Condition, what: str, seconds: float = LONGEST) -> None:
    """Run the event loop until `condition` holds; raises TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    loop, timer = QEventLoop(), QTimer(interval=TICK)
    failed: list[Exception] = []

    def look() -> None:
        try:
            if condition():
                loop.quit()
            elif time.monotonic() > end:
                raise TimeoutError(f"Waited {seconds:.0f} s for {what}.")
        except Exception as error:
            failed.append(error)
            loop.quit()

    timer.timeout.connect(look)
    timer.start()
    loop.exec()
    timer.stop()
    if failed:
        raise failed[0]


def work_off() -> None:
    """Deliver everything that is due, deletions too."""
    loop = QEventLoop()
    QTimer.singleShot(0, loop.quit)
    loop.exec()


class PaintWatch(QObject):
    """Knows when something was last painted."""

    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self._last = time.monotonic()
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint:
            self._last = time.monotonic()
        return False

    def still_for(self, seconds: float) -> bool:
        """Whether nothing was painted for so long."""
        return time.monotonic() - self._last > seconds

    def begin(self) -> None:
        """Count from now."""
        self._last = time.monotonic()
