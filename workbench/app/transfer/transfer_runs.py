"""The steps and runs of a transfer: the recipe of each, and the job that makes it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from workbench.app.jobs import Done, Outcome, Task
from workbench.app.session import OpenProject
from workbench.app.training.preparing import DEFAULT_SPLIT, prepare_task
from workbench.app.training.splitting import split_task
from workbench.app.transfer import transfer_runs, transferring
from workbench.app.transfer import transferring as transfer_book
from workbench.app.transfer.relatedness import compare_task
from workbench.app.transfer.sources import named_sources, opened_beside
from workbench.app.transfer.transferring import backbone_of, has_views, keep, latest
from workbench.domain.backbones import backbone
from workbench.domain.recipes import JOINT
from workbench.domain.relatedness import RelatednessOrder
from workbench.domain.reports import Started, decode_report
from workbench.domain.runs import REPORTS_FILE, WEIGHTS_FILE, RunRecord, RunStatus
from workbench.domain.transfers import (
    CANDIDATE_LAYERS,
    RATE,
    SOURCE_LAYERS,
    TIE,
    VIEWS,
    Asked,
    CandidateRun,
    Transfer,
    frozen_stage,
)
from workbench.storage.project import Project


def candidates_made(op: OpenProject, transfer: Transfer) -> bool:
    """Whether every candidate has its run; the source is not needed any more then."""
    return set(_candidates(op, transfer)) == set(CANDIDATE_LAYERS)


def source_task(
    op: OpenProject, source: OpenProject, label_set: str, transfer: Transfer
) -> Task | None:
    """The job that makes the run which learns the source, in the source's own project; None where
    there is one."""
    if transfer.source_run and _is_there(source.store, transfer.source_run):
        return None
    asked = transfer.asked
    name = backbone_of(asked)
    recipe = {
        **_usual(asked),
        **asked.settings,
        **asked.source_settings,
        **_target(label_set, asked.views and has_views(source.store, label_set), asked),
        "start": asked.start,
        "frozen": frozen_stage(name, SOURCE_LAYERS) if asked.start != "none" else "none",
    }

    def then(made: RunRecord) -> None:
        keep(op, msgspec.structs.replace(latest(op, transfer), source_run=made.id))

    return prepare_task(source, recipe, f"source for {op.store.folder.stem}", then=then)


def candidate_tasks(op: OpenProject, source: Path, transfer: Transfer) -> Iterator[Task]:
    """The jobs that make those candidates' runs in the target's project which are not there; each
    to be done before the next is asked for. `source` is the folder of the source's project."""
    asked = transfer.asked
    target = _target(asked.label_set, transfer.joint, asked)
    for layers in CANDIDATE_LAYERS:
        if layers not in _candidates(op, transfer):
            yield _candidate_task(op, source, transfer, layers, target)


def _candidate_task(
    op: OpenProject, source: Path, transfer: Transfer, layers: int, target: Mapping[str, object]
) -> Task:
    stage = frozen_stage(backbone_of(transfer.asked), layers)

    def then(made: RunRecord) -> None:
        now = latest(op, transfer)
        known = _candidates(op, now)
        known[layers] = CandidateRun(layers=layers, frozen=stage, run=made.id)
        runs = tuple(known[n] for n in CANDIDATE_LAYERS if n in known)
        keep(op, msgspec.structs.replace(now, candidates=runs))

    return prepare_task(op, *_candidate(source, transfer, stage, target), then=then)


def _candidates(op: OpenProject, transfer: Transfer) -> dict[int, CandidateRun]:
    """The candidates whose runs there are, by the layers they keep."""
    now = latest(op, transfer)
    return {c.layers: c for c in now.candidates if _is_there(op.store, c.run)}


def single_task(op: OpenProject, source: Path, transfer: Transfer) -> Task | None:
    """The job that makes the run which is as the winner's but for the views; None where there is
    one."""
    if transfer.single and _is_there(op.store, transfer.single):
        return None
    target = {"target": transfer.asked.label_set}

    def then(made: RunRecord) -> None:
        keep(op, msgspec.structs.replace(latest(op, transfer), single=made.id))

    made = _candidate(source, transfer, transfer.winner, target, " without views")
    return prepare_task(op, *made, then=then)


def _candidate(
    source: Path,
    transfer: Transfer,
    stage: str,
    target: Mapping[str, object],
    note: str = "",
) -> tuple[dict[str, object], str]:
    """The recipe keys of a candidate and the name of its run."""
    learned = source / "runs" / transfer.source_run
    weights = learned / WEIGHTS_FILE
    recipe = {
        **_usual(transfer.asked),
        **_shared(transfer.asked, learned),
        **transfer.asked.settings,
        **target,
        "start": f"file:{weights}",
        "frozen": stage,
    }
    title = backbone(backbone_of(transfer.asked)).title
    return recipe, f"{title} kept up to {stage}{note}"


