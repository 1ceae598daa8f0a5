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
