"""The learning program as a child process: started, read, queried, paused and stopped."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

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

BEAT = 0.1  # seconds between chances to stop
KEPT_ERRORS = 8000  # characters of the child's error output that a report of a crash carries


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


class LearningProcess:
    """A learning program at work on a run folder; `report()` gives what it says, in order."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._child = subprocess.Popen(
            [*learning_command(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(),
            # an interrupt at the terminal is for the parent, which pauses the child in order
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._said: queue.Queue[AnyReport | None] = queue.Queue()
        self._errors = ""
        self._readers = [
            threading.Thread(target=self._read_reports, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.ended = False

    @property
    def pid(self) -> int:
        return self._child.pid

    def report(self, seconds: float) -> AnyReport | None:
        """The next report; None when there is none within `seconds`, or when `ended`."""
        if self.ended:
            return None
        try:
            said = self._said.get(timeout=seconds)
        except queue.Empty:
            return None
        self.ended = said is None
        return said

    def tell(self, word: str) -> None:
        """Send "pause" or "stop"; a child that is gone hears nothing, which is fine."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._child.stdin.write(word.encode() + b"\n")
            self._child.stdin.flush()

    def wait(self, seconds: float) -> int:
        """The exit code, after at most `seconds`; a child that lingers longer is ended."""
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            code = self._child.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                self._close(pipe)
        return code

    def abandon(self) -> None:
        """Close the child's input, as the end of this process would: it pauses."""
        if self._child.stdin is not None:
            self._close(self._child.stdin)

    def end(self) -> None:
        """End a child whose work nobody needs any more."""
        with contextlib.suppress(OSError):
            self._child.kill()
        self.wait(5.0)

    @property
    def errors(self) -> str:
        """The end of what the child wrote to its error output; whole after `wait`."""
        return self._errors

    def _read_reports(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            try:
                self._said.put(decode_report(line))
            except (msgspec.DecodeError, msgspec.ValidationError):
                self._errors = (self._errors + line.decode(errors="replace"))[-KEPT_ERRORS:]
        self._said.put(None)

    def _read_errors(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._errors = (self._errors + line.decode(errors="replace"))[-KEPT_ERRORS:]

    @staticmethod
    def _close(pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            pipe.close()


Reported = TypeVar("Reported", bound=Report)


def ask(
    mode: str,
    order: msgspec.Struct,
    files: Mapping[str, bytes],
    parent: Path,
    wanted: type[Reported],
) -> Generator[object | None, None, Reported]:
    """Start the program with `--mode` on a passing folder in `parent` that holds the order and the
    files; yields its reports and gives the one that is `wanted`.

    Closing the generator ends the program. Raises KnownError for the world's reasons.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{mode}-", dir=parent))
    try:
        (folder / REQUEST_FILE).write_bytes(msgspec.json.encode(order))
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return (yield from _asked(mode, folder, wanted))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _asked(
    mode: str, folder: Path, wanted: type[Reported]
) -> Generator[object | None, None, Reported]:
    process = LearningProcess([str(folder), f"--{mode}"])
    answer: Reported | None = None
    broken: Broken | None = None
    try:
        while not process.ended:
            report = process.report(BEAT)
            if isinstance(report, wanted):
                answer = report
            elif isinstance(report, Broken):
                broken = report
            yield report
    finally:
        process.end()
    if answer is not None:
        return answer
    if broken is not None and not broken.traceback:
        raise KnownError(broken.sentence, broken.remedy)
    raise LearningFault(process.errors if broken is None else broken.traceback)


HEARTBEAT = 0.1  # seconds


def raise_refused(refused: Refused) -> None:
    """Raise what a refusal says: a KnownError, or for a fault of ours an error with its report."""
    if refused.traceback:
        raise RuntimeError(f"{refused.sentence}\n{refused.traceback}")
    raise KnownError(refused.sentence, refused.remedy)


class ServingProcess:
    """One serving program for one job; leaving the `with` block ends it, whatever it is doing."""

    def __enter__(self) -> ServingProcess:
        self._errors = tempfile.TemporaryFile()  # closed in __exit__
        self._child = subprocess.Popen(
            [*learning_command(), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=child_environment(),
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._heard: queue.Queue[AnswerLine | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()
        self._asked = 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self._child.stdin, self._child.stdout, self._errors):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    @property
    def pid(self) -> int:
        return self._child.pid

    def ask(self, request: AnyRequest) -> Generator[Answer | None, None, None]:
        """The answers to a request, with None as a heartbeat while there is none yet.

        Raises KnownError for a refusal, RuntimeError with the report where the fault is ours.
        """
        self._asked += 1
        line = encode_line(RequestLine(self._asked, request))
        self._threads.append(threading.Thread(target=self._send, args=(line,), daemon=True))
        self._threads[-1].start()
        while True:
            try:
                heard = self._heard.get(timeout=HEARTBEAT)
            except queue.Empty:
                yield None
                continue
            if heard is None:
                raise RuntimeError(f"The learning program ended.\n{self._last_errors()}")
            if isinstance(heard.answer, Refused):
                raise_refused(heard.answer)
            yield heard.answer
            if heard.last:
                return

    def _send(self, line: bytes) -> None:
        stdin = self._child.stdin
        assert stdin is not None
        with contextlib.suppress(OSError, ValueError):  # a child that is gone is heard of elsewhere
            stdin.write(line)
            stdin.flush()

    def _listen(self) -> None:
        stdout: IO[bytes] | None = self._child.stdout
        assert stdout is not None
        with contextlib.suppress(msgspec.DecodeError):
            for line in stdout:
                self._heard.put(decode_answer_line(line))
        self._heard.put(None)

    def _last_errors(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - KEPT_ERRORS))
        return self._errors.read().decode(errors="replace")
