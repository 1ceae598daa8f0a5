"""Images of a run, decoded once at the working size and cached on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from platformdirs import user_cache_dir
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.recipes import Aspect
from workbench.domain.reports import Note, Progress, Report, remaining_seconds
from workbench.domain.runs import Sample
from workbench.domain.text import Message, counted
from workbench.files import write_whole
from workbench.learning.images.pixels import decode_image
from workbench.learning.networks.device import Device, cores, free_memory

LIMIT = 10 * 1024**3  # total bytes
DIGEST = 16  # length of the digest after the pixels
FORMAT_VERSION = "2"  # bump when decoding changes


class DecodedImageCache:
    """Disk cache of decoded images, one file per image, keyed by image hash, box, side and
    `aspect`. Evicts the least recently used files. Safe for several trainings at once."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self.found = self.added = 0  # images, since creation
        self._lock = threading.Lock()

    @staticmethod
    def of_user() -> DecodedImageCache:
        """The user's cache. `WORKBENCH_SQUARES` overrides the folder, `WORKBENCH_SQUARES_GIB` the
        size limit (0 disables the cache)."""
        named = os.environ.get("WORKBENCH_SQUARES")
        folder = Path(named) if named else Path(user_cache_dir("vantage-workbench")) / "squares"
        gib = os.environ.get("WORKBENCH_SQUARES_GIB")
        return DecodedImageCache(folder, round(float(gib) * 1024**3) if gib else LIMIT)

    def find(self, sample: Sample, side: int, aspect: Aspect = "centre") -> Tensor | None:
        """Decoded sample, side × side × 3 uint8; None if missing or damaged."""
        path = self._path(sample, side, aspect)
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

    def store(self, sample: Sample, image: Tensor, aspect: Aspect = "centre") -> None:
        """Write an image atomically. Disk errors are ignored."""
        path = self._path(sample, image.shape[0], aspect)
        if path is None:
            return
        pixels = image.contiguous().numpy().tobytes()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, pixels + _digest(pixels), flush=False, shared=True)
        except OSError:
            return
        with self._lock:
            self.added += 1

    def trim(self) -> int:
        """Delete the least recently used images until the limit is met; return the remaining bytes.
        Call after adding images."""
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

    def _path(self, sample: Sample, side: int, aspect: Aspect) -> Path | None:
        if not sample.hash or self.limit <= 0:
            return None
        key = f"{FORMAT_VERSION}/{sample.hash}/{sample.box}/{side}"
        key += "" if aspect == "centre" else f"/{aspect}"
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / name[:2] / name[2:]


def _digest(pixels: bytes | bytearray) -> bytes:
    return hashlib.blake2b(pixels, digest_size=DIGEST).digest()


REPORT_SECONDS = 0.25
MEMORY_SHARE = 0.6  # largest share of free memory; larger sets use a file
PREFETCH = 64


@dataclass(frozen=True)
class Images:
    """Decoded images and labels of a run.

    `pixels` is N × side × side × 3 uint8, one row per sample (zeros if not `read`); `targets` and
    `views` are label indices, −1 unknown.
    """

    samples: Sequence[Sample]
    pixels: Tensor
    targets: Tensor
    views: Tensor
    read: NDArray[np.bool_]

    def of_part(self, part: str) -> NDArray[np.int64]:
        """Rows of the readable samples of a part, in sample order."""
        inside = np.array([sample.part == part for sample in self.samples], dtype=bool)
        return np.flatnonzero(inside & self.read)

    def unlabelled(self, include_labelled: bool) -> NDArray[np.int64]:
        """Rows of readable, unlabelled samples outside all parts; with `include_labelled`, also
        labelled ones."""
        outside = np.array([not sample.part for sample in self.samples], dtype=bool)
        known = torch.maximum(self.targets, self.views).numpy() >= 0
        return np.flatnonzero(outside & self.read & (include_labelled | ~known))

    def counts(self) -> dict[str, int]:
        """Number of readable samples in each part."""
        return {part: len(self.of_part(part)) for part in ("train", "validation", "test")}


