"""Giving labels: one rule for one image and for ten thousand, for images and for crops."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.domain.annotations import Author
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.recording import now

# Each subject, image or crop, with each label of the set that stands there, or NULL.
_OF_IMAGES = (
    "SELECT i.id AS image, NULL AS crop, a.id AS annotation, a.label, a.author"
    " FROM json_each(:ids) wanted JOIN image i INDEXED BY image_ids ON i.id = wanted.value"
    " LEFT JOIN annotation a INDEXED BY standing_of_images ON a.image = i.id"
    " AND a.ended_at IS NULL AND a.label_set = :label_set AND a.crop IS NULL"
)
_OF_CROPS = (
    "SELECT c.image AS image, c.id AS crop, a.id AS annotation, a.label, a.author"
    " FROM json_each(:ids) wanted JOIN crop c ON c.id = wanted.value"
    " LEFT JOIN annotation a ON a.crop = c.id"
    " AND a.ended_at IS NULL AND a.label_set = :label_set AND a.crop IS NOT NULL"
)
_MAY_END = "(:author = 'human' OR author <> 'human')"
_CONFIRMED = "(:author = 'human' AND author <> 'human')"
_WHICH = {
    "clear": f"annotation IS NOT NULL AND {_MAY_END}",
    "replace": f"annotation IS NULL OR ({_MAY_END} AND (label <> :label OR {_CONFIRMED}))",
    "add": "true GROUP BY image, crop HAVING NOT coalesce(max(label = :label), 0)",
    "take": "label = :label",
}

# Ids of all annotations, standing and ended, of the images in one JSON list (given three times).
EVER_OF_IMAGES = (
    "SELECT a.id FROM json_each(?) w CROSS JOIN label_set s CROSS JOIN annotation a"
    " INDEXED BY standing_of_images ON a.label_set = s.id AND a.image = w.value"
    " AND a.ended_at IS NULL AND a.crop IS NULL"
    " UNION ALL SELECT a.id FROM json_each(?) w JOIN annotation a"
    " ON a.image = w.value AND a.ended_at IS NOT NULL"
    " UNION ALL SELECT a.id FROM json_each(?) w JOIN crop c ON c.image = w.value"
    " JOIN annotation a ON a.crop = c.id AND a.ended_at IS NULL AND a.crop IS NOT NULL"
)


@dataclass(frozen=True)
class Gift:
    """What is given: a label's row id (None clears), by whom, how surely."""

    label_set: int
    exclusive: bool
    label: int | None
    author: Author
    confidence: float


def give(
    db: Database, ids: Iterable[int] | IntArray, gift: Gift, crops: bool = False
) -> frozenset[int]:
    """Give a label to images (or crops); the ids of images where something changed.

    A person's label is never ended by an import or a model. The same label again changes nothing,
    unless a person confirms what an import or a model said. In a set that is not exclusive, a
    person's label is added, or taken from all when all carry it already.
    """
    subjects = _OF_CROPS if crops else _OF_IMAGES
    values = {
        "ids": listed(np.unique(np.fromiter(ids, np.int64))),
        "label_set": gift.label_set,
        "label": gift.label,
        "author": gift.author.value,
        "confidence": round(gift.confidence, 6),
        "now": now(),
    }
    db.run("CREATE TEMP TABLE IF NOT EXISTS chosen (image INTEGER, crop INTEGER, ended INTEGER)")
    if gift.label is None:
        _choose(db, subjects, "clear", values)
        _end(db, values)
    elif gift.exclusive:
        _choose(db, subjects, "replace", values)
        _end(db, values)
        _begin(db, values)
    elif _choose(db, subjects, "add", values):
        _begin(db, values)
    elif gift.author is Author.HUMAN:
        _choose(db, subjects, "take", values)
        _end(db, values)
    return frozenset(db.ids("SELECT DISTINCT image FROM chosen").tolist())


def _choose(db: Database, subjects: str, which: str, values: dict[str, Any]) -> int:
    """Put the subjects that change into the table `chosen`, with the annotation each ends; how many
    these are."""
    db.run("DELETE FROM chosen")
    # Materialized: else SQLite turns the outer join round and walks through all labels of the set.
    sql = f"INSERT INTO chosen WITH s AS MATERIALIZED ({subjects}) SELECT image, crop, annotation"
    return db.run(f"{sql} FROM s WHERE {_WHICH[which]}", values).rowcount


def _end(db: Database, values: dict[str, Any]) -> None:
    db.run(
        "UPDATE annotation SET ended_at = :now"
        " WHERE id IN (SELECT ended FROM chosen WHERE ended IS NOT NULL)",
        values,
    )


def _begin(db: Database, values: dict[str, Any]) -> None:
    db.run(
        "INSERT INTO annotation (image, crop, label_set, label, author, confidence, made_at)"
        " SELECT DISTINCT image, crop, :label_set, :label, :author, :confidence, :now FROM chosen",
        values,
    )
