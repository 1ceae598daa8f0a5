"""The name of the person who labels: chosen in a dialog, shown in the status bar, stored."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog

from workbench.app.labels.annotators import give_opinion
from workbench.app.labels.labelling import assign, edit_set
from workbench.domain.images import ImageFilter
from workbench.domain.labels import Label, LabelSet
from workbench.ui.dialogs.annotators import AnnotatorDialog, AnnotatorsDialog, system_name
from workbench.ui.parts.filter_bar import FilterBar, chips, from_state, to_state


@pytest.fixture
def while_open(qapp):
    """Do something in the dialog that opens next."""

    def planned(act):
        QTimer.singleShot(0, lambda: act(qapp.activeModalWidget()))

    return planned


def test_nothing_is_stored_until_a_name_is_chosen(window, birds):
    assert window.status.annotator.text() == "No annotator"
    assign(birds, [1], "view", "left")
    assert birds.annotators.names() == {}


def test_a_name_is_typed_shown_stored_and_remembered(qtbot, window, birds, while_open):
    def choose(dialog):
        qtbot.keyClicks(dialog.box, " Ann ")
        qtbot.keyClick(dialog.box, Qt.Key.Key_Return)

    while_open(choose)
    qtbot.mouseClick(window.status.annotator, Qt.MouseButton.LeftButton)
    assert window.status.annotator.text() == birds.annotator == window.settings.annotator == "Ann"
    assign(birds, [1], "view", "left")
    assert [one.annotator for one in birds.labels.history(1)] == ["", "Ann"]
    while_open(lambda dialog: (dialog.box.setCurrentText("Ben"), dialog.reject()))
    window.commands.trigger("annotator")
    assert birds.annotator == "Ann"
    while_open(lambda dialog: (dialog.box.clearEditText(), dialog.accept()))
    window.commands.trigger("annotator")
    assert (birds.annotator, window.settings.annotator) == ("", "")
    assert window.status.annotator.text() == "No annotator"


def test_known_names_and_the_users_are_offered(qtbot, session, monkeypatch):
    session.store.annotators.ensure("Zoe")
    session.store.annotators.ensure("ann")
    monkeypatch.setenv("LOGNAME", "me")
    dialog = AnnotatorDialog(session)
    qtbot.addWidget(dialog)
    box = dialog.box
    assert [box.itemText(at) for at in range(box.count())] == ["ann", "Zoe", "me"]
    assert dialog.name == ""
    box.setCurrentIndex(2)
    dialog.accept()
    assert (dialog.name, dialog.result()) == ("me", QDialog.DialogCode.Accepted)
    assert system_name() == "me"


def test_a_long_name_is_elided_in_the_status_bar(window, birds):
    birds.set_annotator("Hubert Blaine Wolfeschlegelsteinhausenbergerdorff")
    assert "…" in window.status.annotator.text()


def label(session, person, label, *images):
    session.set_annotator(person)
    assign(session, images, "view", label)


@pytest.fixture
def table(qtbot, birds, host):
    def opened():
        dialog = AnnotatorsDialog(host.context)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return opened


def test_a_project_without_names_shows_where_to_choose_one(table):
    dialog = table()
    assert dialog.people.cells() == []
    assert "Annotator…" in dialog.hint.text()
    assert not dialog.kappas.isVisible()
    assert not dialog.decide_button.isVisible()


def test_the_table_shows_people_and_the_images_of_one(table, birds, host):
    label(birds, "Zoe", "left", 1, 2, 3)
    label(birds, "Ann", "left", 3)
    dialog = table()
    assert [row[:4] for row in dialog.people.cells()] == [
        ["Ann", "1", "1", ""],
        ["Zoe", "3", "3", ""],
    ]
    dialog.people.picked.emit(1)
    assert host.went == [("images", {"filter": ImageFilter(annotator="Zoe")})]
    assert not dialog.isVisible()
    assert dialog.people.csv().startswith("Annotator,Labels,Images,")


def test_agreement_and_disagreements_of_a_set_are_shown_and_settled(qtbot, table, birds, host):
    label(birds, "Ann", "left", 1, 2, 3, 4)
    label(birds, "Ben", "right", 1, 2)
    label(birds, "Ben", "left", 3)
    give_opinion(birds, [4], "view", "right")
    give_opinion(birds, [4], "view", "left")
    dialog = table()
    assert dialog.sets.currentText() == "view"
    assert [row[:3] for row in dialog.kappas.cells()] == [
        ["Ann – Ben", "4", "25.0 %"],
        ["Ben, repeated", "1", "0.0 %"],
    ]
    assert dialog.title.text() == "3 disagreements"
    assert dialog.disputes.cells()[0][1:] == ["Ann: left, Ben: right", "right"]
    assert not dialog.decide_button.isEnabled()
    dialog.disputes.selectRow(0)
    dialog.disputes.picked.emit(0)
    assert [dialog.label.itemText(at) for at in range(3)] == ["right", "left", "front"]
    dialog.label.setCurrentText("left")
    dialog.decide_button.click()
    assert dialog.title.text() == "2 disagreements"
    assert not dialog.decide_button.isEnabled()
    counts = birds.labels.counts("view")
    assert (counts["left"], counts["right"]) == (3, 1)
    dialog.images_button.click()
    (page, shown) = host.went[0]
    assert (page, shown["filter"].ids, shown["filter"].ids_name) == (
        "images",
        (2, 4),
        "disagreements on view",
    )
    other = table()
    other.sets.setCurrentText("category")
    assert not other.kappas.isVisible()
    assert other.hint.isVisible()


def test_the_filter_bar_offers_those_who_labelled(qtbot, birds):
    bar = FilterBar(birds)
    qtbot.addWidget(bar)

    def people():
        bar.menu.aboutToShow.emit()
        (menu,) = [one.menu() for one in bar.menu.actions() if one.text() == "Labelled by"]
        return menu

    assert not people().isEnabled()
    label(birds, "Ann", "left", 1)
    (entry,) = people().actions()
    assert entry.text() == "Ann"
    entry.trigger()
    assert bar.filter == ImageFilter(annotator="Ann")
    assert from_state(to_state(bar.filter)) == bar.filter
    (chip,) = chips(bar.filter, {})
    assert (chip.text, chip.without) == ("labelled by Ann", ImageFilter())


def test_a_list_of_someones_images_follows_what_they_label(window, birds):
    page = window.page("images")
    window.go("images", filter=ImageFilter(annotator="Ann"))
    assert len(page.list.ids) == 0
    label(birds, "Ann", "left", 5)
    assert page.list.ids.tolist() == [5]
    label(birds, "Ben", "right", 5)
    assert page.list.ids.tolist() == [5]
    birds.undo()
    birds.undo()
    assert len(page.list.ids) == 0


def test_why_there_is_no_kappa_is_shown(table, birds):
    label(birds, "Ann", "left", 1, 2)
    label(birds, "Ben", "left", 1, 2)
    edit_set(birds, LabelSet("traits", (Label("red"),), exclusive=False), {})
    assign(birds, [1], "traits", "red")
    dialog = table()
    assert dialog.kappas.cells()[0][2:4] == ["100.0 %", ""]
    assert dialog.hint.isVisible()
    assert "undefined" in dialog.hint.text()
    dialog.sets.setCurrentText("traits")
    assert "several labels per image" in dialog.hint.text()
    assert dialog.hint.isVisible()
    assert not dialog.kappas.isVisible()
    assert not dialog.disputes.isVisible()
    label(birds, "Ben", "right", 1)
    assert "no width" in table().hint.text()
    label(birds, "Ann", "right", 1)
    assert not table().hint.isVisible()
