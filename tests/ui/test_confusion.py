"""The confusion matrix leads from every cell to its images, at six classes and at two hundred."""

import time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent
from PySide6.QtWidgets import QApplication

from tests.fixtures.mouse import wheel
from workbench.ui.look.theme import (
    CAPTION_PIXELS,
    LIGHT,
    TEXT_PIXELS,
    cividis,
    label_colour,
    sized,
)
from workbench.ui.pages.results.confusion import ConfusionView
from workbench.ui.pages.results.confusion_painter import (
    MatrixPainter,
    _share,
    _visible,
    matrix_colours,
    readable_on,
)

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
    assert view.sentence(0, 0) == "True egret: no images"


@pytest.fixture
def fixed(qtbot):
    """Three classes at cells of 64 pixels, or scrolled when zoomed in."""
    made = ConfusionView()
    qtbot.addWidget(made)
    made.resize(420, 250)
    made.set_matrix(("a", "b", "c"), np.array([[5, 1, 0], [0, 7, 0], [2, 0, 3]]))
    made.show()
    qtbot.waitExposed(made)
    return made


def press(view, key, modifier=Qt.KeyboardModifier.NoModifier):
    event = QKeyEvent(QEvent.Type.KeyPress, key, modifier)
    view.keyPressEvent(event)
    return event.isAccepted()


def test_cells_are_as_large_as_fits_and_wider_than_high(fixed, view):
    cell = fixed.cell_rect(0, 0)
    assert cell.height() == 64, "a comfortable cell is the largest"
    assert cell.height() < cell.width() <= round(1.8 * 64)
    last = view.cell_rect(5, 5)
    assert view.viewport().rect().contains(last)
    assert view.viewport().height() - last.bottom() < view.viewport().height() // 6 or (
        last.height() == 64
    )
    fixed.resize(420, 4000)
    assert fixed.cell_rect(0, 0).height() == 64
    fixed.resize(140, 250)
    narrow = fixed.cell_rect(0, 0)
    assert narrow.width() == narrow.height() < 40
    assert (fixed.horizontalScrollBar().maximum(), fixed.verticalScrollBar().maximum()) == (0, 0)


def test_labels_beside_the_cells_have_at_most_three_tenths_of_the_view(view):
    long = tuple(f"a rather long name of a species {n}" for n in range(6))
    view.set_matrix(long, COUNTS)
    view.resize(600, 900)
    left, top = view.cell_rect(0, 0).left(), view.cell_rect(0, 0).top()
    assert abs(left - (round(0.3 * view.viewport().width()) + 2 * 8 + 18)) <= 2
    view.set_matrix(("a", "b", "c", "d", "e", "f"), COUNTS)
    assert view.cell_rect(0, 0).left() < left
    assert view.cell_rect(0, 0).top() <= top


def test_zooming_is_bounded_and_each_step_changes_the_cells(fixed):
    assert fixed.cell_rect(0, 0).height() == 64
    fixed.zoom(0.5)
    assert fixed.cell_rect(0, 0).height() == 64, "the whole matrix fits already"
    fixed.zoom(1.25)
    assert fixed.cell_rect(0, 0).height() == 80
    assert fixed.cell_rect(0, 0).width() == pytest.approx(fixed._fitting().width() / 64 * 80, abs=1)
    fixed.zoom(1.001)
    assert fixed.cell_rect(0, 0).height() == 81
    fixed.zoom(0.999)
    assert fixed.cell_rect(0, 0).height() == 80
    fixed.zoom(9)
    assert fixed.cell_rect(0, 0).height() == 96
    bars = fixed.horizontalScrollBar(), fixed.verticalScrollBar()
    cell, corner = fixed.cell_rect(0, 0).size(), fixed.cell_rect(0, 0).topLeft()
    room = fixed.viewport().width() - corner.x(), fixed.viewport().height() - corner.y()
    assert [bar.maximum() for bar in bars] == [3 * cell.width() - room[0], 3 * 96 - room[1]]
    assert [(bar.minimum(), bar.pageStep()) for bar in bars] == [(0, room[0]), (0, room[1])]
    assert [bar.singleStep() for bar in bars] == [cell.width(), 96]
    fixed.fit()
    assert [bar.maximum() for bar in bars] == [0, 0]
    assert fixed.cell_rect(0, 0).height() == 64


