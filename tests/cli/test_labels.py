"""The commands on labels: what they print, and what they leave in the project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures import finished_runs
from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.cli.command import run
from workbench.cli.labels import matching
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


@pytest.mark.parametrize(
    ("word", "labelled"),
    [
        ("new/a[1].png", {"a[1].png"}),
        ("a[1].png", {"a[1].png"}),  # not there, but the name of an image
        ("new/set [ab]", {"x.png"}),
        ("./new/set [ab]/", {"x.png"}),
        ("set [ab]", {"x.png"}),
        ("new/*.png", {"*.png"}),
        ("new/?.png", {"b.png", "*.png"}),  # no image is called so
    ],
)
def test_a_path_that_exists_is_not_read_as_a_glob(birds: Path, word, labelled) -> None:
    for grey, name in enumerate(("a[1]", "a1", "b", "*", "set [ab]/x", "set a/y")):
        Path("new", name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9), grey).save(Path("new", f"{name}.png"))
    assert run(["import", "Birds", "new"]) == 0
    session = Session(Project.open(birds))
    try:
        rows = session.store.images.rows(matching(session, [word]))
        assert {row.name for row in rows} == labelled
    finally:
        session.close()


def test_label_files_are_counted_and_unknown_images_named(birds: Path, capsys) -> None:
    assert printed(capsys, "labels", "export", "Birds", "out.csv") == [
        "labels written to out.csv: 60"
    ]
    Path("in.csv").write_text("path,set,label\nbird 00.png,view,left\ngone.png,view,left\n")
    capsys.readouterr()
    assert run(["labels", "import", "Birds", "in.csv"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[:4] == [
        "2 rows read",
        "1 label changed",
        "1 file or line skipped",
        "Changed:",
    ]
    assert "→ “left” (in.csv, line 2)" in shown.out
    assert "gone.png (in.csv, line 3): not an image of this project" in shown.out
    assert run(["labels", "import", "Birds", "in.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["labelled"], found["equal"], found["kept"]) == (2, 0, 1, 0)
    assert [one["path"] for one in found["skipped"]] == ["gone.png (in.csv, line 3)"]


def test_a_new_name_like_another_one_is_reported_with_the_way_to_merge(birds, capsys) -> None:
    assert run(["labels", "rename", "Birds", "view", "left", "RIGHT"]) == 0
    shown = capsys.readouterr().err
    assert "“RIGHT” of view, beside “right”" in shown
    assert "labels rename Birds view RIGHT right --merge" in shown
    assert run(["labels", "rename", "Birds", "view", "RIGHT", "Right"]) == 0
    assert run(["labels", "rename", "Birds", "view", "Right", "left"]) == 0
    assert run(["labels", "rename", "Birds", "view", "left", "Left"]) == 0
    assert "beside “left”" not in capsys.readouterr().err


def test_a_label_is_renamed_or_merged_into_an_existing_one(birds: Path, capsys) -> None:
    label = ("label", "Birds", "--new", "--set", "side", "--label")
    printed(capsys, *label, "left", "bird 00")
    printed(capsys, *label, "right", "bird 01")
    rename = ("labels", "rename", "Birds", "side")
    assert printed(capsys, *rename, "left", "port") == ["side: “left” renamed to “port”; images: 1"]
    assert run([*rename, "right", "port"]) == 1
    shown = capsys.readouterr().err
    assert "“side” already has a label “port”" in shown
    assert "--merge" in shown
    assert run([*rename, "right", "port", "--merge", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["merged"], found["labelled"], found["new"]) == (True, 1, "port")
    store = Project.open(birds)
    try:
        assert store.labels.counts("side")["port"] == 2
        assert store.labels.get("side").names == ("port",)
    finally:
        store.close()


def test_labels_carry_the_name_given_or_the_one_of_the_window(
    birds: Path, capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    label = ("label", "Birds", "--set", "view", "--label", "left")
    printed(capsys, *label, "bird 00")
    printed(capsys, *label, "--annotator", "Ann", "bird 01")
    UserSettings.of_user().set_annotator("Ben")
    printed(capsys, *label, "bird 02")
    printed(capsys, *label, "--annotator", "Ann", "bird 03")
    store = Project.open(birds)
    try:
        found = [one.annotator for one in store.labels.current() if one.author == "human"]
    finally:
        store.close()
    assert found == ["", "Ann", "Ben", "Ann"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [("  padded ", "padded"), ("x\ny", "x y"), ("o\u200bwl", "owl"), ("e\u0301", "é")],
)
def test_a_new_label_is_stored_in_the_form_of_every_import(
    birds: Path, capsys, written: str, stored: str
) -> None:
    label = ("label", "Birds", "--set", "mood", "--new", "--label", written, "bird 00")
    printed(capsys, *label)
    store = Project.open(birds)
    try:
        assert store.labels.get("mood").names == (stored,)
    finally:
        store.close()


@pytest.mark.parametrize("written", ["", " ", "\u200b", "\u2066\u2069"])
def test_a_label_without_a_visible_character_is_refused(birds: Path, capsys, written: str) -> None:
    assert run(["label", "Birds", "--set", "mood", "--new", "--label", written, "bird 00"]) == 2
    assert "error: " in capsys.readouterr().err
    store = Project.open(birds)
    try:
        assert "mood" not in store.labels.sets()
    finally:
        store.close()


def test_images_are_exported_as_the_options_tell(birds: Path, capsys) -> None:
    export = ("labels", "export", "Birds")
    assert printed(capsys, *export, "with", "--format", "folders", "--images", "link")[:2] == [
        "labels written to with: 30",
        "images: 30",
    ]
    assert {file.stat().st_nlink for file in Path("with").rglob("*.png")} == {2}
    assert printed(capsys, *export, "without", "--format", "cub") == [
        "labels written to without: 30",
    ]
    assert list(Path("without").rglob("*.png")) == []
    assert run([*export, "with", "--format", "folders"]) == 1
    assert "with exists and is not an empty folder" in capsys.readouterr().err
    assert run([*export, "out.csv", "--images", "copy"]) == 1
    assert not Path("out.csv").exists()
    capsys.readouterr()
    assert run([*export, "again", "--format", "voc", "--images", "copy", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["labels"], answer["images"]) == (30, 30)
