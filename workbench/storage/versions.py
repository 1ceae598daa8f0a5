"""Storage of versions: each holds what differs from the one before it, compressed.

The history of edits could not bring a version back: undone edits are discarded with the next edit.
A version therefore has a row of its own that never changes, and needs no other tables.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.labels import LabelSet
from workbench.domain.splits import PARTS, Part, SplitPlan
from workbench.domain.text import Message
from workbench.domain.versions import (
    Version,
    VersionContent,
    VersionImage,
    VersionLabel,
    VersionSplit,
    file_of,
    image_of,
)
from workbench.storage.database import Database, listed, listed_texts
from workbench.storage.history import Recorder, now
from workbench.storage.images import StoredImages
from workbench.storage.labels import Labels
from workbench.storage.splits import Splits

T = TypeVar("T")

_LABELS = (
    "given AS MATERIALIZED (SELECT a.image, a.crop,"
    " json_array(s.name, l.name, a.author, a.confidence) AS label FROM annotation a"
    " JOIN label l ON l.id = a.label JOIN label_set s ON s.id = a.label_set"
    " WHERE a.ended_at IS NULL ORDER BY a.image, a.crop, s.name, l.name, a.id),"
    " of_images AS MATERIALIZED (SELECT image, json_group_array(json(label)) AS labels"
    " FROM given WHERE crop IS NULL GROUP BY image),"
    " of_crops AS MATERIALIZED (SELECT crop, json_group_array(json(label)) AS labels"
    " FROM given WHERE crop IS NOT NULL GROUP BY crop),"
    " crops AS MATERIALIZED (SELECT image, json_group_array(json_array(face, state, left, top,"
    " right, bottom, landmarks, detector, reviewed, reason, json(labels))) AS crops FROM"
    " (SELECT c.*, coalesce(o.labels, '[]') AS labels FROM crop c"
    " LEFT JOIN of_crops o ON o.crop = c.id ORDER BY c.image, c.face, c.id) GROUP BY image)"
)
_STATES = (
    f"WITH {_LABELS} SELECT i.hash, '[' || coalesce(o.labels, '[]') || ','"  # noqa: S608
    " || coalesce(c.crops, '[]') || ']' FROM image i"
    " LEFT JOIN of_images o ON o.image = i.id LEFT JOIN crops c ON c.image = i.id"
)
_FILES = (
    "SELECT i.hash, json_array(i.width, i.height, i.sort_key, i.added_at,"
    " (SELECT json_group_array(json_array(s.path, s.kind, p.path, p.size, p.mtime_bits))"
    " FROM place p JOIN source s ON s.id = p.source WHERE p.image = i.id))"
    " FROM json_each(?) wanted JOIN image i ON i.hash = wanted.value"
)
_PARTS = (
    "SELECT i.hash, m.part FROM membership m JOIN image i ON i.id = m.image"
    " WHERE m.split = (SELECT id FROM split WHERE standing)"
)
_CURRENT_LABELS = (
    "SELECT a.id, a.image, a.crop, s.name, l.name, a.author, a.confidence FROM annotation a"
    " JOIN label l ON l.id = a.label JOIN label_set s ON s.id = a.label_set"
    " WHERE a.ended_at IS NULL AND a.image IN (SELECT value FROM json_each(?))"
)
_LABEL_ROWS = (
    "SELECT s.name, l.name, s.id, l.id FROM label l"
    " JOIN label_set s ON s.id = l.label_set WHERE NOT l.removed"
)
_CROP_FIELDS = "face, state, left, top, right, bottom, landmarks, detector, reviewed, reason"
_COLUMNS = "id, name, note, made_at, author, automatic, images, labels"


class _Body(msgspec.Struct, array_like=True):
    """What differs from the version before; label sets and split are whole.

    The images are listed once, since their hashes are what cannot be compressed. The lists beside
    them have their encoded state, encoded files ("" if as before) and part (-1: none).
    """

    images: list[bytes]
    states: list[str]
    files: list[str]
    parts: list[int]
    gone: list[str]  # images that the version before had
    label_sets: tuple[LabelSet, ...]
    split: VersionSplit | None


@dataclass(frozen=True)
class VersionDraft:
    """A version that is ready to be stored after version `base` (0: the first).

    `same` is the name of the version `base` if nothing has changed since, else ""; `moment` names
    the state in the history of edits, "" if that does not name it; `labels` is their number.
    """

    content: VersionContent
    body: bytes
    base: int
    same: str
    moment: str
    labels: int


class Versions:
    """The versions of a project. They cannot be changed."""

    def __init__(
        self, db: Database, recorder: Recorder, labels: Labels, images: StoredImages, splits: Splits
    ) -> None:
        self._db = db
        self._recorder = recorder
        self._labels = labels
        self._images = images
        self._splits = splits

    def all(self) -> list[Version]:
        """All versions, newest first."""
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM version ORDER BY id DESC")  # noqa: S608
        return [_version(row) for row in rows]

    def get(self, name: str) -> Version:
        """The version called `name`. Raises KnownError if there is none."""
        row = self._db.row(f"SELECT {_COLUMNS} FROM version WHERE name = ?", (name,))  # noqa: S608
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
        states = dict(self._db.rows(_STATES))
        new = [hash_ for hash_ in states if hash_ not in known]
        files = {**known, **dict(self._db.rows(_FILES, (listed_texts(new),)))}
        row = self._db.row("SELECT name, plan FROM split WHERE standing")
        split = _split_of(*row) if row else None
        parts = dict(self._db.rows(_PARTS))
        sets = sorted(self._labels.sets().values(), key=lambda known: known.name)
        return VersionContent(states, files, parts, tuple(sets), split)

    def unchanged(self) -> str:
        """Name of the newest version if the history shows no edit since, else ""."""
        row = self._db.row("SELECT name, moment FROM version ORDER BY id DESC")
        return str(row[0]) if row is not None and row[1] and row[1] == self._moment() else ""

    def _moment(self) -> str:
        """The newest edit and its last step, which name a state of the project; "" if none is."""
        edit = self._db.value("SELECT id FROM edit WHERE NOT undone ORDER BY id DESC")
        step = self._db.value("SELECT max(step) FROM change WHERE edit = ?", (edit,))
        return f"{edit}.{step}" if edit is not None and step is not None else ""

    def draft(
        self, drawn: Mapping[int, Part] | None = None, plan: SplitPlan | None = None
    ) -> VersionDraft:
        """Read what a new version holds; for any thread.

        `drawn` is a split by image id that is stored together with the version, with its plan.
        """
        base = int(self._db.value("SELECT max(id) FROM version") or 0)
        before = self._content(base) if base else None
        content = self.current(before)
        if drawn is not None and plan is not None:
            hashes = dict(self._db.rows("SELECT id, hash FROM image"))
            parts = {hashes[id_]: PARTS.index(part) for id_, part in drawn.items() if id_ in hashes}
            sets, split = content.label_sets, VersionSplit(plan.name, plan)
            content = VersionContent(content.states, content.files, parts, sets, split)
            return self._drafted(content, base, before, "")
        return self._drafted(content, base, before, self._moment())

    def add(
        self, draft: VersionDraft, name: str, note: str, author: str, automatic: bool = False
    ) -> Version:
        """Store a draft. Raises ValueRefused if the name is blank or in use."""
        name = " ".join(name.split())
        if not name:
            raise ValueRefused(Message("name of the version"), "", Message("a name"))
        if self._db.value("SELECT 1 FROM version WHERE name = ?", (name,)):
            sentence = Message("There is already a version “{name}”.", name=name)
            allowed = Message("a name that no version has")
            raise ValueRefused(Message("name of the version"), name, allowed, sentence)
        with self._db.transaction(durable=True):
            newest = int(self._db.value("SELECT max(id) FROM version") or 0)
            if newest != draft.base:  # another one was stored meanwhile
                draft = self._drafted(draft.content, newest, self._content(newest), draft.moment)
            values = (
                *(name, note.strip(), now(), author, int(automatic)),
                *(len(draft.content.states), draft.labels, draft.body, draft.moment),
            )
            self._db.run(
                "INSERT INTO version (name, note, made_at, author, automatic, images, labels, body,"
                " moment)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        return self.get(name)

    def confirm(self, draft: VersionDraft) -> str:
        """Note that a draft is the same as the newest version; return the name of that."""
        with self._db.transaction():
            self._db.run(
                "UPDATE version SET moment = ? WHERE id = ? AND id = (SELECT max(id) FROM version)",
                (draft.moment, draft.base),
            )
        return draft.same

    def _drafted(
        self, content: VersionContent, base: int, before: VersionContent | None, moment: str
    ) -> VersionDraft:
        same = ""
        labels = sum(map(_label_count, content.states.values()))
        if before is not None and content.same_as(before):
            same = str(self._db.value("SELECT name FROM version WHERE id = ?", (base,)))
        return VersionDraft(
            content, _encoded(content, before or VersionContent()), base, same, moment, labels
        )

    def _content(self, id_: int) -> VersionContent:
        """The content of a version: all changes up to it, applied in order."""
        states: dict[str, str] = {}
        files: dict[str, str] = {}
        parts: dict[str, int] = {}
        body = None
        for (data,) in self._db.rows("SELECT body FROM version WHERE id <= ? ORDER BY id", (id_,)):
            body = msgspec.msgpack.decode(zlib.decompress(data), type=_Body)
            hashes = [_unpacked(each) for each in body.images]
            states.update(zip(hashes, body.states, strict=True))
            new = zip(hashes, body.files, strict=True)
            files.update((hash_, file) for hash_, file in new if file)
            parts.update(zip(hashes, body.parts, strict=True))
            for hash_ in body.gone:
                del states[hash_], parts[hash_]
        parts = {hash_: part for hash_, part in parts.items() if part >= 0}
        assert body is not None
        return VersionContent(states, files, parts, body.label_sets, body.split)

    def restore(self, target: VersionContent, name: str) -> None:
        """Change images, labels, mouths and split back to a version, as one undoable edit.

        Files and runs are not changed.
        """
        with self._recorder.edit(Message("Go back to version “{name}”", name=name)):
            self._restore_sets(target)
            self._restore_images(target)
            present = self.current(target)
            ids = self._ids()
            wanted = {
                ids[hash_]: image_of(state)
                for hash_, state in target.states.items()
                if present.states[hash_] != state
            }
            self._restore_crops(wanted)
            self._restore_labels(wanted)
            if (present.split, present.parts) != (target.split, target.parts):
                self._restore_split(target, ids)

    def _ids(self) -> dict[str, int]:
        return dict(self._db.rows("SELECT hash, id FROM image"))

    def _restore_sets(self, target: VersionContent) -> None:
        names = {known.name for known in target.label_sets}
        present = self._labels.sets()
        for known in target.label_sets:
            if present.get(known.name) != known:
                self._labels.save_set(known)
        for name in present:
            if name not in names:
                self._labels.remove_set(name)

    def _restore_images(self, target: VersionContent) -> None:
        ids = self._ids()
        surplus = [id_ for hash_, id_ in ids.items() if hash_ not in target.states]
        if surplus:
            self._images.remove(surplus)
        missing = [hash_ for hash_ in target.states if hash_ not in ids]
        self._images.put_back({hash_: file_of(target.files[hash_]) for hash_ in missing})

    def _crops(self, images: Iterable[int]) -> dict[int, list[tuple[Any, ...]]]:
        """Rows of crops by image: id, then the fields of a VersionCrop without labels."""
        found: dict[int, list[tuple[Any, ...]]] = {}
        for image, *row in self._db.rows(
            f"SELECT c.image, c.id, {_CROP_FIELDS} FROM json_each(?) wanted"  # noqa: S608
            " JOIN crop c ON c.image = wanted.value ORDER BY c.image, c.face, c.id",
            (listed(images),),
        ):
            found.setdefault(image, []).append(tuple(row))
        return found

    def _restore_crops(self, wanted: Mapping[int, VersionImage]) -> None:
        """Make the crops of these images equal to those of a version, keeping their rows."""
        present = self._crops(wanted)
        surplus: list[int] = []
        for image, target in wanted.items():
            rows = present.get(image, [])
            for at, crop in enumerate(target.crops):
                values = msgspec.structs.astuple(crop)[:-1]
                if at >= len(rows):
                    self._db.run(
                        f"INSERT INTO crop (image, {_CROP_FIELDS})"  # noqa: S608
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (image, *values),
                    )
                elif rows[at][1:] != values:
                    self._db.run(
                        f"UPDATE crop SET ({_CROP_FIELDS})"  # noqa: S608
                        " = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
                        (*values, rows[at][0]),
                    )
            surplus += [row[0] for row in rows[len(target.crops) :]]
        gone = listed(surplus)
        self._db.run(
            "UPDATE annotation SET ended_at = ? WHERE ended_at IS NULL AND crop IS NOT NULL"
            " AND crop IN (SELECT value FROM json_each(?))",
            (now(), gone),
        )
        self._db.run("DELETE FROM crop WHERE id IN (SELECT value FROM json_each(?))", (gone,))

    def _restore_labels(self, wanted: Mapping[int, VersionImage]) -> None:
        """End the labels of these images that a version has not, and add those that it has."""
        rows = self._db.rows(_CURRENT_LABELS, (listed(wanted),))
        present = {tuple(key): id_ for id_, *key in rows}
        crops = self._crops(wanted)
        target = {
            (image, crop, *msgspec.structs.astuple(label))
            for image, state in wanted.items()
            for crop, labels in _labels_of(state, crops.get(image, []))
            for label in labels
        }
        moment = now()
        self._db.run(
            "UPDATE annotation SET ended_at = ? WHERE id IN (SELECT value FROM json_each(?))",
            (moment, listed(id_ for key, id_ in present.items() if key not in target)),
        )
        of_names = {
            (name, label): (set_id, label_id)
            for name, label, set_id, label_id in self._db.rows(_LABEL_ROWS)
        }
        self._db.run_many(
            "INSERT INTO annotation (image, crop, label_set, label, author, confidence, made_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (image, crop, *of_names[name, label], author, confidence, moment)
                for image, crop, name, label, author, confidence in sorted(
                    target - present.keys(), key=str
                )
            ),
        )

    def _restore_split(self, target: VersionContent, ids: Mapping[str, int]) -> None:
        if target.split is None:
            self._db.run("UPDATE split SET standing = 0 WHERE standing")
            return
        members = {ids[hash_]: PARTS[code] for hash_, code in target.parts.items()}
        self._splits.make(target.split.plan, members, target.split.name)


def _labels_of(
    state: VersionImage, rows: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int | None, tuple[VersionLabel, ...]]]:
    """The labels of an image and of its crops, whose rows are in the same order."""
    yield None, state.labels
    for row, crop in zip(rows, state.crops, strict=True):
        yield row[0], crop.labels


def _encoded(content: VersionContent, before: VersionContent) -> bytes:
    """What differs between two contents, compressed."""
    new = [
        hash_
        for hash_, state in content.states.items()
        if before.states.get(hash_) != state
        or before.parts.get(hash_) != content.parts.get(hash_)
        or before.files.get(hash_) != content.files[hash_]
    ]
    body = _Body(
        images=[_packed(hash_) for hash_ in new],
        states=[content.states[hash_] for hash_ in new],
        files=[content.files[hash_] if hash_ not in before.files else "" for hash_ in new],
        parts=[content.parts.get(hash_, -1) for hash_ in new],
        gone=[hash_ for hash_ in before.states if hash_ not in content.states],
        label_sets=content.label_sets,
        split=content.split,
    )
    return zlib.compress(msgspec.msgpack.encode(body), 1)


def _packed(hash_: str) -> bytes:
    """A hash in half its length if it is hexadecimal, after a byte that tells which it is."""
    try:
        packed = b"x" + bytes.fromhex(hash_)
    except ValueError:
        return b"t" + hash_.encode()
    return packed if _unpacked(packed) == hash_ else b"t" + hash_.encode()


def _unpacked(packed: bytes) -> str:
    return packed[1:].hex() if packed.startswith(b"x") else packed[1:].decode()


def _label_count(state: str) -> int:
    """Number of labels of an encoded image and its mouths."""
    image = image_of(state)
    return len(image.labels) + sum(len(crop.labels) for crop in image.crops)


def _version(row: Sequence[Any]) -> Version:
    id_, name, note, made_at, author, automatic, images, labels = row
    return Version(id_, name, note, made_at / 1e6, author, bool(automatic), images, labels)


def _split_of(name: str, encoded: str) -> VersionSplit:
    """A stored split; those of earlier versions have no name of their own."""
    plan = msgspec.json.decode(encoded, type=SplitPlan | None)
    return VersionSplit(name or (plan.name if plan is not None else ""), plan)
