"""Facts for recommendations, in numbers: counts of classes, of held-out images, and sides."""

from __future__ import annotations

import pytest

from tests.fixtures.stored_images import fill, found
from workbench.app.labels.labelling import assign, assign_crops, edit_set
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.samples import collect
from workbench.domain.advice import DataFacts
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.domain.images import FoundImage
from workbench.domain.labels import Label, LabelSet
from workbench.domain.recipes import JOINT
from workbench.domain.splits import Part, SplitPlan

KINDS = LabelSet("category", (Label("a"), Label("unused"), Label("b")))
VIEWS = LabelSet("view", (Label("left"), Label("right")))


@pytest.fixture
def labelled(session: Session) -> Session:
    """Forty images with a category, forty with a view alone, and twenty without labels."""
    edit_set(session, KINDS, {})
    edit_set(session, VIEWS, {})
    fill(session.store, 100)
    assign(session, range(1, 31), "category", "a")
    assign(session, range(31, 41), "category", "b")
    assign(session, range(41, 71), "view", "left")
    assign(session, range(71, 81), "view", "right")
    return session


def test_without_a_split_the_usual_one_is_assumed(labelled: Session) -> None:
    assert facts_of(labelled.store, "category") == DataFacts((21, 7), 6, False, 480)
    assert facts_of(labelled.store, "view") == DataFacts((21, 7), 6, False, 480)


def test_for_both_at_once_images_with_either_count(labelled: Session) -> None:
    assert facts_of(labelled.store, JOINT) == DataFacts((21, 7), 12, False, 480)


def test_with_a_split_its_parts_are_counted(labelled: Session) -> None:
    parts = {1: Part.TRAIN, 2: Part.TRAIN, 31: Part.TRAIN, 3: Part.VALIDATION, 4: Part.TEST}
    parts |= {41: Part.TRAIN, 90: Part.VALIDATION}  # without a category
    with labelled.edit("Split"):
        labelled.store.splits.make(SplitPlan(), parts)
    assert facts_of(labelled.store, "category") == DataFacts((2, 1), 1, False, 480)


def test_the_shorter_side_is_the_median_of_the_labelled_images(session: Session) -> None:
    edit_set(session, KINDS, {})
    sizes = [(90, 30), (20, 50), (40, 40), (5, 5)]
    images = [FoundImage(f"{i}.png", str(i), *size, 1, 1.0, ()) for i, size in enumerate(sizes)]
    session.store.images.add(session.store.images.add_source("/p"), images)
    assign(session, [1], "category", "a")
    assign(session, [2, 3], "category", "b")
    facts = facts_of(session.store, "category")
    assert facts.shorter_side == 30
    # 90 × 30 loses 5/9 of its area, 20 × 50 loses 7/15, 40 × 40 nothing
    assert facts.cut == pytest.approx((5 / 9 + 7 / 15) / 3, abs=1e-4)
    assert facts == collect(session.store, "category").facts()


def test_mouths_count_with_their_own_label_or_that_of_their_image(session: Session) -> None:
    """Of three images: one with one mouth, one with two, and one with a rejected mouth."""
    source = session.store.images.add_source("/faces")
    session.store.images.add(source, [found(i) for i in range(3)])
    edit_set(session, LabelSet("category", (Label("x"),)), {})
    squares = ((1, 30, CropState.FOUND), (2, 20, CropState.ADJUSTED), (2, 10, CropState.FOUND))
    crops = [
        session.store.crops.save(Crop(None, image, at, state, Rect(0, 0, side + 5, side)))
        for at, (image, side, state) in enumerate((*squares, (3, 50, CropState.REJECTED)))
    ]
    names = session.store.labels.get("expression").names
    assign_crops(session, [crops[1].id], "expression", names[1])
    with session.edit("Import"):
        session.store.labels.assign([1, 2, 3], "expression", names[0])
    facts = facts_of(session.store, "expression")
    assert (facts.crops, facts.shorter_side) == (True, 25)
    assert facts.class_counts == (1, 1)
