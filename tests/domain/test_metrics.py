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
    macro_average,
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
        undefined = pytest.approx(np.nan, nan_ok=True)
        assert score.precision == (pytest.approx(hits / len(messages)) if messages else undefined)
        assert score.recall == (pytest.approx(hits / len(meant)) if meant else undefined)
        both = len(messages) + len(meant)
        assert score.f1 == (pytest.approx(2 * hits / both) if meant else undefined)
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


def test_smoothing_weighs_the_past_and_corrects_the_start():
    made = smoothed(np.array([4.0, 8.0, 0.0]), 0.75)
    mean = [1.0, 0.75 + 2.0, 0.75 * 2.75]
    mass = [0.25, 0.4375, 0.578125]
    assert made == pytest.approx(np.array(mean) / mass)


@pytest.mark.parametrize(
    ("x", "at"), [(-1, 0), (0, 0), (4.9, 0), (5, 0), (5.1, 1), (10, 1), (14, 1), (16, 2), (99, 2)]
)
def test_the_nearest_of_two_equally_far_values_is_the_lower(x, at):
    assert nearest(np.array([0.0, 10.0, 20.0]), x) == at


def test_bins_have_equal_widths_from_0_to_1():
    bins = reliability(np.array([0.1, 0.3, 0.9]), np.array([True, False, True]), 4)
    assert [(one.low, one.high) for one in bins] == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    assert [one.images for one in bins] == [1, 1, 0, 1]
    assert (bins[1].accuracy, bins[3].accuracy) == (0, 1)
    assert math.isnan(bins[2].confidence)
    assert len(reliability(np.array([0.5]), np.array([True]))) == 10


def test_one_image_of_difference_decides_nothing():
    assert mcnemar(1, 0) == mcnemar(0, 1) == mcnemar(2, 1) == 1.0
    assert mcnemar(6, 1) == pytest.approx(0.125)


def test_precision_and_recall_in_numbers():
    first, second, third = class_scores(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]))
    assert (first.precision, first.recall, first.support) == (6 / 7, 0.75, 8)
    assert first.f1 == pytest.approx(0.8)
    assert (second.precision, second.recall, second.f1) == (0.6, 0.75, pytest.approx(2 / 3))
    assert np.isnan([third.precision, third.recall, third.f1]).all()
    assert third.support == 0


def test_scores_without_images_or_predictions_are_undefined():
    """Class 0 is never predicted, class 2 has no images, but is predicted once."""
    scores = class_scores(np.array([[0, 2, 0], [0, 3, 1], [0, 0, 0]]))
    never, _, empty = scores
    assert (never.recall, never.f1) == (0, 0)
    assert np.isnan(never.precision)
    assert empty.precision == 0
    assert np.isnan([empty.recall, empty.f1]).all()
    mean = macro_average(scores)
    assert mean.precision == pytest.approx((0.6 + 0) / 2)
    assert mean.recall == pytest.approx((0 + 0.75) / 2)
    assert mean.f1 == pytest.approx((0 + 2 * 3 / 9) / 2)
    assert mean.support == 6
    assert np.isnan(macro_average([]).recall)


def test_labels_of_unknown_images_do_not_count():
    truth, scores = np.array([0, -1, 1]), np.array([[0.6, 0.4], [0.9, 0.1], [0.7, 0.3]])
    assert top_k_accuracy(truth, scores, 1) == 0.5
    assert confusion_matrix(truth, scores.argmax(axis=1), 2).tolist() == [[1, 0], [1, 0]]
