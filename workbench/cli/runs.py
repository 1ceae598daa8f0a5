"""The commands `runs` and `evaluate`: list, rename, delete and adopt runs; show their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Any

import click
import msgspec

from workbench.app.project_folders import find_project
from workbench.app.results.evaluating import (
    COMPARED_PARTS,
    Evaluation,
    evaluate_task,
    protocol_scores,
    protocols_task,
    run_protocol,
)
from workbench.app.results.results import RunResults, Scope, load_results
from workbench.app.results.run_columns import RunColumn, RunOutput, run_columns, run_object
from workbench.app.session import Session
from workbench.app.training.adopting import adopt_task
from workbench.cli.command import (
    Output,
    Result,
    command,
    find_run,
    image_count,
    opened,
    project_argument,
    run_argument,
)
from workbench.cli.progress import carry_out
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.metrics import ClassScore, macro_average
from workbench.domain.protocols import ProtocolScore
from workbench.domain.runs import RunRecord
from workbench.domain.splits import PARTS, Part
from workbench.domain.values import Cell, Json

Scores = dict[str, int | float | None]


def part_scores(results: RunResults) -> dict[str, Scores]:
    """Scores by part, for the parts with labelled images.

    Top-1, top-5 and expected calibration error in [0, 1]; for non-exclusive label sets also exact
    match and mean average precision.
    """
    return {part.value: _scores(results, part) for part in results.parts}


def _scores(results: RunResults, part: Part) -> Scores:
    scores = results.scores(Scope(part))
    made: Scores = {
        "top1": scores.top1,
        "top5": scores.top5,
        "calibration": scores.calibration,
        "images": scores.images,
    }
    if results.has_view_head:
        made["view_top1"] = results.scores(Scope(part, head="view")).top1
    if results.marked is not None:
        several = results.marked.scores(results.inside(Scope(part)))
        made |= {"exact": several.exact, "mean_ap": several.mean_ap}
    return made


def scores_of(session: Session, run: RunRecord) -> dict[str, Scores]:
    """Scores of a run by part; empty if it has no predictions."""
    try:
        return part_scores(load_results(session, run.id))
    except KnownError:
        return {}


def run_with_scores(run: RunRecord, parts: Mapping[str, Scores]) -> dict[str, Json]:
    """The JSON object of a run."""
    return run_object(run) | {"parts": parts}


def print_run(out: Output, run: RunRecord, parts: Mapping[str, Scores]) -> None:
    """Print a run's status, and the scores of its parts as a table."""
    out.print(f"run {run.id} “{run.name}”: {run.status}")
    shown = {"images": "images", "top1": "top-1", "top5": "top-5"}
    if any("exact" in part for part in parts.values()):
        shown |= {"exact": "exact", "mean_ap": "mAP"}
    rows = [(part.value, *(parts[part][key] for key in shown)) for part in PARTS if part in parts]
    if rows:
        out.table(("part", *shown.values()), rows)


