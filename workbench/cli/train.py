"""The command `train`."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from workbench.app.jobs import Failed
from workbench.app.session import Session
from workbench.app.training.training import RunControl, prepare, start_task, training_task
from workbench.cli.command import (
    STOPPED,
    Output,
    Result,
    command,
    find_run,
    opened,
    project_argument,
)
from workbench.cli.progress import carry_out, watch
from workbench.cli.runs import print_run, run_with_scores, scores_of
from workbench.domain.assessments import MissingRun
from workbench.domain.errors import KnownError
from workbench.domain.methods import Value
from workbench.domain.recipes import KeyValue, parse_recipe, parse_setting, with_setting
from workbench.domain.runs import RECIPE_FILE, RunStatus
from workbench.files import read_regular


@command(
    "train",
    "workbench train Birds recipe.toml --set epochs=30\n"
    "workbench train Birds --set target=category --name first\n"
    "workbench train Birds --resume latest",
)
@project_argument
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a recipe key.")
@click.option("--name", default="", help="The name of the run.")
@click.option("--prepare", "only", is_flag=True, help="Create the run folder without training.")
@click.option("--resume", metavar="RUN", help="Resume a paused run.")
def train_command(
    out: Output,
    project: Path,
    recipe: Path | None,
    settings: tuple[str, ...],
    name: str,
    only: bool,
    resume: str | None,
) -> Result:
    """Train a run, or resume a paused one.

    Keys set neither in RECIPE (a TOML file) nor by --set get recommended values. Ctrl+C pauses the
    run, and --resume continues it exactly; a second Ctrl+C stops it for good.
    """
    if resume is not None and (recipe is not None or settings):
        raise click.UsageError("A resumed run keeps its recipe: omit RECIPE and --set.")
    if resume is None and recipe is None and not settings:
        raise click.UsageError("Give a recipe file, or at least --set target=category.")
    with opened(project) as session:
        run_id = (
            find_run(session, resume).id if resume else _prepared(session, recipe, settings, name)
        )
        if only:
            return _print_folder(session, run_id, out)
        problem = train_run(session, run_id, out, "--resume")
        run = session.runs.get(run_id)
        parts = scores_of(session, run)
        print_run(out, run, parts)
        return run_with_scores(run, parts) | problem


def _prepared(session: Session, recipe: Path | None, settings: tuple[str, ...], name: str) -> str:
    given: dict[str, KeyValue] = {}
    if recipe is not None:
        given = parse_recipe(text_of(recipe), str(recipe)).to_builtins()
    for setting in settings:
        given = with_setting(given, setting)
    return prepare(session, given, name=name).id


def _print_folder(session: Session, run_id: str, out: Output) -> Result:
    """Write the start weights into the folder of a run to be trained elsewhere; print its path."""
    carry_out(start_task(session, run_id))
    folder = session.runs_folder / run_id
    out.print(f"prepared: {folder}")
    return {"run": run_id, "status": "prepared", "folder": str(folder)}


def train_run(
    session: Session, run_id: str, out: Output, resume: str = "the same command"
) -> dict[str, str]:
    """Train until the run ends or is paused; return an error as {"error", "remedy"}, or {}.

    `resume` is what resumes a paused run. Ctrl+C that comes too late to pause this run sets
    `out.interrupted`, so that no other one is begun.
    """
    control = RunControl()

    def pressed() -> str:
        if control.requested:
            control.stop()
            return "Stopping."
        control.pause()
        return f"Pausing; resume with {resume}. Press Ctrl+C again to stop the run for good."

    outcome = watch(training_task(session, run_id, control), pressed, threading.Event())
    out.interrupted = bool(control.requested)
    if isinstance(outcome, Failed):
        out.exit_code = 1
        out.warn(outcome.report or f"error: {outcome.text}")
        return {"error": outcome.sentence, "remedy": outcome.remedy}
    if session.runs.get(run_id).status is not RunStatus.FINISHED:
        out.exit_code = STOPPED
    return {}


def settings_of(values: Mapping[str, KeyValue | Mapping[str, Value]], table: str = "") -> list[str]:
    """Recipe keys in the syntax of `--set`, one `key=value` each; keys of a table are dotted."""
    found = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += settings_of(value, f"{table}{key}.")
            continue
        plain = f"{table}{key}={value}"
        as_text = isinstance(value, str) and parse_setting(plain)[1] != value
        found.append(f'{table}{key}="{value}"' if as_text else plain)
    return found


def print_missing(
    out: Output, session: Session, project: Path, missing: Iterable[MissingRun]
) -> None:
    """Print the commands that train the runs that a comparison lacks."""
    for one in missing:
        recipe = str(session.runs_folder / one.like / RECIPE_FILE)
        train = ["workbench", "train", str(project), recipe]
        changes = [f"--set={key}={value}" for key, value in one.changes.items()]
        out.print(
            "  Labels or split have changed; train both:" if one.again else "  Train it with:"
        )
        for settings in ([], changes) if one.again else (changes,):
            out.print(f"    {shlex.join([*train, *settings])}")


def text_of(recipe: Path) -> str:
    """The text of a TOML file. Raises KnownError if it is not UTF-8."""
    try:
        return read_regular(recipe).decode()
    except UnicodeDecodeError as error:
        raise KnownError(
            "{path} is not a text file in UTF-8.", "Choose a TOML file.", path=recipe
        ) from error
