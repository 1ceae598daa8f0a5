"""Charts drawn without a window show what they are given, where it belongs."""

import numpy as np

from workbench.vision.charts import BLUE, ORANGE, PlottedCurve, curves_picture, matrix_picture


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
