"""Properties of an image file read before decoding: format, size, orientation, hash."""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3
from PIL import Image

from workbench.domain.errors import reason_of
from workbench.domain.formats import FORMATS, FileKind, enumerated
from workbench.domain.geometry import Rect
from workbench.domain.text import Message
from workbench.files import regular_bytes

PIXEL_LIMIT = 200_000_000  # more than any camera; larger ones could exhaust the memory
EXIF_ORIENTATION = 0x0112
_MARKER = re.compile(rb"\xff[^\x00\x01\xff]", re.S)
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Names of the image formats by kind: exactly those that the registry lists as read.
NAMES = {format.name.lower(): format.name for format in FORMATS.read_as(FileKind.IMAGE)}

Image.MAX_IMAGE_PIXELS = None  # PIXEL_LIMIT is checked on the header instead, without a warning


class Unreadable(Exception):
    """An invalid image file. `reason` completes "… cannot be read: "."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _truncated(format: str) -> Unreadable:
    reason = Message("its {format} data is truncated", format=format)
    return Unreadable(reason)


@dataclass(frozen=True)
class Header:
    """Size in pixels as displayed (after applying the EXIF orientation), and format.

    `format` is jpeg, png, bmp, tiff or webp; `orientation` is the EXIF value 1–8 of the stored
    pixels.
    """

    width: int
    height: int
    format: str
    orientation: int = 1

    @property
    def whole(self) -> Rect:
        """The whole image as a rectangle."""
        return Rect(0, 0, self.width, self.height)


def parse_header(data: bytes) -> Header:
    """Parse the header from all bytes of a file. Raises Unreadable with the reason.

    Nothing is decoded. Truncation is detected from the structure: the end-of-image marker of a
    JPEG, chunk lengths and checksums of a PNG, the extent of BMP, TIFF and WebP data.
    """
    if not data:
        raise Unreadable(Message("it is empty (0 bytes)"))
    kind = sniff(data)
    try:
        header = _PARSERS[kind](data)
    except Unreadable:
        raise
    except (OSError, ValueError, SyntaxError, LookupError, struct.error, TypeError) as error:
        reason = Message("its {format} header is damaged", format=NAMES[kind])
        raise Unreadable(reason) from error
    if header.width <= 0 or header.height <= 0:
        raise Unreadable(Message("its width or height is 0"))
    if header.width * header.height > PIXEL_LIMIT:
        raise Unreadable(
            Message(
                "its {width} × {height} pixels exceed the limit of {limit} megapixels",
                width=header.width,
                height=header.height,
                limit=PIXEL_LIMIT // 1_000_000,
            )
        )
    return header


def sniff(data: bytes) -> str:
    """Detect the image format from the first bytes. Raises Unreadable for unsupported ones."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"BM"):
        return "bmp"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(b"\xff\xd8") or (len(data) < 8 and b"\x89PNG".startswith(data[:4])):
        raise Unreadable(Message("it is truncated within its first bytes"))
    known = enumerated(list(NAMES.values()), "or")
    raise Unreadable(Message("it is not an image in a supported format ({formats})", formats=known))


def _displayed(width: int, height: int, kind: str, orientation: int) -> Header:
    turned = orientation in (5, 6, 7, 8)
    known = orientation if 2 <= orientation <= 8 else 1
    return Header(*((height, width) if turned else (width, height)), kind, known)


def _jpeg(data: bytes) -> Header:
    size: tuple[int, int] | None = None
    orientation = 1
    at = 2
    while True:
        marker, at, length = _jpeg_segment(data, at)
        if marker in START_OF_FRAME and size is None:
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = width, height
        elif marker == 0xE1 and data.startswith(b"Exif\0\0", at + 2):
            orientation = tiff_orientation(data[at + 8 : at + length])
        at += length
        if marker == 0xDA:
            break
    # Entropy-coded data never contains FF D9; that of an embedded thumbnail precedes the scan.
    if data.rfind(b"\xff\xd9", at) < 0:
        raise _truncated("JPEG")
    if size is None:
        raise Unreadable(Message("its JPEG header has no image size"))
    return _displayed(*size, "jpeg", orientation)


