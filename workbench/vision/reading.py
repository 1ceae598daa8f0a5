"""Decoding of image files to upright RGB arrays, and thumbnails."""

from __future__ import annotations

import contextlib
import io
import math
import re
import threading
import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image, ImageCms

from workbench.domain.errors import KnownError, reason_of
from workbench.domain.geometry import Rect
from workbench.domain.text import Message, mark
from workbench.vision.headers import NAMES, first_jpeg, image_bytes, parse_header
from workbench.vision.netpbm import read_netpbm
from workbench.vision.structures import ICC_LIMIT, Header, Unreadable, heif_image, png_pixels
from workbench.vision.tga import tga_pixels
from workbench.vision.tiff import without_orientation

__all__ = ["Grey", "Header", "Pixels", "decode", "header_of", "load_bytes", "read_grey"]
__all__ += ["read_header", "read_rgb"]

Pixels = NDArray[np.uint8]  # H × W × 3, RGB
Grey = NDArray[np.uint8]  # H × W
LARGE = 100_000_000  # bytes of memory; images that take more are decoded one at a time
SAME_COLOUR = 1  # level by which colours may differ in the same colour space
_large = threading.RLock()
REMEDY = mark("Replace the file with an intact copy, or remove the image from the project.")

warnings.filterwarnings("ignore", module=r"PIL\.")  # unusual metadata does not affect the pixels


def load_bytes(path: Path) -> bytes:
    """Read an image file. Raises KnownError naming it if the system refuses, if it is not a regular
    file, or if it is too large."""
    try:
        return image_bytes(path)
    except (OSError, ValueError) as error:
        raise KnownError(
            "{path} cannot be read: {reason}.",
            "Check that the file exists and that you have permission to read it.",
            path=path,
            reason=reason_of(error),
        ) from error
    except Unreadable as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Unreadable) -> KnownError:
    return KnownError("{path} cannot be read: {reason}.", REMEDY, path=path, reason=error.reason)


def header_of(data: bytes, path: Path) -> Header:
    """Parse the header of `data`, the bytes of `path`. Raises KnownError with file and reason."""
    try:
        return parse_header(data)
    except Unreadable as error:
        raise _unreadable(path, error) from error


def read_header(path: Path) -> Header:
    """Read displayed size and format of an image file without decoding it.

    Raises KnownError with the file and the reason if it is missing, empty, not an image, truncated,
    damaged, larger than 200 megapixels, or takes too much memory or time to decode.
    """
    return header_of(load_bytes(path), path)


def read_rgb(
    path: Path, longest: int | None = None, rect: Rect | None = None, shortest: int = 0
) -> Pixels:
    """Decode an image file to H × W × 3 uint8 RGB, upright.

    `rect` crops a rectangle in full-size displayed pixels (shifted into the image if needed);
    `longest` limits the longer side of the result in pixels (it is never enlarged), but its shorter
    side stays at least `shortest` pixels, if the file has them. Grey and 16-bit images are
    converted to 8-bit RGB, as is CMYK; colours of an embedded profile are converted to sRGB;
    transparent pixels are blended with white. Raises KnownError with the file and the reason.
    """
    with _turn(_size_of(path)):
        return decode(load_bytes(path), path, longest, rect, shortest)


