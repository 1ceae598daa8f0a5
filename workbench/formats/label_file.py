"""Label files of this program: a row for each label of an image or box, in JSON, CSV, TSV or Excel.

JSON files also have declarations of label sets, landmarks and images without labels; other programs
and earlier versions ignore what they do not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from workbench.domain.datasets import (
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
    place_in,
)
from workbench.domain.errors import KnownError, reason_of
from workbench.domain.images import SkippedFile
from workbench.domain.labels import Author
from workbench.domain.part_words import is_unclear
from workbench.domain.splits import Part
from workbench.domain.spreadsheets import unguarded
from workbench.domain.text import Message, mark
from workbench.files import read_regular
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.image_paths import image_path
from workbench.formats.rows import (
    PATH_NAMES,
    TableRows,
    TextKind,
    box_of,
    boxes_without_size,
    confidence_of,
    ending_of,
    in_pixels,
    kind_of,
    may_be_text,
    open_table,
    plain_name,
    write_rows,
)
from workbench.formats.sheets import Cell, shown_in
from workbench.formats.text import decoded, read_opening

VERSION = 1
HEARTBEAT = 512  # rows between two heartbeats
COLUMNS = ("path", "hash", "set", "label", "author", "confidence", "part")
BOX_COLUMNS = ("left", "top", "right", "bottom")
ANNOTATOR = "annotator"  # a column that only files with names of people have

_AUTHORS = {author.value for author in Author}
_OWN_JSON = re.compile(r'\s*\{\s*"(?:labels|version|sets|images)"\s*:')
_Key = tuple[str, str, tuple[float, ...]]  # a label set, an image and its box


class _LabelEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """A label of an image or box in JSON, or an image or box without labels.

    `box` is left, top, right and bottom in displayed pixels, `points` are (x, y).
    """

    path: str
    hash: str = ""
    set: str = ""
    label: str = ""
    author: str = ""
    confidence: float = 1.0
    annotator: str = ""
    part: str = ""
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()


class _Declaration(msgspec.Struct, frozen=True, kw_only=True):
    labels: tuple[str, ...] = ()
    exclusive: bool = True


class _Content(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A label file in JSON."""

    labels: list[_LabelEntry]
    images: list[_LabelEntry] = []
    sets: dict[str, _Declaration] = {}
    version: int = 0


class LabelFileFormat(DatasetFormat):
    """Label files as this program exports them."""

    name = "label-file"
    title = mark("Label file")
    about = mark(
        "A row for each label of an image or box, with its label set, author, confidence and part"
        " of the split. Images are also found by their content."
    )
    absolute = True
    endings = (".json", ".csv", ".tsv", ".xlsx")
    carries = frozenset(Carry)

    def recognises(self, path: Path) -> bool:
        if ending_of(path) == ".json":
            start = read_opening(path)
            return _OWN_JSON.match(start) is not None and '"labels"' in start
        return may_be_text(path, *self.endings) and kind_of(path) is TextKind.LABELS

    def read(self, path: Path, options: ReadOptions) -> Reading:
        reader = _JsonReader if ending_of(path) == ".json" else _TableReader
        return (yield from reader(path, options).read())

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        writer = _LabelFileWriter()
        if ending_of(path) == ".json":
            sets = {
                name: _Declaration(labels=one.labels, exclusive=one.exclusive)
                for name, one in dataset.sets.items()
            }
            entries = list(writer.entries(dataset.images))
            content = _Content(
                labels=[one for one in entries if one.label],
                images=[one for one in entries if not one.label],
                sets=sets,
                version=VERSION,
            )
            path.write_bytes(msgspec.json.format(msgspec.json.encode(content)))
            return writer.losses()
        return [*write_rows(path, writer.rows(dataset.images)), *writer.losses()]


