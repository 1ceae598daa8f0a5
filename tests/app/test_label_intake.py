"""Boxes, parts and people that files name, whatever the format."""

import pytest

from tests.fixtures.imports import export_labels, import_labels
from workbench.app.labels.label_intake import LabelIntake
from workbench.app.labels.reading import PlacedRecord
from workbench.app.session import Session
from workbench.app.training.splitting import take_split
from workbench.domain.crops import Crop, CropState
from workbench.domain.datasets import DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.geometry import Rect
from workbench.domain.images import FoundImage
from workbench.domain.import_reports import DecisionKind
from workbench.domain.labels import Author, LabelSet, Subject
from workbench.domain.splits import Part
from workbench.storage.bulk_labels import ImportedLabel
from workbench.storage.project import Project

SETS = {"": "category", "mood": "mood", "expression": "expression"}


@pytest.fixture
def images(session: Session) -> Session:
    """Three images of 100 × 50 pixels."""
    source = session.store.images.add_source("/photos")
    found = [FoundImage(f"{at}.jpg", f"hash {at}", 100, 50, 1, 1.0) for at in range(1, 4)]
    session.store.images.add(source, found)
    return session


def given(session: Session, *records: PlacedRecord, **declared: DeclaredSet) -> LabelIntake:
    intake = LabelIntake(session, SETS, declared)
    with session.edit("Import"):
        intake.add(records)
    return intake


def record(image: int, *labels: GivenLabel, line: int = 0, **more) -> PlacedRecord:
    return PlacedRecord(image, ImageRecord(f"{image}.jpg", labels, line=line, **more), "file.json")


def crops(session: Session) -> dict[tuple[int, ...], tuple[str, ...]]:
    """The labels of all crops, by their boxes."""
    found = session.store.crops.get(session.store.crops.ids())
    labels = session.store.labels.of_crops([crop.id for crop in found], "expression")
    return {crop.rect.as_tuple(): labels.get(crop.id, ()) for crop in found}


def test_boxes_become_crops_with_their_labels_and_landmarks(images):
    smile = (GivenLabel("expression", "smile"),)
    one = Region((10.2, 5.0, 30.0, 24.6), smile, ((11.0, 6.0),))
    other = Region((0.5, 0.5, 1.0, 1.0), (GivenLabel("expression", "open"),), relative=True)
    given(images, record(1, regions=(one, other)))
    assert crops(images) == {(10, 5, 30, 25): ("smile",), (50, 25, 100, 50): ("open",)}
    (first, _) = images.store.crops.of_images([1])[1]
    assert first.landmarks == ((11.0, 6.0),)
    given(images, record(1, regions=(other, one)))  # again, in another order
    assert len(images.store.crops.ids()) == 2


def test_a_box_of_a_detector_is_that_of_the_file_if_they_are_nearly_the_same(images):
    mine = images.store.crops.save(
        Crop(None, 1, 0, CropState.FOUND, Rect(10, 10, 30, 30), (), "detector")
    )
    near = Region((11, 11, 31, 31), (GivenLabel("expression", "smile"),))
    far = Region((60, 10, 80, 30), (GivenLabel("expression", "open"),))
    given(images, record(1, regions=(near, far)))
    assert crops(images) == {mine.rect.as_tuple(): ("smile",), (60, 10, 80, 30): ("open",)}


def test_overlapping_boxes_of_a_file_are_crops_of_their_own(images):
    regions = tuple(Region((at, 0, at + 20, 20)) for at in (0, 2, 4))
    given(images, record(1, regions=regions))
    assert len(crops(images)) == 3


def test_a_new_set_of_boxes_describes_crops(images):
    region = Region((0, 0, 10, 10), (GivenLabel("mood", "calm"),))
    intake = given(images, record(2, regions=(region,)))
    assert images.store.labels.get("mood").subject is Subject.CROP
    assert intake.new_sets == ["mood"]


def box(at: int, *labels: str, label_set: str = "") -> Region:
    return Region((at, 0, at + 9, 9), tuple(GivenLabel(label_set, label) for label in labels))


