"""The command `study`: train several recipes on the same splits and seeds, and compare them."""

from __future__ import annotations

import math
from pathlib import Path

import click

from workbench.app.session import Session
from workbench.app.training.studies import (
    as_builtins,
    find_study,
    new_study,
    next_runs,
    study_progress,
)
from workbench.cli.command import STOPPED, Output, Result, command, opened, project_argument
from workbench.cli.train import text_of, train_run
from workbench.domain.recipes import parse_toml
from workbench.domain.studies import Interval, Row, Study, parse_plan
from workbench.domain.values import Cells, Json

EXAMPLE = """workbench study Birds methods.toml
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
@click.option("--table", is_flag=True, help="Show the table so far and train nothing.")
def study_command(out: Output, project: Path, plan: str | None, table: bool) -> Result:
    """Compare recipes on the same splits and seeds.

    Trains each variant of PLAN with each seed, and compares it with the first variant, seed by
    seed. PLAN is a TOML file, or the name of an earlier study; without PLAN, the studies are
    listed. Ctrl+C stops; the same command resumes.
    """
    with opened(project) as session:
        if plan is None:
            return _list(session, out)
        study = _found(session, plan)
        while not table:
            study, waiting = next_runs(session, study)
            if not waiting:
                break
            if out.interrupted:  # in the last moments of the run before
                out.exit_code = STOPPED
                out.warn("Stopped. Resume with the same command.")
                break
            record = session.runs.get(waiting[0])
            out.warn(f"{record.name}")
            problem = train_run(session, record.id, out)
            if problem or out.exit_code:
                break
        found = study_progress(session, study)
        _print(out, found.rows)
        return {"study": study.id, "name": study.plan.name} | as_builtins(found)


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
    made = parse_plan(parse_toml(text_of(path), plan), path.stem)
    for study in session.studies.all():
        if study.plan == made:
            return study
    return new_study(session, made)


def _print(out: Output, rows: list[Row]) -> None:
    out.table(
        ("variant", "seeds", "accuracy %", "difference", "p", "seconds"),
        [
            (
                row.variant,
                len(row.values),
                _points(row.accuracy),
                _points(row.difference, signed=True),
                "" if math.isnan(row.p) else f"{row.p:.3f}",
                "" if math.isnan(row.seconds) else f"{row.seconds:.0f}",
            )
            for row in rows
        ],
    )


def _points(value: Interval, signed: bool = False) -> str:
    if math.isnan(value.mean):
        return ""
    mean = f"{100 * value.mean:{'+' if signed else ''}.2f}"
    return mean if math.isnan(value.half) else f"{mean} ± {100 * value.half:.2f}"
