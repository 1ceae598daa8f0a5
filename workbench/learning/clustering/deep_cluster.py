"""DeepCluster: learn from pseudo-labels that k-means finds on whitened features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.clusters import DEEP_CLUSTER
from workbench.domain.text import Message
from workbench.learning.clustering.base import (
    CLUSTERING_METHODS,
    ClusterAssignment,
    ClusteringMethod,
    ClusteringSetup,
    Rows,
)
from workbench.learning.eager import SGD

ITERATIONS = 60
STARTS = 3  # k-means restarts; the lowest inertia wins
BLOCK = 8192  # points per distance block
PERTURBATION = 1e-3  # of a split centroid, relative to the points' deviation
IMAGES_PER_COMPONENT = 25  # images per whitened component; fewer would whiten noise
MAX_COMPONENTS = 256

Points = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class KMeans:
    """k × d centroids, the cluster of each of n points, and the sum of squared distances."""

    centroids: Points
    labels: Labels
    inertia: float


def whitened(features: NDArray[np.floating], components: int = 0) -> Points:
    """Reduce n × d features to n × c principal components of unit variance, with rows of unit
    length.

    Follows Caron, Bojanowski, Joulin and Douze 2018, "Deep Clustering for Unsupervised Learning of
    Visual Features", section 4 (256 components). With few images, c is limited to one component per
    25 images; `components` overrides it.
    """
    x = np.asarray(features, np.float64)
    x = x - x.mean(axis=0)
    wanted = components or min(MAX_COMPONENTS, max(2, len(x) // IMAGES_PER_COMPONENT))
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    rank = int((singular > 1e-7 * max(singular[0], 1e-30)).sum())
    scores = left[:, : max(1, min(wanted, rank))] * np.sqrt(len(x))
    lengths = np.linalg.norm(scores, axis=1, keepdims=True)
    return np.asarray(scores / np.maximum(lengths, 1e-12), np.float64)


def k_means(points: Points, k: int, seed: int, starts: int = STARTS) -> KMeans:
    """Best of several k-means runs with k-means++ initialisation (Arthur and Vassilvitskii 2007).
    Raises ValueError for fewer points than clusters."""
    if len(points) < k:
        raise ValueError(f"{len(points)} points and {k} clusters")
    found = [lloyd(points, _plus_plus(points, k, draw), draw) for draw in _draws(seed, starts)]
    return min(found, key=lambda one: one.inertia)


def _draws(seed: int, count: int) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, at]) for at in range(count)]


def lloyd(points: Points, centroids: Points, draw: np.random.Generator) -> KMeans:
    """Run Lloyd's algorithm from given centroids, repairing empty clusters after every
    assignment."""
    labels = np.full(len(points), -1)
    for _ in range(ITERATIONS):
        new = repaired(points, centroids, _nearest(points, centroids), draw)
        if np.array_equal(new, labels):
            break
        labels = new
        centroids = means(points, labels, len(centroids))
    inertia = float(np.square(points - centroids[labels]).sum())
    return KMeans(centroids, labels, inertia)


def means(points: Points, labels: Labels, k: int) -> Points:
    """k × d cluster means. No cluster may be empty."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(k))
    sums = np.add.reduceat(points[order], starts, axis=0)
    sized: Points = sums / np.bincount(labels, minlength=k)[:, None]
    return sized


def repaired(
    points: Points, centroids: Points, labels: Labels, draw: np.random.Generator
) -> Labels:
    """Reassign points until no cluster is empty.

    An empty cluster copies the centroid of a random non-empty one with a small perturbation; the
    points of that cluster go to the nearer of the two (Caron et al. 2018, section 3, "Avoiding
    trivial solutions").
    """
    labels, centroids = labels.copy(), centroids.copy()
    k = len(centroids)
    scale = PERTURBATION * float(points.std() + 1e-12)
    while (empty := np.flatnonzero(np.bincount(labels, minlength=k) == 0)).size:
        full = np.flatnonzero(np.bincount(labels, minlength=k) > 1)
        other = int(draw.choice(full))
        own = np.flatnonzero(labels == other)
        centre = points[own].mean(axis=0)
        moved = centre + draw.normal(size=centre.shape) * scale
        nearer = np.square(points[own] - moved).sum(1) < np.square(points[own] - centre).sum(1)
        if nearer.all() or not nearer.any():  # coincident points: move one of them
            nearer = np.arange(len(own)) == int(draw.integers(len(own)))
        labels[own[nearer]] = empty[0]
    return labels


def _nearest(points: Points, centroids: Points) -> Labels:
    return np.asarray(distances(points, centroids).argmin(axis=1), np.int64)


def distances(points: Points, centroids: Points) -> Points:
    """Squared distances, n × k."""
    squares = np.square(centroids).sum(axis=1)
    found = np.empty((len(points), len(centroids)))
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        near = np.square(block).sum(axis=1)[:, None] - 2 * block @ centroids.T + squares
        found[start : start + BLOCK] = np.maximum(near, 0.0)
    return found


