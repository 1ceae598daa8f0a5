"""A small demo: all results exist and agree."""

import csv
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.jobs import Cancelled, Done, Failed, Task, run_here
from workbench.app.session import Session
from workbench.demo.demo import (
    DemoResult,
    DemoSize,
    Pair,
    demo_task,
    draw_source,
    draw_target,
    means,
    run_within,
    validation_curves,
    wall_layer,
    wall_rows,
)
from workbench.demo.toys import BODIES, VIEWS, render_toy
from workbench.domain.errors import KnownError
from workbench.domain.recipes import partial_recipe
from workbench.domain.reports import Note
from workbench.domain.runs import RunStatus
from workbench.storage.project import Project
from workbench.vision.charts import BLUE, ORANGE, PlottedCurve

SMALL = DemoSize(
    source_each=3,
    target_each=4,
    recipe=partial_recipe(backbone="simpleconv3", image_size=48, epochs=1, precision="fp32"),
)


@pytest.mark.slow
def test_the_demo_creates_two_projects_with_runs_images_and_a_table(tmp_path, qapp):
    seen = []
    began = time.monotonic()
    outcome = run_here(demo_task(tmp_path, seeds=1, size=SMALL), seen.append)
    assert isinstance(outcome, Done), outcome
    result = outcome.value
    assert 0 < result.seconds <= time.monotonic() - began
    assert result.as_json()["transfer"] == {"top1": result.transfer_top1}
    assert result.as_json()["project"] == str(tmp_path / "target.workbench")
    assert next(n.text for n in seen if isinstance(n, Note)).startswith("Drawing")
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0", "mean"]
    assert float(rows[1]["transfer_top1"]) == pytest.approx(result.transfer_top1)
    assert float(rows[1]["scratch_top1"]) == pytest.approx(result.scratch_top1)
    assert f"{100 * result.transfer_top1:.1f} %" in (tmp_path / "table.md").read_text()
    for name in ("curves", "confusion-transfer", "confusion-scratch", "grad-cam"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width > 200
    _check_project(result.project)


def _check_project(folder):
    store = Project.open(folder)
    try:
        assert store.images.count() == 64
        assert store.labels.counts("view") == {
            "": 0,
            "front": 16,
            "back": 16,
            "left": 16,
            "right": 16,
        }
        runs = store.runs.all()
        assert {run.status for run in runs} == {RunStatus.FINISHED}
        assert [run.name for run in runs] == ["from scratch, seed 0", "transfer, seed 0"]
    finally:
        store.close()


def test_a_folder_that_holds_a_demo_is_refused(tmp_path):
    (tmp_path / "target.workbench").mkdir()
    with pytest.raises(KnownError, match="already exists"):
        demo_task(tmp_path)


def test_a_stopped_demo_leaves_projects_that_open(tmp_path, qapp):
    stop = threading.Event()

    def until_training(value):
        if isinstance(value, Note) and value.text.startswith("Training the source"):
            stop.set()

    outcome = run_here(demo_task(tmp_path, seeds=1, size=SMALL), until_training, stop)
    assert isinstance(outcome, Cancelled)
    store = Project.open(tmp_path / "source.workbench")
    assert store.images.count() == 8 * 4 * 3
    store.close()


def test_a_part_of_a_task_hands_its_values_its_end_and_its_failure_on(session: Session):
    reported = []

    def work():
        yield "first"
        raise KnownError("The disk is full.", "Make room.")

    part = Task("part", work, apply=reported.append, finish=reported.append)
    outcome = run_here(Task("whole", lambda: run_within(part)))
    assert isinstance(outcome, Failed)
    assert (outcome.sentence, outcome.remedy) == ("The disk is full.", "Make room.")
    assert reported[0] == "first"
    assert isinstance(reported[1], Failed)


@pytest.mark.parametrize(
    ("wrong", "right", "rows"),
    [
        (range(100, 110), range(20), [100, 101, 102, 103, 0, 2, 4, 6, 8, 10, 12, 14]),
        (range(100, 110), range(8), [100, 101, 102, 103, 0, 1, 2, 3, 4, 5, 6, 7]),
        (range(100, 101), range(3), [100, 0, 1, 2]),
        ((), range(36), range(0, 36, 3)),
        (range(100, 102), (), [100, 101]),
    ],
)
def test_the_wall_has_errors_on_a_third_and_even_steps_of_the_rest(wrong, right, rows):
    assert wall_rows(list(wrong), list(right)) == list(rows)


def test_the_source_is_drawn_into_a_folder_for_each_body_and_view(tmp_path):
    reports = list(draw_source(tmp_path, 1))
    assert [(report.done, report.total) for report in reports] == [(0, 32), (16, 32), (32, 32)]
    drawn = sorted(tmp_path.rglob("*.jpg"))
    assert {path.relative_to(tmp_path).as_posix() for path in drawn} == {
        f"{body}/{view}/000.jpg" for body in BODIES[:8] for view in VIEWS
    }
    with Image.open(tmp_path / BODIES[2] / "left" / "000.jpg") as picture:
        pixels = np.asarray(picture).astype(float)
    rendered = render_toy(2, "left", 0)
    assert pixels.shape == (96, 96, 3)
    assert np.abs(pixels - rendered).mean() < 5, "in the same order of colours"


def test_the_target_is_drawn_into_one_folder_with_its_labels(tmp_path):
    reports = list(draw_target(tmp_path / "target", 2))
    assert [report.done for report in reports] == [0, 16, 32]
    with (tmp_path / "target" / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["path"] for row in rows}) == 32
    assert {row["category"] for row in rows} == set(BODIES[8:])
    body = BODIES[8]
    assert rows[1] == {"path": f"{body}-front-001.jpg", "category": body, "view": "front"}
    first, second = ((tmp_path / "target" / row["path"]).read_bytes() for row in rows[:2])
    assert first != second