def _size_of(path: Path) -> int:
    """Size of a file in bytes; 0 if it is unknown."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def decode(
    data: bytes,
    path: Path,
    longest: int | None = None,
    rect: Rect | None = None,
    shortest: int = 0,
) -> Pixels:
    """Decode the bytes of the file at `path`, as `read_rgb`."""
    header = header_of(data, path)
    try:
        return _decode(data, header, _limited(header, longest, rect, shortest), rect)
    except Exception as error:  # decoders of damaged data raise almost anything
        kind = NAMES[header.format]
        raise KnownError(
            "{path} is damaged: its {kind} data cannot be decoded.", REMEDY, path=path, kind=kind
        ) from error


def _limited(header: Header, longest: int | None, rect: Rect | None, shortest: int) -> int | None:
    """The limit of the longer side at which the shorter one has at least `shortest` pixels."""
    if longest is None or not shortest:
        return longest
    sides = sorted(((rect or header.whole).width, (rect or header.whole).height))
    return max(longest, math.ceil(shortest * sides[1] / max(1, sides[0])))


def _turn(needed: float) -> AbstractContextManager[bool | None]:
    """Let threads that need much memory (in bytes) run one after another."""
    return _large if needed > LARGE else contextlib.nullcontext()


def _decode(
    data: bytes, header: Header, longest: int | None, rect: Rect | None, strict: bool = False
) -> Pixels:
    cut = (rect or header.whole).inside(header.width, header.height)
    scale = min(1.0, longest / max(cut.width, cut.height)) if longest else 1.0
    with _turn(header.memory):
        pixels = upright(_stored_pixels(data, header, scale, strict), header.orientation)
    icc = _own_profile(header.icc, pixels)
    if rect is not None:
        pixels = _cut(pixels, cut, pixels.shape[1] / header.width)
    size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    if pixels.shape[1::-1] != size:
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        pixels = np.asarray(small, dtype=np.uint8)
    return _in_srgb(pixels, icc)


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


def _stored_pixels(data: bytes, header: Header, scale: float, strict: bool) -> Pixels:
    """Pixels as they are stored, at `scale` or larger. With `strict`, warnings of the JPEG decoder
    raise ValueError."""
    try:
        return _decoded(data, header, scale, strict)
    except Exception:  # of any decoder
        first = first_jpeg(data) if header.format == "jpeg" else data
        if first is data:
            raise
    return _decoded(first, header, scale, strict)


def _decoded(data: bytes, header: Header, scale: float, strict: bool) -> Pixels:
    if header.format == "netpbm":
        return read_netpbm(data)
    if header.format == "jpeg":
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("CMYK", "YCCK"):
            least = (math.ceil(height * scale), math.ceil(width * scale)) if scale < 1 else (0, 0)
            decoded: Pixels = simplejpeg.decode_jpeg(
                data, "RGB", min_height=least[0], min_width=least[1], strict=strict
            )
            return decoded
        if strict:  # Pillow passes over the warnings
            simplejpeg.decode_jpeg(data, "CMYK", min_height=1, min_width=1, strict=True)
    with _opened(data, header, scale) as image:
        return _eight_bit_rgb(image, header, scale)


def _opened(data: bytes, header: Header, scale: float) -> Image.Image:
    """Open an image with Pillow, reduced while it is decoded where its format can do that."""
    if header.format == "heif":
        return heif_image(data)
    if header.format == "png":
        data = png_pixels(data)
    elif header.format == "tiff":
        data = without_orientation(data)
    elif header.format == "tga":
        data = tga_pixels(data)
    format = header.format.replace(" ", "")
    image = Image.open(io.BytesIO(data), formats=(format,))
    if format == "jpeg" and scale < 1:
        width, height = image.size
        image.draft(image.mode, (math.ceil(width * scale), math.ceil(height * scale)))
    elif header.halvings and scale < 1:
        most = min(header.halvings, int(math.log2(1 / scale)))
        image.reduce = _halvings(image.size, most)  # type: ignore
    return _as_stored(image, data) if format in ("tiff", "tga", "bmp") else image


def _halvings(size: tuple[int, int], most: int) -> int:
    """How often a JPEG 2000 is halved: Pillow rounds its sides, OpenJPEG rounds them up, and fails
    where that differs."""
    for count in range(most, 1, -1):
        if all((side + (1 << count >> 1)) >> count == -(-side >> count) for side in size):
            return count
    return min(1, most)


def _as_stored(image: Image.Image, data: bytes) -> Image.Image:
    """An image with the values that its file means, where Pillow reads others."""
    if image.format == "TGA" and data[17] & 15 == 0 and image.mode == "RGBA":
        return image.convert("RGB")  # it has no bits of alpha, whatever their values
    if image.mode == "RGBA" and image.format == "BMP" and image.getchannel("A").getbbox() is None:
        return image.convert("RGB")  # programs of Windows leave the alpha 0
    if image.mode == "I;16" and image.format == "TIFF" and _white_is_zero(image):
        return image.point(lambda level: level * -1 + 65535)
    return image


def _white_is_zero(image: Image.Image) -> bool:
    return image.tag_v2.get(262) == 0  # type: ignore[attr-defined,no-any-return]


BAND = 1 << 23  # pixels of a large image that are converted at once


def _eight_bit_rgb(image: Image.Image, header: Header, scale: float) -> Pixels:
    """Convert a Pillow image to 8-bit RGB: scale deeper values, blend transparency with white.

    An image with many pixels is converted in bands of rows, and each reduced to a whole fraction if
    `scale` is below a half of it, so that few copies are needed.
    """
    image.load()
    white = _white_level(image)
    width, height = image.size
    if width * height <= BAND:
        return _band_rgb(image, white, header.icc)
    step = max(1, int(header.width * 0.5 / (width * scale))) if scale < 1 else 1
    rows = max(1, BAND // width // step) * step
    pixels = np.empty((-(-height // step), -(-width // step), 3), np.uint8)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(height, top + rows)))
        part = _band_rgb(band, white, header.icc)
        out = pixels[top // step : (top + band.height + step - 1) // step]
        if step > 1:
            cv2.resize(part, out.shape[1::-1], dst=out, interpolation=cv2.INTER_AREA)
        else:
            out[:] = part
    return pixels


def _band_rgb(image: Image.Image, white: float, icc: bytes) -> Pixels:
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_scaled(np.asarray(image), white)[:, :, None], 3, axis=2)
    if image.mode == "CMYK" and (transform := _srgb_transform(icc, "CMYK")) is not None:
        return np.asarray(ImageCms.applyTransform(image, transform))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        ground = Image.new("RGBA", over.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, over)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _white_level(image: Image.Image) -> float:
    """The white level of an image with values deeper than 8 bits.

    For 16 bits it is 65535. For wider integers and floats it is unknown: the smallest of 1 (floats
    only), 255 and 65535 that no value exceeds, else the maximum.
    """
    usual = {"F": (1.0, 255.0, 65535.0), "I": (255.0, 65535.0)}.get(image.mode, ())
    if not usual:
        return 65535.0
    rows = max(1, BAND // image.width)
    bands = (image.crop((0, at, image.width, at + rows)) for at in range(0, image.height, rows))
    top = max(float(_finite(np.asarray(band)).max(initial=0.0)) for band in bands)
    return next((limit for limit in usual if top <= limit), top)


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _scaled(values: NDArray[np.generic], white: float) -> Pixels:
    """Scale grey values to 0–255."""
    if values.dtype == np.uint16:
        return np.asarray(_scaled(np.arange(65536), white)[values])
    return np.asarray(np.clip(_finite(values) * (255.0 / white) + 0.5, 0, 255), dtype=np.uint8)


_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}  # ICC's names of Pillow's modes


def _own_profile(icc: bytes, pixels: Pixels) -> bytes:
    """The profile of a whole image; b"" if it is one of grey and the image has colours."""
    if icc[16:20] != b"GRAY":
        return icc
    rows = max(1, BAND // pixels.shape[1])
    bands = (pixels[top : top + rows] for top in range(0, len(pixels), rows))
    return icc if all(bool((band == band[:, :, :1]).all()) for band in bands) else b""


def _in_srgb(pixels: Pixels, icc: bytes) -> Pixels:
    """Convert RGB pixels, or grey ones, from the colour space of an ICC profile to sRGB.

    Profiles that are damaged, or of other colour spaces, are ignored.
    """
    if not icc:
        return pixels
    transform, channels = _srgb_transform(icc, "RGB"), 3
    if transform is None:
        transform, channels = _srgb_transform(icc, "L"), 1
    if transform is None:
        return pixels
    found = pixels if pixels.flags.writeable else np.empty_like(pixels)
    rows = max(1, BAND // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        band = pixels[top : top + rows]
        image = Image.fromarray(band if channels == 3 else np.ascontiguousarray(band[:, :, 0]))
        found[top : top + rows] = np.asarray(ImageCms.applyTransform(image, transform))
    return found


@lru_cache(maxsize=16)
def _srgb_transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Transform from the colour space of a profile, for images of a mode, to sRGB; None if the
    profile cannot be used for them, or is that of sRGB."""
    if not icc or len(icc) > ICC_LIMIT:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if source.profile.xcolor_space != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        levels = np.linspace(0, 255, 9).round().astype(np.uint8)
        colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3)
        if mode == "CMYK":
            return transform
        probe = Image.fromarray(colours if mode == "RGB" else colours[:, :, 0].copy())
        found = np.asarray(ImageCms.applyTransform(probe, transform)).astype(int)
    except Exception:  # damaged profiles raise almost anything
        return None
    known = colours if mode == "RGB" else colours[:, :, :1]
    return transform if np.abs(found - known).max() > SAME_COLOUR else None


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


