"""The model of the Train page: the draft being edited, its recommendations, and runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job, Outcome, Task
from workbench.app.training.preparing import PreparedRun, missing_task, prepare_task
from workbench.app.training.recipe_draft import Draft
from workbench.app.training.targets import Target as Choice
from workbench.app.training.targets import first_target, start_runs, targets
from workbench.app.training.training import facts, trial_task
from workbench.app.weights import weights_path, weights_task
from workbench.domain.advice import NO_ADVICE, DataFacts, advise
from workbench.domain.assessments import MissingRun
from workbench.domain.backbones import BACKBONES
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import KEYS, PartialRecipe, RecipeValue, UncheckedKeys, partial_recipe
from workbench.domain.reports import Progress, Report, Trial
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import Part
from workbench.domain.text import mark, plural, tr
from workbench.ui.page import Context
from workbench.ui.parts.recipe.form import TargetChoice
from workbench.ui.parts.run_texts import target_text

_TOO_FEW_LABELS = mark("At least two labels must be in use.")


class TrainingModel(QObject):
    """The draft being edited, and the jobs that the page starts.

    `changed` is emitted after every edit. `prepared(run)` is emitted once `train` has prepared a
    run, with "" if that failed. `downloading(done, total)`, in bytes, and `download_ended(error)`,
    "" without an error, report the download of the ImageNet weights.
    """

    changed = Signal()
    prepared = Signal(str)
    downloading = Signal(int, int)
    download_ended = Signal(str)

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.draft = Draft()
        self.refusal = ""  # why nothing can be trained with any settings; "" if something can
        self._facts: dict[str, DataFacts] = {}  # by target, until the data change
        self._start_runs: dict[str, list[tuple[str, str]]] = {}  # by backbone, until runs change
        self._busy: bool | None = None  # whether a training is running; None if unknown
        self._download: Job[Path] | None = None
        self._preparing: Job[PreparedRun] | None = None
        context.session.changed.connect(self._drop_outdated)

    # The draft

    def _drop_outdated(self, changes: Changes) -> None:
        """Drop what was read from the project and may have changed."""
        if changes.runs:
            self._start_runs, self._busy = {}, None
        if changes != Changes(runs=changes.runs, studies=changes.studies):
            self._facts = {}

    def update_targets(self) -> list[TargetChoice]:
        """Return the targets the labels currently allow; choose one if the draft has none."""
        self._facts, self._start_runs, self._busy = {}, {}, None
        choices = targets(self._context.session)
        if self.draft.target not in [choice.name for choice in choices if choice.ready]:
            first = first_target(choices)
            self.draft = self.draft.with_value("target", first) if first else self.draft
        self._advise()
        return [self._with_title(choice) for choice in choices]

    def _with_title(self, choice: Choice) -> TargetChoice:
        title = target_text(choice.name)
        labels = plural(choice.labels, "{n:,} label", "{n:,} labels")
        labelled = tr("{count:,} labelled").format(count=choice.labelled)
        reason = "" if choice.ready else tr(_TOO_FEW_LABELS)
        return TargetChoice(choice.name, f"{title}  ·  {labels}  ·  {labelled}", reason)

    def edit(self, key: str, value: RecipeValue) -> None:
        """Set `key` to a value chosen by the user."""
        self.draft = self.draft.with_value(key, value)
        self._update()

    def set_values(self, keys: UncheckedKeys) -> None:
        """Set several keys at once; all others keep their values."""
        self.draft = self.draft.with_values(keys)
        self._update()

    def clear(self, key: str) -> None:
        """Reset `key` to its recommended value."""
        self.draft = self.draft.without(key)
        self._update()

    def clear_all(self) -> None:
        """Reset everything except the target to the recommended values."""
        self.draft = Draft(self.draft.chosen.only("target"))
        self._update()

    def restore(self, chosen: UncheckedKeys) -> None:
        """Restore the keys chosen in an earlier session; unknown ones are ignored."""
        known = {key: value for key, value in chosen.items() if key in KEYS}
        self.draft = Draft().with_values(known)

    def _update(self) -> None:
        self._advise()
        self.changed.emit()

    def _advise(self) -> None:
        """Update the recommendations; `errors` has what is wrong with the chosen values."""
        self.refusal = ""
        if not self.draft.target:
            self.refusal = tr(_TOO_FEW_LABELS)
            return
        try:
            known = self._known(self.draft.target)
        except KnownError as error:
            self.draft = self.draft.advised_by(NO_ADVICE)
            self.refusal = tr(error.message)
        else:
            self.draft = self.draft.advised_by(advise(known, self.draft.sound))

    def _known(self, target: str) -> DataFacts:
        """The data that recommendations depend on, read again only after the data change."""
        if target not in self._facts:
            self._facts[target] = facts(self._context.session, target)
        return self._facts[target]

    def errors(self) -> Mapping[str, ValueRefused]:
        """The errors in the settings, by key."""
        return self.draft.errors if self.draft.target else {}

    # Start weights

    def start_runs(self) -> list[tuple[str, str]]:
        """The (id, name) of runs whose weights fit the backbone, newest first."""
        name = self.draft.recipe.backbone
        if name not in self._start_runs:
            self._start_runs[name] = start_runs(self._context.session, name)
        return self._start_runs[name]

    def weights_present(self) -> bool:
        """Whether the backbone's ImageNet weights are on this machine."""
        known = BACKBONES[self.draft.recipe.backbone]
        return bool(known.weights) and weights_path(known.name) is not None

    def download(self) -> None:
        """Start downloading the backbone's ImageNet weights."""
        if self._download is not None:
            return
        self._download = self._context.session.start(
            weights_task(self.draft.recipe.backbone),
            reported=self._show_download,
            ended=self._end_download,
        )
        self.downloading.emit(0, 0)

    def stop_download(self) -> None:
        """Stop the download; a later one resumes from what was received."""
        if self._download is not None:
            self._download.stop()

    def _show_download(self, report: Report) -> None:
        if isinstance(report, Progress):
            self.downloading.emit(report.done, report.total)

    def _end_download(self, outcome: Outcome[Path]) -> None:
        self._download = None
        self.download_ended.emit(tr(outcome.text) if isinstance(outcome, Failed) else "")

    # Runs

    def parts(self) -> dict[Part, int]:
        """Number of images in each part of the split; empty without a split."""
        splits = self._context.session.splits
        return dict(splits.counts()) if splits.current() is not None else {}

    def records(self) -> list[RunRecord]:
        """All runs of the project, newest first."""
        return list(self._context.session.runs.all())

    def running(self) -> bool:
        """Whether a training is running."""
        return any(record.status is RunStatus.RUNNING for record in self.records())

    def can_try(self) -> bool:
        """Whether a trial step is possible now."""
        if self._busy is None:
            self._busy = self.running()
        return not self.refusal and not self.errors() and not self._busy

    def trial(self) -> Task[Trial] | None:
        """The task of a trial of the draft; None, after showing the error, if it is impossible."""
        with self._context.reporting_errors():
            return trial_task(self._context.session, self.draft.partial())
        return None

    def draft_keys(self) -> PartialRecipe:
        """The recipe keys chosen by the user. Raises ValueRefused if one is invalid."""
        return self.draft.partial()

    def study_keys(self) -> PartialRecipe:
        """The chosen keys, with method, head and penalty even where they are recommended: all
        variants of a study share them, but recommendations may differ between variants.

        Raises ValueRefused if a chosen key is invalid.
        """
        now = self.draft.recipe
        common = partial_recipe(method=now.method, head=now.head, penalty=now.penalty)
        return common | self.draft.partial()

    @property
    def preparing(self) -> bool:
        """Whether a run is being prepared, which takes seconds for many images."""
        return self._preparing is not None

    def train(self) -> None:
        """Prepare a run from the draft and queue it, or show why it cannot be trained."""
        if self.preparing:
            return
        with self._context.reporting_errors():
            task = prepare_task(self._context.session, self.draft.partial())
            self._preparing = self._context.session.start(task, ended=self._queue_run)

    def _queue_run(self, outcome: Outcome[PreparedRun]) -> None:
        self._preparing = None
        run = outcome.value.id if isinstance(outcome, Done) else ""
        if run:
            self._context.queue.enqueue(run)
        self.prepared.emit(run)

    def control(self, action: str, run_id: str) -> None:
        """Pause, resume, stop or remove a run; `action` is the lower-case name of one of these."""
        queue = self._context.queue
        actions = {
            "pause": queue.pause,
            "resume": queue.resume,
            "stop": queue.stop,
            "remove": queue.remove,
        }
        with self._context.reporting_errors():
            actions[action](run_id)


def train_missing(context: Context, missing: MissingRun) -> None:
    """Prepare and queue the run that a comparison lacks, and before it the other one if labels or
    split have changed since; or show why that is not possible."""
    session = context.session

    def enqueue(made: PreparedRun) -> None:
        context.queue.enqueue(made.id)
        context.notify(tr("Queued: {run}").format(run=session.runs.get(made.id).name), "info")

    def prepare(recipes: list[PartialRecipe]) -> None:
        for keys in recipes:
            with context.reporting_errors():
                session.start(prepare_task(session, keys), done=enqueue)

    with context.reporting_errors():
        session.start(missing_task(session, missing), done=prepare)
