"""Storage of crops: as columns, by state, review and label, and updated by a new detection."""

from __future__ import annotations

import pytest

from tests.fixtures.stored_images import fill
from workbench.domain.crops import STATES, Crop, CropState, CropUpdate
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.labels import Label, LabelSet, Subject
from workbench.storage.project import Project

FOUND, ADJUSTED, REJECTED, MISSED = CropState
SQUARE = Rect(1, 2, 11, 12)


@pytest.fixture
def crops(project: Project) -> list[int]:
    """Ids of six crops: of the third image, twice of the first, and thrice of the second."""
    fill(project, 3)
    states = ((3, 0, FOUND), (1, 1, ADJUSTED), (1, 0, FOUND))
    states += ((2, 0, REJECTED), (2, 1, MISSED), (2, 2, FOUND))
    made = [
        Crop(None, image, face, state, None if state is MISSED else SQUARE, reviewed=face == 0)
        for image, face, state in states
    ]
    ids = [project.crops.save(crop).id for crop in made]
    labels = project.labels
    labels.save_set(LabelSet("age", (Label("old"), Label("young")), Subject.CROP))
    labels.assign_crops([ids[0], ids[2]], "expression", "smile")
    labels.assign_crops([ids[1]], "expression", "open")
    labels.assign_crops([ids[1], ids[5]], "age", "young")
    labels.assign_crops([ids[2]], "expression", None)
    return ids


def test_columns_have_states_reviews_and_positions_of_labels(
    project: Project, crops: list[int]
) -> None:
    names = project.labels.get("expression").names
    table = project.crops.table("expression")
    rows = {
        crop: (image, STATES[state], reviewed, label)
        for crop, image, state, reviewed, label in zip(
            table.crops.tolist(),
            table.images.tolist(),
            table.states.tolist(),
            table.reviewed.tolist(),
            table.labels.tolist(),
            strict=True,
        )
    }
    assert rows == {
        crops[0]: (3, FOUND, True, names.index("smile")),
        crops[1]: (1, ADJUSTED, False, names.index("open")),
        crops[2]: (1, FOUND, True, -1),
        crops[3]: (2, REJECTED, True, -1),
        crops[4]: (2, MISSED, False, -1),
        crops[5]: (2, FOUND, False, -1),
    }
    assert sorted(project.crops.table("age").labels.tolist()) == [-1, -1, -1, -1, 1, 1]
    some = project.crops.table("expression", [1, 9])
    assert sorted(some.crops.tolist()) == crops[1:3]
    assert len(project.crops.table("expression", []).crops) == 0


def test_a_label_that_was_removed_moves_the_positions_of_the_rest(
    project: Project, crops: list[int]
) -> None:
    project.labels.save_set(LabelSet("age", (Label("young"),), Subject.CROP))
    table = project.crops.table("age")
    assert dict(zip(table.crops.tolist(), table.labels.tolist(), strict=True))[crops[5]] == 0


def test_ids_meet_all_conditions_in_the_order_of_names_and_faces(
    project: Project, crops: list[int]
) -> None:
    third, first1, first0, *second = crops
    assert project.crops.ids().tolist() == [first0, first1, *second, third]
    assert project.crops.ids(state=FOUND).tolist() == [first0, second[2], third]
    assert project.crops.ids(reviewed=True).tolist() == [first0, second[0], third]
    assert project.crops.ids(reviewed=False, state=FOUND).tolist() == [second[2]]
    assert project.crops.ids(label=("expression", "smile")).tolist() == [third]
    assert project.crops.ids(label=("age", "young"), state=FOUND).tolist() == [second[2]]
    without = [first0, *second]
    assert project.crops.ids(label=("expression", None)).tolist() == without
    assert project.crops.counts() == {FOUND: 3, ADJUSTED: 1, REJECTED: 1, MISSED: 1}


def test_crops_come_by_image_and_face_or_in_the_order_asked_for(
    project: Project, crops: list[int]
) -> None:
    found = project.crops.of_images([2, 1, 9])
    assert list(found) == [2, 1]
    assert [crop.id for crop in found[1]] == [crops[2], crops[1]]
    assert [crop.face for crop in found[2]] == [0, 1, 2]
    assert project.crops.of_image(9) == []
    assert [crop.id for crop in project.crops.get([crops[4], 99, crops[0]])] == [crops[4], crops[0]]
    assert project.crops.labelled([1, 2]) == {crops[1], crops[5]}
    assert project.crops.labelled([3]) == {crops[0]}


def test_sources_are_detected_with_a_single_crop(project: Project, crops: list[int]) -> None:
    (source,) = project.images.sources()
    project.images.add_source("/elsewhere")
    assert project.crops.detected_sources() == {source.id}


def test_a_detection_removes_updates_and_adds_as_one_edit(
    project: Project, crops: list[int]
) -> None:
    moved = Crop(crops[2], 1, 0, FOUND, Rect(5, 5, 15, 15))
    new = Crop(None, 99, 2, FOUND, SQUARE)
    project.crops.apply(1, CropUpdate((moved, new), (crops[1],)))
    first, second = project.crops.of_image(1)
    assert (first.id, first.rect) == (crops[2], Rect(5, 5, 15, 15))
    assert (second.image, second.face) == (1, 2)
    assert project.labels.of_crops([crops[1], crops[0]], "expression") == {crops[0]: ("smile",)}
    ended = [a for a in project.labels.history(3) if a.ended_at is not None]
    assert ended == []
    project.history.undo()
    assert [crop.id for crop in project.crops.of_image(1)] == [crops[2], crops[1]]
    assert project.labels.of_crops([crops[1]], "expression") == {crops[1]: ("open",)}


def test_what_is_gone_cannot_be_saved(project: Project, crops: list[int]) -> None:
    with pytest.raises(KnownError, match="Crop 99 no longer exists"):
        project.crops.save(Crop(99, 1, 0, FOUND, SQUARE))
    with pytest.raises(KnownError, match="no image 9"):
        project.crops.save(Crop(None, 9, 0, FOUND, SQUARE))
