"""Transferability scores against independent computations."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from workbench.domain.transfers import negative_transfer_gap, tuning_gap
from workbench.learning.evaluation.transferability import (
    ClassMeans,
    class_means,
    domain_similarity,
    earth_movers_distance,
    frozen_accuracy,
    h_score,
    ledoit_wolf,
    leep,
    nce,
    neighbour_accuracy,
)


def made(n=60, d=5, classes=3, apart=2.0, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    centres = apart * random.normal(size=(classes, d))
    return centres[labels] + random.normal(size=(n, d)) @ random.normal(size=(d, d)), labels


def covariances(features, labels):
    """cov(f) and cov(E[f|y]) as they are defined, from numpy's own covariance."""
    means = np.array([features[labels == label].mean(axis=0) for label in labels])
    return np.cov(features.T, bias=True), np.cov(means.T, bias=True)


def test_h_score_is_the_trace_of_the_definition():
    features, labels = made()
    whole, between = covariances(features, labels)
    wanted = np.trace(np.linalg.inv(whole) @ between)
    assert h_score(features, labels, shrinkage=0) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("n", [60, 12])
def test_h_score_with_shrinkage_inverts_the_shrunk_covariance(n):
    features, labels = made(n=n, d=20)
    whole, between = covariances(features, labels)
    for alpha in (0.3, ledoit_wolf(features - features.mean(axis=0))):
        shrunk = (1 - alpha) * whole + alpha * np.trace(whole) / 20 * np.eye(20)
        wanted = (1 - alpha) * np.trace(np.linalg.inv(shrunk) @ between)
        assert h_score(features, labels, shrinkage=alpha) == pytest.approx(wanted, rel=1e-9)
    assert h_score(features, labels) == pytest.approx(wanted, rel=1e-9)


def test_h_score_of_constant_columns_uses_the_pseudo_inverse():
    features, labels = made()
    wide = np.concatenate((features, np.full((60, 2), 7.0), features[:, :1]), axis=1)
    whole, between = covariances(wide, labels)
    wanted = np.trace(np.linalg.pinv(whole, hermitian=True, rcond=1e-10) @ between)
    assert h_score(wide, labels, shrinkage=0) == pytest.approx(wanted, rel=1e-6)


def test_few_images_need_shrinkage():
    noise, labels = made(n=30, d=100, apart=0.0)
    reported, _ = made(n=30, d=100, apart=20.0)
    assert h_score(noise, labels, shrinkage=0) == pytest.approx(2.0)
    assert h_score(reported, labels, shrinkage=0) == pytest.approx(2.0)
    assert h_score(noise, labels) < 0.5 * h_score(reported, labels)


def test_ledoit_wolf_share_is_the_definition_summed_image_by_image():
    features, _ = made(n=25, d=6)
    x = features - features.mean(axis=0)
    whole = x.T @ x / 25
    away = ((whole - np.trace(whole) / 6 * np.eye(6)) ** 2).sum()
    noise = np.mean([((np.outer(row, row) - whole) ** 2).sum() for row in x]) / 25
    assert ledoit_wolf(x) == pytest.approx(noise / away, rel=1e-9)
    assert ledoit_wolf(np.array([[1.0], [-1.0]])) == 1.0, "a covariance that is the identity"


def test_nce_of_a_small_table_worked_by_hand():
    source = np.array([0, 0, 0, 0, 1, 1])
    target = np.array([3, 3, 3, 9, 9, 9])
    wanted = (3 * np.log(3 / 4) + np.log(1 / 4) + 2 * np.log(1)) / 6
    assert nce(source, target) == pytest.approx(wanted)
    assert nce(target, target) == 0.0
    assert nce(np.zeros(6, int), target) == pytest.approx(-np.log(2))


def test_leep_is_the_mean_log_of_the_expected_predictor():
    random = np.random.default_rng(1)
    theta = random.dirichlet(np.ones(4), 20)
    labels = random.integers(0, 3, 20)
    total = 0.0
    for i in range(20):
        inner = 0.0
        for z in range(4):
            joint = sum(theta[j, z] for j in range(20) if labels[j] == labels[i]) / 20
            inner += joint / (sum(theta[:, z]) / 20) * theta[i, z]
        total += np.log(inner)
    assert leep(theta, labels) == pytest.approx(total / 20)


def test_leep_of_sure_predictions_is_nce():
    source = np.array([0, 0, 0, 2, 2, 2])
    target = np.array([1, 1, 0, 0, 0, 1])
    assert leep(np.eye(4)[source], target) == pytest.approx(nce(source, target))


