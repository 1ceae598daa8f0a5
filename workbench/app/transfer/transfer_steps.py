"""A transfer from the closest source as a row of steps, each carried out by whoever asks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from workbench.app.jobs import Done, Outcome, Task
from workbench.app.open_project import OpenProject
from workbench.app.training.preparing import DEFAULT_SPLIT
from workbench.app.training.splitting import split_task
from workbench.app.transfer import transfer_book, transfer_runs, transferring
from workbench.app.transfer.relatedness import compare_task
from workbench.app.transfer.sources import named_sources, opened_beside
from workbench.domain.relatedness import RelatednessOrder
from workbench.domain.transfers import Transfer


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
