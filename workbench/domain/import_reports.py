"""What an import did: what was added, skipped and new, what conflicts, and what was decided."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from workbench.domain.text import Message, counted, decode_message, encode_message, mark

KEPT_REPORTS = 50  # older ones are removed


class PlacedLabel(msgspec.Struct, frozen=True):
    """A label and the place that gives it: a file with its line, or the path of an image."""

    label: str
    place: Message


class Conflict(msgspec.Struct, frozen=True):
    """Several labels of an exclusive set for one image: none was given.

    `set` is "" for parts of a split. `kept` is the label that the image had and keeps. `id` is the
    image's id.
    """

    image: str
    set: str
    labels: tuple[PlacedLabel, ...]
    kept: str = ""
    id: int = 0


class ChangedLabel(msgspec.Struct, frozen=True):
    """A label that the import replaced, and the new one; `id` is the image's id."""

    image: str
    set: str
    before: PlacedLabel
    after: PlacedLabel
    id: int = 0


class NewLabel(msgspec.Struct, frozen=True):
    """A label that the import added to its set; `like` is an earlier label with another spelling,
    or ""."""

    set: str
    label: str
    like: str = ""


class DecisionKind(StrEnum):
    """What a decision is about, so that the command line and the window each show how to change
    it."""

    FORMAT = "format"
    ENCODING = "encoding"
    LABEL_SET = "label set"
    NOT_IMPORTED = "not imported"
    FOLDERS = "folders"  # whose names are not imported
    PART = "part"  # of a split, which a word stands for
    PATHS = "paths"  # that do not agree with those of their images in all folders
    OTHER_FOLDERS = "other folders"  # paths of which no folder agrees
    REMARK = "remark"  # cannot be changed


class Decision(msgspec.Struct, frozen=True):
    """What the program decided about a file.

    `own` is the label set or column of the file that it is about, `suggested` the label set that it
    could be imported as.
    """

    about: str
    value: Message
    kind: DecisionKind = DecisionKind.REMARK
    own: str = ""
    suggested: str = ""


class Skipped(msgspec.Struct, frozen=True):
    """A file or line that was not imported, and the reason."""

    path: Message
    reason: Message


class ReportRow(NamedTuple):
    """The kind of a finding, what it is about, details, and the decision if it is one."""

    kind: str
    about: str
    details: Message
    decision: Decision | None = None


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The complete result of an import of images or labels.

    `made_at` is in seconds since the epoch. Numbers of images: `added`; `known`, unchanged since an
    earlier import or moved; `duplicates`, another file of a known image. Numbers of labels:
    `labelled`, given where there was none; `equal`, as they were before; `kept`, by hand, and not
    replaced. `rows` are the entries of label files, `boxes` the new crops, `changed` the labels of
    earlier imports and models that the import replaced.
    `parts` is the number of images in each part of the split that came with the labels.
    """

    title: Message
    made_at: float = 0.0
    added: int = 0
    known: int = 0
    duplicates: int = 0
    rows: int = 0
    labelled: int = 0
    equal: int = 0
    kept: int = 0
    boxes: int = 0
    skipped: tuple[Skipped, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    changed: tuple[ChangedLabel, ...] = ()
    new_sets: tuple[str, ...] = ()
    new_labels: tuple[NewLabel, ...] = ()
    decisions: tuple[Decision, ...] = ()
    parts: dict[str, int] = {}

    @property
    def needs_attention(self) -> bool:
        """Whether something was left out, or new in a way that may be a mistake."""
        return bool(
            self.skipped
            or self.conflicts
            or self.changed
            or any(one.like for one in self.new_labels)
            or any(one.kind is DecisionKind.OTHER_FOLDERS for one in self.decisions)
        )

    def counts(self) -> list[Message]:
        """The numbers as sentences, without those that are 0."""
        new, conflicts, skipped = len(self.new_labels), len(self.conflicts), len(self.skipped)
        found = (
            counted(self.added, "{n:,} image added", "{n:,} images added"),
            counted(self.known, "{n:,} image known before", "{n:,} images known before"),
            counted(self.duplicates, "{n:,} duplicate file", "{n:,} duplicate files"),
            counted(self.rows, "{n:,} row read", "{n:,} rows read"),
            counted(self.labelled, "{n:,} label given", "{n:,} labels given"),
            counted(len(self.changed), "{n:,} label changed", "{n:,} labels changed"),
            counted(self.equal, "{n:,} label as before", "{n:,} labels as before"),
            counted(self.kept, "{n:,} label by hand kept", "{n:,} labels by hand kept"),
            counted(self.boxes, "{n:,} box added", "{n:,} boxes added"),
            counted(len(self.new_sets), "{n:,} new label set", "{n:,} new label sets"),
            counted(new, "{n:,} new label", "{n:,} new labels"),
            counted(conflicts, "{n:,} conflict", "{n:,} conflicts"),
            counted(skipped, "{n:,} file or line skipped", "{n:,} files or lines skipped"),
        )
        return [text for text in found if text.values["n"]]

    def rows_of(self) -> Iterator[ReportRow]:
        """The numbers and all findings as rows of a table, the conflicts first among these."""
        moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.made_at))
        yield ReportRow(mark("import"), str(self.title), Message(moment))
        for text in self.counts():
            yield ReportRow(mark("number"), str(text.values["n"]), text)
        for part, count in self.parts.items():
            yield ReportRow(mark("part"), part, counted(count, "{n:,} image", "{n:,} images"))
        for conflict in self.conflicts:
            yield ReportRow(mark("conflict"), conflict.image, conflict_text(conflict))
        for change in self.changed:
            yield ReportRow(mark("changed"), change.image, change_text(change))
        yield from self._other_rows()

    def _other_rows(self) -> Iterator[ReportRow]:
        for one in self.skipped:
            yield ReportRow(mark("skipped"), str(one.path), one.reason)
        for name in self.new_sets:
            yield ReportRow(mark("new label set"), name, Message(""))
        for new in self.new_labels:
            yield ReportRow(mark("new label"), f"{new.set}: {new.label}", like_text(new))
        for decision in self.decisions:
            yield ReportRow(mark("decided"), decision.about, decision.value, decision)


def conflict_text(conflict: Conflict) -> Message:
    """What is said of an image, and by which places."""
    places = "; ".join(f"“{one.label}” – {one.place}" for one in conflict.labels)
    if conflict.kept:
        text = "{set}: {places}; “{kept}” was kept"
        return Message(text, set=conflict.set or "split", places=places, kept=conflict.kept)
    return Message("{set}: {places}; none was given", set=conflict.set or "split", places=places)


def change_text(change: ChangedLabel) -> Message:
    """Which label replaced which one, and where both come from."""
    return Message(
        "{set}: “{before}” ({earlier}) → “{after}” ({place})",
        set=change.set,
        before=change.before.label,
        earlier=change.before.place,
        after=change.after.label,
        place=change.after.place,
    )


def like_text(new: NewLabel) -> Message:
    """Which label is spelled nearly as a new one."""
    if not new.like:
        return Message("")
    return Message("there is also “{label}”; rename one to merge them", label=new.like)


def encode_report(report: ImportReport) -> bytes:
    """A report as JSON."""
    return msgspec.json.encode(report, enc_hook=encode_message)


def decode_report(data: bytes | str) -> ImportReport:
    """The report of `encode_report`. Raises msgspec.DecodeError if it is damaged."""
    return msgspec.json.decode(data, type=ImportReport, dec_hook=decode_message)
