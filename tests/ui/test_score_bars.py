"""Scores as bars: where each stands, and what keys and clicks choose."""

import pytest
from PySide6.QtCore import QPoint, Qt

from workbench.ui.pages.explain.bars import Bar, ScoreBars

BIRDS = [Bar("category", "owl", 0.7, true=True), Bar("category", "puffin", 0.3)]
VIEWS = [Bar("view", "left", 0.9), Bar("view", "right", None)]


@pytest.fixture
def bars(qtbot):
    made = ScoreBars()
    qtbot.addWidget(made)
    made.resize(200, 300)
    made.show()
    made.chosen_labels, made.steps = [], []
    made.chosen.connect(lambda label_set, label: made.chosen_labels.append((label_set, label)))
    made.stepped.connect(made.steps.append)
    made.show_bars([("", BIRDS), ("View", VIEWS)])
    return made


def press(qtbot, bars, *keys):
    for key in keys:
        qtbot.keyClick(bars, key)


def test_bars_are_below_each_other_with_room_for_headings(bars):
    tops = [bars.rect_of(bar).top() for bar in bars.bars()]
    row = tops[1] - tops[0]
    assert tops == [0, row, 2 * row + (tops[2] - 2 * row), tops[2] + row]
    heading = tops[2] - 2 * row
    assert 0 < heading < row
    assert bars.height() == 4 * row + heading
    bars.show_bars([("", BIRDS)])
    assert bars.height() == 2 * row
    bars.show_bars([])
    assert bars.height() == row
    assert bars.bars() == []


def test_a_left_click_chooses_the_bar_under_it(qtbot, bars):
    for bar in bars.bars():
        qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=bars.rect_of(bar).center())
    assert bars.chosen_labels == [(bar.label_set, bar.label) for bar in bars.bars()]
    bars.chosen_labels.clear()
    qtbot.mouseClick(bars, Qt.MouseButton.RightButton, pos=bars.rect_of(BIRDS[0]).center())
    heading = QPoint(20, bars.rect_of(VIEWS[0]).top() - 4)
    qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=heading)
    qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=QPoint(20, bars.height() + 20))
    assert bars.chosen_labels == []


def test_up_and_down_choose_from_the_explained_label_and_stop_at_the_ends(qtbot, bars):
    every = [("category", "owl"), ("category", "puffin"), ("view", "left"), ("view", "right")]
    for at, label in enumerate(every):
        bars.show_explained(*label)
        press(qtbot, bars, Qt.Key.Key_Down, Qt.Key.Key_Up)
        assert bars.chosen_labels[-2:] == [every[min(at + 1, 3)], every[max(at - 1, 0)]]
    bars.show_explained("", "")
    press(qtbot, bars, Qt.Key.Key_Down)
    assert bars.chosen_labels[-1] == every[1]


def test_left_and_right_mean_the_images(qtbot, bars):
    press(qtbot, bars, Qt.Key.Key_Left, Qt.Key.Key_Right)
    assert bars.steps == [-1, 1]
    assert bars.chosen_labels == []
    bars.show_bars([])
    press(qtbot, bars, Qt.Key.Key_Down, Qt.Key.Key_Left)
    assert (bars.steps, bars.chosen_labels) == ([-1, 1, -1], [])


def test_the_pointer_is_a_hand_over_a_bar_only(qtbot, bars):
    qtbot.mouseMove(bars, bars.rect_of(BIRDS[1]).center())
    assert bars.cursor().shape() is Qt.CursorShape.PointingHandCursor
    qtbot.mouseMove(bars, QPoint(20, bars.rect_of(VIEWS[0]).top() - 4))
    assert bars.cursor().shape() is Qt.CursorShape.ArrowCursor


def test_tool_tips_have_the_score_the_key_and_the_true_label(bars):
    assert bars._tip(BIRDS[0]) == "Explain owl\nScore: 0.7000\nThis is the true label"
    assert bars._tip(VIEWS[1]) == "Explain right"
    assert bars._tip(Bar("view", "left", 0.0, key="L")) == (
        "Explain left\nScore: 0.0000\nShortcut: L"
    )


def test_a_bar_ends_where_the_next_begins(bars):
    first, second = (bars.rect_of(bar) for bar in BIRDS)
    assert second.top() == first.bottom() + 1
    assert (first.height(), first.left(), first.width()) == (28, 0, bars.width())
    assert bars.rect_of(VIEWS[0]).top() == second.bottom() + 1 + 22
