"""The commands `split` and `leakage`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from workbench.app.session import Session
from workbench.app.training.leakage import (
    Leak,
    dismiss_leaks,
    leak_counts,
    leaks,
    move_task,
)
from workbench.app.training.near_duplicates import duplicates_task, search_notes
from workbench.app.training.splitting import (
    delete_split,
    find_split,
    fold_families,
    folds_name,
    rename_split,
    split,
    split_remarks,
    split_report,
    split_task,
    use_split,
)
from workbench.cli.command import TEXT_OR_NOTHING, Output, Result, command, opened, project_argument
from workbench.cli.progress import carry_out
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.splits import (
    DEFAULT_SPLIT,
    PARTS,
    STRATA,
    GroupBy,
    Grouping,
    Part,
    SplitPlan,
    StoredSplit,
    shares,
)
from workbench.domain.text import Message
from workbench.domain.values import Json


def _share(part: Part) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """An option for the share of images in a part."""
    help = f"Share of the {part} part; omitted parts divide the rest as {_PROPORTION}."
    return click.option(f"--{part}", type=click.FloatRange(0.0, 1.0), help=help)


_PROPORTION = ":".join(f"{100 * getattr(DEFAULT_SPLIT, part):.0f}" for part in PARTS)


@command(
    "split",
    "workbench split Birds --train 0.5 --test 0.5 --seed 1\n"
    "workbench split Birds --folds 5 --name folds\n"
    "workbench split Birds --list\nworkbench split Birds --use official",
)
@project_argument
@_share(Part.TRAIN)
@_share(Part.VALIDATION)
@_share(Part.TEST)
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
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="Create this many splits, whose test parts are disjoint and contain every image.",
)
@click.option(
    "--group-by",
    "grouped",
    metavar="RULE",
    help="Keep groups of images in one part: labels:SET, folder, folder:LEVEL (1 is the first), "
    "pattern:EXPRESSION (its first group, searched in the path), time:MINUTES (between images by "
    "their EXIF data), or duplicates.",
)
@click.option("--name", default="", help="The name of the split; one of this name is replaced.")
@click.option("--list", "listing", is_flag=True, help="List the splits.")
@click.option("--use", "used", metavar="NAME", help="Make a stored split the current one.")
@click.option("--rename", "renamed", nargs=2, metavar="NAME NEW", help="Rename a split.")
@click.option(
    "--delete",
    "deleted",
    metavar="NAME",
    help="Delete a split, or all folds of this name; undo restores it.",
)
def split_command(
    out: Output,
    project: Path,
    listing: bool,
    used: str | None,
    renamed: tuple[str, str] | None,
    deleted: str | None,
    **drawing: Any,
) -> Result:
    """Split all images into train, validation and test.

    Splits have names, and one of them is the current one. Three shares that sum to less than 1
    leave images out. The same seed gives the same split.
    """
    with opened(project) as session:
        if used is not None:
            use_split(session, find_split(session, used))
        if renamed is not None:
            rename_split(session, find_split(session, renamed[0]), renamed[1])
        if deleted is not None:
            _delete(session, deleted)
        if listing or used is not None or renamed is not None or deleted is not None:
            return _list_splits(session, out)
        return _draw_split(session, out, **drawing)


def _delete(session: Session, name: str) -> None:
    """Delete a split, or all folds of this common name, as one edit."""
    chosen = fold_families(session).get(name) or [find_split(session, name)]
    with session.edit(Message("Delete split {name}", name=name)):
        for one in chosen:
            delete_split(session, one)


def _draw_split(
    session: Session,
    out: Output,
    seed: int,
    stratify: str,
    name: str,
    folds: int | None,
    grouped: str | None,
    **given: float | None,
) -> Result:
    if folds and (given["train"] is not None or given["test"] is not None):
        raise click.UsageError("With --folds, only --validation can be given.")
    fractions = shares({part: given[part.value] for part in PARTS})
    if folds:
        validation = given["validation"]
        fractions[Part.VALIDATION] = DEFAULT_SPLIT.validation if validation is None else validation
        fractions |= {Part.TRAIN: 1 - fractions[Part.VALIDATION], Part.TEST: 0.0}
    plan = SplitPlan(
        fractions[Part.TRAIN],
        fractions[Part.VALIDATION],
        fractions[Part.TEST],
        seed,
        grouping=_grouping(grouped) if grouped is not None else None,
        folds=folds or 0,
    )
    names = [label_set.strip() for label_set in stratify.split(",") if label_set.strip()]
    for label_set in names:
        session.labels.get(label_set)
    if plan.grouping is None:
        split(session, plan, names, name)
    else:
        carry_out(split_task(session, plan, names, name))
    current = session.splits.current()
    if folds and current is not None:
        remarks = split_remarks(session)
        for remark in remarks:
            out.warn(f"warning: {remark}")
        made = fold_families(session)[folds_name(current)]
        return _list_splits(session, out, made) | {"remarks": list(map(str, remarks))}
    return _print_split(session, out) | {"seed": seed, "name": current.name if current else ""}


_RULES = {
    "labels": GroupBy.LABELS,
    "folder": GroupBy.FOLDER,
    "pattern": GroupBy.PATTERN,
    "time": GroupBy.TIME,
    "duplicates": GroupBy.DUPLICATES,
}


def _grouping(text: str) -> Grouping:
    """The rule of `--group-by`. Raises ValueRefused for an unknown or incomplete one."""
    name, _, value = text.partition(":")
    by = _RULES.get(name)
    if by in (GroupBy.LABELS, GroupBy.PATTERN) and value:
        return Grouping(by, value)
    if by is GroupBy.FOLDER and not value:
        return Grouping(by)
    least = 1 if by is GroupBy.FOLDER else 0
    if by in (GroupBy.FOLDER, GroupBy.TIME) and value.isdecimal() and int(value) >= least:
        return Grouping(by, number=int(value))
    if by is GroupBy.DUPLICATES and not value:
        return Grouping(by)
    allowed = "labels:SET, folder, folder:LEVEL, pattern:EXPRESSION, time:MINUTES, duplicates"
    raise ValueRefused("--group-by", text, allowed)


def _print_split(session: Session, out: Output) -> dict[str, Json]:
    """Print the current split and what it does not hold."""
    report = split_report(session)
    if report is None:
        return {}
    out.table(("part", "images"), [(part, report.counts[part]) for part in PARTS])
    for remark in report.remarks():
        out.warn(f"warning: {remark}")
    return {
        "parts": {part.value: report.counts[part] for part in PARTS},
        "left_out": report.outside,
        "without": {part.value: dict(names) for part, names in report.without.items() if names},
    }


def _list_splits(
    session: Session, out: Output, chosen: Sequence[StoredSplit] | None = None
) -> dict[str, Json]:
    """Print these splits (None: all)."""
    splits = session.splits.all() if chosen is None else chosen
    rows = []
    found: list[Json] = []
    for one in splits:
        counts = session.splits.counts(one.id)
        rows.append((one.name, "current" if one.current else "", *(counts[p] for p in PARTS)))
        parts = {part.value: counts[part] for part in PARTS}
        found.append({"name": one.name, "current": one.current, "parts": parts})
    if rows:
        out.table(("name", "", *(part.value for part in PARTS)), rows)
    else:
        out.print("No splits yet. Create one with: workbench split PROJECT")
    return {"splits": found}


@command(
    "leakage",
    "workbench leakage Birds\nworkbench leakage Birds --fix\n"
    "workbench leakage Birds --fix --to train",
)
@project_argument
@click.option("--fix", is_flag=True, help="Move near-duplicates into one part.")
@click.option(
    "--to",
    type=click.Choice([part.value for part in PARTS]),
    help="The part they are moved to (the one that most of them are in).",
)
@click.option("--dismiss", is_flag=True, help="Report them for this split no more.")
@click.option(
    "--image",
    "names",
    multiple=True,
    metavar="TEXT",
    help="Only pairs with an image whose path contains TEXT; may be repeated.",
)
def leakage_command(
    out: Output, project: Path, fix: bool, to: str | None, dismiss: bool, names: tuple[str, ...]
) -> Result:
    """Find near-duplicates in different parts of the split.

    Copies that were scaled, compressed, made brighter, mirrored, rotated, framed or cropped are
    found by perceptual hashes and keypoints, and compared pixel by pixel. No part is emptied by
    --fix, and no label loses its last training image.
    """
    if to is not None and not fix:
        raise click.UsageError("--to needs --fix.")
    with opened(project) as session:
        if session.splits.current() is None:
            raise KnownError("The project has no split.", "Create one with: workbench split.")
        search = carry_out(duplicates_task(session))
        found = _with_images(session, leaks(session), names)
        result: dict[str, Json] = {
            "duplicates": len(search.pairs),
            "leaks": _print_leaks(session, out, found),
        }
        for note in search_notes(session):
            out.warn(f"warning: {note}")
        left = [leak for leak in found if not leak.dismissed]
        if fix:
            moved = carry_out(move_task(session, left, Part(to) if to else None))
            for note in moved.notes():
                out.print(str(note))
            result |= {"moved": moved.images, "held": moved.held}
            _print_split(session, out)
        if dismiss:
            dismiss_leaks(session, left)
            result["dismissed"] = len(left)
            pairs = "1 pair" if len(left) == 1 else f"{len(left):,} pairs"
            out.print(f"{pairs} dismissed for this split; Train reports them no more")
        return result


def _with_images(session: Session, found: list[Leak], names: Sequence[str]) -> list[Leak]:
    """The pairs with an image whose path contains one of `names`; all without names."""
    if not names:
        return found
    ids = {image for leak in found for image in (leak.pair.first, leak.pair.second)}
    rows = session.images.rows(sorted(ids))
    chosen = {row.id for row in rows if any(name in row.path for name in names)}
    return [leak for leak in found if chosen & {leak.pair.first, leak.pair.second}]


def _print_leaks(session: Session, out: Output, found: list[Leak]) -> list[Json]:
    """Print the pairs with their files; return them as JSON values."""
    ids = {image for leak in found for image in (leak.pair.first, leak.pair.second)}
    paths = {row.id: row.path for row in session.images.rows(sorted(ids))}
    rows = [
        (
            leak.first,
            paths[leak.pair.first],
            leak.second,
            paths[leak.pair.second],
            "dismissed" if leak.dismissed else "",
        )
        for leak in found
    ]
    if rows:
        out.table(("part", "image", "part", "near-duplicate", ""), rows)
    for (one, other), number in leak_counts([one for one in found if not one.dismissed]).items():
        out.print(f"{one} / {other}: {number}")
    if dismissed := sum(one.dismissed for one in found):
        pairs = "1 pair was" if dismissed == 1 else f"{dismissed:,} pairs were"
        out.print(f"{pairs} dismissed for this split; Train does not report them")
    if not found:
        out.print("No near-duplicates in different parts.")
    return [
        {
            "images": [paths[leak.pair.first], paths[leak.pair.second]],
            "parts": [leak.first.value, leak.second.value],
            "similarity": leak.pair.similarity,
            "dismissed": leak.dismissed,
        }
        for leak in found
    ]
