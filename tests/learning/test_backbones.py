"""The domain's table of backbones matches the networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.fixtures.run_folders import CATEGORY, VIEW
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import complete
from workbench.domain.runs import RunLabels
from workbench.learning.networks.backbones import build_body
from workbench.learning.networks.models import build_network, explainable_layers, weights_of
from workbench.learning.networks.se_resnet import Squeeze
from workbench.learning.networks.tv import models
from workbench.learning.networks.weights import load_start
from workbench.learning.optimizers import freeze

# Channels and side of the last feature map at the native input, and pooled features.
SIZES = {
    "squeezenet1_0": (512, 13, 512),
    "squeezenet1_1": (512, 13, 512),
    "resnet18": (512, 7, 512),
    "resnet50": (2048, 7, 2048),
    "resnext50_32x4d": (2048, 7, 2048),
    "se_resnet50": (2048, 7, 2048),
    "vgg11": (512, 14, 4096),
    "vgg13": (512, 14, 4096),
    "vgg16": (512, 14, 4096),
    "alexnet": (256, 13, 4096),
    "mobilenet_v2": (1280, 7, 1280),
    "efficientnet_b0": (1280, 7, 1280),
    "densenet121": (1024, 7, 1024),
    "googlenet": (1024, 7, 1024),
    "inception_v3": (2048, 8, 2048),
    "lenet5": (16, 10, 84),
    "simpleconv3": (48, 6, 128),
}
LIGHT = ["squeezenet1_1", "resnet18", "mobilenet_v2", "lenet5", "simpleconv3"]
NEW = ["googlenet", "inception_v3", "densenet121", "efficientnet_b0", "se_resnet50"]


def side_of(name: str) -> int:
    """A small input that the network takes."""
    return max(64, BACKBONES[name].least)


@pytest.mark.parametrize("name", BACKBONES)
def test_entries_report_which_networks_have_batch_normalisation(name: str) -> None:
    with torch.device("meta"):
        body, _ = build_body(name)
    has = any(isinstance(one, torch.nn.BatchNorm2d) for one in body.modules())
    assert has == BACKBONES[name].batch_norm


@pytest.mark.parametrize("name", BACKBONES)
def test_stages_name_every_parameter_of_the_body_once_and_in_order(name: str) -> None:
    with torch.device("meta"):
        body, _ = build_body(name)
    prefixes = BACKBONES[name].frozen_modules("all")
    stage_of = []
    for parameter, _ in body.named_parameters():
        inside = [at for at, prefix in enumerate(prefixes) if parameter.startswith(prefix + ".")]
        assert len(inside) == 1, parameter
        stage_of += inside
    assert stage_of == sorted(stage_of)
    assert set(stage_of) == set(range(len(prefixes)))


@pytest.mark.parametrize("name", BACKBONES)
def test_maps_and_features_have_their_sizes_and_one_set_of_names(name: str) -> None:
    channels, cells, features = SIZES[name]
    side = BACKBONES[name].input_size
    with torch.device("meta"):
        whole, width = build_body(name)
        maps, depth = build_body(name, maps=True)
        images = torch.zeros(2, 3, side, side)
        whole.eval()
        maps.eval()
        assert (width, depth) == (features, channels)
        assert whole(images).shape == (2, features)
        assert maps(images).shape == (2, channels, cells, cells)
        least = torch.zeros(2, 3, BACKBONES[name].least, BACKBONES[name].least)
        assert whole(least).shape == (2, features)
    names = list(whole.state_dict())
    own = list(maps.state_dict())
    assert own == names[: len(own)]


@pytest.mark.parametrize("name", ["vgg11", "alexnet", "inception_v3"])
def test_images_below_the_least_size_are_refused_before_anything_starts(name: str) -> None:
    least = BACKBONES[name].least
    with torch.device("meta"), pytest.raises(RuntimeError):
        build_body(name)[0].eval()(torch.zeros(1, 3, least - 1, least - 1))
    if least > 32:
        with pytest.raises(ValueRefused, match=f"≥ {least}"):
            complete({"target": "category", "backbone": name, "image_size": least - 1}, {})


@pytest.mark.parametrize("name", [name for name, known in BACKBONES.items() if known.weights])
def test_weights_are_torchvision_s_default_or_first(name: str) -> None:
    known = {weights.url: weights.meta for weights in models.get_model_weights(name)}
    meta = known[BACKBONES[name].weights_address]
    megabytes = meta["_file_size"] * 2**20 / 1e6
    assert BACKBONES[name].megabytes == pytest.approx(megabytes, abs=0.11)


@pytest.mark.parametrize(
    ("name", "classifier"),
    [
        ("squeezenet1_1", None),
        ("resnet18", "fc"),
        ("mobilenet_v2", "classifier"),
        ("efficientnet_b0", "classifier"),
        ("densenet121", "classifier"),
        ("googlenet", "fc"),
        ("inception_v3", "fc"),
        ("alexnet", "classifier"),
    ],
)
def test_features_are_those_of_torchvision_s_own_network(name: str, classifier: str | None) -> None:
    inception = {"aux_logits": False, "init_weights": False, "transform_input": True}
    options = inception if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(1)
    theirs = getattr(models, name)(**options).eval()
    ours, _ = build_body(name)
    ours.load_state_dict(theirs.state_dict(), strict=False)
    if classifier is None:
        theirs.classifier = torch.nn.AdaptiveAvgPool2d(1)
    else:
        last = getattr(theirs, classifier)
        if isinstance(last, torch.nn.Sequential):
            last[-1] = torch.nn.Identity()
        else:
            setattr(theirs, classifier, torch.nn.Identity())
    images = torch.randn(2, 3, side_of(name), side_of(name))
    with torch.no_grad():
        expected = theirs(images)
        torch.testing.assert_close(ours.eval()(images), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0


def test_maps_of_simpleconv3_are_what_its_full_layers_see() -> None:
    whole, _ = build_body("simpleconv3")
    maps, _ = build_body("simpleconv3", maps=True)
    maps.load_state_dict(whole.state_dict(), strict=False)
    seen = []
    whole.fc1.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    images = torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        whole.eval()(images)
        torch.testing.assert_close(maps.eval()(images).flatten(1), seen[0])


def test_squeeze_weighs_channels_by_the_sigmoid_of_two_layers() -> None:
    torch.manual_seed(2)
    squeeze = Squeeze(32).double()
    x = torch.randn(2, 32, 3, 4, dtype=torch.float64)
    mean = x.numpy().mean(axis=(2, 3))
    w1, b1, w2, b2 = (p.detach().numpy().squeeze() for p in squeeze.parameters())
    assert w1.shape == (2, 32)
    weights = 1 / (1 + np.exp(-(np.maximum(mean @ w1.T + b1, 0) @ w2.T + b2)))
    expected = x.numpy() * weights[:, :, None, None]
    np.testing.assert_allclose(squeeze(x).detach().numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("name", [*LIGHT, *NEW])
def test_network_scores_images_and_names_its_layers_deepest_last(name: str) -> None:
    side = side_of(name)
    network = build_network(name, RunLabels(CATEGORY, VIEW)).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, side, side)).shape == (2, 6)
    layers = explainable_layers(network, name, side)
    assert layers
    for layer in layers:
        network.get_submodule(layer)
    assert not any(".fc1" in layer or ".fc2" in layer for layer in layers)  # maps of one cell
    maps = []
    hook = network.get_submodule(layers[-1]).register_forward_hook(
        lambda module, inputs, output: maps.append(output)
    )
    with torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    hook.remove()
    assert maps[0].ndim == 4


@pytest.mark.parametrize("name", ["googlenet", "densenet121", "efficientnet_b0"])
def test_a_state_dict_with_torchvision_names_is_loaded(tmp_path: Path, name: str) -> None:
    torch.manual_seed(4)
    options = {"init_weights": False} if name == "googlenet" else {}
    theirs = getattr(models, name)(**options).state_dict()  # auxiliary classifiers and all
    given = (
        {
            key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
            for key, value in theirs.items()
        }
        if name == "densenet121"
        else theirs
    )
    save_file(given, tmp_path / "start.safetensors")
    network = build_network(name, RunLabels(CATEGORY))
    assert not load_start(network, tmp_path, "file:x", RunLabels(CATEGORY))
    taken = {key: v for key, v in weights_of(network).items() if not key.startswith("head.")}
    assert taken
    for key, value in taken.items():
        assert torch.equal(value, theirs[key]), key


def test_squeezenet_head_can_give_negative_logits() -> None:
    torch.manual_seed(0)
    network = build_network("squeezenet1_1", RunLabels(CATEGORY)).eval()
    with torch.no_grad():
        scores = network(torch.randn(8, 3, 64, 64) * 5)
    assert (scores < 0).any()


@pytest.mark.parametrize(
    ("name", "frozen", "below", "above"),
    [
        ("resnet18", "layer2", "layer2.0", "layer3.0"),
        ("densenet121", "block2", "features.transition2", "features.denseblock3"),
        ("googlenet", "3b", "inception3b", "inception4a"),
        ("inception_v3", "5d", "Mixed_5d", "Mixed_6a"),
        ("se_resnet50", "layer1", "layer1.0.se", "layer2.0.se"),
    ],
)
def test_frozen_stages_do_not_learn_and_keep_their_statistics(
    name: str, frozen: str, below: str, above: str
) -> None:
    network = build_network(name, RunLabels(CATEGORY))
    modules = freeze(network.body, BACKBONES[name].frozen_modules(frozen))
    body = network.body
    assert not any(p.requires_grad for p in body.get_submodule(below).parameters())
    assert all(p.requires_grad for p in body.get_submodule(above).parameters())
    network.train()
    for module in modules:
        module.eval()
    first = next(module for module in body.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert not first.training
    assert body.get_submodule(above).training


def test_unknown_backbone_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueRefused, match="squeezenet1_1"):
        build_body("hugenet")
