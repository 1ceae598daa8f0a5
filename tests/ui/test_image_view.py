"""The image: fitted, zoomed at a point, and in its own pixels whatever copy is drawn."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt

from workbench.ui.parts.image_view import ImageView, to_qimage


@pytest.fixture
def view(qtbot):
    made = ImageView()
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    return made


def photo(width=800, height=400):
    array = np.zeros((height, width, 3), np.uint8)
    array[:, : width // 2] = (255, 0, 0)
    return array


def test_pixels_become_an_image_of_the_same_colours():
    image = to_qimage(photo()[:, ::-1])
    assert (image.pixelColor(0, 0).red(), image.pixelColor(799, 0).red()) == (0, 255)


def test_it_is_fitted_and_centred(view):
    view.show_array(photo())
    assert view.scale == pytest.approx(0.5)
    assert view.target().getRect() == pytest.approx((0, 50, 400, 200))


def test_points_go_there_and_back_in_pixels_of_the_whole_photograph(view):
    view.show_array(photo(200, 100), size=(1600, 800))
    assert view.image_size == (1600, 800)
    for point in (QPointF(0, 0), QPointF(1600, 800), QPointF(123, 456)):
        back = view.to_image(view.to_widget(point))
        assert (back.x(), back.y()) == pytest.approx((point.x(), point.y()))


def test_zooming_holds_the_point_under_the_pointer(view):
    view.show_array(photo())
    at = QPointF(300, 180)
    held = view.to_image(at)
    view.set_zoom(2.0, at)
    assert view.scale == pytest.approx(2.0)
    now = view.to_image(at)
    assert (now.x(), now.y()) == pytest.approx((held.x(), held.y()), abs=0.6)


def test_a_double_click_changes_between_fitted_and_one_to_one(qtbot, view):
    view.show_array(photo())
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    assert view.scale == pytest.approx(1.0)
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    assert view.scale == pytest.approx(0.5)


def test_a_sharper_copy_keeps_zoom_and_position(view):
    view.show_array(photo(80, 40), size=(800, 400))
    view.set_zoom(1.5, QPointF(100, 100))
    before = view.target()
    view.show_array(photo(), size=(800, 400))
    assert view.target() == before


def test_room_is_kept_while_a_photograph_is_read(view):
    view.show_placeholder(800, 400)
    assert not view.has_image
    before = view.target()
    view.show_array(photo())
    assert view.target() == before


def test_a_placeholder_keeps_the_zoom_for_the_same_photograph(view):
    view.show_array(photo())
    view.set_zoom(2.0)
    view.show_array(None)
    assert view.image_size == (0, 0)
    view.grab()
