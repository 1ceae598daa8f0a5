"""Backbones as torch modules that end in features: the place of each one's classifier is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from workbench.domain.backbones import backbone
from workbench.learning.simpleconv3 import FEATURES, Simpleconv3

Body = tuple[nn.Module, int]  # N × 3 × H × W -> N × features, and how many features

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


def build_body(name: str) -> Body:
    """The backbone called `name` with fresh weights and torchvision's parameter names, without its
    classifier's last layer. Raises ValueRefused for an unknown name."""
    backbone(name)
    return _BUILDERS[name](name)


def _torchvision(name: str) -> Any:
    """A torchvision network with fresh weights; what needs none does without its long import."""
    from workbench.learning.tv import models

    return getattr(models, name)()


def normalisation(name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation per RGB channel, in [0, 1], that a backbone's input is given."""
    return (HALF, HALF) if name == "simpleconv3" else (IMAGENET_MEAN, IMAGENET_STD)


def _squeezenet(name: str) -> Body:
    """The ImageNet classifier ends in a ReLU, which kills the logits of few classes: left out.

    Dropout before the pooling and a linear head after it equal dropout and a 1×1 convolution
    before it, since both are linear.
    """
    body = _torchvision(name)
    body.classifier = nn.Sequential(nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1))
    return body, 512


def _resnet(name: str) -> Body:
    body = _torchvision(name)
    features = body.fc.in_features
    body.fc = nn.Identity()
    return body, features


def _last_linear_removed(name: str) -> Body:
    """VGG, AlexNet and MobileNetV2: a sequential classifier whose last layer gives the logits."""
    body = _torchvision(name)
    features = body.classifier[-1].in_features
    body.classifier[-1] = nn.Identity()
    return body, features


def _simpleconv3(name: str) -> Body:
    return Simpleconv3(), FEATURES


_BUILDERS: dict[str, Callable[[str], Body]] = {
    "squeezenet1_0": _squeezenet,
    "squeezenet1_1": _squeezenet,
    "resnet18": _resnet,
    "resnet50": _resnet,
    "vgg11": _last_linear_removed,
    "vgg13": _last_linear_removed,
    "vgg16": _last_linear_removed,
    "mobilenet_v2": _last_linear_removed,
    "alexnet": _last_linear_removed,
    "simpleconv3": _simpleconv3,
}
