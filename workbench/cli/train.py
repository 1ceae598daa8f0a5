"""The commands `split` and `train`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import click

from workbench.app.jobs import Failed
from workbench.app.session import Session
from workbench.app.training.splitting import split
from workbench.app.training.training import RunControl, prepare, start_task, training_task
from workbench.cli.command import (
    STOPPED,
    TEXT_OR_NOTHING,
    Output,
    Result,
    command,
    find_run,
    opened,
    project_argument,
)
from workbench.cli.progress import carry_out, watch
from workbench.cli.runs import print_run, run_with_scores, scores_of
from workbench.domain.errors import KnownError
from workbench.domain.recipes import KeyValue, parse_recipe, with_setting
from workbench.domain.runs import RunStatus
from workbench.domain.splits import DEFAULT_SPLIT, PARTS, STRATA, SplitPlan
from workbench.files import read_regular


def _share(part: str, default: float) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """An option for the share of images in a part."""
    help = f"Share of the {part} part."
    share = click.FloatRange(0.0, 1.0)
    return click.option(f"--{part}", type=share, default=default, show_default=True, help=help)


@command("split", "workbench split Birds --train 0.5 --validation 0 --test 0.5 --seed 1")
@project_argument
@_share("train", DEFAULT_SPLIT.train)
@_share("validation", DEFAULT_SPLIT.validation)
@_share("test", DEFAULT_SPLIT.test)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=DEFAULT_SPLIT.seed,
    show_default=True,
    help="Random seed.",
)
@click.option(
    "--stratify",
    type=TEXT_OR_NOTHING,
    default=",".join(STRATA),
    show_default=True,
    help="Label sets, separated by commas, whose labels are distributed evenly over the parts.",
)
def split_command(
    out: Output,
    project: Path,
    train: float,
    validation: float,
    test: float,
    seed: int,
    stratify: str,
) -> Result:
    """Split all images into train, validation and test.

    Shares that sum to less than 1 leave images out. The same seed gives the same split.
    """
    with opened(project) as session:
        plan = SplitPlan(train, validation, test, seed)
        names = [name.strip() for name in stratify.split(",") if name.strip()]
        for name in names:
            session.labels.get(name)
        counts = split(session, plan, names)
        out.table(("part", "images"), [(part, counts.get(part, 0)) for part in PARTS])
        return {"parts": {part.value: counts.get(part, 0) for part in PARTS}, "seed": seed}


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


def text_of(recipe: Path) -> str:
    """The text of a TOML file. Raises KnownError if it is not UTF-8."""
    try:
        return read_regular(recipe).decode()
    except UnicodeDecodeError as error:
        raise KnownError(
            "{path} is not a text file in UTF-8.", "Choose a TOML file.", path=recipe
        ) from error
