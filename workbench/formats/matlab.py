"""MATLAB files of version 5, as MATLAB 5 to 7.2 write them: cells, structs, texts and numbers.

They are written by SciPy but not read by it, since its reader ends the whole program at some
damaged files. The format is that of the MathWorks' document “MAT-File Format”: a header, then
elements, each with a type, a size and a content, which may consist of elements.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from workbench.domain.errors import KnownError, parsing
from workbench.domain.text import Message, mark
from workbench.files import read_regular, write_whole

MOST_BYTES = 1 << 26  # of a file; those of published datasets have a few megabytes
MOST_UNPACKED = 1 << 28  # bytes of its content
MOST_NUMBERS = 1 << 22  # in one array; larger ones are no annotations
MOST_LEVELS = 20  # of arrays inside of each other
_HEADER = 128  # bytes
_MATRIX, _COMPRESSED = 14, 15  # types of elements
_NUMBERS = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4  # classes of arrays
_NUMERIC = range(6, 16)


def read_mat(path: Path) -> dict[str, Any]:
    """Variables of a MATLAB file by name.

    Cells are lists, structs lists of dicts, texts str (lists of rows if there are several), and
    arrays of numbers lists, or a number if there is one; column by column. Values of other classes
    are None. Raises KnownError if the file is damaged, too large, or of another version.
    """
    data = read_regular(path, most=MOST_BYTES)
    if data.startswith(b"MATLAB 7.3"):
        raise KnownError(
            "{path} cannot be read: it is a MATLAB file of version 7.3.",
            mark("Save it in MATLAB with the option -v7."),
            path=path,
        )
    with parsing(path):
        try:
            return dict(_variables(data))
        except (LookupError, struct.error, zlib.error, UnicodeDecodeError) as error:
            raise ValueError(_damaged()) from error


def entries_of(value: Any) -> list[Any]:
    """The entries of an array; one without entries, or a missing variable, has none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text_in(value: Any) -> str:
    """A text. Raises ValueError if a value is none, or blank."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(Message("the entry has no text where one is needed"))
    return value


def write_mat(path: Path, variables: Mapping[str, Any]) -> None:
    """Write a compressed MATLAB file of version 5. Raises OSError."""
    buffer = io.BytesIO()
    savemat(buffer, dict(variables), do_compression=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())


def cells(values: Iterable[Any], *, column: bool = False) -> Any:
    """Values as a cell array with one row, or one column."""
    listed = list(values)
    found = np.empty((len(listed), 1) if column else (1, len(listed)), dtype="O")
    found.ravel()[:] = listed
    return found


def structs(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Any:
    """Rows as a struct array with one row, whose fields are `names`."""
    listed = [tuple(row[name] for name in names) for row in rows]
    found = np.empty((1, len(listed)), dtype=[(name, "O") for name in names])
    for at, values in enumerate(listed):
        found[0, at] = values
    return found


# reading


def _variables(data: bytes) -> Iterator[tuple[str, Any]]:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if not data.startswith(b"MATLAB 5.0") or order is None:
        raise ValueError(Message("it is no MATLAB file of version 5"))
    left = MOST_UNPACKED
    for kind, content in _elements(memoryview(data)[_HEADER:], order):
        inner: Iterable[tuple[int, memoryview]] = [(kind, content)]
        if kind == _COMPRESSED:
            unpacked = _unpacked(content, left)
            left -= len(unpacked)
            inner = _elements(unpacked, order)
        yield from (_array(inside, order, 1) for each, inside in inner if each == _MATRIX)


def _unpacked(content: memoryview, most: int) -> memoryview:
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(content, most + 1)
    if len(found) > most:
        limit = MOST_UNPACKED >> 20
        raise ValueError(Message("its content is larger than {limit} MB", limit=limit))
    return memoryview(found)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Types and contents of the elements in `data`."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # a small element: its size, type and content in eight bytes
            kind, size = kind & 0xFFFF, kind >> 16
            content, at = data[at + 4 : at + 4 + min(size, 4)], at + 8
        else:
            content, at = data[at + 8 : at + 8 + size], at + 8 + size
            at += 0 if kind == _COMPRESSED else -size % 8
        if len(content) != size:
            raise ValueError(_damaged())
        yield kind, content


def _damaged() -> Message:
    return Message("it is damaged")


def _array(data: memoryview, order: str, level: int) -> tuple[str, Any]:
    """Name and value of an array."""
    parts = list(_elements(data, order))
    if not parts:
        return "", []  # an entry of a cell that was never set
    if len(parts) < 3 or level > MOST_LEVELS:
        raise ValueError(_damaged())
    (_, flags), (_, sizes), (_, name), *contents = parts
    kind = struct.unpack_from(f"{order}I", flags)[0] & 0xFF
    shape = [max(0, size) for (size,) in struct.iter_unpack(f"{order}i", sizes)]
    value: Any = None
    if kind == _CELL:
        value = _inner(contents, math.prod(shape), order, level)
    elif kind == _STRUCT:
        value = _structs(contents, math.prod(shape), order, level)
    elif kind == _CHAR:
        value = _texts(contents, shape, order)
    elif kind in _NUMERIC:
        value = _numbers(contents, math.prod(shape), order)
    return bytes(name).decode("latin-1"), value


def _inner(contents: list[tuple[int, memoryview]], count: int, order: str, level: int) -> list[Any]:
    """Values of the `count` arrays that another one consists of."""
    if len(contents) != count or any(kind != _MATRIX for kind, _ in contents):
        raise ValueError(_damaged())
    return [_array(content, order, level + 1)[1] for _, content in contents]


def _structs(
    contents: list[tuple[int, memoryview]], count: int, order: str, level: int
) -> list[dict[str, Any]]:
    if len(contents) < 2:
        raise ValueError(_damaged())
    (_, length), (_, joined), *values = contents
    (size,) = struct.unpack(f"{order}i", length)
    if size < 1:
        raise ValueError(_damaged())
    names = [
        bytes(joined[at : at + size]).partition(b"\0")[0].decode("latin-1")
        for at in range(0, len(joined), size)
    ]
    found = _inner(values, count * len(names), order, level)
    rows = (found[at * len(names) : (at + 1) * len(names)] for at in range(count))
    return [dict(zip(names, row, strict=True)) for row in rows]


def _texts(contents: list[tuple[int, memoryview]], shape: list[int], order: str) -> Any:
    """A text, or a list of texts if an array of characters has several rows."""
    if not contents:
        return ""
    kind, content = contents[0]
    encoding = _TEXTS[kind]
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    text = bytes(content).decode(encoding)
    rows = shape[0] if shape else 1
    return text if rows < 2 else [text[at::rows].rstrip() for at in range(min(rows, len(text)))]


def _numbers(contents: list[tuple[int, memoryview]], count: int, order: str) -> Any:
    """The real numbers of an array: one, or a list."""
    if not contents or count > MOST_NUMBERS:
        return None
    kind, content = contents[0]
    dtype = np.dtype(order + _NUMBERS[kind])
    if len(content) != count * dtype.itemsize:
        raise ValueError(_damaged())
    found = np.frombuffer(content, dtype).tolist()
    return found[0] if count == 1 else found
