"""Starts compared from the Train page: scored for real, explained, and used."""

import csv
import io

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage

from tests.fixtures.page_host import PageHost
from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import run_here
from workbench.app.training.preparing import missing_task, prepare
from workbench.app.training.samples import seen_by
from workbench.domain.assessments import (
    LAST_LAYER,
    LayerScore,
    LayerScores,
    LayerStudy,
    MissingRun,
)
from workbench.domain.backbones import BACKBONES
from workbench.domain.changes import Changes
from workbench.domain.run_pairs import differences
from workbench.domain.runs import RunStatus
from workbench.ui.dialogs.layers import LayerChart
from workbench.ui.pages.train.page import TrainPage
from workbench.ui.parts.run_texts import percent
from workbench.ui.parts.training_draft import train_missing

WAIT = 180_000


@pytest.fixture
def page(qtbot, tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    session = small_project(tmp_path, label_sets=("category",))
    host = PageHost(session)
    made = TrainPage(host.context)
    qtbot.addWidget(made)
    made.resize(1216, 640)
    made.preflight._timer.setInterval(10 * WAIT)
    made.opened()
    made.show()
    yield made
    made.closing()
    host.close()
    session.close()


def test_starts_are_scored_explained_and_used(qtbot, page):
    page.model.edit("backbone", "simpleconv3")
    page.form.start.compare.click()
    dialog = page.starts
    assert list(dialog.checkboxes) == ["none"]  # no ImageNet weights, no run, no file
    assert dialog.report is None
    assert not dialog.use.isEnabled()
    dialog.score.click()
    assert dialog.score.text() == "Stop"
    qtbot.waitUntil(lambda: dialog.report is not None, timeout=WAIT)
    assert dialog.score.text() == "Score"
    assert dialog.table.figures.rowCount() == 1
    frozen = dialog.report.starts[0].scores.frozen_top1
    assert 0 <= frozen <= 1
    assert dialog.reasons.text()
    dialog.use.click()
    assert page.model.draft.chosen["start"] == "none"
    assert page.model.draft.chosen["backbone"] == "simpleconv3"
    page.form.start.compare.click()
    assert page.starts.report is not None  # scores are stored
    page.starts.reject()


def test_a_missing_start_is_reported(qtbot, page, tmp_path):
    page.model.edit("backbone", "simpleconv3")
    page.model.edit("start", f"file:{tmp_path / 'gone.safetensors'}")
    page.compare_starts()
    dialog = page.starts
    dialog.checkboxes["none"].setChecked(False)
    dialog.score.click()
    assert "gone.safetensors" in dialog.status.text()
    assert dialog.score.text() == "Score"
    for box in dialog.checkboxes.values():
        box.setChecked(False)
    assert not dialog.score.isEnabled()
    dialog.reject()


def test_accuracy_by_depth_is_plotted_stored_and_exported(qtbot, page, tmp_path):
    page.model.edit("backbone", "simpleconv3")
    page.compare_starts()
    dialog = page.starts
    assert not dialog.layers.isEnabled()
    dialog.score.click()
    qtbot.waitUntil(lambda: dialog.report is not None, timeout=WAIT)
    dialog.layers.click()
    depth = dialog.by_depth
    assert depth.study.text() == "Measure"
    assert not depth.export.isEnabled()
    depth.study.click()
    assert depth.study.text() == "Stop"
    qtbot.waitUntil(lambda: depth.studies != [], timeout=WAIT)
    assert depth.study.text() == "Measure again"
    stages = BACKBONES["simpleconv3"].stage_names
    assert depth.chart.stages == stages
    layers = depth.studies[0].found.layers
    assert depth.studies[0].found.best.stage in depth.status.text()
    heights = [depth.chart.point(0, at).y() for at in range(len(stages))]
    order = sorted(range(len(stages)), key=lambda at: layers[at].top1)
    assert [heights[at] for at in order] == sorted(heights, reverse=True)  # higher is better
    assert depth.chart.text_at(depth.chart.point(0, 1)).startswith(
        f"{depth._titles['none']}, {stages[1]}: "
    )
    assert depth.chart.text_at(QPointF(0, 0)) == ""
    lines = list(csv.DictReader(io.StringIO(depth.csv())))
    assert [line["stage"] for line in lines] == list(stages)
    assert [float(line["top1"]) for line in lines] == [one.top1 for one in layers]
    depth.copies.save_image(tmp_path / "depth.png")
    saved = QImage(str(tmp_path / "depth.png"))
    assert saved.width() == 2 * depth._plot.width()
    depth.reject()
    dialog.reject()
    page.compare_starts()
    page.starts.show_layers()
    assert page.starts.by_depth.chart.stages == stages  # studies are stored
    page.starts.by_depth.reject()
    page.starts.reject()
    page.model.edit("start", "none")
    page.study_depth()  # also without a comparison, for the start on the page
    assert page.by_depth.chart.stages == stages
    page.by_depth.reject()


def layer_study(start: str, *stages: str) -> LayerStudy:
    layers = [
        LayerScore(stage=stage, features=1000, train_top1=1.0, top1=0.5 + at / 10)
        for at, stage in enumerate(stages)
    ]
    found = LayerScores(
        layers=tuple(layers),
        train_images=10,
        held_out_images=10,
        held_out="test",
        classes=2,
        chance=0.5,
        seconds=1.0,
    )
    return LayerStudy(target="category", start=start, backbone="alexnet", made=0.0, found=found)


@pytest.mark.parametrize("first", ["none", "imagenet"])
def test_the_last_layer_is_a_point_of_the_starts_that_have_one(qtbot, first):
    studies = [
        layer_study("none", "fc6", "fc7"),
        layer_study("imagenet", "fc6", "fc7", LAST_LAYER),
    ]
    studies.sort(key=lambda study: study.start != first)
    chart = LayerChart()
    qtbot.addWidget(chart)
    chart.resize(400, 240)
    chart.show_studies(studies, [study.start for study in studies])
    assert chart.stages == ("fc6", "fc7", LAST_LAYER)
    at = [study.start for study in studies].index("imagenet")
    assert [len(chart.points(position)) for position in (at, 1 - at)] == [3, 2]
    last = chart.points(at)[2]
    assert chart.text_at(last) == f"imagenet, last layer: {percent(0.7)} with 1,000 features"
    drawn = chart.grab().toImage()
    assert drawn.pixelColor(last.toPoint()) == chart.colour(at)


def test_runs_that_the_comparisons_lack_are_queued(qtbot, page):
    session = page.context.session
    like = prepare(session, {**FAST, "epochs": 1, "head": "linear"})
    missing = MissingRun(like=like.id, changes={"frozen": "all"})
    with qtbot.waitSignal(page.context.queue.changed, timeout=WAIT):
        train_missing(page.context, missing)
    made = next(run for run in session.runs.all() if run.id != like.id)
    session.store.runs.update(made.id, status=RunStatus.PAUSED)  # nothing is to be trained here
    seen = seen_by(session.runs_folder)
    assert differences(session.runs.get(like.id), session.runs.get(made.id), seen) == ("frozen",)
    image = session.store.images.ids()[0]
    with session.store.edit("Remove"):
        session.store.images.remove([int(image)])
    session.announce(Changes(runs=frozenset({made.id})))
    again = run_here(missing_task(session, missing))
    assert [keys["frozen"] for keys in again.value] == ["none", "all"], "the data have changed"
