"""Labels, filters and undo with a million images: from a key press to the disk.

Run `python tests/bench/labelling.py [IMAGES]`. Bounds: 99th percentile of a single label ≤ 16 ms,
10,000 labels at once ≤ 300 ms, any list of ids ≤ 1.5 s, opening ≤ 2 s. The 10,000 labels are
measured for consecutive images, like a folder or a selection, and for every hundredth image, where
each changes other database pages.

Compared, in the same folder and equally durable: a single label with a bare INSERT and COMMIT,
10,000 consecutive labels with 10,000 rows in one transaction, 10,000 spread labels with a bare
UPDATE of as many rows as far apart, the import with bare rows by `executemany`.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.domain.images import FoundImage, ImageFilter, Sort
from workbench.domain.labels import Author
from workbench.domain.splits import SplitPlan, stratified_split
from workbench.storage.project import Project

CATEGORIES = 200


def milliseconds(work: Callable[[], object]) -> float:
    """Measure the wall time of `work`, in ms."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def print_result(
    what: str, figure: float, bound: float | None = None, beside: float | None = None
) -> None:
    """Print a result in ms, its bound, and its ratio to the comparison."""
    line = f"{what:<46} {figure:10.2f} ms"
    if bound is not None:
        line += f"   bound {bound:7.0f} {'reached' if figure <= bound else 'MISSED'}"
    if beside is not None:
        line += f"   beside {beside:9.2f} ms, ratio {figure / beside:5.2f}"
    print(line, flush=True)


def fill(project: Project, count: int) -> None:
    """Add rows of `count` images with a category each, and a view for nine in ten."""
    views = project.labels.get("view").names
    with project.edit("Import"):
        source = project.images.add_source("/photos")
        for start in range(0, count, 50_000):
            found = []
            for i in range(start, min(count, start + 50_000)):
                kind = i * CATEGORIES // count  # folder by folder, as an import meets them
                labels = [("category", f"kind {kind:03}")]
                if i % 10:
                    labels.append(("view", views[i % 4]))
                path = f"{kind:03}/photograph {i:07}.jpg"
                found.append(FoundImage(path, f"{i:032x}", 1600, 1200, 1, 1e9 + i, tuple(labels)))
            project.images.add(source, found)


def bare_rows(folder: Path, count: int) -> float:
    """Milliseconds to write `count` rows like an image's in one transaction."""
    db = _bare(folder, f"rows{count}")
    rows = [(f"{i:032x}", 1600, 1200, f"{i:07}.jpg", 1) for i in range(count)]

    def work() -> None:
        db.execute("BEGIN")
        db.executemany("INSERT INTO label VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")

    taken = milliseconds(work)
    db.close()
    return taken


