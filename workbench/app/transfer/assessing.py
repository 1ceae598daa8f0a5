"""Which start suits a target, scored before a transfer; and how accuracy grows with depth."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path

import msgspec

from workbench.app.jobs import Task, when_done
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
from workbench.domain.errors import KnownError, ValueRefused
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
from workbench.domain.text import Message, decode_message, encode_message
from workbench.domain.transfers import negative_transfer_gap, tuning_gap
from workbench.storage.project import Project

KEY = "assessments"
NOTHING_TO_CARRY = Message(
    "Random weights carry nothing over; they show what a start must surpass."
)
ALIKE = 0.8  # fewer over more training images, from which two trainings can be compared
KEPT = 20  # assessments that a project remembers


def assess_task(
    session: Session,
    target: str,
    starts: Sequence[str] = ("imagenet",),
    name: str = "",
    neighbours: int = 1,
) -> Task[TransferReport]:
    """A job that scores `starts` on the labels of `target` and ends Done(TransferReport), which the
    project then remembers.

    `name` is the backbone of starts that do not say their own: "imagenet", "none" and files; ""
    takes the one advised for the data. Raises KnownError and ValueRefused for a target without
    labels and a start that there is not.
    """
    one_label(session.store, target, "a score of starts")
    advised = advise(facts_of(session.store, target)).values.with_defaults.backbone
    orders = [start_request(session, start, name or advised) for start in starts]
    runs, folder, place = session.store.runs.all(), session.store.folder, session.store.runs_folder

    def work() -> Generator[object | None, None, TransferReport]:
        with Project.reading(folder) as store:
            found = as_if_split(collect(store, target))
        ready = []
        for start in orders:
            ready.append((yield from with_weights(start)))
        order = AssessmentRequest(
            starts=tuple(ready), held_out=held_out_part(found), neighbours=neighbours
        )
        files = {SAMPLES_FILE: encode_samples(list(found.samples))}
        answer = yield from run_request("assess", order, files, place, Assessed)
        return report_of(target, answer.assessment, runs)

    def keep(report: TransferReport) -> None:
        _remember(session, report)

    title = Message("Score starts for {target}")
    return Task(title.format(target=target), work, finish=when_done(keep), kind="assess")


def assessments(session: Session) -> list[TransferReport]:
    """The assessments that a project remembers, newest first."""
    return msgspec.convert(
        session.store.settings.get(KEY, []), list[TransferReport], dec_hook=decode_message
    )


def _remember(session: Session, report: TransferReport) -> None:
    stored = msgspec.to_builtins(report, enc_hook=encode_message)
    session.store.settings.push(KEY, stored, KEPT)


def held_out_part(found: SampleSet) -> str:
    """The part that says how good a head is: test, or validation where nothing is tested."""
    labelled = {sample.part for sample in found.samples if sample.target >= 0}
    return Part.TEST.value if Part.TEST in labelled else Part.VALIDATION.value


def start_request(session: Session, start: str, name: str) -> StartRequest:
    """A start as the learning program takes it; `name` is the backbone of those that do not say
    theirs. Raises KnownError and ValueRefused where there is no such start."""
    kind, _, rest = start.partition(":")
    if start == "none":
        return StartRequest(start=start, backbone=name)
    if start == "imagenet":
        if not backbone(name).weights:
            raise ValueRefused("start", start, f"none, file:PATH or run:ID with {name}")
        return StartRequest(start=start, backbone=name)
    if kind == "run" and rest:
        return _of_run(start, session.store.runs_folder / session.store.runs.get(rest).id)
    if kind != "file" or not rest:
        raise ValueRefused("start", start, STARTS)
    path = Path(rest).expanduser().resolve()
    if not path.is_file():
        raise KnownError("The start weights {path} are missing.", "Choose another file.", path=path)
    if path.name == WEIGHTS_FILE and (path.parent / MODEL_FILE).is_file():
        return _of_run(f"file:{path}", path.parent)  # what a run of any project has left
    return StartRequest(start=f"file:{path}", backbone=name, weights=str(path))


def _of_run(start: str, folder: Path) -> StartRequest:
    try:
        card = msgspec.json.decode((folder / MODEL_FILE).read_bytes(), type=ModelCard)
    except (OSError, msgspec.DecodeError) as error:
        raise KnownError(
            "The run in {folder} has no trained network.", "Choose a finished run.", folder=folder
        ) from error
    return StartRequest(start=start, backbone=card.backbone, run=str(folder))


def with_weights(start: StartRequest) -> Generator[object | None, None, StartRequest]:
    """A start whose ImageNet weights are on this machine, downloaded where they were not."""
    if start.start != "imagenet":
        return start
    path = weights_path(start.backbone) or (yield from fetch(start.backbone))
    return msgspec.structs.replace(start, weights=str(path))


def report_of(target: str, found: Assessment, runs: Sequence[RunRecord]) -> TransferReport:
    """An assessment beside what finished runs of the target reached, with advice for each start."""
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
    advice = Advice(reasons={"row": NOTHING_TO_CARRY})
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
    """The newest finished run of a target with this backbone and start, scored on the part that the
    assessment held out, and trained on about as many images: one of a study with a few images of
    each class says nothing about this many."""
    for run in runs:
        recipe = run.recipe
        fits = (run.target, recipe.backbone, recipe.start) == (target, name, start)
        there = run.status is RunStatus.FINISHED and found.held_out in run.metrics
        if fits and there and _as_many(run, found.train_images):
            return run
    return None


def _as_many(run: RunRecord, images: int) -> bool:
    own = int(run.metrics.get("train", {}).get("images", images))
    return min(own, images) >= ALIKE * max(own, images)


def _top1(run: RunRecord, part: str) -> float:
    return float(run.metrics[part]["top1"])


STUDIES_KEY = "layer_studies"
STUDIES_KEPT = 20  # studies that a project remembers


def layers_task(
    session: Session, target: str, start: str = "imagenet", name: str = "", seed: int = 0
) -> Task[LayerStudy]:
    """A job that trains a linear head on every stage of a start and ends Done(LayerStudy), which
    the project then remembers. `name` is the backbone of a start that does not say its own; ""
    takes the one advised. Raises KnownError and ValueRefused as `assess_task` does."""
    one_label(session.store, target, "a head on each stage")
    advised = advise(facts_of(session.store, target)).values.with_defaults.backbone
    wanted = start_request(session, start, name or advised)
    folder, place = session.store.folder, session.store.runs_folder

    def work() -> Generator[object | None, None, LayerStudy]:
        with Project.reading(folder) as store:
            found = as_if_split(collect(store, target))
        ready = yield from with_weights(wanted)
        order = LayersRequest(start=ready, held_out=held_out_part(found), seed=seed)
        files = {SAMPLES_FILE: encode_samples(list(found.samples))}
        answer = yield from run_request("layers", order, files, place, Layered)
        return LayerStudy(
            target=target,
            start=wanted.start,
            backbone=wanted.backbone,
            made=time.time(),
            found=answer.scores,
        )

    def keep(study: LayerStudy) -> None:
        session.store.settings.push(STUDIES_KEY, msgspec.to_builtins(study), STUDIES_KEPT)

    title = Message("Study the stages of {backbone}")
    named = title.format(backbone=wanted.backbone)
    return Task(named, work, finish=when_done(keep), kind="layers")


def layer_studies(session: Session, target: str, name: str = "") -> list[LayerStudy]:
    """The studies of a target that a project remembers, the newest of each start, newest first;
    those of one backbone where `name` says which."""
    found: dict[tuple[str, str], LayerStudy] = {}
    for study in msgspec.convert(session.store.settings.get(STUDIES_KEY, []), list[LayerStudy]):
        if study.target == target and name in ("", study.backbone):
            found.setdefault((study.backbone, study.start), study)
    return list(found.values())
