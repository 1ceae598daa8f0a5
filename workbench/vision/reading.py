"""Decoding of image files to upright RGB arrays, and thumbnails."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from workbench.domain.errors import KnownError, reason_of
from workbench.domain.geometry import Rect
from workbench.domain.text import mark
from workbench.files import regular_bytes
from workbench.vision.headers import NAMES, Header, Unreadable, parse_header

__all__ = ["Grey", "Header", "Pixels", "decode", "header_of", "load_bytes", "read_grey"]
__all__ += ["read_header", "read_rgb"]

Pixels = NDArray[np.uint8]  # H × W × 3, RGB
Grey = NDArray[np.uint8]  # H × W
REMEDY = mark("Replace the file with an intact copy, or remove the image from the project.")

warnings.filterwarnings("ignore", module=r"PIL\.")  # unusual metadata does not affect the pixels


def load_bytes(path: Path) -> bytes:
    """Read a file. Raises KnownError naming it if the system refuses."""
    try:
        return regular_bytes(path)
    except (OSError, ValueError) as error:
        raise KnownError(
            "{path} cannot be read: {reason}.",
            "Check that the file exists and that you have permission to read it.",
            path=path,
            reason=reason_of(error),
        ) from error


def header_of(data: bytes, path: Path) -> Header:
    """Parse the header of `data`, the bytes of `path`. Raises KnownError with file and reason."""
    try:
        return parse_header(data)
    except Unreadable as error:
        raise KnownError(
            "{path} cannot be read: {reason}.", REMEDY, path=path, reason=error.reason
        ) from error


def read_header(path: Path) -> Header:
    """Read displayed size and format of an image file without decoding it.

    Raises KnownError with the file and the reason if it is missing, empty, not an image, truncated,
    damaged or larger than 200 megapixels.
    """
    return header_of(load_bytes(path), path)


def read_rgb(path: Path, longest: int | None = None, rect: Rect | None = None) -> Pixels:
    """Decode an image file to H × W × 3 uint8 RGB, upright.

    `rect` crops a rectangle in full-size displayed pixels (shifted into the image if needed);
    `longest` limits the longer side of the result in pixels (it is never enlarged). Grey and 16-bit
    images are converted to 8-bit RGB, as is CMYK; transparent pixels are blended with white. Raises
    KnownError with the file and the reason.
    """
    return decode(load_bytes(path), path, longest, rect)


def decode(data: bytes, path: Path, longest: int | None = None, rect: Rect | None = None) -> Pixels:
    """Decode the bytes of the file at `path`, as `read_rgb`."""
    header = header_of(data, path)
    cut = (rect or header.whole).inside(header.width, header.height)
    scale = min(1.0, longest / max(cut.width, cut.height)) if longest else 1.0
    try:
        pixels = _upright_pixels(data, header, scale)
    except (OSError, ValueError, SyntaxError, MemoryError, LookupError, TypeError) as error:
        kind = NAMES[header.format]
        raise KnownError(
            "{path} is damaged: its {kind} data cannot be decoded.", REMEDY, path=path, kind=kind
        ) from error
    if rect is not None:
        pixels = _cut(pixels, cut, pixels.shape[1] / header.width)
    size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    if pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def read_grey(path: Path) -> Grey:
    """Decode the luminance of an image file to H × W uint8, upright.

    It is computed from RGB, as in OpenCV: a JPEG's own luminance differs by up to 12 levels where
    colours are clipped, which moves landmarks. Raises KnownError as `read_rgb`.
    """
    return np.asarray(cv2.cvtColor(read_rgb(path), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (1–8) to stored pixels."""
    if orientation in (3, 4, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7):
        pixels = pixels[:, ::-1]
    if orientation in (5, 7):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (6, 8):
        pixels = np.rot90(pixels, 1 if orientation == 8 else -1)
    return np.ascontiguousarray(pixels)


def _upright_pixels(data: bytes, header: Header, scale: float) -> Pixels:
    if header.format == "jpeg":
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("CMYK", "YCCK"):
            least = (math.ceil(height * scale), math.ceil(width * scale)) if scale < 1 else (0, 0)
            decoded: Pixels = simplejpeg.decode_jpeg(
                data, "RGB", min_height=least[0], min_width=least[1], strict=False
            )
            return upright(decoded, header.orientation)
    with Image.open(io.BytesIO(data), formats=(header.format,)) as image:
        pixels = _eight_bit_rgb(image)
    # Pillow applies the orientation while loading TIFF files only.
    return pixels if header.format == "tiff" else upright(pixels, header.orientation)


def _eight_bit_rgb(image: Image.Image) -> Pixels:
    """Convert a Pillow image to 8-bit RGB: scale deeper values, blend transparency with white."""
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_scaled(np.asarray(image))[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        ground = Image.new("RGBA", over.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, over)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _scaled(values: NDArray[np.generic]) -> Pixels:
    """Scale grey values deeper than 8 bits to 0–255.

    16-bit values are divided by 257. For wider integers and floats the white level is unknown: it
    is the smallest of 1 (floats only), 255 and 65535 that no value exceeds, else the maximum.
    """
    grey = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(grey.max(initial=0.0))
    usual = {"f": (1.0, 255.0, 65535.0), "i": (255.0, 65535.0)}.get(values.dtype.kind, (65535.0,))
    white = next((limit for limit in usual if top <= limit), top)
    return np.asarray(np.clip(grey * (255.0 / white) + 0.5, 0, 255), dtype=np.uint8)


def _cut(pixels: Pixels, rect: Rect, scale: float) -> Pixels:
    """Crop `rect` from reduced pixels; the result has at least one pixel."""
    height, width = pixels.shape[:2]
    left, top = (
        min(int(v * scale), limit - 1) for v, limit in ((rect.left, width), (rect.top, height))
    )
    right = max(left + 1, min(width, round(rect.right * scale)))
    bottom = max(top + 1, min(height, round(rect.bottom * scale)))
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def resize_into(out: NDArray[np.uint8], part: NDArray[np.uint8], mirrored: bool) -> None:
    """Resize `part` (H × W × 3) into `out` (h × w × 3), flipped horizontally if `mirrored`.

    Uses area averaging if both sides shrink, else interpolation.
    """
    size = (out.shape[1], out.shape[0])
    if part.shape == out.shape:
        np.copyto(out, part)
    else:
        cv2.resize(part, size, dst=out, interpolation=cv2.INTER_AREA)
    if mirrored:
        cv2.flip(out, 1, dst=out)


LONGEST = 256  # longer side of a thumbnail in pixels
QUALITY = 80


def make_thumbnail(path: Path) -> Pixels:
    """Load the image at `path`, upright, with a longer side of at most 256 pixels.

    Raises KnownError as `read_rgb`.
    """
    return read_rgb(path, LONGEST)


def encode_thumbnail(pixels: Pixels) -> bytes:
    """Encode an H × W × 3 RGB array as JPEG with quality 80."""
    return bytes(simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "420"))


def decode_thumbnail(data: bytes) -> Pixels | None:
    """Decode JPEG bytes; None if they are damaged and must be recreated."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError:
        return None
    return pixels
