"""The mouse on an image: choosing a face, moving its box, pulling corners, drawing by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor

from workbench.domain.crops import CropState
from workbench.domain.geometry import Rect
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


def test_a_click_on_a_crop_chooses_its_face(qtbot):
    strip = FaceStrip()
    qtbot.addWidget(strip)
    strip.set_faces([FIRST, SECOND], 1, ["1", "2"])
    with qtbot.waitSignal(strip.chosen) as chosen:
        qtbot.mouseClick(strip.tiles()[1], Qt.MouseButton.LeftButton)
    assert chosen.args == [2]
