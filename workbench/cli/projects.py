"""The commands `new`, `import`, `undo`, `redo` and `restore`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from workbench.app.images.importing import import_task
from workbench.app.project_folders import project_folder
from workbench.app.restoring import (
    adopting_command,
    damaged_note,
    find_point,
    newest_set_aside,
    readable_points,
    restore_task,
    runs_left_out,
)
from workbench.app.session import Session
from workbench.cli.command import (
    Output,
    Result,
    command,
    described,
    ensure_application,
    opened,
    project_argument,
)
from workbench.cli.imports import choices_of, print_report, reading_options, report_values
from workbench.cli.progress import carry_out
from workbench.domain.formats import IMPORTABLE_SETS, Origin, images_read
from workbench.domain.labels import VIEW_PRESETS
from workbench.domain.projects import RestorePoint
from workbench.domain.text import counted
from workbench.domain.values import Json
from workbench.formats import FORMATS

ORIGINS = click.Choice([origin.value for origin in Origin if origin is not Origin.NONE])


@command("new", "workbench new Birds --views animals")
@project_argument
@click.option(
    "--views",
    type=click.Choice(list(VIEW_PRESETS)),
    default="cars",
    show_default=True,
    help="The views: front, back, left, right (cars); or front, left, right, others (animals).",
)
def new_command(out: Output, project: Path, views: str) -> Result:
    """Create the project PROJECT.workbench."""
    ensure_application()
    with contextlib.closing(Session.create(project, views)) as session:
        sets = {name: list(known.names) for name, known in session.labels.sets().items()}
        out.print(f"created {session.folder}")
        return {"project": str(session.folder), "name": session.name, "label_sets": sets}


def _labels_from(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add an option for each importable label set, named after it: `--category-from` etc."""
    for name in reversed(IMPORTABLE_SETS):
        help = f"Where the labels of the set {name} come from."
        function = click.option(f"--{name}-from", name, type=ORIGINS, help=help)(function)
    return function


IMPORT_HELP = f"""
Import images from folders, lists, tables and datasets.

PATHS are folders (with their sub-folders), lists, tables, files and folders of dataset formats
({", ".join(FORMATS)}), and single images. Labels come from the name of an image's folder (folder),
from the end of each line of a list (list), from the column of a table that is named like the label
set (csv), or from any other with --labels. {images_read()} Files are never moved, changed or
copied; importing again adds only new images. The report can be shown again with: workbench imports.
"""


@command(
    "import",
    "workbench import Birds photos/birds --category-from folder\n"
    "workbench import Cars train.txt --category-from list",
    IMPORT_HELP,
)
@project_argument
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@_labels_from
@reading_options
def import_command(out: Output, project: Path, paths: tuple[Path, ...], **options: Any) -> Result:
    """Import images from folders, lists, tables and datasets."""
    origins = {name: options[name] or Origin.NONE for name in IMPORTABLE_SETS}
    with opened(project) as session:
        found = carry_out(import_task(session, paths, origins, choices_of(options)))
        print_report(out, found.report)
        return {**report_values(found.report), "images": session.images.count()}


@command("undo", "workbench undo Birds")
@project_argument
def undo_command(out: Output, project: Path) -> Result:
    """Undo the last edit of the project."""
    return _step(out, project, back=True)


@command("redo", "workbench redo Birds")
@project_argument
def redo_command(out: Output, project: Path) -> Result:
    """Redo the edit that was undone last."""
    return _step(out, project, back=False)


@command("restore", "workbench restore Birds --list\nworkbench restore Birds 20260131-090000-daily")
@project_argument
@click.argument("point", default="")
@click.option("--list", "listed", is_flag=True, help="List the restore points instead.")
def restore_command(out: Output, project: Path, point: str, listed: bool) -> Result:
    """Restore the database of a project from a restore point.

    A restore point is a copy of the whole database: images, labels, mouths, splits, runs and the
    history. One is made each day, before an upgrade and before a restore; the newest five of each
    kind are kept. POINT is the name of one, as --list shows it, or the beginning of a name; without
    it, the newest is used. The state before the restore is a restore point itself.
    Folders of runs that are newer than POINT stay, and the commands that list these runs again are
    shown.
    """
    folder = project_folder(project)
    if listed:
        points = readable_points(folder)
        rows = [(p.name, p.kind.reason, p.images, p.labels, p.size) for p in points]
        out.table(("name", "made", "images", "labels", "bytes"), rows)
        if (note := damaged_note(folder)) is not None:
            out.warn(str(note))
        return {"restore_points": [_point_values(each) for each in points]}
    ensure_application()
    found = find_point(folder, point)
    left_out = runs_left_out(folder, found)
    _print_left_out(out, left_out)
    before = carry_out(restore_task(folder, found))
    out.print(f"restored {folder.stem}: {described(found)}")
    if before is not None:
        out.print(f"the state before is restore point {before.name}")
    elif (kept := newest_set_aside(folder)) is not None:
        out.print(f"the damaged database is kept as {kept}")
    return {
        "restored": _point_values(found),
        "before": _point_values(before) if before is not None else None,
        "runs_left_out": [str(one) for one in left_out],
    }


def _print_left_out(out: Output, folders: list[Path]) -> None:
    """Report the runs that are newer than the restore point, and how to get them back."""
    if folders:
        out.print(
            counted(
                len(folders),
                "{n:,} run is newer than the restore point and leaves the list. Its folder stays; "
                "to list it again after the restore:",
                "{n:,} runs are newer than the restore point and leave the list. Their folders "
                "stay; to list them again after the restore:",
            )
        )
    for folder in folders:
        out.print(f"  {adopting_command(folder)}")


def _point_values(point: RestorePoint) -> dict[str, Json]:
    return {
        "name": point.name,
        "kind": point.kind.value,
        "made_at": point.made_at,
        "images": point.images,
        "labels": point.labels,
        "bytes": point.size,
    }


def _step(out: Output, project: Path, back: bool) -> Result:
    with opened(project) as session:
        history = session.history
        text = history.undo_text() if back else history.redo_text()
        if text is None:
            out.print("There is nothing to undo." if back else "There is nothing to redo.")
            return {"done": False, "text": None}
        if back:
            session.undo()
        else:
            session.redo()
        out.print(f"{'Undone' if back else 'Redone'}: {text}")
        return {"done": True, "text": text}
