"""The commands `annotators` and `merge`: who labelled how much, and labels of another project."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.app.labels.annotators import (
    AGREEMENT_HEAD,
    HEAD,
    SetAgreement,
    agreement,
    annotator_table,
    not_rated,
    rated_sets,
    unrated_sets,
    write_table,
)
from workbench.app.labels.merging import LabelConflict, MergePlan, merge, merge_plan_task
from workbench.app.session import Session
from workbench.cli.command import Output, Result, command, image_count, opened, project_argument
from workbench.cli.progress import carry_out
from workbench.domain.label_names import LabelNames
from workbench.domain.values import Json


@command(
    "annotators",
    "workbench annotators Birds\nworkbench annotators Birds --set view --csv annotators.csv",
)
@project_argument
@click.option("--set", "label_set", help="Show agreement on this label set only.")
@click.option(
    "--csv", "file", type=click.Path(path_type=Path), help="Also write the table to this CSV file."
)
def annotators_command(
    out: Output, project: Path, label_set: str | None, file: Path | None
) -> Result:
    """Show who labelled how much, and how well they agree.

    Agreement is computed for label sets whose labels exclude each other, on the images that several
    people labelled: Cohen's kappa with its 95 % interval for two people, Fleiss' kappa for more,
    and for people who labelled images again without seeing their label.
    """
    with opened(project) as session:
        rows = annotator_table(session)
        if not rows:
            out.print("No label carries the name of an annotator.")
        else:
            out.table(HEAD, [row.cells() for row in rows])
        if file is not None:
            for note in write_table(session, file):
                out.print(str(note))
        found = [agreement(session, name) for name in _sets(session, label_set)]
        shown = [one for one in found if one.rows or label_set is not None]
        for one in shown:
            _print(out, one)
        for name in unrated_sets(session) if label_set is None else ():
            out.warn(not_rated(name).message)
        return {
            "annotators": [dict(zip(HEAD, row.cells(), strict=True)) for row in rows],
            "agreement": {one.label_set: _values(session, one) for one in shown},
        }


def _sets(session: Session, label_set: str | None) -> list[str]:
    if label_set is None:
        return rated_sets(session)
    return [LabelNames(session.labels.sets()).equal_or_new(label_set)]


def _print(out: Output, found: SetAgreement) -> None:
    out.print("")
    out.print(f"{found.label_set}: {len(found.disagreements)} disagreements")
    if found.rows:
        out.table(AGREEMENT_HEAD, [row.cells() for row in found.rows])
    for note in found.notes():
        out.warn(note)


def _values(session: Session, found: SetAgreement) -> Json:
    images = session.images.rows([one.image for one in found.disagreements])
    paths = {row.id: row.path for row in images}
    return {
        "rows": [dict(zip(AGREEMENT_HEAD, row.cells(), strict=True)) for row in found.rows],
        "disagreements": [
            {
                "path": paths.get(one.image, ""),
                "crop": one.crop,
                "labels": dict(one.opinions),
                "current": one.current,
            }
            for one in found.disagreements
        ],
    }


MINE, THEIRS, LEAVE = "mine", "theirs", "leave"


@command(
    "merge",
    "workbench merge Birds 'Birds of Ben'\nworkbench merge Birds 'Birds of Ben' --take theirs",
)
@project_argument
@click.argument("other", type=click.Path(path_type=Path))
@click.option(
    "--take",
    type=click.Choice((LEAVE, MINE, THEIRS)),
    default=LEAVE,
    show_default=True,
    help="Where the projects differ: decide for one label, or leave the disagreement open.",
)
def merge_command(out: Output, project: Path, other: Path, take: str) -> Result:
    """Add the labels of OTHER to PROJECT, as one edit.

    Images are matched by their content, label sets and labels by name. Authors and annotators are
    kept. Where both projects have different labels, the label of PROJECT stays and the disagreement
    is open, unless --take decides it. A name that differs from one of PROJECT in case alone stays a
    name of its own and is reported. Splits, runs and images are not merged. OTHER does not change,
    except that an older project is upgraded.
    """
    with opened(project) as session:
        plan = carry_out(merge_plan_task(session, other))
        theirs, mine = (plan.conflicts if take == side else () for side in (THEIRS, MINE))
        merge(session, plan, theirs, mine)
        _print_merge(out, plan, take)
        return {
            "images": plan.images,
            "missing": plan.missing,
            "added": len(plan.added),
            "equal": plan.equal,
            "opinions": len(plan.opinions),
            "skipped_sets": list(plan.skipped),
            "skipped_labels": dict(plan.skipped),
            "new_sets": list(plan.new_sets),
            "new_labels": {name: list(labels) for name, labels in plan.new_labels.items()},
            "spellings": [one._asdict() for one in plan.spellings],
            "renamed": [one._asdict() for one in plan.renamed],
            "taken": take,
            "conflicts": [_conflict(one) for one in plan.conflicts],
        }


def _print_merge(out: Output, plan: MergePlan, take: str) -> None:
    out.print(f"in both projects: {image_count(plan.images)}")
    if plan.missing:
        out.print(f"not in this project: {image_count(plan.missing)}")
    rows = [("added", len(plan.added)), ("equal", plan.equal), ("conflicts", len(plan.conflicts))]
    out.table(("labels", ""), [*rows, ("second opinions", len(plan.opinions))])
    _print_names(out, plan)
    taken = {MINE: "took mine", THEIRS: "took theirs", LEAVE: "left open"}[take]
    for one in plan.conflicts:
        here, there = f"{one.mine.label}{_by(one.mine.annotator)}", one.theirs.label
        who = _by(one.theirs.annotator)
        out.warn(f"{one.name}: {one.mine.label_set} mine {here}, theirs {there}{who}; {taken}")


def _print_names(out: Output, plan: MergePlan) -> None:
    """Print which label sets and labels are new, left out or named otherwise here."""
    for name in plan.new_sets:
        out.print(f"new label set: {name}")
    for name, labels in plan.new_labels.items():
        if labels:
            out.print(f"new labels of {name}: {', '.join(labels)}")
    for name, count in plan.skipped.items():
        out.warn(
            f"skipped: label set {name}, which is of another kind in this project; labels left out:"
            f" {count}"
        )
    for old in plan.renamed:
        out.warn(f"renamed: “{old.earlier}” of {old.label_set} is “{old.name}” here")
    for new in plan.spellings:
        of = f" of {new.label_set}" if new.label_set else ""
        out.warn(f"new: “{new.new}”{of}, beside “{new.known}”")


def _by(name: str) -> str:
    return f" ({name})" if name else ""


def _conflict(one: LabelConflict) -> dict[str, Json]:
    mine, theirs = one.mine, one.theirs
    return {
        "image": one.name,
        "set": mine.label_set,
        "mine": {"label": mine.label, "author": mine.author.value, "annotator": mine.annotator},
        "theirs": {
            "label": theirs.label,
            "author": theirs.author.value,
            "annotator": theirs.annotator,
        },
    }
