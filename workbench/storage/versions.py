"""Storage of versions: each holds what differs from the one before it, compressed.

The history of edits could not bring a version back: undone edits are discarded with the next edit.
A version therefore has a row of its own that never changes, and needs no other tables.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from workbench.domain.errors import KnownError
from workbench.domain.labels import LabelSet
from workbench.domain.splits import PARTS, Part, SplitPlan
from workbench.domain.versions import (
    Version,
    VersionContent,
    VersionSplit,
    checked_version_name,
)
from workbench.storage.annotators import Annotators
from workbench.storage.database import Database, listed, listed_texts
from workbench.storage.history import Recorder, now
from workbench.storage.images import StoredImages
from workbench.storage.labels import Labels
from workbench.storage.splits import Splits

ALL = 0  # among the touched images: any may differ from the newest version
UNKNOWN_SPLIT = -1

_LABEL = (
    "CASE WHEN a.annotator IS NULL AND a.role IS NULL"
    " THEN json_array(s.name, l.name, a.author, a.confidence)"
    " ELSE json_array(s.name, l.name, a.author, a.confidence, coalesce(p.name, ''),"
    " coalesce(a.role, 0)) END"
)
NAMED_LABELS = (
    " JOIN label l ON l.id = a.label JOIN label_set s ON s.id = a.label_set"
    " LEFT JOIN annotator p ON p.id = a.annotator"
)
# Rows of the images in a JSON list ?1, without a look at any other image.
SOME_LABELS = (
    "(SELECT a.* FROM json_each(?1) w CROSS JOIN label_set s CROSS JOIN annotation a"
    " INDEXED BY standing_of_images ON a.label_set = s.id AND a.image = w.value"
    " AND a.ended_at IS NULL AND a.crop IS NULL"
    " UNION ALL SELECT a.* FROM json_each(?1) w JOIN crop c ON c.image = w.value"
    " JOIN annotation a ON a.crop = c.id AND a.ended_at IS NULL AND a.crop IS NOT NULL)"
)
_SOME = {
    "labels": SOME_LABELS,
    "crops": "(SELECT c.* FROM json_each(?1) w JOIN crop c ON c.image = w.value)",
    "images": "(SELECT i.* FROM json_each(?1) w JOIN image i ON i.id = w.value)",
}
_EVERY = {
    "labels": "(SELECT * FROM annotation WHERE ended_at IS NULL)",
    "crops": "crop",
    "images": "image",
}
_STATES = (
    f"WITH given AS MATERIALIZED (SELECT a.image, a.crop, {_LABEL} AS label"  # noqa: S608
    f" FROM {{labels}} a{NAMED_LABELS} ORDER BY a.image, a.crop, s.name, l.name, a.id),"
    " of_images AS MATERIALIZED (SELECT image, json_group_array(json(label)) AS labels"
    " FROM given WHERE crop IS NULL GROUP BY image),"
    " of_crops AS MATERIALIZED (SELECT crop, json_group_array(json(label)) AS labels"
    " FROM given WHERE crop IS NOT NULL GROUP BY crop),"
    " crops AS MATERIALIZED (SELECT image, json_group_array(json_array(face, state, left, top,"
    " right, bottom, landmarks, detector, reviewed, reason, json(labels))) AS crops FROM"
    " (SELECT c.*, coalesce(o.labels, '[]') AS labels FROM {crops} c"
    " LEFT JOIN of_crops o ON o.crop = c.id ORDER BY c.image, c.face, c.id) GROUP BY image)"
    " SELECT i.hash, '[' || coalesce(o.labels, '[]') || ','"
    " || coalesce(c.crops, '[]') || ']' FROM {images} i"
    " LEFT JOIN of_images o ON o.image = i.id LEFT JOIN crops c ON c.image = i.id"
)
_FILES = (
    "SELECT i.hash, json_array(i.width, i.height, i.sort_key, i.added_at, (SELECT"
    " json_group_array(json_array(s.path, s.kind, p.path, p.size, p.mtime_bits, s.id))"
    " FROM place p JOIN source s ON s.id = p.source WHERE p.image = i.id))"
    " FROM json_each(?) wanted JOIN image i ON i.hash = wanted.value"
)
_STANDING = "(SELECT id FROM split WHERE standing)"
_PARTS = (
    "SELECT i.hash, m.part FROM membership m JOIN image i ON i.id = m.image"  # noqa: S608
    f" WHERE m.split = {_STANDING}"
)
_SOME_PARTS = " AND m.image IN (SELECT value FROM json_each(?))"
_GONE = (
    "SELECT t.hash FROM touched t LEFT JOIN image i ON i.hash = t.hash"
    " WHERE t.hash <> '' AND i.id IS NULL"
)
_COUNTS = (
    "SELECT (SELECT count(*) FROM image), (SELECT count(*) FROM annotation INDEXED BY"
    " standing_of_images WHERE ended_at IS NULL AND crop IS NULL)"
    " + (SELECT count(*) FROM annotation INDEXED BY standing_of_crops"
    " WHERE ended_at IS NULL AND crop IS NOT NULL)"
)
_COLUMNS = "id, name, note, made_at, author, automatic, images, labels"


class _Body(msgspec.Struct, array_like=True):
    """What differs from the version before; label sets and split are whole.

    The images are listed once, since their hashes are what cannot be compressed. The lists beside
    them have their encoded state and files ("" if as before) and part (-1: none).
    """

    images: list[bytes]
    states: list[str]
    files: list[str]
    parts: list[int]
    gone: list[str]  # images that the version before had
    label_sets: tuple[LabelSet, ...]
    split: VersionSplit | None


class _Split(NamedTuple):
    """A split with its id; `parts` by image hash, None if they are those of the current split."""

    id: int
    split: VersionSplit | None
    parts: Mapping[str, int] | None


@dataclass(frozen=True)
class VersionDraft:
    """A version that is ready to be stored after the version with id `base` (0: the first).

    `same` is the name of the version `base` if nothing has changed since, else "". `moment` names
    the state in the history of edits that was read, "" if that does not name it; `images` and
    `labels` are their numbers, `split` the id of the split; `touched` is the last of the touched
    images that were read.
    """

    body: bytes
    base: int
    same: str
    moment: str
    images: int
    labels: int
    split: int
    touched: int


class Versions:
    """The versions of a project. Their content cannot be changed."""

    def __init__(
        self, db: Database, recorder: Recorder, labels: Labels, images: StoredImages, splits: Splits
    ) -> None:
        self._db = db
        self._recorder = recorder
        self._labels = labels
        self._images = images
        self._splits = splits
        self._annotators = Annotators(db, recorder)

    def all(self) -> list[Version]:
        """All versions, newest first."""
        sql = f"SELECT {_COLUMNS} FROM version WHERE NOT removed ORDER BY id DESC"  # noqa: S608
        return [_version(row) for row in self._db.rows(sql)]

    def get(self, name: str) -> Version:
        """The version called `name`. Raises KnownError if there is none."""
        sql = f"SELECT {_COLUMNS} FROM version WHERE NOT removed AND name = ?"  # noqa: S608
        row = self._db.row(sql, (name,))
        if row is None:
            raise KnownError(
                "There is no version “{name}”.",
                "List the versions with: workbench versions PROJECT",
                name=name,
            )
        return _version(row)

    def content(self, name: str) -> VersionContent:
        """The content of a version. Raises KnownError if it is unknown or damaged."""
        version = self.get(name)
        try:
            return self._content(version.id)
        except (zlib.error, msgspec.MsgspecError) as error:
            raise KnownError("The version “{name}” is damaged.", name=name) from error

    def current(self, base: VersionContent | None = None) -> VersionContent:
        """The content of the project as it is now; files of images in `base` are as there."""
        known = base.files if base is not None else {}
        states = dict(self._db.rows(_STATES.format(**_EVERY)))
        new = [hash_ for hash_ in states if hash_ not in known]
        files = {**known, **dict(self._db.rows(_FILES, (listed_texts(new),)))}
        return VersionContent(states, files, self._parts(), self._sets(), self._split())

    def _parts(self) -> dict[str, int]:
        return dict(self._db.rows(_PARTS))

    def _sets(self) -> tuple[LabelSet, ...]:
        return tuple(sorted(self._labels.sets().values(), key=lambda known: known.name))

    def _split(self) -> VersionSplit | None:
        row = self._db.row("SELECT name, plan FROM split WHERE standing")
        return _split_of(*row) if row else None

    def unchanged(self) -> str:
        """Name of the newest version if the history shows no edit since, else ""."""
        row = self._db.row("SELECT name, moment, removed FROM version ORDER BY id DESC")
        if row is None or row[2] or not row[1]:
            return ""
        return str(row[0]) if row[1] == self.moment() else ""

    def moment(self, before: int | None = None) -> str:
        """The newest edit (before the edit `before`) and its last step, which name a state of the
        project; "" if there is none."""
        edit = self._db.value(
            "SELECT id FROM edit WHERE NOT undone AND id IS NOT ? ORDER BY id DESC", (before,)
        )
        step = self._db.value("SELECT max(step) FROM change WHERE edit = ?", (edit,))
        return f"{edit}.{step}" if edit is not None and step is not None else ""

    def draft(
        self,
        drawn: Mapping[int, Part] | None = None,
        plan: SplitPlan | None = None,
        find_same: bool = False,
    ) -> VersionDraft:
        """Read what a new version holds, for any thread. If there is a version already, only images
        that were touched since are read.

        `drawn` is a split by image id that is stored together with the version, with its plan. With
        `find_same`, the draft is compared with the newest version.
        """
        newest = self._db.row("SELECT id, split FROM version ORDER BY id DESC")
        base, split_before = newest or (0, UNKNOWN_SPLIT)
        last = int(self._db.value("SELECT max(id) FROM touched") or 0)
        split = self._standing(drawn, plan)
        every = not base or bool(self._db.value("SELECT 1 FROM touched WHERE image = ?", (ALL,)))
        same_split = split.id == split_before != UNKNOWN_SPLIT
        before = None
        if base and (every or find_same or not same_split):
            before = self._content(base)
        if every:
            body = _difference(self._now(before, split), before or VersionContent())
        else:
            body = self._touched(None if same_split else before, split)
        same = self._name_if_same(base, body, before) if find_same else ""
        moment = self.moment() if drawn is None else ""
        images, labels = self._db.row(_COUNTS)
        return VersionDraft(
            _packed_body(body), base, same, moment, images, labels, split=split.id, touched=last
        )

    def _standing(self, drawn: Mapping[int, Part] | None, plan: SplitPlan | None) -> _Split:
        """The current split, or one that was drawn and is not stored yet."""
        if drawn is None or plan is None:
            return _Split(int(self._db.value(f"SELECT {_STANDING}") or 0), self._split(), None)
        hashes = dict(self._db.rows("SELECT id, hash FROM image"))
        parts = {hashes[id_]: PARTS.index(part) for id_, part in drawn.items() if id_ in hashes}
        return _Split(UNKNOWN_SPLIT, VersionSplit(plan.name, plan), parts)

    def _now(self, before: VersionContent | None, split: _Split) -> VersionContent:
        found = self.current(before)
        parts = found.parts if split.parts is None else split.parts
        return VersionContent(found.states, found.files, parts, found.label_sets, split.split)

    def _touched(self, before: VersionContent | None, split: _Split) -> _Body:
        """What the touched images are now, and the parts that differ if the split is another one
        than in `before`."""
        ids = listed(self._db.ids("SELECT image FROM touched"))
        states = dict(self._db.rows(_STATES.format(**_SOME), (ids,)))
        files = dict(self._db.rows(_FILES, (listed_texts(states),)))
        gone = [hash_ for (hash_,) in self._db.rows(_GONE)]
        if before is None:
            parts = dict(self._db.rows(_PARTS + _SOME_PARTS, (ids,)))
            return _body(states, files, parts, [], gone, (self._sets(), split.split))
        parts = self._parts() if split.parts is None else dict(split.parts)
        known = (hash_ for hash_ in before.states if hash_ not in states and hash_ not in {*gone})
        moved = [hash_ for hash_ in known if before.parts.get(hash_) != parts.get(hash_)]
        return _body(states, files, parts, moved, gone, (self._sets(), split.split))

    def _name_if_same(self, base: int, body: _Body, before: VersionContent | None) -> str:
        """Name of the version `base` if a draft changes nothing of it and it is not removed."""
        if before is None or not _applied(before, [body]).same_as(before):
            return ""
        name = self._db.value("SELECT name FROM version WHERE id = ? AND NOT removed", (base,))
        return str(name or "")

    def add(
        self, draft: VersionDraft, name: str, note: str, author: str, automatic: bool = False
    ) -> Version:
        """Store a draft. Raises ValueRefused if the name is blank or in use."""
        name = checked_version_name(name, [known.name for known in self.all()])
        with self._db.transaction(durable=True):
            newest = int(self._db.value("SELECT max(id) FROM version") or 0)
            body, moved = draft.body, newest != draft.base
            if moved:  # another one was stored meanwhile
                body = self._rebased(draft, newest)
            values = (
                *(name, note.strip(), now(), author, int(automatic), draft.images, draft.labels),
                *(body, draft.moment, draft.split),
            )
            self._db.run(
                "INSERT INTO version (name, note, made_at, author, automatic, images, labels, body,"
                " moment, split) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            # nothing is noted before the first version
            self._forget_touched(draft, moved or (not newest and draft.moment != self.moment()))
        return self.get(name)

    def _rebased(self, draft: VersionDraft, newest: int) -> bytes:
        """The body of a draft as a difference from another version."""
        before = self._content(draft.base) if draft.base else VersionContent()
        after = _applied(before, [_unpacked_body(draft.body)])
        return _packed_body(_difference(after, self._content(newest)))

    def _forget_touched(self, draft: VersionDraft, incomplete: bool) -> None:
        self._db.run("DELETE FROM touched WHERE id <= ?", (draft.touched,))
        if incomplete:
            self._db.run("INSERT OR REPLACE INTO touched (image, hash) VALUES (?, '')", (ALL,))

    def confirm(self, draft: VersionDraft) -> str:
        """Note that a draft is the same as the newest version; return the name of that."""
        with self._db.transaction():
            self._db.run(
                "UPDATE version SET moment = ? WHERE id = ? AND id = (SELECT max(id) FROM version)",
                (draft.moment, draft.base),
            )
        return draft.same

    def rename(self, name: str, new: str) -> frozenset[str]:
        """Rename a version, also where runs name it; return the ids of those runs.

        Raises KnownError if it is unknown, ValueRefused if the new name is blank or in use.
        """
        version = self.get(name)
        new = checked_version_name(new, [one.name for one in self.all() if one.name != name])
        with self._db.transaction(durable=True):
            self._db.run("UPDATE version SET name = ? WHERE id = ?", (new, version.id))
            runs = self._db.rows("SELECT id FROM run WHERE version = ?", (name,))
            self._db.run("UPDATE run SET version = ? WHERE version = ?", (new, name))
        return frozenset(id_ for (id_,) in runs)

    def remove(self, name: str) -> None:
        """Remove a version for good. Raises KnownError if it is unknown or a run names it."""
        version = self.get(name)
        run = self._db.value("SELECT name FROM run WHERE version = ? ORDER BY number", (name,))
        if run is not None:
            raise KnownError(
                "The version “{name}” cannot be deleted: the run “{run}” was trained on it.",
                "Delete the run first, or keep the version.",
                name=name,
                run=run,
            )
        with self._db.transaction(durable=True):
            free = f"{name}\n{version.id}"  # no name has a line end
            self._db.run(
                "UPDATE version SET name = ?, removed = 1 WHERE id = ?", (free, version.id)
            )

    def _content(self, id_: int) -> VersionContent:
        """The content of a version: all changes up to it, applied in order."""
        rows = self._db.rows("SELECT body FROM version WHERE id <= ? ORDER BY id", (id_,))
        return _applied(VersionContent(), (_unpacked_body(data) for (data,) in rows))


def _difference(content: VersionContent, before: VersionContent) -> _Body:
    """What differs between two contents."""
    states = {
        hash_: state
        for hash_, state in content.states.items()
        if before.states.get(hash_) != state or before.files.get(hash_) != content.files[hash_]
    }
    files = {hash_: content.files[hash_] for hash_ in states if hash_ not in before.files}
    moved = [
        hash_
        for hash_ in content.states
        if hash_ not in states and before.parts.get(hash_) != content.parts.get(hash_)
    ]
    gone = [hash_ for hash_ in before.states if hash_ not in content.states]
    parts = dict(content.parts)
    return _body(states, files, parts, moved, gone, (content.label_sets, content.split))


def _body(
    states: Mapping[str, str],
    files: Mapping[str, str],
    parts: Mapping[str, int],
    moved: Iterable[str],
    gone: list[str],
    rest: tuple[tuple[LabelSet, ...], VersionSplit | None],
) -> _Body:
    """The body with these images, `moved` ones of which only the part differs, and the label sets
    and split in `rest`."""
    hashes = [*states, *moved]
    return _Body(
        [_packed(hash_) for hash_ in hashes],
        [states.get(hash_, "") for hash_ in hashes],
        [files.get(hash_, "") for hash_ in hashes],
        [parts.get(hash_, -1) for hash_ in hashes],
        gone,
        *rest,
    )


def _applied(before: VersionContent, bodies: Iterable[_Body]) -> VersionContent:
    """The content after the changes of `bodies`, in order."""
    states, files, parts = dict(before.states), dict(before.files), dict(before.parts)
    label_sets, split = before.label_sets, before.split
    for body in bodies:
        hashes = [_unpacked(each) for each in body.images]
        states.update(_given(hashes, body.states))
        files.update(_given(hashes, body.files))
        parts.update(zip(hashes, body.parts, strict=True))
        for hash_ in body.gone:
            states.pop(hash_, None)
            parts.pop(hash_, None)
        label_sets, split = body.label_sets, body.split
    parts = {hash_: part for hash_, part in parts.items() if part >= 0}
    return VersionContent(states, files, parts, label_sets, split)


def _given(hashes: list[str], values: list[str]) -> Iterator[tuple[str, str]]:
    return (pair for pair in zip(hashes, values, strict=True) if pair[1])


def _packed_body(body: _Body) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(body), 1)


def _unpacked_body(data: bytes) -> _Body:
    return msgspec.msgpack.decode(zlib.decompress(data), type=_Body)


def _packed(hash_: str) -> bytes:
    """A hash in half its length if it is hexadecimal, after a byte that tells which it is."""
    try:
        packed = b"x" + bytes.fromhex(hash_)
    except ValueError:
        return b"t" + hash_.encode()
    return packed if _unpacked(packed) == hash_ else b"t" + hash_.encode()


def _unpacked(packed: bytes) -> str:
    return packed[1:].hex() if packed.startswith(b"x") else packed[1:].decode()


def _version(row: Sequence[Any]) -> Version:
    id_, name, note, made_at, author, automatic, images, labels = row
    return Version(id_, name, note, made_at / 1e6, author, bool(automatic), images, labels)


def _split_of(name: str, encoded: str) -> VersionSplit:
    """A stored split; those of earlier versions have no name of their own."""
    plan = msgspec.json.decode(encoded, type=SplitPlan | None)
    return VersionSplit(name or (plan.name if plan is not None else ""), plan)
