"""NCE: how much of the target's labels the source's labels of the same images tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nce(source_labels: NDArray[np.integer], target_labels: NDArray[np.integer]) -> float:
    """−H(Y|Z) = Σ_{y,z} P(y, z) log P(y|z) in nats over n images, from −log(classes) to 0 (best).

    P is empirical; `source_labels` z are those the source's network predicts where the images have
    none of their own. Tran, Nguyen and Hassner 2019, "Transferability and hardness of supervised
    classification tasks". Raises ValueError for no images or lengths that differ.
    """
    if len(source_labels) != len(target_labels) or not len(target_labels):
        raise ValueError(f"{len(source_labels)} source and {len(target_labels)} target labels")
    _, z = np.unique(source_labels, return_inverse=True)
    _, y = np.unique(target_labels, return_inverse=True)
    joint = np.zeros((z.max() + 1, y.max() + 1))
    np.add.at(joint, (z, y), 1.0)
    joint /= joint.sum()
    conditional = joint / joint.sum(axis=1, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(conditional[there])).sum())
