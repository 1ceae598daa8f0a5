"""The commands `new`, `import`, `undo` and `redo`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import click

from workbench.app.images.importing import ImportResult, import_task
from workbench.app.session import Session
from workbench.cli.command import (
    Output,
    Result,
    command,
    ensure_application,
    opened,
    project_argument,
)
from workbench.cli.progress import carry_out
from workbench.domain.formats import (
    FORMATS,
    IMPORTABLE_SETS,
    FileKind,
    Origin,
    endings,
    images_read,
)
from workbench.domain.labels import VIEW_PRESETS

ORIGINS = click.Choice([origin.value for origin in Origin if origin is not Origin.NONE])
SHOWN_SKIPPED = 20  # skipped files printed; --json has them all


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
Import images from folders, list files and tables.

PATHS are folders (with their sub-folders), list files, tables and single images. Labels come from
the name of an image's folder (folder), from the end of each line of a list file (list;
{endings(FORMATS.read_as(FileKind.LIST))}), or from the column of a table that is named like the
label set (csv; {endings(FORMATS.read_as(FileKind.TABLE))}). {images_read()} Files are never moved,
changed or copied; importing again adds only new images.
"""


@command(
    "import",
    "workbench import Birds photos/birds --category-from folder\n"
    "workbench import Cars train.txt --category-from list",
    IMPORT_HELP,
)
@project_argument
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_labels_from
def import_command(
    out: Output, project: Path, paths: tuple[Path, ...], **labels_from: str | None
) -> Result:
    """Import images from folders, list files and tables."""
    origins = {name: origin or Origin.NONE for name, origin in labels_from.items()}
    with opened(project) as session:
        found = carry_out(import_task(session, paths, origins))
        _print_import(out, found)
        return {
            "added": found.added,
            "known": found.known,
            "duplicates": found.duplicates,
            "labelled": found.labelled,
            "skipped": [{"path": one.path, "reason": one.reason} for one in found.skipped],
            "images": session.images.count(),
        }


def _print_import(out: Output, found: ImportResult) -> None:
    out.table(
        ("", "images"),
        [
            ("added", found.added),
            ("imported before", found.known),
            ("exact duplicates", found.duplicates),
            ("labelled", found.labelled),
            ("skipped", len(found.skipped)),
        ],
    )
    for one in found.skipped[:SHOWN_SKIPPED]:
        out.print(f"  {one.path}: {one.reason}")
    if len(found.skipped) > SHOWN_SKIPPED:
        out.print(f"  … and {len(found.skipped) - SHOWN_SKIPPED} more")


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
