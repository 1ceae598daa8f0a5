"""Takes the README's pictures: the window on the demo's project, every page, light and dark.

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
from tests.gallery.pictures import THEMES, Screen
from tests.gallery.projects import FACES, Given, make
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage, Watches
from tests.gallery.waiting import PaintWatch
from workbench.app.results.run_images import RunImages, ShownImages
from workbench.app.session import Session
from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part
from workbench.domain.text import Message
from workbench.storage.project import Project
from workbench.ui.look.theme import apply_theme
from workbench.ui.pages.explain.page import ExplainPage
from workbench.ui.pages.mouths.page import MouthsPage
from workbench.ui.pages.results.page import ResultsPage
from workbench.ui.window.window import MainWindow

TARGET = Path(__file__).resolve().parents[2] / "resources" / "pictures"
SCREEN = Screen(1280, 800)
CARS = "target"
LAYER = "body.layer2"  # its maps are finer than those of the last one
COLOURS, OWN = 256, 40  # of a palette picture, and how many of them are kept as they are


def save(seen: QPixmap, path: Path) -> None:
    """Save a picture in few colours."""
    grabbed = seen.toImage().convertToFormat(QImage.Format.Format_RGB888)
    height, stride = grabbed.height(), grabbed.bytesPerLine()
    rows = np.frombuffer(grabbed.constBits(), np.uint8).reshape(height, stride)
    pixels = rows[:, : 3 * grabbed.width()].reshape(height, grabbed.width(), 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    reduced(pixels).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB", flush=True)


def reduced(pixels: NDArray[np.uint8]) -> Image.Image:
    """The picture in few colours: some for the window's own flat areas, so that none of them
    shifts, the rest for the photographs."""
    picture = Image.fromarray(pixels)
    flat = sorted(picture.getcolors(1 << 24) or [], key=lambda pair: -int(pair[0]))
    own = np.array([colour for _, colour in flat[:OWN]], np.uint8)
    rest = picture.quantize(COLOURS - OWN).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*own.ravel().tolist(), *rest[: 3 * (COLOURS - OWN)]])
    return picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def run_called(window: MainWindow, start: str) -> RunRecord:
    """The newest run whose name begins so."""
    return next(run for run in window.session.store.runs.all() if run.name.startswith(start))


def take_all(stage: Stage, theme: str, out: Path) -> None:
    """Every page once."""

    def take(name: str) -> None:
        stage.settle()
        save(stage.seen(), out / f"{name}-{theme}.png")

    window = stage.open(CARS)
    ids = window.session.store.images.ids()
    window.go("images", image=int(ids[5]))
    take("images")
    window.go("views", image=int(ids[min(37, len(ids) - 1)]))
    take("views")
    transfer = run_called(window, "transfer")
    window.go("train", run=transfer.id)
    take("train")  # with the trial step that starts by itself
    _show_cell(window, transfer)
    take("results")
    _show_wall(stage, window, transfer)
    take("explain")
    stage.end()
    go(stage.open(FACES), MouthsPage)
    take("mouths")
    stage.end()


def _show_cell(window: MainWindow, run: RunRecord) -> None:
    window.go("results", run=run.id)
    page = window.current_page()
    assert isinstance(page, ResultsPage)
    wagon, coupe = (run.labels.target.labels.index(name) for name in ("wagon", "coupe"))
    page.matrix.view.set_current(wagon, coupe)
    page.matrix.view.chosen.emit(wagon, coupe)


def _show_wall(stage: Stage, window: MainWindow, run: RunRecord) -> None:
    """One of twelve test images that were predicted right, with its map and the check of it."""
    of_run = RunImages(window.session, run.id)
    rows = of_run.rows(Part.TEST, ShownImages.RIGHT)[::9][:12]
    window.go("explain", run=run.id, ids=[int(of_run.table.images[row]) for row in rows])
    page = window.current_page()
    assert isinstance(page, ExplainPage)
    page.toggle_wall()
    stage.settle(lambda: page.side.layer.count() > 0)
    page.side.choose_layer(LAYER)

    def checked() -> bool:
        row = page.strip.current()
        heat = None if row is None else page.explanations.heat(row)
        return heat is not None and heat.check is not None

    stage.settle(checked)


def copy_demo(demo: Path, projects: Path) -> None:
    """Copy the demo's target, and its images beside it."""
    shutil.copytree(demo / "target", projects / "photographs")
    shutil.copytree(demo / f"{CARS}.workbench", projects / f"{CARS}.workbench")
    session = Session(Project.open(projects / f"{CARS}.workbench"))
    source = session.store.images.sources()[0]
    with session.edit(Message("Find the moved source")):
        session.store.images.relink(
            source.id, str(projects / "photographs" / Path(source.path).name)
        )
    session.store.history.forget()
    session.close()


def main(arguments: Sequence[str]) -> int:
    """Take every picture in both themes."""
    parser = argparse.ArgumentParser(prog="python -m tests.gallery.readme")
    parser.add_argument("demo", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=TARGET)
    given = parser.parse_args(arguments)
    if not (given.demo / f"{CARS}.workbench").is_dir():
        print(f"{given.demo} holds no demo: run packaging/bootstrap.py demo {given.demo} first.")
        return 1
    application = QApplication(["vantage-workbench"])
    application.setCursorFlashTime(0)
    watches = Watches(PaintWatch(application), Loading())
    place = Path(tempfile.gettempdir()) / "vantage-workbench"  # seen in the pictures
    shutil.rmtree(place, ignore_errors=True)
    projects = place / "projects"
    make(Given(projects), [FACES])
    copy_demo(given.demo, projects)
    for theme in THEMES:
        apply_theme(application, theme)
        take_all(Stage(projects, place, given.out, theme, SCREEN, watches), theme, given.out)
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
