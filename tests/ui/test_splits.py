"""The dialogs of splits and near-duplicates, and the warning on the Train page."""

import cv2
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QInputDialog

from tests.fixtures.page_host import PageHost
from tests.fixtures.scenery import brighter, mirrored, scenery
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.training.leakage import leaks, open_leaks
from workbench.app.training.near_duplicates import duplicates_task
from workbench.app.training.splitting import split, take_split
from workbench.domain.splits import GroupBy, Grouping, Part, SplitPlan
from workbench.ui.dialogs.leakage import LeakageDialog
from workbench.ui.dialogs.split import SplitDialog
from workbench.ui.pages.train.page import LeakLine


@pytest.fixture
def host(session, tmp_path, qtbot):
    """A project of ten pictures and two copies, which alone are in the test part."""
    folder = tmp_path / "birds"
    folder.mkdir()
    for seed in range(10):
        cv2.imwrite(str(folder / f"bird{seed}.png"), scenery(seed))
    cv2.imwrite(str(folder / "x copy 0.png"), brighter(scenery(0)))
    cv2.imwrite(str(folder / "x copy 1.png"), mirrored(scenery(1)))
    assert isinstance(run_here(import_task(session, [folder])), Done)
    ids = session.images.ids().tolist()
    take_split(session, {i: Part.TRAIN if i <= 10 else Part.TEST for i in ids}, "official")
    host = PageHost(session)
    yield host
    host.close()


@pytest.fixture
def dialog(host, qtbot):
    made = SplitDialog(host.context)
    made.search.setChecked(False)
    qtbot.addWidget(made)
    return made


def test_stored_splits_are_chosen_renamed_and_deleted(host, dialog, qtbot, monkeypatch):
    session = host.context.session
    split(session, SplitPlan(seed=3), name="mine")
    again = SplitDialog(host.context)
    qtbot.addWidget(again)
    box = again.stored.names
    assert [box.itemText(at) for at in range(box.count())][1] == "official  (10 / 0 / 2)"
    assert box.currentIndex() == 0
    box.setCurrentIndex(1)
    box.activated.emit(1)
    assert session.splits.current().name == "official"
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("paper", True))
    qtbot.mouseClick(again.stored.rename, Qt.MouseButton.LeftButton)
    assert session.splits.current().name == "paper"
    qtbot.mouseClick(again.stored.delete, Qt.MouseButton.LeftButton)
    assert [one.name for one in session.splits.all()] == ["mine"]
    assert not again.stored.delete.isEnabled(), "none is current"


def test_a_split_gets_the_name_that_is_typed(host, dialog, qtbot):
    qtbot.keyClicks(dialog.name, "half")
    with qtbot.waitSignal(dialog.accepted):
        dialog.make()
    assert host.context.session.splits.current().name == "half"


def test_folds_show_their_shares_and_make_several_splits(host, dialog, qtbot):
    dialog.folds.setValue(4)
    assert [dialog.shares[part].value() for part in Part] == [60, 15, 25]
    assert not dialog.shares[Part.TRAIN].isEnabled()
    assert dialog.name.placeholderText() == "4 folds · 0"
    dialog.shares[Part.VALIDATION].setValue(90)
    assert dialog.shares[Part.VALIDATION].value() == 74
    dialog.shares[Part.VALIDATION].setValue(0)
    with qtbot.waitSignal(dialog.accepted):
        dialog.make()
    assert len(host.context.session.splits.all()) == 5
    assert host.context.session.splits.current().name == "4 folds · 0: fold 1 of 4"


def test_rules_for_groups_have_their_values(dialog):
    rule = dialog.rule
    assert rule.grouping() is None
    expected = {
        GroupBy.LABELS: Grouping(GroupBy.LABELS, "category"),
        GroupBy.FOLDER: Grouping(GroupBy.FOLDER, number=1),
        GroupBy.TIME: Grouping(GroupBy.TIME, number=10),
        GroupBy.DUPLICATES: Grouping(GroupBy.DUPLICATES),
    }
    for by, grouping in expected.items():
        rule.kind.setCurrentIndex(rule.kind.findData(by))
        assert rule.grouping() == grouping
    assert dialog.plan().grouping == Grouping(GroupBy.DUPLICATES)


