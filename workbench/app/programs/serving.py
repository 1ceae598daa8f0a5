"""The serving learning program for jobs: each job has a process of its own, in its own thread."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Generator
from types import TracebackType
from typing import IO

import msgspec

from workbench.app.programs.processes import KEPT_ERRORS, child_environment, learning_command
from workbench.domain.errors import KnownError
from workbench.domain.requests import (
    Answer,
    Answered,
    AnyRequest,
    Asked,
    Refused,
    decode_answered,
    encode_line,
)

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
        self._heard: queue.Queue[Answered | None] = queue.Queue()
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
        line = encode_line(Asked(self._asked, request))
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
                self._heard.put(decode_answered(line))
        self._heard.put(None)

    def _last_errors(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - KEPT_ERRORS))
        return self._errors.read().decode(errors="replace")
