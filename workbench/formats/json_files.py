"""JSON files of annotation tools: recognised by their first keys, decoded entry by entry."""

from __future__ import annotations

import contextlib
import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from workbench.domain.datasets import Dataset
from workbench.domain.errors import KnownError, parsing, reason_of
from workbench.domain.images import SkippedFile
from workbench.domain.text import Message
from workbench.files import read_regular, regular_bytes, write_whole
from workbench.formats.text import decoded

T = TypeVar("T")

OPENING = 1 << 17  # bytes of a file by which it is recognised
_MOST_LEVELS = 5  # of containers whose keys are listed
_BOM = b"\xef\xbb\xbf"
# A string (perhaps cut off at the end) with the colon that makes it a key, or a bracket.
_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\Z)\s*(:?)|[{}\[\]]', re.DOTALL)
_TOO_DEEP = Message("its values are nested too deeply")
_WRONG_TYPE = re.compile(r"Expected `.+?(?: - at `\$\.?([^`]*)`)?$")
_TOO_LARGE = re.compile(r"Number out of range - at `\$\.?([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")


def opening_keys(path: Path) -> frozenset[str]:
    """The keys in the first bytes of a JSON file, each with the keys of the objects around it.

    The keys of `{"images": [{"id": 1}]}` are "images" and "images[].id"; those of a list of objects
    begin with "[].". Empty if the file cannot be read or is not JSON.
    """
    try:
        data = regular_bytes(path, OPENING)
    except (OSError, ValueError):
        return frozenset()
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8"
    text = data.removeprefix(_BOM).decode(encoding, errors="replace").lstrip()
    return frozenset(_keys(text)) if text.startswith(("{", "[")) else frozenset()


def _keys(text: str) -> Iterator[str]:
    around: list[tuple[str, bool]] = []  # path of each open container, and whether it is a list
    value = ""  # path of the value after the last key
    for token in _TOKEN.finditer(text):
        sign = token[0][0]
        if sign == '"':
            if token[2] and around:
                value = f"{around[-1][0]}.{token[1]}".lstrip(".")
                if len(around) <= _MOST_LEVELS:
                    yield value
        elif sign in "}]":
            del around[-1:]
        else:
            path, in_list = around[-1] if around else ("", True)
            path = path if in_list else value
            around.append((f"{path}[]", True) if sign == "[" else (path, False))


def read_json(path: Path, kind: type[T], title: str, dataset: Dataset, encoding: str = "") -> T:
    """Read a whole JSON file as `kind`, in `encoding` ("": detected), which `dataset` then has.

    Raises KnownError if it is not a file of the format called `title`.
    """
    data = read_regular(path).removeprefix(_BOM)
    if encoding or not _is_unicode(data):
        text = decoded(path, data, encoding)
        dataset.encoding, dataset.guessed = text.encoding, text.guessed
        data = text.content.encode()
    with parsing(path), _expecting(path, title):
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # Python writes NaN and Infinity, which JSON does not have.
            repaired = _lenient(data)
            return msgspec.json.decode(msgspec.json.encode(repaired), type=kind)


def _is_unicode(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _lenient(data: bytes) -> Any:
    """The content of JSON with constants of Python. Raises ValueError with the line that is
    malformed."""
    if not data.strip():
        raise ValueError(Message("it is empty"))
    try:
        return json.loads(data, parse_constant=lambda _name: None)
    except json.JSONDecodeError as error:
        raise ValueError(Message("line {line} is not JSON", line=error.lineno)) from error


@contextlib.contextmanager
def _expecting(path: Path, title: str) -> Iterator[None]:
    try:
        yield
    except msgspec.ValidationError as error:
        raise not_of_format(path, title) from error
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


def not_of_format(path: Path, title: str, rejected: Sequence[SkippedFile] = ()) -> KnownError:
    """Error for a file or folder that is not of the format called `title`, or a folder whose files
    of the format are all `rejected`."""
    if not rejected:
        return KnownError("{path} is not a dataset in {format} format.", path=path, format=title)
    return KnownError(
        "{path} has no file in {format} format that can be read ({file}: {reason}).",
        path=path,
        format=title,
        file=rejected[0].path,
        reason=rejected[0].reason,
    )


def decoded_entries(
    entries: Sequence[msgspec.Raw], kind: type[T], reject: Callable[[int, str], None]
) -> Iterator[tuple[int, T]]:
    """The entries of a list with their numbers from 1; the others are passed to `reject` with the
    reason."""
    decode = msgspec.json.Decoder(kind).decode
    for number, raw in enumerate(entries, start=1):
        try:
            value = decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            reject(number, plain_reason(error))
        else:
            yield number, value


def objects_in(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; an object by itself is a list of one, as in JSON-LD."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def object_at(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object at a key; an empty one if there is none."""
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def plain_reason(error: Exception) -> str:
    """Why an entry is rejected, without the names of Python types."""
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    text = str(error)
    if wrong := _WRONG_TYPE.match(text):
        if wrong[1]:
            return Message("“{field}” has a wrong type", field=wrong[1])
        return Message("it has a wrong type")
    if large := _TOO_LARGE.match(text):
        return Message("“{field}” is too large", field=large[1])
    if missing := _MISSING.match(text):
        return Message("“{field}” is missing", field=missing[1])
    return reason_of(error)


def write_json(path: Path, value: Any, *, indent: int = 0) -> None:
    """Write a file atomically; `indent` is for files that people read. Raises OSError."""
    data = msgspec.json.encode(value)
    write_whole(path, msgspec.json.format(data, indent=indent) if indent else data)
