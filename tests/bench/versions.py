"""Seconds to create, compare and go back to versions of a project with N images.

Run `python -m tests.bench.versions [--images N]`. Each image has a label of two sets and a part,
every tenth a mouth. Bounds for 100,000 images: a later version 0.3 s, the window's thread busy for
at most 0.3 s while the project goes back. Beside them, a plain copy of the database is measured.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer

from tests.bench.label_files import filled, label
from workbench.app.jobs import Done, Task, run_here
from workbench.app.session import Session
from workbench.app.versions import compare_task, create_task, go_back_task
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.splits import PARTS, SplitPlan

BEAT = 5  # milliseconds between two looks at the clock in the window's thread


def timed(what: str, run: Callable[[], object]) -> None:
    began = time.perf_counter()
    run()
    print(f"{what:>36}: {time.perf_counter() - began:.2f} s", flush=True)


def completed(task: Task[object]) -> None:
    outcome = run_here(task)
    assert isinstance(outcome, Done), outcome


def in_window(session: Session, what: str, name: str) -> None:
    """Time of going back as a job, and the longest gap between two events of this thread."""
    gaps, last, loop, timer = [0.0], [time.perf_counter()], QEventLoop(), QTimer(interval=BEAT)

    def beat() -> None:
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now

    timer.timeout.connect(beat)
    timer.start()
    job = session.start(go_back_task(session, name))
    job.ended.connect(lambda _: QTimer.singleShot(2 * BEAT, loop.quit))
    timed(what, loop.exec)
    assert isinstance(job.outcome, Done), job.outcome
    print(f"{'window busy at most':>36}: {max(gaps):.2f} s", flush=True)


def crop(session: Session) -> None:
    ids = session.store.images.ids()[::10].tolist()
    with session.edit("Find mouths"):
        session.store._db.run_many(
            "INSERT INTO crop (image, face, state, left, top, right, bottom, landmarks, detector,"
            " reviewed, reason) VALUES (?, 0, 'found', 1, 2, 30, 40, '[[1.5,2.5]]', 'dlib', 0, '')",
            [(id_,) for id_ in ids],
        )


def measure(session: Session) -> None:
    ids = session.store.images.ids()
    members = {id_: PARTS[at % len(PARTS)] for at, id_ in enumerate(ids.tolist())}
    session.store.splits.make(SplitPlan(), members)
    crop(session)
    database = session.folder / DATABASE_FILE
    timed("a copy of the database", lambda: shutil.copy(database, session.folder / "copy"))
    timed("first version", lambda: completed(create_task(session, "first")))
    timed("version without a change", lambda: completed(create_task(session, "same")))
    for count in (100, 10_000):
        with session.edit("Label"):
            session.store.labels.assign(ids[:count], "view", "back")
        task = create_task(session, f"{count}")
        timed(f"version after {count:,} labels", lambda task=task: completed(task))
        timed("compared with the first", lambda: completed(compare_task(session, "first")))
        in_window(session, f"going back by {count:,} labels", "first")
        timed("undone", session.undo)
    session.remove_images(ids[: len(ids) // 2].tolist())
    in_window(session, "half of the images put back", "first")
    timed("undone", session.undo)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    images = parser.parse_args().images
    QCoreApplication.instance() or QCoreApplication([])
    with tempfile.TemporaryDirectory() as temporary:
        session = filled(Path(temporary) / "Bench", images)
        label(session)
        measure(session)
        session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
