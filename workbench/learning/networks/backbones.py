"""Backbones as torch modules that end in features: the place of each one's classifier is free."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.learning.networks.dropout import Dropout
from workbench.learning.networks.lenet5 import FEATURES as LENET_FEATURES
from workbench.learning.networks.lenet5 import MAPS as LENET_MAPS
from workbench.learning.networks.lenet5 import lenet5
from workbench.learning.networks.simpleconv3 import FEATURES, Simpleconv3

Body = tuple[nn.Module, int]  # and how many features or channels it gives

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Parts:
    """A backbone in two parts, each a row of modules under torchvision's names: `maps` ends in the
    last feature map of `channels`, `tail` makes `features` of it. `whole` is a network that is
    written down as one."""

    maps: dict[str, nn.Module]
    channels: int
    tail: dict[str, nn.Module]
    features: int
    whole: nn.Module | None = None


def build_body(name: str, maps: bool = False) -> Body:
    """The backbone called `name` with fresh weights and torchvision's parameter names, without its
    classifier's last layer: N × 3 × H × W -> N × features.

    With `maps` it ends before pooling, in N × channels × h × w; VGG and AlexNet then leave out
    their last max-pooling too (VGG at 224: 512 × 14 × 14). Raises ValueRefused for an unknown name.
    """
    backbone(name)
    parts = _BUILDERS[name](name)
    if maps:
        return _row(parts.maps), parts.channels
    return parts.whole or _row(parts.maps | parts.tail), parts.features


def _row(modules: dict[str, nn.Module]) -> nn.Sequential:
    row = nn.Sequential()
    for name, module in modules.items():
        row.add_module(name, module)
    return row


def normalisation(name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation per RGB channel, in [0, 1], that a backbone's input is given."""
    return (HALF, HALF) if name in ("simpleconv3", "lenet5") else (IMAGENET_MEAN, IMAGENET_STD)


def _torchvision(name: str, **options: bool) -> Any:
    """A torchvision network with fresh weights; what needs none does without its long import."""
    from workbench.learning.networks.tv import models

    return getattr(models, name)(**options)


def _pooled() -> dict[str, nn.Module]:
    return {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}


def _until(children: Iterable[tuple[str, nn.Module]], end: str) -> dict[str, nn.Module]:
    """Children by name, in order, before the one called `end`."""
    found = {}
    for name, module in children:
        if name == end:
            break
        found[name] = module
    return found


def _squeezenet(name: str) -> Parts:
    """The ImageNet classifier ends in a ReLU, which kills the logits of few classes: left out.

    Dropout before the pooling and a linear head after it equal dropout and a 1×1 convolution
    before it, since both are linear.
    """
    features = _torchvision(name).features
    return Parts({"features": features}, 512, {"dropout": Dropout(0.5), **_pooled()}, 512)


def _resnet(name: str) -> Parts:
    return _of_resnet(_torchvision(name))


def _se_resnet(name: str) -> Parts:
    from workbench.learning.networks.se_resnet import se_resnet50

    return _of_resnet(se_resnet50())


def _of_resnet(body: Any) -> Parts:
    features = body.fc.in_features
    return Parts(_until(body.named_children(), "avgpool"), features, _pooled(), features)


def _full(name: str) -> Parts:
    """VGG and AlexNet: convolutions, a last max-pooling, and full layers, the last one left out."""
    body = _torchvision(name)
    convs, full = body.features, body.classifier
    channels = [module for module in convs if isinstance(module, nn.Conv2d)][-1].out_channels
    tail = {
        "pool": convs[-1],
        "avgpool": body.avgpool,
        "flatten": nn.Flatten(),
        "classifier": full[:-1],
    }
    return Parts({"features": convs[:-1]}, channels, tail, full[-1].in_features)


def _mobile(name: str) -> Parts:
    """MobileNetV2 and EfficientNet, whose classifier is dropout and the layer left out."""
    body = _torchvision(name)
    features = body.classifier[-1].in_features
    tail = {**_pooled(), "classifier": body.classifier[:-1]}
    return Parts({"features": body.features}, features, tail, features)


def _densenet(name: str) -> Parts:
    body = _torchvision(name)
    features = body.classifier.in_features
    maps = {"features": body.features, "relu": nn.ReLU(inplace=True)}
    return Parts(maps, features, _pooled(), features)


class ToHalf(nn.Module):
    """Images normalised by ImageNet's mean and deviation, normalised by 0.5 and 0.5 instead: what
    the published weights of GoogLeNet and Inception-v3 were trained on."""

    factor: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        self.register_buffer("factor", std / 0.5, persistent=False)
        self.register_buffer("offset", (mean - 0.5) / 0.5, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.factor + self.offset


def _inception(name: str) -> Parts:
    """GoogLeNet and Inception-v3 without the auxiliary classifiers of their own training."""
    body = _torchvision(name, aux_logits=False, init_weights=False)
    features = body.fc.in_features
    maps = {"transform": ToHalf(), **_until(body.named_children(), "avgpool")}
    return Parts(maps, features, {**_pooled(), "dropout": body.dropout}, features)


def _simpleconv3(name: str) -> Parts:
    whole = Simpleconv3()
    maps: dict[str, nn.Module] = {}
    for child, module in _until(whole.named_children(), "fc1").items():
        maps[child] = module
        if isinstance(module, nn.BatchNorm2d):
            maps[child.replace("bn", "relu")] = nn.ReLU()
    return Parts(maps, whole.conv3.out_channels, {}, FEATURES, whole)


def _lenet5(name: str) -> Parts:
    maps, tail = lenet5()
    return Parts(maps, LENET_MAPS, tail, LENET_FEATURES)


_BUILDERS: dict[str, Callable[[str], Parts]] = {
    "squeezenet1_0": _squeezenet,
    "squeezenet1_1": _squeezenet,
    "resnet18": _resnet,
    "resnet50": _resnet,
    "resnext50_32x4d": _resnet,
    "se_resnet50": _se_resnet,
    "vgg11": _full,
    "vgg13": _full,
    "vgg16": _full,
    "alexnet": _full,
    "mobilenet_v2": _mobile,
    "efficientnet_b0": _mobile,
    "densenet121": _densenet,
    "googlenet": _inception,
    "inception_v3": _inception,
    "lenet5": _lenet5,
    "simpleconv3": _simpleconv3,
}
