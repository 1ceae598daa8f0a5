"""The image grid: pointer, keys, scrolling, and images that arrive late."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QCursor,
    QImage,
    QKeyEvent,
    QMouseEvent,
)
from PySide6.QtWidgets import QApplication

from tests.fixtures.mouse import wheel
from workbench.ui.parts.image_grid import ImageGrid, Tiles
from workbench.ui.parts.tile_geometry import GridGeometry, StripGeometry
from workbench.ui.parts.tiles import TilePainter


class Colours(Tiles):
    """Tiles that record what was requested."""

    def __init__(self):
        super().__init__()
        self.wanted = []
        self.prepared = set()
        self.there = True

    def prepare(self, ids):
        self.prepared.update(ids.tolist())

    def thumbnail(self, image):
        if not self.there:
            return None
        made = QImage(64, 48, QImage.Format.Format_RGB32)
        made.fill(QColor.fromHsv(image * 13 % 360, 200, 200))
        return made

    def caption(self, image):
        return f"image {image} 图片 with a name that is much too long.jpg"

    def badges(self, image):
        return [("F", QColor("orange"))] if image % 2 else []

    def request(self, ids):
        self.wanted.append(ids.tolist())


@pytest.fixture
def grid(qtbot):
    made = ImageGrid(Colours())
    qtbot.addWidget(made)
    made.resize(720, 560)
    made.set_ids(np.arange(100, 1100, dtype=np.int64))
    made.show()
    qtbot.waitExposed(made)
    return made


def click(qtbot, grid, image, modifier=Qt.KeyboardModifier.NoModifier):
    at = grid.rect_of(image).center()
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, modifier, at)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_an_image_fills_its_tile_at_screen_resolution(qapp, ratio):
    pixmap = TilePainter().pixmap(Colours(), 1, 40, ratio)
    assert pixmap.deviceIndependentSize().toTuple() == (40, 30)
    assert pixmap.size().toTuple() == (40 * ratio, 30 * ratio)


def test_clicks_select_and_emit(qtbot, grid):
    with qtbot.waitSignals([grid.current_changed, grid.selection_changed]):
        click(qtbot, grid, 101)
    click(qtbot, grid, 103, Qt.KeyboardModifier.ShiftModifier)
    assert grid.selected().tolist() == [101, 102, 103]
    click(qtbot, grid, 102, Qt.KeyboardModifier.ControlModifier)
    assert grid.selected().tolist() == [101, 103]
    assert grid.current() == 102


def test_a_rubber_band_selects_what_it_touches(qtbot, grid):
    first, last = grid.rect_of(100), grid.rect_of(101)
    start = first.topLeft() - QPoint(4, 4)
    qtbot.mousePress(grid.viewport(), Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(grid.viewport(), first.center())
    qtbot.mouseMove(grid.viewport(), last.center())
    qtbot.mouseRelease(grid.viewport(), Qt.MouseButton.LeftButton, pos=last.center())
    assert grid.selected().tolist() == [100, 101]


def test_arrows_move_shift_extends_and_ctrl_a_selects_all(qtbot, grid):
    click(qtbot, grid, 100)
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    assert grid.current() == 101
    qtbot.keyClick(grid, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert grid.selected().tolist() == [101, 102]
    qtbot.keyClick(grid, Qt.Key.Key_End)
    assert grid.current() == 1099
    assert grid.rect_of(1099).intersects(grid.viewport().rect())
    qtbot.keyClick(grid, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert grid.selected_count() == 1000


def test_enter_and_a_double_click_open(qtbot, grid):
    click(qtbot, grid, 102)
    with qtbot.waitSignal(grid.activated) as opened:
        qtbot.keyClick(grid, Qt.Key.Key_Return)
    assert opened.args == [102]
    with qtbot.waitSignal(grid.activated) as opened:
        qtbot.mouseDClick(
            grid.viewport(), Qt.MouseButton.LeftButton, pos=grid.rect_of(101).center()
        )
    assert opened.args == [101]


def test_only_visible_images_are_requested(qtbot, grid):
    qtbot.waitUntil(lambda: bool(grid.tiles.wanted))
    assert len(grid.tiles.wanted[-1]) < 60
    assert grid.tiles.wanted[-1][0] == 100
    grid.tiles.wanted.clear()
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    qtbot.waitUntil(lambda: bool(grid.tiles.wanted))
    assert 1099 in grid.tiles.wanted[-1]
    grid.grab()
    assert len(grid.tiles.prepared) < 200


def test_an_image_that_arrives_late_is_drawn(qtbot, grid):
    grid.tiles.there = False
    grid.redraw_image()
    spot = grid.rect_of(100).center() - QPoint(0, 10)
    before = grid.viewport().grab().toImage().pixelColor(spot)
    grid.tiles.there = True
    grid.tiles.ready.emit(100)
    after = grid.viewport().grab().toImage().pixelColor(spot)
    assert before != after


def test_the_current_tile_stays_put_when_others_go(qtbot, grid):
    grid.set_current(600)
    before = grid.rect_of(600).top()
    grid.set_ids(np.setdiff1d(grid.ids(), np.arange(100, 400)), keep_position=True)
    assert abs(grid.rect_of(600).top() - before) <= 2
    assert grid.current() == 600


def test_a_resize_keeps_what_is_looked_at(qtbot, grid):
    grid.set_current(700)
    grid.resize(1100, 560)
    assert grid.rect_of(700).intersects(grid.viewport().rect())
    grid.set_tile_size(240)
    assert grid.rect_of(700).intersects(grid.viewport().rect())


def test_letters_are_left_to_the_page(qtbot, grid):
    event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_F, Qt.KeyboardModifier.NoModifier, "f")
    grid.keyPressEvent(event)
    assert not event.isAccepted()


def test_a_strip_is_one_row_that_centres_the_current_tile(qtbot):
    strip = ImageGrid(Colours(), strip=True)
    qtbot.addWidget(strip)
    strip.resize(600, 112)
    strip.set_ids(np.arange(1_000_000, dtype=np.int64))
    strip.show()
    strip.set_current(500_000)
    rect = strip.rect_of(500_000)
    assert abs(rect.center().x() - strip.viewport().width() / 2) < rect.width()
    strip.move_to("right")
    assert strip.current() == 500_001


def test_a_closed_project_gets_no_requests(qtbot, grid, session):
    grid.tiles.end_with(session)
    session.close()
    grid.tiles.wanted.clear()
    grid.tiles.prepared.clear()
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    grid.viewport().repaint()
    qtbot.wait_until(lambda: not grid._load_timer.isActive())
    assert grid.tiles.prepared == set()
    assert grid.tiles.wanted == []


def test_other_ids_are_reported_only_where_what_is_selected_or_current_may_be_another(grid):
    reported, current = [], []
    grid.selection_changed.connect(lambda: reported.append(grid.selected().tolist()))
    grid.current_changed.connect(current.append)
    ids = grid.ids()
    grid.set_ids(ids[:500])
    assert (reported, current) == ([], [])
    grid.set_current(300)
    assert (reported, current) == ([[300]], [300])
    grid.set_ids(ids[100:400])
    assert reported == [[300]] * 2
    grid.set_ids(np.setdiff1d(ids, [300]))
    assert reported[-1] == grid.selected().tolist() != [300]
    assert len(reported) == 3
    assert current[-1] == grid.current() != 300


def test_selecting_by_id_leaves_out_what_is_not_shown(grid):
    grid.select(np.array([150, 120, 9]))
    assert grid.selected().tolist() == [120, 150]
    assert (grid.current(), grid.selected_count()) == (120, 2)
    grid.select(np.array([9]))
    assert grid.selected().tolist() == []
    assert grid.current() == 120
    grid.set_current(9)
    assert grid.current() is None
    grid.select_all()
    assert grid.selected_count() == 1000


def test_without_a_position_to_keep_the_list_begins_at_its_top(grid):
    grid.set_current(900)
    assert grid.verticalScrollBar().value() > 0
    grid.set_ids(grid.ids()[::-1].copy(), keep_position=False)
    assert grid.verticalScrollBar().value() == 0
    assert grid.current() == 900


def test_a_hidden_grid_requests_nothing_and_all_again_when_it_is_shown(qtbot, grid):
    qtbot.waitUntil(lambda: bool(grid.tiles.wanted))
    shown = grid.tiles.wanted[-1]
    grid.hide()
    grid.tiles.wanted.clear()
    grid._load()  # what a timer started before would do
    assert grid.tiles.wanted == []  # it would replace the requests of the page that is shown
    grid.show()
    qtbot.waitUntil(lambda: grid.tiles.wanted == [shown])


def drag(qtbot, view, start, end, modifier=Qt.KeyboardModifier.NoModifier):
    """Press, move and keep the button down."""
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, modifier, start)
    at = end.toPointF()
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        at,
        view.viewport().mapToGlobal(at),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        modifier,
    )
    QApplication.sendEvent(view.viewport(), move)


def release(qtbot, view):
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton)


def context_menu(view, at):
    point = view.viewport().mapToGlobal(at)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, point)
    QApplication.sendEvent(view.viewport(), event)
    return point


@pytest.fixture
def strip(qtbot):
    made = ImageGrid(Colours(), strip=True)
    qtbot.addWidget(made)
    made.resize(600, 112)
    made.set_ids(np.arange(100, dtype=np.int64))
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_size_of_tiles_is_bounded(grid):
    assert grid.tile_size() == 160
    for asked, got in ((63, 64), (10, 64), (321, 320), (65, 65)):
        grid.set_tile_size(asked)
        assert grid.tile_size() == got
    wheel(grid, 120, Qt.KeyboardModifier.ControlModifier)
    assert grid.tile_size() == 81
    wheel(grid, -120, Qt.KeyboardModifier.ControlModifier)
    assert grid.tile_size() == 65


def test_the_wheel_scrolls_a_grid_and_a_strip(grid, strip):
    wheel(grid, -120)
    assert grid.scroll_position() > 0
    assert grid.tile_size() == 160
    wheel(strip, -100)
    assert strip.scroll_position() == 100
    wheel(strip, 40, Qt.KeyboardModifier.ControlModifier)
    assert (strip.scroll_position(), strip.tile_size()) == (60, 160)


def test_other_tile_sizes_keep_the_middle_of_the_view(grid):
    grid.restore_scroll(6000)
    height = grid.viewport().height()
    shown = GridGeometry(1000, grid.viewport().width(), 160).shown(
        QRect(0, grid.scroll_position(), 100, height)
    )
    middle = 100 + shown[len(shown) // 2]
    grid.set_tile_size(100)
    assert abs(grid.rect_of(middle).center().y() - height // 2) <= 1
    grid.set_current(130)
    grid.restore_scroll(9000)  # far from the current tile
    grid.set_tile_size(90)
    assert not grid.rect_of(130).intersects(grid.viewport().rect())


def test_a_tile_is_revealed_by_the_least_scrolling(grid):
    height = grid.viewport().height()
    grid.set_current(500)
    assert grid.rect_of(500).bottom() == height - 8
    grid.set_current(200)
    assert grid.rect_of(200).top() == 8
    before = grid.scroll_position()
    grid.set_current(204)
    assert grid.scroll_position() == before
    assert grid.rect_of(9) == QRect()


def test_scroll_bars_go_to_the_end_by_pages_and_steps(grid, strip):
    bar, view = grid.verticalScrollBar(), grid.viewport()
    size = GridGeometry(1000, view.width(), 160).size()
    assert (bar.minimum(), bar.maximum()) == (0, size.height() - view.height())
    assert (bar.pageStep(), bar.singleStep()) == (view.height() - 80, 53)
    grid.set_tile_size(64)
    assert (bar.pageStep(), bar.singleStep()) == (view.height() - 32, 24)
    bar, view = strip.horizontalScrollBar(), strip.viewport()
    size = StripGeometry(100, view.height()).size()
    assert (bar.minimum(), bar.maximum()) == (0, size.width() - view.width())
    assert (bar.pageStep(), bar.singleStep()) == (view.width(), size.height())
    strip.set_ids(np.arange(2))
    assert bar.maximum() == 0


def test_visible_tiles_are_loaded_first_then_those_after_then_those_before(qtbot, grid):
    grid.restore_scroll(6000)
    view = QRect(0, grid.scroll_position(), grid.viewport().width(), grid.viewport().height())
    shown = GridGeometry(1000, view.width(), 160).shown(view)
    some = len(shown)
    expected = [*shown, *range(shown.stop, shown.stop + some), *range(shown.start - some, shown[0])]
    qtbot.waitUntil(lambda: grid.tiles.wanted[-1:] == [[100 + at for at in expected]])


def test_a_resize_keeps_the_first_visible_tile_where_none_is_current(grid):
    grid.verticalScrollBar().setValue(6000)
    shown = GridGeometry(1000, grid.viewport().width(), 160).shown(
        QRect(0, grid.scroll_position(), 100, grid.viewport().height())
    )
    before = grid.rect_of(100 + shown[0]).top()
    grid.resize(560, 500)
    assert grid.rect_of(100 + shown[0]).top() == before


def test_the_first_key_selects_the_first_tile(qtbot, grid):
    qtbot.keyClick(grid, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert (grid.current(), grid.selected().tolist()) == (100, [100])
    for key, current in (
        (Qt.Key.Key_Down, 104),
        (Qt.Key.Key_Up, 100),
        (Qt.Key.Key_Right, 101),
        (Qt.Key.Key_Left, 100),
        (Qt.Key.Key_PageDown, 108),
        (Qt.Key.Key_PageUp, 100),
        (Qt.Key.Key_End, 1099),
        (Qt.Key.Key_Home, 100),
    ):
        qtbot.keyClick(grid, key)
        assert grid.current() == current
    qtbot.keyClick(grid, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert grid.selected().tolist() == [100, 101, 102, 103, 104]
    qtbot.keyClick(grid, Qt.Key.Key_Escape)
    assert grid.selected().tolist() == [104]


@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_A, Qt.Key.Key_Return])
def test_keys_without_a_meaning_are_left_to_the_page(grid, key):
    if key == Qt.Key.Key_Escape:
        grid.set_current(100)
    event = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier)
    grid.keyPressEvent(event)
    assert not event.isAccepted()
    assert grid.selected_count() == (key == Qt.Key.Key_Escape)
    grid.set_ids(np.zeros(0, np.int64))
    arrow = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier)
    grid.keyPressEvent(arrow)
    assert not arrow.isAccepted()


def test_a_click_between_tiles_clears_unless_a_key_is_held(qtbot, grid):
    between = grid.rect_of(101).topLeft() - QPoint(4, 4)
    shift, control = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
    click(qtbot, grid, 101)
    for held in (shift, control):
        qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, held, between)
        assert grid.selected().tolist() == [101]
    click(qtbot, grid, 104, control)
    click(qtbot, grid, 106, shift | control)
    assert grid.selected().tolist() == [101, 104, 105, 106]
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.RightButton, pos=between)
    assert grid.selected_count() == 4
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=between)
    assert grid.selected_count() == 0


def test_a_rubber_band_begins_after_some_pixels_and_ctrl_or_shift_add(qtbot, grid):
    start = grid.rect_of(100).topLeft() - QPoint(4, 4)
    far = QApplication.startDragDistance()
    click(qtbot, grid, 108)
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    drag(qtbot, grid, start, start + QPoint(far - 1, 0), control)
    drag(qtbot, grid, start, start + QPoint(far // 2, far // 2 - 1), control)
    assert grid.selected().tolist() == [108]
    release(qtbot, grid)
    for held in (control, shift):
        drag(qtbot, grid, start, grid.rect_of(101).center(), held)
        release(qtbot, grid)
        assert grid.selected().tolist() == [100, 101, 108]
    drag(qtbot, grid, grid.rect_of(105).bottomRight() + QPoint(4, 4), grid.rect_of(104).center())
    assert grid.selected().tolist() == [104, 105]
    release(qtbot, grid)
    qtbot.mouseMove(grid.viewport(), grid.rect_of(100).center())
    assert grid.selected().tolist() == [104, 105]


def test_a_rubber_band_starts_exactly_at_the_drag_distance(qtbot, grid):
    start, far = grid.rect_of(100).topLeft() - QPoint(4, 4), QApplication.startDragDistance()
    drag(qtbot, grid, start, start + QPoint(far // 2, far - far // 2))
    assert grid.selected().tolist() == [100]
    release(qtbot, grid)


def test_a_strip_has_no_rubber_band_and_centres_what_is_clicked(qtbot, strip):
    drag(qtbot, strip, strip.rect_of(1).center(), strip.rect_of(4).center())
    assert strip.selected().tolist() == [1]
    release(qtbot, strip)
    click(qtbot, strip, 4)
    assert strip.selected().tolist() == [4]
    assert abs(strip.rect_of(4).center().x() - strip.viewport().width() // 2) <= 1


@pytest.mark.parametrize(("start", "y", "step"), [(0, -4, 20), (500, 4, -20)])
def test_a_rubber_band_at_the_border_scrolls(qtbot, grid, start, y, step):
    grid.restore_scroll(start)
    view = grid.viewport()
    middle, edge = QPoint(300, 250), QPoint(300, y % view.height())
    drag(qtbot, grid, middle, middle + QPoint(0, 20))
    QCursor.setPos(view.mapToGlobal(middle))
    grid._scroll_with_band()
    assert grid.scroll_position() == start
    QCursor.setPos(view.mapToGlobal(edge))
    grid._scroll_with_band()
    assert grid.scroll_position() == start + step
    selected = grid.selected_count()
    qtbot.waitUntil(lambda: abs(grid.scroll_position() - start) >= 240)
    release(qtbot, grid)
    assert not grid._scroll_timer.isActive()
    assert grid.selected_count() > selected


def test_a_double_click_between_tiles_opens_nothing(qtbot, grid):
    opened = []
    grid.activated.connect(opened.append)
    between = grid.rect_of(101).topLeft() - QPoint(4, 4)
    qtbot.mouseDClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=between)
    assert opened == []
    qtbot.mouseDClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=grid.rect_of(100).center())
    assert opened == [100]


def test_a_right_click_selects_the_tile_under_it_unless_it_is_selected(qtbot, grid):
    asked = []
    grid.menu_requested.connect(asked.append)
    click(qtbot, grid, 101)
    click(qtbot, grid, 103, Qt.KeyboardModifier.ShiftModifier)
    first = context_menu(grid, grid.rect_of(102).center())
    assert (asked, grid.selected().tolist()) == ([first], [101, 102, 103])
    second = context_menu(grid, grid.rect_of(100).center())
    assert (asked[1:], grid.selected().tolist()) == ([second], [100])
    context_menu(grid, grid.rect_of(101).topLeft() - QPoint(4, 4))
    assert len(asked) == 2


def test_selection_signals_name_the_current_tile(grid):
    current, reported = [], []
    grid.current_changed.connect(current.append)
    grid.selection_changed.connect(lambda: reported.append(grid.selected_count()))
    grid.set_current(120)
    grid.set_current(None)
    grid.select(np.array([101, 102]))
    grid.select_all()
    assert current == [120, -1, 101]
    assert reported == [1, 0, 2, 1000]
    assert grid.current() == 101


def test_the_focus_is_shown_on_the_current_tile(qtbot, grid):
    grid.set_current(100)
    grid.setFocus()
    qtbot.waitUntil(grid.hasFocus)
    with_focus = grid.viewport().grab().toImage()
    grid.clearFocus()
    assert grid.viewport().grab().toImage() != with_focus


def test_a_relabelled_tile_alone_is_painted_anew(qtbot, grid):
    grid.viewport().repaint()
    grid.tiles.prepared.clear()
    grid.tiles.relabelled.emit([105])
    qtbot.waitUntil(lambda: bool(grid.tiles.prepared))
    assert 105 in grid.tiles.prepared
    assert 112 not in grid.tiles.prepared
    grid.tiles.prepared.clear()
    grid.tiles.altered.emit()
    qtbot.waitUntil(lambda: 100 in grid.tiles.prepared and 111 in grid.tiles.prepared)