def test_labels_of_boxes_without_a_set_go_to_a_set_of_crops(images):
    intake = given(images, record(1, GivenLabel("", "farm"), regions=(box(0, "a"), box(50, "b"))))
    store = images.store
    assert store.labels.of_images([1], "category") == {1: ("farm",)}
    assert store.labels.get("object").subject is Subject.CROP
    of_boxes = store.labels.of_crops(store.crops.ids(), "object")
    assert sorted(of_boxes.values()) == [("a",), ("b",)]
    assert (intake.conflicts, intake.new_sets, intake.boxes.added) == ([], ["object"], 2)
    (decision,) = intake.decisions
    assert (decision.about, decision.kind) == ("file.json", DecisionKind.LABEL_SET)
    assert "“object”" in decision.value
    again = given(images, record(1, regions=(box(50, "b"), box(0, "c"))))
    assert sorted(store.labels.of_crops(store.crops.ids(), "object").values()) == [("b",), ("c",)]
    assert (again.new_sets, again.boxes.added, len(again.decisions)) == ([], 0, 1)


def test_two_labels_of_one_box_conflict(images):
    intake = given(images, record(1, regions=(box(0, "a"), box(0, "b"))))
    assert [(one.image, one.set) for one in intake.conflicts] == [("1.jpg", "object")]
    assert images.store.labels.of_crops(images.store.crops.ids(), "object") == {}


def test_a_set_of_crops_beside_one_of_images_is_named_after_it(images):
    images.store.labels.save_set(LabelSet("mood"))
    images.store.labels.save_set(LabelSet("mood of boxes"))  # of images, too
    labels = (GivenLabel("mood", "sad"),)
    intake = given(images, record(1, *labels, regions=(box(0, "calm", label_set="mood"),)))
    assert images.store.labels.of_images([1], "mood") == {1: ("sad",)}
    assert intake.new_sets == ["mood of boxes 2"]
    assert images.store.labels.counts("mood of boxes 2")["calm"] == 1


def test_a_new_set_of_images_and_boxes_becomes_two(images):
    labels = (GivenLabel("mood", "sad"),)
    given(images, record(1, *labels, regions=(box(0, "calm", label_set="mood"),)))
    assert images.store.labels.get("mood").subject is Subject.IMAGE
    assert images.store.labels.get("mood of boxes").names == ("calm",)


def test_boxes_outside_of_their_image_are_skipped_and_others_cut_off(images):
    outside = Region((120, 0, 140, 20), (GivenLabel("expression", "grin"),))
    beyond = Region((90, 40, 130, 60), (GivenLabel("expression", "glad"),))
    edge = Region((99.6, 0, 100.4, 10), (GivenLabel("expression", "calm"),))
    intake = given(images, record(1, regions=(outside, beyond, edge), line=4))
    assert crops(images) == {(90, 40, 100, 50): ("glad",), (99, 0, 100, 10): ("calm",)}
    (skipped,) = intake.skipped
    assert skipped.path == "1.jpg (file.json, entry 4)"
    assert "(120, 0, 140, 20)" in skipped.reason
    (decision,) = intake.decisions
    assert (decision.about, decision.value.values["n"]) == ("1.jpg", 1)
    with images.edit("Import"):
        intake.finish()
    assert [new.label for new in intake.new_labels] == ["glad", "calm"]


def test_boxes_for_another_size_of_the_image_are_reported(images):
    region = Region((0, 0, 50, 50))
    intake = given(
        images,
        record(1, regions=(region,), width=50, height=100),
        record(2, regions=(region,), width=100, height=50),
    )
    (decision,) = intake.decisions
    assert decision.about == "1.jpg"
    assert "50 × 100" in decision.value
    assert "100 × 50" in decision.value


