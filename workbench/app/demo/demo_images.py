"""The demo's photographs: toy vehicles as folders and as a table, the two ways data often comes."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from workbench.app.folders import make_folder
from workbench.domain.reports import Progress
from workbench.vision.toys import BODIES, VIEWS, save_toy

SOURCE_BODIES = tuple(range(8))
TARGET_BODIES = tuple(range(8, 12))
SIDE = 96  # pixels
EVERY = 16  # images between reports


def draw_source(folder: Path, each: int) -> Generator[Progress, None, None]:
    """Write `each` images of every source body and view as `folder/body/view/*.jpg`."""
    places = []
    for body in SOURCE_BODIES:
        for view in VIEWS:
            inside = folder / BODIES[body] / view
            make_folder(inside)
            places += [(inside / f"{n:03}.jpg", body, view, n) for n in range(each)]
    yield from _draw(places, "Drawing the source")


def draw_target(folder: Path, each: int) -> Generator[Progress, None, None]:
    """Write `each` images of every target body and view into one folder, and beside them
    `labels.csv` with the columns path, category, view."""
    make_folder(folder)
    places = []
    rows = []
    for body in TARGET_BODIES:
        for view in VIEWS:
            for n in range(each):
                name = f"{BODIES[body]}-{view}-{n:03}.jpg"
                places.append((folder / name, body, view, n))
                rows.append((name, BODIES[body], view))
    yield from _draw(places, "Drawing the target")
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "category", "view"), *rows])


def _draw(places: Sequence[tuple[Path, int, str, int]], text: str) -> Iterator[Progress]:
    for at, (path, body, view, seed) in enumerate(places):
        if at % EVERY == 0:
            yield Progress(done=at, total=len(places), text=text)
        save_toy(path, body, view, seed, SIDE)
    yield Progress(done=len(places), total=len(places), text=text)
