"""The image grid: pointer, keys, scrolling, and images that arrive late."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage

from workbench.ui.parts.image_grid import ImageGrid, Tiles
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
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QKeyEvent

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
