"""TGA files: a format without a signature, with pixels or run lengths after a short header.

Pillow decodes the pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

RUNS = 300_000  # run lengths that are read here


def tga_is_complete(data: bytes) -> bool:
    """Whether a TGA has all of its pixels; true as well for one with very many run lengths."""
    width, height = struct.unpack_from("<HH", data, 12)
    start, step = _layout(data)
    if data[2] < 8:
        return bool(start + width * height * step <= len(data))
    runs = list(_runs(data, start, width * height, step))
    return len(runs) == RUNS or sum(count for _, count, _ in runs) >= width * height


def tga_pixels(data: bytes) -> bytes:
    """The bytes of a valid TGA without run lengths: Pillow refuses runs that continue in the next
    row. One with very many runs is left as it is."""
    if data[2] < 8:
        return data
    start, step = _layout(data)
    width, height = struct.unpack_from("<HH", data, 12)
    runs = list(_runs(data, start, width * height, step))
    if len(runs) == RUNS:
        return data
    parts = (data[at : at + step] * n if same else data[at : at + n * step] for at, n, same in runs)
    return data[:2] + bytes((data[2] & 7,)) + data[3:start] + b"".join(parts)


def _layout(data: bytes) -> tuple[int, int]:
    """Offset of the pixels of a TGA, and the bytes of each."""
    length, entry = struct.unpack_from("<HB", data, 5)
    palette = length * ((entry + 7) // 8) if data[1] else 0
    return 18 + data[0] + palette, (data[16] + 7) // 8


def _runs(data: bytes, at: int, pixels: int, step: int) -> Iterator[tuple[int, int, bool]]:
    """The first `RUNS` complete runs: offset of the pixel or pixels, their number, and whether one
    is repeated."""
    for _ in range(RUNS):
        if pixels <= 0 or at >= len(data):
            return
        same, count = data[at] >= 128, (data[at] & 127) + 1
        after = at + 1 + step * (1 if same else count)
        if after > len(data):
            return
        yield at + 1, count, same
        at, pixels = after, pixels - count


def looks_like_tga(data: bytes) -> bool:
    """Whether the first 18 bytes may be the header of a TGA, which has no signature."""
    if len(data) < 18:
        return False
    mapped, kind, bits, flags = data[1], data[2], data[16], data[17]
    depths = {1: (8,), 2: (16, 24, 32), 3: (1, 8, 16)}.get(kind & 7, ())
    return mapped == (kind & 7 == 1) and kind < 16 and bits in depths and flags < 64
