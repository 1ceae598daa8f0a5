"""The dialog of versions: creating, comparing, going back, showing and saving what differs."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.fixtures.stored_images import fill
from workbench.app.labels.labelling import assign
from workbench.ui.dialogs.versions import VersionsDialog
from workbench.ui.window.window import MainWindow


@pytest.fixture
def window(session, qtbot):
    fill(session.store, 4)
    made = MainWindow(session)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


@pytest.fixture
def dialog(window, qtbot):
    made = VersionsDialog(window.context, window)
    made.show()
    yield made
    made.close()


def idle(qtbot, dialog):
    jobs = dialog._context.session.jobs
    qtbot.waitUntil(lambda: not [one for one in jobs.jobs() if one.task.kind == "version"])


def create(qtbot, dialog, name):
    dialog.name.setFocus()
    QTest.keyClicks(dialog.name, name)
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    idle(qtbot, dialog)


def test_a_version_is_created_with_the_keyboard_and_compared_with_the_project_now(
    dialog, session, qtbot
):
    assert "No versions yet" in dialog.summary.text()
    assert not dialog.create_button.isEnabled()
    dialog.note.setText("checked")
    create(qtbot, dialog, "good")
    assert dialog.isVisible()
    assert [row[:2] for row in dialog.versions.cells()] == [["good", "checked"]]
    assert dialog.summary.text() == "There are no differences."
    assert not dialog.back_button.isEnabled()
    assign(session, session.images.ids()[:2], "view", "front")
    create(qtbot, dialog, "better")
    dialog.versions.selectRow(1)
    idle(qtbot, dialog)
    assert dialog.selected().name == "good"
    assert dialog.table.cells() == [
        [f"a/image {number}.jpg", "label added", "view", "", "front", "by hand"]
        for number in (0, 1)
    ]
    assert dialog.summary.text() == "2 differences · label added: 2"
    dialog.other.setCurrentIndex(dialog.other.findData("better"))
    dialog.other.activated.emit(dialog.other.currentIndex())
    idle(qtbot, dialog)
    assert len(dialog.changes) == 2
    assert not dialog.back_button.isEnabled(), "only the project now can be changed"


def test_going_back_is_one_edit_that_is_undone(dialog, window, session, qtbot):
    create(qtbot, dialog, "good")
    assign(session, session.images.ids()[:2], "view", "front")
    dialog.compare()
    idle(qtbot, dialog)
    dialog.back_button.click()
    idle(qtbot, dialog)
    assert session.labels.counts("view")["front"] == 0
    assert any("Gone back to version “good”" in text for text in window.notes.texts())
    idle(qtbot, dialog)
    assert dialog.summary.text() == "There are no differences."
    window.undo()
    assert session.labels.counts("view")["front"] == 2


def test_what_differs_is_saved_and_shown(dialog, window, session, qtbot, tmp_path, monkeypatch):
    create(qtbot, dialog, "good")
    ids = session.images.ids().tolist()
    assign(session, ids[1:3], "view", "front")
    dialog.compare()
    idle(qtbot, dialog)
    path = tmp_path / "changes.csv"
    monkeypatch.setattr(
        "workbench.ui.dialogs.versions.QFileDialog.getSaveFileName", lambda *_: (str(path), "")
    )
    dialog.save_button.click()
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    dialog.images_button.click()
    assert not dialog.isVisible()
    assert window.current_page().list.ids.tolist() == ids[1:3]


def test_a_name_in_use_is_refused_in_words(dialog, qtbot):
    create(qtbot, dialog, "good")
    create(qtbot, dialog, "good")
    assert "already a version “good”" in dialog.summary.text()
    assert len(dialog.versions.cells()) == 1


def test_the_menu_opens_the_dialog(window, qtbot):
    seen = []

    def close():
        found = QApplication.activeModalWidget()
        seen.append(type(found))
        found.reject()

    QTimer.singleShot(0, close)
    assert window.commands.trigger("versions")
    assert seen == [VersionsDialog]
