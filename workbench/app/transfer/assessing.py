"""Scores of start weights for a target before a training, and accuracy by depth of the network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.learner import run_request
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import as_if_split
from workbench.app.training.samples import SampleSet, collect, seen_by
from workbench.app.transfer.sources import one_label
from workbench.app.weights import fetch, weights_path
from workbench.domain.advice import Advice, TransferFacts, advise, advise_transfer
from workbench.domain.assessments import (
    Assessment,
    AssessmentRequest,
    LayersRequest,
    LayerStudy,
    MissingRun,
    StartReport,
    StartRequest,
    StartScores,
    TransferReport,
)
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError, ValueRefused, parsing
from workbench.domain.recipes import STARTS
from workbench.domain.reports import Assessed, Layered
from workbench.domain.run_pairs import (
    Seen,
    SeenImages,
    differ_only_in,
    seen_images,
    unknown_images,
)
from workbench.domain.runs import (
    MODEL_FILE,
    SAMPLES_FILE,
    WEIGHTS_FILE,
    ModelCard,
    RunRecord,
    RunStatus,
    encode_samples,
)
from workbench.domain.splits import Part
from workbench.domain.text import Message, decode_message, encode_message, mark
from workbench.domain.transfers import negative_transfer_gap, tuning_gap
from workbench.files import MOST_WEIGHTS, check_regular, read_recorded
from workbench.storage.project import Project

KEY = "assessments"
RANDOM_WEIGHTS = Message("Random weights transfer nothing; they are the baseline for other starts.")
ALIKE = 0.8  # minimum ratio of training-image counts of comparable runs
KEPT = 20  # assessments stored in a project


def assess_task(
    session: Session,
    target: str,
    starts: Sequence[str] = ("imagenet",),
    name: str = "",
    neighbours: int = 1,
) -> Task[TransferReport]:
    """A job that scores `starts` on the labels of `target` and ends Done(TransferReport), which is
    stored in the project.

    `name` is the backbone of "imagenet", "none" and files; "" uses the recommended one. Raises
    KnownError or ValueRefused for a target without labels or an unknown start.
    """
    one_label(session.store, target)
    advised = advise(facts_of(session.store, target)).values.with_defaults.backbone
    requests = [start_request(session, start, name or advised) for start in starts]
    runs, folder, place = session.store.runs.all(), session.store.folder, session.store.runs_folder
    seen = seen_by(place)

    def work() -> Steps[TransferReport]:
        with Project.reading(folder) as store:
            found = as_if_split(collect(store, target))
        ready = []
        for start in requests:
            ready.append((yield from with_weights(start)))
        request = AssessmentRequest(
            starts=tuple(ready), held_out=held_out_part(found), neighbours=neighbours
        )
        files = {SAMPLES_FILE: encode_samples(list(found.samples))}
        answer = yield from run_request("assess", request, files, place, Assessed)
        return report_of(
            target, answer.assessment, runs, seen, seen_images(found.samples, found.labels)
        )

    def keep(report: TransferReport) -> None:
        _remember(session, report)

    title = Message("Score starts for {target}", target=target)
    return Task(title, work, finish=when_done(keep), kind="assess")


def assessments(session: Session) -> list[TransferReport]:
    """Stored assessments of a project, newest first."""
    return msgspec.convert(
        session.store.settings.get(KEY, []), list[TransferReport], dec_hook=decode_message
    )


def _remember(session: Session, report: TransferReport) -> None:
    stored = msgspec.to_builtins(report, enc_hook=encode_message)
    session.store.settings.push(KEY, stored, KEPT)


def held_out_part(found: SampleSet) -> str:
    """Name of the part on which heads are evaluated: test, or validation without one."""
    labelled = {sample.part for sample in found.samples if sample.target >= 0}
    return Part.TEST.value if Part.TEST in labelled else Part.VALIDATION.value


def start_request(session: Session, start: str, name: str) -> StartRequest:
    """Request of the learning program for a start; `name` is the backbone of starts without one.

    Raises KnownError or ValueRefused for an unknown start.
    """
    kind, _, rest = start.partition(":")
    if start == "none":
        return StartRequest(start=start, backbone=name)
    if start == "imagenet":
        if not backbone(name).weights:
            allowed = Message("none, file:PATH or run:ID with {backbone}", backbone=name)
            raise ValueRefused("start", start, allowed)
        return StartRequest(start=start, backbone=name)
    if kind == "run" and rest:
        return _of_run(start, session.store.runs_folder / session.store.runs.get(rest).id)
    if kind != "file" or not rest:
        raise ValueRefused("start", start, STARTS)
    path = Path(rest).expanduser().resolve()
    check_regular(path, MOST_WEIGHTS, mark("Choose a file with start weights."))
    if path.name == WEIGHTS_FILE and (path.parent / MODEL_FILE).is_file():
        return _of_run(f"file:{path}", path.parent)  # weights of a run of any project
    return StartRequest(start=f"file:{path}", backbone=name, weights=str(path))


def _of_run(start: str, folder: Path) -> StartRequest:
    path = folder / MODEL_FILE
    if not path.is_file():
        raise KnownError(
            "The run in {folder} has no trained network.", "Choose a finished run.", folder=folder
        )
    with parsing(path, mark("Train the run again, or choose another one.")):
        card = msgspec.json.decode(read_recorded(path), type=ModelCard)
    return StartRequest(start=start, backbone=card.backbone, run=str(folder))


def with_weights(start: StartRequest) -> Steps[StartRequest]:
    """A start with the path of its ImageNet weights, downloaded if needed."""
    if start.start != "imagenet":
        return start
    path = weights_path(start.backbone) or (yield from fetch(start.backbone))
    return msgspec.structs.replace(start, weights=str(path))


def report_of(
    target: str,
    found: Assessment,
    runs: Sequence[RunRecord],
    seen: Seen = unknown_images,
    now: SeenImages | None = None,
) -> TransferReport:
    """An assessment with results of finished runs of the target and a recommendation for each
    start. `runs` are ordered from newest to oldest; `now` is what a new run would learn from."""
    usable = [run for run in runs if _fits(run, target, found)]
    reports = tuple(_start_report(scores, found, usable, seen, now) for scores in found.starts)
    return TransferReport(target=target, made=time.time(), assessment=found, starts=reports)


def _fits(run: RunRecord, target: str, found: Assessment) -> bool:
    """Whether a run is scored on the held-out part of the assessment, and trained on a similar
    number of images."""
    scored = run.status is RunStatus.FINISHED and found.held_out in run.metrics
    return run.target == target and scored and _similar_size(run, found.train_images)


def _start_report(
    scores: StartScores,
    found: Assessment,
    runs: Sequence[RunRecord],
    seen: Seen,
    now: SeenImages | None,
) -> StartReport:
    if scores.frozen_top1 is None:
        return StartReport(scores=scores)

    own = [run for run in runs if (run.recipe.backbone, run.recipe.start) == _start_of(scores)]
    tuned = [run for run in own if run.recipe.frozen != ALL]
    part = found.held_out
    gap = _pair(tuned, own, TUNING, seen)
    harm = _pair(tuned, runs, HARM, seen) if scores.start != "none" else None
    advice = _advice(scores, found, gap)
    lacking = [pair for pair in (gap, harm) if pair and pair.other is None]
    return StartReport(
        scores=scores,
        fine_tuned_run=tuned[0].id if tuned else "",
        fine_tuned_top1=_top1(tuned[0], part) if tuned else None,
        missing=tuple(pair.missing(seen, now) for pair in lacking),
        values=advice.values.to_builtins(),
        reasons=(*advice.reasons.items(), *_notes(gap, part), *_notes(harm, part)),
        **_tuning(gap, part),
        **_harm(harm, part),
    )


def _tuning(pair: _Pair | None, part: str) -> dict[str, Any]:
    """The fields of a report for what fine-tuning adds."""
    if pair is None or pair.other is None:
        return {}
    gap = tuning_gap(_top1(pair.other, part), _top1(pair.run, part))
    return {"tuned_run": pair.run.id, "frozen_run": pair.other.id, "tuning_gap": gap}


def _harm(pair: _Pair | None, part: str) -> dict[str, Any]:
    """The fields of a report for what the start weights contribute."""
    if pair is None or pair.other is None:
        return {}
    scratch = _top1(pair.other, part)
    return {
        "transfer_run": pair.run.id,
        "scratch_run": pair.other.id,
        "scratch_top1": scratch,
        "negative_transfer_gap": negative_transfer_gap(_top1(pair.run, part), scratch),
    }


def _start_of(scores: StartScores) -> tuple[str, str]:
    return scores.backbone, scores.start


def _advice(scores: StartScores, found: Assessment, gap: _Pair | None) -> Advice:
    """The recommendation for a start; if two runs show what fine-tuning adds, they decide."""
    if scores.start == "none" or scores.frozen_top1 is None:
        return Advice(reasons={"row": RANDOM_WEIGHTS})
    frozen, tuned = scores.frozen_top1, None
    if gap is not None and gap.other is not None:
        frozen, tuned = _top1(gap.other, found.held_out), _top1(gap.run, found.held_out)
    size = (found.train_images, found.classes)
    return advise_transfer(TransferFacts(scores.backbone, *size, frozen, found.chance, tuned))


@dataclass(frozen=True)
class _Contrast:
    """What two runs are compared for: the keys in which they may differ, the values of these keys
    in the second one, and texts with and without a pair."""

    name: str
    changes: Mapping[str, str]
    found: str
    missing: str


ALL = "all"  # of the recipe key frozen: only the head is trained
TUNING = _Contrast(
    "tuning",
    {"frozen": ALL},
    mark(
        "Fine-tuning: “{run}” reaches {top1:.1%}, “{other}”, which differs only in frozen, "
        "{other_top1:.1%}."
    ),
    mark("The gain of fine-tuning is unknown: no run differs from “{run}” only in frozen = all."),
)
HARM = _Contrast(
    "harm",
    {"start": "none", "frozen": "none"},
    mark(
        "Transfer: “{run}” reaches {top1:.1%}, “{other}”, the same from random weights, "
        "{other_top1:.1%}."
    ),
    mark(
        "The harm of this start is unknown: no run is the same as “{run}” but from random weights."
    ),
)


@dataclass(frozen=True)
class _Pair:
    """A run, and one that differs from it in nothing but what is compared; None if missing."""

    kind: _Contrast
    run: RunRecord
    other: RunRecord | None

    def missing(self, seen: Seen, now: SeenImages | None) -> MissingRun:
        """The run that the pair lacks; `now` is what a new run would learn from."""
        images = seen(self.run)
        again = images is not None and now is not None and images.target != now.target
        return MissingRun(like=self.run.id, changes=dict(self.kind.changes), again=again)


def _pair(
    runs: Sequence[RunRecord], others: Sequence[RunRecord], kind: _Contrast, seen: Seen
) -> _Pair | None:
    """The newest pair; without one, the newest of `runs`; None without runs."""
    for run in runs:
        for other in others:
            recipe = {key: getattr(other.recipe, key) for key in kind.changes}
            if recipe == kind.changes and differ_only_in(run, other, kind.changes.keys(), seen):
                return _Pair(kind, run, other)
    return _Pair(kind, runs[0], None) if runs else None


def _notes(pair: _Pair | None, part: str) -> list[tuple[str, Message]]:
    """Which runs were compared, or which one is missing."""
    if pair is None:
        return []
    kind, run, other = pair.kind, pair.run, pair.other
    if other is None:
        return [(kind.name, Message(kind.missing, run=run.name))]
    values = {"run": run.name, "other": other.name}
    top1, other_top1 = _top1(run, part), _top1(other, part)
    return [(kind.name, Message(kind.found, top1=top1, other_top1=other_top1, **values))]


def _similar_size(run: RunRecord, images: int) -> bool:
    own = int(run.metrics.get("train", {}).get("images", images))
    return min(own, images) >= ALIKE * max(own, images)


def _top1(run: RunRecord, part: str) -> float:
    return float(run.metrics[part]["top1"])


STUDIES_KEY = "layer_studies"
STORED_STUDIES = 20  # layer studies stored in a project


def layers_task(
    session: Session, target: str, start: str = "imagenet", name: str = "", seed: int = 0
) -> Task[LayerStudy]:
    """A job that trains a linear head on every stage of a start and ends Done(LayerStudy), which is
    stored in the project. Parameters and errors are as in `assess_task`."""
    one_label(session.store, target)
    advised = advise(facts_of(session.store, target)).values.with_defaults.backbone
    wanted = start_request(session, start, name or advised)
    folder, place = session.store.folder, session.store.runs_folder

    def work() -> Steps[LayerStudy]:
        with Project.reading(folder) as store:
            found = as_if_split(collect(store, target))
        ready = yield from with_weights(wanted)
        request = LayersRequest(start=ready, held_out=held_out_part(found), seed=seed)
        files = {SAMPLES_FILE: encode_samples(list(found.samples))}
        answer = yield from run_request("layers", request, files, place, Layered)
        return LayerStudy(
            target=target,
            start=wanted.start,
            backbone=wanted.backbone,
            made=time.time(),
            found=answer.scores,
        )

    def keep(study: LayerStudy) -> None:
        session.store.settings.push(STUDIES_KEY, msgspec.to_builtins(study), STORED_STUDIES)

    title = Message("Study stages of {backbone}", backbone=wanted.backbone)
    return Task(title, work, finish=when_done(keep), kind="layers")


def layer_studies(session: Session, target: str, name: str = "") -> list[LayerStudy]:
    """Stored layer studies of a target, the newest for each start, newest first; only those of the
    backbone `name` unless it is ""."""
    found: dict[tuple[str, str], LayerStudy] = {}
    for study in msgspec.convert(session.store.settings.get(STUDIES_KEY, []), list[LayerStudy]):
        if study.target == target and name in ("", study.backbone):
            found.setdefault((study.backbone, study.start), study)
    return list(found.values())
