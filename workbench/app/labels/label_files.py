"""Label files: all labels of a project written to a file, and imported again by image."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from workbench.app.labels.label_lists import table_rows
from workbench.app.mouths.cropping import add_by_hand
from workbench.app.session import Session
from workbench.domain.crops import SAME_FACE_IOU
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.formats import FORMATS, JSON, FileKind, Format, endings
from workbench.domain.geometry import Rect
from workbench.domain.images import SkippedFile
from workbench.domain.label_names import sets_and_labels
from workbench.domain.labels import Author, LabelSet, Subject
from workbench.domain.text import Message
from workbench.files import read_regular, replacing, writing

VERSION = 1
BATCH = 20_000  # images looked up together
FROM_FILE = "file"  # the detector of a crop that a label file brought


class LabelRow(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One label of one image or crop, as a file holds it.

    `part` is where the image stands in the split when written; `box` is the crop's left, top,
    right and bottom in displayed pixels, or None for a label of the whole image.
    """

    path: str
    hash: str = ""
    set: str
    label: str
    author: str = Author.IMPORT.value
    confidence: float = 1.0
    part: str = ""
    box: tuple[int, int, int, int] | None = None


class LabelFile(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON form."""

    labels: list[LabelRow]
    version: int = VERSION


COLUMNS = ("path", "hash", "set", "label", "author", "confidence", "part")
BOX_COLUMNS = ("left", "top", "right", "bottom")
AS_WRITTEN = ("set", "label")  # spaces around them may be part of the name


@dataclass
class LabelImport:
    """What came of a label file: rows read, rows that stand now, labels of a person that were kept
    against the file, and rows that found no image, with the reason."""

    rows: int = 0
    labelled: int = 0
    kept: int = 0
    unmatched: list[SkippedFile] = field(default_factory=list)


def export_labels(session: Session, file: Path) -> int:
    """Write every label to `file` in the format of its ending, replacing it when whole; the number
    of labels. Raises ValueRefused for a format that holds none, KnownError when it cannot be."""
    codec = _codec(file, FORMATS.written_as(FileKind.LABELS))
    rows = _rows_of(session)
    with writing(file), replacing(file) as part:
        codec.write(part, rows)
    return len(rows)


def import_labels(session: Session, file: Path) -> LabelImport:
    """Take in the labels of a file that `export_labels` wrote, or one like it: one undoable edit.

    An image is known by its hash, else by its path (or the end of it, where that is one image's
    alone). Missing sets and labels are added; a label of a person stands against the file's; a crop
    is known by its rectangle, and made where there is none. Raises KnownError or ValueRefused when
    the file is no label file.
    """
    rows = _codec(file, FORMATS.read_as(FileKind.LABELS)).read(file)
    result = LabelImport(rows=len(rows))
    matched = _Images(session).matched(_meant(session, rows), result)
    with session.edit(Message("Import labels from {name}", name=file.name)):
        _add_labels(session, matched)
        _give(session, matched, result)
    return result


def _rows_of(session: Session) -> list[LabelRow]:
    rows: list[LabelRow] = []
    standing = session.store.labels.standing()
    for at in range(0, len(standing), BATCH):
        batch = standing[at : at + BATCH]
        images = {row.id: row for row in session.store.images.rows({one.image for one in batch})}
        wanted = [one.crop for one in batch if one.crop is not None]
        crops = {crop.id: crop for crop in session.store.crops.get(wanted)}
        for one in batch:
            image, crop = images[one.image], crops.get(one.crop)
            rows.append(
                LabelRow(
                    path=image.path,
                    hash=image.hash,
                    set=one.label_set,
                    label=one.label,
                    author=one.author.value,
                    confidence=one.confidence,
                    part=image.part,
                    box=crop.rect.as_tuple() if crop is not None and crop.rect else None,
                )
            )
    return rows


class LabelCodec(NamedTuple):
    """How the rows of a label file are read and written in one format. `read` raises KnownError
    naming the file, `write` OSError."""

    read: Callable[[Path], list[LabelRow]]
    write: Callable[[Path, Sequence[LabelRow]], None]


def _codec(file: Path, possible: Sequence[Format]) -> LabelCodec:
    """How `file` is read or written; raises ValueRefused where its format is not a `possible`
    one."""
    format = FORMATS.of(file)
    if format is None or format not in possible:
        raise ValueRefused("file", str(file), f"a name that ends in {endings(possible)}")
    return LABEL_CODECS.get(format) or LabelCodec(_read_table, partial(_write_table, format))


def _write_json(path: Path, rows: Sequence[LabelRow]) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(LabelFile(labels=list(rows)))))


def _write_table(format: Format, path: Path, rows: Sequence[LabelRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=format.delimiter)
        writer.writerow((*COLUMNS, *BOX_COLUMNS))
        for row in rows:
            plain = [getattr(row, name) for name in COLUMNS]
            writer.writerow([*plain, *(row.box or ("",) * len(BOX_COLUMNS))])


def _read_json(file: Path) -> list[LabelRow]:
    try:
        found = msgspec.json.decode(read_regular(file), type=LabelFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KnownError("{file} is not a label file: {error}.", file=file, error=error) from error
    if found.version > VERSION:
        raise KnownError("{file} was written by a newer program.", "Use that program.", file=file)
    return found.labels


def _read_table(file: Path) -> list[LabelRow]:
    rows = table_rows(file)
    header = [cell.strip().lower() for cell in next(rows, (0, []))[1]]
    for name in ("set", "label"):
        if name not in header:
            raise KnownError(
                "{file} has no column {name}.",
                "Wanted: {columns}.",
                file=file,
                name=name,
                columns=", ".join(COLUMNS),
            )
    found = []
    for number, cells in rows:
        values = {k: v for k, v in zip(header, cells, strict=False) if v.strip()}
        try:
            found.append(_table_row(values))
        except (ValueError, msgspec.ValidationError) as error:
            raise KnownError(
                "{file}, line {number}: {error}.", file=file, number=number, error=error
            ) from error
    return found


def _table_row(values: dict[str, str]) -> LabelRow:
    plain = {name: values[name].strip() for name in COLUMNS if name in values}
    plain |= {name: values[name] for name in AS_WRITTEN if name in values}
    box = tuple(int(values[name]) for name in BOX_COLUMNS if name in values)
    if box and len(box) != len(BOX_COLUMNS):
        raise ValueError(f"a crop needs {', '.join(BOX_COLUMNS)}")
    return msgspec.convert({"path": "", **plain, "box": box or None}, LabelRow, strict=False)


# Formats whose label files have no delimiter.
LABEL_CODECS = {JSON: LabelCodec(_read_json, _write_json)}


def _meant(session: Session, rows: Sequence[LabelRow]) -> list[LabelRow]:
    """The rows with the sets and labels of the project that they mean, or new ones."""
    known = {name: label_set.names for name, label_set in session.store.labels.sets().items()}
    meant = sets_and_labels(known, [(row.set, row.label) for row in rows])
    return [
        msgspec.structs.replace(row, set=label_set, label=label)
        for row, (label_set, label) in zip(rows, meant, strict=True)
    ]


class _Images:
    """The project's images by hash, by path, and by the end of the path."""

    def __init__(self, session: Session) -> None:
        self._by_hash: dict[str, int] = {}
        self._by_path: dict[str, int] = {}
        self._by_name: dict[str, list[tuple[str, int]]] = {}
        ids = session.store.images.ids()
        for at in range(0, len(ids), BATCH):
            for row in session.store.images.rows(ids[at : at + BATCH]):
                path = row.path.replace("\\", "/")
                self._by_hash[row.hash] = row.id
                self._by_path[path] = row.id
                self._by_name.setdefault(row.name, []).append((path, row.id))

    def matched(
        self, rows: Sequence[LabelRow], result: LabelImport
    ) -> list[tuple[LabelRow, int]]:  # fmt: skip
        """Rows with the ids of their images; the others are listed in `result`."""
        found = []
        for number, row in enumerate(rows, start=1):
            image = self._by_hash.get(row.hash) or self._by_its_path(row.path)
            if image is not None:
                found.append((row, image))
            else:
                what = row.path or row.hash or f"row {number}"
                result.unmatched.append(SkippedFile(what, "no such image in this project"))
        return found

    def _by_its_path(self, path: str) -> int | None:
        clean = path.replace("\\", "/").removeprefix("./")
        if clean in self._by_path:
            return self._by_path[clean]
        alike = self._by_name.get(clean.rsplit("/", 1)[-1], [])
        ending = [image for full, image in alike if full.endswith("/" + clean)]
        return ending[0] if len(ending) == 1 else None


def _add_labels(session: Session, rows: Sequence[tuple[LabelRow, int]]) -> None:
    """Add the sets and labels the project lacks. The labels of a new set exclude each other, unless
    the file gives an image, or a crop, two of them."""
    wanted: dict[str, dict[str, None]] = {}
    crops: set[str] = set()
    given: dict[tuple[str, int, tuple[int, int, int, int] | None], set[str]] = {}
    for row, image in rows:
        wanted.setdefault(row.set, {})[row.label] = None
        given.setdefault((row.set, image, row.box), set()).add(row.label)
        if row.box:
            crops.add(row.set)
    several = {name for (name, _, _), labels in given.items() if len(labels) > 1}
    known = session.store.labels.sets()
    for name, labels in wanted.items():
        subject = Subject.CROP if name in crops else Subject.IMAGE
        former = known.get(name, LabelSet(name, (), subject, name not in several))
        new = former.with_labels(tuple(labels))
        if new != known.get(name):
            session.store.labels.save_set(new)


def _give(session: Session, rows: Sequence[tuple[LabelRow, int]], result: LabelImport) -> None:
    to_images: dict[tuple[str, str, Author, float], list[int]] = {}
    to_crops: dict[tuple[str, str, Author, float], list[int]] = {}
    for row, image in rows:
        key = (row.set, row.label, _author(row), row.confidence)
        if row.box is None:
            to_images.setdefault(key, []).append(image)
        else:
            crop = _crop_at(session, image, Rect(*row.box))
            to_crops.setdefault(key, []).append(crop)
    labels = session.store.labels
    for (name, label, author, confidence), ids in to_images.items():
        labels.assign(ids, name, label, author, confidence)
        _tally(labels.of_images(ids, name), ids, label, result)
    for (name, label, author, confidence), ids in to_crops.items():
        labels.assign_crops(ids, name, label, author, confidence)
        _tally(labels.of_crops(ids, name), ids, label, result)


def _tally(
    now: Mapping[int, Sequence[str]], ids: Sequence[int], label: str, result: LabelImport
) -> None:
    stands = sum(label in now.get(one, ()) for one in ids)
    result.labelled += stands
    result.kept += len(ids) - stands


def _author(row: LabelRow) -> Author:
    """A model's label stays one; a person's comes from a file now, and yields to a person here."""
    return Author.MODEL if row.author == Author.MODEL.value else Author.IMPORT


def _crop_at(session: Session, image: int, rect: Rect) -> int:
    """The crop of `image` at `rect`, made when there is none."""
    standing = session.store.crops.of_image(image)
    here = [(crop.rect.iou(rect), crop.id or 0) for crop in standing if crop.rect is not None]
    best = max(here, default=(0.0, 0))
    if best[0] >= SAME_FACE_IOU:
        return best[1]
    return add_by_hand(session, image, rect, FROM_FILE).id or 0
