"""Clusters of images without labels: what is asked for, and what a project keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from workbench.domain.assessments import StartRequest

RECORD_FILE = "clustering.json"
CLUSTERS_FILE = "clusters.npz"
METHODS = {"deepcluster": "DeepCluster", "iic": "IIC"}
ROUNDS = {"deepcluster": 3, "iic": 15}  # that a method learns for where nobody says otherwise
FEWEST = 2  # clusters


class ClusterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Clusters of the samples beside the order, to be learned from `start` in `folder`, where the
    training goes on from where it was and the result is left.

    `rounds` are passes over the images; stages up to `frozen` stay as they are. `components` bounds
    the features that k-means sees after whitening, 0 leaves that to the number of images; a
    `learning_rate` of 0 is the method's own.
    """

    start: StartRequest
    folder: str
    method: Literal["deepcluster", "iic"] = "deepcluster"
    clusters: Annotated[int, Meta(ge=FEWEST)] = 10
    rounds: Annotated[int, Meta(ge=1)] = 3
    batch: Annotated[int, Meta(ge=2)] = 32
    learning_rate: Annotated[float, Meta(ge=0.0)] = 0.0
    frozen: str = "none"
    components: Annotated[int, Meta(ge=0)] = 0
    seed: Annotated[int, Meta(ge=0)] = 0


class Clustering(msgspec.Struct, frozen=True, kw_only=True):
    """A clustering as a project lists it: `made` in seconds since the epoch, `words` name the
    network it started from, `sizes` are images per cluster, the largest first."""

    id: str
    method: str
    words: str
    made: float
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Clusters:
    """For each of N images (or crops, -1 where images are meant) its cluster, 0 the largest, and
    how sure that is, in [0, 1]."""

    images: NDArray[np.int64]
    crops: NDArray[np.int64]
    clusters: NDArray[np.int64]
    confidence: NDArray[np.float32]

    def members(self, cluster: int, share: float = 1.0) -> NDArray[np.int64]:
        """The images of a cluster, the surest first; of them the first `share`, in [0, 1]."""
        at = np.flatnonzero(self.clusters == cluster)
        images = self.images[at[np.argsort(-self.confidence[at], kind="stable")]]
        first = np.sort(np.unique(images, return_index=True)[1])
        return images[first[: int(np.ceil(share * len(first)))]]

    def sureness(self, cluster: int) -> float:
        """The mean confidence of a cluster, 0 where it has no image."""
        own = self.confidence[self.clusters == cluster]
        return float(own.mean()) if len(own) else 0.0


def by_size(clusters: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Clusters numbered anew, the largest first; of equal ones that with the lower number."""
    sizes = np.bincount(clusters, minlength=count)
    place = np.empty(len(sizes), np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return place[clusters]
