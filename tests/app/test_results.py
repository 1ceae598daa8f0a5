"""The results of a run: every figure leads to the images behind it."""

import csv
import dataclasses
import io
import time

import numpy as np
import pytest

from workbench.app.results.result_tables import (
    classes_csv,
    comparison_csv,
    matrix_csv,
    reliability_csv,
    to_csv,
    views_csv,
)
from workbench.app.results.results import VIEW_HEAD, RunResults, Scope
from workbench.app.results.run_comparison import PairOutcome, compare, single_pairs
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import Recipe, to_toml
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part

CATEGORY = LabelList("category", ("owl", "puffin", "toucan"), (0, 1, 2))
VIEW = LabelList("view", ("left", "right"), (1, 0))


def record(name="run 1", target="category", view=None, created=0.0, **recipe):
    text = to_toml(Recipe(target=target, **recipe))
    return RunRecord(
        name, name, RunStatus.FINISHED, target, text, RunLabels(CATEGORY, view), created
    )


def table(truth, predicted, parts=None, images=None, confidence=0.8, views=None, view_scores=None):
    n = len(truth)
    scores = np.full((n, 3), (1 - confidence) / 2, np.float32)
    scores[np.arange(n), predicted] = confidence
    return PredictionTable(
        images=np.array(images if images is not None else range(1, n + 1), np.int64),
        crops=np.full(n, -1, np.int64),
        parts=np.array(parts if parts is not None else [2] * n, np.int64),
        truth=np.array(truth, np.int64),
        scores=scores,
        view_truth=np.array([-1] * n if views is None else [VIEW.labels.index(v) for v in views]),
        view_scores=view_scores,
        true_view=np.array(views or [""] * n, dtype=np.str_),
    )


@pytest.fixture
def results():
    return RunResults(
        record(),
        table(
            truth=[0, 0, 0, 1, 1, 2, -1, 0],
            predicted=[0, 0, 1, 1, 1, 0, 2, 2],
            parts=[2, 2, 2, 2, 2, 2, 2, 0],
            views=["left", "right", "left", "left", "right", "right", "left", "left"],
        ),
    )


def test_matrix_counts_the_part_and_leaves_unknown_truth_out(results):
    assert results.matrix(Scope(Part.TEST)).tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert results.matrix(Scope(Part.TRAIN)).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert results.matrix(Scope(None)).sum() == 7
    assert results.matrix(Scope(Part.VALIDATION)).sum() == 0


def test_every_cell_leads_to_as_many_images_as_it_counts(results):
    for part in (Part.TEST, Part.TRAIN, None):
        for view in ("", "left", "right"):
            scope = Scope(part, view)
            matrix = results.matrix(scope)
            for truth in range(3):
                for predicted in range(3):
                    rows = results.rows(scope, truth, predicted)
                    assert len(rows) == matrix[truth, predicted]
    assert results.table.images[results.rows(Scope(), 0, 1)].tolist() == [3]
    assert results.table.images[results.rows(Scope(), right=False)].tolist() == [3, 6]


def test_rows_are_ordered_by_confidence():
    made = table([0, 0, 0], [1, 1, 1])
    made.scores[:, 1] = [0.5, 0.9, 0.7]
    results = RunResults(record(), made)
    assert results.table.images[results.rows(Scope(), 0, 1)].tolist() == [2, 3, 1]


def test_scores_and_accuracy_by_view(results):
    scores = results.scores(Scope())
    assert scores.images == 6
    assert scores.top1 == pytest.approx(4 / 6)
    assert scores.top5 == 1.0
    assert scores.calibration == pytest.approx(abs(4 / 6 - 0.8), abs=1e-6)
    found = {score.view: (score.accuracy, score.images) for score in results.by_view(Scope())}
    assert found == {"left": (pytest.approx(2 / 3), 3), "right": (pytest.approx(2 / 3), 3)}
    assert np.isnan(results.scores(Scope(Part.VALIDATION)).top1)


def test_bins_of_the_reliability_diagram_lead_to_their_images(results):
    bins = results.reliability(Scope())
    assert sum(each.images for each in bins) == 6
    for at, each in enumerate(bins):
        assert len(results.rows_in_bin(Scope(), at)) == each.images
    full = next(each for each in bins if each.images)
    assert full.accuracy == pytest.approx(4 / 6)
    assert full.confidence == pytest.approx(0.8)


def test_a_run_may_have_no_images():
    results = RunResults(record(), table([-1, -1], [0, 1]))
    assert results.parts == ()
    assert results.best_part() is Part.TEST
    assert results.matrix(Scope()).sum() == 0
    assert all(each.images == 0 for each in results.reliability(Scope()))
    assert results.by_view(Scope()) == []
    assert reliability_csv(results, Scope()).count("\n") == 11


