"""The domain's table of backbones against the networks themselves."""

import pytest
import torch

from tests.learning.small_runs import CATEGORY, VIEW
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import ValueRefused
from workbench.domain.runs import RunLabels
from workbench.learning.backbones import build_body
from workbench.learning.models import build_network, explainable_layers
from workbench.learning.optimisers import freeze
from workbench.learning.tv import models


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


@pytest.mark.parametrize("name", [name for name, known in BACKBONES.items() if known.weights])
def test_weights_are_torchvision_s_default_or_first(name: str) -> None:
    known = [weights.url for weights in models.get_model_weights(name)]
    assert BACKBONES[name].weights_address in known


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "mobilenet_v2", "simpleconv3"])
def test_network_scores_images_and_names_its_layers_deepest_last(name: str) -> None:
    network = build_network(name, RunLabels(CATEGORY, VIEW)).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 6)
    layers = explainable_layers(network, name, 64)
    assert layers
    for layer in layers:
        network.get_submodule(layer)
    maps = []
    hook = network.get_submodule(layers[-1]).register_forward_hook(
        lambda module, inputs, output: maps.append(output)
    )
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    hook.remove()
    assert maps[0].ndim == 4


def test_squeezenet_head_can_give_negative_logits() -> None:
    torch.manual_seed(0)
    network = build_network("squeezenet1_1", RunLabels(CATEGORY)).eval()
    with torch.no_grad():
        scores = network(torch.randn(8, 3, 64, 64) * 5)
    assert (scores < 0).any()


def test_frozen_stages_do_not_learn_and_keep_their_statistics() -> None:
    network = build_network("resnet18", RunLabels(CATEGORY))
    frozen = freeze(network, BACKBONES["resnet18"].frozen_modules("layer2"))
    assert not network.body.layer2[0].conv1.weight.requires_grad
    assert network.body.layer3[0].conv1.weight.requires_grad
    network.train()
    for module in frozen:
        module.eval()
    assert not network.body.bn1.training
    assert network.body.layer3[0].bn1.training


def test_unknown_backbone_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueRefused, match="squeezenet1_1"):
        build_body("hugenet")
