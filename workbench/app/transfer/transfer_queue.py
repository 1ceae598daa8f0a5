"""Automatic execution of a transfer: each step is a job or queued trainings."""

from __future__ import annotations

from collections.abc import Generator

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job, Outcome, Task
from workbench.app.session import Session
from workbench.app.training.training_queue import TrainingQueue
from workbench.app.transfer import transferring
from workbench.app.transfer.transfer_runs import TransferStage, TransferStep, steps
from workbench.domain.errors import KnownError
from workbench.domain.reports import Report
from workbench.domain.runs import RunStatus
from workbench.domain.transfers import Transfer, TransferRequest


class TransferQueue(QObject):
    """Runs one transfer at a time.

    `changed` is emitted after every step. `reported` carries reports of the current job or
    training, `refused` the message of an error between steps (jobs report their own), `finished`
    the completed transfer. `problem` is the reason why the last one ended early.
    """

    changed = Signal()
    reported = Signal(object)
    refused = Signal(object)
    finished = Signal(object)

    def __init__(
        self, session: Session, queue: TrainingQueue, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._queue = session, queue
        self._transfer: Transfer | None = None
        self._steps: Generator[TransferStep, None, None] | None = None
        self._step: TransferStep | None = None
        self._job: Job[object] | None = None
        self._stepping = self._stopping = False
        self.problem = ""
        queue.changed.connect(self._check_trainings)
        queue.reported.connect(self._training_reported)
        session.closed.connect(self._leave)  # the project of a source may be open

    @property
    def current(self) -> Transfer | None:
        """The running transfer in its current state; None if there is none."""
        return transferring.latest(self._session, self._transfer) if self._transfer else None

    @property
    def stage(self) -> TransferStage | None:
        """Stage of the running transfer; None if there is none."""
        return self._step.stage if self._step is not None else None

    @property
    def training(self) -> str:
        """Id of the transfer's run in training; "" if there is none."""
        current = self._queue.current
        return current if self._step is not None and current in self._step.runs else ""

    @property
    def trained(self) -> tuple[int, int]:
        """Number of finished trainings of the current step, and of all its trainings."""
        runs = self._step.runs if self._step is not None else ()
        return sum(not self._queue.holds(run) for run in runs), len(runs)

    def start(self, request: TransferRequest) -> None:
        """Start a transfer, or resume an unfinished one with the same request.

        Raises KnownError and ValueRefused as `transferring.begin`.
        """
        if self._transfer is None:
            self.resume(transferring.begin(self._session, request))

    def resume(self, transfer: Transfer) -> None:
        """Carry out the remaining steps of a transfer."""
        if self._transfer is not None:
            return
        self._transfer, self.problem, self._stopping = transfer, "", False
        self._steps = steps(self._session, transfer)
        self._next()

    def stop(self) -> None:
        """Stop the transfer and pause its trainings; `resume` continues them."""
        self._stopping = True
        if self._job is not None:
            self._job.stop()
        for run in reversed(self._step.runs if self._step is not None else ()):
            self._queue.pause(run)

    def _next(self) -> None:
        """Start the next step, or end the transfer."""
        assert self._steps is not None
        self._stepping = True
        try:
            self._step = next(self._steps, None)
            if self._step is None:
                self._end()
                return
            if self._step.task is not None:
                self._start_job(self._step.task)
            other = None if self._step.session is self._session else self._step.session
            for run in self._step.runs:
                self._queue.enqueue(run, other)
        except KnownError as error:
            self._abort(error.message)
            self.refused.emit(error.message)
            return
        finally:
            self._stepping = False
        self.changed.emit()

    def _start_job(self, task: Task[object]) -> None:
        self._job = self._session.start(task, reported=self._job_reported, ended=self._job_ended)

    def _job_ended(self, outcome: Outcome[object]) -> None:
        self._job = None
        if isinstance(outcome, Done) and self._steps is not None and not self._stopping:
            self._next()
        else:
            self._abort(outcome.sentence if isinstance(outcome, Failed) else "")

    def _job_reported(self, report: Report) -> None:
        self.reported.emit(report)

    def _training_reported(self, run: str, report: Report) -> None:
        if self._step is not None and run in self._step.runs:
            self.reported.emit(report)

    def _check_trainings(self) -> None:
        """Continue when all trainings of the step are finished, or abort if one is not."""
        step = self._step
        if self._stepping or step is None or not step.runs:
            return
        if any(self._queue.holds(run) for run in step.runs):
            self.changed.emit()
            return
        records = {run.id: run for run in step.session.store.runs.all() if run.id in step.runs}
        known = [records[run] for run in step.runs if run in records]
        if len(known) == len(step.runs) and {r.status for r in known} == {RunStatus.FINISHED}:
            self._next()
        else:
            failed = [run.message for run in known if run.status is RunStatus.FAILED]
            self._abort(failed[0] if failed else "")

    def _end(self) -> None:
        transfer = self.current
        self._leave()
        self.changed.emit()
        self.finished.emit(transfer)

    def _abort(self, sentence: str) -> None:
        self._leave()
        self.problem = sentence
        self.changed.emit()

    def _leave(self) -> None:
        """Close other projects; the state of the transfer is stored in the project."""
        left, self._steps, self._step, self._transfer = self._steps, None, None, None
        if left is not None:
            left.close()
