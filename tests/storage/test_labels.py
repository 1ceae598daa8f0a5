"""Labels: who wins, what is counted, what is remembered."""

import time

import numpy as np
import pytest

from tests.fixtures.stored_images import fill, found
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.images import ImageFilter
from workbench.domain.labels import ANIMAL_VIEWS, CAR_VIEWS, Author, Label, LabelSet, Subject
from workbench.storage.project import Project


def test_a_new_project_has_its_label_sets(project, tmp_path):
    assert list(project.labels.sets()) == ["category", "view", "expression"]
    assert project.labels.get("view") == CAR_VIEWS
    other = Project.create(tmp_path / "Birds", views="animals")
    assert other.labels.get("view") == ANIMAL_VIEWS
    other.close()
    with pytest.raises(ValueRefused, match="cars, animals"):
        Project.create(tmp_path / "Boats", views="boats")


def test_a_persons_label_is_never_overridden_by_an_import(project):
    fill(project, 3)
    project.labels.assign([1], "category", None)
    source = project.images.add_source("/photos")
    project.images.add(source, [found(i, ("category", "A")) for i in range(3)])
    project.labels.assign([2], "category", "A")  # confirmed by a person
    project.images.add(source, [found(i, ("category", "B")) for i in range(3)])
    assert project.labels.of_images([1, 2, 3], "category") == {1: ("B",), 2: ("A",), 3: ("B",)}
    project.labels.assign([1, 2, 3], "category", "B", Author.MODEL, 0.9)
    project.labels.assign([1, 2, 3], "category", None, Author.IMPORT)
    assert project.labels.of_images([1, 2, 3], "category") == {2: ("A",)}


def test_an_import_adds_labels_and_sets_there_were_none_of(project):
    fill(project, 2, [("category", "gull"), ("weather", "rain")])
    assert project.labels.get("category").names == ("gull",)
    assert project.labels.get("weather").names == ("rain",)
    assert project.images.row(1).labels == {"category": ("gull",), "weather": ("rain",)}


def test_history_reports_who_gave_which_label_when(project):
    fill(project, 1)
    project.labels.assign([1], "view", "left", Author.MODEL, 0.75)
    project.labels.assign([1], "view", "left")
    project.labels.assign([1], "view", "right")
    project.labels.assign([1], "view", None)
    past = project.labels.history(1)
    assert [(a.label, a.author, a.confidence) for a in past] == [
        ("left", Author.MODEL, 0.75),
        ("left", Author.HUMAN, 1.0),
        ("right", Author.HUMAN, 1.0),
    ]
    assert all(a.ended_at >= a.made_at for a in past)


def test_a_label_or_set_there_is_none_of_is_refused(project):
    fill(project, 1)
    with pytest.raises(ValueRefused, match="front, back, left, right"):
        project.labels.assign([1], "view", "above")
    with pytest.raises(ValueRefused, match="category, view, expression"):
        project.labels.assign([1], "mood", "good")
    assert project.history.undo_text() == "Import"


def test_ids_there_are_none_of_are_left_alone(project):
    fill(project, 1)
    assert project.labels.assign([1, 1, 99], "view", "left") == {1}
    assert project.labels.counts("view")["left"] == 1
    assert len(project.labels.history(1)) == 1


def test_a_set_that_is_not_exclusive_toggles(project):
    fill(project, 3)
    project.labels.save_set(LabelSet("parts", (Label("wheel"), Label("door")), exclusive=False))
    project.labels.assign([1, 2], "parts", "wheel")
    project.labels.assign([1], "parts", "door")
    assert project.labels.of_images([1, 2, 3], "parts") == {1: ("wheel", "door"), 2: ("wheel",)}
    project.labels.assign([1, 2, 3], "parts", "wheel")  # 3 lacked it: added
    assert project.labels.counts("parts") == {"wheel": 3, "door": 1, "": 0}
    project.labels.assign([1, 2, 3], "parts", "wheel")  # all carry it: taken
    assert project.labels.counts("parts") == {"wheel": 0, "door": 1, "": 2}
    without = ImageFilter(labels=(("parts", None),))
    assert project.images.ids(without).tolist() == [2, 3]
    project.labels.assign([1], "parts", None)
    assert project.labels.of_images([1], "parts") == {}


