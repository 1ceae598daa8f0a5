"""Accuracy of a training in two processes, compared with the same training in one.

Run `OMP_NUM_THREADS=1 python -m tests.bench.processes [birds6|car-views …] [--seeds N]`. Each seed
is trained with recommended settings in one process, and the same frozen run in two gloo processes
under torchrun and adopted. Bound: within 0.5 points on the mean.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from PySide6.QtCore import QCoreApplication

from tests.bench.real_input import DATA, Case, cases, import_case
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.training.adopting import adopt
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.domain.splits import SplitPlan
from workbench.storage.project import Project

POINTS = 0.5
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def of_one(session: Session, run: str) -> float:
    """Top-1 accuracy on the test part with one process, in %."""
    outcome = run_here(training_task(session, run))
    assert isinstance(outcome, Done), outcome
    return 100 * float(session.store.runs.get(run).metrics["test"]["top1"])


def of_two(session: Session, folder: Path) -> float:
    """Top-1 accuracy with two processes, whose run the project adopts, in %."""
    environment = {**os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    command = (sys.executable, *TORCHRUN, "-m", "workbench.learning", str(folder))
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return 100 * float(adopt(session, folder).record.metrics["test"]["top1"])


def measure(name: str, case: Case, seeds: int, data: Path) -> bool:
    """Print each pair and the difference of the means; return whether it is within the bound."""
    reached: dict[str, list[float]] = {"one": [], "two": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        session = Session(Project.create(folder / name))
        try:
            import_case(session, case, data, folder)
            for seed in range(seeds):
                split(session, SplitPlan(**case.plan, seed=seed), stratify=(case.target,))
                record = prepare(session, {"target": case.target, "seed": seed, **case.chosen})
                away = folder / f"away {seed}"
                shutil.copytree(session.store.runs_folder / record.id, away)
                began = time.monotonic()
                reached["one"].append(of_one(session, record.id))
                middle = time.monotonic()
                reached["two"].append(of_two(session, away))
                print(
                    f"  seed {seed}: one process {reached['one'][-1]:.2f} % in "
                    f"{middle - began:.0f} s, two {reached['two'][-1]:.2f} % in "
                    f"{time.monotonic() - middle:.0f} s",
                    flush=True,
                )
        finally:
            session.close()
    one, two = (statistics.mean(found) for found in reached.values())
    held = abs(two - one) <= POINTS
    print(
        f"{name}, {seeds} seeds: one {one:.2f} %, two {two:.2f} %, difference {two - one:+.2f} "
        f"points, bound {POINTS}: {'reached' if held else 'NOT REACHED'}",
        flush=True,
    )
    return held


def main() -> int:
    """Measure; return 0 if every set's difference is within the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=["birds6"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    QCoreApplication.instance() or QCoreApplication([])
    known = cases(options.data)
    held = [measure(name, known[name], options.seeds, options.data) for name in options.sets]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
