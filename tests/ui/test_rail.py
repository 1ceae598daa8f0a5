"""Titles in the rail fit, in every language."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtGui import QFontMetrics

from workbench.ui.look.theme import CAPTION_PIXELS, sized
from workbench.ui.page import PAGES
from workbench.ui.window.rail import WIDTH, Rail


@pytest.fixture
def rail(qtbot):
    def with_title(title):
        first, *others = PAGES.values()
        made = Rail((replace(first, title=title), *others))
        qtbot.addWidget(made)
        return made._buttons[first.name]

    return with_title


def test_the_titles_in_english_keep_their_size(rail):
    for page in PAGES.values():
        font, title = rail(page.title).fitted_title()
        assert title == page.title
        assert font.pixelSize() == sized(font, CAPTION_PIXELS).pixelSize()


@pytest.mark.parametrize("title", ["Einstellungen", "Konfusionsmatrixauswertung"])
def test_a_long_title_is_reduced_until_it_fits(rail, title):
    button = rail(title)
    font, shown = button.fitted_title()
    assert font.bold()  # as the current page is shown
    assert QFontMetrics(font).horizontalAdvance(shown) < WIDTH
    assert shown == title or shown.endswith("…")
    assert title in button.toolTip()
