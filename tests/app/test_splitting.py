"""Splits are even over combinations of labels, seeded, and single edits."""

import pytest

from tests.fixtures.stored_images import fill, found
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.labels.labelling import edit_set, remove_set
from workbench.app.training.splitting import (
    delete_split,
    draw,
    find_split,
    rename_split,
    split,
    split_report,
    split_task,
    take_split,
    use_split,
)
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
    assert outcome == Done([(plan, draw(labelled.store, plan, ("category",)))])
    assert labelled.store.splits.parts() == outcome.value[0][1]
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


def names(session):
    return [(split.name, split.current) for split in session.splits.all()]


def test_named_splits_are_kept_chosen_renamed_and_deleted(labelled):
    split(labelled, SplitPlan(0.5, 0.25, 0.25), name="first")
    parts = labelled.store.splits.parts()
    split(labelled, SplitPlan(0.5, 0.25, 0.25, seed=9))
    assert names(labelled) == [("50 / 25 / 25 · 9", True), ("first", False)]
    use_split(labelled, find_split(labelled, "first"))
    assert labelled.store.splits.parts() == parts
    rename_split(labelled, find_split(labelled, "first"), " of  the paper ")
    with pytest.raises(ValueRefused):
        rename_split(labelled, find_split(labelled, "of the paper"), "50 / 25 / 25 · 9")
    with pytest.raises(ValueRefused):
        rename_split(labelled, find_split(labelled, "of the paper"), " ")
    delete_split(labelled, find_split(labelled, "of the paper"))
    assert labelled.splits.current() is None
    with pytest.raises(KnownError, match="no split “first”"):
        find_split(labelled, "first")
    for _ in range(3):
        labelled.undo()
    assert names(labelled) == [("50 / 25 / 25 · 9", True), ("first", False)]


def test_a_split_of_the_same_name_is_replaced(labelled):
    split(labelled, SplitPlan(0.5, 0.25, 0.25), name="one")
    parts = labelled.store.splits.parts()
    split(labelled, SplitPlan(0.5, 0.25, 0.25, seed=1), name="one")
    assert names(labelled) == [("one", True)]
    labelled.undo()
    assert names(labelled) == [("one", True)]
    assert labelled.store.splits.parts() == parts


def test_a_split_from_files_is_stored_as_it_is(labelled):
    """One list for each part may come one after the other; the later one counts."""
    train, test = {1: Part.TRAIN, 2: Part.TRAIN}, {2: Part.TEST, 3: Part.TEST}
    taken = take_split(labelled, train, "official")
    assert (taken.name, taken.plan, taken.current) == ("official", None, True)
    take_split(labelled, test, "official")
    assert labelled.store.splits.parts() == {1: Part.TRAIN, 2: Part.TEST, 3: Part.TEST}
    assert labelled.store.history.undo_text() == "Import split official"
    labelled.undo()
    assert labelled.store.splits.parts() == train
    split(labelled, SplitPlan(), name="official")
    take_split(labelled, test, "official")
    assert labelled.store.splits.parts() == test
    with pytest.raises(ValueRefused):
        take_split(labelled, train, "")


def test_labels_of_one_image_are_trained_and_missing_ones_are_reported(session):
    source = session.store.images.add_source("/p")
    rare = [found(i, ("category", f"c{i}")) for i in range(10)]
    common = [found(i, ("category", "common")) for i in range(10, 30)]
    session.store.images.add(source, rare + common)
    for seed in range(5):
        split(session, SplitPlan(seed=seed))
        parts = session.store.splits.parts()
        assert all(parts[i] is Part.TRAIN for i in range(1, 11))
    report = split_report(session)
    assert report.without[Part.TEST]["category"] == tuple(f"c{i}" for i in range(10))
    assert report.outside == 0
    assert "without test images: c0, c1, c2, c3, c4, c5, c6, c7 and 2 more." in report.remarks()[-1]


def test_folds_are_several_splits_in_one_edit(labelled):
    split(labelled, SplitPlan(0.8, 0.2, 0.0, folds=4), name="cv")
    assert names(labelled) == [
        ("cv: fold 1 of 4", True),
        *((f"cv: fold {at} of 4", False) for at in (2, 3, 4)),
    ]
    tested = [
        image
        for one in labelled.splits.all()
        for image, part in labelled.store.splits.parts(one.id).items()
        if part is Part.TEST
    ]
    assert sorted(tested) == list(range(1, 81))
    assert labelled.splits.current().plan.percentages == "55 / 20 / 25"
    labelled.undo()
    assert names(labelled) == []
