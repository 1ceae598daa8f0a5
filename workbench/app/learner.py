"""The learning program as a child process: one protocol for training, folder requests and serving.

Lines of JSON go to its input and come from its output. Its error output, and every line that is not
of the protocol, is kept for the report of a crash.
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

from workbench.domain.assessments import REQUEST_FILE
from workbench.domain.errors import KnownError
from workbench.domain.reports import AnyReport, Broken, Report, decode_report
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

BEAT = 0.1  # seconds between chances to stop
EXIT_SECONDS = 5.0  # that a child may take to exit once it has closed its output
KEPT_ERRORS = 8000  # characters of the child's error output that a report of a crash carries
SERVE = "--serve"  # the argument that makes the program answer requests


class LearningFault(Exception):
    """A fault of ours in the learning program; the text is its own traceback."""


def learning_command() -> list[str]:
    """The command that starts the learning program; a frozen application starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "learning"]
    return [sys.executable, "-m", "workbench.learning"]


def child_environment() -> dict[str, str]:
    """The child finds this package whatever folder it is started in."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def start_failure(reason: str) -> KnownError:
    """The error of a child that the system did not start."""
    return KnownError(
        "The learning program cannot be started: {reason}.",
        "Close other programs and try again; if that does not help, install this one again.",
        reason=reason,
    )


def crash(code: int, errors: str, advice: str = " and try again.") -> Exception:
    """The error of a child that ended with an exit code and without its result. A signal is the
    system's doing, a KnownError; anything else a LearningFault with what the child wrote last."""
    if code < 0:
        return KnownError(
            "The learning program was ended by the system (signal {signal}).",
            "Often that means too little memory: close other programs{advice}",
            signal=-code,
            advice=advice,
        )
    return LearningFault(f"The learning program ended with code {code}.\n\n{errors}")


def raise_broken(broken: Broken | Refused) -> NoReturn:
    """Raise what the program reports: a KnownError, or a LearningFault where it has a traceback."""
    if broken.traceback:
        raise LearningFault(f"{broken.sentence}\n\n{broken.traceback}")
    raise KnownError(broken.sentence, broken.remedy)


Line = TypeVar("Line")