def _jpeg_segment(data: bytes, at: int) -> tuple[int, int, int]:
    """Marker, offset of the length field, and length of the segment starting at `at`."""
    found = _MARKER.search(data, at)
    if found is None or found.end() + 2 > len(data):
        raise Unreadable(Message("its JPEG header is truncated"))
    start, marker = found.end(), found[0][1]
    length = int.from_bytes(data[start : start + 2])
    if marker == 0xD9 or length < 2:
        raise Unreadable(Message("its JPEG data contains no image"))
    if start + length > len(data):
        raise Unreadable(Message("its JPEG header is truncated"))
    return marker, start, length


def tiff_orientation(block: bytes) -> int:
    """Orientation (1–8) in a TIFF-structured EXIF block; 1 if it is missing or damaged."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 10:
        return 1
    (first,) = struct.unpack_from(order + "I", block, 4)
    if first + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(order + "H", block, first)
    for i in range(count):
        at = first + 2 + 12 * i
        if at + 12 > len(block):
            break
        tag, _, _, value = struct.unpack_from(order + "HHIH", block, at)
        if tag == EXIF_ORIENTATION:
            return value if 2 <= value <= 8 else 1
    return 1


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    orientation = 1
    at = 8
    while True:
        if at + 12 > len(data):
            raise _truncated("PNG")
        (length,) = struct.unpack_from(">I", data, at)
        name = data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            raise _truncated("PNG")
        if zlib.crc32(memoryview(data)[at + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise Unreadable(Message("a checksum of its PNG data is wrong"))
        if name == b"eXIf":
            orientation = tiff_orientation(data[at + 8 : end])
        if name == b"IEND":
            return _displayed(width, height, "png", orientation)
        at = end + 4


def _bmp(data: bytes) -> Header:
    with Image.open(io.BytesIO(data), formats=("BMP",)) as image:
        width, height = image.size
    (offset,) = struct.unpack_from("<I", data, 10)
    bits, compression = struct.unpack_from("<HI", data, 28)
    row = (width * bits + 31) // 32 * 4
    if compression in (0, 3) and offset + row * height > len(data):
        raise _truncated("BMP")
    return Header(width, height, "bmp")


def _tiff(data: bytes) -> Header:
    with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        width, height = tags[256], tags[257]
        orientation = tags.get(EXIF_ORIENTATION, 1)
        for starts, counts in ((273, 279), (324, 325)):
            for start, count in zip(tags.get(starts, ()), tags.get(counts, ()), strict=False):
                if start + count > len(data):
                    raise _truncated("TIFF")
    return _displayed(width, height, "tiff", orientation)


def _webp(data: bytes) -> Header:
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise _truncated("WebP")
    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        width, height = image.size
        exif = image.info.get("exif", b"")
    return _displayed(width, height, "webp", tiff_orientation(exif.removeprefix(b"Exif\0\0")))


_PARSERS = {"jpeg": _jpeg, "png": _png, "bmp": _bmp, "tiff": _tiff, "webp": _webp}


@dataclass(frozen=True)
class FileFacts:
    """Properties of a file from one read.

    BLAKE3 of its bytes in hexadecimal, width and height as displayed, size in bytes and
    modification time (seconds since the epoch).
    """

    hash: str
    width: int
    height: int
    size: int
    mtime: float


def examine(path: Path) -> FileFacts:
    """Read a file once. Raises Unreadable if it cannot be read or is not a valid image."""
    try:
        stat = path.stat()
        data = regular_bytes(path)
    except (OSError, ValueError) as error:
        raise Unreadable(reason_of(error)) from error
    header = parse_header(data)
    digest = blake3(data).hexdigest()
    return FileFacts(digest, header.width, header.height, len(data), stat.st_mtime)


def identify(path: Path) -> str | None:
    """BLAKE3 of a file's bytes in hexadecimal; None if it cannot be read."""
    try:
        return blake3(regular_bytes(path)).hexdigest()
    except (OSError, ValueError):
        return None
