"""Studies that go on by themselves: whenever a run of one ends, its next is queued."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job
from workbench.app.open_project import OpenProject
from workbench.app.training.studying import cell_task, open_cells
from workbench.app.training.training_queue import TrainingQueue
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
        self._preparing: dict[str, Job] = {}  # study -> the job that makes its next run
        self._again: set[str] = set()  # those that go on once a job that was stopped has ended
        queue.ended.connect(self._over)

    def running(self, study_id: str) -> bool:
        """Whether a study goes on by itself."""
        if job := self._preparing.get(study_id):
            return study_id in self._again or not job.stopping
        return study_id in self._under_way.values()

    def go_on(self, study_id: str) -> None:
        """Train what a study lacks."""
        if self.running(study_id):
            return
        if study_id in self._preparing:
            self._again.add(study_id)
            self.changed.emit()
        else:
            self._next(study_id)

    def stop(self, study_id: str) -> None:
        """Pause the run under way and queue no other; `go_on` takes it up again."""
        if job := self._preparing.get(study_id):
            self._again.discard(study_id)
            job.stop()
        for run in [run for run, study in self._under_way.items() if study == study_id]:
            del self._under_way[run]
            self._queue.pause(run)
        self.changed.emit()

    def _next(self, study_id: str) -> None:
        try:
            study = self._op.store.studies.get(study_id)
            cell = next(open_cells(self._op, study), None)
            if cell is not None and cell.run:
                self._train(cell.run, study_id)
            elif cell is not None:
                job = self._op.jobs.start(cell_task(self._op, study, cell))
                self._preparing[study_id] = job
                job.ended.connect(self._prepared)
        except KnownError as error:
            self.refused.emit(str(error))
        self.changed.emit()

    def _train(self, run: str, study_id: str) -> None:
        self._under_way[run] = study_id
        self._queue.enqueue(run)

    def _prepared(self, outcome: object) -> None:
        """A run was made; one of a study that was stopped meanwhile is left for later, and one that
        shall go on after all is not made twice."""
        job = self.sender()
        for study_id in [study for study, known in self._preparing.items() if known is job]:
            del self._preparing[study_id]
            made = isinstance(outcome, Done) and not (isinstance(job, Job) and job.stopping)
            if made or study_id in self._again:
                self._again.discard(study_id)
                self._next(study_id)
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
