"""Search by similarity in 100,000 images of 512 features, in a half-precision index on the disk.

Run `python tests/bench/similarity.py [IMAGES [FEATURES]]`. Bounds: a search (one query, all images
sorted) and the 20 nearest in ≤ 2 × the time of float32 in memory with a full sort, which takes
twice the space and cannot be opened at once; the window's process loads no torch. Rounds alternate.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from workbench.domain.features import (
    CARD_FILE,
    KEYS_FILE,
    ROWS_FILE,
    FeatureCard,
    cosines,
    nearest,
    positions_of,
    similarity_to,
    unit,
)
from workbench.storage.features import FeatureIndexes

ROUNDS = 15


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def fill(folder: Path, images: int, features: int) -> np.ndarray:
    """Write an index of random unit rows; return them in single precision."""
    rows = unit(np.random.default_rng(0).standard_normal((images, features), np.float32))
    place = FeatureIndexes(folder).folder_of("bench")
    place.mkdir(parents=True)
    (place / ROWS_FILE).write_bytes(rows.astype(np.float16).tobytes())
    (place / KEYS_FILE).write_bytes(np.arange(images, dtype=np.uint64)[::-1].tobytes())
    card = FeatureCard(backbone="bench", dimensions=features, image_size=224)
    (place / CARD_FILE).write_bytes(msgspec.json.encode(card))
    return rows


def main() -> None:
    """Print every result with its bound."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    features = int(sys.argv[2]) if len(sys.argv) > 2 else 512
    with tempfile.TemporaryDirectory() as name:
        whole = fill(Path(name), images, features)
        indexes = FeatureIndexes(Path(name))
        opened = [seconds(lambda: indexes.read("bench")) for _ in range(ROUNDS)]
        index = indexes.read("bench")
        keys = np.arange(images, dtype=np.uint64)
        found = [seconds(lambda: positions_of(index.keys, keys)) for _ in range(ROUNDS)]
        search, few, brute = [], [], []
        for at in range(ROUNDS):
            query = whole[at : at + 1]
            search.append(seconds(lambda q=query: np.argsort(-similarity_to(index.rows, q))))
            few.append(seconds(lambda q=query: nearest(cosines(index.rows, q), 20)))
            brute.append(seconds(lambda q=query: np.argsort(-(whole @ q[0]))))
        right = np.mean(
            [
                len(
                    np.intersect1d(
                        nearest(cosines(index.rows, whole[at : at + 1]), 20)[0],
                        np.argsort(-(whole @ whole[at]))[:20],
                    )
                )
                for at in range(ROUNDS)
            ]
        )
    plain = float(np.median(brute))
    print(f"{images:,} images × {features} features, {index.bytes / 1e6:.0f} MB on the disk")
    print(f"open the index       {1000 * np.median(opened):.1f} ms")
    print(f"images to rows       {1000 * np.median(found):.1f} ms")
    print(f"float32, full sort   {1000 * plain:.1f} ms, {whole.nbytes / 1e6:.0f} MB in memory")
    for words, figures, bound in (("all in order", search, 2.0), ("the 20 nearest", few, 2.0)):
        middle = float(np.median(figures))
        print(f"{words:<20} {1000 * middle:.1f} ms: {middle / plain:.2f} × (bound {bound:.2f})")
    print(f"of the 20 nearest    {right:.2f} are those of single precision")
    print(f"torch in the process {'torch' in sys.modules}")


if __name__ == "__main__":
    main()
