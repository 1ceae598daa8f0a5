"""Storage of predictions: bit by bit, by cell, and as suggestions of the newest run."""

import dataclasses

import numpy as np
import pytest

from tests.fixtures.stored_images import fill
from workbench.domain.images import Sort
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import JOINT
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part

LABELS = RunLabels(
    LabelList("category", ("a", "b", "c"), (0, 1, 2)), LabelList("view", ("l", "r"), (1, 0))
)


def record(run_id: str, created: float = 1.0, target: str = "category+view") -> RunRecord:
    return RunRecord(run_id, f"run {run_id}", RunStatus.QUEUED, target, "x = 1", LABELS, created)


def table(images: list[int], parts: int = 2, seed: int = 0) -> PredictionTable:
    random = np.random.default_rng(seed)
    count = len(images)
    return PredictionTable(
        np.array(images),
        np.full(count, -1),
        np.full(count, parts),
        random.integers(0, 3, count),
        random.random((count, 3), np.float32),
        random.integers(0, 2, count),
        random.random((count, 2), np.float32),
        random.choice(["l", "r"], count),
    )


def same(one: PredictionTable, other: PredictionTable) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(one)
    )


def test_predictions_come_back_bit_by_bit(project):
    project.runs.create(record("r1"))
    tested, rest = table([2, 5, 9]), table([1, 3], parts=3, seed=1)
    project.runs.save_predictions("r1", tested)
    project.runs.save_predictions("r1", rest)
    assert same(project.runs.predictions("r1", Part.TEST), tested)
    assert len(project.runs.predictions("r1", Part.TRAIN)) == 0
    assert project.runs.predictions("r1").images.tolist() == [1, 2, 3, 5, 9]
    project.runs.save_predictions("r1", table([2, 5, 9], seed=2))
    assert same(project.runs.predictions("r1", Part.TEST), table([2, 5, 9], seed=2))


def test_a_cell_finds_its_images(project):
    project.runs.create(record("r1"))
    messages = table(list(range(1, 200)))
    project.runs.save_predictions("r1", messages)
    for truth in range(3):
        for predicted in range(3):
            inside = (messages.truth == truth) & (messages.predicted == predicted)
            found = project.runs.cell("r1", Part.TEST, truth, predicted)
            assert found.tolist() == messages.images[inside].tolist()
    assert project.runs.cell("r1", Part.TRAIN, 0, 0).tolist() == []


def test_a_joint_run_suggests_views_and_categories(project):
    fill(project, 3)
    project.runs.create(record("r1"))
    project.runs.update("r1", status=RunStatus.FINISHED)
    messages = table([1, 2])
    project.runs.save_predictions("r1", messages)
    views = project.runs.suggestions("view", [1, 2, 3])
    best = messages.view_scores.argmax(axis=1)
    assert {image: name for image, (name, _) in views.items()} == {
        1: "lr"[best[0]],
        2: "lr"[best[1]],
    }
    assert project.runs.suggestions("category", [1])[1][1] == pytest.approx(
        messages.scores[0].max()
    )


def sure_of(images, scores, crops=None):
    """Predictions of views of images, given their scores."""
    count = len(images)
    return PredictionTable(
        np.array(images),
        np.array(crops or [-1] * count),
        np.full(count, 3),
        np.full(count, -1),
        np.array(scores, np.float32),
        np.full(count, -1),
        None,
        np.full(count, ""),
    )


def finished(project, name, created, *, target="view", status=RunStatus.FINISHED):
    labels = RunLabels(LabelList(target, ("a", "b"), (0, 1)))
    project.runs.create(RunRecord(name, name, status, target, "", labels, created=created))


def test_the_newest_run_with_predictions_is_used_and_of_equal_ones_the_later(project):
    fill(project, 2)
    finished(project, "old", 1.0)
    finished(project, "new", 3.0)
    finished(project, "second", 3.0)
    finished(project, "other", 9.0, target="expression")
    finished(project, "unscored", 8.0)
    for name, sure in (("old", 0.6), ("new", 0.7), ("second", 0.8), ("other", 0.9)):
        project.runs.save_predictions(name, sure_of([1], [[sure, 1 - sure]]))
    assert project.runs.suggestions("view", [1]) == {1: ("a", pytest.approx(0.8))}
    assert project.runs.suggestions("view", [2]) == {}
    assert [run.id for run in project.runs.all()] == ["other", "unscored", "second", "new", "old"]
    project.runs.remove("second")
    assert project.runs.suggestions("view", [1]) == {1: ("a", pytest.approx(0.7))}
    project.runs.remove("new")
    assert project.runs.suggestions("view", [1]) == {1: ("a", pytest.approx(0.6))}


