"""Projects that cannot be written are read: on read-only and full disks, also after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.read_only import on_full_disk, on_read_only_disk
from tests.fixtures.stored_images import fill
from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE
from workbench.storage.locks import LOCK_FILE
from workbench.storage.project import Project
from workbench.storage.read_only import why_read_only

READ = """
import json, pathlib, sys
from workbench.domain.errors import KnownError
from workbench.storage.project import Project
project = Project.open(pathlib.Path(sys.argv[1]))
reason, images = str(project.read_only.reason), project.images.count()
labels = dict(project.labels.counts("view"))
refused = []
for change in (
    lambda: project.images.remove([1]),
    lambda: project.settings.put("a", 1),
    lambda: project.history.undo(),
):
    try:
        change()
    except KnownError as error:
        refused.append(str(error))
with project.reading(project.folder) as beside:
    read_beside = beside.images.count()
project.thumbnails.put({"new": b"jpeg"})
thumbnails = project.thumbnails.get(["hash0", "new"])
project.close()
print(json.dumps({
    "reason": reason, "images": images, "labels": labels, "refused": refused,
    "beside": read_beside, "thumbnails": sorted(thumbnails),
}))
"""


@pytest.fixture
def folder(project: Project) -> Path:
    """The folder of a closed project with three images, one of them labelled, and a thumbnail."""
    ids = fill(project, 3)
    with project.edit("Label"):
        project.labels.assign(ids[:1], "view", "front")
    project.thumbnails.put({"hash0": b"jpeg"})
    project.close()
    return project.folder


KILLED = """
import os, pathlib, signal, sys
from workbench.storage.project import Project
project = Project.open(pathlib.Path(sys.argv[1]))
with project.edit("Label"):
    project.labels.assign([2], "view", "front")
os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_after_an_edit(folder: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)])
    assert killed.returncode == -signal.SIGKILL
    assert (folder / f"{DATABASE_FILE}-wal").stat().st_size > 0


def read(run, folder: Path) -> dict:
    done = run(folder, "-c", READ, str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(
    ("run", "reason"),
    [(on_read_only_disk, "the disk is read-only"), (on_full_disk, "the disk is full")],
)
def test_a_project_is_read_where_it_cannot_be_written(folder, run, reason, killed):
    if killed:
        kill_after_an_edit(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = read(run, folder)
    assert found["reason"] == reason
    assert (found["images"], found["beside"]) == (3, 3)
    assert found["labels"]["front"] == 1 + killed
    assert found["thumbnails"] == ["hash0", "new"]
    assert len(found["refused"]) == 3
    assert all(f"Cars is read-only: {reason}." in text for text in found["refused"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_a_project_whose_database_alone_is_read_only_is_read(folder):
    found = read(lambda _, *words: on_read_only_disk(folder / DATABASE_FILE, *words), folder)
    assert (found["reason"], found["images"]) == ("its database is a read-only file", 3)
    assert all("Cars is read-only: its database" in text for text in found["refused"])


def test_an_older_project_on_a_read_only_disk_is_upgraded_in_a_copy(folder):
    db = sqlite3.connect(folder / DATABASE_FILE)
    db.execute("DELETE FROM _sqlite_migrations WHERE name = 'marks'")
    db.execute("ALTER TABLE prediction DROP COLUMN marks")
    db.commit()
    db.close()
    before = (folder / DATABASE_FILE).read_bytes()
    assert read(on_read_only_disk, folder)["images"] == 3
    assert (folder / DATABASE_FILE).read_bytes() == before


def test_copies_are_deleted_when_the_project_is_closed(folder, tmp_path, monkeypatch):
    kill_after_an_edit(folder)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    read(on_read_only_disk, folder)
    assert list(temporary.iterdir()) == []


def test_a_lock_of_another_computer_does_not_prevent_reading(folder):
    lock = {"pid": 1, "host": "another-computer", "started": "1"}
    (folder / LOCK_FILE).write_text(json.dumps(lock))
    assert read(on_read_only_disk, folder)["images"] == 3


def test_a_project_that_is_open_on_this_computer_is_refused(folder):
    with_lock = Project.open(folder)
    done = on_read_only_disk(folder, "-c", READ, str(folder))
    with_lock.close()
    assert done.returncode == 1
    assert "is in use by another program" in done.stderr


def test_damage_on_a_read_only_disk_is_reported_as_damage(folder):
    data = (folder / DATABASE_FILE).read_bytes()
    (folder / DATABASE_FILE).write_bytes(data[: len(data) // 2])
    done = on_read_only_disk(folder, "-c", READ, str(folder))
    assert "its database is damaged" in done.stderr


CREATE = """
import os, sys
from workbench.cli.command import run
print(run(["new", sys.argv[1]]), os.path.exists(sys.argv[1]))
"""


def test_nothing_is_left_of_a_project_that_could_not_be_created(folder):
    new = folder / "New.workbench"
    done = on_full_disk(folder, "-c", CREATE, str(new))
    assert "the disk is full" in done.stderr
    assert done.stdout.splitlines() == ["1 False"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is denied to root")
def test_a_folder_without_permission_is_read(folder):
    folder.chmod(0o555)
    try:
        found = Project.open(folder)
        assert str(found.read_only.reason) == "its folder is read-only"
        with pytest.raises(KnownError, match="is read-only"):
            found.images.remove([1])
        found.close()
    finally:
        folder.chmod(0o755)


def test_other_errors_do_not_make_a_project_read_only(folder, tmp_path):
    path = folder / DATABASE_FILE
    assert why_read_only(path, KnownError("It is open elsewhere.")) is None
    with pytest.raises(KnownError, match="is not a project"):
        Project.open(tmp_path / "nowhere.workbench")
    shutil.copy(path, tmp_path / "copy")
    again = Project.open(folder)
    assert again.read_only is None
    again.close()
