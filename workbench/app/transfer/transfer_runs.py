"""The steps and runs of a transfer: the recipe of each, and the job that makes it."""

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
from workbench.app.training.preparing import Frozen, prepare_task
from workbench.app.training.splitting import split_task
from workbench.app.transfer import transfer_runs, transferring
from workbench.app.transfer.relatedness import compare_task
from workbench.app.transfer.sources import named_sources, opened_beside
from workbench.app.transfer.transferring import backbone_of, has_views, keep, latest
from workbench.domain.backbones import backbone
from workbench.domain.recipes import JOINT, PartialRecipe, check_keys, partial_recipe
from workbench.domain.relatedness import Relatedness, RelatednessRequest
from workbench.domain.reports import Started, decode_report
from workbench.domain.runs import REPORTS_FILE, WEIGHTS_FILE, RunRecord, RunStatus
from workbench.domain.splits import DEFAULT_SPLIT, Part
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
    """Whether every candidate has its run; the source is not needed any more then."""
    return set(_candidates(session, transfer)) == set(CANDIDATE_LAYERS)


def source_task(
    session: Session, source: Session, label_set: str, transfer: Transfer
) -> Task[Frozen] | None:
    """The job that makes the run which learns the source, in the source's own project; None where
    there is one."""
    if transfer.source_run and _is_there(source.store, transfer.source_run):
        return None
    asked = transfer.asked
    name = backbone_of(asked)
    frozen = frozen_stage(name, SOURCE_LAYERS) if asked.start != "none" else "none"
    recipe = (
        _usual(asked)
        | check_keys(asked.settings)
        | check_keys(asked.source_settings)
        | _target(label_set, asked.views and has_views(source.store, label_set), asked)
        | partial_recipe(start=asked.start, frozen=frozen)
    )

    def then(made: RunRecord) -> None:
        keep(session, msgspec.structs.replace(latest(session, transfer), source_run=made.id))

    return prepare_task(source, recipe, f"source for {session.store.folder.stem}", then=then)


def candidate_tasks(session: Session, source: Path, transfer: Transfer) -> Iterator[Task[Frozen]]:
    """The jobs that make those candidates' runs in the target's project which are not there; each
    to be done before the next is asked for. `source` is the folder of the source's project."""
    asked = transfer.asked
    target = _target(asked.label_set, transfer.joint, asked)
    for layers in CANDIDATE_LAYERS:
        if layers not in _candidates(session, transfer):
            yield _candidate_task(session, source, transfer, layers, target)


def _candidate_task(
    session: Session, source: Path, transfer: Transfer, layers: int, target: PartialRecipe
) -> Task[Frozen]:
    stage = frozen_stage(backbone_of(transfer.asked), layers)

    def then(made: RunRecord) -> None:
        now = latest(session, transfer)
        known = _candidates(session, now)
        known[layers] = CandidateRun(layers=layers, frozen=stage, run=made.id)
        runs = tuple(known[n] for n in CANDIDATE_LAYERS if n in known)
        keep(session, msgspec.structs.replace(now, candidates=runs))

    return prepare_task(session, *_candidate(source, transfer, stage, target), then=then)


def _candidates(session: Session, transfer: Transfer) -> dict[int, CandidateRun]:
    """The candidates whose runs there are, by the layers they keep."""
    now = latest(session, transfer)
    return {c.layers: c for c in now.candidates if _is_there(session.store, c.run)}


def single_task(session: Session, source: Path, transfer: Transfer) -> Task[Frozen] | None:
    """The job that makes the run which is as the winner's but for the views; None where there is
    one."""
    if transfer.single and _is_there(session.store, transfer.single):
        return None
    target = partial_recipe(target=transfer.asked.label_set)

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
    """The recipe keys of a candidate and the name of its run."""
    learned = source / "runs" / transfer.source_run
    weights = learned / WEIGHTS_FILE
    settings = check_keys(transfer.asked.settings)
    recipe = (
        _usual(transfer.asked)
        | _shared(settings, learned)
        | settings
        | target
        | partial_recipe(start=f"file:{weights}", frozen=stage)
    )
    title = backbone(backbone_of(transfer.asked)).title
    return recipe, f"{title} kept up to {stage}{note}"


def _usual(asked: TransferRequest) -> PartialRecipe:
    """Defaults of a transfer; from scratch the learning rate is the advised one."""
    usual = partial_recipe(backbone=backbone_of(asked), seed=asked.seed)
    return usual if asked.start == "none" else usual | partial_recipe(learning_rate=RATE)


