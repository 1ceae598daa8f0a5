"""What is known of each backbone without loading it: stages, input, ImageNet weights."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.domain.errors import ValueRefused

WEIGHTS_ADDRESS = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Stage:
    """A freezable step of a backbone: `modules` are the prefixes of its parameters' names."""

    name: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Backbone:
    """A network family member. `weights` is a file name under torchvision's address whose part
    between the last "-" and ".pth" is the start of its SHA-256; "" where there are no weights."""

    name: str
    title: str
    stages: tuple[Stage, ...]
    input_size: int
    megabytes: float
    weights: str = ""

    @property
    def stage_names(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages)

    @property
    def weights_address(self) -> str:
        return WEIGHTS_ADDRESS + self.weights if self.weights else ""

    @property
    def weights_digest(self) -> str:
        """First hexadecimal digits of the SHA-256 of the weights file."""
        return self.weights.rsplit("-", 1)[-1].removesuffix(".pth") if self.weights else ""

    def frozen_modules(self, frozen: str) -> tuple[str, ...]:
        """Parameter-name prefixes frozen by `frozen`: "none", "all", or the last frozen stage."""
        if frozen == "none":
            return ()
        if frozen == "all":
            return tuple(m for stage in self.stages for m in stage.modules)
        if frozen not in self.stage_names:
            raise ValueRefused("frozen", frozen, ", ".join(("none", *self.stage_names, "all")))
        last = self.stage_names.index(frozen)
        return tuple(m for stage in self.stages[: last + 1] for m in stage.modules)


def _squeezenet(name: str, title: str, fires: tuple[int, ...], weights: str) -> Backbone:
    conv1 = Stage("conv1", ("features.0",))
    stages = [Stage(f"fire{i + 2}", (f"features.{at}",)) for i, at in enumerate(fires)]
    return Backbone(name, title, (conv1, *stages), 224, 4.8, weights)


def _resnet(name: str, title: str, megabytes: float, weights: str) -> Backbone:
    layers = tuple(Stage(f"layer{i}", (f"layer{i}",)) for i in (1, 2, 3, 4))
    return Backbone(
        name, title, (Stage("conv1", ("conv1", "bn1")), *layers), 224, megabytes, weights
    )


def _sequential(prefix: str, at: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{i}" for i in at)


def _vgg(
    name: str, title: str, blocks: tuple[tuple[int, ...], ...], megabytes: float, weights: str
) -> Backbone:
    convs = tuple(
        Stage(f"block{i}", _sequential("features", at)) for i, at in enumerate(blocks, start=1)
    )
    full = (Stage("fc6", ("classifier.0",)), Stage("fc7", ("classifier.3",)))
    return Backbone(name, title, (*convs, *full), 224, megabytes, weights)


_MOBILENET = Backbone(
    "mobilenet_v2",
    "MobileNetV2",
    tuple(
        Stage(f"block{i}" if 0 < i < 18 else ("conv1" if i == 0 else "conv2"), (f"features.{i}",))
        for i in range(19)
    ),
    224,
    14.2,
    "mobilenet_v2-b0353104.pth",
)

_ALEXNET = Backbone(
    "alexnet",
    "AlexNet",
    (
        *(Stage(f"conv{n}", (f"features.{at}",)) for n, at in enumerate((0, 3, 6, 8, 10), start=1)),
        Stage("fc6", ("classifier.1",)),
        Stage("fc7", ("classifier.4",)),
    ),
    224,
    244.4,
    "alexnet-owt-7be5be79.pth",
)

_SIMPLECONV3 = Backbone(
    "simpleconv3",
    "Simpleconv3",
    (
        *(Stage(f"conv{n}", (f"conv{n}", f"bn{n}")) for n in (1, 2, 3)),
        Stage("fc1", ("fc1",)),
        Stage("fc2", ("fc2",)),
    ),
    48,
    3.8,
)

_VGG11 = ((0,), (3,), (6, 8), (11, 13), (16, 18))
_VGG13 = ((0, 2), (5, 7), (10, 12), (15, 17), (20, 22))
_VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _squeezenet(
            "squeezenet1_0",
            "SqueezeNet 1.0",
            (3, 4, 5, 7, 8, 9, 10, 12),
            "squeezenet1_0-b66bff10.pth",
        ),
        _squeezenet(
            "squeezenet1_1",
            "SqueezeNet 1.1",
            (3, 4, 6, 7, 9, 10, 11, 12),
            "squeezenet1_1-b8a52dc0.pth",
        ),
        _resnet("resnet18", "ResNet-18", 46.8, "resnet18-f37072fd.pth"),
        _resnet("resnet50", "ResNet-50", 102.5, "resnet50-0676ba61.pth"),
        _vgg("vgg11", "VGG-11", _VGG11, 531.4, "vgg11-8a719046.pth"),
        _vgg("vgg13", "VGG-13", _VGG13, 532.2, "vgg13-19584684.pth"),
        _vgg("vgg16", "VGG-16", _VGG16, 553.4, "vgg16-397923af.pth"),
        _MOBILENET,
        _ALEXNET,
        _SIMPLECONV3,
    )
}


def backbone(name: str) -> Backbone:
    """The backbone called `name`; raises ValueRefused naming those there are."""
    if name not in BACKBONES:
        raise ValueRefused("backbone", name, ", ".join(BACKBONES))
    return BACKBONES[name]
