"""Bilinear pooling: pairwise products of channels."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from workbench.domain.methods import Parameter, Spec, Value
from workbench.domain.text import mark
from workbench.learning.heads.base import HEADS, Features
from workbench.learning.heads.second_order import products, reduce_channels, signed_sqrt, unit

SCALE = Parameter(
    name="scale",
    default=8.0,
    low=0.1,
    description=mark("scale of the features"),
)
CHANNELS = Parameter(
    name="channels",
    default=512,
    low=1,
    high=1024,
    description=mark("channels after reduction, at most"),
)


@HEADS.register
class Bilinear(Features):
    """G = X Xᵀ / (h · w), s = sign(G) √|G|, c = s / ‖s‖ (Lin, RoyChowdhury and Maji 2015).

    X is the last feature map, N × F × h × w; c has F² features. F = 512 for VGG, whose map is taken
    before its last pooling (14 × 14 at 224). A learned 1×1 convolution reduces wider maps to
    `channels`. c is multiplied by `scale`, so that the head trains at the learning rate of other
    heads; the paper's vector of length 1 needs a different one.
    """

    spec = Spec(
        name="bilinear",
        kind="head",
        title=mark("Bilinear"),
        description=mark(
            "Classifies pairwise products of channels; captures fine detail, but is large."
        ),
        source="Lin, RoyChowdhury and Maji 2015, Bilinear CNN models for fine-grained recognition",
        parameters=(CHANNELS, SCALE),
    )

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        self.narrow, kept = reduce_channels(channels, self.number("channels"))
        self.width = kept * kept

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.narrow(maps)
        vector = unit(signed_sqrt(products(maps, maps).flatten(1)))
        return vector * float(self.options["scale"])
