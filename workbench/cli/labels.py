"""The commands `label` and `labels`: label images by path; export and import label files."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path
from shlex import quote
from typing import Any

import click

from workbench.app.labels import labelling
from workbench.app.labels.label_export import ExportChoices, ImageCopies, export_task
from workbench.app.labels.label_files import import_labels_task
from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.cli.command import (
    Output,
    Result,
    check_goes_with,
    command,
    image_count,
    opened,
    project_argument,
)
from workbench.cli.imports import choices_of, print_report, reading_options, report_values
from workbench.cli.progress import carry_out
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageRow
from workbench.domain.label_names import LabelNames, checked_name
from workbench.domain.labels import Label, LabelSet, Subject
from workbench.formats import FORMATS

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
@click.option(
    "--annotator",
    help="Your name, stored with the labels; by default the one chosen in the window, if any.",
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
    annotator: str | None,
) -> Result:
    """Label every IMAGE: a path, a glob, or part of a path.

    A label of mouths is given to the image's mouth crop; images without a crop, or with several,
    are skipped and counted.
    """
    if clear == (label is not None):
        raise click.UsageError("Give either --label or --clear.")
    check_goes_with("--several", several, "--new", new)
    wanted = (*words, *images)
    if not wanted:
        raise click.UsageError("Give an image: a path, a glob such as '*.jpg', or part of a path.")
    with opened(project) as session:
        session.set_annotator(annotator or UserSettings.of_user().annotator)
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
        made = LabelSet(label_set, (Label(checked_name(label, "label")),), exclusive=not several)
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

    A word is the path of a file or folder, a glob that matches the end of an image's path, or a
    part of the path in upper or lower case. A path that exists, or that names whole folders or
    files of an image, is not read as a glob. If a word names whole folders or files of some images
    in the same case, images where only the case differs do not match. Raises KnownError for a word
    that matches no image.
    """
    ids = session.images.ids()
    fits: dict[str, dict[Fit, list[int]]] = {word: {} for word in words}
    places = {word: _place(word) for word in words}
    for start in range(0, len(ids), BATCH):
        for row in session.images.rows(ids[start : start + BATCH]):
            for word, found in fits.items():
                fit = _fit(word, places[word], row)
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
            found.pop(Fit.PATTERN, None)
        matched.update(*found.values())
    return [one for one in ids.tolist() if one in matched]


class Fit(Enum):
    """How a word matches a path: as whole folder or file names, as a glob, or anywhere in it."""

    NAMED = auto()
    NAMED_IN_ANOTHER_CASE = auto()
    PATTERN = auto()
    TEXT = auto()


def _place(word: str) -> Path | None:
    """The file or folder that a word is the path of, if it exists."""
    try:
        return Path(word).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None


def _fit(word: str, place: Path | None, row: ImageRow) -> Fit | None:
    path = row.path.replace("\\", "/")
    if place is not None:
        here = Path(row.path).resolve()
        if here == place or place in here.parents:
            return Fit.NAMED
        if place.is_file():
            return None
    whole, parts = f"/{path}/", f"/{word.strip('/')}/"
    if parts in whole:
        return Fit.NAMED
    if place is None and any(sign in word for sign in "*?["):
        fits = fnmatch.fnmatchcase(path, word) or fnmatch.fnmatchcase(path, f"*/{word}")
        return Fit.PATTERN if fits else None
    if parts.lower() in whole.lower() and word not in path:
        return Fit.NAMED_IN_ANOTHER_CASE
    return Fit.TEXT if word.lower() in path.lower() else None


@click.group("labels")
def labels_command() -> None:
    """Export, import or rename labels.

    All of these commands take --json.

    \b
    Example:
      workbench labels export Birds labels.csv
    """


WRITTEN = [name for name, format in FORMATS.items() if format.written]


@command(
    "export",
    "workbench labels export Birds labels.csv\n"
    "workbench labels export Birds cub --format cub --images copy",
    "Export all labels to FILE, in the format of its extension, or to a folder with --format.",
)
@project_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format", type=click.Choice(WRITTEN), help="The format.")
@click.option(
    "--set", "label_set", default="", help="The label set, for formats that have one only."
)
@click.option(
    "--images",
    type=click.Choice([one.value for one in ImageCopies]),
    help="Copy the images into the folder, or make hard links; by default only where the format"
    " has no labels without them.",
)
@click.option(
    "--annotator",
    default="",
    help="Only the last labels of this person, also where they are not the current ones.",
)
def export_labels_command(
    out: Output,
    project: Path,
    file: Path,
    format: str | None,
    label_set: str,
    images: str | None,
    annotator: str,
) -> Result:
    """Export all labels to FILE."""
    with opened(project) as session:
        copies = ImageCopies(images) if images else None
        choices = ExportChoices(format or "", label_set, copies, annotator)
        written = carry_out(export_task(session, file, choices))
        out.print(f"labels written to {file}: {written.labels}")
        if written.images:
            out.print(f"images: {written.images}")
        for note in written.notes:
            out.warn(note)
        return {
            "file": str(file),
            "labels": written.labels,
            "images": written.images,
            "notes": list(written.notes),
        }


@command(
    "import",
    "workbench labels import Birds labels.csv\n"
    "workbench labels import Birds annotations.json --format coco",
    "Import labels, boxes and parts of a split from FILE for images of the project, as one edit.",
)
@project_argument
@click.argument("file", type=click.Path(path_type=Path))
@reading_options
def import_labels_command(out: Output, project: Path, file: Path, **options: Any) -> Result:
    """Import labels from FILE."""
    with opened(project) as session:
        report = carry_out(import_labels_task(session, file, choices_of(options))).report
        print_report(out, report)
        return report_values(report)


@command(
    "rename",
    "workbench labels rename Birds category 'Sea gull' gull\n"
    "workbench labels rename Birds category seagull gull --merge",
)
@project_argument
@click.argument("label_set", metavar="SET")
@click.argument("label")
@click.argument("new")
@click.option("--merge", is_flag=True, help="Merge the label into NEW if the set has both.")
def rename_label_command(
    out: Output, project: Path, label_set: str, label: str, new: str, merge: bool
) -> Result:
    """Rename LABEL of SET to NEW on all images, as one edit."""
    with opened(project) as session:
        sets = session.labels.sets()
        label_set = LabelNames(sets).equal_or_new(label_set)
        known = session.labels.get(label_set)
        label, new = map(LabelNames(known.names).equal_or_new, (label, new))
        count = session.labels.counts(label_set).get(label, 0)
        merged = labelling.rename_label(session, label_set, label, new, merge)
        what = "merged into" if merged else "renamed to"
        of = "mouth crops" if known.subject is Subject.CROP else "images"
        out.print(f"{label_set}: “{label}” {what} “{new}”; {of}: {count}")
        others = [name for name in known.names if name not in (label, new)]
        like = "" if merged else LabelNames(others).like(new)
        if like:
            words = " ".join(map(quote, (str(project), label_set, new, like)))
            out.warn(f"new: “{new}” of {label_set}, beside “{like}”; to merge them:")
            out.warn(f"  workbench labels rename {words} --merge")
        return {
            "set": label_set,
            "label": label,
            "new": new,
            "merged": merged,
            "labelled": count,
            "like": like,
        }


labels_command.add_command(rename_label_command)
labels_command.add_command(export_labels_command)
labels_command.add_command(import_labels_command)
