"""The commands before and around a transfer, on drawn toys: ranked, carried over, voted on."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from tests.fixtures.trained_transfers import source, store_transfer
from tests.learning.test_cohesion import textures
from workbench.cli.command import Output, run
from workbench.cli.train import settings_of
from workbench.cli.transfer import print_ranking, ranked
from workbench.demo.toys import BODIES, VIEWS, save_toy
from workbench.domain.advice import TransferFacts, advise_transfer
from workbench.domain.assessments import (
    Assessment,
    LayerScore,
    LayerScores,
    LayerStudy,
    MissingRun,
    StartReport,
    StartScores,
    TransferReport,
)
from workbench.domain.recipes import with_setting
from workbench.domain.text import Message, encode_message
from workbench.storage.project import Project

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
        for setting in settings_of(values):
            partial = with_setting(partial, setting)
        assert partial == values


def test_a_recommendation_can_be_pasted_into_a_shell():
    options = {"l2-sp": {"up_to": "conv2"}}
    values = {"backbone": "resnet18", "epochs": 30, "name": "true", "options": options}
    found = settings_of(values)
    assert found == [
        "backbone=resnet18",
        "epochs=30",
        'name="true"',
        "options.l2-sp.up_to=conv2",
    ]
    partial = {}
    for words in shlex.split(" ".join(map(shlex.quote, found))):
        partial = with_setting(partial, words)
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


@pytest.fixture
def stored(tmp_path, qapp):
    """A project with scores of three starts for two targets, and layers of two backbones."""
    store = Project.create(tmp_path / "Birds")
    scores = (
        StartScores(start="imagenet", backbone="vgg11", h_score=1.5, leep=-0.25, frozen_top1=0.75),
        StartScores(start="file:gone", backbone="vgg11", unread=Message("gone is missing.")),
        StartScores(start="none", backbone="vgg11", h_score=0.5),
    )
    values = {"learning_rate": 0.01, "penalty": "l2", "options": {"l2": {"alpha": 0.1}}}
    reports = (
        StartReport(
            scores=scores[0],
            fine_tuned_run="a",
            fine_tuned_top1=0.9,
            tuning_gap=0.15,
            negative_transfer_gap=-0.05,
            missing=(
                MissingRun(like="a", changes={"frozen": "all"}),
                MissingRun(like="a", changes={"start": "none", "frozen": "none"}, again=True),
            ),
            values=values,
            reasons=(("learning_rate", Message("The start suits.")),),
        ),
        *(StartReport(scores=one) for one in scores[1:]),
    )
    for target in ("category", "view"):
        found = Assessment(
            starts=scores,
            train_images=70,
            held_out_images=30,
            held_out="test",
            classes=5 if target == "category" else 2,
            chance=0.2,
        )
        report = TransferReport(target=target, made=1.0, assessment=found, starts=reports)
        stored = msgspec.to_builtins(report, enc_hook=encode_message)
        store.settings.push("assessments", stored, 9)
        for backbone, top1 in (("alexnet", 0.5), ("vgg11", 0.7)):
            layers = (
                LayerScore(stage="conv1", features=64, train_top1=0.9, top1=top1),
                LayerScore(stage="conv2", features=192, train_top1=1.0, top1=0.6),
            )
            scored = LayerScores(
                layers=layers,
                train_images=70,
                held_out_images=30,
                held_out="test",
                classes=5,
                chance=0.2,
                seconds=1.0,
            )
            study = LayerStudy(
                target=target, start="imagenet", backbone=backbone, made=1.0, found=scored
            )
            store.settings.push("layer_studies", msgspec.to_builtins(study), 9)
    store.close()


def lines_of(capsys, *words):
    capsys.readouterr()
    assert run(list(words)) == 0
    return capsys.readouterr()


def test_the_last_scores_are_shown_again_for_the_target(stored, capsys):
    shown = lines_of(capsys, "transferability", "Birds", "--last")
    lines = shown.out.splitlines()
    assert lines[0] == (
        "70 training images of 5 classes; accuracy on 30 images of the test part (chance 0.2000)"
    )
    assert lines[2].split() == [
        *("start", "backbone", "H-score", "LEEP", "NCE", "neighbours", "frozen", "domain"),
        *("gap", "harm"),
    ]
    assert lines[3].split() == [
        *("imagenet", "vgg11", "1.5000", "-0.2500", "–", "–", "0.7500", "–", "0.1500", "-0.0500"),
    ]
    assert lines[4].split()[:3] == ["none", "vgg11", "0.5000"]
    train = "    workbench train Birds Birds.workbench/runs/a/recipe.toml"
    assert [line.replace(f"{Path().resolve()}/", "") for line in lines[5:]] == [
        "",
        "imagenet",
        "  The start suits.",
        "  Train it with:",
        f"{train} --set=frozen=all",
        "  Labels or split have changed; train both:",
        train,
        f"{train} --set=start=none --set=frozen=none",
        "    --set learning_rate=0.01",
        "    --set penalty=l2",
        "    --set options.l2.alpha=0.1",
        "",
        "none",
    ]
    assert shown.err == "file:gone: gone is missing.\n"
    other = lines_of(capsys, "transferability", "Birds", "--last", "--target", "view").out
    assert "of 2 classes" in other


def test_the_object_of_scores_has_every_start_with_its_advice(stored, capsys):
    found = json.loads(lines_of(capsys, "transferability", "Birds", "--last", "--json").out)
    assert (found["target"], found["classes"], found["chance"]) == ("category", 5, 0.2)
    assert (found["train_images"], found["held_out"], found["held_out_images"]) == (70, "test", 30)
    first, unread, last = found["starts"]
    assert (first["h_score"], first["fine_tuned_run"], first["fine_tuned_top1"]) == (1.5, "a", 0.9)
    assert first["missing"][0] == {"like": "a", "changes": {"frozen": "all"}, "again": False}
    assert first["advice"]["reasons"] == {"learning_rate": "The start suits."}
    assert first["advice"]["values"]["penalty"] == "l2"
    assert unread["unread"] == "gone is missing."
    assert (last["start"], last["tuning_gap"], last["scratch_top1"]) == ("none", None, None)


def test_the_last_stages_are_shown_again_for_the_backbone(stored, capsys):
    lines = lines_of(capsys, "layers", "Birds", "--last", "--backbone", "alexnet").out.splitlines()
    assert lines[0] == (
        "alexnet from imagenet: 70 training images of 5 classes; accuracy on 30 images of the"
        " test part (chance 0.2000)"
    )
    assert [line.split() for line in lines[2:5]] == [
        ["stage", "features", "train", "top-1", "top-1"],
        ["conv1", "64", "0.9000", "0.5000"],
        ["conv2", "192", "1.0000", "0.6000"],
    ]
    assert lines[-1] == "best: conv2"
    found = json.loads(lines_of(capsys, "layers", "Birds", "--last", "--json").out)
    assert (found["backbone"], found["best"]) == ("vgg11", "conv1")


def test_sources_are_ranked_with_the_meaning_of_their_numbers(capsys):
    sources = [source("Finches", -0.5), source("Cars", -1.5)]
    print_ranking(Output(as_json=False), sources)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["source", "association", "agreeing", "pairs", "similarity", "coverage", "images"],
        ["Finches", "-0.5000", "3", "4", "0.5000", "0.2500", "20"],
        ["Cars", "-1.5000", "3", "4", "0.5000", "0.2500", "20"],
    ]
    first, second = lines.index("Finches"), lines.index("Cars")
    assert "the closest of these sources" in lines[first + 1]
    assert "less close than the first" in lines[second + 1]
    assert all(line.startswith("  ") for line in lines[second + 1 :])
    objects = ranked(sources)
    assert [one["doa"] for one in objects] == [-0.5, -1.5]
    assert "the closest" in objects[0]["words"][0]
    assert "less close than the first" in objects[1]["words"][0]


@pytest.fixture
def trained(tmp_path, qapp):
    """A transfer that is trained and not voted on yet."""
    session, _ = store_transfer(tmp_path)
    session.close()


WORDS = ("--start", "none", "--set", "epochs=3", "--compare-views")


def test_trained_candidates_are_voted_on_and_their_votes_shown(trained, capsys):
    shown = lines_of(capsys, "transfer", "Birds", "--from", "Finches", *WORDS)
    lines = shown.out.splitlines()
    assert lines[0].split()[:2] == ["source", "association"]
    start = lines.index("candidates from Finches (run source)")
    assert [line.split() for line in lines[start + 1 : start + 5]] == [
        ["frozen", "layers", "up", "to", "run", "top-1", "votes", "seconds"],
        ["1–4", "fire4", "layers-4", "0.8889", "17", "3"],
        ["1–5", "fire5", "layers-5", "0.9444", "18", "3"],
        ["1–6", "fire6", "layers-6", "1.0000", "17", "3"],
    ]
    assert lines[start + 6] == (
        "winner: frozen up to fire5; the candidates disagreed on 2 of 18 images"
    )
    assert [line.split() for line in lines[start + 8 :]] == [
        ["learned", "run", "top-1"],
        ["category", "alone", "alone", "0.8333"],
        ["with", "views", "layers-5", "0.9444"],
    ]


def test_the_object_of_a_transfer_has_candidates_and_winner(trained, capsys):
    words = ("transfer", "Birds", "--from", "Finches", *WORDS, "--json")
    found = json.loads(lines_of(capsys, *words).out)
    assert (found["source"]["run"], found["source"]["project"]) == ("source", "Finches")
    assert [one["votes"] for one in found["candidates"]] == [17, 18, 17]
    assert [one["run"] for one in found["candidates"]] == ["layers-4", "layers-5", "layers-6"]
    assert (found["winner"], found["drawn"], found["run"]) == ("fire5", False, "layers-5")
    assert (found["voted"], found["disputed"], found["joint"]) == (18, 2, False)
    assert found["parts"]["test"]["top1"] == pytest.approx(17 / 18)
    assert found["views"]["without"]["run"] == "alone"
    assert found["views"]["with"]["run"] == "layers-5"
