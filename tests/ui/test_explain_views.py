"""Where a heatmap lies over its image, and how large it is drawn."""

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import QRectF

from workbench.domain.requests import Heat
from workbench.domain.text import Message, use_language
from workbench.ui.pages.explain.views import HeatView, heat_image, layer_text, part_rect, seen_rect


def heat(seen):
    return Heat(
        height=1, width=2, values=(0.0, 1.0), seen=seen, label="owl", score=0.9, scores=(0.9, 0.1)
    )


HALF = heat((0.25, 0.5, 0.75, 1.0))


def test_a_heatmap_covers_the_part_that_the_network_saw():
    target = QRectF(10, 20, 200, 100)
    assert seen_rect(HALF, target) == QRectF(60, 70, 100, 50)
    assert part_rect((0.5, 0.25, 1.0, 0.75), target) == QRectF(110, 45, 100, 50)


@pytest.mark.parametrize(
    ("seen", "framed"),
    [
        ((0.0, 0.0, 1.0, 1.0), False),
        ((0.08, 0.08, 0.92, 0.92), False),  # the margin of a test crop
        ((0.125, 0.0, 0.875, 1.0), True),  # 16:9
        ((0.0, 0.0, 1.0, 0.9), True),
    ],
)
def test_what_the_network_saw_is_framed_unless_it_is_nearly_all(qtbot, seen, framed):
    shown = heat(seen)
    assert shown.frame == (seen if framed else None)
    view = HeatView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show_array(np.full((300, 400, 3), 128, np.uint8))
    view.set_opacity(0.0)
    before = view.grab().toImage()
    view.show_heat(shown)
    assert (view.grab().toImage() != before) == framed


def test_of_windows_the_strongest_is_framed():
    strongest = (0.1, 0.1, 0.3, 0.3)
    assert msgspec.structs.replace(HALF, window=strongest, windows=4).frame == strongest


@pytest.mark.parametrize(
    ("shown", "size", "drawn"),
    [
        (HALF, (400, 200), (384, 192)),
        (HALF, (200, 400), (192, 384)),
        (heat((0.0, 0.0, 1.0, 1.0)), (20, 10), (384, 192)),
        (heat((0.0, 0.0, 1.0, 1.0)), (2000, 1), (384, 1)),
    ],
)
def test_a_heatmap_is_drawn_in_the_shape_of_that_part(shown, size, drawn):
    image = heat_image(shown, *size)
    assert (image.width(), image.height()) == drawn


def test_titles_that_are_messages_are_translated_and_names_of_layers_are_not():
    use_language(lambda text, _comment, _n: f"[{text}]")
    try:
        assert layer_text("conv1") == "conv1"
        assert layer_text(Message("Sliding windows")) == "[Sliding windows]"
    finally:
        use_language(None)