@pytest.mark.parametrize("k", [1, 3, 4])
def test_neighbour_accuracy_leaves_one_out(k):
    features, labels = made(n=40, d=3, apart=1.0)
    right = 0
    for i in range(40):
        others = sorted(
            set(range(40)) - {i}, key=lambda j: np.linalg.norm(features[i] - features[j])
        )
        near = [labels[j] for j in others[:k]]
        best = max(near.count(label) for label in near)
        right += next(label for label in near if near.count(label) == best) == labels[i]
    assert neighbour_accuracy(features, labels, k) == right / 40
    assert 0.3 < right / 40 < 1.0


def test_earth_movers_distance_of_equal_weights_is_the_best_assignment():
    random = np.random.default_rng(2)
    one, two = random.normal(size=(2, 5, 3))
    costs = np.linalg.norm(one[:, None] - two[None], axis=2)
    wanted = min(
        sum(costs[i, j] for i, j in enumerate(p)) for p in itertools.permutations(range(5))
    )
    assert wanted == pytest.approx(costs[linear_sum_assignment(costs)].sum())
    equal = np.full(5, 0.2)
    found = earth_movers_distance(ClassMeans(one, equal), ClassMeans(two, equal))
    assert found == pytest.approx(wanted / 5, rel=1e-6)


def test_earth_movers_distance_on_a_line_is_the_area_between_the_distributions():
    places = np.array([0.0, 1.0, 4.0, 6.0])
    one, two = np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.1, 0.1, 0.3, 0.5])
    area = (np.abs(np.cumsum(one - two))[:-1] * np.diff(places)).sum()
    found = earth_movers_distance(
        ClassMeans(places[:, None], one), ClassMeans(places[:, None], two)
    )
    assert found == pytest.approx(area, rel=1e-9)


def test_domain_similarity_weighs_classes_by_their_size():
    features = np.array(
        [[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 2.0]]
    )
    means = class_means(features, np.array([4, 4, 7, 7, 7, 7]))
    assert means.means.tolist() == [[1.0, 0.0], [10.0, 2.0]]
    assert means.weights.tolist() == [1 / 3, 2 / 3]
    assert domain_similarity(means, means) == pytest.approx(1.0)
    far = ClassMeans(means.means + np.array([3.0, 4.0]), means.weights)
    assert domain_similarity(means, far) == pytest.approx(np.exp(-0.05))
    assert domain_similarity(means, far, gamma=1.0) == pytest.approx(np.exp(-5.0))


def test_frozen_accuracy_is_measured_on_held_out_images():
    features, labels = made(n=200, d=6, apart=3.0)
    own = np.array([5, 2, 11])[labels]  # label numbers need not be 0, 1, 2
    sure = frozen_accuracy(features[:100], own[:100], features[100:], own[100:])
    assert sure > 0.9
    shuffled = np.random.default_rng(0).permutation(own[:100])
    assert frozen_accuracy(features[:100], shuffled, features[100:], own[100:]) < 0.65


def test_gaps_have_the_documented_sign():
    assert tuning_gap(0.7, 0.9) == pytest.approx(0.2)
    assert negative_transfer_gap(transfer_top1=0.6, scratch_top1=0.8) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("score", "arguments"),
    [
        (h_score, (np.zeros((3, 2)), np.zeros(3, int))),
        (h_score, (np.zeros((3, 2)), np.arange(2))),
        (nce, (np.zeros(0, int), np.zeros(0, int))),
        (leep, (np.ones((3, 2)) / 2, np.arange(2))),
        (neighbour_accuracy, (np.zeros((3, 2)), np.arange(3), 3)),
        (frozen_accuracy, (np.zeros((0, 2)), np.arange(0), np.zeros((1, 2)), np.arange(1))),
    ],
)
def test_what_cannot_be_scored_is_refused(score, arguments):
    with pytest.raises(ValueError, match=r"\w"):
        score(*arguments)


def test_leep_of_few_images_counts_source_classes_of_little_weight():
    theta = np.array([[0.5, 0.5], [0.2, 0.8]])
    wanted = (np.log(0.5 * 0.5 / 0.7 + 0.5 * 0.5 / 1.3) + np.log(0.2**2 / 0.7 + 0.8**2 / 1.3)) / 2
    assert leep(theta, np.array([0, 1])) == pytest.approx(wanted)