def test_the_demo_of_the_manual_draws_sixty_and_fifteen_images_of_each_body_and_view():
    assert (DemoSize().source_each, DemoSize().target_each) == (60, 15)


def test_the_means_are_those_of_the_test_images_over_the_seeds(session, tmp_path):
    record = make_run(session.store, fill(session.store, tmp_path / "photos"), "first")

    def run(top1):
        return replace(record, metrics={"test": {"top1": top1}, "train": {"top1": 1.0}})

    pairs = [Pair(0, run(0.5), run(0.25)), Pair(1, run(1.0), run(0.75))]
    assert pairs[1].top1s() == (1.0, 0.75)
    assert means(pairs) == (0.75, 0.5)


def test_the_curves_are_those_of_all_pairs_and_the_first_have_names(session, tmp_path):
    images = fill(session.store, tmp_path / "photos")
    first, second, third, fourth = (make_run(session.store, images, name) for name in "abcd")
    accuracies = tuple(one.validation_accuracy for one in session.runs.epochs(first.id))
    assert accuracies == pytest.approx((0.4, 0.7, 0.8))
    assert validation_curves(session, [Pair(0, first, second), Pair(1, third, fourth)]) == [
        PlottedCurve(accuracies, ORANGE, "from scratch"),
        PlottedCurve(accuracies, BLUE, "transfer"),
        PlottedCurve(accuracies, ORANGE),
        PlottedCurve(accuracies, BLUE),
    ]


def test_the_wall_explains_the_last_convolution_of_its_stage_or_of_the_network():
    layers = ("layer1.0.conv1", "layer2.0.conv1", "layer2.1.conv2", "layer3.0.conv1")
    assert wall_layer(layers) == "layer2.1.conv2"
    assert wall_layer(("conv1", "conv2")) == ""


def test_the_result_as_json_has_paths_as_text_and_tenths_of_a_second():
    places = [Path(name) for name in ("target", "source", "table.md")]
    assert DemoResult(0.75, 0.5, 3, *places, 12.345).as_json() == {
        "transfer": {"top1": 0.75},
        "scratch": {"top1": 0.5},
        "seeds": 3,
        "project": "target",
        "source": "source",
        "table": "table.md",
        "seconds": 12.3,
    }


def test_a_part_of_a_task_returns_its_value_and_ends_when_it_is_closed():
    applied, ended = [], []

    def work():
        yield None
        yield "half"
        return 7

    part = Task("part", work, apply=applied.append, finish=ended.append)
    outcome = run_here(Task("whole", lambda: run_within(part)))
    assert (outcome, ended, applied) == (Done(7), [Done(7)], ["half"])
    steps = run_within(part)
    next(steps)
    steps.close()
    assert ended[1:] == [Cancelled()]
