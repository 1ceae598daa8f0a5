"""Versions are immutable and whole whatever is undone, and going back is one undoable edit."""

from __future__ import annotations

import zlib
from dataclasses import replace
from random import Random

import pytest

from tests.fixtures.stored_images import fill, found, state
from workbench.domain.changes import Changes
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.labels import Author, Label, LabelSet, Role
from workbench.domain.projects import PointKind
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part, SplitPlan
from workbench.storage.annotators import NewAnnotation
from workbench.storage.project import Project
from workbench.storage.restore_points import list_points


def make(project: Project, name: str) -> None:
    project.versions.add(project.versions.draft(), name, "a note", "me")


def go_back(project: Project, name: str) -> Changes:
    """Go back to a version as one edit."""
    plan = project.going_back.plan(project.versions.get(name), project.versions.content(name))
    steps = project.going_back.run(plan)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def run_on(version: str) -> RunRecord:
    labels = RunLabels(LabelList("category", ("owl",), (0,)), None)
    run = RunRecord("r1", "first", RunStatus.FINISHED, "category", "", labels, 1.0)
    return replace(run, version=version)


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
    go_back(project, "good")
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
        go_back(project, name)
        assert project.versions.current().same_as(target)


def test_going_back_keeps_the_rows_of_what_is_equal(project):
    ids = edited(project)
    make(project, "good")
    before = {row[0]: row for row in state(project)["annotation"]}
    label(project, ids[:1], "left")
    go_back(project, "good")
    rows = state(project)["annotation"]
    assert [row for row in rows if row[0] in before and row[1] != ids[0]] == [
        row for row in before.values() if row[1] != ids[0]
    ]
    assert len(rows) == len(before) + 1  # left, which has ended; front is as it was
    assert [row for row in rows if row[0] in before] == list(before.values())


def test_going_back_without_a_difference_is_not_an_edit(project):
    edited(project)
    make(project, "good")
    before = project.history.entries()
    go_back(project, "good")
    assert project.history.entries() == before


def test_a_version_without_a_split_takes_the_split_away(project):
    ids = fill(project, 2)
    make(project, "none")
    project.splits.make(SplitPlan(), {ids[0]: Part.TRAIN})
    go_back(project, "none")
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
    first, before = project.versions.draft(), project.versions.current()
    label(project, ids, "left")
    second, after = project.versions.draft(), project.versions.current()
    project.versions.add(second, "second", "", "")
    project.versions.add(first, "first", "", "")
    assert project.versions.content("first").same_as(before)
    assert project.versions.content("second").same_as(after)
    make(project, "third")
    assert project.versions.content("third").same_as(after)


@pytest.mark.parametrize("change", ["label", "undo", "joined", "crop", "split", "images"])
def test_a_change_is_noticed_and_its_undo_too(project, change):
    ids = edited(project)
    make(project, "good")
    assert project.versions.unchanged() == "good"
    assert project.versions.draft(find_same=True).same == "good"
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
    assert project.versions.draft(find_same=True).same == ""
    if change not in ("undo", "joined"):
        project.history.undo()
        assert project.versions.unchanged() == "good"
        assert project.versions.draft(find_same=True).same == "good"


def test_what_comes_back_to_the_same_state_by_hand_is_the_same(project):
    ids = edited(project)
    make(project, "good")
    label(project, ids[:1], "left")
    label(project, ids[:1], "front")
    assert project.versions.unchanged() == ""
    draft = project.versions.draft(find_same=True)
    assert draft.same == "good"
    assert project.versions.confirm(draft) == "good"
    assert project.versions.unchanged() == "good"


def test_a_damaged_version_is_reported(project):
    fill(project, 2)
    make(project, "good")
    project._db.run("UPDATE version SET body = ?", (zlib.compress(b"{}"),))
    with pytest.raises(KnownError, match="is damaged"):
        project.versions.content("good")


def rename_labels(project: Project, random: Random) -> None:
    """Rename, merge, add and remove labels of the set category."""
    names = random.sample(["owl", "Owl", "crow", "wren"], 2)
    renamed = {old: random.choice(names) for old in project.labels.get("category").names}
    project.labels.save_set(LabelSet("category", tuple(map(Label, names))), renamed)


def add_crop(project: Project, image: int, number: int) -> None:
    box = Rect(1, 2, number, 40)
    saved = project.crops.save(Crop(None, image, 0, CropState.FOUND, box, (), "dlib"))
    project.labels.assign_crops([saved.id], "expression", "smile")


