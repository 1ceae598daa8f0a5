"""The command `study`: train several recipes on the same splits and seeds, and compare them."""

from __future__ import annotations

import math
from pathlib import Path

import click
import msgspec

from workbench.app.session import Session
from workbench.app.training.studies import (
    StudyProgress,
    as_builtins,
    find_study,
    new_study,
    next_runs,
    study_progress,
    with_folds,
)
from workbench.cli.command import STOPPED, Output, Result, command, opened, project_argument
from workbench.cli.train import text_of, train_run
from workbench.domain.recipes import parse_recipe, parse_toml, with_setting
from workbench.domain.studies import (
    Interval,
    Keys,
    Plan,
    Row,
    Study,
    check_plan,
    named_protocol,
    parse_plan,
)
from workbench.domain.values import Cells, Json

EXAMPLE = """workbench study Birds methods.toml
workbench study Birds --folds 5 --set target=category
workbench study Birds --protocol "30 per class" --set target=category
workbench study Birds methods --json
workbench study Birds

    # methods.toml
    seeds = [0, 1, 2, 3, 4]
    split = { train = 0.5, validation = 0.0, test = 0.5 }
    base = { target = "category", backbone = "squeezenet1_1" }
    [variants.fine-tune]
    [variants.l2-sp]
    penalty = "l2-sp\""""


@command("study", EXAMPLE)
@project_argument
@click.argument("plan", required=False)
@click.option(
    "--folds",
    metavar="NAME",
    help="Train with each of these folds: their common name, or a number to draw that many.",
)
@click.option(
    "--protocol",
    metavar="NAME",
    help="Train one recipe by a protocol: half/half, K folds, C per class, or published NAME.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="With --folds or --protocol: set a recipe key; PLAN may be a recipe.",
)
@click.option(
    "--goal",
    type=click.FloatRange(0, 1),
    help="The validation accuracy for the time to reach it (one that all runs reach).",
)
@click.option("--table", is_flag=True, help="Show the table so far and train nothing.")
def study_command(
    out: Output,
    project: Path,
    plan: str | None,
    folds: str | None,
    protocol: str | None,
    settings: tuple[str, ...],
    goal: float | None,
    table: bool,
) -> Result:
    """Compare recipes on the same splits, seeds or folds.

    Trains each variant of PLAN with each seed, and compares it with the first variant, seed by
    seed. PLAN is a TOML file, or the name of an earlier study; without PLAN, the studies are
    listed. With --folds, or `folds` in PLAN, each fold is tested once. `protocol` in PLAN, or
    --protocol, names one: half/half, K folds, C per class (training images; all others are tested),
    or published NAME (a split of the project). Ctrl+C stops; the same command resumes.
    """
    if settings and folds is None and protocol is None:
        raise click.UsageError("--set needs --folds or --protocol.")
    if folds is not None and protocol is not None:
        raise click.UsageError("Give --folds or --protocol.")
    with opened(project) as session:
        if folds is not None:
            study = _of_plan(session, _folds_plan(folds, plan, settings))
        elif protocol is not None:
            study = _of_plan(session, _protocol_plan(protocol, plan, settings))
        elif plan is None:
            return _list(session, out)
        else:
            study = _found(session, plan)
        study = study if table else _train(session, study, out)
        return _report(out, session, study, goal)


def _report(out: Output, session: Session, study: Study, goal: float | None) -> Result:
    found = study_progress(session, study, goal)
    parts = " / ".join(part.value for part in found.parts)
    out.print(study.plan.protocol + (f"; accuracy on the {parts} part" if parts else ""))
    _print(out, found, bool(study.plan.folds))
    _print_differences(out, found)
    return {"study": study.id, "name": study.plan.name} | as_builtins(found)


def _train(session: Session, study: Study, out: Output) -> Study:
    """Train the unfinished runs until one fails or the user stops; return the study with them."""
    while True:
        study, waiting = next_runs(session, study)
        if not waiting:
            return study
        if out.interrupted:  # in the last moments of the run before
            out.exit_code = STOPPED
            out.warn("Stopped. Resume with the same command.")
            return study
        record = session.runs.get(waiting[0])
        out.warn(record.name)
        problem = train_run(session, record.id, out)
        if problem or out.exit_code:
            return study