def test_a_label_with_a_comma_is_one_label(project):
    fill(project, 3)
    names = ("red", "red, dark", "dark")
    project.labels.save_set(LabelSet("paint", tuple(map(Label, names)), exclusive=False))
    project.labels.assign([1], "paint", "red, dark")
    project.labels.assign([2], "paint", "red")
    project.labels.assign([2], "paint", "dark")
    given = {1: ("red, dark",), 2: ("red", "dark")}
    assert project.labels.of_images([1, 2, 3], "paint") == given
    rows = project.images.rows([1, 2, 3])
    assert [row.labels.get("paint", ()) for row in rows] == [*given.values(), ()]
    assert project.labels.counts("paint") == {"red": 1, "red, dark": 1, "dark": 1, "": 1}
    assert project.images.ids(ImageFilter(labels=(("paint", "red, dark"),))).tolist() == [1]


def test_a_set_made_exclusive_keeps_the_newest_label(project):
    fill(project, 1)
    both = (Label("wheel"), Label("door"))
    project.labels.save_set(LabelSet("parts", both, exclusive=False))
    project.labels.assign([1], "parts", "door")
    project.labels.assign([1], "parts", "wheel")
    project.labels.save_set(LabelSet("parts", both))
    assert project.labels.of_images([1], "parts") == {1: ("wheel",)}


def test_labels_of_crops_are_separate_from_those_of_their_images(project):
    fill(project, 2)
    square = Rect(0, 0, 8, 8)
    crops = [project.crops.save(Crop(None, 1, i, CropState.FOUND, square)) for i in range(2)]
    assert project.labels.counts("expression")[""] == 2
    project.labels.assign_crops([crops[1].id], "expression", "smile")
    project.labels.assign([1], "expression", "open", Author.IMPORT)
    assert project.labels.of_crops([c.id for c in crops], "expression") == {crops[1].id: ("smile",)}
    assert project.labels.of_images([1, 2], "expression") == {1: ("open",)}
    assert project.labels.get("expression").subject is Subject.CROP
    assert project.crops.labelled([1]) == {crops[1].id}
    assert project.crops.ids(label=("expression", None)).tolist() == [crops[0].id]
    assert project.crops.ids(label=("expression", "smile")).tolist() == [crops[1].id]
    smiling = ImageFilter(labels=(("expression", "smile"),))
    assert project.images.ids(smiling).tolist() == [1]


def test_a_renamed_label_keeps_its_images_and_a_removed_one_ends(project):
    fill(project, 4)
    for image, label in enumerate(("front", "back", "left", "right"), start=1):
        project.labels.assign([image], "view", label)
    view = LabelSet("view", (Label("nose", "N"), Label("left"), Label("top")))
    project.labels.save_set(view, {"front": "nose"})
    assert project.labels.get("view") == view
    assert project.labels.of_images(range(1, 5), "view") == {1: ("nose",), 3: ("left",)}
    assert project.labels.counts("view") == {"nose": 1, "left": 1, "top": 0, "": 2}
    assert project.labels.history(2)[0].label == "back"
    project.labels.save_set(CAR_VIEWS, {"nose": "front"})
    assert project.labels.of_images(range(1, 5), "view") == {1: ("front",), 3: ("left",)}


def test_two_labels_are_merged_or_swapped(project):
    fill(project, 4)
    for image, label in enumerate(("front", "back", "left", "right"), start=1):
        project.labels.assign([image], "view", label)
    names = tuple(Label(name) for name in ("end", "left", "right"))
    project.labels.save_set(LabelSet("view", names), {"front": "end", "back": "end"})
    assert project.labels.counts("view") == {"end": 2, "left": 1, "right": 1, "": 0}
    swapped = {"left": "right", "right": "left"}
    project.labels.save_set(LabelSet("view", names), swapped)
    assert project.labels.of_images([3, 4], "view") == {3: ("right",), 4: ("left",)}


def one_sided(project):
    """Store what a version did that did not check mirrors: left and right have one side each."""
    with project.edit("Mirrors"):
        project._db.run("UPDATE label SET mirror = '' WHERE name = 'right'")
        project._db.run("UPDATE label SET mirror = 'left' WHERE name = 'back'")


def stored_mirrors(project):
    rows = project._db.rows("SELECT name, mirror FROM label WHERE mirror <> '' ORDER BY position")
    return dict(rows)


def test_one_sided_mirrors_of_an_older_version_are_paired_or_dropped(project):
    one_sided(project)
    project.close()
    again = Project.open(project.folder)
    view = again.labels.get("view")
    mirrors = [(label.name, label.mirror) for label in view.labels]
    assert mirrors == [("front", ""), ("back", ""), ("left", "right"), ("right", "left")]
    again.labels.save_set(view)
    assert stored_mirrors(again) == {"left": "right", "right": "left"}
    again.history.undo()
    assert stored_mirrors(again) == {"back": "left", "left": "right"}
    assert again.labels.get("view") == view
    again.close()


