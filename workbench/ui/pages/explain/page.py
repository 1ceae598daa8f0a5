"""The Explain page: images beside heatmaps of where the network looks, for any label."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.app.explain.explaining import save_explanation, save_wall
from workbench.app.explain.explanations import Explanations, HeatmapQuery
from workbench.app.jobs import Task
from workbench.app.results.run_images import RunImage, RunImages, usable_runs
from workbench.domain.changes import Changes
from workbench.domain.requests import WINDOWS, Description, Heat
from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark, tr
from workbench.ui.commands import Menu, command
from workbench.ui.page import Context, Page, PageTarget, column
from workbench.ui.pages.explain.content import ExplainContent
from workbench.ui.pages.explain.header import ANY, CHOSEN, SINGLE, WALL, ExplainHeader
from workbench.ui.pages.explain.views import layer_text

MOST = 60  # images of a saved wall: more would be too many to view


class ExplainSaver(QObject):
    """Saves the pair or the wall as PNG; a wall once all of its heatmaps have arrived."""

    def __init__(self, context: Context, explanations: Explanations) -> None:
        super().__init__()
        self._context, self._explanations = context, explanations
        self._rows: list[int] = []
        self._path = Path()
        self._title = ""
        self._opacity = 1.0
        explanations.ready.connect(lambda _: self._write_when_complete())
        explanations.unread.connect(lambda _row, _why: self._write_when_complete())
        explanations.failed.connect(lambda _: self._rows.clear())

    def choose_path(self, parent: QWidget, name: str) -> Path | None:
        """Ask for the PNG file to write, None if cancelled."""
        chosen, _ = QFileDialog.getSaveFileName(
            parent, tr("Save as PNG"), name, tr("PNG images (*.png)")
        )
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")

    def save_image_as(self, parent: QWidget, image: RunImage, layer: str, opacity: float) -> None:
        """Ask for a file and save the original and the overlay of one image."""
        heat = self._explanations.heat(image.row)
        if heat is None:
            return
        path = self.choose_path(parent, f"{Path(image.name).stem} {heat.label}.png")
        if path is not None:
            self._start(path, lambda: save_explanation(path, image, heat, layer, opacity, tr))

    def save_wall_as(
        self, parent: QWidget, rows: Sequence[int], layer: str, opacity: float
    ) -> None:
        """Ask for a file and save the overlays of these rows."""
        images = self._explanations.images
        if images is None or not rows:
            return
        name = images.record.name
        stem = tr("{run} heatmaps").format(run=name.replace(":", ""))
        path = self.choose_path(parent, f"{stem}.png")
        if path is not None:
            self.save_wall(path, rows, f"{name}  ·  {layer}", opacity)

    def save_wall(self, path: Path, rows: Sequence[int], title: str, opacity: float) -> None:
        """Save the overlays of the first `MOST` of these rows once their heatmaps have arrived."""
        self._rows, self._path = list(rows[:MOST]), path
        self._title, self._opacity = title, opacity
        self._explanations.request(self._rows)
        self._write_when_complete()

    def _write_when_complete(self) -> None:
        found = self._explanations
        rows, images = self._rows, found.images
        ready = [r for r in rows if found.heat(r) is not None]
        if (
            not rows
            or images is None
            or any(found.heat(row) is None and not found.unread_reason(row) for row in rows)
        ):
            return
        self._rows = []
        explained: list[tuple[RunImage, Heat]] = []
        for image in images.images(ready):
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
        text = tr("Saved {path}.").format(path=path)
        self._context.session.start(
            Task(title, work, kind="save"), done=lambda _: self._context.notify(text, "info")
        )


_AHEAD, _BEHIND = 3, 1  # next and previous images whose heatmaps are computed ahead


class ExplainPage(Page):
    """Shows one image beside its heatmap above a filmstrip, or a wall of heatmaps.

    The side panel has label, layer and opacity.
    """

    name = "explain"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.explanations = Explanations(context.session, context.service)
        self.saver = ExplainSaver(context, self.explanations)
        self.header = ExplainHeader(self.title)
        self.content = ExplainContent(context, self.explanations)
        self.side, self.stage = self.content.side, self.content.stage
        self.strip, self.wall = self.content.strip, self.content.wall
        self.images: RunImages | None = None
        self._chosen: tuple[int, ...] = ()
        self._offered: list[RunRecord] = []
        self._state: dict[str, Any] = {}
        column(self.header, (self.content, 1), on=self)
        self.setFocusProxy(self.strip)
        self._connect()

    def _connect(self) -> None:
        self.header.run_changed.connect(self.show_run)
        self.header.images_changed.connect(lambda: self._show_rows(keep=False))
        self.header.mode_changed.connect(lambda _: self._show_mode())
        self.header.save_requested.connect(self.save)
        self.strip.current_changed.connect(lambda _: self._show_current())
        self.wall.activated.connect(self._open_from_wall)
        self.side.query_changed.connect(self._set_query)
        self.side.bars.stepped.connect(self.step)
        self.explanations.described.connect(self._described)
        self.explanations.ready.connect(self._update_heatmap)
        self.explanations.checked.connect(self._update_heatmap)
        self.explanations.failed.connect(self._show_error)
        self.explanations.unread.connect(lambda row, _: self._update_heatmap(row))

    # Runs

    def load(self) -> None:
        self._reload_runs()

    def show_changes(self, changes: Changes) -> None:
        if changes.removed or self.run_id in changes.runs or self._runs_differ(changes):
            self._reload_runs()
        elif changes.cropped:
            self.content.forget()

    def _runs_differ(self, changes: Changes) -> bool:
        """Whether runs with a network changed: an epoch of a training needs no reload."""
        return bool(changes.runs) and usable_runs(self.context.session) != self._offered

    def show_target(self, **what: Unpack[PageTarget]) -> None:
        """Show the run `run` (default: the current one, else the newest), with the images `ids`."""
        ids = what.get("ids")
        if ids is not None or "run" in what:
            self._chosen = tuple(int(image) for image in ids or ())
            self.header.set_mode(WALL if len(self._chosen) > 1 else SINGLE)
            self._reload_runs(str(what.get("run", "")) or self.run_id)
        (self.wall if self._wall_shown else self.strip).setFocus()

    @property
    def run_id(self) -> str:
        """Id of the run shown, "" for none."""
        return self.images.record.id if self.images is not None else ""

    @property
    def _wall_shown(self) -> bool:
        return self.header.mode == WALL

    def _reload_runs(self, preferred: str = "") -> None:
        """List all runs with a network; show `preferred`, the current one, or the newest."""
        runs = usable_runs(self.context.session)
        self._offered = runs
        self.content.setCurrentIndex(0 if runs else 1)
        self.header.show_controls(bool(runs))
        if not runs:
            self.images = None
            return
        known = {record.id for record in runs}
        choices = (preferred, self.run_id, str(self._state.get("run", "")))
        run = next((choice for choice in choices if choice in known), runs[0].id)
        self.header.show_runs(runs, run)
        self.show_run(run)

    def show_run(self, run_id: str) -> None:
        """Show a run, or reload it with the predictions added since."""
        other = run_id != self.run_id
        row = self.strip.current()
        subject = self.images.subject(row) if self.images is not None and row is not None else None
        self.images = RunImages(self.context.session, run_id)
        if other:
            self.side.show_run(self.images.record.labels)
        self.explanations.open(self.images)
        self.explanations.set_query(self.side.query)
        self.content.open(self.images)
        self.header.show_parts(self.images.parts(), len(self._chosen))
        self._restore_filters()
        self._show_rows(keep=False)
        if subject is not None:  # the same image for another run
            again = self.images.row_at(*subject)
            if again is not None and again in self.strip.ids():
                self.strip.set_current(again)

    def _described(self, description: Description) -> None:
        self.side.show_layers(description)
        self._show_current()

    # Images

    def _rows(self) -> NDArray[np.int64]:
        if self.images is None:
            return np.zeros(0, np.int64)
        part = self.header.selected_part
        if part == CHOSEN:
            return self.images.rows_of(self._chosen)
        return self.images.rows(None if part == ANY else Part(part), self.header.shown)

    def _show_rows(self, keep: bool = True) -> None:
        self.header.enable_outcomes(self.header.selected_part != CHOSEN)
        self.content.show_rows(self._rows(), keep)
        self._show_mode()

    def _show_mode(self) -> None:
        self.content.show_mode(self._wall_shown)
        self.header.save.setEnabled(len(self.strip.ids()) > 0)
        self._show_current()

    def _open_from_wall(self, row: int) -> None:
        self.header.set_mode(SINGLE)
        self.strip.set_current(row)
        self._show_mode()
        self.strip.setFocus()

    def step(self, step: int) -> None:
        """Go to the next (1) or previous (−1) image."""
        (self.wall if self._wall_shown else self.strip).move_to("right" if step > 0 else "left")

    def _show_current(self) -> None:
        row = self.strip.current()
        if self.images is None or row is None or self._wall_shown or not self.isVisible():
            return
        rows = self.strip.ids()
        at = int(np.flatnonzero(rows == row)[0])
        near = rows[max(0, at - _BEHIND) : at + _AHEAD + 1].tolist()
        order = [row, *near[near.index(row) + 1 :], *near[: near.index(row)]]
        self.stage.show_rows(order)
        self.content.show_map(row)
        self.explanations.request(order, check=row)

    # Heatmaps

    def _set_query(self, query: HeatmapQuery) -> None:
        self.explanations.set_query(query)
        if self._wall_shown:
            self.content.redraw_wall()
        else:
            self.wall.redraw_image()
            self._show_current()

    def _update_heatmap(self, row: int) -> None:
        if row == self.strip.current() and not self._wall_shown:
            self.content.show_map(row)

    def _show_error(self, message: Message) -> None:
        text = tr(message)
        self.content.show_reason(text)
        self.context.notify(text, "bad")

    # Commands, in the order of the menus

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
        """Save the pair as PNG, or the wall: its selected images if there are several."""
        layer = layer_text(self.explanations.layer_title)
        if self._wall_shown:
            several = self.wall.selected_count() > 1
            rows = self.wall.selected() if several else self.wall.ids()
            self.saver.save_wall_as(self, rows.tolist(), layer, self.content.wall_tiles.opacity)
            return
        row = self.strip.current()
        image = self.content.tiles.image(row) if row is not None else None
        if image is not None:
            self.saver.save_image_as(self, image, layer, self.stage.overlay.opacity)

    @command(
        mark("Toggle heatmap wall"),
        id="wall",
        key="W",
        menu=Menu.VIEW,
        when=has_image,
    )
    def toggle_wall(self) -> None:
        """Switch from one image to the wall, and back to the current image of the wall."""
        if self._wall_shown:
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
        mark("Fit image"),
        key="Ctrl+0",
        menu=Menu.VIEW,
        when=has_image,
    )
    def fit(self) -> None:
        """Show the whole image."""
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

    @command(mark("Explain by sliding windows"), menu=Menu.VIEW, when=has_image)
    def windows(self) -> None:
        """Explain by sliding windows."""
        self.side.select_layer(WINDOWS)

    @command(
        mark("Increase heatmap opacity"),
        key="+",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def more_map(self) -> None:
        """Increase the opacity of the heatmap."""
        self.side.step_opacity(1)

    @command(
        mark("Decrease heatmap opacity"),
        key="-",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def less_map(self) -> None:
        """Decrease the opacity of the heatmap."""
        self.side.step_opacity(-1)

    @command(
        mark("Explain predicted label"),
        key="0",
        menu=Menu.VIEW,
        when=has_image,
    )
    def predicted(self) -> None:
        """Explain the predicted label."""
        self.side.select_label_by_key(0)

    # Events and state

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, plain = event.key(), not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key == Qt.Key.Key_Alt:
            self.content.set_heat_hidden(True)
        elif plain and event.text().isdigit():
            self.side.select_label_by_key(int(event.text()))
        elif plain and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.step(1 if key == Qt.Key.Key_Right else -1)
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Alt:
            self.content.set_heat_hidden(False)
        else:
            event.ignore()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() is QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.content.set_heat_hidden(False)  # Alt may be released in another window
        super().changeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.images is not None:
            self._show_mode()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.content.deactivate()
        self.explanations.cancel_pending()

    def save_state(self) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "part": self.header.selected_part,
            "shown": self.header.shown.value,
            "mode": self.header.mode,
            "row": self.strip.current(),
            "opacity": self.side.opacity.value(),
            "splitter": self.content.splitter.sizes(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        self._state = dict(state)
        if isinstance(state.get("opacity"), int):
            self.side.opacity.setValue(state["opacity"])
        if state.get("mode") in (SINGLE, WALL):
            self.header.set_mode(state["mode"])
        sizes = state.get("splitter")
        if isinstance(sizes, list) and len(sizes) == 2:
            self.content.splitter.setSizes([int(size) for size in sizes])

    def _restore_filters(self) -> None:
        """Select the part and outcome of the last session, once and only for its run."""
        if self._state.get("run") == self.run_id and not self._chosen:
            self.header.restore(self._state.get("part"), self._state.get("shown"))
        self._state = {}

    def closing(self) -> None:
        self.explanations.close()
        self.content.close_readers()
