"""Opening and closing projects: locks, migrations, and invalid folders."""

import os
import platform
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from sqlite_utils.migrations import Migrations

from tests.fixtures.stored_images import fill
from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE, RESTORE_FOLDER, PointKind
from workbench.storage import project as project_module
from workbench.storage.locks import LOCK_FILE, Holder, process_started, this_process
from workbench.storage.project import Project
from workbench.storage.restore_points import list_points
from workbench.storage.schema import migrations


def test_a_project_folder_gets_its_suffix_and_its_name(project, tmp_path):
    assert project.folder == tmp_path / "Cars.workbench"
    assert project.name == "Cars"
    assert project.runs_folder.is_dir()
    dotted = Project.create(tmp_path / "v1.2")
    assert dotted.folder.name == "v1.2.workbench"
    dotted.close()


def test_closing_twice_is_harmless_and_releases_the_lock(project):
    project.close()
    project.close()
    assert not (project.folder / LOCK_FILE).exists()
    Project.open(project.folder).close()


def test_an_existing_folder_is_not_overwritten(project, tmp_path):
    with pytest.raises(KnownError, match=r"Cars\.workbench already exists"):
        Project.create(tmp_path / "Cars")
    (tmp_path / "file.workbench").write_text("x")
    with pytest.raises(KnownError, match="already exists"):
        Project.create(tmp_path / "file")


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 400, "other program"])
def test_a_folder_without_a_project_is_refused(tmp_path, content):
    folder = tmp_path / "odd.workbench"
    folder.mkdir()
    file = folder / DATABASE_FILE
    if content == "other program":
        db = sqlite3.connect(file)
        db.execute("CREATE TABLE t (a)")
        db.close()
    elif content is not None:
        file.write_bytes(content)
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(KnownError, match=r"odd\.workbench"):
        Project.open(folder)
    assert not (folder / LOCK_FILE).exists()
    assert (file.read_bytes() if file.exists() else None) == before


def test_a_damaged_database_is_reported(project):
    fill(project, 50)
    project.close()
    file = project.folder / DATABASE_FILE
    data = bytearray(file.read_bytes())
    data[100:4096] = b"\xff" * 3996
    file.write_bytes(data)
    with pytest.raises(KnownError, match="damaged"):
        Project.open(project.folder)


def test_an_unwritable_folder_is_reported(tmp_path):
    (tmp_path / "blocked").write_text("a file, not a folder")
    with pytest.raises(KnownError, match="cannot be created"):
        Project.create(tmp_path / "blocked" / "inside")


def test_a_second_opener_is_refused(project):
    with pytest.raises(KnownError, match="is in use by another program") as caught:
        Project.open(project.folder)
    assert str(os.getpid()) in caught.value.sentence
    fill(project, 1)  # and the first continues


