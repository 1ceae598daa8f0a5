"""Captioned images composed into one image."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from workbench.files import write_whole, writing
from workbench.vision.overlays import heat_colours

Pixels = NDArray[np.uint8]  # H × W × 3, RGB

_INK, _PAPER, _MUTED = (27, 27, 31), (255, 255, 255), (90, 90, 101)
_TEXT, _MARGIN, _GAP = 18, 16, 8  # pixels
_CJK_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "msyh.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "DejaVuSans.ttf",
)
_FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)
_TILE = 240  # side of a wall's tiles in pixels
_COLUMNS = 6


def side_by_side(images: Sequence[Pixels], lines: Sequence[str], legend: bool = True) -> Pixels:
    """Compose images of equal height side by side on white, with text and a colour legend below.

    The first line is in ink, the others muted; long lines are wrapped.
    """
    height = max(image.shape[0] for image in images)
    width = sum(p.shape[1] for p in images) + _GAP * (len(images) - 1) + 2 * _MARGIN
    line = _TEXT + _GAP
    lines = [part for text in lines for part in _wrapped(text, width - 2 * _MARGIN)]
    below = line * len(lines) + (line if legend else 0)
    sheet = Image.new("RGB", (width, height + below + 2 * _MARGIN + _GAP), _PAPER)
    left = _MARGIN
    for image in images:
        sheet.paste(Image.fromarray(image), (left, _MARGIN + (height - image.shape[0]) // 2))
        left += image.shape[1] + _GAP
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN + height + _GAP
    for at, text in enumerate(lines):
        ink = _INK if at == 0 else _MUTED
        _write(draw, (_MARGIN, top), text, ink)
        top += line
    if legend:
        _legend(sheet, draw, top)
    return np.asarray(sheet, dtype=np.uint8)


def wall(images: Sequence[tuple[Pixels, str]], title: str) -> Pixels:
    """Compose images in a grid of equal tiles with captions, under a title."""
    columns = max(1, min(_COLUMNS, math.ceil(math.sqrt(len(images)))))
    rows = math.ceil(len(images) / columns)
    line = _TEXT + _GAP
    step_x, step_y = _TILE + _GAP, _TILE + line + _GAP
    top = _MARGIN + line
    size = (columns * step_x - _GAP + 2 * _MARGIN, top + rows * step_y + line + _MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_MARGIN, _MARGIN), _fitting(draw, title, size[0] - 2 * _MARGIN), _INK)
    for at, (pixels, text) in enumerate(images):
        left, upper = _MARGIN + at % columns * step_x, top + at // columns * step_y
        tile = Image.fromarray(pixels)
        scale = _TILE / max(tile.size)
        tile = tile.resize((max(1, round(tile.width * scale)), max(1, round(tile.height * scale))))
        sheet.paste(tile, (left + (_TILE - tile.width) // 2, upper + (_TILE - tile.height) // 2))
        _write(draw, (left, upper + _TILE + 2), _fitting(draw, text, _TILE), _MUTED)
    _legend(sheet, draw, top + rows * step_y)
    return np.asarray(sheet, dtype=np.uint8)


def _legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
    bar = np.repeat(heat_colours()[None], 10, axis=0)
    width = min(160, sheet.width // 3)
    ramp = Image.fromarray(bar).resize((width, 10))
    _write(draw, (_MARGIN, top), "none", _MUTED)
    left = _MARGIN + round(draw.textlength("none", font=_font("none"))) + _GAP
    sheet.paste(ramp, (left, top + 6))
    _write(draw, (left + width + _GAP, top), "most", _MUTED)


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, ink: tuple[int, int, int]
) -> None:
    font = _font(text)
    if font is _default_font():
        text = text.replace("→", ">")  # the default font has no arrow
    draw.text(at, text, fill=ink, font=font)


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap text to a width in pixels; words that do not fit are elided in the middle."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and draw.textlength(longer, font=_font(text)) <= width:
            lines[-1] = longer
        else:
            lines.append(_fitting(draw, word, width))
    return lines


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """Elide text in the middle until it fits."""
    kept = text
    while draw.textlength(kept, font=_font(text)) > width and len(kept) > 4:
        half = (len(kept) - 2) // 2
        kept = f"{kept[:half]}…{kept[-half:]}"
    return kept


def _font(text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    latin = all(ord(letter) < 0x250 or letter in "…·–—“”" for letter in text)
    return _default_font() if latin else _wide_font()


@lru_cache(maxsize=1)
def _default_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_TEXT - 3 if features.check("freetype2") else None)


@lru_cache(maxsize=1)
def _wide_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A system font with Chinese characters, if there is one."""
    found: dict[str, str] = {}
    for folder in _FONT_FOLDERS:
        for root, _, names in os.walk(folder):
            found.update({n: str(Path(root) / n) for n in names if n in _CJK_FONTS})
    for name in _CJK_FONTS:
        if name in found:
            return ImageFont.truetype(found[name], _TEXT - 3)
    return _default_font()


def save_png(path: Path, pixels: Pixels) -> None:
    """Write an RGB image atomically as PNG. Raises KnownError naming the file."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    with writing(path):
        write_whole(path, data.getvalue(), flush=False)  # easily recreated
