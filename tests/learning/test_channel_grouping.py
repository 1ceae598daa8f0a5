"""Channel grouping: formulas against numpy, trained layers and effect on parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fixtures.run_folders import CATEGORY, TINY, make_run, train
from workbench.domain.errors import KnownError
from workbench.domain.recipes import complete
from workbench.domain.reports import Finished
from workbench.domain.requests import Explain, ImageInput
from workbench.domain.runs import RunLabels
from workbench.learning.heads.parts import Parts
from workbench.learning.methods import Batch, Setup
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import Network, build_network
from workbench.learning.penalties.base import HEAD_INPUT
from workbench.learning.penalties.channel_grouping import ChannelGrouping, distance, diversity
from workbench.learning.serving.explain import explain
from workbench.learning.serving.loaded import NetworkCache

LABELS = RunLabels(CATEGORY)
NOTHING = Batch(torch.zeros(3, 3, 32, 32), torch.zeros(3), torch.zeros(3))


def network_of(parts: int = 3, head: str = "parts") -> Network:
    torch.manual_seed(0)
    options = {"parts": {"parts": parts}} if head == "parts" else {}
    return build_network("simpleconv3", LABELS, head, options)


def penalty(network: Network, **options: object) -> ChannelGrouping:
    given = {"channel-grouping": options}
    recipe = complete(
        {**TINY, "head": "parts", "penalty": "channel-grouping", "options": given}, {}
    )
    return ChannelGrouping(Setup(recipe, LABELS, None, network))


def some_maps(channels: int = 48, rows: int = 5, columns: int = 4) -> Tensor:
    return torch.randn(3, channels, rows, columns, generator=torch.Generator().manual_seed(1))


def parts_of(network: Network) -> Parts:
    transform = network.head.transform
    assert isinstance(transform, Parts)
    return transform


def by_hand(shares: np.ndarray, diversity_weight: float, margin: float) -> float:
    """The loss of N × P × h × w part maps, cell by cell."""
    images, parts, rows, columns = shares.shape
    total = 0.0
    for image in shares:
        for part in range(parts):
            peak = divmod(int(image[part].argmax()), columns)
            for i in range(rows):
                for j in range(columns):
                    down = (i - peak[0]) / (rows - 1)
                    across = (j - peak[1]) / (columns - 1)
                    others = max(image[k, i, j] for k in range(parts) if k != part)
                    apart = diversity_weight * (others - margin)
                    total += image[part, i, j] * (down**2 + across**2 + apart)
    return total / images


def test_the_loss_is_that_of_the_paper() -> None:
    network = network_of()
    torch.nn.init.normal_(parts_of(network).member.weight)
    maps = some_maps()
    shares = parts_of(network).attention(maps).detach().double().numpy()
    expected = 0.5 * by_hand(shares, 3.0, 0.1)
    one = penalty(network, weight=0.5, diversity=3.0, margin=0.1)
    found = one.value(network, NOTHING, {HEAD_INPUT: maps})
    assert found.item() == pytest.approx(expected, rel=1e-4)
    plain = penalty(network).value(network, NOTHING, {HEAD_INPUT: maps})
    assert plain.item() == pytest.approx(by_hand(shares, 2.0, 0.02), rel=1e-4)


def test_hand_worked_maps() -> None:
    point = torch.zeros(1, 2, 3, 3)
    point[0, 0, 0, 0] = point[0, 1, 2, 2] = 1.0  # two points, far apart
    torch.testing.assert_close(distance(point), torch.zeros(1, 2))
    torch.testing.assert_close(diversity(point, 0.02), torch.full((1, 2), -0.02))
    same = point[:, :1].expand(-1, 2, -1, -1)  # both at one place
    torch.testing.assert_close(diversity(same, 0.0), torch.ones(1, 2))
    spread = torch.zeros(1, 1, 3, 3)
    spread[0, 0, 0, 0], spread[0, 0, 2, 1] = 0.6, 0.4
    torch.testing.assert_close(distance(spread), torch.tensor([[0.4 * (1.0 + 0.25)]]))
    assert diversity(spread, 0.02).item() == 0.0  # there is no other part


@pytest.mark.parametrize("teaches", ["grouping", "all"])
def test_what_learns_from_it(teaches: str) -> None:
    network = network_of()
    maps = some_maps().requires_grad_()
    found = penalty(network, teaches=teaches).value(network, NOTHING, {HEAD_INPUT: maps})
    found.backward()
    member = parts_of(network).member
    assert member.weight.grad is not None
    assert member.weight.grad.abs().sum() > 0
    assert (maps.grad is not None) == (teaches == "all")


def test_the_gradient_is_right() -> None:
    shares = torch.rand(2, 3, 4, 4, dtype=torch.float64).flatten(2).softmax(2).view(2, 3, 4, 4)

    def of(maps: Tensor) -> Tensor:
        return distance(maps) + 2 * diversity(maps, 0.02)

    assert torch.autograd.gradcheck(of, shares.requires_grad_())


def test_parts_become_compact_and_go_apart() -> None:
    """Eight channels, each with a spot of its own place; two parts that begin with a mixture."""
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (5, 5), (5, 6), (6, 5), (6, 6)]
    maps = torch.zeros(3, 8, 7, 7)
    for channel, (i, j) in enumerate(places):
        maps[:, channel, i, j] = 1.0
    network = network_of(parts=2)
    network.head.transform = Parts(8, {"parts": 2})  # even channels are one part, odd the other
    one, member = penalty(network), parts_of(network).member
    before = parts_of(network).attention(maps).detach()
    optimizer = torch.optim.Adam(member.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        one.value(network, NOTHING, {HEAD_INPUT: maps}).backward()
        optimizer.step()
    after = parts_of(network).attention(maps).detach()
    assert distance(after).max() < 0.2 * distance(before).min()
    overlap = torch.minimum(after[:, 0], after[:, 1]).sum(dim=(1, 2))
    assert overlap.max() < 0.1
    assert (torch.minimum(before[:, 0], before[:, 1]).sum(dim=(1, 2)) > 0.2).all()


def test_other_heads_are_refused() -> None:
    with pytest.raises(KnownError, match="head “parts”"):
        penalty(network_of(head="linear"))


def test_part_maps_can_be_explained(tmp_path: Path) -> None:
    options = {"parts": {"parts": 2}, "channel-grouping": {"teaches": "all"}}
    recipe = {"head": "parts", "penalty": "channel-grouping", "epochs": 1, "options": options}
    folder = make_run(tmp_path / "run", **recipe)
    assert isinstance(train(folder)[-1], Finished)
    loaded = NetworkCache(choose_device()).get(str(folder))
    assert {"part 1", "part 2"} <= set(loaded.masks)
    picture = ImageInput(str(tmp_path / "run-images" / "000.png"))
    heat = explain(Explain(run=str(folder), images=(picture,), layer="part 2"), loaded).maps[0]
    assert heat is not None
    assert max(heat.values) > 0
