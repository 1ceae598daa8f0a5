"""The commands on projects: what they print when made, imported into, undone and redone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.stored_images import fill
from workbench.cli.command import run
from workbench.storage.project import Project


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
