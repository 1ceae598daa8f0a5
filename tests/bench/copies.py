"""Recall and precision of the search for near-duplicates, by kind of copy, on real photographs.

Run `python tests/bench/copies.py [--copies N] [--data FOLDER]`. Photographs of birds6 and cub10 are
imported together with N copies of each kind, and the search runs as in the program. Photographs of
the data sets that are found to be alike are printed, to be judged by eye; pairs of others count
against precision.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication
from real_input import DATA

from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.training.near_duplicates import duplicates_task
from workbench.domain.duplicates import linked
from workbench.storage.project import Project

Pixels = NDArray[np.uint8]


def cropped(share: float, mirror: bool = False) -> Callable[[Pixels], Pixels]:
    """A crop without this share of both sides, from a place that depends on the pixels."""

    def crop(image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        high, wide = round(height * (1 - share)), round(width * (1 - share))
        draw = np.random.default_rng(int(image[::7, ::7].sum()))
        top, left = draw.integers(0, height - high + 1), draw.integers(0, width - wide + 1)
        part = image[top : top + high, left : left + wide]
        return part[:, ::-1] if mirror else part

    return crop


def framed(share: float, level: int, sides: bool = True) -> Callable[[Pixels], Pixels]:
    """A border of this share of the height, of one grey level; above and below alone if not
    `sides`."""

    def frame(image: Pixels) -> Pixels:
        wide = round(share * image.shape[0])
        beside = wide if sides else 0
        edges = (wide, wide, beside, beside)
        return np.asarray(
            cv2.copyMakeBorder(image, *edges, cv2.BORDER_CONSTANT, value=(level,) * 3), np.uint8
        )

    return frame


def turned(image: Pixels) -> Pixels:
    """Rotated by five degrees."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height)), np.uint8)


KINDS: dict[str, Callable[[Pixels], Pixels]] = {
    "half the size": lambda image: image[::2, ::2],
    "64 pixels": lambda image: np.asarray(
        cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA), np.uint8
    ),
    "mirrored": lambda image: image[:, ::-1],
    "brighter": lambda image: np.clip(image * 1.3 + 20.0, 0, 255).astype(np.uint8),
    "cropped by 10 %": cropped(0.1),
    "cropped by 20 %": cropped(0.2),
    "cropped by 30 %": cropped(0.3),
    "mirrored, cropped by 20 %": cropped(0.2, mirror=True),
    "one side cut by 30 %": lambda image: image[:, : round(0.7 * image.shape[1])],
    "border of 5 %": framed(0.05, 0),
    "border of 10 %": framed(0.1, 255),
    "bars above and below": framed(0.15, 0, sides=False),
    "rotated by 5°": turned,
    "rotated by 90°": lambda image: np.asarray(np.rot90(image), np.uint8),
}


def make(originals: list[Path], folder: Path, copies: int) -> None:
    """Write copies of each kind of different originals; JPEG of quality 30 for the first kind."""
    draw = np.random.default_rng(0)
    for number, (kind, change) in enumerate({"quality 20": lambda image: image, **KINDS}.items()):
        (folder / kind).mkdir(parents=True)
        quality = 90 if number else 20
        for at in draw.choice(len(originals), copies, replace=False).tolist():
            pixels = change(np.asarray(cv2.imread(str(originals[at])), np.uint8))
            file = folder / kind / f"{originals[at].stem}.jpg"
            cv2.imwrite(
                str(file), np.ascontiguousarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality]
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--copies", type=int, default=60)
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    application = QCoreApplication([])
    folders = [given.data / "birds6", given.data / "cub10"]
    every = sorted((path for folder in folders for path in folder.rglob("*.jpg")), reverse=True)
    originals = sorted({path.read_bytes(): path for path in every}.values())  # no file twice
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "copies"
        make(originals, made, given.copies)
        session = Session(Project.create(Path(place) / "Copies"))
        assert isinstance(run_here(import_task(session, [*folders, made])), Done)
        began = time.perf_counter()
        outcome = run_here(duplicates_task(session))
        assert isinstance(outcome, Done)
        seconds = time.perf_counter() - began
        rows = {row.id: Path(row.path) for row in session.images.rows(session.images.ids())}
        show(rows, outcome.value.pairs, made)
        print(f"{len(rows)} images, {seconds:.1f} s")
        session.close()
    del application


def show(rows: dict[int, Path], pairs: list[tuple[int, int, float]], made: Path) -> None:
    """Print recall by kind, photographs that are alike, and the pairs of other photographs."""
    own = {path: image for image, path in rows.items() if not path.is_relative_to(made)}
    alike = linked((one, other) for one, other, _ in pairs if {rows[one], rows[other]} <= set(own))
    original = {path.stem: alike.get(image, image) for path, image in own.items()}
    found: set[Path] = set()
    wrong = []
    for one, other, likeness in pairs:
        if original[rows[one].stem] == original[rows[other].stem]:
            found.update({rows[one], rows[other]} - set(own))
        else:
            wrong.append((rows[one].name, rows[other].name, likeness))
        if {rows[one], rows[other]} <= set(own):
            print("photographs alike:", rows[one].name, rows[other].name, likeness)
    for kind in sorted(made.iterdir()):
        files = list(kind.iterdir())
        print(f"{kind.name}: {sum(file in found for file in files)} of {len(files)}")
    print(f"{len(pairs)} pairs, {len(wrong)} of them of different photographs: {wrong[:20]}")


if __name__ == "__main__":
    main()
