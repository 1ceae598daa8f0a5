"""Annotators: whose label it is, who agrees, and which labels count as a person's opinion."""

import sqlite3

import pytest

from tests.fixtures.stored_images import fill, state
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.labels import Author, Label, LabelSet, Role
from workbench.domain.projects import DATABASE_FILE
from workbench.storage.annotators import NewAnnotation
from workbench.storage.project import Project


@pytest.fixture
def store(project):
    fill(project, 4)
    return project


def label(store, person, label, *images, label_set="view"):
    store.labels.annotator = person
    with store.edit("Label"):
        store.labels.assign(images, label_set, label)


def opinions(store, label_set="view"):
    """Each opinion as (image, person, label), oldest first."""
    names, labels = store.annotators.names(), store.labels.get(label_set).names
    found = store.annotators.opinions(label_set)
    return [
        (image, names[person], labels[at])
        for image, person, at in zip(found.images, found.annotators, found.labels, strict=True)
    ]


def test_a_label_by_hand_carries_the_name_of_the_person(store):
    label(store, "", "left", 1)
    label(store, "Ann", "right", 1)
    store.labels.assign([1], "category", None)
    store.labels.assign([2], "view", "left", Author.IMPORT)
    store.labels.assign([3], "view", "left", Author.IMPORT, annotator=" Ben ")
    assert [one.annotator for one in store.labels.history(1)] == ["", "Ann"]
    assert [(one.image, one.annotator) for one in store.labels.current()] == [
        (1, "Ann"),
        (2, ""),
        (3, "Ben"),
    ]
    assert list(store.annotators.names().values()) == ["Ann", "Ben"]


def test_a_name_is_one_person_however_it_is_spelled(store):
    for name in ("Ren\u00e9e", "rene\u0301e ", "REN\u00c9E"):
        label(store, name, "left", 1)
        label(store, name, "right", 1)
    assert list(store.annotators.names().values()) == ["Ren\u00e9e"]
    assert store.annotators.id_of("nobody") is None
    label(store, "   ", "left", 2)
    assert len(store.annotators.names()) == 1


def test_undo_and_redo_keep_the_name(store):
    label(store, "Ann", "left", 1)
    label(store, "Ben", "right", 1)
    before = state(store)
    store.history.undo()
    assert [one.annotator for one in store.labels.current()] == ["Ann"]
    store.history.redo()
    assert state(store) == before


def test_both_see_an_image_whose_label_the_second_replaces(store):
    label(store, "Ann", "left", 1, 2)
    label(store, "Ben", "right", 1)
    assert opinions(store) == [(1, "Ann", "left"), (2, "Ann", "left"), (1, "Ben", "right")]


def test_an_equal_label_of_another_person_is_stored_once_and_changes_no_current_one(store):
    label(store, "Ann", "left", 1, 2)
    label(store, "Ben", "left", 1, 2, 3)
    label(store, "Ben", "left", 1)
    assert [(one.image, one.annotator) for one in store.labels.current()] == [
        (1, "Ann"),
        (2, "Ann"),
        (3, "Ben"),
    ]
    assert opinions(store)[2:] == [(3, "Ben", "left"), (1, "Ben", "left"), (2, "Ben", "left")]
    label(store, "Ann", "left", 1)
    assert len(opinions(store)) == 5, "one's own current label is no second opinion"
    label(store, "", "left", 1)
    assert len(opinions(store)) == 5, "nor is that of someone without a name"


def test_an_imported_label_that_does_not_replace_one_by_hand_is_an_opinion(store):
    label(store, "Ann", "left", 1)
    store.labels.assign([1], "view", "back", Author.IMPORT, annotator="Ben")
    store.labels.assign([1], "view", "back", Author.IMPORT, annotator="Ben")
    assert opinions(store) == [(1, "Ann", "left"), (1, "Ben", "back")]
    assert store.labels.of_images([1], "view") == {1: ("left",)}
    assert [one.is_opinion for one in store.labels.history(1)] == [False, True]


def test_a_cleared_label_is_no_opinion_and_neither_is_one_of_a_removed_label(store):
    label(store, "Ann", "left", 1, 2)
    label(store, "Ann", None, 1)
    assert opinions(store) == [(2, "Ann", "left")]
    label(store, "Ann", "back", 1)
    view = store.labels.get("view")
    rest = tuple(one for one in view.labels if one.name == "front" or one.name == "back")
    store.labels.save_set(LabelSet("view", rest))
    assert opinions(store) == [(1, "Ann", "back")]


