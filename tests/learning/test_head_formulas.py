"""Features of every head against numpy, their gradients and initialisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from workbench.domain.errors import ValueRefused
from workbench.learning.heads import HEADS, ClassHead, JointHead, find_head
from workbench.learning.heads.parts import Parts, cluster, peaks
from workbench.learning.heads.second_order import signed_sqrt, unit

SMALL = {
    "linear": {},
    "bilinear": {"scale": 1.0},
    "compact-bilinear": {"dimension": 32, "scale": 1.0},
    "fusion": {"n": 3, "m": 4, "scale": 1.0},
    "adaptation": {"hidden": 7, "dropout": 0.0},
    "parts": {"parts": 2},
}
WIDTHS = {"linear": 5, "bilinear": 25, "compact-bilinear": 32, "fusion": 12, "adaptation": 7}


def made(name: str, channels: int = 5, **options) -> nn.Module:
    torch.manual_seed(11)
    return find_head(name)(channels, {**SMALL[name], **options}).double()


def maps(count: int = 3, channels: int = 5, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(size=(count, channels, 4, 3)))


def given(name: str) -> torch.Tensor:
    return maps() if find_head(name).needs_maps else maps()[:, :, 0, 0]


def normalised(g: np.ndarray) -> np.ndarray:
    """Signed square root and length 1, as the papers have them."""
    root = np.sign(g) * np.sqrt(np.abs(g))
    return root / np.linalg.norm(root, axis=1, keepdims=True)


def test_every_head_has_its_own_small_case_here() -> None:
    assert set(HEADS) == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_slopes_are_those_of_the_formula(name: str) -> None:
    head = made(name).eval()
    x = given(name).requires_grad_()
    learned = [p for p in head.parameters() if p.requires_grad]
    assert torch.autograd.gradcheck(lambda x, *_: head(x), (x, *learned), atol=1e-6)
    assert head(x).shape == (3, head.width)
    assert head.width == WIDTHS.get(name, 10)


@pytest.mark.parametrize("name", SMALL)
def test_nothing_to_see_gives_numbers_and_finite_slopes(name: str) -> None:
    head = made(name)
    x = torch.zeros_like(given(name)).requires_grad_()
    features = head(x)
    features.sum().backward()
    assert torch.isfinite(features).all()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().max() < 1e6


def test_signed_root_is_a_root_with_a_sign_and_smooth_at_nothing() -> None:
    x = torch.tensor([-4.0, -0.25, 0.0, 0.25, 9.0], dtype=torch.float64, requires_grad=True)
    root = signed_sqrt(x)
    np.testing.assert_allclose(root.detach(), [-2, -0.5, 0, 0.5, 3], atol=2e-5)
    root.sum().backward()
    assert x.grad[2].item() == pytest.approx(1 / np.sqrt(1e-5))
    np.testing.assert_allclose(x.grad[[0, 1, 3, 4]], [0.25, 1, 1, 1 / 6], rtol=2e-4)
    assert unit(torch.tensor([[3.0, 4.0]])).numpy() == pytest.approx(np.array([[0.6, 0.8]]))


def test_bilinear_pools_the_products_of_every_two_channels() -> None:
    x = maps().numpy()
    g = np.zeros((3, 5, 5))
    for i in range(4):
        for j in range(3):
            g += x[:, :, None, i, j] * x[:, None, :, i, j]
    expected = normalised((g / 12).reshape(3, 25))
    np.testing.assert_allclose(made("bilinear")(maps()).numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(made("bilinear", scale=8)(maps()).numpy(), 8 * expected, atol=1e-3)


@pytest.mark.parametrize("name", ["bilinear", "compact-bilinear"])
def test_products_keep_single_precision_where_a_training_runs_in_half(name: str) -> None:
    head, x = made(name).float(), maps().float()
    whole = head(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(x), whole)
        half = head(x.bfloat16())
    assert half.dtype == torch.float32
    assert torch.equal(half, head(x.bfloat16().float()))


def test_too_many_channels_are_brought_down_first() -> None:
    head = find_head("bilinear")(5, {"channels": 3, "scale": 1.0}).double()
    assert head.width == 9
    weights = head.narrow.weight.detach().numpy()[:, :, 0, 0]
    x = np.einsum("of,nfij->noij", weights, maps().numpy())
    expected = normalised(np.einsum("naij,nbij->nab", x, x).reshape(3, 9) / 12)
    np.testing.assert_allclose(head(maps()).detach().numpy(), expected, atol=1e-4)


def by_fft(x: np.ndarray, head: nn.Module) -> np.ndarray:
    """Tensor sketches cell by cell, as Gao et al. compute them, averaged over the cells."""
    places, signs = head.places.numpy(), head.signs.numpy()
    d = head.width
    counts = np.zeros((2, len(x), d, *x.shape[2:]))
    for k in range(2):
        for channel in range(x.shape[1]):
            counts[k, :, places[k, channel]] += signs[k, channel] * x[:, channel]
    product = np.fft.fft(counts[0], axis=1) * np.fft.fft(counts[1], axis=1)
    return np.fft.ifft(product, axis=1).real.mean(axis=(2, 3))


def test_compact_bilinear_is_the_convolution_of_two_count_sketches() -> None:
    head = made("compact-bilinear")
    expected = by_fft(maps().numpy(), head)
    np.testing.assert_allclose(head.sketch(maps()).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(head(maps()).numpy(), normalised(expected), atol=1e-3)


def test_slopes_of_a_sketch_are_rounded_once_where_a_training_runs_in_half() -> None:
    head, weights = made("compact-bilinear"), torch.randn(3, 32).double()
    half = maps().bfloat16().requires_grad_()
    whole = half.detach().double().requires_grad_()
    (head.sketch(whole) * weights).sum().backward()
    with torch.autocast("cpu", torch.bfloat16):
        (head.float().sketch(half) * weights.float()).sum().backward()
    assert half.grad.dtype == torch.bfloat16
    torch.testing.assert_close(half.grad.double(), whole.grad, rtol=2**-8, atol=1e-6)


def test_products_of_sketches_are_squared_products_on_average() -> None:
    x, y = maps(1, 16, 3)[..., :1, :1], maps(1, 16, 4)[..., :1, :1] + 0.5
    wanted = float((x * y).sum() ** 2)
    found = []
    for seed in range(400):
        head = find_head("compact-bilinear")(16, {"dimension": 128, "seed": seed}).double()
        found.append(float((head.sketch(x) * head.sketch(y)).sum()))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - wanted) < 3 * error
    assert error < 0.1 * wanted


def test_hashes_follow_from_the_seed_and_lie_in_the_weights() -> None:
    one, same, other = (
        find_head("compact-bilinear")(16, {"seed": seed}).state_dict() for seed in (3, 3, 4)
    )
    assert torch.equal(one["places"], same["places"])
    assert torch.equal(one["signs"], same["signs"])
    assert not torch.equal(one["places"], other["places"])
    assert set(one["signs"].flatten().tolist()) == {-1.0, 1.0}


def convolved(x: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    """A convolution that keeps the size, tap by tap."""
    weights, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    high, wide = weights.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (high // 2,) * 2, (wide // 2,) * 2))
    out = np.zeros((len(x), len(weights), *x.shape[2:])) + bias[:, None, None]
    for i in range(high):
        for j in range(wide):
            part = padded[:, :, i : i + x.shape[2], j : j + x.shape[3]]
            out += np.einsum("of,nfij->noij", weights[:, :, i, j], part)
    return out


@pytest.mark.parametrize(
    ("variant", "kernels"), [("1x3-3x1", [(1, 3), (3, 1)]), ("3x3", [(3, 3)]), ("1x1", [(1, 1)])]
)
def test_fusion_pools_the_products_of_two_branches(variant: str, kernels: list) -> None:
    head = made("fusion", variant=variant)
    layers = [m for m in head.b.modules() if isinstance(m, nn.Conv2d)]
    assert [layer.kernel_size for layer in layers] == kernels
    a = b = maps().numpy()
    a = convolved(a, head.a)
    for layer in layers:
        b = convolved(b, layer)
    expected = normalised(np.einsum("naij,nbij->nab", a, b).reshape(3, 12) / 12)
    np.testing.assert_allclose(head(maps()).detach().numpy(), expected, atol=1e-3)


def test_adaptation_is_a_layer_with_a_relu_and_dropout_while_training() -> None:
    head = made("adaptation", dropout=0.5)
    x = maps()[:, :, 0, 0]
    weights, bias = (p.detach().numpy() for p in head.first.parameters())
    expected = np.maximum(x.numpy() @ weights.T + bias, 0)
    np.testing.assert_allclose(head.eval()(x).detach().numpy(), expected)
    trained = head.train()(x).detach().numpy()
    kept = (trained != 0) | (expected == 0)
    assert not kept.all()
    np.testing.assert_allclose(trained[kept], 2 * expected[kept])


def test_parts_weigh_the_cells_by_the_channels_of_the_part() -> None:
    head = made("parts")
    nn.init.normal_(head.member.weight)
    x = maps().numpy()
    logits = x.mean(axis=(2, 3)) @ head.member.weight.detach().numpy().T
    weights = 1 / (1 + np.exp(-(logits + head.member.bias.detach().numpy())))
    lit = np.einsum("npc,ncij->npij", weights.reshape(3, 2, 5), np.maximum(x, 0))
    where = lit / lit.sum(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(head.attention(maps()).detach().numpy(), where, atol=1e-5)
    expected = np.einsum("npij,ncij->npc", where, x).reshape(3, 10) / np.sqrt(2)
    np.testing.assert_allclose(head(maps()).detach().numpy(), expected, atol=1e-5)


def test_parts_begin_with_channels_that_peak_together() -> None:
    """Two bright spots that wander; even channels see one of them, odd channels the other."""
    random = np.random.default_rng(5)
    seen = torch.rand(40, 6, 7, 7, generator=torch.Generator().manual_seed(1)) * 0.1
    spots = random.integers(0, 7, (40, 2, 2))
    for image in range(40):
        for channel in range(6):
            i, j = spots[image, channel % 2]
            seen[image, channel, i, j] = 1.0
    head = Parts(6, {"parts": 2})
    head.begin(lambda *_: seen.split(16))
    inside = head.member.bias.reshape(2, 6) > 0
    assert inside.sum(0).tolist() == [1] * 6
    assert sorted(inside[:, 0].tolist()) == [False, True]
    for channel in range(6):
        assert torch.equal(inside[:, channel], inside[:, channel % 2])
    where = head.attention(seen).detach()
    part = int(inside[:, 0].nonzero())
    for image in range(40):
        i, j = spots[image, 0]
        assert where[image, part, i, j] == where[image, part].max()


def test_parts_ask_for_the_configured_number_of_images() -> None:
    asked = []

    def outputs(text: str, most: int):
        asked.append((bool(text), most))
        return [torch.rand(4, 6, 3, 3)]

    Parts(6, {"parts": 2, "images": 6}).begin(outputs)
    assert asked == [(True, 6)]


def test_peaks_and_clusters_of_channels() -> None:
    x = torch.zeros(1, 2, 3, 5)
    x[0, 0, 2, 4] = x[0, 1, 1, 0] = 1.0
    assert peaks(x).tolist() == [[[1.0, 1.0], [0.5, 0.0]]]
    alike = cluster(np.zeros((6, 4)), 2, 0)
    assert sorted(set(alike.tolist())) == [0, 1]  # no cluster is empty
    apart = np.repeat([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]], 3, axis=0)
    found = cluster(apart, 3, 0)
    assert len({tuple(found[at : at + 3]) for at in (0, 3, 6)}) == 3
    assert all(len(set(found[at : at + 3])) == 1 for at in (0, 3, 6))
    np.testing.assert_array_equal(found, cluster(apart, 3, 0))


@pytest.mark.parametrize("name", SMALL)
def test_every_head_works_with_one_and_two_classifiers(name: str) -> None:
    transform = made(name).float()
    x = given(name).float()
    assert ClassHead(transform, 4)(x).shape == (3, 4)
    scores = JointHead(transform, 4, 2)(x)
    assert scores[:, :4].exp().sum(1).detach().numpy() == pytest.approx(np.ones(3), rel=1e-5)
    assert scores[:, 4:].exp().sum(1).detach().numpy() == pytest.approx(np.ones(3), rel=1e-5)


def test_heads_that_are_not_there_and_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueRefused, match="compact-bilinear"):
        find_head("trilinear")
    with pytest.raises(ValueRefused, match=r"options\.compact-bilinear\.dimension"):
        find_head("compact-bilinear")(8, {"dimension": 2})
    with pytest.raises(ValueRefused, match="1x3-3x1"):
        find_head("fusion")(8, {"variant": "5x5"})
    assert find_head("joint").spec.name == "linear"  # an older model card


@pytest.mark.parametrize("name", ["bilinear", "compact-bilinear", "fusion"])
def test_products_of_channels_are_multiplied_by_the_scale(name: str) -> None:
    x = given(name)
    torch.testing.assert_close(made(name, scale=8.0)(x), 8 * made(name, scale=1.0)(x))


def test_classifiers_begin_near_nothing() -> None:
    torch.manual_seed(2)
    joint = JointHead(500, 20, 4)
    for layer in (ClassHead(500, 80).target, joint.view, joint.within):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)
        assert not layer.bias.any()


def test_a_classifier_initialises_its_transform_from_data() -> None:
    seen = torch.rand(8, 6, 3, 3, generator=torch.Generator().manual_seed(1))
    alone, inside = Parts(6, {"parts": 2}), Parts(6, {"parts": 2})
    alone.begin(lambda *_: [seen])
    ClassHead(inside, 3).begin(lambda *_: [seen])
    assert alone.member.bias.any()
    assert torch.equal(inside.member.bias, alone.member.bias)


def test_a_classifier_for_other_channels_is_of_the_same_kind() -> None:
    transform = find_head("fusion")(5, {"n": 3, "m": 4})
    plain = ClassHead(transform, 6).for_channels(7)
    assert plain(maps(channels=7).float()).shape == (3, 6)
    joint = JointHead(transform, 6, 2).for_channels(7)
    assert joint(maps(channels=7).float()).shape == (3, 8)
    assert (joint.classes, joint.views, joint.transform.width) == (6, 2, 12)
    assert ClassHead(9, 6).for_channels(7).target.in_features == 7
