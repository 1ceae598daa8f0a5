"""Penalties and shared loss terms, against numpy and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.fixtures.run_folders import CATEGORY, TINY
from workbench.domain.methods import Options
from workbench.domain.recipes import complete
from workbench.domain.runs import RunLabels
from workbench.domain.stage_rules import StageRule
from workbench.learning.loop.batches import mix_batch
from workbench.learning.loop.loop import backward
from workbench.learning.methods import Batch, InitialState, Setup
from workbench.learning.methods.terms import LabelLoss
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import Network, build_network
from workbench.learning.networks.probe import linear_probe, pooled
from workbench.learning.optimizers import make_optimizer
from workbench.learning.penalties import PENALTIES, Penalty, watching
from workbench.learning.penalties.base import HEAD_INPUT
from workbench.learning.penalties.delta import Maps, tail_after
from workbench.learning.protocol.reporting import Preparation

LABELS = RunLabels(CATEGORY)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    return build_network("simpleconv3", LABELS)


def batch_of(count: int = 6, size: int = 32) -> Batch:
    draw = torch.Generator().manual_seed(2)
    images = torch.randn(count, 3, size, size, generator=draw)
    targets = torch.arange(count) % 3
    return Batch(images, targets, torch.full((count,), -1))


def made(name: str, network: Network, **options: object) -> Penalty:
    given: Options = {name: options}  # type: ignore[dict-item]
    recipe = complete({**TINY, "penalty": name, "options": given}, {})
    return PENALTIES[name](Setup(recipe, LABELS, None, network))


def value(penalty: Penalty, network: Network, batch: Batch) -> Tensor:
    with watching(network, penalty.watched) as watched:
        network(batch.images)
    return penalty.value(network, batch, watched)


def matrices(network: Network) -> dict[str, np.ndarray]:
    """Weights without biases and normalisation, by name."""
    named = network.named_parameters()
    return {name: p.detach().numpy().copy() for name, p in named if p.ndim > 1}


def test_l2_is_half_the_squared_length_of_all_weights(network: Network) -> None:
    expected = 0.3 / 2 * sum((w**2).sum() for w in matrices(network).values())
    assert value(made("l2", network, alpha=0.3), network, batch_of()).item() == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize(
    ("up_to", "below"),
    [("all", ("conv1", "conv2", "conv3", "fc")), ("conv2", ("conv1", "conv2"))],
)
def test_l2_sp_is_measured_from_the_start(
    network: Network, up_to: str, below: tuple[str, ...]
) -> None:
    penalty = made("l2-sp", network, alpha=0.5, beta=0.2, up_to=up_to)
    start = matrices(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01)
    expected = 0.0
    for name, now in matrices(network).items():
        if name.startswith(tuple(f"body.{stage}" for stage in below)):
            expected += 0.5 / 2 * ((now - start[name]) ** 2).sum()
        else:
            expected += 0.2 / 2 * (now**2).sum()
    assert value(penalty, network, batch_of()).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("count", [5, 200])
def test_bss_sums_the_smallest_squared_singular_values(network: Network, count: int) -> None:
    batch = batch_of(count)
    with watching(network, (HEAD_INPUT,)) as watched:
        network(batch.images)
    features = watched[HEAD_INPUT].detach().double().numpy()
    features *= np.sqrt(512 / (features**2).sum(1).mean())
    singular = np.linalg.svd(features, compute_uv=False)
    found = made("bss", network, k=2, eta=0.5).value(network, batch, watched)
    assert found.item() == pytest.approx(
        0.5 * (singular[-2:] ** 2).sum(), rel=1e-3, abs=1e-6 * singular[0] ** 2
    )


def test_bss_is_the_papers_at_one_length_of_features_and_the_same_at_others(
    network: Network,
) -> None:
    draw = np.random.default_rng(5)
    features = np.abs(draw.normal(size=(12, 40)))
    features *= np.sqrt(512 / (features**2).sum(1).mean())
    paper = 1e-3 * np.linalg.svd(features, compute_uv=False)[-1] ** 2
    for length in (1.0, 0.05):
        given = {HEAD_INPUT: torch.from_numpy(length * features).float()}
        found = made("bss", network).value(network, batch_of(12), given)
        assert found.item() == pytest.approx(paper, rel=1e-3)


def test_bss_has_the_right_gradient(network: Network) -> None:
    """That of the sum alone: the factor counts as a constant."""
    penalty = made("bss", network, k=2, eta=1.0)
    features = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    factor = 512 / features.detach().square().sum(1).mean()

    def of(x: Tensor) -> Tensor:
        return factor * torch.linalg.eigvalsh(x @ x.T)[:2].sum()

    assert torch.autograd.gradcheck(of, features)
    expected = torch.autograd.grad(of(features), features)[0]
    got = torch.autograd.grad(
        penalty.value(network, batch_of(4), {HEAD_INPUT: features}), features
    )[0]
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-2)


def test_same_class_is_the_mean_over_pairs(network: Network) -> None:
    features = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [5.0, 5.0]])
    batch = Batch(torch.zeros(4, 3, 8, 8), torch.tensor([0, 0, 0, -1]), torch.full((4,), -1))
    found = made("same-class", network, weight=0.5).value(network, batch, {HEAD_INPUT: features})
    assert found.item() == pytest.approx(0.5 * (2 + 0 + 2) / 3)  # squared distances at length 1
    alone = Batch(batch.images[:1], batch.targets[:1], batch.views[:1])
    none = made("same-class", network).value(network, alone, {HEAD_INPUT: features[:1]})
    assert none.item() == 0.0


LAST_MAPS = "body.bn3"  # of the third convolution; a fully connected layer follows


def test_delta_weighs_the_change_of_every_channel_of_the_last_maps(network: Network) -> None:
    network.eval()
    penalty = made("delta", network, alpha=0.8, importance="equal")
    assert penalty.watched == (LAST_MAPS,)
    batch = batch_of()
    with torch.no_grad():
        before = maps_of(network, LAST_MAPS, batch)
        network.body.conv1.weight.mul_(1.1)
        after = maps_of(network, LAST_MAPS, batch)
    change = (after - before).numpy() ** 2
    expected = 0.8 / 2 * change.mean((2, 3)).mean(0).sum()
    assert value(penalty, network, batch).item() == pytest.approx(expected, rel=1e-4)


def maps_of(network: Network, name: str, batch: Batch) -> Tensor:
    with watching(network, (name,)) as seen:
        network(batch.images)
    return seen[name]


def test_delta_asks_for_its_number_of_images(network: Network) -> None:
    asked: list[int] = []

    def train(most: int) -> list[Batch]:
        asked.append(most)
        return [batch_of(4)]

    for images in (7, 64):
        penalty = made("delta", network, images=images)
        penalty.begin(InitialState(network, train, choose_device(), 100))
    assert asked == [7, 64]


@pytest.mark.parametrize(("how", "left"), [("ablation", 0.0), ("gradient", 0.999)])
def test_delta_weighs_channels_by_what_their_loss_costs(
    network: Network, how: str, left: float
) -> None:
    """A channel behind a normalisation is scaled by scaling that one's weight and bias: to nothing
    for the ablation, a little for the first order of it."""
    network.eval()
    batch = batch_of(24)
    penalty = made("delta", network, importance=how, temperature=2.0)
    penalty.begin(InitialState(network, lambda _: [batch], choose_device(), 24))
    weights = penalty.extra.get_buffer(LAST_MAPS.replace(".", "/")).numpy()
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    source = penalty.source
    norm = source.get_submodule(LAST_MAPS)
    with torch.no_grad():
        head = linear_probe(source.body(batch.images), batch.targets, 3)

    def loss() -> float:
        with torch.no_grad():
            scores = head(source.body(batch.images))
            return float(nn.functional.cross_entropy(scores.double(), batch.targets))

    base, rises = loss(), []
    for channel in range(len(weights)):
        kept = norm.weight[channel].item(), norm.bias[channel].item()
        with torch.no_grad():
            norm.weight[channel] *= left
            norm.bias[channel] *= left
            rises.append((loss() - base) / (1 - left))
            norm.weight[channel], norm.bias[channel] = kept
    rises = np.array(rises) / np.std(rises, ddof=1) / 2
    expected = np.exp(rises) / np.exp(rises).sum()
    np.testing.assert_allclose(weights, expected, rtol=0.08)


@pytest.mark.parametrize(
    ("name", "head"),
    [("squeezenet1_1", "linear"), ("mobilenet_v2", "linear"), ("squeezenet1_1", "bilinear")],
)
def test_delta_switches_channels_off_in_any_body(name: str, head: str) -> None:
    torch.manual_seed(3)
    network = build_network(name, LABELS, head).eval()
    body = network.body
    penalty = PENALTIES["delta"](
        Setup(complete({**TINY, "backbone": name, "image_size": 64}, {}), LABELS, None, network)
    )
    batch = batch_of(6, 64)
    with watching(network, penalty.watched) as seen, torch.no_grad():
        given = body(batch.images)
    (last,) = penalty.watched
    found = Maps(
        seen[last].detach(),
        pooled(given).detach(),
        batch.targets,
        tail_after(body, last.removeprefix("body."), 64),
    ).ablated(Preparation())
    with torch.no_grad():
        probe = linear_probe(pooled(given), batch.targets, 3)

        def loss() -> Tensor:
            return nn.functional.cross_entropy(probe(pooled(body(batch.images))), batch.targets)

        for channel in (0, 5, len(found) - 1):
            base = loss()
            hook = network.get_submodule(last).register_forward_hook(
                lambda _, __, output, channel=channel: output.index_fill(
                    1, torch.tensor([channel]), 0.0
                )
            )
            rise = 6 * (loss() - base)
            hook.remove()
            assert found[channel].item() == pytest.approx(rise.item(), abs=1e-4)


def test_only_what_a_penalty_pulls_elsewhere_has_no_weight_decay(network: Network) -> None:
    every = {name for name, _ in network.named_parameters()}

    def spared(name: str, **recipe: object) -> set[str]:
        given = complete({**TINY, "penalty": name, **recipe}, {})
        found = PENALTIES[name](Setup(given, LABELS, None, network)).replaces_decay(network)
        ids = {id(parameter) for parameter in found}
        return {name for name, parameter in network.named_parameters() if id(parameter) in ids}

    stages = [(f"body.conv{n}.", f"body.bn{n}.") for n in (1, 2, 3)]
    assert spared("bss") == set()
    assert spared("l2") == spared("l2-sp") == every
    assert spared("delta") == {name for name in every if name.startswith(sum(stages, ()))}
    new = {"conv2": StageRule(start="new")}
    drawn = stages[0] + stages[2]
    assert spared("delta", stages=new) == {name for name in every if name.startswith(drawn)}
    optimizer = make_optimizer(
        [(network, 1.0)],
        complete({**TINY, "weight_decay": 0.1}, {}),
        torch.device("cpu"),
        [network.body.conv1.weight],
    )
    decayed = {
        id(parameter)
        for group in optimizer.param_groups
        for parameter in group["params"]
        if group["weight_decay"]
    }
    assert id(network.body.conv1.weight) not in decayed
    assert {id(network.body.conv2.weight), id(network.head.target.weight)} <= decayed


def test_projection_drops_only_what_opposes_the_loss() -> None:
    for towards, expected in (((-3.0, 1.0), (2.0, 1.0)), ((3.0, 1.0), (5.0, 1.0))):
        w = nn.Parameter(torch.zeros(2))
        loss = (w * torch.tensor([2.0, 0.0])).sum()
        penalty = (w * torch.tensor(towards)).sum()
        scaler = torch.amp.GradScaler("cuda", enabled=False)
        backward(loss, penalty, [w], scaler, projection=True)
        assert w.grad is not None
        assert w.grad.tolist() == pytest.approx(expected)
    w = nn.Parameter(torch.zeros(2))
    backward((2 * w).sum(), (-3 * w).sum(), [w], scaler, projection=False)
    assert w.grad is not None
    assert w.grad.tolist() == pytest.approx((-1.0, -1.0))


def test_the_focal_loss_weighs_what_is_still_wrong(network: Network) -> None:
    recipe = complete({**TINY, "loss": "focal", "focal_gamma": 2.0, "label_smoothing": 0.0}, {})
    scores = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.5, 0.2], [1.0, 1.0, 1.0]])
    targets = torch.tensor([0, 2, -1])
    batch = Batch(torch.zeros(3, 3, 8, 8), targets, targets)
    found = LabelLoss(Setup(recipe, LABELS, None, network))(network, scores, batch)
    p = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(1, keepdims=True)
    own = p[[0, 1], [0, 2]]
    assert found.item() == pytest.approx((-((1 - own) ** 2) * np.log(own)).sum() / 3, rel=1e-5)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_mixed_images_and_labels_agree(network: Network, mix: str) -> None:
    recipe = complete({**TINY, "mix": mix, "mix_alpha": 1.0, "label_smoothing": 0.0}, {})
    count = 8
    images = torch.arange(count).float().view(-1, 1, 1, 1).expand(count, 3, 20, 30).clone()
    targets = torch.arange(count) % 3
    torch.manual_seed(4)
    batch = mix_batch(Batch(images, targets, targets), recipe)
    assert batch.share is not None
    assert batch.partner is not None
    rows = torch.arange(count)
    mean = batch.share * rows + (1 - batch.share) * batch.partner
    torch.testing.assert_close(batch.images.mean(dim=(1, 2, 3)), mean.float())
    assert (batch.share >= 0.49).all()
    if mix == "cutmix":
        assert all(len(image.unique()) <= 2 for image in batch.images)
    scores = torch.randn(count, 3)
    found = LabelLoss(Setup(recipe, LABELS, None, network))(network, scores, batch)
    logs = scores.log_softmax(1).numpy()
    own, other = logs[rows, targets], logs[rows, targets[batch.partner]]
    share = batch.share.numpy()
    assert found.item() == pytest.approx(-(share * own + (1 - share) * other).mean(), rel=1e-5)
