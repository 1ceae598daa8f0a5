"""IIC: clusters that maximise the mutual information between an image and its augmentation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from workbench.domain.clusters import IIC
from workbench.domain.text import Message
from workbench.learning.clustering.base import (
    CLUSTERING_METHODS,
    ClusterAssignment,
    ClusteringMethod,
    ClusteringSetup,
    Rows,
)
from workbench.learning.eager import AdamW


def joint_of(given: Tensor, changed: Tensor) -> Tensor:
    """Joint cluster probabilities (k × k) of n images and their augmentations, from n × k softmax
    outputs of each: the symmetrised mean of outer products.

    Ji, Henriques and Vedaldi 2019, "Invariant Information Clustering for Unsupervised Image
    Classification and Segmentation", equation 3.
    """
    joint = given.T @ changed / len(given)
    return (joint + joint.T) / 2


def mutual_information(joint: Tensor, entropy_weight: float = 1.0) -> Tensor:
    """Σ P_cd (ln P_cd − w ln P_c − w ln P_d) of a k × k joint distribution, in nats.

    w = 1 gives the mutual information (Ji et al. 2019, equation 3, with the weight of their
    supplement).
    """
    p = joint.clamp(min=torch.finfo(joint.dtype).eps)
    rows, columns = p.sum(dim=1, keepdim=True), p.sum(dim=0, keepdim=True)
    return (p * (p.log() - entropy_weight * (rows.log() + columns.log()))).sum()


RATE = 1e-4
HEAD_FACTOR = 10.0
HEAD_COUNT = 5  # heads of each kind; the best one gives the clusters
OVERCLUSTER_FACTOR = 5  # factor of clusters in the auxiliary heads
MAX_OVERCLUSTERS = 256


@CLUSTERING_METHODS.register
class Iic(ClusteringMethod):
    """IIC (Ji, Henriques and Vedaldi 2019, "Invariant Information Clustering for Unsupervised Image
    Classification and Segmentation").

    Maximises the mutual information between the clusters of an image and of its augmentation.
    Auxiliary overclustering heads train on every batch too; the paper alternates between the two
    kinds.
    """

    spec = IIC

    def __init__(self, setup: ClusteringSetup) -> None:
        super().__init__(setup)
        k, width = setup.request.clusters, setup.width()
        over = max(k + 1, min(MAX_OVERCLUSTERS, OVERCLUSTER_FACTOR * k))
        torch.manual_seed(setup.request.seed)
        self.modules = nn.ModuleDict(
            {
                "own": nn.ModuleList(nn.Linear(width, k) for _ in range(HEAD_COUNT)),
                "over": nn.ModuleList(nn.Linear(width, over) for _ in range(HEAD_COUNT)),
                "scale": nn.BatchNorm1d(width, affine=False),
            }
        ).to(setup.device.torch)
        rate = setup.request.learning_rate or RATE
        groups = [{"params": list(self.modules.parameters()), "lr": HEAD_FACTOR * rate}]
        learned = [p for p in setup.body.parameters() if p.requires_grad]
        if learned:
            groups.append({"params": learned, "lr": rate})
        self.optimizers["all"] = AdamW(groups, lr=rate)
        self._bits = 0.0

    def start_round(self, round: int) -> Rows:
        """All images in random order."""
        self.modules.train()
        draw = np.random.default_rng([self.setup.request.seed, round, 7])
        return draw.permutation(len(self.setup.rows))

    def _outputs(self, images: Tensor, kind: str) -> list[Tensor]:
        features = self.modules["scale"](self.setup.features(images).float())
        heads = self.modules[kind]
        assert isinstance(heads, nn.ModuleList)
        return [head(features).softmax(dim=1) for head in heads]

    def loss(self, rows: Rows, round: int) -> Tensor:
        """Negative mean mutual information over all heads."""
        both = torch.cat((self.setup.inputs(rows, None), self.setup.inputs(rows, round)))
        features = self.modules["scale"](self.setup.features(both).float())
        found: dict[str, list[Tensor]] = {"own": [], "over": []}
        for kind, informations in found.items():
            heads = self.modules[kind]
            assert isinstance(heads, nn.ModuleList)
            for head in heads:
                given, changed = head(features).softmax(dim=1).chunk(2)
                informations.append(mutual_information(joint_of(given, changed)))
        own, over = torch.stack(found["own"]), torch.stack(found["over"])
        self._bits = float(own.detach().max()) / np.log(2)
        return -(own.mean() + over.mean()) / 2

    @torch.no_grad()
    def assignment(self) -> ClusterAssignment:
        """Clusters of the head with the highest mutual information."""
        self.modules.eval()
        setup = self.setup
        given: list[list[Tensor]] = [[] for _ in range(HEAD_COUNT)]
        changed: list[list[Tensor]] = [[] for _ in range(HEAD_COUNT)]
        setup.body.eval()
        for start in range(0, len(setup.rows), setup.request.batch):
            setup.raise_if_interrupted()
            rows = np.arange(start, min(len(setup.rows), start + setup.request.batch))
            for round, into in ((None, given), (setup.request.rounds, changed)):
                for head, outputs in enumerate(self._outputs(setup.inputs(rows, round), "own")):
                    into[head].append(outputs.double().cpu())
        whole = [(torch.cat(a), torch.cat(b)) for a, b in zip(given, changed, strict=True)]
        best = max(whole, key=lambda pair: float(mutual_information(joint_of(*pair))))[0]
        confidence, labels = best.max(dim=1)
        return ClusterAssignment(labels.numpy(), confidence.float().numpy())

    def note(self) -> Message:
        """Mutual information of the best head and its upper bound."""
        most = float(np.log2(self.setup.request.clusters))
        return Message("{bits:.2f} of {most:.2f} bits", bits=self._bits, most=most)
