"""Time from Stop to the end of a training with its weights saved.

Run `python -m tests.bench.stopping [--times N]`. Bound: 1 s. Compared with killing the process,
which saves nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.fixtures.run_folders import make_run
from workbench.app.learner import LearningProcess
from workbench.domain.reports import Epoch, Report, Stopped

BOUND = 1.0  # seconds


def wait_for(process: LearningProcess, kind: type[Report]) -> None:
    """Wait for a report of a kind."""
    while not process.ended:
        if isinstance(process.read(0.005), kind):
            return
    raise SystemExit(f"the program ended: {process.errors}")


def seconds(folder: Path, kill: bool) -> float:
    """Seconds from stopping a running training to its end, or to its last report."""
    process = LearningProcess([str(make_run(folder, epochs=30_000)), "--controlled"])
    wait_for(process, Epoch)
    began = time.perf_counter()
    if kill:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    else:
        process.command("stop")
        wait_for(process, Stopped)
    took = time.perf_counter() - began
    process.wait(20)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as name:
        stopped = [seconds(Path(name) / f"stop{at}", kill=False) for at in range(times)]
        killed = [seconds(Path(name) / f"kill{at}", kill=True) for at in range(times)]
    worst = max(stopped)
    middle, beside = median(stopped), median(killed)
    print(f"stop: median {1000 * middle:.0f} ms, worst {1000 * worst:.0f} ms, bound 1000 ms")
    print(f"killing: median {1000 * beside:.0f} ms, ratio {middle / beside:.1f}")
    return 0 if worst <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
