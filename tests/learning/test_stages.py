"""Per-stage settings: reinitialised, frozen, slower or with a stronger penalty."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.fixtures.run_folders import CATEGORY, TINY, make_run, train
from tests.learning.test_penalties import batch_of, value
from workbench.domain.backbones import backbone
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import complete, parse_toml, to_toml, with_setting
from workbench.domain.runs import START_FILE, WEIGHTS_FILE, RunLabels
from workbench.domain.stage_rules import PRESETS, StageRule, frozen_stages, preset
from workbench.learning.methods import METHODS, Setup
from workbench.learning.networks.models import build_network, weights_of
from workbench.learning.optimizers import make_optimizer, set_rate
from workbench.learning.penalties import PENALTIES

LABELS = RunLabels(CATEGORY)


def recipe_of(stages: dict[str, dict[str, object]], **keys: object):  # type: ignore[no-untyped-def]
    return complete({**TINY, **keys, "stages": stages}, {})


def test_rules_are_written_read_and_set_one_by_one() -> None:
    recipe = recipe_of({"conv2": {"rate": 0.5, "frozen": False}}, frozen="conv3")
    assert frozen_stages(backbone("simpleconv3"), recipe.frozen, recipe.stages) == (
        "conv1",
        "conv3",
    )
    assert complete(parse_toml(to_toml(recipe), "t"), {}) == recipe
    partial = with_setting({}, "stages.conv2.rate=0.5")
    partial = with_setting(partial, "stages.conv2.frozen=false")
    assert complete({**TINY, **partial}, {}).stages == recipe.stages


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ({"fire9": {}}, "conv1, conv2"),
        ({"conv1": {"rate": -1.0}}, "stages"),
        ({"conv1": {"start": "new", "frozen": True}}, "transferred"),
        ({"conv1": {"speed": 2}}, "stages"),
    ],
)
def test_a_wrong_rule_is_refused(stages: dict[str, dict[str, object]], words: str) -> None:
    with pytest.raises(ValueRefused, match=words):
        recipe_of(stages)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_apply_to_any_backbone(name: str) -> None:
    for chosen in ("simpleconv3", "squeezenet1_1", "vgg16", "resnet18"):
        rules = preset(backbone(chosen), name)
        assert all(isinstance(rule, StageRule) for rule in rules.values())
        assert (name == "plain") == (not rules)
    assert preset(backbone("resnet18"), "slower-below")["conv1"].rate == pytest.approx(0.7**4, 0.01)


def test_each_stage_learns_at_its_own_rate() -> None:
    recipe = recipe_of({"conv2": {"rate": 0.25}, "fc1": {"rate": 0.0}})
    network = build_network("simpleconv3", LABELS)
    rates = METHODS["fine-tune"].rates(network, recipe)
    optimizer = make_optimizer([*rates, (network.head, 3.0)], recipe, torch.device("cpu"))
    set_rate(optimizer, 0.1)
    of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert of[id(network.body.conv1.weight)] == pytest.approx(0.1)
    assert of[id(network.body.conv2.weight)] == pytest.approx(0.025)
    assert of[id(network.body.bn2.weight)] == pytest.approx(0.025)
    assert of[id(network.body.fc1.weight)] == 0.0
    assert of[id(network.head.target.weight)] == pytest.approx(0.3)
    assert len(of) == len(list(network.parameters()))


def test_penalties_hold_a_stage_by_its_own_factor() -> None:
    torch.manual_seed(0)
    network = build_network("simpleconv3", LABELS)
    batch = batch_of()
    found = {}
    for penalty in (0.0, 1.0, 3.0):
        recipe = recipe_of({"conv2": {"penalty": penalty}}, penalty="l2")
        found[penalty] = value(
            PENALTIES["l2"](Setup(recipe, LABELS, None, network)), network, batch
        ).item()
    own = 1e-3 / 2 * network.body.conv2.weight.square().sum().item()
    assert found[1.0] - found[0.0] == pytest.approx(own, rel=1e-3)
    assert found[3.0] - found[0.0] == pytest.approx(3 * own, rel=1e-3)


def test_l2_sp_pulls_a_stage_by_its_own_factor_to_its_start_or_to_zero() -> None:
    torch.manual_seed(0)
    network = build_network("simpleconv3", LABELS)
    rules = {"conv2": {"penalty": 3.0}, "conv3": {"penalty": 5.0, "start": "new"}}
    options = {"l2-sp": {"alpha": 0.5, "beta": 0.2}}
    recipe = recipe_of(rules, penalty="l2-sp", options=options)
    penalty = PENALTIES["l2-sp"](Setup(recipe, LABELS, None, network))
    before = value(penalty, network, batch_of()).item()
    with torch.no_grad():
        network.body.conv2.weight += 0.25
    moved = value(penalty, network, batch_of()).item()
    assert moved - before == pytest.approx(
        3 * 0.5 / 2 * 0.25**2 * network.body.conv2.weight.numel(), rel=1e-3
    )
    with torch.no_grad():
        network.body.conv3.weight.zero_()
        before = value(penalty, network, batch_of()).item()
        network.body.conv3.weight += 0.25
    moved = value(penalty, network, batch_of()).item()
    assert moved - before == pytest.approx(
        5 * 0.2 / 2 * 0.25**2 * network.body.conv3.weight.numel(), rel=1e-3
    )


def test_a_new_stage_forgets_the_start_and_a_frozen_one_keeps_it(tmp_path: Path) -> None:
    rules = {"conv1": {"frozen": True}, "conv3": {"start": "new"}, "fc1": {"rate": 0.0}}
    folder = make_run(tmp_path / "run", epochs=1, start="file:other", penalty="l2-sp", stages=rules)
    torch.manual_seed(9)
    start = weights_of(build_network("simpleconv3", LABELS))
    start["conv3.weight"] += 5
    save_file(start, folder / START_FILE)
    train(folder)
    end = load_file(folder / WEIGHTS_FILE)
    assert torch.equal(end["conv1.weight"], start["conv1.weight"])
    assert torch.equal(end["bn1.running_mean"], start["bn1.running_mean"])
    assert torch.equal(end["fc1.weight"], start["fc1.weight"])
    assert not torch.equal(end["conv2.weight"], start["conv2.weight"])
    assert end["conv3.weight"].abs().max() < 2
