"""Registry of clustering methods; each method is a class in its own file."""

from workbench.learning.clustering.base import CLUSTERING_METHODS, ClusteringMethod, ClusteringSetup

__all__ = ["CLUSTERING_METHODS", "ClusteringMethod", "ClusteringSetup"]
