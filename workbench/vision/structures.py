"""Structure of image files: size, orientation, colour profile, costs and truncation, without
decoding."""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image, UnidentifiedImageError

from workbench.domain.geometry import Rect
from workbench.domain.text import Message, mark
from workbench.vision.netpbm import read_netpbm_header
from workbench.vision.tga import tga_is_complete
from workbench.vision.tiff import (
    Directory,
    add_png_text,
    capture_text,
    jpeg_metadata,
    png_metadata,
    tiff_orientation,
    unpacked,
    xmp_orientation,
)

ICC_LIMIT = 4 << 20  # bytes of a colour profile; larger ones are ignored
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ARITHMETIC = frozenset(range(0xC9, 0xD0))
SCANS = 100  # of a progressive JPEG; ten are usual, and each costs as much as a decoding
SCANNED_PIXELS = 3_000_000_000  # scans times pixels
_MARKER = re.compile(rb"\xff[^\x00\x01\xff]", re.S)
SEGMENT_START = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.S)  # without those of restarts
SEGMENTS = 20_000  # of a JPEG, each of at most 64 KiB
CHUNKS = 200_000  # of a PNG
PIECES = 100_000  # strips or tiles of a TIFF, each of which is read by itself
RGB = 3  # bytes of a pixel of the result
# Most pixels for a byte of file that a compression can describe, with room for its tables.
JPEG_RATIO = 600  # two bits for a block of 64 pixels
DEFLATE_RATIO = 1040  # of bytes; see zlib's technical details
TIFF_RATIO = 3000  # LZW
BMP_RATIO = 130  # run lengths
SLACK = 4096


