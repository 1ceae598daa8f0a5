"""Adaptation layers: a learned feature layer between pretrained features and the classifier."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from workbench.domain.methods import Parameter, Spec, Value
from workbench.domain.text import mark
from workbench.learning.heads.base import HEADS, Features


@HEADS.register
class Adaptation(Features):
    """Y_a = ReLU(W_a Y_7 + b_a), 2048 features, with dropout. The classifier is the second
    adaptation layer, Y_b = W_b Y_a + b_b (Oquab, Bottou, Laptev and Sivic 2014).

    Y_7 are the backbone's pooled features, N × F: fc7 for AlexNet and VGG, as in the paper, which
    freezes all earlier layers (`frozen` = "all").
    """

    spec = Spec(
        name="adaptation",
        kind="head",
        title=mark("Two adaptation layers"),
        description=mark(
            "Trains a new feature layer on frozen ones; for labels unlike ImageNet's."
        ),
        source="Oquab, Bottou, Laptev and Sivic 2014, Learning and transferring mid-level image "
        "representations using convolutional neural networks",
        parameters=(
            Parameter(
                name="hidden", default=2048, low=1, high=16384, description=mark("hidden features")
            ),
            Parameter(
                name="dropout", default=0.5, low=0.0, high=0.95, description=mark("dropout rate")
            ),
        ),
    )
    needs_maps = False

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        self.width = self.number("hidden")
        self.first = nn.Linear(channels, self.width)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.zeros_(self.first.bias)
        self.dropout = nn.Dropout(float(self.options["dropout"]))

    def forward(self, features: Tensor) -> Tensor:
        adapted: Tensor = self.dropout(self.first(features).relu())
        return adapted