def test_keys_and_ctrl_wheel_zoom(fixed):
    control = Qt.KeyboardModifier.ControlModifier

    def height():
        return fixed.cell_rect(0, 0).height()

    assert press(fixed, Qt.Key.Key_Plus)
    assert height() == 77
    assert press(fixed, Qt.Key.Key_Minus)
    assert height() == 64
    fixed.zoom(1.5)
    assert press(fixed, Qt.Key.Key_Minus)
    assert height() == 80
    fixed.fit()
    assert press(fixed, Qt.Key.Key_Equal)
    assert press(fixed, Qt.Key.Key_0)
    assert height() == 64
    wheel(fixed, 120, control)
    assert height() == 77
    wheel(fixed, -120, control)
    assert height() == 64
    fixed.zoom(2)
    wheel(fixed, -120)
    assert height() == 96
    assert fixed.verticalScrollBar().value() > 0
    assert not press(fixed, Qt.Key.Key_X)


def test_points_are_cells_labels_or_outside(fixed):
    corner, cell = fixed.cell_rect(0, 0).topLeft(), fixed.cell_rect(0, 0).size()

    def at(x, y):
        return fixed.cell_at(QPointF(corner.x() + x, corner.y() + y))

    wide, high = cell.width(), cell.height()
    assert at(0, 0) == (0, 0)
    assert at(-1, 0) == (0, -1)
    assert at(0, -1) == (-1, 0)
    assert at(-1, -1) == (-1, -1)
    assert at(wide - 1, high) == (1, 0)
    assert at(wide, high - 1) == (0, 1)
    assert at(3 * wide - 1, 3 * high - 1) == (2, 2)
    assert at(3 * wide, 0) == at(0, 3 * high) == (-1, -1)
    fixed.zoom(9)
    corner = fixed.cell_rect(0, 0).topLeft()
    fixed.horizontalScrollBar().setValue(30)
    fixed.verticalScrollBar().setValue(20)
    assert fixed.cell_rect(0, 0).topLeft() == corner - QPoint(30, 20)
    cell = fixed.cell_rect(0, 0).size()
    assert fixed.cell_rect(2, 1).topLeft() == corner + QPoint(
        cell.width() - 30, 2 * cell.height() - 20
    )
    assert at(cell.width() - 31, 0) == (0, 0)
    assert at(cell.width() - 30, 0) == (0, 1)
    assert at(0, cell.height() - 21) == (0, 0)
    assert at(0, cell.height() - 20) == (1, 0)


def test_arrows_begin_in_the_corner_stay_inside_and_scroll_to_the_cell(qtbot, fixed):
    said = []
    fixed.pointed.connect(said.append)
    assert press(fixed, Qt.Key.Key_Return)
    press(fixed, Qt.Key.Key_Down)
    assert fixed.current() == (0, 0)
    assert said == ["True a, predicted a: 5 (83.3 %)"]
    for key, cell in (
        (Qt.Key.Key_Up, (0, 0)),
        (Qt.Key.Key_Left, (0, 0)),
        (Qt.Key.Key_Down, (1, 0)),
        (Qt.Key.Key_Right, (1, 1)),
        (Qt.Key.Key_Right, (1, 2)),
        (Qt.Key.Key_Right, (1, 2)),
        (Qt.Key.Key_Down, (2, 2)),
        (Qt.Key.Key_Down, (2, 2)),
        (Qt.Key.Key_Left, (2, 1)),
    ):
        press(fixed, key)
        assert fixed.current() == cell
    fixed.zoom(9)
    press(fixed, Qt.Key.Key_Right)
    view, rect = fixed.viewport().rect(), fixed.cell_rect(2, 2)
    assert (rect.right(), rect.bottom()) == (view.right(), view.bottom())
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Up, Qt.Key.Key_Up):
        press(fixed, key)
    assert (fixed.horizontalScrollBar().value(), fixed.verticalScrollBar().value()) == (0, 0)
    fixed.set_current(1, -1)
    press(fixed, Qt.Key.Key_Right)
    assert fixed.current() == (0, 0)


