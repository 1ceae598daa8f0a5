"""Storage of splits. They are immutable; a new split replaces the current one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import msgspec

from workbench.domain.splits import PARTS, Part, SplitPlan
from workbench.domain.text import Message
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.history import Recorder, now

_STANDING = "split = (SELECT id FROM split WHERE standing)"


class Splits:
    """The splits of a project, one of them current."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder

    def make(self, plan: SplitPlan, members: Mapping[int, Part], name: str = "") -> int:
        """Store a split, make it current and return its id. Earlier splits are kept."""
        codes = {part: code for code, part in enumerate(PARTS)}
        encoded = msgspec.json.encode(dataclasses.asdict(plan)).decode()
        with self._recorder.edit(Message("Split")):
            self._db.run("UPDATE split SET standing = 0 WHERE standing")
            cursor = self._db.run(
                "INSERT INTO split (name, plan, made_at, standing) VALUES (?, ?, ?, 1)",
                (name, encoded, now()),
            )
            split = int(cursor.lastrowid or 0)
            # one number encodes image and part: three times as fast as single rows
            packed = (len(PARTS) * image + codes[members[image]] for image in sorted(members))
            self._db.run(
                "INSERT INTO membership (split, image, part)"
                " SELECT ?1, value / ?2, value % ?2 FROM json_each(?3)",
                (split, len(PARTS), listed(packed)),
            )
        return split

    def current(self) -> tuple[int, SplitPlan] | None:
        """Id and plan of the current split, or None."""
        row = self._db.row("SELECT id, plan FROM split WHERE standing")
        return (row[0], msgspec.json.decode(row[1], type=SplitPlan)) if row is not None else None

    def parts(self) -> dict[int, Part]:
        """Part of each image in the current split."""
        members = self.members()
        return {image: part for part in PARTS for image in members[part].tolist()}

    def members(self) -> dict[Part, IntArray]:
        """Images of each part of the current split."""
        images, parts = self._db.columns(
            f"SELECT m.image, m.part FROM membership m JOIN image i ON i.id = m.image"  # noqa: S608
            f" WHERE m.{_STANDING}",
            (),
            2,
        )
        return {part: images[parts == code] for code, part in enumerate(PARTS)}

    def counts(self) -> dict[Part, int]:
        """Number of the project's images in each part of the current split."""
        found = dict(
            self._db.rows(
                f"SELECT m.part, count(*) FROM membership m JOIN image i ON i.id = m.image"  # noqa: S608
                f" WHERE m.{_STANDING} GROUP BY m.part"
            )
        )
        return {part: found.get(code, 0) for code, part in enumerate(PARTS)}
