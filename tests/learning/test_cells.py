"""Input areas of map cells, checked by gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures.tiny_runs import CATEGORY
from workbench.domain.runs import RunLabels
from workbench.learning.networks.models import build_network, explainable_layers
from workbench.learning.serving.grad_cam import cell_area
from workbench.vision.overlays import heat_layer


def _linearised(network: nn.Module) -> nn.Module:
    """The same geometry with nothing but averages, through which gradients flow evenly."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.MaxPool2d):
            parent = network.get_submodule(name.rpartition(".")[0])
            size = (module.kernel_size, module.stride, module.padding, module.ceil_mode)
            setattr(parent, name.rpartition(".")[2], nn.AvgPool2d(*size))
        if isinstance(module, nn.ReLU | nn.ReLU6 | nn.InstanceNorm2d):
            parent = network.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], nn.Identity())
    return network.eval()


def _middle(network: nn.Module, layer: str, size: int) -> tuple[tuple[int, ...], list[float]]:
    """The middlemost cell of a layer, and the middle in pixels (y, x) of what it sees."""
    kept = {}
    hook = network.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: kept.update(map=output)
    )
    inputs = torch.ones(1, 3, size, size, requires_grad=True)
    network(inputs)
    hook.remove()
    cell = tuple(side // 2 for side in kept["map"].shape[2:])
    kept["map"][0, :, cell[0], cell[1]].sum().backward()
    weight = inputs.grad[0].abs().sum(0).double()
    at = torch.arange(size) + 0.5
    return cell, [float((weight.sum(1 - axis) * at).sum() / weight.sum()) for axis in (0, 1)]


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ("simpleconv3", 48),
        ("squeezenet1_0", 160),
        ("squeezenet1_1", 160),
        ("mobilenet_v2", 128),
        ("resnet18", 128),
        ("densenet121", 128),
        ("googlenet", 160),
        ("inception_v3", 171),
        ("lenet5", 64),
    ],
)
def test_cell_areas_match_the_gradients(
    monkeypatch: pytest.MonkeyPatch, backbone: str, size: int
) -> None:
    monkeypatch.setattr(nn.functional, "max_pool2d", nn.functional.avg_pool2d)
    network = _linearised(build_network(backbone, RunLabels(CATEGORY)))
    layers = explainable_layers(network, backbone, size)
    for layer in (layers[0], layers[len(layers) // 2]):
        cell, middle = _middle(network, layer, size)
        left, top, right, bottom = cell_area(network, layer, torch.ones(1, 3, size, size))
        rows, columns = _shape(network, layer, size)
        assert middle[0] == pytest.approx(
            size * (top + (cell[0] + 0.5) / rows * (bottom - top)), abs=0.6
        )
        assert middle[1] == pytest.approx(
            size * (left + (cell[1] + 0.5) / columns * (right - left)), abs=0.6
        )


def _shape(network: nn.Module, layer: str, size: int) -> tuple[int, int]:
    shapes = []
    hook = network.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: shapes.append(tuple(output.shape[2:]))
    )
    with torch.no_grad():
        network(torch.ones(1, 3, size, size))
    hook.remove()
    return shapes[0]


def test_a_map_is_drawn_over_its_cells() -> None:
    values = np.zeros((4, 4), np.float32)
    values[1, 2] = 1.0
    whole = heat_layer(values, 80, 80)[..., 3].astype(float)
    assert _centre(whole) == pytest.approx((50, 30), abs=1)
    # cells that begin half a cell outside, as after a padded stride, move everything with them
    moved = heat_layer(values, 80, 80, (-0.125, -0.125, 0.875, 0.875))[..., 3].astype(float)
    assert _centre(moved) == pytest.approx((40, 20), abs=1)
    assert moved[:, -1].max() == 0  # the last values go on


def _centre(amount: np.ndarray) -> tuple[float, float]:
    y, x = np.mgrid[0 : amount.shape[0], 0 : amount.shape[1]] + 0.5
    return float((amount * x).sum() / amount.sum()), float((amount * y).sum() / amount.sum())
