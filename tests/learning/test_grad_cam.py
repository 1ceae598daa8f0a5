"""Grad-CAM maps follow the formula; the check separates learned from random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures.tiny_runs import CATEGORY, VIEW
from workbench.domain.runs import RunLabels
from workbench.learning.networks.models import build_network, explainable_layers
from workbench.learning.serving.grad_cam import (
    grad_cam,
    randomised_correlations,
    rank_correlation,
    shown,
)


def _by_hand(network: nn.Module, layer: str, inputs: torch.Tensor, column: int) -> np.ndarray:
    kept = {}

    def keep(_module, _inputs, output):
        kept["map"] = output
        output.retain_grad()

    hook = network.get_submodule(layer).register_forward_hook(keep)
    network(inputs.requires_grad_())[:, column].sum().backward()
    hook.remove()
    maps, gradient = kept["map"].detach(), kept["map"].grad
    return (maps * gradient.mean(dim=(2, 3), keepdim=True)).sum(dim=1).numpy()


@pytest.mark.parametrize(
    ("backbone", "joint"), [("simpleconv3", True), ("squeezenet1_1", False), ("resnet18", False)]
)
def test_maps_follow_the_formula_at_every_layer(backbone: str, joint: bool) -> None:
    torch.manual_seed(0)
    labels = RunLabels(CATEGORY, VIEW if joint else None)
    network = build_network(backbone, labels).eval()
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False
    size = 48 if backbone == "simpleconv3" else 64
    layers = explainable_layers(network, backbone, size)
    inputs = torch.randn(2, 3, size, size)
    column = 4 if joint else 1  # a view, or a category
    columns = torch.tensor([column, column])
    for layer in (layers[0], layers[len(layers) // 2], layers[-1]):
        maps = grad_cam(network.requires_grad_(False), layer, inputs, columns)
        wanted = _by_hand(network, layer, inputs.clone(), column)
        np.testing.assert_allclose(maps, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


def test_a_shown_map_reaches_from_nothing_to_one() -> None:
    maps = np.array([[[-1.0, 2.0], [4.0, 0.0]], [[-1.0, -2.0], [0.0, 0.0]]], np.float32)
    np.testing.assert_array_equal(shown(maps)[0], [[0, 0.5], [1, 0]])
    np.testing.assert_array_equal(shown(maps)[1], np.zeros((2, 2)))  # nothing speaks for it


class _Detector(nn.Module):
    """Sees brightness at a place; what is above it decides the score."""

    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.Conv2d(3, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.deep(self.edges(images).relu()).relu().mean(dim=(2, 3)))


def test_the_check_leaves_network_and_random_state_alone() -> None:
    torch.manual_seed(1)
    network = _Detector().eval()
    inputs = torch.rand(3, 3, 12, 12)
    columns = torch.zeros(3, dtype=torch.int64)
    maps = grad_cam(network, "deep", inputs, columns)
    before = [p.clone() for p in network.parameters()]
    state = torch.random.get_rng_state()
    first = randomised_correlations(network, "deep", inputs, columns, maps)
    again = randomised_correlations(network, "deep", inputs, columns, maps)
    assert first.shape == (3,)
    assert (first < 0.95).all()
    np.testing.assert_array_equal(first, again)  # always drawn alike
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_map_that_ignores_the_weights_is_found_out() -> None:
    class Brightness(_Detector):
        """Its layer's output is the image, whatever the weights above are."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            bright = self.edges(images)
            return self.head(bright.mean(dim=(2, 3)).repeat(1, 8)).square()

    network = Brightness().eval()
    network.edges = nn.Identity()
    network.head = nn.Linear(24, 2)
    with torch.no_grad():
        network.head.weight.abs_()
    image = torch.zeros(1, 3, 12, 12)
    image[:, :, 3:6, 2:8] = torch.rand(1, 1, 3, 6) + 1
    maps = grad_cam(network, "edges", image, torch.tensor([0]))
    found = randomised_correlations(network, "edges", image, torch.tensor([0]), maps)
    assert found[0] > 0.9


def test_rank_correlation() -> None:
    rising = np.array([[0.0, 0.1], [0.2, 0.9]], np.float32)
    assert rank_correlation(rising, rising**3) == pytest.approx(1.0)
    assert rank_correlation(rising, -rising) == pytest.approx(-1.0)
    assert rank_correlation(rising, np.zeros((2, 2), np.float32)) == 0.0
    # ties share the mean of their ranks: Pearson of (0, 1.5, 1.5, 3) and (1, 0, 2.5, 2.5)
    tied = np.array([0.0, 0.5, 0.5, 1.0], np.float32)
    other = np.array([0.5, 0.0, 1.0, 1.0], np.float32)
    assert rank_correlation(tied, other) == pytest.approx(0.5)
