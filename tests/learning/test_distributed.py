"""Distributed training with two torchrun processes, one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.fixtures.run_folders import make_run, reports_of, train
from tests.fixtures.systems import linux
from workbench.app.learner import child_environment
from workbench.domain.reports import Epoch, Finished, Started
from workbench.domain.runs import CHECKPOINT_FILE, PREDICTIONS_FILE, WEIGHTS_FILE
from workbench.learning.loop.distributed import ProcessGroup

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
    messages = process.communicate(timeout=150)[0].decode()
    assert process.returncode == 0, messages[-3000:]


def test_rows_are_shared_out_and_nobody_is_left_without() -> None:
    rows = np.arange(7)
    shares = [ProcessGroup(rank, 3).shard(rows).tolist() for rank in range(3)]
    assert sorted(row for share in shares for row in share) == rows.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert ProcessGroup(2, 3).shard(rows[:1]).tolist() == [0]
    assert ProcessGroup().shard(rows) is not None
    assert ProcessGroup().any(True)
    assert ProcessGroup().sum([1.0, 2.0]) == [1.0, 2.0]


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """LeNet-5 draws no noise and normalises no batch, so that sharing a batch of ten out to two
    must change nothing but the order of sums."""
    recipe = {"backbone": "lenet5", "epochs": 6, "batch": 10, "learning_rate": 0.02}
    alone, together = (make_run(tmp_path / name, PARTS, **recipe) for name in ("alone", "together"))
    finished = train(alone)[-1]
    ended(torchrun(together))
    reports = reports_of(together)
    assert isinstance(reports[-1], Finished)
    assert isinstance(finished, Finished)
    assert sum(isinstance(report, Started) for report in reports) == 1  # only one of them speaks
    epochs = [[r for r in reports_of(run) if isinstance(r, Epoch)] for run in (alone, together)]
    assert len(epochs[1]) == 6
    for one, two in zip(*epochs, strict=True):
        assert two.train_loss == pytest.approx(one.train_loss, abs=2e-3)
        assert two.validation_loss == pytest.approx(one.validation_loss, abs=2e-3)
    first, second = load_file(alone / WEIGHTS_FILE), load_file(together / WEIGHTS_FILE)
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=0.02, atol=2e-3)
    assert finished.parts["test"].top1 == pytest.approx(reports[-1].parts["test"].top1, abs=0.02)
    assert (together / PREDICTIONS_FILE).exists()
    assert not (together / CHECKPOINT_FILE).exists()


@linux
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
