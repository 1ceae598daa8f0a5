"""The Results page with all of its tabs."""

from __future__ import annotations

from collections.abc import Sequence

from tests.gallery.projects import BROKEN, EMPTY, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go, run_with
from tests.gallery.stage import Stage
from workbench.domain.runs import RunStatus
from workbench.ui.pages.results.page import ResultsPage


@scene("results", "empty", EMPTY)
def results_empty(stage: Stage) -> None:
    go(stage.open(EMPTY), ResultsPage)
    stage.settle()
    stage.take()


@scene("results", "full", FULL)
def results_full(stage: Stage) -> None:
    window = stage.open(FULL)
    page = go(window, ResultsPage)
    page.opened(run=run_with(window, RunStatus.FINISHED).id)
    _take_tabs(stage, page, ("classes", "curves", "calibration", "views", "compare", "protocols"))
    page.studies.switch.setChecked(True)
    stage.settle()
    stage.take("studies")


def _take_tabs(stage: Stage, page: ResultsPage, names: Sequence[str]) -> None:
    """The confusion matrix with the images of its fullest wrong cell, then the other tabs."""
    shown = page.shown()
    assert shown is not None
    counts = shown.results.matrix(shown.scope).copy()
    counts[range(len(counts)), range(len(counts))] = 0
    truth, predicted = divmod(int(counts.argmax()), len(counts))
    page.matrix.view.set_current(truth, predicted)
    page.matrix.view.chosen.emit(truth, predicted)
    stage.settle()
    stage.take()
    for at, name in enumerate(names, start=1):
        page.tabs.setCurrentIndex(at)
        stage.settle()
        stage.take(name)


@scene("results", "long", LONG)
def results_long(stage: Stage) -> None:
    window = stage.open(LONG)
    page = go(window, ResultsPage)
    page.opened(run=run_with(window, RunStatus.FINISHED).id)
    _take_tabs(stage, page, ("classes", "curves", "calibration", "views"))


@scene("results", "error", BROKEN)
def results_error(stage: Stage) -> None:
    window = stage.open(BROKEN)
    page = go(window, ResultsPage)
    page.opened(run=run_with(window, RunStatus.FAILED).id)
    stage.settle()
    stage.take()
    page.opened(run=run_with(window, RunStatus.FINISHED).id)
    page.matrix.view.chosen.emit(0, -1)
    stage.settle()
    stage.take("photographs-gone")


@scene("dialog-delete-run", "full", LONG)
def delete_run(stage: Stage) -> None:
    window = stage.open(LONG)
    page = go(window, ResultsPage)
    stage.settle()
    run = run_with(window, RunStatus.FINISHED)
    stage.take_while(lambda: page.remove_run(run.id))
