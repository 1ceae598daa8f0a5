"""A run prepared here, trained elsewhere by the learning program alone, and adopted again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_training import project as project
from tests.fixtures.damage import damaged
from workbench.cli.command import run
from workbench.domain.runs import (
    CHECKPOINT_FILE,
    LABELS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    RECIPE_FILE,
    SAMPLES_FILE,
    WEIGHTS_FILE,
)

SET = ("--set", "target=category", "--set", "backbone=simpleconv3", "--set", "epochs=2")


def output(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.fixture
def prepared(project, tmp_path, capsys):
    """A copy of a prepared run's folder, where the project is not."""
    assert run(["train", project, *SET, "--prepare", "--json"]) == 0
    result = output(capsys)
    assert result["status"] == "prepared"
    away = tmp_path / "cluster" / result["run"]
    shutil.copytree(result["folder"], away)
    return away


def train_away(folder, *options):
    """Train in a folder; what obeys its input is paused at once, as that is at its end."""
    command = [sys.executable, "-m", "workbench.learning", str(folder), *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert done.returncode == 0


@pytest.fixture
def trained(prepared):
    """The same folder with a finished run."""
    train_away(prepared)
    return prepared


def add_second_project(tmp_path):
    """A project of most of the first one's images under other names."""
    moved = tmp_path / "other" / "names"
    for number, path in enumerate(sorted((tmp_path / "photos").rglob("*.png"), reverse=True)):
        if number < 20:
            (moved / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, moved / path.parent.name / f"{number}.png")
    assert run(["new", "second"]) == 0
    assert run(["import", "second", str(moved), "--category-from", "folder"]) == 0


def test_a_run_trained_elsewhere_is_adopted_completely(project, trained, capsys):
    assert run(["runs", "adopt", str(trained), "--into", project, "--json"]) == 0
    adopted = output(capsys)
    assert adopted["status"] == "finished"
    assert adopted["unknown"] == 0
    assert 0 <= adopted["parts"]["test"]["top1"] <= 1
    assert run(["evaluate", project, adopted["run"], "--again", "--json"]) == 0
    assert output(capsys)["again"]["changed"] == 0
    assert run(["runs", project, "--json"]) == 0
    assert len(output(capsys)["runs"]) == 2


def test_another_project_knows_its_images_by_their_content(trained, tmp_path, capsys):
    add_second_project(tmp_path)
    capsys.readouterr()
    assert run(["runs", "adopt", str(trained), "--into", "second", "--json"]) == 0
    adopted = output(capsys)
    assert adopted["unknown"] == 4
    assert run(["evaluate", "second", adopted["run"], "--again", "--json"]) == 0
    result = output(capsys)
    assert result["again"]["changed"] == 0
    assert result["again"]["images"] == result["parts"][result["part"]]["images"]


def test_an_unfinished_run_is_resumed_only_where_it_was_prepared(
    project, prepared, tmp_path, capsys
):
    train_away(prepared, "--controlled")
    assert (prepared / CHECKPOINT_FILE).exists()
    add_second_project(tmp_path)
    capsys.readouterr()
    assert run(["runs", "adopt", str(prepared), "--into", "second", "--json"]) == 1
    assert "not finished" in output(capsys)["error"]
    assert run(["runs", "adopt", str(prepared), "--into", project, "--json"]) == 0
    adopted = output(capsys)
    assert adopted["status"] == "paused"
    assert run(["train", project, "--resume", adopted["run"], "--json"]) == 0
    assert output(capsys)["epochs"] == 2


@pytest.mark.parametrize("lost", [SAMPLES_FILE, PREDICTIONS_FILE, MODEL_FILE])
def test_a_folder_that_is_not_whole_is_refused_and_nothing_changes(project, trained, lost, capsys):
    damaged = trained / lost
    if lost == MODEL_FILE:
        damaged.write_text("{}")
    else:
        damaged.unlink()
    assert run(["runs", "adopt", str(trained), "--into", project]) == 1
    assert str(trained) in capsys.readouterr().err
    assert run(["runs", project, "--json"]) == 0
    assert len(output(capsys)["runs"]) == 1


def test_a_damaged_folder_is_refused_by_name(project, trained, capsys):
    for name in (PREDICTIONS_FILE, WEIGHTS_FILE, MODEL_FILE, LABELS_FILE, SAMPLES_FILE):
        for way in damaged(trained / name):
            assert run(["runs", "adopt", str(trained), "--into", project]) == 1, way
            output = capsys.readouterr().err
            assert str(trained / name) in output, way
            assert "Traceback" not in output, way
    recipe = trained / RECIPE_FILE
    recipe.write_bytes(recipe.read_bytes() + b"\xff")
    assert run(["runs", "adopt", str(trained), "--into", project]) == 1
    assert str(trained) in capsys.readouterr().err

    own = next(Path().glob(f"*/runs/{trained.name}/{RECIPE_FILE}"))  # the run that waits here
    own.write_bytes(own.read_bytes() + b"\xff")
    assert run(["train", project, "--resume", trained.name]) == 1
    output = capsys.readouterr().err
    assert str(own) in output
    assert "Traceback" not in output


def test_strange_images_are_refused(trained, tmp_path, capsys):
    assert run(["new", "empty"]) == 0
    assert run(["runs", "adopt", str(trained), "--into", "empty"]) == 1
    assert "not trained on images of this project" in capsys.readouterr().err
