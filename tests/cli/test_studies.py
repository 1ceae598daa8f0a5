"""The command `study` on stored runs: which study a plan means, its table, its object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures import finished_runs
from workbench.cli.command import run
from workbench.domain.studies import Study, parse_plan
from workbench.storage.project import Project

PLAN = """\
seeds = [1, 2]
base = { target = "category", backbone = "simpleconv3" }
[variants.plain]
[variants.pulled]
penalty = "l2"
[variants.later]
epochs = 9
"""
VALUES = {"base": {"target": "category", "backbone": "simpleconv3"}, "seeds": [1, 2]}
VARIANTS = {"plain": {}, "pulled": {"penalty": "l2"}, "later": {"epochs": 9}}
WRONG = {("plain", 1): 6, ("plain", 2): 9, ("pulled", 1): 3, ("pulled", 2): 0}


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a study of which two variants are finished, and one run of the third failed;
    and an older study of the same name."""
    monkeypatch.chdir(tmp_path)
    store = Project.create(tmp_path / "Birds")
    images = finished_runs.fill(store, tmp_path / "photos")
    made = []
    for (variant, seed), wrong in WRONG.items():
        record = finished_runs.make_run(store, images, f"{variant} {seed}", wrong=range(wrong))
        made.append((variant, seed, record.id))
    failed = finished_runs.make_run(store, images, "later 1", status="failed")
    plan = parse_plan({**VALUES, "variants": VARIANTS}, "pull")
    older = parse_plan({**VALUES, "seeds": [3], "variants": VARIANTS}, "pull")
    store.studies.put(Study(id="old", created=1.0, plan=older))
    runs = (*made, ("later", 1, failed.id))
    store.studies.put(Study(id="new", created=2.0, plan=plan, runs=runs))
    store.close()
    (tmp_path / "pull.toml").write_text(PLAN, encoding="utf-8")
    return tmp_path


def result(capsys, *words: str) -> dict:
    capsys.readouterr()
    assert run(["study", "Birds", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_studies_are_listed_with_their_progress(birds: Path, capsys) -> None:
    listed = result(capsys)["studies"]
    assert {one["study"]: (one["name"], one["done"], one["cells"]) for one in listed} == {
        "old": ("pull", 0, 3),
        "new": ("pull", 4, 6),
    }
    assert run(["study", "Birds"]) == 0
    head, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["study", "name", "done", "runs"]
    assert sorted(rows) == [["new", "pull", "4", "6"], ["old", "pull", "0", "3"]]


def test_a_plan_means_the_study_of_its_content_and_a_name_the_newest(birds: Path, capsys) -> None:
    assert result(capsys, "pull.toml", "--table")["study"] == "new"
    assert result(capsys, "old", "--table")["study"] == "old"
    assert result(capsys, "pull", "--table")["name"] == "pull"
    (birds / "pull").write_text(PLAN.replace("[1, 2]", "[3]"), encoding="utf-8")
    assert result(capsys, "pull", "--table")["study"] == "old"  # a file without a suffix
    assert run(["study", "Birds", "gone.toml", "--table", "--json"]) == 1
    assert "gone.toml" in json.loads(capsys.readouterr().out)["error"]


def test_a_new_plan_is_added_to_the_project(birds: Path, capsys) -> None:
    (birds / "more.toml").write_text(PLAN.replace("[1, 2]", "[7]"), encoding="utf-8")
    added = result(capsys, "more.toml", "--table")
    assert (added["name"], added["done"], added["cells"]) == ("more", 0, 3)
    assert added["study"] not in ("old", "new")
    assert len(result(capsys)["studies"]) == 3


def test_variants_are_compared_with_the_first_seed_by_seed(birds: Path, capsys) -> None:
    found = result(capsys, "new", "--table")
    assert (found["done"], found["cells"], found["failed"]) == (4, 6, ["later-1"])
    plain, pulled, later = found["rows"]
    assert plain["values"] == {"1": pytest.approx(0.8), "2": pytest.approx(0.7)}
    assert (plain["variant"], plain["mean"]) == ("plain", pytest.approx(0.75))
    assert (pulled["mean"], pulled["difference"]) == (pytest.approx(0.95), pytest.approx(0.2))
    assert (later["values"], later["mean"]) == ({}, None)


def test_the_table_has_points_with_signs_for_differences_alone(birds: Path, capsys) -> None:
    assert run(["study", "Birds", "new", "--table"]) == 0
    protocol, head, plain, pulled, later = capsys.readouterr().out.splitlines()
    assert protocol == "current split of the project; accuracy on the test part"
    shown = ["variant", "seeds", "accuracy", "%", "sd", "difference", "p", "seconds"]
    assert head.split() == [*shown, "to", "76", "%"]
    assert plain.split() == ["plain", "2", "75.00", "±", "63.53", "7.07", "3", "3"]
    assert pulled.split() == [
        "pulled",
        "2",
        "95.00",
        "±",
        "63.53",
        "7.07",
        "+20.00",
        "±",
        "127.06",
        "0.295",
        "3",
        "3",
    ]
    assert run(["study", "Birds", "new", "--table", "--goal", "0.9"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("to 90 %")
    assert later.split() == ["later", "0"]


def test_one_recipe_is_studied_by_a_named_protocol(birds: Path, capsys) -> None:
    keys = ["target=category", "backbone=simpleconv3", "start=none"]
    recipe = [word for key in keys for word in ("--set", key)]
    asked = ["--protocol", " 4 per  class", *recipe, "--table"]
    found = result(capsys, *asked)
    assert (found["name"], found["cells"], found["parts"]) == ("category, 4 per class", 3, [])
    assert result(capsys, *asked)["study"] == found["study"]  # not another one
    assert run(["study", "Birds", found["study"], "--table"]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == "4 training images per class, drawn for each seed"
    halves = result(capsys, "--protocol", "half/half", *recipe, "--table")
    assert halves["study"] != found["study"]
    for words in (["--protocol", "thirds"], ["--protocol", "5 folds", "--folds", "5"]):
        assert run(["study", "Birds", *words]) != 0
        assert "protocol" in capsys.readouterr().err
