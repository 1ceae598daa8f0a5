"""A transfer that goes on by itself: each step is handed to the jobs or the queue of trainings."""

from __future__ import annotations

from collections.abc import Generator

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job, Outcome, Task
from workbench.app.session import Session
from workbench.app.training.training_queue import TrainingQueue
from workbench.app.transfer import transferring
from workbench.app.transfer.transfer_runs import TransferStage, TransferStep, steps
from workbench.domain.errors import KnownError
from workbench.domain.runs import RunStatus
from workbench.domain.transfers import Transfer, TransferRequest


class TransferQueue(QObject):
    """One transfer at a time. `changed` follows every step; `reported` carries what the work under
    way says; `refused` the sentence of an error between the steps (jobs tell of their own);
    `finished` the transfer once its winner stands. `problem` says why the last one ended early."""

    changed = Signal()
    reported = Signal(object)
    refused = Signal(str)
    finished = Signal(object)

    def __init__(
        self, session: Session, queue: TrainingQueue, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._op, self._queue = session, queue
        self._transfer: Transfer | None = None
        self._steps: Generator[TransferStep, None, None] | None = None
        self._step: TransferStep | None = None
        self._job: Job[object] | None = None
        self._stepping = self._stopping = False
        self.problem = ""
        queue.changed.connect(self._look)
        queue.reported.connect(self._heard_training)
        session.closed.connect(self._leave)  # a source may be open beside it

    @property
    def current(self) -> Transfer | None:
        """The transfer under way, as far as it is."""
        return transferring.latest(self._op, self._transfer) if self._transfer else None

    @property
    def stage(self) -> TransferStage | None:
        """What the transfer under way is at."""
        return self._step.stage if self._step is not None else None

    @property
    def training(self) -> str:
        """The run of the transfer that is being trained, "" while none is."""
        current = self._queue.current
        return current if self._step is not None and current in self._step.runs else ""

    @property
    def trained(self) -> tuple[int, int]:
        """How many trainings of the present step are done, and of how many."""
        runs = self._step.runs if self._step is not None else ()
        return sum(not self._queue.holds(run) for run in runs), len(runs)

    def start(self, asked: TransferRequest) -> None:
        """Begin a transfer, or go on with the unfinished one that was asked for likewise. Raises
        KnownError and ValueRefused as `transferring.begin` does."""
        if self._transfer is None:
            self.go_on(transferring.begin(self._op, asked))

    def go_on(self, transfer: Transfer) -> None:
        """Do what a transfer lacks."""
        if self._transfer is not None:
            return
        self._transfer, self.problem, self._stopping = transfer, "", False
        self._steps = steps(self._op, transfer)
        self._next()

    def stop(self) -> None:
        """Leave off: a training is paused, so that `go_on` takes it up again."""
        self._stopping = True
        if self._job is not None:
            self._job.stop()
        for run in reversed(self._step.runs if self._step is not None else ()):
            self._queue.pause(run)

    def _next(self) -> None:
        """Carry out the next step, or end where there is none."""
        assert self._steps is not None
        self._stepping = True
        try:
            self._step = next(self._steps, None)
            if self._step is None:
                self._end()
                return
            if self._step.task is not None:
                self._carry_out(self._step.task)
            other = None if self._step.session is self._op else self._step.session
            for run in self._step.runs:
                self._queue.enqueue(run, other)
        except KnownError as error:
            self._give_up(str(error))
            self.refused.emit(str(error))
            return
        finally:
            self._stepping = False
        self.changed.emit()

    def _carry_out(self, task: Task[object]) -> None:
        self._job = self._op.start(task, reported=self._heard_job, ended=self._carried_out)

    def _carried_out(self, outcome: Outcome[object]) -> None:
        self._job = None
        if isinstance(outcome, Done) and self._steps is not None and not self._stopping:
            self._next()
        else:
            self._give_up(outcome.sentence if isinstance(outcome, Failed) else "")

    def _heard_job(self, report: object) -> None:
        self.reported.emit(report)

    def _heard_training(self, run: str, report: object) -> None:
        if self._step is not None and run in self._step.runs:
            self.reported.emit(report)

    def _look(self) -> None:
        """Go on when all trainings of the step have ended well, leave off when one has not."""
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
            self._give_up(failed[0] if failed else "")

    def _end(self) -> None:
        transfer = self.current
        self._leave()
        self.changed.emit()
        self.finished.emit(transfer)

    def _give_up(self, sentence: str) -> None:
        self._leave()
        self.problem = sentence
        self.changed.emit()

    def _leave(self) -> None:
        """Let go of what is open; the project remembers how far the transfer is."""
        left, self._steps, self._step, self._transfer = self._steps, None, None, None
        if left is not None:
            left.close()
