"""The image: fitted, zoomed at a point, and in its own pixels whatever copy is drawn."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

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


def test_zooming_without_a_point_holds_the_middle(view):
    view.show_array(photo())
    middle = QPointF(view.width() / 2, view.height() / 2)
    held = view.to_image(middle)
    view.set_zoom(2.0)
    now = view.to_image(middle)
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


def drag(view, start, end):
    """Press at one point, move to another with the button down, and release."""
    for kind, at, held in (
        (QEvent.Type.MouseButtonPress, start, Qt.MouseButton.LeftButton),
        (QEvent.Type.MouseMove, end, Qt.MouseButton.LeftButton),
        (QEvent.Type.MouseButtonRelease, end, Qt.MouseButton.NoButton),
    ):
        button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else held
        if kind is QEvent.Type.MouseButtonRelease:
            button = Qt.MouseButton.LeftButton
        plain = Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(kind, at, view.mapToGlobal(at), button, held, plain)
        QApplication.sendEvent(view, event)


def wheel(view, turned, at):
    event = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(),
        QPoint(0, turned),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((800, 400), 0.5),
        ((400, 600), 0.5),
        ((160, 100), 2.5),
        ((100, 60), 4.0),
        ((161, 10), 400 / 161),
        ((150, 160), 300 / 160),
        ((162, 20), 400 / 162),
        ((20, 90), 300 / 90),
        ((40, 161), 300 / 161),
        ((20, 20), 4.0),
    ],
)
def test_small_images_are_enlarged_by_a_limited_factor(view, size, scale):
    view.show_array(photo(*size))
    assert view.scale == pytest.approx(scale)


def test_larger_images_are_enlarged_less_than_crops(qtbot):
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(2000, 2000)
    for side, scale in ((160, 4.0), (161, 2.5)):
        view.show_array(photo(side, 90))
        assert view.scale == scale
        view.show_array(photo(90, side))
        assert view.scale == scale


def test_zoom_is_bounded_and_announced(view):
    heard = []
    view.zoomed.connect(heard.append)
    view.set_zoom(3.0)
    assert heard == []
    view.show_array(photo())
    view.set_zoom(0.1)
    assert view.scale == 0.5
    view.set_zoom(99.0)
    assert view.scale == 32.0
    view.show_array(photo(100, 60))
    view.set_zoom(0.1)
    assert view.scale == 1.0, "a small image is shown in its own size at least"
    assert heard == [0.5, 0.5, 32.0, 4.0, 1.0]


def test_the_view_stays_on_the_image(view):
    view.show_array(photo())
    view.set_zoom(1.0, QPointF(0, 0))
    assert view.target().getRect() == pytest.approx((0, 0, 800, 400))
    view._place(QPointF(9999, 9999))
    assert view.target().getRect() == pytest.approx((-400, -100, 800, 400))
    view._place(QPointF(-5, -5))
    assert view.target().getRect() == pytest.approx((0, 0, 800, 400))
    view.set_zoom(0.6)
    view._place(QPointF(0, 0))
    assert view.target().getRect() == pytest.approx((0, 30, 480, 240)), "centred where it fits"


def test_dragging_pans_a_zoomed_image_only(qtbot, view):
    view.show_array(photo())
    drag(view, QPointF(100, 100), QPointF(150, 130))
    assert view.target().getRect() == pytest.approx((0, 50, 400, 200))
    view.set_zoom(2.0)
    before = view.target().topLeft()
    drag(view, QPointF(100, 100), QPointF(150, 130))
    assert (view.target().topLeft() - before).toTuple() == pytest.approx((50, 30))
    assert view.cursor().shape() is Qt.CursorShape.ArrowCursor
    before = view.target().topLeft()
    qtbot.mouseMove(view, QPoint(20, 20))
    assert view.target().topLeft() == before


def test_the_wheel_zooms_by_a_fifth_at_the_pointer(view):
    view.show_array(photo())
    at = QPointF(250, 160)
    held = view.to_image(at)
    wheel(view, 120, at)
    assert view.scale == pytest.approx(0.5 * 1.0015**120)
    assert view.to_image(at).x() == pytest.approx(held.x(), abs=0.6)
    wheel(view, -120, at)
    assert view.scale == pytest.approx(0.5)


def test_a_resize_keeps_the_middle_of_a_zoomed_image(view):
    view.show_array(photo())
    view.set_zoom(2.0)
    view._place(QPointF(300, 150))
    view.resize(500, 360)
    middle = view.to_image(QPointF(250, 180))
    assert (middle.x(), middle.y()) == pytest.approx((300, 150))
    view._place(QPointF(800, 400))
    view.resize(700, 500)
    assert view.target().bottomRight().toTuple() == pytest.approx((700, 500))


def test_another_size_is_fitted_and_the_state_names_the_zoom(view):
    view.show_array(photo())
    assert view.save_state() == {"zoom": None, "x": 0.5, "y": 0.5}
    view.set_zoom(2.0, QPointF(0, 0))
    state = view.save_state()
    assert (state["zoom"], state["x"] < 0.5, state["y"] < 0.5) == (2.0, True, True)
    view.show_array(photo(600, 300))
    assert view.save_state() == {"zoom": None, "x": 0.5, "y": 0.5}


def test_images_are_drawn_in_their_place(view):
    view.show_array(photo())
    fitted = view.grab().toImage()
    assert fitted.pixelColor(50, 150).red() > 200
    assert fitted.pixelColor(350, 150).red() < 50
    assert fitted.pixelColor(50, 40) == fitted.pixelColor(350, 260)
    view.set_zoom(1.0, QPointF(399, 150))
    zoomed = view.grab().toImage()
    assert zoomed.pixelColor(20, 150).red() < 50 or zoomed.pixelColor(399, 150).red() < 50
    view.show_array(photo()[:, ::-1], size=(800, 400))
    view.fit()
    assert view.grab().toImage().pixelColor(350, 150).red() > 200
    view.show_placeholder(800, 400)
    assert view.grab().toImage().pixelColor(350, 150) == view.grab().toImage().pixelColor(50, 150)
