"""Fields of a TIFF file, or of an EXIF block, which has the same structure (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass

EXIF_ORIENTATION = 0x0112
_EXIF_IFD, _DATE_TIME_ORIGINAL = 0x8769, 0x9003
_BIG = (b"+\0", b"\0+")  # version 43
# The integer types of a field and how each is unpacked.
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_TEXT = (2, 7)  # types of characters, and of bytes
MOST_FIELDS = 65_535  # of a directory; BigTIFF could count more


@dataclass(frozen=True)
class Field:
    """A field of a directory: its type, its number of values, and the offset of its entry."""

    kind: int
    count: int
    at: int


class Directory:
    """The fields of a directory: the first one of a block, or the one at `start`.

    Raises struct.error or ValueError if there is none. A directory that goes beyond the end has the
    fields before it.
    """

    def __init__(self, block: bytes, start: int | None = None) -> None:
        order = {b"II": "<", b"MM": ">"}.get(block[:2])
        if order is None:
            raise ValueError("no byte order")
        self._block, self._order = block, order
        self._big = block[2:4] in _BIG
        self._offset, step = ("Q", 20) if self._big else ("I", 12)
        if start is None:
            (start,) = struct.unpack_from(order + self._offset, block, 8 if self._big else 4)
        counted = order + ("Q" if self._big else "H")
        (entries,) = struct.unpack_from(counted, block, start)
        at = start + struct.calcsize(counted)
        end = min(at + min(entries, MOST_FIELDS) * step, len(block) - step + 1)
        self.fields: dict[int, Field] = {}
        for place in range(at, end, step):
            tag, kind, count = struct.unpack_from(order + "HH" + self._offset, block, place)
            self.fields.setdefault(tag, Field(kind, count, place))

    def count(self, tag: int) -> int:
        """Number of values of a field; 0 if there is none."""
        return self.fields[tag].count if tag in self.fields else 0

    def numbers(self, tag: int, most: int = 1 << 20) -> tuple[int, ...]:
        """The first `most` values of a field of integers, () if it is missing or of another type.

        Raises struct.error if they lie outside of the block.
        """
        field = self.fields.get(tag)
        if field is None or field.kind not in _INTEGERS:
            return ()
        code = _INTEGERS[field.kind]
        at = self._value(field, struct.calcsize(code))
        return struct.unpack_from(f"{self._order}{min(field.count, most)}{code}", self._block, at)

    def number(self, tag: int, default: int) -> int:
        """The first value of a field of integers, or the default. Raises as `numbers`."""
        return next(iter(self.numbers(tag, 1)), default)

    def data(self, tag: int, most: int) -> bytes:
        """The bytes of a field of bytes or characters; b"" if it is missing or has more than
        `most`."""
        field = self.fields.get(tag)
        if field is None or field.kind not in (1, *_TEXT) or field.count > most:
            return b""
        at = self._value(field, 1)
        return self._block[at : at + field.count]

    def _value(self, field: Field, size: int) -> int:
        """Offset of a field's values of `size` bytes: in its entry if they fit, else elsewhere."""
        room = struct.calcsize(self._offset)
        at = field.at + (20 if self._big else 12) - room
        if field.count * size > room:
            (at,) = struct.unpack_from(self._order + self._offset, self._block, at)
        return at

    def with_orientation(self, value: int) -> bytes:
        """The block with its first orientation, if there is one, replaced."""
        field = self.fields.get(EXIF_ORIENTATION)
        if field is None:
            return self._block
        code = self._order + ("HHQHHI" if self._big else "HHIHH")
        entry = struct.pack(code, EXIF_ORIENTATION, 3, 1, value, 0, *[0] * self._big)
        return self._block[: field.at] + entry + self._block[field.at + len(entry) :]


def tiff_orientation(block: bytes) -> int:
    """Orientation (1–8) in a TIFF-structured EXIF block; 1 if it is missing or damaged."""
    with contextlib.suppress(struct.error, ValueError):
        value = Directory(block).number(EXIF_ORIENTATION, 1)
        return value if 2 <= value <= 8 else 1
    return 1


def without_orientation(data: bytes) -> bytes:
    """The bytes of a TIFF file, with the orientation replaced by 1: Pillow would apply some."""
    return data if tiff_orientation(data) == 1 else Directory(data).with_orientation(1)


def capture_text(block: bytes) -> str:
    """When an image was taken, as its EXIF block has it (DateTimeOriginal); "" if it is unknown."""
    with contextlib.suppress(struct.error, ValueError):
        inner = Directory(block).number(_EXIF_IFD, 0)
        if inner:
            return Directory(block, inner).data(_DATE_TIME_ORIGINAL, 64).decode("ascii", "replace")
    return ""
