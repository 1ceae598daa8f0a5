"""Saves the README's image: the Results page on the demo's project, in both themes.

`python -m tests.gallery.readme DEMO_FOLDER` after `packaging/bootstrap.py demo DEMO_FOLDER`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QApplication

from tests.gallery.loading import Loading
from tests.gallery.screenshots import THEMES, Screen
from tests.gallery.stage import Stage, Watches
from tests.gallery.waiting import PaintWatch
from workbench.app.session import Session
from workbench.domain.runs import RunRecord
from workbench.domain.text import Message
from workbench.storage.project import Project
from workbench.ui.look.theme import apply_theme
from workbench.ui.pages.results.page import ResultsPage
from workbench.ui.window.window import MainWindow

TARGET = Path(__file__).resolve().parents[2] / "resources" / "pictures"
SCREEN = Screen(1280, 800)
CARS = "target"
COLOURS, OWN = 256, 40  # colours of the palette, and how many of them are those of flat areas


def save(seen: QPixmap, path: Path) -> None:
    """Save an image with a palette of few colours."""
    grabbed = seen.toImage().convertToFormat(QImage.Format.Format_RGB888)
    height, stride = grabbed.height(), grabbed.bytesPerLine()
    rows = np.frombuffer(grabbed.constBits(), np.uint8).reshape(height, stride)
    pixels = rows[:, : 3 * grabbed.width()].reshape(height, grabbed.width(), 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    reduced(pixels).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB", flush=True)


def reduced(pixels: NDArray[np.uint8]) -> Image.Image:
    """The image with a palette: some colours for the flat areas of the window, which keep their
    colour, the rest for the images in it."""
    image = Image.fromarray(pixels)
    flat = sorted(image.getcolors(1 << 24) or [], key=lambda pair: -int(pair[0]))
    own = np.array([colour for _, colour in flat[:OWN]], np.uint8)
    rest = image.quantize(COLOURS - OWN).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*own.ravel().tolist(), *rest[: 3 * (COLOURS - OWN)]])
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def run_called(window: MainWindow, start: str) -> RunRecord:
    """The newest run whose name begins with `start`."""
    return next(run for run in window.session.store.runs.all() if run.name.startswith(start))


def show_cell(window: MainWindow, run: RunRecord) -> None:
    """Show the Results page of a run, with the images of a cell."""
    window.go("results", run=run.id)
    page = window.current_page()
    assert isinstance(page, ResultsPage)
    wagon, coupe = (run.labels.target.labels.index(name) for name in ("wagon", "coupe"))
    page.matrix.view.set_current(wagon, coupe)
    page.matrix.view.chosen.emit(wagon, coupe)


def copy_demo(demo: Path, projects: Path) -> None:
    """Copy the demo's target project with its images, and re-link them."""
    shutil.copytree(demo / "target", projects / "images")
    shutil.copytree(demo / f"{CARS}.workbench", projects / f"{CARS}.workbench")
    session = Session(Project.open(projects / f"{CARS}.workbench"))
    source = session.store.images.sources()[0]
    with session.edit(Message("Re-link the source folder")):
        session.store.images.relink(source.id, str(projects / "images" / Path(source.path).name))
    session.store.history.forget()
    session.close()


def main(arguments: Sequence[str]) -> int:
    """Save the image in both themes."""
    parser = argparse.ArgumentParser(prog="python -m tests.gallery.readme")
    parser.add_argument("demo", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=TARGET)
    given = parser.parse_args(arguments)
    if not (given.demo / f"{CARS}.workbench").is_dir():
        print(f"{given.demo} contains no demo. Run packaging/bootstrap.py demo {given.demo} first.")
        return 1
    application = QApplication(["vantage-workbench"])
    application.setCursorFlashTime(0)
    watches = Watches(PaintWatch(application), Loading())
    place = Path(tempfile.gettempdir()) / "vantage-workbench"  # visible in the image
    shutil.rmtree(place, ignore_errors=True)
    projects = place / "projects"
    projects.mkdir(parents=True)
    copy_demo(given.demo, projects)
    for theme in THEMES:
        apply_theme(application, theme)
        stage = Stage(projects, place, given.out, theme, SCREEN, watches)
        window = stage.open(CARS)
        show_cell(window, run_called(window, "transfer"))
        stage.settle()
        save(stage.seen(), given.out / f"results-{theme}.png")
        stage.end()
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
