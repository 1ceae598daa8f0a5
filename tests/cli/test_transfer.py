"""The commands before and around a transfer, on drawn toys: ranked, carried over, voted on."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

from tests.learning.test_cohesion import textures
from workbench.cli.command import run
from workbench.cli.transfer import setting_of
from workbench.demo.toys import BODIES, VIEWS, save_toy
from workbench.domain.advice import TransferFacts, advise_transfer
from workbench.domain.recipes import with_setting

FAST = [
    *("--set", "image_size=64"),
    *("--set", "epochs=1"),
    *("--set", "batch=16"),
    *("--set", "precision=fp32"),
]


@pytest.fixture(autouse=True)
def application(qapp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def answer(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def vehicles(folder, project, bodies, each):
    """A project of toys with categories and views."""
    folder.mkdir()
    rows = []
    for body in bodies:
        for view in VIEWS:
            for n in range(each):
                name = f"{BODIES[body]}-{view}-{n}.jpg"
                save_toy(folder / name, body, view, n, 64)
                rows.append((name, BODIES[body], view))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "category", "view"), *rows])
    assert run(["new", project]) == 0
    labels = ["--category-from", "csv", "--view-from", "csv"]
    assert run(["import", project, str(folder / "labels.csv"), *labels]) == 0


def waves(folder, project):
    """A project of textures, without views."""
    made = textures("waves", 12)
    for at, (pixels, name) in enumerate(zip(made.pixels, made.classes, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name / f"{at}.png"), np.ascontiguousarray(pixels.numpy()))
    assert run(["new", project]) == 0
    assert run(["import", project, str(folder), "--category-from", "folder"]) == 0


@pytest.mark.slow
def test_the_closest_source_is_carried_over_and_the_candidates_vote(tmp_path, capsys):
    vehicles(tmp_path / "a", "Target", (8, 9, 10), 4)
    vehicles(tmp_path / "b", "Toys", (0, 1, 2), 4)
    waves(tmp_path / "c", "Waves")
    assert run(["split", "Target", "--train", "0.5", "--validation", "0", "--test", "0.5"]) == 0
    capsys.readouterr()

    words = ["transfer", "Target", "--from", "Waves", "--from", "Toys", "--start", "none", *FAST]
    assert run([*words, "--compare-views", "--json"]) == 0
    found = answer(capsys)
    assert [one["name"] for one in found["ranked"]] == ["Toys", "Waves"]
    assert found["ranked"][0]["doa"] > found["ranked"][1]["doa"]
    assert (found["source"]["project"], found["source"]["status"]) == ("Toys", "finished")
    assert found["source"]["target"] == "category+view"
    assert [one["frozen"] for one in found["candidates"]] == ["fire4", "fire5", "fire6"]
    assert [one["layers"] for one in found["candidates"]] == [4, 5, 6]
    tops = {one["frozen"]: one["parts"]["test"]["top1"] for one in found["candidates"]}
    votes = {one["frozen"]: one["votes"] for one in found["candidates"]}
    assert found["voted"] == 24
    assert votes[found["winner"]] == max(votes.values()) >= 12
    assert found["parts"]["test"]["top1"] == tops[found["winner"]]
    assert found["parts"]["test"]["images"] == 24
    assert "view_top1" in found["parts"]["test"]
    assert "view_top1" not in found["views"]["without"]["parts"]["test"]
    assert found["views"]["with"]["run"] == found["run"]

    # the winner's recipe: the source's weights, and views tied
    assert run(["runs", "Target", "--json"]) == 0
    runs = {one["run"]: one for one in answer(capsys)["runs"]}
    assert len(runs) == 4
    recipe = (tmp_path / "Target.workbench/runs" / found["run"] / "recipe.toml").read_text()
    weights = tmp_path / "Toys.workbench/runs" / found["source"]["run"] / "weights.safetensors"
    assert f'start = "file:{weights}"' in recipe
    assert f'frozen = "{found["winner"]}"' in recipe
    assert "tie = 0.001" in recipe

    starts = ["--start", f"file:{weights}", "--start", "none", "--backbone", "squeezenet1_1"]
    assert run(["transferability", "Target", *starts, "--json"]) == 0
    own, random = answer(capsys)["starts"]
    assert own["source_classes"] == 3
    assert own["leep"] <= 0
    assert 0 < own["domain_similarity"] < 1
    assert (random["leep"], random["domain_similarity"]) == (None, None)
    assert {"learning_rate", "momentum", "penalty"} <= set(own["advice"]["values"])
    assert random["advice"]["values"] == {}
    assert run(["transferability", "Target", "--last"]) == 0
    output = capsys.readouterr().out
    assert "--set learning_rate=" in output
    assert str(weights) in output


def test_recommendations_are_printed_in_the_syntax_of_set():
    for images, top1 in ((100, 0.3), (100, 0.95), (9000, 0.3), (9000, 0.95)):
        facts = TransferFacts("squeezenet1_1", images, 4, frozen_top1=top1, chance=0.25)
        values = advise_transfer(facts).values.to_builtins()
        partial = {}
        for key, value in values.items():
            partial = with_setting(partial, f"{key}={setting_of(value)}")
        assert partial == values


@pytest.mark.slow
def test_sources_are_ranked_by_a_command(tmp_path, capsys):
    vehicles(tmp_path / "a", "Target", (8, 9), 3)
    vehicles(tmp_path / "b", "Toys", (0, 1), 3)
    capsys.readouterr()
    words = ["relatedness", "Target", "--from", "Toys", "--from", "Target#view", "--networks", "1"]
    assert run([*words, "--per-class", "8", "--json"]) == 0
    found = answer(capsys)["ranked"]
    assert {one["name"] for one in found} == {"Toys", "Target#view"}
    assert all(one["doa"] < 0 and len(one["numbers"]) == 36 for one in found)
    assert all("Association" in one["words"][0] for one in found)


@pytest.mark.slow
def test_stages_are_judged_by_a_command(tmp_path, capsys):
    vehicles(tmp_path / "a", "Target", (8, 9), 3)
    capsys.readouterr()
    words = ["layers", "Target", "--backbone", "simpleconv3", "--start", "none"]
    assert run(["layers", "Target", "--last", "--json"]) == 1
    assert "No stages" in answer(capsys)["error"]
    assert run([*words, "--json"]) == 0
    found = answer(capsys)
    stages = [one["stage"] for one in found["found"]["layers"]]
    assert stages[0] == "conv1"
    assert found["best"] in stages
    assert run(["layers", "Target", "--last"]) == 0
    output = capsys.readouterr().out
    assert f"best: {found['best']}" in output
    assert all(stage in output for stage in stages)


def test_impossible_transfers_are_reported_at_once(tmp_path, capsys):
    waves(tmp_path / "c", "Waves")
    waves(tmp_path / "d", "Other")
    capsys.readouterr()
    words = ["transfer", "Waves", "--from", "Other", "--json"]
    short = ["--set", "backbone=simpleconv3", "--start", "none"]
    assert run([*words, *short]) == 1
    assert "stages" in answer(capsys)["error"]
    assert run([*words, "--set", "frozen=fire2"]) == 2
    assert "frozen" in answer(capsys)["error"]
    assert run([*words, "--set", "epochs=0"]) == 2
    assert "epochs" in answer(capsys)["error"]
    assert run([*words, "--start", "file:gone.safetensors"]) == 1
    assert "gone.safetensors does not exist" in answer(capsys)["error"]
    assert run([*words, "--compare-views"]) == 1
    assert "Views cannot be compared" in answer(capsys)["error"]
    for command in ("transfer", "relatedness"):
        for itself in ("Waves", "Waves#category", "./Waves.workbench"):
            assert run([command, "Waves", "--from", "Other", "--from", itself, "--json"]) == 1
            assert "Waves is the target itself." in answer(capsys)["error"]
    assert run(["transfer", "Waves", "--from", "Nowhere", "--json"]) == 1
    assert "Nowhere is not a project" in answer(capsys)["error"]
    assert run(["transferability", "Waves", "--last", "--json"]) == 1
    assert "scored" in answer(capsys)["error"]
