"""Scores, smoothing, reliability and McNemar's test, compared with hand-computed values."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.domain.metrics import (
    bin_of,
    class_scores,
    confusion_matrix,
    mcnemar,
    nearest,
    reliability,
    smoothed,
    top_k_accuracy,
)


def test_no_smoothing_changes_nothing_and_a_constant_stays_constant():
    values = np.array([3.0, 1.0, 2.0])
    assert smoothed(values, 0.0).tolist() == values.tolist()
    assert smoothed(np.full(9, 0.7), 0.9) == pytest.approx(np.full(9, 0.7))


def test_smoothing_starts_at_the_first_value_and_passes_over_gaps():
    made = smoothed(np.array([2.0, np.nan, 4.0]), 0.5)
    assert made[0] == 2.0
    assert np.isnan(made[1])
    assert made[2] == pytest.approx((0.25 * 2 + 0.5 * 4) / 0.75)


@given(st.lists(st.integers(-50, 50), max_size=20, unique=True), st.floats(-60, 60))
def test_nearest_returns_the_closest_value(values, x):
    xs = np.array(sorted(values), dtype=np.float64)
    found = nearest(xs, x)
    if not values:
        assert found is None
    else:
        assert abs(xs[found] - x) == np.abs(xs - x).min()


@pytest.mark.parametrize(
    ("one", "other", "p"), [(0, 0, 1.0), (5, 0, 0.0625), (10, 2, 0.03857421875), (4, 4, 1.0)]
)
def test_mcnemar_exact(one, other, p):
    assert mcnemar(one, other) == pytest.approx(p)
    assert mcnemar(other, one) == pytest.approx(p)


def test_mcnemar_stays_finite_for_many_images():
    assert 0.0 <= mcnemar(40_000, 60_000) < 1e-100


@given(st.lists(st.tuples(st.floats(0.34, 1.0), st.booleans()), min_size=1, max_size=50))
def test_bins_hold_everything_and_the_means_of_what_they_hold(pairs):
    confidence = np.array([p[0] for p in pairs])
    right = np.array([p[1] for p in pairs])
    bins = reliability(confidence, right)
    assert sum(b.images for b in bins) == len(pairs)
    for at, found in enumerate(bins):
        inside = [pair for pair in pairs if min(int(pair[0] * len(bins)), len(bins) - 1) == at]
        assert found.images == len(inside)
        if inside:
            assert found.confidence == pytest.approx(sum(c for c, _ in inside) / len(inside))
            assert found.accuracy == pytest.approx(sum(r for _, r in inside) / len(inside))


def test_full_confidence_falls_into_the_last_bin():
    assert bin_of(np.array([0.0, 0.95, 1.0]), 10).tolist() == [0, 9, 9]


@st.composite
def predictions(draw):
    classes = draw(st.integers(2, 5))
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    scores = random.random((count, classes))
    scores /= scores.sum(axis=1, keepdims=True)
    return random.integers(-1, classes, count), scores


@given(predictions())
def test_scores_agree_with_counting_by_hand(case):
    truth, scores = case
    classes = scores.shape[1]
    predicted = scores.argmax(axis=1)
    pairs = [(t, p) for t, p in zip(truth.tolist(), predicted.tolist(), strict=True) if t >= 0]
    assume(pairs)
    counts = Counter(pairs)
    matrix = confusion_matrix(truth, predicted, classes)
    assert matrix.tolist() == [[counts[t, p] for p in range(classes)] for t in range(classes)]
    for c, score in enumerate(class_scores(matrix)):
        hits = counts[c, c]
        messages = [t for t, p in pairs if p == c]
        meant = [p for t, p in pairs if t == c]
        assert score.support == len(meant)
        assert score.precision == pytest.approx(hits / len(messages) if messages else 0)
        assert score.recall == pytest.approx(hits / len(meant) if meant else 0)
        assert score.f1 == pytest.approx(2 * hits / max(1, len(messages) + len(meant)))
    known = truth >= 0
    for k in range(1, classes + 1):
        best = np.argsort(-scores[known], axis=1)[:, :k]
        expected = np.mean([t in row for t, row in zip(truth[known], best, strict=True)])
        assert top_k_accuracy(truth, scores, k) == pytest.approx(expected)
    assert top_k_accuracy(truth, scores, classes) == 1


def test_a_nan_score_is_never_right():
    scores = np.array([[math.nan, math.nan, math.nan], [0.2, math.nan, 0.1], [0.1, 0.2, math.nan]])
    assert top_k_accuracy(np.array([0, 0, 1]), scores, 1) == 0
    assert top_k_accuracy(np.array([0, 0, 1]), scores, 2) == pytest.approx(2 / 3)


def test_scores_without_images_are_nan():
    truth, scores = np.array([-1, -1]), np.ones((2, 3)) / 3
    assert math.isnan(top_k_accuracy(truth, scores, 1))
