"""Reports as JSON lines and TensorBoard events."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from workbench.domain.reports import (
    Epoch,
    Note,
    Progress,
    Report,
    Step,
    encode_report,
    remaining_seconds,
)
from workbench.domain.runs import REPORTS_FILE
from workbench.domain.text import Message
from workbench.learning.protocol.control import ControlRequest

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

ItemT = TypeVar("ItemT")
REPORT_SECONDS = 0.25


class Interrupted(Exception):
    """Raised when pause or stop is requested."""


class Preparation:
    """The work before the first step: its progress by name, its end on request, its forecast.

    `interrupted` returns whether pause or stop is requested. With `limit`, in seconds, the work is
    only tried: each loop ends after that time, and the rest is added to `skipped` seconds.
    """

    def __init__(
        self,
        report: Callable[[Report], None] = lambda _: None,
        interrupted: Callable[[], bool] = lambda: False,
        limit: float = math.inf,
    ) -> None:
        self._report = report
        self._interrupted = interrupted
        self._limit = limit
        self._checked = time.monotonic()
        self.skipped = 0.0

    def each(
        self,
        items: Iterable[ItemT],
        total: int,
        text: Message,
        size: Callable[[ItemT], int] = lambda _: 1,
    ) -> Iterator[ItemT]:
        """Yield the items while reporting progress as `text`; `total` is the sum of their sizes.

        An item should take well under a second. Raises Interrupted on request.
        """
        began = now = time.monotonic()
        done = 0
        self._report(Progress(done=0, total=total, text=text))
        for item in items:
            yield item
            done += size(item)
            now = time.monotonic()
            if self.check():
                left = remaining_seconds(now - began, done, total)
                self._report(Progress(done=done, total=total, text=text, eta=left))
            if now - began > self._limit:
                break
        self.skipped += max(0.0, remaining_seconds(now - began, done, total) or 0.0)

    def check(self) -> bool:
        """Raise Interrupted on request. Looks a few times per second; returns whether it did."""
        now = time.monotonic()
        if now - self._checked < REPORT_SECONDS:
            return False
        self._checked = now
        if self._interrupted():
            raise Interrupted
        return True


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
        """Report a warning."""
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
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # for trainings only
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

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
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in figures.items()
            if value is not None
        ]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self._events.add_event(event)

    def close(self) -> None:
        """Close the files; stdout stays open."""
        if self._events is not None:
            self._events.close()
        if self._file is not None:
            self._file.close()
