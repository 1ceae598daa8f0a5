"""Seconds to export and import labels, with one label of two sets on each of N images.

Run `python tests/bench/label_files.py [--images N]`. Bounds for
200,000 rows: import 6 s, export 4 s.
Beside them, the time of only reading the file into Python's csv module is measured.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from workbench.app.jobs import Done, run_here
from workbench.app.labels.label_export import export_task
from workbench.app.labels.label_files import import_labels_task
from workbench.app.session import Session
from workbench.domain.images import FoundImage
from workbench.domain.labels import Label, LabelSet
from workbench.storage.project import Project

SPECIES = [f"species {at:03}" for at in range(200)]
BATCH = 20_000


def filled(folder: Path, images: int) -> Session:
    """A project with unlabelled images, without their files."""
    session = Session(Project.create(folder))
    with session.edit("Fill"):
        source = session.store.images.add_source("/photos")
        for start in range(0, images, BATCH):
            found = [
                FoundImage(f"{at // 1000:03}/{at:07}.jpg", f"{at:064x}", 640, 480, 1, 1.0)
                for at in range(start, min(images, start + BATCH))
            ]
            session.store.images.add(source, found)
        labels = tuple(Label(name) for name in SPECIES)
        session.store.labels.save_set(LabelSet("species", labels))
    return session


def label(session: Session) -> None:
    ids = session.store.images.ids()
    with session.edit("Label"):
        for at, name in enumerate(SPECIES):
            session.store.labels.assign(ids[at :: len(SPECIES)], "species", name)
        for at, name in enumerate(("front", "back", "left", "right")):
            session.store.labels.assign(ids[at::4], "view", name)


def timed(what: str, run: Callable[[], object], rows: int, bound: float = 0.0) -> float:
    began, busy = time.perf_counter(), time.process_time()
    run()
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    limit = f", bound {bound * rows / 200_000:.1f} s" if bound else ""
    print(f"{what:>12}: {seconds:.2f} s ({busy:.2f} busy) for {rows:,} rows{limit}", flush=True)
    return seconds


def read_plainly(file: Path) -> None:
    with file.open(encoding="utf-8", newline="") as rows:
        for _ in csv.reader(rows):
            pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    images = parser.parse_args().images
    QCoreApplication.instance() or QCoreApplication([])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source, target = filled(folder / "one", images), filled(folder / "other", images)
        label(source)
        for ending in (".csv", ".json"):
            file = folder / f"labels{ending}"
            rows = 2 * images
            timed(f"export {ending}", lambda file=file: _export(source, file), rows, 4.0)
            if ending == ".csv":
                timed("csv alone", lambda file=file: read_plainly(file), rows)
            timed(f"import {ending}", lambda file=file: _import(target, file), rows, 6.0)
            target.undo()
        source.close()
        target.close()
    return 0


def _export(session: Session, file: Path) -> None:
    outcome = run_here(export_task(session, file))
    assert isinstance(outcome, Done), outcome


def _import(session: Session, file: Path) -> None:
    outcome = run_here(import_labels_task(session, file))
    assert isinstance(outcome, Done), outcome


if __name__ == "__main__":
    sys.exit(main())