@dataclass(frozen=True)
class FileFacts:
    """Properties of a file from one read.

    BLAKE3 of its bytes in hexadecimal, width and height as displayed, size in bytes and
    modification time (seconds since the epoch); and its thumbnail, if it was decoded.
    """

    hash: str
    width: int
    height: int
    size: int
    mtime: float
    thumbnail: bytes = b""


def examine(path: Path) -> FileFacts:
    """Read a file once. Raises Unreadable if it cannot be read or is not a valid image.

    The image is decoded, since nothing else shows damage of its data; this makes its thumbnail.
    """
    try:
        stat = path.stat()
        with _turn(stat.st_size):
            return _examine(image_bytes(path), stat.st_mtime)
    except (OSError, ValueError) as error:
        raise Unreadable(reason_of(error)) from error


def _examine(data: bytes, mtime: float) -> FileFacts:
    header = parse_header(data)
    thumbnail = _checked_thumbnail(data, header)
    digest = blake3(data).hexdigest()
    return FileFacts(digest, header.width, header.height, len(data), mtime, thumbnail)


_EXTRA = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(..)")
MOST_EXTRA = 8  # bytes before a restart marker; more are a part of the image that is lost
MOST_PADDING = 64  # bytes of any value before the end of an image; more are no image data if equal


