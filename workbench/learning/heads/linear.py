"""Linear head: pooled features are classified unchanged."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from workbench.domain.methods import Spec, Value
from workbench.domain.text import mark
from workbench.learning.heads.base import HEADS, Features


@HEADS.register
class Linear(Features):
    """Identity on N × F pooled features."""

    spec = Spec(
        name="linear",
        kind="head",
        title=mark("Linear"),
        description=mark("Classifies the backbone's pooled features; fast, and hard to beat."),
        source="Yosinski et al. 2014, How transferable are features in deep neural networks?",
    )
    needs_maps = False

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        self.width = channels

    def forward(self, features: Tensor) -> Tensor:
        return features
