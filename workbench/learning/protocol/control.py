"""Control of the learning program by pause and stop. Imports little, so that it is in place before
anything that takes seconds to import."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from enum import StrEnum

from workbench.signals import ENDING

ACKNOWLEDGE_SECONDS = 0.8  # delay before a waiting request is acknowledged


class ControlRequest(StrEnum):
    """Request of the controlling process."""

    PAUSE = "pause"
    STOP = "stop"


class Control:
    """Requests of the controlling process: lines on stdin, or a signal.

    The end of stdin means that the parent has exited and requests a pause, so that nothing is lost.
    A request that has to wait for a long step is acknowledged through `on_wait`.
    """

    def __init__(self) -> None:
        self.requested: ControlRequest | None = None
        self.handled = threading.Event()
        self.on_wait: Callable[[ControlRequest], None] = lambda _: None

    def listen(self) -> None:
        """Read requests from stdin in a daemon thread."""
        threading.Thread(target=self._read, daemon=True).start()

    def handle_signals(self) -> None:
        """Pause on SIGINT or SIGTERM."""
        for number in ENDING:
            signal.signal(number, lambda *_: self.request(ControlRequest.PAUSE))

    def request(self, request: ControlRequest) -> None:
        """Set the request; a request to stop is final."""
        if self.requested is not ControlRequest.STOP:
            self.requested = request

    def _read(self) -> None:
        waiting = b""
        while True:
            try:
                data = os.read(0, 4096)  # sys.stdin's lock can block interpreter exit
            except OSError:
                data = b""
            if not data:
                self.request(ControlRequest.PAUSE)
                return
            *lines, waiting = (waiting + data).split(b"\n")
            for line in lines:
                self._handle(line.strip().decode(errors="replace"))

    def _handle(self, line: str) -> None:
        if line not in tuple(ControlRequest):
            return
        self.request(ControlRequest(line))
        if not self.handled.wait(ACKNOWLEDGE_SECONDS):
            self.on_wait(ControlRequest(line))