class Unreadable(Exception):
    """An invalid image file. `reason` completes "… cannot be read: "."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def truncated(format: str) -> Unreadable:
    """The error for data that ends too early."""
    return Unreadable(Message("its {format} data is truncated", format=format))


@dataclass(frozen=True)
class Header:
    """Size in pixels as displayed (after applying the orientation), format and colour profile.

    `format` is a key of `headers.NAMES`; `orientation` is the EXIF value 1–8 of the stored pixels;
    `icc` is the embedded ICC profile (b"": none); `taken` is EXIF's time of capture ("": unknown).
    `pixel_bytes` is the memory that decoding takes for each pixel, with its result; `halvings` is
    how often a reduced size halves the cost of decoding.
    """

    width: int
    height: int
    format: str
    orientation: int = 1
    icc: bytes = field(default=b"", repr=False)
    pixel_bytes: float = 4
    halvings: int = 0
    taken: str = ""

    @property
    def whole(self) -> Rect:
        """The whole image as a rectangle."""
        return Rect(0, 0, self.width, self.height)

    @property
    def memory(self) -> float:
        """Bytes of memory that decoding the whole image takes."""
        turned = RGB if self.orientation != 1 else 0
        return self.width * self.height * (self.pixel_bytes + turned)


def _displayed(
    size: tuple[int, int],
    kind: str,
    exif: bytes,
    icc: bytes = b"",
    pixel_bytes: float = 4,
    xmp: bytes = b"",
) -> Header:
    """The header of an image with an EXIF block and an XMP packet (b"": none)."""
    exif = exif.removeprefix(b"Exif\0\0")
    orientation = tiff_orientation(exif, missing=xmp_orientation(xmp))
    width, height = size[::-1] if orientation in (5, 6, 7, 8) else size
    return Header(width, height, kind, orientation, icc, pixel_bytes, taken=capture_text(exif))


def _check_plausible(size: tuple[int, int], needed: float, stored: int, ratio: int) -> None:
    """Raise Unreadable if an image of this size takes `needed` bytes (or other units), of which a
    stored byte can describe at most `ratio`, and fewer are `stored`."""
    if needed > ratio * (stored + SLACK):
        raise Unreadable(
            Message(
                "its {width} × {height} pixels cannot be stored in {stored:,} bytes",
                width=size[0],
                height=size[1],
                stored=stored,
            )
        )


def parse_jpeg(data: bytes) -> Header:
    """Header of a JPEG; the end-of-image marker must follow its first scan."""
    frame: tuple[int, int] | None = None  # marker and offset
    blocks, profile = list[bytes](), dict[int, bytes]()
    at = 2
    for _ in range(SEGMENTS):
        marker, at, length = _jpeg_segment(data, at)
        if marker in START_OF_FRAME and frame is None:
            frame = marker, at
        elif marker == 0xE1:
            blocks.append(data[at + 2 : at + length])
        elif marker == 0xE2 and data.startswith(b"ICC_PROFILE\0", at + 2) and length > 16:
            profile[data[at + 14]] = data[at + 16 : at + length]
        at += length
        if marker == 0xDA:
            break
    else:
        raise _too_many(SEGMENTS, mark("segments"))
    # Entropy-coded data never contains FF D9; that of an embedded thumbnail precedes the scan.
    if data.rfind(b"\xff\xd9", at) < 0:
        raise truncated("JPEG")
    if frame is None:
        raise Unreadable(Message("its JPEG header has no image size"))
    size, pixel_bytes = _jpeg_frame(data, *frame, at - length, at)
    icc = b"".join(profile[number] for number in sorted(profile))
    exif, xmp = jpeg_metadata(blocks)
    return _displayed(size, "jpeg", exif, icc, pixel_bytes, xmp)


def _jpeg_frame(
    data: bytes, marker: int, at: int, scan: int, start: int
) -> tuple[tuple[int, int], float]:
    """Check the costs of the frame whose length field is at `at`; that of the first scan is at
    `scan`, and its data at `start`. Returns its size and the memory for a pixel."""
    height, width, components = struct.unpack_from(">HHB", data, at + 3)
    scans = 1
    if marker in _PROGRESSIVE or data[scan + 2] < components:
        scans += _scans_after(data, start)
    if scans > SCANS or scans * width * height > max(SCANNED_PIXELS, width * height):
        raise Unreadable(
            Message(
                "it has {scans} scans, which take too long to decode; the limit is {limit}",
                scans=scans,
                limit=min(SCANS, max(1, SCANNED_PIXELS // max(1, width * height))),
            )
        )
    if marker not in _ARITHMETIC:
        _check_plausible((width, height), width * height, len(data), JPEG_RATIO)
    buffered = 2 * components if scans > 1 else 0  # coefficients of all scans
    return (width, height), (RGB if components < 4 else components + RGB) + buffered


def _scans_after(data: bytes, at: int) -> int:
    """Number of scans of a JPEG after the one whose data starts at `at`.

    Other segments are passed over as decoders do: a comment may contain any bytes.
    """
    scans = 0
    for _ in range(SEGMENTS):
        found = SEGMENT_START.search(data, at)
        if found is None or found[0][1] in (0xD8, 0xD9):
            return scans
        scans += found[0][1] == 0xDA
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    raise _too_many(SEGMENTS, mark("segments"))


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


def _too_many(limit: int, parts: str) -> Unreadable:
    return Unreadable(
        Message("it has more than {limit:,} {parts}", limit=limit, parts=Message(parts))
    )


_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_PNG_PIXELS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))


def parse_png(data: bytes) -> Header:
    """Header of a PNG; the checksum of each chunk must be right."""
    width, height, depth, colours = struct.unpack_from(">IIBB", data, 16)
    exif, icc, pixels, texts = b"", b"", 0, dict[bytes, bytes]()
    for name, start, end in _png_chunks(data):
        if zlib.crc32(memoryview(data)[start - 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise Unreadable(Message("a checksum of its PNG data is wrong"))
        if name == b"eXIf":
            exif = data[start:end]
        elif name == b"iCCP":
            icc = unpacked(data[start:end].partition(b"\0")[2][1:], ICC_LIMIT)
        elif name == b"IDAT":
            pixels += end - start
        else:
            add_png_text(texts, name, data[start:end])
    channels = _PNG_CHANNELS[colours]
    row = 1 + (width * channels * depth + 7) // 8
    _check_plausible((width, height), row * height, pixels, DEFLATE_RATIO)
    pixel_bytes = max(4 if channels > 1 else 1, channels * depth / 8) + RGB
    raw, xmp = png_metadata(texts)
    return _displayed((width, height), "png", exif or raw, icc, pixel_bytes, xmp)


def png_pixels(data: bytes) -> bytes:
    """The bytes of a valid PNG, without chunks that do not affect its pixels: some decoders refuse
    large ones."""
    kept = [(name, start, end) for name, start, end in _png_chunks(data) if name in _PNG_PIXELS]
    return data[:8] + b"".join(data[start - 8 : end + 4] for _, start, end in kept)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk's data, up to the last one."""
    at = 8
    for _ in range(CHUNKS):
        if at + 12 > len(data):
            raise truncated("PNG")
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            raise truncated("PNG")
        yield name, at + 8, end
        if name == b"IEND":
            return
        at = end + 4
    raise _too_many(CHUNKS, mark("chunks"))


