"""Parts: channels that peak at the same places are a part; each part is attended to and scored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import ClusterError, kmeans2
from torch import Tensor, nn

from workbench.domain.methods import Parameter, Spec, Value
from workbench.learning.heads.base import HEADS, Features
from workbench.learning.heads.second_order import single

SURE = 2.0  # logit of a channel's membership where its cluster says so: σ(±2) = 0.88, 0.12
EPSILON = 1e-6
TRIES = 10


@HEADS.register
class Parts(Features):
    """Multi-attention pooling, N × F × h × w -> N × (P · F) (Zheng, Fu, Mei and Luo 2017).

    d_p = σ(U_p φ + b_p), the F weights of the channels in part p, φ the mean of the map X over its
    cells. A_p = Σ_c d_pc ReLU(X_c), divided by its sum over the cells. f_p = Σ_cells A_p X / √P:
    side by side they are about as long as the mean of the map, so that the rate which suits a
    linear head suits any number of parts. The scores of the parts, W_p f_p, are summed by the
    linear classifier on all f_p.

    Before training, each channel is described by where it peaks in each of up to `images` training
    images (two coordinates in [0, 1] an image), these vectors are clustered by k-means into P
    parts, and U = 0, b = ±2 say which cluster a channel is in: the layer the paper pre-trains on
    the clusters, in closed form. From there U and b are learned with everything else; the paper's
    channel-grouping loss, which keeps parts compact and apart, is the penalty "channel-grouping".
    """

    spec = Spec(
        name="parts",
        kind="head",
        title="Parts",
        words="Finds parts that light up together, looks at each one, and adds their scores.",
        source="Zheng, Fu, Mei and Luo 2017, Learning multi-attention convolutional neural network "
        "for fine-grained image recognition",
        parameters=(
            Parameter(name="parts", default=4, low=1, high=32, words="how many parts"),
            Parameter(name="images", default=256, low=1, words="images whose peaks are clustered"),
            Parameter(name="seed", default=0, low=0, words="which clustering is drawn"),
        ),
    )

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        self.parts = self.number("parts")
        self.width = self.parts * channels
        self.member = nn.Linear(channels, self.parts * channels)
        self._join(np.arange(channels) % self.parts)

    @torch.no_grad()
    def _join(self, cluster: NDArray[np.int64]) -> None:
        """Let membership be what `cluster`, the part of each channel, says."""
        inside = torch.from_numpy(cluster)[None, :] == torch.arange(self.parts)[:, None]
        logits = torch.where(inside, SURE, -SURE).flatten()
        nn.init.zeros_(self.member.weight)
        self.member.bias.copy_(logits)

    def begin(self, given: Iterable[Tensor]) -> None:
        found: list[Tensor] = []
        wanted = self.number("images")
        for maps in given:
            found.append(peaks(maps[: wanted - sum(map(len, found))]).cpu())
            if sum(map(len, found)) >= wanted:
                break
        places = torch.cat(found).transpose(0, 1).flatten(1)  # F × (2 · images)
        self._join(cluster(places.double().numpy(), self.parts, self.number("seed")))

    def attention(self, maps: Tensor) -> Tensor:
        """N × P × h × w: where each part looks; every map sums to 1."""
        weights = self.member(maps.mean((2, 3))).sigmoid()
        weights = weights.reshape(-1, self.parts, self.channels)
        lit = single(weights @ maps.relu().flatten(2)) + EPSILON
        shares = lit / lit.sum(dim=2, keepdim=True)
        return shares.reshape(-1, self.parts, *maps.shape[2:])

    def forward(self, maps: Tensor) -> Tensor:
        where = self.attention(maps).flatten(2).to(maps.dtype)
        found = (where @ maps.flatten(2).transpose(1, 2)).flatten(1)
        return found / math.sqrt(self.parts)


def peaks(maps: Tensor) -> Tensor:
    """N × F × h × w -> N × F × 2: row and column of each map's highest cell, each in [0, 1]."""
    rows, columns = maps.shape[2:]
    highest = maps.flatten(2).argmax(dim=2)
    down = (highest // columns) / max(1, rows - 1)
    across = (highest % columns) / max(1, columns - 1)
    return torch.stack((down, across), dim=2)


def cluster(vectors: NDArray[np.float64], clusters: int, seed: int) -> NDArray[np.int64]:
    """The cluster of each row by k-means; the best of several begun with k-means++, those left out
    that lose a cluster. Where none is left, and where fewer rows than clusters differ, rows are
    dealt out in turn."""
    best, lowest = np.arange(len(vectors)) % clusters, np.inf
    if len(np.unique(vectors, axis=0)) < clusters:
        return best
    draw = np.random.default_rng(seed)
    for _ in range(TRIES):
        try:
            centres, found = kmeans2(vectors, clusters, minit="++", missing="raise", rng=draw)
        except ClusterError:
            continue
        spread = float(np.square(vectors - centres[found]).sum())
        if spread < lowest:
            best, lowest = found.astype(np.int64), spread
    return cast(NDArray[np.int64], best)
