"""Everything known of a backbone without loading it: stages, input size, ImageNet weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

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
    between the last "-" and ".pth" is the start of its SHA-256; "" where there are no weights.
    Stages lie in the order in which an image meets them and hold every parameter once. `least` is
    the side of the smallest square, in pixels, that the network can take."""

    name: str
    title: str
    stages: tuple[Stage, ...]
    input_size: int
    megabytes: float
    weights: str = ""
    least: int = 32

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
    return Backbone(name, title, (conv1, *stages), 224, 5.0, weights)


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


def _mobile(name: str, title: str, last: int, megabytes: float, weights: str) -> Backbone:
    """MobileNetV2 and EfficientNet: features.0 to features.`last`, the outer two convolutions."""
    outer = {0: "conv1", last: "conv2"}
    stages = tuple(
        Stage(outer.get(i, f"block{i}"), _sequential("features", (i,))) for i in range(last + 1)
    )
    return Backbone(name, title, stages, 224, megabytes, weights)


def _inception(
    name: str,
    title: str,
    modules: str,
    input_size: int,
    megabytes: float,
    weights: str,
    least: int = 32,
) -> Backbone:
    """GoogLeNet and Inception-v3, each of whose modules is a stage: "stage:module …"."""
    pairs = [named.split(":") for named in modules.split()]
    stages = tuple(Stage(stage, (module,)) for stage, module in pairs)
    return Backbone(name, title, stages, input_size, megabytes, weights, least)


_GOOGLENET = (
    "conv1:conv1 conv2:conv2 conv3:conv3 3a:inception3a 3b:inception3b 4a:inception4a "
    "4b:inception4b 4c:inception4c 4d:inception4d 4e:inception4e 5a:inception5a 5b:inception5b"
)
_INCEPTION_V3 = (
    "conv1:Conv2d_1a_3x3 conv2:Conv2d_2a_3x3 conv3:Conv2d_2b_3x3 conv4:Conv2d_3b_1x1 "
    "conv5:Conv2d_4a_3x3 5b:Mixed_5b 5c:Mixed_5c 5d:Mixed_5d 6a:Mixed_6a 6b:Mixed_6b 6c:Mixed_6c "
    "6d:Mixed_6d 6e:Mixed_6e 7a:Mixed_7a 7b:Mixed_7b 7c:Mixed_7c"
)

_DENSENET = Backbone(
    "densenet121",
    "DenseNet-121",
    (
        Stage("conv1", ("features.conv0", "features.norm0")),
        *(
            Stage(f"block{i}", (f"features.denseblock{i}", f"features.transition{i}"))
            for i in (1, 2, 3)
        ),
        Stage("block4", ("features.denseblock4", "features.norm5")),
    ),
    224,
    32.3,
    "densenet121-a639ec97.pth",
)

_LENET5 = Backbone(
    "lenet5",
    "LeNet-5",
    tuple(Stage(name, (name,)) for name in ("conv1", "conv2", "conv3", "fc1")),
    32,
    0.2,
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
    least=63,
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
        _mobile("mobilenet_v2", "MobileNetV2", 18, 14.2, "mobilenet_v2-b0353104.pth"),
        _ALEXNET,
        _inception("googlenet", "GoogLeNet", _GOOGLENET, 224, 52.1, "googlenet-1378be20.pth"),
        _inception(
            "inception_v3",
            "Inception-v3",
            _INCEPTION_V3,
            299,
            108.9,
            "inception_v3_google-0cc3c7bd.pth",
            least=75,
        ),
        _resnet("resnext50_32x4d", "ResNeXt-50 32×4d", 100.4, "resnext50_32x4d-7cdf4587.pth"),
        _DENSENET,
        _resnet("se_resnet50", "SE-ResNet-50", 112.6, ""),
        _mobile(
            "efficientnet_b0",
            "EfficientNet-B0",
            8,
            21.4,
            "efficientnet_b0_rwightman-7f5810bc.pth",
        ),
        _LENET5,
        _SIMPLECONV3,
    )
}


def backbone(name: str) -> Backbone:
    """The backbone called `name`; raises ValueRefused naming those there are."""
    if name not in BACKBONES:
        raise ValueRefused("backbone", name, ", ".join(BACKBONES))
    return BACKBONES[name]


Factor = Annotated[float, Meta(ge=0.0)]


class StageRule(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a recipe says of one stage, over the whole recipe's own keys.

    start: "transferred" takes the start weights, "new" draws fresh ones. frozen: None leaves it to
    the recipe's `frozen`. rate and penalty multiply the recipe's learning rate and the strength of
    penalties on this stage.
    """

    start: Literal["transferred", "new"] = "transferred"
    frozen: bool | None = None
    rate: Factor = 1.0
    penalty: Factor = 1.0


Rules = Mapping[str, StageRule]
PLAIN = StageRule()


def check_rules(known: Backbone, frozen: str, rules: Rules) -> None:
    """Raise ValueRefused for a stage that the backbone has not, or that is new and frozen."""
    for name in rules:
        if name not in known.stage_names:
            raise ValueRefused(f"stages.{name}", name, ", ".join(known.stage_names))
    for name in frozen_stages(known, frozen, rules):
        if rules.get(name, PLAIN).start == "new":
            raise ValueRefused(f"stages.{name}.start", "new", "transferred, since it is frozen")


def frozen_stages(known: Backbone, frozen: str, rules: Rules) -> tuple[str, ...]:
    """The stages that stay as they are, by a recipe's `frozen` and its rules."""
    below = set(known.frozen_modules(frozen))
    stay = []
    for stage in known.stages:
        said = rules.get(stage.name, PLAIN).frozen
        if below.issuperset(stage.modules) if said is None else said:
            stay.append(stage.name)
    return tuple(stay)


def modules_of(known: Backbone, names: tuple[str, ...]) -> tuple[str, ...]:
    """The module prefixes of stages, in the order of the backbone."""
    return tuple(m for stage in known.stages if stage.name in names for m in stage.modules)


PRESETS: dict[str, str] = {
    "plain": "Every stage as the settings above say",
    "slower-below": "Each stage learns at 0.7 times the rate of the one above it",
    "held-below": "Penalties hold lower stages more: twice at the input, none at the top",
    "new-top": "The last third of the stages begins anew",
}


def preset(known: Backbone, name: str) -> dict[str, StageRule]:
    """The rules of a preset; raises ValueRefused for an unknown one."""
    if name not in PRESETS:
        raise ValueRefused("preset", name, ", ".join(PRESETS))
    names = known.stage_names
    last = len(names) - 1
    if name == "slower-below":
        return {s: StageRule(rate=round(0.7 ** (last - at), 3)) for at, s in enumerate(names[:-1])}
    if name == "held-below":
        return {
            s: StageRule(penalty=round(2 * (last - at) / max(1, last), 2))
            for at, s in enumerate(names)
        }
    if name == "new-top":
        top = names[len(names) - max(1, len(names) // 3) :]
        return {s: StageRule(start="new", frozen=False) for s in top}
    return {}
