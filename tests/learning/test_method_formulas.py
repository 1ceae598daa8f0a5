"""Formulas of the methods, against closed forms and hand-computed cases."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.fixtures.run_folders import CATEGORY, TINY
from workbench.domain.recipes import complete
from workbench.domain.runs import RunLabels
from workbench.learning.methods import METHODS, Batch, InitialState, Setup
from workbench.learning.methods.multi_tune import TwoBodies
from workbench.learning.methods.spot_tune import SpotTuneBody
from workbench.learning.methods.stochastic_norm import StochasticNorm2d
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import build_network
from workbench.learning.networks.probe import linear_probe
from workbench.learning.networks.weights import source_head

IMAGES = torch.randn(7, 3, 48, 48, generator=torch.Generator().manual_seed(3))


def norm_of(p: float) -> tuple[StochasticNorm2d, nn.BatchNorm2d]:
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(6)
    with torch.no_grad():
        plain.running_mean.normal_()
        plain.running_var.uniform_(0.5, 2.0)
        plain.weight.normal_()
        plain.bias.normal_()
    return StochasticNorm2d(plain, p), plain


def test_stochastic_norm_is_between_its_two_statistics() -> None:
    x = torch.randn(5, 6, 4, 3)
    never, plain = norm_of(0.0)
    torch.testing.assert_close(never(x), plain(x))
    torch.testing.assert_close(never.running_mean, plain.running_mean)
    always, plain = norm_of(1.0)
    frozen = plain.eval()(x)
    torch.testing.assert_close(always(x), frozen)
    assert not torch.equal(always.running_mean, plain.running_mean)  # it continues to learn them
    both, plain = norm_of(0.5)
    torch.manual_seed(1)
    mixed = both(x)
    moving, own = norm_of(1.0)[0](x), norm_of(0.0)[0](x)
    of_moving = (mixed - moving).abs().amax(dim=(0, 2, 3)) < 1e-5
    of_batch = (mixed - own).abs().amax(dim=(0, 2, 3)) < 1e-5
    assert (of_moving ^ of_batch).all()
    assert of_moving.any()
    assert of_batch.any()
    torch.testing.assert_close(both.eval()(x), StochasticNorm2d(both, 0.0).eval()(x))


def test_stochastic_norm_has_the_right_gradient() -> None:
    norm = norm_of(0.5)[0].double()
    x = torch.randn(3, 6, 2, 2, dtype=torch.float64, requires_grad=True)

    def of(value: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(2)
        fresh = norm_of(0.5)[0].double()
        torch.manual_seed(2)
        return fresh(value)

    assert torch.autograd.gradcheck(of, x)
    assert norm.training


def test_co_tuning_adds_the_source_term_of_the_images_with_a_label() -> None:
    torch.manual_seed(4)
    network = build_network("simpleconv3", RunLabels(CATEGORY)).eval()
    inputs = torch.randn(4, 3, 48, 48)
    features = network.body(inputs).detach()
    source = {"fc.weight": torch.randn(5, features.shape[1]), "fc.bias": torch.randn(5)}
    recipe = complete(
        {**TINY, "label_smoothing": 0.0, "options": {"co-tuning": {"strength": 2.5}}}, {}
    )
    method = METHODS["co-tuning"](Setup(recipe, RunLabels(CATEGORY), None, network, lambda: source))
    relation = torch.rand(3, 5).double()
    method.extra.relation.copy_(relation)
    method.extra.temperature.fill_(3.0)
    method.extra.share.fill_(0.4)
    targets = torch.tensor([0, 2, -1, 0])
    batch = Batch(inputs, targets, torch.full((4,), -1))
    loss, scores = method.loss(network, batch)
    logits = (features @ source["fc.weight"].T + source["fc.bias"]).double() / 3
    logs = logits.log_softmax(dim=1)
    term = -sum((relation[targets[n]] * logs[n]).sum() for n in (0, 1, 3)) / 4
    plain = METHODS["fine-tune"](Setup(recipe, RunLabels(CATEGORY), None, network))
    wanted = plain.loss(network, batch)[0].item() + 2.5 * 0.4 * term.item()
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    assert scores.shape == (4, 3)


@pytest.mark.parametrize("length", [1.0, 100.0])
def test_the_source_term_moves_logits_no_more_than_unit_logits_would(length: float) -> None:
    """However long the source classifier's weights are: the gradient is (P − wanted) / σ / N."""
    torch.manual_seed(4)
    network = build_network("simpleconv3", RunLabels(CATEGORY)).eval()
    inputs = torch.randn(12, 3, 48, 48)
    targets = torch.arange(12) % 3
    spread = network.body(inputs).std().item()
    source = {"fc.weight": length / spread * torch.randn(5, 128), "fc.bias": torch.zeros(5)}
    recipe = complete({**TINY, "options": {"co-tuning": {"strength": 1.0}}}, {})
    method = METHODS["co-tuning"](Setup(recipe, RunLabels(CATEGORY), None, network, lambda: source))
    batch = Batch(inputs, targets, torch.full((12,), -1))
    method.begin(InitialState(network, lambda _: [batch], choose_device(), 12))
    logits = method.source(network.body(inputs)).detach()
    method.loss(network, batch)[0].backward()
    moved = method.source.bias.grad.abs().sum().item()
    assert 0 < moved <= 2 / logits.std().item() * 1.001
    assert method.source.bias.grad.sum().abs().item() < 1e-5


