"""The Explain page: where a network looks, for any of its labels, beside the photograph."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.app.explain.explaining import save_explanation, save_wall
from workbench.app.explain.explanations import Explanations, Question
from workbench.app.jobs import Task
from workbench.app.results.run_images import RunImage, RunImages, usable_runs
from workbench.domain.changes import Changes
from workbench.domain.requests import WINDOWS, Description, Heat
from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark, tr
from workbench.ui.commands import Menu, command
from workbench.ui.page import Context, Page, column
from workbench.ui.pages.explain.board import ExplainLayout
from workbench.ui.pages.explain.header import ANY, CHOSEN, SINGLE, WALL, ExplainHeader

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
            parent, tr("Save as PNG"), name, tr("PNG pictures (*.png)")
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

        title = Message("Save {file}", file=path.name)
        said = tr("{file} is saved in {folder}.").format(file=path.name, folder=path.parent)
        self._context.session.start(
            Task(title, work, kind="save"), done=lambda _: self._context.notify(said, "info")
        )


_AHEAD, _BEHIND = 3, 1  # images whose maps are made before they are looked at


class ExplainPage(Page):
    """One image beside its map over a filmstrip, or a wall of maps; label, layer and opacity at
    the side."""

    name = "explain"
    title = "Explain"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.explanations = Explanations(context.session, context.service)
        self.saver = ExplainSaver(context, self.explanations)
        self.header = ExplainHeader(tr("Explain"))
        self.board = ExplainLayout(context, self.explanations)
        self.side, self.stage = self.board.side, self.board.stage
        self.strip, self.wall = self.board.strip, self.board.wall
        self.images: RunImages | None = None
        self._chosen: tuple[int, ...] = ()
        self._offered: list[RunRecord] = []
        self._state: dict[str, Any] = {}
        column(self.header, (self.board, 1), on=self)
        self.setFocusProxy(self.strip)
        self._connect()

    def _connect(self) -> None:
        self.header.run_changed.connect(self.look_at)
        self.header.images_changed.connect(lambda: self._show_rows(keep=False))
        self.header.mode_changed.connect(lambda _: self._show_mode())
        self.header.save_wanted.connect(self.save)
        self.strip.current_changed.connect(lambda _: self._show_current())
        self.wall.activated.connect(self._open_from_wall)
        self.side.asked.connect(self._ask)
        self.side.bars.stepped.connect(self.step)
        self.explanations.described.connect(self._described)
        self.explanations.ready.connect(self._arrived)
        self.explanations.checked.connect(self._arrived)
        self.explanations.failed.connect(self._failed)
        self.explanations.unread.connect(lambda row, _: self._arrived(row))

    # runs

    def load(self) -> None:
        self._take_up()

    def show_changes(self, changes: Changes) -> None:
        if changes.removed or self.run_id in changes.runs or self._runs_differ(changes):
            self._take_up()
        elif changes.cropped:
            self.board.forget()

    def _runs_differ(self, changes: Changes) -> bool:
        """An epoch of a training is no reason to look anew; a run that ended is."""
        return bool(changes.runs) and usable_runs(self.context.session) != self._offered

    def show_target(self, **what: Any) -> None:
        """`run` asks that run (else the newest), `ids` about these images."""
        ids = what.get("ids")
        if ids is not None or "run" in what:
            self._chosen = tuple(int(image) for image in ids or ())
            self.header.set_mode(WALL if len(self._chosen) > 1 else SINGLE)
            self._take_up(str(what.get("run", "")) or self.run_id)
        (self.wall if self._walled else self.strip).setFocus()

    @property
    def run_id(self) -> str:
        """The run that is asked, "" for none."""
        return self.images.record.id if self.images is not None else ""

    @property
    def _walled(self) -> bool:
        return self.header.mode == WALL

    def _take_up(self, wanted: str = "") -> None:
        """Offer the runs there are; `wanted`, the one looked at, or the newest is asked."""
        runs = usable_runs(self.context.session)
        self._offered = runs
        self.board.setCurrentIndex(0 if runs else 1)
        self.header.enable(bool(runs))
        if not runs:
            self.images = None
            return
        known = {record.id for record in runs}
        choices = (wanted, self.run_id, str(self._state.get("run", "")))
        run = next((choice for choice in choices if choice in known), runs[0].id)
        self.header.show_runs(runs, run)
        self.look_at(run)

    def look_at(self, run_id: str) -> None:
        """Ask another run, or the same anew with what it has predicted since."""
        other = run_id != self.run_id
        row = self.strip.current()
        place = self.images.place(row) if self.images is not None and row is not None else None
        self.images = RunImages(self.context.session, run_id)
        if other:
            self.side.show_run(self.images.record.labels)
        self.explanations.open(self.images)
        self.explanations.ask_about(self.side.question)
        self.board.open(self.images)
        self.header.show_parts(self.images.parts(), len(self._chosen))
        self._recall()
        self._show_rows(keep=False)
        if place is not None:  # the same image, also as another run sees it
            again = self.images.row_at(*place)
            if again is not None and again in self.strip.ids():
                self.strip.set_current(again)

    def _described(self, description: Description) -> None:
        self.side.show_layers(description)
        self._show_current()

    # images

    def _rows(self) -> NDArray[np.int64]:
        if self.images is None:
            return np.zeros(0, np.int64)
        part = self.header.part_chosen
        if part == CHOSEN:
            return self.images.rows_of(self._chosen)
        return self.images.rows(None if part == ANY else Part(part), self.header.shown)

    def _show_rows(self, keep: bool = True) -> None:
        self.header.choices_hold(self.header.part_chosen != CHOSEN)
        self.board.show_rows(self._rows(), keep)
        self._show_mode()

    def _show_mode(self) -> None:
        self.board.show_mode(self._walled)
        self.header.save.setEnabled(len(self.strip.ids()) > 0)
        self._show_current()

    def _open_from_wall(self, row: int) -> None:
        self.header.set_mode(SINGLE)
        self.strip.set_current(row)
        self._show_mode()
        self.strip.setFocus()

    def step(self, step: int) -> None:
        """The next (1) or previous (−1) image."""
        (self.wall if self._walled else self.strip).move_to("right" if step > 0 else "left")

    def _show_current(self) -> None:
        row = self.strip.current()
        if self.images is None or row is None or self._walled or not self.isVisible():
            return
        rows = self.strip.ids()
        at = int(np.flatnonzero(rows == row)[0])
        near = rows[max(0, at - _BEHIND) : at + _AHEAD + 1].tolist()
        order = [row, *near[near.index(row) + 1 :], *near[: near.index(row)]]
        self.stage.show_rows(order)
        self.board.show_map(row)
        self.explanations.want(order, check=row)

    # maps

    def _ask(self, question: Question) -> None:
        self.explanations.ask_about(question)
        if self._walled:
            self.board.draw_wall_again()
        else:
            self.wall.forget_picture()
            self._show_current()

    def _arrived(self, row: int) -> None:
        if row == self.strip.current() and not self._walled:
            self.board.show_map(row)

    def _failed(self, sentence: str, remedy: str) -> None:
        said = f"{sentence} {remedy}".strip()
        self.board.show_reason(said)
        self.context.notify(said, "bad")

    # commands, in the order of the menus

    def has_image(self) -> bool:
        """Whether an image is shown."""
        return self.strip.current() is not None

    @command(
        mark("Save as PNG…"),
        id="save_explanation",
        key="Ctrl+S",
        menu=Menu.FILE,
        when=has_image,
    )
    def save(self) -> None:
        """Save the pair, or the wall (its selection, where several are selected), as PNG."""
        layer = self.explanations.layer_words
        if self._walled:
            several = self.wall.selected_count() > 1
            rows = self.wall.selected() if several else self.wall.ids()
            self.saver.ask_wall(self, rows.tolist(), layer, self.board.wall_tiles.opacity)
            return
        row = self.strip.current()
        image = self.board.tiles.image(row) if row is not None else None
        if image is not None:
            self.saver.ask_one(self, image, layer, self.stage.overlay.opacity)

    @command(
        mark("One image or wall"),
        id="wall",
        key="W",
        menu=Menu.VIEW,
        when=has_image,
    )
    def toggle_wall(self) -> None:
        """From one image to all of them, and back to the one that is chosen there."""
        if self._walled:
            row = self.wall.current()
            self._open_from_wall(-1 if row is None else row)
            return
        self.header.set_mode(WALL)
        self.wall.set_current(self.strip.current())
        self._show_mode()
        self.wall.setFocus()

    @command(
        mark("Next image"),
        id="next",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def show_next(self) -> None:
        """Show the next image."""
        self.step(1)

    @command(
        mark("Previous image"),
        id="back",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def show_previous(self) -> None:
        """Show the previous image."""
        self.step(-1)

    @command(
        mark("Fit the photograph"),
        key="Ctrl+0",
        menu=Menu.VIEW,
        when=has_image,
    )
    def fit(self) -> None:
        """Show the whole photograph."""
        self.stage.fit()

    @command(
        mark("Deeper layer"),
        key="[",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def deeper(self) -> None:
        """Explain a deeper layer."""
        self.side.step_layer(-1)

    @command(
        mark("Shallower layer"),
        key="]",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def shallower(self) -> None:
        """Explain a shallower layer."""
        self.side.step_layer(1)

    @command(mark("Sliding windows"), menu=Menu.VIEW, when=has_image)
    def windows(self) -> None:
        """Explain by sliding windows."""
        self.side.choose_layer(WINDOWS)

    @command(
        mark("More of the map"),
        key="+",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def more_map(self) -> None:
        """Draw the map stronger."""
        self.side.step_opacity(1)

    @command(
        mark("Less of the map"),
        key="-",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def less_map(self) -> None:
        """Draw the map weaker."""
        self.side.step_opacity(-1)

    @command(
        mark("Explain the predicted label"),
        key="0",
        menu=Menu.VIEW,
        when=has_image,
    )
    def predicted(self) -> None:
        """Explain the label that was predicted."""
        self.side.choose_key(0)

    # keys and life

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, plain = event.key(), not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key == Qt.Key.Key_Alt:
            self.board.set_bare(True)
        elif plain and event.text().isdigit():
            self.side.choose_key(int(event.text()))
        elif plain and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.step(1 if key == Qt.Key.Key_Right else -1)
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Alt:
            self.board.set_bare(False)
        else:
            event.ignore()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() is QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.board.set_bare(False)  # Alt was let go somewhere else
        super().changeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.images is not None:
            self._show_mode()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.board.rest()
        self.explanations.withdraw()

    def save_state(self) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "part": self.header.part_chosen,
            "shown": self.header.shown.value,
            "mode": self.header.mode,
            "row": self.strip.current(),
            "opacity": self.side.opacity.value(),
            "splitter": self.board.splitter.sizes(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        self._state = dict(state)
        if isinstance(state.get("opacity"), int):
            self.side.opacity.setValue(state["opacity"])
        if state.get("mode") in (SINGLE, WALL):
            self.header.set_mode(state["mode"])
        sizes = state.get("splitter")
        if isinstance(sizes, list) and len(sizes) == 2:
            self.board.splitter.setSizes([int(size) for size in sizes])

    def _recall(self) -> None:
        """Once, for the run of the former session: the part and outcome that were chosen."""
        if self._state.get("run") == self.run_id and not self._chosen:
            self.header.recall(self._state.get("part"), self._state.get("shown"))
        self._state = {}

    def closing(self) -> None:
        self.explanations.close()
        self.board.close_readers()
