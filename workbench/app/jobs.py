"""Jobs: long work as plain generators in threads of their own, each ending exactly once."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, Signal, Slot

from workbench.domain.errors import KnownError
from workbench.domain.text import Message

T = TypeVar("T")
Yielded = TypeVar("Yielded")
T_co = TypeVar("T_co", covariant=True)  # a job of whatever value is a Job[object]

Steps = Generator[object | None, None, T]
Work = Callable[[], Steps[T]]


@dataclass(frozen=True)
class Done(Generic[T_co]):
    """The job did all it was asked; `value` is what its generator returned."""

    value: T_co


NOTHING_TO_ADD = Message("")


@dataclass(frozen=True)
class Failed:
    """The job could not end its work. `report` is a traceback where the fault is ours, else ""."""

    sentence: Message
    remedy: Message = NOTHING_TO_ADD
    report: str = ""

    @property
    def text(self) -> Message:
        """The sentence, then the remedy if there is one."""
        return KnownError(self.sentence, self.remedy).message


@dataclass(frozen=True)
class Cancelled:
    """The job was stopped on request; what it had applied until then stays."""


Outcome = Done[T] | Failed | Cancelled


def nothing(_: object) -> None:
    """Takes a value and lets it go."""


def when_done(keep: Callable[[T], None]) -> Callable[[Outcome[T]], None]:
    """A task's `finish` that hands the value of a job that was done to `keep`."""

    def finish(outcome: Outcome[T]) -> None:
        if isinstance(outcome, Done):
            keep(outcome.value)

    return finish


def applying(kind: type[Yielded], apply: Callable[[Yielded], None]) -> Callable[[object], None]:
    """A task's `apply` that takes those yielded values which are of one kind."""

    def take(value: object) -> None:
        if isinstance(value, kind):
            apply(value)

    return take


def apply_each(*takers: Callable[[object], None]) -> Callable[[object], None]:
    """A task's `apply` that hands every yielded value to each of `takers`, in order."""

    def take(value: object) -> None:
        for taker in takers:
            taker(value)

    return take


@dataclass(frozen=True)
class Task(Generic[T_co]):
    """What a job does to come to a value. `work` makes a generator that runs in the job's thread
    and returns the value; what it yields is a report or a result, handed to `apply` in the owner's
    thread, and None is a heartbeat; each yield is a chance to stop (at least every 0.2 s), upon
    which the generator is closed. `finish` takes the outcome in the owner's thread, after every
    `apply`."""

    title: Message
    work: Work[T_co]
    apply: Callable[[object], None] = nothing
    finish: Callable[[Outcome[T_co]], None] = nothing
    kind: str = ""


def ended(steps: Steps[T]) -> T:
    """What a job's work returns, done here without a stop; what it yields is let go."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


def failure(title: Message, error: BaseException) -> Failed:
    """What to tell of an error that ended `title`."""
    if isinstance(error, KnownError):
        return Failed(error.sentence, error.remedy)
    report = "".join(traceback.format_exception(error))
    sentence = Message("Something went wrong in “{title}”.", title=title)
    return Failed(sentence, report=report)


def _steps(
    task: Task[T], stopped: Callable[[], bool], emit: Callable[[object], None]
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
    task: Task[T], stopped: Callable[[], bool], emit: Callable[[object], None]
) -> tuple[Outcome[T], BaseException | None]:
    """Run the generator to its one end, and close it. An error while closing is its end too."""
    try:
        return _steps(task, stopped, emit), None
    except BaseException as error:
        return failure(task.title, error), error


def _finish(task: Task[T], outcome: Outcome[T]) -> Outcome[T]:
    """Hand the outcome to the task; an error there is how the task ended after all."""
    try:
        task.finish(outcome)
    except Exception as error:
        return failure(task.title, error)
    return outcome


class Job(QThread, Generic[T_co]):
    """One task under way in a thread of its own. Start it through a session or a `JobRunner`, which
    holds it. `reported` carries what the work yields; then come `ended` with the outcome and, as
    the case may be, `done` with the value or `failed` with the Failed."""

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
        self._driven_to: Outcome[T_co] = Cancelled()  # how the work ended, once it has
        self._stop = threading.Event()
        self._apply_failed: BaseException | None = None
        self._yielded.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._driven.connect(self._end, Qt.ConnectionType.QueuedConnection)

    def stop(self) -> None:
        """Ask the work to end at its next yield; returns at once."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def run(self) -> None:
        """The thread's body; values go to the owner through queued signals, in order."""
        self._driven_to, _ = _drive(self.task, self._stop.is_set, self._yielded.emit)
        self._driven.emit()

    @Slot(object)
    def _take(self, value: object) -> None:
        if self._apply_failed is not None:
            return  # what follows a failed step is not applied
        try:
            self.task.apply(value)
        except Exception as error:
            self._apply_failed = error
            self.stop()
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
        """Wait for the thread and deliver what it still has queued, now (owner's thread)."""
        self.wait()
        QCoreApplication.sendPostedEvents(self)


class JobRunner(QObject):
    """Starts jobs and holds them until their threads have finished: a QThread that loses its last
    reference while it runs aborts the process."""

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
        """The jobs that have not ended, oldest first."""
        return tuple(self._jobs)

    def start(self, task: Task[T]) -> Job[T]:
        """Begin a task in its own thread."""
        job = Job(task)
        job.reported.connect(self._relay)
        job.ended.connect(self._release)
        self._jobs.append(job)
        self.started.emit(job)
        job.start()
        return job

    def stop_all_and_wait(self) -> None:
        """Stop every job and return once all have ended, their last values applied."""
        while self._jobs:
            for job in tuple(self._jobs):
                job.stop()
            for job in tuple(self._jobs):
                job.settle()

    @Slot(object)
    def _relay(self, value: object) -> None:
        self.reported.emit(self.sender(), value)

    @Slot(object)
    def _release(self, outcome: Outcome[object]) -> None:
        job = cast(Job[object], self.sender())
        self._jobs.remove(job)
        self._finished.append(job)  # its last reference must not go while Qt still delivers to it
        self._released.emit()
        self.ended.emit(job, outcome)

    @Slot()
    def _drop(self) -> None:
        self._finished.clear()


def run_here(
    task: Task[T],
    on_report: Callable[[object], None] | None = None,
    stop: threading.Event | None = None,
) -> Outcome[T]:
    """Run a task in this thread (the command line); KeyboardInterrupt closes it and goes on up."""

    def take(value: object) -> None:
        task.apply(value)
        if on_report is not None:
            on_report(value)

    outcome, error = _drive(task, stop.is_set if stop is not None else lambda: False, take)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        task.finish(Cancelled())
        raise error
    return _finish(task, outcome)
