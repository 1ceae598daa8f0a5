"""Labels of files and models: another label for each of many images, in a few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from workbench.domain.labels import Author
from workbench.storage.database import Database
from workbench.storage.history import now


class ImportedLabel(NamedTuple):
    """A label for one image (or crop) that was not given in this project; `annotator` is the name
    of the person who gave it."""

    subject: int
    label: str
    author: Author = Author.IMPORT
    confidence: float = 1.0
    annotator: str = ""


class LabelTarget(NamedTuple):
    """Row id of the label set that gets labels, whether they exclude each other, and whether they
    are labels of crops."""

    label_set: int
    exclusive: bool
    crops: bool


# Labels of images and crops that stand, by an index that `wanted` is joined with.
_OF_IMAGES = (
    "annotation a INDEXED BY standing_of_images ON a.label_set = :label_set"
    " AND a.image = w.subject AND a.crop IS NULL AND a.ended_at IS NULL"
)
_OF_CROPS = (
    "annotation a INDEXED BY standing_of_crops ON a.crop = w.subject"
    " AND a.label_set = :label_set AND a.crop IS NOT NULL AND a.ended_at IS NULL"
)
_BY_HAND = "w.author = 'human' AND a.author <> 'human'"


def assign_each(
    db: Database,
    target: LabelTarget,
    rows: Mapping[str, int],
    people: Mapping[str, int | None],
    wanted: Sequence[ImportedLabel],
) -> frozenset[int]:
    """Assign labels of their own to subjects; see `Labels.assign_each`. `rows` are the row ids of
    labels, `people` those of annotators."""
    _list_wanted(db, rows, people, wanted)
    standing = _OF_CROPS if target.crops else _OF_IMAGES
    same = "" if target.exclusive else " AND a.label = w.label"
    replaced = f"a.author <> 'human' AND (a.label <> w.label OR {_BY_HAND})"
    values = {"label_set": target.label_set, "now": now()}
    db.run(
        "UPDATE annotation SET ended_at = :now WHERE id IN"  # noqa: S608
        f" (SELECT a.id FROM wanted w CROSS JOIN {standing}{same} WHERE {replaced})",
        values,
    )
    db.run(
        "DELETE FROM wanted WHERE rowid IN"  # noqa: S608
        f" (SELECT w.rowid FROM wanted w CROSS JOIN {standing}{same})",
        values,
    )
    ids = "image, id" if target.crops else "id, NULL"
    table = "crop" if target.crops else "image INDEXED BY image_ids"
    db.run(
        "INSERT INTO annotation"  # noqa: S608
        " (image, crop, label_set, label, author, confidence, made_at, annotator)"
        f" SELECT {ids}, :label_set, w.label, w.author, w.confidence, :now, w.annotator"
        f" FROM wanted w JOIN {table} ON id = w.subject",
        values,
    )
    image = "SELECT DISTINCT image FROM crop WHERE id IN (SELECT subject FROM wanted)"
    return frozenset(db.ids(image if target.crops else "SELECT subject FROM wanted").tolist())


def _list_wanted(
    db: Database,
    rows: Mapping[str, int],
    people: Mapping[str, int | None],
    wanted: Sequence[ImportedLabel],
) -> None:
    """Fill the table `wanted`."""
    db.run(
        "CREATE TEMP TABLE IF NOT EXISTS wanted (subject INTEGER, label INTEGER, author TEXT,"
        " confidence REAL, annotator INTEGER)"
    )
    db.run("DELETE FROM wanted")
    db.run_many(
        "INSERT INTO wanted VALUES (?, ?, ?, ?, ?)",
        (
            (
                one.subject,
                rows[one.label],
                one.author.value,
                round(one.confidence, 6),
                people.get(one.annotator),
            )
            for one in wanted
        ),
    )
