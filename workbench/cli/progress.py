"""Progress of a job on one line of stderr, stopped with Ctrl+C."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from workbench.app.jobs import Cancelled, Done, Outcome, Task, run_here
from workbench.domain.errors import KnownError
from workbench.domain.reports import Epoch, Note, Progress, Report, Started, Step
from workbench.domain.values import Json

T = TypeVar("T")

REDRAW = 0.1  # seconds between updates on a terminal
REPEAT = 5.0  # seconds between lines if stderr is a file


class CommandInterrupted(Exception):
    """The user stopped a job with Ctrl+C; `result` is the JSON object so far."""

    def __init__(self, result: dict[str, Json] | None = None) -> None:
        super().__init__("stopped")
        self.result = result or {"status": "stopped"}


class ProgressLine:
    """Shows reports: on one line of a terminal, or as a line every few seconds in a file."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._shown = 0
        self._next = 0.0

    def show(self, report: Report) -> None:
        """Show a report; notes, epochs and the start stay on lines of their own."""
        text = sentence(report)
        if not text:
            return
        if isinstance(report, Note | Epoch | Started):
            self._lasting(text)
        elif time.monotonic() >= self._next:
            self._passing(text)

    def clear(self) -> None:
        """Clear the terminal's line."""
        if self._shown:
            self._stream.write("\r" + " " * self._shown + "\r")
            self._stream.flush()
            self._shown = 0

    def print(self, text: str) -> None:
        """Print a line that stays; nothing for ""."""
        if text:
            self._lasting(text)

    def _lasting(self, text: str) -> None:
        self.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _passing(self, text: str) -> None:
        self._next = time.monotonic() + (REDRAW if self._live else REPEAT)
        if not self._live:
            self._lasting(text)
            return
        self._stream.write("\r" + text.ljust(self._shown))
        self._stream.flush()
        self._shown = len(text)


def sentence(report: Report) -> str:
    """A report as one line of text; "" for reports that are not shown."""
    if isinstance(report, Progress):
        count = f"{report.done}/{report.total}" if report.total else str(report.done)
        return " · ".join(part for part in (report.text, count, _left(report.eta)) if part)
    if isinstance(report, Note):
        return ("warning: " if report.warning else "") + report.text
    if isinstance(report, Started):
        images = ", ".join(f"{count} {part}" for part, count in report.images.items())
        return f"{report.device} · {report.precision} · batch {report.batch} · {images}"
    return _training(report)


def _training(report: Report) -> str:
    if isinstance(report, Step):
        return (
            f"epoch {report.epoch}/{report.epochs} · step {report.step}/{report.steps} · loss "
            f"{report.loss:.3f} · {report.images_per_second:.0f} images/s · {_left(report.eta)}"
        )
    if isinstance(report, Epoch):
        parts = [
            f"epoch {report.epoch}/{report.epochs}",
            f"loss {report.train_loss:.3f}",
            f"accuracy {report.train_accuracy:.1%}",
        ]
        if report.validation_accuracy is not None:
            parts.append(f"validation {report.validation_accuracy:.1%}")
        return " · ".join([*parts, _left(report.eta)])
    return ""


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    clock = f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
    return f"{clock} left"


@contextmanager
def ctrl_c(pressed: Callable[[], object]) -> Iterator[None]:
    """Call `pressed` on SIGINT (Ctrl+C) and SIGTERM within the block, instead of interrupting.

    `pressed` must not print: the signal can arrive while another line is being written.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        number: signal.signal(number, lambda *_: pressed())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def watch(task: Task[T], pressed: Callable[[], str | None], stop: threading.Event) -> Outcome[T]:
    """Run a job in this thread with its progress on stderr; return its outcome.

    Ctrl+C calls `pressed`; the text that it returns is printed before the next report.
    """
    line = ProgressLine()
    texts: list[str] = []

    def show_texts() -> None:
        while texts:
            line.print(texts.pop(0))

    def show(report: Report) -> None:
        show_texts()
        line.show(report)

    try:
        with ctrl_c(lambda: texts.append(pressed() or "")):
            return run_here(task, show, stop)
    finally:
        show_texts()
        line.clear()


def carry_out(task: Task[T], stop: threading.Event | None = None) -> T:
    """Run a job in this thread with its progress on stderr; return its value.

    Ctrl+C sets `stop`; a job that was about to end is not stopped by it. Raises CommandInterrupted
    if the job was stopped, KnownError for an expected error, RuntimeError for a bug.
    """
    stop = stop or threading.Event()
    outcome = watch(task, stop.set, stop)
    if isinstance(outcome, Done):
        return outcome.value
    if isinstance(outcome, Cancelled):
        raise CommandInterrupted
    if outcome.report:
        raise RuntimeError(outcome.report)
    raise KnownError(outcome.sentence, outcome.remedy)
