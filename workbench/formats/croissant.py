"""Croissant 1.0 by MLCommons: metadata in JSON-LD that describe CSV tables and folders.

`distribution` lists files and sets of files; `recordSet` has fields, each with the column of a
table, or a property of the files such as their path, that its values come from. The field with the
image is found by its type or name, `split` is the part of a split, and every other field is a label
set; `label` is the main one. Values of a table beside a set of files are found by the field that
`references` the names of these files.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from workbench.domain.datasets import (
    MAIN_SET,
    Carry,
    Dataset,
    GivenLabel,
    ImageRecord,
    declared,
)
from workbench.domain.errors import KnownError, parsing
from workbench.domain.part_words import Given, is_unclear, part_named
from workbench.domain.spreadsheets import FORMULA_PATTERN, FormulaGuard, unguarded
from workbench.domain.text import Message, counted, mark
from workbench.files import read_regular, regular_bytes, write_whole
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.csv_rows import KeyedRows, read_table
from workbench.formats.json_files import object_at, objects_in
from workbench.formats.published import (
    Heartbeats,
    files_below,
    is_image,
    labels_in,
    losses,
    reject,
    writable,
    writable_images,
)
from workbench.formats.text import matched

METADATA, TABLE = "croissant.json", "data.csv"
MARK = b"mlcommons.org/croissant"
MOST_METADATA = 1 << 26  # bytes
SEARCHED = 50  # files that are looked at to recognise a folder
PATH_COLUMN, PART_COLUMN, MAIN_COLUMN = "file_name", "split", "label"
PATH_NAMES = frozenset(
    {"file_name", "filename", "file", "path", "filepath", "file_path", "image", "image_path"}
)
PATH_PROPERTIES = ("content", "fullpath", "filepath", "filename")
# Other programs get the text without the apostrophe that keeps spreadsheets from running it.
_UNGUARDING = rf"(?s)'({FORMULA_PATTERN}.*)"
_TERMS = (  # of Croissant, beside those with types below
    "citeAs column equivalentProperty extract field fileObject fileProperty fileSet format includes"
    " isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace"
    " samplingRate separator source subField transform"
)
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}


class Croissant(DatasetFormat):
    """Folders with Croissant metadata, and CSV tables or images that it describes."""

    name = "croissant"
    title = mark("Croissant")
    about = mark(
        "A folder with the metadata of MLCommons Croissant and the CSV tables or images that it"
        " describes; its fields are label sets."
    )
    carries = frozenset({Carry.LABELS, Carry.LABEL_SETS, Carry.PARTS})

    def recognises(self, path: Path) -> bool:
        return _metadata_file(path) is not None

    def read(self, path: Path, options: ReadOptions) -> Reading:
        file = _metadata_file(path)
        if file is None:
            raise KnownError(
                "{path} has no metadata of Croissant.", mark("Choose another folder."), path=path
            )
        dataset = Dataset(options.base or file.parent, encoding=options.encoding)
        package = _Package.of(file)
        names: dict[str, None] = {}
        unused = 0
        for record_set in package.record_sets:
            fields = _fields_of(record_set)
            if image := _image_field(fields):
                rows = _RecordRows(dataset, fields, image, options.parts)
                yield from _read_records(package, record_set, rows)
                names |= dict.fromkeys(rows.sets)
            else:
                unused += 1
        if unused:
            dataset.remarks.append(
                counted(
                    unused,
                    "{n:,} record set has no field with images.",
                    "{n:,} record sets have no field with images.",
                )
            )
        dataset.sets = declared(dataset.images, names)
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = writable_images(dataset, messages)
        used = declared(images, dataset.sets)
        taken = {PATH_COLUMN, PART_COLUMN, *((MAIN_COLUMN,) * (MAIN_SET in used))}
        sets = [name for name in used if name not in taken]
        guard = FormulaGuard()
        table, guarded = _table(images, sets, guard)
        path.mkdir(parents=True, exist_ok=True)
        write_whole(path / TABLE, table)
        text = msgspec.json.format(msgspec.json.encode(_metadata(table, guarded)), indent=2)
        write_whole(path / METADATA, text)
        return [*messages, *guard.notes(), *losses(images, self.carries, sets)]


# metadata


@dataclass(frozen=True)
class _Package:
    """The metadata in a file, in the folder with what it describes."""

    file: Path
    distribution: Mapping[str, Mapping[str, Any]]  # files and sets of files by identifier
    record_sets: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, file: Path) -> _Package:
        """Read a file with metadata. Raises KnownError."""
        data = read_regular(file, most=MOST_METADATA)
        with parsing(file):
            content: Any = msgspec.json.decode(data)
            if not isinstance(content, dict):
                raise ValueError(Message("it is not metadata of Croissant"))
            files = objects_in(content.get("distribution"))
            record_sets = objects_in(content.get("recordSet"))
        return cls(file, {_identifier(one): one for one in files}, record_sets)

    def table(self, identifier: str) -> Path:
        """The table that a file of the distribution is. Raises ValueError if it cannot be read, or
        is not here: it may be at an address, but have been downloaded."""
        entry = self.distribution.get(identifier, {})
        url = str(entry.get("contentUrl", ""))
        places = [url.rpartition("/")[2]] if "://" in url else [url]
        places += [str(entry.get("name", "")), identifier]
        tables = [one for one in places if one.lower().endswith(".csv") and writable(one)]
        for place in tables:
            if (self.file.parent / place).is_file():
                return self.file.parent / place
        if not tables:
            raise ValueError(Message("“{name}” is not a CSV table", name=identifier))
        raise ValueError(Message("“{name}” does not exist", name=tables[0]))

    def patterns(self, identifier: str) -> list[str]:
        """The patterns of the paths of a set of files."""
        includes = self.distribution.get(identifier, {}).get("includes", "*")
        return [str(one) for one in (includes if isinstance(includes, list) else [includes])]


@dataclass(frozen=True)
class _Field:
    """A field: its name and types, the file or set of files (`origin`) that its values come from,
    their column or property, and a pattern whose first group is the value. `reference` is another
    field whose values are the same."""

    identifier: str
    name: str
    types: tuple[str, ...] = ()
    origin: str = ""
    column: str = ""
    file_property: str = ""
    pattern: str = ""
    reference: _Field | None = None

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> _Field:
        """A field as the metadata describe it."""
        identifier = _identifier(entry)
        name = str(entry.get("name") or identifier.rpartition("/")[2])
        types = entry.get("dataType", ())
        types = tuple(map(str, types)) if isinstance(types, list) else (str(types),)
        other = object_at(entry, "references")
        other = object_at(other, "field") or other
        reference = cls(_identifier(other), "", (), *_source(other))
        return cls(identifier, name, types, *_source(object_at(entry, "source")), reference)

    @property
    def label_set(self) -> str:
        """The label set of its values."""
        return MAIN_SET if self.name == MAIN_COLUMN else self.name

    def joins(self, images: str) -> list[tuple[_Field, _Field]]:
        """A field of another origin, and one of `images` with the same values, if there are any."""
        other = self.reference or self
        pairs = ((self, other), (other, self)) if images else ()
        return [(a, b) for a, b in pairs if a.origin not in ("", images) and b.origin == images]

    def value_of(self, path: str) -> str:
        """Its value for a file. Raises ValueError for a pattern that is not used."""
        text = PurePosixPath(path).name if self.file_property == "filename" else path
        return matched(self.pattern, text) if self.pattern else text

    def cell_of(self, cells: Mapping[str, str]) -> str:
        """Its value in a row of a table. Raises ValueError for a pattern that is not used."""
        text = unguarded(cells.get(unguarded(self.column), ""))
        own = self.pattern in ("", _UNGUARDING)
        return text if own else matched(self.pattern, text) or text


def _fields_of(record_set: Mapping[str, Any]) -> list[_Field]:
    """The fields of a record set; those that a reference names are in its place."""
    fields = [_Field.of(one) for one in objects_in(record_set.get("field"))]
    known = {one.identifier: one for one in fields}
    names = {one: one.reference.identifier for one in fields if one.reference}
    return [replace(one, reference=known.get(names.get(one, ""), one.reference)) for one in fields]


def _source(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Origin, column, property of files and pattern of a source or reference."""
    extract = object_at(entry, "extract")
    origin = entry.get("fileObject") or entry.get("fileSet") or ""
    transform = next(iter(objects_in(entry.get("transform"))), {})
    return (
        _identifier(origin) if isinstance(origin, dict) else str(origin),
        str(extract.get("column", "")),
        str(extract.get("fileProperty", "")),
        str(transform.get("regex", "")),
    )


