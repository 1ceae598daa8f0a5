"""The window before a project is open: recent projects, its buttons, and dropped folders."""

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QPushButton, QToolButton

from workbench.app.settings import UserSettings
from workbench.ui.window.welcome import WelcomeWindow


@pytest.fixture
def welcome(qtbot, tmp_path):
    """The window with eight recent projects, p7 the latest."""
    settings = UserSettings(tmp_path / "settings.json")
    for number in range(8):
        folder = tmp_path / f"p{number}.workbench"
        folder.mkdir()
        settings.remember(folder)
    reported = []
    made = WelcomeWindow(
        settings, lambda: reported.append("new"), lambda: reported.append("open"), reported.append
    )
    made.reported = reported
    qtbot.addWidget(made)
    made.show()
    return made


def lines(welcome):
    """The buttons of recent projects that are seen, by the names of their projects."""
    entries = welcome.findChildren(QPushButton)
    return {one.folder.stem: one for one in entries if hasattr(one, "folder") and one.isVisible()}


def test_the_six_latest_projects_are_listed_and_open_at_a_click(qtbot, welcome):
    assert list(lines(welcome)) == ["p7", "p6", "p5", "p4", "p3", "p2"]
    tops = [line.mapTo(welcome, QPoint()).y() for line in lines(welcome).values()]
    assert tops == sorted(set(tops))
    qtbot.mouseClick(lines(welcome)["p5"], Qt.MouseButton.LeftButton)
    assert welcome.reported == [lines(welcome)["p5"].folder]


def test_a_project_removed_from_the_list_is_replaced_by_the_next_one(qtbot, welcome):
    assert welcome.heading.isVisible()
    folder = lines(welcome)["p6"].folder
    (away,) = lines(welcome)["p6"].parentWidget().findChildren(QToolButton)
    qtbot.mouseClick(away, Qt.MouseButton.LeftButton)
    assert "p6" not in lines(welcome)
    qtbot.waitUntil(lambda: "p1" in lines(welcome))
    assert list(lines(welcome)) == ["p7", "p5", "p4", "p3", "p2", "p1"]
    assert folder.is_dir()
    assert welcome.reported == []


def test_without_recent_projects_there_is_no_heading(qtbot, tmp_path):
    made = WelcomeWindow(UserSettings(tmp_path / "none.json"), list, list, print)
    qtbot.addWidget(made)
    made.show()
    assert not made.heading.isVisible()
    assert lines(made) == {}


def test_its_buttons_make_and_choose_a_project(qtbot, welcome):
    for button in (welcome.new_button, welcome.open_button):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert welcome.reported == ["new", "open"]


def drop(welcome, *urls):
    """Drag these over the window and let go; whether each of the two was accepted."""
    data = QMimeData()
    data.setUrls(list(urls))
    keys = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0))
    enter, dropped = QDragEnterEvent(QPoint(9, 9), *keys), QDropEvent(QPointF(9, 9), *keys)
    for event in (enter, dropped):
        event.ignore()
    welcome.dragEnterEvent(enter)
    welcome.dropEvent(dropped)
    return enter.isAccepted(), dropped.isAccepted()


def test_a_dropped_project_is_opened_and_other_things_are_not(welcome, tmp_path):
    file, folder = tmp_path / "file.workbench", tmp_path / "photos"
    file.write_bytes(b"")
    folder.mkdir()
    for other in (file, folder, tmp_path / "gone.workbench"):
        assert drop(welcome, QUrl.fromLocalFile(str(other))) == (False, False)
    assert drop(welcome, QUrl("https://example.org/p1.workbench")) == (False, False)
    assert welcome.reported == []
    both = [QUrl.fromLocalFile(str(path)) for path in (folder, tmp_path / "p1.workbench")]
    assert drop(welcome, *both) == (True, True)
    assert welcome.reported == [tmp_path / "p1.workbench"]
