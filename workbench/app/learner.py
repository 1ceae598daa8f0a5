"""The learning program as a child process: one protocol for training, folder requests and serving.

Its input and output are lines of JSON. Its error output, and lines outside the protocol, are kept
for the report of a crash.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Generic, NoReturn, Self, TypeVar

import msgspec

from workbench.app.jobs import Steps
from workbench.domain.assessments import REQUEST_FILE
from workbench.domain.errors import KnownError, reason_of
from workbench.domain.reports import AnyReport, ErrorReport, Report, decode_report
from workbench.domain.requests import (
    Answer,
    AnswerLine,
    AnyRequest,
    Refused,
    RequestLine,
    decode_answer_line,
    encode_line,
)
from workbench.domain.text import Message
from workbench.files import writing
from workbench.signals import held_back

BEAT = 0.1  # seconds between chances to stop
EXIT_SECONDS = 5.0  # time to exit for a child that has closed its output
KEPT_ERRORS = 8000  # characters of error output in the report of a crash
SERVE = "--serve"  # argument that makes the program answer requests


class LearningFault(Exception):
    """A bug in the learning program; the text is its traceback."""


def learning_command() -> list[str]:
    """Command line of the learning program; a frozen application starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "learning"]
    return [sys.executable, "-m", "workbench.learning"]


def child_environment() -> dict[str, str]:
    """Environment in which the child finds this package, whatever its working folder."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def start_failure(reason: str) -> KnownError:
    """Error of a child that the system could not start."""
    return KnownError(
        "The learning program cannot be started: {reason}.",
        "Close other programs and try again; if that does not help, reinstall this one.",
        reason=reason,
    )


KILLED_REMEDY = Message("The memory may be full: close other programs and try again.")


def crash(code: int, errors: str, remedy: Message = KILLED_REMEDY) -> Exception:
    """Error of a child that exited without its result.

    A KnownError with `remedy` if a signal ended it, else a LearningFault with its last output.
    """
    if code < 0:
        return KnownError(
            "The learning program was terminated by the system (signal {signal}).",
            remedy,
            signal=-code,
        )
    return LearningFault(f"The learning program ended with code {code}.\n\n{errors}")


def raise_reported(broken: ErrorReport | Refused) -> NoReturn:
    """Raise the reported error: a KnownError, or a LearningFault if it has a traceback."""
    if broken.traceback:
        raise LearningFault(f"{broken.sentence}\n\n{broken.traceback}")
    raise KnownError(broken.sentence, broken.remedy)


Line = TypeVar("Line")


class Transcript(Generic[Line]):
    """Decoded output of a child; several threads may add to it."""

    def __init__(self, decode: Callable[[bytes], Line]) -> None:
        """`decode` decodes one line, or raises msgspec.DecodeError."""
        self._decode = decode
        self._begun = bytearray()  # an incomplete line
        self._errors = ""
        self._adding = threading.Lock()

    @property
    def errors(self) -> str:
        """The last error output, with lines that could not be decoded."""
        return self._errors

    def add_errors(self, data: bytes) -> None:
        """Append error output."""
        with self._adding:
            self._errors = (self._errors + data.decode(errors="replace"))[-KEPT_ERRORS:]

    def add_output(self, data: bytes) -> list[Line]:
        """Append output; return the values of the lines completed by it."""
        self._begun += data
        if b"\n" not in data:
            return []
        *lines, self._begun = self._begun.split(b"\n")
        found = []
        for line in filter(None, lines):
            try:
                found.append(self._decode(bytes(line)))
            except msgspec.DecodeError:
                self.add_errors(bytes(line) + b"\n")
        return found


class ChildProcess(Generic[Line]):
    """A running learning program; leaving a `with` block kills it."""

    def __init__(self, arguments: Sequence[str], decode: Callable[[bytes], Line]) -> None:
        """Start the program; `decode` as in `Transcript`. Raises KnownError if that fails."""
        try:
            with held_back():  # the child delivers them once it can pause
                self._child = subprocess.Popen(
                    [*learning_command(), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=child_environment(),
                    # Ctrl+C at the terminal is handled by the parent, which ends the child
                    start_new_session=os.name == "posix",
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise start_failure(reason_of(error)) from error
        self._transcript = Transcript(decode)
        self._lines: queue.Queue[Line | None] = queue.Queue()  # None: end of the output
        self._outgoing: queue.Queue[bytes | None] = queue.Queue()  # None: close the input
        works = (self._read_output, self._read_errors, self._write)
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def errors(self) -> str:
        """The last error output; complete after `wait`."""
        return self._transcript.errors

    def read(self, seconds: float) -> Line | None:
        """The next line; None if there is none within `seconds`, or at the end (`ended`)."""
        if self.ended:
            return None
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        self.ended = line is None
        return line

    def send(self, data: bytes) -> None:
        """Write to the child's input without waiting; ignored if the child has exited."""
        self._outgoing.put(data)

    def close_input(self) -> None:
        """Close the child's input, as if this process had exited."""
        self._outgoing.put(None)

    def wait(self, seconds: float) -> int:
        """Wait at most `seconds`, then kill the child; return its exit code."""
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            code = self._child.wait()
        self.close_input()
        for thread in self._threads:
            thread.join()
        for pipe in (self._child.stdout, self._child.stderr):
            assert pipe is not None
            pipe.close()
        return code

    def end(self) -> None:
        """Kill the child."""
        with contextlib.suppress(OSError):
            self._child.kill()
        self.wait(EXIT_SECONDS)

    def _read_output(self) -> None:
        assert self._child.stdout is not None
        for data in self._child.stdout:
            self._receive(data)
        self._receive(b"\n")  # completes a truncated line
        self._lines.put(None)

    def _receive(self, data: bytes) -> None:
        for line in self._transcript.add_output(data):
            self._lines.put(line)

    def _read_errors(self) -> None:
        assert self._child.stderr is not None
        for data in self._child.stderr:
            self._transcript.add_errors(data)

    def _write(self) -> None:
        stdin = self._child.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):  # an exited child is noticed by its output
            while (data := self._outgoing.get()) is not None:
                stdin.write(data)
                stdin.flush()
        with contextlib.suppress(OSError):
            stdin.close()


