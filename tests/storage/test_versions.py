"""Versions are immutable and whole whatever is undone, and going back is one undoable edit."""

from __future__ import annotations

import zlib

import pytest

from tests.fixtures.stored_images import fill, found, state
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.labels import Author, Label, LabelSet
from workbench.domain.splits import Part, SplitPlan
from workbench.storage.project import Project


def make(project: Project, name: str) -> None:
    project.versions.add(project.versions.draft(), name, "a note", "me")


def label(project: Project, ids: list[int], name: str | None, author=Author.HUMAN) -> None:
    with project.edit("Label"):
        project.labels.assign(ids, "view", name, author)


def edited(project: Project) -> list[int]:
    """Four images with labels, mouths with labels, and a split; their ids."""
    ids = fill(project, 4, [("category", "owl")])
    label(project, ids[:2], "front")
    label(project, ids[2:], "back", Author.MODEL)
    for id_ in ids[:2]:
        crop = project.crops.save(
            Crop(None, id_, 0, CropState.FOUND, Rect(1, 2, 30, 40), ((1.5, 2.5),), "dlib")
        )
        with project.edit("Label"):
            project.labels.assign_crops([crop.id], "expression", "smile")
    project.splits.make(SplitPlan(), dict(zip(ids, [Part.TRAIN] * 3 + [Part.TEST], strict=True)))
    return ids


def wreck(project: Project, ids: list[int]) -> None:
    """Change everything that a version has."""
    with project.edit("Everything"):
        project.images.remove(ids[:1])
        source = project.images.add_source("/more")
        project.images.add(source, [found(90, ("category", "crow"))])
        project.labels.assign(ids[1:3], "view", "left")
        project.labels.assign(ids[3:], "view", None)
        (crop,) = project.crops.of_image(ids[1])
        project.labels.assign_crops([crop.id], "expression", "open")
        moved = Crop(crop.id, ids[1], 0, CropState.ADJUSTED, Rect(5, 6, 7, 8), (), "hand", True)
        project.crops.save(moved)
        project.crops.save(Crop(None, ids[2], 0, CropState.MISSED, None, (), "dlib"))
        project.labels.save_set(LabelSet("colour", (Label("red"),)))
        project.labels.assign(ids[1:2], "colour", "red")
        project.labels.remove_set("category")
        project.splits.make(SplitPlan(seed=5), {ids[1]: Part.VALIDATION})


def test_a_version_never_changes(project):
    ids = edited(project)
    make(project, "first")
    before = project.versions.content("first")
    wreck(project, ids)
    make(project, "second")
    for _ in range(4):
        project.history.undo()  # also edits from before the version
    label(project, ids[:1], "right")  # the undone edits are discarded
    project.history.forget()
    assert project.versions.content("first").same_as(before)
    assert project.versions.content("first").files == before.files
    assert [(v.name, v.note, v.author) for v in project.versions.all()] == [
        ("second", "a note", "me"),
        ("first", "a note", "me"),
    ]
    first = project.versions.get("first")
    assert (first.images, first.labels, first.automatic) == (4, 10, False)


def test_going_back_restores_everything_and_can_be_undone(project):
    ids = edited(project)
    make(project, "good")
    target = project.versions.content("good")
    wreck(project, ids)
    after = state(project)
    parts = project.splits.parts()
    project.versions.restore(target, "good")
    assert project.versions.current().same_as(target)
    assert project.labels.counts("view") == {"front": 2, "back": 2, "left": 0, "right": 0, "": 0}
    assert project.labels.counts("category")["owl"] == 4
    assert {row.path for row in project.images.rows(project.images.ids())} == {
        f"/photos/a/image {number}.jpg" for number in range(4)
    }
    assert project.splits.counts() == {Part.TRAIN: 3, Part.VALIDATION: 0, Part.TEST: 1}
    assert str(project.history.undo_text()) == "Go back to version “good”"
    project.history.undo()
    assert state(project) == after
    assert project.splits.parts() == parts
    project.history.redo()
    assert project.versions.current().same_as(target)


