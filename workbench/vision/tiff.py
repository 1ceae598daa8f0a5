"""Fields of a TIFF file, or of an EXIF block, which has the same structure (TIFF 6.0, BigTIFF), and
of the texts that some programs write instead of a block."""

from __future__ import annotations

import contextlib
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
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


def tiff_orientation(block: bytes, missing: int = 1) -> int:
    """Orientation (1–8) in a TIFF-structured EXIF block; `missing` if it has none or is damaged, 1
    if it has another value."""
    with contextlib.suppress(struct.error, ValueError):
        value = Directory(block).number(EXIF_ORIENTATION, missing)
        return value if 2 <= value <= 8 else 1
    return missing


_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def xmp_orientation(packet: bytes) -> int:
    """Orientation (1–8) in an XMP packet; 1 if it has none."""
    found = _XMP_ORIENTATION.search(packet)
    return int(found[1]) if found else 1


_JPEG_EXIF, _JPEG_XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


def jpeg_metadata(blocks: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The EXIF block and the XMP packet in segments APP1 of a JPEG, b"" where there is none. A
    second EXIF segment continues the first, and the last XMP packet counts."""
    exif = b"".join(block.removeprefix(_JPEG_EXIF) for block in blocks if block[:6] == _JPEG_EXIF)
    packets = [block for block in blocks if block.startswith(_JPEG_XMP)]
    return exif, packets[-1].removeprefix(_JPEG_XMP) if packets else b""


TEXT_LIMIT = 4 << 20  # bytes of a text in a PNG; longer ones are ignored
_PNG_EXIF, _PNG_XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"


def add_png_text(texts: dict[bytes, bytes], kind: bytes, chunk: bytes) -> None:
    """Add the text of a PNG's chunk by its keyword, if it is the first one with metadata."""
    keyword, _, text = chunk.partition(b"\0")
    if (
        kind not in (b"tEXt", b"zTXt", b"iTXt")
        or keyword not in (_PNG_EXIF, _PNG_XMP)
        or keyword in texts
    ):
        return
    packed = kind == b"zTXt"
    if kind == b"iTXt":  # flag and method of compression, language, translated keyword
        packed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    elif packed:
        text = text[1:]
    texts[keyword] = unpacked(text, TEXT_LIMIT) if packed else text


def unpacked(data: bytes, most: int) -> bytes:
    """Unpack zlib data; b"" if it is damaged or has more than `most` bytes."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, most)
    except zlib.error:
        return b""
    return found if unpacker.eof else b""


def png_metadata(texts: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """The EXIF block and the XMP packet in texts of a PNG, b"" where there is none. ImageMagick
    writes the block in hexadecimal, after its name and size."""
    exif = b""
    with contextlib.suppress(ValueError):
        digits = b"".join(texts.get(_PNG_EXIF, b"").split(b"\n")[3:])
        exif = bytes.fromhex(digits.decode("ascii"))
    return exif, texts.get(_PNG_XMP, b"")


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