def test_a_wrong_pattern_is_shown_in_the_dialog(host, dialog, qtbot):
    dialog.rule.kind.setCurrentIndex(dialog.rule.kind.findData(GroupBy.PATTERN))
    qtbot.keyClicks(dialog.rule.pattern, "(a")
    with qtbot.waitSignal(host.context.session.jobs.ended):
        dialog.make()
    assert "closing parenthesis" in dialog.problem.text()
    assert [one.name for one in host.context.session.splits.all()] == ["official"]


@pytest.fixture
def near(host, qtbot):
    made = LeakageDialog(host.context)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


def searched(near, qtbot):
    clicked(near, near.search, qtbot)
    return near.pairs


def clicked(near, button, qtbot):
    """Click a button and wait for its job."""
    with qtbot.waitSignal(near._context.session.jobs.ended):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_pairs_are_searched_shown_and_moved(host, near, qtbot):
    assert near.search.text() == "Search"
    pairs = searched(near, qtbot)
    assert near.summary.text().startswith("2 pairs of near-duplicates")
    texts = {pairs.topLevelItem(at).text(1) for at in range(2)}
    assert texts == {"x copy 0.png\ntest", "x copy 1.png\ntest"}
    assert not near.move_selected.isEnabled()
    pairs.topLevelItem(0).setSelected(True)
    clicked(near, near.move_selected, qtbot)
    assert near.summary.text().startswith("1 pair of near-duplicates")
    near.target.setCurrentIndex(near.target.findData(Part.TEST))
    clicked(near, near.move_all, qtbot)
    assert near.summary.text() == "No near-duplicates are in different parts of the split."
    assert not near.move_all.isEnabled()
    host.context.session.undo()
    assert near.pairs.topLevelItemCount() == 1


def test_train_warns_until_pairs_are_moved_or_dismissed(host, near, qtbot):
    line = LeakLine(host.context)
    qtbot.addWidget(line)
    line.update_leaks()
    assert "have not been compared" in line.text.text()
    assert isinstance(run_here(duplicates_task(host.context.session)), Done)
    line.update_leaks()
    assert not line.isHidden()
    assert line.text.text().startswith("2 pairs of near-duplicates are in different parts")
    near.pairs.topLevelItem(0).setSelected(True)
    assert near.dismiss.text() == "Dismiss selected"
    qtbot.mouseClick(near.dismiss, Qt.MouseButton.LeftButton)
    assert len(open_leaks(host.context.session)) == 1
    assert near.dismiss.text() == "Dismiss all"
    qtbot.mouseClick(near.dismiss, Qt.MouseButton.LeftButton)
    assert near.summary.text().endswith("2 pairs were dismissed.")
    line.update_leaks()
    assert line.isHidden()
    assert len(leaks(host.context.session)) == 2
    assert open_leaks(host.context.session) == []
    near.pairs.topLevelItem(0).setSelected(True)
    qtbot.mouseClick(near.dismiss, Qt.MouseButton.LeftButton)
    line.update_leaks()
    assert line.text.text().startswith("1 pair of near-duplicates is in different parts")


def test_near_duplicates_are_searched_after_a_split(host, qtbot):
    dialog = SplitDialog(host.context)
    qtbot.addWidget(dialog)
    dialog.rule.kind.setCurrentIndex(dialog.rule.kind.findData(GroupBy.FOLDER))
    dialog.rule.kind.setCurrentIndex(0)
    done = []
    host.context.session.jobs.ended.connect(lambda *what: done.append(what))
    dialog.make()
    qtbot.waitUntil(lambda: len(done) == 2)
    assert not dialog.isVisible()
