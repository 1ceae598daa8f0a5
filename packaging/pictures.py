"""Takes the README's pictures: the real window on the demo's project, every page, light and dark.

`python packaging/pictures.py DEMO_FOLDER` after `bootstrap.py demo`; works on copies.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from tests.fixtures.drawn_faces import photograph
from workbench.app.images.importing import import_task
from workbench.app.jobs import run_here
from workbench.app.mouths.cropping import detection_task
from workbench.app.results.run_images import RunImages, ShownImages
from workbench.app.session import Session
from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part
from workbench.storage.project import Project
from workbench.ui.look.theme import apply_theme
from workbench.ui.pages.explain.page import ExplainPage
from workbench.ui.pages.results.page import ResultsPage
from workbench.ui.window.window import MainWindow
from workbench.vision.sheets import save_png

TARGET = Path(__file__).resolve().parent.parent / "resources" / "pictures"
SIZE = (1280, 800)
LAYER = "body.layer2"  # its maps are finer than those of the last one
COLOURS, OWN = 256, 40  # of a palette picture, and how many of them are kept as they are


def wait(seconds: float) -> None:
    """Let the window work for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def wait_until(there: Callable[[], bool], seconds: float = 120) -> None:
    """Let the window work until something is there; raises TimeoutError when it never is."""
    for _ in range(round(seconds / 0.1)):
        if there():
            return
        wait(0.1)
    raise TimeoutError("The window did not come to rest.")


@contextmanager
def window_on(project: Path) -> Iterator[MainWindow]:
    """The real window on a project, closed at the end."""
    window = MainWindow(Session(Project.open(project)))
    window.resize(*SIZE)
    window.show()
    wait(1.5)
    try:
        yield window
    finally:
        window.close()
        window.deleteLater()
        wait(0.2)


def take(window: MainWindow, name: str, theme: str) -> None:
    """Save what the window shows as `NAME-THEME.png`."""
    grabbed = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    height, stride = grabbed.height(), grabbed.bytesPerLine()
    rows = np.frombuffer(grabbed.constBits(), np.uint8).reshape(height, stride)
    pixels = rows[:, : 3 * grabbed.width()].reshape(height, grabbed.width(), 3)
    TARGET.mkdir(parents=True, exist_ok=True)
    path = TARGET / f"{name}-{theme}.png"
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


def take_cars(project: Path, theme: str) -> None:
    """Images, Views, Train, Results and Explain of the demo's target."""
    with window_on(project) as window:
        ids = window.session.store.images.ids()
        window.go("images", image=int(ids[5]))
        wait(2)
        take(window, "images", theme)
        window.go("views", image=int(ids[37]))
        wait(2)
        take(window, "views", theme)
        transfer = run_called(window, "transfer")
        window.go("train", run=transfer.id)
        wait(4)  # the trial step starts by itself
        wait_until(lambda: not window.session.jobs.jobs())
        take(window, "train", theme)
        window.go("results", run=transfer.id)
        results = window.page("results")
        assert isinstance(results, ResultsPage)
        wagon, coupe = (transfer.labels.target.labels.index(name) for name in ("wagon", "coupe"))
        results.matrix.view.set_current(wagon, coupe)
        results.matrix.view.chosen.emit(wagon, coupe)
        wait(2)
        take(window, "results", theme)
        of_run = RunImages(window.session, transfer.id)
        rows = of_run.rows(Part.TEST, ShownImages.RIGHT)[::9][:12]
        images = [int(of_run.table.images[row]) for row in rows]
        window.go("explain", run=transfer.id, ids=images)
        explain = window.page("explain")
        assert isinstance(explain, ExplainPage)
        explain.toggle_wall()
        wait_until(lambda: explain.side.layer.count() > 0)
        arrived: list[int] = []
        explain.explanations.ready.connect(arrived.append)
        explain.side.choose_layer(LAYER)
        wait_until(lambda: bool(arrived))
        wait(5)  # the check against random weights
        take(window, "explain", theme)


def take_mouths(project: Path, theme: str) -> None:
    """Mouths on drawn faces: photographs of people are not shipped."""
    with window_on(project) as window:
        window.go("mouths")
        wait(3)
        take(window, "mouths", theme)


def make_faces(folder: Path) -> Path:
    """A project of drawn faces whose mouths were found."""
    photographs = folder / "faces"
    photographs.mkdir()
    for n in range(12):
        opening, smile = (n % 4) / 4, (n % 3) / 2
        picture = photograph(opening=opening, smile=smile, seed=n)
        save_png(photographs / f"face-{n:02}.png", picture)
    session = Session(Project.create(folder / "Faces"))
    run_here(import_task(session, [photographs]))
    run_here(detection_task(session, session.store.images.ids().tolist()))
    session.close()
    return session.store.folder


def copy_project(original: Path, copy: Path) -> None:
    """A fresh copy whose images are those that were copied beside it."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy)
    session = Session(Project.open(copy))
    source = session.store.images.sources()[0]
    with session.edit("Find the moved source"):
        session.store.images.relink(source.id, str(copy.parent / "target" / Path(source.path).name))
    session.store.history.forget()
    session.close()


def main(demo: Path) -> int:
    """Take every picture in both themes."""
    if not (demo / "target.workbench").is_dir():
        print(f"{demo} holds no demo: run packaging/bootstrap.py demo {demo} first.")
        return 1
    application = QApplication(sys.argv[:1])
    place = Path(tempfile.gettempdir()) / "vantage-workbench"  # seen in the pictures
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    faces, cars = make_faces(place), place / "target.workbench"
    shutil.copytree(demo / "target", place / "target")
    for theme in ("light", "dark"):
        apply_theme(application, theme)
        copy_project(demo / "target.workbench", cars)
        take_cars(cars, theme)
        take_mouths(faces, theme)
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/demo")))
