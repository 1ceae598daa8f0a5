"""Tables: a header, a column of image paths, and a column for each label set (CSV, TSV, Excel)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from workbench.domain.datasets import Carry, Dataset, GivenLabel, ImageRecord, Region, declared
from workbench.domain.errors import KnownError, reason_of
from workbench.domain.formats import IMPORTABLE_SETS, enumerated
from workbench.domain.labels import Author
from workbench.domain.part_words import Given, PartWords
from workbench.domain.splits import PARTS, Part
from workbench.domain.spreadsheets import unguarded
from workbench.domain.text import Message, counted, mark
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.image_paths import image_path
from workbench.formats.rows import (
    PATH_NAMES,
    TableRows,
    TextKind,
    box_of,
    boxes_without_size,
    composed,
    confidence_of,
    in_pixels,
    is_image_name,
    kind_of,
    may_be_text,
    number_of,
    open_table,
    plain_name,
    write_rows,
)
from workbench.formats.sheets import Cell, shown_in

HEARTBEAT = 512  # rows between two heartbeats
Row = tuple[int, list[str]]  # line number and cells

CORNERS = ("left", "top", "right", "bottom")
_CORNERS = (CORNERS, ("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"),
            ("x1", "y1", "x2", "y2"))  # fmt: skip
_SIZED = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
_SIZES = (("width", "height"), ("image_width", "image_height"), ("img_width", "img_height"))
_PART_COLUMNS = frozenset(
    {"split", "part", "set", "subset", "fold", "partition", "usage", "dataset", "data_split"}
)
_SURE_PARTS = frozenset({"split", "part", "set", "subset", "partition"})  # with one known word
_LISTED_WORDS, _LISTED_LINES = 20, 50  # of a column of parts that are no parts
# Columns that have 1 for one part and 0 for the other: the part of 1.
_FLAG_COLUMNS = {
    **dict.fromkeys(("is_train", "is_training", "is_training_image", "training"), Part.TRAIN),
    **dict.fromkeys(("is_test", "is_testing", "testing"), Part.TEST),
}
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_NUMBERED = (("0", "1", "2"), ("1", "2", "3"))  # train, validation and test in a part column
_NEVER_PATHS = frozenset({"id", "image_id", "img_id", "name", "images"})  # if another column is
# Columns whose values describe an image or a row, but not what the image shows.
_NO_LABELS = frozenset(
    {"", "id", "index", "idx", "image_id", "img_id", "hash", "md5", "sha1", "sha256", "blake3",
     "url", "width", "height", "image_width", "image_height", "img_width", "img_height", "channels",
     "size", "file_size", "annotator", "confidence"}
)  # fmt: skip
_AUTHORS = frozenset(author.value for author in Author)
_NOTHING = frozenset({"nan", "na", "n/a", "none", "null", "inf", "-inf"})  # among numbers
_FOLD = "fold"  # a column that may be imported as a label set, to keep its folds
_SHOWN = 10  # numbers in a remark
_TRIED = 200  # rows by which a column is judged
_IDS = 20  # different whole numbers, one in each row, from which they are no labels


class TableFormat(DatasetFormat):
    """CSV, TSV and Excel tables with a row for each image."""

    name = "table"
    title = mark("Table")
    about = mark(
        "A header, a column of image paths and a column for each label set. A column with train,"
        " validation and test, or 0, 1 and 2, gives the parts of a split; columns left, top, right"
        " and bottom (or xmin, ymin, xmax, ymax, or x, y, width, height) give a box."
    )
    absolute = True
    endings = (".csv", ".tsv", ".xlsx", ".psv", ".tab")
    carries = frozenset({Carry.LABELS, Carry.LABEL_SETS, Carry.PARTS, Carry.BOXES})
    specific = False

    def recognises(self, path: Path) -> bool:
        return may_be_text(path, *self.endings) and kind_of(path) is TextKind.TABLE

    def read(self, path: Path, options: ReadOptions) -> Reading:
        table = open_table(path, options.encoding)
        result = Dataset(options.base or path.parent, encoding=table.encoding)
        result.guessed, result.rejected = table.guessed, table.rejected
        rows: list[Row] = []
        for row in table:
            rows.append(row)
            if len(rows) % HEARTBEAT == 0:
                yield
        columns = _Columns.of(table, rows, options)
        for at, (line, cells) in enumerate(rows):
            if at % HEARTBEAT == 0:
                yield
            try:
                result.images.append(columns.record(line, cells, result.base))
            except ValueError as error:
                table.reject(line, reason_of(error))
        result.sets = declared(result.images, (name for name, _ in columns.sets))
        result.part_words = columns.words.to_report()
        result.remarks += [*table.remarks, *columns.remarks, *columns.about_unread(table.header)]
        return result

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        writer = _TableWriter.of(dataset, options)
        return [*write_rows(path, writer.rows(dataset.images)), *writer.losses()]


@dataclass
class _Columns:
    """What the columns of a table mean: their indexes, and `sets` with the names of label sets.

    `box` has the indexes of its four columns, `sized` if the last two are width and height;
    `relative` if their numbers are fractions.
    """

    path: int
    sets: list[tuple[str, int]] = field(default_factory=list)
    part: int | None = None
    parts: dict[str, Part] = field(default_factory=dict)  # numbers in the part column
    words: PartWords = field(default_factory=lambda: PartWords(()))  # words in it
    size: tuple[int, int] | None = None
    box: tuple[int, ...] = ()
    sized: bool = False
    relative: bool = False
    confidence: int | None = None
    annotator: int | None = None
    hash: int | None = None
    remarks: list[Message] = field(default_factory=list)
    unread: dict[int, list[str]] = field(default_factory=dict)  # why cells of a column are no label

    @classmethod
    def of(cls, table: TableRows, rows: Sequence[Row], options: ReadOptions) -> _Columns:
        """Find the columns by their names, and those of paths and labels also by their values.

        Raises KnownError naming the columns if there are no paths.
        """
        names = [plain_name(name) for name in table.header]
        at, remark = _path_column(table, names, rows, options.path_column)
        result = cls(at, remarks=[remark] if remark else [])
        for i in _others(names, at):
            if result.part is None and names[i] in _PART_COLUMNS:
                result._use_part_words(names[i], i, rows, options.parts)
        if result.part is None:
            result._find_numbered_parts(table.header, names, rows)
        result._find_boxes(names, rows)
        result._find_sets(table.header, names, rows)
        result._remark_on_parts(table.header, rows)
        result.hash = _index(names, "hash")
        if sum(name != _FOLD for name, _ in result.sets) == 1:
            result.confidence = _index(names, "confidence")
            result.annotator = _index(names, "annotator")
        return result

    def _use_part_words(self, name: str, column: int, rows: Sequence[Row], given: Given) -> None:
        """Read parts from a column that has words for them: one or most, as its name is."""
        values = _values(column, rows)
        words = PartWords(values, given)
        others = {word.lower() for word in words.others()}
        known = sum(value.lower() not in others for value in values)
        if known > 0 if name in _SURE_PARTS else 2 * known > len(values):
            self.part, self.words = column, words

    def _find_numbered_parts(
        self, header: Sequence[str], names: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Find a column that has numbers for parts; remark on one whose numbers are unclear."""
        for i in _others(names, self.path):
            values = {value.lower() for value in _values(i, rows)}
            if not values or self.part is not None:
                continue
            if (one := _FLAG_COLUMNS.get(names[i])) and values <= _FLAGS.keys():
                other = Part.TEST if one is Part.TRAIN else Part.TRAIN
                self._use_parts(i, header[i], {v: one if _FLAGS[v] else other for v in values})
            elif names[i] in _PART_COLUMNS and all(value.isdecimal() for value in values):
                numbers = next((some for some in _NUMBERED if values == set(some)), None)
                if numbers is not None and names[i] != _FOLD:
                    self._use_parts(i, header[i], dict(zip(numbers, PARTS, strict=True)))
                else:
                    self.remarks.append(_unclear_numbers(header[i], names[i], sorted(values)))

    def _use_parts(self, column: int, title: str, parts: dict[str, Part]) -> None:
        self.part, self.parts = column, parts
        meaning = ", ".join(f"{value} = {part}" for value, part in sorted(parts.items()))
        text = "The column “{column}” gives the parts of a split: {meaning}."
        self.remarks.append(Message(text, column=title, meaning=meaning))

    def _part(self, cell: str) -> Part | None:
        return self.parts.get(cell.strip().lower()) or self.words.part(cell)

    def _remark_on_parts(self, header: Sequence[str], rows: Sequence[Row]) -> None:
        if self.part is None:
            return
        lines: dict[str, list[int]] = {}
        others = set(self.words.others())
        for line, cells in rows:
            if (word := cells[self.part].strip()) in others:
                lines.setdefault(word, []).append(line)
        column = header[self.part]
        for word, some in islice(lines.items(), _LISTED_WORDS):
            listed = ", ".join(map(str, some[:_LISTED_LINES]))
            self.remarks.append(
                counted(
                    len(some),
                    "“{word}” in the column “{column}” is no part of a split: {n:,} image is in no"
                    " part (line {lines})",
                    "“{word}” in the column “{column}” is no part of a split: {n:,} images are in"
                    " no part (lines {lines})",
                    word=word,
                    column=column,
                    lines=listed + ", …" * (len(some) > _LISTED_LINES),
                )
            )
        if (more := len(lines) - _LISTED_WORDS) > 0:
            self.remarks.append(
                counted(
                    more,
                    "{n:,} other word in the column “{column}” is no part of a split.",
                    "{n:,} other words in the column “{column}” are no parts of a split.",
                    column=column,
                )
            )

    def about_unread(self, header: Sequence[str]) -> Iterator[Message]:
        """Remarks on cells that are not read as labels, with the first one of each column."""
        for column, reasons in self.unread.items():
            yield counted(
                len(reasons),
                "{n:,} cell of the column “{column}” is not read as a label: {reason}.",
                "{n:,} cells of the column “{column}” are not read as labels; the first: {reason}.",
                column=header[column],
                reason=reasons[0],
            )

    def _find_boxes(self, names: Sequence[str], rows: Sequence[Row]) -> None:
        for kind in (*_CORNERS, *_SIZED):
            if set(kind) <= set(names):
                self.box, self.sized = tuple(map(names.index, kind)), kind in _SIZED
                break
        for size in _SIZES:
            if set(size) <= set(names) and not set(map(names.index, size)) & set(self.box):
                self.size = (names.index(size[0]), names.index(size[1]))
        cells = (row[i] for _, row in rows for i in self.box if row[i].strip())
        self.relative = bool(self.box) and all(0 <= (number_of(cell) or 0) <= 1 for cell in cells)

    def _find_sets(
        self, header: Sequence[str], names: Sequence[str], rows: Sequence[Row]
    ) -> None:  # fmt: skip
        taken = {self.part, *self.box, *(self.size or ())}
        used: set[str] = set()
        for i in _others(names, self.path):
            if i in taken or names[i] in _NO_LABELS or names[i].startswith("unnamed:"):
                continue
            if names[i] not in IMPORTABLE_SETS and not _has_labels(names[i], i, rows):
                continue
            name = names[i] if names[i] in IMPORTABLE_SETS else composed(header[i])
            while name in used:
                name += " 2"
            used.add(name)
            self.sets.append((name, i))

    def record(self, line: int, cells: Sequence[str], base: Path) -> ImageRecord:
        """The record of a row. Raises ValueError with a Message."""
        path = unguarded(shown_in(cells[self.path])).strip()
        if not path:
            raise ValueError(Message("the line has no image path"))
        labels = tuple(self._labels(cells))
        width, height = (int(number_of(cells[i]) or 0) for i in self.size) if self.size else (0, 0)
        region = self._region(cells, labels)
        return ImageRecord(
            image_path(path, base),
            labels=() if region else labels,
            part=None if self.part is None else self._part(cells[self.part]),
            regions=(region,) if region else (),
            line=line,
            hash="" if self.hash is None else _digest(cells[self.hash]),
            width=width,
            height=height,
        )

    def _labels(self, cells: Sequence[str]) -> Iterator[GivenLabel]:
        sure = 1.0 if self.confidence is None else confidence_of(cells[self.confidence])
        annotator = (
            "" if self.annotator is None else composed(unguarded(shown_in(cells[self.annotator])))
        )
        for name, i in self.sets:
            try:
                label = composed(unguarded(shown_in(cells[i])))
            except ValueError as error:
                self.unread.setdefault(i, []).append(reason_of(error))
                continue
            if label:
                yield GivenLabel(name, label, confidence=sure, annotator=annotator)

    def _region(self, cells: Sequence[str], labels: tuple[GivenLabel, ...]) -> Region | None:
        found = box_of([cells[i] for i in self.box], sized=self.sized)
        return Region(found, labels, relative=self.relative) if found else None


