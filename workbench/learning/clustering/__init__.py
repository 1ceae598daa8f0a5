"""Clusters of images without labels, learned: DeepCluster and invariant information clustering."""
