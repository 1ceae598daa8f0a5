"""Fixtures of what explains and predicts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.explaining.tiny_runs import draw_images, save_run

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the learning program sets it


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return save_run(tmp_path / "run")


@pytest.fixture
def images(tmp_path: Path) -> Sequence[Path]:
    return draw_images(tmp_path / "images", 5)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain nothing by more, and lose much where other programs use the cores."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