def load_images(
    samples: Sequence[Sample],
    side: int,
    folder: Path,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
    cache: DecodedImageCache | None = None,
    aspect: Aspect = "centre",
) -> Images | None:
    """Decode all samples that are not in `cache`, in a thread pool, to squares as the recipe's
    `aspect`. Returns None if interrupted.

    Unreadable files are skipped with a warning. Raises KnownError if no file can be read.
    """
    pixels = _allocate(len(samples), side, folder)
    read = np.zeros(len(samples), dtype=bool)
    problems: list[KnownError] = []
    last = started = time.monotonic()
    for at, result in decoded(samples, side, cache, aspect):
        if isinstance(result, KnownError):
            problems.append(result)
        else:
            pixels[at] = result
            read[at] = True
        now = time.monotonic()
        if now - last >= REPORT_SECONDS:
            last = now
            if interrupted():
                return None
            eta = remaining_seconds(now - started, at + 1, len(samples))
            text = Message("Reading images")
            report(Progress(done=at + 1, total=len(samples), text=text, eta=eta))
    report_problems(problems, len(samples), report)
    if cache is not None and cache.added:
        cache.trim()
    targets = torch.tensor([sample.target for sample in samples])
    views = torch.tensor([sample.view for sample in samples])
    return Images(samples, pixels, targets, views, read)


def _allocate(count: int, side: int, folder: Path) -> Tensor:
    """Allocate memory for the images, as an unnamed file in the run folder if they exceed the free
    memory."""
    size = count * side * side * 3
    free = free_memory(Device(torch.device("cpu"), Message("")))
    if not free or size <= MEMORY_SHARE * free:
        return torch.zeros((count, side, side, 3), dtype=torch.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:
        mapped = np.memmap(file, dtype=np.uint8, mode="w+", shape=(count, side, side, 3))
    return torch.from_numpy(mapped)


def decoded(
    samples: Sequence[Sample],
    side: int,
    cache: DecodedImageCache | None = None,
    aspect: Aspect = "centre",
) -> Iterator[tuple[int, Tensor | KnownError]]:
    """Yield the index and decoded image (or error) of each sample in order, prefetching in a thread
    pool. torch's thread count is restored on exit."""

    def decode(sample: Sample) -> Tensor | KnownError:
        kept = cache.find(sample, side, aspect) if cache is not None else None
        if kept is not None:
            return kept
        try:
            image = decode_image(Path(sample.path), sample.rect, side, aspect)
        except KnownError as error:
            return error
        if cache is not None:
            cache.store(sample, image, aspect)
        return image

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting = iter(samples)
            ahead: list[Future[Tensor | KnownError]] = []
            ahead.extend(pool.submit(decode, sample) for sample in islice(waiting, PREFETCH))
            for at in range(len(samples)):
                yield at, ahead[at % PREFETCH].result()
                for sample in islice(waiting, 1):
                    ahead[at % PREFETCH] = pool.submit(decode, sample)
    finally:
        torch.set_num_threads(threads)


def report_problems(
    problems: Sequence[KnownError], total: int, report: Callable[[Report], None]
) -> None:
    """Warn of files, out of `total`, that cannot be read. Raises KnownError if none can."""
    if problems and len(problems) == total:
        raise KnownError(
            counted(
                total,
                "The only image cannot be read: {sentence}",
                "None of the {n:,} images can be read. The first: {sentence}",
                sentence=problems[0].sentence,
            ),
            "Check that the disk with the images is connected, or re-link their source.",
        )
    for problem in problems[:20]:
        report(Note(text=Message("Skipped: {sentence}", sentence=problem.sentence), warning=True))
    if len(problems) > 20:
        text = counted(
            len(problems) - 20,
            "{n:,} more image could not be read.",
            "{n:,} more images could not be read.",
        )
        report(Note(text=text, warning=True))
