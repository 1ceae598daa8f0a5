"""Selecting tiles: clicks, ranges, bands, and what stays selected when the list changes."""

import numpy as np

from workbench.ui.parts.tile_view import TileSelection


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
