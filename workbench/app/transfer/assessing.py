"""Scores of start weights for a target before a training, and accuracy by depth of the network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.learner import run_request
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import as_if_split
from workbench.app.training.samples import SampleSet, collect
from workbench.app.transfer.sources import one_label
from workbench.app.weights import fetch, weights_path
from workbench.domain.advice import Advice, TransferFacts, advise, advise_transfer
from workbench.domain.assessments import (
    Assessment,
    AssessmentRequest,
    LayersRequest,
    LayerStudy,
    StartReport,
    StartRequest,
    StartScores,
    TransferReport,
)
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError, ValueRefused, parsing
from workbench.domain.recipes import STARTS
from workbench.domain.reports import Assessed, Layered
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
        return report_of(target, answer.assessment, runs)

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


def report_of(target: str, found: Assessment, runs: Sequence[RunRecord]) -> TransferReport:
    """An assessment with results of finished runs of the target and a recommendation for each
    start."""
    reports = tuple(_start_report(target, scores, found, runs) for scores in found.starts)
    return TransferReport(target=target, made=time.time(), assessment=found, starts=reports)


def _start_report(
    target: str, scores: StartScores, found: Assessment, runs: Sequence[RunRecord]
) -> StartReport:
    if scores.frozen_top1 is None:
        return StartReport(scores=scores)
    tuned = _newest(runs, target, scores.backbone, scores.start, found)
    scratch = _newest(runs, target, scores.backbone, "none", found)
    tuned_top1 = None if tuned is None else _top1(tuned, found.held_out)
    scratch_top1 = None if scratch is None else _top1(scratch, found.held_out)
    frozen = scores.frozen_top1
    both = tuned_top1 is not None and scratch_top1 is not None and scores.start != "none"
    advice = Advice(reasons={"row": RANDOM_WEIGHTS})
    if scores.start != "none":
        size = (found.train_images, found.classes)
        advice = advise_transfer(
            TransferFacts(scores.backbone, *size, frozen, found.chance, tuned_top1)
        )
    return StartReport(
        scores=scores,
        fine_tuned_run=tuned.id if tuned else "",
        fine_tuned_top1=tuned_top1,
        tuning_gap=None if tuned_top1 is None else tuning_gap(frozen, tuned_top1),
        scratch_run=scratch.id if scratch else "",
        scratch_top1=scratch_top1,
        negative_transfer_gap=(
            negative_transfer_gap(tuned_top1, scratch_top1)
            if both and tuned_top1 is not None and scratch_top1 is not None
            else None
        ),
        values=advice.values.to_builtins(),
        reasons=tuple(advice.reasons.items()),
    )


def _newest(
    runs: Sequence[RunRecord], target: str, name: str, start: str, found: Assessment
) -> RunRecord | None:
    """The newest finished run with this target, backbone and start that is comparable.

    It is scored on the held-out part of the assessment and trained on a similar number of images.
    """
    for run in runs:
        recipe = run.recipe
        fits = (run.target, recipe.backbone, recipe.start) == (target, name, start)
        scored = run.status is RunStatus.FINISHED and found.held_out in run.metrics
        if fits and scored and _similar_size(run, found.train_images):
            return run
    return None


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
