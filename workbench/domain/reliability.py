"""Whether a classifier's confidence can be believed: the bins of a reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence lies in [low, high): their mean confidence and accuracy, both in
    [0, 1] and NaN for a bin without images."""

    low: float
    high: float
    confidence: float
    accuracy: float
    images: int


def bin_of(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """The equal-width bin, 0 … bins − 1, of each confidence in [0, 1]."""
    return np.clip((confidence * bins).astype(np.int64), 0, bins - 1)


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Equal-width bins of `confidence` with the share of `right` in each (Guo et al. 2017)."""
    at = bin_of(confidence, bins)
    count = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(at, weights=confidence, minlength=bins) / count
        accuracy = np.bincount(at, weights=right.astype(np.float64), minlength=bins) / count
    return tuple(
        ReliabilityBin(i / bins, (i + 1) / bins, float(mean[i]), float(accuracy[i]), int(count[i]))
        for i in range(bins)
    )
