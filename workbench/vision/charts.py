"""Learning curves and confusion matrices, rendered to images without a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

Pixels = NDArray[np.uint8]  # H × W × 3, RGB
Ink = tuple[int, int, int]

INK, PAPER, MUTED, LINE = (27, 27, 31), (255, 255, 255), (90, 90, 101), (226, 226, 230)
# Two colours of the colour-blind-safe palette of Okabe and Ito.
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)

_SHARP = 2  # supersampling factor
_SIZE = (760, 420)
_CELL = 76
_TEXT = 15


@dataclass(frozen=True)
class PlottedCurve:
    """A curve: values in [0, 1] at 1, 2, 3 …; `name` "" hides it from the legend."""

    values: tuple[float, ...]
    colour: Ink
    name: str = ""


def curves_image(curves: Sequence[PlottedCurve], title: str, across: str) -> Pixels:
    """Draw curves over an axis from 1, with values from 0 to 100 % and a legend of named curves."""
    sheet, draw = _sheet(_SIZE)
    left, top, right, bottom = 64, 56, _SIZE[0] - 24, _SIZE[1] - 56
    _draw_text(draw, (left, 18), title, INK, "la")
    for tenth in range(0, 11, 2):
        y = bottom - (bottom - top) * tenth / 10
        _line(draw, [(left, y), (right, y)], LINE, 1)
        _draw_text(draw, (left - 8, y), f"{10 * tenth} %", MUTED, "rm")
    longest = max((len(curve.values) for curve in curves), default=1)
    step = (right - left) / max(1, longest - 1)
    for at in _ticks(longest):
        _draw_text(draw, (left + (at - 1) * step, bottom + 8), str(at), MUTED, "ma")
    _draw_text(draw, ((left + right) / 2, _SIZE[1] - 12), across, MUTED, "ms")
    for curve in curves:
        height = bottom - top
        points = [
            (left + i * step, bottom - height * min(1.0, max(0.0, value)))
            for i, value in enumerate(curve.values)
        ]
        _line(draw, points, curve.colour, 2)
    _legend(draw, [curve for curve in curves if curve.name], right, 18)
    return _reduced(sheet)


def _ticks(longest: int) -> list[int]:
    step = max(1, round(longest / 6))
    return list(range(1, longest + 1, step))


def _legend(
    draw: ImageDraw.ImageDraw, curves: Sequence[PlottedCurve], right: float, y: float
) -> None:
    for curve in reversed(curves):
        width = draw.textlength(curve.name, font=_font()) / _SHARP
        _draw_text(draw, (right - width, y), curve.name, INK, "la")
        _line(draw, [(right - width - 32, y + 8), (right - width - 8, y + 8)], curve.colour, 3)
        right -= width + 56


def matrix_image(matrix: NDArray[np.int64], labels: Sequence[str], title: str) -> Pixels:
    """Draw a confusion matrix of counts: rows are truth, columns predictions.

    Cells are coloured (cividis) by their share of the row.
    """
    count = len(labels)
    left, top = 120, 100
    width = max(left + count * _CELL + 24, 360)
    sheet, draw = _sheet((width, top + count * _CELL + 24))
    _draw_text(draw, (16, 18), title, INK, "la")
    _draw_text(draw, (16, 42), "Rows: truth. Columns: prediction.", MUTED, "la")
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    colours = _cividis(shares)
    for row, column in np.ndindex(count, count):
        x, y = left + column * _CELL, top + row * _CELL
        fill = tuple(int(c) for c in colours[row, column])
        box = [x * _SHARP, y * _SHARP, (x + _CELL - 2) * _SHARP, (y + _CELL - 2) * _SHARP]
        draw.rectangle(box, fill=fill)
        ink = INK if sum(fill) > 380 else PAPER
        middle = (x + _CELL / 2, y + _CELL / 2)
        _draw_text(draw, middle, str(int(matrix[row, column])), ink, "mm")
    for at, label in enumerate(labels):
        _draw_text(draw, (left - 10, top + (at + 0.5) * _CELL), label, INK, "rm")
        _draw_text(draw, (left + (at + 0.5) * _CELL, top - 6), label, INK, "ms")
    return _reduced(sheet)


def _cividis(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    amounts = np.round(shares * 255).astype(np.uint8)
    coloured = np.asarray(cv2.applyColorMap(amounts, cv2.COLORMAP_CIVIDIS), dtype=np.uint8)
    return coloured[..., ::-1]


def _sheet(size: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    sheet = Image.new("RGB", (size[0] * _SHARP, size[1] * _SHARP), PAPER)
    return sheet, ImageDraw.Draw(sheet)


def _reduced(sheet: Image.Image) -> Pixels:
    size = (sheet.width // _SHARP, sheet.height // _SHARP)
    return np.asarray(sheet.resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


def _line(
    draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], ink: Ink, width: int
) -> None:
    if len(points) > 1:
        large = [(x * _SHARP, y * _SHARP) for x, y in points]
        draw.line(large, fill=ink, width=width * _SHARP, joint="curve")


def _draw_text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, ink: Ink, anchor: str
) -> None:
    """Draw text at an anchor; without FreeType, the text starts at the point."""
    large = (at[0] * _SHARP, at[1] * _SHARP)
    if features.check("freetype2"):
        draw.text(large, text, fill=ink, font=_font(), anchor=anchor)
    else:
        draw.text(large, text.encode("ascii", "replace").decode(), fill=ink, font=_font())


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_TEXT * _SHARP if features.check("freetype2") else None)
