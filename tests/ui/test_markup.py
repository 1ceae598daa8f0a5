"""Names of the user's are shown as they are, also where they look like HTML."""

import pytest
from PySide6.QtGui import Qt, QTextDocument

from workbench.ui.look.markup import PlainLabel, plain_text, rich_tip

NAMES = ["<b>bold</b>", "x <i>", "<img src=x>", "a & <u>b</u>", "first\n<b>second</b>", "&lt;b>"]


def shown(text):
    """What a tooltip or message box with this text shows."""
    document = QTextDocument()
    if Qt.mightBeRichText(text):
        document.setHtml(text)
    else:
        document.setPlainText(text)
    return document.toPlainText()


@pytest.mark.parametrize("name", [*NAMES, "plain", "Owls & hawks", "a < b", "&amp;", "two\nlines"])
def test_a_text_is_shown_as_it_is(qapp, name):
    assert shown(plain_text(name)) == name


@pytest.mark.parametrize("name", NAMES)
def test_a_rich_tip_escapes_what_it_is_given(qapp, name):
    assert shown(rich_tip(f"Label {name}")).split() == f"Label {name}".split()


def test_a_plain_label_has_no_rich_text(qtbot):
    plain, rich = PlainLabel("<b>m</b>" * 20), PlainLabel("m" * 20)
    qtbot.addWidget(plain)
    qtbot.addWidget(rich)
    assert plain.sizeHint().width() > rich.sizeHint().width() * 1.5
