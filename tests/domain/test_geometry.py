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


def test_areas_and_overlaps_in_numbers():
    one = Rect(0, 0, 4, 2)
    assert (one.width, one.height, one.area, one.as_tuple()) == (4, 2, 8, (0, 0, 4, 2))
    assert (Rect(2, 0, 1, 5).area, Rect(0, 5, 5, 1).area, Rect(3, 3, 1, 1).area) == (0, 0, 0)
    assert one.iou(Rect(3, 1, 5, 3)) == 1 / 11  # a single pixel in common
    assert one.iou(Rect(4, 0, 6, 2)) == one.iou(Rect(0, 2, 4, 4)) == 0  # side by side
    assert Rect(1, 1, 1, 1).iou(Rect(1, 1, 1, 1)) == 0


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        ((-3, -1, 7, 9), (0, 0, 10, 10)),
        ((95, 55, 105, 65), (90, 50, 100, 60)),
        ((-5, 2, 115, 12), (0, 2, 100, 12)),
        ((3, -5, 13, 75), (3, 0, 13, 60)),
        ((0, 0, 100, 60), (0, 0, 100, 60)),
    ],
)
def test_a_rectangle_is_shifted_into_the_image_or_clipped(given, inside):
    assert Rect(*given).inside(100, 60).as_tuple() == inside


def face(*mouth):
    """68 landmarks, of which those of the mouth are given and the rest far away."""
    return [(900.0, 900.0)] * 48 + [mouth[i % len(mouth)] for i in range(20)]


@pytest.mark.parametrize(
    ("mouth", "square", "fits"),
    [
        (((40, 30), (60, 36)), (35, 18, 65, 48), True),
        (((30, 20), (36, 40)), (18, 15, 48, 45), True),
        (((50, 30), (50, 30)), (49, 29, 51, 31), True),
        (((2, 30), (22, 30)), (0, 15, 30, 45), True),  # shifted in
        (((30, 30), (70, 30)), (20, 0, 80, 60), True),  # as high as the image
        (((30, 30), (71, 30)), (20, 0, 82, 60), False),
    ],
)
def test_the_square_of_a_mouth_is_half_as_large_again_around_its_middle(mouth, square, fits):
    assert mouth_box_of(face(*mouth), 100, 60) == (Rect(*square), fits)


@pytest.mark.parametrize(
    ("corner", "to", "square"),
    [
        ((1, 1), (70, 50), (40, 30, 70, 60)),
        ((1, 1), (50, 55), (40, 30, 65, 55)),
        ((0, 0), (45, 20), (30, 20, 50, 40)),
        ((0, 0), (35, 38), (35, 25, 50, 40)),
        ((1, 0), (62, 39), (40, 18, 62, 40)),
        ((0, 1), (49, 52), (28, 30, 50, 52)),
        ((1, 1), (41, 31), (40, 30, 48, 38)),  # no smaller than eight pixels
        ((1, 1), (99, 99), (40, 30, 70, 60)),  # no room below
        ((0, 0), (-9, -9), (10, 0, 50, 40)),
    ],
)
def test_a_corner_is_pulled_to_the_larger_distance_within_the_image(corner, to, square):
    assert pulled(Rect(40, 30, 50, 40), corner, *to, 100, 60).as_tuple() == square


def test_in_an_image_smaller_than_the_smallest_square_its_side_counts():
    assert pulled(Rect(0, 0, 4, 4), (1, 1), 1, 1, 20, 5).as_tuple() == (0, 0, 5, 5)
    assert scaled(Rect(0, 0, 4, 4), 0.1, 20, 5).as_tuple() == (0, 0, 5, 5)


@pytest.mark.parametrize(
    ("shift", "square"),
    [((1.6, -2.4), (42, 28, 52, 38)), ((-90, 90), (0, 50, 10, 60)), ((0.4, 0.4), (40, 30, 50, 40))],
)
def test_a_square_is_moved_by_whole_pixels(shift, square):
    assert moved(Rect(40, 30, 50, 40), *shift, 100, 60).as_tuple() == square


@pytest.mark.parametrize(
    ("start", "end", "square"),
    [
        ((10, 10), (30, 25), (10, 10, 30, 30)),
        ((30, 30), (15, 10), (10, 10, 30, 30)),
        ((30, 10), (10, 20), (10, 10, 30, 30)),
        ((10, 30), (20, 10), (10, 10, 30, 30)),
        ((10, 10), (10, 10), (10, 10, 18, 18)),
        ((-5, -5), (20, 20), (0, 0, 20, 20)),
        ((120, 90), (80, 50), (80, 40, 100, 60)),
    ],
)
def test_a_square_is_drawn_towards_the_end_of_the_drag(start, end, square):
    assert drawn(start, end, 100, 60).as_tuple() == square


@pytest.mark.parametrize(
    ("factor", "square"),
    [
        (2.0, (35, 25, 55, 45)),
        (0.5, (41, 31, 49, 39)),  # eight pixels at least
        (9.0, (15, 0, 75, 60)),  # as high as the image at most
    ],
)
def test_a_square_is_scaled_about_its_middle(factor, square):
    assert scaled(Rect(40, 30, 50, 40), factor, 100, 60).as_tuple() == square
    assert scaled(Rect(40, 34, 50, 36), factor, 100, 60).as_tuple() == square  # by its longer side