@pytest.mark.parametrize(("length", "end"), [(80, ""), (81, "…")])
def test_eighty_characters_of_a_command_are_named(project, length, end):
    project.close()
    code = "input(print(flush=True))"
    given = f"{os.path.basename(sys.executable)} -c {code} "
    words = [sys.executable, "-c", code, "x" * (length - len(given))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"\n"
        lock = Holder(holder.pid, platform.node(), process_started(holder.pid))
        (project.folder / LOCK_FILE).write_bytes(msgspec.json.encode(lock))
        with pytest.raises(KnownError) as caught:
            Project.open(project.folder)
        holder.communicate(b"\n")
    shown = caught.value.sentence.partition("program: ")[2].partition(" (process")[0]
    assert shown == (given + "x" * 80)[:80] + end


def test_another_process_is_refused_until_this_one_closes(project):
    code = (
        "import sys, pathlib\nfrom workbench.storage.project import Project\n"
        "from workbench.domain.errors import KnownError\n"
        "try:\n    Project.open(pathlib.Path(sys.argv[1])).close()\n"
        "except KnownError as error:\n    print(error.sentence)\nelse:\n    print('opened')\n"
    )

    def ask() -> str:
        words = [sys.executable, "-c", code, str(project.folder)]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    assert "is in use by another program" in ask()
    project.close()
    assert ask() == "opened\n"


def test_the_program_that_holds_a_project_is_named(project):
    project.close()
    code = (
        "import sys, pathlib\nfrom workbench.storage.project import Project\n"
        "held = Project.open(pathlib.Path(sys.argv[1]))\nprint('open', flush=True)\ninput()\n"
        "held.close()\n"
    )
    words = [sys.executable, "-c", code, str(project.folder), "import"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(KnownError) as caught:
            Project.open(project.folder)
        holder.communicate(b"\n")
    program = f"{os.path.basename(sys.executable)} -c import sys, pathlib"
    assert f"in use by another program: {program}" in caught.value.sentence
    assert f"process {holder.pid} on " in caught.value.sentence
    assert "wait until it has finished" in caught.value.remedy


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@pytest.mark.parametrize("stale", ["dead", "pid used again", "nonsense", "empty"])
def test_a_stale_lock_is_ignored(project, stale):
    project.close()
    me = this_process()
    text = {
        "dead": msgspec.json.encode(Holder(dead_process(), me.host, "1")),
        "pid used again": msgspec.json.encode(Holder(me.pid, me.host, me.started + "0")),
        "nonsense": b"{]",
        "empty": b"",
    }[stale]
    (project.folder / LOCK_FILE).write_bytes(text)
    again = Project.open(project.folder)
    assert msgspec.json.decode((project.folder / LOCK_FILE).read_bytes())["pid"] == os.getpid()
    again.close()


def test_a_lock_of_another_computer_holds(project):
    project.close()
    lock = project.folder / LOCK_FILE
    lock.write_bytes(msgspec.json.encode(Holder(1, "another-computer", "1")))
    with pytest.raises(KnownError, match="another-computer") as caught:
        Project.open(project.folder)
    assert LOCK_FILE in caught.value.remedy
    assert lock.exists()
    lock.unlink()
    Project.open(project.folder).close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_the_lock_names_its_holder_in_the_format_of_earlier_versions(project):
    """Field 22 of /proc/PID/stat: versions that read it and this one respect each other's locks."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    held = msgspec.json.decode((project.folder / LOCK_FILE).read_bytes())
    assert held == {"pid": os.getpid(), "host": platform.node(), "started": fields[19]}


def test_a_zombie_is_not_a_running_process():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()
    end = time.monotonic() + 10
    while process_started(child.pid) is not None and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert process_started(child.pid) is None
    child.stdout.close()
    child.wait()
    assert process_started(os.getpid()) is not None


def test_a_newer_project_is_refused(project):
    project.close()
    db = sqlite3.connect(project.folder / DATABASE_FILE)
    db.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
        ("project", "from the future", "2099"),
    )
    db.commit()
    db.close()
    with pytest.raises(KnownError, match="newer version"):
        Project.open(project.folder)
    assert not (project.folder / LOCK_FILE).exists()


@pytest.fixture
def next_version(monkeypatch):
    newer = Migrations("project")
    newer._migrations = list(migrations._migrations)
    monkeypatch.setattr(project_module, "migrations", newer)
    return newer


def test_an_older_project_is_backed_up_and_brought_up_to_date(project, next_version):
    fill(project, 3)
    project.close()

    @next_version()
    def second_step(db):
        db.conn.execute("ALTER TABLE image ADD COLUMN note TEXT NOT NULL DEFAULT ''")

    again = Project.open(project.folder)
    assert again.images.count() == 3
    again.images.remove([1])
    again.history.undo()
    assert again.images.count() == 3
    again.close()
    (point,) = list_points(project.folder)
    assert (point.kind, point.images) == (PointKind.MIGRATION, 3)
    db = sqlite3.connect(point.file)
    assert db.execute("SELECT count(*) FROM image").fetchone() == (3,)
    assert "note" not in [row[1] for row in db.execute("PRAGMA table_info(image)")]
    db.close()
    Project.open(project.folder).close()
    assert list_points(project.folder) == [point]


KILLED_IN_BACKUP = """
import pathlib, resource, signal, sys
from sqlite_utils.migrations import Migrations
from workbench.storage import project as module
newer = Migrations("project")
newer._migrations = list(module.migrations._migrations)
newer()(lambda db: None)
module.migrations = newer
path = pathlib.Path(sys.argv[1])
half = (path / module.DATABASE_FILE).stat().st_size // 2
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # a file that grows beyond this kills the process
resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))
module.Project.open(path)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGXFSZ on Windows")
def test_a_kill_during_the_backup_leaves_no_partial_backup(project, next_version):
    fill(project, 3000)
    project.close()
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_BACKUP, str(project.folder)])
    assert killed.returncode == -signal.SIGXFSZ
    place = project.folder / RESTORE_FOLDER
    assert list(place.glob("*.sqlite")) == []
    assert list(place.iterdir()) != [], "it was killed before it wrote anything"

    @next_version()
    def second_step(db):
        db.conn.execute("ALTER TABLE image ADD COLUMN note TEXT NOT NULL DEFAULT ''")

    Project.open(project.folder).close()
    (point,) = list_points(project.folder)
    assert point.images == 3000
    assert list(place.iterdir()) == [point.file]


