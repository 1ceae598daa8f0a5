"""Bilinear pooling: how strongly every two channels appear together."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from workbench.domain.methods import Parameter, Spec, Value
from workbench.learning.heads.base import HEADS, Features
from workbench.learning.heads.second_order import narrowed, products, signed_root, unit

SCALE = Parameter(
    name="scale",
    default=8.0,
    low=0.1,
    words="length of the features",
)
CHANNELS = Parameter(
    name="channels", default=512, low=1, high=1024, words="the most channels that are multiplied"
)


@HEADS.register
class Bilinear(Features):
    """G = X Xᵀ / (h · w), s = sign(G) √|G|, c = s / ‖s‖ (Lin, RoyChowdhury and Maji 2015).

    X is the last map, N × F × h × w; c has F² numbers, F = 512 for VGG, whose map is taken before
    its last pooling: 14 × 14 at 224. Where a backbone gives more than `channels`, a 1×1 convolution
    that is learned brings them down first. c is multiplied by `scale`: a vector of length 1, as the
    paper scores it, wants a learning rate that no other head takes.
    """

    spec = Spec(
        name="bilinear",
        kind="head",
        title="Bilinear",
        words="Scores which features appear together; sees fine detail, and grows large.",
        source="Lin, RoyChowdhury and Maji 2015, Bilinear CNN models for fine-grained recognition",
        parameters=(CHANNELS, SCALE),
    )

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        self.narrow, kept = narrowed(channels, self.number("channels"))
        self.width = kept * kept

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.narrow(maps)
        vector = unit(signed_root(products(maps, maps).flatten(1)))
        return vector * float(self.options["scale"])
