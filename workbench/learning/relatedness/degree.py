"""From the 36 numbers to one: similarity, coverage and degree of association of two domains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ALPHA = 1.0
BETA = 0.0
MU = RHO = 0.5


def similarity(fine: float, view: float | None, mu: float = MU, rho: float = RHO) -> float:
    """S_sim = μ · cos(C_S, C_T) + ρ · cos(K_S, K_T) of fine-grained and view features; where views
    are not known, (μ + ρ) · cos(C_S, C_T)."""
    return (mu + rho) * fine if view is None else mu * fine + rho * view


def coverage(numbers: Array, alpha: float = ALPHA, beta: float = BETA) -> float:
    """Cov = mean over i of σ(α f_i + β), in (0, 1). The paper prints the sum, whose 1 − Cov would
    have no logarithm."""
    return float((1 / (1 + np.exp(-(alpha * numbers + beta)))).mean())


def agreeing(fine: Array, view: Array | None, threshold: float) -> NDArray[np.bool_]:
    """I: for each pair of centroids, whether its fine-grained and its view similarity both pass the
    threshold; the fine-grained alone where views are not known."""
    passed: NDArray[np.bool_] = fine > threshold
    return passed if view is None else passed & (view > threshold)


def degree_of_association(agree: NDArray[np.bool_], cov: float) -> float:
    """DoA = Σ_i [ I_i log Cov + (1 − I_i) log(1 − Cov) ], below 0; nearer 0 = more related.

    That reading needs Cov ≥ 1/2, which holds where no f_i is negative and β ≥ 0: then a pair that
    agrees costs less than one that does not. Wang, Yao, Yang and Xue 2019, "Deep transfer learning
    on micro datasets".
    """
    together = int(agree.sum())
    return together * float(np.log(cov)) + (agree.size - together) * float(np.log1p(-cov))
