"""Nearest neighbours: how often an image's neighbours in feature space share its label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS = 512  # of the distance matrix that are held at once


def neighbour_accuracy(
    features: NDArray[np.floating], labels: NDArray[np.integer], k: int = 1
) -> float:
    """Share in [0, 1] of n images whose label is the commonest among their k nearest others
    (leave-one-out, Euclidean distance of n × d features); of labels equally common the one with
    the nearest member counts.

    The proxy of Puigcerver et al. 2021, "Scalable transfer learning with expert models" (k = 1).
    Raises ValueError for fewer than two images, a k out of range, or lengths that differ.
    """
    x = np.asarray(features, dtype=np.float64)
    if len(x) != len(labels):
        raise ValueError(f"{len(x)} features and {len(labels)} labels")
    if not 1 <= k < len(x):
        raise ValueError(f"k = {k} of {len(x)} images")
    _, own = np.unique(labels, return_inverse=True)
    x = x - x.mean(axis=0)
    squares = np.einsum("ij,ij->i", x, x)
    right = 0
    for start in range(0, len(x), ROWS):
        rows = np.arange(start, min(start + ROWS, len(x)))
        distances = squares[None, :] - 2 * x[rows] @ x.T
        distances[np.arange(len(rows)), rows] = np.inf
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
        right += sum(
            _commonest(own[near]) == own[row] for near, row in zip(nearest, rows, strict=True)
        )
    return float(right / len(x))


def _commonest(labels: NDArray[np.integer]) -> int:
    """The commonest label; of equally common ones that which comes first."""
    counts = np.bincount(labels)
    return int(labels[np.argmax(counts[labels])])
