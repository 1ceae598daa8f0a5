"""The mouse on an image: choosing a face, moving its box, pulling corners, drawing by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor

from workbench.domain.crops import CropState
from workbench.domain.geometry import SMALLEST, Rect
from workbench.ui.pages.mouths.image_view import FaceMark, MouthImageView
from workbench.ui.pages.mouths.stage import SIDE, FaceStrip
from workbench.ui.parts.image_view import to_qimage

LANDMARKS = tuple((100.0 + 3 * (i % 10), 90.0 + 2 * (i // 10)) for i in range(68))
FIRST = FaceMark(1, 1, CropState.FOUND, Rect(80, 80, 140, 140), LANDMARKS)
SECOND = FaceMark(
    2, 2, CropState.FOUND, Rect(240, 60, 280, 100), letter="S", colour=QColor("#009E73")
)


def gradient(width=400, height=200):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    pixels[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return pixels


@pytest.fixture
def photo(qtbot):
    view = MouthImageView()
    qtbot.addWidget(view)
    view.resize(800, 400)  # twice the image's size
    view.show_array(gradient())
    view.set_faces([FIRST, SECOND], 1)
    view.show()
    return view


def place(photo, x, y):
    return photo.to_widget(QPointF(x, y)).toPoint()


def drag(qtbot, photo, start, end):
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(photo, left, pos=start)
    middle = QPoint((start.x() + end.x()) // 2, (start.y() + end.y()) // 2)
    qtbot.mouseMove(photo, middle)
    qtbot.mouseMove(photo, end)
    qtbot.mouseRelease(photo, left, pos=end)


def test_a_click_on_another_face_chooses_it(qtbot, photo):
    with qtbot.waitSignal(photo.chosen) as chosen:
        qtbot.mouseClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 260, 80))
    assert chosen.args == [2]


def test_dragging_inside_moves_the_box_and_updates_the_preview(qtbot, photo):
    seen = []
    photo.previewed.connect(seen.append)
    with qtbot.waitSignal(photo.adjusted) as adjusted:
        drag(qtbot, photo, place(photo, 110, 110), place(photo, 130, 120))
    assert adjusted.args == [1, Rect(100, 90, 160, 150)]
    assert seen[-1] == Rect(100, 90, 160, 150)


def test_a_box_is_not_moved_out_of_the_image(qtbot, photo):
    with qtbot.waitSignal(photo.adjusted) as adjusted:
        drag(qtbot, photo, place(photo, 110, 110), place(photo, 10, 190))
    assert adjusted.args[1] == Rect(0, 140, 60, 200)


def test_dragging_a_corner_keeps_the_box_square_and_the_opposite_corner_fixed(qtbot, photo):
    with qtbot.waitSignal(photo.adjusted) as adjusted:
        drag(qtbot, photo, place(photo, 140, 140), place(photo, 170, 150))
    assert adjusted.args == [1, Rect(80, 80, 170, 170)]


def test_escape_in_a_drag_changes_nothing(qtbot, photo):
    photo.setFocus()
    with qtbot.assertNotEmitted(photo.adjusted):
        qtbot.mousePress(photo, Qt.MouseButton.LeftButton, pos=place(photo, 110, 110))
        qtbot.mouseMove(photo, place(photo, 150, 110))
        qtbot.keyClick(photo, Qt.Key.Key_Escape)
        qtbot.mouseRelease(photo, Qt.MouseButton.LeftButton, pos=place(photo, 150, 110))


def test_a_box_drawn_by_hand(qtbot, photo):
    photo.set_drawing(True)
    with qtbot.waitSignal(photo.drawn) as drawn:
        drag(qtbot, photo, place(photo, 300, 100), place(photo, 350, 130))
    assert drawn.args == [Rect(300, 100, 350, 150)]
    assert not photo.drawing


def test_a_mere_click_while_drawing_draws_nothing(qtbot, photo):
    photo.set_drawing(True)
    with qtbot.assertNotEmitted(photo.drawn):
        qtbot.mouseClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 300, 100))
    assert not photo.drawing


def test_a_rejected_box_cannot_be_moved(qtbot, photo):
    rejected = FaceMark(1, 1, CropState.REJECTED, FIRST.rect)
    photo.set_faces([rejected], 1)
    with qtbot.assertNotEmitted(photo.adjusted):
        drag(qtbot, photo, place(photo, 110, 110), place(photo, 150, 110))


def test_marks_are_drawn_over_the_image_and_can_be_hidden(photo):
    with_marks = photo.grab().toImage()
    photo.set_marks_shown(False)
    bare = photo.grab().toImage()
    edge = place(photo, 110, 80)
    assert with_marks.pixelColor(edge) != bare.pixelColor(edge)
    photo.set_faces([], None)
    photo.set_marks_shown(True)
    assert photo.grab().toImage() == bare


def test_the_strip_cuts_what_the_box_holds_also_from_a_reduced_copy(qtbot):
    strip = FaceStrip()
    qtbot.addWidget(strip)
    half = gradient()[::2, ::2]
    strip.set_image(to_qimage(half), (400, 200))
    strip.set_faces([FIRST, SECOND], 2, ["1", "2"])
    first, second = strip.tiles()
    assert (first.isChecked(), second.isChecked()) == (False, True)
    image = second.image
    assert (image.width(), image.height()) == (SIDE, SIDE)
    middle = image.pixelColor(SIDE // 2, SIDE // 2)
    assert abs(middle.red() - 255 * 260 / 400) < 4
    assert abs(middle.green() - 255 * 80 / 200) < 4
    strip.preview(Rect(0, 0, 40, 40))
    assert second.image.pixelColor(64, 64).red() < 20
    assert first.image.pixelColor(64, 64).red() > 50


def test_crops_stand_beside_each_other_in_the_order_of_the_faces(qtbot):
    strip = FaceStrip()
    qtbot.addWidget(strip)
    strip.resize(600, 160)
    strip.show()
    third = FaceMark(3, 3, CropState.FOUND, FIRST.rect)
    for faces in ([FIRST], [FIRST, SECOND, third], [SECOND]):
        strip.set_faces(faces, 1, [str(face.number) for face in faces])
        strip.widget().layout().activate()
        tiles = strip.tiles()
        assert [tile.face for tile in tiles] == faces
        assert [tile.isVisible() for tile in tiles] == [True] * len(faces)
        places = [tile.x() for tile in tiles]
        assert places == sorted(set(places))


def test_a_click_on_a_crop_chooses_its_face(qtbot):
    strip = FaceStrip()
    qtbot.addWidget(strip)
    strip.set_faces([FIRST, SECOND], 1, ["1", "2"])
    with qtbot.waitSignal(strip.chosen) as chosen:
        qtbot.mouseClick(strip.tiles()[1], Qt.MouseButton.LeftButton)
    assert chosen.args == [2]


def test_each_corner_pulls_against_the_opposite_one(qtbot, photo):
    corners = {
        (80, 80): Rect(70, 70, 140, 140),
        (140, 80): Rect(80, 70, 150, 140),
        (80, 140): Rect(70, 80, 140, 150),
        (140, 140): Rect(80, 80, 150, 150),
    }
    for (x, y), expected in corners.items():
        photo.set_faces([FIRST, SECOND], 1)
        with qtbot.waitSignal(photo.adjusted) as adjusted:
            outward = (10 if x == 140 else -10, 10 if y == 140 else -10)
            drag(qtbot, photo, place(photo, x, y), place(photo, x + outward[0], y + outward[1]))
        assert adjusted.args == [1, expected]


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [
        (160, 160, Qt.CursorShape.SizeFDiagCursor),
        (280, 280, Qt.CursorShape.SizeFDiagCursor),
        (280, 160, Qt.CursorShape.SizeBDiagCursor),
        (160, 280, Qt.CursorShape.SizeBDiagCursor),
        (151, 151, Qt.CursorShape.SizeFDiagCursor),
        (169, 169, Qt.CursorShape.SizeFDiagCursor),
        (170, 169, Qt.CursorShape.SizeAllCursor),
        (169, 170, Qt.CursorShape.SizeAllCursor),
        (150, 160, Qt.CursorShape.ArrowCursor),
        (220, 220, Qt.CursorShape.SizeAllCursor),
        (480, 120, Qt.CursorShape.PointingHandCursor),
        (479, 120, Qt.CursorShape.ArrowCursor),
        (560, 120, Qt.CursorShape.ArrowCursor),
        (559, 199, Qt.CursorShape.PointingHandCursor),
        (559, 200, Qt.CursorShape.ArrowCursor),
    ],
)
def test_the_cursor_shows_what_a_press_would_do(qtbot, photo, x, y, shape):
    qtbot.mouseMove(photo, QPoint(700, 350))
    qtbot.mouseMove(photo, QPoint(x, y))
    assert photo.cursor().shape() is shape


def test_hidden_marks_and_rejected_boxes_have_no_grips(qtbot, photo):
    photo.set_marks_shown(False)
    with qtbot.assertNotEmitted(photo.chosen), qtbot.assertNotEmitted(photo.adjusted):
        qtbot.mouseClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 260, 80))
        qtbot.mouseMove(photo, place(photo, 110, 110))
    assert photo.cursor().shape() is Qt.CursorShape.ArrowCursor
    photo.set_marks_shown(True)
    photo.set_faces([FaceMark(1, 1, CropState.REJECTED, FIRST.rect)], 1)
    qtbot.mouseMove(photo, place(photo, 140, 140) - QPoint(2, 2))
    assert photo.cursor().shape() is Qt.CursorShape.PointingHandCursor
    with qtbot.waitSignal(photo.chosen) as chosen:
        qtbot.mouseClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 110, 110))
    assert chosen.args == [1]


def test_of_two_boxes_at_a_point_the_smaller_is_chosen(qtbot, photo):
    around = FaceMark(3, 3, CropState.FOUND, Rect(220, 40, 300, 120))
    for faces in ([SECOND, around], [around, SECOND]):
        photo.set_faces(faces, None)
        with qtbot.waitSignal(photo.chosen) as chosen:
            qtbot.mouseClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 260, 80))
        assert chosen.args == [2]


def test_other_buttons_change_no_box(qtbot, photo):
    with qtbot.assertNotEmitted(photo.chosen), qtbot.assertNotEmitted(photo.adjusted):
        qtbot.mousePress(photo, Qt.MouseButton.RightButton, pos=place(photo, 260, 80))
        qtbot.mouseRelease(photo, Qt.MouseButton.RightButton, pos=place(photo, 260, 80))
    with qtbot.assertNotEmitted(photo.adjusted):
        qtbot.mouseClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 110, 110))


def test_drawing_is_announced_once_and_ends_with_its_cursor(qtbot, photo):
    heard = []
    photo.drawing_changed.connect(heard.append)
    photo.set_drawing(False)
    photo.set_drawing(True)
    photo.set_drawing(True)
    assert (heard, photo.drawing) == ([True], True)
    assert photo.cursor().shape() is Qt.CursorShape.CrossCursor
    qtbot.mouseMove(photo, place(photo, 260, 80))
    assert photo.cursor().shape() is Qt.CursorShape.CrossCursor
    assert photo.cancel()
    assert not photo.cancel()
    assert heard == [True, False]
    assert photo.cursor().shape() is Qt.CursorShape.ArrowCursor


def test_a_new_box_is_previewed_and_needs_more_than_the_smallest_side(qtbot, photo):
    seen, made = [], []
    photo.previewed.connect(seen.append)
    photo.drawn.connect(made.append)
    for side in (SMALLEST, SMALLEST + 1):
        photo.set_drawing(True)
        drag(qtbot, photo, place(photo, 20, 20), place(photo, 20 + side, 20 + side))
        assert seen[-1] == Rect(20, 20, 20 + side, 20 + side)
    assert made == [Rect(20, 20, 21 + SMALLEST, 21 + SMALLEST)]


def test_a_moved_box_stays_where_it_was_released(qtbot, photo):
    drag(qtbot, photo, place(photo, 110, 110), place(photo, 130, 120))
    with qtbot.waitSignal(photo.adjusted) as adjusted:
        drag(qtbot, photo, place(photo, 130, 120), place(photo, 140, 120))
    assert adjusted.args == [1, Rect(110, 90, 170, 150)]
    photo.setFocus()
    qtbot.mousePress(photo, Qt.MouseButton.LeftButton, pos=place(photo, 140, 120))
    assert photo.cancel()
    with qtbot.assertNotEmitted(photo.adjusted):
        qtbot.mouseRelease(photo, Qt.MouseButton.LeftButton, pos=place(photo, 160, 120))


def test_a_double_click_zooms_beside_the_box_only(qtbot, photo):
    before = photo.to_widget(QPointF(0, 0))
    qtbot.mouseDClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 110, 110))
    assert photo.to_widget(QPointF(0, 0)) == before
    photo.resize(500, 400)
    before = photo.to_widget(QPointF(400, 0)) - photo.to_widget(QPointF(0, 0))
    photo.set_drawing(True)
    qtbot.mouseDClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 350, 50))
    photo.set_drawing(False)
    assert photo.to_widget(QPointF(400, 0)) - photo.to_widget(QPointF(0, 0)) == before
    qtbot.mouseDClick(photo, Qt.MouseButton.LeftButton, pos=place(photo, 350, 50))
    assert photo.to_widget(QPointF(400, 0)) - photo.to_widget(QPointF(0, 0)) != before
