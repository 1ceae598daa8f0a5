"""Toy vehicles in folders, and the real window on a project of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.demo.toys import BODIES, VIEWS, render_toy
from workbench.storage.project import Project
from workbench.ui.window.window import MainWindow

PER_VIEW = 4
TRUTH = {view[0].upper(): view for view in VIEWS}


def draw_vehicles(folder: Path, bodies: int = 2, per_view: int = PER_VIEW) -> Path:
    """`folder/BODY/VIEW number.jpg`: the view is in the file's name, for the tests alone."""
    for body in range(bodies):
        inside = folder / BODIES[body]
        inside.mkdir(parents=True)
        for view in VIEWS:
            for seed in range(per_view):
                pixels = render_toy(body, view, seed, 64)
                cv2.imwrite(str(inside / f"{view} {seed}.jpg"), pixels[:, :, ::-1])
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_vehicles(tmp_path / "photos")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = Project.create(tmp_path / "vehicles")
    store.close()
    return store.folder


@pytest.fixture
def open_window(qtbot, folder: Path, tmp_path: Path):
    """Opens the real window on the project; every window is closed at the end."""
    windows: list[MainWindow] = []

    def open_it() -> MainWindow:
        window = MainWindow(Session(Project.open(folder)), UserSettings(tmp_path / "settings.json"))
        windows.append(window)
        window.resize(1280, 800)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield open_it
    for window in windows:
        window.close()
        window.deleteLater()
