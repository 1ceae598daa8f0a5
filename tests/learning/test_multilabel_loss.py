"""Labels that are not exclusive: loss against numpy, mirroring, exact resume."""

import numpy as np
import torch

from workbench.domain.recipes import Recipe
from workbench.domain.runs import LabelList, ModelCard, RunLabels, Sample
from workbench.learning.images.data import Images
from workbench.learning.images.label_tensors import LabelTensors
from workbench.learning.methods import Batch, Setup
from workbench.learning.methods.terms import LabelLoss, class_weights
from workbench.learning.networks.models import Network, build_network, probabilities

TAGS = RunLabels(LabelList("tags", ("left", "right", "dark"), (1, 0, 2), exclusive=False))
SCORES = np.array([[2.0, -1.0, 0.5], [-0.3, 0.2, 1.5]])
MARKS = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])


def loss_of(
    weights: list[float] | None = None, share: float | None = None, **keys: object
) -> float:
    recipe = Recipe(target="tags", **keys)
    network: Network = build_network("lenet5", TAGS)
    positive = torch.tensor(weights) if weights is not None else None
    batch = Batch(
        torch.zeros(2, 3, 32, 32),
        torch.zeros(2, dtype=torch.long),
        torch.full((2,), -1),
        partner=torch.tensor([1, 0]) if share is not None else None,
        share=torch.full((2,), share) if share is not None else None,
        marks=torch.from_numpy(MARKS).float(),
    )
    loss = LabelLoss(Setup(recipe, TAGS, positive, network))
    return float(loss(network, torch.from_numpy(SCORES).float(), batch))


def by_hand(
    marks: np.ndarray, smoothing: float = 0.0, weights: float = 1.0, gamma: float = 0.0
) -> np.ndarray:
    messages = 1 / (1 + np.exp(-SCORES))
    wanted = marks * (1 - smoothing) + smoothing / 2
    each = -(weights * wanted * np.log(messages) + (1 - wanted) * np.log(1 - messages))
    right = np.where(marks > 0, messages, 1 - messages)
    result: np.ndarray = (each * (1 - right) ** gamma).mean(axis=1)
    return result


def test_the_loss_is_the_mean_over_labels_and_images() -> None:
    assert np.isclose(loss_of(label_smoothing=0.0), by_hand(MARKS).mean(), atol=1e-6)
    assert np.isclose(loss_of(label_smoothing=0.1), by_hand(MARKS, 0.1).mean(), atol=1e-6)


def test_rare_labels_and_hard_images_weigh_more() -> None:
    weighed = loss_of([3.0, 3.0, 3.0], label_smoothing=0.0)
    assert np.isclose(weighed, by_hand(MARKS, weights=3.0).mean(), atol=1e-6)
    focal = loss_of(label_smoothing=0.0, loss="focal", focal_gamma=2.0)
    assert np.isclose(focal, by_hand(MARKS, gamma=2.0).mean(), atol=1e-6)


def test_a_mixed_image_counts_for_both_its_marks() -> None:
    wanted = 0.7 * by_hand(MARKS) + 0.3 * by_hand(MARKS[::-1])
    assert np.isclose(loss_of(share=0.7, label_smoothing=0.0), wanted.mean(), atol=1e-6)


def test_a_mirrored_image_carries_the_mirrored_labels() -> None:
    given = LabelTensors(torch.tensor([0, 1]), torch.tensor([-1, -1]), torch.from_numpy(MARKS))
    seen = given.mirrored(torch.tensor([True, False]), TAGS)
    assert seen.marks is not None
    assert seen.marks.tolist() == [[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    assert seen.targets.tolist() == [1, 1]


def test_each_label_is_scored_alone() -> None:
    card = ModelCard(
        backbone="lenet5",
        head="linear",
        labels=TAGS,
        image_size=32,
        test_resize=0,
        test_mirror=False,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )
    (messages,) = probabilities(torch.from_numpy(SCORES), card)
    assert np.allclose(messages.numpy(), 1 / (1 + np.exp(-SCORES)))


def test_an_image_is_right_where_its_highest_label_is_one_of_its_own() -> None:
    marks = torch.from_numpy(MARKS)
    batch = Batch(torch.zeros(2, 3, 8, 8), torch.zeros(2), torch.zeros(2), marks=marks)
    assert batch.right(torch.tensor([[0.1, 0.9, 0.2], [0.1, 0.2, 0.9]])).tolist() == [0.0, 1.0]


def test_balanced_weights_are_images_without_a_label_for_each_with_it() -> None:
    marks = [(0,), (0,), (0, 1), (), (0,), ()]  # the third label is on no image
    samples = [Sample(image=n, hash="", path="", marks=own) for n, own in enumerate(marks)]
    images = Images(
        samples,
        torch.zeros((len(marks), 1, 1, 3), dtype=torch.uint8),
        torch.tensor([own[0] if own else -1 for own in marks]),
        torch.full((len(marks),), -1),
        np.ones(len(marks), dtype=bool),
    )
    recipe = Recipe(target="tags", class_weights="balanced")
    found = class_weights(images, np.arange(len(marks)), recipe, TAGS.target)
    assert found is not None
    assert found.tolist() == [2 / 4, 5 / 1, 1.0]
    assert class_weights(images, np.arange(6), Recipe(target="tags"), TAGS.target) is None
