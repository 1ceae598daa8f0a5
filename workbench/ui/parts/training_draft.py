"""Between the Train page and the app: the draft as edited, its advice, and the deeds on runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job, Outcome, Task
from workbench.app.training.preparing import Frozen, prepare_task
from workbench.app.training.recipe_draft import Draft
from workbench.app.training.targets import Target as Choice
from workbench.app.training.targets import first_target, start_runs, targets
from workbench.app.training.training import facts, trial_task
from workbench.app.weights import weights_path, weights_task
from workbench.domain.advice import NO_ADVICE, DataFacts, advise
from workbench.domain.backbones import BACKBONES
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import KEYS, UncheckedKeys
from workbench.domain.reports import Progress, Trial
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import Part
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.parts.recipe.form import TargetChoice
from workbench.ui.parts.run_words import target_words


class TrainingModel(QObject):
    """Holds the draft. `changed` follows every edit; `prepared(run)` what `train` began, "" where
    nothing came of it; `downloading(done, total)` and `download_ended(sentence)` tell of ImageNet's
    weights, the sentence "" where all went well."""

    changed = Signal()
    prepared = Signal(str)
    downloading = Signal(int, int)
    download_ended = Signal(str)

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.draft = Draft()
        self.refusal = ""  # why nothing can be trained, whatever the settings
        self._facts: dict[str, DataFacts] = {}  # by target, until the data change
        self._start_runs: dict[str, list[tuple[str, str]]] = {}  # by backbone, until runs change
        self._busy: bool | None = None  # whether a training runs; None until it is looked up again
        self._download: Job[Path] | None = None
        self._preparing: Job[Frozen] | None = None
        context.session.changed.connect(self._forget)

    # The draft

    def _forget(self, changes: Changes) -> None:
        """Drop what was read of the project and may have changed."""
        if changes.runs:
            self._start_runs, self._busy = {}, None
        if changes != Changes(runs=changes.runs):
            self._facts = {}

    def take_up(self) -> list[TargetChoice]:
        """What the labels allow to learn now; chooses a target where none is chosen."""
        self._facts, self._start_runs, self._busy = {}, {}, None
        choices = targets(self._context.session)
        if self.draft.target not in [choice.name for choice in choices if choice.ready]:
            first = first_target(choices)
            self.draft = self.draft.with_value("target", first) if first else self.draft
        self._advise()
        return [self._worded(choice) for choice in choices]

    def _worded(self, choice: Choice) -> TargetChoice:
        title = target_words(choice.name)
        count = tr("{labels} labels, {n} labelled").format(
            labels=choice.labels, n=f"{choice.labelled:,}"
        )
        reason = "" if choice.ready else tr("Two labels in use are needed.")
        return TargetChoice(choice.name, f"{title}  ·  {count}", reason)

    def edit(self, key: str, value: object) -> None:
        """A person set `key`."""
        self.draft = self.draft.with_value(key, value)
        self._follow()

    def take_keys(self, keys: UncheckedKeys) -> None:
        """Set several keys at once; those of an earlier advice that they do not name stay."""
        self.draft = self.draft.with_values(keys)
        self._follow()

    def clear(self, key: str) -> None:
        """`key` shall be as advised again."""
        self.draft = self.draft.without(key)
        self._follow()

    def clear_all(self) -> None:
        """Everything but the target shall be as advised again."""
        self.draft = Draft(self.draft.chosen.only("target"))
        self._follow()

    def restore(self, chosen: UncheckedKeys) -> None:
        """Take up the keys chosen in an earlier session."""
        known = {key: value for key, value in chosen.items() if key in KEYS}
        self.draft = Draft().with_values(known)

    def _follow(self) -> None:
        self._advise()
        self.changed.emit()

    def _advise(self) -> None:
        """Ask for advice; what is wrong with the chosen values is told by `errors`."""
        self.refusal = ""
        if not self.draft.target:
            self.refusal = tr("Two labels in use are needed.")
            return
        try:
            known = self._known(self.draft.target)
        except KnownError as error:
            self.draft = self.draft.advised_by(NO_ADVICE)
            self.refusal = tr(error.message)
        else:
            self.draft = self.draft.advised_by(advise(known, self.draft.sound))

    def _known(self, target: str) -> DataFacts:
        """The facts that advice follows, read once until the data change."""
        if target not in self._facts:
            self._facts[target] = facts(self._context.session, target)
        return self._facts[target]

    def errors(self) -> Mapping[str, ValueRefused]:
        """What is wrong with the settings."""
        return self.draft.errors if self.draft.target else {}

    # Start weights

    def start_runs(self) -> list[tuple[str, str]]:
        """(id, name) of the runs whose weights fit the backbone, newest first."""
        name = self.draft.recipe.backbone
        if name not in self._start_runs:
            self._start_runs[name] = start_runs(self._context.session, name)
        return self._start_runs[name]

    def weights_present(self) -> bool:
        """Whether ImageNet's weights of the backbone are on this machine."""
        known = BACKBONES[self.draft.recipe.backbone]
        return bool(known.weights) and weights_path(known.name) is not None

    def download(self) -> None:
        """Fetch ImageNet's weights of the backbone."""
        if self._download is not None:
            return
        self._download = self._context.session.start(
            weights_task(self.draft.recipe.backbone),
            reported=self._downloaded,
            ended=self._download_over,
        )
        self.downloading.emit(0, 0)

    def stop_download(self) -> None:
        """End the download; what has come stays and is gone on from."""
        if self._download is not None:
            self._download.stop()

    def _downloaded(self, report: object) -> None:
        if isinstance(report, Progress):
            self.downloading.emit(report.done, report.total)

    def _download_over(self, outcome: Outcome[Path]) -> None:
        self._download = None
        self.download_ended.emit(tr(outcome.text) if isinstance(outcome, Failed) else "")

    # Runs

    def parts(self) -> dict[Part, int]:
        """How many images each part of the split holds; empty without one."""
        splits = self._context.session.splits
        return dict(splits.counts()) if splits.current() is not None else {}

    def records(self) -> list[RunRecord]:
        return list(self._context.session.runs.all())

    def running(self) -> bool:
        """Whether a training is under way."""
        return any(record.status is RunStatus.RUNNING for record in self.records())

    def can_try(self) -> bool:
        """Whether a trial step makes sense now."""
        if self._busy is None:
            self._busy = self.running()
        return not self.refusal and not self.errors() and not self._busy

    def trial(self) -> Task[Trial] | None:
        """A trial of the draft, None (and said why) where it cannot be made."""
        with self._context.reporting_errors():
            return trial_task(self._context.session, self.draft.partial())
        return None

    def draft_keys(self) -> dict[str, object]:
        """The recipe keys a person chose."""
        return self.draft.partial()

    def study_keys(self) -> dict[str, object]:
        """The same, with what every variant of a study has in common even where it is advised: the
        advice may differ with the variant."""
        now = self.draft.recipe
        common = {"method": now.method, "head": now.head, "penalty": now.penalty}
        return {**common, **self.draft.partial()}

    @property
    def preparing(self) -> bool:
        """Whether a run is being frozen, which takes seconds where there are many images."""
        return self._preparing is not None

    def train(self) -> None:
        """Freeze the draft into a run and queue it, or say why it cannot be trained."""
        if self.preparing:
            return
        with self._context.reporting_errors():
            task = prepare_task(self._context.session, self.draft.partial())
            self._preparing = self._context.session.start(task, ended=self._prepared)

    def _prepared(self, outcome: Outcome[Frozen]) -> None:
        self._preparing = None
        run = outcome.value.id if isinstance(outcome, Done) else ""
        if run:
            self._context.queue.enqueue(run)
        self.prepared.emit(run)

    def do(self, deed: str, run_id: str) -> None:
        """Pause, resume, stop or remove a run."""
        queue = self._context.queue
        deeds = {
            "pause": queue.pause,
            "resume": queue.resume,
            "stop": queue.stop,
            "remove": queue.remove,
        }
        with self._context.reporting_errors():
            deeds[deed](run_id)
