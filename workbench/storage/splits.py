"""Storage of splits: several with names, one of them current. Their members never change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import msgspec

from workbench.domain.splits import PARTS, Part, SplitPlan, StoredSplit
from workbench.domain.text import Message
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.history import Recorder, now

_STANDING = "split = (SELECT id FROM split WHERE standing)"


class Splits:
    """The splits of a project, one of them current."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder

    def make(
        self, plan: SplitPlan | None, members: Mapping[int, Part], name: str = "", use: bool = True
    ) -> int:
        """Store a split and return its id; make it current if `use`.

        `plan` is None for a split that was not drawn here. A split of the same name is replaced;
        all others are kept. Without a name, it is named by its plan.
        """
        name = name or (plan.name if plan is not None else "")
        codes = {part: code for code, part in enumerate(PARTS)}
        encoded = msgspec.json.encode(plan and dataclasses.asdict(plan)).decode()
        replaced = [split for split in self.all() if split.name == name]
        with self._recorder.edit(Message("Split")):
            for split in replaced:
                use = use or split.current
                self._db.run("DELETE FROM split WHERE id = ?", (split.id,))
            if use:
                self._db.run("UPDATE split SET standing = 0 WHERE standing")
            cursor = self._db.run(
                "INSERT INTO split (name, plan, made_at, standing) VALUES (?, ?, ?, ?)",
                (name, encoded, now(), int(use)),
            )
            made = int(cursor.lastrowid or 0)
            # one number encodes image and part: three times as fast as single rows
            packed = (len(PARTS) * image + codes[members[image]] for image in sorted(members))
            self._db.run(
                "INSERT INTO membership (split, image, part)"
                " SELECT ?1, value / ?2, value % ?2 FROM json_each(?3)",
                (made, len(PARTS), listed(packed)),
            )
        return made

    def all(self) -> list[StoredSplit]:
        """All splits, newest first."""
        return self._read("true")

    def current(self) -> StoredSplit | None:
        """The current split, or None."""
        found = self._read("standing")
        return found[0] if found else None

    def _read(self, where: str) -> list[StoredSplit]:
        found = []
        for id_, name, encoded, made, standing in self._db.rows(
            f"SELECT id, name, plan, made_at, standing FROM split WHERE {where} ORDER BY id DESC"  # noqa: S608
        ):
            plan = msgspec.json.decode(encoded, type=SplitPlan | None)
            shown = name or (plan.name if plan is not None else "")  # of earlier versions: no name
            found.append(StoredSplit(id_, shown, plan, made / 1e6, bool(standing)))
        return found

    def use(self, id: int) -> None:
        """Make a stored split the current one."""
        with self._recorder.edit(Message("Use split")):
            self._db.run("UPDATE split SET standing = 0 WHERE standing AND id <> ?", (id,))
            self._db.run("UPDATE split SET standing = 1 WHERE id = ? AND NOT standing", (id,))

    def rename(self, id: int, name: str) -> None:
        """Rename a split."""
        with self._recorder.edit(Message("Rename split")):
            self._db.run("UPDATE split SET name = ? WHERE id = ?", (name, id))

    def delete(self, id: int) -> None:
        """Delete a split. Without the current one, the project has none until one is chosen.

        Its members stay until the edit can no longer be undone (see `Recorder`).
        """
        with self._recorder.edit(Message("Delete split")):
            self._db.run("DELETE FROM split WHERE id = ?", (id,))

    def parts(self, id: int | None = None) -> dict[int, Part]:
        """Part of each of the project's images in a split (None: the current one)."""
        members = self.members(id)
        return {image: part for part in PARTS for image in members[part].tolist()}

    def members(self, id: int | None = None) -> dict[Part, IntArray]:
        """Images of each part of a split (None: the current one)."""
        images, parts = self._db.columns(
            f"SELECT m.image, m.part FROM membership m JOIN image i ON i.id = m.image"  # noqa: S608
            f" WHERE m.{_STANDING if id is None else 'split = ?'}",
            () if id is None else (id,),
            2,
        )
        return {part: images[parts == code] for code, part in enumerate(PARTS)}

    def counts(self, id: int | None = None) -> dict[Part, int]:
        """Number of the project's images in each part of a split (None: the current one)."""
        found = dict(
            self._db.rows(
                f"SELECT m.part, count(*) FROM membership m JOIN image i ON i.id = m.image"  # noqa: S608
                f" WHERE m.{_STANDING if id is None else 'split = ?'} GROUP BY m.part",
                () if id is None else (id,),
            )
        )
        return {part: found.get(code, 0) for code, part in enumerate(PARTS)}
