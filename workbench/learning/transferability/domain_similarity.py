"""Domain similarity: what it costs to turn the classes of one domain into those of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import identity, kron, vstack

Array = NDArray[np.float64]
GAMMA = 0.01


@dataclass(frozen=True)
class ClassMeans:
    """Mean features of a domain's classes (C × d) and the share of its images in each (C)."""

    means: Array
    weights: Array


def class_means(features: NDArray[np.floating], labels: NDArray[np.integer]) -> ClassMeans:
    """The class means of n × d features with n labels, weighted by class size."""
    x = np.asarray(features, dtype=np.float64)
    classes, own = np.unique(labels, return_inverse=True)
    counts = np.bincount(own)
    sums = np.zeros((len(classes), x.shape[1]))
    np.add.at(sums, own, x)
    return ClassMeans(sums / counts[:, None], counts / counts.sum())


def earth_movers_distance(source: ClassMeans, target: ClassMeans) -> float:
    """Σ f_ij d_ij of the cheapest flow f ≥ 0 with Σ_j f_ij = w_i and Σ_i f_ij = w_j, solved exactly
    as a linear programme; d_ij is the Euclidean distance of class means, in the features' unit."""
    apart = source.means[:, None, :] - target.means[None, :, :]
    costs = np.sqrt((apart**2).sum(axis=2))
    rows, columns = costs.shape
    leaving = kron(identity(rows), np.ones((1, columns)))
    coming = kron(np.ones((1, rows)), identity(columns))
    wanted = np.concatenate((source.weights, target.weights))
    # one equation follows from the others; leaving it out spares the solver rounding trouble
    solved = linprog(
        costs.ravel(), A_eq=vstack((leaving, coming)).tocsr()[:-1], b_eq=wanted[:-1], method="highs"
    )
    if solved.status != 0:
        raise ArithmeticError(f"the transport problem was not solved: {solved.message}")
    return float(solved.fun)


def similarity_of(distance: float, gamma: float = GAMMA) -> float:
    """exp(−γ · EMD) of an earth mover's distance."""
    return float(np.exp(-gamma * distance))


def domain_similarity(source: ClassMeans, target: ClassMeans, gamma: float = GAMMA) -> float:
    """exp(−γ · EMD) in (0, 1], 1 for domains whose class means coincide.

    Cui, Song, Sun, Howard and Belongie 2018, "Large scale fine-grained categorization and
    domain-specific transfer learning" (γ = 0.01).
    """
    return similarity_of(earth_movers_distance(source, target), gamma)
