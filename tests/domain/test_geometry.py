"""Boxes stay square and inside the image for any drag."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.geometry import CORNERS, Rect, drawn, mouth_box_of, moved, pulled, scaled

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


sides = st.integers(1, 200)


@st.composite
def rects(draw):
    left, top = draw(st.integers(-50, 150)), draw(st.integers(-50, 150))
    return Rect(left, top, left + draw(sides), top + draw(sides))


coordinates = st.floats(-500, 1500, allow_nan=False)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=68, max_size=68), sides, sides)
def test_a_mouth_box_is_inside_its_image(landmarks, width, height):
    rect, fits = mouth_box_of(landmarks, width, height)
    assert 0 <= rect.left < rect.right <= width
    assert 0 <= rect.top < rect.bottom <= height
    if fits:
        assert rect.width == rect.height
        mouth = landmarks[48:68]
        longest = max(max(v) - min(v) for v in zip(*mouth, strict=True))
        assert rect.width == max(2, round(1.5 * longest))


@given(rects(), rects())
def test_overlap_is_symmetric_and_a_share(one, other):
    assert one.iou(other) == other.iou(one)
    assert 0 <= one.iou(other) <= 1
    assert one.iou(one) == 1
    cells = {(x, y) for x in range(one.left, one.right) for y in range(one.top, one.bottom)}
    if len(cells) < 400:
        others = {
            (x, y) for x in range(other.left, other.right) for y in range(other.top, other.bottom)
        }
        assert one.iou(other) == pytest.approx(len(cells & others) / len(cells | others))
