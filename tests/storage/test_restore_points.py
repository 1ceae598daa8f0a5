"""Restore points: whole or absent, five of each kind, and going back to one."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fixtures.damage import DAMAGES
from tests.fixtures.read_only import on_read_only_disk, without_permission
from tests.fixtures.stored_images import fill, state
from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE, RESTORE_FOLDER, DamagedProject, PointKind
from workbench.storage.locks import LOCK_FILE, write_lock
from workbench.storage.project import Project
from workbench.storage.restore_points import (
    MOST,
    CopyStopped,
    check_readable,
    count_damaged,
    list_points,
    make_point,
    restore,
)


def label(project: Project, ids: list[int], name: str) -> None:
    with project.edit("Label"):
        project.labels.assign(ids, "view", name)


def test_a_point_has_what_is_committed_and_the_project_stays_open(project):
    ids = fill(project, 5)
    label(project, ids[:3], "front")
    point = make_point(project.folder, PointKind.DAILY)
    label(project, ids, "back")
    assert (point.images, point.labels, point.kind) == (5, 3, PointKind.DAILY)
    assert point.size == point.file.stat().st_size
    assert list_points(project.folder) == [point]
    db = sqlite3.connect(point.file)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_five_of_each_kind_are_kept_and_the_oldest_go(project):
    fill(project, 1)
    made = [make_point(project.folder, PointKind.DAILY) for _ in range(MOST + 2)]
    other = make_point(project.folder, PointKind.MIGRATION)
    assert len({point.file for point in made}) == MOST + 2
    kept = list_points(project.folder)
    assert set(kept) == {*made[2:], other}
    assert kept == sorted(kept, key=lambda point: -point.made_at)
    assert set((project.folder / RESTORE_FOLDER).iterdir()) == {point.file for point in kept}


def test_restoring_brings_back_every_row_and_can_itself_be_taken_back(project):
    ids = fill(project, 4)
    label(project, ids, "front")
    before, point = state(project), make_point(project.folder, PointKind.DAILY)
    label(project, ids, "back")
    project.images.remove(ids[:1])
    after = state(project)
    project.close()
    kept = restore(project.folder, point)
    assert kept is not None
    assert kept.kind is PointKind.RESTORE
    again = Project.open(project.folder)
    assert state(again) == before
    again.close()
    restore(project.folder, kept)
    again = Project.open(project.folder)
    assert state(again) == after
    again.close()


@pytest.mark.parametrize("damage", ["cut in half", "text instead", "emptied", "missing"])
def test_a_damaged_project_is_restored_and_its_file_is_set_aside(project, damage):
    fill(project, 400)
    point = make_point(project.folder, PointKind.DAILY)
    before = state(project)
    project.close()
    path = project.folder / DATABASE_FILE
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(DamagedProject, match=r"damaged|missing|another program"):
        Project.open(project.folder).images.count()
    assert restore(project.folder, point) is None
    again = Project.open(project.folder)
    assert state(again) == before
    again.close()
    aside = list((project.folder / RESTORE_FOLDER).glob("damaged-*.sqlite"))
    assert len(aside) == (damage != "missing")


def test_a_damaged_database_does_not_become_a_point(project):
    fill(project, 400)
    project.close()
    path = project.folder / DATABASE_FILE
    data = bytearray(path.read_bytes())
    for at in range(6 * 4096, len(data) - 4096, 4096):
        data[at : at + 64] = b"\xff" * 64
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedProject):
        make_point(project.folder, PointKind.DAILY)
    assert list((project.folder / RESTORE_FOLDER).iterdir()) == []


def test_an_open_project_is_not_restored(project):
    fill(project, 1)
    point = make_point(project.folder, PointKind.DAILY)
    with pytest.raises(KnownError, match="in use"):
        restore(project.folder, point)
    assert list_points(project.folder) == [point]


def test_a_damaged_point_is_not_listed_and_not_restored(project):
    fill(project, 400)
    point = make_point(project.folder, PointKind.DAILY)
    other = make_point(project.folder, PointKind.MIGRATION)
    before = state(project)
    project.close()
    data = point.file.read_bytes()
    point.file.write_bytes(data[: len(data) // 2])
    with pytest.raises(KnownError, match="is damaged"):
        restore(project.folder, point)
    point.file.write_bytes(b"")
    assert [each.kind for each in list_points(project.folder)] == [other.kind]
    again = Project.open(project.folder)
    assert state(again) == before
    again.close()


def test_damaged_points_are_counted(project):
    fill(project, 3)
    made = make_point(project.folder, PointKind.DAILY)
    assert count_damaged(project.folder) == 0
    made.file.with_name("20250131-000000-daily.sqlite").write_bytes(b"no database" * 99)
    made.file.with_name("20251301-000000-daily.sqlite").write_bytes(b"")  # no point at all
    assert count_damaged(project.folder) == 1
    assert list_points(project.folder) == [made]


MAKE = """
import pathlib, sys
from workbench.domain.errors import KnownError
from workbench.domain.projects import PointKind
from workbench.storage import restore_points
folder = pathlib.Path(sys.argv[1])
try:
    restore_points.make_point(folder, PointKind.DAILY)
    restore_points.restore(folder, restore_points.list_points(folder)[0])
except KnownError as error:
    print(error)