class _Reader:
    """What readers of both kinds of label files share: records, and what is declared of sets."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._options = options
        self._result = Dataset(options.base or path.parent)
        self._labels: dict[str, dict[str, None]] = {}  # of each set, in order of appearance
        self._first: dict[_Key, str] = {}  # label of an image or box
        self._several: set[str] = set()  # sets of which an image or box has several labels
        self._parts: dict[str, Part | None] = {"": None}

    def _part(self, written: str) -> Part | None:
        if written not in self._parts:
            given = self._options.parts
            part = self._parts[written] = self._result.part_named(written, given)
            understood = part is not None or is_unclear(written) or written.strip().lower() in given
            if written.strip() and not understood:
                remark = Message("“{word}” is not a part of a split; it is ignored.", word=written)
                self._result.remarks.append(remark)
        return self._parts[written]

    def _count(self, label: GivenLabel, image: str, box: tuple[float, ...]) -> None:
        if self._first.setdefault((label.set, image, box), label.label) != label.label:
            self._several.add(label.set)

    def _given(
        self, name: str, label: str, author: str, sure: float, annotator: str
    ) -> tuple[GivenLabel, ...]:  # fmt: skip
        """The label of a row, or none. Raises ValueError with a Message."""
        if not label.strip():
            if name.strip():
                raise ValueError(Message("the label is missing"))
            return ()
        self._labels.setdefault(name, {})[label] = None
        known = author.strip().lower()
        return (GivenLabel(name, label, known if known in _AUTHORS else "", sure, annotator),)

    def _finished(self, declared: Mapping[str, _Declaration]) -> Dataset:
        """The dataset, its sets as declared, else as they are used."""
        sets = {
            name: DeclaredSet(tuple(labels), name not in self._several)
            for name, labels in self._labels.items()
        }
        for name, one in declared.items():
            used = sets.get(name, DeclaredSet()).labels
            exclusive = one.exclusive and name not in self._several
            sets[name] = DeclaredSet(tuple(dict.fromkeys((*one.labels, *used))), exclusive)
        self._result.sets = sets
        return self._result


class _TableReader(_Reader):
    """Reads label files in CSV, TSV and Excel."""

    def read(self) -> Reading:
        """Read the rows. Raises KnownError naming a column that is missing."""
        table = open_table(self._path, self._options.encoding)
        result = self._result
        result.encoding, result.guessed = table.encoding, table.guessed
        result.rejected = table.rejected
        pick = _columns(table, self._options.path_column)
        for at, (line, cells) in enumerate(table):
            if at % HEARTBEAT == 0:
                yield
            try:
                result.images.append(self._record(line, pick([*cells, ""])))
            except ValueError as error:
                table.reject(line, reason_of(error))
        result.remarks += table.remarks
        return self._finished({})

    def __init__(self, path: Path, options: ReadOptions) -> None:
        """Prepare to read `path`."""
        super().__init__(path, options)
        self._known: dict[tuple[str, ...], tuple[GivenLabel, ...]] = {}  # by their cells

    def _record(self, line: int, cells: Sequence[str]) -> ImageRecord:
        path, digest, *label, part, left, top, right, bottom = cells
        labels = self._label(tuple(label))
        path, digest = unguarded(shown_in(path)).strip(), digest.strip()
        if not path and not digest:
            raise ValueError(Message("the line has neither a path nor a hash"))
        box = None
        if left or top or right or bottom:
            box = box_of((left, top, right, bottom))
        if labels:
            self._count(labels[0], digest or path, box or ())
        return ImageRecord(
            image_path(path, self._result.base) if path else "",
            () if box else labels,
            self._part(part),
            (Region(box, labels),) if box else (),
            line,
            hash=digest,
        )

    def _label(self, cells: tuple[str, ...]) -> tuple[GivenLabel, ...]:
        if (found := self._known.get(cells)) is not None:
            return found
        name, label, author, sure, annotator = cells
        found = self._given(
            unguarded(shown_in(name)),
            unguarded(shown_in(label)),
            author,
            confidence_of(sure),
            unguarded(shown_in(annotator)),
        )
        self._known[cells] = found
        return found


def _columns(table: TableRows, path_column: str) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """What picks the cells of path, hash, label, part and box of a row with an empty cell added.

    Raises KnownError naming a column that is missing.
    """
    header = [plain_name(name) for name in table.header]
    for name in ("set", "label"):
        if name not in header:
            raise _missing(table, name)
    known = [name for name in (plain_name(path_column), *PATH_NAMES) if name and name in header]
    if not known and "hash" not in header:
        raise _missing(table, "path")
    path = known[0] if known else "path"
    wanted = (path, "hash", "set", "label", "author", "confidence", ANNOTATOR, "part", *BOX_COLUMNS)
    places = [header.index(name) if name in header else len(header) for name in wanted]
    return itemgetter(*places)


def _missing(table: TableRows, name: str) -> KnownError:
    return KnownError(
        "{path} has no column {name}.",
        "Expected columns: {columns}.",
        path=table.path,
        name=name,
        columns=", ".join(COLUMNS),
    )


class _JsonReader(_Reader):
    """Reads label files in JSON."""

    def read(self) -> Reading:
        """Read the entries. Raises KnownError if none is a label."""
        text = decoded(self._path, read_regular(self._path), self._options.encoding)
        self._result.encoding, self._result.guessed = text.encoding, text.guessed
        labels, images, sets = self._content(text.content)
        for number, entry in enumerate((*labels, *images), start=1):
            if number % HEARTBEAT == 0:
                yield
            try:
                self._result.images.append(self._record(number, _checked(entry)))
            except ValueError as error:
                place = place_in(self._path.name, number)
                self._result.rejected.append(SkippedFile(place, reason_of(error)))
        if self._result.rejected and not self._result.images:
            raise self._refused(self._result.rejected[0].reason)
        return self._finished(sets)

    def _content(
        self, text: str
    ) -> tuple[Sequence[Any], Sequence[Any], Mapping[str, _Declaration]]:
        """The labels, images and sets of the file; entries are values of JSON where one of them is
        not as it should be."""
        data: bytes = text.encode()
        try:
            found = msgspec.json.decode(data, type=_Content)
        except (msgspec.DecodeError, RecursionError):
            return self._plain_content(text)
        self._check_version(found.version)
        return found.labels, found.images, found.sets

    def _plain_content(self, text: str) -> tuple[Sequence[Any], Sequence[Any], dict[str, Any]]:
        try:
            content = json.loads(text)  # also NaN, which other programs write
        except json.JSONDecodeError as error:
            raise self._refused(Message("line {n} is no valid JSON", n=error.lineno)) from error
        except RecursionError as error:
            raise self._refused(Message("its JSON is nested too deeply")) from error
        if not isinstance(content, dict) or not isinstance(content.get("labels"), list):
            raise self._refused(Message("it has no list “labels”"))
        self._check_version(content.get("version"))
        images = content.get("images")
        try:
            sets = msgspec.convert(content.get("sets", {}), dict[str, _Declaration])
        except msgspec.ValidationError:
            sets = {}
        return content["labels"], images if isinstance(images, list) else [], sets

    def _check_version(self, version: int | None) -> None:
        if isinstance(version, int) and version > VERSION:
            raise KnownError(
                "{path} was written by a newer version of Vantage Workbench.",
                "Update this program to import it.",
                path=self._path,
            )

    def _refused(self, reason: str) -> KnownError:
        return KnownError("{path} is not a label file: {reason}.", path=self._path, reason=reason)

    def _record(self, number: int, entry: _LabelEntry) -> ImageRecord:
        if not entry.path and not entry.hash:
            raise ValueError(Message("the entry has neither a path nor a hash"))
        confidence_of(str(_whole(entry.confidence)))
        box = None if entry.box is None else box_of(list(map(str, entry.box)))
        labels = self._given(
            entry.set, entry.label, entry.author, entry.confidence, entry.annotator
        )
        if labels:
            self._count(labels[0], entry.hash or entry.path, box or ())
        return ImageRecord(
            image_path(entry.path, self._result.base),
            () if box else labels,
            self._part(entry.part),
            (Region(box, labels, entry.points),) if box else (),
            number,
            hash=entry.hash,
        )


_TEXTS = ("path", "hash", "set", "label", "author", "annotator", "part")


def _checked(entry: Any) -> _LabelEntry:
    """An entry, of a value of JSON if it is not one yet. Raises ValueError with a Message."""
    if isinstance(entry, _LabelEntry):
        return entry
    if not isinstance(entry, dict):
        raise ValueError(Message("the entry is not an object with a path and a label"))
    for name in _TEXTS:
        value = entry.get(name, "")
        if not isinstance(value, str) or not _is_unicode(value):
            raise ValueError(Message("“{name}” is not a text", name=name))
    plain = {name: value for name, value in entry.items() if name in _LabelEntry.__struct_fields__}
    plain |= {"path": entry.get("path", "")}
    plain |= {"confidence": confidence_of(str(entry.get("confidence", 1.0)))}
    try:
        return msgspec.convert(plain, _LabelEntry)
    except msgspec.ValidationError as error:
        reason = Message("a box needs four numbers: its sides, or a corner and its size")
        raise ValueError(reason) from error


def _is_unicode(text: str) -> bool:
    """Whether a text has no half of a character, which JSON can have."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


