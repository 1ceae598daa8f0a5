"""Labels of a training's images as tensors, and their change under mirroring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.runs import LabelList, RunLabels, Sample
from workbench.learning.images.data import Images


@dataclass(frozen=True)
class LabelTensors:
    """Target and view label indices of N images, −1 unknown. `marks` (N × C, 0 or 1) are the labels
    of each image if the target's labels are not exclusive."""

    targets: Tensor
    views: Tensor
    marks: Tensor | None = None

    def of(self, rows: Tensor, device: torch.device) -> LabelTensors:
        """Select the images `rows`, on a device."""
        marks = self.marks[rows].to(device) if self.marks is not None else None
        return LabelTensors(self.targets[rows].to(device), self.views[rows].to(device), marks)

    def mirrored(self, flips: Tensor, labels: RunLabels) -> LabelTensors:
        """Labels after mirroring the images selected by `flips` (N booleans)."""
        marks = self.marks
        if marks is not None:
            turned = marks[:, list(labels.target.mirror)]
            marks = torch.where(flips[:, None], turned, marks)
        return LabelTensors(
            _mirrored(self.targets, flips, labels.target),
            _mirrored(self.views, flips, labels.view),
            marks,
        )


def label_tensors(images: Images, labels: RunLabels) -> LabelTensors:
    """Labels of all images of a run."""
    marks = None
    if not labels.target.exclusive:
        found = marks_of(images.samples, len(labels.target.labels))
        marks = torch.from_numpy(found.astype(np.float32))
    return LabelTensors(images.targets, images.views, marks)


def marks_of(samples: Sequence[Sample], classes: int) -> NDArray[np.bool_]:
    """Labels of each sample, N × C booleans."""
    marks = np.zeros((len(samples), classes), dtype=np.bool_)
    for row, sample in enumerate(samples):
        marks[row, list(sample.marks)] = True
    return marks


def _mirrored(labels: Tensor, flips: Tensor, known: LabelList | None) -> Tensor:
    if known is None:
        return labels
    other = torch.tensor(known.mirror)[labels.clamp(min=0)]
    return torch.where(flips & (labels >= 0), other, labels)
