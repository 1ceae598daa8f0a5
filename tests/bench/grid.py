"""Images and Views pages with a million images: opening, scrolling, resizing, labelling.

Run `python tests/bench/grid.py [IMAGES]`. Bounds: project opens in ≤ 2 s, 95th percentile of a
scroll frame ≤ 16 ms, resize ≤ 50 ms, 99th percentile from label key to screen ≤ 16 ms, memory
≤ 600 MB. Compared with a QListView in icon mode with a tenth of the images.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QStringListModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QListView

from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.domain.images import FoundImage
from workbench.storage.project import Project
from workbench.ui.look.theme import apply_theme
from workbench.ui.window.window import MainWindow


def fill(folder: Path, count: int) -> None:
    """A project of `count` images without files, as only rows are measured."""
    project = Project.create(folder)
    with project.edit("fill"):
        source = project.images.add_source(str(folder / "photos"))
        for start in range(0, count, 50_000):
            project.images.add(
                source,
                [
                    FoundImage(f"{i % 400:03}/{i:07}.jpg", f"{i:032x}", 1600, 1200, 1, 1.0)
                    for i in range(start, min(count, start + 50_000))
                ],
            )
    project.close()


def frames(window: MainWindow, count: int = 300) -> list[float]:
    """Milliseconds per frame while the grid scrolls by 90 pixels, with thumbnails in memory."""
    application = QApplication.instance()
    page = window.page("images")
    thumbnail = np.full((192, 256, 3), 128, np.uint8)
    page.context.thumbnails.get = lambda image: thumbnail  # as if decoded: drawing is measured
    page.grid.redraw_image()
    bar, found = page.grid.verticalScrollBar(), []
    for step in range(count):
        began = time.perf_counter()
        bar.setValue(step * 90)
        application.processEvents()
        found.append(1000 * (time.perf_counter() - began))
    return found


def resizes(window: MainWindow) -> list[float]:
    """Milliseconds per change of the window's size."""
    found = []
    for step in range(30):
        began = time.perf_counter()
        window.resize(1100 + 20 * (step % 15), 760)
        QApplication.processEvents()
        found.append(1000 * (time.perf_counter() - began))
    return found


def keys(window: MainWindow, presses: int = 300) -> tuple[list[float], float]:
    """Milliseconds from a label key to a drawn frame, with the label on the disk; and milliseconds
    of processor time per key, which do not depend on other programs."""
    window.go("views")
    page = window.page("views")
    page.header.advance.setCurrentIndex(1)
    QApplication.processEvents()
    found = []
    busy = 0.0
    for step in range(presses):
        page.stage.end_flash()
        QApplication.processEvents()
        began, spent = time.perf_counter(), time.thread_time()
        QTest.keyClick(page.strip, (Qt.Key.Key_F, Qt.Key.Key_B, Qt.Key.Key_L)[step % 3])
        QApplication.processEvents()
        busy += time.thread_time() - spent
        found.append(1000 * (time.perf_counter() - began))
    return found, 1000 * busy / presses


def list_view(count: int) -> tuple[float, float]:
    """Seconds that Qt's icon view takes to open and to resize."""
    model = QStringListModel([f"{i:07}.jpg" for i in range(count)])
    view = QListView()
    view.setViewMode(QListView.ViewMode.IconMode)
    view.setResizeMode(QListView.ResizeMode.Adjust)
    began = time.perf_counter()
    view.setModel(model)
    view.resize(1200, 760)
    view.show()
    QApplication.processEvents()
    opened = time.perf_counter()
    view.resize(1100, 760)
    QApplication.processEvents()
    return opened - began, time.perf_counter() - opened


def main() -> None:
    """Print every result with its bound."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    application = QApplication([])
    apply_theme(application, "light")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bench.workbench"
        fill(folder, count)
        began = time.perf_counter()
        window = MainWindow(Session(Project.open(folder)), UserSettings(None))
        window.resize(1280, 800)
        window.show()
        application.processEvents()
        opened = time.perf_counter() - began
        scrolled, resized = frames(window), resizes(window)
        pressed, busy = keys(window)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        window.close()
    tenth = count // 10
    qt_open, qt_resize = list_view(tenth)
    print(f"{count:,} images")
    print(f"open                 {opened:.2f} s (bound 2.00)")
    print(f"scroll frame p95     {np.percentile(scrolled, 95):.1f} ms (bound 16)")
    print(f"resize, worst        {max(resized):.1f} ms (bound 50)")
    print(f"label key p99        {np.percentile(pressed, 99):.1f} ms (bound 16)")
    print(f"label key median     {np.median(pressed):.1f} ms; processor {busy:.1f} ms")
    print(f"memory, peak         {memory:.0f} MB (bound 600; the filling included)")
    print(f"QListView, {tenth:,}: opens in {qt_open:.2f} s, resizes in {qt_resize:.2f} s")


if __name__ == "__main__":
    main()
