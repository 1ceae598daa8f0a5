"""The commands `label` and `labels`: label images by path; export and import label files."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path

import click

from workbench.app.labels import labelling
from workbench.app.labels.label_files import export_labels, import_labels
from workbench.app.session import Session
from workbench.cli.command import (
    Output,
    Result,
    command,
    image_count,
    opened,
    project_argument,
)
from workbench.domain.errors import KnownError
from workbench.domain.formats import FORMATS, FileKind, endings
from workbench.domain.images import ImageRow
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.labels import Label, LabelSet, Subject

BATCH = 20_000  # rows read at a time


@command(
    "label",
    "workbench label Cars --set view --label left 'side/*.jpg'\n"
    "workbench label Faces --set expression --label smile IMG_0012.jpg\n"
    "workbench label Birds --set traits --label crested --new --several 'owl*.jpg'",
)
@project_argument
@click.argument("words", nargs=-1, metavar="[IMAGE]...")
@click.option("--images", multiple=True, help="The same as IMAGE; may be repeated.")
@click.option("--set", "label_set", required=True, help="The label set: view, category, …")
@click.option("--label", help="The label.")
@click.option("--clear", is_flag=True, help="Clear the label instead.")
@click.option("--new", is_flag=True, help="Create the label set, or add the label, if missing.")
@click.option(
    "--several",
    is_flag=True,
    help="With --new: create a set of which an image may have several labels.",
)
def label_command(
    out: Output,
    project: Path,
    words: tuple[str, ...],
    images: tuple[str, ...],
    label_set: str,
    label: str | None,
    clear: bool,
    new: bool,
    several: bool,
) -> Result:
    """Label every IMAGE: a path, a glob, or part of a path.

    A label of mouths is given to the image's mouth crop; images without a crop, or with several,
    are skipped and counted.
    """
    if clear == (label is not None):
        raise click.UsageError("Give either --label or --clear.")
    wanted = (*words, *images)
    if not wanted:
        raise click.UsageError("Give an image: a path, a glob such as '*.jpg', or part of a path.")
    with opened(project) as session:
        label_set, label = _resolved(session, label_set, label, new, several)
        ids = matching(session, wanted)
        if session.labels.get(label_set).subject is Subject.CROP:
            given, left_out = _give_to_crops(session, ids, label_set, label)
        else:
            labelling.assign(session, ids, label_set, label)
            given, left_out = len(ids), 0
        if label is None:
            out.print(f"{label_set} cleared: {image_count(given)}")
        else:
            out.print(f"{label_set} = {label}: {image_count(given)}")
        if left_out:
            out.print(f"skipped, as they have no crop or several: {image_count(left_out)}")
        return {"set": label_set, "label": label, "labelled": given, "left_out": left_out}


def _resolved(
    session: Session, label_set: str, label: str | None, new: bool, several: bool
) -> tuple[str, str | None]:
    """The label set and label as the project spells them.

    With `new`, missing ones are added. Raises ValueRefused if they are missing without `new`.
    """
    sets = session.labels.sets()
    label_set = LabelNames(sets).equal_or_new(label_set)
    if new and label is not None and label_set not in sets:
        made = LabelSet(label_set, (Label(tidied(label)),), exclusive=not several)
        labelling.edit_set(session, made, {})
    known = session.labels.get(label_set)
    if label is None:
        return label_set, None
    label = LabelNames(known.names).equal_or_new(label)
    if new and label not in known.names:
        labelling.edit_set(session, known.with_labels((label,)), {})
    else:
        known.index(label)
    return label_set, label


def _give_to_crops(
    session: Session, ids: Sequence[int], label_set: str, label: str | None
) -> tuple[int, int]:
    crops = session.crops.of_images(ids)
    usable = [[crop for crop in crops.get(one, []) if crop.usable] for one in ids]
    chosen = [found[0].id for found in usable if len(found) == 1]
    labelling.assign_crops(session, [one for one in chosen if one is not None], label_set, label)
    return len(chosen), len(ids) - len(chosen)


def matching(session: Session, words: Sequence[str]) -> list[int]:
    """Ids of the images that match any of `words`.

    A word is the path of a file, a glob that matches the end of an image's path, or a part of the
    path in upper or lower case. If it names whole folders or files of some images in the same case,
    images where only the case differs do not match. Raises KnownError for a word that matches no
    image.
    """
    ids = session.images.ids()
    fits: dict[str, dict[Fit, list[int]]] = {word: {} for word in words}
    for start in range(0, len(ids), BATCH):
        for row in session.images.rows(ids[start : start + BATCH]):
            for word, found in fits.items():
                fit = _fit(word, row)
                if fit is not None:
                    found.setdefault(fit, []).append(row.id)
    matched: set[int] = set()
    for word, found in fits.items():
        if not found:
            raise KnownError(
                "No image of the project matches “{word}”.",
                "Give a path, a glob such as 'left/*.jpg', or a part of the path.",
                word=word,
            )
        if Fit.NAMED in found:
            found.pop(Fit.NAMED_IN_ANOTHER_CASE, None)
        matched.update(*found.values())
    return [one for one in ids.tolist() if one in matched]


class Fit(Enum):
    """How a word matches a path: as whole folder or file names, or anywhere in it."""

    NAMED = auto()
    NAMED_IN_ANOTHER_CASE = auto()
    TEXT = auto()


def _fit(word: str, row: ImageRow) -> Fit | None:
    path = row.path.replace("\\", "/")
    if any(sign in word for sign in "*?["):
        fits = fnmatch.fnmatchcase(path, word) or fnmatch.fnmatchcase(path, f"*/{word}")
        return Fit.NAMED if fits else None
    if Path(word).is_file():
        return Fit.NAMED if Path(word).resolve() == Path(row.path).resolve() else None
    whole, parts = f"/{path}/", f"/{word.strip('/')}/"
    if parts in whole:
        return Fit.NAMED
    if parts.lower() in whole.lower() and word not in path:
        return Fit.NAMED_IN_ANOTHER_CASE
    return Fit.TEXT if word.lower() in path.lower() else None


@click.group("labels")
def labels_command() -> None:
    """Export all labels to a file, or import labels.

    Both commands take --json.

    \b
    Example:
      workbench labels export Birds labels.csv
    """


@command(
    "export",
    "workbench labels export Birds labels.csv",
    f"Export all labels to FILE ({endings(FORMATS.written_as(FileKind.LABELS))}).",
)
@project_argument
@click.argument("file", type=click.Path(path_type=Path))
def export_labels_command(out: Output, project: Path, file: Path) -> Result:
    """Export all labels to FILE."""
    with opened(project) as session:
        written = export_labels(session, file)
        out.print(f"labels written to {file}: {written}")
        return {"file": str(file), "labels": written}


@command(
    "import",
    "workbench labels import Birds labels.csv",
    f"Import labels from FILE ({endings(FORMATS.read_as(FileKind.LABELS))}), as one edit.",
)
@project_argument
@click.argument("file", type=click.Path(path_type=Path))
def import_labels_command(out: Output, project: Path, file: Path) -> Result:
    """Import labels from FILE."""
    with opened(project) as session:
        found = import_labels(session, file)
        rows = [
            ("rows", found.rows),
            ("labelled", found.labelled),
            ("left unchanged", found.kept),
        ]
        out.table(("", ""), [*rows, ("no such image", len(found.unmatched))])
        for lost in found.unmatched:
            out.warn(f"{lost.path}: {lost.reason}")
        return {
            "rows": found.rows,
            "labelled": found.labelled,
            "kept": found.kept,
            "unmatched": [{"path": lost.path, "reason": lost.reason} for lost in found.unmatched],
        }


labels_command.add_command(export_labels_command)
labels_command.add_command(import_labels_command)
