"""The editor of label sets: rows, drafts of several sets, and what it refuses."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QInputDialog, QMessageBox, QToolButton

from tests.fixtures.finished_runs import fill
from workbench.app.labels.labelling import assign, edit_set
from workbench.domain.labels import CAR_VIEWS, Label, LabelSet, Subject
from workbench.ui.dialogs.label_sets import LabelSetsDialog, LabelTable


@pytest.fixture
def table(qtbot):
    made = LabelTable()
    qtbot.addWidget(made)
    made.show_labels(CAR_VIEWS, {})
    made.show()
    return made


def names(table):
    return [label.name for label in table.labels()]


def test_rows_show_names_keys_and_mirrors(table):
    assert table.labels() == CAR_VIEWS.labels
    assert table.renamed() == {}
    assert [table.item(row, 1).text() for row in range(4)] == [
        label.key for label in CAR_VIEWS.labels
    ]
    boxes = [table.cellWidget(row, 2) for row in range(4)]
    assert [box.currentText() for box in boxes] == ["Unchanged", "Unchanged", "right", "left"]
    assert [boxes[0].itemText(at) for at in range(boxes[0].count())] == [
        "Unchanged",
        "back",
        "left",
        "right",
    ]


def test_keys_are_one_capital_letter(table):
    table.item(0, 1).setText(" xy")
    assert table.item(0, 1).text() == "X"
    table.item(0, 0).setText("lower case")
    assert table.item(0, 0).text() == "lower case"
    assert table.cellWidget(1, 2).findText("lower case") > 0


def test_old_names_follow_rows_that_are_renamed_and_moved(table):
    table.item(1, 0).setText("rear")
    table.setCurrentCell(1, 0)
    table.shift(-1)
    assert (table.currentRow(), table.currentColumn()) == (0, 0)
    assert names(table) == ["rear", "front", "left", "right"]
    assert table.renamed() == {"back": "rear"}
    table.shift(-1)
    assert names(table) == ["rear", "front", "left", "right"]
    table.setCurrentCell(3, 0)
    table.shift(1)
    assert names(table) == ["rear", "front", "left", "right"]
    table.setCurrentCell(0, 0)
    table.remove()
    assert table.renamed() == {}
    assert names(table) == ["front", "left", "right"]
    table.setCurrentCell(-1, -1)
    table.shift(1)
    assert names(table) == ["front", "left", "right"]


def test_names_given_before_count_as_renamed(qtbot):
    made = LabelTable()
    qtbot.addWidget(made)
    made.show_labels(CAR_VIEWS, {"nose": "front"})
    assert made.renamed() == {"nose": "front"}


def test_buttons_add_remove_and_move_rows(qtbot, table):
    line = table.buttons()
    qtbot.addWidget(line)
    add, remove, up, down = line.findChildren(QToolButton)
    add.click()
    assert (table.currentRow(), table.rowCount()) == (4, 5)
    assert table.state() == LabelTable.State.EditingState
    qtbot.keyClicks(table.focusWidget() or table.viewport(), "top")
    table.setCurrentCell(0, 0)
    table.item(4, 0).setText("top")
    assert names(table) == ["front", "back", "left", "right", "top"]
    assert table.renamed() == {}, "a new row has no old name"
    table.setCurrentCell(4, 0)
    up.click()
    assert names(table) == ["front", "back", "left", "top", "right"]
    down.click()
    down.click()
    assert names(table) == ["front", "back", "left", "right", "top"]
    table.setCurrentCell(2, 0)
    remove.click()
    assert names(table) == ["front", "back", "right", "top"]
    assert {label.mirror for label in table.labels()} == {""}


@pytest.fixture
def session(session, tmp_path):
    fill(session.store, tmp_path / "photos")
    return session


@pytest.fixture
def dialog(qtbot, session):
    def opened(chosen="view"):
        made = LabelSetsDialog(session, chosen)
        qtbot.addWidget(made)
        made.show()
        return made

    return opened


def current(dialog):
    return dialog.sets.currentItem().text()


def test_the_chosen_set_is_shown_or_else_the_first(dialog):
    assert current(dialog("category")) == "category"
    made = dialog("unknown")
    assert current(made) == made.sets.item(0).text()


def test_what_can_be_changed_depends_on_the_set(dialog, session):
    edit_set(session, LabelSet("colour", (Label("red"),), exclusive=False), {})
    made = dialog("view")
    assert made.presets.isVisible()
    assert made.exclusive.isChecked()
    for widget in (made.exclusive, made.subject):
        assert not widget.isEnabled()
    assert not made.remove_button.isVisible()
    made.add_set("colour")
    assert current(made) == "colour"
    assert made.sets.count() == len(session.labels.sets())
    assert not made.presets.isVisible()
    assert not made.exclusive.isChecked()
    assert made.exclusive.isEnabled()
    assert not made.subject.isEnabled(), "it may have labels"
    assert made.remove_button.isVisible()
    made.add_set("new")
    assert made.subject.isEnabled()
    made.subject.setCurrentIndex(made.subject.findData(Subject.CROP))
    made.save()
    assert session.labels.sets()["new"].subject is Subject.CROP


def test_drafts_of_other_sets_are_kept_until_saved(dialog, session):
    made = dialog("view")
    made.table.item(0, 0).setText("nose")
    made.sets.setCurrentRow([made.sets.item(at).text() for at in range(3)].index("category"))
    made.table.item(0, 0).setText("screech owl")
    made.add_set("view")
    assert made.table.item(0, 0).text() == "nose"
    assert session.labels.sets()["view"].names[0] == "front"
    made.save()
    assert made.result() == QDialog.DialogCode.Accepted
    sets = session.labels.sets()
    assert (sets["view"].names[0], sets["category"].names[0]) == ("nose", "screech owl")
    image = int(session.store.images.ids()[0])
    assert session.store.labels.of_images([image], "view") == {image: ("nose",)}


def test_saving_without_changes_is_no_edit(dialog, session):
    before = session.history.undo_text()
    made = dialog("view")
    made.sets.setCurrentRow(0)
    made.save()
    assert session.history.undo_text() == before


def test_a_problem_is_shown_and_nothing_is_saved(dialog, session, answer):
    made = dialog("view")
    made.table.item(1, 0).setText("front")
    answer("Cancel")
    made.save()
    assert made.problem.text()
    assert made.isVisible()
    made.table.item(1, 0).setText("rear")
    made.save()
    assert made.problem.text() == ""
    assert session.labels.sets()["view"].names[1] == "rear"


def test_a_set_is_removed_when_the_dialog_is_saved(dialog, session, qtbot):
    edit_set(session, LabelSet("colour", (Label("red"),)), {})
    image = int(session.store.images.ids()[0])
    assign(session, [image], "colour", "red")
    made = dialog("colour")
    qtbot.mouseClick(made.remove_button, Qt.MouseButton.LeftButton)
    assert "colour" in session.labels.sets()
    assert not made.sets.findItems("colour", Qt.MatchFlag.MatchExactly)
    made.save()
    assert "colour" not in session.labels.sets()


@pytest.mark.parametrize(
    ("typed", "accepted", "added"),
    [(" size ", True, True), (" ", True, False), ("x", False, False)],
)
def test_a_new_set_gets_the_name_that_is_typed(
    dialog, session, monkeypatch, typed, accepted, added
):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: (typed, accepted))
    made = dialog("view")
    count = made.sets.count()
    made.new_button.click()
    assert made.sets.count() == count + added
    assert current(made) == ("size" if added else "view")


def test_a_preset_replaces_the_views_and_the_list_goes_back_to_its_title(dialog):
    made = dialog("view")
    made.presets.setCurrentIndex(2)
    made.presets.activated.emit(2)
    assert names(made.table) == ["front", "left", "right", "others"]
    assert made.presets.currentIndex() == 0
    made.presets.activated.emit(0)
    assert names(made.table) == ["front", "left", "right", "others"]


@pytest.fixture
def answer(qapp):
    """Click a button of the next question; what it showed is listed."""
    shown = []

    def given(button):
        def click():
            (question,) = (one for one in qapp.topLevelWidgets() if _asks(one))
            shown.append((question.text(), question.informativeText()))
            next(one for one in question.buttons() if one.text().strip("&") == button).click()

        QTimer.singleShot(0, click)
        return shown

    return given


def _asks(widget):
    return isinstance(widget, QMessageBox) and widget.isVisible()


def test_renaming_to_an_existing_label_offers_to_merge(qtbot, dialog, session, answer):
    edit_set(session, LabelSet("view", tuple(map(Label, "abc", "XYZ", ("", "c", "b")))), {})
    ids = session.images.ids()
    assign(session, ids[:3], "view", "a")
    assign(session, ids[3:5], "view", "b")
    shown = dialog()
    shown.table.item(1, 0).setText("a")
    questions = answer("Cancel")
    shown.save()
    assert shown.isVisible()
    assert shown.problem.text().startswith("“view” has two labels “a”.")
    answer("Merge")
    shown.save()
    assert (
        questions
        == [
            ("“a” exists. Merge “b” into it?", "2 images get “a”. You can undo this."),
        ]
        * 2
    )
    assert not shown.isVisible()
    assert session.labels.counts("view") == {"a": 5, "c": 0, "": 25}
    assert session.labels.get("view").labels == (Label("a", "X", "c"), Label("c", "Z", "a"))
    session.undo()
    counts = session.labels.counts("view")
    assert (counts["a"], counts["b"]) == (3, 2)


def test_a_merge_stays_in_the_draft_of_its_set(dialog, session, answer):
    edit_set(session, LabelSet("view", tuple(map(Label, "abc"))), {})
    assign(session, [1], "view", "a")
    assign(session, [2], "view", "b")
    shown = dialog()
    shown.table.item(1, 0).setText("a")
    answer("Merge")
    shown.sets.setCurrentRow(0)
    shown.sets.setCurrentRow(1)
    assert names(shown.table) == ["a", "c"]
    shown.table.item(0, 0).setText("z")
    shown.sets.setCurrentRow(0)
    shown.save()
    assert session.labels.counts("view") == {"z": 2, "c": 0, "": 28}


def test_two_labels_renamed_alike_become_one(dialog, session, answer):
    edit_set(session, LabelSet("view", tuple(map(Label, "abc"))), {})
    assign(session, [1], "view", "a")
    assign(session, [2], "view", "b")
    shown = dialog()
    shown.table.item(0, 0).setText("z")
    shown.table.item(1, 0).setText("z")
    answer("Merge")
    shown.save()
    assert session.labels.counts("view") == {"z": 2, "c": 0, "": 28}


def test_a_deleted_name_does_not_clear_the_label(dialog, session):
    images = session.images.ids()
    before = session.labels.counts("view")
    made = dialog("view")
    made.table.item(0, 0).setText(" \u200b")
    made.save()
    assert made.isVisible()
    assert "The label “front” needs a name" in made.problem.text()
    assert session.labels.counts("view") == before
    assert len(images)


def test_a_set_typed_in_another_spelling_is_shown_and_keeps_its_labels(dialog, session):
    before = session.labels.counts("view")
    made = dialog("category")
    made.add_set("vi\u200bew ")
    assert current(made) == "view"
    made.save()
    assert session.labels.counts("view") == before


def test_a_new_name_that_differs_from_another_in_case_alone_is_noted(dialog, session):
    made = dialog("view")
    row = names(made.table).index("left")
    made.table.item(row, 0).setText("RIGHT")
    made.save()
    (note,) = made.notes
    assert "“RIGHT” of view, beside “right”" in note
    assert {"RIGHT", "right"} <= set(session.labels.get("view").names)
    again = dialog("view")
    again.table.item(row, 0).setText("left")
    again.save()
    last = dialog("view")
    last.table.item(row, 0).setText("Left")
    last.save()
    assert again.notes == last.notes == []
