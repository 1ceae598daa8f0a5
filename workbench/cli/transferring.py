"""The transfer from the closest source as one command that can be gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from workbench.app.open_project import OpenProject
from workbench.app.transfer import transfer_book, transferring
from workbench.app.transfer.sources import named_sources, opened_beside, written_source
from workbench.app.transfer.transfer_steps import Stage, steps
from workbench.cli.assessing import ranked, say_ranking
from workbench.cli.frame import Result, command, opened, project_argument
from workbench.cli.output import Output
from workbench.cli.progress import carry_out
from workbench.cli.scores import run_with_scores
from workbench.cli.training import train_run
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import put_setting
from workbench.domain.splits import Part
from workbench.domain.transfers import Asked, Transfer, Value


class _LeftOff(Exception):
    """A training failed or was paused; `problem` is what to tell of it."""

    def __init__(self, problem: dict[str, str]) -> None:
        super().__init__()
        self.problem = problem


@command(
    "transfer",
    "workbench transfer Sparrows --from Finches --from Cars\n"
    "workbench transfer Sparrows --from Finches --set epochs=30 --compare-views --json",
)
@project_argument
@click.option(
    "--from",
    "sources",
    multiple=True,
    required=True,
    metavar="PROJECT[#LABELS]",
    help="A source to choose from; its label set is that of the target unless it is said.",
)
@click.option("--target", default="category", show_default=True, help="The label set to learn.")
@click.option("--start", default="imagenet", show_default=True, help="Of the source's training.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a recipe key.")
@click.option(
    "--source-set", "own", multiple=True, metavar="KEY=VALUE", help="For the source only."
)
@click.option("--no-views", is_flag=True, help="Learn the category alone, also where views are.")
@click.option("--compare-views", is_flag=True, help="Train the winner also without views.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def transfer_command(
    out: Output,
    project: Path,
    sources: tuple[str, ...],
    target: str,
    start: str,
    settings: tuple[str, ...],
    own: tuple[str, ...],
    no_views: bool,
    compare_views: bool,
    seed: int,
) -> Result:
    """Learn the closest source, carry it over to PROJECT with 4, 5 and 6 layers kept, and take the
    candidate that agrees most often with the majority of them.

    Views are learned along where images have them. Stop it with Ctrl+C and go on with the same
    command.
    """
    places = named_sources(sources, target)
    asked = Asked(
        label_set=target,
        sources=tuple(written_source(*place) for place in places.values()),
        start=_start(start),
        settings=_settings(settings),
        source_settings=_settings(own),
        views=not no_views,
        compare_views=compare_views,
        seed=seed,
    )
    with opened(project) as op:
        transfer = transferring.begin(op, asked)
        try:
            _carry_over(op, out, transfer)
        except _LeftOff as left:
            ranking = transfer_book.latest(op, transfer).ranked
            return {"ranked": ranked(ranking)} | left.problem
        transfer = transfer_book.latest(op, transfer)
        result = _result(op, transfer, places[transfer.source][0])
        _say(out, transfer, result)
        return result


def _carry_over(op: OpenProject, out: Output, transfer: Transfer) -> None:
    """Do what is left: compare, train the source and the candidates, let them vote."""
    if transfer.ranked:
        say_ranking(out, transfer.ranked)
    with closing(steps(op, transfer)) as left:
        for step in left:
            if step.task is not None:
                carry_out(step.task)
                if step.stage is Stage.COMPARE:
                    say_ranking(out, transfer_book.latest(op, transfer).ranked)
            for run in step.runs:
                _train(step.op, run, out)


def _train(op: OpenProject, run: str, out: Output) -> None:
    out.warn(op.store.runs.get(run).name)
    problem = train_run(op, run, out)
    if problem or out.exit_code:
        out.warn("Give the same command again to go on from here.")
        raise _LeftOff(problem or {"status": op.store.runs.get(run).status.value, "run": run})


def _start(start: str) -> str:
    kind, _, rest = start.partition(":")
    return f"file:{Path(rest).expanduser().resolve()}" if kind == "file" else start


def _settings(given: tuple[str, ...]) -> dict[str, Value]:
    found: dict[str, Any] = {}
    for setting in given:
        put_setting(found, setting)
    for key in transferring.OURS:
        if key in found:
            raise ValueRefused("--set", f"{key}={found[key]}", f"all keys but {key}, set here")
    return found


def _result(op: OpenProject, transfer: Transfer, folder: Path) -> dict[str, object]:
    """The JSON object: the ranking, the source in `folder`, the candidates' table, the winner and
    its scores."""
    with opened_beside(op, folder) as source:
        learned = run_with_scores(source, source.store.runs.get(transfer.source_run))
    made = {c.frozen: run_with_scores(op, op.store.runs.get(c.run)) for c in transfer.candidates}
    result: dict[str, object] = {
        "ranked": ranked(transfer.ranked),
        "source": learned | {"project": transfer.source},
        "joint": transfer.joint,
        "candidates": [
            {"layers": c.layers, "frozen": c.frozen, "votes": c.votes, "alone": c.alone}
            | made[c.frozen]
            for c in transfer.candidates
        ],
        "winner": transfer.winner,
        "drawn": transfer.drawn,
        "voted": transfer.voted,
        "disputed": transfer.disputed,
        "run": transfer.winner_run,
        "parts": made[transfer.winner]["parts"],
    }
    if transfer.single:
        single = run_with_scores(op, op.store.runs.get(transfer.single))
        result["views"] = {"without": single, "with": made[transfer.winner]}
    return result


def _say(out: Output, transfer: Transfer, result: Mapping[str, Any]) -> None:
    out.say(f"\ncandidates from {transfer.source} (run {transfer.source_run})")
    rows = [
        (f"1–{one['layers']}", one["frozen"], one["run"], _top1(one), one["votes"])
        for one in result["candidates"]
    ]
    out.table(("layers kept", "up to", "run", "top-1", "votes"), rows)
    drawn = ", drawn among equals" if transfer.drawn else ""
    out.say(
        f"\nwinner: kept up to {transfer.winner}{drawn}; they disagreed on {transfer.disputed} "
        f"of {transfer.voted} images"
    )
    if "views" in result:
        alone, along = (_top1(result["views"][key]) for key in ("without", "with"))
        out.say("")
        out.table(("learned", "top-1"), [("category alone", alone), ("with views", along)])


def _top1(one: Mapping[str, Any]) -> float | None:
    for part in (Part.TEST.value, Part.VALIDATION.value):
        if part in one["parts"]:
            return float(one["parts"][part]["top1"])
    return None
