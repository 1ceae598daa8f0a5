"""Merging two projects' labels: what is added, equal, in conflict, and kept as opinions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.stored_images import fill, found, state
from workbench.app.jobs import run_to_end
from workbench.app.labels.annotators import agreement, annotator_table
from workbench.app.labels.labelling import rename_label
from workbench.app.labels.merging import MergePlan, NewSpelling, merge, merge_plan_task
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.labels import Author, Label, LabelSet, Subject
from workbench.storage.project import Project
from workbench.ui.dialogs.merging import summary_lines


@pytest.fixture
def mine(session: Session) -> Session:
    """Four images, `hash0` to `hash3`, with the ids 1 to 4."""
    fill(session.store, 4)
    return session


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Project]:
    """The images `hash1` to `hash4` of another computer, with the ids 1 to 4."""
    store = Project.create(tmp_path / "Other")
    source = store.images.add_source("/elsewhere")
    store.images.add(source, [found(number) for number in range(1, 5)])
    yield store
    store.close()


def label(store: Project, person: str, label: str, *images: int, label_set: str = "view") -> None:
    store.labels.annotator = person
    with store.edit("Label"):
        store.labels.assign(images, label_set, label)


def plan_merge(mine: Session, folder: Path) -> MergePlan:
    return run_to_end(merge_plan_task(mine, folder).work())


def merged(mine: Session, other: Project, take: bool = False):
    other.close()
    plan = plan_merge(mine, other.folder)
    merge(mine, plan, plan.conflicts if take else ())
    return plan


def views(session: Session) -> dict[int, tuple[str, str, str]]:
    return {
        one.image: (one.label, one.annotator, one.author.value)
        for one in session.store.labels.current()
        if one.label_set == "view"
    }


def test_missing_labels_are_added_with_their_authors_people_and_times(mine, other) -> None:
    label(other, "Ben", "left", 1)
    label(other, "", "right", 2)
    other.labels.assign([3], "view", "back", Author.MODEL, 0.75)
    label(other, "Ben", "front", 4)  # of an image that is not here
    times = {one.image + 1: one.made_at for one in other.labels.current()}
    plan = merged(mine, other)
    assert (plan.images, plan.missing, plan.equal, plan.conflicts) == (3, 1, 0, [])
    assert views(mine) == {
        2: ("left", "Ben", "human"),
        3: ("right", "", "human"),
        4: ("back", "", "model"),
    }
    assert {one.image: one.made_at for one in mine.store.labels.current()} == {
        image: times[image] for image in (2, 3, 4)
    }
    assert [one.confidence for one in mine.store.labels.current()] == [1.0, 1.0, 0.75]
    assert mine.history.undo_text() == "Merge labels from Other"
    mine.undo()
    assert views(mine) == {}


def test_conflicts_overwrite_nothing_unless_they_are_taken(mine, other) -> None:
    label(mine.store, "Ann", "left", 2, 3, 4)
    label(other, "Ben", "left", 1)
    label(other, "Ben", "right", 2, 3)
    plan = merged(mine, other)
    assert plan.equal == 1
    assert [
        (one.name, one.mine.label, one.mine.annotator, one.theirs.label, one.theirs.annotator)
        for one in plan.conflicts
    ] == [
        ("image 2.jpg", "left", "Ann", "right", "Ben"),
        ("image 3.jpg", "left", "Ann", "right", "Ben"),
    ]
    assert set(views(mine).values()) == {("left", "Ann", "human")}
    (row,) = agreement(mine, "view").rows
    assert (row.people, row.found.count, row.found.share) == (
        ("Ann", "Ben"),
        3,
        pytest.approx(1 / 3),
    )
    assert [one.image for one in agreement(mine, "view").disagreements] == [3, 4]
    merge(mine, plan_merge(mine, other.folder), plan.conflicts[:1])
    assert views(mine)[3] == ("right", "Ben", "human")
    assert views(mine)[4] == ("left", "Ann", "human")
    assert [one.image for one in agreement(mine, "view").disagreements] == [4]
    assert agreement(mine, "view").rows[0].found.share == pytest.approx(1 / 3)
    mine.undo()
    assert views(mine)[3] == ("left", "Ann", "human")


def test_decisions_of_a_merge_are_nobodys_labels_nor_work(mine, other) -> None:
    for image in (2, 3, 4):
        label(mine.store, "Ann", "left", image)
    for image in (1, 2, 3):
        label(other, "Ben", "right", image)
    moments = {one.made_at for one in other.labels.current()}
    plan = merged(mine, other, take=True)
    assert len(plan.conflicts) == 3
    assert [(one.name, one.labels, one.images) for one in annotator_table(mine)] == [
        ("Ann", 3, 3),
        ("Ben", 3, 3),
    ]
    assert annotator_table(mine)[1].last == pytest.approx(max(moments))
    mine.set_annotator("Ann")
    again = plan_merge(mine, other.folder)
    merge(mine, again, mine=again.conflicts)
    assert [one.labels for one in annotator_table(mine)] == [3, 3]


def test_merging_twice_or_a_copy_adds_nothing(mine, other) -> None:
    label(mine.store, "Ann", "left", 2)
    label(other, "Ben", "right", 1, 2)
    label(other, "Ben", "left", 2)
    label(other, "Cat", "left", 2)
    assert len(merged(mine, other).opinions) == 3  # two of Ben's in conflict, Cat's equal one
    before = state(mine.store)
    again = merged(mine, other)
    assert (again.added, again.opinions, again.equal, len(again.conflicts)) == ([], [], 1, 1)
    assert state(mine.store) == before
    assert [(one.name, one.images) for one in annotator_table(mine)] == [
        ("Ann", 1),
        ("Ben", 2),
        ("Cat", 1),
    ]


def test_sets_and_labels_are_found_by_name_or_added(mine, other) -> None:
    kinds = (Label("gull", "G"), Label("tern", "T"))
    mine.store.labels.save_set(LabelSet("category", (Label("Gull"),)))
    other.labels.save_set(LabelSet("category", kinds))
    other.labels.save_set(LabelSet("traits", (Label("crested", "C"),), exclusive=False))
    label(other, "", "gull", 1, label_set="category")
    label(other, "", "tern", 2, label_set="category")
    label(other, "", "crested", 2, label_set="traits")
    merged(mine, other)
    assert mine.labels.get("category").names == ("Gull", "gull", "tern")
    assert mine.labels.counts("category") == {"Gull": 0, "gull": 1, "tern": 1, "": 2}
    assert mine.labels.get("traits") == LabelSet(
        "traits", (Label("crested", "C"),), exclusive=False
    )
    assert mine.labels.counts("traits") == {"crested": 1, "": 3}


def test_labels_of_a_set_that_is_not_exclusive_never_conflict(mine, other) -> None:
    several = LabelSet("traits", (Label("a"), Label("b")), exclusive=False)
    for store in (mine.store, other):
        store.labels.save_set(several)
    label(mine.store, "", "a", 2, label_set="traits")
    label(other, "Ben", "a", 1, label_set="traits")
    label(other, "Ben", "b", 1, label_set="traits")
    plan = merged(mine, other)
    assert (plan.equal, len(plan.added), plan.conflicts) == (1, 1, [])
    assert mine.store.labels.of_images([2], "traits") == {2: ("a", "b")}


def test_new_label_sets_and_labels_are_named(mine, other) -> None:
    other.labels.save_set(LabelSet("mood", (Label("calm"),)))
    known = other.labels.get("view")
    other.labels.save_set(known.with_labels(("top",)))
    plan = merged(mine, other)
    assert (plan.new_sets, plan.new_labels) == (["mood"], {"view": ["top"], "mood": ["calm"]})
    assert {"New label set “mood”: calm.", "New labels of “view”: top."} <= {*summary_lines(plan)}


def test_a_set_of_another_kind_is_named_and_left_out(mine, other) -> None:
    mine.store.labels.save_set(LabelSet("mood", (Label("calm"),), Subject.CROP))
    other.labels.save_set(LabelSet("mood", (Label("calm"), Label("shy"))))
    label(other, "", "calm", 1, label_set="mood")
    plan = merged(mine, other)
    assert plan.skipped == {"mood": 1}
    assert (plan.new_sets, plan.new_labels) == ([], {})
    assert mine.labels.get("mood").names == ("calm",)


def test_mouths_are_found_by_their_place_or_added(mine, other) -> None:
    def mouth(store: Project, image: int, left: int) -> int:
        place = Rect(left, 10, left + 40, 50)
        made = store.crops.save(Crop(None, image, 0, CropState.FOUND, place))
        assert made.id is not None
        return made.id

    here = mouth(mine.store, 2, 10)
    same = mouth(mine.store, 3, 10)
    mine.store.labels.assign_crops([same], "expression", "open")
    theirs = [mouth(other, image, left) for image, left in ((1, 12), (2, 12), (3, 200))]
    other.labels.annotator = "Ben"
    other.labels.assign_crops(theirs, "expression", "smile")
    plan = merged(mine, other, take=True)
    assert [(one.mine.crop, one.theirs.crop) for one in plan.conflicts] == [(same, same)]
    assert mine.store.labels.of_crops([here, same], "expression") == {
        here: ("smile",),
        same: ("smile",),
    }
    (added,) = mine.store.crops.of_image(4)
    assert added.rect == Rect(200, 10, 240, 50)
    assert mine.store.labels.of_crops([added.id], "expression") == {added.id: ("smile",)}
    mine.undo()
    assert mine.store.crops.of_image(4) == []


def test_only_another_project_can_be_merged(mine, other, tmp_path: Path) -> None:
    with pytest.raises(KnownError, match="is this project"):
        plan_merge(mine, mine.folder)
    with pytest.raises(KnownError, match="is not a project"):
        plan_merge(mine, tmp_path / "nowhere")
    with pytest.raises(KnownError, match="in use"):
        plan_merge(mine, other.folder)


def test_new_spellings_stay_apart_and_are_reported(mine, other) -> None:
    mine.store.labels.save_set(LabelSet("category", (Label("Owl"), Label("H\u00e4her"))))
    other.labels.save_set(LabelSet("category", tuple(map(Label, ("owl", "Owl", "Ha\u0308her")))))
    other.labels.save_set(LabelSet("Category", (Label("owl"),)))
    plan = merged(mine, other)
    assert plan.spellings == [
        NewSpelling("category", "owl", "Owl"),
        NewSpelling("", "Category", "category"),
    ]
    assert mine.labels.get("category").names == ("Owl", "H\u00e4her", "owl")
    assert mine.labels.get("Category").names == ("owl",)


def test_a_conflict_is_decided_for_mine_for_theirs_or_left_open(mine, other) -> None:
    label(mine.store, "Ann", "left", 2, 3, 4)
    label(other, "Ben", "right", 1, 2, 3)
    other.close()
    plan = plan_merge(mine, other.folder)
    assert len(plan.conflicts) == 3
    mine.set_annotator("Cat")
    merge(mine, plan, theirs=plan.conflicts[:1], mine=plan.conflicts[1:2])
    assert [views(mine)[image][0] for image in (2, 3, 4)] == ["right", "left", "left"]
    assert [one.image for one in agreement(mine, "view").disagreements] == [4]
    assert agreement(mine, "view").rows[0].found.share == 0.0  # everyone's own label is known
    before = len(mine.history.entries())
    mine.undo()
    assert set(views(mine).values()) == {("left", "Ann", "human")}
    assert len(mine.history.entries()) == before


def test_two_mouths_there_that_are_one_here_give_it_one_label(mine, other) -> None:
    def mouth(store: Project, image: int, face: int, left: int) -> int:
        place = Rect(left, 10, left + 40, 50)
        made = store.crops.save(Crop(None, image, face, CropState.FOUND, place))
        assert made.id is not None
        return made.id

    here = mouth(mine.store, 2, 0, 10)
    for face, name in enumerate(("smile", "open")):
        other.labels.assign_crops([mouth(other, 1, face, 10 + face)], "expression", name)
    plan = merged(mine, other)
    assert [one.crop for one in plan.added] == [here]
    assert mine.store.labels.of_crops([here], "expression") == {here: (plan.added[0].label,)}


def test_people_who_gave_an_equal_label_of_several_are_kept(mine, other) -> None:
    several = LabelSet("traits", (Label("a"), Label("b")), exclusive=False)
    for store in (mine.store, other):
        store.labels.save_set(several)
    label(mine.store, "Ann", "a", 2, label_set="traits")
    label(other, "Ben", "a", 1, label_set="traits")
    plan = merged(mine, other)
    assert (plan.equal, plan.added, len(plan.opinions)) == (1, [], 1)
    assert mine.store.annotators.images_of("Ben").tolist() == [2]
    assert merged(mine, other).opinions == []


def test_reading_the_other_project_can_be_stopped_and_frees_it(mine, other) -> None:
    label(other, "Ben", "left", 1, 2)
    other.close()
    steps = merge_plan_task(mine, other.folder).work()
    reports = [report for report in (next(steps) for _ in range(8)) if report is not None]
    assert [(one.done, one.total) for one in reports] == [(0, 2)]
    with pytest.raises(KnownError, match="in use"):
        plan_merge(mine, other.folder)
    steps.close()
    assert len(plan_merge(mine, other.folder).added) == 2


def test_a_copy_from_before_a_rename_brings_no_old_name_back(mine, tmp_path) -> None:
    mine.store.labels.save_set(LabelSet("view", (Label("left"), Label("port"), Label("back"))))
    several = LabelSet("traits", (Label("big"), Label("large")), exclusive=False)
    mine.store.labels.save_set(several)
    label(mine.store, "Ann", "port", 1, 2)
    mine.close()
    copy = tmp_path / "Copy.workbench"
    shutil.copytree(mine.folder, copy)
    other = Project.open(copy)
    label(other, "Ben", "port", 3)
    for name in ("big", "large"):
        label(other, "Ben", name, 4, label_set="traits")
    other.close()
    again = Session.open(mine.folder)
    rename_label(again, "view", "port", "left", merge=True)
    rename_label(again, "traits", "large", "big", merge=True)
    plan = plan_merge(again, copy)
    merge(again, plan)
    assert plan.renamed == [("view", "port", "left"), ("traits", "large", "big")]
    assert (plan.equal, plan.conflicts) == (2, [])
    assert [one.label_set for one in plan.opinions] == ["traits"], "the other one of two labels"
    assert views(again) == {
        1: ("left", "Ann", "human"),
        2: ("left", "Ann", "human"),
        3: ("left", "Ben", "human"),
    }
    current = [one.label for one in again.store.labels.current() if one.label_set == "traits"]
    assert current == ["big"]
    assert again.labels.get("view").names == ("left", "back")
    again.close()