def parse_bmp(data: bytes) -> Header:
    """Header of a BMP; its rows must be complete unless they are compressed."""
    with Image.open(io.BytesIO(data), formats=("BMP",)) as image:
        size = image.size
    (offset,) = struct.unpack_from("<I", data, 10)
    bits, compression = struct.unpack_from("<HI", data, 28)
    row = (size[0] * bits + 31) // 32 * 4
    if compression in (0, 3) and offset + row * size[1] > len(data):
        raise truncated("BMP")
    packed = compression in (1, 2)
    if packed:
        _check_plausible(size, size[0] * size[1], len(data), BMP_RATIO)
    pixel_bytes = (4 if bits > 8 else 3 if packed else 1) + RGB
    return _displayed(size, "bmp", b"", _bmp_profile(data), pixel_bytes)


def _bmp_profile(data: bytes) -> bytes:
    """The ICC profile in a BMP of version 5; b"" if there is none."""
    if len(data) < 138 or data[14] < 124 or data[70:74] != b"DEBM":
        return b""
    start, size = struct.unpack_from("<II", data, 126)
    return data[14 + start : 14 + start + size]


def parse_tiff(data: bytes) -> Header:
    """Header of the first page of a TIFF; its strips or tiles must lie within the file."""
    tags = Directory(data)
    size = tags.number(256, 0), tags.number(257, 0)
    samples = tags.number(277, 1)
    bits = max(tags.numbers(258) or (1,)) * samples
    _check_pieces(tags, len(data))
    stored, compression = size[0] * size[1] * bits / 8, tags.number(259, 1)
    if compression not in _FAX:
        _check_plausible(size, stored, len(data), TIFF_RATIO)
    _check_kind(data, tags)
    icc = tags.data(34675, ICC_LIMIT)
    pixel_bytes = max(4 if samples > 1 else 1, bits / 8) + RGB
    tile = tags.number(322, 0) * tags.number(323, 0)
    if tile > size[0] * size[1]:  # a tile is decoded whole
        pixel_bytes *= tile / max(1, size[0] * size[1])
    return _displayed(size, "tiff", data, icc, pixel_bytes)


def _check_pieces(tags: Directory, end: int) -> None:
    for starts, counts in ((273, 279), (324, 325)):
        if tags.count(starts) > PIECES:
            raise _too_many(PIECES, mark("strips or tiles"))
        pieces = zip(tags.numbers(starts), tags.numbers(counts, PIECES), strict=False)
        if any(start + count > end for start, count in pieces):
            raise truncated("TIFF")


def _check_kind(data: bytes, tags: Directory) -> None:
    """Raise Unreadable for kinds of TIFF that Pillow refuses, or decodes to wrong values."""
    samples, deep = tags.number(277, 1), max(tags.numbers(258) or (1,))
    refused = tags.number(284, 1) == 2 and deep > 8  # each channel by itself
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)):
            pass
    except UnidentifiedImageError:
        refused = True
    if refused:
        reason = mark("its kind of TIFF is not supported: {samples:,} × {bits:,} bits")
        if tags.number(339, 1) == 3:
            reason = mark("its kind of TIFF is not supported: {samples:,} × {bits:,}-bit floats")
        raise Unreadable(Message(reason, samples=samples, bits=deep))


_FAX = (2, 3, 4)  # white rows take hardly any bytes


def parse_webp(data: bytes) -> Header:
    """Header of a WebP."""
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise truncated("WebP")
    size, info = _opened(data, "WEBP")
    exif, xmp = info.get("exif", b""), info.get("xmp", b"")
    return _displayed(size, "webp", exif, _profile(info), 16, xmp)  # several canvases


def _opened(data: bytes, format: str) -> tuple[tuple[int, int], dict[Any, Any]]:
    """Size and metadata of an image, as Pillow reads them."""
    with Image.open(io.BytesIO(data), formats=(format,)) as image:
        return image.size, image.info


