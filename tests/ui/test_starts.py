"""Starts compared from the Train page: scored for real, explained, and taken over."""

import pytest

from tests.app.training_projects import small_project
from tests.ui.page_host import PageHost
from workbench.ui.train_page import TrainPage

WAIT = 180_000


@pytest.fixture
def page(qtbot, tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    op = small_project(tmp_path, label_sets=("category",))
    host = PageHost(op)
    made = TrainPage(host.context)
    qtbot.addWidget(made)
    made.resize(1216, 640)
    made.preflight._timer.setInterval(10 * WAIT)
    made.opened()
    made.show()
    yield made
    made.closing()
    host.close()
    op.close()


def test_starts_are_scored_explained_and_taken_over(qtbot, page):
    page.desk.edit("backbone", "simpleconv3")
    page.form.start.compare.click()
    dialog = page.starts
    assert list(dialog.ticks) == ["none"]  # no ImageNet weights, no run, no file
    assert dialog.report is None
    assert not dialog.take.isEnabled()
    dialog.score.click()
    assert dialog.score.text() == "Stop"
    qtbot.waitUntil(lambda: dialog.report is not None, timeout=WAIT)
    assert dialog.score.text() == "Score"
    assert dialog.table.figures.rowCount() == 1
    frozen = dialog.report.starts[0].scores.frozen_top1
    assert 0 <= frozen <= 1
    assert dialog.why.text()
    dialog.take.click()
    assert page.desk.draft.chosen["start"] == "none"
    assert page.desk.draft.chosen["backbone"] == "simpleconv3"
    page.form.start.compare.click()
    assert page.starts.report is not None  # what was scored is remembered
    page.starts.reject()


def test_a_start_that_is_not_there_is_said(qtbot, page, tmp_path):
    page.desk.edit("backbone", "simpleconv3")
    page.desk.edit("start", f"file:{tmp_path / 'gone.safetensors'}")
    page.compare_starts()
    dialog = page.starts
    dialog.ticks["none"].setChecked(False)
    dialog.score.click()
    assert "gone.safetensors" in dialog.said.text()
    assert dialog.score.text() == "Score"
    for tick in dialog.ticks.values():
        tick.setChecked(False)
    assert not dialog.score.isEnabled()
    dialog.reject()
