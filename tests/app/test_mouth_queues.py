"""Queues of mouths after each kind of edit, and which mouth comes next in an image."""

import numpy as np
import pytest

from tests.fixtures.stored_images import fill, found
from workbench.app.labels.labelling import assign_crops, remove_set
from workbench.app.mouths.mouth_queues import MouthQueues, first_shown, first_to_do
from workbench.domain.crops import Crop, CropState, Queue
from workbench.domain.geometry import Rect
from workbench.domain.splits import Part, SplitPlan

POINTS = tuple((40.0 + i, 60.0) for i in range(68))


def crop(image, face=0, state=CropState.FOUND, reviewed=False, id=None):
    rect = None if state is CropState.MISSED else Rect(60 * face, 10, 60 * face + 40, 50)
    points = () if rect is None else POINTS
    return Crop(id, image, face, state, rect, points, "cascade", reviewed)


@pytest.fixture
def queues(session):
    """Two mouths in image 1, one reviewed in 2, a miss in 3, a rejected one in 4, 5 unseen."""
    fill(session.store, 5)
    with session.edit("Find mouths"):
        for one in (
            crop(1, 1),
            crop(1, 0),
            crop(2, reviewed=True),
            crop(3, state=CropState.MISSED),
            crop(4, state=CropState.REJECTED),
        ):
            session.store.crops.save(one)
    made = MouthQueues(session)
    made.answers = []
    session.changed.connect(lambda changes: made.answers.append(made.refresh(changes)))
    return made


def members(queues):
    named = {queue: queues.ids(queue).tolist() for queue in Queue if queue is not Queue.LABELLED}
    counts = queues.counts()
    assert {queue: len(ids) for queue, ids in named.items()} == {q: counts[q, -1] for q in named}
    return named


def mouth(session, image, face=0):
    crops = session.crops.of_images([image])[image]
    return next(one.id for one in crops if one.face == face)


def test_every_image_is_in_its_queues(queues):
    assert members(queues) == {
        Queue.ALL: [1, 2, 3, 4, 5],
        Queue.UNSEEN: [5],
        Queue.REVIEW: [1],
        Queue.MISSED: [3],
        Queue.SEVERAL: [1],
        Queue.REJECTED: [4],
        Queue.UNLABELLED: [1, 2],
    }
    assert (queues.images, queues.searched) == (5, 4)
    assert queues.ids(Queue.REVIEW, also=np.array([4, 99])).tolist() == [1, 4]
    assert queues.ids(Queue.UNSEEN, also=np.array([1])).tolist() == [1, 5]
    assert queues.label_counts()[""] == 3


def test_a_label_moves_its_mouth_and_undo_brings_it_back(session, queues):
    first, second = queues.label_set.names[:2]
    before = members(queues), queues.counts(), queues.label_counts()
    assign_crops(session, [mouth(session, 1, 0)], "expression", second)
    assert queues.answers == [True]
    assert members(queues)[Queue.REVIEW] == [1]
    assign_crops(session, [mouth(session, 1, 1)], "expression", first)
    after = members(queues)
    assert (after[Queue.REVIEW], after[Queue.UNLABELLED]) == ([], [2])
    assert queues.ids(Queue.LABELLED, 0).tolist() == queues.ids(Queue.LABELLED, 1).tolist() == [1]
    assert queues.ids(Queue.LABELLED, 2).tolist() == []
    counts = queues.label_counts()
    assert (counts[first], counts[second], counts[""]) == (1, 1, 1)
    session.undo()
    session.undo()
    assert (members(queues), queues.counts(), queues.label_counts()) == before


def test_images_come_and_go_with_their_mouths(session, queues):
    with session.edit("Import"):
        session.store.images.add(1, [found(9)])
    assert members(queues)[Queue.UNSEEN] == [5, 6]
    session.remove_images([1, 5])
    now = members(queues)
    assert now[Queue.ALL] == [2, 3, 4, 6]
    assert now[Queue.UNSEEN] == [6]
    assert now[Queue.SEVERAL] == now[Queue.REVIEW] == []
    assert queues.answers == [True, True]
    session.undo()
    assert members(queues)[Queue.SEVERAL] == [1]


def test_without_a_set_about_mouths_there_are_no_labelled_queues(session, queues):
    assert len(queues.keys()) == len(Queue) - 1 + len(queues.label_set.labels)
    remove_set(session, "expression")
    assert queues.answers == [True]
    assert queues.label_set is None
    assert len(queues.keys()) == len(Queue) - 1
    assert queues.label_counts() == {"": 3}
    assert members(queues)[Queue.UNLABELLED] == [1, 2]


def test_an_edit_of_other_things_changes_no_queue(session, queues):

    with session.edit("Split"):
        session.store.splits.make(SplitPlan(), {1: Part.TRAIN})
    assert queues.answers == [False]


def test_crops_come_in_the_order_of_faces_with_their_labels(session, queues):
    name = queues.label_set.names[0]
    assign_crops(session, [mouth(session, 1, 1)], "expression", name)
    crops, labels = queues.crops(1)
    assert [one.face for one in crops] == [0, 1]
    assert labels == {mouth(session, 1, 1): (name,)}
    assert queues.crops(5) == ([], {})
    assert queues.mouths([4, 2, 1, 3]) == [
        mouth(session, 2),
        *[one.id for one in session.crops.of_images([1])[1]],
    ]


OPEN = [crop(1, at, id=10 + at) for at in range(4)]
DONE = crop(1, 4, reviewed=True, id=14)
REJECTED = crop(1, 5, CropState.REJECTED, id=15)
MISSED = crop(1, 0, CropState.MISSED, id=16)


@pytest.mark.parametrize(
    ("crops", "labels", "after", "next_one"),
    [
        (OPEN, {}, None, 10),
        (OPEN, {10, 11}, None, 12),
        (OPEN, {}, 10, 11),
        (OPEN, {}, 12, 13),
        (OPEN, {}, 13, None),
        (OPEN, {}, 99, 10),
        (OPEN, {13}, 12, None),
        ([DONE, REJECTED, MISSED], {}, None, None),
        ([DONE, *OPEN[2:]], {}, None, 12),
    ],
)
def test_the_next_mouth_to_do(crops, labels, after, next_one):
    assert first_to_do(crops, labels, after) == next_one


@pytest.mark.parametrize(
    ("crops", "labels", "shown"),
    [
        (OPEN, {10}, 11),
        (OPEN[:2], {10, 11}, 10),
        ([REJECTED, DONE], {}, 14),
        ([MISSED, REJECTED], {}, 15),
        ([MISSED], {}, None),
        ([], {}, None),
    ],
)
def test_an_image_opens_at_a_mouth_to_review_else_a_mouth_else_any_box(crops, labels, shown):
    assert first_shown(crops, labels) == shown
