"""Lists: the path of an image on each line, and a label after it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from workbench.domain.datasets import (
    MAIN_SET,
    Dataset,
    GivenLabel,
    ImageRecord,
    declared,
)
from workbench.domain.spreadsheets import unguarded
from workbench.domain.text import Message, counted, mark
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.image_paths import exists, image_path
from workbench.formats.rows import (
    IMAGE_ENDINGS,
    PATH_NAMES,
    TextKind,
    composed,
    ending_of,
    is_image_name,
    kind_of,
    may_be_text,
    plain_name,
    rejection,
    write_rows,
)
from workbench.formats.text import is_damaged, read_text, text_lines

HEARTBEAT = 512  # lines between two heartbeats
MOST_CHARACTERS = 8192  # of a line; paths and labels are shorter
TSV = ".tsv"  # files that are also opened as tables

_LABEL_NAMES = frozenset({"label", "labels", "class", "category", "species", "target"})

_CELL = r'"(?:[^"]|"")*"'
_BETWEEN = r"(?:\s*[\t,;|]\s*|\s+)"
_QUOTED = re.compile(_CELL)
_QUOTED_PATH = re.compile(rf"(?P<path>{_CELL})(?:{_BETWEEN}(?P<label>.*))?")
_QUOTED_LABEL = re.compile(rf"(?P<path>[^\"]+?){_BETWEEN}(?P<label>{_CELL})")
_AFTER_IMAGE = re.compile(
    rf"(?:{'|'.join(map(re.escape, IMAGE_ENDINGS))})(?=\s|[,;|]|$)", re.IGNORECASE
)
_BREAKS = re.compile(r"[\r\n]")


class ListFormat(DatasetFormat):
    """Text files with `path label` on each line."""

    name = "list"
    title = mark("List")
    about = mark(
        "The path of an image on each line, and a label after a tab, a comma, a semicolon or a"
        " space. Paths and labels may be in quotation marks."
    )
    absolute = True
    endings = (".txt", ".lst", ".list", ".tsv")
    specific = False

    def recognises(self, path: Path) -> bool:
        return may_be_text(path, *self.endings, ".csv") and kind_of(path) is TextKind.LIST

    def read(self, path: Path, options: ReadOptions) -> Reading:
        text = read_text(path, options.encoding)
        result = Dataset(options.base or path.parent, encoding=text.encoding, guessed=text.guessed)
        cell_text = unguarded if ending_of(path) == TSV else str
        for line, content in enumerate(text_lines(text.content), start=1):
            if line % HEARTBEAT == 0:
                yield
            if not (content := content.strip()):
                continue
            if not (result.images or result.rejected or result.remarks) and _is_header(content):
                result.remarks.append(Message("The first line is a header: {text}.", text=content))
                continue
            try:
                if is_damaged(content):
                    raise ValueError(Message("the line has bytes that are not text"))
                name, label = map(cell_text, _divided(content, result.base))
            except ValueError as error:
                result.rejected.append(rejection(path, line, error.args[0]))
                continue
            labels = (GivenLabel(MAIN_SET, label),) if (label := composed(label)) else ()
            result.images.append(ImageRecord(image_path(name, result.base), labels, line=line))
        result.sets = declared(result.images)
        return result

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        sets = declared(dataset.images)
        wanted = next(iter(sets), "") if len(sets) == 1 else options.label_set
        lost = 0
        rows = []
        for image in dataset.images:
            labels = [label.label for label in image.labels if label.set == wanted]
            row = [image.path, (*labels, "")[0]]
            broken = any(map(_BREAKS.search, row))
            lost += len(labels[1:]) + sum(len(one.labels) for one in image.regions) + broken
            if not broken:
                rows.append(row)
        if ending_of(path) == TSV:
            return [*write_rows(path, rows), *_losses(lost)]
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(map(_line, rows))
        return _losses(lost)


def _is_header(text: str) -> bool:
    """Whether a line names columns, as "path label" does."""
    words = [plain_name(word) for word in text.split()]
    return len(words) == 2 and words[0] in PATH_NAMES and words[1] in _LABEL_NAMES


def _divided(text: str, base: Path) -> tuple[str, str]:
    """The path and the label ("" for none) of a line. Raises ValueError with a Message."""
    if len(text) > MOST_CHARACTERS:
        raise _unclear(text)
    if exists(base, text):
        return text, ""
    if '"' in text and (found := _QUOTED_PATH.fullmatch(text) or _QUOTED_LABEL.fullmatch(text)):
        name, label = found["path"], found["label"] or ""
    elif "\t" in text:
        name, label = _divided_by_tab(text)
    else:
        name, label = _divided_by_words(text, base)
    return _unquoted(name.strip()), _unquoted(label.strip())


def _divided_by_tab(text: str) -> tuple[str, str]:
    """Divide a line at the tab after the name of an image file, else at its last tab."""
    images = [found.end() for found in _AFTER_IMAGE.finditer(text)]
    end = next((end for end in images if text[end : end + 1] == "\t"), text.rindex("\t"))
    if "\t" in text[end + 1 :].strip():
        raise _unclear(text)
    return text[:end], text[end + 1 :]


def _divided_by_words(text: str, base: Path) -> tuple[str, str]:
    """Divide a line without a tab: after the name of an image file, else at its only comma or
    semicolon, else before the last word."""
    images = [found.end() for found in _AFTER_IMAGE.finditer(text)]
    if images:
        end = next((end for end in images[:-1] if exists(base, text[:end])), images[-1])
        return text[:end], re.sub(r"^\s*[,;|]?", "", text[end:])
    name, _, label = text.rpartition(" ")
    marks = re.findall("[,;]", text)
    if len(marks) == 1 and not exists(base, name.strip()):
        name, _, label = text.partition(marks[0])
    if not name.strip() or not label.strip():
        raise _unclear(text)
    return name, label


def _unclear(text: str) -> ValueError:
    return ValueError(Message("“{text}” is not “path label”", text=text[:80]))


def _unquoted(cell: str) -> str:
    """A path or label without quotation marks around it. Raises ValueError with a Message."""
    if not cell.startswith('"'):
        return cell
    if not _QUOTED.fullmatch(cell):
        raise ValueError(Message("the quotation marks do not match"))
    return cell[1:-1].replace('""', '"')


def _line(row: Sequence[str]) -> str:
    """A line with a tab before the label, which may be empty."""
    path, label = row
    if not label and is_image_name(path) and not re.search(r"[\s,;|\"]", path):
        return f"{path}\n"
    quoted = io.StringIO()
    csv.writer(quoted, delimiter="\t", lineterminator="\n").writerow([path, label])
    return quoted.getvalue()


def _losses(lost: int) -> list[Message]:
    """What was not written."""
    if not lost:
        return []
    return [
        counted(
            lost,
            "{n:,} label is not written: a list has one label of one line for each image.",
            "{n:,} labels are not written: a list has one label of one line for each image.",
        )
    ]


FORMATS.register(ListFormat())
