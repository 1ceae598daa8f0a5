"""What the images of a training are labelled with, as tensors, and how mirrors change it."""

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
class Answers:
    """Label indices of target and view of N images, -1 unknown; `marks` (N × C, 0 or 1) says which
    labels each carries, where those of the target do not exclude each other."""

    targets: Tensor
    views: Tensor
    marks: Tensor | None = None

    def of(self, rows: Tensor, device: torch.device) -> Answers:
        """Those of the images `rows`, on a device."""
        marks = self.marks[rows].to(device) if self.marks is not None else None
        return Answers(self.targets[rows].to(device), self.views[rows].to(device), marks)

    def mirrored(self, flips: Tensor, labels: RunLabels) -> Answers:
        """As they are where the images in `flips` (N booleans) are shown mirrored."""
        marks = self.marks
        if marks is not None:
            turned = marks[:, list(labels.target.mirror)]
            marks = torch.where(flips[:, None], turned, marks)
        return Answers(
            _turned(self.targets, flips, labels.target),
            _turned(self.views, flips, labels.view),
            marks,
        )


def answers_of(images: Images, labels: RunLabels) -> Answers:
    """What all images of a run are labelled with."""
    marks = None
    if not labels.target.exclusive:
        found = marks_of(images.samples, len(labels.target.labels))
        marks = torch.from_numpy(found.astype(np.float32))
    return Answers(images.targets, images.views, marks)


def marks_of(samples: Sequence[Sample], classes: int) -> NDArray[np.bool_]:
    """N × C: which of the C labels each sample carries."""
    marks = np.zeros((len(samples), classes), dtype=np.bool_)
    for row, sample in enumerate(samples):
        marks[row, list(sample.marks)] = True
    return marks


def _turned(labels: Tensor, flips: Tensor, known: LabelList | None) -> Tensor:
    if known is None:
        return labels
    other = torch.tensor(known.mirror)[labels.clamp(min=0)]
    return torch.where(flips & (labels >= 0), other, labels)
