"""What a training's curves are made of, before anything is drawn: smoothing and the best point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def smoothed(values: FloatArray, weight: float) -> FloatArray:
    """Exponential moving average of `values` with `weight` in [0, 1) for the past; 0 changes
    nothing. The start is corrected for its bias (Kingma and Ba 2015, sect. 3), so that the first
    value stays itself; NaN values are passed over and stay NaN."""
    if weight <= 0.0:
        return values.astype(np.float64)
    result = np.full(len(values), np.nan)
    mean, mass = 0.0, 0.0
    for i, value in enumerate(values):
        if np.isnan(value):
            continue
        mean = weight * mean + (1.0 - weight) * value
        mass = weight * mass + (1.0 - weight)
        result[i] = mean / mass
    return result


def nearest(xs: FloatArray, x: float) -> int | None:
    """Index of the value of the rising `xs` closest to `x`; None when there are none."""
    if not len(xs):
        return None
    at = int(np.searchsorted(xs, x))
    if at == 0:
        return 0
    if at == len(xs):
        return at - 1
    return at if xs[at] - x < x - xs[at - 1] else at - 1
