"""Every image is in exactly the queues that match its crops."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.domain.crops import CropState, CropTable, Queue

FOUND, ADJUSTED, REJECTED, MISSED = CropState


@pytest.fixture
def table():
    return CropTable.of(
        [
            (1, 10, FOUND, False, -1),  # one mouth, untouched
            (2, 11, FOUND, False, 2),  # one mouth, labelled
            (3, 12, FOUND, True, -1),  # two mouths, one accepted,
            (4, 12, ADJUSTED, True, 0),  # one adjusted and labelled
            (5, 13, MISSED, False, -1),  # nothing found
            (6, 14, REJECTED, True, -1),  # its one face rejected
            (7, 15, MISSED, False, -1),  # nothing found, then
            (8, 15, ADJUSTED, True, -1),  # drawn by hand
        ]
    )


@pytest.mark.parametrize(
    ("queue", "label", "expected"),
    [
        (Queue.ALL, -1, [10, 11, 12, 13, 14, 15]),
        (Queue.REVIEW, -1, [10]),
        (Queue.MISSED, -1, [13]),
        (Queue.SEVERAL, -1, [12]),
        (Queue.REJECTED, -1, [14]),
        (Queue.UNLABELLED, -1, [10, 12, 15]),
        (Queue.LABELLED, 0, [12]),
        (Queue.LABELLED, 2, [11]),
        (Queue.LABELLED, 3, []),
    ],
)
def test_members_of_a_queue(table, queue, label, expected):
    assert table.images_of(queue, label).tolist() == expected


def test_rows_of_changed_images_are_replaced_and_the_rest_stays(table):
    fresh = CropTable.of([(1, 10, FOUND, True, 1), (9, 16, FOUND, False, -1)])
    changed, former = table.exchange([10, 13], fresh)
    assert former.crops.tolist() == [1, 5]
    assert changed.images_of(Queue.REVIEW).tolist() == [16]
    assert changed.images_of(Queue.MISSED).tolist() == []
    assert changed.images_of(Queue.LABELLED, 1).tolist() == [10]
    assert changed.images_of(Queue.LABELLED, 2).tolist() == [11]


def test_an_empty_table_has_empty_queues():
    table = CropTable.of([])
    assert all(len(table.images_of(queue)) == 0 for queue in Queue)
    assert table.exchange([1], CropTable.of([]))[0].crops.dtype == np.int64


def test_an_updated_tally_equals_a_new_count(table):
    keys = [(queue, 0 if queue is Queue.LABELLED else -1) for queue in Queue]
    fresh = CropTable.of([(3, 12, FOUND, True, -1), (9, 16, FOUND, False, 0)])
    changed, former = table.exchange([12, 16], fresh)
    kept_up = table.tally(keys) + fresh.tally(keys) - former.tally(keys)
    assert kept_up.tolist() == changed.tally(keys).tolist()
    assert table.tally(keys).tolist() == [6, 0, 1, 1, 1, 1, 3, 1, 1, 3]
