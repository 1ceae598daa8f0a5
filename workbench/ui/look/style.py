"""The small style sheet: what a palette cannot say about radius, height and the focus ring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QStandardPaths, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF

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
QHeaderView::up-arrow, QHeaderView::down-arrow {{ image: none; width: 0; height: 0; }}
QLabel[role="title"] {{ font-size: 20px; font-weight: 600; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="caption"] {{ font-size: 11px; color: {muted}; }}
QLabel[role="muted"] {{ color: {muted}; }}
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
    """The style sheet in `colours`: role of the theme → "#rrggbb", and the folder of `controls`."""
    return _SHEET.format(**colours)


def draw_controls(colours: Mapping[str, str]) -> str:
    """Draw what a style sheet wants as picture files (arrows, a tick, a dot) in these colours into
    the user's cache, once and at two sizes; gives the common beginning of their paths."""
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
