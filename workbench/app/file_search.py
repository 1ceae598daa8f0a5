"""The image files below a folder, in the order of their names, whatever else lies there."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.images import SkippedFile
from workbench.vision.formats import Unreadable, sniff

READ = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp")
# Images of kinds that are not read are listed; raw photographs pass for TIFF but hold a preview.
NOT_READ = (".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".psd", ".svg", ".ico")
RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf")
PROJECT_SUFFIX = ".workbench"  # the crops a project keeps are no new images


@dataclass
class Search:
    """What lies below `root`: image files as paths relative to it with forward slashes, files that
    cannot be taken with the reason, and how many folders were looked into."""

    root: Path
    images: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    folders: int = 0


def search(root: Path) -> Generator[None, None, Search]:
    """Look below `root`, with a heartbeat per folder.

    Hidden files and folders and other projects are passed over; a folder that is reached again
    through a symbolic link is looked into once; one that may not be read is listed as skipped.
    """
    found = Search(root)
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        waiting.extend(reversed(_look_into(found, folder, seen)))
        yield
    return found


def _look_into(found: Search, folder: str, seen: set[tuple[int, int]]) -> list[str]:
    """Take in the files of one folder and return its sub-folders, both in the order of names."""
    here = found.root / folder
    try:
        stat = here.stat()
        if (stat.st_dev, stat.st_ino) in seen:
            return []
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(here) as entries:
            inside = sorted((e for e in entries if not e.name.startswith(".")), key=_by_name)
    except OSError as error:
        found.skipped.append(SkippedFile(folder or ".", f"folder cannot be read: {error.strerror}"))
        return []
    found.folders += 1
    below = []
    for entry in inside:
        relative = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir():
            if not entry.name.endswith(PROJECT_SUFFIX):
                below.append(relative)
        else:
            _take_file(found, entry, relative)
    return below


def _by_name(entry: os.DirEntry[str]) -> tuple[str, str]:
    return entry.name.casefold(), entry.name


def _take_file(found: Search, entry: os.DirEntry[str], relative: str) -> None:
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in READ or (not suffix and is_image(Path(entry.path))):
        found.images.append(relative)
    elif suffix in NOT_READ + RAW:
        kind = suffix[1:].upper()
        found.skipped.append(
            SkippedFile(relative, f"{kind} is not read (JPEG, PNG, BMP, TIFF and WebP are)")
        )


def is_image(path: Path) -> bool:
    """Whether a file announces an image, by its suffix or, without one, by its first bytes."""
    suffix = path.suffix.lower()
    if suffix:
        return suffix in READ
    try:
        if not path.is_file():
            return False  # a pipe would block
        with path.open("rb") as file:
            sniff(file.read(16))
    except (OSError, Unreadable):
        return False
    return True
