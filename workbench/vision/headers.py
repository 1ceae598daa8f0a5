"""Properties of an image file read before decoding: format, size, orientation, hash."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

from PIL import Image

from workbench.domain.formats import IMAGE_FORMATS, enumerated
from workbench.domain.text import Message
from workbench.files import MOST_BYTES, hash_regular, regular_bytes
from workbench.vision.structures import PARSERS, SEGMENT_START, SEGMENTS, Header, Unreadable
from workbench.vision.tga import looks_like_tga

__all__ = ["Header", "Unreadable"]

PIXEL_LIMIT = 200_000_000  # more than any camera; larger ones could exhaust the memory
SIDE_LIMIT = 100_000  # pixels
MEMORY_LIMIT = 1_500_000_000  # bytes to decode an image, and for its pixels
LARGE_FILE = 64 << 20  # bytes; the first of them must be those of an image
FIRST_BYTES = 64  # bytes by which a format is recognised
# Names of the image formats by kind: exactly those that the registry lists as read.
NAMES = {format.name.lower(): format.name for format in IMAGE_FORMATS.read()}

Image.MAX_IMAGE_PIXELS = None  # the limits above are checked on the header, without a warning


def image_bytes(path: Path) -> bytes:
    """Read an image file.

    Raises OSError or ValueError with the reason if it is not a regular file or larger than 1 GiB,
    and Unreadable if a large file does not start like an image.
    """
    if path.stat().st_size > LARGE_FILE:
        sniff(regular_bytes(path, FIRST_BYTES, MOST_BYTES))
    return regular_bytes(path, most=MOST_BYTES)


def first_jpeg(data: bytes) -> bytes:
    """The first of two JPEGs, with an end of image if it has none before the second one starts;
    the same bytes if that is not so. Decoders refuse a second start."""
    at = 2
    for _ in range(2 * SEGMENTS):
        found = SEGMENT_START.search(data, at)
        if found is None or found[0] == b"\xff\xd9":
            return data
        if found[0] == b"\xff\xd8":
            return data[: found.start()] + b"\xff\xd9"
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return data


def parse_header(data: bytes) -> Header:
    """Parse the header from all bytes of a file. Raises Unreadable with the reason.

    Nothing is decoded. Truncation is detected from the structure: the end-of-image marker of a
    JPEG, chunk lengths and checksums of a PNG, the extent of the data of others. So is an image
    that would take too much memory or time to decode.
    """
    if not data:
        raise Unreadable(Message("it is empty (0 bytes)"))
    kind = sniff(data)
    try:
        header = PARSERS[kind](data)
    except Unreadable:
        raise
    except Exception as error:  # parsers of damaged data raise almost anything
        reason = Message("its {format} header is damaged", format=NAMES[kind])
        raise Unreadable(reason) from error
    _check_size(header)
    return header


def _check_size(header: Header) -> None:
    size = {"width": header.width, "height": header.height}
    if header.width <= 0 or header.height <= 0:
        raise Unreadable(Message("its width or height is 0"))
    if max(header.width, header.height) > SIDE_LIMIT:
        raise Unreadable(
            Message(
                "a side of its {width} × {height} pixels exceeds the limit of {limit:,}",
                limit=SIDE_LIMIT,
                **size,
            )
        )
    if header.width * header.height > PIXEL_LIMIT:
        raise Unreadable(
            Message(
                "its {width} × {height} pixels exceed the limit of {limit} megapixels",
                limit=PIXEL_LIMIT // 1_000_000,
                **size,
            )
        )
    if header.memory > MEMORY_LIMIT:
        raise Unreadable(
            Message(
                "its {width} × {height} pixels take {needed:.1f} GB of memory to decode, the limit"
                " is {limit:.1f} GB",
                needed=header.memory / 1e9,
                limit=MEMORY_LIMIT / 1e9,
                **size,
            )
        )


_HEVC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"BM", "bmp"),
    *((start, "tiff") for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg 2000"),
    (b"\xff\x4f\xff\x51", "jpeg 2000"),
)


def sniff(data: bytes) -> str:
    """Detect the image format from the first bytes; one without a signature (TGA) needs 18.

    Raises Unreadable for unsupported ones.
    """
    for start, kind in _SIGNATURES:
        if data.startswith(start):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "netpbm"
    if data[4:8] == b"ftyp" and (kind := _media_kind(data)):
        return kind
    if data.startswith(b"\xff\xd8") or (len(data) < 8 and b"\x89PNG".startswith(data[:4])):
        raise Unreadable(Message("it is truncated within its first bytes"))
    if looks_like_tga(data):
        return "tga"
    known = enumerated(list(NAMES.values()), "or")
    raise Unreadable(Message("it is not an image in a supported format ({formats})", formats=known))


def _media_kind(data: bytes) -> str:
    """Kind of an ISO media file by its brands; "" if it is not an image."""
    end = min(struct.unpack_from(">I", data)[0], len(data))
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]
    for brand in brands:
        if brand in (b"avif", b"avis"):
            return "avif"
        if brand in _HEVC_BRANDS:
            return "heif"
    return "heif" if brands[0] in (b"mif1", b"msf1") else ""


def capture_time(path: Path) -> datetime | None:
    """When an image was taken, by its EXIF data (DateTimeOriginal, without a time zone); None
    if it is unknown or the file cannot be read."""
    try:
        taken = parse_header(image_bytes(path)).taken
        return datetime.strptime(taken[:19], "%Y:%m:%d %H:%M:%S")
    except (OSError, ValueError, Unreadable):
        return None


def identify(path: Path, most: int | None = MOST_BYTES) -> str | None:
    """BLAKE3 of a file's bytes in hexadecimal; None if it cannot be read, or is larger than `most`
    bytes."""
    try:
        return hash_regular(path, most)
    except (OSError, ValueError):
        return None
