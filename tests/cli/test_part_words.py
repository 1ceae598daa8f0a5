"""Parts of a split by the words of others: columns, folders, file names, COCO files, `--part`."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from tests.fixtures.scenery import scenery
from workbench.cli.command import run


@pytest.fixture
def imported(tmp_path, monkeypatch, capsys):
    """Imports a file or folder into a new project; returns its report and the part by file name."""
    monkeypatch.chdir(tmp_path)

    def carry_out(source: str, *options: str) -> tuple[dict, dict[str, str]]:
        assert run(["new", "Birds"]) == 0
        capsys.readouterr()
        assert run(["import", "Birds", source, *options, "--json"]) == 0
        report = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert run(["labels", "export", "Birds", "out.json"]) == 0
        rows = json.loads(Path("out.json").read_text())["labels"]
        return report, {Path(row["path"]).stem: row.get("part") or "" for row in rows}

    return carry_out


def drawn(folder: Path, *paths: str) -> None:
    for seed, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / path), scenery(seed, 64))


def decided(report: dict) -> str:
    return json.dumps(report, ensure_ascii=False)


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train_set", "val_set", "test_set"), ["train", "validation", "test"]),
        (("seen/train", "dev", "eval"), ["train", "validation", "test"]),
        (("TrainImages", "test_seen", "test_unseen"), ["train", "test", "test"]),
        (("trainval", "val", "test"), ["", "validation", "test"]),
    ],
)
def test_folders_are_parts(imported, tmp_path, folders, parts):
    drawn(tmp_path / "data", *(f"{name}/owl/{at}.png" for at, name in enumerate(folders)))
    report, found = imported("data", "--category-from", "folder")
    assert found == dict(zip("012", parts, strict=True))
    found_by_others = {"eval", "test_seen"}.intersection(folders)
    assert bool(found_by_others) == ("” is read as the " in decided(report))


def test_a_word_is_mapped_to_a_part(imported, tmp_path, capsys):
    drawn(tmp_path / "data", "trainval/owl/0.png", "test/owl/1.png", "extra/owl/2.png")
    report, found = imported("data", "--category-from", "folder")
    assert found == dict.fromkeys("012", "")
    assert "look like parts of a split" in decided(report)
    assert run(["imports", "Birds", "--report", "1"]) == 0
    assert "--part" in capsys.readouterr().out
    Path("Birds.workbench").rename("Earlier.workbench")
    options = ("--part", "trainval=train", "--part", "extra=")
    report, found = imported("data", "--category-from", "folder", *options)
    assert found == {"0": "train", "1": "test", "2": ""}
    assert "look like" not in decided(report)


@pytest.mark.parametrize("text", ["trainval", "=train", "a=half"])
def test_a_wrong_mapping_is_refused(imported, tmp_path, capsys, text):
    drawn(tmp_path / "data", "0.png")
    assert run(["new", "Birds"]) == 0
    assert run(["import", "Birds", "data", "--part", text]) == 2
    assert "--part" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "words", "options", "parts"),
    [
        ("Usage", "Training PublicTest PrivateTest", (), "train validation test"),
        ("split", "trainval validate test_seen", (), "- validation test"),
        ("split", "train validate eval", (), "train validation test"),
        ("split", "trainval test_seen test_unseen", ("trainval=train", "test_unseen=validation"),
         "train test validation"),
        ("split", "A B C", ("a=train", "B=val", "C="), "train validation -"),
        ("split", "trainval trainval trainval", (), "- - -"),
        ("split", "0 1 1", ("0=train", "1=test"), "train test test"),
    ],
)  # fmt: skip
def test_a_column_has_parts(imported, tmp_path, column, words, options, parts):
    drawn(tmp_path, "0.png", "1.png", "2.png")
    rows = "".join(f"{at}.png,owl,{word}\n" for at, word in enumerate(words.split()))
    Path("t.csv").write_text(f"path,category,{column}\n{rows}")
    given = [one for option in options for one in ("--part", option)]
    report, found = imported("t.csv", *given)
    assert found == dict(zip("012", parts.replace("-", "").split(" "), strict=True))
    if "trainval" in words and not options:
        assert "may mean several parts" in decided(report)
        assert "trainval" in decided(report)


def test_the_name_of_a_list_that_is_unclear_is_reported_and_can_be_chosen(imported, tmp_path):
    drawn(tmp_path, "0.png")
    Path("trainval.txt").write_text("0.png owl\n")
    report, found = imported("trainval.txt", "--category-from", "list")
    assert found == {"0": ""}
    assert "may mean several parts" in decided(report)
    Path("Birds.workbench").rename("Earlier.workbench")
    _, found = imported("trainval.txt", "--category-from", "list", "--part", "trainval=train")
    assert found == {"0": "train"}


@pytest.mark.parametrize(
    ("names", "options", "parts"),
    [
        (("train", "dev", "eval"), (), "train validation test"),
        (("trainset", "instances_trainval2014", "test_set"), (), "train - test"),
        (("train", "trainval", "test"), ("--part", "trainval=val"), "train validation test"),
    ],
)
def test_files_of_coco_are_parts(imported, tmp_path, names, options, parts):
    (tmp_path / "data" / "annotations").mkdir(parents=True)
    drawn(tmp_path / "data", "0.png", "1.png", "2.png")
    for at, name in enumerate(names):
        content = {
            "images": [{"id": 1, "file_name": f"{at}.png", "width": 64, "height": 64}],
            "categories": [{"id": 1, "name": "owl"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1}],
        }
        (tmp_path / "data" / "annotations" / f"{name}.json").write_text(json.dumps(content))
    report, found = imported("data", *options)
    assert found == dict(zip("012", parts.replace("-", "").split(" "), strict=True))
    assert ("may mean several parts" in decided(report)) == ("-" in parts)
