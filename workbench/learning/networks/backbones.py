"""Backbones as torch modules without classifiers, built by name.

The `build_` functions build families of networks; the entry of a backbone names its own.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.domain.backbones import IMAGENET_MEAN, IMAGENET_STD, Backbone, backbone

Body = tuple[nn.Module, int]  # and the number of its output features or channels


@dataclass(frozen=True)
class BackboneParts:
    """A backbone in two sequences of modules with torchvision's names: `maps` ends in the last
    feature map, with `channels` channels; `tail` maps it to `features` features. `whole` is the
    network if it is a single module."""

    maps: dict[str, nn.Module]
    channels: int
    tail: dict[str, nn.Module]
    features: int
    whole: nn.Module | None = None


Builder = Callable[[str], BackboneParts]  # from the name of the backbone, with random weights


def builder_of(known: Backbone) -> Builder:
    """Import the builder that an entry names. Raises LookupError if there is none."""
    try:
        found: Builder = pkgutil.resolve_name(known.builder)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise LookupError(
            f"The builder {known.builder!r} of the backbone {known.name!r} was not found: {error}"
        ) from error
    return found


def build_body(name: str, maps: bool = False) -> Body:
    """Build a backbone without classifier, with random weights and torchvision's parameter names: N
    × 3 × H × W -> N × features.

    With `maps` it ends before pooling, in N × channels × h × w; VGG and AlexNet then also omit
    their last max pooling (VGG at 224: 512 × 14 × 14). Raises ValueRefused for an unknown name.
    """
    parts = builder_of(backbone(name))(name)
    if maps:
        return _sequence(parts.maps), parts.channels
    return parts.whole or _sequence(parts.maps | parts.tail), parts.features


def _sequence(modules: dict[str, nn.Module]) -> nn.Sequential:
    sequence = nn.Sequential()
    for name, module in modules.items():
        sequence.add_module(name, module)
    return sequence


def _torchvision(name: str, **options: bool) -> Any:
    """Build a torchvision network with random weights. torchvision is imported here since its
    import takes as long as torch's and some backbones do not need it."""
    from workbench.learning.networks.tv import models

    return getattr(models, name)(**options)


def _pooled() -> dict[str, nn.Module]:
    return {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}


def _until(children: Iterable[tuple[str, nn.Module]], end: str) -> dict[str, nn.Module]:
    """Children before `end`, by name, in order."""
    found = {}
    for name, module in children:
        if name == end:
            break
        found[name] = module
    return found