def _usual(asked: Asked) -> dict[str, object]:
    """What a transfer sets where nobody says otherwise; from scratch the rate is that advised."""
    usual: dict[str, object] = {"backbone": backbone_of(asked), "seed": asked.seed}
    return usual if asked.start == "none" else usual | {"learning_rate": RATE}


def _shared(asked: Asked, learned: Path) -> dict[str, object]:
    """What lets candidates share the maps of the layers that all of them keep: so many views of
    each image, the same in all, and the precision in which the source was `learned`, since maps of
    another one are others."""
    shared: dict[str, object] = {"cache": min(VIEWS, int(str(asked.settings.get("epochs", VIEWS))))}
    with contextlib.suppress(OSError, msgspec.DecodeError):
        lines = (learned / REPORTS_FILE).read_bytes().splitlines()
        said = [report for report in map(decode_report, lines) if isinstance(report, Started)]
        shared |= {"precision": said[-1].precision} if said else {}
    return shared


def _target(label_set: str, joint: bool, asked: Asked) -> dict[str, object]:
    """The recipe's target; where views help to learn it, their classifiers are tied."""
    if not joint:
        return {"target": label_set}
    return {"target": JOINT, "tie": asked.settings.get("tie", TIE)}


def _is_there(store: Project, run: str) -> bool:
    """Whether a run can be used: one that was removed or stopped for good is made anew."""
    return any(r.id == run and r.status is not RunStatus.STOPPED for r in store.runs.all())


class Stage(StrEnum):
    """What a transfer is at."""

    COMPARE = "compare"
    SOURCE = "source"
    CANDIDATES = "candidates"
    SINGLE = "single"


@dataclass(frozen=True)
class Step:
    """One thing to be done before the next is known: a task to the end, or runs of `op` trained."""

    stage: Stage
    op: OpenProject
    task: Task | None = None
    runs: tuple[str, ...] = ()


def steps(op: OpenProject, transfer: Transfer) -> Generator[Step, None, None]:
    """What is left of a transfer; what was done before is not done again.

    Ask for the next step once the last one is done, and close the generator to leave off: a source
    of another project is open while its step is. The project remembers how far it is
    (`transfer_book.latest`). Raises KnownError for the world's reasons.
    """
    places = named_sources(transfer.asked.sources, transfer.asked.label_set)
    if not transfer.ranked:
        if op.store.splits.current() is None:
            yield Step(Stage.COMPARE, op, task=_held_out(op, transfer))
        yield Step(Stage.COMPARE, op, task=_comparison(op, transfer))
    transfer = transfer_book.latest(op, transfer)
    folder, labels = places[transfer.source]
    if not transfer_runs.candidates_made(op, transfer):
        yield from _source(op, folder, labels, transfer)
        for task in transfer_runs.candidate_tasks(op, folder, transfer_book.latest(op, transfer)):
            yield Step(Stage.CANDIDATES, op, task=task)
    transfer = transfer_book.latest(op, transfer)
    if left := _left(op, *(candidate.run for candidate in transfer.candidates)):
        yield Step(Stage.CANDIDATES, op, runs=left)
    if not transfer.winner:
        transfer = transferring.vote(op, transfer)
    if transfer.asked.compare_views:
        yield from _single(op, folder, transfer)


def _source(
    op: OpenProject, folder: Path, labels: str, transfer: Transfer
) -> Generator[Step, None, None]:
    """The source is learned, in its own project."""
    with opened_beside(op, folder) as source:
        if task := transfer_runs.source_task(op, source, labels, transfer):
            yield Step(Stage.SOURCE, source, task=task)
        if left := _left(source, transfer_book.latest(op, transfer).source_run):
            yield Step(Stage.SOURCE, source, runs=left)


def _single(op: OpenProject, folder: Path, transfer: Transfer) -> Generator[Step, None, None]:
    """The winner without views."""
    if task := transfer_runs.single_task(op, folder, transfer):
        yield Step(Stage.SINGLE, op, task=task)
    if left := _left(op, transfer_book.latest(op, transfer).single):
        yield Step(Stage.SINGLE, op, runs=left)


def _held_out(op: OpenProject, transfer: Transfer) -> Task:
    """A job that sets images of the target aside, which are to judge it."""
    own = (transfer.asked.label_set,)
    return split_task(op, DEFAULT_SPLIT, ("category", "view") if transfer.joint else own)


def _left(op: OpenProject, *runs: str) -> tuple[str, ...]:
    return tuple(run for run in runs if transferring.unfinished(op, run))


def _comparison(op: OpenProject, transfer: Transfer) -> Task:
    """A job that ranks the sources and takes the closest."""
    asked = transfer.asked
    places = named_sources(asked.sources, asked.label_set)
    order = RelatednessOrder(domains=(), seed=asked.seed)
    task = compare_task(op, asked.label_set, places, order)

    def finish(outcome: Outcome) -> None:
        task.finish(outcome)
        if isinstance(outcome, Done):
            transferring.choose_source(op, transfer, outcome.value)

    return dataclasses.replace(task, finish=finish)
