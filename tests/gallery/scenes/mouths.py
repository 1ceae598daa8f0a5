"""The Mouths page."""

from __future__ import annotations

from tests.gallery.projects import BROKEN_FACES, EMPTY, FACES, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.domain.crops import Queue
from workbench.ui.pages.mouths.page import MouthsPage


@scene("mouths", "empty", EMPTY)
def mouths_empty(stage: Stage) -> None:
    go(stage.open(EMPTY), MouthsPage)
    stage.settle()
    stage.take()


@scene("mouths", "full", FACES, FULL)
def mouths_full(stage: Stage) -> None:
    page = go(stage.open(FACES), MouthsPage)
    stage.settle()
    stage.take()
    page.set_queue(Queue.REJECTED)
    stage.settle()
    stage.take("nothing-in-queue")
    stage.end()
    go(stage.open(FULL), MouthsPage)
    stage.settle()
    stage.take("not-searched")


@scene("mouths", "long", LONG)
def mouths_long(stage: Stage) -> None:
    page = go(stage.open(LONG), MouthsPage)
    page.set_queue(Queue.LABELLED, 1)
    stage.settle()
    stage.take()


@scene("mouths", "error", BROKEN_FACES)
def mouths_error(stage: Stage) -> None:
    go(stage.open(BROKEN_FACES), MouthsPage)
    stage.settle()
    stage.take()
