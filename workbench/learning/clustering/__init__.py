"""Ways to cluster images without labels, by name; each is a class in a file of its own."""

from workbench.learning.clustering.base import CLUSTERING_METHODS, ClusteringMethod, ClusteringSetup

__all__ = ["CLUSTERING_METHODS", "ClusteringMethod", "ClusteringSetup"]