class RunsGroup(click.Group):
    """Sub-commands of `runs`; `list` is the default, so that `runs PROJECT` lists the runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._with_command(ctx, args))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, self._with_command(ctx, args))

    def _with_command(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return args if own else ["list", *args]


@click.group(
    "runs",
    cls=RunsGroup,
    subcommand_metavar="[list] PROJECT | adopt FOLDER",
    epilog="\b\nExample:\n  workbench runs Birds\n  workbench runs Birds --rename latest baseline\n"
    "  workbench runs adopt /cluster/20260101-120000-ab12 --into Birds\n\n"
    "`list` is the default and may be omitted. Both have more options (--help), and --json.",
)
def runs_command() -> None:
    """List the runs of a project, or adopt a run.

    A run that was trained elsewhere can be adopted: copied into a project with its results.
    """


@command(
    "list",
    "workbench runs list Birds\nworkbench runs Birds --rename latest baseline\n"
    "workbench runs Birds --remove baseline",
)
@project_argument
@click.option("--rename", "renamed", nargs=2, metavar="RUN NAME", help="Rename a run.")
@click.option(
    "--remove", "removed", metavar="RUN", help="Delete a run with its files; this cannot be undone."
)
@click.option(
    "--columns",
    "chosen",
    metavar="NAME,…",
    help="Show these columns, in this order, or “all”; the manual lists their names.",
)
def list_command(
    out: Output,
    project: Path,
    renamed: tuple[str, str] | None,
    removed: str | None,
    chosen: str | None,
) -> Result:
    """List the runs of PROJECT, newest first."""
    columns = _columns(chosen)
    with opened(project) as session:
        if renamed is not None:
            run = find_run(session, renamed[0])
            session.rename_run(run.id, renamed[1])
            name = session.runs.get(run.id).name
            out.print(f"renamed: {run.id} “{run.name}” → “{name}”\n")
        if removed is not None:
            run = find_run(session, removed)
            session.remove_run(run.id)
            out.print(f"deleted: {run.id} “{run.name}”\n")
        runs = session.runs.all()
        if not runs:
            out.print("No runs yet. Train one with: workbench train PROJECT --set target=category")
        else:
            rows = [[_cell(column, run) for column in columns] for run in runs]
            out.table([column.name for column in columns], rows)
        return {"runs": [run_object(run) | {"parts": run.metrics} for run in runs]}


@command("adopt", "workbench runs adopt /cluster/20260101-120000-ab12 --into Birds")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="The project that adopts it (the one that contains the current folder).",
)
def adopt_command(out: Output, folder: Path, into: Path | None) -> Result:
    """Copy a run that was trained elsewhere into a project.

    FOLDER is the run folder. Its images are recognised by their content. A folder among the
    project's own runs that is not in its list, as after a restore, is used as it is.
    """
    if into is None and find_project(Path()) is None:
        example = f"workbench runs adopt {folder} --into PROJECT"
        raise click.UsageError(f"Give the project that adopts the run: {example}.")
    with opened(into or Path()) as session:
        adopted = carry_out(adopt_task(session, folder))
        record = session.runs.get(adopted.record.id)
        parts = scores_of(session, record)
        if adopted.unknown:
            out.warn(f"images of the run that are not in this project: {adopted.unknown}")
        print_run(out, record, parts)
        return run_with_scores(record, parts) | {"unknown": adopted.unknown}


runs_command.add_command(list_command)
runs_command.add_command(adopt_command)


def _columns(chosen: str | None) -> tuple[RunColumn, ...]:
    """The columns named in `--columns`, the usual ones without it. Raises ValueRefused."""
    known = {column.name: column for column in run_columns(RunOutput.COMMAND)}
    if chosen is None:
        return run_columns(RunOutput.COMMAND, optional=False)
    names = list(known) if chosen.strip() == "all" else [each.strip() for each in chosen.split(",")]
    for name in names:
        if name not in known:
            raise ValueRefused("--columns", name, f"all, or some of: {', '.join(known)}")
    return tuple(known[name] for name in names)


def _cell(column: RunColumn, run: RunRecord) -> Cell:
    value: Any = column.value(run)
    made: Cell = value
    if value is not None and column.kind == "moment":
        made = datetime.fromtimestamp(value).strftime("%Y-%m-%d %H:%M")
    elif value is not None and column.kind == "duration":
        made = round(value)
    elif column.kind == "bytes":
        made = "–" if value is None else f"{value / 1e6:,.0f} MB"
    return made


@command(
    "evaluate",
    "workbench evaluate Birds latest --part test\n"
    "workbench evaluate Birds latest --protocol test_crops=windows "
    "--protocol test_resize=256,test_crops=five",
)
@project_argument
@run_argument
@click.option(
    "--part",
    type=click.Choice([part.value for part in PARTS]),
    help="The part whose classes are shown (test if it has images, else validation or train).",
)
@click.option(
    "--again", is_flag=True, help="Also score this part again with the weights, and compare."
)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="KEY=VALUE,…",
    help="Also score the validation and test parts (or --part) by another test protocol, without "
    "training: test_resize, test_crops and test_mirror; those that are missing are the run's.",
)
def evaluate_command(
    out: Output,
    project: Path,
    run: str,
    part: str | None,
    again: bool,
    protocols: tuple[str, ...],
) -> Result:
    """Show how well a run predicts.

    RUN is an id or its beginning, a name, or "latest". The true label of an image is the one it had
    when the run was created. Scores by other test protocols are stored with the run and shown each
    time. Choose a protocol by the validation part: the best figure of the test part among several
    is too high.
    """
    with opened(project) as session:
        record = find_run(session, run)
        others = [run_protocol(session, record.id, text) for text in protocols]
        results = load_results(session, record.id)
        shown = Part(part) if part else results.best_part()
        parts = part_scores(results)
        print_run(out, record, parts)
        result = run_with_scores(record, parts)
        result |= {"part": shown.value, **_details(out, results, shown)}
        if again:
            result["again"] = _again(out, carry_out(evaluate_task(session, record.id, shown)))
        if others:
            compared = (Part(part),) if part else COMPARED_PARTS
            carry_out(protocols_task(session, record.id, others, compared))
        result["protocols"] = _protocols(out, protocol_scores(session, record.id))
        return result


def _protocols(out: Output, scores: Sequence[ProtocolScore]) -> list[dict[str, Json]]:
    """Print the scores by test protocol as a table; return their JSON objects."""
    several = any(score.mean_ap is not None for score in scores)
    if scores:
        out.print("\ntest protocols")
        out.table(
            ("part", "top-1", *(["mAP"] if several else []), "images", "images/s", "protocol"),
            [_protocol_cells(score, several) for score in scores],
        )
    return [
        {
            "protocol": msgspec.to_builtins(score.protocol),
            "own": score.own,
            "part": score.part.value,
            "top1": score.top1,
            "mean_ap": score.mean_ap,
            "images": score.images,
            "images_per_second": score.images_per_second,
            "unread": score.unread,
        }
        for score in scores
    ]


def _protocol_cells(score: ProtocolScore, several: bool) -> list[Cell]:
    speed = "" if score.images_per_second is None else f"{score.images_per_second:.1f}"
    precision = [score.mean_ap] if several else []
    text = score.protocol.text + (" (of the run)" if score.own else "")
    return [score.part.value, score.top1, *precision, score.images, speed, text]


def _again(out: Output, found: Evaluation) -> dict[str, Json]:
    out.print(
        f"\nscored again: top-1 {found.top1:.4f} on {image_count(found.images)}; predictions "
        f"changed: {found.changed}; scores differ by at most {found.largest_difference:.1g}"
    )
    return {
        "top1": found.top1,
        "top5": found.top5,
        "images": found.images,
        "changed": found.changed,
        "largest_difference": found.largest_difference,
        "unread": [{"path": lost.path, "reason": lost.reason} for lost in found.unread],
    }


def _score_object(score: ClassScore) -> dict[str, Json]:
    return {
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
        "images": score.support,
    }


def _scores_text(score: ClassScore) -> str:
    """Precision, recall and F1 as a line; undefined ones as a dash."""
    values = {"precision": score.precision, "recall": score.recall, "F1": score.f1}
    shown = (f"{name} {'–' if isnan(value) else f'{value:.4f}'}" for name, value in values.items())
    return ", ".join(shown)


def _details(out: Output, results: RunResults, part: Part) -> dict[str, Json]:
    scope = Scope(part)
    classes = results.classes(scope)
    views = results.by_view(scope)
    if classes:
        out.print(f"\nclasses of {part.value}")
        out.table(
            ("label", "precision", "recall", "F1", "images"),
            [(name, s.precision, s.recall, s.f1, s.support) for name, s in classes],
        )
        mean = macro_average(score for _, score in classes)
        out.print(f"macro averages: {_scores_text(mean)}")
    empty = [name for name, score in classes if not score.support]
    if empty:
        names = ", ".join(empty)
        out.warn(f"warning: labels without {part} images, whose recall is undefined: {names}")
    if views:
        out.print(f"\nviews of {part.value}")
        out.table(("view", "top-1", "images"), [(v.view, v.accuracy, v.images) for v in views])
    return {
        "classes": {name: _score_object(score) for name, score in classes},
        "macro": _score_object(macro_average(score for _, score in classes)),
        "views": {v.view: {"top1": v.accuracy, "images": v.images} for v in views},
        "confusion": {
            "labels": list(results.label_list().labels),
            "counts": results.matrix(scope).tolist(),
        },
    }
