"""The dialog that merges another project's labels: what it shows, and what each choice does."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer

from tests.fixtures.stored_images import fill
from workbench.app.labels.labelling import assign
from workbench.app.labels.merging import MergePlan, RenamedHere
from workbench.domain.labels import Author, Label, LabelSet
from workbench.storage.project import Project
from workbench.ui.dialogs import merging
from workbench.ui.dialogs.merging import (
    MergeDialog,
    Use,
    choose_and_merge,
    merge_with_dialog,
    summary_lines,
)


@pytest.fixture
def other(tmp_path):
    """Another project with the same images: one label is new, one equal, two differ."""
    store = Project.create(tmp_path / "Ben's birds")
    fill(store, 5)
    store.labels.annotator = "Ben"
    store.labels.assign([1, 2], "view", "left")
    store.labels.annotator = ""
    store.labels.assign([3], "view", "back", Author.IMPORT)
    store.labels.assign([4], "view", "back")
    store.close()
    return store.folder


@pytest.fixture
def mine(session):
    fill(session.store, 4)
    session.set_annotator("Ann")
    assign(session, [2, 3, 4], "view", "right")
    session.set_annotator("")
    assign(session, [2], "view", "left")
    assign(session, [2], "view", "right")
    return session


@pytest.fixture
def answering(qapp, qtbot):
    """Do something in the dialog that opens next, when it has read the other project."""

    def planned(act):
        def look():
            dialog = qapp.activeModalWidget()
            try:
                qtbot.waitUntil(lambda: dialog.plan is not None, timeout=20_000)
                act(dialog)
            finally:
                if dialog.isVisible():
                    dialog.reject()

        QTimer.singleShot(0, look)

    return planned


def views(session):
    return session.store.labels.of_images([1, 2, 3, 4], "view")


def test_what_will_happen_is_shown_and_each_conflict_is_chosen(mine, other, host, answering, qtbot):
    seen = []

    def choose(dialog):
        rows = [dialog.list.topLevelItem(at) for at in range(dialog.list.topLevelItemCount())]
        seen.extend([row.text(column) for column in range(4)] for row in rows)
        seen.append(dialog.summary.text().splitlines())
        qtbot.keyClick(dialog.list, Qt.Key.Key_Down)
        qtbot.keyClick(dialog.buttons[2], Qt.Key.Key_Space)
        qtbot.keyClick(dialog.list, Qt.Key.Key_Down)
        qtbot.keyClick(dialog.buttons[1], Qt.Key.Key_Space)
        assert [row.text(4) for row in rows] == ["Leave open", "Theirs", "Mine"]
        assert dialog.count.text() == "1 mine, 1 theirs, 1 left open"
        dialog.merge_button.click()

    answering(choose)
    merge_with_dialog(host.context, other, None)
    assert seen[:3] == [
        ["image 1.jpg", "view", "right (by hand)", "left (Ben)"],
        ["image 2.jpg", "view", "right (Ann)", "back (imported)"],
        ["image 3.jpg", "view", "right (Ann)", "back (by hand)"],
    ]
    assert seen[3] == [
        "4 images are in both projects.",
        "1 image of the other project is not in this one.",
        "1 label will be added.",
        "1 label of a person will be known as a second opinion.",
        "Splits, runs and images are not merged.",
        "3 labels differ. What is left open keeps your label and is listed as a disagreement.",
    ]
    assert views(mine) == {1: ("left",), 2: ("right",), 3: ("back",), 4: ("right",)}
    assert host.messages == [("2 labels merged.", "info")]
    mine.undo()
    assert views(mine) == {2: ("right",), 3: ("right",), 4: ("right",)}


def test_all_conflicts_are_chosen_at_once(mine, other, host, answering):
    def choose(dialog):
        dialog.list.clearSelection()
        dialog.buttons[1].click()
        assert len(dialog.chosen(Use.MINE)) == 3
        dialog.buttons[2].click()
        assert len(dialog.chosen(Use.THEIRS)) == 3
        dialog.accept()

    answering(choose)
    merge_with_dialog(host.context, other, None)
    assert views(mine) == {1: ("left",), 2: ("left",), 3: ("back",), 4: ("back",)}


def test_cancelling_changes_nothing(mine, other, host, answering):
    answering(lambda dialog: dialog.reject())
    before = views(mine)
    merge_with_dialog(host.context, other, None)
    assert views(mine) == before
    assert host.messages == []


def test_nothing_to_merge_cannot_be_merged(mine, tmp_path, host, answering):
    Project.create(tmp_path / "Empty").close()
    seen = []

    def look(dialog):
        seen.append((dialog.merge_button.isEnabled(), dialog.list.isVisible()))
        dialog.reject()

    answering(look)
    merge_with_dialog(host.context, tmp_path / "Empty.workbench", None)
    assert seen == [(False, False)]


def test_what_cannot_be_merged_is_reported(mine, host, tmp_path, monkeypatch):
    for chosen in (None, tmp_path / "nowhere", mine.folder):
        monkeypatch.setattr(merging, "choose_project", lambda _, chosen=chosen: chosen)
        choose_and_merge(host.context, None)
    assert [kind for _, kind in host.messages] == ["bad", "bad"]
    assert "is this project" in host.messages[1][0]


def test_the_dialog_is_a_command_of_the_file_menu(window):
    assert "merge" in {each.id for each in window.commands.shown(None)}


def test_spellings_are_listed_and_names_shown_as_they_are(mine, tmp_path, host, answering):
    store = Project.create(tmp_path / "Other")
    fill(store, 4)
    extra = tuple(Label(f"{name}") for name in ("Left", "<b>left</b>", *"abcdef"))
    store.labels.save_set(LabelSet("view", extra))
    mine.store.labels.save_set(LabelSet("view", (Label("left"), *map(Label, "ABCDEF"))))
    store.labels.assign([1], "view", "<b>left</b>")
    store.close()
    seen = []
    answering(lambda dialog: (seen.extend(dialog.summary.text().splitlines()), dialog.reject()))
    merge_with_dialog(host.context, store.folder, None)
    assert "“Left” will be a new label of “view”, beside “left”." in seen
    assert "2 more new spellings of names." in seen


def test_closing_while_the_other_project_is_read_stops_it(mine, other, host, qtbot):
    dialog = MergeDialog(host.context, other)
    qtbot.addWidget(dialog)
    dialog.show()
    (job,) = host.context.session.jobs.jobs()
    with qtbot.waitSignal(job.ended, timeout=20_000):
        dialog.reject()
        assert job.stopping
    assert dialog.plan is None
    Project.open(other).close()


def test_a_project_that_is_in_use_is_named(mine, other, host, qtbot):
    store = Project.open(other)
    dialog = MergeDialog(host.context, other)
    qtbot.addWidget(dialog)
    (job,) = host.context.session.jobs.jobs()
    with qtbot.waitSignal(job.failed, timeout=20_000):
        pass
    assert "in use" in dialog.summary.text()
    assert not dialog.merge_button.isEnabled()
    store.close()


def test_renamed_labels_are_listed():
    plan = MergePlan("Copy", renamed=[RenamedHere("view", "port", "left")])
    assert "“port” of “view” is called “left” here by now." in summary_lines(plan)
