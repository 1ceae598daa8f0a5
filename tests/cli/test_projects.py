"""The commands on projects: what they print when made, imported into, undone and redone."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.app.test_adopting import sample, started, write_folder
from tests.fixtures.finished_runs import epoch
from tests.fixtures.stored_images import fill
from workbench.app.session import Session
from workbench.app.training.adopting import adopt
from workbench.cli.command import run
from workbench.domain.projects import DATABASE_FILE, PointKind
from workbench.storage.project import Project
from workbench.storage.restore_points import make_point


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two edits: an import and a label."""
    monkeypatch.chdir(tmp_path)
    store = Project.create(tmp_path / "Birds")
    images = fill(store, 3)
    with store.edit("Label an image"):
        store.labels.assign(images[:1], "view", "left")
    store.close()
    return store.folder


def test_edits_are_undone_from_the_last_and_redone_from_the_first(birds: Path, capsys) -> None:
    printed = []
    for name in ("undo", "undo", "undo", "redo", "redo", "redo"):
        assert run([name, "Birds"]) == 0
        printed.append(capsys.readouterr().out.strip())
    assert printed == [
        "Undone: Label an image",
        "Undone: Import",
        "There is nothing to undo.",
        "Redone: Import",
        "Redone: Label an image",
        "There is nothing to redo.",
    ]


def test_the_result_names_the_edit(birds: Path, capsys) -> None:
    results = []
    for name in ("redo", "undo", "redo"):
        assert run([name, "Birds", "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results == [
        {"done": False, "text": None},
        {"done": True, "text": "Label an image"},
        {"done": True, "text": "Label an image"},
    ]
    store = Project.open(birds)
    try:
        assert store.labels.counts("view")["left"] == 1
    finally:
        store.close()


def test_people_see_where_a_project_was_created(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "Owls"]) == 0
    assert capsys.readouterr().out == f"created {tmp_path / 'Owls.workbench'}\n"


def damage(folder: Path) -> None:
    path = folder / DATABASE_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_damaged_project_is_restored_from_the_point_that_the_error_offers(
    birds: Path, capsys
) -> None:
    assert run(["labels", "export", "Birds", "kept.csv"]) == 0  # the first command of the day
    damage(birds)
    capsys.readouterr()
    assert run(["labels", "export", "Birds", "lost.csv"]) == 1
    offered = next(line for line in capsys.readouterr().err.splitlines() if "restore" in line)
    command, words = offered.split("#")
    assert "(daily): 3 images, 1 label" in words
    assert run(shlex.split(command)[1:]) == 0
    (kept,) = birds.glob("restore-points/damaged-*.sqlite")
    assert f"the damaged database is kept as {kept}" in capsys.readouterr().out
    assert run(["labels", "export", "Birds", "again.csv"]) == 0
    assert Path("again.csv").read_text() == Path("kept.csv").read_text()
    assert not Path("lost.csv").exists()


def test_the_state_before_a_restore_can_be_restored(birds: Path, capsys) -> None:
    assert run(["undo", "Birds"]) == 0  # the point is made before or after the edit
    assert run(["restore", "Birds", "--list", "--json"]) == 0
    (point,) = json.loads(capsys.readouterr().out.splitlines()[-1])["restore_points"]
    assert run(["redo", "Birds"]) == 0
    assert run(["restore", "Birds", f"{point['name']}.sqlite", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["restored"] == point
    assert result["before"]["labels"] == 1
    assert run(["restore", "Birds", "before"]) == 1
    assert "There is no single restore point" in capsys.readouterr().err
    assert run(["restore", "Birds", result["before"]["name"]]) == 0
    store = Project.open(birds)
    try:
        assert store.labels.counts("view")["left"] == 1
    finally:
        store.close()


def test_a_damaged_project_without_points_is_reported_with_its_reason(birds: Path, capsys) -> None:
    damage(birds)
    assert run(["runs", "Birds"]) == 1
    printed = capsys.readouterr().err
    assert "its database is damaged" in printed
    assert "no restore points" in printed
    assert run(["restore", "Birds"]) == 1
    assert "has no restore points" in capsys.readouterr().err
    place = birds / "restore-points"
    place.mkdir(exist_ok=True)
    (place / "20260101-120000-daily.sqlite").write_bytes(b"no database" * 99)
    for words in (["runs", "Birds"], ["restore", "Birds"], ["restore", "Birds", "--list"]):
        run(words)
        assert "1 restore point is damaged" in capsys.readouterr().err


def test_runs_that_a_restore_leaves_out_are_named_with_the_way_to_get_them_back(
    birds: Path, capsys
) -> None:
    store = Project.open(birds)
    point = make_point(birds, PointKind.DAILY)
    folder = write_folder(birds / "runs" / "r1", [sample(1, 0)], [started(0), epoch(1)])
    session = Session(store)
    adopt(session, folder, "owls")
    session.close()
    assert run(["restore", "Birds", point.name]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("1 run is newer than the restore point")
    words = shlex.split(shown[1])
    assert words == ["workbench", "runs", "adopt", str(folder), "--into", str(birds)]
    assert shown[2].startswith("restored Birds")
    assert run(words[1:]) == 0
    capsys.readouterr()
    assert run(["runs", "Birds", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["runs"]
    assert (record["run"], record["name"]) == ("r1", "owls")
    assert [path.name for path in (birds / "runs").iterdir()] == ["r1"]
    assert run(["restore", "Birds", "--json"]) == 0  # to the state before the restore
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["runs_left_out"] == []
