"""Disk store of cached features: atomic writes, verified digests, least recently used evicted
first."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from platformdirs import user_cache_dir
from torch import Tensor

LIMIT = 20 * 1024**3  # total bytes
SPARED = 0.5  # largest share of the free disk space for a new entry
META_FILE, MAPS_FILE = "meta.json", "maps.bin"
BLOCK = 1 << 24
DAY = 86400.0  # seconds


class FeaturesHeader(msgspec.Struct, frozen=True):
    """Shape (rows first), dtype and digest of stored features."""

    shape: tuple[int, ...]
    dtype: str
    digest: str


class FeatureStore:
    """Features by key in one folder; each entry is a folder with a memory-mapped file."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder = folder
        self.limit = limit

    @staticmethod
    def of_user() -> FeatureStore:
        """The user's store. `WORKBENCH_MAPS` overrides the folder, `WORKBENCH_MAPS_GIB` the size
        limit."""
        folder = os.environ.get("WORKBENCH_MAPS") or user_cache_dir("vantage-workbench") + "/maps"
        gib = os.environ.get("WORKBENCH_MAPS_GIB")
        return FeatureStore(Path(folder), round(float(gib) * 1024**3) if gib else LIMIT)

    def find(self, key: str) -> StoredFeatures | None:
        """Features stored under a key, marked as recently used; None if missing. Damaged entries
        are deleted."""
        folder = self.folder / key
        try:
            meta = msgspec.json.decode((folder / META_FILE).read_bytes(), type=FeaturesHeader)
            maps = StoredFeatures.of(folder / MAPS_FILE, meta)
            if _digest(maps.array) != meta.digest:
                raise ValueError(f"{folder} is damaged")
            os.utime(folder / META_FILE)
        except (OSError, ValueError, msgspec.DecodeError):
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return maps

    def room_for(self, size: int) -> bool:
        """Make space for `size` bytes by evicting older entries; return whether they fit the limit
        and the free disk space."""
        if size > self.limit:
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._drop_oldest(self.limit - size)
            self._drop_unfinished()
            return size <= SPARED * shutil.disk_usage(self.folder).free
        except OSError:
            return False

    def has_free(self, size: int) -> bool:
        """Whether `size` more bytes fit the limit without evicting other entries."""
        return self.used() + size <= self.limit

    def write(
        self, key: str, shape: tuple[int, ...], parts: Iterable[Tensor]
    ) -> StoredFeatures | None:
        """Store the rows of `parts` under a key; an existing entry is kept. Returns None, storing
        nothing, if `parts` end early or the disk fails."""
        folder = Path(tempfile.mkdtemp(prefix="part-", dir=self.folder))
        try:
            meta = _write(folder / MAPS_FILE, shape, parts)
            if meta is None:
                return None
            (folder / META_FILE).write_bytes(msgspec.json.encode(meta))
            with contextlib.suppress(OSError):  # written by another training meanwhile
                os.rename(folder, self.folder / key)
            return self.find(key)
        except OSError:
            return None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def used(self) -> int:
        """Total size in bytes."""
        return sum(size for _, size, _ in self._caches())

    def _drop_oldest(self, most: int) -> None:
        """Delete the least recently used entries until at most `most` bytes remain."""
        caches = self._caches()
        total = sum(size for _, size, _ in caches)
        for _, size, folder in sorted(caches):
            if total <= most:
                return
            shutil.rmtree(folder, ignore_errors=True)
            total -= size

    def _drop_unfinished(self) -> None:
        """Delete leftovers of killed trainings."""
        for folder in self.folder.glob("part-*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > DAY:
                    shutil.rmtree(folder, ignore_errors=True)

    def _caches(self) -> list[tuple[float, int, Path]]:
        """Last use, size in bytes and folder of each entry."""
        found = []
        for meta in self.folder.glob(f"[!p]*/{META_FILE}"):
            with contextlib.suppress(OSError):
                size = (meta.parent / MAPS_FILE).stat().st_size
                found.append((meta.stat().st_mtime, size, meta.parent))
        return found


class StoredFeatures:
    """Rows of stored features; `array` holds their bits as 16-bit integers, channels last."""

    def __init__(self, array: NDArray[np.int16], dtype: torch.dtype) -> None:
        self.array = array
        self.dtype = dtype

    @staticmethod
    def of(path: Path, meta: FeaturesHeader) -> StoredFeatures:
        """Memory-map the features in a file. Raises ValueError if its size is wrong."""
        if path.stat().st_size != 2 * int(np.prod(meta.shape)):
            raise ValueError(f"{path} is not whole")
        array = np.memmap(path, dtype=np.int16, mode="r", shape=meta.shape)
        return StoredFeatures(array, getattr(torch, meta.dtype))

    @property
    def nbytes(self) -> int:
        """Size of the features in bytes."""
        return self.array.nbytes

    def rows(self, rows: NDArray[np.int64]) -> Tensor:
        """Copy of rows: N × C × H × W in channels-last layout, or N × features."""
        maps = torch.from_numpy(self.array[rows]).view(self.dtype)
        return maps.permute(0, 3, 1, 2) if maps.ndim == 4 else maps


def bits(maps: Tensor) -> NDArray[np.int16]:
    """Bits of 16-bit features, channels last."""
    last = maps.permute(0, 2, 3, 1) if maps.ndim == 4 else maps
    return last.contiguous().cpu().view(torch.int16).numpy()


def _write(path: Path, shape: tuple[int, ...], parts: Iterable[Tensor]) -> FeaturesHeader | None:
    """Write rows to a file; return None if they do not match `shape`."""
    digest, rows, dtype = hashlib.sha256(), 0, torch.float16
    with path.open("wb") as file:
        for part in parts:
            array = bits(part)
            digest.update(array.data)
            file.write(array.data)
            rows, dtype = rows + len(array), part.dtype
    if rows != shape[0]:
        return None
    return FeaturesHeader(shape, str(dtype).removeprefix("torch."), digest.hexdigest())


def _digest(array: NDArray[np.int16]) -> str:
    digest, flat = hashlib.sha256(), array.reshape(-1)
    for start in range(0, len(flat), BLOCK):
        digest.update(flat[start : start + BLOCK].data)
    return digest.hexdigest()
