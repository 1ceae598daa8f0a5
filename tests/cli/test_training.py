"""Real training from the command line: paused with Ctrl+C, resumed, scored, renamed."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from workbench.cli.command import run

SHORT = ("--set", "target=category", "--set", "backbone=simpleconv3", "--set", "epochs=1")
STUDY = """\
seeds = [3, 4]
base = { target = "category", backbone = "simpleconv3", epochs = 1, batch = 8 }
[variants.plain]
[variants.pulled]
penalty = "l2"
"""

RECIPE = """\
target = "category"
backbone = "simpleconv3"
epochs = 60
batch = 8
seed = 1
"""


@pytest.fixture
def project(tmp_path, monkeypatch, capsys):
    """Two categories of twelve small images each, with stripes in different directions."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for name in ("rows", "columns"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 90, (48, 48, 3), np.uint8)
            stripes = (np.arange(48) // 6 % 2 * 150).astype(np.uint8)
            pixels += (stripes[:, None] if name == "rows" else stripes[None, :])[..., None]
            cv2.imwrite(str(tmp_path / "photos" / name / f"{name}{i}.png"), pixels)
    assert run(["new", "stripes"]) == 0
    assert run(["import", "stripes", "photos", "--category-from", "folder"]) == 0
    assert (
        run(["split", "stripes", "--train", "0.5", "--validation", "0.25", "--test", "0.25"]) == 0
    )
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    capsys.readouterr()
    return "stripes"


def interrupted(project):
    """Train, press Ctrl+C after the first epoch; return exit code, object and output."""
    command = [sys.executable, "-m", "workbench", "train", project, "recipe.toml", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        texts = []
        for line in training.stderr:
            texts.append(line)
            if line.startswith("epoch 1/"):
                training.send_signal(signal.SIGINT)
        printed = training.stdout.read()
    return training.returncode, json.loads(printed.splitlines()[-1]), "".join(texts)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is another signal there")
def test_a_training_is_paused_resumed_and_scored(project, capsys):
    code, paused, texts = interrupted(project)
    assert code == 130, texts
    assert paused["status"] == "paused"
    assert 1 <= paused["epochs"] < 60
    assert "--resume" in texts

    assert run(["train", project, "--resume", "latest", "--json"]) == 0
    finished = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (finished["run"], finished["status"]) == (paused["run"], "finished")
    assert finished["epochs"] == 60
    assert finished["parts"]["test"]["images"] == 6
    assert finished["parts"]["test"]["top1"] >= 0.8

    assert run(["runs", project, "--rename", paused["run"][:-1], "first", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["runs"]
    assert (listed["name"], listed["parts"]["test"]["top1"]) == (
        "first",
        pytest.approx(finished["parts"]["test"]["top1"]),
    )

    assert run(["evaluate", project, "first", "--part", "test", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["parts"]["test"] == finished["parts"]["test"]
    assert set(scored["classes"]) == {"rows", "columns"}

    assert run(["train", project, "--resume", "first", "--json"]) == 1
    assert "finished" in json.loads(capsys.readouterr().out)["error"]

    assert run(["runs", project, "--remove", "first", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is another signal there")
def test_ctrl_c_at_the_end_of_a_run_stops_the_study(project, tmp_path, capsys):
    (tmp_path / "pull.toml").write_text(STUDY, encoding="utf-8")
    command = [sys.executable, "-m", "workbench", "study", project, "pull.toml", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as study:
        for line in study.stderr:
            if line.startswith(b"epoch 1/1"):  # the last one of the first run
                study.send_signal(signal.SIGINT)
    assert study.returncode == 130
    assert run(["runs", project, "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert sum(one["epochs"] for one in runs) == 1


def test_too_few_labels_are_reported_and_leave_no_run(project, capsys):
    assert run(["train", project, "--set", "target=view", "--json"]) == 1
    refused = json.loads(capsys.readouterr().out)
    assert "view" in refused["error"]
    assert refused["remedy"]
    assert run(["runs", project, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}


def texts(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
def test_a_study_trains_what_is_missing_and_compares_with_its_first_variant(
    project, tmp_path, capsys
):
    plan = tmp_path / "pull.toml"
    plan.write_text(STUDY, encoding="utf-8")
    assert run(["study", project, "pull.toml", "--table"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *("variant", "seeds", "accuracy", "%", "sd", "difference", "p", "seconds")
    ]
    assert run(["study", project, "--json"]) == 0
    (listed,) = texts(capsys)["studies"]
    assert (listed["name"], listed["done"], listed["cells"]) == ("pull", 0, 4)
    assert run(["runs", project, "--json"]) == 0
    assert texts(capsys)["runs"] == []

    assert run(["study", project, "pull.toml"]) == 0
    shown = capsys.readouterr()
    assert run(["runs", project, "--json"]) == 0
    names = {one["name"] for one in texts(capsys)["runs"]}
    assert len(names & set(shown.err.splitlines())) == 4
    head, plain, pulled = shown.out.splitlines()[-3:]
    assert head.startswith("variant")
    assert plain.split()[:2] == ["plain", "2"]
    assert pulled.split()[:2] == ["pulled", "2"]
    assert re.search(r" [+-]\d+\.\d\d ± \d+\.\d\d ", pulled)
    assert not re.search(r" [+-]\d", plain)

    assert run(["study", project, "pull", "--json"]) == 0
    found = texts(capsys)
    assert found["study"] == listed["study"]
    assert [row["variant"] for row in found["rows"]] == ["plain", "pulled"]
    assert run(["study", project]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[1:] == ["pull", "4", "4"]
    assert run(["study", project, "push", "--json"]) == 1
    assert "push" in texts(capsys)["error"]


@pytest.mark.slow
def test_a_run_explains_predicts_and_becomes_onnx(project, tmp_path, capsys):
    assert run(["train", project, *SHORT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("run ")
    assert lines[0].endswith(": finished")
    assert [line.split()[0] for line in lines[1:]] == ["part", "train", "validation", "test"]
    assert run(["explain", project, "latest", "rows1.png", "--out", "maps"]) == 0
    assert capsys.readouterr().out.split() == [str(Path("maps", "rows1.explained.png"))]
    assert (tmp_path / "maps" / "rows1.explained.png").is_file()

    assert run(["evaluate", project, "latest"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[shown.index("classes of test") + 1].split()[0] == "label"

    (tmp_path / "photos" / "broken.png").write_bytes(b"no image")
    assert run(["predict", project, "latest", "photos", "--out", "new.csv", "--json"]) == 0
    shown = capsys.readouterr()
    assert "broken.png: " in shown.err
    result = json.loads(shown.out)
    assert (result["images"], result["mouths"]) == (24, None)
    (lost,) = result["skipped"]
    assert lost["path"].endswith("broken.png")
    with open(tmp_path / "new.csv", encoding="utf-8-sig", newline="") as table:
        rows = {row["file"]: row["predicted"] for row in csv.DictReader(table)}
    assert [file for file, predicted in rows.items() if not predicted] == ["broken.png"]
    assert set(rows.values()) <= {"", "rows", "columns"}

    assert run(["export", project, "latest", "stripes.onnx", "--json"]) == 0
    result = texts(capsys)
    assert result["bytes"] == (tmp_path / "stripes.onnx").stat().st_size
    assert result["same_predictions"] is True
    assert result["largest_difference"] < 1e-3
