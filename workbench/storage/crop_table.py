"""All crops as a few columns of numbers: what the queues of the Mouths page are counted from."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.domain.mouth_queue import STATES, CropTable
from workbench.storage.database import Database, IntArray, listed

_STATE = (
    "CASE c.state " + " ".join(f"WHEN '{s.value}' THEN {i}" for i, s in enumerate(STATES)) + " END"
)
_QUERY = (
    "WITH place(id, at) AS (SELECT l.id, row_number() OVER (ORDER BY l.position, l.id) - 1"  # noqa: S608
    " FROM label l JOIN label_set s ON s.id = l.label_set WHERE s.name = ? AND NOT l.removed)"
    f" SELECT c.id, c.image, {_STATE}, c.reviewed, coalesce((SELECT max(p.at) FROM annotation a"
    " JOIN place p ON p.id = a.label WHERE a.crop = c.id AND a.ended_at IS NULL), -1)"
)


def crop_table(
    db: Database, label_set: str, images: Iterable[int] | IntArray | None = None
) -> CropTable:
    """The crops of `images` (None: all) with their labels of `label_set`, in no special order."""
    if images is None:
        columns = db.columns(f"{_QUERY} FROM crop c", (label_set,), 5)
    else:
        columns = db.columns(
            f"{_QUERY} FROM json_each(?) wanted JOIN crop c ON c.image = wanted.value",
            (label_set, listed(images)),
            5,
        )
    crops, of_images, states, reviewed, labels = columns
    return CropTable(crops, of_images, states, reviewed.astype(bool), labels)
