"""Files of the Netpbm tools: PBM, PGM and PPM, as text or bytes.

Pillow reads them too, but takes minutes for large ones in text and does not scale all depths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NetpbmHeader:
    """Header of a PBM, PGM or PPM file: greatest value, and offset of the first pixel.

    `kind` is the digit in the file's first bytes: 1 to 3 for text, 4 to 6 for bytes.
    """

    kind: int
    width: int
    height: int
    greatest: int
    start: int

    @property
    def channels(self) -> int:
        """Number of values of a pixel."""
        return 3 if self.kind in (3, 6) else 1

    @property
    def bytes(self) -> int:
        """Size of the pixels; for text, the smallest possible one."""
        if self.kind == 4:
            return (self.width + 7) // 8 * self.height
        values = self.width * self.height * self.channels
        if self.kind < 4:
            return values if self.kind == 1 else 2 * values - 1
        return values * (2 if self.greatest > 255 else 1)


# Possessive, since a way back for each of many comments takes gigabytes.
_NETPBM_VALUE = re.compile(rb"(?:\s++|#[^\r\n]*+[\r\n])++(\d{1,9})")
MOST_COMMENTS = 1 << 20  # bytes of comments and spaces before the pixels, and among them
MOST_OF_VALUE = 64  # bytes of text for a value, with its share of the spaces and comments


def read_netpbm_header(data: bytes) -> NetpbmHeader:
    """Read the header of a PBM, PGM or PPM file. Raises ValueError if it is damaged."""
    kind, at, values = data[1] - ord("0"), 2, list[int]()
    for _ in range(2 if kind in (1, 4) else 3):
        found = _NETPBM_VALUE.match(data, at, MOST_COMMENTS)
        if found is None:
            raise ValueError("no number")
        values.append(int(found[1]))
        at = found.end()
    width, height, greatest = (*values, 1)[:3]
    if not 1 <= greatest <= 65535:
        raise ValueError("greatest value")
    header = NetpbmHeader(kind, width, height, greatest, at + 1)
    # A header that Windows wrote ends in two characters; one byte more than its pixels shows it.
    if data[at : at + 2] == b"\r\n" and header.start + header.bytes + 1 == len(data):
        return replace(header, start=at + 2)
    return header


def read_netpbm(data: bytes) -> NDArray[np.uint8]:
    """Decode a PBM, PGM or PPM file to H × W × 3 uint8, scaled by its greatest value.

    Raises ValueError if it is damaged.
    """
    header = read_netpbm_header(data)
    shape = (header.height, header.width, header.channels)
    if header.kind == 1:
        pixels = _digits(data[header.start - 1 : _text_end(header)], header)
    elif header.kind < 4:
        pixels = _numbers(data, header)
    elif header.kind == 4:
        rows = np.frombuffer(data, np.uint8, header.bytes, header.start)
        bits = np.unpackbits(rows.reshape(header.height, -1), axis=1)
        pixels = _black_ones(bits[:, : header.width])
    else:
        deep = np.dtype(">u2" if header.greatest > 255 else np.uint8)
        values = np.frombuffer(data, deep, header.bytes // deep.itemsize, header.start)
        pixels = _scaled(values, header)
    pixels = pixels.reshape(shape)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*shape[:2], 3)))


def _black_ones(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn the bits of a PBM into grey values, in place: 1 is black."""
    np.bitwise_xor(bits, 1, out=bits)
    return np.multiply(bits, 255, out=bits)


def _scaled(values: NDArray[Any], header: NetpbmHeader) -> NDArray[np.uint8]:
    """Scale values to 0–255."""
    if header.greatest == 255:
        return np.asarray(values, dtype=np.uint8)
    levels = np.arange(header.greatest + 1) * 255 / header.greatest + 0.5
    table = levels.astype(np.uint8)
    return np.asarray(table[np.minimum(values, header.greatest)])


def _text_end(header: NetpbmHeader) -> int:
    """Offset up to which the values of a file in text are looked for."""
    values = header.width * header.height * header.channels
    return header.start + MOST_OF_VALUE * values + MOST_COMMENTS


def _digits(text: bytes, header: NetpbmHeader) -> NDArray[np.uint8]:
    """Pixels of a PBM in text, whose digits need no space between them."""
    text = _COMMENT.sub(b" ", text) if b"#" in text else text
    count = header.width * header.height
    bits = np.frombuffer(bytearray(text.translate(None, _SPACE)), np.uint8)[:count]
    np.subtract(bits, ord("0"), out=bits)
    if len(bits) < count or bits.max(initial=0) > 1:
        raise ValueError("values are missing or too large")
    return _black_ones(bits)


def _numbers(data: bytes, header: NetpbmHeader) -> NDArray[np.uint8]:
    """Pixels of a PGM or PPM in text, which is read in blocks."""
    pixels = np.empty(header.width * header.height * header.channels, np.uint8)
    ends = _LINE_END if data.find(b"#", header.start) >= 0 else _SPACES
    at, done = header.start - 1, 0
    data = data[: _text_end(header)]
    while done < len(pixels) and at < len(data):
        end = ends.search(data, at + BLOCK)
        text = data[at : end.start() if end is not None else len(data)]
        at += len(text)
        text = _COMMENT.sub(b" ", text) if b"#" in text else text
        if text.translate(None, _SPACE + b"0123456789"):
            raise ValueError("a character is no digit")
        some = np.fromstring(text, np.int32, sep=" ") if text.strip() else np.empty(0, np.int32)
        values = some[: len(pixels) - done]
        if values.min(initial=0) < 0 or values.max(initial=0) > header.greatest:
            raise ValueError("a value is too large")
        pixels[done : done + len(values)] = _scaled(values, header)
        done += len(values)
    if done < len(pixels):
        raise ValueError("values are missing")
    return pixels


BLOCK = 1 << 22  # bytes of text that are read at once
_SPACES = re.compile(rb"\s")
_LINE_END = re.compile(rb"[\r\n]")  # of a comment
_COMMENT = re.compile(
    rb"(?:#[^\r\n]*+\s*+)++"
)  # with those that follow it: each match takes memory
_SPACE = b" \t\n\v\f\r"
