"""The colours of the window as roles, light and dark, so that no page writes a colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from workbench.ui.look.style import draw_controls, style_sheet

TEXT_PIXELS = 13
CAPTION_PIXELS = 11
TITLE_PIXELS = 20
GRID = 8  # pixels; 4 inside controls
CONTROL_HEIGHT = 28
RADIUS = 6
MODES = ("system", "light", "dark")
_ROLES = ("surface", "raised", "well", "hover", "line", "text", "muted", "accent", "on_accent")
_MODE = "workbench_theme"  # dynamic property of the application


@dataclass(frozen=True)
class Theme:
    """Roles of colour. `surface` lies under everything, `raised` under panels and controls, `well`
    behind photographs; `on_accent` is text on a filled accent. Text roles reach 4.5:1 and lines and
    icons 3:1 over surface and raised."""

    dark: bool
    surface: QColor
    raised: QColor
    well: QColor
    hover: QColor
    line: QColor
    text: QColor
    muted: QColor
    accent: QColor
    on_accent: QColor
    good: QColor
    warn: QColor
    bad: QColor

    @staticmethod
    def of(widget: QWidget) -> Theme:
        """The theme that `widget` is drawn in, from its palette."""
        window = widget.palette().color(QPalette.ColorRole.Window)
        if window.alpha() == 0:  # a transparent background in the style sheet ends up here
            window = QApplication.palette().color(QPalette.ColorRole.Window)
        return DARK if window.lightness() < 128 else LIGHT


LIGHT = Theme(
    dark=False,
    surface=QColor("#f3f3f5"),
    raised=QColor("#ffffff"),
    well=QColor("#e7e7ea"),
    hover=QColor("#e9eaee"),
    line=QColor("#7e7e88"),
    text=QColor("#1b1b1f"),
    muted=QColor("#5a5a65"),
    accent=QColor("#1d5fc4"),
    on_accent=QColor("#ffffff"),
    good=QColor("#17713a"),
    warn=QColor("#8a5600"),
    bad=QColor("#b3261e"),
)

DARK = Theme(
    dark=True,
    surface=QColor("#1b1b1e"),
    raised=QColor("#26262a"),
    well=QColor("#121214"),
    hover=QColor("#323238"),
    line=QColor("#7d7d88"),
    text=QColor("#ececf0"),
    muted=QColor("#a6a6b1"),
    accent=QColor("#82b1ff"),
    on_accent=QColor("#10203a"),
    good=QColor("#74d193"),
    warn=QColor("#e9b55f"),
    bad=QColor("#ff8f85"),
)

# Okabe and Ito, "Color Universal Design" (2008); grey stands in for their black, which vanishes on
# dark photographs.
_LABELS = (
    QColor("#E69F00"),
    QColor("#56B4E9"),
    QColor("#009E73"),
    QColor("#F0E442"),
    QColor("#0072B2"),
    QColor("#D55E00"),
    QColor("#CC79A7"),
    QColor("#999999"),
)

# Nuñez, Anderton and Renslow, "Optimizing colormaps with consideration for color vision deficiency"
# (2018): cividis at ten even steps, linear between them.
_CIVIDIS = np.array(
    [
        (0, 32, 77),
        (0, 51, 111),
        (57, 72, 107),
        (87, 92, 109),
        (112, 113, 115),
        (138, 135, 121),
        (166, 157, 117),
        (196, 181, 108),
        (228, 207, 91),
        (255, 234, 70),
    ],
    np.float64,
)


def label_colour(position: int) -> QColor:
    """Colour of the label at `position` in its set; repeats after eight: a letter goes with it."""
    return _LABELS[position % len(_LABELS)]


def text_on(colour: QColor) -> QColor:
    """Black or white, whichever reads better on `colour`."""
    return QColor("#000000" if _black_reads_better(colour.rgba()) else "#ffffff")


@cache
def _black_reads_better(rgba: int) -> bool:
    colour = QColor(rgba)
    return contrast(QColor("#000000"), colour) >= contrast(QColor("#ffffff"), colour)


def luminance(colour: QColor) -> float:
    """Relative luminance in [0, 1] (WCAG 2.2, "relative luminance")."""

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(v) for v in (colour.redF(), colour.greenF(), colour.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: QColor, other: QColor) -> float:
    """Contrast ratio in [1, 21] (WCAG 2.2, "contrast ratio")."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def cividis(values: NDArray[Any]) -> NDArray[np.uint8]:
    """RGB of shape (…, 3) for amounts in [0, 1] of any shape; what lies outside is clipped."""
    at = np.linspace(0.0, 1.0, len(_CIVIDIS))
    clipped = np.clip(np.asarray(values, np.float64), 0.0, 1.0)
    channels = [np.interp(clipped, at, _CIVIDIS[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def apply_theme(app: QApplication, mode: str) -> None:
    """Dress the application "light", "dark", or as the desktop is ("system"), now and later."""
    hints = app.styleHints()
    first = app.property(_MODE) is None
    app.setProperty(_MODE, mode)
    if first:
        app.setStyle("Fusion")
        app.setFont(_font())
        hints.colorSchemeChanged.connect(lambda _: _dress(app))
    hints.setColorScheme(
        {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(
            mode, Qt.ColorScheme.Unknown
        )
    )
    _dress(app)


def _dress(app: QApplication) -> None:
    mode = app.property(_MODE)
    if mode == "system":
        dark = app.styleHints().colorScheme() is Qt.ColorScheme.Dark
    else:
        dark = mode == "dark"
    theme = DARK if dark else LIGHT
    app.setPalette(palette(theme))
    colours = {name: getattr(theme, name).name() for name in (*_ROLES, "good", "warn", "bad")}
    app.setStyleSheet(style_sheet({**colours, "controls": draw_controls(colours)}))


def palette(theme: Theme) -> QPalette:
    """Qt's palette in the roles of `theme`."""
    role = QPalette.ColorRole
    made = QPalette(theme.raised, theme.surface)
    for where, colour in (
        (role.Window, theme.surface),
        (role.WindowText, theme.text),
        (role.Base, theme.raised),
        (role.AlternateBase, theme.surface),
        (role.Text, theme.text),
        (role.PlaceholderText, theme.muted),
        (role.Button, theme.raised),
        (role.ButtonText, theme.text),
        (role.BrightText, theme.bad),
        (role.ToolTipBase, theme.raised),
        (role.ToolTipText, theme.text),
        (role.Highlight, theme.accent),
        (role.HighlightedText, theme.on_accent),
        (role.Accent, theme.accent),
        (role.Link, theme.accent),
        (role.LinkVisited, theme.accent),
        (role.Mid, theme.line),
        (role.Dark, theme.line),
        (role.Light, theme.raised),
        (role.Midlight, theme.hover),
        (role.Shadow, theme.well),
    ):
        made.setColor(where, colour)
    for where in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        made.setColor(QPalette.ColorGroup.Disabled, where, theme.line)
    made.setColor(QPalette.ColorGroup.Disabled, role.Highlight, theme.hover)
    return made


def _font() -> QFont:
    """The desktop's own font at 13 pixels with tabular figures; a bare system's replaced."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if font.family() in ("Sans Serif", "DejaVu Sans"):  # what fontconfig says when nobody chose
        font.setFamilies(["Inter", "Noto Sans", "Noto Sans CJK SC", "DejaVu Sans", font.family()])
    font.setPixelSize(TEXT_PIXELS)
    font.setFeature(QFont.Tag("tnum"), 1)
    font.setFeature(QFont.Tag("pwid"), 1)  # quotation marks of Chinese fonts are a square wide
    return font


def sized(font: QFont, pixels: int, *, bold: bool = False) -> QFont:
    """A copy of `font` at another size."""
    made = QFont(font)
    made.setPixelSize(pixels)
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return made
