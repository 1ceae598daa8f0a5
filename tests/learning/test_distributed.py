"""Two processes that train together, as torchrun starts them, and one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from tests.learning.small_runs import make_run, reports_of, train
from workbench.app.processes import child_environment
from workbench.domain.reports import Epoch, Finished, Started
from workbench.domain.runs import CHECKPOINT_FILE, PREDICTIONS_FILE
from workbench.learning.distributed import Team
from workbench.learning.trained import load_model

PARTS = (("train", 90), ("validation", 30), ("test", 60))
RECIPE = {"epochs": 12, "batch": 12, "learning_rate": 0.1}


def torchrun(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--max-restarts", "2", "--monitor-interval", "0.2"]
    alone = {"OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    return subprocess.Popen(
        [*command, "-m", "workbench.learning", str(folder)],
        env=child_environment() | alone | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[bytes]) -> None:
    said = process.communicate(timeout=150)[0].decode()
    assert process.returncode == 0, said[-3000:]


def test_rows_are_shared_out_and_nobody_is_left_without() -> None:
    rows = np.arange(7)
    shares = [Team(rank, 3).share(rows).tolist() for rank in range(3)]
    assert sorted(row for share in shares for row in share) == rows.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Team(2, 3).share(rows[:1]).tolist() == [0]
    assert Team().share(rows) is not None
    assert Team().agree(True)
    assert Team().total([1.0, 2.0]) == [1.0, 2.0]


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    alone = make_run(tmp_path / "alone", PARTS, **RECIPE)
    finished = train(alone)[-1]
    together = make_run(tmp_path / "together", PARTS, **RECIPE)
    ended(torchrun(together))
    reports = reports_of(together)
    assert isinstance(reports[-1], Finished)
    assert isinstance(finished, Finished)
    assert sum(isinstance(report, Started) for report in reports) == 1  # only one of them speaks
    assert len([report for report in reports if isinstance(report, Epoch)]) == RECIPE["epochs"]
    both = [run.parts["test"].top1 for run in (finished, reports[-1])]
    assert min(both) > 0.6
    assert abs(both[0] - both[1]) < 0.15  # sixty images, each of 1.7 points
    network, _ = load_model(together)
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    assert (together / PREDICTIONS_FILE).exists()
    assert not (together / CHECKPOINT_FILE).exists()


def test_after_a_killed_process_all_go_on_from_the_checkpoint(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", PARTS, **{**RECIPE, "epochs": 60})
    process = torchrun(folder, WORKBENCH_CHECKPOINT_SECONDS="0.1")
    try:
        end = time.monotonic() + 120
        while not (folder / CHECKPOINT_FILE).exists() or len(reports_of(folder)) < 12:
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(workers(process.pid)[-1], signal.SIGKILL)
        ended(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    reports = reports_of(folder)
    starts = [report for report in reports if isinstance(report, Started)]
    assert len(starts) == 2
    assert starts[1].epoch > 1
    assert isinstance(reports[-1], Finished)


def workers(pid: int) -> list[int]:
    """The processes that a torchrun started, in order."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for file in children for child in file.read_text().split())