def _profile(info: dict[Any, Any]) -> bytes:
    return info.get("icc_profile") or b""


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each box of an ISO media file (ISO/IEC 14496-12).

    Raises Unreadable if a box goes beyond the end.
    """
    at, end = start, len(data) if end is None else end
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        content = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        after = at + size if size else end
        if after > end or after < content:
            raise Unreadable(Message("its data is truncated"))
        yield kind, content, after
        at = after


def parse_heif(data: bytes) -> Header:
    """Header of a HEIF image with HEVC pixels. libheif turns and mirrors it as the file says; its
    EXIF orientation only repeats that (ISO/IEC 23008-12)."""
    from pi_heif import open_heif  # takes a while, and is seldom needed

    _check_boxes(data)
    _check_items(data)
    image = open_heif(data)
    shown = _displayed(image.size, "heif", b"", _profile(image.info), 14)
    exif = (image.info.get("exif") or b"").removeprefix(b"Exif\0\0")
    return replace(shown, taken=capture_text(exif))


def _check_items(data: bytes) -> None:
    """Raise UnicodeDecodeError unless the types and names of all items are text: pi-heif crashes
    on others."""
    for kind, start, end in boxes(data):
        if kind == b"meta":
            for inner, at, after in boxes(data, start + 4, end):
                if inner == b"iinf":
                    first = at + (6 if data[at] == 0 else 8)
                    for _, entry, last in boxes(data, first, after):
                        data[entry + 8 : last].decode()


def heif_image(data: bytes) -> Image.Image:
    """Decode a valid HEIF image, upright."""
    from pi_heif import open_heif

    image: Image.Image = open_heif(data).to_pillow()
    return image


def parse_avif(data: bytes) -> Header:
    """Header of an AVIF image. Pillow reports how the file says to turn and mirror it as its EXIF
    orientation."""
    _check_boxes(data)
    size, info = _opened(data, "AVIF")
    return _displayed(size, "avif", info.get("exif", b""), _profile(info), 14)


def _check_boxes(data: bytes) -> None:
    """Raise Unreadable if a box goes beyond the end of the file."""
    for _ in boxes(data):
        pass


_JP2_EXIF = b"JpgTiffExif->JP2"
TILE_PART = 14  # bytes of a tile without pixels
TILE_BYTES = 12_000  # of memory that a tile takes, whatever its size


def parse_jp2(data: bytes) -> Header:
    """Header of a JPEG 2000 image, in boxes or as a bare codestream."""
    exif, icc, code = b"", b"", 0
    if data.startswith(b"\0\0\0\x0c"):
        for kind, start, end in boxes(data):
            if kind == b"jp2h":
                icc = next((icc for icc in _colour_boxes(data, start, end) if icc), b"")
            elif kind == b"uuid" and data.startswith(_JP2_EXIF, start):
                exif = data[start + len(_JP2_EXIF) : end]
            elif kind == b"jp2c":
                code = start
    components, depth, halvings, tiles = _codestream(data, code)
    if tiles * TILE_PART > len(data):
        raise truncated("JPEG 2000")
    if data.rfind(b"\xff\xd9", code) < 0:
        raise truncated("JPEG 2000")
    size, _ = _opened(data, "JPEG2000")
    pixel_bytes = 4 * components + 4 + depth / 8 + tiles * TILE_BYTES / max(1, size[0] * size[1])
    shown = _displayed(size, "jpeg 2000", exif, icc, pixel_bytes)
    return replace(shown, halvings=halvings)


def _colour_boxes(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """The ICC profiles in a header box of JPEG 2000."""
    for kind, at, after in boxes(data, start, end):
        if kind == b"colr" and data[at] in (2, 3):
            yield data[at + 3 : after]


def _codestream(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Number of components, their depth, the decomposition levels and the tiles of a codestream."""
    if data[at : at + 4] != b"\xff\x4f\xff\x51":
        raise ValueError("no codestream")
    values = struct.unpack_from(">8IH", data, at + 8)
    right, bottom, x, y, across, down, left, top, components = values
    tiles = math.ceil((right - left) / across) * math.ceil((bottom - top) / down)
    depth, levels = (data[at + 42] & 127) + 1, 0
    at += 2
    while data[at] == 0xFF and data[at + 1] not in (0x90, 0xD9):
        if data[at + 1] == 0x52:
            levels = data[at + 9]
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return components, depth, 0 if x or y else levels, tiles


def parse_tga(data: bytes) -> Header:
    """Header of a TGA, whose pixels or run lengths must be complete."""
    width, height, bits = struct.unpack_from("<HHB", data, 12)
    if not tga_is_complete(data):
        raise truncated("TGA")
    pixel_bytes = (4 if bits > 8 else 1) + (bits / 8 if data[2] >= 8 else 0) + RGB
    return Header(width, height, "tga", pixel_bytes=pixel_bytes)


def parse_netpbm(data: bytes) -> Header:
    """Header of a PBM, PGM or PPM file."""
    found = read_netpbm_header(data)
    if found.start + found.bytes > len(data):
        raise truncated("Netpbm")
    deep = 2 if found.greatest > 255 else 0
    pixel_bytes = found.channels * (1 + deep) + RGB
    return Header(found.width, found.height, "netpbm", pixel_bytes=pixel_bytes)


Parser = Callable[[bytes], Header]
PARSERS: dict[str, Parser] = {
    "jpeg": parse_jpeg,
    "png": parse_png,
    "bmp": parse_bmp,
    "tiff": parse_tiff,
    "webp": parse_webp,
    "heif": parse_heif,
    "avif": parse_avif,
    "jpeg 2000": parse_jp2,
    "netpbm": parse_netpbm,
    "tga": parse_tga,
}
