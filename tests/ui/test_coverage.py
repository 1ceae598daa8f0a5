"""The coverage matrix: where its cells lie, what a click chooses, and what it says of a cell."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QHelpEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QToolTip

from workbench.app.labels.label_overview import Coverage
from workbench.domain.labels import CAR_VIEWS
from workbench.ui.look.theme import apply_theme
from workbench.ui.pages.views.coverage import CoverageMatrix, _short

ROWS = ("a", "b", "c", "d", "e", "f", "g", "h")


@pytest.fixture
def matrix(qtbot, qapp):
    apply_theme(qapp, "light")
    made = CoverageMatrix()
    qtbot.addWidget(made)
    made.resize(296, 124)  # room for columns of 40 pixels, and for four rows below the head
    counts = np.arange(45, dtype=np.int64).reshape(9, 5)
    counts[0] = 0
    made.show_coverage(Coverage(ROWS, CAR_VIEWS.names, counts), CAR_VIEWS)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def chosen(matrix):
    heard = []
    matrix.chosen.connect(lambda *what: heard.append(what))
    return heard


def wide(matrix):
    return (matrix.viewport().width() - 96) // 5


def press(matrix, key):
    event = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier)
    matrix.keyPressEvent(event)
    return event.isAccepted()


def test_cells_lie_beside_the_names_and_below_the_head(matrix):
    width = wide(matrix)
    assert matrix.cell(0, 0).getRect() == (96, 28, width, 24)
    assert matrix.cell(2, 3).getRect() == (96 + 3 * width, 28 + 48, width, 24)
    assert matrix.cell(-1, 1).getRect() == (96 + width, 0, width, 28)
    assert matrix.cell(1, -1).getRect() == (0, 52, 96, 24)
    matrix.verticalScrollBar().setValue(30)
    assert matrix.cell(2, 0).top() == 28 + 48 - 30
    assert matrix.cell(-1, 0).top() == 0


def test_columns_are_neither_narrow_nor_wide(matrix):
    matrix.resize(900, 200)
    assert matrix.cell(0, 0).width() == 48
    matrix.resize(130, 200)
    assert matrix.cell(0, 0).width() == 20


def test_the_bar_scrolls_to_the_last_row(matrix):
    bar, view = matrix.verticalScrollBar(), matrix.viewport()
    assert (bar.minimum(), bar.maximum()) == (0, 28 + 9 * 24 - view.height())
    assert (bar.pageStep(), bar.singleStep()) == (view.height(), 24)
    matrix.resize(296, 900)
    assert bar.maximum() == 0


def test_rows_without_a_category_are_shown_only_if_there_are_such_images(qtbot):
    made = CoverageMatrix()
    qtbot.addWidget(made)
    assert made.sizeHint().height() == 28 + 3 * 24 + 4
    counts = np.ones((9, 5), np.int64)
    made.show_coverage(Coverage(ROWS, CAR_VIEWS.names, counts), CAR_VIEWS)
    assert made.sizeHint().height() == 28 + 9 * 24 + 4
    counts[-1] = 0
    made.show_coverage(Coverage(ROWS, CAR_VIEWS.names, counts), CAR_VIEWS)
    assert made.sizeHint().height() == 28 + 8 * 24 + 4
    many = tuple(f"{n}" for n in range(40))
    made.show_coverage(Coverage(many, CAR_VIEWS.names, np.ones((41, 5), np.int64)), CAR_VIEWS)
    assert made.sizeHint().height() == 28 + 10 * 24 + 4


@pytest.mark.parametrize(
    ("x", "y", "what"),
    [
        (96, 28, ("a", "front", 0)),
        (95, 28, ("a", True, 1)),
        (96, 27, (True, "front", 1)),
        (95, 27, None),
        (96, 51, ("a", "front", 0)),
        (96, 52, ("b", "front", 5)),
        (96, 99, ("c", "front", 10)),
    ],
)
def test_a_click_chooses_a_cell_a_row_or_a_column(qtbot, matrix, chosen, x, y, what):
    qtbot.mouseClick(matrix.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    assert chosen == ([what] if what else [])


def test_a_click_after_scrolling_and_at_the_right_border(qtbot, matrix, chosen):
    width, view = wide(matrix), matrix.viewport()
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(view, left, pos=QPoint(96 + width - 1, 30))
    qtbot.mouseClick(view, left, pos=QPoint(96 + width, 30))
    qtbot.mouseClick(view, left, pos=QPoint(96 + 5 * width - 1, 60))
    qtbot.mouseClick(view, left, pos=QPoint(96 + 5 * width, 60))
    assert chosen == [("a", "front", 0), ("a", "back", 0), ("b", None, 9)]
    matrix.verticalScrollBar().setValue(24)
    qtbot.mouseClick(view, left, pos=QPoint(97, 30))
    assert chosen[3:] == [("b", "front", 5)]
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=QPoint(97, 30))
    assert len(chosen) == 4
    matrix.resize(296, 900)
    qtbot.mouseClick(view, left, pos=QPoint(97, 28 + 9 * 24 - 1))
    qtbot.mouseClick(view, left, pos=QPoint(97, 28 + 9 * 24))
    assert chosen[4:] == [(None, "front", 40)]


def test_keys_move_inside_and_enter_chooses(matrix, chosen):
    assert press(matrix, Qt.Key.Key_Up)
    press(matrix, Qt.Key.Key_Left)
    press(matrix, Qt.Key.Key_Return)
    for _ in range(6):
        press(matrix, Qt.Key.Key_Right)
    press(matrix, Qt.Key.Key_Down)
    press(matrix, Qt.Key.Key_Enter)
    for _ in range(12):
        press(matrix, Qt.Key.Key_Down)
    press(matrix, Qt.Key.Key_Left)
    press(matrix, Qt.Key.Key_Return)
    press(matrix, Qt.Key.Key_Up)
    press(matrix, Qt.Key.Key_Return)
    assert chosen == [
        ("a", "front", 0),
        ("b", None, 9),
        (None, "right", 43),
        ("h", "right", 38),
    ]
    assert not press(matrix, Qt.Key.Key_X)


def test_without_counts_nothing_is_chosen(qtbot):
    made = CoverageMatrix()
    qtbot.addWidget(made)
    heard = []
    made.chosen.connect(lambda *what: heard.append(what))
    assert not press(made, Qt.Key.Key_Return)
    assert not press(made, Qt.Key.Key_Down)
    made.choose(0, 0)
    assert heard == []
    made.grab()


def tip(matrix, x, y):
    at = QPoint(x, y)
    event = QHelpEvent(QEvent.Type.ToolTip, at, matrix.viewport().mapToGlobal(at))
    QApplication.sendEvent(matrix.viewport(), event)
    return QToolTip.text()


def test_tool_tips_count_the_images_of_a_cell(matrix):
    width = wide(matrix)
    assert tip(matrix, 97, 30) == "a, front: 0 images"
    assert tip(matrix, 97 + 4 * width, 54) == "b, no label: 9 images"
    matrix.verticalScrollBar().setValue(8 * 24)
    last = matrix.cell(8, 1).center()
    assert tip(matrix, last.x(), last.y()) == "no category, back: 41 images"
    assert matrix._tooltip((1, -1)) == matrix._tooltip((-1, 1)) == matrix._tooltip(None) == ""


def test_the_pointer_and_the_focus_frame_a_cell(qtbot, matrix):
    def picture():
        return matrix.viewport().grab().toImage()

    plain = picture()
    qtbot.mouseMove(matrix.viewport(), matrix.cell(1, 1).center())
    assert picture() != plain
    assert matrix.cursor().shape() is Qt.CursorShape.PointingHandCursor
    qtbot.mouseMove(matrix.viewport(), QPoint(4, 4))
    assert picture() == plain
    assert matrix.cursor().shape() is Qt.CursorShape.ArrowCursor
    qtbot.mouseMove(matrix.viewport(), matrix.cell(1, 1).center())
    QApplication.sendEvent(matrix, QEvent(QEvent.Type.Leave))
    assert picture() == plain
    matrix.activateWindow()
    matrix.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(matrix.hasFocus)
    press(matrix, Qt.Key.Key_Down)
    assert picture() != plain


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10k"),
        (12_999, "12k"),
        (999_999, "999k"),
        (1_000_000, "1M"),
        (2_999_999, "2M"),
    ],
)
def test_large_counts_are_short(count, text):
    assert _short(count) == text
