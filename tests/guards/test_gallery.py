"""Every page, dialog and state of the window has its scene in the gallery."""

import importlib
import inspect
import pkgutil

import pytest
from PySide6.QtWidgets import QDialog

import workbench.ui
from tests.gallery import projects, registry, taking
from workbench.ui.page import PAGES

STATES = {"empty", "full", "long", "error"}


def dialog_classes():
    """The dialogs that can be opened: classes of the window that no other dialog is made from."""
    found = set()
    for module in pkgutil.walk_packages(workbench.ui.__path__, "workbench.ui."):
        for _, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(one, QDialog) and one.__module__.startswith("workbench.ui."):
                found.add(one)
    return {one for one in found if not any(one in other.__bases__ for other in found)}


def without_scene(dialogs):
    """The dialogs that no scene shows."""
    return set(dialogs) - {shown for scene in registry.SCENES for shown in scene.dialogs}


def test_every_dialog_has_a_scene():
    dialogs = dialog_classes()
    assert len(dialogs) > 10
    assert without_scene(dialogs) == set()


def test_a_dialog_without_a_scene_is_seen():
    class Lonely(QDialog):
        pass

    assert without_scene([*dialog_classes(), Lonely]) == {Lonely}


def test_every_page_has_its_states(qapp):
    for name in PAGES:
        states = {scene.state for scene in registry.SCENES if scene.page == name}
        assert states >= STATES, name


def test_scenes_open_projects_that_can_be_made():
    named = {name for scene in taking.chosen([]) for name in scene.projects}
    assert named <= set(projects.MAKERS)


def test_scenes_are_chosen_by_page_and_state():
    names = {scene.name for scene in registry.chosen(["views", "explain/e"])}
    of_views = {scene.name for scene in registry.SCENES if scene.page == "views"}
    assert names == of_views | {"explain/empty", "explain/error"}
    with pytest.raises(ValueError, match="no scene viewz"):
        registry.chosen(["viewz"])
