"""The learning program as a child process: how it is started, heard and told to pause or stop."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from workbench.domain.reports import AnyReport, decode_report

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
    root = str(Path(__file__).resolve().parents[3])
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
