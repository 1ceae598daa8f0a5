"""Selecting tiles: clicks, ranges, bands, and what stays selected when the list changes."""

import numpy as np
import pytest

from workbench.ui.parts.image_grid import ImageGrid
from workbench.ui.parts.tile_view import TileSelection
from workbench.ui.parts.tiles import Tiles


@pytest.fixture
def grid(qtbot):
    made = ImageGrid(Tiles())
    qtbot.addWidget(made)
    made.resize(720, 560)
    made.set_ids(np.arange(100, 1100, dtype=np.int64))
    made.show()
    return made


def selection(*ids):
    made = TileSelection()
    made.set_ids(np.array(ids, np.int64))
    return made


def test_a_range_extends_from_the_anchor_in_either_direction():
    chosen = selection(10, 11, 12, 13, 14)
    chosen.select_only(2)
    chosen.extend(4)
    assert chosen.selected().tolist() == [12, 13, 14]
    chosen.extend(0)
    assert chosen.selected().tolist() == [10, 11, 12]
    assert chosen.current_id() == 10


def test_toggling_adds_and_removes():
    chosen = selection(10, 11, 12)
    chosen.select_only(0)
    chosen.toggle(2)
    assert chosen.selected().tolist() == [10, 12]
    chosen.toggle(0)
    assert chosen.selected().tolist() == [12]


def test_what_is_still_there_stays_selected_when_the_order_changes():
    chosen = selection(10, 11, 12, 13)
    chosen.select_only(1)
    chosen.toggle(3)
    chosen.set_ids(np.array([13, 99, 11], np.int64))
    assert sorted(chosen.selected().tolist()) == [11, 13]
    assert chosen.current_id() == 13


def test_the_neighbour_of_a_removed_tile_becomes_current():
    chosen = selection(10, 11, 12)
    chosen.select_only(1)
    chosen.set_ids(np.array([10, 12], np.int64))
    assert chosen.current_id() == 12
    assert chosen.selected().tolist() == [12]
    chosen.set_ids(np.array([], np.int64))
    assert chosen.current_id() is None


def test_a_band_adds_to_the_selection_and_removes_again_when_it_shrinks():
    chosen = selection(*range(10))
    chosen.select_only(0)
    chosen.begin_band(add=True)
    chosen.move_band(np.array([4, 5, 6]))
    chosen.move_band(np.array([4]))
    chosen.end_band()
    assert chosen.selected().tolist() == [0, 4]


def test_everything_and_nothing():
    chosen = selection(*range(1000))
    chosen.select_all()
    assert chosen.count() == 1000
    assert chosen.clear()
    assert not chosen.clear()


def test_a_range_without_an_anchor_is_one_tile_and_may_add_to_the_rest():
    chosen = selection(*range(10, 20))
    chosen.extend(3)
    assert (chosen.selected().tolist(), chosen.anchor) == ([13], 3)
    chosen.select_only(0)
    chosen.extend(1)
    assert chosen.selected().tolist() == [10, 11]
    chosen.toggle(5)
    chosen.extend(7, add=True)
    assert chosen.selected().tolist() == [10, 11, 15, 16, 17]
    chosen.extend(4)
    assert chosen.selected().tolist() == [14, 15]


def test_the_last_tile_is_followed_by_the_one_before_it():
    chosen = selection(10, 11, 12)
    chosen.select_only(2)
    chosen.set_ids(np.array([10, 11], np.int64))
    assert (chosen.current_id(), chosen.selected().tolist()) == (11, [11])
    chosen.select_only(0)
    chosen.set_ids(np.array([11, 20], np.int64))
    assert (chosen.current_id(), chosen.selected().tolist(), chosen.anchor) == (11, [11], 0)


def test_the_neighbour_is_selected_only_if_nothing_else_is():
    chosen = selection(10, 11, 12)
    chosen.select_only(0)
    chosen.toggle(2)
    chosen.set_ids(np.array([10, 11], np.int64))
    assert (chosen.current_id(), chosen.selected().tolist()) == (11, [10])


def test_without_a_current_tile_none_becomes_current():
    chosen = selection(10, 11)
    assert chosen.current_id() is None
    chosen.set_ids(np.array([12, 13], np.int64))
    assert (chosen.current_id(), chosen.count()) == (None, 0)
    assert (chosen.position(13), chosen.position(10)) == (1, -1)


def test_all_tiles_make_the_first_current_only_where_none_is():
    chosen = selection(10, 11, 12)
    assert chosen.select_all()
    assert (chosen.current_id(), chosen.anchor) == (10, 0)
    chosen.select_only(2)
    chosen.select_all()
    assert (chosen.current_id(), chosen.anchor) == (12, 2)
    empty = selection()
    empty.select_all()
    assert empty.current == -1
    assert not empty.clear()


def test_a_band_replaces_the_selection_and_its_first_tile_is_current():
    chosen = selection(*range(10))
    assert not chosen.move_band(np.array([1]))
    chosen.select_only(9)
    chosen.begin_band(add=False)
    assert chosen.move_band(np.array([4, 5]))
    assert (chosen.selected().tolist(), chosen.current, chosen.anchor) == ([4, 5], 4, 4)
    assert chosen.move_band(np.array([], np.int64))
    assert (chosen.count(), chosen.current) == (0, 4)
    chosen.end_band()
    assert not chosen.move_band(np.array([7]))
    assert chosen.count() == 0
    assert (chosen.select_only(3), chosen.toggle(4), chosen.extend(5)) == (True, True, True)


def test_the_first_tile_is_a_current_tile_like_any_other():
    chosen = selection(10, 11, 12)
    chosen.select_only(2)
    chosen.extend(0)
    chosen.select_all()
    assert (chosen.current_id(), chosen.anchor) == (10, 2)
    assert chosen.selected().tolist() == [10, 11, 12]


def test_the_first_tile_stays_put_when_others_come_before_it(grid):
    grid.set_current(100)
    grid.restore_scroll(20)
    before = grid.rect_of(100).top()
    grid.set_ids(np.arange(1100, dtype=np.int64), keep_position=True)
    assert abs(grid.rect_of(100).top() - before) <= 2


def test_the_first_tile_stays_in_view_at_another_size(grid):
    grid.set_current(100)
    grid.restore_scroll(100)
    grid.set_tile_size(240)
    assert grid.scroll_position() == 0
