"""Tiles lie where a plain loop would have put them, at any number and in constant time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRect, QSize

from workbench.ui.parts.tile_geometry import GridGeometry, StripGeometry

grids = st.builds(
    GridGeometry, st.integers(0, 400), st.integers(70, 1500), st.sampled_from([64, 96, 160, 320])
)
strips = st.builds(StripGeometry, st.integers(0, 400), st.integers(48, 160))


@given(st.one_of(grids, strips), st.data())
def test_a_tile_is_found_at_its_position(geometry, data):
    if not geometry.count:
        return
    index = data.draw(st.integers(0, geometry.count - 1))
    rect = geometry.rect(index)
    assert geometry.at(rect.center()) == index
    assert QRect(QPoint(0, 0), geometry.size()).contains(rect)


@given(st.one_of(grids, strips), st.integers(0, 3000), st.integers(100, 900))
def test_what_a_view_shows_is_what_touches_it(geometry, offset, extent):
    if isinstance(geometry, GridGeometry):
        view = QRect(0, offset, geometry.width, extent)
    else:
        view = QRect(offset, 0, extent, geometry.height)
    shown = set(geometry.shown(view))
    touching = {i for i in range(geometry.count) if geometry.rect(i).intersects(view)}
    assert touching <= shown


@given(grids, st.integers(0, 1500), st.integers(0, 3000), st.integers(1, 900), st.integers(1, 900))
def test_a_rubber_band_selects_the_tiles_it_touches(grid, left, top, width, height):
    band = QRect(left, top, width, height)
    touching = {i for i in range(grid.count) if grid.rect(i).intersects(band)}
    found = set(grid.inside(band).tolist())
    assert touching <= found
    for index in found - touching:  # the gap below a row may count as touched, nothing else
        assert grid.rect(index).adjusted(-8, -8, 8, 8).intersects(band)


def test_arrows_stay_inside():
    grid = GridGeometry(10, 70 * 4, 62)
    view = QSize(280, 200)
    assert grid.columns == 3
    assert grid.moved(0, "left", view) == 0
    assert grid.moved(0, "up", view) == 0
    assert grid.moved(9, "down", view) == 9
    assert grid.moved(4, "down", view) == 7
    assert grid.moved(6, "down", view) == 9
    assert grid.moved(7, "down", view) == 7
    assert grid.moved(3, "up", view) == 0
    assert grid.moved(2, "up", view) == 2
    assert grid.moved(0, "end", view) == 9
    assert grid.moved(9, "home", view) == 0


def test_a_million_tiles_cost_nothing():
    grid = GridGeometry(1_000_000, 1200, 160)
    assert grid.size().height() < 2**31
    last = grid.rect(999_999)
    assert grid.at(last.center()) == 999_999
    assert len(grid.shown(QRect(0, last.top() - 400, 1200, 800))) < 60


@pytest.mark.parametrize("count", [0, 1])
def test_almost_nothing_is_laid_out_too(count):
    grid = GridGeometry(count, 400, 160)
    assert list(grid.shown(QRect(0, 0, 400, 400))) == list(range(count))
    assert isinstance(grid.inside(QRect(0, 0, 400, 400)), np.ndarray)


TEN = GridGeometry(10, 280, 62)  # three columns of tiles of 62 pixels, 90 from one to the next


def test_a_grid_spreads_its_tiles_over_the_width():
    assert (TEN.side, TEN.columns, TEN.step) == (62, 3, QSize(90, 90))
    assert TEN.size() == QSize(280, 4 * 90 + 8)
    assert TEN.rect(0) == QRect(18, 8, 62, 82)
    assert TEN.rect(4) == QRect(108, 98, 62, 82)
    assert GridGeometry(9, 280, 62).size() == QSize(280, 3 * 90 + 8)
    assert GridGeometry(0, 280, 62).size() == QSize(280, 0)
    assert [GridGeometry(10, width, 62).columns for width in (147, 148, 217, 218)] == [1, 2, 2, 3]


def test_tiles_are_smaller_in_a_narrow_view_but_never_tiny():
    narrow = GridGeometry(3, 70, 160)
    assert (narrow.side, narrow.columns, narrow.step) == (54, 1, QSize(62, 82))
    tiny = GridGeometry(3, 20, 160)
    assert (tiny.side, tiny.columns, tiny.step) == (16, 1, QSize(12, 44))
    assert GridGeometry(3, 4, 160).step.width() == 1
    assert [StripGeometry(1, height).tile for height in (20, 32, 33, 76)] == [16, 16, 17, 60]


@pytest.mark.parametrize(
    ("top", "height", "shown"),
    [
        (98, 90, range(3, 6)),
        (97, 90, range(0, 6)),
        (98, 91, range(3, 9)),
        (-200, 100, range(0, 3)),
        (300, 2000, range(9, 10)),
        (3000, 100, range(10, 10)),
    ],
)
def test_a_grid_shows_whole_rows(top, height, shown):
    assert TEN.shown(QRect(0, top, 280, height)) == shown


@pytest.mark.parametrize(
    ("left", "width", "shown"),
    [
        (0, 84, range(0, 1)),
        (0, 85, range(0, 2)),
        (83, 1, range(0, 1)),
        (84, 80, range(1, 3)),
        (-100, 150, range(0, 1)),
        (300, 900, range(4, 5)),
        (900, 50, range(5, 5)),
    ],
)
def test_a_strip_shows_the_tiles_between_two_edges(left, width, shown):
    assert StripGeometry(5, 76).shown(QRect(left, 0, width, 76)) == shown


@pytest.mark.parametrize(
    ("x", "y", "index"),
    [
        (18, 8, 0),
        (17, 8, -1),
        (79, 89, 0),
        (80, 89, -1),
        (18, 90, -1),
        (18, 98, 3),
        (108, 8, 1),
        (7, 98, -1),
        (290, 8, -1),
        (18, -20, -1),
        (18, 278, 9),
        (108, 278, -1),
        (18, 368, -1),
    ],
)
def test_a_point_between_tiles_or_after_the_last_is_on_none(x, y, index):
    assert TEN.at(QPoint(x, y)) == index


@pytest.mark.parametrize(
    ("x", "y", "index"),
    [
        (16, 8, 0),
        (15, 8, -1),
        (75, 67, 0),
        (76, 8, -1),
        (75, 68, -1),
        (84, 8, 1),
        (290, 8, 4),
        (356, 8, -1),
        (-52, 8, -1),
    ],
)
def test_a_point_of_a_strip_is_on_a_tile_or_on_none(x, y, index):
    assert StripGeometry(5, 76).at(QPoint(x, y)) == index


@pytest.mark.parametrize(
    ("band", "touched"),
    [
        (QRect(0, 98, 280, 90), [3, 4, 5]),
        (QRect(0, -50, 280, 60), [0, 1, 2]),
        (QRect(0, 8, 19, 10), [0]),
        (QRect(0, 8, 18, 10), []),
        (QRect(79, 8, 10, 10), [0]),
        (QRect(80, 8, 28, 10), []),
        (QRect(80, 8, 29, 10), [1]),
        (QRect(0, 278, 280, 50), [9]),
        (QRect(60, 60, 60, 60), [0, 1, 3, 4]),
        (QRect(0, 900, 280, 50), []),
    ],
)
def test_a_band_over_a_grid_has_exactly_these_tiles(band, touched):
    assert TEN.inside(band).tolist() == touched


def test_a_band_over_a_strip_leaves_out_the_gaps():
    strip = StripGeometry(5, 76)
    assert strip.inside(QRect(77, 8, 5, 5)).tolist() == []
    assert strip.inside(QRect(75, 8, 10, 5)).tolist() == [0, 1]
    assert strip.inside(QRect(0, 0, 900, 5)).tolist() == []


def test_a_page_of_a_grid_is_what_fits_the_view():
    view = QSize(280, 200)
    assert TEN.moved(0, "page_down", view) == 6
    assert TEN.moved(7, "page_down", view) == 9
    assert TEN.moved(9, "page_up", view) == 3
    assert TEN.moved(4, "page_up", view) == 0
    assert TEN.moved(0, "page_down", QSize(280, 50)) == 3
    assert (TEN.moved(4, "left", view), TEN.moved(4, "right", view)) == (3, 5)
    assert TEN.moved(9, "right", view) == 9


def test_moves_along_a_strip():
    strip, view = StripGeometry(5, 76), QSize(210, 76)
    assert strip.size() == QSize(2 * 16 - 8 + 5 * 68, 76)
    assert strip.rect(2) == QRect(152, 8, 60, 60)
    moves = {"left": 1, "right": 3, "up": 2, "down": 2, "page_up": 0, "page_down": 4}
    moves |= {"home": 0, "end": 4}
    assert {move: strip.moved(2, move, view) for move in moves} == moves
    assert strip.moved(0, "page_down", view) == 3
    assert strip.moved(4, "page_up", view) == 1
    assert strip.moved(1, "page_down", QSize(40, 76)) == 2
    assert (strip.moved(0, "left", view), strip.moved(4, "right", view)) == (0, 4)
