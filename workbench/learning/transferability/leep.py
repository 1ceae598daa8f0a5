"""LEEP: how well the source's classifier, unchanged, foretells the target's labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def leep(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """(1/n) Σ_i log Σ_z P(y_i|z) θ(x_i)_z, at most 0 (best), from n × Z source probabilities θ(x)
    and n target labels.

    P(y|z) = P(y, z) / P(z) with P(y, z) = (1/n) Σ_{i: y_i = y} θ(x_i)_z. Nguyen, Hassner, Seeger
    and Archambeau 2020, "LEEP: a new measure to evaluate transferability of learned
    representations". Raises ValueError for no images or lengths that differ.
    """
    theta = np.asarray(probabilities, dtype=np.float64)
    if len(theta) != len(labels) or not len(labels):
        raise ValueError(f"{len(theta)} rows of probabilities and {len(labels)} labels")
    _, own = np.unique(labels, return_inverse=True)
    joint = np.zeros((own.max() + 1, theta.shape[1]))
    np.add.at(joint, own, theta)
    marginal = joint.sum(axis=0)
    conditional = np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    expected = (conditional[own] * theta).sum(axis=1)
    return float(np.log(expected).mean())
