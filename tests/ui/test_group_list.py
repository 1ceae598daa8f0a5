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
        for row in (1, 2):
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
