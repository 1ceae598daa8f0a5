"""Boxes, parts and people that files name, whatever the format."""

import pytest

from tests.fixtures.imports import export_labels, import_labels
from workbench.app.labels.label_intake import LabelIntake, PlacedRecord
from workbench.app.session import Session
from workbench.app.training.splitting import take_split
from workbench.domain.crops import Crop, CropState
from workbench.domain.datasets import DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.geometry import Rect
from workbench.domain.images import FoundImage
from workbench.domain.labels import Author, Subject
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


def test_boxes_of_one_image_with_two_labels_of_a_set_of_images_conflict(images):
    both = [
        Region((at, 0, at + 9, 9), (GivenLabel("", name),)) for at, name in ((0, "a"), (50, "b"))
    ]
    same = [Region((at, 0, at + 9, 9), (GivenLabel("", "a"),)) for at in (0, 50)]
    intake = given(images, record(1, regions=tuple(both)), record(2, regions=tuple(same)))
    assert images.store.labels.of_images([1, 2], "category") == {2: ("a",)}
    assert [(one.image, one.set) for one in intake.conflicts] == [("1.jpg", "category")]


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
    assert places == [("train", "file.json, line 1"), ("test", "file.json, line 4")]


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
    assert (second.author, second.annotator) == (Author.IMPORT, "Ann")


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
