"""Dropout matches torch's except for its random generator."""

import pytest
import torch

from workbench.learning.networks.backbones import Dropout


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_a_share_is_dropped_and_the_rest_scaled(p: float) -> None:
    torch.manual_seed(0)
    maps = torch.ones(8, 16, 13, 13).contiguous(memory_format=torch.channels_last)
    dropped = Dropout(p)(maps)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
    assert (dropped == 0).float().mean().item() == pytest.approx(p, abs=0.02)
    assert dropped.is_contiguous(memory_format=torch.channels_last)
    of_channels = (dropped == 0).float().mean(dim=(0, 2, 3))
    assert (of_channels - p).abs().max() < 0.1


def test_noise_follows_from_torch_s_random_state_and_moves_it_on() -> None:
    drop, maps = Dropout(0.5), torch.ones(4, 1000)
    torch.manual_seed(7)
    first, second = drop(maps), drop(maps)
    torch.manual_seed(7)
    assert torch.equal(first, drop(maps))
    assert not torch.equal(first, second)


def test_gradients_flow_only_through_what_is_kept() -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, 5, 7, requires_grad=True)
    dropped = Dropout(0.5)(maps)
    dropped.sum().backward()
    assert maps.grad is not None
    assert torch.equal(maps.grad != 0, dropped != 0)


def test_nothing_is_dropped_when_scoring() -> None:
    maps = torch.randn(3, 5)
    assert torch.equal(Dropout(0.5).eval()(maps), maps)
    assert torch.equal(Dropout(1.0)(maps), torch.zeros(3, 5))
