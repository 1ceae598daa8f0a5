"""Labels of imports and models: another label for each of many images, in a few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from workbench.domain.labels import Author
from workbench.storage.database import Database
from workbench.storage.history import now


class ImportedLabel(NamedTuple):
    """A label for one image (or crop) that no person of this project gave."""

    subject: int
    label: str
    author: Author = Author.IMPORT
    confidence: float = 1.0


def assign_each(
    db: Database,
    label_set: int,
    rows: Mapping[str, int],
    wanted: Sequence[ImportedLabel],
    crops: bool,
) -> frozenset[int]:
    """Assign a label of its own to each subject; see `Labels.assign_each`. `rows` are the row ids
    of labels."""
    subject = "crop" if crops else "image"
    of_subjects = "crop IS NOT NULL" if crops else "crop IS NULL"
    _list_wanted(db, rows, wanted)
    standing = f"label_set = :label_set AND ended_at IS NULL AND {of_subjects}"
    values = {"label_set": label_set, "now": now()}
    db.run(
        f"UPDATE annotation SET ended_at = :now WHERE {standing} AND author <> 'human'"  # noqa: S608
        f" AND label <> (SELECT w.label FROM wanted w WHERE w.subject = annotation.{subject})",
        values,
    )
    db.run(
        f"DELETE FROM wanted WHERE EXISTS (SELECT 1 FROM annotation a"  # noqa: S608
        f" WHERE a.{subject} = wanted.subject AND {standing})",
        values,
    )
    ids = "image, id" if crops else "id, NULL"
    table = "crop" if crops else "image INDEXED BY image_ids"
    db.run(
        f"INSERT INTO annotation (image, crop, label_set, label, author, confidence, made_at)"  # noqa: S608
        f" SELECT {ids}, :label_set, w.label, w.author, w.confidence, :now"
        f" FROM wanted w JOIN {table} ON id = w.subject",
        values,
    )
    image = "SELECT DISTINCT image FROM crop WHERE id IN (SELECT subject FROM wanted)"
    return frozenset(db.ids(image if crops else "SELECT subject FROM wanted").tolist())


def _list_wanted(db: Database, rows: Mapping[str, int], wanted: Sequence[ImportedLabel]) -> None:
    """Fill the table `wanted`."""
    db.run(
        "CREATE TEMP TABLE IF NOT EXISTS wanted"
        " (subject INTEGER PRIMARY KEY, label INTEGER, author TEXT, confidence REAL)"
    )
    db.run("DELETE FROM wanted")
    db.run_many(
        "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?, ?)",
        (
            (one.subject, rows[one.label], one.author.value, round(one.confidence, 6))
            for one in wanted
        ),
    )