def _index(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None


def _others(names: Sequence[str], at: int) -> list[int]:
    return [i for i in range(len(names)) if i != at]


def _path_column(
    table: TableRows, names: Sequence[str], rows: Sequence[Row], wanted: str
) -> tuple[int, Message | None]:  # fmt: skip
    """Index of the column of image paths, and a remark if its values rather than its name tell."""
    if wanted:
        if plain_name(wanted) not in names:
            raise _no_paths(table, Message("Choose one of them."))
        return names.index(plain_name(wanted)), None
    known = [name for name in PATH_NAMES if name in names]
    alike = [i for i in range(len(names)) if _share(i, rows, _is_image_file) > 0.5]
    sure = [name for name in known if name not in _NEVER_PATHS or names.index(name) in alike]
    if sure:
        return names.index(sure[0]), None
    if alike:
        column = table.header[alike[0]]
        return alike[0], Message("The images are those in the column “{column}”.", column=column)
    if known:
        return names.index(known[0]), None
    raise _no_paths(
        table,
        Message("Rename that column to {names}.", names=enumerated(PATH_NAMES[:4], "or")),
    )


def _no_paths(table: TableRows, remedy: Message) -> KnownError:
    columns = ", ".join(table.header)[:200]
    if any(map(is_image_name, table.header)):
        return KnownError(
            "{path} has no header: its first line is {columns}.",
            "Add a line above it with the names of the columns.",
            path=table.path,
            columns=columns,
        )
    sentence = Message(
        "{path} has no column of image paths; its columns are {columns}.",
        path=table.path,
        columns=columns,
    )
    return KnownError(sentence, remedy)


def _values(column: int, rows: Iterable[Row]) -> list[str]:
    """The values of a column that are not empty."""
    return [value for _, cells in rows if (value := cells[column].strip())]


def _share(column: int, rows: Sequence[Row], is_such: Callable[[str], bool]) -> float:
    """The share of the first values of a column that are such."""
    values = _values(column, rows[:_TRIED])
    return sum(map(is_such, values)) / max(1, len(values))


def _unclear_numbers(column: str, name: str, values: Sequence[str]) -> Message:
    numbers = ", ".join(values[:_SHOWN])
    if name == _FOLD:
        return Message(
            "The column “{column}” has folds ({numbers}), which are not imported as splits. Import "
            "it as a label set instead, and draw as many folds that keep its labels together.",
            column=column,
            numbers=numbers,
        )
    return Message(
        "The column “{column}” has numbers ({numbers}) whose parts are not known. Write train, "
        "validation and test instead.",
        column=column,
        numbers=numbers,
    )


def _has_labels(name: str, column: int, rows: Sequence[Row]) -> bool:
    """Whether the values of a column may be labels: they are not all different numbers, paths or
    web addresses, nor numbers of parts."""
    values = _values(column, rows)
    if not values or _share(column, rows, is_image_name) > 0.5:
        return False
    if _share(column, rows, _is_address) > 0.5:
        return False
    if name == "author" and set(map(str.lower, values)) <= _AUTHORS:
        return False
    numbers = [number_of(value) for value in values if value.lower() not in _NOTHING]
    if not numbers or not all(value is not None for value in numbers):
        return True
    different = len(set(values))
    if not all(value is not None and value.is_integer() for value in numbers):
        return 2 * different < len(values)
    return name not in _PART_COLUMNS - {_FOLD} and (different < len(values) or different < _IDS)


def _is_image_file(value: str) -> bool:
    return is_image_name(value) and not _is_address(value)


def _is_address(value: str) -> bool:
    return value.lower().startswith(("http://", "https://"))


def _digest(cell: str) -> str:
    """A BLAKE3 digest in hexadecimal; "" for other text."""
    text = cell.strip().lower()
    return text if len(text) == 64 and set(text) <= set("0123456789abcdef") else ""


@dataclass
class _TableWriter:
    """The rows of a written table, and what they cannot describe."""

    sets: list[str]
    main: str
    parts: bool
    boxes: bool
    sure: bool  # no confidence is below 1
    labels_lost: int = 0
    boxes_lost: int = 0

    @classmethod
    def of(cls, dataset: Dataset, options: WriteOptions) -> _TableWriter:
        """Find the columns that the images need."""
        images = dataset.images
        sets = list(dict.fromkeys([*dataset.sets, *declared(images)]))
        labels = (label for image in images for label in _all_labels(image))
        return cls(
            sets,
            options.label_set or "label",
            any(image.part for image in images),
            any(image.regions for image in images),
            len(sets) != 1 or all(label.confidence == 1 for label in labels),
        )

    def rows(self, images: Iterable[ImageRecord]) -> Iterator[Sequence[Cell]]:
        """The header, and the rows of each image: its own, and one for each box."""
        more = ["part"] * self.parts + [*CORNERS] * self.boxes + ["confidence"] * (not self.sure)
        yield ["path", *(name or self.main for name in self.sets), *more]
        for image in images:
            placed = [in_pixels(image, region) for region in image.regions]
            self.boxes_lost += placed.count(None)
            if image.labels or not any(placed):
                yield self._row(image, image.labels, None)
            for region in placed:
                if region:
                    yield self._row(image, region.labels, region)

    def _row(
        self, image: ImageRecord, labels: Sequence[GivenLabel], region: Region | None
    ) -> Sequence[Cell]:
        first: dict[str, GivenLabel] = {}
        for label in labels:
            first.setdefault(label.set, label)
        self.labels_lost += len(labels) - len(first)
        row: list[Cell] = [image.path]
        row += [first[name].label if name in first else "" for name in self.sets]
        row += [image.part.value if image.part else ""] * self.parts
        if self.boxes:
            row += region.box if region else [""] * len(CORNERS)
        if not self.sure:
            row.append(next((label.confidence for label in first.values()), ""))
        return row

    def losses(self) -> list[Message]:
        """What was not written."""
        found = []
        if n := self.labels_lost:
            found.append(
                counted(
                    n,
                    "{n:,} label is not written: a table has one label of a set in each row.",
                    "{n:,} labels are not written: a table has one label of a set in each row.",
                )
            )
        if n := self.boxes_lost:
            found.append(boxes_without_size(n))
        return found


def _all_labels(image: ImageRecord) -> Iterator[GivenLabel]:
    yield from image.labels
    for region in image.regions:
        yield from region.labels


FORMATS.register(TableFormat())
