"""The light and dark themes: colours by role, and the style sheet and palette made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QStandardPaths, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPainter, QPalette, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QApplication, QWidget

_SHEET = """
QToolTip {{ color: {text}; background: {raised}; border: 1px solid {line}; padding: 4px; }}
QPushButton, QToolButton[framed="true"] {{
    background: {raised}; color: {text}; border: 1px solid {line}; border-radius: 6px;
    padding: 0 12px; min-height: 26px;
}}
QPushButton:hover, QToolButton[framed="true"]:hover {{ background: {hover}; }}
QPushButton:pressed, QPushButton:checked, QToolButton[framed="true"]:checked {{
    background: {hover}; border-color: {accent};
}}
QPushButton:disabled {{ color: {line}; }}
QPushButton[tall="true"], QPushButton[tall="true"]:focus {{ min-height: 50px; }}
QPushButton[primary="true"] {{
    background: {accent}; color: {on_accent}; border-color: {accent}; font-weight: 600;
}}
QPushButton[primary="true"]:disabled {{ background: {hover}; color: {line}; border-color: {line}; }}
QPushButton:focus, QToolButton:focus, QLineEdit:focus, QPlainTextEdit:focus,
QAbstractItemView:focus, QTextBrowser:focus {{ border: 2px solid {accent}; }}
QPushButton:focus {{ padding: 0 11px; min-height: 24px; }}
QPushButton[primary="true"]:focus {{ border: 2px solid {text}; }}
QToolButton {{
    border: 2px solid transparent; border-radius: 6px; padding: 2px; background: transparent;
}}
QToolButton:hover {{ background: {hover}; }}
QToolButton:checked {{ background: {hover}; color: {accent}; }}
QToolButton::menu-indicator {{ image: none; }}
QLineEdit, QPlainTextEdit, QTextBrowser {{
    background: {raised}; color: {text}; border: 1px solid {line}; border-radius: 6px;
    padding: 0 8px; selection-background-color: {accent}; selection-color: {on_accent};
}}
QLineEdit {{ min-height: 26px; }}
QLineEdit:focus {{ padding: 0 7px; min-height: 24px; }}
QPlainTextEdit, QTextBrowser {{ padding: 4px; }}
QAbstractItemView {{
    background: {raised}; border: 1px solid {hover}; border-radius: 6px; outline: 0;
}}
QListWidget[role="entries"]::item {{ padding: 4px 8px; }}
QListWidget[role="entries"]::item:selected {{ background: {accent}; color: {on_accent}; }}
QComboBox, QAbstractSpinBox {{
    background: {raised}; color: {text}; border: 1px solid {line}; border-radius: 6px;
    padding: 0 8px; min-height: 26px; selection-background-color: {accent};
    selection-color: {on_accent};
}}
QComboBox:hover, QAbstractSpinBox:hover {{ background: {hover}; }}
QComboBox:focus, QAbstractSpinBox:focus {{
    border: 2px solid {accent}; padding: 0 7px; min-height: 24px;
}}
QComboBox:disabled, QAbstractSpinBox:disabled, QLineEdit:disabled {{ color: {line}; }}
QComboBox::drop-down {{ border: 0; width: 22px; }}
QComboBox::down-arrow {{ image: url("{controls}-down.png"); width: 10px; height: 10px; }}
QComboBox QAbstractItemView {{
    border: 1px solid {line}; border-radius: 0; padding: 4px;
    selection-background-color: {accent}; selection-color: {on_accent};
}}
QComboBox QAbstractItemView::item {{ min-height: 24px; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ border: 0; width: 20px; }}
QAbstractSpinBox::up-arrow {{ image: url("{controls}-up.png"); width: 8px; height: 8px; }}
QAbstractSpinBox::down-arrow {{ image: url("{controls}-down.png"); width: 8px; height: 8px; }}
QCheckBox, QRadioButton {{ spacing: 8px; min-height: 24px; }}
QCheckBox::indicator, QAbstractItemView::indicator, QRadioButton::indicator {{
    width: 14px; height: 14px; border: 1px solid {line}; background: {raised};
}}
QCheckBox::indicator, QAbstractItemView::indicator {{ border-radius: 4px; }}
QRadioButton::indicator {{ border-radius: 7px; }}
QCheckBox::indicator:hover, QRadioButton::indicator:hover {{ border-color: {accent}; }}
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked {{
    background: {accent}; border-color: {accent}; image: url("{controls}-check.png");
}}
QRadioButton::indicator:checked {{
    background: {accent}; border-color: {accent}; image: url("{controls}-dot.png");
}}
QCheckBox:focus, QRadioButton:focus {{ outline: 0; }}
QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border: 2px solid {accent}; }}
QSlider {{ min-height: 24px; }}
QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {line}; }}
QSlider::sub-page:horizontal {{ background: {accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    background: {raised}; border: 2px solid {accent}; width: 12px; height: 12px;
    margin: -6px 0; border-radius: 8px;
}}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ background: {accent}; }}
QHeaderView::section {{
    background: {surface}; color: {muted}; border: 0; padding: 4px 8px; font-size: 11px;
}}
QTreeView::item {{ min-height: 22px; padding: 4px 6px; }}
QHeaderView::up-arrow, QHeaderView::down-arrow {{ image: none; width: 0; height: 0; }}
QLabel[role="title"] {{ font-size: 20px; font-weight: 600; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="caption"] {{ font-size: 11px; color: {muted}; }}
QLabel[role="muted"] {{ color: {muted}; }}
WrappedText {{ background: transparent; border: 0; padding: 0; }}
WrappedText[role="muted"] {{ color: {muted}; }}
QLabel[role="bad"] {{ color: {bad}; }}
QLabel[role="warn"] {{ color: {warn}; }}
QLabel[role="good"] {{ color: {good}; }}
QFrame[role="panel"] {{ background: {raised}; border: 0; border-radius: 6px; }}
QFrame[role="note"] {{ background: {raised}; border: 1px solid {line}; border-radius: 6px; }}
QFrame[role="note"] QListWidget {{ border: 0; }}
QFrame[role="card"] {{ background: {raised}; border: 1px solid {hover}; border-radius: 6px; }}
QStatusBar {{ background: {surface}; }}
QStatusBar::item {{ border: 0; }}
QTabWidget::pane {{ border: 0; }}
QTabBar {{ qproperty-drawBase: 0; }}
QTabBar::tab {{
    background: transparent; color: {muted}; border: 0; border-bottom: 2px solid transparent;
    padding: 6px 8px; margin-right: 8px;
}}
QTabBar::tab:hover {{ color: {text}; border-bottom-color: {line}; }}
QTabBar::tab:selected {{ color: {text}; border-bottom-color: {accent}; }}
QTabBar::tab:focus {{ color: {accent}; }}
QMenuBar {{ background: {surface}; }}
QMenuBar::item {{ padding: 4px 8px; border-radius: 4px; background: transparent; }}
QMenuBar::item:selected {{ background: {hover}; }}
QMenu {{ background: {raised}; border: 1px solid {line}; padding: 4px; }}
QMenu::item {{ padding: 5px 24px 5px 12px; border-radius: 4px; }}
QMenu::item:selected {{ background: {accent}; color: {on_accent}; }}
QMenu::item:disabled {{ color: {line}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {hover}; margin: 4px 8px; }}
QSplitter::handle {{ background: {surface}; }}
QSplitter::handle:hover {{ background: {accent}; }}
QProgressBar {{
    background: {hover}; border: 0; border-radius: 3px; text-align: center; max-height: 6px;
}}
QProgressBar::chunk {{ background: {accent}; border-radius: 3px; }}
QScrollBar:vertical {{ background: transparent; width: 12px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 12px; margin: 0; }}
QScrollBar::handle {{ background: {line}; border-radius: 3px; margin: 3px; }}
QScrollBar::handle:vertical {{ min-height: 32px; }}
QScrollBar::handle:horizontal {{ min-width: 32px; }}
QScrollBar::handle:hover {{ background: {muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
"""


def style_sheet(colours: Mapping[str, str]) -> str:
    """The style sheet in `colours`: role of the theme → "#rrggbb", and `controls`, the result of
    `draw_controls`."""
    return _SHEET.format(**colours)


def draw_controls(colours: Mapping[str, str]) -> str:
    """Draw the images that the style sheet refers to (arrows, a tick, a dot) in these colours.

    The PNG files, for one and two device pixels per pixel, are stored in the user's cache and
    reused. Returns the prefix their paths have in common.
    """
    where = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericCacheLocation)
    folder = Path(where) / "vantage-workbench" / "controls"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{colours['text']}-{colours['on_accent']}".replace("#", "")
    for ratio, suffix in ((1, ""), (2, "@2x")):
        for shape in ("down", "up", "check", "dot"):
            path = folder / f"{stem}-{shape}{suffix}.png"
            if not path.exists():
                role = "text" if shape in ("down", "up") else "on_accent"
                _draw(shape, QColor(colours[role]), ratio).save(str(path))
    return (folder / stem).as_posix()


def _draw(shape: str, colour: QColor, ratio: int) -> QPixmap:
    side = 14 if shape in ("check", "dot") else 10
    pixmap = QPixmap(side * ratio, side * ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(ratio, ratio)
    pen = QPen(colour, 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    lines = {
        "down": ((1.5, 3.5), (5, 7), (8.5, 3.5)),
        "up": ((1.5, 6.5), (5, 3), (8.5, 6.5)),
        "check": ((3, 7.2), (5.8, 10), (11, 4.4)),
    }
    if shape == "dot":
        painter.setBrush(colour)
        painter.drawEllipse(QRectF(5, 5, 4, 4))
    else:
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in lines[shape]]))
    painter.end()
    return pixmap


TEXT_PIXELS = 13
CAPTION_PIXELS = 11
TITLE_PIXELS = 20
RADIUS = 6
_ROLES = ("surface", "raised", "well", "hover", "line", "text", "muted", "accent", "on_accent")
_MODE = "workbench_theme"  # dynamic property of the application


@dataclass(frozen=True)
class Theme:
    """Colours by role.

    `surface` is the window's background, `raised` that of panels and controls, `well` that of
    images; `on_accent` is text on the accent colour. On `surface` and `raised`, text has a contrast
    of at least 4.5:1, lines and icons of at least 3:1."""

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
        """The theme in which `widget` is drawn, according to its palette."""
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

# Okabe and Ito, "Color Universal Design" (2008), with grey instead of black, which would be
# invisible on dark images.
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
# (2018): cividis at ten equidistant points, interpolated linearly.
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
    """Colour of the label at `position` in its set. Colours repeat after eight, so a letter is
    always shown with them."""
    return _LABELS[position % len(_LABELS)]


def text_on(colour: QColor) -> QColor:
    """Black or white, whichever has the higher contrast with `colour`."""
    return QColor("#000000" if _black_has_more_contrast(colour.rgba()) else "#ffffff")


@cache
def _black_has_more_contrast(rgba: int) -> bool:
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
    """RGB of shape (…, 3) for `values` of any shape, clipped to [0, 1]."""
    at = np.linspace(0.0, 1.0, len(_CIVIDIS))
    clipped = np.clip(np.asarray(values, np.float64), 0.0, 1.0)
    channels = [np.interp(clipped, at, _CIVIDIS[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def apply_theme(app: QApplication, mode: str) -> None:
    """Apply the "light" or "dark" theme, or the desktop's ("system"), and follow its changes."""
    hints = app.styleHints()
    first = app.property(_MODE) is None
    app.setProperty(_MODE, mode)
    if first:
        app.setStyle("Fusion")
        app.setFont(_font())
        hints.colorSchemeChanged.connect(lambda _: _update_theme(app))
    hints.setColorScheme(
        {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(
            mode, Qt.ColorScheme.Unknown
        )
    )
    _update_theme(app)


def _update_theme(app: QApplication) -> None:
    mode = app.property(_MODE)
    if mode == "system":
        dark = app.styleHints().colorScheme() is Qt.ColorScheme.Dark
    else:
        dark = mode == "dark"
    theme = DARK if dark else LIGHT
    app.setPalette(palette(theme))
    colours = {name: getattr(theme, name).name() for name in (*_ROLES, "good", "warn", "bad")}
    sheet = style_sheet({**colours, "controls": draw_controls(colours)})
    if sheet != app.styleSheet():  # Qt computes the style of every widget, 0.2 s of a window
        app.setStyleSheet(sheet)


def palette(theme: Theme) -> QPalette:
    """The Qt palette of `theme`."""
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
    """The desktop's font at 13 pixels with tabular figures; better families where none is set."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if font.family() in ("Sans Serif", "DejaVu Sans"):  # fontconfig's defaults
        font.setFamilies(["Inter", "Noto Sans", "Noto Sans CJK SC", "DejaVu Sans", font.family()])
    font.setPixelSize(TEXT_PIXELS)
    font.setFeature(QFont.Tag("tnum"), 1)
    font.setFeature(QFont.Tag("pwid"), 1)  # quotation marks of Chinese fonts are full-width
    return font


def sized(font: QFont, pixels: int, *, bold: bool = False) -> QFont:
    """A copy of `font` with a height of `pixels`, semi-bold or normal."""
    made = QFont(font)
    made.setPixelSize(pixels)
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return made
