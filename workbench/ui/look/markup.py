"""Plain and rich texts: Qt takes a text that looks like HTML for HTML, so that names of the user's
are escaped."""

from __future__ import annotations

import html
import re

from PySide6.QtGui import Qt
from PySide6.QtWidgets import QLabel, QWidget

_CODE = r"<code>\1</code>"


def plain_text(text: str) -> str:
    """`text` for a tooltip or message box that shows it as it is, with the user's names in it.

    A text that Qt would not take for HTML is returned unchanged.
    """
    if not Qt.mightBeRichText(text):
        return text
    # Without a tag, Qt might not take the escaped text for HTML again.
    return f"<p>{html.escape(text, quote=False).replace(chr(10), '<br>')}</p>"


def rich_tip(*paragraphs: str) -> str:
    """A tooltip of several translated paragraphs that wraps its lines; `names` are set as code.

    Qt wraps the lines of rich text only. Empty paragraphs are left out.
    """
    escaped = (html.escape(text, quote=False) for text in paragraphs if text)
    return "".join(f"<p>{re.sub('`(.+?)`', _CODE, text)}</p>" for text in escaped)


class PlainLabel(QLabel):
    """A label that shows its text as it is, with the user's names in it."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