def _checked_thumbnail(data: bytes, header: Header) -> bytes:
    """Thumbnail of an image. Raises Unreadable if it cannot be decoded, or if its data is damaged
    as far as libjpeg warns."""
    strict = header.format == "jpeg"
    try:
        return encode_thumbnail(_decode(data, header, LONGEST, None, strict))
    except Exception as error:  # decoders of damaged data raise almost anything
        if strict and isinstance(error, ValueError) and not _is_damage(str(error), data):
            with contextlib.suppress(Exception):
                return encode_thumbnail(_decode(data, header, LONGEST, None))
        raise Unreadable(
            Message("its {format} data is damaged", format=NAMES[header.format])
        ) from error


def _is_damage(warning: str, data: bytes) -> bool:
    """Whether a warning of libjpeg means that pixels are wrong.

    Some cameras and programs write a few bytes too many, or unusual values.
    """
    extra = _EXTRA.match(warning)
    if extra is None:
        return warning.startswith(("Corrupt JPEG data", "Premature end", "Invalid JPEG file"))
    count, marker = int(extra[1]), extra[2].lower()
    if marker != "d9":
        return count > MOST_EXTRA
    if count > len(data) / 10:
        return True
    return count > MOST_PADDING and not _is_padded(data, count)


def _is_padded(data: bytes, count: int) -> bool:
    """Whether `count` equal bytes come before an end of image in a JPEG."""
    ends = (end.start() for end in re.finditer(b"\xff\xd9", data))
    return any(end > count and len(set(data[end - count : end])) == 1 for end in ends)
