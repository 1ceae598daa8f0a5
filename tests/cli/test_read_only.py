"""Commands on projects that cannot be written: what they read, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.read_only import on_full_disk, on_read_only_disk
from tests.fixtures.stored_images import fill
from workbench.domain.projects import PointKind
from workbench.storage.project import Project
from workbench.storage.restore_points import make_point

RUN = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from workbench.cli.command import run
done = []
for line in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(line)
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""


@pytest.mark.parametrize(
    ("on_disk", "reason"),
    [(on_read_only_disk, "the disk is read-only"), (on_full_disk, "the disk is full")],
)
def test_commands_read_and_export_and_refuse_to_edit(tmp_path: Path, on_disk, reason) -> None:
    project = Project.create(tmp_path / "disk" / "Birds")
    ids = fill(project, 3)
    with project.edit("Label"):
        project.labels.assign(ids[:2], "view", "front")
    project.versions.add(project.versions.draft(), "old", "", "ada")
    project.close()
    make_point(project.folder, PointKind.DAILY)
    other = Project.create(tmp_path / "Other")
    other.close()
    images, table = tmp_path / "images", tmp_path / "more.csv"
    images.mkdir()
    table.write_text("file,view\nimage 2.jpg,back\n")
    folder, exported = str(project.folder), tmp_path / "labels.csv"
    reading = [
        ["labels", "export", folder, str(exported)],
        ["doctor", folder, "--json"],
        ["runs", folder],
        ["restore", folder, "--list"],
        ["versions", folder, "--compare", "old", "now"],
    ]
    editing = [
        ["label", folder, "--set", "view", "--label", "back", "image 0.jpg"],
        ["undo", folder],
        ["split", folder],
        ["import", folder, str(images)],
        ["labels", "import", folder, str(table)],
        ["labels", "rename", folder, "view", "front", "forward"],
        ["merge", folder, str(other.folder)],
        ["train", folder, "--set", "target=view"],
        ["crop", folder],
        ["versions", folder, "--create", "new"],
        ["versions", folder, "--restore", "old"],
        ["versions", folder, "--rename", "old", "new"],
        ["versions", folder, "--delete", "old"],
        ["restore", folder],
    ]
    done = on_disk(project.folder.parent, "-c", RUN, json.dumps([*reading, *editing]))
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [code for code, _, error in results[: len(reading)] if "error:" in error] == [], results
    assert exported.read_text(encoding="utf-8").count("front") == 2
    for code, _, error in results[len(reading) :]:
        assert (code, "disk" in error) == (1, True), error
        assert "Traceback" not in error
    for _, _, error in results[len(reading) : -1]:
        assert f"Birds is read-only: {reason}." in error, error
