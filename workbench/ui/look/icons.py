"""Icons of the Phosphor family, painted in the colours of the current theme.

The font and its table of names come with QtAwesome. Reading the two files takes 15 ms, importing
the package 220 ms of a start that may take one second, so the package itself is not imported.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from workbench.ui.look.theme import DARK, LIGHT, Theme

ICON_PIXELS = 20
_FONT = "phosphor-1.3.0.ttf"
_NAMES = "phosphor-charmap-1.3.0.json"


def icon(name: str, widget: QWidget | None = None, role: str = "") -> QIcon:
    """The Phosphor icon `name` ("ph.image" or "image") in the theme of `widget` (None: of the
    application), in the colour of `role` if given. Raises KeyError for an unknown name.
    """
    glyph = _glyphs()[name.removeprefix("ph.")]
    return QIcon(_Engine(glyph, widget, role))


def draw_icon(painter: QPainter, name: str, rect: QRectF, colour: QColor) -> None:
    """Draw the icon `name` into `rect`."""
    painter.save()
    painter.setFont(_font(max(1, round(rect.height()))))
    painter.setPen(colour)
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, _glyphs()[name.removeprefix("ph.")])
    painter.restore()


class _Engine(QIconEngine):
    """An engine for one glyph; looks up the theme when painting, so that icons follow changes."""

    def __init__(self, glyph: str, widget: QWidget | None, role: str) -> None:
        super().__init__()
        self._glyph = glyph
        self._widget = widget
        self._role = role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        theme = _theme(self._widget)
        painter.save()
        painter.setFont(_font(max(1, rect.height())))
        painter.setPen(self._colour(theme, mode, state))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._glyph)
        painter.restore()

    def _colour(self, theme: Theme, mode: QIcon.Mode, state: QIcon.State) -> QColor:
        if mode is QIcon.Mode.Disabled:
            return theme.line
        if self._role:
            colour: QColor = getattr(theme, self._role)
            return colour
        if mode is QIcon.Mode.Selected:
            return theme.on_accent
        return theme.accent if state is QIcon.State.On else theme.text

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        if size.isEmpty():  # a button that the layout has not given a size yet
            return QPixmap()
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return made

    def clone(self) -> QIconEngine:
        return _Engine(self._glyph, self._widget, self._role)


def _theme(widget: QWidget | None) -> Theme:
    if widget is not None and isValid(widget):
        return Theme.of(widget)
    return DARK if QApplication.palette().window().color().lightness() < 128 else LIGHT


@cache
def _folder() -> Path:
    spec = find_spec("qtawesome")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("The package QtAwesome, the source of the icons, is not installed.")
    return Path(next(iter(spec.submodule_search_locations))) / "fonts"


@cache
def _glyphs() -> dict[str, str]:
    table = json.loads((_folder() / _NAMES).read_text(encoding="utf-8"))
    return {name: chr(int(code, 16)) for name, code in table.items()}


@cache
def _family() -> str:
    added = QFontDatabase.addApplicationFont(str(_folder() / _FONT))
    return QFontDatabase.applicationFontFamilies(added)[0]


@cache
def _font(pixels: int) -> QFont:
    font = QFont(_family())
    font.setPixelSize(pixels)
    font.setStyleStrategy(QFont.StyleStrategy.NoFontMerging)
    return font