def test_the_view_head_has_a_matrix_of_its_own():
    made = table(
        [0, 1, 2],
        [0, 1, 2],
        views=["left", "right", "left"],
        view_scores=np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]], np.float32),
    )
    results = RunResults(record(target="category+view", view=VIEW), made)
    assert results.has_view_head
    assert not RunResults(record(), made).has_view_head
    without = table([0], [0], views=["left"])
    assert not RunResults(record(target="category+view", view=VIEW), without).has_view_head
    assert results.matrix(Scope(head=VIEW_HEAD)).tolist() == [[2, 0], [1, 0]]
    assert results.label_set(VIEW_HEAD) == "view"
    assert results.table.images[results.rows(Scope(head=VIEW_HEAD), 1, 0)].tolist() == [2]


@pytest.mark.parametrize("crops", [([0, 1], [2, 1]), ([2, 1], [0, 1]), ([-1, 1], [1, 1])])
def test_mouths_are_compared_with_the_same_mouth_of_the_same_image(crops):
    """Of images 1 and 2; a crop has the same id in one image alone."""
    tables = [
        dataclasses.replace(table([0, 1], [0, 0], images=images), crops=np.array(ids))
        for images, ids in zip(([2, 3], [1, 3]), crops, strict=True)
    ]
    found = compare(*(RunResults(record(), each) for each in tables), None)
    assert (found.images, found.left_out) == (1, 1)
    assert found.rows[PairOutcome.BOTH_WRONG].tolist() == [1]


def test_two_runs_are_compared_image_by_image():
    first = RunResults(record("A"), table([0, 0, 1, 1, 2], [0, 0, 1, 0, 0], images=[1, 2, 3, 4, 5]))
    second = RunResults(
        record("B"), table([0, 0, 1, 1, 0], [0, 1, 1, 1, 0], images=[1, 2, 3, 4, 5])
    )
    made = compare(first, second, Part.TEST)
    ids = {outcome: first.table.images[rows].tolist() for outcome, rows in made.rows.items()}
    assert sorted(ids[PairOutcome.BOTH_RIGHT]) == [1, 3]
    assert ids[PairOutcome.ONLY_FIRST] == [2]
    assert ids[PairOutcome.ONLY_SECOND] == [4]
    assert ids[PairOutcome.BOTH_WRONG] == []
    assert made.left_out == 1, "image 5 had another label when B was trained"
    assert made.p == 1.0
    text = comparison_csv(made, {2: "birds/owl, big.jpg"})
    assert '"birds/owl, big.jpg",owl,owl,puffin,only first right' in text


def test_runs_on_other_images_share_none():
    first = RunResults(record("A"), table([0, 1], [0, 1], images=[1, 2]))
    second = RunResults(record("B"), table([0, 1], [0, 1], images=[8, 9]))
    made = compare(first, second, Part.TEST)
    assert (made.images, made.left_out) == (0, 2)


def test_pairs_of_single_and_joint_runs():
    joint = record("J", "category+view", VIEW, frozen="fire5")
    others = [
        record("new", frozen="fire5"),
        record("old", frozen="fire5"),
        record("other", frozen="fire3"),
    ]
    pairs = single_pairs([joint, *others])
    assert [(pair.single.id, pair.together.id) for pair in pairs] == [("new", "J")]
    assert single_pairs(others) == []
    (lacking,) = single_pairs([joint, record("head", frozen="fire5", head="bilinear")])
    assert (lacking.single, lacking.missing.like) == (None, "J")
    assert lacking.missing.keys(joint.recipe_toml, "J")["frozen"] == "fire5"
    assert lacking.missing.keys(joint.recipe_toml, "J")["target"] == "category"


def test_tables_as_csv(results):
    lines = matrix_csv(results, Scope()).splitlines()
    assert lines[0] == "truth \\ predicted,owl,puffin,toucan"
    assert lines[1] == "owl,2,1,0"
    assert classes_csv(results, Scope()).splitlines()[2] == "puffin,0.6666666666666666,1.0,0.8,2"
    assert views_csv(results, Scope()).splitlines()[0] == "view,accuracy,images"


def test_tables_have_no_formulas():
    rows = [("=1+1", "-x"), ("@a", "+b"), ("-0.5", -0.5), ("\tx", "＝1"), ("plain", "'quoted'")]
    text = to_csv(("name", "-value"), rows)
    assert list(csv.reader(io.StringIO(text))) == [
        ["name", "'-value"],
        ["'=1+1", "'-x"],
        ["'@a", "'+b"],
        ["-0.5", "-0.5"],
        ["'\tx", "'＝1"],
        ["plain", "'quoted'"],
    ]


def test_undefined_scores_are_empty_cells():
    results = RunResults(record(), table(np.array([0, 0, 1]), np.array([0, 1, 1])))
    assert classes_csv(results, Scope()).splitlines()[3] == "toucan,,,,0"


def test_a_cell_of_a_million_predictions_gives_its_images_at_once():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 1_000_000)
    predicted = np.where(rng.random(len(truth)) < 0.9, truth, rng.integers(0, 3, len(truth)))
    results = RunResults(record(), table(truth, predicted, parts=np.full(len(truth), 2)))
    scope = Scope()
    count = results.matrix(scope)[0, 1]  # the page has shown the matrix before a cell is clicked
    results.rows(scope, 0, 2)
    start = time.process_time()
    rows = results.rows(scope, 0, 1)
    assert time.process_time() - start < 0.1
    assert len(rows) == count
