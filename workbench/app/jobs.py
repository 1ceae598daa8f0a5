"""Jobs: long work as plain generators in separate threads, each ending exactly once."""

from __future__ import annotations

import errno
import threading
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, Signal, Slot

from workbench.domain.errors import KnownError, reason_of, remedy_of
from workbench.domain.reports import Report
from workbench.domain.text import Message

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)  # every job is a Job[object]


class JobResult:
    """Base class of the results that a job yields for its task to apply in the owner's thread."""


DISK_ERRORS = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)  # causes outside of the program
Yielded = Report | JobResult
Kind = TypeVar("Kind", bound=Yielded)
Steps = Generator[Yielded | None, None, T]
Work = Callable[[], Steps[T]]


@dataclass(frozen=True)
class Done(Generic[T_co]):
    """The job completed; `value` is the return value of its generator."""

    value: T_co


NO_REMEDY = Message("")


@dataclass(frozen=True)
class Failed:
    """The job failed. `report` is the traceback of a bug, "" for an expected error."""

    sentence: Message
    remedy: Message = NO_REMEDY
    report: str = ""

    @property
    def text(self) -> Message:
        """The sentence, and the remedy if there is one."""
        return KnownError(self.sentence, self.remedy).message


@dataclass(frozen=True)
class Cancelled:
    """The job was stopped on request; results applied until then are kept."""


Outcome = Done[T] | Failed | Cancelled


def nothing(_: object) -> None:
    """Ignore a value; the default callback."""


def when_done(keep: Callable[[T], None]) -> Callable[[Outcome[T]], None]:
    """A task's `finish` that calls `keep` with the value of a completed job."""

    def finish(outcome: Outcome[T]) -> None:
        if isinstance(outcome, Done):
            keep(outcome.value)

    return finish


def applying(kind: type[Kind], apply: Callable[[Kind], None]) -> Callable[[Yielded], None]:
    """A task's `apply` that calls `apply` with the yielded values of one type."""

    def apply_if(value: Yielded) -> None:
        if isinstance(value, kind):
            apply(value)

    return apply_if


def apply_each(*callbacks: Callable[[Yielded], None]) -> Callable[[Yielded], None]:
    """A task's `apply` that calls each of `callbacks` with every yielded value, in order."""

    def apply(value: Yielded) -> None:
        for callback in callbacks:
            callback(value)

    return apply


@dataclass(frozen=True)
class Task(Generic[T_co]):
    """The work of a job.

    `work` makes a generator that runs in the job's thread and returns the job's value. It yields
    reports and JobResults, which are passed to `apply` in the owner's thread, and None as a
    heartbeat; reports are then shown.
    The job can be stopped at each yield (at least every 0.2 s); the generator is then closed.
    `finish` is called with the outcome in the owner's thread, after every `apply`.
    """

    title: Message
    work: Work[T_co]
    apply: Callable[[Yielded], None] = nothing
    finish: Callable[[Outcome[T_co]], None] = nothing
    kind: str = ""


