"""Grad-CAM maps, the input area of their cells, and the randomised-weights check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Maps = NDArray[np.float32]  # N × h × w

NETWORKS = 4  # random networks per check


def grad_cam(network: nn.Module, layer: str, inputs: Tensor, columns: Tensor) -> Maps:
    """Grad-CAM maps, N × h × w, of the outputs `columns` for `inputs` (N × 3 × H × W): channels of
    the layer's output weighted by their mean gradient and summed (Selvaraju et al. 2017,
    "Grad-CAM", before its ReLU). Positive values support the output.

    For a joint head the output is a marginal log-probability, log Σ_g P(v=g|x) · P(y|v=g, x), or
    that of a view.
    """
    from captum.attr import LayerGradCam  # with matplotlib, which only explanations wait for

    watched = inputs.detach().requires_grad_()  # weights are frozen: gradients start here
    explainer = LayerGradCam(network, network.get_submodule(layer))
    with torch.enable_grad():
        maps = explainer.attribute(watched, target=columns)
    return cast(Maps, cast(Tensor, maps).detach()[:, 0].float().cpu().numpy())


def shown(maps: Maps) -> Maps:
    """Clip negative values and divide each map by its maximum; all zero if nothing supports the
    output."""
    positive = np.maximum(maps, 0)
    highest = positive.max(axis=(1, 2), keepdims=True)
    return cast(Maps, positive / np.where(highest > 0, highest, 1))


def randomised_correlations(
    network: nn.Module,
    layer: str,
    inputs: Tensor,
    columns: Tensor,
    maps: Maps,
    again: Callable[[nn.Module], Maps] | None = None,
) -> NDArray[np.float64]:
    """Mean absolute Spearman rank correlation of each of N maps with maps of networks whose weights
    from `layer` upwards are random (Adebayo et al. 2018, "Sanity Checks for Saliency Maps"), in [0,
    1].

    The sign is ignored, since that of a random head is arbitrary. Near 1: the map does not depend
    on the learned weights. Deterministic. `again` computes maps other than Grad-CAM's.
    """
    other = copy.deepcopy(network)
    upper = _leaves_from(other, layer, inputs[:1])
    correlations = np.zeros((NETWORKS, len(maps)))
    devices = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        for seed in range(NETWORKS):
            torch.manual_seed(seed)
            for leaf in upper:
                leaf.reset_parameters()  # type: ignore[operator]
            random_maps = again(other) if again else grad_cam(other, layer, inputs, columns)
            correlations[seed] = [
                abs(rank_correlation(one, two)) for one, two in zip(maps, random_maps, strict=True)
            ]
    return cast(NDArray[np.float64], correlations.mean(axis=0))


def _leaves_from(network: nn.Module, layer: str, inputs: Tensor) -> list[nn.Module]:
    """Modules with their own weights that run inside `layer` or after it."""
    inside = set(network.get_submodule(layer).modules())
    leaves = [module for module in network.modules() if hasattr(module, "reset_parameters")]
    met: list[nn.Module] = []
    hooks = [
        leaf.register_forward_hook(lambda module, _inputs, _output: met.append(module))
        for leaf in leaves
    ]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    first = next((at for at, module in enumerate(met) if module in inside), 0)
    return list(dict.fromkeys(met[first:]))


def rank_correlation(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    """Spearman's rank correlation of two arrays of one shape, in [−1, 1]; 0 if either is
    constant."""
    a, b = _ranks(one.ravel()), _ranks(two.ravel())
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks from 0; ties share their mean rank."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts + 1) / 2.0)[which]
    return ranks


Area = tuple[float, float, float, float]  # left, top, right, bottom as fractions of the input
_Size = tuple[int, int]

_MOVING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


class _Tracker:
    """Track cell spacing (`jump`) and the centre of the first cell (`start`) for each map size, in
    input pixels, for rows and columns.

    After a window of k cells, stride s and padding p, jump' = s · jump and start' = start + ((k −
    1) / 2 − p) · jump (Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional
    Neural Networks"). Branches of equal size are aligned in the networks here.
    """

    def __init__(self, size: _Size) -> None:
        self.cells = {size: ((1.0, 1.0), (0.5, 0.5))}

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before, after = _size(inputs[0]), _size(output)
        if before == after or after in self.cells or before not in self.cells:
            return  # e.g. after adaptive pooling, where no map is explained
        jumps, starts = self.cells[before]
        window = [_pair(getattr(module, name)) for name in ("kernel_size", "stride", "padding")]
        kernel, stride, padding = window
        self.cells[after] = (
            (jumps[0] * stride[0], jumps[1] * stride[1]),
            (
                starts[0] + ((kernel[0] - 1) / 2 - padding[0]) * jumps[0],
                starts[1] + ((kernel[1] - 1) / 2 - padding[1]) * jumps[1],
            ),
        )


def cell_area(network: nn.Module, layer: str, inputs: Tensor) -> Area:
    """Input area covered by the cells of `layer` for inputs like `inputs` (N × 3 × H × W); may
    extend beyond the input or cover less."""
    height, width = _size(inputs)
    tracker = _Tracker((height, width))
    found: list[_Size] = []
    hooks = [
        module.register_forward_hook(tracker)
        for module in network.modules()
        if isinstance(module, _MOVING)
    ]
    hooks.append(
        network.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output: found.append(_size(output))
        )
    )
    try:
        with torch.no_grad():
            network(inputs[:1])
    finally:
        for hook in hooks:
            hook.remove()
    rows, columns = found[0]
    (jump_y, jump_x), (start_y, start_x) = tracker.cells[rows, columns]
    left, top = start_x - jump_x / 2, start_y - jump_y / 2
    return (
        left / width,
        top / height,
        (left + columns * jump_x) / width,
        (top + rows * jump_y) / height,
    )


def _size(tensor: Tensor) -> _Size:
    return int(tensor.shape[-2]), int(tensor.shape[-1])


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
