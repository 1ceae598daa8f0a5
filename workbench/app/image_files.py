"""The image files below a folder, and why others are not imported."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.formats import IMAGE_FORMATS, names
from workbench.domain.images import SkippedFile
from workbench.domain.text import Message
from workbench.files import regular_bytes
from workbench.folders import HEARTBEAT, walk
from workbench.vision.headers import FIRST_BYTES, Unreadable, sniff

# Extensions of files that often lie beside images and are not opened to see what they are.
NOT_IMAGES = frozenset(
    (
        *(".xml", ".yaml", ".yml", ".html", ".htm", ".md", ".log", ".ini", ".db", ".sqlite", ".py"),
        *(
            ".pdf",
            ".doc",
            ".docx",
            ".xls",
            ".xlsx",
            ".gz",
            ".ipynb",
            ".xmp",
            ".aae",
        ),
        *(".npy", ".npz", ".mat", ".h5", ".pkl", ".pt", ".pth", ".mp4", ".mov", ".avi", ".mp3"),
    )
)

ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
TEXTS = frozenset((".txt", ".lst", ".list", ".csv", ".tsv", ".psv", ".tab", ".json", ".jsonl"))


@dataclass
class FileSearch:
    """Image files below `root`, as relative paths with forward slashes, and files that cannot be
    imported, with the reasons."""

    root: Path
    images: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def search(root: Path) -> Generator[None, None, FileSearch]:
    """Search the folders below `root` as `folders.walk`, with heartbeats.

    Images of unsupported formats are listed as skipped, and so are images without one of the known
    extensions, and whatever else may be an image but cannot be opened.
    """
    walked = yield from walk(root)
    found = FileSearch(root, skipped=[one for one in walked.skipped if may_be_image(one.path)])
    for count, name in enumerate(walked.files, 1):
        if count % HEARTBEAT == 0:
            yield
        if reason := _why_left_out(root, name):
            found.skipped.append(SkippedFile(name, reason))
        elif is_image(root / name):
            found.images.append(name)
    return found


def may_be_image(name: str) -> bool:
    """Whether a file or folder may be, or contain, an image, by its name."""
    ending = os.path.splitext(name)[1].lower()
    return IMAGE_FORMATS.of(name) is not None or ending not in TEXTS


def _why_left_out(root: Path, name: str) -> str:
    """Why an image file is not imported; "" for other files and images that are."""
    if name.lower().endswith(ARCHIVES):
        return Message("it is an archive, whose images are imported once it is unpacked")
    ending = os.path.splitext(name)[1]
    other = len(ending) < 2 or ending.lower() in NOT_IMAGES | TEXTS
    if other or IMAGE_FORMATS.of(name) is not None:
        return why_unsupported(name)
    if not _starts_like_image(root / name):
        return ""
    return Message("it is an image, but {ending} is not an extension of one", ending=ending[:20])


def why_unsupported(name: str) -> str:
    """Why an image file called `name` cannot be imported, if its format is not supported; else
    ""."""
    format = IMAGE_FORMATS.of(name)
    if format is None or format.read:
        return ""
    return Message(
        "{format} is not supported, but {formats} are",
        format=os.path.splitext(name)[1][1:].upper(),
        formats=names(IMAGE_FORMATS.read()),
    )


def is_image(path: Path) -> bool:
    """Whether a file is an image, by its extension or, without one, by its first bytes.

    This includes unsupported formats; see `why_unsupported`.
    """
    if path.suffix:
        return IMAGE_FORMATS.of(path) is not None
    return _starts_like_image(path)


def _starts_like_image(path: Path) -> bool:
    try:
        sniff(regular_bytes(path, FIRST_BYTES))
    except (OSError, ValueError, Unreadable):
        return False
    return True
