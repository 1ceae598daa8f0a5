"""The manual in the window: pages, links, headings, search, going back, and both themes."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from workbench.ui.dialogs.manual import ManualDialog, manual_pages
from workbench.ui.look.theme import DARK, LIGHT, apply_theme


@pytest.fixture
def dialog(qtbot, qapp):
    apply_theme(qapp, "light")
    made = ManualDialog()
    qtbot.addWidget(made)
    made.show_page("index")
    with qtbot.waitExposed(made):
        made.show()
    return made


def shown_titles(dialog):
    items = map(dialog.contents.item, range(dialog.contents.count()))
    return [item.text() for item in items if not item.isHidden()]


def link_places(browser, address):
    """The first and the last position of a link's text."""
    block = browser.document().begin()
    while block.isValid():
        fragments = block.begin()
        while not fragments.atEnd():
            fragment = fragments.fragment()
            if fragment.charFormat().anchorHref() == address:
                return fragment.position(), fragment.position() + fragment.length()
            fragments += 1
        block = block.next()
    raise AssertionError(f"no link to {address}")


def click_link(qtbot, browser, address):
    """Click the middle of a link's text, once it is in sight."""
    cursor = browser.textCursor()
    cursor.setPosition(sum(link_places(browser, address)) // 2)
    browser.setTextCursor(cursor)
    browser.ensureCursorVisible()
    spot = browser.cursorRect(cursor).center() + QPoint(1, 0)
    qtbot.mouseClick(browser.viewport(), Qt.MouseButton.LeftButton, pos=spot)


def test_every_page_is_listed_and_shown_with_its_heading(dialog):
    pages = manual_pages()
    assert dialog.contents.count() == len(pages)
    for row, page in enumerate(pages):
        dialog.contents.setCurrentRow(row)
        assert dialog.browser.page_name == page.name
        first = dialog.browser.document().begin()
        assert first.blockFormat().headingLevel() == 1, page.name
        assert len(dialog.browser.toPlainText()) > 500


def test_a_link_leads_to_its_page_and_back_leads_back(dialog, qtbot):
    assert not dialog.back.isEnabled()
    click_link(qtbot, dialog.browser, "tutorial.md")
    assert dialog.browser.page_name == "tutorial"
    assert dialog.contents.currentItem().text() == "Tutorial"
    qtbot.mouseClick(dialog.back, Qt.MouseButton.LeftButton)
    assert dialog.browser.page_name == "index"


def test_a_link_to_a_heading_scrolls_to_it(dialog, qtbot):
    dialog.show_page("commands")
    click_link(qtbot, dialog.browser, "#labels-export")
    top = dialog.browser.cursorForPosition(QPoint(20, 4))
    lines = [top.block().text(), top.block().next().text(), top.block().next().next().text()]
    assert "labels export" in lines


def test_a_search_lists_pages_with_all_words(dialog, qtbot):
    qtbot.keyClicks(dialog.field, "GRAD-CAM wall")
    titles = shown_titles(dialog)
    assert "Explain" in titles
    assert "Several GPUs" not in titles
    dialog.field.clear()
    assert len(shown_titles(dialog)) == dialog.contents.count()


def test_return_moves_to_the_next_match(dialog, qtbot):
    dialog.show_page("images")
    qtbot.keyClicks(dialog.field, "torchrun")
    qtbot.keyClick(dialog.field, Qt.Key.Key_Return)
    assert dialog.browser.page_name != "images"
    assert dialog.browser.textCursor().selectedText().lower() == "torchrun"
    assert dialog.isVisible()


@pytest.mark.parametrize(("mode", "theme"), [("dark", DARK), ("light", LIGHT)])
def test_links_have_the_colour_of_the_theme_also_after_a_change(dialog, qapp, mode, theme):
    other = "light" if mode == "dark" else "dark"
    apply_theme(qapp, other)
    apply_theme(qapp, mode)
    QApplication.processEvents()
    cursor = dialog.browser.textCursor()
    cursor.setPosition(link_places(dialog.browser, "tutorial.md")[0] + 1)
    assert cursor.charFormat().foreground().color() == theme.accent
    assert dialog.browser.palette().text().color() == theme.text


def test_an_unknown_page_is_the_contents(dialog):
    dialog.show_page("nowhere")
    assert dialog.browser.page_name == "index"


def test_help_opens_the_page_of_the_page_and_leaves_the_window_usable(window, qtbot):
    window.go("views")
    qtbot.keyClick(window, Qt.Key.Key_F1, Qt.KeyboardModifier.ShiftModifier)
    dialog = window.findChild(ManualDialog)
    assert dialog.isVisible()
    assert not dialog.isModal()
    assert dialog.browser.page_name == "views"
    window.go("train")
    window.commands.trigger("manual")
    assert window.findChildren(ManualDialog) == [dialog]
    assert dialog.browser.page_name == "train"