@dataclass
class _LabelFileWriter:
    """Rows and entries of a written label file, and what they cannot describe."""

    boxes_lost: int = 0
    points_lost: int = field(default=0)

    def entries(self, images: Iterable[ImageRecord]) -> Iterator[_LabelEntry]:
        """The entries of images, one for each label, and for each image or box without labels."""
        for image, label, region in self._labelled(images):
            yield _LabelEntry(
                path=image.path,
                hash=image.hash,
                set=label.set,
                label=label.label,
                author=label.author,
                confidence=label.confidence,
                annotator=label.annotator,
                part=image.part or "",
                box=region.box if region else None,
                points=region.points if region else (),
            )

    def rows(self, images: Sequence[ImageRecord]) -> Iterator[Sequence[Cell]]:
        """The header, and a row for each entry."""
        named = any(
            label.annotator
            for image in images
            for label in (*image.labels, *(one for each in image.regions for one in each.labels))
        )
        yield (*COLUMNS, *BOX_COLUMNS, *((ANNOTATOR,) * named))
        for image, label, region in self._labelled(images):
            row: list[Cell] = [
                image.path,
                image.hash,
                label.set,
                label.label,
                label.author,
                label.confidence,
                image.part or "",
            ]
            row += map(_whole, region.box) if region else _NO_BOX
            if named:
                row.append(label.annotator)
            yield row
            self.points_lost += region is not None and bool(region.points)

    def _labelled(
        self, images: Iterable[ImageRecord]
    ) -> Iterator[tuple[ImageRecord, GivenLabel, Region | None]]:
        """Each label of an image, and of a box in pixels; no label of those without any."""
        for image in images:
            for label in image.labels or (() if image.regions else (_NO_LABEL,)):
                yield image, label, None
            for region in image.regions:
                if (placed := in_pixels(image, region)) is None:
                    self.boxes_lost += 1
                    continue
                for label in placed.labels or (_NO_LABEL,):
                    yield image, label, placed

    def losses(self) -> list[Message]:
        """What was not written."""
        found = [boxes_without_size(self.boxes_lost)] if self.boxes_lost else []
        if self.points_lost:
            found.append(Message("Landmarks are not written; label files in JSON have them."))
        return found


_NO_LABEL = GivenLabel("", "")
_NO_BOX = ("",) * len(BOX_COLUMNS)


def _whole(value: float) -> float | int:
    """A number without a fraction of zero, as boxes are in files of earlier versions."""
    return int(value) if float(value).is_integer() else value


FORMATS.register(LabelFileFormat())
