"""Walk through folders of files: what lies there, without opening it.

Folders are anything: of a camera, a network drive, an archive made on another system. One entry
that cannot be used never ends the walk.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.errors import KnownError, reason_of
from workbench.domain.images import SkippedFile
from workbench.domain.projects import SUFFIX
from workbench.domain.text import Message
from workbench.files import kind_of

HEARTBEAT = 512  # entries after which a walk yields
# Folders that systems, network drives and archive programs make, in lower case. Hidden ones, such
# as .thumbnails, are passed over anyway.
SYSTEM_FOLDERS = frozenset(
    (
        *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
        *("@appstore", "@database", "@download", "@sharebin", "@synoeastream", "@synoresource"),
        *("$recycle.bin", "recycler", "recycled", "recycle bin", "system volume information"),
        *("$extend", "config.msi", "dfsrprivate", "#trash", "_vti_cnf", "paxheader", "paxheaders"),
        *("@docker", "@cloudsync", "@synodrive", "@s2s", "@__thumb"),
        *("$windows.~bt", "$windows.~ws", "$winreagent", "$sysreset", "$getcurrent", "_gsdata_"),
        *("lost+found", "__macosx", "network trash folder", "temporary items"),
        *("thevolumesettingsfolder", "~snapshot", "__pycache__"),
    )
)
# Numbered, of a snapshot's time, or named after a catalogue of previews.
SYSTEM_NAMES = re.compile(r"found\.\d{3}|@gmt-[\d.-]+|paxheaders\.\d+|.*\.lrdata", re.S)
# Smaller copies of the photographs in a library of Photos, iPhoto or Aperture.
PREVIEWS = re.compile(
    r".*\.(?:photoslibrary|(?:migrated)?(?:ap|photo)library)"
    r"/(?:thumbnails|previews|resources/(?:derivatives|proxies|modelresources|caches))",
    re.S,
)
NOT_UTF8 = Message("its name is not valid UTF-8")


@dataclass
class FolderFiles:
    """The regular files below `root`, as relative paths with forward slashes, and entries that
    cannot be used, with the reasons."""

    root: Path
    files: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def walk(root: Path, most: int = 0) -> Generator[None, None, FolderFiles]:
    """Walk through the folders below `root`, with heartbeats.

    Hidden files and folders, folders that systems make and projects are passed over. A folder that
    is reached again through a symbolic link is read once. Folders that cannot be read, and whatever
    is neither a file nor a folder, are listed as skipped. Both lists are sorted by name within a
    folder. The walk ends after the folder in which `most` files are reached, if given.
    """
    found = FolderFiles(root)
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting and not (most and len(found.files) >= most):
        folder = waiting.pop()
        below = yield from _read_folder(found, folder, seen)
        waiting.extend(reversed(below))
        yield
    return found


def printable(path: Path | str) -> str:
    """A path whose bytes that are not valid UTF-8 are written as "\\xe9", since it can neither be
    shown nor stored otherwise."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_printable(path: Path | str) -> bool:
    """Whether a path is valid UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_printable(path: Path) -> None:
    """Raise KnownError unless a path is valid UTF-8: it could not be stored."""
    if not is_printable(path):
        raise KnownError(
            "{path} cannot be used: {reason}.",
            "Rename it, or choose the folder around it.",
            path=printable(path),
            reason=NOT_UTF8,
        )


def _read_folder(
    found: FolderFiles, folder: str, seen: set[tuple[int, int]]
) -> Generator[None, None, list[str]]:
    """Add the files of one folder; return its subfolders."""
    here = found.root / folder
    try:
        key = here.stat()
        if (key.st_dev, key.st_ino) in seen:
            return []
        seen.add((key.st_dev, key.st_ino))
        with os.scandir(here) as entries:
            inside = sorted((e for e in entries if not e.name.startswith(".")), key=_by_name)
    except OSError as error:
        unread = Message("the folder cannot be read: {reason}", reason=reason_of(error))
        found.skipped.append(SkippedFile(folder or ".", unread))
        return []
    below = []
    for count, entry in enumerate(inside, 1):
        if count % HEARTBEAT == 0:
            yield
        relative = f"{folder}/{entry.name}" if folder else entry.name
        mode, reason = _mode(entry)
        if not reason and stat.S_ISDIR(mode):
            if not _is_passed_over(f"{found.root.name}/{relative}"):
                below.append(relative)
        elif reason:
            found.skipped.append(SkippedFile(printable(relative), reason))
        else:
            found.files.append(relative)
    return below


def _by_name(entry: os.DirEntry[str]) -> tuple[str, str]:
    return entry.name.casefold(), entry.name


def _mode(entry: os.DirEntry[str]) -> tuple[int, str]:
    """What an entry is after following links, and why it cannot be used ("" if it can)."""
    if not is_printable(entry.name):
        return 0, NOT_UTF8
    try:
        if entry.is_file(follow_symlinks=False):  # known without asking the disk again
            return stat.S_IFREG, ""
        mode = entry.stat().st_mode
    except OSError as error:
        return 0, reason_of(error)
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return mode, ""
    return mode, kind_of(mode)


def _is_passed_over(path: str) -> bool:
    """Whether a folder contains no images of the user: that of a system, or a project."""
    folded = path.casefold()
    name = folded.rpartition("/")[2]
    if name in SYSTEM_FOLDERS or SYSTEM_NAMES.fullmatch(name) or PREVIEWS.fullmatch(folded):
        return True
    return path.endswith(SUFFIX)