class LearningProcess(ChildProcess[AnyReport]):
    """The learning program working on a run folder; `read` returns its reports in order."""

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(arguments, decode_report)

    def command(self, name: str) -> None:
        """Send "pause" or "stop"."""
        self.send(name.encode() + b"\n")


class ServingProcess(ChildProcess[AnswerLine]):
    """The learning program answering requests, for one job."""

    def __init__(self) -> None:
        super().__init__([SERVE], decode_answer_line)
        self._sent = 0

    def request(self, request: AnyRequest) -> Generator[Answer | None, None, None]:
        """Send a request; yield its answers, and None as a heartbeat.

        Raises KnownError if it is refused or the system ended the child, LearningFault for a bug.
        """
        self._sent += 1
        self.send(encode_line(RequestLine(self._sent, request)))
        while True:
            line = self.read(BEAT)
            if self.ended:
                raise crash(self.wait(EXIT_SECONDS), self.errors)
            if line is None:
                yield None
                continue
            if isinstance(line.answer, Refused):
                raise_reported(line.answer)
            yield line.answer
            if line.last:
                return


Reported = TypeVar("Reported", bound=Report)


def reported(arguments: Sequence[str], wanted: type[Reported]) -> Steps[Reported]:
    """Run the program to its end; yield its reports, or None as a heartbeat; return the `wanted`.

    Closing the generator kills the program. Raises KnownError or LearningFault if it ends without
    the wanted report.
    """
    result: Reported | None = None
    broken: ErrorReport | None = None
    with LearningProcess(arguments) as process:
        while not process.ended:
            report = process.read(BEAT)
            if isinstance(report, wanted):
                result = report
            elif isinstance(report, ErrorReport):
                broken = report
            yield report
        code = process.wait(EXIT_SECONDS)
    if result is not None:
        return result
    if broken is not None:
        raise_reported(broken)
    raise crash(code, process.errors)


