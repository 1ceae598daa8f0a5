"""Suggestions of the newest run: which are offered, accepted, most uncertain, still missing."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.fixtures import finished_runs
from tests.fixtures.stored_images import fill
from workbench.app.labels.labelling import assign, edit_set, rename_label
from workbench.app.session import Session
from workbench.app.similar.suggesting import (
    Suggestion,
    SuggestionUpdater,
    accept,
    by_uncertainty,
    suggest_task,
    suggestions,
    unseen,
)
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter
from workbench.domain.labels import CAR_VIEWS, Author, Label, LabelSet
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus


@pytest.fixture
def predicted(session: Session) -> Session:
    """Six images of which a run predicts the first four, with falling confidence."""
    edit_set(session, CAR_VIEWS, {})
    ids = fill(session.store, 6)
    finished_runs.predict(session, ids[:4], "left", np.array([0.9, 0.75, 0.5, 0.5]))
    return session


def test_each_predicted_image_has_a_suggestion_labelled_or_not(predicted: Session) -> None:
    assign(predicted, [1], "view", "front")
    found = suggestions(predicted, "view", [1, 2, 5])
    assert found == {1: Suggestion("left", pytest.approx(0.9)), 2: Suggestion("left", 0.75)}


def test_a_label_that_was_removed_is_not_suggested(predicted: Session) -> None:
    edit_set(predicted, LabelSet("view", (Label("front"), Label("back"))), {})
    assert suggestions(predicted, "view", [1, 2]) == {}
    assert accept(predicted, [1, 2], "view") == 0


def test_accepting_labels_by_hand_with_the_confidence_as_one_edit(predicted: Session) -> None:
    announced: list[Changes] = []
    predicted.changed.connect(announced.append)
    assert accept(predicted, [1, 3, 4, 5], "view") == 3
    assert len(announced) == 1
    assert predicted.store.labels.of_images([1, 2, 3, 4, 5], "view") == {
        image: ("left",) for image in (1, 3, 4)
    }
    newest = predicted.store.labels.history(3)[-1]
    assert (newest.author, newest.confidence) == (Author.HUMAN, 0.5)
    assert predicted.store.history.undo_text() == "Accept view of 3 images"
    predicted.undo()
    assert predicted.store.labels.of_images([1, 3, 4], "view") == {}
    accept(predicted, [2], "view")
    assert predicted.store.history.undo_text() == "Accept view of 1 image"


def test_nothing_to_accept_is_no_edit(predicted: Session) -> None:
    before = predicted.store.history.undo_text()
    assert accept(predicted, [5, 6], "view") == 0
    assert predicted.store.history.undo_text() == before


def test_the_least_certain_come_first_and_what_has_no_prediction_last(predicted: Session) -> None:
    assert by_uncertainty(predicted, "view", [6, 1, 4, 2, 5, 3]).tolist() == [4, 3, 2, 1, 6, 5]


def test_images_with_neither_label_nor_suggestion_are_unseen(predicted: Session) -> None:
    assert unseen(predicted, "view").tolist() == [5, 6]
    assign(predicted, [6], "view", "front")
    assert unseen(predicted, "view").tolist() == [5]
    assert unseen(predicted, "category").tolist() == [1, 2, 3, 4, 5, 6]


def test_a_job_needs_a_run_with_a_network_and_unseen_images(predicted: Session) -> None:
    assert suggest_task(predicted, "category") is None  # no run
    assert suggest_task(predicted, "view") is None  # a run without files
    folder = predicted.store.runs_folder / "r1"
    folder.mkdir(parents=True)
    for name in ("weights.safetensors", "model.json"):
        (folder / name).write_bytes(b"")
    task = suggest_task(predicted, "view")
    assert task is not None
    assert task.kind == "predict"
    assign(predicted, [5, 6], "view", "front")
    assert suggest_task(predicted, "view") is None


def test_a_run_known_before_and_other_changes_start_nothing(predicted: Session) -> None:
    updater = SuggestionUpdater(predicted)
    predicted.announce(Changes(runs=frozenset({"r1"})))
    predicted.announce(Changes(labelled=frozenset({5})))
    assert predicted.jobs.jobs() == ()
    updater.deleteLater()


@pytest.mark.parametrize("target", ["expression", "gone"])
def test_a_run_on_mouths_or_on_labels_that_are_gone_starts_nothing(
    predicted: Session, target: str
) -> None:
    updater = SuggestionUpdater(predicted)
    labels = RunLabels(LabelList(target, ("a", "b", "c"), (0, 1, 2)))
    record = RunRecord("new", "new", RunStatus.FINISHED, target, "", labels, created=1.0)
    predicted.store.runs.create(record)
    folder = predicted.store.runs_folder / "new"
    folder.mkdir(parents=True)
    for name in ("weights.safetensors", "model.json"):
        (folder / name).write_bytes(b"")
    predicted.announce(Changes(runs=frozenset({"new"})))
    assert predicted.jobs.jobs() == ()
    updater.deleteLater()


def test_predictions_follow_a_label_that_is_renamed_merged_and_undone(predicted: Session) -> None:
    def suggested() -> str:
        return suggestions(predicted, "view", [1])[1].label

    def differing() -> list[int]:
        return predicted.images.ids(ImageFilter(disagreement="view")).tolist()

    assign(predicted, [1, 2], "view", "left")
    assign(predicted, [3], "view", "front")
    assert (suggested(), differing()) == ("left", [3])
    rename_label(predicted, "view", "left", "port")
    assert (suggested(), differing()) == ("port", [3])
    rename_label(predicted, "view", "port", "larboard")
    rename_label(predicted, "view", "larboard", "front", merge=True)
    assert (suggested(), differing()) == ("front", [])
    rename_label(predicted, "view", "front", "ahead")
    assert suggested() == "ahead"
    for name in ("front", "larboard", "port", "left"):
        predicted.undo()
        assert suggested() == name
    assert differing() == [3]
    predicted.redo()
    assert suggested() == "port"


def test_a_swap_of_two_names_is_followed_by_earlier_runs_alone(predicted: Session) -> None:
    edit_set(predicted, CAR_VIEWS, {"left": "right", "right": "left"})
    assert suggestions(predicted, "view", [1])[1].label == "right"
    newest = predicted.store.runs.get("r1")
    predicted.store.runs.update("r1", created=time.time() + 60)
    assert suggestions(predicted, "view", [1])[1].label == "left"
    assert newest.labels.target.labels[2] == "left", "the run keeps the names it has learned"
