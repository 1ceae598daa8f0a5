"""Steps and runs of a transfer: the recipe of each run, and the job that creates it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from workbench.app.jobs import Done, Outcome, Task
from workbench.app.session import Session
from workbench.app.training.preparing import PreparedRun, prepare_task
from workbench.app.training.splitting import Drawn, split_task
from workbench.app.transfer import transfer_runs, transferring
from workbench.app.transfer.relatedness import compare_task
from workbench.app.transfer.sources import named_sources, opened_beside
from workbench.app.transfer.transferring import backbone_of, has_views, keep, latest
from workbench.domain.backbones import backbone
from workbench.domain.projects import RUNS_FOLDER
from workbench.domain.recipes import JOINT, JOINT_SETS, PartialRecipe, check_keys, partial_recipe
from workbench.domain.relatedness import Relatedness, RelatednessRequest
from workbench.domain.reports import Started, decode_report
from workbench.domain.runs import REPORTS_FILE, WEIGHTS_FILE, RunRecord, RunStatus
from workbench.domain.splits import DEFAULT_SPLIT
from workbench.domain.transfers import (
    CANDIDATE_LAYERS,
    RATE,
    SOURCE_LAYERS,
    TIE,
    VIEWS,
    CandidateRun,
    Transfer,
    TransferRequest,
    frozen_stage,
)
from workbench.storage.project import Project


def candidates_made(session: Session, transfer: Transfer) -> bool:
    """Whether all candidates have a run, so that the source is no longer needed."""
    return set(_candidates(session, transfer)) == set(CANDIDATE_LAYERS)


def source_task(
    session: Session, source: Session, label_set: str, transfer: Transfer
) -> Task[PreparedRun] | None:
    """A job that creates the run on the source, in the source's project; None if there is one."""
    if transfer.source_run and _exists(source.store, transfer.source_run):
        return None
    request = transfer.request
    name = backbone_of(request)
    frozen = frozen_stage(name, SOURCE_LAYERS) if request.start != "none" else "none"
    recipe = (
        _defaults(request)
        | check_keys(request.settings)
        | check_keys(request.source_settings)
        | _target(label_set, request.views and has_views(source.store, label_set), request)
        | partial_recipe(start=request.start, frozen=frozen)
    )

    def then(made: RunRecord) -> None:
        keep(session, msgspec.structs.replace(latest(session, transfer), source_run=made.id))

    return prepare_task(source, recipe, f"source for {session.store.folder.stem}", then=then)


def candidate_tasks(
    session: Session, source: Path, transfer: Transfer
) -> Iterator[Task[PreparedRun]]:
    """Jobs that create missing runs of candidates in the target's project.

    Each must be finished before the next is requested. `source` is the folder of the source's
    project.
    """
    request = transfer.request
    target = _target(request.label_set, transfer.joint, request)
    for layers in CANDIDATE_LAYERS:
        if layers not in _candidates(session, transfer):
            yield _candidate_task(session, source, transfer, layers, target)


def _candidate_task(
    session: Session, source: Path, transfer: Transfer, layers: int, target: PartialRecipe
) -> Task[PreparedRun]:
    stage = frozen_stage(backbone_of(transfer.request), layers)

    def then(made: RunRecord) -> None:
        now = latest(session, transfer)
        known = _candidates(session, now)
        known[layers] = CandidateRun(layers=layers, frozen=stage, run=made.id)
        runs = tuple(known[n] for n in CANDIDATE_LAYERS if n in known)
        keep(session, msgspec.structs.replace(now, candidates=runs))

    return prepare_task(session, *_candidate(source, transfer, stage, target), then=then)


def _candidates(session: Session, transfer: Transfer) -> dict[int, CandidateRun]:
    """Candidates with existing runs, by their number of kept layers."""
    now = latest(session, transfer)
    return {c.layers: c for c in now.candidates if _exists(session.store, c.run)}


def single_task(session: Session, source: Path, transfer: Transfer) -> Task[PreparedRun] | None:
    """A job that creates a run like the winner's, but without views; None if there is one."""
    if transfer.single and _exists(session.store, transfer.single):
        return None
    target = partial_recipe(target=transfer.request.label_set)

    def then(made: RunRecord) -> None:
        keep(session, msgspec.structs.replace(latest(session, transfer), single=made.id))

    made = _candidate(source, transfer, transfer.winner, target, " without views")
    return prepare_task(session, *made, then=then)


def _candidate(
    source: Path,
    transfer: Transfer,
    stage: str,
    target: PartialRecipe,
    note: str = "",
) -> tuple[PartialRecipe, str]:
    """Recipe keys of a candidate, and the name of its run."""
    learned = source / RUNS_FOLDER / transfer.source_run
    weights = learned / WEIGHTS_FILE
    settings = check_keys(transfer.request.settings)
    recipe = (
        _defaults(transfer.request)
        | _shared(settings, learned)
        | settings
        | target
        | partial_recipe(start=f"file:{weights}", frozen=stage)
    )
    title = backbone(backbone_of(transfer.request)).title
    return recipe, f"{title} frozen up to {stage}{note}"


