"""Reports as JSON lines, TensorBoard events, and control by pause and stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from workbench.domain.reports import Epoch, Note, Report, Step, encode_report
from workbench.domain.runs import REPORTS_FILE
from workbench.domain.text import Message

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
        for name in ("SIGINT", "SIGTERM"):
            signal.signal(getattr(signal, name), lambda *_: self.request(ControlRequest.PAUSE))

    def request(self, request: ControlRequest) -> None:
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

    def _handle(self, word: str) -> None:
        if word not in tuple(ControlRequest):
            return
        self.request(ControlRequest(word))
        if not self.handled.wait(ACKNOWLEDGE_SECONDS):
            self.on_wait(ControlRequest(word))


class Reporter:
    """Write reports to stdout, to the run folder and, for metrics, to TensorBoard."""

    def __init__(self, folder: Path | None, stdout: bool = True) -> None:
        self._file = (folder / REPORTS_FILE).open("ab") if folder else None
        self._folder = folder
        self._stdout = stdout
        self._events: EventFileWriter | None = None
        self._steps = 1
        self._lock = threading.Lock()
        self.parent_gone = False

    def __call__(self, report: Report) -> None:
        line = encode_report(report) + b"\n"
        with self._lock:
            if self._file is not None:
                self._file.write(line)
                self._file.flush()
            self._write_stdout(line)
        if isinstance(report, Step | Epoch):
            self._scalars(report)

    def warn(self, text: Message) -> None:
        self(Note(text=text, warning=True))

    def report_waiting(self, request: ControlRequest) -> None:
        """Acknowledge a request that waits for the current step."""
        doing = Message("Stopping after the current step.")
        if request is not ControlRequest.STOP:
            doing = Message("Pausing after the current step.")
        self(Note(text=doing))

    def _write_stdout(self, line: bytes) -> None:
        if not self._stdout:
            return
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except (BrokenPipeError, OSError):
            self._stdout = False  # no reader; the file has all reports
            self.parent_gone = True

    def start_events(self, step: int, steps_per_epoch: int) -> None:
        """Open a TensorBoard file; events of earlier files from `step` on are discarded."""
        self._steps = steps_per_epoch
        if self._folder is None:
            return
        self._events = EventFileWriter(str(self._folder))
        start = SessionLog(status=SessionLog.START)
        self._events.add_event(Event(wall_time=time.time(), step=step, session_log=start))

    def _scalars(self, report: Step | Epoch) -> None:
        if self._events is None:
            return
        figures: dict[str, float | None]
        if isinstance(report, Step):
            step = (report.epoch - 1) * report.steps + report.step
            figures = {"step/loss": report.loss, "step/learning rate": report.learning_rate}
        else:
            step = report.epoch * self._steps
            figures = {
                "epoch/train loss": report.train_loss,
                "epoch/train accuracy": report.train_accuracy,
                "epoch/validation loss": report.validation_loss,
                "epoch/validation accuracy": report.validation_accuracy,
                "epoch/view accuracy": report.view_accuracy,
            }
        values = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in figures.items()
            if value is not None
        ]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self._events.add_event(event)

    def close(self) -> None:
        if self._events is not None:
            self._events.close()
        if self._file is not None:
            self._file.close()
