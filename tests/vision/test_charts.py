"""Charts rendered without a window show their values in the right places."""

import cv2
import numpy as np

from workbench.vision.charts import (
    BLUE,
    ORANGE,
    PlottedCurve,
    curves_image,
    matrix_image,
)
from workbench.vision.sheets import side_by_side, wall

RED, GREEN = (200, 0, 0), (0, 200, 0)


def _rows(picture, colour):
    close = np.abs(picture.astype(int) - colour).sum(axis=2) < 30
    return np.nonzero(close[60:-60].any(axis=1))[0]


def test_a_higher_curve_is_drawn_higher():
    curves = [
        PlottedCurve((0.9, 0.9, 0.9), BLUE, "high"),
        PlottedCurve((0.1, 0.1, 0.1), ORANGE, "low"),
    ]
    picture = curves_image(curves, "Accuracy", "epoch")
    assert picture.shape == (420, 760, 3)
    assert _rows(picture, BLUE).max() < _rows(picture, ORANGE).min()


def test_values_out_of_range_stay_inside_and_one_value_is_no_line():
    picture = curves_image(
        [PlottedCurve((2.0, -1.0), BLUE), PlottedCurve((0.5,), ORANGE)], "t", "epoch"
    )
    assert len(_rows(picture, BLUE))
    assert not len(_rows(picture, ORANGE))


def test_the_fullest_cell_of_a_row_is_the_brightest():
    picture = matrix_image(np.array([[9, 1], [0, 0]]), ["a", "b"], "Confusion").astype(int)
    first, second, empty = (
        picture[140 + 76 * r, 130 + 76 * c] for r, c in ((0, 0), (0, 1), (1, 0))
    )
    assert first.sum() > second.sum() >= empty.sum()


def test_images_on_a_wall_are_complete_and_side_by_side_below_the_title():
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


def _dark(picture, colour):
    """Pixels about as dark as a colour or darker, in every channel."""
    return (picture.astype(int) <= np.array(colour) + 40).all(axis=2)


def test_curves_are_between_equal_grid_lines_from_0_to_100_percent():
    empty = curves_image([], "", "")
    lines = np.nonzero((empty[:, 700] < 250).all(axis=1))[0]
    first = lines[np.diff(lines, prepend=-9) > 1]
    assert np.abs(first - np.linspace(56, 364, 6)).max() <= 1.5
    picture = curves_image([PlottedCurve((0.0, 1.0, 0.5), BLUE)], "", "").astype(int)
    blue = np.abs(picture - BLUE).sum(axis=2) < 60
    rows, columns = np.nonzero(blue)
    assert (columns.min(), columns.max()) == (64, 735)
    assert rows[columns == 65].max() >= 362
    assert rows[columns == 400].min() <= 58
    assert abs(rows[columns == 735].mean() - 210) <= 2


def test_the_epochs_below_the_axis_are_at_most_seven_and_begin_with_1():
    def marks(epochs: int) -> int:
        picture = curves_image([PlottedCurve((0.5,) * epochs, BLUE)], "", "")
        inked = _dark(picture, (150, 150, 150))[370:392, 40:].any(axis=0)
        at = np.nonzero(inked)[0]
        return 1 + int((np.diff(at) > 12).sum())

    assert [marks(epochs) for epochs in (1, 2, 6, 12, 60)] == [1, 2, 6, 6, 6]


def test_the_legend_names_each_named_curve_beside_its_colour_in_their_order():
    curves = [
        PlottedCurve((0.0, 0.0), BLUE, "first"),
        PlottedCurve((0.0, 0.0), ORANGE, "second"),
        PlottedCurve((0.0, 0.0), (0, 158, 115)),
    ]
    top = curves_image(curves, "", "")[:50].astype(int)

    def sample(colour):
        rows, columns = np.nonzero(np.abs(top - colour).sum(axis=2) < 40)
        return (int(columns.min()), int(columns.max()), round(rows.mean())) if len(rows) else None

    blue, orange = sample(BLUE), sample(ORANGE)
    assert sample((0, 158, 115)) is None
    assert {blue[1] - blue[0], orange[1] - orange[0]} <= {23, 24}
    assert max(abs(blue[2] - 26), abs(orange[2] - 26)) <= 1
    words = np.nonzero(_dark(top, (27, 27, 31)).any(axis=0))[0]
    assert blue[1] < words.min()  # the sample stands left of its name,
    assert orange[1] < words.max() <= 736  # and the last name ends with the axis
    assert not ((words > orange[0] - 12) & (words < orange[1])).any()


def test_a_matrix_has_a_row_of_the_sheet_for_each_label_with_its_counts_inside():
    matrix = np.array([[9, 1, 0], [0, 5, 5], [2, 2, 4]])
    picture = matrix_image(matrix, ["a", "b", "c"], "")
    assert picture.shape == (100 + 3 * 76 + 24, 120 + 3 * 76 + 24, 3)
    assert matrix_image(matrix[:1, :1], ["a"], "").shape == (200, 360, 3)
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    ramp = np.round(shares * 255).astype(np.uint8)
    colours = cv2.applyColorMap(ramp, cv2.COLORMAP_CIVIDIS)[..., ::-1].astype(int)
    for row, column in np.ndindex(3, 3):
        left, top = 120 + 76 * column, 100 + 76 * row
        cell = picture[top : top + 74, left : left + 74].astype(int)
        assert np.abs(cell[3, 3] - colours[row, column]).max() <= 1
        assert np.abs(cell[70, 70] - colours[row, column]).max() <= 1
        different = np.abs(cell[3:71, 3:71] - cell[3, 3]).sum(axis=2) > 150
        rows, columns = np.nonzero(different)
        assert abs(rows.mean() - 35) < 4  # the number is in the middle,
        assert abs(columns.mean() - 35) < 4
        bright = cell[3, 3].sum() > 380
        number = cell[3:71, 3:71][different].sum(axis=1)
        assert (number.min() < 200) if bright else (number.max() > 600)
    assert picture[150, 120 + 74 + 1].min() > 230  # paper between the cells
    assert picture[100 + 74 + 1, 150].min() > 230
    labels = _dark(picture, (27, 27, 31))
    for at in range(3):
        assert labels[100 + 76 * at + 26 : 100 + 76 * at + 50, 90:116].any()
        assert labels[70:100, 120 + 76 * at + 26 : 120 + 76 * at + 50].any()


