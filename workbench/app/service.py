"""The serving learning program for the window: one child process with answers as signals."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal, Slot

from workbench.app.learner import (
    RETRY,
    SERVE,
    Refusal,
    RequestQueue,
    Transcript,
    child_environment,
    learning_command,
    raise_reported,
    start_failure,
)
from workbench.domain.errors import KnownError
from workbench.domain.requests import Answer, AnswerLine, AnyRequest, Refused, decode_answer_line
from workbench.domain.text import counted

_log = logging.getLogger(__name__)


class LearningService(QObject):
    """Answers requests about runs, one at a time and in order.

    The child is started by the first request and then kept running. When it crashes, the current
    request is refused and waiting ones are sent to a new child; if that crashes as well, they are
    refused.
    """

    answered = Signal(int, object)  # the number that `request` returned, and an Answer

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._child: QProcess | None = None
        self._requests = RequestQueue()
        self._transcript = Transcript(decode_answer_line)
        self._awaited: int | None = None
        self._awaited_answer: Answer | None = None
        self._closed = False

    def request(self, request: AnyRequest) -> int:
        """Queue a request; return its number, with which `answered` carries each answer."""
        number = self._requests.add(request)
        self._send_next()
        return number

    def request_and_wait(self, request: AnyRequest, seconds: float = 120.0) -> Answer:
        """Send a request and wait for its last answer, without an event loop.

        Raises KnownError if it is refused or not answered within `seconds`, LearningFault for a
        bug.
        """
        wanted = self.request(request)
        self._awaited, self._awaited_answer = wanted, None
        end = time.monotonic() + seconds
        while self._awaited_answer is None:
            left = round((end - time.monotonic()) * 1000)
            if left <= 0:
                self.cancel_pending((wanted,))
                late = counted(
                    round(seconds),
                    "There was no answer within {n:,} second.",
                    "There was no answer within {n:,} seconds.",
                )
                raise KnownError(late, RETRY)
            self._wait_for_output(min(left, 200))
        answer, self._awaited, self._awaited_answer = self._awaited_answer, None, None
        if isinstance(answer, Refused):
            raise_reported(answer)
        return answer

    def cancel_pending(self, numbers: Collection[int] | None = None) -> None:
        """Cancel these requests (None: all); `answered` is not emitted for them."""
        self._requests.cancel(numbers)

    def withdraw(self, numbers: Collection[int]) -> frozenset[int]:
        """Remove those of these requests that are not sent yet; return their numbers.

        The others are answered.
        """
        return self._requests.withdraw(numbers)

    @property
    def pid(self) -> int:
        """Process id of the child; 0 if there is none."""
        return int(self._child.processId()) if self._child is not None else 0

    def close(self) -> None:
        """Kill the child and wait for its end; pending requests are not answered."""
        self._closed = True
        self._requests.cancel()
        if self._child is not None:
            child, self._child = self._child, None  # so that its last signals are ignored
            child.kill()
            child.waitForFinished(5000)
            child.deleteLater()

    def _send_next(self) -> None:
        if not self._requests.has_next or self._closed:
            return
        if self._child is None:
            self._start()
        if self._child is not None and self._requests.has_next:  # else all were refused
            self._child.write(self._requests.next_line())

    def _start(self) -> None:
        child = QProcess(self)
        environment = QProcessEnvironment()
        for name, value in child_environment().items():
            environment.insert(name, value)
        child.setProcessEnvironment(environment)
        child.readyReadStandardOutput.connect(self._read)
        child.readyReadStandardError.connect(self._read_errors)
        child.finished.connect(self._crashed)
        child.errorOccurred.connect(self._failed)
        self._child, self._transcript = child, Transcript(decode_answer_line)
        program, *arguments = learning_command()
        child.start(program, [*arguments, SERVE])

    def _wait_for_output(self, milliseconds: int) -> None:
        child = self._child
        if child is not None:
            child.waitForReadyRead(milliseconds)
            if child is self._child:
                self._read()

    @Slot()
    def _read(self) -> None:
        if self._child is not None:
            data = self._child.readAllStandardOutput().data()
            for line in self._transcript.add_output(bytes(data)):
                self._receive(line)

    @Slot()
    def _read_errors(self) -> None:
        if self._child is not None:
            self._transcript.add_errors(bytes(self._child.readAllStandardError().data()))

    def _receive(self, line: AnswerLine) -> None:
        wanted = self._requests.receive(line)
        self._send_next()
        if wanted:
            self._deliver(line.id, line.answer, line.last)

    def _deliver(self, number: int, answer: Answer, last: bool = True) -> None:
        if number == self._awaited:
            if last:
                self._awaited_answer = answer
            return
        self.answered.emit(number, answer)

    def _refuse(self, refusals: Iterable[Refusal]) -> None:
        for number, refused in refusals:
            self._deliver(number, refused)

    @Slot()
    def _crashed(self) -> None:
        """Handle the unexpected end of the child."""
        self._read_errors()
        child, self._child = self._child, None
        if child is None:
            return
        child.deleteLater()
        errors = self._transcript.errors
        _log.warning("The serving learning program ended (%d). %s", child.exitCode(), errors)
        self._refuse(self._requests.crashed())
        self._send_next()

    @Slot(QProcess.ProcessError)
    def _failed(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._child is not None:
            child, self._child = self._child, None
            child.deleteLater()
            reason = start_failure(child.errorString())
            _log.warning("%s", reason.sentence)
            self._refuse(self._requests.refuse_all(reason))
