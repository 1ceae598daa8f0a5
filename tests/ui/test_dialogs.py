"""Dialogs and parts of the window on a real project: imports, label files, keys, notifications."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QKeySequenceEdit, QMessageBox, QWidget

from tests.ui.conftest import write_photo
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.labels.label_overview import Coverage
from workbench.app.labels.labelling import assign
from workbench.domain.labels import CAR_VIEWS
from workbench.domain.reports import Epoch, Note, Progress, Started, Step
from workbench.formats import written_patterns
from workbench.ui.dialogs.doctor import DoctorDialog
from workbench.ui.dialogs.files import (
    ExportFolderDialog,
    choose_export_file,
    export_to,
    notify_of_missing_sources,
    relink,
    relink_missing_sources,
)
from workbench.ui.dialogs.importing import start_label_import
from workbench.ui.dialogs.keys import KeysDialog
from workbench.ui.dialogs.projects import choose_new_project, choose_project
from workbench.ui.pages.views.coverage import CoverageMatrix
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.job_line import JobState, clock, state_after
from workbench.ui.window.notifications import Notifications


def test_labels_are_exported_to_a_file_and_imported_again(window, qtbot, tmp_path):
    ids = window.session.store.images.ids()
    assign(window.session, ids[:5], "view", "left")
    file = tmp_path / "labels.csv"
    with qtbot.waitSignal(window.session.jobs.ended):
        assert export_to(window.context, file)
    assert window.notes.texts()[-1] == "29 labels exported to labels.csv."
    window.undo()
    assert window.session.store.labels.counts("view")["left"] == 0
    with qtbot.waitSignal(window.session.jobs.ended):
        start_label_import(window.context, window, file)
    assert "5 labels given; 24 labels as before" in window.notes.texts()[-1]
    assert window.session.store.labels.counts("view")["left"] == 5
    start_label_import(window.context, window, tmp_path / "nothing.csv")
    qtbot.waitUntil(lambda: "nothing.csv" in window.notes.texts()[-1])
    with qtbot.waitSignal(window.session.jobs.ended):
        export_to(window.context, tmp_path / "no folder" / "labels.csv")
    assert "no folder" in window.notes.texts()[-1]
    assert not export_to(window.context, tmp_path / "labels.docx")
    assert "labels.docx" in window.notes.texts()[-1]


def test_a_source_that_moved_is_reported_and_linked_again(window, qtbot, photos, tmp_path):
    relink_missing_sources(window.context, window)
    assert window.notes.texts()[-1] == "All sources are found."
    moved = Path(shutil.move(photos, tmp_path / "elsewhere"))
    notify_of_missing_sources(window.context)
    assert window.notes.texts()[-1].startswith("Not found: birds.")
    source = window.session.store.images.sources()[0]
    with qtbot.waitSignal(window.session.jobs.ended):
        relink(window.context, source, moved)
    assert window.session.store.images.sources()[0].path == str(moved)
    assert window.notes.texts()[-1] == f"birds re-linked to {moved}."


def test_three_sources_that_moved_are_named(host, tmp_path):
    store = host.context.session.store
    notify_of_missing_sources(host.context)
    assert host.messages == [], "nothing is shown while all are found"
    with store.edit("Import"):
        for name in ("owls", "egrets", "puffins", "terns"):
            store.images.add_source(str(tmp_path / name))
    notify_of_missing_sources(host.context)
    ((text, kind),) = host.messages
    named = text.removeprefix("Not found: ").split(".")[0].split(", ")
    assert len(named) == 3
    assert set(named) < {"owls", "egrets", "puffins", "terns"}
    assert kind == "warn"


def test_a_folder_is_chosen_for_each_source_that_moved(host, qtbot, tmp_path, monkeypatch):
    session = host.context.session
    for name in ("owls", "terns"):
        write_photo(tmp_path / "old" / name / "a.jpg", len(name))
    assert isinstance(
        run_here(import_task(session, [tmp_path / "old" / n for n in ("owls", "terns")])), Done
    )
    shutil.move(tmp_path / "old", tmp_path / "new")
    chosen = iter([str(tmp_path / "new" / "owls"), ""])
    titles = []

    def choose(_parent, title, _start):
        titles.append(title)
        return next(chosen)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    with qtbot.waitSignal(session.jobs.ended):
        relink_missing_sources(host.context, QWidget())
    assert titles == ["Where is owls now?", "Where is terns now?"]
    assert host.messages == [(f"owls re-linked to {tmp_path / 'new' / 'owls'}.", "info")]
    assert [Path(one.path).parent.name for one in session.store.images.sources()] == ["new", "old"]


@pytest.mark.parametrize(
    ("name", "chosen", "written"),
    [
        ("labels", "coco", b'"categories"'),
        ("labels.json", "coco", b'"categories"'),
        ("labels.json", "label-studio", b'"from_name"'),
        ("labels", "table", b"path"),
        ("labels.json", "table", b'"labels"'),  # the extension that was typed decides
    ],
)
def test_labels_are_exported_in_the_chosen_format(
    birds, host, qtbot, tmp_path, monkeypatch, name, chosen, written
):
    patterns = {name: pattern for pattern, (name, _) in reversed(written_patterns().items())}
    answer = (str(tmp_path / name), patterns[chosen])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    with qtbot.waitSignal(birds.jobs.ended):
        choose_export_file(host.context, QWidget())
    (file,) = [path for path in tmp_path.iterdir() if path.is_file()]
    assert file.suffix
    assert written in file.read_bytes()
    assert host.messages[-1][0].startswith(f"24 labels exported to {file.name}.")


def test_nothing_is_exported_without_a_chosen_file(host, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    choose_export_file(host.context, QWidget())
    assert host.messages == []


def test_a_dataset_folder_is_exported_in_its_dialog(birds, host, qtbot, tmp_path):
    dialog = ExportFolderDialog(host.context)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.format.setCurrentIndex(dialog.format.findData("imagefolder"))
    assert not dialog.label_set.isEnabled(), "the format has all label sets"
    dialog.format.setCurrentIndex(dialog.format.findData("voc"))
    assert dialog.label_set.isEnabled()
    dialog.folder.clear()
    assert not dialog.export.isEnabled()
    QTest.keyClicks(dialog.folder, str(tmp_path))
    QTest.keyClick(dialog.folder, Qt.Key.Key_Return)
    assert dialog.isVisible(), "the folder is not empty"
    assert "not an empty folder" in host.messages[-1][0]
    QTest.keyClicks(dialog.folder, "/set")
    with qtbot.waitSignal(birds.jobs.ended):
        QTest.keyClick(dialog.folder, Qt.Key.Key_Return)
    assert not dialog.isVisible()
    assert len(list((tmp_path / "set").rglob("*.xml"))) == 24
    assert host.messages[-1][0].startswith("24 labels exported to set.")


def test_images_are_exported_with_their_labels_in_the_dialog(birds, host, qtbot, tmp_path):
    dialog = ExportFolderDialog(host.context)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.format.setCurrentIndex(dialog.format.findData("cub"))
    assert dialog.with_images.isEnabled()
    assert not dialog.with_images.isChecked()
    assert not dialog.copies.isEnabled()
    QTest.keyClick(dialog.with_images, Qt.Key.Key_Space)
    QTest.keyClick(dialog.copies, Qt.Key.Key_Down)
    dialog.format.setCurrentIndex(dialog.format.findData("folders"))
    assert not dialog.with_images.isEnabled(), "the format has no labels without images"
    assert dialog.with_images.isChecked()
    dialog.folder.setText(str(tmp_path / "set"))
    with qtbot.waitSignal(birds.jobs.ended):
        QTest.keyClick(dialog.folder, Qt.Key.Key_Return)
    copies = list((tmp_path / "set").rglob("*.jpg"))
    assert len(copies) == 24
    assert {copy.stat().st_nlink for copy in copies} == {2}, "they are hard links"
    assert host.messages[-1][0].startswith("24 labels exported to set.\n24 images copied.")


@pytest.mark.parametrize("replace", [True, False])
def test_a_file_that_the_file_dialog_has_not_seen_is_replaced_only_if_confirmed(
    birds, host, qtbot, tmp_path, monkeypatch, replace
):
    (tmp_path / "v1.2 labels.json").write_text("mine")
    answer = (str(tmp_path / "v1.2 labels"), next(iter(written_patterns())))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    buttons = QMessageBox.StandardButton
    texts = []
    monkeypatch.setattr(
        QMessageBox,
        "question",
        lambda *args: texts.append(args[2]) or (buttons.No, buttons.Yes)[replace],
    )
    choose_export_file(host.context, QWidget())
    qtbot.waitUntil(lambda: not birds.jobs.jobs())
    assert texts == ["v1.2 labels.json already exists. Replace it?"]
    assert ((tmp_path / "v1.2 labels.json").read_text() == "mine") is not replace


def test_the_folder_of_a_project_is_chosen_or_none(monkeypatch):
    for answer, folder in (("/a/new.workbench", Path("/a/new.workbench")), ("", None)):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, a=answer: (a, ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, a=answer: a)
        assert choose_new_project(QWidget()) == folder
        assert choose_project(QWidget()) == folder


def test_shortcuts_are_changed_in_the_dialog_and_conflicts_are_refused(window, qtbot):
    dialog = KeysDialog(window.commands, window.settings, window)
    qtbot.addWidget(dialog)
    rows = {dialog.table.item(r, 1).text(): r for r in range(dialog.table.rowCount())}

    def set_shortcut(title, key):
        edit = dialog.table.cellWidget(rows[title], 2)
        assert isinstance(edit, QKeySequenceEdit)
        edit.setKeySequence(QKeySequence(key))
        edit.editingFinished.emit()

    set_shortcut("Undo", "Ctrl+U")
    assert window.settings.keys == {"undo": "Ctrl+U"}
    set_shortcut("Redo", "Ctrl+U")
    assert dialog.problem.text() == "Ctrl+U is already the shortcut of “Undo”."
    assert window.settings.keys == {"undo": "Ctrl+U"}
    set_shortcut("Undo", "")
    assert window.settings.keys == {}
    image = int(window.session.store.images.ids()[0])
    assign(window.session, [image], "view", "left")
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.session.store.labels.of_images([image], "view") == {}
    dialog.field.setText("undo")
    shown = [r for r in range(dialog.table.rowCount()) if not dialog.table.isRowHidden(r)]
    assert shown == [rows["Undo"]]


def test_commands_of_two_pages_with_one_title_have_separate_shortcuts(window, qtbot):
    window.make_all_pages()
    dialog = KeysDialog(window.commands, window.settings, window)
    qtbot.addWidget(dialog)
    table = dialog.table
    rows = [r for r in range(table.rowCount()) if table.item(r, 1).text() == "Find similar"]
    assert [table.item(r, 0).text() for r in rows] == ["Images", "Views"]
    edit = table.cellWidget(rows[1], 2)
    edit.setKeySequence(QKeySequence("Ctrl+H"))
    edit.editingFinished.emit()
    assert window.settings.keys == {"views.similar": "Ctrl+H"}
    edits = [table.cellWidget(r, 2).keySequence().toString() for r in rows]
    assert edits == ["Ctrl+J", "Ctrl+H"]


def test_the_computer_is_checked_one_finding_at_a_time(window, qtbot):
    dialog = DoctorDialog(window.session, window)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: not dialog._remaining, timeout=20000)
    dialog.copy_button.click()
    assert "Vantage Workbench" in QApplication.clipboard().text()


@pytest.fixture
def matrix(qtbot):
    made = CoverageMatrix()
    qtbot.addWidget(made)
    made.resize(280, 200)
    counts = np.array([[3, 0, 12345, 1, 2], [0, 0, 0, 0, 0], [1, 1, 1, 1, 7]], np.int64)
    made.show_coverage(Coverage(("a", "b"), CAR_VIEWS.names, counts), CAR_VIEWS)
    made.show()
    return made


def test_cells_rows_and_columns_of_the_coverage_can_be_clicked(matrix, qtbot):
    chosen = []
    matrix.chosen.connect(lambda *what: chosen.append(what))

    def click(row, column):
        at = matrix.cell(row, column).center()
        qtbot.mouseClick(matrix.viewport(), Qt.MouseButton.LeftButton, pos=at)

    for cell in ((0, 0), (1, 2), (0, -1), (-1, 3), (2, 4)):
        click(*cell)
    assert chosen == [
        ("a", "front", 3),
        ("b", "left", 0),
        ("a", True, 1),
        (True, "right", 1),
        (None, None, 7),
    ]
    matrix.setFocus()
    qtbot.keyClick(matrix, Qt.Key.Key_Down)
    qtbot.keyClick(matrix, Qt.Key.Key_Return)
    assert chosen[-1] == ("b", "front", 0)
    qtbot.mouseMove(matrix.viewport(), matrix.cell(0, 2).center())
    matrix.grab()


def test_notifications_close_by_themselves_and_errors_stay(qtbot, monkeypatch):
    from workbench.ui.window import notifications

    monkeypatch.setitem(notifications.DURATIONS, "info", 30)
    over = QWidget()
    qtbot.addWidget(over)
    over.resize(600, 400)
    over.show()
    notes = Notifications(over)
    notes.post("imported", "info")
    notes.post("the disk is full", "bad")
    notes.post("the disk is full", "bad")
    assert notes.texts() == ["imported", "the disk is full"]
    assert over.rect().contains(notes.geometry())
    qtbot.waitUntil(lambda: notes.texts() == ["the disk is full"])
    over.resize(800, 300)
    assert over.rect().contains(notes.geometry())
    notes._cards[0].close_button.click()
    assert notes.isHidden()


def test_reports_become_states_of_a_job():
    state = state_after(Progress(done=5, total=20, eta=61.0), JobState())
    assert (state.fraction, state.text, state.eta) == (0.25, "5 of 20", 61.0)
    step = Step(
        epoch=3, epochs=4, step=5, steps=10, loss=1, learning_rate=1, images_per_second=1, eta=9
    )
    assert state_after(step, state).fraction == pytest.approx(0.625)
    assert state_after(step, state).text == "epoch 3/4"
    epoch = Epoch(
        epoch=4,
        epochs=4,
        train_loss=1,
        train_accuracy=1,
        learning_rate=1,
        images_per_second=1,
        seconds=1,
        eta=0,
    )
    assert state_after(epoch, state).fraction == 1.0
    began = Started(
        device="CPU, 2 cores",
        precision="fp32",
        batch=8,
        parameters=1,
        trained_parameters=1,
        images={},
    )
    assert state_after(began, state).text == "CPU, 2 cores"
    assert state_after(Note(text="x"), state) is state
    assert [clock(s) for s in (0, 48.4, 3723)] == ["0:00", "0:48", "1:02:03"]


def test_an_empty_page_shows_its_whole_sentence(qtbot):
    done = []
    page = EmptyState(
        "image",
        "A long sentence that says what to do next, and goes on for more than one line of text.",
        "Do it",
        lambda: done.append(1),
    )
    qtbot.addWidget(page)
    page.resize(360, 300)
    page.show()
    sentence = page.sentence
    assert sentence.height() >= sentence.heightForWidth(sentence.width())
    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert done == [1]
