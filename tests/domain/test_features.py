"""Neighbours among features, against plain float64 arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.defaults import defaults_of
from workbench.domain.assessments import StartRequest
from workbench.domain.features import (
    FeatureCard,
    FeatureRequest,
    _moved,
    cosines,
    feature_key,
    nearest,
    positions_of,
    similarity_to,
    unit,
    vote,
)


def some(count, dimensions=24, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)


def test_similarities_are_cosines_over_several_blocks(monkeypatch):
    monkeypatch.setattr("workbench.domain.features.BLOCK", 7)
    rows, queries = some(40), some(5, seed=1)
    exact = rows.astype(float) @ queries.T.astype(float)
    exact /= np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(queries, axis=1)
    halves = unit(rows).astype(np.float16)
    np.testing.assert_allclose(cosines(unit(rows), queries), exact.T, atol=1e-6)
    np.testing.assert_allclose(cosines(halves, queries), exact.T, atol=2e-3)
    np.testing.assert_allclose(similarity_to(unit(rows), queries), exact.mean(axis=1), atol=1e-6)


def test_half_precision_is_read_exactly_whatever_its_size():
    bits = np.arange(0, 0x7C00, dtype=np.uint16)  # every finite number of half precision
    every = np.concatenate((bits, bits | 0x8000)).view(np.float16)
    np.testing.assert_array_equal(_moved(every) * np.float32(2.0**112), every.astype(np.float32))


def test_an_image_of_zeros_has_no_similarity():
    rows = np.zeros((2, 4), np.float16)
    assert cosines(rows, np.zeros((1, 4))).tolist() == [[0.0, 0.0]]


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.integers(1, 40))
def test_the_nearest_are_those_a_full_sort_puts_first(numbers, k):
    found = np.array(numbers, np.float32)
    expected = np.sort(found)[::-1][:k]
    np.testing.assert_array_equal(found[nearest(found, k)], expected)
    np.testing.assert_array_equal(nearest(np.stack((found, found)), k)[1], nearest(found, k))


def test_votes_are_weighted_as_in_the_paper():
    rows, labels = unit(some(30)), np.arange(30) % 3
    queries, k, temperature = some(6, seed=2), 7, 0.1
    found = vote(rows, labels, queries, k, temperature=temperature)
    for at, query in enumerate(unit(queries)):
        near = rows @ query
        best = np.argsort(-near)[:k]
        weights = np.exp(near[best].astype(float) / temperature)
        votes = [weights[labels[best] == label].sum() for label in range(3)]
        assert found.labels[at] == np.argmax(votes)
        assert found.shares[at] == pytest.approx(max(votes) / sum(votes), rel=1e-4)


def test_an_image_does_not_vote_for_itself():
    rows = unit(np.eye(4, 8) + 0.1)
    labels = np.array([0, 1, 1, 1])
    alone = vote(rows, labels, rows, 1)
    left_out = vote(rows, labels, rows, 1, own=np.arange(4))
    assert alone.labels.tolist() == labels.tolist()
    assert left_out.labels.tolist() == [1, 0, 0, 0]  # the first of equally near others
    mixed = vote(rows, labels, rows[:2], 1, own=np.array([-1, 1]))
    assert mixed.labels.tolist() == [0, 0]
    with pytest.raises(ValueError, match="0 labelled"):
        vote(rows[:1], labels[:1], rows[:1], 3, own=np.array([0]))


def test_keys_distinguish_images_and_boxes_and_are_found():
    keys = [feature_key("aa"), feature_key("ab"), feature_key("aa", (0, 0, 9, 9))]
    assert len(set(keys)) == 3
    known = np.array(keys, np.uint64)
    assert positions_of(known, [keys[2], feature_key("zz"), keys[0]]).tolist() == [2, -1, 0]
    assert positions_of(np.array([keys[0], keys[0]], np.uint64), [keys[0]]).tolist() == [1]
    assert positions_of(np.empty(0, np.uint64), keys).tolist() == [-1, -1, -1]
    assert positions_of(known, []).tolist() == []


def test_votes_stay_finite_at_any_temperature():
    rows = unit(some(6))
    for temperature in (1e-4, 0.07, 100.0):
        votes = vote(rows, np.array([0, 1, 2, 0, 1, 2]), rows, 3, temperature=temperature)
        assert votes.labels.tolist() == [0, 1, 2, 0, 1, 2]
        assert np.isfinite(votes.shares).all()
        assert (votes.shares > 1 / 3).all()
    assert votes.shares.max() < 0.7  # nearly even weights


def test_features_are_computed_in_batches_of_32_into_an_empty_index():
    start = StartRequest(start="none", backbone="simpleconv3")
    assert defaults_of(FeatureRequest, start=start, folder="f") == {"batch": 32}
    found = defaults_of(FeatureCard, backbone="simpleconv3", dimensions=128, image_size=48)
    assert found == {"rows": 0, "rows_digest": "", "keys_digest": ""}
