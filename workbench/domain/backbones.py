"""Backbones: everything known about a network without loading it, in one entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.domain.errors import ValueRefused
from workbench.domain.methods import Value
from workbench.domain.registry import Registry
from workbench.domain.text import Message

WEIGHTS_ADDRESS = "https://download.pytorch.org/models/"
NETWORKS = "workbench.learning.networks.backbones:build_"  # builders of families of networks
DEFAULT_BACKBONE = "squeezenet1_1"
SMALL_CROP_BACKBONE = "simpleconv3"
UNRANKED = 99

Colour = tuple[float, float, float]  # one number per RGB channel, for values in [0, 1]
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)
HALF: Colour = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Stage:
    """A part of a backbone that can be frozen.

    `modules` are the name prefixes of its parameters.
    """

    name: str
    modules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One network. Raises ValueError if its source or its builder is empty.

    source: the paper. builder: "module:function", a `learning.networks.backbones.Builder`; the
    learning program imports it when it first builds the network. stages: in forward order;
    together they hold every parameter once. input_size: side of the square input in pixels; least:
    the smallest that works. weights: file name of the ImageNet weights below WEIGHTS_ADDRESS, "" if
    there are none; the part between the last "-" and ".pth" is the start of the file's SHA-256.
    megabytes: size of the weights, with or without a file. mean, std: input normalisation.
    batch_norm: whether it has batch normalisation, which small batches disturb. tiny: too small to
    profit from several threads or from another number format. classifier_on_maps: its ImageNet
    classifier scores each cell of the last map; the scores are averaged.

    From measurements: head: the recommended one, "" for the linear head. frozen: the deepest stage
    to freeze with few images, "none", or "" if not measured; frozen_with_few: the same with very
    few images. recipe: keys that override the general advice; reasons: (key, sentence) pairs for
    them. feature_rank: preference among ImageNet weights for comparing images, lowest first.
    """

    name: str
    title: str
    source: str
    builder: str
    stages: tuple[Stage, ...]
    input_size: int
    megabytes: float
    weights: str = ""
    least: int = 32
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    batch_norm: bool = True
    tiny: bool = False
    classifier_on_maps: bool = False
    head: str = ""
    frozen: str = ""
    frozen_with_few: str = ""
    recipe: Mapping[str, Value] = field(default_factory=dict, hash=False)
    reasons: tuple[tuple[str, Message], ...] = ()
    feature_rank: int = UNRANKED

    def __post_init__(self) -> None:
        for what in ("source", "builder"):
            if not getattr(self, what):
                raise ValueError(f"The backbone {self.name!r} has no {what}.")

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages, from the input to the output."""
        return tuple(stage.name for stage in self.stages)

    @property
    def advised_frozen(self) -> str:
        """The deepest stage to freeze with few images.

        Without a measurement: the last stage of the lower third.
        """
        return self.frozen or self.stage_names[len(self.stages) // 3]

    @property
    def normalisation(self) -> tuple[Colour, Colour]:
        """Mean and standard deviation of the input, per channel."""
        return self.mean, self.std

    @property
    def weights_address(self) -> str:
        """Address of the ImageNet weights; "" if there are none."""
        return WEIGHTS_ADDRESS + self.weights if self.weights else ""

    @property
    def weights_digest(self) -> str:
        """The first hexadecimal digits of the SHA-256 of the weights file."""
        return self.weights.rsplit("-", 1)[-1].removesuffix(".pth") if self.weights else ""

    def frozen_modules(self, frozen: str) -> tuple[str, ...]:
        """Name prefixes of the parameters frozen by the recipe key `frozen`.

        `frozen` is "none", "all" or the deepest frozen stage. Raises ValueRefused for an unknown
        stage.
        """
        if frozen == "none":
            return ()
        if frozen == "all":
            return tuple(m for stage in self.stages for m in stage.modules)
        if frozen not in self.stage_names:
            raise ValueRefused("frozen", frozen, ", ".join(("none", *self.stage_names, "all")))
        last = self.stage_names.index(frozen)
        return tuple(m for stage in self.stages[: last + 1] for m in stage.modules)


BACKBONES: Registry[Backbone] = Registry("backbone")


def _squeezenet(
    name: str, title: str, fires: tuple[int, ...], weights: str, feature_rank: int = UNRANKED
) -> Backbone:
    conv1 = Stage("conv1", ("features.0",))
    return Backbone(
        name=name,
        title=title,
        source="Iandola et al. 2016, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters",
        builder=NETWORKS + "squeezenet",
        stages=(conv1, *(Stage(f"fire{i + 2}", (f"features.{at}",)) for i, at in enumerate(fires))),
        input_size=224,
        megabytes=5.0,
        weights=weights,
        batch_norm=False,
        classifier_on_maps=True,
        head="compact-bilinear",
        frozen="fire5",
        frozen_with_few="fire7",
        feature_rank=feature_rank,
    )


BACKBONES.register(
    _squeezenet(
        "squeezenet1_0",
        "SqueezeNet 1.0",
        (3, 4, 5, 7, 8, 9, 10, 12),
        "squeezenet1_0-b66bff10.pth",
    )
)
BACKBONES.register(
    _squeezenet(
        "squeezenet1_1",
        "SqueezeNet 1.1",
        (3, 4, 6, 7, 9, 10, 11, 12),
        "squeezenet1_1-b8a52dc0.pth",
        feature_rank=5,
    )
)


def _resnet(
    name: str,
    title: str,
    megabytes: float,
    weights: str = "",
    source: str = "He et al. 2016, Deep residual learning for image recognition",
    builder: str = NETWORKS + "resnet",
    feature_rank: int = UNRANKED,
) -> Backbone:
    layers = (Stage(f"layer{i}", (f"layer{i}",)) for i in (1, 2, 3, 4))
    return Backbone(
        name=name,
        title=title,
        source=source,
        builder=builder,
        stages=(Stage("conv1", ("conv1", "bn1")), *layers),
        input_size=224,
        megabytes=megabytes,
        weights=weights,
        frozen="layer2",
        feature_rank=feature_rank,
    )


BACKBONES.register(_resnet("resnet18", "ResNet-18", 46.8, "resnet18-f37072fd.pth", feature_rank=2))
BACKBONES.register(_resnet("resnet50", "ResNet-50", 102.5, "resnet50-0676ba61.pth", feature_rank=1))


def _vgg(
    name: str, title: str, blocks: tuple[tuple[int, ...], ...], megabytes: float, weights: str
) -> Backbone:
    convs = (
        Stage(f"block{i}", _sequential("features", at)) for i, at in enumerate(blocks, start=1)
    )
    full = (Stage("fc6", ("classifier.0",)), Stage("fc7", ("classifier.3",)))
    return Backbone(
        name=name,
        title=title,
        source="Simonyan and Zisserman 2015, Very deep convolutional networks for large-scale "
        "image recognition",
        builder=NETWORKS + "vgg",
        stages=(*convs, *full),
        input_size=224,
        megabytes=megabytes,
        weights=weights,
        batch_norm=False,
    )


def _sequential(prefix: str, at: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{i}" for i in at)


BACKBONES.register(
    _vgg(
        "vgg11",
        "VGG-11",
        ((0,), (3,), (6, 8), (11, 13), (16, 18)),
        531.4,
        "vgg11-8a719046.pth",
    )
)
BACKBONES.register(
    _vgg(
        "vgg13",
        "VGG-13",
        ((0, 2), (5, 7), (10, 12), (15, 17), (20, 22)),
        532.2,
        "vgg13-19584684.pth",
    )
)
BACKBONES.register(
    _vgg(
        "vgg16",
        "VGG-16",
        ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)),
        553.4,
        "vgg16-397923af.pth",
    )
)


def _mobile_stages(last: int) -> tuple[Stage, ...]:
    """Stages of MobileNetV2 and EfficientNet: features.0 to features.`last`.

    The first and the last are single convolutions.
    """
    outer = {0: "conv1", last: "conv2"}
    return tuple(Stage(outer.get(i, f"block{i}"), (f"features.{i}",)) for i in range(last + 1))


BACKBONES.register(
    Backbone(
        name="mobilenet_v2",
        title="MobileNetV2",
        source="Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks",
        builder=NETWORKS + "mobile",
        stages=_mobile_stages(18),
        input_size=224,
        megabytes=14.2,
        weights="mobilenet_v2-b0353104.pth",
        frozen="block6",
        feature_rank=3,
    )
)
BACKBONES.register(
    Backbone(
        name="alexnet",
        title="AlexNet",
        source="Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks",
        builder=NETWORKS + "vgg",
        stages=(
            Stage("conv1", ("features.0",)),
            Stage("conv2", ("features.3",)),
            Stage("conv3", ("features.6",)),
            Stage("conv4", ("features.8",)),
            Stage("conv5", ("features.10",)),
            Stage("fc6", ("classifier.1",)),
            Stage("fc7", ("classifier.4",)),
        ),
        input_size=224,
        least=63,
        megabytes=244.4,
        weights="alexnet-owt-7be5be79.pth",
        batch_norm=False,
        frozen="conv3",
    )
)


def _named_stages(pairs: str) -> tuple[Stage, ...]:
    """Parse stages of one module each from "stage:module stage:module …"."""
    split = (pair.split(":") for pair in pairs.split())
    return tuple(Stage(stage, (module,)) for stage, module in split)


BACKBONES.register(
    Backbone(
        name="googlenet",
        title="GoogLeNet",
        source="Szegedy et al. 2015, Going deeper with convolutions",
        builder=NETWORKS + "inception",
        stages=_named_stages(
            "conv1:conv1 conv2:conv2 conv3:conv3 3a:inception3a 3b:inception3b 4a:inception4a "
            "4b:inception4b 4c:inception4c 4d:inception4d 4e:inception4e 5a:inception5a "
            "5b:inception5b"
        ),
        input_size=224,
        megabytes=52.1,
        weights="googlenet-1378be20.pth",
        frozen="3b",
    )
)
BACKBONES.register(
    Backbone(
        name="inception_v3",
        title="Inception-v3",
        source="Szegedy et al. 2016, Rethinking the Inception architecture for computer vision",
        builder=NETWORKS + "inception",
        stages=_named_stages(
            "conv1:Conv2d_1a_3x3 conv2:Conv2d_2a_3x3 conv3:Conv2d_2b_3x3 conv4:Conv2d_3b_1x1 "
            "conv5:Conv2d_4a_3x3 5b:Mixed_5b 5c:Mixed_5c 5d:Mixed_5d 6a:Mixed_6a 6b:Mixed_6b "
            "6c:Mixed_6c 6d:Mixed_6d 6e:Mixed_6e 7a:Mixed_7a 7b:Mixed_7b 7c:Mixed_7c"
        ),
        input_size=299,
        least=75,
        megabytes=108.9,
        weights="inception_v3_google-0cc3c7bd.pth",
        frozen="5d",
    )
)
BACKBONES.register(
    _resnet(
        "resnext50_32x4d",
        "ResNeXt-50 32×4d",
        100.4,
        "resnext50_32x4d-7cdf4587.pth",
        source="Xie et al. 2017, Aggregated residual transformations for deep neural networks",
    )
)
BACKBONES.register(
    Backbone(
        name="densenet121",
        title="DenseNet-121",
        source="Huang et al. 2017, Densely connected convolutional networks",
        builder=NETWORKS + "densenet",
        stages=(
            Stage("conv1", ("features.conv0", "features.norm0")),
            Stage("block1", ("features.denseblock1", "features.transition1")),
            Stage("block2", ("features.denseblock2", "features.transition2")),
            Stage("block3", ("features.denseblock3", "features.transition3")),
            Stage("block4", ("features.denseblock4", "features.norm5")),
        ),
        input_size=224,
        megabytes=32.3,
        weights="densenet121-a639ec97.pth",
        frozen="block2",
    )
)
BACKBONES.register(
    _resnet(
        "se_resnet50",
        "SE-ResNet-50",
        112.6,
        source="Hu, Shen and Sun 2018, Squeeze-and-excitation networks",
        builder="workbench.learning.networks.se_resnet:build_se_resnet",
    )
)
BACKBONES.register(
    Backbone(
        name="efficientnet_b0",
        title="EfficientNet-B0",
        source="Tan and Le 2019, EfficientNet: rethinking model scaling for convolutional neural "
        "networks",
        builder=NETWORKS + "mobile",
        stages=_mobile_stages(8),
        input_size=224,
        megabytes=21.4,
        weights="efficientnet_b0_rwightman-7f5810bc.pth",
        feature_rank=4,
    )
)
BACKBONES.register(
    Backbone(
        name="lenet5",
        title="LeNet-5",
        source="LeCun et al. 1998, Gradient-based learning applied to document recognition",
        builder=NETWORKS + "lenet5",
        stages=_named_stages("conv1:conv1 conv2:conv2 conv3:conv3 fc1:fc1"),
        input_size=32,
        megabytes=0.2,
        mean=HALF,
        std=HALF,
        batch_norm=False,
        frozen="none",
    )
)
BACKBONES.register(
    Backbone(
        name="simpleconv3",
        title="Simpleconv3",
        source="Long and You, Deep learning image recognition, chapter 4",
        builder=NETWORKS + "simpleconv3",
        stages=(
            Stage("conv1", ("conv1", "bn1")),
            Stage("conv2", ("conv2", "bn2")),
            Stage("conv3", ("conv3", "bn3")),
            Stage("fc1", ("fc1",)),
            Stage("fc2", ("fc2",)),
        ),
        input_size=48,
        megabytes=3.8,
        mean=HALF,
        std=HALF,
        tiny=True,
        frozen="none",
        recipe={
            "start": "none",
            "image_size": 48,
            "test_resize": 60,
            "learning_rate": 0.04,
            "head_factor": 1.0,
            "schedule": "constant",
            "averaging": 0.2,
            "weight_decay": 2e-3,
            "batch": 32,
            "epochs": 120,
            "rotation": 20.0,
            "crop_scale": 0.5,
            "brightness": 0.0,
        },
        reasons=(
            (
                "epochs",
                Message("A small network trained from scratch needs many short epochs."),
            ),
            (
                "backbone",
                Message("It removes lighting and colour from each crop and learns shapes."),
            ),
        ),
    )
)


def backbone(name: str) -> Backbone:
    """Return the backbone called `name`.

    Raises ValueRefused, which lists the known names.
    """
    return BACKBONES.find(name)


def modules_of(known: Backbone, names: tuple[str, ...]) -> tuple[str, ...]:
    """Module prefixes of the named stages, in the backbone's order."""
    return tuple(m for stage in known.stages if stage.name in names for m in stage.modules)
