"""Targets of a training: what is labelled enough, in the usual order, and runs to start from."""

from __future__ import annotations

import pytest

from tests.fixtures import finished_runs
from tests.fixtures.stored_images import fill
from workbench.app.labels.labelling import assign, assign_crops, edit_set, remove_set
from workbench.app.session import Session
from workbench.app.training.targets import Target, first_target, start_runs, targets
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.domain.labels import Label, LabelSet
from workbench.domain.recipes import JOINT


@pytest.fixture
def labelled(session: Session) -> Session:
    """Six images: three gulls and a tern, two seen from the left, with one smiling mouth."""
    edit_set(session, LabelSet("age", (Label("old"), Label("young"), Label("new"))), {})
    edit_set(session, LabelSet("category", (Label("gull"), Label("tern"), Label("auk"))), {})
    fill(session.store, 6)
    assign(session, [1, 2, 3], "category", "gull")
    assign(session, [4], "category", "tern")
    assign(session, [1, 2], "view", "left")
    for image, label in enumerate(("old", "young", "new", "new"), start=1):
        assign(session, [image], "age", label)
    crop = session.store.crops.save(Crop(None, 1, 0, CropState.FOUND, Rect(0, 0, 5, 5)))
    assign_crops(session, [crop.id], "expression", "smile")
    return session


def test_the_usual_targets_come_first_with_their_labels_in_use(labelled: Session) -> None:
    assert targets(labelled) == [
        Target("category", 2, 4),
        Target("view", 1, 2),
        Target(JOINT, 1, 2),
        Target("expression", 1, 1),
        Target("age", 3, 4),
    ]


def test_both_at_once_needs_both_sets(labelled: Session) -> None:
    assign(labelled, [3, 4, 5, 6], "view", "right")
    joint = next(target for target in targets(labelled) if target.name == JOINT)
    assert (joint.labels, joint.labelled, joint.ready) == (2, 4, True)
    remove_set(labelled, "view")
    assert [target.name for target in targets(labelled)] == ["category", "expression", "age"]


def test_a_target_needs_two_labels_and_the_first_ready_one_is_offered(labelled: Session) -> None:
    ready = [target.name for target in targets(labelled) if target.ready]
    assert ready == ["category", "age"]
    assert first_target(targets(labelled)) == "category"
    assign(labelled, [4], "category", None)
    assert first_target(targets(labelled)) == "age"
    assert first_target([Target("view", 1, 90)]) == first_target([]) == ""


def test_runs_to_start_from_are_trained_and_of_the_same_backbone(session: Session) -> None:
    images = fill(session.store, 30)
    for status in ("finished", "stopped", "failed", "paused"):
        finished_runs.make_run(session.store, images, status, status=status, backbone="resnet18")
    finished_runs.make_run(session.store, images, "other", backbone="vgg11")
    assert start_runs(session, "resnet18") == [("stopped", "stopped"), ("finished", "finished")]
    assert start_runs(session, "vgg11") == [("other", "other")]
    assert start_runs(session, "alexnet") == []