def random_edit(project: Project, random: Random, number: int) -> None:
    """One of the edits, undos and redos that change what a version has."""
    some = random.sample(ids := project.images.ids().tolist(), min(len(ids), 3))
    names = [version.name for version in project.versions.all()]
    source = project.images.add_source("/more")
    new = found(100 + number, ("category", "crow"))
    parts = {id_: random.choice([*Part]) for id_ in some}
    edits = [
        lambda: label(project, some, random.choice(["front", "back", None])),
        lambda: project.images.add(source, [new]),
        lambda: project.images.remove(some[:1]),
        lambda: rename_labels(project, random),
        lambda: [add_crop(project, image, number) for image in some[:1]],
        lambda: project.splits.make(SplitPlan(seed=number), parts),
        lambda: setattr(project.labels, "annotator", random.choice(["", "ada", "ben"])),
        lambda: go_back(project, random.choice(names)) if names else None,
        project.history.undo,
        project.history.undo,
        project.history.redo,
    ]
    random.choice(edits)()


@pytest.mark.parametrize("seed", range(12))
def test_what_is_read_by_edit_is_what_the_project_has(project, seed):
    edited(project)
    random = Random(seed)
    states = {}
    for number in range(60):
        random_edit(project, random, number)
        if random.random() < 0.3:
            make(project, f"v{number}")
            states[f"v{number}"] = project.versions.current()
            found = project.versions.get(f"v{number}")
            made = project.versions.content(f"v{number}")
            assert made.same_as(states[f"v{number}"])
            assert {hash_: made.files[hash_] for hash_ in made.states} == states[found.name].files
            labels = sum(state.count('["') for state in made.states.values())
            assert (found.images, found.labels) == (len(made.states), labels)
    for name, state_then in states.items():
        assert project.versions.content(name).same_as(state_then)
    for name, state_then in states.items():
        go_back(project, name)
        assert project.versions.current().same_as(state_then)


def test_a_later_version_reads_only_what_was_touched(project):
    ids = fill(project, 200, [("category", "owl")])
    make(project, "first")
    label(project, ids[:3], "front")
    project.images.remove(ids[5:6])
    steps: list[str] = []
    project._db.connection.set_trace_callback(steps.append)
    make(project, "second")
    project._db.connection.set_trace_callback(None)
    assert steps
    assert not [step for step in steps if "FROM version WHERE id <=" in step]
    assert not [step for step in steps if "JOIN" in step and "FROM annotation WHERE" in step]
    assert project.versions.content("second").same_as(project.versions.current())


def test_going_back_keeps_who_gave_a_label_and_when(project):
    ids = fill(project, 3)
    project.labels.annotator = "ada"
    label(project, ids, "front")
    with project.edit("Settle"):
        given = NewAnnotation(ids[2], None, "left", "ben", Author.HUMAN, Role.DECISION, 0)
        project.annotators.replace_labels("view", [given])
    make(project, "good")
    before = project.labels.values()
    times = [row[7:9] for row in state(project)["annotation"]]
    project.labels.annotator = "cleo"
    label(project, ids, "back")
    go_back(project, "good")
    assert project.labels.values() == before
    assert project.annotators.decisions("view").keys() == {ids[2]}
    assert [row[7:9] for row in state(project)["annotation"]][: len(times)] == times
    project.images.remove(ids)
    go_back(project, "good")
    assert [row[2:] for row in project.labels.values()] == [row[2:] for row in before]
    assert len(project.annotators.decisions("view")) == 1


def test_going_back_behind_a_rename_keeps_who_gave_a_label_and_when(project):
    ids = fill(project, 3, [("category", "owl")])
    project.labels.annotator = "ada"
    with project.edit("Label"):
        project.labels.assign(ids, "category", "owl")
    make(project, "good")
    before = project.labels.values()
    times = [one.made_at for id_ in ids for one in project.labels.history(id_) if not one.ended_at]
    project.labels.save_set(LabelSet("category", (Label("Owl"),)), {"owl": "Owl"})
    go_back(project, "good")
    assert project.labels.values() == before
    now = [one.made_at for id_ in ids for one in project.labels.history(id_) if not one.ended_at]
    assert now == times


