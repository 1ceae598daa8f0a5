"""The command `versions`: list, create, compare, rename and delete versions, and go back to one."""

from __future__ import annotations

import time
from pathlib import Path

import click

from workbench.app.session import Session
from workbench.app.versions import (
    compare_task,
    create_task,
    go_back_task,
    remove_version,
    rename_version,
    save_changes,
)
from workbench.cli.command import (
    TEXT_OR_NOTHING,
    Output,
    Result,
    check_goes_with,
    command,
    opened,
    project_argument,
)
from workbench.cli.progress import carry_out
from workbench.domain.values import Json
from workbench.domain.versions import (
    CHANGE_HEAD,
    Version,
    VersionChange,
    change_cells,
    count_changes,
)

COMMANDS = ("--create", "--compare", "--restore", "--rename", "--delete")
SHOWN = 20  # differences printed; --out and --json have them all


@command(
    "versions",
    "workbench versions Birds --create checked --note 'all owls checked'\n"
    "workbench versions Birds --compare checked now --out changes.csv\n"
    "workbench versions Birds --restore checked\n"
    "workbench versions Birds --rename checked 'checked twice'",
)
@project_argument
@click.option("--create", metavar="NAME", help="Create a version of the project as it is now.")
@click.option("--note", default="", type=TEXT_OR_NOTHING, help="A note on the new version.")
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="List what differs between two versions; “now” is the project as it is.",
)
@click.option("--out", "path", type=click.Path(path_type=Path), help="Save the differences as CSV.")
@click.option("--restore", metavar="NAME", help="Go back to a version, as one undoable edit.")
@click.option("--rename", nargs=2, metavar="OLD NEW", help="Rename a version.")
@click.option("--delete", metavar="NAME", help="Delete a version that no run names.")
def versions_command(
    out: Output,
    project: Path,
    create: str | None,
    note: str,
    compare: tuple[str, str] | None,
    path: Path | None,
    restore: str | None,
    rename: tuple[str, str] | None,
    delete: str | None,
) -> Result:
    """List, create and compare versions, or go back to one.

    A version is a named state of images, labels, mouths and split that never changes. Each training
    makes one, unless nothing has changed since the last one. Runs name the version that they saw,
    which cannot be deleted.
    """
    values = (create, compare, restore, rename, delete)
    given = [name for name, value in zip(COMMANDS, values, strict=True) if value]
    if len(given) > 1:
        raise click.UsageError(f"{given[0]} and {given[1]} cannot be given together.")
    check_goes_with("--note", bool(note), "--create", bool(create))
    check_goes_with("--out", path is not None, "--compare", bool(compare))
    with opened(project) as session:
        if create:
            return _create(out, session, create, note)
        if compare:
            return _compare(out, session, compare, path)
        if restore:
            carry_out(go_back_task(session, restore))
            out.print(f"gone back to {restore}; take it back with: workbench undo")
            return {"restored": restore}
        if rename or delete:
            return _change(out, session, rename, delete or "")
        return _list(out, session)


def _create(out: Output, session: Session, name: str, note: str) -> Result:
    carry_out(create_task(session, name, note))
    made = session.versions.all()[0]
    out.print(f"created {made.name}: {made.images} images, {made.labels} labels")
    return {"created": _values(made)}


def _change(out: Output, session: Session, rename: tuple[str, str] | None, delete: str) -> Result:
    if rename is not None:
        renamed = rename_version(session, *rename)
        out.print(f"renamed {rename[0]} to {renamed}")
        return {"renamed": rename[0], "to": renamed}
    remove_version(session, delete)
    out.print(f"deleted {delete}")
    return {"deleted": delete}


def _list(out: Output, session: Session) -> Result:
    known = session.versions.all()
    rows = [(v.name, _time(v), v.author, v.images, v.labels, v.note) for v in known]
    out.table(("name", "made", "by", "images", "labels", "note"), rows)
    return {"versions": [_values(version) for version in known]}


def _time(version: Version) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(version.made_at))


def _values(version: Version) -> dict[str, Json]:
    return {
        "name": version.name,
        "note": version.note,
        "made_at": version.made_at,
        "author": version.author,
        "automatic": version.automatic,
        "images": version.images,
        "labels": version.labels,
    }


def _compare(out: Output, session: Session, names: tuple[str, str], path: Path | None) -> Result:
    changes: list[VersionChange] = carry_out(compare_task(session, *names))
    counts = {f"{thing} {how}": n for (thing, how), n in count_changes(changes).items()}
    out.table(("", "count"), list(counts.items()) or [("differences", 0)])
    if path is not None:
        notes = save_changes(changes, path)
        out.print(f"{len(changes)} differences written to {path}")
        for note in notes:
            out.print(str(note))
    else:
        out.table(CHANGE_HEAD, [change_cells(change) for change in changes[:SHOWN]])
        if len(changes) > SHOWN:
            out.print(f"… and {len(changes) - SHOWN} more; --out FILE saves them all")
    rows = [dict(zip(CHANGE_HEAD, change_cells(change), strict=True)) for change in changes]
    return {"counts": counts, "changes": rows}
