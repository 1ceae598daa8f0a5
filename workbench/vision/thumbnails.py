"""Thumbnails: images reduced to 256 pixels, and the JPEG bytes they are kept as."""

from __future__ import annotations

from pathlib import Path

import simplejpeg

from workbench.vision.reading import Pixels, read_rgb

LONGEST = 256  # pixels of the longer side
QUALITY = 80


def make_thumbnail(path: Path) -> Pixels:
    """The image at `path`, upright, longer side at most 256; raises KnownError as `read_rgb`."""
    return read_rgb(path, LONGEST)


def encode_thumbnail(pixels: Pixels) -> bytes:
    """JPEG bytes of an H × W × 3 RGB array, quality 80."""
    return bytes(simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "420"))


def decode_thumbnail(data: bytes) -> Pixels | None:
    """The pixels of kept JPEG bytes; None when they are damaged, and are to be made again."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError:
        return None
    return pixels
