"""Decoded images on the disk, so that the next training of the same images need not decode them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from pathlib import Path

import torch
from platformdirs import user_cache_dir
from torch import Tensor

from workbench.domain.runs import Sample

LIMIT = 10 * 1024**3  # bytes of all squares together
DIGEST = 16  # bytes behind the pixels that tell whether they are whole
MADE = "1"  # changes when the same file would give other squares


class SquareCache:
    """One small file per square, named by what it was made from: image hash, box and side. The
    squares used longest ago go first. Several trainings may use one folder at a time."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self.found = self.added = 0  # squares, since this was made
        self._lock = threading.Lock()

    @staticmethod
    def of_user() -> SquareCache:
        """The user's; `WORKBENCH_SQUARES` names another folder, `WORKBENCH_SQUARES_GIB` another
        size, 0 for none."""
        named = os.environ.get("WORKBENCH_SQUARES")
        folder = Path(named) if named else Path(user_cache_dir("vantage-workbench")) / "squares"
        gib = os.environ.get("WORKBENCH_SQUARES_GIB")
        return SquareCache(folder, round(float(gib) * 1024**3) if gib else LIMIT)

    def find(self, sample: Sample, side: int) -> Tensor | None:
        """The side × side × 3 uint8 square of a sample; None where it is not kept, or damaged."""
        path = self._path(sample, side)
        if path is None:
            return None
        try:
            data = bytearray(path.read_bytes())
            if len(data) != side * side * 3 + DIGEST or _digest(data[:-DIGEST]) != data[-DIGEST:]:
                return None
            os.utime(path)
        except OSError:
            return None
        with self._lock:
            self.found += 1
        return torch.frombuffer(data, dtype=torch.uint8, count=side * side * 3).view(side, side, 3)

    def keep(self, sample: Sample, square: Tensor) -> None:
        """Keep a square for later, whole or not at all; a disk that refuses is no error."""
        path = self._path(sample, square.shape[0])
        if path is None:
            return
        pixels = square.contiguous().numpy().tobytes()
        part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(pixels + _digest(pixels))
            os.replace(part, path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            return
        with self._lock:
            self.added += 1

    def trim(self) -> int:
        """Take away the squares used longest ago until the rest is within the limit; the bytes that
        are left. To be called after squares were added."""
        kept = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                known = path.stat()
                kept.append((known.st_mtime, known.st_size, path))
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= self.limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
        return total

    def _path(self, sample: Sample, side: int) -> Path | None:
        if not sample.hash or self.limit <= 0:
            return None
        name = hashlib.sha256(f"{MADE}/{sample.hash}/{sample.box}/{side}".encode()).hexdigest()
        return self.folder / name[:2] / name[2:]


def _digest(pixels: bytes | bytearray) -> bytes:
    return hashlib.blake2b(pixels, digest_size=DIGEST).digest()
