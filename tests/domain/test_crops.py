"""Queues hold exactly the images that match them; a new detection keeps manual work."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.domain.crops import (
    SAME_FACE_IOU,
    Crop,
    CropState,
    CropTable,
    CropUpdate,
    Queue,
    merge_detection,
)
from workbench.domain.geometry import Rect

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


def test_a_mouth_with_the_first_expression_is_not_to_be_reviewed():
    table = CropTable.of([(1, 0, FOUND, False, 0), (2, 1, FOUND, False, -1)])
    assert table.images_of(Queue.REVIEW, -1).tolist() == [1]
    assert table.images_of(Queue.UNLABELLED, -1).tolist() == [1]


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


sides = st.integers(1, 200)


@st.composite
def rects(draw):
    left, top = draw(st.integers(-50, 150)), draw(st.integers(-50, 150))
    return Rect(left, top, left + draw(sides), top + draw(sides))


@st.composite
def crops(draw, stored):
    state = draw(st.sampled_from(CropState))
    missed = state is CropState.MISSED
    rect = None if missed else draw(rects())
    reviewed = stored and draw(st.booleans())
    return Crop(None, 1, draw(st.integers(0, 3)), state, rect, reviewed=reviewed)


@given(st.lists(crops(stored=True), max_size=5), st.lists(crops(False), max_size=5), st.data())
def test_a_new_detection_keeps_manual_work(existing, detected, data):
    existing = [
        Crop(i, c.image, c.face, c.state, c.rect, reviewed=c.reviewed)
        for i, c in enumerate(existing, start=1)
    ]
    labelled = frozenset(c.id for c in existing if data.draw(st.booleans()))
    update = merge_detection(existing, detected, labelled)
    reviewed = {c.id for c in existing if c.reviewed}
    assert not set(update.remove) & (labelled | reviewed)
    written = [c.id for c in update.write if c.id is not None]
    assert not set(written) & reviewed  # a reviewed box is not even moved
    assert not set(written) & set(update.remove)
    assert len(written) == len(set(written))
    assert set(written) | set(update.remove) <= {c.id for c in existing}
    assert all(c.image == 1 for c in update.write)


@given(st.lists(crops(False), max_size=5))
def test_the_same_detection_twice_adds_nothing(detected):
    distinct = [c for c in detected if c.rect is not None]
    assume(all(a.rect.iou(b.rect) < 0.3 for a in distinct for b in distinct if a is not b))
    stored = [Crop(i, 1, c.face, c.state, c.rect) for i, c in enumerate(distinct, start=1)]
    update = merge_detection(stored, distinct, frozenset())
    assert sorted(c.id for c in update.write) == [c.id for c in stored]
    assert update.remove == ()


def test_found_and_adjusted_crops_with_a_square_are_usable():
    square = Rect(0, 0, 10, 10)
    usable = [state for state in CropState if Crop(1, 1, 0, state, square).usable]
    assert usable == [FOUND, ADJUSTED]
    assert not Crop(1, 1, 0, FOUND, None).usable


@pytest.mark.parametrize(
    ("longer", "shorter", "same"),
    [
        ((0, 9), (0, 2), True),  # 3 of 10 pixels, both ends included
        ((0, 16), (0, 4), False),  # 5 of 17
        ((0.4, 9.4), (-0.4, 1.6), True),  # rounded
    ],
)
def test_a_square_moved_away_from_its_face_is_known_by_its_landmarks(longer, shorter, same):
    sides = [((longer, (0, 9)), (shorter, (0, 9))), (((0, 9), longer), ((0, 9), shorter))]
    for old, new in sides:
        moved = Crop(7, 1, 0, ADJUSTED, Rect(500, 0, 510, 10), tuple(zip(*old, strict=True)))
        found = Crop(None, 1, 0, FOUND, Rect(0, 0, 20, 20), tuple(zip(*new, strict=True)))
        update = merge_detection([moved], [found], frozenset())
        assert [crop.id for crop in update.write] == [7 if same else None]
        assert update.remove == (() if same else (7,))


def test_faces_are_the_same_from_an_overlap_of_three_tenths():
    old = Crop(7, 1, 0, FOUND, Rect(0, 0, 10, 13))
    for left, same in ((0, True), (8, False)):
        new = Crop(None, 1, 0, FOUND, Rect(left, 0, left + 10, 13))
        assert (merge_detection([old], [new], frozenset()).write[0].id == 7) is same
    wide, part = Rect(0, 0, 10, 10), Rect(0, 0, 3, 10)
    assert wide.iou(part) == SAME_FACE_IOU
    found = merge_detection(
        [Crop(7, 1, 0, FOUND, wide)], [Crop(None, 1, 0, FOUND, part)], frozenset()
    )
    assert (found.write[0].id, found.write[0].rect) == (7, part)


def test_the_detection_that_overlaps_most_takes_the_id():
    old = Crop(7, 1, 0, FOUND, Rect(0, 0, 10, 10))
    far, close = (Crop(None, 1, 0, FOUND, Rect(at, 0, at + 10, 10)) for at in (4, 1))
    update = merge_detection([old], [far, close], frozenset())
    assert [(c.id, c.rect.left) for c in update.write] == [(7, 1), (None, 4)]


def test_a_miss_is_written_only_where_no_crop_is_left():
    miss = Crop(None, 1, 0, MISSED, None, reason="no face")
    found = Crop(7, 1, 0, FOUND, Rect(0, 0, 10, 10))
    assert merge_detection([], [miss], frozenset()) == CropUpdate((miss,), ())
    assert merge_detection([found], [miss], frozenset()) == CropUpdate((miss,), (7,))
    assert merge_detection([found], [miss], frozenset({7})) == CropUpdate((), ())
    reviewed = dataclasses.replace(found, state=REJECTED, reviewed=True)
    assert merge_detection([reviewed], [miss], frozenset()) == CropUpdate((), ())
    other = dataclasses.replace(found, id=None)
    assert merge_detection([], [other, miss], frozenset()) == CropUpdate((other,), ())


def test_crops_after_a_reviewed_one_and_after_a_miss_are_merged_too():
    reviewed = Crop(6, 1, 0, ADJUSTED, Rect(50, 50, 60, 60), reviewed=True)
    old = Crop(7, 1, 1, FOUND, Rect(0, 0, 10, 10))
    new = Crop(None, 1, 0, FOUND, Rect(1, 0, 11, 10))
    update = merge_detection([reviewed, old], [new], frozenset())
    assert update == CropUpdate((dataclasses.replace(new, id=7),), ())
    miss = Crop(None, 1, 0, MISSED, None, reason="no face")
    assert merge_detection([reviewed], [miss, new], frozenset()) == CropUpdate((new,), ())


def test_boxes_alone_are_compared_where_one_has_no_landmarks():
    points = ((0.0, 0.0), (9.0, 9.0))
    old = Crop(7, 1, 0, FOUND, Rect(0, 0, 10, 10), points)
    new = Crop(None, 1, 0, FOUND, Rect(1, 0, 11, 10))
    for before, after in (
        (old, new),
        (dataclasses.replace(new, id=7), dataclasses.replace(old, id=None)),
    ):
        assert merge_detection([before], [after], frozenset()).write[0].id == 7
