"""A real project of small images, and the window on it."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.page_host import PageHost
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.settings import UserSettings
from workbench.domain.backbones import BACKBONES, backbone
from workbench.ui.look.theme import apply_theme

BIRDS = ("egret", "owl", "puffin")


def write_photo(path: Path, seed: int, size: tuple[int, int] = (96, 64)) -> Path:
    """A small JPEG that differs from every other seed's."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (4, 6, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR).save(path, quality=90)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three categories of eight images, as folders."""
    folder = tmp_path / "birds"
    for number in range(24):
        bird = BIRDS[number // 8]
        write_photo(folder / bird / f"{bird}{number % 8}.jpg", number)
    return folder


@pytest.fixture
def birds(session, photos):
    """The open project with these images and their categories."""
    outcome = run_here(import_task(session, [photos], {"category": "folder"}))
    assert isinstance(outcome, Done)
    return session


@pytest.fixture
def host(session):
    """What a page of the open project needs, closed at the end."""
    made = PageHost(session)
    yield made
    made.close()


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights of one backbone lie in the user's cache, as if they had been downloaded."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    import torch

    from workbench.learning.networks.backbones import build_body

    folder = tmp_path / "cache" / "vantage-workbench" / "weights"
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    body, _ = build_body("squeezenet1_1")
    torch.save(body.state_dict(), folder / "weights.pth")
    digest = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()
    known = dataclasses.replace(
        backbone("squeezenet1_1"), weights=f"squeezenet1_1-{digest[:8]}.pth"
    )
    (folder / "weights.pth").rename(folder / known.weights)
    with BACKBONES.temporarily(known.name, known):
        yield


@pytest.fixture
def window(birds, qtbot, qapp):
    """The window on that project, shown and active."""
    from workbench.ui.window.window import MainWindow

    apply_theme(qapp, "light")
    made = MainWindow(birds, UserSettings(None))
    qtbot.addWidget(made)
    made.resize(1280, 720)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    yield made
    made.close()
