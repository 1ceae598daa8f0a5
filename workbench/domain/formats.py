"""Image formats by file extension, and where the labels of an import come from.

Dialogs, commands, error messages and the manual are derived from `IMAGE_FORMATS`. To add a format,
add an entry there, and its decoding in `vision/headers.py`. Formats of datasets are in
`workbench.formats`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Literal

from workbench.domain.text import Message

# Label sets that every import can fill, the outer folder level first.
IMPORTABLE_SETS = ("category", "view", "expression")


class Origin(StrEnum):
    """Origin of the labels in an import; also the kind of a source."""

    NONE = ""
    FOLDER = "folder"
    LIST = "list"
    TABLE = "csv"  # the name in commands and in stored projects, whatever the delimiter


@dataclass(frozen=True)
class ImageFormat:
    """An image format. `endings` are lower-case and start with a dot; `read` is false for images
    that are recognised but not imported."""

    name: str
    endings: tuple[str, ...]
    read: bool = True


class ImageFormats:
    """Image formats in display order, looked up by file extension."""

    def __init__(self, formats: Iterable[ImageFormat] = ()) -> None:
        self._by_ending: dict[str, ImageFormat] = {}
        for format in formats:
            self.register(format)

    def register(self, format: ImageFormat) -> None:
        """Add a format. Raises ValueError if an extension is already registered."""
        for ending in format.endings:
            if ending in self._by_ending:
                raise ValueError(f"{ending} of {format.name} is {self._by_ending[ending].name}")
        self._by_ending.update(dict.fromkeys(format.endings, format))

    def __iter__(self) -> Iterator[ImageFormat]:
        return iter(dict.fromkeys(self._by_ending.values()))

    def of(self, path: PurePath | str) -> ImageFormat | None:
        """Return the format of a file by its extension, ignoring case; None if it is unknown."""
        return self._by_ending.get(os.path.splitext(path)[1].lower())

    def read(self) -> tuple[ImageFormat, ...]:
        """Formats that are imported."""
        return tuple(format for format in self if format.read)


_UNREAD_IMAGES = {
    "GIF": (".gif",),
    "JPEG XL": (".jxl",),
    "JPEG XR": (".jxr", ".wdp", ".hdp"),
    "Photoshop": (".psd", ".psb"),
    "GIMP": (".xcf",),
    "SVG": (".svg", ".svgz"),
    "PostScript": (".eps",),
    "ICO": (".ico", ".cur", ".icns"),
    "PCX": (".pcx",),
    "PAM and PFM": (".pam", ".pfm"),
    "SGI": (".sgi",),
    "Sun raster": (".ras",),
    "X bitmap": (".xbm", ".xpm"),
    "DirectDraw": (".dds",),
    "OpenEXR": (".exr",),
    "Radiance": (".hdr",),
    "QOI": (".qoi",),
    "Windows metafile": (".wmf", ".emf"),
    "DICOM": (".dcm",),
    "FITS": (".fits", ".fit"),
    "MNG": (".mng", ".jng"),
    "JPEG-LS": (".jls",),
    "Wireless bitmap": (".wbmp",),
    "IM and MSP": (".im", ".msp"),
    "BPG": (".bpg",),
    "FLIF": (".flif",),
    "Image sequence": (".heics", ".heifs", ".avifs"),
    "Video": (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mts", ".wmv", ".3gp"),
    "Microscope slide": (".svs", ".ndpi", ".scn", ".mrxs", ".czi", ".lif", ".nd2", ".vsi"),
    "Panorama": (".insp", ".insv"),
    "Kodak PCD": (".pcd",),
    "DjVu": (".djvu", ".djv"),
    # Raw photographs look like TIFF but contain only a preview.
    "Camera raw": (
        *(".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2"),
        *(".rwl", ".raf", ".pef", ".srw", ".x3f", ".3fr", ".erf", ".kdc", ".dcr", ".mrw", ".iiq"),
        *(".mos", ".raw", ".fff", ".mef", ".cap", ".gpr"),
    ),
}

IMAGE_FORMATS = ImageFormats(
    [
        ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".mpo")),
        ImageFormat("PNG", (".png", ".apng")),
        ImageFormat("BMP", (".bmp", ".dib")),
        ImageFormat("TIFF", (".tif", ".tiff")),
        ImageFormat("WebP", (".webp",)),
        ImageFormat("HEIF", (".heic", ".heif", ".hif")),
        ImageFormat("AVIF", (".avif",)),
        ImageFormat("JPEG 2000", (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc")),
        ImageFormat("Netpbm", (".ppm", ".pgm", ".pbm", ".pnm")),
        ImageFormat("TGA", (".tga",)),
        *(ImageFormat(name, endings, read=False) for name, endings in _UNREAD_IMAGES.items()),
    ]
)


Conjunction = Literal["and", "or"]


def enumerated(texts: Sequence[str], last: Conjunction = "and") -> str:
    """Join texts for a sentence, such as "a, b and c"; a message if there are several."""
    if len(texts) < 2:
        return "".join(texts)
    first, end = ", ".join(texts[:-1]), texts[-1]
    if last == "or":
        return Message("{first} or {last}", first=first, last=end)
    return Message("{first} and {last}", first=first, last=end)


def names(formats: Iterable[ImageFormat], last: Conjunction = "and") -> str:
    """Join the names of formats for a sentence, such as "JPEG, PNG and BMP"."""
    return enumerated([format.name for format in formats], last)


def images_read() -> Message:
    """The supported image formats as a sentence, such as "Supported formats: JPEG and PNG."."""
    return Message("Supported formats: {formats}.", formats=names(IMAGE_FORMATS.read()))
