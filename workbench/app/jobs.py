"""Jobs: long work as plain generators in threads of their own, each ending exactly once."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, Signal, Slot

from workbench.domain.errors import KnownError

Result = TypeVar("Result")
Work = Callable[[], Generator[object | None, None, Any]]


@dataclass(frozen=True)
class Done:
    """The job did all it was asked; `value` is what its generator returned."""

    value: Any = None


@dataclass(frozen=True)
class Failed:
    """The job could not end its work. `report` is a traceback where the fault is ours, else ""."""

    sentence: str
    remedy: str = ""
    report: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The job was stopped on request; what it had applied until then stays."""


Outcome = Done | Failed | Cancelled


def nothing(_: object) -> None:
    """Takes a value and lets it go."""


@dataclass(frozen=True)
class Task:
    """What a job does. `work` makes a generator that runs in the job's thread; each value it yields
    is a report or a result, handed to `apply` in the owner's thread, and None is a heartbeat; each
    yield is a chance to stop (at least every 0.2 s), upon which the generator is closed. `finish`
    takes the outcome in the owner's thread, after every `apply`."""

    title: str
    work: Work
    apply: Callable[[Any], None] = nothing
    finish: Callable[[Outcome], None] = nothing
    kind: str = ""


def ended(steps: Generator[object | None, None, Result]) -> Result:
    """What a job's work returns, done here without a stop; what it yields is let go."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: Result = end.value
            return value


def failure(title: str, error: BaseException) -> Failed:
    """What to tell of an error that ended `title`."""
    if isinstance(error, KnownError):
        return Failed(error.sentence, error.remedy)
    report = "".join(traceback.format_exception(error))
    return Failed(f"Something went wrong in “{title}”.", "", report)


def _steps(task: Task, stopped: Callable[[], bool], emit: Callable[[object], None]) -> Outcome:
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
    task: Task, stopped: Callable[[], bool], emit: Callable[[object], None]
) -> tuple[Outcome, BaseException | None]:
    """Run the generator to its one end, and close it. An error while closing is its end too."""
    try:
        return _steps(task, stopped, emit), None
    except BaseException as error:
        return failure(task.title, error), error


def _finish(task: Task, outcome: Outcome) -> Outcome:
    """Hand the outcome to the task; an error there is how the task ended after all."""
    try:
        task.finish(outcome)
    except Exception as error:
        return failure(task.title, error)
    return outcome


class Job(QThread):
    """One task under way in a thread of its own. Start it through a `JobRunner`, which holds it."""

    reported = Signal(object)
    ended = Signal(object)
    _yielded = Signal(object)
    _driven = Signal(object)

    def __init__(self, task: Task, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.task = task
        self.outcome: Outcome | None = None
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
        outcome, _ = _drive(self.task, self._stop.is_set, self._yielded.emit)
        self._driven.emit(outcome)

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

    @Slot(object)
    def _end(self, outcome: Outcome) -> None:
        self.wait()
        if self._apply_failed is not None:
            outcome = failure(self.task.title, self._apply_failed)
        self.outcome = _finish(self.task, outcome)
        self.ended.emit(self.outcome)

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
        self._jobs: list[Job] = []
        self._finished: list[Job] = []
        self._released.connect(self._drop, Qt.ConnectionType.QueuedConnection)

    def jobs(self) -> tuple[Job, ...]:
        """The jobs that have not ended, oldest first."""
        return tuple(self._jobs)

    def start(self, task: Task) -> Job:
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
    def _release(self, outcome: Outcome) -> None:
        job = cast(Job, self.sender())
        self._jobs.remove(job)
        self._finished.append(job)  # its last reference must not go while Qt still delivers to it
        self._released.emit()
        self.ended.emit(job, outcome)

    @Slot()
    def _drop(self) -> None:
        self._finished.clear()


def run_here(
    task: Task,
    on_report: Callable[[object], None] | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
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
