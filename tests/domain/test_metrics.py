"""Smoothing, reliability and McNemar's test, compared with hand-computed values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.metrics import (
    bin_of,
    mcnemar,
    nearest,
    reliability,
    smoothed,
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
