"""The dialog of versions: creating, comparing, going back, showing and saving what differs."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from tests.fixtures.stored_images import fill
from workbench.app.jobs import Task
from workbench.app.labels.labelling import assign
from workbench.domain.errors import KnownError
from workbench.domain.images import FoundImage
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.text import Message
from workbench.storage.project import Project
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
    answer(monkeypatch, "QFileDialog.getSaveFileName", (str(tmp_path / "changes"), ""))
    dialog.save_button.click()
    path = tmp_path / "changes.csv"
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    assert dialog.summary.text() == f"{path} saved."
    dialog.images_button.click()
    assert not dialog.isVisible()
    assert window.current_page().list.ids.tolist() == ids[1:3]


def test_the_table_has_the_first_differences_and_the_file_all(
    dialog, session, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setattr("workbench.ui.dialogs.versions.SHOWN", 2)
    create(qtbot, dialog, "good")
    assign(session, session.images.ids(), "view", "front")
    dialog.compare()
    idle(qtbot, dialog)
    assert len(dialog.table.cells()) == 2
    assert dialog.summary.text().endswith("The table has the first 2.")
    path = tmp_path / "all.csv"
    answer(monkeypatch, "QFileDialog.getSaveFileName", (str(path), ""))
    dialog.save_button.click()
    assert len(path.read_text(encoding="utf-8").splitlines()) == 5


def choose(dialog, subject, difference):
    """Choose a kind of difference in the list beside *Compare with*."""
    at = [dialog.kinds.itemText(n).split(":")[0] for n in range(dialog.kinds.count())]
    dialog.kinds.setCurrentIndex(at.index(f"{subject} {difference}"))
    dialog.kinds.activated.emit(dialog.kinds.currentIndex())


def test_differences_of_one_kind_lead_to_their_images(dialog, window, session, qtbot):
    create(qtbot, dialog, "good")
    ids = session.images.ids().tolist()
    assign(session, ids[:3], "view", "front")
    session.remove_images(ids[:1])
    dialog.compare()
    idle(qtbot, dialog)
    assert len(dialog.shown_changes()) == 3
    choose(dialog, "image", "removed")
    assert [row[:2] for row in dialog.table.cells()] == [["a/image 0.jpg", "image removed"]]
    dialog.images_button.click()
    assert dialog.isVisible()
    assert "None of these images" in dialog.summary.text()
    dialog.table.selectRow(0)
    QTest.keyClick(dialog.table, Qt.Key.Key_Return)
    assert dialog.summary.text() == "This image is not in the project now."
    assert dialog.isVisible()
    choose(dialog, "label", "added")
    dialog.table.setFocus()
    dialog.table.selectRow(1)
    QTest.keyClick(dialog.table, Qt.Key.Key_Return)
    assert not dialog.isVisible()
    page = window.current_page()
    assert page.list.ids.tolist() == ids[1:3]
    assert page.grid.current() == ids[2]


def test_differences_show_the_thumbnails_of_their_images(tmp_path, session, qtbot):
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((30, 40, 3), (0, 0, 255), np.uint8))
    with session.edit("Import"):
        source = session.store.images.add_source(str(tmp_path))
        found = FoundImage("red.png", "hash", 40, 30, path.stat().st_size, path.stat().st_mtime)
        ids = session.store.images.add(source, [found])
    window = MainWindow(session)
    qtbot.addWidget(window)
    dialog = VersionsDialog(window.context, window)
    dialog.show()
    create(qtbot, dialog, "good")
    assign(session, ids, "view", "front")
    dialog.compare()
    idle(qtbot, dialog)
    index = dialog.table.model().index(0, 0)
    qtbot.waitUntil(lambda: dialog.table.loader.get(ids[0]) is not None)
    shown = dialog.table.grab().toImage()
    rect = dialog.table.visualRect(index)
    middle = dialog.table.viewport().mapTo(dialog.table, rect.topLeft())
    at = [shown.pixelColor(middle.x() + 24, middle.y() + y) for y in range(rect.height())]
    assert any(colour.red() > 200 and colour.green() < 60 for colour in at)
    dialog.close()
    window.close()


def answer(monkeypatch, kind, reply):
    monkeypatch.setattr(f"workbench.ui.dialogs.versions.{kind}", lambda *_, **__: reply)


def test_a_version_is_renamed_and_deleted(dialog, session, qtbot, monkeypatch):
    for name in ("one", "two"):
        create(qtbot, dialog, name)
    dialog.versions.selectRow(1)
    idle(qtbot, dialog)
    answer(monkeypatch, "QInputDialog.getText", (" 第一版  a ", True))
    dialog.rename_button.click()
    assert [row[0] for row in dialog.versions.cells()] == ["two", "第一版 a"]
    assert dialog.selected().name == "第一版 a"
    answer(monkeypatch, "QInputDialog.getText", ("two", True))
    dialog.rename_button.click()
    assert "already a version “two”" in dialog.summary.text()
    answer(monkeypatch, "QMessageBox.question", QMessageBox.StandardButton.Cancel)
    dialog.delete_button.click()
    assert len(dialog.versions.cells()) == 2
    answer(monkeypatch, "QMessageBox.question", QMessageBox.StandardButton.Discard)
    dialog.delete_button.click()
    assert [row[0] for row in dialog.versions.cells()] == ["two"]
    dialog.delete_button.click()
    assert not dialog.versions.isVisible()
    assert "No versions yet" in dialog.summary.text()


def test_why_the_version_of_a_run_is_not_deleted_is_shown(dialog, session, qtbot, monkeypatch):
    create(qtbot, dialog, "good")
    labels = RunLabels(LabelList("category", ("owl",), (0,)), None)
    run = RunRecord("r", "first", RunStatus.FINISHED, "category", "", labels, 1.0, version="good")
    session.store.runs.create(run)
    answer(monkeypatch, "QMessageBox.question", QMessageBox.StandardButton.Discard)
    dialog.delete_button.click()
    assert "the run “first” was trained on it" in dialog.summary.text()
    assert len(dialog.versions.cells()) == 1


def test_the_window_goes_on_while_it_goes_back_and_other_edits_wait(
    dialog, window, session, qtbot, monkeypatch
):
    monkeypatch.setattr("workbench.storage.going_back.BATCH", 1)
    create(qtbot, dialog, "good")
    ids = session.images.ids()
    assign(session, ids, "view", "front")
    dialog.compare()
    idle(qtbot, dialog)
    shown, refused = [], []

    def look(job, report):
        """In the window's thread, between two steps of the job in its own."""
        assert threading.current_thread() is threading.main_thread()
        shown.append(dialog.summary.text())
        for change in (lambda: assign(session, ids[:1], "view", "back"), session.undo):
            with pytest.raises(KnownError) as error:
                change()
            refused.append(str(error.value))

    session.jobs.reported.connect(look)
    dialog.back_button.click()
    assert not dialog.back_button.isEnabled()
    idle(qtbot, dialog)
    assert "Going back… 3 of 4 images" in shown
    assert "while “Go back to version “good”” is running" in refused[0]
    assert session.labels.counts("view")["front"] == 0
    assign(session, ids[:1], "view", "back")
    assert session.labels.counts("view")["back"] == 1
    assert [session.undo(), session.undo()] == [
        "Label 1 image “back”",
        "Go back to version “good”",
    ]
    assert session.labels.counts("view")["front"] == 4


