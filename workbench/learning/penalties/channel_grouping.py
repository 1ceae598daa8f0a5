"""Channel grouping: compact parts at different positions."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.heads.parts import Parts, peaks
from workbench.learning.methods.base import Batch, Setup
from workbench.learning.networks.models import Network
from workbench.learning.penalties.base import HEAD_INPUT, PENALTIES, Penalty, Watched


@PENALTIES.register
class ChannelGrouping(Penalty):
    """weight · Σ_p [Dis(A_p) + λ Div(A_p)], the mean over the batch (Zheng, Fu, Mei and Luo 2017).

    A_p are the N × P × h × w part maps of the head "parts", each with sum 1. Dis(A_p) = Σ_cells
    A_p(x, y) · [(x − t_x)² + (y − t_y)²], with t the (detached) maximum of A_p and coordinates in
    [0, 1]. Div(A_p) = Σ_cells A_p(x, y) · [max_{k ≠ p} A_k(x, y) − margin]; 0 for a single part.

    "grouping" trains only the channel-grouping layer with this penalty, as in the paper; "all"
    trains the body too. The paper alternates between this loss and the label loss, each with the
    other part fixed; here each step uses their sum.
    """

    spec = Spec(
        name="channel-grouping",
        kind="penalty",
        title=mark("Channel grouping"),
        description=mark("Makes parts compact and keeps them apart."),
        source="Zheng, Fu, Mei and Luo 2017, Learning multi-attention convolutional neural network "
        "for fine-grained image recognition",
        parameters=(
            Parameter(name="weight", default=1.0, low=0.0, description=mark("strength")),
            Parameter(
                name="diversity", default=2.0, low=0.0, description=mark("weight of the overlap, λ")
            ),
            Parameter(name="margin", default=0.02, low=0.0, description=mark("allowed overlap")),
            Parameter(
                name="teaches",
                default="grouping",
                choices=("grouping", "all"),
                description=mark("layers it trains"),
            ),
        ),
        needs=("head parts",),
    )
    watched = (HEAD_INPUT,)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        transform = setup.network.head.transform
        if not isinstance(transform, Parts):
            raise KnownError(
                "Channel grouping needs the head “parts”.",
                "Set head to parts, or remove this penalty.",
            )

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        parts = network.head.transform
        assert isinstance(parts, Parts)
        maps = watched[HEAD_INPUT].float()
        maps = maps if self.options["teaches"] == "all" else maps.detach()
        shares = parts.attention(maps)
        apart = self.number("diversity") * diversity(shares, self.number("margin"))
        total: Tensor = (distance(shares) + apart).sum(dim=1).mean()
        return self.number("weight") * total


def distance(shares: Tensor) -> Tensor:
    """Dis of N × P × h × w part maps, N × P."""
    rows, columns = shares.shape[2:]
    down = torch.linspace(0, 1, rows, device=shares.device)
    across = torch.linspace(0, 1, columns, device=shares.device)
    highest = peaks(shares.detach())
    from_row = (down - highest[:, :, :1]).square()[:, :, :, None]
    from_column = (across - highest[:, :, 1:]).square()[:, :, None, :]
    return (shares * (from_row + from_column)).sum(dim=(2, 3))


def diversity(shares: Tensor, margin: float) -> Tensor:
    """Div of N × P × h × w part maps, N × P."""
    count = shares.shape[1]
    if count < 2:
        return shares.new_zeros(shares.shape[:2])
    own = torch.eye(count, dtype=torch.bool, device=shares.device)[None, :, :, None, None]
    others = shares[:, None].expand(-1, count, -1, -1, -1).masked_fill(own, float("-inf"))
    return (shares * (others.amax(dim=2) - margin)).sum(dim=(2, 3))
