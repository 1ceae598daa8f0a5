"""Imports and thumbnails compared with reading and decoding the same files.

Run `python -m tests.bench.importing [IMAGES]`. Bound: hash, header and thumbnail of each image,
stored in the project, at ≥ 0.8 × the rate at which the same threads only read the files and decode
them, scaled, to 256 pixels. Images of 1600 × 1200 are created for it; both ways take turns.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PySide6.QtCore import QCoreApplication, QEventLoop

from workbench.app.images.importing import import_task
from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.storage.project import Project

ROUNDS = 3
SCREEN = 96  # thumbnails wanted at once


def make_images(folder: Path, count: int) -> None:
    """Write JPEG files of 1600 × 1200, about 400 kB each, all different."""
    rng = np.random.default_rng(0)
    ys, xs = np.mgrid[0:1200, 0:1600]
    for i in range(count):
        waves = [
            128 + 90 * np.sin(xs / (40 + 7 * c + i % 50) + ys / (60 + 11 * c)) for c in (0, 1, 2)
        ]
        picture = np.stack(waves, -1) + rng.normal(0, 6, (1200, 1600, 1))
        pixels = np.clip(picture, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i:05}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 88])


def raw(paths: list[Path]) -> float:
    """Images per second of reading and scaled decoding alone, on all cores."""

    def one(path: Path) -> None:
        simplejpeg.decode_jpeg(path.read_bytes(), "RGB", min_height=192, min_width=256)

    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, paths))
    return len(paths) / (time.perf_counter() - began)


def product(photos: Path, folder: Path) -> tuple[float, float, float]:
    """Images per second of import and thumbnails together, and of each alone."""
    session = Session(Project.create(folder))
    began = time.perf_counter()
    outcome = run_here(import_task(session, [photos]))
    imported = time.perf_counter()
    assert isinstance(outcome, Done), outcome
    ids = session.store.images.ids().tolist()
    loader = ThumbnailLoader(session)
    loop = QEventLoop()
    left = set(ids)

    def got(image: int) -> None:
        left.discard(image)
        if not left:
            loop.quit()
        elif len(left) % SCREEN == 0:
            loader.request(sorted(left)[: 2 * SCREEN])

    loader.ready.connect(lambda image, _: got(image))
    loader.request(ids[: 2 * SCREEN])
    loop.exec()
    loader.close()
    end = time.perf_counter()
    session.close()
    count = len(ids)
    return count / (end - began), count / (imported - began), count / (end - imported)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 384
    application = QCoreApplication([])
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        make_images(photos, count)
        paths = sorted(photos.iterdir())
        raw(paths)  # the files are in the system's cache for both
        ratios = []
        for turn in range(ROUNDS):
            alone = raw(paths)
            whole, imported, thumbnails = product(photos, Path(folder) / f"P{turn}")
            ratios.append(whole / alone)
            print(
                f"read + decode {alone:6.0f} images/s; import + thumbnails {whole:6.0f}"
                f" (import {imported:6.0f}, thumbnails {thumbnails:6.0f}): {whole / alone:.2f} ×"
                f"   (load {os.getloadavg()[0]:.1f})"
            )
    print(f"best of {ROUNDS}: {max(ratios):.2f} × (bound 0.8)")
    del application
    return 0 if max(ratios) >= 0.8 else 1


if __name__ == "__main__":
    sys.exit(main())
