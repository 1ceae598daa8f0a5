"""The learning program as a process: paused, stopped, orphaned, killed, and trials."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.fixtures.run_folders import make_run, reports_of, train
from tests.fixtures.systems import posix
from workbench.app.learner import ChildProcess, LearningProcess
from workbench.domain.reports import (
    AnyReport,
    Epoch,
    ErrorReport,
    Finished,
    Paused,
    Report,
    Step,
    Stopped,
    Trial,
)
from workbench.domain.requests import decode_answer_line
from workbench.domain.runs import CHECKPOINT_FILE, WEIGHTS_FILE
from workbench.learning.loop import training

LONG = (("train", 64), ("validation", 4))


def hear(process: LearningProcess, kind: type[Report], seconds: float = 90.0) -> AnyReport:
    """The next report of a kind; fails when the process ends or the time is over before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not process.ended:
        report = process.read(0.05)
        if isinstance(report, kind):
            return report
    raise AssertionError(f"no {kind.__name__}: {process.errors}")


def test_stop_ends_a_training_of_an_hour_at_once(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", LONG, epochs=3000)
    process = LearningProcess([str(folder), "--controlled"])
    hear(process, Epoch)
    process.command("stop")
    stopped = hear(process, Stopped)
    assert isinstance(stopped, Stopped)
    assert stopped.epoch < 3000
    assert process.wait(20) == 0
    assert (folder / WEIGHTS_FILE).exists()


def test_the_end_of_the_parent_pauses(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", LONG, epochs=3000)
    process = LearningProcess([str(folder), "--controlled"])
    hear(process, Epoch)
    process.close_input()
    hear(process, Paused)
    assert process.wait(20) == 0
    assert (folder / CHECKPOINT_FILE).exists()


@posix
def test_a_killed_training_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"epochs": 40}
    whole = make_run(tmp_path / "whole", LONG, **recipe)
    train(whole)
    killed = make_run(tmp_path / "killed", LONG, **recipe)
    monkeypatch.setenv("WORKBENCH_CHECKPOINT_SECONDS", "0.05")
    process = LearningProcess([str(killed), "--controlled"])
    hear(process, Epoch)
    while not (killed / CHECKPOINT_FILE).exists():
        hear(process, Epoch)
    hear(process, Epoch)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    assert not (killed / WEIGHTS_FILE).exists()
    assert isinstance(train(killed)[-1], Finished)
    first, second = load_file(whole / WEIGHTS_FILE), load_file(killed / WEIGHTS_FILE)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_trial_reports_requirements_and_changes_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=5)
    before = sorted(path.name for path in folder.iterdir())
    process = LearningProcess([str(folder), "--trial"])
    trial = hear(process, Trial)
    assert process.wait(20) == 0
    assert isinstance(trial, Trial)
    assert trial.device
    assert trial.largest_batch >= trial.batch == 8
    assert trial.step_seconds > 0
    assert trial.total_seconds > 0
    assert trial.memory_free > 0
    assert trial.disk_free > trial.disk > 0
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_broken_folder_ends_with_the_reason(tmp_path: Path) -> None:
    process = LearningProcess([str(tmp_path / "nowhere")])
    broken = hear(process, ErrorReport)
    assert process.wait(20) == 1
    assert isinstance(broken, ErrorReport)
    assert "nowhere" in broken.sentence
    assert not broken.traceback


def test_steps_are_reported_while_an_epoch_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.0)  # however fast the machine is
    folder = make_run(tmp_path / "run", (("train", 96),), epochs=2, batch=1, image_size=96)
    train(folder)
    steps = [report for report in reports_of(folder) if isinstance(report, Step)]
    assert steps
    assert all(step.eta >= 0 and step.images_per_second >= 0 for step in steps)


@pytest.mark.skipif(sys.platform == "win32", reason="signals end a process at once there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_the_very_start_pauses(tmp_path: Path, number: int) -> None:
    folder = make_run(tmp_path / "run", LONG, epochs=3000)
    process = LearningProcess([str(folder), "--controlled"])
    os.kill(process.pid, number)  # before Python has started
    hear(process, Paused)
    assert process.wait(60) == 0
    assert process.errors == ""


@pytest.mark.skipif(sys.platform == "win32", reason="signals end a process at once there")
def test_signals_do_not_wait_in_the_server() -> None:
    process = ChildProcess(["--serve"], decode_answer_line)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
