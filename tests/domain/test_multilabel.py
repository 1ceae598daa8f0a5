"""Multi-label scores against hand-worked cases and against every threshold tried in turn."""

import math

import numpy as np
import pytest

from workbench.domain.metrics import (
    average_precision,
    best_threshold,
    best_thresholds,
    exact_match,
    mark_scores,
)


def test_average_precision_of_a_hand_worked_ranking() -> None:
    marks = np.array([True, False, True, False, True])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert average_precision(marks, scores) == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)


def test_equal_scores_share_a_rank() -> None:
    marks = np.array([True, False, True, False])
    scores = np.array([0.9, 0.4, 0.4, 0.4])
    assert average_precision(marks, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)
    assert average_precision(marks[::-1], scores[::-1]) == pytest.approx(0.75)


def test_a_label_that_no_image_carries_has_no_precision() -> None:
    assert math.isnan(average_precision(np.zeros(3, bool), np.array([0.1, 0.2, 0.3])))


def test_exact_match_requires_every_label() -> None:
    marks = np.array([[True, False], [True, True], [False, False]])
    claimed = np.array([[True, False], [True, False], [False, False]])
    assert exact_match(marks, claimed) == pytest.approx(2 / 3)
    assert math.isnan(exact_match(marks[:0], claimed[:0]))


def test_the_best_threshold_beats_or_equals_every_other() -> None:
    draw = np.random.default_rng(3)

    def f1(threshold: float) -> float:
        claimed = scores >= threshold
        hits = (claimed & marks).sum()
        return float(2 * hits / (claimed.sum() + marks.sum()))

    for _ in range(20):
        marks = draw.random(40) < 0.3
        marks[:2] = (True, False)
        scores = np.round(draw.random(40) * 0.6 + marks * 0.3, 2)
        found = f1(best_threshold(marks, scores))
        assert found == pytest.approx(max(f1(t) for t in np.linspace(0, 1, 201)))


def test_labels_on_all_or_none_keep_the_even_threshold() -> None:
    marks = np.array([[True, False], [True, False]])
    assert best_thresholds(marks, np.array([[0.2, 0.1], [0.3, 0.9]])) == (0.5, 0.5)


def test_all_scores_of_a_small_table() -> None:
    marks = np.array([[True, False, False], [True, True, False], [False, True, False]])
    scores = np.array([[0.9, 0.2, 0.1], [0.4, 0.7, 0.1], [0.6, 0.5, 0.1]])
    messages = mark_scores(marks, scores, np.full(3, 0.5))
    # row 0 is whole; row 1 lacks the first label; row 2 has one too many
    assert messages.exact == pytest.approx(1 / 3)
    assert messages.top1 == pytest.approx(2 / 3)
    assert messages.mean_ap == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert messages.images == 3


def test_scores_of_no_images_and_of_labels_that_none_carries_are_unknown() -> None:
    none = np.zeros((0, 3), bool)
    messages = mark_scores(none, none.astype(float), np.full(3, 0.5))
    assert messages.images == 0
    assert all(math.isnan(one) for one in (messages.exact, messages.top1, messages.mean_ap))
    unmarked = mark_scores(np.zeros((2, 3), bool), np.full((2, 3), 0.1), np.full(3, 0.5))
    assert math.isnan(unmarked.mean_ap)
    assert (unmarked.exact, unmarked.top1, unmarked.images) == (1.0, 0.0, 2)


def test_a_label_is_claimed_where_its_score_reaches_its_threshold() -> None:
    marks = np.array([[True, False]])
    scores = np.array([[0.5, 0.4]])
    assert mark_scores(marks, scores, np.array([0.5, 0.5])).exact == 1.0
    assert mark_scores(marks, scores, np.array([0.5, 0.4])).exact == 0.0
    assert mark_scores(marks, scores, np.array([0.51, 0.5])).exact == 0.0