def run_to_end(steps: Steps[T]) -> T:
    """Run a job's work in this thread, ignoring what it yields; return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


def failure(title: Message, error: BaseException) -> Failed:
    """Outcome of a job called `title` that ended with `error`."""
    if isinstance(error, KnownError):
        return Failed(error.sentence, error.remedy)
    if isinstance(error, OSError) and error.filename and error.errno in DISK_ERRORS:
        known = KnownError(
            "{path} cannot be written: {reason}.",
            remedy_of(error),
            path=error.filename,
            reason=reason_of(error),
        )
        return Failed(known.sentence, known.remedy)
    report = "".join(traceback.format_exception(error))
    sentence = Message("Unexpected error in “{title}”.", title=title)
    return Failed(sentence, report=report)


def _steps(
    task: Task[T], stopped: Callable[[], bool], emit: Callable[[Yielded], None]
) -> Outcome[T]:
    steps = task.work()
    try:
        while not stopped():
            try:
                value = next(steps)
            except StopIteration as end:
                return Done(end.value)
            if value is not None:
                emit(value)
    finally:
        steps.close()
    return Cancelled()


def _drive(
    task: Task[T], stopped: Callable[[], bool], emit: Callable[[Yielded], None]
) -> tuple[Outcome[T], BaseException | None]:
    """Run the generator to its end and close it. An error while closing is the outcome, too."""
    try:
        return _steps(task, stopped, emit), None
    except BaseException as error:
        return failure(task.title, error), error


def _finish(task: Task[T], outcome: Outcome[T]) -> Outcome[T]:
    """Pass the outcome to the task; an error there replaces it."""
    try:
        task.finish(outcome)
    except Exception as error:
        return failure(task.title, error)
    return outcome


class Job(QThread, Generic[T_co]):
    """A running task in a separate thread, started by a session or a `JobRunner`, which keep it.

    `reported` carries each report. At the end, `ended` carries the outcome, followed by `done` with
    the value or `failed` with the Failed.
    """

    reported = Signal(object)
    ended = Signal(object)
    done = Signal(object)
    failed = Signal(object)
    _yielded = Signal(object)
    _driven = Signal()

    def __init__(self, task: Task[T_co], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.task = task
        self.outcome: Outcome[T_co] | None = None
        self._driven_to: Outcome[T_co] = Cancelled()  # replaced when the work has ended
        self._stop = threading.Event()
        self._apply_failed: BaseException | None = None
        self._yielded.connect(self._apply, Qt.ConnectionType.QueuedConnection)
        self._driven.connect(self._end, Qt.ConnectionType.QueuedConnection)

    def stop(self) -> None:
        """Request the work to end at its next yield; return immediately."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    def run(self) -> None:
        """Body of the thread; values are sent to the owner by queued signals, in order."""
        self._driven_to, _ = _drive(self.task, self._stop.is_set, self._yielded.emit)
        self._driven.emit()

    @Slot(object)
    def _apply(self, value: Yielded) -> None:
        if self._apply_failed is not None:
            return  # values after a failed one are not applied
        try:
            self.task.apply(value)
        except Exception as error:
            self._apply_failed = error
            self.stop()
        if not isinstance(value, JobResult):
            self.reported.emit(value)

    @Slot()
    def _end(self) -> None:
        self.wait()
        outcome = self._driven_to
        if self._apply_failed is not None:
            outcome = failure(self.task.title, self._apply_failed)
        self.outcome = outcome = _finish(self.task, outcome)
        self.ended.emit(outcome)
        if isinstance(outcome, Done):
            self.done.emit(outcome.value)
        elif isinstance(outcome, Failed):
            self.failed.emit(outcome)

    def settle(self) -> None:
        """Wait for the thread and deliver its queued values now (owner's thread)."""
        self.wait()
        QCoreApplication.sendPostedEvents(self)


class JobRunner(QObject):
    """Starts jobs and keeps them until their threads have finished: destroying a running QThread
    aborts the process."""

    started = Signal(object)
    reported = Signal(object, object)
    ended = Signal(object, object)
    _released = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: list[Job[object]] = []
        self._finished: list[Job[object]] = []
        self._released.connect(self._drop, Qt.ConnectionType.QueuedConnection)

    def jobs(self) -> tuple[Job[object], ...]:
        """Running jobs, oldest first."""
        return tuple(self._jobs)

    def start(self, task: Task[T]) -> Job[T]:
        """Start a task in a separate thread."""
        job = Job(task)
        job.reported.connect(self._relay)
        job.ended.connect(self._release)
        self._jobs.append(job)
        self.started.emit(job)
        job.start()
        return job

    def stop_all_and_wait(self, kind: str = "") -> None:
        """Stop all jobs, or those of one kind, and wait until they have ended and their last values
        are applied."""
        while found := [job for job in self._jobs if not kind or job.task.kind == kind]:
            for job in found:
                job.stop()
            for job in found:
                job.settle()

    @Slot(object)
    def _relay(self, report: Report) -> None:
        self.reported.emit(self.sender(), report)

    @Slot(object)
    def _release(self, outcome: Outcome[object]) -> None:
        job = cast(Job[object], self.sender())
        self._jobs.remove(job)
        self._finished.append(job)  # kept while Qt still delivers to it
        self._released.emit()
        self.ended.emit(job, outcome)

    @Slot()
    def _drop(self) -> None:
        self._finished.clear()


def run_here(
    task: Task[T],
    on_report: Callable[[Report], None] | None = None,
    stop: threading.Event | None = None,
) -> Outcome[T]:
    """Run a task in this thread, for the command line. KeyboardInterrupt closes and passes it."""

    def apply(value: Yielded) -> None:
        task.apply(value)
        if on_report is not None and not isinstance(value, JobResult):
            on_report(value)

    outcome, error = _drive(task, stop.is_set if stop is not None else lambda: False, apply)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        task.finish(Cancelled())
        raise error
    return _finish(task, outcome)
