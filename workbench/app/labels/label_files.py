"""Label files: export of all labels of a project, and their import by image."""

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
from workbench.domain.errors import KnownError, ValueRefused, reason_of
from workbench.domain.formats import FORMATS, JSON, FileKind, Format, endings, enumerated
from workbench.domain.geometry import Rect
from workbench.domain.images import SkippedFile
from workbench.domain.label_names import sets_and_labels
from workbench.domain.labels import Author, LabelSet, Subject
from workbench.domain.text import Message
from workbench.files import read_regular, replacing, writing

VERSION = 1
BATCH = 20_000  # images looked up together
FROM_FILE = "file"  # detector of a crop that was created by a label file


class LabelRow(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One label of one image or crop in a file.

    `part` is the image's part of the split at export; `box` is the crop's left, top, right and
    bottom in displayed pixels, or None for a label of the whole image.
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
    """A label file in JSON."""

    labels: list[LabelRow]
    version: int = VERSION


COLUMNS = ("path", "hash", "set", "label", "author", "confidence", "part")
BOX_COLUMNS = ("left", "top", "right", "bottom")
AS_WRITTEN = ("set", "label")  # not stripped: spaces may be part of the name


@dataclass
class LabelImport:
    """Result of an import of labels: `rows` read, rows that are now current (`labelled`), labels
    by hand that were kept instead (`kept`), and `unmatched` rows with the reason."""

    rows: int = 0
    labelled: int = 0
    kept: int = 0
    unmatched: list[SkippedFile] = field(default_factory=list)


def export_labels(session: Session, file: Path) -> int:
    """Export all labels to `file` in the format of its extension; return their number.

    The file is replaced when complete. Raises ValueRefused for a format without labels, KnownError
    if it cannot be written.
    """
    codec = _codec(file, FORMATS.written_as(FileKind.LABELS))
    rows = _rows_of(session)
    with writing(file), replacing(file) as part:
        codec.write(part, rows)
    return len(rows)


def import_labels(session: Session, file: Path) -> LabelImport:
    """Import the labels of a file such as `export_labels` writes, as one undoable edit.

    Images are matched by hash, else by path, or by the end of the path if it is unique. Missing
    sets and labels are added; labels by hand are not replaced; crops are matched by rectangle, or
    created. Raises KnownError or ValueRefused if the file is not a label file.
    """
    rows = _codec(file, FORMATS.read_as(FileKind.LABELS)).read(file)
    result = LabelImport(rows=len(rows))
    matched = _Images(session).matched(_resolved(session, rows), result)
    with session.edit(Message("Import labels from {name}", name=file.name)):
        _add_labels(session, matched)
        _assign(session, matched, result)
    return result


def _rows_of(session: Session) -> list[LabelRow]:
    rows: list[LabelRow] = []
    current = session.store.labels.current()
    for at in range(0, len(current), BATCH):
        batch = current[at : at + BATCH]
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
    """Reader and writer of label files in one format.

    `read` raises KnownError naming the file, `write` OSError.
    """

    read: Callable[[Path], list[LabelRow]]
    write: Callable[[Path, Sequence[LabelRow]], None]


def _codec(file: Path, possible: Sequence[Format]) -> LabelCodec:
    """Codec of a file. Raises ValueRefused if its format is not a `possible` one."""
    format = FORMATS.of(file)
    if format is None or format not in possible:
        allowed = Message("a name that ends in {endings}", endings=endings(possible))
        sentence = Message("{path} is not a label file.", path=file)
        raise ValueRefused(Message("file"), str(file), allowed, sentence)
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
        raise KnownError("{path} is not a label file: {error}.", path=file, error=error) from error
    if found.version > VERSION:
        raise KnownError(
            "{path} was written by a newer version of Vantage Workbench.",
            "Update this program to import it.",
            path=file,
        )
    return found.labels


def _read_table(file: Path) -> list[LabelRow]:
    rows = table_rows(file)
    header = [cell.strip().lower() for cell in next(rows, (0, []))[1]]
    for name in ("set", "label"):
        if name not in header:
            raise KnownError(
                "{path} has no column {name}.",
                "Expected columns: {columns}.",
                path=file,
                name=name,
                columns=", ".join(COLUMNS),
            )
    found = []
    for number, cells in rows:
        values = {k: v for k, v in zip(header, cells, strict=False) if v.strip()}
        try:
            found.append(_table_row(values))
        except ValueError as error:  # msgspec.ValidationError is one
            raise KnownError(
                "{path}, line {line}: {error}.", path=file, line=number, error=reason_of(error)
            ) from error
    return found


def _table_row(values: dict[str, str]) -> LabelRow:
    plain = {name: values[name].strip() for name in COLUMNS if name in values}
    plain |= {name: values[name] for name in AS_WRITTEN if name in values}
    box = tuple(int(values[name]) for name in BOX_COLUMNS if name in values)
    if box and len(box) != len(BOX_COLUMNS):
        raise ValueError(Message("a crop needs {columns}", columns=enumerated(BOX_COLUMNS)))
    return msgspec.convert({"path": "", **plain, "box": box or None}, LabelRow, strict=False)


# Codecs of formats without a delimiter.
LABEL_CODECS = {JSON: LabelCodec(_read_json, _write_json)}


def _resolved(session: Session, rows: Sequence[LabelRow]) -> list[LabelRow]:
    """The rows with the project's names of their sets and labels, or new ones."""
    known = {name: label_set.names for name, label_set in session.store.labels.sets().items()}
    found = sets_and_labels(known, [(row.set, row.label) for row in rows])
    return [
        msgspec.structs.replace(row, set=label_set, label=label)
        for row, (label_set, label) in zip(rows, found, strict=True)
    ]


class _Images:
    """Index of the project's images by hash, path and end of the path."""

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
        """Rows with the ids of their images; others are added to `result.unmatched`."""
        found = []
        for number, row in enumerate(rows, start=1):
            image = self._by_hash.get(row.hash) or self._by_its_path(row.path)
            if image is not None:
                found.append((row, image))
            else:
                name = row.path or row.hash or Message("row {number}", number=number)
                reason = Message("not an image of this project")
                result.unmatched.append(SkippedFile(name, reason))
        return found

    def _by_its_path(self, path: str) -> int | None:
        clean = path.replace("\\", "/").removeprefix("./")
        if clean in self._by_path:
            return self._by_path[clean]
        alike = self._by_name.get(clean.rsplit("/", 1)[-1], [])
        ending = [image for full, image in alike if full.endswith("/" + clean)]
        return ending[0] if len(ending) == 1 else None


def _add_labels(session: Session, rows: Sequence[tuple[LabelRow, int]]) -> None:
    """Add missing sets and labels.

    The labels of a new set exclude each other unless an image or crop in the file has several.
    """
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
        before = known.get(name, LabelSet(name, (), subject, name not in several))
        new = before.with_labels(tuple(labels))
        if new != known.get(name):
            session.store.labels.save_set(new)


def _assign(session: Session, rows: Sequence[tuple[LabelRow, int]], result: LabelImport) -> None:
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
        _count(labels.of_images(ids, name), ids, label, result)
    for (name, label, author, confidence), ids in to_crops.items():
        labels.assign_crops(ids, name, label, author, confidence)
        _count(labels.of_crops(ids, name), ids, label, result)


def _count(
    now: Mapping[int, Sequence[str]], ids: Sequence[int], label: str, result: LabelImport
) -> None:
    labelled = sum(label in now.get(one, ()) for one in ids)
    result.labelled += labelled
    result.kept += len(ids) - labelled


def _author(row: LabelRow) -> Author:
    """Author of an imported label: the model if it was one, else the import, so that labels by
    hand in this project take precedence."""
    return Author.MODEL if row.author == Author.MODEL.value else Author.IMPORT


def _crop_at(session: Session, image: int, rect: Rect) -> int:
    """Id of the crop of `image` at `rect`, created if there is none."""
    crops = session.store.crops.of_image(image)
    here = [(crop.rect.iou(rect), crop.id or 0) for crop in crops if crop.rect is not None]
    best = max(here, default=(0.0, 0))
    if best[0] >= SAME_FACE_IOU:
        return best[1]
    return add_by_hand(session, image, rect, FROM_FILE).id or 0
