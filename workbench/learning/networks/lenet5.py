"""LeNet-5: the network of handwritten digits, for very small images, learned from scratch."""

from __future__ import annotations

from torch import Tensor, nn

CELLS = 5  # side of the map that the third convolution takes, at the native input of 32
MAPS = 16
FEATURES = 84


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x), element by element."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * (x * (2 / 3)).tanh()


def lenet5() -> tuple[dict[str, nn.Module], dict[str, nn.Module]]:
    """LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document
    recognition") in two parts, by name, in order.

    The first gives N × 16 × H/2 − 6 × W/2 − 6 from N × 3 × H × W, H and W ≥ 32; the second
    N × 84 features from that. Convolutions of 5 × 5 with 6, 16 and 120 channels, mean pooling, a
    full layer of 84. Three colours are taken instead of grey, every channel of the second
    convolution sees every one of the first (the paper's table of connections saved memory), the
    pooling has no weights, and inputs larger than 32 are averaged down to the same 5 × 5 map.
    """
    maps: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 6, 5),
        "squash1": ScaledTanh(),
        "pool1": nn.AvgPool2d(2),
        "conv2": nn.Conv2d(6, MAPS, 5),
        "squash2": ScaledTanh(),
    }
    tail: dict[str, nn.Module] = {
        "pool2": nn.AdaptiveAvgPool2d(CELLS),
        "conv3": nn.Conv2d(MAPS, 120, CELLS),
        "squash3": ScaledTanh(),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(120, FEATURES),
        "squash4": ScaledTanh(),
    }
    return maps, tail