def test_enter_and_space_choose_only_a_selected_cell(fixed):
    chosen = []
    fixed.chosen.connect(lambda *cell: chosen.append(cell))
    press(fixed, Qt.Key.Key_Space)
    assert chosen == []
    fixed.set_current(2, 1)
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Enter, Qt.Key.Key_Return):
        press(fixed, key)
    assert chosen == [(2, 1)] * 3
    fixed.set_matrix((), np.zeros((0, 0), np.int64))
    assert fixed.current() == (-1, -1)
    assert not press(fixed, Qt.Key.Key_Down)


def test_other_buttons_and_points_outside_choose_nothing(qtbot, fixed):
    chosen = []
    fixed.chosen.connect(lambda *cell: chosen.append(cell))
    inside = fixed.cell_rect(1, 1).center()
    qtbot.mouseClick(fixed.viewport(), Qt.MouseButton.RightButton, pos=inside)
    qtbot.mouseClick(fixed.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert chosen == []
    assert fixed.current() == (-1, -1)


def test_the_same_classes_keep_the_selected_cell_and_others_drop_it(fixed):
    fixed.set_current(1, 2)
    fixed.set_matrix(("a", "b", "c"), np.eye(3, dtype=np.int64))
    assert fixed.current() == (1, 2)
    fixed.set_matrix(("a", "b", "d"), np.eye(3, dtype=np.int64))
    assert fixed.current() == (-1, -1)


def test_the_pointer_names_cells_rows_and_columns_once_and_leaves(qtbot, fixed):
    said = []
    fixed.pointed.connect(said.append)
    cell = fixed.cell_rect(2, 0).center()
    qtbot.mouseMove(fixed.viewport(), cell)
    qtbot.mouseMove(fixed.viewport(), cell + QPoint(1, 1))
    qtbot.mouseMove(fixed.viewport(), QPoint(3, cell.y()))
    qtbot.mouseMove(fixed.viewport(), QPoint(fixed.cell_rect(0, 1).center().x(), 3))
    assert said == ["True c, predicted a: 2 (40.0 %)", "c", "b"]
    with qtbot.waitSignal(fixed.pointed) as left:
        QApplication.sendEvent(fixed, QEvent(QEvent.Type.Leave))
    assert left.args == [""]


def picture_of(view):
    return view.viewport().grab().toImage()


def test_percentages_scales_frames_and_marks_change_the_picture(fixed):
    counts = picture_of(fixed)
    fixed.set_percent(True)
    percent = picture_of(fixed)
    assert percent != counts
    fixed.set_single_scale(True)
    single = picture_of(fixed)
    assert single not in (percent, counts)
    fixed.set_percent(False)
    assert picture_of(fixed) not in (single, percent, counts), "one scale is kept"
    fixed.set_single_scale(False)
    assert picture_of(fixed) == counts
    fixed.set_current(0, 0)
    assert picture_of(fixed) != counts
    fixed.set_current(0, -1)
    assert picture_of(fixed) == counts
    fixed.set_matrix(("a", "b", "c"), np.array([[5, 1, 0], [0, 7, 0], [2, 0, 3]]), np.eye(3))
    assert picture_of(fixed) != counts


def test_a_saved_picture_has_the_whole_matrix_at_twice_the_pixels(fixed):
    cell, corner = fixed.cell_rect(0, 0).size(), fixed.cell_rect(0, 0).topLeft()
    fixed.zoom(9)
    fixed.verticalScrollBar().setValue(50)
    fixed.fit()
    saved = fixed.pixmap()
    assert saved.devicePixelRatio() == 2
    assert saved.width() == 2 * (corner.x() + 3 * cell.width() + 16)
    assert saved.height() == 2 * (corner.y() + 3 * cell.height() + 16)
    many = tuple(f"{n}" for n in range(430))
    fixed.set_matrix(many, np.eye(430, dtype=np.int64))
    large = fixed.pixmap()
    assert large.devicePixelRatio() == 1
    assert large.width() > 430 * 14


def test_colours_mix_from_empty_to_full_by_the_share_of_the_row():
    counts = np.array([[75, 24, 1], [0, 100, 0], [0, 0, 0]])
    colours = matrix_colours(counts, False, LIGHT).astype(float)

    def rgb(colour):
        return np.array(colour.getRgb()[:3], float)

    empty, hit, error = rgb(LIGHT.hover), rgb(LIGHT.accent), rgb(label_colour(5))
    assert colours[0, 0] == pytest.approx(empty + (hit - empty) * 0.75 * 0.92, abs=0.51)
    assert colours[1, 1] == pytest.approx(empty + (hit - empty) * 0.92, abs=0.51)
    strength = (0.12 + 0.88 * np.sqrt(0.24)) * 0.92
    assert colours[0, 1] == pytest.approx(empty + (error - empty) * strength, abs=0.51)
    strength = (0.12 + 0.88 * 0.1) * 0.92
    assert colours[0, 2] == pytest.approx(empty + (error - empty) * strength, abs=0.51)
    assert (colours[2] == empty).all()
    one = matrix_colours(counts, True, LIGHT)
    assert (one == cividis(counts / np.array([[100], [100], [1]]))).all()


def test_text_on_a_cell_has_the_higher_contrast():
    assert readable_on(LIGHT, QColor("white")) == LIGHT.text
    assert readable_on(LIGHT, QColor("black")) == LIGHT.raised


def test_labels_lie_flat_above_wide_cells_and_stand_above_narrow_ones(fixed):
    painter = MatrixPainter()
    name = "Anas platyrhynchos"
    painter.set_matrix((name, "b"), np.eye(2, dtype=np.int64), None)
    wide = QFontMetrics(sized(fixed.font(), TEXT_PIXELS)).horizontalAdvance(name)
    high = QFontMetrics(sized(fixed.font(), TEXT_PIXELS)).height()
    flat = painter.header(fixed.font(), QSize(60, 60), QSize(400, 400))
    assert flat == QSize(wide + 2 + 16 + 18, high + 8 + 18)
    standing = painter.header(fixed.font(), QSize(59, 59), QSize(400, 400))
    assert standing == QSize(wide + 2 + 16 + 18, wide + 2 + 16 + 18)
    short = painter.header(fixed.font(), QSize(59, 59), QSize(40, 30))
    assert short == QSize(40 + 16 + 18, 30 + 16 + 18)
    small = QFontMetrics(sized(fixed.font(), CAPTION_PIXELS - 2)).horizontalAdvance(name)
    assert painter.header(fixed.font(), QSize(40, 17), QSize(400, 400)).width() == small + 36
    painter.set_matrix(("bbbb", "c"), np.eye(2, dtype=np.int64), None)
    widest = QFontMetrics(sized(fixed.font(), TEXT_PIXELS)).horizontalAdvance("bbbb")
    assert painter.header(fixed.font(), QSize(widest + 5, 20), QSize(90, 90)).height() == high + 26
    assert (
        painter.header(fixed.font(), QSize(widest + 4, 20), QSize(90, 90)).height() == widest + 36
    )


@pytest.mark.parametrize(
    ("offset", "room", "cell", "classes", "seen"),
    [
        (0, 100, 10, 50, range(0, 11)),
        (0, 99, 10, 50, range(0, 10)),
        (25, 30, 10, 50, range(2, 6)),
        (480, 100, 10, 50, range(48, 50)),
        (0, 0, 10, 50, range(0, 1)),
        (0, -5, 10, 50, range(0, 1)),
        (900, 10, 10, 50, range(90, 90)),
        (0, 100, 10, 0, range(0, 0)),
    ],
)
def test_only_cells_in_view_are_painted(offset, room, cell, classes, seen):
    assert _visible(offset, room, cell, classes) == seen


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0"), (1.0, "100"), (0.5, "50.0"), (0.0123, "1.2"), (0.9999, "100.0")]
)
def test_shares_have_one_decimal_unless_none_or_all(share, text):
    assert _share(share) == text