def test_closing_the_window_stops_going_back(dialog, window, session, qtbot, monkeypatch):
    monkeypatch.setattr("workbench.storage.going_back.BATCH", 1)
    create(qtbot, dialog, "good")
    assign(session, session.images.ids(), "view", "front")
    dialog.compare()
    idle(qtbot, dialog)
    session.jobs.reported.connect(lambda job, report: window.close())
    dialog.back_button.click()
    with qtbot.waitSignal(session.closed):
        pass
    with Project.reading(session.folder) as store:
        counts = store.labels.counts("view")["front"]
        assert (counts, str(store.history.undo_text())) in (
            (4, "Label 4 images “front”"),
            (0, "Go back to version “good”"),
        )


def test_nothing_goes_back_while_an_import_runs(dialog, session, qtbot):
    create(qtbot, dialog, "good")
    assign(session, session.images.ids(), "view", "front")
    dialog.compare()
    idle(qtbot, dialog)
    free = threading.Event()

    def work():
        while not free.is_set():
            free.wait(0.01)
            yield None

    job = session.start(Task(Message("Import birds"), work, kind="import"))
    dialog.back_button.click()
    assert "being changed by “Import birds”" in dialog.summary.text()
    free.set()
    job.settle()
    dialog.back_button.click()
    idle(qtbot, dialog)
    assert session.labels.counts("view")["front"] == 0


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
