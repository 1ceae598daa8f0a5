"""Versions: named, immutable states of images, labels, mouths and split, and how two differ.

Images are named by the hash of their bytes, so that a version outlives their rows and file names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from workbench.domain.errors import ValueRefused
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.labels import LabelSet, Role
from workbench.domain.splits import PARTS, SplitPlan
from workbench.domain.text import Message, mark

NOW = "now"  # means the project as it is, where a version could be named
LONGEST_NAME = 100  # characters of a version's name
SHOWN_NAME = 40  # characters of a refused name that are shown


class VersionLabel(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A label of an image or a mouth, with the author, confidence and role of its annotation.

    `annotator` is the name of the person who gave it, "" without a name.
    """

    label_set: str
    label: str
    author: str
    confidence: float
    annotator: str = ""
    role: int = Role.LABEL.value

    @property
    def by(self) -> str:
        """The name of the person who gave it, or else its author."""
        return self.annotator or self.author


class VersionCrop(msgspec.Struct, frozen=True, array_like=True):
    """A mouth with its labels; the fields are those of a stored crop."""

    face: int
    state: str
    left: int | None
    top: int | None
    right: int | None
    bottom: int | None
    landmarks: str
    detector: str
    reviewed: int
    reason: str
    labels: tuple[VersionLabel, ...] = ()

    @property
    def box(self) -> tuple[str, int | None, int | None, int | None, int | None]:
        """State and box: what a person sees of it."""
        return self.state, self.left, self.top, self.right, self.bottom


class VersionImage(msgspec.Struct, frozen=True, array_like=True):
    """What people and models have decided about an image."""

    labels: tuple[VersionLabel, ...] = ()
    crops: tuple[VersionCrop, ...] = ()


class VersionPlace(msgspec.Struct, frozen=True, array_like=True):
    """A file of an image: path and kind of its source, and path, size and time in the source.

    `source_id` names the source even if it was re-linked since; 0 if it is unknown.
    """

    source: str
    kind: str
    path: str
    size: int
    mtime_bits: int
    source_id: int = 0


class VersionFile(msgspec.Struct, frozen=True, array_like=True):
    """What an image is, for adding it again: size in pixels, sort key, time added, files."""

    width: int
    height: int
    sort_key: str
    added_at: int
    places: tuple[VersionPlace, ...] = ()


class VersionSplit(msgspec.Struct, frozen=True):
    """The current split; `plan` is None if it came from files."""

    name: str
    plan: SplitPlan | None


@dataclass(frozen=True)
class Version:
    """A version without its content; `made_at` in seconds since the epoch.

    `author` is the user who made it; an `automatic` one was made for a run. `images` and `labels`
    are the numbers of images and of their labels, those of mouths included.
    """

    id: int
    name: str
    note: str
    made_at: float
    author: str
    automatic: bool
    images: int
    labels: int


@dataclass(frozen=True)
class VersionContent:
    """The content of a version, or of the project as it is now, by image hash.

    `states` are `VersionImage`s and `files` are `VersionFile`s, both encoded as JSON, because most
    are never looked at. `parts` are positions in PARTS; images without a part are missing.
    """

    states: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    label_sets: tuple[LabelSet, ...] = ()
    split: VersionSplit | None = None

    def same_as(self, other: VersionContent) -> bool:
        """Whether two contents are equal, apart from the places of files."""
        mine = (self.label_sets, self.split, self.states, self.parts)
        return mine == (other.label_sets, other.split, other.states, other.parts)


def checked_version_name(name: str, known: Iterable[str]) -> str:
    """`name` as it is stored: one line without invisible characters. Raises ValueRefused if nothing
    is left of it, if it is too long, if it is in `known` in any case, or if it means the project as
    it is."""
    about, clean = Message("name of the version"), " ".join(tidied(name).split())
    names = LabelNames(known)
    if not clean:
        raise ValueRefused(about, "", Message("a name"))
    if clean.casefold() == NOW:
        sentence = Message("“{name}” means the project as it is now.", name=clean)
    elif len(clean) > LONGEST_NAME:
        shown = clean[:SHOWN_NAME]
        sentence = Message("“{name}…” is too long for a name of a version.", name=shown)
        raise ValueRefused(
            about, shown, Message("at most {most:,} characters", most=LONGEST_NAME), sentence
        )
    elif twin := names.equal(clean) or names.like(clean):
        sentence = Message("There is already a version “{name}”.", name=twin)
    else:
        return clean
    raise ValueRefused(about, clean, Message("a name that no version has"), sentence)


