"""The commands on labels: what they print, and what they leave in the project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures import finished_runs
from workbench.cli.command import run
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.storage.project import Project


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of thirty images; the first has one mouth, the second two, a rejected one too."""
    monkeypatch.chdir(tmp_path)
    store = Project.create(tmp_path / "Birds")
    images = finished_runs.fill(store, tmp_path / "photos")
    for at, face, state in ((0, 0, "found"), (1, 0, "found"), (1, 1, "adjusted"), (2, 0, "found")):
        store.crops.save(Crop(None, images[at], face, CropState(state), Rect(2, 2, 12, 12)))
    store.crops.save(Crop(None, images[0], 1, CropState.REJECTED, Rect(2, 2, 12, 12)))
    store.close()
    return store.folder


def printed(capsys, *words: str) -> list[str]:
    capsys.readouterr()
    assert run(list(words)) == 0
    return capsys.readouterr().out.splitlines()


def test_people_see_how_many_images_got_or_lost_a_label(birds: Path, capsys) -> None:
    label = ("label", "Birds", "--set", "view")
    assert printed(capsys, *label, "--label", "left", "bird 0") == ["view = left: 10 images"]
    assert printed(capsys, *label, "--clear", "bird 00") == ["view cleared: 1 image"]


def test_the_only_mouth_of_an_image_is_labelled_and_cleared(birds: Path, capsys) -> None:
    label = ("label", "Birds", "--set", "expression")
    assert printed(capsys, *label, "--label", "smile", "bird 0") == [
        "expression = smile: 2 images",
        "skipped, as they have no crop or several: 8 images",
    ]
    assert smiling(birds) == [(0, 0), (2, 0)]
    assert printed(capsys, *label, "--clear", "bird 00") == ["expression cleared: 1 image"]
    assert smiling(birds) == [(2, 0)]


def smiling(birds: Path) -> list[tuple[int, int]]:
    """Position of the image and face of each crop with the label "smile"."""
    store = Project.open(birds)
    try:
        places = store.images.ids().tolist()
        found = store.crops.get(store.crops.ids(label=("expression", "smile")))
        return [(places.index(crop.image), crop.face) for crop in found]
    finally:
        store.close()


def test_a_label_or_clear_is_needed_and_not_both(birds: Path, capsys) -> None:
    for words in ((), ("--label", "left", "--clear")):
        assert run(["label", "Birds", "--set", "view", *words, "bird 00"]) == 2
        assert "--label or --clear" in capsys.readouterr().err


def test_a_set_is_created_with_a_label_only(birds: Path, capsys) -> None:
    assert run(["label", "Birds", "--set", "mood", "--clear", "--new", "bird 00"]) == 2
    assert "mood" in capsys.readouterr().err
    words = ("label", "Birds", "--set", "mood", "--label", "calm", "--new", "bird 00")
    assert printed(capsys, *words) == ["mood = calm: 1 image"]
    assert printed(capsys, *words[:5], "angry", "--new", "bird 01") == ["mood = angry: 1 image"]
    store = Project.open(birds)
    try:
        assert store.labels.get("mood").exclusive
        assert store.labels.get("mood").names == ("calm", "angry")
    finally:
        store.close()


@pytest.mark.parametrize("word", ["bird 0[01].png", "*0[01].png", "photos/bird 0[01].png"])
def test_a_glob_matches_the_end_of_a_path(birds: Path, capsys, word: str) -> None:
    words = ("label", "Birds", "--set", "view", "--label", "left", word)
    assert printed(capsys, *words) == ["view = left: 2 images"]


def test_label_files_are_counted_and_unknown_images_named(birds: Path, capsys) -> None:
    assert printed(capsys, "labels", "export", "Birds", "out.csv") == [
        "labels written to out.csv: 60"
    ]
    Path("in.csv").write_text("path,set,label\nbird 00.png,view,left\ngone.png,view,left\n")
    capsys.readouterr()
    assert run(["labels", "import", "Birds", "in.csv"]) == 0
    shown = capsys.readouterr()
    assert [line.rsplit(maxsplit=1) for line in shown.out.splitlines()] == [
        ["rows", "2"],
        ["labelled", "1"],
        ["left unchanged", "0"],
        ["no such image", "1"],
    ]
    assert shown.err.startswith("gone.png: ")
    assert run(["labels", "import", "Birds", "in.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["labelled"], found["kept"]) == (2, 1, 0)
    assert [one["path"] for one in found["unmatched"]] == ["gone.png"]
