"""A list of groups: which row a click or a key chooses, and what is scrolled and loaded."""

import pytest
from PySide6.QtCore import QPoint, Qt

from workbench.ui.pages.images.group_list import Group, GroupList

KEYS = Qt.Key


@pytest.fixture
def groups(qtbot, birds):
    made = GroupList(birds)
    qtbot.addWidget(made)
    made.resize(320, 400)
    made.show()
    made.reported = []
    made.chosen.connect(made.reported.append)
    made.show_groups([Group(f"Group {at}", "", (at + 1, at + 2)) for at in range(12)])
    yield made
    made.close_reader()


def press(qtbot, groups, *keys):
    for key in keys:
        qtbot.keyClick(groups.viewport(), key)


def test_keys_step_page_and_jump_and_stop_at_the_ends(qtbot, groups):
    moves = (KEYS.Key_Down, KEYS.Key_Down, KEYS.Key_PageDown, KEYS.Key_Up, KEYS.Key_PageUp)
    press(qtbot, groups, *moves, KEYS.Key_End, KEYS.Key_Down, KEYS.Key_Home, KEYS.Key_Up)
    assert groups.reported == [0, 1, 5, 4, 0, 11, 11, 0, 0]
    assert groups.current == 0
    press(qtbot, groups, KEYS.Key_A)
    assert len(groups.reported) == 9


def test_the_chosen_row_is_scrolled_into_view(qtbot, groups):
    for key, row in ((KEYS.Key_End, 11), (KEYS.Key_PageUp, 7), (KEYS.Key_Home, 0)):
        press(qtbot, groups, key)
        rect = groups.row_rect(row)
        assert rect.top() >= 0
        assert rect.bottom() <= groups.viewport().height()
    assert groups.verticalScrollBar().value() == 0
    bar = groups.verticalScrollBar()
    height = groups.row_rect(1).top() - groups.row_rect(0).top()
    assert bar.maximum() == 12 * height - groups.viewport().height()
    assert bar.pageStep() == groups.viewport().height()


def test_a_click_chooses_the_row_under_it(qtbot, groups):
    for scrolled in (0, 150):
        groups.verticalScrollBar().setValue(scrolled)
        for row in (1, 2, 0) if not scrolled else (1, 2):
            place = groups.row_rect(row).center()
            qtbot.mousePress(groups.viewport(), Qt.MouseButton.LeftButton, pos=place)
            assert groups.reported[-1] == row
            groups.verticalScrollBar().setValue(scrolled)
    groups.show_groups(groups.groups[:1])
    below = QPoint(20, groups.row_rect(1).top() + 5)
    count = len(groups.reported)
    qtbot.mousePress(groups.viewport(), Qt.MouseButton.LeftButton, pos=below)
    assert len(groups.reported) == count


def test_only_the_images_of_rows_in_view_are_loaded(groups):
    def wanted():
        return [image for row in groups._shown() for image in groups.groups[row].samples]

    height = groups.row_rect(1).top() - groups.row_rect(0).top()
    rows = -(-groups.viewport().height() // height)
    assert list(groups._shown()) in (list(range(rows)), list(range(rows + 1)))
    assert wanted()[:4] == [1, 2, 2, 3]
    groups.verticalScrollBar().setValue(2 * height)
    assert groups._shown()[0] == 2
    groups.verticalScrollBar().setValue(groups.verticalScrollBar().maximum())
    assert groups._shown()[-1] == 11
    assert groups._shown()[0] > 12 - rows - 2


def test_a_choice_stays_while_its_row_is_there(groups):
    groups.set_current(3)
    assert groups.reported == []
    groups.show_groups(groups.groups[:4])
    assert groups.current == 3
    groups.show_groups(groups.groups[:3])
    assert groups.current == -1


def test_rows_are_as_high_as_their_title_and_samples(groups):
    bar, view = groups.verticalScrollBar(), groups.viewport()
    side = (view.width() - 5 * 8) // 4
    height = 24 + side + 16
    assert groups.row_rect(0).getRect() == (0, 0, view.width(), height - 2)
    bar.setValue(30)
    assert groups.row_rect(2).top() == 2 * height - 30
    assert bar.singleStep() == height // 2
    assert (bar.minimum(), bar.maximum()) == (0, 12 * height - view.height())
    groups.resize(90, 400)
    assert groups.row_rect(0).height() == 24 + 32 + 16 - 2
    groups.show_groups(groups.groups[:1])
    assert bar.maximum() == 0


def test_rows_in_view_reach_from_the_first_to_the_last_touched(groups):
    height = groups.row_rect(1).top()
    view = groups.viewport().height()
    for scrolled in (0, height - 1, height, height + 1, 5 * height - view % height):
        groups.verticalScrollBar().setValue(scrolled)
        first, last = scrolled // height, min(11, (scrolled + view) // height)
        assert groups._shown() == range(first, last + 1)
    groups.show_groups([])
    assert len(groups._shown()) == 0


def test_a_row_is_scrolled_no_further_than_needed(qtbot, groups):
    height, view = groups.row_rect(1).top(), groups.viewport().height()
    press(qtbot, groups, KEYS.Key_End)
    assert groups.row_rect(11).bottom() == view or groups.verticalScrollBar().value() == (
        groups.verticalScrollBar().maximum()
    )
    groups.verticalScrollBar().setValue(5 * height + 10)
    groups.set_current(6)
    press(qtbot, groups, KEYS.Key_Up)
    assert groups.row_rect(5).top() == 0
    press(qtbot, groups, KEYS.Key_Down)
    assert groups.verticalScrollBar().value() == 5 * height
    groups.verticalScrollBar().setValue(0)
    groups.set_current(3)
    press(qtbot, groups, KEYS.Key_Down)
    assert groups.row_rect(4).bottom() == view


def test_samples_are_loaded_and_drawn(qtbot, groups, birds):
    ids = birds.store.images.ids().tolist()
    groups.show_groups([Group("One", "24 images", tuple(ids[:4]))])
    tiles = groups._tiles
    before = groups.viewport().grab().toImage()
    qtbot.waitUntil(lambda: all(tiles.thumbnail(image) for image in ids[:4]))
    qtbot.waitUntil(lambda: groups.viewport().grab().toImage() != before)
    assert tiles.thumbnail(ids[5]) is None
    assert tiles.failure(ids[0]) == ""
    plain = groups.viewport().grab().toImage()
    groups.set_current(0)
    assert groups.viewport().grab().toImage() != plain
