"""Croissant 1.0 by MLCommons: metadata in JSON-LD that describe CSV tables and folders.

`distribution` lists files and sets of files; `recordSet` has fields, each with the column of a
table, or a property of the files such as their path, that its values come from. The field with the
image is found by its type or name, `split` is the part of a split, and every other field is a label
set; `label` is the main one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from workbench.formats.csv_rows import read_table
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

METADATA, TABLE = "croissant.json", "data.csv"
MARK = b"mlcommons.org/croissant"
MOST_METADATA = 1 << 26  # bytes
SEARCHED = 50  # files that are looked at to recognise a folder
PATH_COLUMN, PART_COLUMN, MAIN_COLUMN = "file_name", "split", "label"
PATH_NAMES = frozenset(
    {"file_name", "filename", "file", "path", "filepath", "file_path", "image", "image_path"}
)
PATH_PROPERTIES = ("content", "fullpath", "filepath", "filename")
# Patterns for which matching may take very long are not used: they come with the dataset.
_SLOW = re.compile(r"\)[*+{]|\\[1-9]|\(\?P?[=<!]")
_REPEATS = re.compile(r"[*+]|\{\d*,\}")
# Other programs get the text without the apostrophe that keeps spreadsheets from running it.
_UNGUARDING = rf"(?s)'({FORMULA_PATTERN}.*)"
MOST_REPEATS, MOST_PATTERN, MOST_PATH = 3, 200, 300
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
        dataset = Dataset(options.base or path, encoding=options.encoding)
        package = _Package.of(file)
        names: dict[str, None] = {}
        unused = 0
        for record_set in package.record_sets:
            fields = [_Field.of(one) for one in _listed(record_set.get("field"))]
            if image := _image_field(fields):
                rows = _RecordRows(dataset, fields, image, options.parts)
                names |= dict.fromkeys(rows.sets)
                yield from _read_records(package, record_set, rows)
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
        taken = {PATH_COLUMN, PART_COLUMN}
        used = declared(images, dataset.sets)
        taken |= {MAIN_COLUMN} if MAIN_SET in used else set()
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
            files = _listed(content.get("distribution"))
            record_sets = _listed(content.get("recordSet"))
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
        entry = self.distribution.get(identifier, {})
        includes = entry.get("includes", "*")
        return [str(one) for one in (includes if isinstance(includes, list) else [includes])]


@dataclass(frozen=True)
class _Field:
    """A field: its name and types, the file or set of files (`origin`) that its values come from,
    their column or property, and a pattern whose first group is the value."""

    identifier: str
    name: str
    types: tuple[str, ...] = ()
    origin: str = ""
    column: str = ""
    file_property: str = ""
    pattern: str = ""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> _Field:
        """A field as the metadata describe it."""
        identifier = _identifier(entry)
        name = str(entry.get("name") or identifier.rpartition("/")[2])
        types = entry.get("dataType", ())
        types = tuple(map(str, types)) if isinstance(types, list) else (str(types),)
        source = _entry(entry, "source")
        extract = _entry(source, "extract")
        origin = source.get("fileObject") or source.get("fileSet") or ""
        transform = next(iter(_listed(source.get("transform"))), {})
        return cls(
            identifier,
            name,
            types,
            _identifier(origin) if isinstance(origin, dict) else str(origin),
            str(extract.get("column", "")),
            str(extract.get("fileProperty", "")),
            str(transform.get("regex", "")),
        )

    @property
    def label_set(self) -> str:
        """The label set of its values."""
        return MAIN_SET if self.name == MAIN_COLUMN else self.name

    def value_of(self, path: str) -> str:
        """Its value for a file. Raises ValueError for a pattern that is not used."""
        text = PurePosixPath(path).name if self.file_property == "filename" else path
        if not self.pattern:
            return text
        found = _compiled(self.pattern).search(text[-MOST_PATH:])
        return (found[1] if found.re.groups else found[0]) or "" if found else ""


def _compiled(pattern: str) -> re.Pattern[str]:
    slow = _SLOW.search(pattern) or len(_REPEATS.findall(pattern)) > MOST_REPEATS
    if slow or len(pattern) > MOST_PATTERN:
        raise ValueError(Message("the pattern {pattern} is too complex", pattern=pattern[:50]))
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(Message("the pattern {pattern} is not valid", pattern=pattern)) from error


def _listed(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a value of JSON-LD, where one may stand for a list of one."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def _entry(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def _identifier(entry: Mapping[str, Any]) -> str:
    return str(entry.get("@id") or entry.get("name") or "")


def _metadata_file(path: Path) -> Path | None:
    """The file with metadata in a folder; None if there is none."""
    try:
        found = sorted(path.glob("*.json")) if path.is_dir() else []
    except OSError:
        return None
    named = [path / METADATA, path / "metadata.json"]
    files = [*(one for one in named if one in found), *(one for one in found if one not in named)]
    return next((file for file in islice(files, SEARCHED) if _has_mark(file)), None)


def _has_mark(file: Path) -> bool:
    try:
        return MARK in regular_bytes(file, 1 << 16)
    except (OSError, ValueError):
        return False


# records


def _image_field(fields: Sequence[_Field]) -> _Field | None:
    """The field with the images, by its type or else by its name."""
    typed = (one for one in fields if any(name.endswith("ImageObject") for name in one.types))
    named = (one for one in fields if one.name.lower() in PATH_NAMES)
    return next(typed, None) or next(named, None)


class _RecordRows:
    """Adds records to a dataset. `image` is the field with the image."""

    def __init__(
        self, dataset: Dataset, fields: Sequence[_Field], image: _Field, parts: Given
    ) -> None:
        self.dataset, self._parts = dataset, parts
        self.image = image
        self.others = [one for one in fields if one is not image]
        self.file = ""

    @property
    def sets(self) -> list[str]:
        """Label sets of the fields."""
        return [one.label_set for one in self.others if one.name != PART_COLUMN]

    def _means_part(self, text: str) -> bool:
        return bool(part_named(text)) or is_unclear(text) or text.lower() in self._parts

    def add_cells(self, line: int, cells: Mapping[str, str]) -> None:
        """Add a row of a table. Raises ValueError if it has no image."""
        values = {
            one: unguarded(cells.get(unguarded(one.column), ""))
            for one in (self.image, *self.others)
        }
        self._add(line, values[self.image], values)

    def add_file(self, path: str) -> None:
        """Add a file. Raises ValueError for a pattern that is not used."""
        self._add(0, path, {one: one.value_of(path) for one in self.others})

    def add_object(self, line: int, record: Mapping[str, Any]) -> None:
        """Add a record of the metadata itself. Raises ValueError if it has no image."""
        values = {
            one: str(record.get(one.identifier, record.get(one.name)) or "")
            for one in (self.image, *self.others)
        }
        self._add(line, values[self.image], values)

    def _add(self, line: int, path: str, values: Mapping[_Field, str]) -> None:
        if not path.strip():
            raise ValueError(Message("the row has no image"))
        labels, part = [], None
        for one in self.others:
            text = values.get(one, "").strip()
            if one.name == PART_COLUMN and self._means_part(text):
                part = self.dataset.part_named(text, self._parts)
            elif text:
                labels.append(GivenLabel(one.label_set, text))
        place = path.strip().replace("\\", "/")
        record = ImageRecord(place, tuple(labels), part, line=line, file=self.file)
        self.dataset.images.append(record)


def _read_records(
    package: _Package, record_set: Mapping[str, Any], rows: _RecordRows
) -> Heartbeats:
    """Read the records of a set; one that cannot be read is rejected with the reason."""
    rows.file = package.file.name
    try:
        if isinstance(record_set.get("data"), list):
            yield from _read_objects(record_set["data"], rows)
        elif rows.image.column:
            table = package.table(rows.image.origin)
            rows.file = table.name
            yield from read_table(rows.dataset, table, rows.add_cells)
        elif rows.image.file_property in PATH_PROPERTIES:
            yield from _read_files(package, rows)
        else:
            raise ValueError(Message("“{name}” has no source", name=rows.image.identifier))
    except ValueError as error:
        reject(rows.dataset, package.file.name, 0, error)


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
