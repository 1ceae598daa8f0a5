"""Transferability scores: H-score, LEEP, NCE, k-NN accuracy, frozen head, domain similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import identity, kron, vstack

from workbench.learning.networks.probe import linear_probe

Array = NDArray[np.float64]
NEGLIGIBLE = 1e-10  # relative variance that the pseudo-inverse treats as zero


def h_score(
    features: NDArray[np.floating], labels: NDArray[np.integer], shrinkage: float | None = None
) -> float:
    """tr(cov(f)⁻¹ cov(E[f|y])) of n × d features with n labels, in [0, classes − 1].

    cov is the covariance with divisor n. `shrinkage` = 0 uses the pseudo-inverse, which gives
    classes − 1 for any features once there are no more images than features. A share α in (0, 1]
    inverts (1 − α) cov(f) + α tr(cov(f))/d · I instead and multiplies by 1 − α. None uses the α of
    Ledoit and Wolf, suited to few images.

    Bao et al. 2019, "An information-theoretic approach to transferability in task transfer
    learning"; with shrinkage: Ibrahim, Ponomareva and Mazumder 2022, "Newer is not always better".
    Raises ValueError for fewer than two classes or different lengths.
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
    # class means lie in the span of the axes
    along = (counts / len(x)) @ (means @ axes.T) ** 2
    spread = (1 - alpha) * variances + alpha * variances.sum() / x.shape[1]
    kept = spread > NEGLIGIBLE * max(spread.max(), np.finfo(float).tiny)
    return float((1 - alpha) * (along[kept] / spread[kept]).sum())


def ledoit_wolf(centred: Array) -> float:
    """Optimal shrinkage α in [0, 1] of the covariance S of n × d centred rows towards the scaled
    identity: (E‖xxᵀ − S‖² / n) / ‖S − tr(S)/d · I‖².

    Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices".
    """
    n, d = centred.shape
    small = centred.T @ centred / n if d <= n else centred @ centred.T / n  # same trace and norm
    trace, norm = float(np.trace(small)), float((small**2).sum())
    away = norm - trace**2 / d
    noise = (float((np.einsum("ij,ij->i", centred, centred) ** 2).mean()) - norm) / n
    return float(np.clip(noise / away, 0.0, 1.0)) if away > 0 else 1.0


def leep(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """(1/n) Σ_i log Σ_z P(y_i|z) θ(x_i)_z, ≤ 0 (best), from n × Z source probabilities θ(x) and n
    target labels.

    P(y|z) = P(y, z) / P(z) with P(y, z) = (1/n) Σ_{i: y_i = y} θ(x_i)_z. Nguyen, Hassner, Seeger
    and Archambeau 2020, "LEEP: a new measure to evaluate transferability of learned
    representations". Raises ValueError for no images or different lengths.
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


def nce(source_labels: NDArray[np.integer], target_labels: NDArray[np.integer]) -> float:
    """−H(Y|Z) = Σ_{y,z} P(y, z) log P(y|z) in nats over n images, from −log(classes) to 0 (best).

    P is empirical; `source_labels` z are predictions of the source network if the images have no
    source labels. Tran, Nguyen and Hassner 2019, "Transferability and hardness of supervised
    classification tasks". Raises ValueError for no images or different lengths.
    """
    if len(source_labels) != len(target_labels) or not len(target_labels):
        raise ValueError(f"{len(source_labels)} source and {len(target_labels)} target labels")
    _, z = np.unique(source_labels, return_inverse=True)
    _, y = np.unique(target_labels, return_inverse=True)
    joint = np.zeros((z.max() + 1, y.max() + 1))
    np.add.at(joint, (z, y), 1.0)
    joint /= joint.sum()
    conditional = joint / joint.sum(axis=1, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(conditional[there])).sum())


ROWS = 512  # of the distance matrix per block


def neighbour_accuracy(
    features: NDArray[np.floating], labels: NDArray[np.integer], k: int = 1
) -> float:
    """Leave-one-out k-NN accuracy in [0, 1], by Euclidean distance of n × d features. Ties go to
    the label with the nearest member.

    The proxy of Puigcerver et al. 2021, "Scalable transfer learning with expert models" (k = 1).
    Raises ValueError for fewer than two images, a k out of range, or different lengths.
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
    """Most common label; ties go to the first."""
    counts = np.bincount(labels)
    return int(labels[np.argmax(counts[labels])])


def frozen_accuracy(
    train: NDArray[np.floating],
    train_labels: NDArray[np.integer],
    test: NDArray[np.floating],
    test_labels: NDArray[np.integer],
) -> float:
    """Top-1 accuracy in [0, 1] on m × d test features of a multinomial logistic regression fitted
    to n × d training features. Raises ValueError without training or test images.

    Kornblith, Shlens and Le 2019, "Do better ImageNet models transfer better?", train the same head
    on fixed features.
    """
    if not len(train) or not len(test):
        raise ValueError(f"{len(train)} training and {len(test)} test images")
    known = np.unique(train_labels)
    own = torch.from_numpy(np.searchsorted(known, train_labels).astype(np.int64))
    head = linear_probe(torch.from_numpy(np.asarray(train, dtype=np.float32)), own, len(known))
    with torch.inference_mode():
        scores = head(torch.from_numpy(np.asarray(test, dtype=np.float32)))
    return float((known[scores.argmax(dim=1).numpy()] == test_labels).mean())


GAMMA = 0.01


@dataclass(frozen=True)
class ClassMeans:
    """Mean features of each class (C × d), and the share of images in each class (C)."""

    means: Array
    weights: Array


def class_means(features: NDArray[np.floating], labels: NDArray[np.integer]) -> ClassMeans:
    """Class means of n × d features with n labels, weighted by class size."""
    x = np.asarray(features, dtype=np.float64)
    classes, own = np.unique(labels, return_inverse=True)
    counts = np.bincount(own)
    sums = np.zeros((len(classes), x.shape[1]))
    np.add.at(sums, own, x)
    return ClassMeans(sums / counts[:, None], counts / counts.sum())


def earth_movers_distance(source: ClassMeans, target: ClassMeans) -> float:
    """Minimum Σ f_ij d_ij over flows f ≥ 0 with Σ_j f_ij = w_i and Σ_i f_ij = w_j, solved exactly
    by linear programming. d_ij is the Euclidean distance of class means."""
    apart = source.means[:, None, :] - target.means[None, :, :]
    costs = np.sqrt((apart**2).sum(axis=2))
    rows, columns = costs.shape
    leaving = kron(identity(rows), np.ones((1, columns)))
    coming = kron(np.ones((1, rows)), identity(columns))
    wanted = np.concatenate((source.weights, target.weights))
    # one equation is redundant; omitting it avoids rounding problems in the solver
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
    """exp(−γ · EMD) in (0, 1], 1 for domains with equal class means.

    Cui, Song, Sun, Howard and Belongie 2018, "Large scale fine-grained categorization and
    domain-specific transfer learning" (γ = 0.01).
    """
    return similarity_of(earth_movers_distance(source, target), gamma)
