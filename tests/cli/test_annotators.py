"""The commands on annotators: who labelled what, and how well they agree."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.fixtures import finished_runs
from workbench.cli.command import run
from workbench.domain.labels import Author, Role
from workbench.storage.annotators import NewAnnotation
from workbench.storage.project import Project


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of thirty images, without names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    store = Project.create(tmp_path / "Birds")
    finished_runs.fill(store, tmp_path / "photos")
    store.close()
    return store.folder


def answer(capsys, *words: str) -> dict:
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_people_and_their_agreement_are_listed(birds: Path, capsys) -> None:
    assert answer(capsys, "annotators", "Birds") == {"annotators": [], "agreement": {}}
    label = ("label", "Birds", "--set", "view")
    assert run([*label, "--label", "left", "--annotator", "Ann", "bird 0"]) == 0
    assert run([*label, "--label", "back", "--annotator", "Ben", "bird 00", "bird 01"]) == 0
    assert run([*label, "--label", "left", "--annotator", "Ben", "bird 02"]) == 0
    found = answer(capsys, "annotators", "Birds", "--csv", "people.csv")
    assert [(one["annotator"], one["labels"], one["images"]) for one in found["annotators"]] == [
        ("Ann", 10, 10),
        ("Ben", 3, 3),
    ]
    (row,) = found["agreement"]["view"]["rows"]
    assert (row["between"], row["images"], round(row["equal"], 3)) == ("Ann \u2013 Ben", 3, 0.333)
    disputed = found["agreement"]["view"]["disagreements"]
    assert [Path(one["path"]).name for one in disputed] == ["bird 00.png", "bird 01.png"]
    assert disputed[0]["labels"] == {"Ann": "left", "Ben": "back"}
    lines = Path("people.csv").read_text().splitlines()
    assert lines[0] == "annotator,labels,images,images_an_hour,last_label"
    assert [line.split(",")[:3] for line in lines[1:]] == [["Ann", "10", "10"], ["Ben", "3", "3"]]
    assert run(["annotators", "Birds", "--set", "view"]) == 0
    shown = capsys.readouterr().out
    assert "view: 2 disagreements" in shown
    assert "Ann \u2013 Ben" in shown
    assert run(["annotators", "Birds", "--set", "mood"]) == 2


def test_labels_of_another_project_are_merged(birds: Path, tmp_path: Path, capsys) -> None:
    store = Project.create(tmp_path / "Other")
    finished_runs.fill(store, tmp_path / "more")
    store.labels.annotator = "Ben"
    first, second = store.images.ids().tolist()[:2]
    store.labels.assign([first], "view", "left")
    store.labels.assign([second], "view", "left")
    store.close()
    found = answer(capsys, "merge", "Birds", "Other")
    assert (found["images"], found["missing"], found["added"]) == (30, 0, 0)
    assert (found["equal"], found["opinions"]) == (58, 2)
    assert [(one["image"], one["set"]) for one in found["conflicts"]] == [
        ("bird 00.png", "view"),
        ("bird 01.png", "view"),
    ]
    assert found["conflicts"][0]["theirs"] == {
        "label": "left",
        "author": "human",
        "annotator": "Ben",
    }
    assert run(["merge", "Birds", "Other", "--take", "theirs"]) == 0
    shown = capsys.readouterr()
    assert "in both projects: 30 images" in shown.out
    assert "bird 00.png: view mine front, theirs left (Ben); took theirs" in shown.err
    again = answer(capsys, "merge", "Birds", "Other")
    assert (again["equal"], again["conflicts"]) == (60, [])
    assert run(["undo", "Birds"]) == 0
    assert run(["merge", "Birds", "Birds"]) == 1
    assert "is this project" in capsys.readouterr().err


def test_conflicts_are_left_open_or_decided(birds: Path, tmp_path: Path, capsys) -> None:
    store = Project.create(tmp_path / "Other")
    finished_runs.fill(store, tmp_path / "more")
    store.labels.assign(store.images.ids().tolist()[:1], "view", "left", annotator="Ben")
    store.close()
    assert answer(capsys, "merge", "Birds", "Other")["taken"] == "leave"
    assert run(["merge", "Birds", "Other"]) == 0
    assert "view mine front, theirs left (Ben); left open" in capsys.readouterr().err
    assert run(["merge", "Birds", "Other", "--take", "mine"]) == 0
    assert "view mine front, theirs left (Ben); took mine" in capsys.readouterr().err


def test_why_there_is_no_kappa_is_printed(birds: Path, capsys) -> None:
    for person in ("Ann", "Ben"):
        words = ("label", "Birds", "--annotator", person, "bird 0")
        assert run([*words, "--set", "view", "--label", "left"]) == 0
    words = ("label", "Birds", "--annotator", "Ben", "--set", "traits", "--label", "red")
    assert run([*words, "--new", "--several", "bird 0"]) == 0
    found = answer(capsys, "annotators", "Birds")["agreement"]
    assert (list(found), found["view"]["rows"][0]["kappa"]) == (["view"], None)
    assert run(["annotators", "Birds"]) == 0
    shown = capsys.readouterr()
    assert "Kappa is undefined where all labels are equal." in shown.err
    assert "“traits” has several labels per image, so agreement is not computed." in shown.err
    assert run([*words, "bird 1"]) == 0
    words = ("label", "Birds", "--set", "view", "--label", "back", "--annotator", "Ben", "bird 00")
    assert run(words) == 0
    capsys.readouterr()
    assert run(["annotators", "Birds", "--set", "view"]) == 0
    note = "Where one of two people used only one label, kappa is 0 and its interval has no width."
    assert capsys.readouterr().err == f"{note}\n"


def test_the_labels_of_one_person_are_exported(birds: Path, capsys) -> None:
    label = ("label", "Birds", "--set", "view")
    assert run([*label, "--label", "left", "--annotator", "Ann", "bird 00", "bird 01"]) == 0
    assert run([*label, "--label", "back", "--annotator", "Ben", "bird 01", "bird 02"]) == 0
    assert run([*label, "--label", "left", "--annotator", "Ben", "bird 02"]) == 0
    traits = ("label", "Birds", "--annotator", "Ann", "--set", "traits", "--new", "--several")
    assert run([*traits, "--label", "red", "bird 00"]) == 0
    assert run([*traits, "--label", "big", "bird 00"]) == 0
    assert run([*traits, "--label", "red", "bird 00"]) == 0, "which removes it"

    def exported(name: str) -> list[tuple[str, ...]]:
        assert run(["labels", "export", "Birds", "out.csv", "--annotator", name]) == 0
        with Path("out.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        keys = ("set", "label", "annotator")
        return [
            (Path(row["path"]).stem, *(row[key] for key in keys)) for row in rows if row["label"]
        ]

    assert exported("ann") == [
        ("bird 00", "view", "left", "Ann"),
        ("bird 00", "traits", "big", "Ann"),
        ("bird 01", "view", "left", "Ann"),
    ]
    assert exported("Ben") == [
        ("bird 01", "view", "back", "Ben"),
        ("bird 02", "view", "left", "Ben"),
    ]
    store = Project.open(birds)
    opinion = NewAnnotation(2, None, "front", "Ben", Author.HUMAN, Role.BLIND, 0)
    store.annotators.add_opinions("view", [opinion])
    store.annotators.add_opinions("view", [opinion._replace(image=5)])
    store.close()
    assert [row[:3] for row in exported("Ben")] == [
        ("bird 01", "view", "back"),
        ("bird 02", "view", "left"),
        ("bird 04", "view", "front"),
    ], "a repeat does not replace, a second opinion is one's own"
    capsys.readouterr()
    assert run(["labels", "export", "Birds", "new.csv", "--annotator", "Cat"]) == 2
    assert "Ann, Ben" in capsys.readouterr().err
    assert not Path("new.csv").exists()