def test_merged_labels_make_people_agree(store):
    label(store, "Ann", "front", 1)
    label(store, "Ben", "back", 1)
    store.labels.save_set(store.labels.get("view").merged("back", "front"), {"back": "front"})
    assert opinions(store) == [(1, "Ann", "front"), (1, "Ben", "front")]


def test_blind_labels_change_nothing_and_are_known_as_blind(store):
    label(store, "Ann", "left", 1)
    blind = NewAnnotation(1, None, "right", "Ben", Author.HUMAN, Role.BLIND, 0)
    store.annotators.add_opinions("view", [blind])
    assert store.labels.of_images([1], "view") == {1: ("left",)}
    assert opinions(store) == [(1, "Ann", "left"), (1, "Ben", "right")]
    assert store.annotators.opinions("view").blind.tolist() == [False, True]
    store.history.undo()
    assert opinions(store) == [(1, "Ann", "left")]


def test_a_decision_replaces_every_label_and_is_no_opinion(store):
    label(store, "Ann", "left", 1, 2)
    label(store, "Ben", "right", 1)
    store.labels.annotator = "Cat"
    store.labels.decide([1, 2], "view", "left")
    assert store.labels.of_images([1, 2], "view") == {1: ("left",), 2: ("left",)}
    assert opinions(store) == [(1, "Ann", "left"), (2, "Ann", "left"), (1, "Ben", "right")]
    assert [one.role for one in store.labels.history(2)] == [Role.LABEL, Role.DECISION]
    with pytest.raises(ValueRefused):
        store.labels.decide([1], "view", "top")


def test_opinions_on_crops_are_apart_from_those_on_images(store):
    square = Rect(0, 0, 5, 5)
    crops = [store.crops.save(Crop(None, 3, at, CropState.FOUND, square)).id for at in (0, 1)]
    store.labels.annotator = "Ann"
    store.labels.assign_crops(crops, "expression", "smile")
    store.labels.annotator = "Ben"
    store.labels.assign_crops(crops[1:], "expression", "open")
    found = store.annotators.opinions("expression")
    assert found.subjects.tolist() == [*crops, crops[1]]
    assert found.images.tolist() == [3, 3, 3]
    assert opinions(store) == []
    assert store.annotators.images_of("ben").tolist() == [3]
    assert store.annotators.images_of("Cat").tolist() == []


def test_labels_of_sets_that_are_not_exclusive_carry_names_too(store):
    store.labels.save_set(LabelSet("traits", (Label("a"), Label("b")), exclusive=False))
    label(store, "Ann", "a", 1, label_set="traits")
    label(store, "Ben", "b", 1, label_set="traits")
    assert [one.annotator for one in store.labels.current()] == ["Ann", "Ben"]


def test_a_project_without_annotators_opens_with_its_labels_and_history(store):
    store.labels.assign([1, 2], "view", "left")
    store.labels.assign([1], "view", "right")
    folder = store.folder
    store.close()
    _take_annotators_out(folder / DATABASE_FILE)
    again = Project.open(folder)
    try:
        assert again.labels.of_images([1, 2], "view") == {1: ("right",), 2: ("left",)}
        assert [one.annotator for one in again.labels.history(1)] == ["", ""]
        again.history.undo()
        assert again.labels.of_images([1, 2], "view") == {1: ("left",), 2: ("left",)}
        label(again, "Ann", "front", 1)
        assert opinions(again) == [(1, "Ann", "front")]
    finally:
        again.close()


def _take_annotators_out(file):
    """What the migration adds, and what edits recorded of it."""
    db = sqlite3.connect(file)
    for column in ("annotator", "role"):
        db.execute(f"ALTER TABLE annotation DROP COLUMN {column}")
    db.execute("DROP TABLE annotator")
    db.execute("DELETE FROM _sqlite_migrations WHERE name = 'annotators'")
    db.execute("UPDATE change SET state = json_remove(state, '$[10]', '$[9]') WHERE kind = 8")
    db.commit()
    db.close()
