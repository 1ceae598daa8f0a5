"""The Views page on real images: keys, flash and advance, holes, suggestions, sets."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from tests.fixtures.finished_runs import predict
from workbench.app.labels.label_overview import LabelOverview
from workbench.app.labels.labelling import assign
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import CAR_VIEWS
from workbench.ui.dialogs.label_sets import LabelSetsDialog
from workbench.ui.dialogs.split import SplitDialog

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def page(window):
    window.go("views")
    return window.page("views")


def labels(page, label_set="view"):
    ids = page.strip.ids()
    found = page.context.session.store.labels.of_images(ids, label_set)
    return {image: label for image, (label,) in found.items()}


def test_a_key_labels_flashes_and_shows_the_next_unlabelled(page, qtbot):
    ids = page.strip.ids()
    assign(page.context.session, [int(ids[1])], "view", "back")
    page.strip.set_current(int(ids[0]))
    with qtbot.waitSignal(page.stage.flashed):
        qtbot.keyClick(page.strip, "F")
        assert page.stage._flash is not None
        assert labels(page)[int(ids[0])] == "front"
        assert page.strip.current() == ids[0]
    assert page.strip.current() == ids[2]
    assert page.header.progress.text() == "2 of 24 labelled"


def test_fast_keys_wait_for_no_flash(page, qtbot):
    ids = page.strip.ids().tolist()
    for key in "FBLRF":
        qtbot.keyClick(page.strip, key)
    page.stage.end_flash()
    given = labels(page)
    assert [given[image] for image in ids[:5]] == ["front", "back", "left", "right", "front"]
    assert page.strip.current() == ids[5]


def test_the_way_on_can_be_plain_next_or_none(page, qtbot):
    ids = page.strip.ids().tolist()
    assign(page.context.session, ids[1:3], "view", "back")
    page.strip.set_current(ids[0])
    page.header.advance.setCurrentIndex(1)
    qtbot.keyClick(page.strip, "1")
    page.stage.end_flash()
    assert page.strip.current() == ids[1]
    page.header.advance.setCurrentIndex(2)
    qtbot.keyClick(page.strip, "2")
    page.stage.end_flash()
    assert page.strip.current() == ids[1]


def test_backspace_clears_and_undo_gives_back(page, qtbot, window):
    image = page.strip.current()
    assign(page.context.session, [image], "view", "left")
    assert [b.label for b in page.keys.buttons if b.assigned] == ["left"]
    qtbot.keyClick(page.strip, Qt.Key.Key_Backspace)
    assert labels(page) == {}
    window.undo()
    assert labels(page) == {image: "left"}
    window.undo()
    assert labels(page) == {}
    assert page.header.progress.text() == "0 of 24 labelled"


def test_arrows_move_and_n_finds_the_next_unlabelled(page, qtbot):
    ids = page.strip.ids().tolist()
    assign(page.context.session, ids[2:6], "view", "left")
    page.strip.set_current(ids[0])
    qtbot.keyClick(page.strip, Qt.Key.Key_Right)
    assert page.strip.current() == ids[1]
    qtbot.keyClick(page.strip, "N")
    assert page.strip.current() == ids[6]
    qtbot.keyClick(page.strip, Qt.Key.Key_Left)
    assert page.strip.current() == ids[5]
    qtbot.keyClick(page.strip, Qt.Key.Key_Tab)
    assert page.strip.current() == ids[6]


def test_several_selected_images_get_one_label_in_one_edit(page, qtbot, window):
    ids = page.strip.ids().tolist()
    page.strip.set_current(ids[3])
    for _ in range(3):
        qtbot.keyClick(page.strip, Qt.Key.Key_Right, SHIFT)
    qtbot.keyClick(page.strip, "R")
    assert set(labels(page)) == set(ids[3:7])
    assert window.session.store.history.undo_text() == "Label 4 images “right”"
    assert page.stage._flash is None


def test_a_click_on_a_label_gives_it(page, qtbot):
    image = page.strip.current()
    qtbot.mouseClick(page.keys.buttons[2], Qt.MouseButton.LeftButton)
    assert labels(page) == {image: "left"}


def test_the_photograph_is_shown_with_its_letter(page, qtbot):
    qtbot.waitUntil(lambda: page.stage.has_image)
    assert page.stage.image_size == (96, 64)


def test_a_cell_shows_its_images_and_a_hole_those_without_a_label(page, qtbot):
    ids = page.strip.ids().tolist()
    assign(page.context.session, ids[:3], "view", "front")
    page.coverage.choose(0, 0)
    assert page.strip.ids().tolist() == ids[:3]
    assert page.strip.current() == ids[0]
    page.coverage.choose(0, 3)
    assert page.labelling.list.filter.labels == (("category", "egret"), ("view", None))
    assert page.strip.ids().tolist() == ids[3:8]


def test_images_stay_in_the_strip_while_a_hole_is_filled(page, qtbot):
    page.coverage.choose(1, 0)
    ids = page.strip.ids().tolist()
    for _ in ids:
        qtbot.keyClick(page.strip, "B")
        page.stage.end_flash()
    assert page.strip.ids().tolist() == ids
    assert set(labels(page).values()) == {"back"}
    assert len(labels(page)) == 8


def test_space_accepts_what_the_newest_run_suggests(page, qtbot, window):
    ids = page.strip.ids()
    predict(window.session, ids, "left", np.linspace(0.4, 0.93, len(ids)))
    page.strip.set_current(int(ids[-1]))
    assert page.stage.chip.text() == "Suggestion: left  0.93   Space accepts"
    qtbot.keyClick(page.strip, Qt.Key.Key_Space)
    assert labels(page) == {int(ids[-1]): "left"}
    assert page.stage._flash is not None
    page.stage.end_flash()
    page.stage.chip.click()
    assert len(labels(page)) == 2
    window.undo()
    assert len(labels(page)) == 1


def test_accepting_for_many_never_changes_what_a_person_labelled(page, qtbot, window):
    ids = page.strip.ids()
    predict(window.session, ids, "left", np.full(len(ids), 0.8))
    assign(window.session, [int(ids[0])], "view", "front")
    page.strip.select_all()
    page.accept()
    given = labels(page)
    assert given[int(ids[0])] == "front"
    assert sum(name == "left" for name in given.values()) == 23


def test_the_most_uncertain_come_first_on_demand(page, window):
    ids = page.strip.ids().copy()
    predict(window.session, ids, "left", np.linspace(0.95, 0.4, len(ids)))
    page.header.order.setCurrentIndex(page.header.order.findData(Sort.UNCERTAINTY))
    assert page.strip.ids().tolist() == ids[::-1].tolist()
    assert page.strip.current() == ids[-1]


def test_another_label_set_brings_its_own_keys_and_progress(page, qtbot):
    assert page.header.progress.text() == "0 of 24 labelled"
    page.header.sets.setCurrentText("category")
    assert [button.label for button in page.keys.buttons] == ["egret", "owl", "puffin"]
    image = page.strip.current()
    qtbot.keyClick(page.strip, "3")
    assert labels(page, "category")[image] == "puffin"


def test_keys_can_be_changed_in_the_editor(page, qtbot, window):
    dialog = LabelSetsDialog(window.session, "view", window)
    qtbot.addWidget(dialog)
    dialog.table.item(0, 1).setText("x")
    dialog.table.item(1, 0).setText("rear")
    dialog.save()
    saved = window.session.store.labels.get("view")
    assert [(label.name, label.key) for label in saved.labels][:2] == [
        ("front", "X"),
        ("rear", "B"),
    ]
    image = page.strip.current()
    qtbot.keyClick(page.strip, "X")
    assert labels(page) == {image: "front"}
    page.stage.end_flash()
    qtbot.keyClick(page.strip, "F")
    assert len(labels(page)) == 1


def test_renaming_keeps_labels_and_undo_gives_the_old_name_back(page, qtbot, window):
    image = page.strip.current()
    assign(window.session, [image], "view", "front")
    dialog = LabelSetsDialog(window.session, "view", window)
    qtbot.addWidget(dialog)
    dialog.table.item(0, 0).setText("nose")
    dialog.table.setCurrentCell(0, 0)
    dialog.table.shift(1)
    dialog.table.setCurrentCell(3, 0)
    dialog.save()
    assert labels(page) == {image: "nose"}
    assert window.session.store.labels.get("view").names == ("back", "nose", "left", "right")
    assert page.keys.buttons[1].assigned
    window.undo()
    assert labels(page) == {image: "front"}


def test_the_editor_refuses_one_key_for_two_labels(page, qtbot, window):
    dialog = LabelSetsDialog(window.session, "view", window)
    qtbot.addWidget(dialog)
    dialog.table.item(1, 1).setText("F")
    dialog.save()
    assert "“F” is the key of two labels" in dialog.problem.text()
    assert window.session.store.labels.get("view") == CAR_VIEWS


def mirrors(dialog):
    """Name and mirror of each row that has one, as the boxes show them."""
    table = dialog.table
    shown = {
        table.item(row, 0).text(): table.cellWidget(row, 2).currentText()
        for row in range(table.rowCount())
    }
    return {name: mirror for name, mirror in shown.items() if mirror != "Unchanged"}


def choose_mirror(dialog, qtbot, row, name):
    """Choose an entry of a row's box by keys: the first by Home, others by typing them."""
    box = dialog.table.cellWidget(row, 2)
    if name == "Unchanged":
        qtbot.keyClick(box, Qt.Key.Key_Home)
    else:
        qtbot.keyClicks(box, name)
    assert box.currentText() == name


