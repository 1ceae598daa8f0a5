"""Invariant information clustering: the mutual information of an image's cluster and that of its
augmentation."""

from __future__ import annotations

import torch
from torch import Tensor


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
