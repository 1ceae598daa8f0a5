"""Where a heatmap lies over its image, and how large it is drawn."""

import pytest
from PySide6.QtCore import QRectF

from workbench.domain.requests import Heat
from workbench.domain.text import Message, use_language
from workbench.ui.pages.explain.views import heat_image, layer_text, part_rect, seen_rect


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
