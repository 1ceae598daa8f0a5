"""The colours of both themes can be read, and the window changes between them while it is open."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QComboBox, QWidget

from workbench.ui.look.icons import icon
from workbench.ui.look.theme import (
    DARK,
    LIGHT,
    Theme,
    apply_theme,
    cividis,
    contrast,
    label_colour,
    text_on,
)

BOTH = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


@pytest.fixture
def application(qapp):
    assert isinstance(qapp, QApplication)
    yield qapp
    apply_theme(qapp, "light")


@BOTH
@pytest.mark.parametrize("role", ["text", "muted", "accent", "good", "warn", "bad"])
@pytest.mark.parametrize("ground", ["surface", "raised"])
def test_text_reaches_four_and_a_half_to_one(theme, role, ground):
    assert contrast(getattr(theme, role), getattr(theme, ground)) >= 4.5


@BOTH
@pytest.mark.parametrize("ground", ["surface", "raised", "well"])
def test_lines_and_icons_reach_three_to_one(theme, ground):
    for role in ("line", "text", "muted", "accent"):
        assert contrast(getattr(theme, role), getattr(theme, ground)) >= 3.0, role


@BOTH
def test_text_on_a_filled_accent_can_be_read(theme):
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    assert contrast(theme.text, theme.hover) >= 4.5


@pytest.mark.parametrize("position", range(9))
def test_the_letter_on_a_label_colour_can_be_read(position):
    colour = label_colour(position)
    assert contrast(text_on(colour), colour) >= 4.5


def test_contrast_is_that_of_the_standard():
    assert contrast(QColor("#000000"), QColor("#ffffff")) == pytest.approx(21)
    assert contrast(QColor("#777777"), QColor("#ffffff")) == pytest.approx(4.48, abs=0.01)
    assert contrast(QColor("#0a0a0a"), QColor("#000000")) == pytest.approx(1.06, abs=0.01)


def test_the_theme_changes_without_a_restart_and_icons_follow(application, qtbot):
    apply_theme(application, "light")
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    picture = icon("ph.image", widget)
    assert Theme.of(widget) is LIGHT
    light = picture.pixmap(QSize(20, 20)).toImage()
    apply_theme(application, "dark")
    assert Theme.of(widget) is DARK
    assert application.palette().color(QPalette.ColorRole.Window) == DARK.surface
    assert picture.pixmap(QSize(20, 20)).toImage() != light


def test_the_styles_of_widgets_are_computed_only_where_the_theme_differs(application, qtbot):
    class Styled(QWidget):
        computed = 0

        def changeEvent(self, event):
            self.computed += event.type() is QEvent.Type.StyleChange
            super().changeEvent(event)

    apply_theme(application, "light")
    widget = Styled()
    qtbot.addWidget(widget)
    widget.show()
    before = widget.computed
    apply_theme(application, "light")
    assert widget.computed == before
    apply_theme(application, "dark")
    assert widget.computed == before + 1


def test_controls_are_28_pixels_high(application, qtbot):
    apply_theme(application, "light")
    box = QComboBox()
    qtbot.addWidget(box)
    box.show()
    assert box.sizeHint().height() == 28


def test_text_is_13_pixels(application):
    apply_theme(application, "light")
    assert application.font().pixelSize() == 13


def test_an_icon_without_room_is_nothing_and_reports_nothing(qtbot):
    button = QWidget()
    qtbot.addWidget(button)
    for size in (QSize(0, 16), QSize(16, 0), QSize()):
        assert icon("ph.image", button).pixmap(size).isNull()


def test_unknown_icons_are_refused():
    with pytest.raises(KeyError):
        icon("ph.no-such-thing")


def test_cividis_goes_from_dark_blue_to_yellow_and_clips():
    drawn = cividis(np.array([[-1.0, 0.0], [0.5, 2.0]]))
    assert drawn.shape == (2, 2, 3)
    assert drawn.dtype == np.uint8
    assert drawn[0, 0].tolist() == drawn[0, 1].tolist() == [0, 32, 77]
    assert drawn[1, 1].tolist() == [255, 234, 70]
    lightness = cividis(np.linspace(0, 1, 50)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0).all()
