"""Start of a training whose images are in the decoded-image cache.

Run `python -m tests.bench.decoding [FOLDER of images] [--side N]`. Compared with decoding them all,
as the first training does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.real_input import DATA
from workbench.domain.runs import Sample
from workbench.learning.images.data import DecodedImageCache, load_images


def seconds(
    samples: list[Sample], side: int, folder: Path, cache: DecodedImageCache | None
) -> float:
    """Read all samples once; return the seconds."""
    began = time.perf_counter()
    images = load_images(samples, side, folder, lambda _: None, lambda: False, cache)
    assert images is not None
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DATA / "birds6")
    parser.add_argument("--side", type=int, default=224)
    options = parser.parse_args()
    paths = [p for p in sorted(options.folder.rglob("*")) if p.suffix.lower() in (".jpg", ".png")]
    samples = [Sample(image=at, hash=str(path), path=str(path)) for at, path in enumerate(paths)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds(samples, options.side, folder, None)  # the system's own cache of files is warm
        rounds = []
        for at in range(3):
            plain = seconds(samples, options.side, folder, None)
            first = seconds(samples, options.side, folder, DecodedImageCache(folder / str(at)))
            again = seconds(samples, options.side, folder, DecodedImageCache(folder / str(at)))
            rounds.append((plain, first, again))
    plain, first, again = (sorted(each)[1] for each in zip(*rounds, strict=True))
    print(
        f"{len(samples)} images to {options.side} pixels: decoded {plain:.2f} s, and cached "
        f"{first:.2f} s, from the cache {again:.2f} s: {plain / again:.1f} x"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
