"""Scenes of all menus: the menu bar on each page, menus of buttons and context menus."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu

from tests.gallery.projects import FACES, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go, go_train, run_with
from tests.gallery.stage import Stage
from workbench.app.settings import UserSettings
from workbench.domain.runs import RunStatus
from workbench.ui.commands import Menu
from workbench.ui.page import PAGES
from workbench.ui.pages.images.page import ImagesPage
from workbench.ui.pages.mouths.page import MouthsPage
from workbench.ui.pages.results.page import ResultsPage
from workbench.ui.parts.image_menu import image_menu
from workbench.ui.window.window import MainWindow


@scene("menus", "full", FULL)
def menus_full(stage: Stage) -> None:
    """Take every menu of the bar on every page; the same menu of two pages only once."""
    settings = UserSettings(None)
    settings.remember(stage.copy(FULL))
    window = stage.open(FULL, settings)
    known: set[tuple[str, ...]] = set()
    for page in PAGES:
        window.go(page)
        if page == "train":
            go_train(stage, window)
        stage.settle()
        for kind in Menu:
            menu = window.menus[kind]
            seen = tuple(one.text() for one in menu.actions() if one.isVisible())
            if seen and seen not in known:
                known.add(seen)
                stage.take_menu(menu, _below(window, menu), f"{page}-{kind.name.lower()}")


def _below(window: MainWindow, menu: QMenu) -> QPoint:
    """Return the position at which a menu of the bar opens."""
    bar = window.menuBar()
    return bar.mapToGlobal(bar.actionGeometry(menu.menuAction()).bottomLeft())


@scene("menus", "long", LONG)
def menus_long(stage: Stage) -> None:
    """Take the menus that list labels: of an image and of the filter."""
    window = stage.open(LONG)
    page = go(window, ImagesPage)
    stage.settle()
    menu = image_menu(window.context, page, page.list.ids[:3], "category")
    _take_with_first(stage, menu, page.grid.mapToGlobal(QPoint(80, 40)), "image")
    at = page.bar.add_button.mapToGlobal(page.bar.add_button.rect().bottomLeft())
    _take_with_first(stage, page.bar.menu, at, "filter")


def _take_with_first(stage: Stage, menu: QMenu, at: QPoint, detail: str) -> None:
    """Take a menu with its first submenu open."""
    menu.popup(at)
    inner = next((a.menu() for a in menu.actions() if isinstance(a.menu(), QMenu)), None)
    if isinstance(inner, QMenu):
        inner.popup(menu.mapToGlobal(menu.actionGeometry(inner.menuAction()).topRight()))
    stage.settle()
    stage.take(detail, menu)
    if isinstance(inner, QMenu):
        inner.close()
    menu.close()


@scene("menus", "buttons", FULL, FACES)
def menus_buttons(stage: Stage) -> None:
    """Take the menus of buttons and the context menus."""
    window = stage.open(FULL)
    page = go(window, ImagesPage)
    stage.settle()
    menu = image_menu(window.context, page, page.list.ids[:1], "view")
    _take_with_first(stage, menu, page.grid.mapToGlobal(QPoint(80, 40)), "image")
    results = go(window, ResultsPage)
    results.opened(run=run_with(window, RunStatus.FINISHED).id)
    stage.settle()
    results.table.customContextMenuRequested.emit(QPoint(60, 12))
    stage.settle()
    stage.take("run")
    stage.end()
    mouths = go(stage.open(FACES), MouthsPage)
    stage.settle()
    more = mouths.header.more
    found = more.menu()
    assert isinstance(found, QMenu)
    stage.take_menu(found, more.mapToGlobal(more.rect().bottomLeft()), "find-mouths")