class Dropout(nn.Dropout):
    """nn.Dropout with a faster CPU generator (SFC64), seeded from torch's random state. p is
    rounded to 1/65536.

    torch draws Bernoulli variables one by one on one core, which takes an eighth of a training step
    of SqueezeNet, whose dropout covers whole feature maps.
    """

    def forward(self, input: Tensor) -> Tensor:
        """In training, set a random share `p` to 0 and scale the rest by 1 / (1 − p)."""
        if not self.training or self.p == 0 or input.device.type != "cpu":
            return super().forward(input)
        seed = int(torch.randint(2**62, ()).item())
        count = input.numel()
        bits = 8 if (self.p * 256).is_integer() else 16
        words = np.random.SFC64(seed).random_raw(-(-count * bits // 64))
        kept = (words.view(f"u{bits // 8}")[:count] >= round(self.p * 2**bits)).view(np.uint8)
        mask = torch.from_numpy(kept).to(input.dtype)  # ten times faster than from booleans
        mask = mask.mul_(1 / (1 - self.p) if self.p < 1 else 0.0)
        dense = torch.empty_like(input)  # same layout as the input, for speed
        return input * mask.as_strided(dense.size(), dense.stride())


def build_squeezenet(name: str) -> BackboneParts:
    """SqueezeNet without the ReLU at the end of its ImageNet classifier, which would zero logits of
    few classes.

    Dropout before pooling with a linear head after it equals dropout with a 1×1 convolution before
    it, since both are linear.
    """
    features = _torchvision(name).features
    return BackboneParts({"features": features}, 512, {"dropout": Dropout(0.5), **_pooled()}, 512)


def build_resnet(name: str) -> BackboneParts:
    """ResNet and ResNeXt."""
    return of_resnet(_torchvision(name))


def of_resnet(body: Any) -> BackboneParts:
    """Split a network with the layout of torchvision's ResNet."""
    features = body.fc.in_features
    return BackboneParts(_until(body.named_children(), "avgpool"), features, _pooled(), features)


def build_vgg(name: str) -> BackboneParts:
    """VGG and AlexNet: convolutions, max pooling and fully connected layers except the last."""
    body = _torchvision(name)
    convs, full = body.features, body.classifier
    channels = [module for module in convs if isinstance(module, nn.Conv2d)][-1].out_channels
    tail = {
        "pool": convs[-1],
        "avgpool": body.avgpool,
        "flatten": nn.Flatten(),
        "classifier": full[:-1],
    }
    return BackboneParts({"features": convs[:-1]}, channels, tail, full[-1].in_features)


def build_mobile(name: str) -> BackboneParts:
    """MobileNetV2 and EfficientNet, whose classifier is dropout and one linear layer."""
    body = _torchvision(name)
    features = body.classifier[-1].in_features
    tail = {**_pooled(), "classifier": body.classifier[:-1]}
    return BackboneParts({"features": body.features}, features, tail, features)


def build_densenet(name: str) -> BackboneParts:
    """DenseNet, with the ReLU that torchvision applies to its last feature map."""
    body = _torchvision(name)
    features = body.classifier.in_features
    maps = {"features": body.features, "relu": nn.ReLU(inplace=True)}
    return BackboneParts(maps, features, _pooled(), features)


class ToHalf(nn.Module):
    """Convert normalisation from ImageNet's mean and deviation to 0.5, which the published weights
    of GoogLeNet and Inception-v3 expect."""

    factor: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        self.register_buffer("factor", std / 0.5, persistent=False)
        self.register_buffer("offset", (mean - 0.5) / 0.5, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.factor + self.offset


def build_inception(name: str) -> BackboneParts:
    """GoogLeNet and Inception-v3 without auxiliary classifiers."""
    body = _torchvision(name, aux_logits=False, init_weights=False)
    features = body.fc.in_features
    maps = {"transform": ToHalf(), **_until(body.named_children(), "avgpool")}
    return BackboneParts(maps, features, {**_pooled(), "dropout": body.dropout}, features)


SIDE = 6  # of the last feature map at the native input of 48
SIMPLECONV3_FEATURES = 128
LEAST_VARIANCE = 0.01  # of a channel in [-1, 1]; keeps flat images flat


class Simpleconv3(nn.Module):
    """Three 3×3 convolutions of stride 2 (12, 24, 48 channels, batch norm, ReLU) and two fully
    connected layers of 512 and 128 (Long and You, "Deep learning image recognition", ch. 4).

    N × 3 × H × W, H and W ≥ 32 -> N × 128 features; inputs other than 48 × 48 are average-pooled to
    the same 6 × 6 map. Unlike the source, it first normalises each image's channels to mean 0 and
    variance 1, since crops are few and lighting varies. Labels that differ by colour alone need
    another backbone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.light = nn.InstanceNorm2d(3, eps=LEAST_VARIANCE)
        self.conv1 = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(24)
        self.conv3 = nn.Conv2d(24, 48, 3, stride=2, padding=1)
        self.bn3 = nn.BatchNorm2d(48)
        self.fc1 = nn.Linear(48 * SIDE * SIDE, 512)
        self.fc2 = nn.Linear(512, SIMPLECONV3_FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(self.light(images))))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        if x.shape[-2:] != (SIDE, SIDE):
            x = F.adaptive_avg_pool2d(x, SIDE)
        x = F.relu(self.fc1(x.flatten(1)))
        return F.relu(self.fc2(x))


def build_simpleconv3(_name: str) -> BackboneParts:
    """The layers of `Simpleconv3`."""
    whole = Simpleconv3()
    maps: dict[str, nn.Module] = {}
    for child, module in _until(whole.named_children(), "fc1").items():
        maps[child] = module
        if isinstance(module, nn.BatchNorm2d):
            maps[child.replace("bn", "relu")] = nn.ReLU()
    return BackboneParts(maps, whole.conv3.out_channels, {}, SIMPLECONV3_FEATURES, whole)


CELLS = 5  # input side of the third convolution, at the native 32
LENET_MAPS = 16
LENET_FEATURES = 84


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x), element-wise."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * (x * (2 / 3)).tanh()


def build_lenet5(_name: str) -> BackboneParts:
    """LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document
    recognition").

    5 × 5 convolutions with 6, 16 and 120 channels, mean pooling, a fully connected layer of 84. For
    N × 3 × H × W, H and W ≥ 32, maps are N × 16 × H/2 − 6 × W/2 − 6 and features N × 84. Differs
    from the paper: RGB instead of grey, a fully connected second convolution (the paper's
    connection table saved memory), pooling without weights, and inputs above 32 average-pooled to
    the same 5 × 5 map.
    """
    maps: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 6, 5),
        "squash1": ScaledTanh(),
        "pool1": nn.AvgPool2d(2),
        "conv2": nn.Conv2d(6, LENET_MAPS, 5),
        "squash2": ScaledTanh(),
    }
    tail: dict[str, nn.Module] = {
        "pool2": nn.AdaptiveAvgPool2d(CELLS),
        "conv3": nn.Conv2d(LENET_MAPS, 120, CELLS),
        "squash3": ScaledTanh(),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(120, LENET_FEATURES),
        "squash4": ScaledTanh(),
    }
    return BackboneParts(maps, LENET_MAPS, tail, LENET_FEATURES)
