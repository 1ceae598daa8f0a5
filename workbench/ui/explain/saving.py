"""Explanations kept as PNG files: where to is asked, maps are waited for, the writing is a job."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.app.explain.explaining import save_explanation, save_wall
from workbench.app.explain.explanations import Explanations
from workbench.app.jobs import Done, Outcome, Task, Work
from workbench.app.results.run_images import RunImage
from workbench.domain.requests import Heat
from workbench.ui.page import Context

MOST = 60  # images of a saved wall: more cannot be looked at


class ExplainSaver(QObject):
    """Writes what the page shows. A wall is written when the last of its maps is there."""

    def __init__(self, context: Context, explanations: Explanations) -> None:
        super().__init__()
        self._context, self._explanations = context, explanations
        self._rows: list[int] = []
        self._path = Path()
        self._title = ""
        self._opacity = 1.0
        explanations.ready.connect(lambda _: self._go_on())
        explanations.unread.connect(lambda _row, _why: self._go_on())
        explanations.failed.connect(lambda _said, _remedy: self._rows.clear())

    def ask_path(self, parent: QWidget, name: str) -> Path | None:
        """The PNG file to write, asked of the person."""
        chosen, _ = QFileDialog.getSaveFileName(
            parent, self.tr("Save as PNG"), name, self.tr("PNG pictures (*.png)")
        )
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")

    def ask_one(self, parent: QWidget, image: RunImage, layer: str, opacity: float) -> None:
        """Ask where to, and write original and overlay of one image."""
        heat = self._explanations.heat(image.row)
        if heat is None:
            return
        path = self.ask_path(parent, f"{Path(image.name).stem} {heat.label}.png")
        if path is not None:
            self._start(path, lambda: save_explanation(path, image, heat, layer, opacity))

    def ask_wall(self, parent: QWidget, rows: Sequence[int], layer: str, opacity: float) -> None:
        """Ask where to, and write the overlays of these rows."""
        images = self._explanations.images
        if images is None or not rows:
            return
        name = images.record.name
        path = self.ask_path(parent, f"{name.replace(':', '')} wall.png")
        if path is not None:
            self.save_wall(path, rows, f"{name}  ·  {layer}", opacity)

    def save_wall(self, path: Path, rows: Sequence[int], title: str, opacity: float) -> None:
        """Write the overlays of these rows, the first sixty of them."""
        self._rows, self._path = list(rows[:MOST]), path
        self._title, self._opacity = title, opacity
        self._explanations.want(self._rows)
        self._go_on()

    def _go_on(self) -> None:
        found = self._explanations
        rows, images = self._rows, found.images
        there = [r for r in rows if found.heat(r) is not None]
        if (
            not rows
            or images is None
            or any(found.heat(row) is None and not found.why_unread(row) for row in rows)
        ):
            return
        self._rows = []
        explained: list[tuple[RunImage, Heat]] = []
        for image in images.images(there):
            heat = found.heat(image.row)
            if heat is not None:
                explained.append((image, heat))
        path, title, opacity = self._path, self._title, self._opacity
        self._start(path, lambda: save_wall(path, explained, title, opacity))

    def _start(self, path: Path, write: Callable[[], None]) -> None:

        def work() -> Generator[None, None, None]:
            yield None
            write()

        self._context.op.jobs.start(self._task(path, work))

    def _task(self, path: Path, work: Work) -> Task:
        said = self.tr("{file} is saved in {folder}.").format(file=path.name, folder=path.parent)

        def told(outcome: Outcome) -> None:  # a failure is told by the window, as of every job
            if isinstance(outcome, Done):
                self._context.notify(said, "info")

        title = self.tr("Save {file}").format(file=path.name)
        return Task(title, work, finish=told, kind="save")