class Transcript(Generic[Line]):
    """What a child has written so far; threads may add to it."""

    def __init__(self, decode: Callable[[bytes], Line]) -> None:
        """`decode` makes a value of one line, or raises msgspec.DecodeError."""
        self._decode = decode
        self._begun = bytearray()  # a line without its end
        self._errors = ""
        self._adding = threading.Lock()

    @property
    def errors(self) -> str:
        """The end of its error output, and of lines that could not be decoded."""
        return self._errors

    def add_errors(self, data: bytes) -> None:
        with self._adding:
            self._errors = (self._errors + data.decode(errors="replace"))[-KEPT_ERRORS:]

    def add_output(self, data: bytes) -> list[Line]:
        """The values of the lines that these bytes complete."""
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
    """The learning program at work; leaving a `with` block ends it, whatever it is doing."""

    def __init__(self, arguments: Sequence[str], decode: Callable[[bytes], Line]) -> None:
        """Start it; `decode` as in `Transcript`. Raises KnownError where that fails."""
        try:
            self._child = subprocess.Popen(
                [*learning_command(), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=child_environment(),
                # an interrupt at the terminal is for the parent, which ends the child in order
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise start_failure(error.strerror or str(error)) from error
        self._transcript = Transcript(decode)
        self._lines: queue.Queue[Line | None] = queue.Queue()  # None: there are no more
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
        return self._child.pid

    @property
    def errors(self) -> str:
        """The end of its error output; whole after `wait`."""
        return self._transcript.errors

    def read(self, seconds: float) -> Line | None:
        """The next line; None when there is none within `seconds`, or when `ended`."""
        if self.ended:
            return None
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        self.ended = line is None
        return line

    def send(self, data: bytes) -> None:
        """Write to the child's input, without waiting; a child that is gone ignores it."""
        self._outgoing.put(data)

    def close_input(self) -> None:
        """Close the child's input, as the end of this process would."""
        self._outgoing.put(None)

    def wait(self, seconds: float) -> int:
        """The exit code, after at most `seconds`; a child that runs longer is killed."""
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
        """Kill a child whose work nobody needs any more."""
        with contextlib.suppress(OSError):
            self._child.kill()
        self.wait(EXIT_SECONDS)

    def _read_output(self) -> None:
        assert self._child.stdout is not None
        for data in self._child.stdout:
            self._receive(data)
        self._receive(b"\n")  # ends a line that was cut off
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
        with contextlib.suppress(OSError):  # that the child is gone is seen at its output
            while (data := self._outgoing.get()) is not None:
                stdin.write(data)
                stdin.flush()
        with contextlib.suppress(OSError):
            stdin.close()


class LearningProcess(ChildProcess[AnyReport]):
    """The learning program at work on a run folder; `read` returns its reports in order."""

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(arguments, decode_report)

    def command(self, word: str) -> None:
        """Send "pause" or "stop"."""
        self.send(word.encode() + b"\n")


class ServingProcess(ChildProcess[AnswerLine]):
    """The learning program as a server of requests, for one job."""

    def __init__(self) -> None:
        super().__init__([SERVE], decode_answer_line)
        self._asked = 0

    def ask(self, request: AnyRequest) -> Generator[Answer | None, None, None]:
        """The answers to a request, with None as a heartbeat while there is none yet. Raises
        KnownError for a refusal or a child ended by the system, LearningFault for a fault of
        ours."""
        self._asked += 1
        self.send(encode_line(RequestLine(self._asked, request)))
        while True:
            line = self.read(BEAT)
            if self.ended:
                raise crash(self.wait(EXIT_SECONDS), self.errors)
            if line is None:
                yield None
                continue
            if isinstance(line.answer, Refused):
                raise_broken(line.answer)
            yield line.answer
            if line.last:
                return


Reported = TypeVar("Reported", bound=Report)


def reported(
    arguments: Sequence[str], wanted: type[Reported]
) -> Generator[object | None, None, Reported]:
    """Run the program to its end; yields its reports, None while there is none, and returns the
    one that is `wanted`.

    Closing the generator ends the program. Raises KnownError and LearningFault where it ends
    without that report.
    """
    result: Reported | None = None
    broken: Broken | None = None
    with LearningProcess(arguments) as process:
        while not process.ended:
            report = process.read(BEAT)
            if isinstance(report, wanted):
                result = report
            elif isinstance(report, Broken):
                broken = report
            yield report
        code = process.wait(EXIT_SECONDS)
    if result is not None:
        return result
    if broken is not None:
        raise_broken(broken)
    raise crash(code, process.errors)


def run_request(
    mode: str,
    request: msgspec.Struct,
    files: Mapping[str, bytes],
    parent: Path,
    wanted: type[Reported],
) -> Generator[object | None, None, Reported]:
    """`reported` with `--mode` on a temporary folder in `parent` that holds a request and files."""
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


CRASHES = 2  # in a row, without an answer between, after which waiting requests are refused
RETRY = Message("Try again. If it happens once more, the memory may be too small for this network.")
Refusal = tuple[int, Refused]  # the number of a request, and why it is not answered


class RequestQueue:
    """Requests to a serving program that is replaced when it crashes: sent one at a time, in their
    order. The request that it crashed at is refused; the others go to the next one."""

    def __init__(self) -> None:
        self._waiting: deque[RequestLine] = deque()
        self._current: int | None = None
        self._cancelled: set[int] = set()
        self._added = 0
        self._crashes = 0

    def add(self, request: AnyRequest) -> int:
        """Put a request at the end; returns its number."""
        self._added += 1
        self._waiting.append(RequestLine(self._added, request))
        return self._added

    @property
    def has_next(self) -> bool:
        """Whether a request is to be sent now."""
        return self._current is None and bool(self._waiting)

    def next_line(self) -> bytes:
        """The line to send now; only where `has_next`."""
        line = self._waiting.popleft()
        self._current = line.id
        return encode_line(line)

    def take(self, line: AnswerLine) -> bool:
        """Note an answer; returns whether it is still wanted."""
        self._crashes = 0
        wanted = line.id not in self._cancelled
        if line.last:
            self._current = None
            self._cancelled.discard(line.id)
        return wanted

    def cancel(self, numbers: Collection[int] | None = None) -> None:
        """Answers to these requests (None: to any) are not wanted any more."""
        self._waiting = deque(
            one for one in self._waiting if numbers is not None and one.id not in numbers
        )
        if self._current is not None and (numbers is None or self._current in numbers):
            self._cancelled.add(self._current)

    def withdraw(self, numbers: Collection[int]) -> frozenset[int]:
        """Remove those of these requests that were not sent yet; returns their numbers."""
        removed = frozenset(one.id for one in self._waiting if one.id in numbers)
        self._waiting = deque(one for one in self._waiting if one.id not in removed)
        return removed

    def crashed(self) -> list[Refusal]:
        """Note that the program ended by itself; returns the requests that this refuses."""
        self._crashes += 1
        refused = self._refuse_current(Message("The learning program ended unexpectedly."), RETRY)
        if self._crashes >= CRASHES:
            self._crashes = 0
            sentence = Message("The learning program ended unexpectedly, twice.")
            refused += self._refuse_waiting(sentence, RETRY)
        return refused

    def refuse_all(self, error: KnownError) -> list[Refusal]:
        """Refuse every request for a reason, and return them."""
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