def _list(session: Session, out: Output) -> Result:
    rows: list[Cells] = []
    listed: list[dict[str, Json]] = []
    for study in session.studies.all():
        found = study_progress(session, study)
        rows.append((study.id, study.plan.name, found.done, found.cells))
        listed.append(
            {"study": study.id, "name": study.plan.name, "done": found.done, "cells": found.cells}
        )
    out.table(("study", "name", "done", "runs"), rows)
    return {"studies": listed}


def _found(session: Session, plan: str) -> Study:
    """The study of a plan file, by its content, or else of this name; new plans are added."""
    path = Path(plan)
    if path.suffix != ".toml" and not path.is_file():
        return find_study(session, plan)
    return _of_plan(session, parse_plan(parse_toml(text_of(path), plan), path.stem))


def _folds_plan(folds: str, recipe: str | None, settings: tuple[str, ...]) -> Plan:
    """The plan to train one recipe on each fold."""
    given = _recipe_keys(recipe, settings)
    method = str(given.get("method", "recipe"))
    name = f"{given.get('target', '')} on folds {folds}"
    return check_plan(Plan(name=name, base=given, variants={method: {}}, folds=folds))


def _protocol_plan(protocol: str, recipe: str | None, settings: tuple[str, ...]) -> Plan:
    """The plan to train one recipe by a named protocol."""
    named = named_protocol(protocol)
    given = _recipe_keys(recipe, settings)
    method = str(given.get("method", "recipe"))
    name = f"{given.get('target', '')}, {' '.join(protocol.split())}"
    return Plan(name=name, base=given, variants={method: {}}, **named)


def _recipe_keys(recipe: str | None, settings: tuple[str, ...]) -> Keys:
    given: Keys = {}
    if recipe is not None:
        given = parse_recipe(text_of(Path(recipe)), recipe).to_builtins()
    for setting in settings:
        given = with_setting(given, setting)
    return given


def _of_plan(session: Session, given: Plan) -> Study:
    """The newest study with this plan; a new one if there is none."""
    plan = with_folds(session, given)
    for study in session.studies.all():
        drawn = f"{plan.folds} folds · 0"  # by an earlier call of the same command
        alike = msgspec.structs.replace(study.plan, folds=plan.folds, seeds=plan.seeds)
        if study.plan == plan or (study.plan.folds == drawn and alike == plan):
            return study
    return new_study(session, plan)


def _print(out: Output, found: StudyProgress, folds: bool) -> None:
    rows = found.rows
    if folds:
        numbers = sorted({number for row in rows for number in row.values})
        out.table(
            ("fold", *(row.variant for row in rows)),
            [
                (str(number), *(_percent(row.values.get(number)) for row in rows))
                for number in numbers
            ],
        )
        out.print("")
    out.table(
        (
            "variant",
            "folds" if folds else "seeds",
            "accuracy %",
            "sd",
            "difference",
            "p",
            "seconds",
            "" if found.goal is None else f"to {100 * found.goal:.0f} %",
        ),
        [
            (
                row.variant,
                len(row.values),
                _points(row.accuracy),
                "" if math.isnan(row.deviation) else f"{100 * row.deviation:.2f}",
                _points(row.difference, signed=True),
                "" if math.isnan(row.p) else f"{row.p:.3f}",
                "" if math.isnan(row.seconds) else f"{row.seconds:.0f}",
                _time(row, found),
            )
            for row in rows
        ],
    )


def _print_differences(out: Output, found: StudyProgress) -> None:
    """Name what differs besides the plan's keys, and the runs that are not paired."""
    for variant, keys in found.differing.items():
        out.warn(f"{variant} also differs from the first variant in: {', '.join(keys)}")
    for variant, number in found.apart:
        out.warn(f"{variant}, {number}: learned from other images, not paired")


def _time(row: Row, found: StudyProgress) -> str:
    """The mean time to the goal, and how many runs reach it if not all do."""
    times = found.times.get(row.variant, ())
    if not times:
        return ""
    some = f" ({len(times)} of {len(row.values)})" if len(times) < len(row.values) else ""
    return f"{sum(times) / len(times):.0f}{some}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _points(value: Interval, signed: bool = False) -> str:
    if math.isnan(value.mean):
        return ""
    mean = f"{100 * value.mean:{'+' if signed else ''}.2f}"
    return mean if math.isnan(value.half) else f"{mean} ± {100 * value.half:.2f}"