def _shared(settings: PartialRecipe, learned: Path) -> PartialRecipe:
    """Keys that let candidates share the feature maps of the layers which all of them keep: the
    same cached augmentations of each image, and the precision in which the source was `learned`,
    because maps of another precision differ."""
    epochs = settings.with_defaults.epochs if "epochs" in settings else VIEWS
    shared = partial_recipe(cache=min(VIEWS, epochs))
    with contextlib.suppress(OSError, msgspec.DecodeError):
        lines = (learned / REPORTS_FILE).read_bytes().splitlines()
        started = [report for report in map(decode_report, lines) if isinstance(report, Started)]
        if started:
            shared |= check_keys({"precision": started[-1].precision})
    return shared


def _target(label_set: str, joint: bool, asked: TransferRequest) -> PartialRecipe:
    """The recipe's target; where views help to learn it, their classifiers are tied."""
    if not joint:
        return partial_recipe(target=label_set)
    return partial_recipe(target=JOINT, tie=TIE) | check_keys(asked.settings).only("tie")


def _is_there(store: Project, run: str) -> bool:
    """Whether a run can be used: one that was removed or stopped for good is made anew."""
    return any(r.id == run and r.status is not RunStatus.STOPPED for r in store.runs.all())


class TransferStage(StrEnum):
    """What a transfer is at."""

    COMPARE = "compare"
    SOURCE = "source"
    CANDIDATES = "candidates"
    SINGLE = "single"


@dataclass(frozen=True)
class TransferStep:
    """One thing to be done before the next is known: a whole task, or runs to train."""

    stage: TransferStage
    session: Session
    task: Task[object] | None = None
    runs: tuple[str, ...] = ()


def steps(session: Session, transfer: Transfer) -> Generator[TransferStep, None, None]:
    """What is left of a transfer; what was done before is not done again.

    Ask for the next step once the last one is done, and close the generator to leave off: a source
    of another project is open while its step is. The project remembers how far it is
    (`transferring.latest`). Raises KnownError for the world's reasons.
    """
    places = named_sources(transfer.asked.sources, transfer.asked.label_set)
    if not transfer.ranked:
        if session.store.splits.current() is None:
            yield TransferStep(TransferStage.COMPARE, session, task=_held_out(session, transfer))
        yield TransferStep(TransferStage.COMPARE, session, task=_comparison(session, transfer))
    transfer = transferring.latest(session, transfer)
    folder, labels = places[transfer.source]
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
    if transfer.asked.compare_views:
        yield from _single(session, folder, transfer)


def _source(
    session: Session, folder: Path, labels: str, transfer: Transfer
) -> Generator[TransferStep, None, None]:
    """The source is learned, in its own project."""
    with opened_beside(session, folder) as source:
        if task := transfer_runs.source_task(session, source, labels, transfer):
            yield TransferStep(TransferStage.SOURCE, source, task=task)
        if left := _left(source, transferring.latest(session, transfer).source_run):
            yield TransferStep(TransferStage.SOURCE, source, runs=left)


def _single(
    session: Session, folder: Path, transfer: Transfer
) -> Generator[TransferStep, None, None]:
    """The winner without views."""
    if task := transfer_runs.single_task(session, folder, transfer):
        yield TransferStep(TransferStage.SINGLE, session, task=task)
    if left := _left(session, transferring.latest(session, transfer).single):
        yield TransferStep(TransferStage.SINGLE, session, runs=left)


def _held_out(session: Session, transfer: Transfer) -> Task[dict[int, Part]]:
    """A job that sets images of the target aside, which are to judge it."""
    own = (transfer.asked.label_set,)
    return split_task(session, DEFAULT_SPLIT, ("category", "view") if transfer.joint else own)


def _left(session: Session, *runs: str) -> tuple[str, ...]:
    return tuple(run for run in runs if transferring.unfinished(session, run))


def _comparison(session: Session, transfer: Transfer) -> Task[Relatedness]:
    """A job that ranks the sources and takes the closest."""
    asked = transfer.asked
    places = named_sources(asked.sources, asked.label_set)
    order = RelatednessRequest(domains=(), seed=asked.seed)
    task = compare_task(session, asked.label_set, places, order)

    def finish(outcome: Outcome[Relatedness]) -> None:
        task.finish(outcome)
        if isinstance(outcome, Done):
            transferring.choose_source(session, transfer, outcome.value)

    return dataclasses.replace(task, finish=finish)
