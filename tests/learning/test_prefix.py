"""Prefix and tail together equal the whole network, for every backbone."""

from __future__ import annotations

import pytest
import torch

from tests.fixtures.run_folders import CATEGORY
from workbench.domain.backbones import BACKBONES
from workbench.domain.runs import RunLabels
from workbench.learning.frozen_cache.prefix import Split, digests, run_units, split
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import Network, build_network
from workbench.learning.optimizers import freeze

ROWS = [name for name in BACKBONES if name != "simpleconv3"]


def cut(name: str, stage: str) -> tuple[Network, Split]:
    torch.manual_seed(0)
    network = build_network(name, RunLabels(CATEGORY))
    network.train()
    frozen = freeze(network.body, BACKBONES[name].frozen_modules(stage))
    for module in frozen:
        module.eval()
    found = split(network, frozen)
    assert found is not None
    return network, found


@pytest.mark.parametrize("name", ROWS)
def test_tail_of_prefix_is_the_whole(name: str) -> None:
    stages = BACKBONES[name].stage_names
    network, found = cut(name, stages[len(stages) // 2])
    network.eval()
    size = 96 if name == "inception_v3" else BACKBONES[name].input_size // 2 or 32
    size = max(size, 64) if name != "lenet5" else BACKBONES[name].input_size
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        maps = images
        for _, unit in found.steps:
            maps = unit(maps)
        torch.testing.assert_close(found.tail(maps.clone()), network(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ROWS)
def test_nothing_that_learns_is_in_the_prefix_and_all_of_it_in_the_tail(name: str) -> None:
    network, found = cut(name, BACKBONES[name].stage_names[0])
    assert not any(p.requires_grad for _, unit in found.steps for p in unit.parameters())
    learned = {id(p) for p in network.parameters() if p.requires_grad}
    assert learned <= {id(p) for p in found.tail.parameters()}


def test_the_prefix_ends_before_the_first_trained_or_random_module() -> None:
    _, found = cut("squeezenet1_1", "fire5")
    assert [name for name, _ in found.steps][-2:] == ["features.7", "features.8"]  # and pooling
    _, found = cut("squeezenet1_1", "all")
    assert isinstance(found.tail.body[0], torch.nn.Dropout)
    _, found = cut("resnet18", "conv1")
    assert [name for name, _ in found.steps] == ["conv1", "bn1", "relu", "maxpool"]


def test_without_frozen_stages_there_is_no_cut() -> None:
    network = build_network("resnet18", RunLabels(CATEGORY))
    assert split(network, []) is None
    whole = build_network("simpleconv3", RunLabels(CATEGORY))
    frozen = freeze(whole.body, BACKBONES["simpleconv3"].frozen_modules("conv1"))
    assert split(whole, frozen) is None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_going_on_from_a_shallower_cut_gives_the_same_bits(precision: str) -> None:
    network, found = cut("squeezenet1_1", "fire5")
    images, device = torch.randn(4, 3, 64, 64), choose_device()
    network.to(device.torch)
    whole = run_units(found.steps, images.to(device.torch), device, precision)
    at = run_units(found.steps[:4], images.to(device.torch), device, precision)
    assert torch.equal(run_units(found.steps[4:], at, device, precision), whole)
    assert whole.is_contiguous(memory_format=torch.channels_last)
    plain = images.to(device.torch)
    with torch.no_grad():
        for _, unit in found.steps:
            plain = unit(plain)
    assert (whole.float() - plain).abs().mean() < 0.02 * plain.abs().mean()


def test_digests_depend_on_weights_and_depth() -> None:
    _, shallow = cut("squeezenet1_1", "fire4")
    _, deep = cut("squeezenet1_1", "fire6")
    first, second = digests(shallow.steps, b"same"), digests(deep.steps, b"same")
    assert second[: len(first)] == first
    assert len(set(second)) == len(second)
    assert digests(deep.steps, b"other")[0] != second[0]
    with torch.no_grad():
        deep.steps[3][1].squeeze.weight[0, 0] += 1e-6
    changed = digests(deep.steps, b"same")
    assert changed[2] == second[2]
    assert changed[3] != second[3]