@pytest.fixture
def editor(page, qtbot, window):
    dialog = LabelSetsDialog(window.session, "view", window)
    qtbot.addWidget(dialog)
    return dialog


def test_a_mirror_is_set_and_cleared_on_both_sides(editor, qtbot, window):
    assert mirrors(editor) == {"left": "right", "right": "left"}
    choose_mirror(editor, qtbot, 0, "left")  # right loses its own
    assert mirrors(editor) == {"front": "left", "left": "front"}
    choose_mirror(editor, qtbot, 3, "back")
    assert mirrors(editor) == {"front": "left", "left": "front", "right": "back", "back": "right"}
    choose_mirror(editor, qtbot, 2, "Unchanged")
    editor.save()
    assert window.session.store.labels.get("view").mirror_permutation() == (0, 3, 2, 1)


def test_a_mirror_survives_renaming_and_moving_and_is_removed_with_its_label(editor, window):
    editor.table.item(2, 0).setText("port")
    assert mirrors(editor) == {"port": "right", "right": "port"}
    editor.table.setCurrentCell(2, 0)
    editor.table.shift(-1)
    editor.table.item(3, 0).setText("starboard")
    assert mirrors(editor) == {"port": "starboard", "starboard": "port"}
    editor.save()
    view = window.session.store.labels.get("view")
    assert view.names == ("front", "port", "back", "starboard")
    assert view.mirror_permutation() == (0, 3, 2, 1)

    again = LabelSetsDialog(window.session, "view", window)
    again.table.setCurrentCell(1, 0)
    again.table.remove()
    assert mirrors(again) == {}
    again.save()
    again.deleteLater()
    assert window.session.store.labels.get("view").mirror_permutation() == (0, 1, 2)