"""


def test_a_folder_that_cannot_be_written_is_named_and_not_the_database(project):
    fill(project, 3)
    place = make_point(project.folder, PointKind.DAILY).file.parent
    done = without_permission(place, "-c", MAKE, str(project.folder))
    assert done.stdout.startswith(str(place)), done.stderr
    assert "cannot be written: " in done.stdout


def test_a_read_only_database_is_not_replaced(project):
    fill(project, 3)
    project.close()
    path = project.folder / DATABASE_FILE
    done = on_read_only_disk(path, "-c", MAKE, str(project.folder))
    assert done.stdout.startswith(f"{path} cannot be written: "), done.stderr
    assert len(list_points(project.folder)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need a permission on Windows")
def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(project):
    check_readable(project.folder)  # there are none yet
    (project.folder / RESTORE_FOLDER).symlink_to(RESTORE_FOLDER)
    with pytest.raises(KnownError, match="cannot be read"):
        check_readable(project.folder)


def _pipe(path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes on Windows")
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("20251301-000000-daily.sqlite", lambda path: path.write_bytes(b"")),
        ("99991231-235959-daily.sqlite", None),  # a copy of a good one
        ("20300101-000000-daily.sqlite", _pipe),
        ("20300101-000000-daily.sqlite", Path.mkdir),
        ("20300101-000000-daily.sqlite.part", Path.mkdir),
    ],
)
def test_files_that_are_no_points_are_passed_over(project, name, put):
    fill(project, 3)
    first = make_point(project.folder, PointKind.DAILY)
    other = project.folder / RESTORE_FOLDER / name
    shutil.copy(first.file, other) if put is None else put(other)
    second = make_point(project.folder, PointKind.DAILY)
    assert list_points(project.folder) == [second, first]
    project.close()
    before = restore(project.folder, first)
    assert before in list_points(project.folder)
    assert other.exists()


def test_what_an_earlier_version_backed_up_is_offered_too(project):
    fill(project, 2)
    point = make_point(project.folder, PointKind.DAILY)
    older = project.folder / "backup-20250102-030405.sqlite"
    shutil.move(point.file, older)
    (project.folder / "backup-20250102-030406.sqlite").touch()  # of a killed process
    (found,) = list_points(project.folder)
    assert (found.file, found.kind, found.images) == (older, PointKind.MIGRATION, 2)


def test_a_copy_can_be_stopped(project):
    fill(project, 400)
    with pytest.raises(CopyStopped):
        make_point(project.folder, PointKind.DAILY, lambda: True)
    assert list((project.folder / RESTORE_FOLDER).iterdir()) == []


KILLED = """
import os, pathlib, signal, sys
from workbench.domain.projects import PointKind
from workbench.storage import restore_points
restore_points.PAGES = 1
left = int(sys.argv[2])
def stopped():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return False
restore_points.make_point(pathlib.Path(sys.argv[1]), PointKind.DAILY, stopped)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("after", [0, 3, 20])
def test_a_kill_during_the_copy_leaves_no_file_with_a_good_name(project, after):
    fill(project, 400)
    place = project.folder / RESTORE_FOLDER
    arguments = [sys.executable, "-c", KILLED, str(project.folder), str(after)]
    killed = subprocess.run(arguments, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    assert list(place.glob("*.sqlite")) == []
    assert list_points(project.folder) == []
    assert list(place.iterdir()) != [], "it was killed before it wrote anything"
    point = make_point(project.folder, PointKind.DAILY)
    assert list(place.iterdir()) == [point.file]


KILLED_IN_RESTORE = """
import os, pathlib, signal, sys
from workbench.storage import restore_points
folder, step = pathlib.Path(sys.argv[1]), sys.argv[2]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
kept = getattr(restore_points, step)
def then_die(*given):
    kept(*given)
    die()
setattr(restore_points, step, then_die)
restore_points.restore(folder, restore_points.list_points(folder)[-1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("step", ["write_lock", "_before_restore", "_empty_log"])
def test_a_kill_during_a_restore_leaves_the_previous_database(project, step):
    ids = fill(project, 40)
    make_point(project.folder, PointKind.DAILY)
    label(project, ids, "front")
    before = state(project)
    project.close()
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_RESTORE, str(project.folder), step])
    assert killed.returncode == -signal.SIGKILL
    again = Project.open(Path(project.folder))
    assert state(again) == before
    again.close()
    assert list(project.folder.glob("*.part")) == []


def test_a_damaged_point_drives_out_no_other_one(project):
    fill(project, 400)
    point = make_point(project.folder, PointKind.DAILY)
    project.close()
    data = bytearray(point.file.read_bytes())
    data[-9 * 4096 :] = b"\xff" * (9 * 4096)
    point.file.write_bytes(bytes(data))
    before = (project.folder / DATABASE_FILE).read_bytes()
    for _ in range(MOST + 1):
        with pytest.raises(KnownError, match="is damaged"):
            restore(project.folder, point)
    assert {one.kind for one in list_points(project.folder)} == {PointKind.DAILY}
    assert (project.folder / DATABASE_FILE).read_bytes() == before


def test_a_project_that_is_being_opened_is_not_restored(project):
    """Two programs find no lock; the one that holds the database's write lock decides."""
    fill(project, 1)
    point = make_point(project.folder, PointKind.DAILY)
    (project.folder / LOCK_FILE).unlink()
    started = threading.Event()

    def restored():
        started.set()
        with pytest.raises(KnownError, match="in use"):
            restore(project.folder, point)
        return True

    with ThreadPoolExecutor(1) as pool:
        with project._db.transaction():
            done = pool.submit(restored)
            started.wait()
            write_lock(project.folder)
        assert done.result()