def _plus_plus(points: Points, k: int, draw: np.random.Generator) -> Points:
    """Draw k points as initial centroids, each with probability proportional to its squared
    distance to the nearest centroid so far (k-means++)."""
    chosen = [int(draw.integers(len(points)))]
    near = np.square(points - points[chosen[0]]).sum(axis=1)
    for _ in range(1, k):
        total = near.sum()
        chances = near / total if total > 0 else None
        chosen.append(int(draw.choice(len(points), p=chances)))
        near = np.minimum(near, np.square(points - points[chosen[-1]]).sum(axis=1))
    return points[chosen].copy()


def centroid_confidence(points: Points, centroids: Points, labels: Labels) -> NDArray[np.float32]:
    """1 − (distance to the assigned centroid / distance to the next nearest), in [0, 1] (simplified
    silhouette, Hruschka et al. 2004)."""
    far = np.sqrt(distances(points, centroids))
    own = far[np.arange(len(far)), labels]
    far[np.arange(len(far)), labels] = np.inf
    other = far.min(axis=1)
    both = np.maximum(np.maximum(own, other), 1e-12)
    return np.asarray(np.clip((other - own) / both, 0.0, 1.0), np.float32)


RATE = 0.001  # of the body; at 0.005, groups of a few hundred images degrade
HEAD_FACTOR = 10.0


@CLUSTERING_METHODS.register
class DeepCluster(ClusteringMethod):
    """DeepCluster (Caron, Bojanowski, Joulin and Douze 2018, "Deep Clustering for Unsupervised
    Learning of Visual Features").

    Each round clusters the whitened features with k-means, resets the classifier, and trains the
    network on the clusters as labels, with images sampled uniformly over clusters.
    """

    spec = DEEP_CLUSTER

    def __init__(self, setup: ClusteringSetup) -> None:
        super().__init__(setup)
        self._k = setup.request.clusters
        self._width = setup.width()
        self._rate = setup.request.learning_rate or RATE
        learned = [p for p in setup.body.parameters() if p.requires_grad]
        if learned:
            self.optimizers["body"] = SGD(learned, lr=self._rate, momentum=0.9, weight_decay=1e-5)
        self._head = nn.Linear(self._width, self._k)
        self._labels: Rows | None = None
        self._moved = -1.0

    def _clustered(self, round: int) -> tuple[Points, KMeans]:
        features = np.concatenate([part.cpu().numpy() for part in self.setup.all_features()])
        points = whitened(features, self.setup.request.components)
        return points, k_means(points, self._k, 1000 * self.setup.request.seed + round)

    def start_round(self, round: int) -> Rows:
        """Compute pseudo-labels with k-means, reset the head, and sample as many rows as there are
        images."""
        _, found = self._clustered(round)
        if self._labels is not None:
            self._moved = float((moved(self._labels, found.labels, self._k)).mean())
        self._labels = found.labels
        device = self.setup.device.torch
        self._head = nn.Linear(self._width, self._k).to(device)
        nn.init.normal_(self._head.weight, std=0.01)
        nn.init.zeros_(self._head.bias)
        self.optimizers["head"] = SGD(
            self._head.parameters(), lr=HEAD_FACTOR * self._rate, momentum=0.9, weight_decay=1e-5
        )
        draw = np.random.default_rng([self.setup.request.seed, round, 7])
        return uniform_rows(found.labels, self._k, draw)

    def loss(self, rows: Rows, round: int) -> Tensor:
        """Cross-entropy with the pseudo-labels."""
        assert self._labels is not None
        features = self.setup.features(self.setup.inputs(rows, round))
        target = torch.from_numpy(self._labels[rows]).to(features.device)
        return F.cross_entropy(self._head(features.float()), target)

    def assignment(self) -> ClusterAssignment:
        """Cluster the current features with k-means."""
        points, last = self._clustered(self.setup.request.rounds)
        return ClusterAssignment(
            last.labels, centroid_confidence(points, last.centroids, last.labels)
        )

    def note(self) -> Message:
        """Share of images that changed cluster."""
        return Message("{share:.0%} moved", share=self._moved) if self._moved >= 0 else Message("")


def uniform_rows(labels: Rows, k: int, draw: np.random.Generator) -> Rows:
    """Sample len(labels) rows uniformly over clusters (counts differ by at most one), in random
    order. Rows of small clusters repeat (Caron et al. 2018, "trivial parametrization")."""
    count = len(labels)
    each = -(-count // k)
    rows = []
    for cluster in range(k):
        own = np.flatnonzero(labels == cluster)
        rows.append(draw.choice(own, each, replace=len(own) < each))
    drawn: Rows = draw.permutation(np.concatenate(rows))[:count]
    return drawn


def moved(before: Rows, after: Rows, k: int) -> np.ndarray:
    """True for images that left the majority of their previous cluster."""
    shared = np.zeros((k, k), np.int64)
    np.add.at(shared, (before, after), 1)
    return np.asarray(shared.argmax(axis=1)[before] != after)
