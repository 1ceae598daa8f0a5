"""IIC: clusters with high mutual information between an image and its augmentation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from workbench.learning.clustering.base import ClusterAssignment, ClusteringSetup, Rows


def joint_of(given: Tensor, changed: Tensor) -> Tensor:
    """k × k joint probabilities of the clusters of n images and of their augmentations, from n × k
    softmax outputs of each: the mean of the outer products, symmetrised.

    Ji, Henriques, Vedaldi 2019, "Invariant Information Clustering for Unsupervised Image
    Classification and Segmentation", equation 3.
    """
    joint = given.T @ changed / len(given)
    return (joint + joint.T) / 2


def mutual_information(joint: Tensor, entropy_weight: float = 1.0) -> Tensor:
    """Σ P_cd (ln P_cd − w ln P_c − w ln P_d) of a k × k joint, in nats; w = 1 is the mutual
    information itself (Ji et al. 2019, equation 3 with the weight of their supplement)."""
    p = joint.clamp(min=torch.finfo(joint.dtype).eps)
    rows, columns = p.sum(dim=1, keepdim=True), p.sum(dim=0, keepdim=True)
    return (p * (p.log() - entropy_weight * (rows.log() + columns.log()))).sum()


RATE = 1e-4
HEAD_FACTOR = 10.0
HEADS = 5  # of each kind, of which the one with most information counts
OVER = 5  # times as many clusters in the auxiliary heads
MOST_OVER = 256


class Iic:
    """Ji, Henriques, Vedaldi 2019, "Invariant Information Clustering for Unsupervised Image
    Classification and Segmentation": maximise the mutual information of the clusters of an image
    and of its augmentation. Heads with more clusters than are wanted learn along on every batch
    (the paper takes turns)."""

    name: ClassVar[str] = "iic"

    def __init__(self, setup: ClusteringSetup) -> None:
        self._setup = setup
        k, width = setup.order.clusters, setup.width()
        over = max(k + 1, min(MOST_OVER, OVER * k))
        torch.manual_seed(setup.order.seed)
        self.modules = nn.ModuleDict(
            {
                "own": nn.ModuleList(nn.Linear(width, k) for _ in range(HEADS)),
                "over": nn.ModuleList(nn.Linear(width, over) for _ in range(HEADS)),
                "scale": nn.BatchNorm1d(width, affine=False),
            }
        ).to(setup.device.torch)
        rate = setup.order.learning_rate or RATE
        groups = [{"params": list(self.modules.parameters()), "lr": HEAD_FACTOR * rate}]
        learned = [p for p in setup.body.parameters() if p.requires_grad]
        if learned:
            groups.append({"params": learned, "lr": rate})
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "all": torch.optim.AdamW(groups, lr=rate)
        }
        self._bits = 0.0

    def begin(self, round: int) -> Rows:
        """All images in random order."""
        self.modules.train()
        draw = np.random.default_rng([self._setup.order.seed, round, 7])
        return draw.permutation(len(self._setup.rows))

    def _said(self, images: Tensor, kind: str) -> list[Tensor]:
        features = self.modules["scale"](self._setup.features(images).float())
        heads = self.modules[kind]
        assert isinstance(heads, nn.ModuleList)
        return [head(features).softmax(dim=1) for head in heads]

    def loss(self, rows: Rows, round: int) -> Tensor:
        """Minus the mean information of all heads."""
        both = torch.cat((self._setup.shown(rows, None), self._setup.shown(rows, round)))
        features = self.modules["scale"](self._setup.features(both).float())
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
    def found(self) -> ClusterAssignment:
        """The head whose clusters an image and its augmentation tell most about each other."""
        self.modules.eval()
        setup = self._setup
        given: list[list[Tensor]] = [[] for _ in range(HEADS)]
        changed: list[list[Tensor]] = [[] for _ in range(HEADS)]
        setup.body.eval()
        for start in range(0, len(setup.rows), setup.order.batch):
            setup.beat()
            rows = np.arange(start, min(len(setup.rows), start + setup.order.batch))
            for shown, into in ((None, given), (setup.order.rounds, changed)):
                for head, said in enumerate(self._said(setup.shown(rows, shown), "own")):
                    into[head].append(said.double().cpu())
        whole = [(torch.cat(a), torch.cat(b)) for a, b in zip(given, changed, strict=True)]
        best = max(whole, key=lambda pair: float(mutual_information(joint_of(*pair))))[0]
        sure, labels = best.max(dim=1)
        return ClusterAssignment(labels.numpy(), sure.float().numpy())

    def words(self) -> str:
        """How much the best head knows, of the most it could."""
        return f"{self._bits:.2f} of {np.log2(self._setup.order.clusters):.2f} bits"