def test_own_sets_presets_and_mirrors(page, qtbot, window):
    dialog = LabelSetsDialog(window.session, "view", window)
    qtbot.addWidget(dialog)
    dialog.presets.setCurrentIndex(2)
    dialog.presets.activated.emit(2)
    dialog.add_set("sharpness")
    for name in ("sharp", "blurred"):
        dialog.table.add()
        dialog.table.item(dialog.table.rowCount() - 1, 0).setText(name)
    dialog.save()
    sets = window.session.store.labels.sets()
    assert sets["view"].names == ("front", "left", "right", "others")
    assert sets["view"].mirror_permutation() == (0, 2, 1, 3)
    assert sets["sharpness"].names == ("sharp", "blurred")
    assert page.header.sets.findText("sharpness") >= 0


def test_a_split_is_made_and_reported(page, qtbot, window):
    dialog = SplitDialog(window.context, window)
    qtbot.addWidget(dialog)
    for part, share in zip(dialog.shares, (50, 25, 25), strict=True):
        dialog.shares[part].setValue(share)
    with qtbot.waitSignal(dialog.accepted):
        dialog.make()
        assert not dialog.make_button.isEnabled()
    assert window.notes.texts() == ["Images split: 12 train, 6 validation, 6 test."]
    assert len(window.session.store.splits.parts()) == 24
    window.go("images")
    window.page("images").bar.set_filter(ImageFilter(part="test"))
    assert len(window.page("images").grid.ids()) == 6


def test_why_a_split_cannot_be_made_is_shown_in_its_dialog(page, qtbot, window):
    dialog = SplitDialog(window.context, window)
    qtbot.addWidget(dialog)
    with window.session.edit("Nothing left"):
        window.session.store.images.remove(window.session.store.images.ids())
    with qtbot.waitSignal(window.session.jobs.ended):
        dialog.make()
    assert dialog.problem.text().startswith("There are no images to split yet.")
    assert not window.session.store.splits.parts()


def test_parts_of_more_than_everything_are_refused(page, qtbot, window):
    dialog = SplitDialog(window.context, window)
    qtbot.addWidget(dialog)
    next(iter(dialog.shares.values())).setValue(90)
    assert "120 %" in dialog.problem.text()
    assert not dialog.make_button.isEnabled()


def test_the_overview_counts_as_the_store_does(birds):
    ids = birds.store.images.ids()
    overview = LabelOverview(birds, "view")
    birds.changed.connect(overview.update)
    for at, label in ((0, "front"), (1, "back"), (9, "left"), (0, "right"), (1, None)):
        assign(birds, [int(ids[at])], "view", label)
        rows, columns, counts = birds.store.labels.coverage("category", "view")
        seen = overview.coverage()
        assert seen.rows == tuple(rows)[: len(seen.rows)]
        assert seen.columns == tuple(columns)[: len(seen.columns)]
        assert seen.counts.tolist() == counts.tolist()
    assert overview.progress() == (2, 24)
    assert overview.next_unlabelled(ids, 0) == 1
    assert overview.next_unlabelled(ids, 23) == 1
    assign(birds, ids, "view", "front")
    assert overview.next_unlabelled(ids, 5) is None
