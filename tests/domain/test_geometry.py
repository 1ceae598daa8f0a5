"""Boxes stay square and inside the image for any drag."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.geometry import CORNERS, Rect, drawn, moved, pulled, scaled

sizes = st.tuples(st.integers(20, 400), st.integers(20, 400))
places = st.tuples(st.floats(-500, 900), st.floats(-500, 900))


@st.composite
def squares(draw):
    width, height = draw(sizes)
    side = draw(st.integers(8, min(width, height)))
    left = draw(st.integers(0, width - side))
    top = draw(st.integers(0, height - side))
    return Rect(left, top, left + side, top + side), width, height


def lies_inside(rect, width, height):
    return 0 <= rect.left < rect.right <= width and 0 <= rect.top < rect.bottom <= height


@given(squares(), places, st.sampled_from(CORNERS))
def test_a_dragged_corner_leaves_a_square_inside_the_image(case, place, corner):
    rect, width, height = case
    result = pulled(rect, corner, *place, width, height)
    assert result.width == result.height
    assert lies_inside(result, width, height)


def test_pulling_a_corner_keeps_the_opposite_one():
    result = pulled(Rect(100, 100, 140, 140), (1, 1), 170, 120, 400, 300)
    assert result == Rect(100, 100, 170, 170)
    result = pulled(Rect(100, 100, 140, 140), (0, 0), 120, 90, 400, 300)
    assert result == Rect(90, 90, 140, 140)


@given(squares(), places)
def test_a_moved_square_keeps_its_size_and_stays_inside(case, shift):
    rect, width, height = case
    result = moved(rect, *shift, width, height)
    assert (result.width, result.height) == (rect.width, rect.height)
    assert lies_inside(result, width, height)


@given(sizes, places, places)
def test_a_drawn_square_is_square_for_any_drag(size, start, end):
    result = drawn(start, end, *size)
    assert result.width == result.height > 0
    assert lies_inside(result, *size)


@given(squares(), st.floats(0.01, 20))
def test_a_scaled_square_stays_one(case, factor):
    rect, width, height = case
    result = scaled(rect, factor, width, height)
    assert result.width == result.height
    assert lies_inside(result, width, height)
