"""Clustering of images without labels: methods, request and result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from workbench.domain.assessments import StartRequest
from workbench.domain.methods import Spec
from workbench.domain.registry import Registry
from workbench.domain.text import mark

RECORD_FILE = "clustering.json"
CLUSTERS_FILE = "clusters.npz"
FEWEST = 2  # minimum number of clusters
LARGEST_BATCH = 256


class ClusteringSpec(Spec, frozen=True, kw_only=True):
    """A clustering method as described without loading it; `learning.clustering` has its class.

    description: what it does, to be read after its title. rounds: default number of passes over the
    images. batch: minimum batch size; per_cluster: images per batch for each cluster, for methods
    that need several of each.
    """

    kind: str = "clustering"
    rounds: int
    batch: int
    per_cluster: int = 0

    def batch_for(self, clusters: int) -> int:
        """The batch size for a number of clusters."""
        return min(LARGEST_BATCH, max(self.batch, self.per_cluster * clusters))


CLUSTERINGS: Registry[ClusteringSpec] = Registry("method")
DEEP_CLUSTER = CLUSTERINGS.register(
    ClusteringSpec(
        name="deepcluster",
        title=mark("DeepCluster"),
        description=mark("learns the clusters of its own features"),
        source=("Caron et al. 2018, Deep clustering for unsupervised learning of visual features"),
        rounds=3,
        batch=32,
    )
)
IIC = CLUSTERINGS.register(
    ClusteringSpec(
        name="iic",
        title=mark("IIC"),
        description=mark("learns clusters that an image and its augmentations share"),
        source=(
            "Ji et al. 2019, Invariant information clustering for unsupervised image "
            "classification and segmentation"
        ),
        rounds=15,
        batch=64,
        per_cluster=4,
    )
)


class ClusterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to cluster its samples, starting from `start`.

    `folder` receives the result and the checkpoint for resuming. `method` is a name in CLUSTERINGS;
    `rounds` are passes over the images; stages up to `frozen` are frozen. `components` is the
    number of whitened features used by k-means, 0: chosen by the number of images; a
    `learning_rate` of 0 selects the method's default.
    """

    start: StartRequest
    folder: str
    method: str = DEEP_CLUSTER.name
    clusters: Annotated[int, Meta(ge=FEWEST)] = 10
    rounds: Annotated[int, Meta(ge=1)] = DEEP_CLUSTER.rounds
    batch: Annotated[int, Meta(ge=2)] = DEEP_CLUSTER.batch
    learning_rate: Annotated[float, Meta(ge=0.0)] = 0.0
    frozen: str = "none"
    components: Annotated[int, Meta(ge=0)] = 0
    seed: Annotated[int, Meta(ge=0)] = 0


class Clustering(msgspec.Struct, frozen=True, kw_only=True):
    """A clustering as listed in a project.

    `made` is in seconds since the epoch, `start_title` names the start network, `sizes` are the
    images of each cluster, largest first.
    """

    id: str
    method: str
    start_title: str = msgspec.field(name="words")  # under its stored name
    made: float
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Clusters:
    """Cluster assignments of N images or crops.

    `crops` are -1 where images were clustered. Clusters are numbered by size, 0 the largest;
    confidences are in [0, 1].
    """

    images: NDArray[np.int64]
    crops: NDArray[np.int64]
    clusters: NDArray[np.int64]
    confidence: NDArray[np.float32]

    def members(self, cluster: int, share: float = 1.0) -> NDArray[np.int64]:
        """The images of a cluster by falling confidence; only the first `share`, in [0, 1]."""
        at = np.flatnonzero(self.clusters == cluster)
        images = self.images[at[np.argsort(-self.confidence[at], kind="stable")]]
        first = np.sort(np.unique(images, return_index=True)[1])
        return images[first[: int(np.ceil(share * len(first)))]]

    def mean_confidence(self, cluster: int) -> float:
        """The mean confidence of a cluster, 0 if it is empty."""
        own = self.confidence[self.clusters == cluster]
        return float(own.mean()) if len(own) else 0.0


def by_size(clusters: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Renumber clusters by size, largest first; equal sizes keep their order."""
    sizes = np.bincount(clusters, minlength=count)
    place = np.empty(len(sizes), np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return place[clusters]
