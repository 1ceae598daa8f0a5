"""A linear head on frozen features: the accuracy that a start gives without being tuned."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.learning.networks.probe import linear_probe


def frozen_accuracy(
    train: NDArray[np.floating],
    train_labels: NDArray[np.integer],
    test: NDArray[np.floating],
    test_labels: NDArray[np.integer],
) -> float:
    """Top-1 accuracy in [0, 1] on m × d test features of a multinomial logistic regression fitted
    to n × d training features. Raises ValueError without training or test images.

    Kornblith, Shlens and Le 2019, "Do better ImageNet models transfer better?", train the same
    head on fixed features.
    """
    if not len(train) or not len(test):
        raise ValueError(f"{len(train)} training and {len(test)} test images")
    known = np.unique(train_labels)
    own = torch.from_numpy(np.searchsorted(known, train_labels).astype(np.int64))
    head = linear_probe(torch.from_numpy(np.asarray(train, dtype=np.float32)), own, len(known))
    with torch.inference_mode():
        scores = head(torch.from_numpy(np.asarray(test, dtype=np.float32)))
    return float((known[scores.argmax(dim=1).numpy()] == test_labels).mean())