def run_request(
    mode: str,
    request: msgspec.Struct,
    files: Mapping[str, bytes],
    parent: Path,
    wanted: type[Reported],
) -> Steps[Reported]:
    """Run the program with `--mode` as `reported`, on a temporary folder in `parent` with the
    request and `files` (name → content)."""
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{mode}-", dir=parent))
    try:
        with writing(folder):
            (folder / REQUEST_FILE).write_bytes(msgspec.json.encode(request))
            for name, data in files.items():
                (folder / name).write_bytes(data)
        return (yield from reported([str(folder), f"--{mode}"], wanted))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


CRASHES = 2  # in succession without an answer, after which all waiting requests are refused
RETRY = Message("Try again. If it fails again, this network may need more memory.")
Refusal = tuple[int, Refused]  # number of a request, and why it is refused


class RequestQueue:
    """Requests to a serving program, sent one at a time and in order.

    When the program crashes, the current request is refused; the others are sent to its successor.
    """

    def __init__(self) -> None:
        self._waiting: deque[RequestLine] = deque()
        self._current: int | None = None
        self._cancelled: set[int] = set()
        self._added = 0
        self._crashes = 0

    def add(self, request: AnyRequest) -> int:
        """Append a request; return its number."""
        self._added += 1
        self._waiting.append(RequestLine(self._added, request))
        return self._added

    @property
    def has_next(self) -> bool:
        """Whether a request can be sent now."""
        return self._current is None and bool(self._waiting)

    def next_line(self) -> bytes:
        """The line to send now; requires `has_next`."""
        line = self._waiting.popleft()
        self._current = line.id
        return encode_line(line)

    def receive(self, line: AnswerLine) -> bool:
        """Record an answer; return False if its request was cancelled."""
        self._crashes = 0
        wanted = line.id not in self._cancelled
        if line.last:
            self._current = None
            self._cancelled.discard(line.id)
        return wanted

    def cancel(self, numbers: Collection[int] | None = None) -> None:
        """Discard these requests (None: all) and their answers."""
        self._waiting = deque(
            one for one in self._waiting if numbers is not None and one.id not in numbers
        )
        if self._current is not None and (numbers is None or self._current in numbers):
            self._cancelled.add(self._current)

    def withdraw(self, numbers: Collection[int]) -> frozenset[int]:
        """Remove those of these requests that are not sent yet; return their numbers."""
        removed = frozenset(one.id for one in self._waiting if one.id in numbers)
        self._waiting = deque(one for one in self._waiting if one.id not in removed)
        return removed

    def crashed(self) -> list[Refusal]:
        """Record a crash of the program; return the requests refused for it."""
        self._crashes += 1
        refused = self._refuse_current(Message("The learning program ended unexpectedly."), RETRY)
        if self._crashes >= CRASHES:
            self._crashes = 0
            sentence = Message("The learning program ended unexpectedly twice.")
            refused += self._refuse_waiting(sentence, RETRY)
        return refused

    def refuse_all(self, error: KnownError) -> list[Refusal]:
        """Refuse all requests with `error`; return them."""
        current = self._refuse_current(error.sentence, error.remedy)
        return current + self._refuse_waiting(error.sentence, error.remedy)

    def _refuse_current(self, sentence: Message, remedy: Message) -> list[Refusal]:
        current, self._current = self._current, None
        if current is None or current in self._cancelled:
            self._cancelled.clear()
            return []
        return [(current, Refused(sentence=sentence, remedy=remedy))]

    def _refuse_waiting(self, sentence: Message, remedy: Message) -> list[Refusal]:
        waiting, self._waiting = self._waiting, deque()
        return [(one.id, Refused(sentence=sentence, remedy=remedy)) for one in waiting]