def test_a_label_in_conflicts_alone_is_not_created(images):
    def add(*records: PlacedRecord) -> LabelIntake:
        intake = LabelIntake(images, SETS, {"mood": DeclaredSet(("unused",))})
        for one in records:  # in batches of their own
            with images.edit("Import"):
                intake.add([one])
        with images.edit("Import"):
            intake.finish()
        return intake

    one, other = GivenLabel("", "a"), GivenLabel("", "b")
    intake = add(record(1, one), record(1, other), record(2, other))
    assert images.store.labels.get("category").names == ("b",)
    assert [new.label for new in intake.new_labels] == ["b"]
    moods = [GivenLabel("mood", label) for label in ("glad", "sad", "calm")]
    intake = add(record(1, moods[0]), record(1, moods[1]), record(2, moods[2]))
    assert images.store.labels.get("mood").names == ("unused", "calm")


def test_a_new_set_without_a_label_is_not_created(images):
    moods = [GivenLabel("mood", label) for label in ("glad", "sad")]
    intake = given(images, record(1, moods[0]), record(1, moods[1]))
    with images.edit("Import"):
        intake.finish()
    assert "mood" not in images.store.labels.sets()
    assert (intake.new_sets, intake.new_labels) == ([], [])
    assert [one.set for one in intake.conflicts] == ["mood"]


def test_an_invisible_label_is_reported(images):
    intake = given(images, record(1, GivenLabel("", "\u200b\ufeff"), line=3), record(2))
    assert [(one.path, one.reason) for one in intake.skipped] == [
        ("1.jpg (file.json, entry 3)", "the label has no visible character")
    ]
    assert images.store.labels.get("category").names == ()


def test_a_label_of_a_box_that_was_renamed_since_stays(images):
    intake = given(images, record(1, regions=(box(0, "a"),)))
    labels = images.store.labels
    labels.save_set(labels.get("object").with_renamed("a", "b"), {"a": "b"})
    again = PlacedRecord(1, ImageRecord("1.jpg", regions=(box(0, "a"),)), "file.json", 0.0)
    intake = given(images, again)
    with images.edit("Import"):
        intake.finish()
    assert labels.counts("object") == {"b": 1, "": 0}


def test_two_parts_of_one_image_conflict(images):
    intake = given(
        images,
        record(1, part=Part.TRAIN, line=1),
        record(1, part=Part.TEST, line=4),
        record(2, part=Part.TEST, line=5),
        record(2, part=Part.TEST, line=6),
    )
    assert intake.parts_without_conflict == {2: Part.TEST}
    (conflict,) = intake.conflicts
    assert (conflict.image, conflict.set) == ("1.jpg", "")
    places = [(one.label, one.place) for one in conflict.labels]
    assert places == [("train", "file.json, entry 1"), ("test", "file.json, entry 4")]


def test_a_declared_set_has_its_unused_labels_in_order_and_its_kind(images):
    labels = (GivenLabel("mood", "sad"),)
    given(images, record(1, *labels), mood=DeclaredSet(("glad", "sad", "calm"), exclusive=False))
    mood = images.store.labels.get("mood")
    assert (mood.names, mood.exclusive) == (("glad", "sad", "calm"), False)


def test_models_and_people_keep_their_labels(images):
    scored = GivenLabel("", "auk", Author.MODEL.value, 0.75)
    named = GivenLabel("", "owl", Author.HUMAN.value, 1.0, "Ann")
    given(images, record(1, scored), record(2, named))
    first, second = images.store.labels.current()
    assert (first.author, first.confidence) == (Author.MODEL, 0.75)
    assert (second.author, second.annotator) == (Author.HUMAN, "Ann")


def test_each_image_gets_its_label_and_those_by_hand_stay(images):
    labels = images.store.labels
    labels.save_set(labels.get("category").with_labels(("a", "b", "c")))
    labels.assign([1], "category", "a")
    labels.assign([2], "category", "b", Author.IMPORT)
    wanted = [
        ImportedLabel(1, "c"),
        ImportedLabel(2, "c"),
        ImportedLabel(3, "b", Author.MODEL, 0.5),
    ]
    assert labels.assign_each("category", wanted) == {2, 3}
    assert labels.of_images([1, 2, 3], "category") == {1: ("a",), 2: ("c",), 3: ("b",)}
    assert labels.assign_each("category", wanted) == frozenset()
    assert labels.counts("category") == {"a": 1, "b": 1, "c": 1, "": 0}
    images.undo()
    assert labels.of_images([2, 3], "category") == {2: ("b",)}


