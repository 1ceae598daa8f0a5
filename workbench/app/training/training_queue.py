"""Queue of trainings: one at a time and in order; each can be paused, resumed and stopped."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Job, Outcome
from workbench.app.session import Session
from workbench.app.training.training import RESUMABLE, RunControl, recover, training_task
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.reports import Report
from workbench.domain.runs import RunStatus


class TrainingQueue(QObject):
    """Runs queued trainings of a project, and of other open projects.

    `reported` and `ended` carry the run's id.
    """

    changed = Signal()
    reported = Signal(str, object)
    ended = Signal(str, object)

    def __init__(self, project: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._waiting: list[str] = []
        self._elsewhere: dict[str, Session] = {}  # sessions of runs of other projects, by run id
        self._current = ""
        self._control = RunControl()
        self._job: Job[RunStatus] | None = None
        self._closed = False
        recover(project)

    @property
    def current(self) -> str:
        """Id of the run in training; "" if there is none."""
        return self._current

    @property
    def waiting(self) -> tuple[str, ...]:
        """Ids of waiting runs, in order."""
        return tuple(self._waiting)

    def state(self, run_id: str) -> RunStatus:
        """Status of a run."""
        return RunStatus(self._of(run_id).store.runs.get(run_id).status)

    def holds(self, run_id: str) -> bool:
        """Whether a run is in training or waiting."""
        return run_id == self._current or run_id in self._waiting

    def enqueue(self, run_id: str, project: Session | None = None) -> None:
        """Append a run to the queue.

        `project` is its session if it is not the queue's own; it must stay open until the run has
        ended. Raises KnownError for a run that cannot be trained.
        """
        if self.holds(run_id):
            return
        record = (project or self._project).store.runs.get(run_id)
        if record.status not in RESUMABLE:
            raise KnownError(
                "The run “{name}” cannot be resumed, as its status is “{status}”.",
                "Start a new run from its weights (start = run:ID).",
                name=record.name,
                status=record.status.value,
            )
        if project is not None:
            self._elsewhere[run_id] = project
        self._waiting.append(run_id)
        self._set(run_id, RunStatus.QUEUED)
        self._next()

    def resume(self, run_id: str) -> None:
        """Append a paused or failed run to the queue."""
        self.enqueue(run_id)

    def pause(self, run_id: str) -> None:
        """Pause the run in training after its current step, or remove a waiting one from the
        queue."""
        if run_id == self._current:
            self._control.pause()
        elif run_id in self._waiting:
            self._waiting.remove(run_id)
            self._set(run_id, RunStatus.PAUSED)
            self._elsewhere.pop(run_id, None)

    def stop(self, run_id: str) -> None:
        """Stop a run permanently; the weights of a started one are kept."""
        if run_id == self._current:
            self._control.stop()
            return
        if run_id in self._waiting:
            self._waiting.remove(run_id)
        if self.state(run_id) in RESUMABLE:
            self._set(run_id, RunStatus.STOPPED)

    def remove(self, run_id: str) -> None:
        """Delete a run with its folder. Raises KnownError while it is in training."""
        if run_id == self._current:
            raise KnownError("A run in training cannot be removed.", "Stop it first.")
        if run_id in self._waiting:
            self._waiting.remove(run_id)
        self._project.remove_run(run_id)
        self.changed.emit()

    def close(self) -> None:
        """Pause all runs and start no others; the session waits for the current one."""
        self._closed = True
        for run_id in self._waiting:
            self._of(run_id).store.runs.update(run_id, status=RunStatus.PAUSED)
        self._waiting.clear()
        self._control.pause()

    def _next(self) -> None:
        if self._current or not self._waiting or self._closed:
            return
        run_id = self._waiting.pop(0)
        self._control = RunControl()
        task = training_task(self._of(run_id), run_id, self._control)
        self._current = run_id
        self._job = self._project.start(task, reported=self._reported, ended=self._ended)
        self.changed.emit()

    def _reported(self, report: Report) -> None:
        self.reported.emit(self._current, report)

    def _ended(self, outcome: Outcome[RunStatus]) -> None:
        run_id, self._current, self._job = self._current, "", None
        self._elsewhere.pop(run_id, None)
        self.ended.emit(run_id, outcome)
        self.changed.emit()
        self._next()

    def _of(self, run_id: str) -> Session:
        return self._elsewhere.get(run_id, self._project)

    def _set(self, run_id: str, status: RunStatus) -> None:
        self._of(run_id).store.runs.update(run_id, status=status)
        self._announce(run_id)

    def _announce(self, run_id: str) -> None:
        self._project.announce(Changes(runs=frozenset({run_id})))
        self.changed.emit()