def _identifier(entry: Mapping[str, Any]) -> str:
    return str(entry.get("@id") or entry.get("name") or "")


def _metadata_file(path: Path) -> Path | None:
    """The file with metadata in a folder, or at `path` itself; None if there is none."""
    if path.is_file():
        return path if path.suffix.lower() == ".json" and _has_mark(path) else None
    try:
        found = sorted(path.glob("*.json")) if path.is_dir() else []
    except OSError:
        return None
    named = [path / METADATA, path / "metadata.json"]
    files = [*(one for one in named if one in found), *(one for one in found if one not in named)]
    return next((file for file in islice(files, SEARCHED) if _has_mark(file)), None)


def _has_mark(file: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return MARK in regular_bytes(file, 1 << 16)
    return False


# records


def _image_field(fields: Sequence[_Field]) -> _Field | None:
    """The field with the images, by its type or else by its name."""
    typed = (one for one in fields if any(name.endswith("ImageObject") for name in one.types))
    named = (one for one in fields if one.name.lower() in PATH_NAMES)
    return next(typed, None) or next(named, None)


class _JoinedTable(KeyedRows):
    """A table whose rows belong to an image if `key` is the value that `other` has for it."""

    def __init__(self, name: str, key: _Field, other: _Field) -> None:
        super().__init__(name)
        self.key, self.other = key, other

    def add_cells(self, line: int, cells: dict[str, str]) -> None:
        """Add a row. Raises ValueError for a pattern that is not used."""
        self.add(self.key.cell_of(cells), line, cells)


class _RecordRows:
    """Adds records to a dataset. `image` is the field with the image."""

    def __init__(
        self, dataset: Dataset, fields: Sequence[_Field], image: _Field, parts: Given
    ) -> None:
        self.dataset, self._parts = dataset, parts
        self.image = image
        pairs = [pair for one in fields for pair in one.joins(image.origin)]
        self.joins = {pair[0].origin: pair for pair in pairs}
        # What names files is no label: the keys of joins, and paths as they are.
        keys = {one for pair in pairs for one in pair if pair[1].file_property or one is pair[0]}
        keys |= {image, *(one for one in fields if one.file_property and not one.pattern)}
        self.others = [one for one in fields if one not in keys]
        self._tables: dict[str, _JoinedTable] = {}  # by origin
        self.file = ""

    @property
    def sets(self) -> list[str]:
        """Label sets of the fields."""
        return [one.label_set for one in self.others if one.name != PART_COLUMN]

    def _means_part(self, text: str) -> bool:
        return bool(part_named(text)) or is_unclear(text) or text.lower() in self._parts

    def read_joined(self, package: _Package) -> Heartbeats:
        """Read the tables that are joined with the images, and leave out fields of others with a
        remark. Raises ValueError if a table is missing."""
        origins = {self.image.origin, *self.joins}
        for one in [one for one in self.others if one.origin not in origins]:
            self.others.remove(one)
            text = "“{field}” is not imported: no field joins {origin} with the images."
            remark = Message(text, field=one.name, origin=one.origin or one.identifier)
            self.dataset.remarks.append(remark)
        for origin in self.joins.keys() & {one.origin for one in self.others}:
            path = package.table(origin)
            table = self._tables[origin] = _JoinedTable(path.name, *self.joins[origin])
            yield from read_table(self.dataset, path, table.add_cells)

    def finish(self) -> None:
        """Report rows of joined tables that belong to no image."""
        for table in self._tables.values():
            self.dataset.remarks += table.unused()

    def add_cells(self, line: int, cells: Mapping[str, str]) -> None:
        """Add a row of a table. Raises ValueError if it has no image."""
        self._add_all(line, self.image.cell_of(cells), lambda one: one.cell_of(cells))

    def add_file(self, path: str) -> None:
        """Add a file. Raises ValueError for a pattern that is not used."""
        self._add_all(0, path, lambda one: one.value_of(path))

    def add_object(self, line: int, record: Mapping[str, Any]) -> None:
        """Add a record of the metadata itself. Raises ValueError if it has no image."""
        values = {
            one: str(record.get(one.identifier, record.get(one.name)) or "")
            for one in (*self.others, self.image)
        }
        self._add(line, values.pop(self.image), values)

    def _add_all(self, line: int, path: str, value_of: Callable[[_Field], str]) -> None:
        """Add a record, and one for each row of joined tables, so that all places are reported
        where they differ."""
        of_image = {one: value_of(one) for one in self.others if one.origin == self.image.origin}
        self._add(line, path, of_image)
        for origin, table in self._tables.items():
            for at, cells in table.use(value_of(table.other)):
                values = {one: one.cell_of(cells) for one in self.others if one.origin == origin}
                self._add(at, path, values, table.name)

    def _add(self, line: int, path: str, values: Mapping[_Field, str], file: str = "") -> None:
        if not path.strip():
            raise ValueError(Message("the row has no image"))
        labels, part = [], None
        for one, value in values.items():
            text = value.strip()
            if one.name == PART_COLUMN and self._means_part(text):
                part = self.dataset.part_named(text, self._parts)
            elif text:
                labels.append(GivenLabel(one.label_set, text))
        place, file = path.strip().replace("\\", "/"), file or self.file
        self.dataset.images.append(ImageRecord(place, tuple(labels), part, line=line, file=file))


def _read_records(package: _Package, entry: Mapping[str, Any], rows: _RecordRows) -> Heartbeats:
    """Read the records of a set; one that cannot be read is rejected with the reason."""
    rows.file = package.file.name
    try:
        if isinstance(entry.get("data"), list):
            yield from _read_objects(entry["data"], rows)
            return
        if not (rows.image.column or rows.image.file_property in PATH_PROPERTIES):
            raise ValueError(Message("“{name}” has no source", name=rows.image.identifier))
        yield from rows.read_joined(package)
        yield from (_read_table if rows.image.column else _read_files)(package, rows)
        rows.finish()
    except ValueError as error:
        reject(rows.dataset, package.file.name, 0, error)


def _read_table(package: _Package, rows: _RecordRows) -> Heartbeats:
    table = package.table(rows.image.origin)
    rows.file = table.name
    yield from read_table(rows.dataset, table, rows.add_cells)


def _read_objects(records: Sequence[Any], rows: _RecordRows) -> Heartbeats:
    for at, record in enumerate(records, 1):
        if at % 512 == 1:
            yield
        try:
            rows.add_object(at, record if isinstance(record, dict) else {})
        except ValueError as error:
            reject(rows.dataset, rows.file, at, error)


def _read_files(package: _Package, rows: _RecordRows) -> Heartbeats:
    patterns = package.patterns(rows.image.origin)
    names = yield from files_below(package.file.parent, rows.dataset.rejected)
    for name in names:
        texts = (name, PurePosixPath(name).name)
        if is_image(name) and any(fnmatchcase(text, one) for text in texts for one in patterns):
            rows.add_file(name)


# writing


def _table(
    images: Sequence[ImageRecord], sets: Sequence[str], guard: FormulaGuard
) -> tuple[bytes, dict[str, bool]]:
    """The CSV table with the images, their parts and labels; and its columns, with whether `guard`
    has changed cells of them."""
    columns = [PATH_COLUMN, PART_COLUMN, *(name or MAIN_COLUMN for name in sets)]
    head = guard.cells(columns)
    changed = [False] * len(columns)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(head)
    for image in images:
        labels = (next(iter(labels_in(image.labels, name)), "") for name in sets)
        row = [image.path, image.part or "", *labels]
        safe = guard.cells(row)
        changed = [
            was or one is not cell for was, one, cell in zip(changed, row, safe, strict=True)
        ]
        writer.writerow(safe)
    return text.getvalue().encode(), dict(zip(head, changed, strict=True))


def _metadata(table: bytes, columns: Mapping[str, bool]) -> dict[str, Any]:
    """The metadata of the table."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "images",
        "description": "Images with labels",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": TABLE,
                "name": TABLE,
                "contentUrl": TABLE,
                "encodingFormat": "text/csv",
                "sha256": hashlib.sha256(table).hexdigest(),
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "images",
                "name": "images",
                "field": list(_fields(columns)),
            }
        ],
    }


def _fields(columns: Mapping[str, bool]) -> Iterator[dict[str, Any]]:
    for at, (column, changed) in enumerate(columns.items()):
        source: dict[str, Any] = {"fileObject": {"@id": TABLE}, "extract": {"column": column}}
        if changed:
            source["transform"] = {"regex": _UNGUARDING}
        plain = re.sub(r"[^\w.-]", "_", column, flags=re.ASCII)
        identifier = plain if plain == column else f"{plain}-{at}"
        yield {
            "@type": "cr:Field",
            "@id": f"images/{identifier}",
            "name": unguarded(column),
            "dataType": "sc:Text",
            "source": source,
        }


FORMATS.register(Croissant())
