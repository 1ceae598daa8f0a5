"""Helpers of scenes that open a page or find a run."""

from __future__ import annotations

from typing import TypeVar

from tests.gallery.stage import Stage
from workbench.domain.runs import RunRecord, RunStatus
from workbench.ui.page import Page
from workbench.ui.pages.train.page import TrainPage
from workbench.ui.window.window import MainWindow

AnyPage = TypeVar("AnyPage", bound=Page)


def go(window: MainWindow, kind: type[AnyPage]) -> AnyPage:
    """Show a page as a click on the rail would."""
    window.go(kind.name)
    page = window.current_page()
    assert isinstance(page, kind)
    return page


def go_train(stage: Stage, window: MainWindow) -> TrainPage:
    """Show the Train page without the trial step that it starts by itself."""
    page = go(window, TrainPage)
    page.preflight.trial_requested.disconnect()
    page.preflight.cancel()
    stage.settle()
    return page


def run_with(window: MainWindow, status: RunStatus) -> RunRecord:
    """Return the oldest run with this status."""
    return next(run for run in reversed(window.session.store.runs.all()) if run.status is status)
