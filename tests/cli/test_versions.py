"""The command `versions`: what it lists, creates, compares and goes back to."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.fixtures.stored_images import fill
from workbench.cli.command import run
from workbench.storage.project import Project


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three images, two of them labelled by hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ada")
    store = Project.create(tmp_path / "Birds")
    images = fill(store, 3)
    with store.edit("Label"):
        store.labels.assign(images[:2], "view", "left")
    store.close()
    return store.folder


def result(capsys, *words: str) -> dict:
    assert run(["versions", "Birds", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def change(*words: str) -> None:
    assert run(["label", "Birds", "--set", "view", *words]) == 0


def test_a_version_is_created_compared_and_gone_back_to(birds: Path, capsys) -> None:
    made = result(capsys, "--create", "checked", "--note", "by two people")["created"]
    assert made.pop("made_at") > 0
    assert made == {
        "name": "checked",
        "note": "by two people",
        "author": "ada",
        "automatic": False,
        "images": 3,
        "labels": 2,
    }
    change("--label", "right", "image 0.jpg")
    change("--clear", "image 1.jpg")
    capsys.readouterr()
    found = result(capsys, "--compare", "checked", "now", "--out", "changes.csv")
    assert found["counts"] == {"label changed": 1, "label removed": 1}
    assert [(one["path"], one["before"], one["after"]) for one in found["changes"]] == [
        ("a/image 0.jpg", "left", "right"),
        ("a/image 1.jpg", "left", ""),
    ]
    with open("changes.csv", encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == found["changes"]
    assert result(capsys, "--restore", "checked") == {"restored": "checked"}
    assert result(capsys, "--compare", "checked", "now")["changes"] == []
    assert run(["undo", "Birds"]) == 0
    capsys.readouterr()
    assert len(result(capsys, "--compare", "checked", "now")["changes"]) == 2


def test_versions_are_listed_newest_first(birds: Path, capsys) -> None:
    assert result(capsys) == {"versions": []}
    for name in ("one", "two"):
        result(capsys, "--create", name)
    assert [one["name"] for one in result(capsys)["versions"]] == ["two", "one"]
    assert run(["versions", "Birds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "two", "one"]
    assert result(capsys, "--compare", "one", "two")["changes"] == []


def test_differences_name_the_person_who_labelled(birds: Path, capsys) -> None:
    result(capsys, "--create", "base")
    change("--label", "right", "--annotator", "Grace", "image 0.jpg")
    capsys.readouterr()
    (found,) = result(capsys, "--compare", "base", "now")["changes"]
    assert (found["after"], found["author"]) == ("right", "Grace")
    result(capsys, "--create", "by Grace")
    change("--label", "front", "--annotator", "Ada", "image 0.jpg")
    capsys.readouterr()
    result(capsys, "--restore", "by Grace")
    assert result(capsys, "--compare", "by Grace", "now")["changes"] == []
    assert run(["annotators", "Birds", "--json"]) == 0
    people = json.loads(capsys.readouterr().out)["annotators"]
    assert {one["annotator"]: one["labels"] for one in people}["Grace"] == 1


def test_nobody_is_named_for_a_label_that_was_removed_or_renamed(birds: Path, capsys) -> None:
    change("--label", "right", "--annotator", "Grace", "image 0.jpg", "image 1.jpg")
    capsys.readouterr()
    result(capsys, "--create", "base")
    change("--clear", "--annotator", "Ben", "image 0.jpg")
    assert run(["labels", "rename", "Birds", "view", "right", "left", "--merge"]) == 0
    capsys.readouterr()
    found = result(capsys, "--compare", "base", "now")["changes"]
    assert [
        (one["before"], one["after"], one["author"]) for one in found if one["subject"] == "label"
    ] == [("right", "", ""), ("right", "left", "")]
    back = result(capsys, "--compare", "now", "base")["changes"]
    assert [one["author"] for one in back if one["subject"] == "label"] == ["Grace", "Grace"]


def test_a_person_who_changed_their_own_label_is_named(birds: Path, capsys) -> None:
    change("--label", "right", "--annotator", "Grace", "image 0.jpg")
    capsys.readouterr()
    result(capsys, "--create", "base")
    change("--label", "left", "--annotator", "Grace", "image 0.jpg")
    capsys.readouterr()
    (found,) = result(capsys, "--compare", "base", "now")["changes"]
    assert (found["before"], found["after"], found["author"]) == ("right", "left", "Grace")


def test_versions_are_renamed_and_deleted(birds: Path, capsys) -> None:
    for name in ("one", "two"):
        result(capsys, "--create", name)
    assert result(capsys, "--rename", "one", " 第一版 ") == {"renamed": "one", "to": "第一版"}
    assert result(capsys, "--delete", "two") == {"deleted": "two"}
    assert [one["name"] for one in result(capsys)["versions"]] == ["第一版"]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--create", "now"], 2, "“now” means the project as it is"),
        (["--create", "\u200b"], 2, "No name of the version is given"),
        (["--rename", "one", "now"], 2, "“now” means the project as it is"),
        (["--rename", "other", "new"], 1, "no version “other”"),
        (["--delete", "other"], 1, "no version “other”"),
        (["--delete", "one", "--restore", "one"], 2, "--restore and --delete cannot"),
        (["--create", "one"], 2, "already a version “one”"),
        (["--restore", "other"], 1, "no version “other”"),
        (["--compare", "one", "other"], 1, "no version “other”"),
        (["--create", "two", "--restore", "one"], 2, "--create and --restore cannot"),
        (["--create", "ONE"], 2, "already a version “one”"),
        (["--create", "ｏｎｅ"], 2, "already a version “one”"),
        (["--create", "n" * 101], 2, "too long for a name"),
        (["--note", "checked"], 2, "--note means nothing without --create"),
        (["--create", "two", "--out", "a.csv"], 2, "--out means nothing without --compare"),
    ],
)
def test_what_cannot_be_done_is_refused(birds: Path, capsys, words, code, part) -> None:
    result(capsys, "--create", "one")
    assert run(["versions", "Birds", *words]) == code
    assert part in capsys.readouterr().err
    assert [one["name"] for one in result(capsys)["versions"]] == ["one"]
