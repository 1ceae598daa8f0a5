"""The commands on runs: found by id, name or beginning, listed, renamed, deleted, evaluated."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures import finished_runs
from workbench.app.session import Session
from workbench.cli.command import Output, find_run, run
from workbench.cli.runs import print_run
from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.recipes import JOINT
from workbench.domain.runs import RunStatus
from workbench.storage.project import Project


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three runs, the newest of which failed."""
    monkeypatch.chdir(tmp_path)
    store = Project.create(tmp_path / "Birds")
    images = finished_runs.fill(store, tmp_path / "photos")
    finished_runs.make_run(store, images, "first owl", wrong=(3, 4, 25))
    finished_runs.make_run(store, images, "first puffin", target=JOINT, wrong=(5,))
    finished_runs.make_run(store, images, "later", status="failed")
    store.close()
    return store.folder


@pytest.fixture
def command(birds: Path, capsys):
    def carry_out(*arguments: str) -> tuple[int, dict]:
        capsys.readouterr()
        code = run([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return carry_out


def test_a_run_is_found_by_id_name_or_beginning(birds: Path) -> None:
    session = Session.open(birds)
    try:
        for given in ("first-owl", "first owl", "first-o"):
            assert find_run(session, given).name == "first owl"
        assert find_run(session, "latest").name == "later"
        with pytest.raises(KnownError) as several:
            find_run(session, "first")
        assert str(several.value) == (
            "“first” matches several runs: first-puffin, first-owl. Give the full id."
        )
        with pytest.raises(KnownError) as none:
            find_run(session, "second")
        assert str(none.value).endswith("Runs: later, first-puffin, first-owl.")
        session.rename_run("later", "first-owl")  # an id comes before a name
        assert find_run(session, "first-owl").name == "first owl"
    finally:
        session.close()


def test_at_most_eight_runs_are_named_in_an_error(birds: Path) -> None:
    store = Project.open(birds)
    images = store.images.ids().tolist()
    for number in range(7):
        finished_runs.make_run(store, images, f"more {number}", status="failed")
    session = Session(store)
    try:
        with pytest.raises(KnownError) as none:
            find_run(session, "nope")
    finally:
        session.close()
    named = str(none.value).partition("Runs: ")[2].rstrip(".").split(", ")
    assert named == [*(f"more-{number}" for number in range(6, -1, -1)), "later"]


def test_runs_are_listed_from_the_newest(command, capsys) -> None:
    code, found = command("runs", "Birds")
    assert code == 0
    assert [one["name"] for one in found["runs"]] == ["later", "first puffin", "first owl"]
    assert found["runs"][2]["parts"]["test"]["top1"] == pytest.approx(0.9)
    assert run(["runs", "Birds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "later" in lines[1]
    assert "first owl" in lines[3]
    assert "2023-11-1" in lines[3]  # when it was created


def test_runs_are_renamed_and_deleted(command, capsys) -> None:
    _, found = command("runs", "Birds", "--rename", "latest", "broken", "--remove", "first-owl")
    assert [one["name"] for one in found["runs"]] == ["broken", "first puffin"]
    for name in ("broken", "first-puffin"):
        command("runs", "list", "Birds", "--remove", name)
    assert run(["runs", "Birds"]) == 0
    assert capsys.readouterr().out.startswith("No runs yet.")


def test_a_run_is_evaluated_on_the_part_that_is_given(command) -> None:
    code, found = command("evaluate", "Birds", "first-owl")
    assert (code, found["part"]) == (0, "test")
    assert found["parts"]["test"]["top1"] == pytest.approx(16 / 18)
    assert found["parts"]["train"]["top1"] == pytest.approx(11 / 12)
    assert found["parts"]["test"]["images"] == 18
    assert "view_top1" not in found["parts"]["test"]
    assert found["confusion"] == {
        "labels": ["owl", "puffin", "toucan"],
        "counts": [[5, 1, 0], [0, 6, 0], [1, 0, 5]],
    }
    owl = found["classes"]["owl"]
    assert (owl["precision"], owl["recall"], owl["images"]) == (5 / 6, 5 / 6, 6)
    trained = command("evaluate", "Birds", "first-owl", "--part", "train")[1]
    assert trained["part"] == "train"
    assert trained["confusion"]["counts"] == [[3, 1, 0], [0, 4, 0], [0, 0, 4]]


def test_a_label_without_test_images_has_undefined_scores(birds, command, capsys) -> None:
    with closing(sqlite3.connect(birds / DATABASE_FILE)) as db, db:
        db.execute("DELETE FROM prediction WHERE part = 2 AND (truth = 2 OR predicted = 2)")
    _, found = command("evaluate", "Birds", "first-owl")
    assert found["confusion"]["counts"] == [[5, 1, 0], [0, 6, 0], [0, 0, 0]]
    nothing = {"precision": None, "recall": None, "f1": None, "images": 0}
    assert found["classes"]["toucan"] == nothing
    assert found["macro"]["recall"] == pytest.approx((5 / 6 + 1) / 2)
    assert run(["evaluate", "Birds", "first-owl"]) == 0
    printed = capsys.readouterr()
    (row,) = [line for line in printed.out.splitlines() if line.startswith("toucan")]
    assert row.split() == ["toucan", "–", "–", "–", "0"]
    assert "labels without test images, whose recall is undefined: toucan" in printed.err


def test_a_run_of_two_heads_has_scores_of_the_views(command) -> None:
    _, found = command("evaluate", "Birds", "first-puffin")
    assert found["parts"]["test"]["view_top1"] == 1
    assert found["views"]["left"] == {"top1": 1.0, "images": 4}


def test_people_see_the_parts_the_classes_and_the_views(birds: Path, capsys) -> None:
    assert run(["evaluate", "Birds", "first-puffin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run first-puffin “first puffin”: finished"
    assert [line.split() for line in lines[1:4]] == [
        ["part", "images", "top-1", "top-5"],
        ["train", "12", "1.0000", "1.0000"],
        ["test", "18", "0.9444", "1.0000"],
    ]
    assert "classes of test" in lines
    assert "views of test" in lines
    heads = [line.split() for line in lines if line.startswith(("label", "view "))]
    assert heads == [["label", "precision", "recall", "F1", "images"], ["view", "top-1", "images"]]


def test_a_run_without_predictions_cannot_be_evaluated(command) -> None:
    code, refused = command("evaluate", "Birds", "later")
    assert code == 1
    assert refused["error"]


def test_people_see_which_runs_were_renamed_and_deleted(birds: Path, capsys) -> None:
    assert run(["runs", "Birds", "--rename", "later", "broken", "--remove", "first-owl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "renamed: later “later” → “broken”",
        "",
        "deleted: first-owl “first owl”",
        "",
    ]
    assert "broken" in lines[5]


def test_the_scores_of_several_labels_have_columns_of_their_own(birds: Path, capsys) -> None:
    session = Session.open(birds)
    try:
        record = find_run(session, "first-owl")
    finally:
        session.close()
    scores = {"images": 9, "top1": 0.5, "top5": 1.0, "exact": 0.25, "mean_ap": 0.75}
    print_run(Output(as_json=False), record, {"test": scores, "train": scores | {"images": 20}})
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["part", "images", "top-1", "top-5", "exact", "mAP"],
        ["train", "20", "0.5000", "1.0000", "0.2500", "0.7500"],
        ["test", "9", "0.5000", "1.0000", "0.2500", "0.7500"],
    ]
    print_run(Output(as_json=False), record, {})
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.QUEUED])
def test_a_run_whose_program_ended_is_listed_as_paused(birds: Path, command, status) -> None:
    store = Project.open(birds)
    store.runs.update("later", status=status)
    store.close()
    assert command("runs", "Birds")[1]["runs"][0]["status"] == "paused"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--resume", "nothing"), 1, "There is no run"),
        (("recipe.toml", "--resume", "later"), 2, "keeps its recipe"),
        (("--set", "epochs=2", "--resume", "later"), 2, "keeps its recipe"),
        ((), 2, "Give a recipe file"),
        (("--name", "x"), 2, "Give a recipe file"),
        (("gone.toml",), 1, "gone.toml"),
    ],
)
def test_a_training_has_a_recipe_or_a_run_to_resume(command, words, code, text) -> None:
    ended, refused = command("train", "Birds", *words)
    assert (ended, text in refused["error"]) == (code, True)


def test_people_see_the_images_of_each_part_of_a_split(birds: Path, command, capsys) -> None:
    words = ("split", "Birds", "--train", "0.5", "--validation", "0.2", "--test", "0.3")
    assert run(list(words)) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["part", "images"],
        ["train", "15"],
        ["validation", "6"],
        ["test", "9"],
    ]
    code, refused = command(*words, "--stratify", "category,mood")
    assert (code, "mood" in refused["error"]) == (2, True)
