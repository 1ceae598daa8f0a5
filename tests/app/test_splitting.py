"""Splits are even over combinations of labels, seeded, and single edits."""

import pytest

from tests.fixtures.stored_images import fill, found
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.labels.labelling import edit_set, remove_set
from workbench.app.training.splitting import draw, split, split_task
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.labels import Author, Label, LabelSet
from workbench.domain.splits import Part, SplitPlan


@pytest.fixture
def labelled(session):
    source = session.store.images.add_source("/p")
    kinds = ("gull", "tern")
    session.store.images.add(source, [found(i, ("category", kinds[i % 2])) for i in range(80)])
    session.store.labels.assign(range(1, 41), "view", "left", Author.IMPORT)
    return session


def test_a_split_is_even_over_categories_and_views(labelled):
    counts = split(labelled, SplitPlan(0.5, 0.25, 0.25))
    assert counts == {Part.TRAIN: 40, Part.VALIDATION: 20, Part.TEST: 20}
    parts = labelled.store.splits.parts()
    for at in range(4):  # two categories, with and without a view
        inside = [i for i in range(1, 81) if (i % 2, i <= 40) == (at % 2, at < 2)]
        assert sum(parts[i] is Part.TRAIN for i in inside) == 10
    assert labelled.store.history.undo_text() == "Split 50 / 25 / 25"
    labelled.undo()
    assert labelled.store.splits.current() is None


def test_the_same_seed_gives_the_same_split(labelled):
    split(labelled, SplitPlan(seed=3))
    first = labelled.store.splits.parts()
    assert isinstance(run_here(split_task(labelled, SplitPlan(seed=4))), Done)
    assert labelled.store.splits.parts() != first
    split(labelled, SplitPlan(seed=3))
    assert labelled.store.splits.parts() == first


def test_expressions_of_mouths_are_divided_evenly_as_well(labelled):
    square = Rect(0, 0, 5, 5)
    crops = {
        i: labelled.store.crops.save(Crop(None, i, 0, CropState.FOUND, square)).id
        for i in range(1, 41)
    }
    labelled.store.labels.assign_crops([crops[i] for i in range(1, 21)], "expression", "smile")
    labelled.store.labels.assign(range(41, 61), "expression", "open", Author.IMPORT)
    split(labelled, SplitPlan(0.5, 0.0, 0.5), ("expression",))
    parts = labelled.store.splits.parts()
    for group in (range(1, 21), range(41, 61)):
        assert sum(parts[i] is Part.TRAIN for i in group) == 10


def test_what_cannot_be_split_is_reported(session):
    with pytest.raises(KnownError, match="no images to split"):
        split(session, SplitPlan())
    fill(session.store, 2)
    with pytest.raises(ValueRefused, match="mood"):
        split(session, SplitPlan(), ("mood",))
    remove_set(session, "view")
    assert sum(split(session, SplitPlan()).values()) == 2


def test_a_job_draws_what_the_split_draws_and_is_one_edit(labelled):
    plan = SplitPlan(seed=5)
    outcome = run_here(split_task(labelled, plan, ("category",)))
    assert outcome == Done(draw(labelled.store, plan, ("category",)))
    assert labelled.store.splits.parts() == outcome.value
    assert labelled.store.history.undo_text() == "Split 70 / 15 / 15"


def test_a_job_without_images_fails_and_makes_nothing(session):
    assert isinstance(run_here(split_task(session, SplitPlan())), Failed)
    assert session.store.splits.current() is None


def test_several_labels_of_an_image_are_a_stratum_of_their_own(session):
    """Four strata of two images, one of each in both parts: none, a, b, and both."""
    edit_set(session, LabelSet("tags", (Label("a"), Label("b")), exclusive=False), {})
    fill(session.store, 8)
    session.store.labels.assign([3, 4, 7, 8], "tags", "a")
    session.store.labels.assign([5, 6, 7, 8], "tags", "b")
    parts = draw(session.store, SplitPlan(0.5, 0.0, 0.5), ("tags",))
    assert [{parts[i], parts[i + 1]} for i in (1, 3, 5, 7)] == [{Part.TRAIN, Part.TEST}] * 4


def test_labels_with_a_separator_are_not_those_of_several(session):
    """The one label “a, b” is another stratum than the two labels a and b."""
    fill(session.store, 4)
    names = LabelSet("tags", (Label("a"), Label("b"), Label("a, b")), exclusive=False)
    edit_set(session, names, {})
    session.store.labels.assign([1, 2], "tags", "a, b")
    for label in "ab":
        session.store.labels.assign([3, 4], "tags", label)
    for seed in range(9):
        parts = draw(session.store, SplitPlan(0.5, 0.0, 0.5, seed), ("tags",))
        assert {parts[1], parts[2]} == {parts[3], parts[4]} == {Part.TRAIN, Part.TEST}


def test_mouths_without_a_label_leave_the_image_its_own(session):
    fill(session.store, 4)
    square = Rect(0, 0, 5, 5)
    crops = [
        session.store.crops.save(Crop(None, i, 0, CropState.FOUND, square)).id for i in (1, 2, 3, 4)
    ]
    session.store.labels.assign([1, 2], "expression", "open", Author.IMPORT)
    session.store.labels.assign_crops(crops[2:], "expression", "smile")
    parts = draw(session.store, SplitPlan(0.5, 0.0, 0.5), ("expression",))
    assert {parts[1], parts[2]} == {parts[3], parts[4]} == {Part.TRAIN, Part.TEST}
