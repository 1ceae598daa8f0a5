"""Toy vehicles: reproducible, distinct, and in the right orientation."""

import numpy as np
import pytest

from workbench.demo.toy_bodies import LIFT, faces_of
from workbench.demo.toys import BODIES, VIEWS, render_toy
from workbench.domain.errors import ValueRefused


def test_the_same_arguments_give_the_same_image():
    first = render_toy(0, "front", 7)
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render_toy(0, "front", 7))
    assert not np.array_equal(first, render_toy(0, "front", 8))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("body", range(len(BODIES)))
def test_every_body_fills_much_of_the_image_in_every_view(body, view):
    picture = render_toy(body, view, 1, size=64).astype(int)
    assert picture.shape == (64, 64, 3)
    middle = picture[20:50, 16:48]
    assert middle.std() > 8


def _lit_column(view: str) -> float:
    """Mean column, -1 to 1, of pixels in the colour of tail lights over many images."""
    columns = []
    for seed in range(40):
        picture = render_toy(4, view, seed).astype(int)
        red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
        hot = (red > 110) & (green < 60) & (blue < 60)
        if 3 < hot.sum() < 200:
            columns.append(np.nonzero(hot)[1].mean() / 48 - 1)
    return float(np.mean(columns))


def test_in_left_the_tail_is_to_the_right_and_in_right_to_the_left():
    assert _lit_column("left") > 0.1
    assert _lit_column("right") < -0.1


@pytest.mark.parametrize("body", range(len(BODIES)))
def test_every_face_is_flat(body):
    for face in faces_of(body):
        at = np.asarray(face.points)
        normal = np.asarray(face.normal) / np.linalg.norm(face.normal)
        assert np.abs((at - at[0]) @ normal).max() < LIFT


def test_an_unknown_body_or_view_is_refused():
    for body in (-1, len(BODIES), 99):
        with pytest.raises(ValueRefused, match=f"{body}.*0 to {len(BODIES) - 1}"):
            render_toy(body, "front", 0)
    with pytest.raises(ValueRefused, match="front, back, left, right"):
        render_toy(0, "above", 0)