def test_the_most_confident_of_several_crops_counts(project):
    fill(project, 1)
    finished(project, "r1", 1.0)
    scores = [[0.6, 0.4], [0.1, 0.9], [0.7, 0.3]]
    project.runs.save_predictions("r1", sure_of([1, 1, 1], scores, [5, 6, 7]))
    assert project.runs.suggestions("view", [1]) == {1: ("b", pytest.approx(0.9))}
    loaded = project.runs.predictions("r1")
    assert loaded.crops.tolist() == [5, 6, 7]


def marked(images, marks):
    """Predictions of two labels, of which an image may have both; None without a truth."""
    plain = sure_of(images, [[0.5, 0.25]] * len(images))
    return dataclasses.replace(plain, marks=np.array(marks, bool)) if marks else plain


def test_marks_come_back_and_are_none_for_images_without_a_truth(project):
    project.runs.create(record("r1"))
    project.runs.save_predictions("r1", marked([2, 4], [[True, False], [True, True]]))
    project.runs.save_predictions("r1", marked([3], None))
    loaded = project.runs.predictions("r1")
    assert loaded.images.tolist() == [2, 3, 4]
    assert loaded.marks.tolist() == [[True, False], [False, False], [True, True]]
    assert loaded.view_scores is None
    project.runs.create(record("r2"))
    project.runs.save_predictions("r2", marked([1], None))
    assert project.runs.predictions("r2").marks is None


def test_nothing_is_loaded_where_nothing_was_predicted(project):
    project.runs.create(record("r1"))
    none = project.runs.predictions("r1")
    assert (len(none), none.scores.shape, none.view_scores, none.marks) == (0, (0, 0), None, None)
    assert none.predicted.tolist() == []


def test_more_rows_than_are_converted_at_a_time_come_back(project, monkeypatch):
    monkeypatch.setattr("workbench.storage.predictions._CHUNK", 2)
    project.runs.create(record("r1"))
    wanted = table(list(range(1, 6)))
    project.runs.save_predictions("r1", wanted)
    assert same(project.runs.predictions("r1"), wanted)


def test_the_best_view_is_stored_beside_the_best_label(project):
    fill(project, 2)
    labels = RunLabels(
        LabelList("category", ("a", "b"), (0, 1)), LabelList("view", ("l", "r"), (1, 0))
    )
    project.runs.create(RunRecord("r1", "r1", RunStatus.FINISHED, JOINT, "", labels, created=1.0))
    made = sure_of([1, 2], [[0.25, 0.75], [0.5, 0.5]])
    scores = np.array([[0.875, 0.125], [0.25, 0.75]], np.float32)
    project.runs.save_predictions("r1", dataclasses.replace(made, view_scores=scores))
    assert project.runs.suggestions("category", [1, 2]) == {1: ("b", 0.75), 2: ("a", 0.5)}
    assert project.runs.suggestions("view", [1, 2]) == {1: ("l", 0.875), 2: ("r", 0.75)}
    assert project.runs.suggestions("expression", [1, 2]) == {}
    assert project.runs.newest("view").id == project.runs.newest("category").id == "r1"


@pytest.mark.parametrize(
    ("status", "shown"),
    [("finished", True), ("stopped", True), ("running", True), ("paused", True), ("failed", False)],
)
def test_runs_that_failed_suggest_nothing(project, status, shown):
    fill(project, 1)
    finished(project, "r1", 1.0, status=RunStatus(status))
    project.runs.save_predictions("r1", sure_of([1], [[0.5, 0.25]]))
    assert bool(project.runs.suggestions("view", [1])) is shown


def test_the_newest_run_of_any_labels_orders_by_its_target(project):
    fill(project, 3, [("category", "a")])
    project.labels.assign([3], "category", None)
    for name, target, created in (("both", JOINT, 2.0), ("older", "view", 1.0)):
        finished(project, name, created, target=target)
        project.runs.save_predictions(name, sure_of([1, 2, 3], [[0.9, 0], [0, 0.8], [0, 0.7]]))
    assert project.images.ids(sort=Sort.DISAGREEMENT).tolist() == [2, 1, 3]
    finished(project, "newest", 3.0)
    project.runs.save_predictions("newest", sure_of([1], [[0.9, 0]]))
    assert project.images.ids(sort=Sort.DISAGREEMENT).tolist() == [1, 2, 3]