def test_going_forward_again_works_too(project):
    ids = edited(project)
    make(project, "one")
    wreck(project, ids)
    make(project, "two")
    for name in ("one", "two", "one", "two"):
        target = project.versions.content(name)
        project.versions.restore(target, name)
        assert project.versions.current().same_as(target)


def test_going_back_keeps_the_rows_of_what_is_equal(project):
    ids = edited(project)
    make(project, "good")
    before = {row[0]: row for row in state(project)["annotation"]}
    label(project, ids[:1], "left")
    project.versions.restore(project.versions.content("good"), "good")
    rows = state(project)["annotation"]
    assert [row for row in rows if row[0] in before and row[1] != ids[0]] == [
        row for row in before.values() if row[1] != ids[0]
    ]
    assert len(rows) == len(before) + 2  # left, which has ended, and front, which is new


def test_going_back_without_a_difference_is_not_an_edit(project):
    edited(project)
    make(project, "good")
    before = project.history.entries()
    project.versions.restore(project.versions.content("good"), "good")
    assert project.history.entries() == before


def test_a_version_without_a_split_takes_the_split_away(project):
    ids = fill(project, 2)
    make(project, "none")
    project.splits.make(SplitPlan(), {ids[0]: Part.TRAIN})
    project.versions.restore(project.versions.content("none"), "none")
    assert project.splits.current() is None
    project.history.undo()
    assert project.splits.parts() == {ids[0]: Part.TRAIN}


def test_versions_after_the_first_hold_only_what_differs(project):
    ids = fill(project, 500, [("category", "owl")])
    make(project, "first")
    label(project, ids[:1], "front")
    make(project, "second")
    sizes = [size for (size,) in project._db.rows("SELECT length(body) FROM version ORDER BY id")]
    assert sizes[1] < sizes[0] / 10


def test_names_are_unique_and_not_blank(project):
    fill(project, 1)
    make(project, "  one  two ")
    assert project.versions.all()[0].name == "one two"
    for name in ("one two", " "):
        with pytest.raises(ValueRefused):
            make(project, name)
    with pytest.raises(KnownError, match="no version “three”"):
        project.versions.content("three")


def test_drafts_of_one_state_are_stored_one_after_the_other(project):
    ids = edited(project)
    first = project.versions.draft()
    label(project, ids, "left")
    second = project.versions.draft()
    project.versions.add(second, "second", "", "")
    project.versions.add(first, "first", "", "")
    assert project.versions.content("first").same_as(first.content)
    assert project.versions.content("second").same_as(second.content)


@pytest.mark.parametrize("change", ["label", "undo", "joined", "crop", "split", "images"])
def test_a_change_is_noticed_and_its_undo_too(project, change):
    ids = edited(project)
    make(project, "good")
    assert project.versions.unchanged() == "good"
    assert project.versions.draft().same == "good"
    if change == "undo":
        project.history.undo()
    elif change == "joined":
        entry = project.history.entries()[0]
        with project.edit("Split", joined_to=entry.id):
            project.labels.assign(ids[:1], "view", "left")
    elif change == "crop":
        project.crops.save(Crop(None, ids[3], 0, CropState.MISSED, None, (), "dlib"))
    elif change == "split":
        project.splits.make(SplitPlan(), {ids[1]: Part.VALIDATION})
    elif change == "images":
        project.images.remove(ids[:1])
    else:
        label(project, ids[:1], "left")
    assert project.versions.unchanged() == ""
    assert project.versions.draft().same == ""
    if change not in ("undo", "joined"):
        project.history.undo()
        assert project.versions.unchanged() == "good"
        assert project.versions.draft().same == "good"


def test_what_comes_back_to_the_same_state_by_hand_is_the_same(project):
    ids = edited(project)
    make(project, "good")
    label(project, ids[:1], "left")
    label(project, ids[:1], "front")
    assert project.versions.unchanged() == ""
    draft = project.versions.draft()
    assert draft.same == "good"
    assert project.versions.confirm(draft) == "good"
    assert project.versions.unchanged() == "good"


def test_a_damaged_version_is_reported(project):
    fill(project, 2)
    make(project, "good")
    project._db.run("UPDATE version SET body = ?", (zlib.compress(b"{}"),))
    with pytest.raises(KnownError, match="is damaged"):
        project.versions.content("good")
