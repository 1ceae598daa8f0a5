"""Undo and redo restore every edit exactly, also after a restart."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.stored_images import MTIME, fill, found, state
from workbench.domain.changes import Changes
from workbench.domain.crops import Crop, CropState, CropUpdate
from workbench.domain.geometry import Rect
from workbench.domain.images import SkippedFile
from workbench.domain.labels import Author, Label, LabelSet
from workbench.domain.splits import SplitPlan, stratified_split
from workbench.storage.project import Project

LANDMARKS = tuple((0.1 + i / 3, 7 / (i + 1)) for i in range(68))


def import_more(project):
    source = project.images.add_source("/more")
    project.images.add(source, [found(i, ("category", "new kind"), folder="b") for i in range(9)])
    project.images.set_skipped(source, [SkippedFile("broken.jpg", "it is truncated")])


def crop_faces(project):
    crop = Crop(None, 1, 0, CropState.FOUND, Rect(1, 2, 33, 34), LANDMARKS, "cascade")
    project.crops.apply(1, CropUpdate((crop, Crop(None, 1, 1, CropState.MISSED)), ()))
    stored = project.crops.of_image(1)[0]
    project.labels.assign_crops([stored.id], "expression", "smile")


def change_views(project):
    view = project.labels.get("view")
    labels = (Label("nose", "N"), *view.labels[2:], Label("top"))
    project.labels.save_set(LabelSet("view", labels), {"front": "nose"})


def make_split(project):
    plan = SplitPlan(1 / 3, 1 / 3, 1 / 3, 7)
    project.splits.make(plan, stratified_split(plan, dict.fromkeys(range(1, 6), "")))


EDITS = {
    "one label": lambda p: p.labels.assign([2], "view", "back"),
    "another label": lambda p: p.labels.assign([1], "view", "left"),
    "no label": lambda p: p.labels.assign([1], "view", None),
    "many labels": lambda p: p.labels.assign(range(1, 6), "view", "right"),
    "a model's label": lambda p: p.labels.assign([3], "view", "left", Author.MODEL, 1 / 3),
    "crops": crop_faces,
    "label set": change_views,
    "label set removed": lambda p: p.labels.remove_set("view"),
    "split": make_split,
    "import": import_more,
    "removed images": lambda p: p.images.remove([1, 2]),
    "re-linked source": lambda p: p.images.relink(1, "/elsewhere"),
}


@pytest.fixture
def filled(project):
    fill(project, 5)
    project.labels.assign([1], "view", "front")
    crop = project.crops.save(Crop(None, 1, 0, CropState.FOUND, Rect(0, 0, 9, 9), LANDMARKS))
    project.labels.assign_crops([crop.id], "expression", "open")
    return project


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_undone_and_redone_exactly(filled, name):
    before = state(filled)
    with filled.edit(name) as edit:
        EDITS[name](filled)
    after = state(filled)
    assert after != before
    assert edit.changes
    assert filled.history.undo_text() == name
    assert filled.history.undo()[0] == name
    assert state(filled) == before
    assert filled.history.redo() == (name, edit.changes)
    assert state(filled) == after


@pytest.mark.parametrize("name", EDITS)
def test_undo_and_redo_survive_a_restart(filled, name):
    before = state(filled)
    with filled.edit(name):
        EDITS[name](filled)
    after = state(filled)
    filled.close()
    again = Project.open(filled.folder)
    again.history.undo()
    assert state(again) == before
    again.close()
    again = Project.open(filled.folder)
    assert again.history.redo_text() == name
    again.history.redo()
    assert state(again) == after
    again.close()


def test_everything_is_undone_down_to_the_empty_project(filled):
    states = [state(filled)]
    for name, edit in EDITS.items():
        with filled.edit(name) as made:
            edit(filled)
        if made.changes:
            states.append(state(filled))
    for former in reversed(states[:-1]):
        filled.history.undo()
        assert state(filled) == former
    while filled.history.undo():
        pass
    assert filled.images.count() == 0
    assert filled.images.sources() == []
    while filled.history.redo():
        pass
    assert state(filled) == states[-1]


def test_a_new_edit_clears_redo(filled):
    with filled.edit("first"):
        filled.labels.assign([2], "view", "left")
    filled.history.undo()
    with filled.edit("nothing"):
        filled.labels.assign([2], "view", None)
    assert filled.history.redo_text() == "first"  # an edit of nothing ends nothing
    with filled.edit("second"):
        filled.labels.assign([2], "view", "right")
    assert filled.history.redo() is None
    assert "first" not in [entry.text for entry in filled.history.entries()]


def test_a_split_that_was_undone_and_replaced_leaves_no_members(filled):
    make_split(filled)
    filled.history.undo()
    assert filled.splits.current() is None
    assert filled.splits.parts() == {}
    filled.labels.assign([2], "view", "left")
    assert filled._db.value("SELECT count(*) FROM membership") == 0


def test_an_edit_that_fails_leaves_nothing(filled):
    before = state(filled)

    def half() -> None:
        with filled.edit("half"):
            filled.labels.assign([2, 3], "view", "left")
            fill(filled, 9)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert state(filled) == before
    assert filled.labels.counts("view")["left"] == 0
    assert len(filled.images.ids()) == 5
    assert filled.history.undo_text() != "half"


def test_counts_are_right_inside_an_open_edit(filled):
    assert filled.labels.counts("view")[""] == 4
    with filled.edit("more"):
        fill(filled, 8)
        assert len(filled.images.ids()) == 8
        assert filled.labels.counts("view")[""] == 7
        filled.images.remove([1])
        assert len(filled.images.ids()) == 7
        assert filled.labels.counts("view") == {"front": 0, "back": 0, "left": 0, "right": 0, "": 7}


def test_a_joined_edit_is_one_undo_step(filled):
    before = state(filled)
    with filled.edit("Import") as first:
        filled.images.add(1, [found(10)])
    with filled.edit("Import", joined_to=first.id) as second:
        filled.images.add(1, [found(11)])
    assert second.id == first.id
    assert second.changes.added == {7}
    assert filled.history.undo()[1].removed == {6, 7}
    assert state(filled) == before


def test_a_row_touched_twice_in_joined_edits_changes_in_both(filled):
    before = state(filled)
    with filled.edit("Label") as first:
        filled.labels.assign([1, 2], "view", "left")
    with filled.edit("Label", joined_to=first.id) as second:
        filled.labels.assign([1], "view", None)
        filled.labels.assign([3], "view", "back")
    with filled.edit("Label", joined_to=first.id) as third:
        filled.labels.assign([2], "view", None)
    assert first.changes.labelled == {1, 2}
    assert second.changes.labelled == {1, 3}
    assert third.changes.labelled == {2}
    assert filled.history.undo()[1].labelled == {1, 2, 3}
    assert state(filled) == before


def test_edits_join_one_that_changed_nothing(filled):
    with filled.edit("Import") as first:
        filled.labels.assign([1], "view", "front")
    ids = []
    for image in (2, 3):
        with filled.edit("Import", joined_to=first.id) as edit:
            filled.labels.assign([image], "view", "left")
        ids.append(edit.id)
    assert ids[0] == ids[1]
    filled.history.undo()
    assert filled.labels.counts("view")["left"] == 0


def test_a_joined_edit_after_another_keeps_the_order_of_undo(filled):
    states = [state(filled)]
    with filled.edit("Import") as first:
        filled.labels.assign([2], "view", "left")
    states.append(state(filled))
    with filled.edit("Label"):
        filled.labels.assign([2], "view", "right")
    states.append(state(filled))
    with filled.edit("Import", joined_to=first.id) as last:
        filled.labels.assign([2], "view", "back")
    assert last.id != first.id
    with filled.edit("Import", joined_to=first.id) as further:
        filled.labels.assign([3], "view", "back")
    assert further.id == last.id
    for former in reversed(states):
        filled.history.undo()
        assert state(filled) == former


def test_changes_name_exactly_what_an_edit_touched(filled):
    with filled.edit("views") as edit:
        filled.labels.assign([1, 2], "view", "front")
    assert edit.changes == Changes(labelled=frozenset({2}), history=True)
    with filled.edit("again") as edit:
        filled.labels.assign([1, 2], "view", "front")
    assert not edit.changes
    with filled.edit("out") as edit:
        filled.images.remove([1])
    assert edit.changes.removed == {1}
    assert edit.changes.cropped == {1}


def test_a_files_time_is_the_same_after_undo_and_redo(filled):
    filled.history.forget()
    fill(filled, 6)
    filled.history.undo()
    filled.history.redo()
    assert filled.images.known_files(1)["a/image 5.jpg"] == (1005, MTIME)


VIEWS = [None, "front", "back", "left", "right"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from("lur"), st.integers(1, 4), st.sampled_from(VIEWS))))
def test_any_mixture_of_labels_undos_and_redos_is_like_a_list_of_states(tmp_path_factory, deeds):
    project = Project.create(tmp_path_factory.mktemp("p") / "p")
    try:
        fill(project, 4)
        states, at = [project.labels.of_images(range(1, 5), "view")], 0
        project.history.forget()
        for deed, image, label in deeds:
            if deed == "l":
                with project.edit("l") as edit:
                    project.labels.assign([image], "view", label)
                if edit.changes:
                    expected = {k: v for k, v in states[at].items() if k != image}
                    expected |= {image: (label,)} if label else {}
                    states, at = [*states[: at + 1], expected], at + 1
            elif deed == "u":
                at -= project.history.undo() is not None
            else:
                at += project.history.redo() is not None
            assert project.labels.of_images(range(1, 5), "view") == states[at]
            counts = project.labels.counts("view")
            assert sum(counts.values()) == 4
            assert counts[""] == 4 - len(states[at])
    finally:
        project.close()
