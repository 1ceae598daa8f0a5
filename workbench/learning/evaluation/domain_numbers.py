"""The 36 features of a pair of domains, and their degree of association."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
CENTROIDS = 3
ITERATIONS = 100
RESTARTS = 8


@dataclass(frozen=True)
class Centroids:
    """3 × d centroids of a domain's embeddings, and the mean distance of its points to each (0 for
    a single point)."""

    points: Array
    within: Array


def three_means(embeddings: NDArray[np.floating], seed: int) -> Centroids:
    """k-means centroids with k = 3 (Lloyd 1982, initialised after Arthur and Vassilvitskii 2007,
    best of several restarts).

    Centroids are sorted by their first coordinates, so equal data gives equal results. Raises
    ValueError for fewer than three embeddings.
    """
    x = np.asarray(embeddings, dtype=np.float64)
    if len(x) < CENTROIDS:
        raise ValueError(f"{len(x)} embeddings; three centroids need at least three")
    random = np.random.default_rng(seed)
    found = min((_lloyd(x, random) for _ in range(RESTARTS)), key=lambda made: made[0])
    centres = found[1][np.lexsort(found[1].T[::-1])]
    nearest, distances = _nearest(x, centres)
    within = [distances[nearest == at].mean() if (nearest == at).any() else 0.0 for at in range(3)]
    return Centroids(centres, np.array(within))


def _lloyd(x: Array, random: np.random.Generator) -> tuple[float, Array]:
    centres = _spread_start(x, random)
    for _ in range(ITERATIONS):
        nearest, distances = _nearest(x, centres)
        moved = centres.copy()
        for at in range(CENTROIDS):
            mine = x[nearest == at]
            # move an empty centroid to the farthest point
            moved[at] = mine.mean(axis=0) if len(mine) else x[distances.argmax()]
        if np.array_equal(moved, centres):
            break
        centres = moved
    return float((_nearest(x, centres)[1] ** 2).sum()), centres


def _spread_start(x: Array, random: np.random.Generator) -> Array:
    chosen = [x[random.integers(len(x))]]
    while len(chosen) < CENTROIDS:
        squares = _nearest(x, np.array(chosen))[1] ** 2
        odds = squares / squares.sum() if squares.sum() > 0 else None
        chosen.append(x[random.choice(len(x), p=odds)])
    return np.array(chosen)


def _nearest(x: Array, centres: Array) -> tuple[NDArray[np.int64], Array]:
    apart = np.linalg.norm(x[:, None, :] - centres[None, :, :], axis=2)
    nearest = apart.argmin(axis=1)
    return nearest, apart[np.arange(len(x)), nearest]


def cosines(one: Array, two: Array) -> Array:
    """Pairwise cosine similarities between rows of `one` and `two`; 0 where either row is 0."""
    lengths = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(two, axis=1)[None, :]
    products = one @ two.T
    found: Array = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return found


def matched_distances(source: Array, target: Array) -> Array:
    """Euclidean distances of the three centroid pairs under the assignment of minimum total
    distance."""
    apart = np.linalg.norm(source[:, None, :] - target[None, :, :], axis=2)
    rows, columns = linear_sum_assignment(apart)
    found: Array = apart[rows, columns]
    return found


def matched_cosine(alike: Array) -> float:
    """Mean cosine of the three centroid pairs under the assignment of maximum total cosine (3 × 3
    input)."""
    rows, columns = linear_sum_assignment(alike, maximize=True)
    return float(alike[rows, columns].mean())


def across(source: Centroids, target: Centroids) -> Array:
    """12 features between two domains: 9 cosine similarities (row by row of the source), then 3
    distances of matched centroids."""
    alike = cosines(source.points, target.points).ravel()
    return np.concatenate((alike, matched_distances(source.points, target.points)))


def pair_numbers(
    source: Centroids,
    target: Centroids,
    source_views: Centroids | None,
    target_views: Centroids | None,
) -> Array:
    """Features f_1 … f_36: 12 within the domains (fine-grained source and target, views source and
    target), 12 across for the fine-grained centroids, 12 across for the views. Only 18 without
    views.

    The paper (Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro datasets") gives their
    number and grouping but does not define each; this is our interpretation.
    """
    if source_views is None or target_views is None:
        return np.concatenate((source.within, target.within, across(source, target)))
    return np.concatenate(
        (
            source.within,
            target.within,
            source_views.within,
            target_views.within,
            across(source, target),
            across(source_views, target_views),
        )
    )


ALPHA = 1.0
BETA = 0.0
MU = RHO = 0.5


def similarity(fine: float, view: float | None, mu: float = MU, rho: float = RHO) -> float:
    """S_sim = μ · cos(C_S, C_T) + ρ · cos(K_S, K_T) of fine-grained and view features; (μ + ρ) ·
    cos(C_S, C_T) without views."""
    return (mu + rho) * fine if view is None else mu * fine + rho * view


def coverage(numbers: Array, alpha: float = ALPHA, beta: float = BETA) -> float:
    """Cov = mean over i of σ(α f_i + β), in (0, 1). The paper prints the sum, for which log(1 −
    Cov) is undefined."""
    return float((1 / (1 + np.exp(-(alpha * numbers + beta)))).mean())


def agreeing(fine: Array, view: Array | None, threshold: float) -> NDArray[np.bool_]:
    """Indicator I of each centroid pair: True if both the fine-grained and the view similarity
    exceed the threshold (only the fine-grained one without views)."""
    passed: NDArray[np.bool_] = fine > threshold
    return passed if view is None else passed & (view > threshold)


def degree_of_association(agree: NDArray[np.bool_], cov: float) -> float:
    """DoA = Σ_i [ I_i log Cov + (1 − I_i) log(1 − Cov) ] < 0; nearer 0 means more related.

    This interpretation requires Cov ≥ 1/2, which holds if all f_i ≥ 0 and β ≥ 0: a pair that agrees
    then costs less than one that does not. Wang, Yao, Yang and Xue 2019, "Deep transfer learning on
    micro datasets".
    """
    together = int(agree.sum())
    return together * float(np.log(cov)) + (agree.size - together) * float(np.log1p(-cov))
