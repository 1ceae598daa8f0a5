"""Heatmaps over images, frames and enlarged images, checked in their pixels."""

import numpy as np
import pytest

from workbench.vision.overlays import enlarged, framed, heat_colours, heat_layer, overlaid

GREY = np.full((40, 60, 3), 100, np.uint8)


def _even(value: float) -> np.ndarray:
    return np.full((3, 3), value, np.float32)


@pytest.mark.parametrize(
    ("value", "cover"), [(0.0, 0), (0.06, 0), (0.28, 128), (0.17, 40), (0.5, 255), (1.0, 255)]
)
def test_low_values_are_clear_and_values_from_one_half_cover_fully(value, cover):
    layer = heat_layer(_even(value), 6, 4)
    assert layer.shape == (4, 6, 4)
    assert np.abs(layer[..., 3].astype(int) - cover).max() <= 1
    assert (layer[..., :3] == heat_colours()[round(value * 255)]).all()


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_opacity_mixes_the_map_with_the_photograph(opacity):
    made = overlaid(GREY, _even(1.0), opacity).astype(float)
    wanted = 100 * (1 - opacity) + heat_colours()[255] * opacity
    assert np.abs(made - wanted).max() <= 1
    assert (GREY == 100).all()


def test_the_map_covers_the_part_that_was_seen():
    made = overlaid(GREY, _even(1.0), 1.0, seen=(0.25, 0.1, 0.75, 0.6))
    rows, columns = np.nonzero((made != 100).any(axis=2))
    assert (rows.min(), rows.max()) == (4, 23)
    assert (columns.min(), columns.max()) == (15, 44)
    assert len(rows) == 20 * 30


def test_a_part_thinner_than_a_pixel_still_has_one():
    made = overlaid(GREY, _even(1.0), 1.0, seen=(0.5, 0.5, 0.5, 0.5))
    assert (made != 100).any(axis=2).sum() == 1


def test_a_frame_is_white_between_dark_edges_on_the_border_of_the_part():
    photo = np.full((400, 600, 3), 100, np.uint8)
    made = framed(photo, (0.25, 0.25, 0.75, 0.5))
    across = made[150, :, 0].tolist()
    assert across[150] == 255
    assert across[450] == 255
    assert across[146:155].count(0) >= 2
    assert across[160] == across[300] == 100
    down = made[:, 300, 0].tolist()
    assert down[100] == 255
    assert down[200] == 255
    assert (photo == 100).all()


def test_a_frame_around_the_whole_photograph_stays_inside_it():
    photo = np.full((400, 600, 3), 100, np.uint8)
    white = (framed(photo, (0.0, 0.0, 1.0, 1.0)) == 255).all(axis=2)
    rows, columns = np.nonzero(white)
    assert rows.min() + rows.max() in (399, 400)
    assert columns.min() + columns.max() in (599, 600)
    assert white[:, 300].sum() == white[200].sum() > 0


def test_small_images_are_enlarged_and_others_unchanged():
    assert enlarged(GREY, 120).shape == (80, 120, 3)
    assert enlarged(GREY.transpose(1, 0, 2), 90).shape == (90, 60, 3)
    assert enlarged(GREY, 60) is GREY
    assert enlarged(GREY, 30) is GREY


def _index(layer: np.ndarray) -> np.ndarray:
    """The value behind each pixel of a layer, from 0 to 255."""
    colours = heat_colours().astype(int)
    distances = np.abs(layer[:, :, None, :3].astype(int) - colours[None, None]).sum(axis=3)
    return distances.argmin(axis=2)


def test_the_map_is_stretched_over_its_cells_with_its_middles_in_place():
    """A slope stays one between the middles of the outer cells and is level beyond them."""
    slope = np.linspace(0.1, 0.8, 8, dtype=np.float32)  # at u = 0 … 7
    width, height = 40, 20
    cells = (0.25, -0.5, 1.25, 0.75)
    across = _index(heat_layer(np.tile(slope, (3, 1)), width, height, cells))
    down = _index(heat_layer(np.tile(slope[:, None], (1, 3)), width, height, cells))
    for found, size, first, last in ((across[5], 40, 0.25, 1.25), (down[:, 5], 20, -0.5, 0.75)):
        middles = (np.arange(size) + 0.5) / size
        u = (middles - first) / (last - first) * 8 - 0.5
        wanted = 255 * np.clip(0.1 + 0.1 * u, 0.1, 0.8)
        inside = ((u > 1) & (u < 6)) | (u < -1) | (u > 8)  # the cubic rounds the corners
        assert inside.sum() > 8
        assert np.abs(found - wanted)[inside].max() <= 2


@pytest.mark.parametrize(("side", "wide"), [(1000, 5), (400, 2), (60, 1)])
def test_a_frame_is_as_wide_as_the_photograph_asks_for(side, wide):
    photo = np.full((side, 2 * side, 3), 100, np.uint8)
    line = framed(photo, (0.25, 0.25, 0.75, 0.75))[side // 2, :side, 0]
    assert abs(int((line != 100).sum()) - 3 * wide) <= 2
    assert abs(int((line == 255).sum()) - wide) <= 2
    assert photo.min() == 100
