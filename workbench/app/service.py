"""The serving learning program as the window uses it: one child, asked and heard by signals."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Collection

import msgspec
from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal, Slot

from workbench.app.learner import KEPT_ERRORS, child_environment, learning_command, raise_refused
from workbench.domain.errors import KnownError
from workbench.domain.requests import (
    Answer,
    AnswerLine,
    AnyRequest,
    Refused,
    RequestLine,
    decode_answer_line,
    encode_line,
)

_log = logging.getLogger(__name__)
_DEATHS = 2  # in a row, without an answer between, after which it is not started again by itself
_REMEDY = "Ask again. If it happens once more, the memory may be too small for this network."


class LearningService(QObject):
    """Answers requests about runs in the order they were asked, one at a time.

    The child is started with the first request and kept. When it dies, the request it was at is
    refused, and the ones still waiting go to a new child; when that dies too, they are refused.
    """

    answered = Signal(int, object)  # the id that `ask` gave, and an Answer

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._child: QProcess | None = None
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._current: int | None = None
        self._dropped: set[int] = set()
        self._awaited: int | None = None
        self._awaited_answer: Answer | None = None
        self._heard = bytearray()
        self._errors = ""
        self._asked = 0
        self._deaths = 0
        self._closed = False

    def ask(self, request: AnyRequest) -> int:
        """Send a request as soon as those before it are answered; `answered` brings the answer
        under the id that this returns. Of several answers to one request, all are brought."""
        self._asked += 1
        self._waiting.append((self._asked, encode_line(RequestLine(self._asked, request))))
        self._send_next()
        return self._asked

    def ask_and_wait(self, request: AnyRequest, seconds: float = 120.0) -> Answer:
        """The last answer to a request, waited for without an event loop.

        Raises KnownError when it is refused, or not answered within `seconds`; RuntimeError with
        the report where the fault is ours.
        """
        wanted = self.ask(request)
        self._awaited, self._awaited_answer = wanted, None
        end = time.monotonic() + seconds
        while self._awaited_answer is None:
            left = round((end - time.monotonic()) * 1000)
            if left <= 0:
                self.cancel_pending((wanted,))
                raise KnownError(f"There was no answer within {seconds:g} seconds.", _REMEDY)
            self._wait_a_moment(min(left, 200))
        answer, self._awaited, self._awaited_answer = self._awaited_answer, None, None
        if isinstance(answer, Refused):
            raise_refused(answer)
        return answer

    def cancel_pending(self, ids: Collection[int] | None = None) -> None:
        """Nobody waits for these any more (None: for any): they are not answered."""
        self._waiting = deque(w for w in self._waiting if ids is not None and w[0] not in ids)
        if self._current is not None and (ids is None or self._current in ids):
            self._dropped.add(self._current)

    def withdraw(self, ids: Collection[int]) -> frozenset[int]:
        """Take back those of these requests that were not sent yet; gives their ids. The others are
        answered."""
        back = frozenset(number for number, _ in self._waiting if number in ids)
        self._waiting = deque(w for w in self._waiting if w[0] not in back)
        return back

    @property
    def pid(self) -> int:
        """The child's process id, 0 while there is none."""
        return int(self._child.processId()) if self._child is not None else 0

    def close(self) -> None:
        """End the child at once; what was asked is not answered. No process is left behind."""
        self._closed = True
        self._waiting.clear()
        if self._child is not None:
            child, self._child = self._child, None  # its last signals find no child, and do nothing
            child.kill()
            child.waitForFinished(5000)
            child.deleteLater()

    # the child

    def _send_next(self) -> None:
        if self._current is not None or not self._waiting or self._closed:
            return
        if self._child is None:
            self._start()
        if self._child is None or not self._waiting:
            return  # it could not be started, and all were told so
        self._current, line = self._waiting.popleft()
        self._child.write(line)

    def _start(self) -> None:
        child = QProcess(self)
        environment = QProcessEnvironment()
        for name, value in child_environment().items():
            environment.insert(name, value)
        child.setProcessEnvironment(environment)
        child.readyReadStandardOutput.connect(self._read)
        child.readyReadStandardError.connect(self._read_errors)
        child.finished.connect(self._died)
        child.errorOccurred.connect(self._failed)
        self._child, self._errors = child, ""
        self._heard.clear()
        program, *arguments = learning_command()
        child.start(program, [*arguments, "--serve"])

    def _wait_a_moment(self, milliseconds: int) -> None:
        child = self._child
        if child is not None:
            child.waitForReadyRead(milliseconds)
            if child is self._child:
                self._read()

    @Slot()
    def _read(self) -> None:
        if self._child is None:
            return
        self._heard += self._child.readAllStandardOutput().data()
        while (end := self._heard.find(b"\n")) >= 0:
            line = bytes(self._heard[:end])
            del self._heard[: end + 1]
            try:
                said = decode_answer_line(line)
            except msgspec.DecodeError:
                self._errors = (self._errors + line.decode(errors="replace"))[-KEPT_ERRORS:]
                continue
            self._take(said)

    @Slot()
    def _read_errors(self) -> None:
        if self._child is not None:
            said = bytes(self._child.readAllStandardError().data()).decode(errors="replace")
            self._errors = (self._errors + said)[-KEPT_ERRORS:]

    def _take(self, said: AnswerLine) -> None:
        self._deaths = 0
        dropped = said.id in self._dropped
        if said.last:
            self._current = None
            self._dropped.discard(said.id)
            self._send_next()
        if not dropped:
            self._bring(said.id, said.answer, said.last)

    def _bring(self, asked: int, answer: Answer, last: bool = True) -> None:
        if asked == self._awaited:
            if last:
                self._awaited_answer = answer
            return
        self.answered.emit(asked, answer)

    @Slot()
    def _died(self) -> None:
        """The child ended by itself."""
        self._read_errors()
        child, self._child = self._child, None
        if child is None:
            return
        child.deleteLater()
        self._deaths += 1
        _log.warning("The serving learning program ended (%d). %s", child.exitCode(), self._errors)
        self._refuse_current("The learning program ended unexpectedly.")
        if self._deaths >= _DEATHS:
            self._refuse_waiting("The learning program ended unexpectedly, twice.")
            self._deaths = 0
        self._send_next()

    @Slot(QProcess.ProcessError)
    def _failed(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._child is not None:
            child, self._child = self._child, None
            child.deleteLater()
            _log.warning("The serving learning program cannot be started: %s", child.errorString())
            sentence = f"The learning program cannot be started: {child.errorString()}."
            self._refuse_current(sentence)
            self._refuse_waiting(sentence)

    def _refuse_current(self, sentence: str) -> None:
        current, self._current = self._current, None
        if current is None or current in self._dropped:
            self._dropped.discard(current or 0)
            return
        self._bring(current, Refused(sentence=sentence, remedy=_REMEDY))

    def _refuse_waiting(self, sentence: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        for asked, _ in waiting:
            self._bring(asked, Refused(sentence=sentence, remedy=_REMEDY))
