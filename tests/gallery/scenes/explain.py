"""The Explain page: one image and the wall."""

from __future__ import annotations

from tests.gallery.projects import BROKEN, EMPTY, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.app.results.run_images import usable_runs
from workbench.ui.pages.explain.page import ExplainPage


@scene("explain", "empty", EMPTY)
def explain_empty(stage: Stage) -> None:
    go(stage.open(EMPTY), ExplainPage)
    stage.settle()
    stage.take()


@scene("explain", "full", FULL)
def explain_full(stage: Stage) -> None:
    _explain(stage, FULL)


@scene("explain", "long", LONG)
def explain_long(stage: Stage) -> None:
    _explain(stage, LONG)


def _explain(stage: Stage, project: str) -> None:
    """One image with its map once that was checked, then the wall."""
    window = stage.open(project)
    run = usable_runs(window.session)[-1]
    window.go("explain", run=run.id)
    page = window.current_page()
    assert isinstance(page, ExplainPage)

    def checked() -> bool:
        row = page.strip.current()
        heat = None if row is None else page.explanations.heat(row)
        return heat is not None and heat.check is not None

    stage.settle(checked)
    stage.take()
    page.toggle_wall()
    stage.settle()
    view, wall = page.wall.viewport().rect(), page.wall
    rows = [row for row in wall.ids().tolist() if wall.rect_of(row).intersects(view)]
    stage.settle(lambda: all(page.explanations.heat(row) is not None for row in rows))
    stage.take("wall")


@scene("explain", "error", BROKEN)
def explain_error(stage: Stage) -> None:
    window = stage.open(BROKEN)
    page = go(window, ExplainPage)
    page.strip.set_current(int(page.strip.ids()[4]))
    stage.settle(lambda: page.explanations.unread_reason(page.strip.current() or 0) != "")
    stage.take()