@pytest.mark.parametrize(
    ("file", "format"), [("l.json", ""), ("l.csv", ""), ("l.xlsx", ""), ("l.xml", "cvat")]
)
def test_labels_boxes_and_parts_come_back_from_a_file(images, tmp_path, file, format):
    region = Region((10, 5, 30, 25), (GivenLabel("expression", "smile"),))
    intake = given(
        images,
        record(1, GivenLabel("", "auk"), regions=(region,), part=Part.TRAIN),
        record(2, GivenLabel("", "owl"), GivenLabel("mood", "calm"), part=Part.TEST),
    )
    take_split(images, intake.parts_without_conflict, "published")
    assert export_labels(images, tmp_path / file, format, "category").labels == 4
    other = Session(Project.create(tmp_path / "other"))
    try:
        source = other.store.images.add_source("/elsewhere")
        found = [FoundImage(f"{at}.jpg", f"hash {at}", 100, 50, 1, 1.0) for at in range(1, 4)]
        other.store.images.add(source, found)
        report = import_labels(other, tmp_path / file)
        assert (report.labelled, report.skipped) == (4, ())
        for label_set in ("category", "expression", "mood"):
            assert other.store.labels.counts(label_set) == images.store.labels.counts(label_set)
        assert crops(other) == crops(images)
        assert other.store.splits.parts() == images.store.splits.parts()
    finally:
        other.close()


def test_a_set_of_crops_has_no_declared_labels_of_images(images):
    """Formats declare the labels of images and boxes together."""
    declared = {"": DeclaredSet(("sunny", "cat", "dog"))}
    intake = LabelIntake(images, SETS, declared)
    with images.edit("Import"):
        intake.add([record(1, GivenLabel("", "sunny"), regions=(box(0, "cat"),))])
        intake.finish()
    assert images.store.labels.get("object").names == ("cat", "dog")
    assert images.store.labels.get("category").names == ("sunny",)


def test_labels_by_hand_in_a_file_are_by_hand_here(images):
    """Also a second time, in sets of both kinds, and over equal labels of an import."""
    traits = DeclaredSet(("red", "dark"), exclusive=False)
    given(images, record(1, GivenLabel("", "auk")))
    for _ in range(2):
        by_hand = [GivenLabel(name, label, "human") for name, label in TRAITS]
        given(images, record(1, *by_hand), mood=traits)
    assert {(one.label, one.author) for one in images.store.labels.current()} == {
        ("auk", Author.HUMAN),
        ("red", Author.HUMAN),
        ("dark", Author.HUMAN),
    }
    intake = given(images, record(1, GivenLabel("", "owl")))
    assert (intake.labelled, intake.kept) == (0, 1)
    assert images.store.labels.of_images([1], "category") == {1: ("auk",)}


TRAITS = (("", "auk"), ("mood", "red"), ("mood", "dark"))


def test_conflicting_labels_by_hand_leave_what_was_there(images):
    given(images, record(1, GivenLabel("", "auk", "model", 0.5)))
    intake = given(
        images,
        record(1, GivenLabel("", "owl", "human"), line=1),
        record(2, GivenLabel("", "owl", "human"), line=2),
        record(1, GivenLabel("", "jay", "human"), line=3),
        record(2, GivenLabel("", "jay", "human"), line=4),
    )
    assert [one.kept for one in intake.conflicts] == ["auk", ""]
    given(
        images,
        *(record(1, GivenLabel("", "owl", "human")), record(3, GivenLabel("", "owl", "human"))),
    )
    intake = LabelIntake(images, SETS)
    for label in ("kite", "crow"):  # in two batches
        with images.edit("Import"):
            intake.add([record(2, GivenLabel("", label, "human"))])
    labels = images.store.labels
    assert labels.of_images([1, 2, 3], "category") == {1: ("owl",), 3: ("owl",)}
    assert labels.standing([1], "category")[1].author is Author.HUMAN
