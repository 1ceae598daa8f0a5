"""The program around the window: welcome, opening, switching, and uncaught errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.app.test_adopting import sample, started, write_folder
from tests.fixtures.finished_runs import epoch
from tests.fixtures.stored_images import fill
from workbench.app.labels.labelling import assign
from workbench.app.settings import UserSettings
from workbench.app.training.adopting import adopt
from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE, DamagedProject, PointKind
from workbench.domain.runs import CHECKPOINT_FILE
from workbench.storage.project import Project
from workbench.storage.restore_points import list_points, make_point
from workbench.ui import application
from workbench.ui.application import Workbench, run_window
from workbench.ui.dialogs.restoring import RestoreDialog


@pytest.fixture
def settings(tmp_path):
    return UserSettings(tmp_path / "settings.json")


@pytest.fixture
def workbench(qapp, settings, qtbot):
    made = Workbench(settings)
    yield made
    for window in (made.window, made.welcome):
        if window is not None:
            window.close()
            window.deleteLater()


def make(folder):
    project = Project.create(folder)
    project.close()
    return project.folder


def test_the_welcome_window_lists_projects_and_opens_them(workbench, settings, tmp_path):
    folder = make(tmp_path / "birds")
    settings.remember(folder)
    workbench.show_welcome()
    lines = workbench.welcome.findChildren(type(workbench.welcome.new_button))
    entry = next(line for line in lines if line.toolTip() == str(folder))
    entry.click()
    assert workbench.window is not None
    assert workbench.welcome is None
    assert workbench.window.windowTitle().startswith("birds")


def test_another_project_replaces_the_open_one(workbench, tmp_path, qtbot):
    one, two = make(tmp_path / "one"), make(tmp_path / "two")
    assert workbench.open(one)
    workbench.window.open_recent(two)
    qtbot.waitUntil(lambda: workbench.window.session.store.folder == two)
    assert Project.open(one).close() is None
    assert [path.name for path in workbench.settings.recent] == ["two.workbench", "one.workbench"]


@pytest.mark.parametrize("given", ["birds", "birds/", "birds.workbench/runs"])
def test_a_project_is_opened_by_every_way_to_name_it(workbench, tmp_path, monkeypatch, given):
    folder = make(tmp_path / "birds")
    (folder / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert workbench.open(Path(given))
    assert workbench.window.session.store.folder == folder


def test_a_new_project_is_made_and_opened(workbench, tmp_path):
    assert workbench.switch(tmp_path / "fresh", True)
    assert workbench.window.session.store.folder == tmp_path / "fresh.workbench"


def test_a_project_that_cannot_be_opened_is_reported_and_the_open_one_stays(workbench, tmp_path):
    assert workbench.open(make(tmp_path / "one"))
    before = workbench.window
    assert not workbench.open(tmp_path / "nowhere.workbench")
    assert workbench.window is before
    assert "is not a project" in before.notes.texts()[0]


def test_an_uncaught_error_becomes_a_report_and_a_known_one_a_notification(
    workbench, tmp_path, capsys
):
    workbench.open(make(tmp_path / "one"))
    known = KnownError("The disk is full.", "Make room.")
    workbench.report(KnownError, known, None)
    assert workbench.window.notes.texts() == ["The disk is full. Make room."]
    workbench.report(ValueError, ValueError("an internal error"), None)
    reports = [c for c in workbench.window.children() if hasattr(c, "copy_button")]
    assert "an internal error" in reports[0].text.toPlainText()
    assert "an internal error" in capsys.readouterr().err
    reports[0].close()


def test_the_program_starts_on_a_project_and_ends_with_its_window(
    tmp_path, qapp, monkeypatch, settings
):
    folder = make(tmp_path / "one")
    monkeypatch.setattr(UserSettings, "of_user", staticmethod(lambda: settings))
    seen = []

    def run() -> int:
        windows = [
            w for w in QApplication.topLevelWidgets() if hasattr(w, "session") and w.isVisible()
        ]
        seen.append((windows[0].session.store.folder, sys.excepthook.__name__))
        windows[0].close()
        return 0

    monkeypatch.setattr(application.QApplication, "exec", staticmethod(run))
    before = sys.excepthook
    assert run_window(folder) == 0
    assert seen == [(folder, "report")]
    assert sys.excepthook is before


def test_a_damaged_project_is_restored_from_the_list_and_opened(workbench, tmp_path, qtbot):
    project = Project.create(tmp_path / "one")
    fill(project, 30)
    project.close()
    point = make_point(project.folder, PointKind.DAILY)
    path = project.folder / DATABASE_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def choose():
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, RestoreDialog)
        assert [dialog.list.topLevelItem(0).text(at) for at in (1, 2)] == ["daily", "30"]
        assert dialog.points == [point]
        QTest.keyClick(dialog.list, Qt.Key.Key_Return)

    QTimer.singleShot(0, choose)
    assert workbench.open(project.folder)
    assert workbench.window.session.images.count() == 30


def test_a_damaged_project_without_points_is_explained_and_not_opened(workbench, tmp_path):
    folder = make(tmp_path / "one")
    (folder / DATABASE_FILE).write_bytes(b"no database" * 1000)
    seen = []

    def close():
        dialog = QApplication.activeModalWidget()
        seen.append((dialog.restore_button.isEnabled(), dialog.note.text()))
        dialog.reject()

    QTimer.singleShot(0, close)
    assert not workbench.open(folder)
    assert seen == [(False, "There are no restore points of this project.")]


def test_the_window_makes_one_restore_point_a_day(workbench, tmp_path, qtbot):
    folder = make(tmp_path / "one")
    assert workbench.open(folder)
    workbench.window.make_daily_restore_point()
    assert not workbench.window.session.jobs.jobs()  # there is nothing to keep
    fill(workbench.window.session.store, 3)
    workbench.window.make_daily_restore_point()
    qtbot.waitUntil(lambda: not workbench.window.session.jobs.jobs())
    (point,) = list_points(folder)
    assert (point.kind, point.images) == (PointKind.DAILY, 3)
    workbench.window.make_daily_restore_point()
    assert not workbench.window.session.jobs.jobs()


def opened(workbench, tmp_path, images=3):
    """The window of a project with a restore point, to which a label was added since."""
    folder = make(tmp_path / "one")
    assert workbench.open(folder)
    ids = fill(workbench.window.session.store, images)
    point = make_point(folder, PointKind.DAILY)
    assign(workbench.window.session, ids, "view", "front")
    return workbench.window, point


def in_dialog(then):
    """Call `then(dialog)` in the next dialog; return a list with its texts then."""
    seen = []

    def look():
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, RestoreDialog):
            QTimer.singleShot(0, look)
            return
        row = dialog.list.topLevelItem(0)
        seen.extend([row.text(at) for at in range(5)] if row is not None else [])
        seen.append(dialog.note.text())
        then(dialog)

    QTimer.singleShot(0, look)
    return seen


def test_an_open_project_is_restored_from_the_menu_and_opened_again(workbench, tmp_path, qtbot):
    window, _ = opened(workbench, tmp_path)
    seen = in_dialog(lambda dialog: dialog.restore_button.click())
    assert window.commands.trigger("restore_points")
    qtbot.waitUntil(lambda: workbench.window not in (None, window))
    assert seen[1:4] == ["daily", "3", "0"]
    assert "opened again" in seen[-1]
    session = workbench.window.session
    assert workbench.window.isVisible()
    assert session.labels.counts("view")["front"] == 0
    (kept, _) = list_points(session.folder)
    assert (kept.kind, kept.labels) == (PointKind.RESTORE, 3)
    seen = in_dialog(lambda dialog: dialog.restore_button.click())
    second = workbench.window
    second.commands.trigger("restore_points")
    qtbot.waitUntil(lambda: workbench.window not in (None, second))
    assert workbench.window.session.labels.counts("view")["front"] == 3


def test_runs_newer_than_the_restored_state_are_added_to_the_list_again(workbench, tmp_path, qtbot):
    window, _ = opened(workbench, tmp_path)
    for name in ("r1", "r2"):
        made = window.session.runs_folder / name
        write_folder(made, [sample(1, 0)], [started(0), epoch(1)])
        adopt(window.session, made, f"owls {name}")
    (made / CHECKPOINT_FILE).unlink()
    seen = in_dialog(lambda dialog: dialog.restore_button.click())
    assert window.commands.trigger("restore_points")
    qtbot.waitUntil(lambda: workbench.window not in (None, window))
    assert "2 runs are newer than this state" in seen[-1]
    qtbot.waitUntil(lambda: str(made) in "".join(workbench.window.notes.texts()))
    assert [run.name for run in workbench.window.session.runs.all()] == ["owls r1"]
    notes = workbench.window.notes.texts()
    assert "1 run newer than the restored state was added to the list again: owls r1." in notes


def test_a_project_stays_open_if_no_restore_point_is_chosen(workbench, tmp_path, qtbot):
    window, _ = opened(workbench, tmp_path)
    in_dialog(lambda dialog: dialog.reject())
    workbench.offer_points()
    assert workbench.window is window
    assert window.session.labels.counts("view")["front"] == 3


def test_a_project_is_opened_as_it_was_if_the_restore_point_is_damaged(workbench, tmp_path, qtbot):
    window, point = opened(workbench, tmp_path, images=300)
    data = bytearray(point.file.read_bytes())
    data[-9 * 4096 :] = b"\xff" * (9 * 4096)
    point.file.write_bytes(bytes(data))

    def restore(dialog):
        dialog.restore_button.click()
        qtbot.waitUntil(lambda: dialog.restore_button.isEnabled())
        assert "is damaged" in dialog.note.text()
        dialog.reject()

    in_dialog(restore)
    workbench.offer_points()
    assert workbench.window is not window
    assert workbench.window.session.labels.counts("view")["front"] == 300
    assert [one.kind for one in list_points(window.session.folder)] == [PointKind.DAILY]


def test_damage_that_is_found_in_an_open_project_leads_to_its_restore_points(
    workbench, tmp_path, qtbot
):
    window, _ = opened(workbench, tmp_path)
    workbench.show_error(DamagedProject(window.session.folder, "its database is damaged"))
    (card,) = window.notes._cards
    seen = in_dialog(lambda dialog: dialog.reject())
    card.show_button.click()
    qtbot.waitUntil(lambda: bool(seen))


def test_a_clock_that_was_set_back_makes_no_more_than_one_point_a_day(workbench, tmp_path, qtbot):
    window, point = opened(workbench, tmp_path)
    tomorrow = point.file.with_name("20990101-090000-daily.sqlite")
    point.file.rename(tomorrow)
    os.utime(tomorrow, (4e9, 4e9))
    for _ in range(2):
        window.make_daily_restore_point()
        qtbot.waitUntil(lambda: not window.session.jobs.jobs())
    assert [one.name for one in list_points(window.session.folder)] == [
        "20990101-090001-daily",
        "20990101-090000-daily",
    ]


PROGRAM = """
import pathlib, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from workbench.app.settings import UserSettings
from workbench.ui.application import run_window
from workbench.ui.dialogs.restoring import RestoreDialog
UserSettings.of_user = staticmethod(lambda: UserSettings(None))
application = QApplication([])

def windows():
    return [w for w in QApplication.topLevelWidgets() if hasattr(w, "session") and w.isVisible()]

def start():
    if not windows():
        QTimer.singleShot(0, start)
        return
    QTimer.singleShot(0, choose)
    windows()[0].commands.trigger("restore_points")

def choose():
    dialog = QApplication.activeModalWidget()
    if isinstance(dialog, RestoreDialog):
        dialog.restore_button.click()
        end(windows())
    else:
        QTimer.singleShot(0, choose)

def end(before, turns=100):
    now = windows()
    turns -= bool(now and now != before)  # turns of the event loop that the window has stayed
    if turns:
        QTimer.singleShot(0, lambda: end(before, turns))
        return
    print("images", now[0].session.images.count(), flush=True)
    now[0].close()

QTimer.singleShot(0, start)
print("ended", run_window(pathlib.Path(sys.argv[1])))
"""


def test_the_program_goes_on_after_the_restore_and_ends_with_its_window(tmp_path):
    project = Project.create(tmp_path / "one")
    fill(project, 3)
    make_point(project.folder, PointKind.DAILY)
    project.close()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(project.folder)], capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["images 3", "ended 0"], done.stderr
