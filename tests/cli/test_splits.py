"""The commands `split --group-by` and `leakage` on drawn pictures."""

from __future__ import annotations

import json

import cv2
import pytest

from tests.fixtures.scenery import brighter, scenery
from workbench.cli.command import run


@pytest.fixture
def birds(tmp_path, monkeypatch, capsys):
    """Eight pictures of two categories in four nests, and a brighter copy of the first."""
    monkeypatch.chdir(tmp_path)
    for seed in range(8):
        folder = tmp_path / "photos" / "ab"[seed % 2] / f"nest{seed // 4}"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"bird{seed}.png"), scenery(seed))
    cv2.imwrite(str(tmp_path / "photos" / "a" / "nest1" / "copy.png"), brighter(scenery(0)))
    assert run(["new", "Birds"]) == 0
    assert run(["import", "Birds", "photos"]) == 0
    return "Birds"


@pytest.fixture
def command(birds, capsys):
    def carry_out(*arguments: str) -> tuple[int, dict]:
        capsys.readouterr()
        code = run([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return carry_out


HALVES = ("--train", "0.5", "--test", "0.5")


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("folder:1", [4, 5]),
        ("folder", [4, 5]),
        (r"pattern:(nest\d)", [4, 5]),
        ("duplicates", [4, 5]),
        ("labels:category", [4, 5]),
        ("time:10", [4, 5]),
    ],
)
def test_groups_are_kept_in_one_part(command, birds, rule, counts):
    code, done = command("split", birds, *HALVES, "--group-by", rule)
    assert code == 0
    assert sorted(done["parts"].values()) == [0, *counts]


@pytest.mark.parametrize("rule", ["nest", "folder:x", "pattern:", "time:", "labels:"])
def test_unknown_rules_are_refused(command, birds, rule):
    code, refused = command("split", birds, "--group-by", rule)
    assert code == 2
    assert "--group-by" in refused["error"]
    assert "pattern:EXPRESSION" in refused["remedy"]


def test_a_wrong_pattern_and_an_unknown_set_are_reported(command, birds):
    code, refused = command("split", birds, "--group-by", "pattern:(a")
    assert code != 0
    assert "parenthesis" in refused["error"]
    code, refused = command("split", birds, "--group-by", "labels:nest")
    assert code != 0
    assert "nest" in refused["error"]


def test_copies_in_two_parts_are_reported_and_moved(command, birds, capsys):
    code, refused = command("leakage", birds)
    assert code == 1
    assert "no split" in refused["error"]
    for seed in range(20):
        command("split", birds, *HALVES, "--seed", str(seed))
        code, found = command("leakage", birds)
        assert (code, found["duplicates"]) == (0, 1)
        if found["leaks"]:
            break
    (leak,) = found["leaks"]
    assert sorted(path.rsplit("/", 1)[1] for path in leak["images"]) == ["bird0.png", "copy.png"]
    assert sorted(leak["parts"]) == ["test", "train"]
    assert leak["similarity"] > 0.9
    assert run(["leakage", birds]) == 0
    assert "train / test: 1" in capsys.readouterr().out
    code, fixed = command("leakage", birds, "--fix", "--to", "test")
    assert fixed["moved"] == 1
    assert command("leakage", birds)[1]["leaks"] == []
    assert command("leakage", birds, "--to", "test")[0] == 2


@pytest.mark.parametrize("level", ["0", "3", "7"])
def test_levels_without_folders_are_refused(command, birds, level):
    code, refused = command("split", birds, "--group-by", f"folder:{level}")
    assert code == (2 if level == "0" else 1)
    assert level in refused["error"]
    if level != "0":
        assert "1 to 2" in refused["remedy"]


def test_images_in_fewer_folders_are_reported(birds, capsys, tmp_path):
    cv2.imwrite(str(tmp_path / "photos" / "a" / "alone.png"), scenery(99))
    assert run(["import", birds, "photos"]) == 0
    assert run(["split", birds, *HALVES, "--group-by", "folder:2"]) == 0
    assert "1 image lies in fewer folders" in capsys.readouterr().err
    assert run(["split", birds, *HALVES, "--group-by", "folder"]) == 0
    assert "fewer folders" not in capsys.readouterr().err


def test_groups_that_leave_a_part_empty_are_named_with_a_remedy(birds, capsys):
    assert run(["split", birds, "--group-by", "folder:1"]) == 0
    warned = capsys.readouterr().err
    assert "The test part has no images: there are only 2 groups" in warned
    assert "deeper folder level" in warned
    assert run(["split", birds, *HALVES, "--group-by", "folder:1"]) == 0
    assert "no images:" not in capsys.readouterr().err


def test_a_label_whose_only_images_are_in_one_group_is_named(birds, capsys):
    assert run(["import", birds, "photos", "--category-from", "folder"]) == 0
    capsys.readouterr()
    assert (
        run(["split", birds, "--train", "0.7", "--test", "0.3", "--group-by", "labels:category"])
        == 0
    )
    warned = capsys.readouterr().err
    assert "The test part has no images" in warned
    assert "all images of nest0, nest1" in warned


def test_dismissed_pairs_are_listed_as_such(command, birds, capsys):
    for seed in range(20):
        command("split", birds, *HALVES, "--seed", str(seed))
        if command("leakage", birds)[1]["leaks"]:
            break
    assert run(["leakage", birds, "--dismiss"]) == 0
    assert "1 pair dismissed for this split" in capsys.readouterr().out
    assert run(["leakage", birds]) == 0
    listed = capsys.readouterr().out
    assert "train / test" not in listed
    assert "1 pair was dismissed for this split" in listed
