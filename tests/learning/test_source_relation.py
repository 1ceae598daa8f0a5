"""The relation of labels to source classes in Co-Tuning, against computations in float64."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from workbench.learning.methods import co_tuning
from workbench.learning.methods.co_tuning import direct, fit_temperature, reverse

CLASSES, SOURCES = 4, 60


def outputs(length: float, per: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Source logits of a network whose weight rows are `length` times as long as usual: each label
    looks like three source classes, and everything else is far below."""
    draw = np.random.default_rng(3)
    labels = np.repeat(np.arange(CLASSES), per)
    logits = draw.normal(0, 1, (len(labels), SOURCES))
    near = 3 * labels + draw.integers(0, 3, len(labels))
    logits[np.arange(len(labels)), near] += 4
    return torch.from_numpy(length * logits).float(), torch.from_numpy(labels)


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


@pytest.mark.parametrize("length", [1, 60])
def test_rows_of_both_relations_sum_to_one(length: float) -> None:
    logits, labels = outputs(length)
    for relate in (direct, reverse):
        rows = relate(logits.log_softmax(1), labels, CLASSES).double().exp().sum(1)
        np.testing.assert_allclose(rows, 1, rtol=1e-4)


def test_direct_relations_are_mean_predictions() -> None:
    predictions = torch.tensor([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])
    found = direct(predictions.log(), torch.tensor([0, 0, 1, -1]), 3).exp()
    np.testing.assert_allclose(found, [[0.7, 0.3], [0.1, 0.9], [0.5, 0.5]], rtol=1e-6)
    logits, labels = outputs(8)
    found = direct(logits.log_softmax(1), labels, CLASSES)
    exact = np.exp(log_softmax(logits.double().numpy()))
    for label in range(CLASSES):
        mean = np.log(exact[labels.numpy() == label].mean(0))
        np.testing.assert_allclose(found[label], mean, rtol=1e-4)


def test_reverse_relations_follow_bayes() -> None:
    """Source classes 0 and 1 only show label 0, class 2 only label 1: P(s|y) is then P(s) shared
    out among the classes of that label."""
    rows = [0] * 30 + [1] * 10 + [2] * 40
    predictions = torch.full((80, 3), 0.005)
    predictions[range(80), rows] = 0.99
    found = reverse(predictions.log(), torch.tensor([0] * 40 + [1] * 40), 2).exp()
    np.testing.assert_allclose(found, [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]], atol=0.06)


def test_reverse_relations_are_those_of_an_independent_regression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decay = 1e-3
    monkeypatch.setattr(co_tuning, "DECAYS", (decay,))
    logits, labels = outputs(12)
    logs = log_softmax(logits.double().numpy())
    predictions, wanted = np.exp(logs), np.eye(CLASSES)[labels.numpy()]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = flat[CLASSES:].reshape(CLASSES, SOURCES), flat[:CLASSES]
        own = log_softmax(predictions @ weight.T + bias)
        slope = (np.exp(own) - wanted) / len(wanted)
        of_weight = slope.T @ predictions + 2 * decay * weight
        value = -(wanted * own).sum() / len(wanted) + decay * (weight**2).sum()
        return value, np.concatenate((slope.sum(0), of_weight.ravel()))

    start = np.zeros(CLASSES * (SOURCES + 1))
    best = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", tol=1e-12).x
    weight, bias = best[CLASSES:].reshape(CLASSES, SOURCES), best[:CLASSES]
    of_label = log_softmax((weight + bias[:, None]).T).T  # log P(y|s)
    joint = np.exp(of_label) * predictions.mean(0)
    found = reverse(logits.log_softmax(1), labels, CLASSES).exp()
    np.testing.assert_allclose(found, joint / joint.sum(1, keepdims=True), atol=0.003)


def surprise(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Mean −log P(y|x) of each fifth image of a label, by the relation of the other images."""
    predictions = np.exp(log_softmax(logits / temperature))
    fold = np.concatenate([np.arange((labels == label).sum()) % 5 for label in range(CLASSES)])
    losses = []
    for at in range(5):
        rest, held = fold != at, fold == at
        relation = np.stack([predictions[rest & (labels == y)].mean(0) for y in range(CLASSES)])
        of_source = relation / relation.sum(0)
        scores = predictions[held] @ of_source.T
        losses.append(-np.log(scores[np.arange(held.sum()), labels[held]]))
    return float(np.concatenate(losses).mean())


def test_the_temperature_makes_held_out_labels_most_likely() -> None:
    logits, labels = outputs(10)
    found = fit_temperature(logits, labels, CLASSES)
    exact, known = logits.double().numpy(), labels.numpy()
    best = surprise(exact, known, found)
    assert best <= min(surprise(exact, known, found * factor) for factor in (0.5, 0.8, 1.25, 2, 8))
    assert best < 0.8 * np.log(CLASSES)
    spread = float(logits.std())
    assert found < 0.5 * spread  # at this one, the relation is nearly uniform
    flat = direct((logits / spread).log_softmax(1), labels, CLASSES).exp()
    sharp = direct((logits / found).log_softmax(1), labels, CLASSES).exp()
    assert flat.amax(1).max() < 0.7 * sharp.amax(1).min()


def test_the_temperature_grows_with_the_logits_and_is_1_without_a_second_image() -> None:
    logits, labels = outputs(1)
    once = fit_temperature(logits, labels, CLASSES)
    assert fit_temperature(100 * logits, labels, CLASSES) == pytest.approx(100 * once, rel=1e-4)
    assert fit_temperature(logits[::12], labels[::12], CLASSES) == 1.0
    hidden = torch.where(torch.arange(len(labels)) % 2 == 0, labels, -1)
    assert fit_temperature(logits, hidden, CLASSES) == pytest.approx(
        fit_temperature(logits[::2], labels[::2], CLASSES)
    )
