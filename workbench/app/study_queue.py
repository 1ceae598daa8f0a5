"""Studies that go on by themselves: whenever a run of one ends, its next is queued."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Failed
from workbench.app.open_project import OpenProject
from workbench.app.studying import next_runs
from workbench.app.training_queue import TrainingQueue
from workbench.domain.errors import KnownError
from workbench.domain.runs import RunStatus


class StudyQueue(QObject):
    """Feeds the training queue, one run at a time. `changed` follows every step; `refused` carries
    the sentence of an error that ended a study's progress."""

    changed = Signal()
    refused = Signal(str)

    def __init__(
        self, op: OpenProject, queue: TrainingQueue, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._op, self._queue = op, queue
        self._under_way: dict[str, str] = {}  # run that is trained -> its study
        queue.ended.connect(self._over)

    def running(self, study_id: str) -> bool:
        """Whether a study goes on by itself."""
        return study_id in self._under_way.values()

    def go_on(self, study_id: str) -> None:
        """Train what a study lacks."""
        if not self.running(study_id):
            self._next(study_id)

    def stop(self, study_id: str) -> None:
        """Pause the run under way and queue no other; `go_on` takes it up again."""
        for run in [run for run, study in self._under_way.items() if study == study_id]:
            del self._under_way[run]
            self._queue.pause(run)
        self.changed.emit()

    def _next(self, study_id: str) -> None:
        try:
            _, runs = next_runs(self._op, self._op.store.studies.get(study_id))
            if runs:
                self._under_way[runs[0]] = study_id
                self._queue.enqueue(runs[0])
        except KnownError as error:
            self.refused.emit(str(error))
        self.changed.emit()

    def _over(self, run: str, outcome: object) -> None:
        study_id = self._under_way.pop(run, "")
        if not study_id:
            return
        if isinstance(outcome, Failed):
            self.refused.emit(outcome.sentence)
            self.changed.emit()
        elif self._queue.state(run) is RunStatus.PAUSED:
            self.changed.emit()  # a person paused it, and with it the study
        else:
            self._next(study_id)