def test_an_image_that_comes_back_is_found_at_its_re_linked_source(project, tmp_path):
    ids = fill(project, 2)
    make(project, "good")
    (source,) = project.images.sources()
    project.images.relink(source.id, "/moved")
    project.images.remove(ids[:1])
    go_back(project, "good")
    assert [row.path for row in project.images.rows(project.images.ids())] == [
        f"/moved/a/image {number}.jpg" for number in (0, 1)
    ]
    assert [one.path for one in project.images.sources()] == ["/moved"]


def test_nothing_has_changed_if_going_back_is_stopped(project):
    ids = edited(project)
    make(project, "good")
    wreck(project, ids)
    before = state(project)
    plan = project.going_back.plan(project.versions.get("good"), project.versions.content("good"))
    steps = project.going_back.run(plan)
    assert [next(steps), next(steps)] == [0, len(plan.images)]
    steps.close()
    assert state(project) == before
    assert str(project.history.undo_text()) == "Everything"


def test_what_was_edited_since_it_was_planned_goes_back_too(project):
    ids = edited(project)
    make(project, "good")
    plan = project.going_back.plan(project.versions.get("good"), project.versions.content("good"))
    planned, plans = project.going_back.plan, []
    project.going_back.plan = lambda *given: plans.append(given) or planned(*given)
    wreck(project, ids)
    for _ in project.going_back.run(plan):
        pass
    assert len(plans) == 1
    for _ in project.going_back.run(planned(plan.version, plan.target)):
        pass
    assert len(plans) == 1, "nothing was edited after the second plan"
    assert project.versions.current().same_as(plan.target)


def test_a_version_is_renamed_also_where_a_run_names_it(project):
    fill(project, 1)
    make(project, "one")
    make(project, "two")
    run = run_on("one")
    project.runs.create(run)
    assert project.versions.rename("one", " better ") == {run.id}
    assert project.runs.get(run.id).version == "better"
    assert project.versions.rename("two", "TWO") == frozenset()
    assert [version.name for version in project.versions.all()] == ["TWO", "better"]
    for name in ("better", "", "now", "Now", "\u200b"):
        with pytest.raises(ValueRefused):
            project.versions.rename("TWO", name)
    project.versions.rename("TWO", "TWO")


def test_a_version_is_deleted_and_the_later_ones_are_whole(project):
    ids = edited(project)
    for name in ("one", "two", "three"):
        make(project, name)
        label(project, ids[:2], "left" if name == "one" else "right")
    third = project.versions.content("three")
    project.versions.remove("two")
    project.versions.remove("one")
    assert [version.name for version in project.versions.all()] == ["three"]
    assert project.versions.content("three").same_as(third)
    with pytest.raises(KnownError, match="no version “one”"):
        project.versions.content("one")
    make(project, "one")
    assert project.versions.content("one").same_as(project.versions.current())
    project.versions.remove("one")
    assert project.versions.unchanged() == ""
    assert project.versions.draft(find_same=True).same == ""


def test_a_version_that_a_run_names_is_not_deleted(project):
    fill(project, 1)
    make(project, "one")
    run = run_on("one")
    project.runs.create(run)
    with pytest.raises(KnownError, match=r"“one” cannot be deleted: the run “first” was trained"):
        project.versions.remove("one")
    project.runs.remove(run.id)
    project.versions.remove("one")
    assert project.versions.all() == []


def test_versions_of_an_earlier_program_go_on(project):
    ids = edited(project)
    make(project, "old")
    before = project.versions.content("old")
    label(project, ids[:1], "left")
    run = run_on("old")
    project.runs.create(run)
    for statement in (
        "DROP TABLE touched",
        "ALTER TABLE version DROP COLUMN split",
        "ALTER TABLE version DROP COLUMN removed",
        "DELETE FROM _sqlite_migrations WHERE name = 'touched'",
    ):
        project._db.run(statement)
    project.close()
    again = Project.open(project.folder)
    assert again.versions.content("old").same_as(before)
    assert [point.kind for point in list_points(again.folder)] == [PointKind.MIGRATION]
    make(again, "new")
    assert again.versions.content("new").same_as(again.versions.current())
    label(again, ids[:1], "right")
    make(again, "newer")
    assert again.versions.content("newer").same_as(again.versions.current())
    go_back(again, "old")
    assert again.versions.current().same_as(before)
    assert again.runs.get(run.id).version == "old"
    again.close()
