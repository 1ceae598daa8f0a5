"""The Images page on real images: filter, sort, select, label, preview, skip."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from tests.ui.conftest import write_photo
from workbench.app.images.importing import import_task
from workbench.app.jobs import run_here
from workbench.app.labels.labelling import edit_set
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import Label, LabelSet
from workbench.ui.dialogs.importing import SkippedDialog
from workbench.ui.pages.images.facts import FactLine
from workbench.ui.parts.filter_bar import chips, from_state, to_state, with_label
from workbench.ui.parts.image_menu import image_menu, remove_images

SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def page(window):
    return window.page("images")


@pytest.fixture
def paint(window):
    """A set of labels that can be given together, one of which reads like two others."""
    names = (("red", "R"), ("dark", "D"), ("red, dark", "B"))
    found = LabelSet("paint", tuple(Label(*name) for name in names), exclusive=False)
    edit_set(window.session, found, {})
    return found


def names(page, ids):
    return [row.name for row in page.context.session.store.images.rows(ids)]


def test_all_images_are_shown_and_counted(page):
    assert len(page.grid.ids()) == 24
    page.grid.set_current(int(page.grid.ids()[2]))
    assert page.grid.selected() == [page.grid.ids()[2]]
    assert page.header.counts.text() == "24 of 24 images"
    page.grid.select_all()
    assert page.header.counts.text() == "24 of 24 images · 24 selected"


def test_a_filter_is_a_chip_that_a_click_removes(page, qtbot):
    page.bar.set_filter(ImageFilter(labels=(("category", "owl"),), text="owl1"))
    assert names(page, page.grid.ids()) == ["owl1.jpg"]
    assert page.bar.search.text() == "owl1"
    assert [chip.toolTip().split(" –")[0] for chip in page.bar._chips] == ["category: owl"]
    page.bar._chips[0].click()
    assert page.list.filter == ImageFilter(text="owl1")
    page.bar.clear_button.click()
    assert len(page.grid.ids()) == 24


def test_typing_searches_names_and_folders(page, qtbot):
    page.bar.search.setFocus()
    qtbot.keyClicks(page.bar.search, "puffin/")
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 8)
    page.bar.search.clear()
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 24)


def test_the_filter_menu_counts_labels(page):
    page.bar.menu.aboutToShow.emit()
    category = next(a.menu() for a in page.bar.menu.actions() if a.text() == "Category")
    assert [a.text() for a in category.actions() if a.text()] == [
        "without a label (0)",
        "egret (8)",
        "owl (8)",
        "puffin (8)",
    ]
    category.actions()[-1].trigger()
    assert page.list.filter.labels == (("category", "puffin"),)


def test_without_matches_the_filters_can_be_cleared(page):
    page.bar.set_filter(ImageFilter(text="no such name"))
    assert page.stack.currentWidget() is page.no_matches
    page.no_matches.button.click()
    assert page.stack.currentWidget() is page.grid


def test_sorting_turns_round(page):
    first = names(page, page.grid.ids()[:1])
    page.header.reverse.setChecked(True)
    assert names(page, page.grid.ids()[-1:]) == first
    page.header.order.setCurrentIndex(page.header.order.findData(Sort.ADDED))
    assert page.list.sort is Sort.ADDED


def test_a_key_labels_all_selected_images_at_once_and_undo_reverts_it(page, qtbot, window):
    page.grid.setFocus()
    page.grid.set_current(int(page.grid.ids()[2]))
    for _ in range(4):
        qtbot.keyClick(page.grid, Qt.Key.Key_Right, SHIFT)
    chosen = page.grid.selected()
    qtbot.keyClick(page.grid, "L")
    labels = window.session.store.labels.of_images(chosen, "view")
    assert set(labels.values()) == {("left",)}
    assert len(labels) == 5
    page.tiles.prepare(chosen)
    assert [page.tiles.badges(image)[0][0] for image in chosen.tolist()] == ["L"] * 5
    window.undo()
    assert window.session.store.labels.of_images(chosen, "view") == {}
    page.tiles.prepare(chosen)
    assert page.tiles.badges(int(chosen[0])) == []


def test_digits_label_in_the_active_set_and_backspace_clears(page, qtbot, window):
    page.header.sets.setCurrentText("category")
    image = int(page.grid.ids()[0])
    page.grid.setFocus()
    page.grid.set_current(image)
    qtbot.keyClick(page.grid, "3")
    assert window.session.store.labels.of_images([image], "category") == {image: ("puffin",)}
    qtbot.keyClick(page.grid, Qt.Key.Key_Backspace)
    assert window.session.store.labels.of_images([image], "category") == {}


def test_a_label_with_a_comma_is_one_badge_and_one_line(page, paint, qtbot, window):
    page.header.sets.setCurrentText("paint")
    one, two = page.grid.ids()[:2].tolist()
    page.grid.setFocus()
    for image, keys in ((two, "RD"), (one, "B")):
        page.grid.set_current(image)
        qtbot.keyClicks(page.grid, keys)
    page.tiles.prepare(page.grid.ids())
    assert [letter for letter, _ in page.tiles.badges(one)] == ["B"]
    assert [letter for letter, _ in page.tiles.badges(two)] == ["R", "D"]

    def facts():
        return [line.toolTip() for line in page.side.labels.findChildren(FactLine)]

    qtbot.waitUntil(lambda: "red, dark" in facts())

    window.go("views")
    views = window.page("views")
    views.header.sets.setCurrentText("paint")
    views.strip.set_current(one)
    assert [b.label for b in views.keys.buttons if b.assigned] == ["red, dark"]
    assert views.header.progress.text() == "2 of 24 labelled"
    coverage = views.labelling.overview.coverage()
    at = coverage.columns.index("red, dark")
    assert coverage.counts[:, at].sum() == 1


def test_delete_removes_the_selected_images_and_undo_brings_them_back(page, qtbot, window):
    ids = page.grid.ids().tolist()
    page.grid.set_current(ids[0])
    qtbot.keyClick(page.grid, Qt.Key.Key_Right, SHIFT)
    qtbot.keyClick(page.grid, Qt.Key.Key_Delete)
    assert page.grid.ids().tolist() == ids[2:]
    window.undo()
    assert page.grid.ids().tolist() == ids


def test_a_labelled_image_leaves_the_unlabelled_ones_and_its_neighbour_follows(page, window):
    page.bar.set_filter(with_label(ImageFilter(), "view", None))
    ids = page.grid.ids().copy()
    page.grid.set_current(int(ids[5]))
    page.set_label("front")
    assert len(page.grid.ids()) == 23
    assert page.grid.current() == ids[6]
    window.undo()
    assert page.grid.ids().tolist() == ids.tolist()


def test_the_preview_shows_the_photograph_its_labels_and_their_history(page, qtbot):
    image = int(page.grid.ids()[9])
    page.grid.set_current(image)
    page.set_label("front")
    page.set_label("left")
    qtbot.waitUntil(lambda: "view: left" in page.side.history.toPlainText())
    assert page.side.name.toolTip() == "owl1.jpg"
    lines = page.side.history.toPlainText().splitlines()
    assert "view: front" in lines[1]
    assert lines[1].endswith("(no longer set)")
    assert "category: owl, imported" in lines[2]
    assert page.side.locations.toPlainText().endswith("owl/owl1.jpg")
    qtbot.waitUntil(lambda: page.side.view.has_image)
    assert page.side.view.image_size == (96, 64)


def test_the_menu_labels_finds_and_removes(page, window):
    ids = page.grid.ids()[:3]
    menu = image_menu(page.context, page, ids, "view")
    titles = [action.text() for action in menu.actions()]
    assert titles[0] == "Label view"
    assert "Remove 3 images from project" in titles
    menu.actions()[0].menu().actions()[1].trigger()
    assert set(window.session.store.labels.of_images(ids, "view").values()) == {("back",)}
    next(a for a in menu.actions() if a.text() == "Find in Views").trigger()
    assert window.page("views").strip.ids().tolist() == ids.tolist()
    menu.deleteLater()


def test_removed_images_come_back_by_undo(page, window):
    ids = page.grid.ids().copy()
    remove_images(page.context, ids[:2])
    assert page.header.counts.text() == "22 of 22 images"
    window.undo()
    assert page.grid.ids().tolist() == ids.tolist()


def test_skipped_files_are_listed_with_their_reasons(page, window, tmp_path):
    assert page.header.skipped.isHidden()
    write_photo(tmp_path / "new" / "good.jpg", 77)
    (tmp_path / "new" / "empty.jpg").write_bytes(b"")
    run_here(import_task(window.session, [tmp_path / "new"]))
    assert page.header.skipped.text() == "1 skipped file"
    dialog = SkippedDialog(window.session)
    item = dialog.list.topLevelItem(0)
    assert item.text(0) == "empty.jpg"
    assert item.text(1)
    dialog.deleteLater()


def test_an_image_opens_in_views_by_enter(page, qtbot, window):
    image = int(page.grid.ids()[4])
    page.grid.set_current(image)
    qtbot.keyClick(page.grid, Qt.Key.Key_Return)
    assert window.current_page().name == "views"
    assert window.page("views").strip.current() == image


def test_an_empty_project_shows_what_to_do(session, qtbot, qapp):
    from workbench.app.settings import UserSettings
    from workbench.ui.window.window import MainWindow

    window = MainWindow(session, UserSettings(None))
    qtbot.addWidget(window)
    window.show()
    page = window.page("images")
    assert page.stack.currentWidget() is page.no_images
    assert page.bar.isHidden()
    window.go("views")
    assert window.page("views").stack.currentIndex() == 1
    window.close()


def test_filters_survive_as_plain_values():
    wanted = ImageFilter(3, (("view", None), ("category", "owl")), "test", "a", (1, 2), "view")
    assert from_state(to_state(wanted)) == wanted
    assert from_state({"labels": 3}) == ImageFilter()
    assert from_state(None) == ImageFilter()
    assert len(chips(wanted, {3: "birds"})) == 6


def test_a_band_over_tiles_selects_in_the_page(page, qtbot):
    rect = page.grid.rect_of(int(page.grid.ids()[0]))
    start = rect.topLeft() - QPoint(4, 4)
    qtbot.mousePress(page.grid.viewport(), Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(page.grid.viewport(), rect.center())
    end = page.grid.rect_of(int(page.grid.ids()[1])).center()
    qtbot.mouseMove(page.grid.viewport(), end)
    qtbot.mouseRelease(page.grid.viewport(), Qt.MouseButton.LeftButton, pos=end)
    assert np.array_equal(page.selected(), page.grid.ids()[:2])


def test_commands_change_the_size_of_thumbnails(page):
    before = page.grid.tile_size()
    page.larger()
    assert page.grid.tile_size() == before + 32
    page.smaller()
    page.smaller()
    assert page.grid.tile_size() == before - 32


def test_labels_are_cleared_of_the_selected_or_the_current_image(page):
    ids = page.grid.ids().tolist()
    labels = page.context.session.store.labels
    page.header.sets.setCurrentText("category")
    page.grid.select(np.array(ids[:2]))
    page.clear_label()
    assert labels.of_images(ids[:3], "category") == {ids[2]: ("egret",)}
    page.grid.set_current(None)
    assert not page.has_images()
    page.set_label("owl")
    assert labels.of_images(ids[:2], "category") == {}
    page.grid.set_current(ids[0])
    assert page.has_images()
    page.set_label("owl")
    assert labels.of_images(ids[:2], "category") == {ids[0]: ("owl",)}


def test_keys_with_a_chord_label_nothing(page, qtbot):
    ids = page.grid.ids().tolist()
    page.grid.set_current(ids[0])
    labels = page.context.session.store.labels
    qtbot.keyClick(page.grid, "F", Qt.KeyboardModifier.AltModifier)
    assert labels.of_images(ids[:1], "view") == {}
    qtbot.keyClick(page.grid, "F", SHIFT)
    assert labels.of_images(ids[:1], "view") == {ids[0]: ("front",)}


def test_commands_search_clear_and_show_elsewhere(page, window, qtbot):
    page.search()
    qtbot.waitUntil(page.bar.search.hasFocus)
    page.bar.set_filter(ImageFilter(text="owl1"))
    assert len(page.grid.ids()) == 1
    page.clear_filters()
    assert len(page.grid.ids()) == 24
    page.select_all()
    assert page.grid.selected_count() == 24
    image = int(page.grid.ids()[5])
    page.grid.set_current(image)
    page.show_in_views()
    assert window.page("views").isVisible()
    assert window.page("views").strip.current() == image


def test_groups_open_and_close_and_leave_room(page, window):
    assert page.groups.isHidden()
    page.resize(1099, 600)
    page.toggle_groups()
    assert not page.groups.isHidden()
    page.resize(1099, 600)
    assert not page.side.isVisible()
    page.resize(1100, 600)
    assert page.side.isVisible()
    page.toggle_groups()
    page.resize(1000, 600)
    assert page.groups.isHidden()
    assert page.side.isVisible()


def test_a_target_filters_and_selects(page):
    ids = page.grid.ids().tolist()
    page.show_target(filter=ImageFilter(labels=(("category", "owl"),)))
    assert len(page.grid.ids()) == 8
    page.show_target(image=ids[9])
    assert page.grid.current() == ids[9]


def test_selection_order_and_groups_survive_a_restart(page):
    ids = page.grid.ids().tolist()
    page.grid.select(np.array(ids[3:6]))
    page.toggle_groups()
    page.header.order.setCurrentIndex(1)
    page.header.reverse.click()
    state = page.save_state()
    assert (state["sort"], state["descending"], state["groups"]) == ("added", True, True)
    page.toggle_groups()
    page.grid.set_current(None)
    page.header.set_sort(Sort.NAME, False)
    page.restore_state({})
    assert page.header.sort is Sort.NAME
    page.restore_state(state)
    assert sorted(page.grid.selected().tolist()) == ids[3:6]
    assert not page.groups.isHidden()
    assert (page.list.sort, page.list.descending) == (Sort.ADDED, True)
    page.restore_state({**state, "selected": [ids[0]], "current": ids[7], "splitter": [1]})
    assert page.grid.selected().tolist() == [ids[7]]