def _defaults(request: TransferRequest) -> PartialRecipe:
    """Defaults of a transfer; from random weights, the learning rate is the recommended one."""
    keys = partial_recipe(backbone=backbone_of(request), seed=request.seed)
    return keys if request.start == "none" else keys | partial_recipe(learning_rate=RATE)


def _shared(settings: PartialRecipe, learned: Path) -> PartialRecipe:
    """Keys that let candidates share the frozen-feature cache of their common layers.

    These are the number of cached augmentations, and the precision of the source run in the folder
    `learned`, because features of another precision differ.
    """
    epochs = settings.with_defaults.epochs if "epochs" in settings else VIEWS
    shared = partial_recipe(cache=min(VIEWS, epochs))
    with contextlib.suppress(OSError, msgspec.DecodeError):
        lines = (learned / REPORTS_FILE).read_bytes().splitlines()
        started = [report for report in map(decode_report, lines) if isinstance(report, Started)]
        if started:
            shared |= check_keys({"precision": started[-1].precision})
    return shared


def _target(label_set: str, joint: bool, request: TransferRequest) -> PartialRecipe:
    """The recipe's target; with views, their classifiers are tied."""
    if not joint:
        return partial_recipe(target=label_set)
    return partial_recipe(target=JOINT, tie=TIE) | check_keys(request.settings).only("tie")


def _exists(store: Project, run: str) -> bool:
    """Whether a run can be used: removed and stopped runs are replaced."""
    return any(r.id == run and r.status is not RunStatus.STOPPED for r in store.runs.all())


class TransferStage(StrEnum):
    """Stage of a transfer."""

    COMPARE = "compare"
    SOURCE = "source"
    CANDIDATES = "candidates"
    SINGLE = "single"


@dataclass(frozen=True)
class TransferStep:
    """A step of a transfer: a task, or runs to train."""

    stage: TransferStage
    session: Session
    task: Task[object] | None = None
    runs: tuple[str, ...] = ()


def steps(session: Session, transfer: Transfer) -> Generator[TransferStep, None, None]:
    """The remaining steps of a transfer.

    Request the next step when the last one is done, and close the generator to stop early: during
    steps on a source, its project is open. The state is stored in the project
    (`transferring.latest`). Raises KnownError, for example if a source is missing.
    """
    named = named_sources(transfer.request.sources, transfer.request.label_set)
    if not transfer.ranked:
        if session.store.splits.current() is None:
            yield TransferStep(TransferStage.COMPARE, session, task=_held_out(session, transfer))
        yield TransferStep(TransferStage.COMPARE, session, task=_comparison(session, transfer))
    transfer = transferring.latest(session, transfer)
    folder, labels = named[transfer.source]
    if not transfer_runs.candidates_made(session, transfer):
        yield from _source(session, folder, labels, transfer)
        for task in transfer_runs.candidate_tasks(
            session, folder, transferring.latest(session, transfer)
        ):
            yield TransferStep(TransferStage.CANDIDATES, session, task=task)
    transfer = transferring.latest(session, transfer)
    if left := _left(session, *(candidate.run for candidate in transfer.candidates)):
        yield TransferStep(TransferStage.CANDIDATES, session, runs=left)
    if not transfer.winner:
        transfer = transferring.vote(session, transfer)
    if transfer.request.compare_views:
        yield from _single(session, folder, transfer)


def _source(
    session: Session, folder: Path, labels: str, transfer: Transfer
) -> Generator[TransferStep, None, None]:
    """Steps that train the source, in its own project."""
    with opened_beside(session, folder) as source:
        if task := transfer_runs.source_task(session, source, labels, transfer):
            yield TransferStep(TransferStage.SOURCE, source, task=task)
        if left := _left(source, transferring.latest(session, transfer).source_run):
            yield TransferStep(TransferStage.SOURCE, source, runs=left)


def _single(
    session: Session, folder: Path, transfer: Transfer
) -> Generator[TransferStep, None, None]:
    """Steps that train the winner without views."""
    if task := transfer_runs.single_task(session, folder, transfer):
        yield TransferStep(TransferStage.SINGLE, session, task=task)
    if left := _left(session, transferring.latest(session, transfer).single):
        yield TransferStep(TransferStage.SINGLE, session, runs=left)


def _held_out(session: Session, transfer: Transfer) -> Task[list[Drawn]]:
    """A job that splits the images of the target, for held-out images."""
    own = (transfer.request.label_set,)
    return split_task(session, DEFAULT_SPLIT, JOINT_SETS if transfer.joint else own)


def _left(session: Session, *runs: str) -> tuple[str, ...]:
    return tuple(run for run in runs if transferring.unfinished(session, run))


def _comparison(session: Session, transfer: Transfer) -> Task[Relatedness]:
    """A job that ranks the sources and selects the most related one."""
    wanted = transfer.request
    named = named_sources(wanted.sources, wanted.label_set)
    request = RelatednessRequest(domains=(), seed=wanted.seed)
    task = compare_task(session, wanted.label_set, named, request)

    def finish(outcome: Outcome[Relatedness]) -> None:
        task.finish(outcome)
        if isinstance(outcome, Done):
            transferring.choose_source(session, transfer, outcome.value)

    return dataclasses.replace(task, finish=finish)
