"""Rows of a run's images: its predictions by part and outcome, then images it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fixtures import finished_runs
from workbench.app.results.run_images import (
    RowScores,
    RunImages,
    ShownImages,
    card_of_run,
    has_network,
    usable_runs,
    uses_crops,
)
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.predictions import NO_PART, PredictionTable
from workbench.domain.recipes import JOINT
from workbench.domain.runs import LabelList, RunLabels
from workbench.domain.splits import Part


@pytest.fixture
def images(session: Session, tmp_path: Path) -> list[int]:
    return finished_runs.fill(session.store, tmp_path / "birds")


@pytest.fixture
def run(session: Session, images: list[int]) -> RunImages:
    """Ten of each class: four trained on, six tested; 3, 4 and 25 were mistaken."""
    made = finished_runs.make_run(session.store, images[:29], "first", wrong=(3, 4, 25))
    return RunImages(session, made.id)


def test_rows_are_of_a_part_and_an_outcome(run: RunImages) -> None:
    test = [row for row in range(29) if row % 10 >= 4]
    assert run.parts() == [Part.TEST, Part.TRAIN]
    assert run.rows(None).tolist() == list(range(29))
    assert run.rows(Part.TEST).tolist() == test
    assert run.rows(Part.VALIDATION).tolist() == []
    assert run.rows(Part.TEST, ShownImages.WRONG).tolist() == [4, 25]
    assert run.rows(None, ShownImages.WRONG).tolist() == [3, 4, 25]
    right = [row for row in test if row not in (4, 25)]
    assert run.rows(Part.TEST, ShownImages.RIGHT).tolist() == right


def test_wrong_images_come_by_confidence_and_unknown_truth_is_neither(
    session: Session, images: list[int]
) -> None:
    made = finished_runs.make_run(session.store, images, "sure", wrong=(3, 4, 25))
    table = session.store.runs.predictions(made.id, None)
    scores, truth = table.scores.copy(), table.truth.copy()
    scores[4, 1], scores[25, 0], truth[7] = 0.9, 0.95, -1
    session.store.runs.save_predictions(made.id, table_with(table, scores=scores, truth=truth))
    run = RunImages(session, made.id)
    assert run.rows(None, ShownImages.WRONG).tolist() == [25, 4, 3]
    assert 7 not in run.rows(None, ShownImages.RIGHT).tolist()
    (unknown,) = run.images([7])
    assert (unknown.truth, unknown.predicted, unknown.wrong) == ("", "owl", False)
    assert run.scores(7).truth == ""


def table_with(table: PredictionTable, **changed: np.ndarray) -> PredictionTable:
    names = ("images", "crops", "parts", "truth", "scores", "view_truth", "view_scores")
    columns = {name: getattr(table, name) for name in (*names, "true_view")}
    return PredictionTable(**{**columns, **changed})


def test_images_without_a_prediction_get_rows_behind_the_others_once(
    run: RunImages, images: list[int]
) -> None:
    new, known = images[29], images[3]
    assert run.rows_of([new, known, 999]).tolist() == [29, 3, 30]
    assert run.rows_of([999, new]).tolist() == [30, 29]
    assert run.rows_of([known, known]).tolist() == [3]
    assert [run.new(row) for row in (3, 28, 29)] == [False, False, True]
    assert [run.subject(row) for row in (3, 29)] == [(known, -1), (new, -1)]
    assert [run.row_at(image, -1) for image in (known, new, 1000)] == [3, 29, None]
    assert run.row_at(known, 5) is None
    shown = run.images([29, 30, 3])  # 999 is not in the project
    assert [(one.row, one.image, one.crop) for one in shown] == [(29, new, None), (3, known, None)]
    assert (shown[0].predicted, shown[0].score, shown[0].wrong) == ("", None, False)
    assert run.scores(29) == RowScores()


def test_a_predicted_image_has_its_best_label_and_its_size(run: RunImages) -> None:
    wrong, right = run.images([3, 5])
    assert (wrong.truth, wrong.predicted, wrong.wrong) == ("owl", "puffin", True)
    assert (right.truth, right.predicted, right.wrong) == ("owl", "owl", False)
    assert wrong.score == pytest.approx(0.8)
    assert (wrong.width, wrong.height, wrong.name) == (32, 24, "bird 03.png")
    assert wrong.input.box is None
    scores = run.scores(3)
    assert scores.scores == pytest.approx((0.1, 0.8, 0.1))
    assert (scores.view_scores, scores.truth, scores.view_truth) == (None, "owl", "")


def test_a_joint_run_has_scores_of_views_too(session: Session, images: list[int]) -> None:
    made = finished_runs.make_run(session.store, images, "both", target=JOINT)
    scores = RunImages(session, made.id).scores(2)
    assert scores.view_scores == (0, 0, 1, 0)
    assert scores.view_truth == "left"


def test_images_predicted_without_training_on_them_are_new(
    session: Session, images: list[int]
) -> None:
    made = finished_runs.make_run(session.store, images, "first")
    table = session.store.runs.predictions(made.id, None)
    parts = table.parts.copy()
    parts[8] = NO_PART
    session.store.runs.save_predictions(made.id, table_with(table, parts=parts))
    run = RunImages(session, made.id)
    assert [run.new(row) for row in (7, 8, 9)] == [False, True, False]


@pytest.fixture
def mouths(session: Session, images: list[int]) -> RunImages:
    """A run on mouths that predicted neither of the first two images; the first has three mouths,
    of which one was rejected, the second none."""
    made = finished_runs.make_run(session.store, images[5:], "mouths", target="expression")
    labels = RunLabels(LabelList("expression", ("open", "closed", "smile"), (0, 1, 2)))
    session.store.runs.update(made.id, labels=labels)
    found, rejected, moved = CropState.FOUND, CropState.REJECTED, CropState.ADJUSTED
    for face, (state, left) in enumerate(((found, 1), (rejected, 5), (moved, 9))):
        square = Rect(left, 2, left + 10, 12)
        session.store.crops.save(Crop(None, images[0], face, state, square))
    return RunImages(session, made.id)


def test_each_usable_mouth_is_a_row_with_its_square(
    session: Session, mouths: RunImages, images: list[int]
) -> None:
    assert mouths.crops
    rows = mouths.rows_of(images[:2])
    first, third = (crop.id for crop in session.store.crops.of_image(images[0]) if crop.usable)
    assert [mouths.subject(row) for row in rows] == [
        (images[0], first),
        (images[0], third),
        (images[1], -1),
    ]
    one, _, whole = mouths.images(rows.tolist())
    assert (one.crop, one.input.box, one.width, one.height) == (first, (1, 2, 11, 12), 10, 10)
    assert (whole.crop, whole.input.box, whole.width) == (None, None, 32)
    assert mouths.row_at(images[0], third) == rows[1]


def test_a_run_uses_mouths_if_its_labels_are_of_mouths(
    session: Session, mouths: RunImages, run: RunImages
) -> None:
    assert uses_crops(session, mouths.record)
    assert not uses_crops(session, run.record)
    labels = RunLabels(LabelList("gone", ("a", "b"), (0, 1)))
    session.store.runs.update(run.record.id, labels=labels)
    assert not uses_crops(session, session.store.runs.get(run.record.id))


def test_a_run_is_usable_with_its_network_alone(session: Session, images: list[int]) -> None:
    statuses = ("finished", "stopped", "failed", "paused")
    runs = {s: finished_runs.make_run(session.store, images, s, status=s) for s in statuses}
    for record in runs.values():
        folder = session.store.runs_folder / record.id
        folder.mkdir(parents=True)
        for file in ("weights.safetensors", "model.json"):
            (folder / file).write_bytes(b"")
    assert [record.name for record in usable_runs(session)] == ["stopped", "finished"]
    for name, file in (("stopped", "weights.safetensors"), ("finished", "model.json")):
        (session.store.runs_folder / name / file).unlink()
        assert not has_network(session, runs[name])
    assert usable_runs(session) == []


def test_thresholds_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(KnownError, match=r"model\.json cannot be read"):
        card_of_run(tmp_path)
