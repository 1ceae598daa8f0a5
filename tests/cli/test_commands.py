"""Commands on real projects: import, label, crop, split, undo, and their errors."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from workbench.__main__ import opens_window
from workbench.cli.command import run
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.storage.project import Project


@pytest.fixture
def photos(tmp_path):
    """Two categories of three images in folders, and one file that is no image."""
    rng = np.random.default_rng(0)
    for name in ("owl", "swan"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 255, (60, 80, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "photos" / name / f"{name}{i}.png"), pixels)
    (tmp_path / "photos" / "owl" / "broken.jpg").write_bytes(b"no image")
    return tmp_path / "photos"


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs a command in tmp_path; gives exit code and the JSON object it ended with."""
    monkeypatch.chdir(tmp_path)

    def carry_out(*arguments):
        capsys.readouterr()
        code = run([*map(str, arguments), "--json"])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 1
        return code, json.loads(lines[0])

    return carry_out


@pytest.fixture
def birds(command, photos):
    assert command("new", "birds", "--views", "animals")[0] == 0
    assert command("import", "birds", photos, "--category-from", "folder")[0] == 0
    return Path("birds")


def test_new_makes_a_project_with_its_label_sets(command, tmp_path):
    code, made = command("new", "birds", "--views", "animals")
    assert code == 0
    assert Path(made["project"]) == tmp_path / "birds.workbench"
    assert made["label_sets"]["view"] == ["front", "left", "right", "others"]
    code, refused = command("new", "birds")
    assert code == 1
    assert "birds.workbench" in refused["error"]


def test_import_reports_added_and_skipped_files(command, photos):
    command("new", "birds")
    code, done = command("import", "birds", photos, "--category-from", "folder")
    assert code == 0
    assert (done["added"], done["images"], done["labelled"]) == (6, 6, 6)
    assert [Path(one["path"]).name for one in done["skipped"]] == ["broken.jpg"]
    assert done["skipped"][0]["reason"]
    assert command("import", "birds.workbench", photos)[1]["added"] == 0


