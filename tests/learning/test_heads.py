"""Heads and losses against numpy."""

import numpy as np
import pytest
import torch

from tests.fixtures.run_folders import CATEGORY, TINY, VIEW
from workbench.domain.recipes import complete
from workbench.domain.runs import RunLabels
from workbench.learning.heads import ClassHead, JointHead
from workbench.learning.methods import METHODS, Batch, Setup


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.fixture
def head() -> JointHead:
    torch.manual_seed(3)
    made = JointHead(5, classes=3, views=3)
    torch.nn.init.normal_(made.view.weight)
    torch.nn.init.normal_(made.within.weight)
    return made


FEATURES = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32))


def by_hand(head: JointHead) -> tuple[np.ndarray, np.ndarray]:
    """P(y|x) and P(v|x) summed view by view."""
    x = FEATURES.numpy().astype(np.float64)
    of_view = softmax(x @ head.view.weight.detach().numpy().T + head.view.bias.detach().numpy())
    weights = head.within.weight.detach().numpy().reshape(3, 3, 5)
    biases = head.within.bias.detach().numpy().reshape(3, 3)
    of_class = np.zeros((4, 3))
    for view in range(3):
        of_class += of_view[:, view : view + 1] * softmax(x @ weights[view].T + biases[view])
    return of_class, of_view


def test_joint_head_sums_over_the_views(head: JointHead) -> None:
    scores = head(FEATURES).detach().numpy()
    of_class, of_view = by_hand(head)
    np.testing.assert_allclose(np.exp(scores[:, :3]), of_class, rtol=1e-5)
    np.testing.assert_allclose(np.exp(scores[:, 3:]), of_view, rtol=1e-5)


def test_tie_is_half_the_squared_distance_of_each_class_from_its_view(head: JointHead) -> None:
    within = head.within.weight.detach().numpy().reshape(3, 3, 5)
    view = head.view.weight.detach().numpy()
    expected = 0.5 * sum(np.sum((within[g, j] - view[g]) ** 2) for g in range(3) for j in range(3))
    assert head.tie().item() == pytest.approx(expected, rel=1e-5)


def test_joint_loss_adds_both_terms_and_skips_missing_labels(head: JointHead) -> None:
    recipe = complete({**TINY, "target": "category+view", "label_smoothing": 0.0, "tie": 0.1}, {})
    network = torch.nn.Sequential()
    network.head = head
    network.forward = lambda x: head(x)
    method = METHODS["fine-tune"](Setup(recipe, RunLabels(CATEGORY, VIEW), None, network))
    targets, views = torch.tensor([0, 2, -1, 1]), torch.tensor([1, -1, 2, -1])
    loss, scores = method.loss(network, Batch(FEATURES, targets, views))
    of_class, of_view = by_hand(head)
    terms = -np.log(of_class[[0, 1, 3], [0, 2, 1]]).sum() - np.log(of_view[[0, 2], [1, 2]]).sum()
    assert loss.item() == pytest.approx(terms / 4 + 0.1 * head.tie().item(), rel=1e-5)
    assert scores.shape == (4, 6)


def test_no_label_at_all_gives_no_loss_and_no_nan() -> None:
    head = ClassHead(5, 3)
    network = torch.nn.Sequential()
    network.head = head
    network.forward = lambda x: head(x)
    method = METHODS["fine-tune"](Setup(complete(TINY, {}), RunLabels(CATEGORY), None, network))
    nothing = torch.full((4,), -1)
    assert method.loss(network, Batch(FEATURES, nothing, nothing))[0].item() == 0.0


def test_class_weights_multiply_each_image_s_loss() -> None:
    head = ClassHead(5, 3)
    network = torch.nn.Sequential()
    network.head = head
    network.forward = lambda x: head(x)
    recipe = complete({**TINY, "label_smoothing": 0.0}, {})
    weights = torch.tensor([2.0, 0.5, 1.0])
    targets = torch.tensor([0, 1, 2, 0])
    plain = METHODS["fine-tune"](Setup(recipe, RunLabels(CATEGORY), weights, network))
    loss, scores = plain.loss(network, Batch(FEATURES, targets, targets))
    own = -np.log(softmax(scores.detach().numpy())[range(4), targets])
    assert loss.item() == pytest.approx((own * weights[targets].numpy()).mean(), rel=1e-5)
