"""DeepCluster: k-means on the network's features gives labels, which the network then learns."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.learning.clustering.base import Found, Rows, Setup
from workbench.learning.clustering.k_means import KMeans, Points, k_means, sureness, whitened

RATE = 0.001  # of the body: at 0.005 groups of a few hundred images decay; the head learns faster
HEAD_FACTOR = 10.0


class DeepCluster:
    """Caron, Bojanowski, Joulin, Douze 2018, "Deep Clustering for Unsupervised Learning of Visual
    Features": in every round k-means clusters the whitened features, the classifier begins anew,
    and the network learns the clusters as labels, images drawn uniformly over them."""

    name: ClassVar[str] = "deepcluster"

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._k = setup.order.clusters
        self._width = setup.width()
        self._rate = setup.order.learning_rate or RATE
        learned = [p for p in setup.body.parameters() if p.requires_grad]
        self.modules = nn.ModuleDict()
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        if learned:
            self.optimizers["body"] = torch.optim.SGD(
                learned, lr=self._rate, momentum=0.9, weight_decay=1e-5
            )
        self._head = nn.Linear(self._width, self._k)
        self._labels: Rows | None = None
        self._moved = -1.0

    def _clustered(self, round: int) -> tuple[Points, KMeans]:
        features = np.concatenate([part.cpu().numpy() for part in self._setup.all_features()])
        points = whitened(features, self._setup.order.components)
        return points, k_means(points, self._k, 1000 * self._setup.order.seed + round)

    def begin(self, round: int) -> Rows:
        """Labels from k-means, a new head, and as many rows as there are images."""
        _, found = self._clustered(round)
        if self._labels is not None:
            self._moved = float((moved(self._labels, found.labels, self._k)).mean())
        self._labels = found.labels
        device = self._setup.device.torch
        self._head = nn.Linear(self._width, self._k).to(device)
        nn.init.normal_(self._head.weight, std=0.01)
        nn.init.zeros_(self._head.bias)
        self.optimizers["head"] = torch.optim.SGD(
            self._head.parameters(), lr=HEAD_FACTOR * self._rate, momentum=0.9, weight_decay=1e-5
        )
        draw = np.random.default_rng([self._setup.order.seed, round, 7])
        return uniform_rows(found.labels, self._k, draw)

    def loss(self, rows: Rows, round: int) -> Tensor:
        """Cross-entropy of the pseudo-labels."""
        assert self._labels is not None
        features = self._setup.features(self._setup.shown(rows, round))
        target = torch.from_numpy(self._labels[rows]).to(features.device)
        return F.cross_entropy(self._head(features.float()), target)

    def found(self) -> Found:
        """k-means once more, on the features as they are now."""
        points, last = self._clustered(self._setup.order.rounds)
        return Found(last.labels, sureness(points, last.centroids, last.labels))

    def words(self) -> str:
        """Which share of the images changed its cluster."""
        return f"{self._moved:.0%} moved" if self._moved >= 0 else ""


def uniform_rows(labels: Rows, k: int, draw: np.random.Generator) -> Rows:
    """As many rows as there are labels, every cluster equally often (to one), in random order; of
    small clusters rows come several times (Caron et al. 2018, "trivial parametrization")."""
    count = len(labels)
    each = -(-count // k)
    rows = []
    for cluster in range(k):
        own = np.flatnonzero(labels == cluster)
        rows.append(draw.choice(own, each, replace=len(own) < each))
    drawn: Rows = draw.permutation(np.concatenate(rows))[:count]
    return drawn


def moved(before: Rows, after: Rows, k: int) -> np.ndarray:
    """Which images left the cluster that most of their former one is in now."""
    shared = np.zeros((k, k), np.int64)
    np.add.at(shared, (before, after), 1)
    return np.asarray(shared.argmax(axis=1)[before] != after)
