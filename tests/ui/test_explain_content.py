"""What the Explain page shows of a run before any heatmap has arrived: pair, filmstrip, wall."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.explain.explanations import Explanations
from workbench.app.results.run_images import RunImages
from workbench.app.service import LearningService
from workbench.domain.requests import Heat
from workbench.domain.splits import Part
from workbench.ui.pages.explain.content import ExplainContent, ExplainStage

HEAT = Heat(
    height=1,
    width=2,
    values=(0.0, 1.0),
    seen=(0.0, 0.0, 1.0, 1.0),
    label="puffin",
    score=0.876,
    scores=(0.1, 0.876, 0.024),
)


@pytest.fixture
def run(session, tmp_path):
    make_run(session.store, fill(session.store, tmp_path / "photos"), "first", wrong=[4])
    return RunImages(session, "first")


@pytest.fixture
def explanations(session):
    service = LearningService()
    yield Explanations(session, service)
    service.close()


@pytest.fixture
def content(qtbot, host, run, explanations):
    made = ExplainContent(host.context, explanations)
    qtbot.addWidget(made)
    made.resize(1000, 600)
    made.show()
    made.open(run)
    yield made
    made.close_readers()


def rows(run):
    return run.rows(Part.TEST)


def test_the_first_row_is_current_unless_the_current_one_is_kept(content, run):
    found = rows(run)
    for keep in (True, False):
        content.show_rows(found, keep)
        assert content.strip.current() == content.wall.current() == found[0]
        content.strip.set_current(int(found[5]))
        content.wall.set_current(int(found[5]))
    content.show_rows(found, True)
    assert content.strip.current() == content.wall.current() == found[5]
    content.show_rows(found[:0], False)
    assert content.strip.current() is None
    assert content.wall.ids().tolist() == []


def test_one_image_or_the_wall_or_neither_is_shown(content, run):
    content.show_rows(rows(run), False)
    content.show_mode(False)
    assert (content.stage.isVisible(), content.wall.isVisible()) == (True, False)
    assert content.strip.isVisible()
    content.show_mode(True)
    assert (content.stage.isVisible(), content.wall.isVisible()) == (False, True)
    content.show_rows(rows(run)[:0], False)
    for wall in (True, False):
        content.show_mode(wall)
        assert content.nothing.isVisible()
        assert content.nothing.sentence.text() == "No images match these filters."
        assert not content.wall.isVisible()


@pytest.mark.parametrize("wall", [False, True])
def test_only_the_tiles_that_are_shown_request_their_images(content, run, qtbot, wall):
    strip, walled = [], []
    content.tiles.ready.connect(strip.append)
    content.wall_tiles.ready.connect(walled.append)
    content.show_rows(rows(run), False)
    content.show_mode(wall)
    heard, other = (walled, strip) if wall else (strip, walled)
    qtbot.waitUntil(lambda: int(rows(run)[0]) in heard)
    assert other == []


def test_the_pair_shows_the_name_the_true_label_and_the_image(content, run, qtbot):
    stage = content.stage
    stage.show_rows([])
    assert not stage.original.has_image
    at = [int(row) for row in rows(run)]
    stage.show_rows(at[:2])
    image = run.images(at[:1])[0]
    assert stage.name.text() == f"{image.name}  ·  true label owl"
    assert stage.name.toolTip() == image.input.path
    assert stage.original.image_size == stage.overlay.image_size == (32, 24)
    qtbot.waitUntil(lambda: stage.original.has_image and stage.overlay.has_image)
    stage.show_heat(HEAT, "conv4")
    assert stage.heat_title.text() == "puffin 0.88  ·  conv4"
    assert stage.overlay.heat is HEAT
    stage.show_rows(at[:3])
    assert stage.overlay.heat is HEAT, "the same row is shown"
    stage.show_heat(HEAT, "")
    assert stage.heat_title.text() == "puffin 0.88"
    stage.show_rows(at[1:2])
    assert stage.overlay.heat is None
    stage.show_heat(None, "conv4")
    assert stage.heat_title.text() == "Explaining…"
    stage.open(run)
    stage.show_heat(HEAT, "")
    stage.show_rows(at[1:2])
    assert stage.overlay.heat is None, "another run's row of the same number"


def test_without_a_run_the_pair_is_empty(host, qtbot):
    stage = ExplainStage(host.context)
    qtbot.addWidget(stage)
    stage.show_rows([1])
    assert stage.name.text() == ""
    stage.close_reader()


def test_an_image_without_a_true_label_has_its_name_alone(content, run):
    image = replace(run.images(rows(run)[:1])[0], truth="")
    content.stage._show_name(image)
    assert content.stage.name.text() == image.name


def test_opacity_and_hiding_apply_to_the_pair_and_the_wall_until_the_page_is_left(content):
    content.side.opacity_changed.emit(0.25)
    assert (content.stage.overlay.opacity, content.wall_tiles.opacity) == (0.25, 0.25)
    for hidden in (True, False, True):
        content.side.heat_hidden_changed.emit(hidden)
        assert content.stage.overlay.heat_hidden is hidden
        assert content.wall_tiles.heat_hidden is hidden
    content.deactivate()
    assert not content.stage.overlay.heat_hidden
    assert not content.wall_tiles.heat_hidden


def test_a_row_without_a_heatmap_shows_why(content, run, explanations):
    row = int(rows(run)[0])
    content.show_map(row)
    assert content.stage.heat_title.text() == "", "no run yet"
    explanations.images = run
    content.show_map(row)
    assert content.stage.heat_title.text() == "Explaining…"
    content.show_reason("It was deleted.")
    assert content.stage.heat_title.text() == ""
    assert content.side.trust.text() == "It was deleted."


def test_without_a_run_the_page_leads_to_training(content, host):
    content.setCurrentWidget(content.empty)
    content.empty.button.click()
    assert host.went == [("train", {})]
