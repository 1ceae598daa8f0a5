"""The command `doctor`: what people see of its findings, its object and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures import finished_runs
from workbench.app.doctor import examine_program
from workbench.cli.command import run
from workbench.storage.project import Project


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of thirty images; the folder of its images."""
    monkeypatch.chdir(tmp_path)
    store = Project.create(tmp_path / "Birds")
    finished_runs.fill(store, tmp_path / "photos")
    store.close()
    return tmp_path / "photos"


def test_a_whole_project_has_no_problems_of_its_own(birds: Path, capsys) -> None:
    well = all(finding.ok for finding in examine_program())
    assert run(["doctor", "Birds", "--json"]) == (0 if well else 1)
    done = json.loads(capsys.readouterr().out)
    assert done["ok"] is well
    own = [one for one in done["findings"] if one["name"] == f"source {birds}"]
    assert [(one["ok"], one["remedy"]) for one in own] == [(True, "")]


def test_a_problem_is_marked_and_followed_by_its_remedy(birds: Path, capsys) -> None:
    (birds / "bird 07.png").unlink()
    assert run(["doctor", "Birds", "--json"]) == 1
    done = json.loads(capsys.readouterr().out)
    assert done["ok"] is False
    (found,) = [one for one in done["findings"] if one["name"] == f"source {birds}"]
    assert run(["doctor", "Birds"]) == 1
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines[: len(done["findings"])]]
    assert [row[0] for row in rows] == ["ok" if one["ok"] else "!!" for one in done["findings"]]
    at = lines.index(f"{found['name']}: {found['value']}")
    assert lines[at - 1 : at + 2 : 2] == ["", f"  {found['remedy']}"]
    follow = [line for line in lines[len(rows) :] if line.startswith("  ")]
    assert len(follow) == sum(not one["ok"] and bool(one["remedy"]) for one in done["findings"])