def test_images_are_side_by_side_and_centred_vertically():
    tall, low = np.full((60, 30, 3), RED, np.uint8), np.full((20, 50, 3), GREEN, np.uint8)
    sheet = side_by_side([tall, low], ["first"], legend=False)
    assert sheet.shape == (16 + 60 + 8 + 26 + 16, 16 + 30 + 8 + 50 + 16, 3)
    assert (sheet[16:76, 16:46] == RED).all()
    assert (sheet[36:56, 54:104] == GREEN).all()
    assert (sheet == GREEN).all(axis=2).sum() == 20 * 50


def test_long_lines_are_wrapped_and_long_words_shortened():
    picture = np.full((20, 100, 3), RED, np.uint8)
    heights = [
        side_by_side([picture], [text], legend=False).shape[0]
        for text in ("one", "one two three four five six", "w" * 100)
    ]
    line = 26
    assert heights[1] - heights[0] in (line, 2 * line)
    assert heights[2] == heights[0]
    sheet = side_by_side([picture], ["w" * 100], legend=False)
    assert (sheet[:, -16:] == 255).all()
    assert side_by_side([picture], ["one"]).shape[0] == heights[0] + line


def test_a_wall_has_at_most_six_columns_and_scales_each_image_into_its_tile():
    def shape(count: int) -> tuple[int, int]:
        sheet = wall([(np.full((8, 8, 3), RED, np.uint8), "")] * count, "").shape
        return (sheet[1] - 2 * 16 + 8) // 248, (sheet[0] - 2 * 16 - 2 * 26) // 274

    assert [shape(count) for count in (1, 2, 5, 36, 40)] == [(1, 1), (2, 1), (3, 2), (6, 6), (6, 7)]
    wide = wall([(np.full((10, 40, 3), RED, np.uint8), "")], "")
    rows, columns = np.nonzero((wide == RED).all(axis=2))
    assert (columns.min(), columns.max()) == (16, 16 + 239)
    assert (rows.min(), rows.max()) == (16 + 26 + 90, 16 + 26 + 90 + 59)


def test_the_title_is_above_the_curves_and_the_axis_text_centred_below():
    plain, worded = (curves_image([], title, across) for title, across in (("", ""), ("Xy", "n")))
    rows, columns = np.nonzero((plain != worded).any(axis=2))
    above = rows < 56
    assert 60 <= columns[above].min() <= 68
    assert rows[above].min() > 16
    assert columns[above].max() < 100
    below = rows > 364
    assert below.any()
    assert abs(columns[below].mean() - 400) <= 3
    assert rows[below].min() > 390


def test_a_wall_is_as_large_as_its_tiles_with_margins_title_and_legend():
    square = np.full((8, 8, 3), RED, np.uint8)
    sizes = [wall([(square, "")] * count, "").shape[:2] for count in (1, 2, 5)]
    line, step_x, step_y = 26, 248, 274
    heights = [16 + line + rows * step_y + line + 16 for rows in (1, 1, 2)]
    widths = [columns * step_x - 8 + 2 * 16 for columns in (1, 2, 3)]
    assert sizes == list(zip(heights, widths, strict=True))


def test_the_thinnest_picture_keeps_a_pixel_on_a_wall():
    upright, flat = np.full((900, 1, 3), RED, np.uint8), np.full((1, 900, 3), GREEN, np.uint8)
    sheet = wall([(upright, ""), (flat, "")], "")
    assert (sheet == RED).all(axis=2).sum() == (sheet == GREEN).all(axis=2).sum() == 240


def test_the_legend_of_a_wall_stands_below_its_tiles():
    pictures = [(np.full((8, 8, 3), (255, 255, 255), np.uint8), "")] * 5
    sheet = wall(pictures, "").astype(int)
    coloured = np.nonzero(np.ptp(sheet, axis=2).max(axis=1) > 100)[0]
    assert coloured.min() == 16 + 26 + 2 * 274 + 6
    assert coloured.max() == coloured.min() + 9


def test_the_first_line_is_in_ink_and_the_others_muted_in_any_script():
    picture = np.full((20, 400, 3), RED, np.uint8)
    sheet = side_by_side([picture], ["First ink", "then muted", "猫 ōë → end"], legend=False)
    top, line = 16 + 20 + 8, 26
    lines = [sheet[top + at * line : top + (at + 1) * line, 16:-16].astype(int) for at in range(3)]
    darkest = [one.sum(axis=2).min() for one in lines]
    assert darkest[0] < 3 * 45
    assert all(3 * 75 < one < 3 * 130 for one in darkest[1:])
    for one in lines:
        rows = np.nonzero((one < 200).all(axis=2).any(axis=1))[0]
        assert 8 <= np.ptp(rows) + 1 <= 20
        assert rows.max() < line - 1
