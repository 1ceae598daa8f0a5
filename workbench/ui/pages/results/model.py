"""Between the Results page and the app: runs and their results, kept while they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox, QWidget

from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import RunResults, Scope, load_results
from workbench.app.results.run_comparison import SinglePair, single_pairs
from workbench.domain.errors import KnownError
from workbench.domain.reports import Epoch
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.pages.results.section import RunInScope
from workbench.ui.parts.run_words import status_words

KEPT = 3  # runs whose predictions stay in memory


class ResultsModel(QObject):
    """Loads a run once; says in a sentence why a run has nothing to show."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._kept: dict[str, RunResults] = {}

    def records(self) -> list[RunRecord]:
        """All runs, newest first."""
        return list(self._context.session.runs.all())

    def name(self, run_id: str) -> str:
        return str(self._context.session.runs.get(run_id).name)

    def newest_scored(self, records: Sequence[RunRecord]) -> str:
        """The newest run with predictions, else the newest at all, else ""."""
        for record in records:
            if record.status is RunStatus.FINISHED:
                return record.id
        return records[0].id if records else ""

    # Results

    def results(self, run_id: str) -> RunResults:
        """A run's results; raises KnownError where it has none."""
        found = self._kept.pop(run_id, None) or load_results(self._context.session, run_id)
        self._kept[run_id] = found
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    def open(self, run_id: str) -> tuple[RunResults | None, str]:
        """A run's results, or None and why there are none yet."""
        if not run_id:
            return None, tr("Choose a run above.")
        record = self._context.session.runs.get(run_id)
        try:
            return self.results(run_id), ""
        except KnownError as error:
            if record.status is RunStatus.FAILED:
                return None, f"{status_words(record).capitalize()}. {record.message}"
            if record.status in (RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.PAUSED):
                return None, tr(
                    "This run is {status}: its results come when it has finished."
                ).format(status=status_words(record))
            return None, tr(error.message)

    def shown(self, run_id: str, scope: Scope) -> RunInScope | None:
        """What the sections show of a run, None where it has no results."""
        results, _ = self.open(run_id)
        if results is None:
            return None
        return RunInScope(results, scope, CurrentLabels(self._context.session, results, scope.head))

    def forget(self, runs: Iterable[str] | None) -> None:
        """Load these runs anew when they are looked at next (None: all)."""
        if runs is None:
            self._kept.clear()
        for run_id in runs or ():
            self._kept.pop(run_id, None)

    def comparable(self, record: RunRecord) -> list[RunRecord]:
        """The other finished runs of which the first label set is the same."""
        return [
            other
            for other in self.records()
            if other.id != record.id
            and other.status is RunStatus.FINISHED
            and other.labels.target.name == record.labels.target.name
        ]

    def pairs(self, records: Sequence[RunRecord]) -> list[SinglePair]:
        return single_pairs(records)

    def paths(self, images: Sequence[int]) -> dict[int, str]:
        """The files of images."""
        rows = self._context.session.images.rows(sorted(set(images)))
        return {row.id: row.path for row in rows}

    # Curves

    def epochs_of(self, run_id: str) -> list[Epoch]:
        return list(self._context.session.runs.epochs(run_id))

    def epochs(self, runs: Sequence[str]) -> dict[str, list[Epoch]]:
        """Epochs by the runs' names; two of one name are told apart by their id."""
        found: dict[str, list[Epoch]] = {}
        for run_id in runs:
            name = self.name(run_id)
            found[name if name not in found else f"{name} ({run_id})"] = self.epochs_of(run_id)
        return found

    # Deeds

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name."""
        self._context.session.rename_run(run_id, name)

    def ask_removal(self, parent: QWidget, run_id: str) -> bool:
        """Whether the person is sure: a run's files cannot be undone."""
        if not run_id:
            return False
        answer = QMessageBox.question(
            parent,
            tr("Delete run"),
            tr(
                "Delete {name} with its weights, predictions and curves? This cannot be undone."
            ).format(name=self.name(run_id)),
            QMessageBox.StandardButton.Cancel | QMessageBox.StandardButton.Discard,
            QMessageBox.StandardButton.Cancel,
        )
        return answer is QMessageBox.StandardButton.Discard

    def remove(self, run_id: str) -> None:
        """Delete a run with everything it left."""
        with self._context.reporting_errors():
            self._context.queue.remove(run_id)