def test_a_set_without_a_name_or_a_name_without_a_label_is_refused(project):
    with pytest.raises(ValueRefused, match="label set"):
        project.labels.save_set(LabelSet("  "))
    with pytest.raises(ValueRefused, match="“front” cannot become"):
        project.labels.save_set(CAR_VIEWS, {"front": "nose"})


def test_positions_counts_and_coverage_agree(project):
    fill(project, 5, [("category", "gull")])
    project.labels.assign([1, 2], "view", "left")
    project.labels.assign([3], "view", "right")
    assert project.labels.label_ids([5, 3, 1, 77], "view").tolist() == [-1, 3, 2, -1]
    assert project.labels.label_ids([], "view").tolist() == []
    project.labels.assign([5], "view", "front")
    assert project.labels.label_ids(range(1, 9), "view").tolist() == [2, 2, 3, -1, 0, -1, -1, -1]
    project.labels.assign([5], "view", None)
    rows, columns, counts = project.labels.coverage("category", "view")
    assert rows == ("gull",)
    assert columns == CAR_VIEWS.names
    assert counts.tolist() == [[0, 0, 2, 1, 2], [0, 0, 0, 0, 0]]
    fill(project, 200)
    project.labels.assign(np.arange(150, 200), "view", "back")
    assert project.labels.counts("view")["back"] == 50


def test_a_restored_label_has_the_history_of_the_last_removed_one(project):
    fill(project, 2)

    def save(*names, **renamed):
        labels = tuple(Label(name) for name in names)
        project.labels.save_set(LabelSet("parts", labels), renamed)

    save("a", "b", "c")
    project.labels.assign([1], "parts", "a")
    project.labels.assign([2], "parts", "b")
    save("b", "c")  # a is removed, then b has its name and is removed, too
    save("a", "c", b="a")
    save("c")
    save("a", "c")
    save("d", "c", a="d")
    assert [entry.label for entry in project.labels.history(1)] == ["a"]
    assert [entry.label for entry in project.labels.history(2)] == ["d"]


def test_images_are_found_by_one_of_several_labels_and_by_those_of_their_mouths(project):
    fill(project, 4)
    project.labels.save_set(LabelSet("parts", (Label("wheel"), Label("door")), exclusive=False))
    project.labels.assign([1, 3], "parts", "wheel")
    project.labels.assign([1, 2], "parts", "door")
    crop = project.crops.save(Crop(None, 4, 0, CropState.FOUND, Rect(0, 0, 9, 9)))
    project.labels.assign_crops([crop.id], "expression", "smile")

    def found(label_set, label):
        return project.images.ids(ImageFilter(labels=((label_set, label),))).tolist()

    assert found("parts", "wheel") == [1, 3]
    assert found("parts", "door") == [1, 2]
    assert found("parts", None) == [4]
    assert found("expression", "smile") == [4]
    assert found("expression", None) == [1, 2, 3]
    project.labels.assign([1], "parts", "wheel")
    assert found("parts", "wheel") == [3]


def mouth(project, image, face=0):
    crop = Crop(None, image, face, CropState.FOUND, Rect(0, 0, 5, 5))
    return project.crops.save(crop).id


def test_removing_an_image_leaves_the_labels_of_other_mouths(project):
    fill(project, 3)
    one, other = mouth(project, 1), mouth(project, 2)
    project.labels.assign_crops([one, other], "expression", "smile")
    project.labels.assign_crops([other], "expression", None)
    project.labels.assign_crops([other], "expression", "open")
    project.labels.assign([1, 3], "view", "left")
    assert [a.crop for a in project.labels.history(1)] == [one, None]
    assert [a.label for a in project.labels.history(2)] == ["smile", "open"]
    project.images.remove([1])
    assert project.labels.of_crops([one, other], "expression") == {other: ("open",)}
    assert project.labels.of_images([1, 3], "view") == {3: ("left",)}
    assert [a.label for a in project.labels.history(2)] == ["smile", "open"]


def test_confidence_is_stored_to_a_millionth(project):
    fill(project, 1)
    project.labels.assign([1], "view", "left", Author.MODEL, 0.12345678)
    assert project.labels.history(1)[0].confidence == 0.123457


