"""The H-score: how far apart the classes lie, measured in units of the features' own spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NEGLIGIBLE = 1e-10  # variance, relative to the largest, that the pseudo-inverse takes as none


def h_score(
    features: NDArray[np.floating], labels: NDArray[np.integer], shrinkage: float | None = None
) -> float:
    """tr(cov(f)⁻¹ cov(E[f|y])) of n × d features with n labels; from 0 to classes − 1.

    cov is the covariance with divisor n. `shrinkage` 0 inverts with the pseudo-inverse, which
    reaches classes − 1 whatever the features are worth as soon as there are no more images than
    features. A share α in (0, 1] inverts (1 − α) cov(f) + α tr(cov(f))/d · I instead and multiplies
    by 1 − α; None takes the α of Ledoit and Wolf, which suits few images.

    Bao et al. 2019, "An information-theoretic approach to transferability in task transfer
    learning"; with shrinkage: Ibrahim, Ponomareva and Mazumder 2022, "Newer is not always better".
    Raises ValueError for fewer than two classes or lengths that differ.
    """
    x = np.asarray(features, dtype=np.float64)
    if len(x) != len(labels):
        raise ValueError(f"{len(x)} features and {len(labels)} labels")
    classes, own = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("the H-score compares at least two classes")
    x = x - x.mean(axis=0)
    alpha = ledoit_wolf(x) if shrinkage is None else shrinkage
    _, singular, axes = np.linalg.svd(x, full_matrices=False)
    variances = singular**2 / len(x)
    counts = np.bincount(own)
    means = np.zeros((len(classes), x.shape[1]))
    np.add.at(means, own, x)
    means /= counts[:, None]
    # class means are means of rows of x, so nothing of them lies outside the axes
    along = (counts / len(x)) @ (means @ axes.T) ** 2
    spread = (1 - alpha) * variances + alpha * variances.sum() / x.shape[1]
    kept = spread > NEGLIGIBLE * max(spread.max(), np.finfo(float).tiny)
    return float((1 - alpha) * (along[kept] / spread[kept]).sum())


def ledoit_wolf(centred: Array) -> float:
    """The share α in [0, 1] of the scaled identity that estimates the covariance of n × d centred
    rows best: E‖xxᵀ − S‖² / n over ‖S − tr(S)/d · I‖², S being their covariance.

    Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices".
    """
    n, d = centred.shape
    small = centred.T @ centred / n if d <= n else centred @ centred.T / n  # same trace and norm
    trace, norm = float(np.trace(small)), float((small**2).sum())
    away = norm - trace**2 / d
    noise = (float((np.einsum("ij,ij->i", centred, centred) ** 2).mean()) - norm) / n
    return float(np.clip(noise / away, 0.0, 1.0)) if away > 0 else 1.0