def test_a_probe_separates_classes_of_features_at_any_scale() -> None:
    draw = torch.Generator().manual_seed(0)
    centres = torch.tensor([[100.0, 0.0], [100.3, 0.002], [100.0, 0.004]])
    labels = torch.arange(90) % 3
    noise = torch.randn(90, 2, generator=draw) * torch.tensor([0.05, 0.0003])
    features = centres[labels] + noise
    hidden = torch.where(torch.arange(90) % 10 == 0, -1, labels)
    layer = linear_probe(features, hidden, 3)
    assert (layer(features).argmax(1) == labels).float().mean() > 0.97
    assert linear_probe(features, torch.full((90,), -1), 3).weight.abs().sum() == 0


@pytest.mark.parametrize("shape", [(9, 4), (9, 4, 1, 1)])
def test_a_source_head_is_the_last_layer_that_fits(shape: tuple[int, ...]) -> None:
    start = {
        "features.0.weight": torch.zeros(4, 4),
        "classifier.1.weight": torch.randn(shape),
        "classifier.1.bias": torch.randn(9),
    }
    layer = source_head(start, ["features.0.weight"], 4)
    assert layer is not None
    x = torch.randn(2, 4)
    expected = x @ start["classifier.1.weight"].flatten(1).T + start["classifier.1.bias"]
    torch.testing.assert_close(layer(x), expected)
    assert source_head(start, list(start), 4) is None
    assert source_head(start, ["features.0.weight"], 5) is None


def test_both_bodies_weigh_the_same_at_first() -> None:
    torch.manual_seed(0)
    body = build_network("simpleconv3", RunLabels(CATEGORY)).body.eval()
    features = body(IMAGES).detach()
    joined = TwoBodies(body).eval()(IMAGES)
    unit = features / features.norm(dim=1, keepdim=True)
    expected = torch.cat((unit, unit), dim=1) * (0.5 * features.shape[1]) ** 0.5
    torch.testing.assert_close(joined, expected)


def test_map_based_heads_keep_differences_between_cells() -> None:
    torch.manual_seed(0)
    body = nn.Conv2d(3, 4, 3, padding=1)
    maps = body(IMAGES).detach()
    joined = TwoBodies(body).eval()(IMAGES).detach()
    length = maps.flatten(1).norm(dim=1)[:, None, None, None]
    expected = maps / length * (0.5 * maps[0].numel()) ** 0.5
    torch.testing.assert_close(joined, torch.cat((expected, expected), dim=1))


def spots() -> SpotTuneBody:
    torch.manual_seed(0)
    network = build_network("simpleconv3", RunLabels(CATEGORY))
    wrapped = METHODS["spottune"].wrap(network, "simpleconv3", {"heat": 5.0, "policy_rate": 1.0})
    body = wrapped.body
    assert isinstance(body, SpotTuneBody)
    return body.eval()


def test_the_policy_switches_between_tuned_and_frozen_modules() -> None:
    body = spots()
    before = body(IMAGES)
    with torch.no_grad():
        for stage in body.stages:
            for path in stage:
                for parameter in body.spot(path).tuned.parameters():
                    parameter.mul_(1.2)
        body.policy.choice.bias.fill_(-9.0)
        torch.testing.assert_close(body(IMAGES), before)  # all frozen: what it was
        body.policy.choice.bias.fill_(9.0)
        tuned = body(IMAGES)
    assert not torch.allclose(tuned, before)
    names = [path for stage in body.stages for path in stage]
    assert all(body.spot(path).decision is None for path in names)


def test_decisions_follow_the_policy_probabilities() -> None:
    body = spots().train()
    logits = torch.tensor([[0.0, 2.0, -3.0]]).expand(4000, 3).clone().requires_grad_()
    torch.manual_seed(0)
    chosen = body.decide(logits)
    assert ((chosen - chosen.round()).abs() < 1e-6).all()
    expected = torch.sigmoid(logits[0]).detach()
    torch.testing.assert_close(chosen.detach().mean(0), expected, atol=0.03, rtol=0)
    chosen.sum().backward()
    assert logits.grad is not None
    assert (logits.grad > 0).any()
