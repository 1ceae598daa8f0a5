"""The confusion matrix leads from every cell to its images, at six classes and at two hundred."""

import time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from workbench.ui.look.theme import LIGHT, label_colour
from workbench.ui.pages.results.confusion import ConfusionView

NAMES = ("egret", "mandarin", "owl", "puffin", "toucan", "wood duck")
COUNTS = np.diag([40, 41, 42, 43, 44, 45]).astype(np.int64)
COUNTS[2, 3] = 5


@pytest.fixture
def view(qtbot):
    made = ConfusionView()
    qtbot.addWidget(made)
    made.resize(640, 520)
    made.set_matrix(NAMES, COUNTS)
    made.show()
    qtbot.waitExposed(made)
    return made


def click(qtbot, view, truth, predicted):
    at = view.cell_rect(truth, predicted).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_a_click_selects_a_cell(qtbot, view):
    with qtbot.waitSignal(view.chosen) as emitted:
        click(qtbot, view, 2, 3)
    assert emitted.args == [2, 3]
    assert view.current() == (2, 3)


def test_labels_select_whole_rows_and_columns(qtbot, view):
    cell = view.cell_rect(1, 4).center()
    with qtbot.waitSignal(view.chosen) as emitted:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(4, cell.y()))
    assert emitted.args == [1, -1]
    with qtbot.waitSignal(view.chosen) as emitted:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(cell.x(), 4))
    assert emitted.args == [-1, 4]


def test_keys_move_and_enter_selects(qtbot, view):
    view.setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left):
        qtbot.keyClick(view, key)
    with qtbot.waitSignal(view.chosen) as emitted:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert emitted.args == [1, 0]


def test_hovering_describes_a_cell(qtbot, view):
    with qtbot.waitSignal(view.pointed) as emitted:
        qtbot.mouseMove(view.viewport(), view.cell_rect(2, 3).center())
    assert emitted.args == ["True owl, predicted puffin: 5 (10.6 %)"]
    view.set_matrix(NAMES, COUNTS, np.where(COUNTS == 5, 2, 0))
    assert view.sentence(2, 3).endswith(", 2 relabelled since")


def near(pixel, colour):
    return sum(abs(a - b) for a, b in zip(pixel.getRgb()[:3], colour.getRgb()[:3], strict=True))


def test_correct_cells_have_the_accent_colour_and_errors_another(view):
    image = view.viewport().grab().toImage()

    def corner(truth, predicted):
        return image.pixelColor(view.cell_rect(truth, predicted).topLeft() + QPoint(5, 5))

    hit, error, empty = corner(0, 0), corner(2, 3), corner(0, 5)
    assert near(hit, LIGHT.accent) < near(empty, LIGHT.accent)
    assert near(error, label_colour(5)) < near(empty, label_colour(5))
    assert empty == LIGHT.hover


def test_hundreds_of_classes_are_painted_at_once_and_can_be_zoomed_and_scrolled(qtbot, view):
    classes = 300
    rng = np.random.default_rng(0)
    counts = np.diag(rng.integers(20, 60, classes)) + (rng.random((classes, classes)) < 0.02)
    view.set_matrix([f"a rather long species name {i}" for i in range(classes)], counts)
    assert view._cell.height() >= 3
    start = time.process_time()
    view.viewport().repaint()
    assert time.process_time() - start < 0.25, "a bound for slow machines; 30 ms is usual"
    before = view._cell.height()
    view.zoom(8)
    assert view._cell.height() > before
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Right)
    for _ in range(40):
        qtbot.keyClick(view, Qt.Key.Key_Down)
    row, column = view.current()
    assert view.viewport().rect().contains(view.cell_rect(row, column).center())
    view.fit()
    assert view._cell.height() == before
    assert view.pixmap().width() > classes * 14


def test_no_classes_and_no_images_are_painted(view):
    view.set_matrix((), np.zeros((0, 0), np.int64))
    view.viewport().repaint()
    view.set_matrix(NAMES, np.zeros((6, 6), np.int64))
    view.viewport().repaint()
    assert view.sentence(0, 0) == "True egret, predicted egret: 0 (0.0 %)"
