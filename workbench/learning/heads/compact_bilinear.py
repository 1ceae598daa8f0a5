"""Compact bilinear pooling: products of channels, hashed to a low dimension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from workbench.domain.methods import Parameter, Spec, Value
from workbench.domain.text import mark
from workbench.learning.heads.base import HEADS, Features
from workbench.learning.heads.bilinear import CHANNELS, SCALE
from workbench.learning.heads.second_order import (
    full_precision,
    products,
    reduce_channels,
    signed_sqrt,
    single,
    unit,
)


def signed_scatter_sum(pooled: Tensor, at: Tensor, width: int) -> Tensor:
    """Sum N × n × n values into N × d bins by index `at` (n²,) in [0, 2d): added for indices below
    d, subtracted otherwise."""
    sums = pooled.new_zeros(pooled.shape[0], 2 * width)
    sums = sums.scatter_add(1, at.expand(pooled.shape[0], -1), pooled.flatten(1))
    return sums[:, :width] - sums[:, width:]


class SketchFunction(torch.autograd.Function):
    """`signed_scatter_sum` of G = Σ x xᵀ / (h · w), with a backward pass that uses its symmetry.

    With g the gradient of each product, ∂/∂x = (g + gᵀ) x / (h · w): one matrix product instead of
    two, and no further N × n × n tensor is saved.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, at: Tensor, width: int) -> Tensor:
        ctx.save_for_backward(maps, at)
        return signed_scatter_sum(products(maps, maps), at, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        maps, at = ctx.saved_tensors
        n, kept = maps.shape[:2]
        cells = single(maps).flatten(2).transpose(1, 2)
        slope = torch.cat((slope, -slope), dim=1) / cells.shape[1]
        both = slope.index_select(1, at)
        both += slope.index_select(1, at.view(kept, kept).t().flatten())
        with full_precision(maps):  # cells first: matches channels-last memory
            found = cells @ both.view(n, kept, kept)
        return found.transpose(1, 2).reshape(maps.shape).to(maps.dtype), None, None


@HEADS.register
class CompactBilinear(Features):
    """Tensor sketch of Σ x xᵀ over the cells of a map, N × F × h × w -> N × d (Gao, Beijbom, Zhang
    and Darrell 2016), followed by signed square root and L2 normalisation.

    Two hashes h₁, h₂ map each channel to one of d bins with signs s₁, s₂. The sketch of x is the
    circular convolution of its two count sketches, ψ_k(x)_j = Σ_{i: h_k(i) = j} s_k(i) x_i, and
    E⟨sketch(x), sketch(y)⟩ = ⟨x, y⟩² over the hashes. The paper convolves by FFT in every cell.
    Since convolution is bilinear, the same sketch is the count sketch of the pooled products G = Σ
    x xᵀ / (h · w) with h(a, b) = h₁(a) + h₂(b) mod d and s(a, b) = s₁(a) s₂(b), which is computed
    here: it is exact and uses only operators that every ONNX runtime has.

    The hashes are drawn from `seed`, never trained, and saved with the weights.
    """

    spec = Spec(
        name="compact-bilinear",
        kind="head",
        title=mark("Compact bilinear"),
        description=mark(
            "Bilinear pooling hashed to a low dimension: same detail, a hundredth of the size."
        ),
        source="Gao, Beijbom, Zhang and Darrell 2016, Compact bilinear pooling",
        parameters=(
            Parameter(
                name="dimension",
                default=2048,
                low=16,
                high=65536,
                description=mark("output features"),
            ),
            Parameter(name="seed", default=0, low=0, description=mark("seed of the hashes")),
            CHANNELS,
            SCALE,
        ),
    )
    places: Tensor  # 2 × F, each in [0, d)
    signs: Tensor  # 2 × F, each −1 or 1

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        super().__init__(channels, options)
        self.narrow, kept = reduce_channels(channels, self.number("channels"))
        self.width = self.number("dimension")
        draw = torch.Generator(device="cpu").manual_seed(self.number("seed"))
        places = torch.randint(self.width, (2, kept), generator=draw, device="cpu")
        signs = torch.randint(2, (2, kept), generator=draw, device="cpu") * 2.0 - 1.0
        self.register_buffer("places", places)
        self.register_buffer("signs", signs)

    def sketch(self, maps: Tensor) -> Tensor:
        """Mean tensor sketch over the cells, N × d."""
        at = (self.places[0][:, None] + self.places[1][None, :]) % self.width
        negative = self.signs[0][:, None] != self.signs[1][None, :]
        at = (at + self.width * negative).flatten()
        if torch.compiler.is_exporting():
            return signed_scatter_sum(products(maps, maps), at, self.width)
        pooled: Tensor = SketchFunction.apply(maps, at, self.width)  # type: ignore[no-untyped-call]
        return pooled

    def forward(self, maps: Tensor) -> Tensor:
        vector = unit(signed_sqrt(self.sketch(self.narrow(maps))))
        return vector * float(self.options["scale"])
