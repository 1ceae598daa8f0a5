"""An image file as an import sees it: identity, displayed size and change stamp, undecoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from workbench.vision.formats import Unreadable, parse_header


@dataclass(frozen=True)
class FileFacts:
    """What one reading of a file tells: BLAKE3 of its bytes in hexadecimal, width and height as
    displayed, size in bytes and time of last change (seconds since the epoch)."""

    hash: str
    width: int
    height: int
    size: int
    mtime: float


def examine(path: Path) -> FileFacts:
    """Read a file once; raises Unreadable when the system refuses or it is no whole image."""
    try:
        stat = path.stat()
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(f"cannot be read: {why}") from error
    header = parse_header(data)
    digest = blake3(data).hexdigest()
    return FileFacts(digest, header.width, header.height, len(data), stat.st_mtime)


def identify(path: Path) -> str | None:
    """BLAKE3 of a file's bytes in hexadecimal; None when there is no such file to be read."""
    try:
        return blake3(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None