def test_a_step_that_fails_changes_nothing(project, next_version):
    fill(project, 3)
    project.close()

    @next_version()
    def broken_step(db):
        db.conn.execute("DROP TABLE annotation")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Project.open(project.folder)
    next_version._migrations.pop()
    again = Project.open(project.folder)
    assert again.images.count() == 3
    assert again.labels.history(1) == []
    again.close()


def test_only_the_thread_that_opened_it_may_use_a_project(project):
    caught = []

    def other():
        try:
            project.images.count()
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert "only be used by the thread that opened it" in caught[0]


def test_a_job_reads_the_project_as_it_was_when_it_began_and_changes_nothing(project):
    ids = fill(project, 6)
    reported = []

    def look():
        with Project.reading(project.folder) as seen:
            reported.append(seen.labels.of_images(ids, "view"))
            begun.set()
            assert edited.wait(10)
            reported.append(seen.labels.of_images(ids, "view"))
            with pytest.raises(sqlite3.OperationalError, match="readonly"), seen.edit("No"):
                seen.labels.assign(ids, "view", "back")
            reported.append("refused")

    begun, edited = threading.Event(), threading.Event()
    thread = threading.Thread(target=look)
    thread.start()
    assert begun.wait(10)
    with project.edit("Views"):
        project.labels.assign(ids, "view", "left")
    edited.set()
    thread.join()
    assert reported == [{}, {}, "refused"]
    with Project.reading(project.folder) as seen:
        assert set(seen.labels.of_images(ids, "view").values()) == {("left",)}
    assert (project.folder / LOCK_FILE).exists(), "whoever looks does not let go for its owner"
    assert project.history.undo()[0] == "Views"


def test_a_project_of_any_name_can_be_read(tmp_path):
    made = Project.create(tmp_path / "50 % #1? 数据")
    with Project.reading(made.folder) as seen:
        assert seen.labels.sets() == made.labels.sets()
    made.close()


def test_a_failed_read_is_reported(tmp_path):
    with pytest.raises(KnownError, match="cannot be opened"), Project.reading(tmp_path / "gone"):
        pass


def test_settings_and_thumbnails_are_kept(project):
    assert project.settings.get("sort", "name") == "name"
    for number in range(4):
        project.settings.push("newest", number, 3)
    assert project.settings.get("newest") == [3, 2, 1]
    project.settings.put("sort", {"by": "name", "down": True})
    project.thumbnails.put({"a": b"1", "b": b"2"})
    project.close()
    again = Project.open(project.folder)
    assert again.settings.get("sort") == {"by": "name", "down": True}
    assert again.thumbnails.get(["b", "c"]) == {"b": b"2"}
    assert again.history.undo_text() is None
    again.close()
    (project.folder / "thumbnails.sqlite").write_bytes(b"damaged" * 1000)
    again = Project.open(project.folder)
    assert again.thumbnails.get(["b"]) == {}
    again.close()


KILLED = """
import sys, pathlib, itertools
from workbench.storage.project import Project
project = Project.open(pathlib.Path(sys.argv[1]))
views = project.labels.get("view").names
for press in itertools.count():
    with project.edit(f"Label {press}"):
        project.labels.assign([press % 40 + 1], "view", views[(press // 40 + press) % 4])
    sys.stdout.write(f"{press}\\n")
    sys.stdout.flush()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("presses", [1, 60, 150])
def test_a_kill_while_labelling_loses_at_most_the_last_key_press(project, presses):
    fill(project, 40)
    project.close()
    words = [sys.executable, "-c", KILLED, str(project.folder)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    messages = [child.stdout.readline() for _ in range(presses)]
    os.kill(child.pid, signal.SIGKILL)
    messages += child.stdout.readlines()  # what it had printed before it died
    child.wait()
    child.stdout.close()
    assert (project.folder / LOCK_FILE).exists()
    last = int([line for line in messages if line.endswith("\n")][-1])
    again = Project.open(project.folder)
    kept = int(again.history.undo_text().removeprefix("Label "))
    assert kept in (last, last + 1)
    assert again._db.value("PRAGMA integrity_check") == "ok"
    views = again.labels.get("view").names
    expected = {p % 40 + 1: (views[(p // 40 + p) % 4],) for p in range(kept + 1)}
    assert again.labels.of_images(range(1, 41), "view") == expected
    for _ in range(kept + 1):
        again.history.undo()
    assert again.labels.counts("view")[""] == 40
    again.close()


def test_a_full_disk_is_reported_and_loses_nothing(project):
    fill(project, 3)
    pages = project._db.value("PRAGMA page_count")
    project._db.run(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(KnownError, match="the disk is full"):
        fill(project, 20_000)
    project._db.run("PRAGMA max_page_count = 1000000")
    assert project.images.count() == 3
    fill(project, 5)
    assert project.images.count() == 5