def bare_updates(folder: Path, count: int) -> float:
    """Milliseconds to change 10,000 rows far apart in the bare table of `count` rows, durably."""
    db = sqlite3.connect(folder / f"rows{count}.sqlite", isolation_level=None)
    db.execute("PRAGMA synchronous = FULL")
    every = max(1, count // 10_000)
    taken = milliseconds(lambda: db.execute("UPDATE label SET e = 2 WHERE rowid % ? = 0", (every,)))
    db.close()
    return taken


def bare_commits(folder: Path, count: int) -> np.ndarray:
    """Milliseconds of each of `count` bare durable inserts."""
    db = _bare(folder, "commits")
    insert = "INSERT INTO label VALUES (?, ?, 'front', 1.0, 0)"
    taken = [milliseconds(lambda i=i: db.execute(insert, (i, i))) for i in range(count)]
    db.close()
    return np.array(taken)


def _bare(folder: Path, name: str) -> sqlite3.Connection:
    db = sqlite3.connect(folder / f"{name}.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE label (a, b, c, d, e)")
    return db


def label_one_by_one(project: Project, count: int) -> np.ndarray:
    """Milliseconds of each of `count` key presses: edit, commit, and the counts of a page."""
    ids = project.images.ids(ImageFilter(labels=(("view", None),)))
    ids = np.resize(ids, count)
    project.labels.counts("view")

    def press(image: int, label: str) -> None:
        with project.edit(f"Label 1 image {label}"):
            project.labels.assign([image], "view", label)

    names = project.labels.get("view").names
    return np.array(
        [
            milliseconds(lambda i=i, image=image: press(int(image), names[i % 4]))
            for i, image in enumerate(ids)
        ]
    )


def bulk(project: Project, ids: np.ndarray, label: str | None) -> None:
    """Label many images in one edit."""
    with project.edit("Label many"):
        project.labels.assign(ids, "view", label)


def lists(project: Project) -> None:
    """Measure every filter and order over all images, first uncached, then again."""
    some = tuple(range(1, 5000, 7))
    wanted = {
        "all by name, first": (ImageFilter(), Sort.NAME),
        "all by name, again": (ImageFilter(), Sort.NAME),
        "by category, first": (ImageFilter(), Sort.CATEGORY),
        "by category, again": (ImageFilter(), Sort.CATEGORY),
        "without a view, first": (ImageFilter(labels=(("view", None),)), Sort.NAME),
        "one category and view": (
            ImageFilter(labels=(("category", "kind 007"), ("view", "left"))),
            Sort.NAME,
        ),
        "text in the path": (ImageFilter(text="GRAPH 00123"), Sort.NAME),
        "one source": (ImageFilter(source=1), Sort.NAME),
        "train part": (ImageFilter(part="train"), Sort.NAME),
        "in no part": (ImageFilter(part=""), Sort.ADDED),
        "given ids": (ImageFilter(ids=some), Sort.NAME),
        "by uncertainty": (ImageFilter(), Sort.UNCERTAINTY),
    }
    for name, (condition, sort) in wanted.items():
        taken = milliseconds(lambda c=condition, s=sort: project.images.ids(c, s))
        print_result(f"ids: {name}", taken, 1500)
    project.labels.counts("view")
    print_result("label counts", milliseconds(lambda: project.labels.counts("view")), 16)
    print_result(
        "coverage", milliseconds(lambda: project.labels.coverage("category", "view")), 1500
    )
    page = project.images.ids()[5000:5200]
    print_result("rows of a screen (200)", milliseconds(lambda: project.images.rows(page)), 16)


def edits(project: Project, folder: Path) -> None:
    """Measure single and bulk labels and their undo, compared with bare SQLite."""
    bare = bare_commits(folder, 3000)
    single = label_one_by_one(project, 3000)
    print_result("single label, p50", np.median(single), 16, np.median(bare))
    print_result("single label, p99", np.quantile(single, 0.99), 16, np.quantile(bare, 0.99))
    print_result("single label, worst", single.max(), None, bare.max())
    near = bare_rows(folder, 10_000)
    ids = project.images.ids()
    in_a_row = ids[len(ids) // 3 :][:10_000]
    everywhere = ids[:: max(1, len(ids) // 10_000)][:10_000]
    apart = bare_updates(folder, project.images.count())
    for where, many, plain in (("in a row", in_a_row, near), ("everywhere", everywhere, apart)):
        for label in ("left", "right", None):
            taken = milliseconds(lambda m=many, name=label: bulk(project, m, name))
            print_result(f"10,000 {where}: {label or 'cleared'}", taken, 300, plain)
        print_result(f"10,000 {where}: undo", milliseconds(project.history.undo), 300, plain)
        print_result(f"10,000 {where}: redo", milliseconds(project.history.redo), 300, plain)
        models = milliseconds(lambda m=many: project.labels.assign(m, "view", "back", Author.MODEL))
        print_result(f"10,000 {where}: by a model", models, 300, plain)


def main(count: int) -> None:
    """Measure everything."""
    print(f"{count:,} images; {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project.create(folder / "Bench")
        bare = bare_rows(folder, count)
        print_result(
            "import of rows with labels", milliseconds(lambda: fill(project, count)), None, bare
        )
        ids = project.images.ids()
        members = stratified_split(SplitPlan(), dict.fromkeys(ids[::2].tolist(), ""))
        print_result(
            "store a split of half", milliseconds(lambda: project.splits.make(SplitPlan(), members))
        )
        print_result("read its parts", milliseconds(project.splits.parts))
        project.close()
        size = sum(file.stat().st_size for file in project.folder.iterdir()) / 1e6
        began = time.perf_counter()
        project = Project.open(project.folder)
        project.images.ids()
        print_result("open and list all by name", 1000 * (time.perf_counter() - began), 2000)
        project.close()
        project = Project.open(project.folder)
        lists(project)
        edits(project, folder)
        project.close()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(f"project {size:.0f} MB on the disk; peak memory of this process {peak:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