def test_coverage_counts_each_pair_of_two_sets(project):
    fill(project, 7)
    project.labels.save_set(LabelSet("category", (Label("gull"), Label("tern"))))
    project.labels.save_set(LabelSet("view", (Label("left"), Label("right"), Label("top"))))
    for images, label in (((1, 2, 3), "gull"), ((4, 5, 6), "tern")):
        project.labels.assign(images, "category", label)
    for images, label in (((1, 4), "left"), ((2, 3), "right"), ((5, 7), "top")):
        project.labels.assign(images, "view", label)
    rows, columns, counts = project.labels.coverage("category", "view")
    assert (rows, columns) == (("gull", "tern"), ("left", "right", "top"))
    assert counts.tolist() == [[1, 2, 0, 0], [1, 0, 1, 1], [0, 0, 1, 0]]


def test_positions_of_images_beyond_and_of_labels_that_ended_are_none(project):
    fill(project, 3)
    project.labels.save_set(LabelSet("kind", (Label("a"), Label("b"), Label("c"))))
    for image, label in enumerate("abc", start=1):
        project.labels.assign([image], "kind", label)
    assert project.labels.label_ids([3, 2, 1, 4, 1000], "kind").tolist() == [2, 1, 0, -1, -1]
    assert project.labels.label_ids(np.array([2, 2]), "kind").tolist() == [1, 1]
    project.labels.save_set(LabelSet("kind", (Label("b"), Label("a"))))
    assert project.labels.label_ids([1, 2, 3], "kind").tolist() == [1, 0, -1]
    assert project.labels.counts("kind") == {"b": 1, "a": 1, "": 1}


def test_mouths_are_counted_by_label_and_only_usable_ones_are_without(project):
    fill(project, 3)
    first, second = mouth(project, 1), mouth(project, 2)
    mouth(project, 2, 1)
    project.crops.save(Crop(None, 3, 0, CropState.REJECTED, Rect(0, 0, 5, 5)))
    project.labels.assign_crops([first, second], "expression", "smile")
    project.labels.assign_crops([second], "expression", None)
    counts = project.labels.counts("expression")
    assert (counts["smile"], counts[""], sum(counts.values())) == (1, 2, 3)


def test_images_with_both_labels_of_a_merge_have_one_afterwards(project):
    fill(project, 4)
    kinds = LabelSet("traits", tuple(map(Label, "abc")), exclusive=False)
    project.labels.save_set(kinds)
    project.labels.assign([1, 2], "traits", "a", Author.IMPORT)
    project.labels.assign([2, 3], "traits", "b")
    project.labels.assign([2], "traits", "c")
    project.labels.save_set(kinds.merged("b", "a"), {"b": "a"})
    assert project.labels.of_images([1, 2, 3, 4], "traits") == {
        1: ("a",),
        2: ("a", "c"),
        3: ("a",),
    }
    assert project.labels.counts("traits") == {"a": 3, "c": 1, "": 1}
    (standing,) = [
        one for one in project.labels.history(2) if one.label == "a" and not one.ended_at
    ]
    assert standing.author is Author.HUMAN, "a person's label stays rather than an import's"
    project.history.undo()
    assert project.labels.of_images([1, 2, 3], "traits") == {
        1: ("a",),
        2: ("a", "b", "c"),
        3: ("b",),
    }


def test_a_project_without_earlier_names_opens_and_keeps_them_from_then_on(tmp_path):
    store = Project.create(tmp_path / "Birds")
    store.labels.save_set(LabelSet("category", (Label("owl"), Label("gull"))))
    store._db.run("DROP TABLE earlier_name")
    store._db.run("DELETE FROM _sqlite_migrations WHERE name = 'earlier_names'")
    store.close()
    again = Project.open(store.folder)
    again.labels.save_set(LabelSet("category", (Label("Eule"), Label("gull"))), {"owl": "Eule"})
    assert again.labels.present_names("category", 0.0) == {"owl": "Eule"}
    assert again.labels.present_names("category", time.time() + 60) == {}
    again.labels.save_set(LabelSet("category", (Label("gull"),)))
    assert again.labels.present_names("category", 0.0) == {}
    again.history.undo()
    assert again.labels.present_names("category", 0.0) == {"owl": "Eule"}
    again.labels.remove_set("category")
    assert again.labels.present_names("category", 0.0) == {}
    again.history.undo()
    again.history.undo()
    assert again.labels.present_names("category", 0.0) == {}
    assert again.labels.get("category").names == ("owl", "gull")
    again.close()
