"""Bilinear fusion: products of two learned branches of the last feature map."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from workbench.domain.methods import Parameter, Spec, Value
from workbench.domain.text import mark
from workbench.learning.heads.base import HEADS, Features
from workbench.learning.heads.bilinear import SCALE
from workbench.learning.heads.second_order import products, signed_sqrt, unit

VARIANTS = ("1x3-3x1", "3x3", "1x1")


@HEADS.register
class Fusion(Features):
    """G = A Bᵀ / (h · w), s = sign(vec G) √|vec G|, c = s / ‖s‖ of two branches on the last feature
    map X, N × F × h × w -> N × (n · m), as in AT-CNN.

    A is a 1×1 convolution of X to n channels. B has m channels and is 1×3 followed by 3×1 (best of
    the three on CUB-200: 86.4 % against 85.2 and 84.8), 3×3 or 1×1, padded to keep the map size.
    There is no activation between the convolutions. c is multiplied by `scale`, as in the bilinear
    head. The paper does not give n and m.
    """

    spec = Spec(
        name="fusion",
        kind="head",
        title=mark("Bilinear fusion"),
        description=mark("Classifies pairwise products of two small learned sets of channels."),
        source="AT-CNN: fine-grained image classification by linear fusion and attention, 2021",
        parameters=(
            Parameter(
                name="n", default=64, low=1, high=1024, description=mark("channels of branch A")
            ),
            Parameter(
                name="m", default=64, low=1, high=1024, description=mark("channels of branch B")
            ),
            Parameter(
                name="variant",
                default=VARIANTS[0],
                choices=VARIANTS,
                description=mark("convolutions of branch B"),
            ),
            SCALE,
        ),
    )

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        n, m = self.number("n"), self.number("m")
        self.a = nn.Conv2d(channels, n, 1)
        self.b = _branch(str(self.options["variant"]), channels, m)
        self.width = n * m

    def forward(self, maps: Tensor) -> Tensor:
        vector = unit(signed_sqrt(products(self.a(maps), self.b(maps)).flatten(1)))
        return vector * float(self.options["scale"])


def _branch(variant: str, channels: int, m: int) -> nn.Module:
    if variant == "1x1":
        return nn.Conv2d(channels, m, 1)
    if variant == "3x3":
        return nn.Conv2d(channels, m, 3, padding=1)
    return nn.Sequential(
        nn.Conv2d(channels, m, (1, 3), padding=(0, 1)), nn.Conv2d(m, m, (3, 1), padding=(1, 0))
    )
