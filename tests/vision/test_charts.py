"""Charts rendered without a window show their values in the right places."""

import numpy as np

from workbench.vision.charts import BLUE, ORANGE, PlottedCurve, curves_picture, matrix_picture
from workbench.vision.sheets import wall


def _rows(picture, colour):
    close = np.abs(picture.astype(int) - colour).sum(axis=2) < 30
    return np.nonzero(close[60:-60].any(axis=1))[0]


def test_a_higher_curve_lies_higher():
    curves = [
        PlottedCurve((0.9, 0.9, 0.9), BLUE, "high"),
        PlottedCurve((0.1, 0.1, 0.1), ORANGE, "low"),
    ]
    picture = curves_picture(curves, "Accuracy", "epoch")
    assert picture.shape == (420, 760, 3)
    assert _rows(picture, BLUE).max() < _rows(picture, ORANGE).min()


def test_values_out_of_range_stay_inside_and_one_value_is_no_line():
    picture = curves_picture(
        [PlottedCurve((2.0, -1.0), BLUE), PlottedCurve((0.5,), ORANGE)], "t", "epoch"
    )
    assert len(_rows(picture, BLUE))
    assert not len(_rows(picture, ORANGE))


def test_the_fullest_cell_of_a_row_is_the_brightest():
    picture = matrix_picture(np.array([[9, 1], [0, 0]]), ["a", "b"], "Confusion").astype(int)
    first, second, empty = (
        picture[140 + 76 * r, 130 + 76 * c] for r, c in ((0, 0), (0, 1), (1, 0))
    )
    assert first.sum() > second.sum() >= empty.sum()


def test_pictures_on_a_wall_lie_whole_side_by_side_below_the_title():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    pictures = [(np.full((40, 40, 3), colour, np.uint8), "caption") for colour in colours]
    sheet = wall(pictures, "Title")
    places = [np.nonzero((sheet == colour).all(axis=2)) for colour in colours]
    tops, lefts = ([int(place[axis].min()) for place in places] for axis in (0, 1))
    sides = {int(np.ptp(place[axis])) + 1 for place in places for axis in (0, 1)}
    (side,) = sides
    assert [len(place[0]) for place in places] == [side * side] * 3
    assert tops[0] == tops[1] < tops[2] - side
    assert lefts[0] == lefts[2] < lefts[1] - side
    assert (sheet[: tops[0]] < 100).any()  # the title's ink
