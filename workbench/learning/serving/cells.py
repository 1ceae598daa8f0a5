"""Where the cells of a layer's map lie on the network's input: strides and paddings shift them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Area = tuple[float, float, float, float]  # left, top, right, bottom as fractions of the input
_Size = tuple[int, int]

_MOVING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


class _Tracker:
    """For maps of each size met so far: pixels from one cell's middle to the next (`jump`) and the
    middle of the first (`start`), in pixels of the input, for rows and columns alike.

    After a window of k cells, stride s and padding p, jump' = s · jump and start' = start +
    ((k − 1) / 2 − p) · jump (Araujo, Norris and Sim 2019, "Computing Receptive Fields of
    Convolutional Neural Networks"). Branches of one size lie on each other in the networks here.
    """

    def __init__(self, size: _Size) -> None:
        self.cells = {size: ((1.0, 1.0), (0.5, 0.5))}

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before, after = _size(inputs[0]), _size(output)
        if before == after or after in self.cells or before not in self.cells:
            return  # the last: behind a pooling to a fixed size, where no map is explained
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
    """What the cells of `layer` cover together of inputs like `inputs` (N × 3 × H × W); it may
    reach outside of them, or end before they do."""
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
