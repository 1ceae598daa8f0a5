"""Longest wait of the window's thread while a run with very many images is created.

Run `python -m tests.bench.holding [--images N]`. A job freezes the run, split included, while an
event loop measures its delays. Compared with the same work in the loop's own thread.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer

from tests.bench.labelling import fill, milliseconds, print_result
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import prepare, prepare_task
from workbench.storage.project import Project

RECIPE = {"target": "category", "start": "none"}
BOUND = 200.0  # ms


def held(session: Session) -> tuple[float, float]:
    """Milliseconds of the longest delay of the event loop, and until the run exists."""
    loop, waits = QEventLoop(), [0.0]
    last = began = time.perf_counter()

    def turn() -> None:
        nonlocal last
        now = time.perf_counter()
        waits.append(now - last)
        last = now

    timer = QTimer(interval=1)
    timer.timeout.connect(turn)
    timer.start()
    job = session.jobs.start(prepare_task(session, RECIPE))
    turn()  # what was done before the job began was waited for as well
    job.ended.connect(loop.quit)
    loop.exec()
    timer.stop()
    turn()
    return 1000 * max(waits), 1000 * (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    options = parser.parse_args()
    QCoreApplication.instance() or QCoreApplication([])
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Project.create(Path(folder) / "many"))
        try:
            fill(session.store, options.images)
            print_result("advice", milliseconds(lambda: facts_of(session.store, "category")), BOUND)
            for what in ("first run, its split drawn", "the next"):
                longest, whole = held(session)
                print_result(f"{what}: longest wait", longest, BOUND)
                print_result(
                    f"{what}: until it is there",
                    whole,
                    beside=milliseconds(lambda: prepare(session, RECIPE)),
                )
        finally:
            session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
