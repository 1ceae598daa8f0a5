"""The model of the Results page: runs and their results, cached while they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from workbench.app.results.evaluating import Evaluation, evaluate_task
from workbench.app.results.exporting import OnnxFile, agreement, export_task
from workbench.app.results.predicting import PredictedFolder, predict_folder_task
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import RunResults, Scope, load_results
from workbench.app.results.run_comparison import SinglePair, single_pairs
from workbench.app.training.adopting import Adopted, adopt_task
from workbench.app.training.samples import seen_by
from workbench.domain.assessments import MissingRun
from workbench.domain.errors import KnownError
from workbench.domain.reports import Epoch
from workbench.domain.run_pairs import differences
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import Part
from workbench.domain.text import mark, plural, tr
from workbench.ui.look.markup import plain_text
from workbench.ui.page import Context
from workbench.ui.pages.results.section import RunInScope
from workbench.ui.parts.run_texts import percent
from workbench.ui.parts.training_draft import train_missing

CACHED = 3  # runs whose predictions stay in memory

_UNFINISHED = {
    RunStatus.QUEUED: mark("This run is queued. Results appear when training finishes."),
    RunStatus.RUNNING: mark("This run is training. Results appear when training finishes."),
    RunStatus.PAUSED: mark("This run is paused. Results appear when training finishes."),
}


class ResultsModel(QObject):
    """Loads runs, and explains why a run has no results."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._cached: dict[str, RunResults] = {}

    def records(self) -> list[RunRecord]:
        """All runs, newest first."""
        return list(self._context.session.runs.all())

    def name(self, run_id: str) -> str:
        """The name of a run."""
        return str(self._context.session.runs.get(run_id).name)

    def newest_scored(self, records: Sequence[RunRecord]) -> str:
        """The id of the newest finished run, else of the newest run, else ""."""
        for record in records:
            if record.status is RunStatus.FINISHED:
                return record.id
        return records[0].id if records else ""

    # Results

    def results(self, run_id: str) -> RunResults:
        """The results of a run; raises KnownError if it has none."""
        found = self._cached.pop(run_id, None) or load_results(self._context.session, run_id)
        self._cached[run_id] = found
        while len(self._cached) > CACHED:
            del self._cached[next(iter(self._cached))]
        return found

    def open(self, run_id: str) -> tuple[RunResults | None, str]:
        """The results of a run, or None and the reason as translated text."""
        if not run_id:
            return None, tr("Select a run above.")
        record = self._context.session.runs.get(run_id)
        try:
            return self.results(run_id), ""
        except KnownError as error:
            if record.status is RunStatus.FAILED:
                return None, tr("Failed. {reason}").format(reason=tr(record.message))
            return None, tr(_UNFINISHED.get(record.status, error.message))

    def shown(self, run_id: str, scope: Scope) -> RunInScope | None:
        """A run in a scope for the sections, None if it has no results."""
        results, _ = self.open(run_id)
        if results is None:
            return None
        return RunInScope(results, scope, CurrentLabels(self._context.session, results, scope.head))

    def forget(self, runs: Iterable[str] | None) -> None:
        """Drop the cached results of these runs (None: of all)."""
        if runs is None:
            self._cached.clear()
        for run_id in runs or ():
            self._cached.pop(run_id, None)

    def comparable(self, record: RunRecord) -> list[RunRecord]:
        """The other finished runs with the same target label set."""
        return [
            other
            for other in self.records()
            if other.id != record.id
            and other.status is RunStatus.FINISHED
            and other.labels.target.name == record.labels.target.name
        ]

    def pairs(self, records: Sequence[RunRecord]) -> list[SinglePair]:
        """Pairs of runs with and without views (see `single_pairs`)."""
        return single_pairs(records, seen_by(self._context.session.runs_folder))

    def differences(self, first: RunRecord, second: RunRecord) -> tuple[str, ...]:
        """The recipe keys and data in which two runs differ."""
        return differences(first, second, seen_by(self._context.session.runs_folder))

    def train_missing(self, missing: MissingRun) -> None:
        """Train the run that a pair lacks."""
        train_missing(self._context, missing)

    def paths(self, images: Sequence[int]) -> dict[int, str]:
        """The paths of image files by image id."""
        rows = self._context.session.images.rows(sorted(set(images)))
        return {row.id: row.path for row in rows}

    # Curves

    def epochs_of(self, run_id: str) -> list[Epoch]:
        """The finished epochs of a run."""
        return list(self._context.session.runs.epochs(run_id))

    def epochs(self, runs: Sequence[str]) -> dict[str, list[Epoch]]:
        """The finished epochs of runs by name, with the id appended if it is not unique."""
        found: dict[str, list[Epoch]] = {}
        for run_id in runs:
            name = self.name(run_id)
            found[name if name not in found else f"{name} ({run_id})"] = self.epochs_of(run_id)
        return found

    # Actions

    def rename(self, run_id: str, name: str) -> None:
        """Rename a run; a blank name, as left by clearing the cell, is ignored."""
        if name.strip():
            self._context.session.rename_run(run_id, name)

    def confirm_removal(self, parent: QWidget, run_id: str) -> bool:
        """Ask the user to confirm the deletion of a run, which cannot be undone."""
        if not run_id:
            return False
        question = tr(
            "Delete {name} with its weights, predictions and curves? This cannot be undone."
        )
        answer = QMessageBox.question(
            parent,
            tr("Delete run"),
            plain_text(question.format(name=self.name(run_id))),
            QMessageBox.StandardButton.Cancel | QMessageBox.StandardButton.Discard,
            QMessageBox.StandardButton.Cancel,
        )
        return answer is QMessageBox.StandardButton.Discard

    def remove(self, run_id: str) -> None:
        """Delete a run with all its files."""
        with self._context.reporting_errors():
            self._context.queue.remove(run_id)

    # Use of a run elsewhere; each is a job with its progress and a stop button in the status bar

    def predict_folder(self, parent: QWidget, run_id: str) -> None:
        """Choose a folder of photographs and a CSV file, and predict them with a run."""
        home = str(Path.home())
        folder = QFileDialog.getExistingDirectory(parent, tr("Choose a folder with images"), home)
        if not folder:
            return
        name = tr("{folder} predictions", "file name").format(folder=Path(folder).name)
        path = self._choose_file(parent, tr("Save predictions"), f"{name}.csv", "CSV (*.csv)")
        if path is not None:
            with self._context.reporting_errors():
                task = predict_folder_task(self._context.session, run_id, Path(folder), path)
                self._context.session.start(task, done=self._show_predicted)

    def _show_predicted(self, found: PredictedFolder) -> None:
        parts = [
            plural(
                found.images,
                "{n:,} image predicted and written to {file}.",
                "{n:,} images predicted and written to {file}.",
                file=found.path.name,
            )
        ]
        if lost := len(found.skipped):
            unread = plural(
                lost,
                "{n:,} file has no prediction, for the reason given there.",
                "{n:,} files have no prediction, for the reasons given there.",
            )
            parts.append(unread)
        self._context.notify(" ".join(parts), "warn" if found.skipped else "info")

    def export_onnx(self, parent: QWidget, run_id: str) -> None:
        """Choose a file and export the network of a run as ONNX."""
        name, kinds = f"{self.name(run_id)}.onnx".replace("/", "-"), "ONNX (*.onnx)"
        path = self._choose_file(parent, tr("Export as ONNX"), name, kinds)
        if path is not None:
            with self._context.reporting_errors():
                task = export_task(self._context.session, run_id, path)
                self._context.session.start(task, done=self._show_exported)

    def _show_exported(self, found: OnnxFile) -> None:
        text = tr("{file}: {agreement}").format(
            file=found.path.name, agreement=tr(agreement(found))
        )
        self._context.notify(text, "info" if found.same_predictions else "warn")

    def _choose_file(self, parent: QWidget, title: str, name: str, kinds: str) -> Path | None:
        chosen, _ = QFileDialog.getSaveFileName(parent, title, str(Path.home() / name), kinds)
        return Path(chosen) if chosen else None

    def adopt(self, parent: QWidget) -> None:
        """Choose the folder of a run that was trained elsewhere, and copy it into the project."""
        title = tr("Choose the folder of the run")
        folder = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
        if folder:
            with self._context.reporting_errors():
                task = adopt_task(self._context.session, Path(folder))
                self._context.session.start(task, done=self._show_adopted)

    def _show_adopted(self, adopted: Adopted) -> None:
        text = tr("Adopted: {run}.").format(run=adopted.record.name)
        if adopted.unknown:
            unknown = plural(
                adopted.unknown,
                "{n:,} image of the run is not in this project.",
                "{n:,} images of the run are not in this project.",
            )
            text = f"{text} {unknown}"
        self._context.notify(text, "warn" if adopted.unknown else "info")

    def evaluate(self, run_id: str, part: Part) -> None:
        """Score a part again with the weights of a run, and compare with what is stored."""
        with self._context.reporting_errors():
            task = evaluate_task(self._context.session, run_id, part)
            self._context.session.start(task, done=self._show_evaluation)

    def _show_evaluation(self, found: Evaluation) -> None:
        text = plural(
            found.images,
            "Scored again on {n:,} {part} image: top-1 {top1}, stored {stored}; predictions "
            "changed: {changed:,}; scores differ by at most {difference:.1g}.",
            "Scored again on {n:,} {part} images: top-1 {top1}, stored {stored}; predictions "
            "changed: {changed:,}; scores differ by at most {difference:.1g}.",
            part=found.part.value,
            top1=percent(found.top1),
            stored=percent(found.stored_top1),
            changed=found.changed,
            difference=found.largest_difference,
        )
        self._context.notify(text, "warn" if found.changed else "info")