_decode_image = msgspec.json.Decoder(VersionImage).decode
_decode_file = msgspec.json.Decoder(VersionFile).decode


def image_of(state: str) -> VersionImage:
    """Decode one of `VersionContent.states`."""
    return _decode_image(state)


def file_of(text: str) -> VersionFile:
    """Decode one of `VersionContent.files`."""
    return _decode_file(text)


class Difference(StrEnum):
    """What happened to an image, a label, a mouth or a part; the values are stored in files."""

    ADDED = mark("added")
    CHANGED = mark("changed")
    REMOVED = mark("removed")


class ChangedThing(StrEnum):
    """What a difference is about."""

    IMAGE = mark("image")
    LABEL = mark("label")
    MOUTH = mark("mouth")
    PART = mark("part")
    LABEL_SET = mark("label set")


@dataclass(frozen=True)
class VersionChange:
    """One difference between two versions.

    `hash` and `path` name the image ("" for a label set), `name` the label set; `before` and
    `after` are labels, parts, or boxes of mouths. `author` gave the label that is new: a person's
    name, or else a value of `labels.Author`. It is "" where a label was removed or only renamed:
    versions do not know who did that.
    """

    subject: ChangedThing
    difference: Difference
    hash: str = ""
    path: str = ""
    name: str = ""
    before: str = ""
    after: str = ""
    author: str = ""


CHANGE_HEAD = ("subject", "difference", "path", "set", "before", "after", "author", "hash")


def change_cells(change: VersionChange) -> tuple[str, ...]:
    """The cells of a difference in the order of CHANGE_HEAD."""
    return (
        change.subject.value,
        change.difference.value,
        change.path,
        change.name,
        change.before,
        change.after,
        change.author,
        change.hash,
    )


def count_changes(changes: list[VersionChange]) -> dict[tuple[ChangedThing, Difference], int]:
    """Number of differences of each kind, in the order of the enums, without zeros."""
    found = Counter((change.subject, change.difference) for change in changes)
    return {
        (subject, difference): found[subject, difference]
        for subject in ChangedThing
        for difference in Difference
        if found[subject, difference]
    }


def compare_versions(
    before: VersionContent, after: VersionContent
) -> Iterator[VersionChange | None]:
    """All differences, ordered by path; None now and then, so that a job can stop."""
    yield from _set_changes(before, after)
    known = {(one.name, label) for one in after.label_sets for label in one.names}
    files = {**before.files, **after.files}
    named = {
        hash_: shown_path(files.get(hash_, ""))
        for hash_ in {*before.states, *after.states}
        if before.states.get(hash_) != after.states.get(hash_)
        or before.parts.get(hash_) != after.parts.get(hash_)
    }
    for at, (hash_, path) in enumerate(sorted(named.items(), key=lambda one: (one[1], one[0]))):
        if at % 1000 == 0:
            yield None
        yield from _image_changes(hash_, path, before, after, known)


def shown_path(encoded: str) -> str:
    """The first path of an image's file, within its source; "" if it is unknown."""
    places = file_of(encoded).places if encoded else ()
    return min((place.path for place in places), default="")


def _set_changes(before: VersionContent, after: VersionContent) -> Iterator[VersionChange]:
    old = {known.name: known for known in before.label_sets}
    new = {known.name: known for known in after.label_sets}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            labels = [", ".join(sets[name].names) if name in sets else "" for sets in (old, new)]
            kind = _difference(name in old, name in new)
            yield VersionChange(
                ChangedThing.LABEL_SET, kind, name=name, before=labels[0], after=labels[1]
            )


