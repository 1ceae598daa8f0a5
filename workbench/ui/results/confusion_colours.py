"""Colours of a confusion matrix: errors are what one sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from workbench.ui.look.theme import Theme, cividis, contrast, label_colour

Rgb = NDArray[np.uint8]
FULL = 0.92  # share of the role's colour in a full cell
LEAST = 0.12  # of the warm colour in a cell with any error at all
WARM = 5  # the label colour of errors: vermilion


def matrix_colours(counts: NDArray[np.int64], single_scale: bool, theme: Theme) -> Rgb:
    """C×C×3 RGB by share of the row: the accent's hue on the diagonal, the warm one beside it,
    there by the root of the share, so that one error in a hundred is seen. `single_scale`:
    cividis."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if single_scale:
        return cividis(shares)
    diagonal = np.eye(len(shares), dtype=bool)
    errors = np.where(counts > 0, LEAST + (1 - LEAST) * np.sqrt(shares), 0.0)
    strength = np.where(diagonal, shares, errors)[..., None] * FULL
    empty = _rgb(theme.hover)
    full = np.where(diagonal[..., None], _rgb(theme.accent), _rgb(label_colour(WARM)))
    mixed: Rgb = np.round(empty + (full - empty) * strength).astype(np.uint8)
    return mixed


def readable_on(theme: Theme, under: QColor) -> QColor:
    """The theme's text, or its opposite, whichever reads better on `under`."""
    return max((theme.text, theme.raised), key=lambda colour: contrast(colour, under))


def _rgb(colour: QColor) -> NDArray[np.float64]:
    return np.array([colour.red(), colour.green(), colour.blue()], dtype=np.float64)