def test_an_import_ends_in_a_report_that_can_be_shown_and_saved_again(birds, photos, capsys):
    assert run(["import", "birds", str(photos)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("images known before")
    assert run(["imports", "birds"]) == 0
    listed = capsys.readouterr().out
    assert "images added" in listed
    assert "images known before" in listed
    assert run(["imports", "birds", "--report", "2", "--csv", "report.csv"]) == 0
    assert capsys.readouterr().out.splitlines()[: len(lines)] == lines
    assert Path("report.csv").read_text(encoding="utf-8").startswith("kind,subject,details")
    assert run(["imports", "birds", "--report", "9"]) == 1


@pytest.mark.parametrize(("count", "named"), [(0, 0), (20, 20), (23, 20)])
def test_twenty_skipped_files_are_named_to_people_and_all_in_json(
    command, tmp_path, capsys, count, named
):
    folder = tmp_path / "files"
    folder.mkdir()
    for at in range(count):
        (folder / f"{at:02}.jpg").write_bytes(b"no image")
    cv2.imwrite(str(folder / "good.png"), np.zeros((30, 40, 3), np.uint8))
    command("new", "birds")
    assert run(["import", "birds", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(".jpg: " in line for line in lines) == named
    rest = [line for line in lines if "…" in line]
    assert [str(count - 20) in line for line in rest] == [True] * (count > 20)
    assert len(command("import", "birds", str(folder))[1]["skipped"]) == count


def test_label_by_glob_text_and_path_then_undo_and_redo(command, birds, photos):
    code, done = command("label", birds, "--set", "view", "--label", "left", "owl/*.png")
    assert (code, done["labelled"]) == (0, 3)
    path = photos / "swan" / "swan1.png"
    assert command("label", birds, "--set", "view", "--label", "right", path)[1]["labelled"] == 1
    assert command("label", birds, "--set", "view", "--clear", "--images", "owl0")[0] == 0
    assert views(birds) == {"left": 2, "right": 1, "": 3}
    code, done = command("undo", birds)
    assert done["done"]
    assert views(birds)["left"] == 3
    command("redo", birds)
    assert views(birds)["left"] == 2
    for _ in range(4):
        command("undo", birds)
    assert command("undo", birds)[1] == {"done": False, "text": None}


def views(birds):
    store = Project.open(birds.with_suffix(".workbench"))
    try:
        return {label: count for label, count in store.labels.counts("view").items() if count}
    finally:
        store.close()


def test_a_label_the_set_lacks_is_refused_unless_it_is_new(command, birds):
    code, refused = command("label", birds, "--set", "category", "--label", "gull", "owl0")
    assert code == 2
    assert "gull" in refused["error"]
    assert "owl" in refused["remedy"]
    assert command("label", birds, "--set", "category", "--label", "gull", "--new", "owl0")[0] == 0


def test_a_new_set_may_give_an_image_several_labels(command, birds):
    for label in ("wet", "small"):
        given = ("--set", "traits", "--label", label, "--new", "--several", "owl0")
        assert command("label", birds, *given)[0] == 0
    store = Project.open(birds.with_suffix(".workbench"))
    try:
        assert store.labels.counts("traits") | {"": 0} == {"wet": 1, "small": 1, "": 0}
    finally:
        store.close()


def test_a_label_in_the_other_unicode_form_is_no_new_one(command, birds):
    composed, decomposed = (unicodedata.normalize(form, "épervier") for form in ("NFC", "NFD"))
    given = ("--set", "category", "--label", composed, "--new")
    assert command("label", birds, *given, "owl0")[1]["label"] == composed
    code, done = command("label", birds, "--set", "category", "--label", decomposed, "owl1")
    assert (code, done["label"]) == (0, composed)
    given = ("--set", "category", "--label", decomposed, "--new")
    assert command("label", birds, *given, "owl2")[1]["label"] == composed
    store = Project.open(birds.with_suffix(".workbench"))
    try:
        assert store.labels.counts("category") == {"owl": 0, "swan": 3, composed: 3, "": 0}
    finally:
        store.close()


@pytest.fixture
def twins(command, tmp_path):
    """A project of images in folders whose names differ in case alone."""
    for i, name in enumerate(("owl/a.png", "Owl/a.png", "Owl/A.png", "gull/snowy owl.png")):
        (tmp_path / "twins" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "twins" / name), np.full((20, 20, 3), 40 * i, np.uint8))
    if len(list((tmp_path / "twins").glob("*/*.png"))) < 4:
        pytest.skip("this file system ignores case")
    command("new", "twins")
    command("import", "twins", tmp_path / "twins")
    return Path("twins")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("owl/", ["owl/a.png"]),
        ("owl/a.png", ["owl/a.png"]),
        ("Owl/a.png", ["Owl/a.png"]),
        ("twins/Owl", ["Owl/A.png", "Owl/a.png"]),
        ("A.png", ["Owl/A.png"]),
        ("OWL/a", ["Owl/A.png", "Owl/a.png", "owl/a.png"]),
        ("owl", ["gull/snowy owl.png", "owl/a.png"]),
        ("SNOWY", ["gull/snowy owl.png"]),
        ("GULL", ["gull/snowy owl.png"]),
    ],
)
def test_a_folder_with_the_exact_case_is_preferred(command, twins, word, meant):
    code, done = command("label", twins, "--set", "category", "--label", "x", "--new", word)
    assert (code, done["labelled"]) == (0, len(meant))
    store = Project.open(twins.with_suffix(".workbench"))
    try:
        rows = store.images.rows(store.images.ids())
        given = [row.path for row in rows if row.labels.get("category") == ("x",)]
    finally:
        store.close()
    assert sorted("/".join(Path(path).parts[-2:]) for path in given) == meant


@pytest.mark.parametrize(
    ("arguments", "code", "output"),
    [
        (("--set", "view", "--label", "left", "no-such"), 1, "no-such"),
        (("--set", "pose", "--label", "left", "owl0"), 2, "pose"),
        (("--set", "view", "owl0"), 2, "--label or --clear"),
        (("--set", "view", "--label", "left"), 2, "Give an image"),
    ],
)
def test_labels_that_cannot_be_given(command, birds, arguments, code, output):
    ended, refused = command("label", birds, *arguments)
    assert ended == code
    assert output in refused["error"]


def test_split_deals_every_image(command, birds):
    code, done = command(
        "split", birds, "--train", "0.67", "--validation", "0", "--test", "0.33", "--seed", "3"
    )
    assert code == 0
    assert done["parts"] == {"train": 4, "validation": 0, "test": 2}
    assert done["left_out"] == 0
    code, refused = command("split", birds, "--train", "0.9", "--test", "0.3")
    assert code == 2
    assert "at most 1" in refused["remedy"]


def test_train_and_test_of_a_half_leave_no_validation(command, birds):
    code, done = command("split", birds, "--train", "0.5", "--test", "0.5")
    assert (code, done["parts"]) == (0, {"train": 3, "validation": 0, "test": 3})


def test_shares_below_one_leave_images_out_and_report_it(command, birds, capsys):
    assert run(["split", str(birds), "--train", "0.34", "--validation", "0", "--test", "0.33"]) == 0
    assert "2 images are in no part of the split." in capsys.readouterr().err


def test_splits_are_listed_chosen_renamed_and_deleted(command, birds):
    command("split", birds, "--name", "first")
    code, listed = command("split", birds, "--folds", "2", "--name", "cv", "--validation", "0")
    names = [(one["name"], one["current"]) for one in listed["splits"]]
    assert (code, names) == (
        0,
        [("cv: fold 1 of 2", True), ("cv: fold 2 of 2", False)],
    )
    code, listed = command("split", birds, "--use", "first", "--rename", "first", "main")
    assert [one["name"] for one in listed["splits"] if one["current"]] == ["main"]
    code, listed = command("split", birds, "--delete", "cv: fold 2 of 2")
    assert [one["name"] for one in listed["splits"]] == ["cv: fold 1 of 2", "main"]
    code, refused = command("split", birds, "--use", "other")
    assert code == 1
    assert "main" in refused["remedy"]
    code, refused = command("split", birds, "--folds", "2", "--train", "0.5")
    assert code == 2
    code, listed = command("split", birds, "--list")
    assert len(listed["splits"]) == 2


def test_a_missing_project_is_reported(command):
    code, refused = command("runs", "nowhere")
    assert code == 1
    assert "nowhere" in refused["error"]
    assert "workbench new" in refused["remedy"]


@pytest.mark.parametrize(
    "given", ["birds", "birds/", "birds.workbench", "birds.workbench/", "birds.workbench/inside/it"]
)
def test_a_project_is_found_by_every_way_to_name_it(command, birds, monkeypatch, tmp_path, given):
    monkeypatch.chdir(tmp_path)
    inside = tmp_path / "birds.workbench" / "inside" / "it"
    inside.mkdir(parents=True)
    assert command("runs", given) == (0, {"runs": []})
    monkeypatch.chdir(inside)
    assert command("runs", ".") == (0, {"runs": []})
    assert command("runs", "..") == (0, {"runs": []})
    code, refused = command("runs", "nowhere")  # not the project around it
    assert (code, refused["error"]) == (1, "nowhere is not a project.")


def test_a_folder_that_is_no_project_is_refused_by_any_path(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for given in (".", "..", "photos", "/"):
        code, refused = command("runs", given)
        assert (code, refused["error"]) == (1, f"{given} is not a project.")
        assert refused["remedy"] == "Create one with: workbench new NAME"


def test_projects_may_be_called_as_the_commands_on_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("adopt", "list"):
        assert command("new", name)[0] == 0
        assert command("runs", "list", name) == (0, {"runs": []})
        assert command("runs", f"{name}.workbench") == (0, {"runs": []})


def test_a_run_is_adopted_by_a_project_that_is_named_or_around(command, birds, monkeypatch):
    code, refused = command("runs", "adopt", "/nowhere/run")
    assert code == 2
    assert "--into PROJECT" in refused["error"]
    code, refused = command("runs", "adopt")
    assert code == 2
    assert "FOLDER" in refused["error"]
    monkeypatch.chdir(birds.with_suffix(".workbench"))
    code, refused = command("runs", "adopt", "/nowhere/run")
    assert code == 1
    assert "/nowhere/run" in refused["error"]


def test_crop_searches_each_image_once_and_again_on_request(command, birds):
    code, done = command("crop", birds)
    assert code == 0
    assert (done["images"], done["found"], done["missed"], done["looked_at"]) == (6, 0, 6, 6)
    assert command("crop", birds)[1]["looked_at"] == 0
    assert command("crop", birds, "owl0", "--again")[1]["looked_at"] == 1


def add_mouths(birds, state):
    """One mouth on the first image and two on the second."""
    store = Project.open(birds.with_suffix(".workbench"))
    first, second = store.images.ids()[:2].tolist()
    with store.edit("Find mouths"):
        for image, left in ((first, 5), (second, 5), (second, 40)):
            rect = Rect(left, 10, left + 20, 30)
            store.crops.save(Crop(None, image, left, state, rect))
    store.close()


def test_mouths_are_counted_and_saved_as_files(command, birds, tmp_path, capsys):
    add_mouths(birds, CropState.ADJUSTED)
    code, done = command("crop", birds, "--out", "mouths")
    assert code == 0
    assert (done["images"], done["faces"], done["found"], done["several"]) == (6, 3, 2, 1)
    assert done["missed"] == 4
    assert done["saved"] == len(list((tmp_path / "mouths").rglob("*.png"))) == 3
    assert run(["crop", str(birds), "--out", "again"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "crops saved in again: 3"


def test_an_expression_labels_the_only_mouth_of_an_image(command, birds):
    add_mouths(birds, CropState.FOUND)
    code, done = command("label", birds, "--set", "expression", "--label", "smile", "owl")
    assert code == 0
    assert (done["labelled"], done["left_out"]) == (1, 2)


def test_labels_go_out_and_come_back(command, birds, tmp_path):
    command("label", birds, "--set", "view", "--label", "left", "owl")
    assert command("labels", "export", birds, "labels.csv")[0] == 0
    assert "left" in (tmp_path / "labels.csv").read_text(encoding="utf-8")
    command("undo", birds)
    code, _ = command("labels", "import", birds, "labels.csv")
    assert code == 0
    assert views(birds)["left"] == 3


def test_doctor_knows_a_whole_project_from_one_that_lacks_files(command, birds, photos):
    code, done = command("doctor", birds)
    findings = {one["name"]: one for one in done["findings"]}
    assert findings["database"]["value"] == "intact"
    assert findings[f"source {photos}"]["ok"]
    (photos / "owl" / "owl1.png").unlink()
    code, done = command("doctor", birds)
    assert code == 1
    source = next(one for one in done["findings"] if one["name"] == f"source {photos}")
    assert "owl/owl1.png" in source["value"]
    assert source["remedy"]


def test_methods_heads_and_penalties_are_listed_with_their_parameters(capsys, command):
    listed = {one["name"]: one for one in command("methods")[1]["methods"]}
    assert {one["kind"] for one in listed.values()} == {"method", "head", "penalty"}
    assert "start" in listed["l2-sp"]["needs"]
    (alpha,) = listed["l2"]["parameters"]
    assert alpha["name"] == "alpha"
    assert alpha["allowed"]
    assert run(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "Methods:",
        "Heads:",
        "Penalties:",
    ]
    assert any(line.strip().startswith("options.l2.alpha = 0.001") for line in lines)


def test_a_damaged_project_is_no_crash(command, birds):
    path = birds.with_suffix(".workbench") / "project.sqlite"
    path.write_bytes(b"this was a project once" * 100)
    code, refused = command("runs", birds)
    assert code == 1
    assert "project.sqlite" in refused["error"] or "birds" in refused["error"]


def test_a_project_that_is_open_elsewhere_is_refused(command, birds):
    store = Project.open(birds.with_suffix(".workbench"))
    try:
        code, refused = command("undo", birds)
    finally:
        store.close()
    assert code == 1
    assert "birds" in refused["error"]


@pytest.mark.parametrize(
    ("setting", "key", "allowed"),
    [
        ("learning_rate=fast", "learning_rate", "a number"),
        ("colour=red", "colour", "target, backbone"),
        ("backbone=squeezenet9", "backbone", "squeezenet1_1"),
        ("epochs=0", "epochs", "≥ 1"),
        ("rubbish", "--set", "key=value"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(command, birds, setting, key, allowed):
    code, refused = command("train", birds, "--set", "target=category", "--set", setting)
    assert code == 2
    assert key in refused["error"]
    assert allowed in refused["remedy"]


def test_a_recipe_that_cannot_be_read_is_named(command, birds, tmp_path):
    code, refused = command("train", birds, "missing.toml")
    assert code == 1
    assert "missing.toml" in refused["error"]
    (tmp_path / "wrong.toml").write_text("target = \n")
    code, refused = command("train", birds, "wrong.toml")
    assert code == 2
    assert "wrong.toml" in refused["error"]


def test_a_project_without_runs_is_reported_as_such(command, birds):
    code, refused = command("evaluate", birds, "latest")
    assert code == 1
    assert refused["error"] == "The project has no runs."
    assert "workbench train" in refused["remedy"]


def test_the_database_of_a_closed_command_is_whole(command, birds):
    with sqlite3.connect(birds.with_suffix(".workbench") / "project.sqlite") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    base.close()


BLANK = {
    "PROJECT": [["new", ""], ["new", "  "], ["undo", ""], ["runs", ""], ["doctor", ""]],
    "PATHS": [["import", "birds", ""], ["import", "birds", "photos", " "]],
    "IMAGE": [["label", "birds", "", "--set", "view", "--label", "front"]],
    "--set": [["label", "birds", "owl", "--set", "", "--label", "front"]],
    "--label": [["label", "birds", "owl", "--set", "view", "--label", ""]],
    "FILE": [["labels", "export", "birds", ""], ["labels", "import", "birds", ""]],
    "--rename": [
        ["runs", "birds", "--rename", "latest", ""],
        ["runs", "birds", "--rename", "", "x"],
    ],
    "--remove": [["runs", "birds", "--remove", ""]],
    "--into": [["runs", "adopt", "folder", "--into", ""]],
    "--out": [
        ["predict", "birds", "latest", "photos", "--out", ""],
        ["crop", "birds", "--out", ""],
    ],
    "OUT.onnx": [["export", "birds", "latest", ""]],
    "--name": [["train", "birds", "--set", "target=category", "--name", " "]],
    "--start": [["cluster", "birds", "--start", ""], ["similar", "birds", "owl", "--start", ""]],
    "--from": [["transfer", "birds", "--from", ""]],
    "DIR": [["demo", ""]],
}


@pytest.mark.parametrize("name", BLANK)
def test_an_empty_name_or_path_is_refused_by_name(command, tmp_path, name):
    for arguments in BLANK[name]:
        code, found = command(*arguments)
        assert (code, found["error"]) == (2, f"{name} is empty."), arguments
        assert found["remedy"].startswith("Allowed: ")
    assert not list(tmp_path.iterdir())


def test_a_source_without_a_project_is_not_the_current_folder(command, birds, monkeypatch):
    monkeypatch.chdir(birds.with_suffix(".workbench"))
    code, found = command("relatedness", ".", "--from", "#view")
    assert (code, found["error"]) == (2, "“#view” is not a valid value for source.")


def test_the_folder_above_is_named_by_its_name(command, tmp_path, monkeypatch):
    (tmp_path / "birds" / "inside").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "birds" / "inside")
    code, made = command("new", "..")
    assert (code, Path(made["project"])) == (0, tmp_path / "birds.workbench")


def test_a_split_may_be_stratified_by_nothing(command, birds):
    code, found = command("split", "birds", "--stratify", "")
    assert code == 0
    assert sum(found["parts"].values()) == 6


def test_an_empty_path_opens_no_window(capsys):
    assert not opens_window([""])
    assert not opens_window([" "])


NUMBERS = [
    (["split", "birds", "--train", "abc"], "--train", "abc", "a number from 0 to 1"),
    (["split", "birds", "--train", "1.5"], "--train", "1.5", "a number from 0 to 1"),
    (["split", "birds", "--test", "nan"], "--test", "nan", "a number from 0 to 1"),
    (["split", "birds", "--seed", "-1"], "--seed", "-1", "a whole number of at least 0"),
    (["cluster", "birds", "-k", "one"], "--clusters", "one", "a whole number of at least 2"),
    (["similar", "birds", "owl", "-k", "0"], "--count", "0", "a whole number of at least 1"),
    (["relatedness", "P", "--from", "Q", "--per-class", "x"], "--per-class", "x", "at least 1"),
    (["new", "birds", "--views", "boats"], "--views", "boats", "cars, animals"),
]


@pytest.mark.parametrize(("arguments", "name", "value", "allowed"), NUMBERS)
def test_an_invalid_number_is_named_with_its_range(command, arguments, name, value, allowed):
    code, found = command(*arguments)
    assert code == 2
    assert found["error"] == f"“{value}” is not a valid value for {name}."
    assert found["remedy"].startswith("Allowed: ")
    assert allowed in found["remedy"]


@pytest.mark.parametrize("start", ["none", "imagenet", "file:weights.pth", "resnet18=", "resnet"])
@pytest.mark.parametrize("words", [["cluster", "birds"], ["similar", "birds", "owl0.png"]])
def test_a_start_without_features_is_refused_as_such(command, birds, words, start):
    code, found = command(*words, "--start", start)
    assert code == 2
    assert "BACKBONE=FILE" in found["remedy"]
    if start == "none":
        assert found["error"].startswith("Random weights (“none”)")
    else:
        assert found["error"] == f"“{start}” is not a valid value for start."


@pytest.mark.parametrize("label", ["owl", "0=owl", "4=owl", "1= ", "=owl"])
def test_labels_of_groups_are_checked_before_the_groups_are_learned(command, birds, label):
    given = ("--label-set", "category", "--label", "1=owl", "--label", label)
    code, refused = command("cluster", birds, "-k", "3", *given)
    assert (code, refused["error"]) == (2, f"“{label}” is not a valid value for --label.")
    assert refused["remedy"].endswith("from 1 to 3.")


def test_crops_are_not_searched_for_a_folder_that_cannot_be_made(command, birds, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    code, refused = command("crop", birds, "--out", str(taken))
    assert code == 1
    assert f"{taken} cannot be used: it is a file." in refused["error"]


def test_the_demo_writes_into_no_project(command, birds):
    code, refused = command("demo", str(birds.with_suffix(".workbench")))
    assert code == 2
    assert refused["error"].endswith("is not a valid value for DIR.")
    assert not (birds.with_suffix(".workbench") / "source").exists()


def test_folds_are_deleted_by_their_common_name_and_undone(command, birds):
    command("split", birds, "--name", "first")
    command("split", birds, "--folds", "2", "--seed", "3")
    code, listed = command("split", birds, "--delete", "2 folds · 3")
    assert [one["name"] for one in listed["splits"]] == ["first"]
    command("undo", birds)
    code, listed = command("split", birds, "--list")
    assert len(listed["splits"]) == 3
    code, refused = command("split", birds, "--folds", "700")
    assert code == 2
    assert "for 700 folds" in refused["error"]
