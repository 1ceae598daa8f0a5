"""Parts head: groups channels by where they peak, and pools each group by attention."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.methods import Parameter, Spec, Value
from workbench.domain.text import Message, mark
from workbench.learning.heads.base import HEADS, Features, Outputs
from workbench.learning.heads.second_order import single

MEMBER_LOGIT = 2.0  # initial membership logit: σ(±2) = 0.88, 0.12
EPSILON = 1e-6
KMEANS_STARTS = 10


@HEADS.register
class Parts(Features):
    """Multi-attention pooling, N × F × h × w -> N × (P · F) (Zheng, Fu, Mei and Luo 2017).

    d_p = σ(U_p φ + b_p) are the F channel weights of part p, φ the mean of the map X over its
    cells. A_p = Σ_c d_pc ReLU(X_c), normalised to sum 1 over the cells. f_p = Σ_cells A_p X / √P;
    the factor keeps the concatenated features about as long as the mean of the map, so one learning
    rate suits any number of parts. A linear classifier on all f_p sums the part scores W_p f_p.

    Before training, each channel is described by its peak positions in up to `images` training
    images (two coordinates in [0, 1] per image). k-means clusters these vectors into P parts, and U
    = 0, b = ±2 encode the clusters: the closed form of the layer that the paper pre-trains on them.
    U and b are then trained with the network. The paper's channel-grouping loss is the penalty
    "channel-grouping".
    """

    spec = Spec(
        name="parts",
        kind="head",
        title=mark("Parts"),
        description=mark("Finds object parts, attends to each of them and adds their scores."),
        source="Zheng, Fu, Mei and Luo 2017, Learning multi-attention convolutional neural network "
        "for fine-grained image recognition",
        parameters=(
            Parameter(name="parts", default=4, low=1, high=32, description=mark("number of parts")),
            Parameter(
                name="images",
                default=256,
                low=1,
                description=mark("images whose peaks are clustered"),
            ),
            Parameter(name="seed", default=0, low=0, description=mark("seed of the clustering")),
        ),
    )

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        self.parts = self.number("parts")
        self.width = self.parts * channels
        self.member = nn.Linear(channels, self.parts * channels)
        self._set_membership(np.arange(channels) % self.parts)

    @torch.no_grad()
    def _set_membership(self, cluster: NDArray[np.int64]) -> None:
        """Initialise memberships from `cluster`, the part of each channel."""
        inside = torch.from_numpy(cluster)[None, :] == torch.arange(self.parts)[:, None]
        logits = torch.where(inside, MEMBER_LOGIT, -MEMBER_LOGIT).flatten()
        nn.init.zeros_(self.member.weight)
        self.member.bias.copy_(logits)

    def begin(self, given: Outputs) -> None:
        outputs = given(Message("Finding parts"), self.number("images"))
        found = [peaks(maps).cpu() for maps in outputs]
        places = torch.cat(found).transpose(0, 1).flatten(1)  # F × (2 · images)
        self._set_membership(cluster(places.double().numpy(), self.parts, self.number("seed")))

    def attention(self, maps: Tensor) -> Tensor:
        """Attention map of each part, N × P × h × w; each map sums to 1."""
        weights = self.member(maps.mean((2, 3))).sigmoid()
        weights = weights.reshape(-1, self.parts, self.channels)
        activation = single(weights @ maps.relu().flatten(2)) + EPSILON
        shares = activation / activation.sum(dim=2, keepdim=True)
        return shares.reshape(-1, self.parts, *maps.shape[2:])

    def forward(self, maps: Tensor) -> Tensor:
        where = self.attention(maps).flatten(2).to(maps.dtype)
        found = (where @ maps.flatten(2).transpose(1, 2)).flatten(1)
        return found / math.sqrt(self.parts)


def peaks(maps: Tensor) -> Tensor:
    """Row and column of each channel's maximum, N × F × h × w -> N × F × 2, in [0, 1]."""
    rows, columns = maps.shape[2:]
    highest = maps.flatten(2).argmax(dim=2)
    down = (highest // columns) / max(1, rows - 1)
    across = (highest % columns) / max(1, columns - 1)
    return torch.stack((down, across), dim=2)


def cluster(vectors: NDArray[np.float64], clusters: int, seed: int) -> NDArray[np.int64]:
    """k-means cluster of each row: the best of several k-means++ runs, skipping runs with an empty
    cluster.

    If no run succeeds, or there are fewer distinct rows than clusters, clusters are assigned in
    rotation.
    """
    # here, since it takes a tenth of the start of every learning program
    from scipy.cluster.vq import ClusterError, kmeans2

    best, lowest = np.arange(len(vectors)) % clusters, np.inf
    if len(np.unique(vectors, axis=0)) < clusters:
        return best
    draw = np.random.default_rng(seed)
    for _ in range(KMEANS_STARTS):
        try:
            centres, found = kmeans2(vectors, clusters, minit="++", missing="raise", rng=draw)
        except ClusterError:
            continue
        spread = float(np.square(vectors - centres[found]).sum())
        if spread < lowest:
            best, lowest = found.astype(np.int64), spread
    return cast(NDArray[np.int64], best)
