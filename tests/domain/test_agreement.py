"""Agreement between people: published values, and by hand."""

import math

import numpy as np
import pytest

from workbench.domain.agreement import Opinions, cohen, fleiss, images_an_hour, in_bulk, ratings

# Fleiss 1971, table 1: 30 patients, six psychiatrists, five diagnoses
DIAGNOSES = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""


def raters(tallies):
    """Labels of raters in any order, from the number of raters per label."""
    return np.array([[at for at, n in enumerate(row) for _ in range(n)] for row in tallies])


def pairs(matrix):
    """The labels of two people from their cross table."""
    cells = [(i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) for _ in range(n)]
    return np.array(cells).T


def test_fleiss_has_the_value_of_his_paper():
    labels = raters([[int(n) for n in row] for row in DIAGNOSES.split()])
    assert np.bincount(labels.ravel()).tolist() == [26, 26, 30, 55, 43]
    found = fleiss(labels, 5)
    assert (found.count, round(found.share, 3), round(found.kappa, 3)) == (30, 0.556, 0.430)


def test_fleiss_of_fourteen_raters():
    tallies = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    assert round(fleiss(raters(tallies), 5).kappa, 3) == 0.210


@pytest.mark.parametrize(
    ("matrix", "kappa", "error"),
    [
        # Fleiss, Statistical methods for rates and proportions: two clinicians, 100 patients
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676, 0.088),
        # two readers of 50 grant applications
        ([[20, 5], [10, 15]], 0.4, 0.127),
    ],
)
def test_cohen_has_published_values(matrix, kappa, error):
    found = cohen(*pairs(matrix), len(matrix))
    assert found.kappa == pytest.approx(kappa, abs=5e-4)
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(error, abs=1e-3)
    assert found.count == np.sum(matrix)
    assert found.share == pytest.approx(np.trace(matrix) / np.sum(matrix))


def test_cohen_has_the_value_of_his_paper():
    found = cohen(*pairs([[88, 14, 18], [10, 40, 10], [2, 6, 12]]), 3)  # 1960, table 1
    assert (found.count, round(found.share, 3), round(found.kappa, 3)) == (200, 0.7, 0.492)


def test_fleiss_of_two_people_with_equal_shares_is_cohens():
    first, second = pairs([[20, 5], [5, 20]])
    both = np.stack([first, second], axis=1)
    assert fleiss(both, 2).kappa == pytest.approx(cohen(first, second, 2).kappa)


def test_subjects_without_two_labels_count_for_nothing():
    first, second = np.array([0, 1, -1, 0, 1]), np.array([0, -1, 1, 1, 1])
    assert cohen(first, second, 2).count == 3
    labels = np.stack([first, second, np.full(5, -1)], axis=1)
    assert fleiss(labels, 2).count == 3
    assert fleiss(labels, 2).share == pytest.approx(2 / 3)


def test_different_numbers_of_raters_each_have_their_pairs():
    labels = np.array([[0, 0, 1], [1, 1, -1]])
    found = fleiss(labels, 2)  # 1/3 and 1; shares of the labels 2/5 and 3/5
    assert found.share == pytest.approx(2 / 3)
    assert found.kappa == pytest.approx((2 / 3 - 13 / 25) / (12 / 25))


def test_kappa_of_one_label_is_undefined():
    same = np.zeros(4, np.int64)
    assert cohen(same, same, 2).share == 1.0
    assert math.isnan(cohen(same, same, 2).kappa)
    assert math.isnan(fleiss(np.stack([same, same], axis=1), 2).kappa)
    nothing = np.full(4, -1)
    assert cohen(same, nothing, 2).count == fleiss(nothing[:, None], 2).count == 0


def opinions(*rows):
    """Rows of (image, annotator, label, blind), oldest first."""
    images, people, labels, blind = np.array(rows, np.int64).reshape(-1, 4).T
    return Opinions(images, images, people, labels, np.arange(len(rows)), blind.astype(bool))


def test_the_last_label_of_a_person_counts_and_repeats_do_not():
    found = ratings(
        opinions((7, 1, 0, 0), (7, 2, 1, 1), (7, 1, 2, 0), (9, 1, 1, 0), (9, 1, 0, 1), (7, 1, 2, 1))
    )
    assert found.annotators == (1, 2)
    assert found.subjects.tolist() == [7, 9]
    assert found.labels.tolist() == [[2, 1], [1, -1]]
    assert found.repeats == {1: ((1, 0), (2, 2))}
    assert found.shared().tolist() == found.disputed().tolist() == [0]
    empty = ratings(Opinions.none())
    assert len(empty.shared()) == len(empty.disputed()) == 0


def test_one_label_alone_gives_zero_and_an_interval_without_width():
    first, second = np.array([0] * 7), np.array([0] * 6 + [1])
    for found in (cohen(first, second, 3), cohen(second, first, 3)):
        assert (str(found.kappa), str(found.low), str(found.high)) == ("0.0", "0.0", "0.0")
        assert found.flat
    assert not cohen(first, first, 3).flat  # undefined
    assert not cohen(second, second, 3).flat


def seconds(*times):
    return np.array([round(1e6 * time) for time in times])


def test_images_an_hour_leave_out_pauses_over_five_minutes():
    made = seconds(0, 10, 20, 320, 321 + 300, 631)
    assert images_an_hour(made, np.arange(6)) == pytest.approx(4 / 330 * 3600)
    assert images_an_hour(made[::-1], np.arange(6)) == pytest.approx(4 / 330 * 3600)


def test_images_labelled_together_do_not_count_and_those_labelled_twice_once():
    assert math.isnan(images_an_hour(seconds(0, *[6] * 24), np.arange(25)))
    together = seconds(0, 36, 40, 40, 40, 76)
    assert images_an_hour(together, np.arange(6)) == pytest.approx(2 / 72 * 3600)
    assert images_an_hour(seconds(0, 36, 36), np.array([1, 2, 2])) == pytest.approx(100)
    assert images_an_hour(seconds(0, 18, 36), np.array([1, 2, 2])) == pytest.approx(100)
    assert math.isnan(images_an_hour(seconds(0, 0), np.array([1, 2])))
    assert math.isnan(images_an_hour(seconds(0, 301), np.array([1, 2])))
    assert math.isnan(images_an_hour(seconds(), np.array([], np.int64)))


def test_labels_accepted_together_are_told_from_those_accepted_one_by_one():
    made = seconds(0, 10, 10.05, 10.1, 20, 30, 30.05)
    accepted = np.array([1, 1, 1, 1, 1, 1, 0], np.bool_)
    expected = [False, True, True, True, False, False, False]
    assert in_bulk(made, accepted).tolist() == expected
    assert in_bulk(made[::-1], accepted[::-1]).tolist() == expected[::-1]
    assert in_bulk(seconds(5, 5), np.ones(2, np.bool_)).tolist() == [True, True]
    assert in_bulk(seconds(), np.zeros(0, np.bool_)).tolist() == []