def _difference(was: bool, is_now: bool) -> Difference:
    if was and is_now:
        return Difference.CHANGED
    return Difference.ADDED if is_now else Difference.REMOVED


def _image_changes(
    hash_: str,
    path: str,
    before: VersionContent,
    after: VersionContent,
    known: Container[tuple[str, str]],
) -> Iterator[VersionChange]:
    was, now = before.states.get(hash_), after.states.get(hash_)
    if was is None or now is None:
        yield VersionChange(
            ChangedThing.IMAGE, _difference(was is not None, now is not None), hash_, path
        )
    old = image_of(was) if was is not None else VersionImage()
    new = image_of(now) if now is not None else VersionImage()
    yield from _label_changes(hash_, path, old.labels, new.labels, known)
    yield from _crop_changes(hash_, path, old.crops, new.crops, known)
    parts = [shown_part(content.parts.get(hash_)) for content in (before, after)]
    if parts[0] != parts[1]:
        kind = _difference(bool(parts[0]), bool(parts[1]))
        yield VersionChange(ChangedThing.PART, kind, hash_, path, "", parts[0], parts[1])


def shown_part(code: int | None) -> str:
    """The name of a part, "" for none."""
    return PARTS[code].value if code is not None else ""


def _label_changes(
    hash_: str,
    path: str,
    before: tuple[VersionLabel, ...],
    after: tuple[VersionLabel, ...],
    known: Container[tuple[str, str]],
) -> Iterator[VersionChange]:
    """Differences of labels; one label for another of the same set is one change. `known` are the
    pairs (set, label) of the later version."""
    old, new = set(before) - set(after), set(after) - set(before)
    for name in sorted({one.label_set for one in old | new}):
        gone = sorted(one for one in old if one.label_set == name)
        come = sorted(one for one in new if one.label_set == name)
        pairs = _paired(gone, come)
        for was, now in pairs:
            yield VersionChange(
                ChangedThing.LABEL,
                _difference(was is not None, now is not None),
                hash_,
                path,
                name,
                was.label if was is not None else "",
                now.label if now is not None else "",
                _changed_by(was, now, known),
            )


def _changed_by(
    was: VersionLabel | None, now: VersionLabel | None, known: Container[tuple[str, str]]
) -> str:
    """Who gave the label `now`; "" if it was removed, or is `was` under another name."""
    if now is None:
        return ""
    if was is None or (was.label_set, was.label) in known:
        return now.by
    renamed = msgspec.structs.replace(was, label=now.label) == now
    return "" if renamed else now.by


def _paired(
    gone: list[VersionLabel], come: list[VersionLabel]
) -> Iterator[tuple[VersionLabel | None, VersionLabel | None]]:
    """Pair labels of one set: equal names first, as only their author has changed."""
    names = {one.label: one for one in gone}
    same = [(names[one.label], one) for one in come if one.label in names]
    yield from same
    left = [one for one in gone if all(one is not was for was, _ in same)]
    new = [one for one in come if all(one is not now for _, now in same)]
    for at in range(max(len(left), len(new))):
        yield (left[at] if at < len(left) else None, new[at] if at < len(new) else None)


def _crop_changes(
    hash_: str,
    path: str,
    before: tuple[VersionCrop, ...],
    after: tuple[VersionCrop, ...],
    known: Container[tuple[str, str]],
) -> Iterator[VersionChange]:
    for at in range(max(len(before), len(after))):
        was = before[at] if at < len(before) else None
        now = after[at] if at < len(after) else None
        if was is None or now is None or was.box != now.box:
            kind = _difference(was is not None, now is not None)
            yield VersionChange(
                ChangedThing.MOUTH, kind, hash_, path, "", _shown_crop(was), _shown_crop(now)
            )
        old, new = (one.labels if one is not None else () for one in (was, now))
        yield from _label_changes(hash_, path, old, new, known)


def _shown_crop(crop: VersionCrop | None) -> str:
    if crop is None:
        return ""
    box = [crop.left, crop.top, crop.right, crop.bottom]
    return crop.state if None in box else f"{crop.state} {json.dumps(box)}"
