"""The Mouths page: find mouths, review their boxes, and label expressions with keys."""

from __future__ import annotations

from typing import Any, Unpack

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent

from workbench.app.mouths.mouth_queues import MouthQueues, first_to_do
from workbench.domain.changes import Changes
from workbench.domain.crops import Queue
from workbench.domain.text import mark, tr
from workbench.ui.commands import Menu, command
from workbench.ui.dialogs.label_sets import LabelSetsDialog
from workbench.ui.page import Context, Page, PageTarget, column, split
from workbench.ui.pages.mouths.header import MouthFinding, MouthHeader
from workbench.ui.pages.mouths.model import MouthModel
from workbench.ui.pages.mouths.queue import MouthQueue, MouthTiles, empty_text, queue_entries
from workbench.ui.pages.mouths.side import MouthAction, MouthSide
from workbench.ui.pages.mouths.stage import MouthStage
from workbench.ui.parts.history_list import HistoryList

_KEY = Qt.KeyboardModifier
_CHORD = _KEY.ControlModifier | _KEY.AltModifier | _KEY.MetaModifier
SCALE = 1.06  # of a box's side per key press
FLASH = 130  # milliseconds for which an assigned label is shown before the next image


class MouthsPage(Page):
    """Queues at the left, the image in the middle, expressions and actions at the right."""

    name = "mouths"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.queues = MouthQueues(context.session)
        self.model = MouthModel(context, self.queues, self._selected)
        self._shown_queue: tuple[Queue, int] = (Queue.ALL, -1)
        self._tiles = MouthTiles(context, self.queues)
        self.header = MouthHeader(self.title)
        self.queue = MouthQueue(self._tiles)
        self.stage = MouthStage()
        self.history = HistoryList(context.session)
        self.side = MouthSide(self._side_buttons(), self.history)
        self.finding = MouthFinding(context, self.queues, self._selected, self)
        self._advance = QTimer(self, singleShot=True, interval=FLASH)
        self._advance.timeout.connect(self._show_next_mouth)
        self._lay_out()
        self._connect()
        self.history.refresh()
        self._show_label_set()
        self.set_queue(Queue.REVIEW if len(self.queues.ids(Queue.REVIEW)) else Queue.ALL)

    def _side_buttons(self) -> dict[str, MouthAction]:
        return {
            "accept": MouthAction(
                tr("Accept"), "check", "mouths.accept", self.accept, tr("This box is correct")
            ),
            "reject": MouthAction(
                tr("Reject"), "x", "mouths.reject", self.reject, tr("This box is not a mouth")
            ),
            "only": MouthAction(
                tr("Only this"),
                "user-square",
                "mouths.only",
                self.keep_only,
                tr("Keep this face and reject the others of the image"),
            ),
            "draw": MouthAction(
                tr("Draw"),
                "selection-plus",
                "mouths.draw",
                self.toggle_drawing,
                tr("Draw a mouth box by hand"),
                checkable=True,
            ),
        }

    def _lay_out(self) -> None:
        self.splitter = split(
            self.queue, self.stage, self.side, sizes=(216, 720, 280), stretch=(0, 1, 0)
        )
        column(self.header, (self.splitter, 1), on=self, margins=(0, 0, 0, 8))
        self.setFocusProxy(self.queue.grid)

    def _connect(self) -> None:
        self.queue.queue_chosen.connect(self.set_queue)
        self.queue.grid.current_changed.connect(self._open_image)
        self.queue.grid.selection_changed.connect(self._show_side)
        self.queue.grid.activated.connect(lambda _: self.accept())
        self.model.changed.connect(self._show_faces)
        self.model.decided.connect(self._advance.start)
        self.stage.chosen.connect(self.model.choose)
        self.stage.adjusted.connect(self.model.adjust)
        self.stage.drawn.connect(self.model.draw)
        self.stage.drawing_changed.connect(self.side.buttons["draw"].setChecked)
        self.stage.empty.button.clicked.connect(self._leave_empty)
        self.side.keys.chosen.connect(self.label)
        self.side.keys.edit_requested.connect(self._edit_labels)
        self.side.file_requested.connect(self.finding.choose_file)
        self.header.find_requested.connect(self.finding.find)
        self.header.marks_toggled.connect(self.stage.view.set_marks_shown)
        self.finding.running_changed.connect(self._show_counts)
        self.finding.file_changed.connect(self.side.set_landmarks_file)
        self.finding.report_file()

    # queues and images

    def set_queue(self, queue: Queue, label: int = -1) -> None:
        """Show another queue; the current image stays if the queue has it."""
        self._advance.stop()
        self._shown_queue = (queue, label)
        self.queue.choose(queue, label)
        self._show_ids(keep_position=False)

    def _show_ids(self, keep_position: bool = True) -> None:
        """Show the queue as it is now; with `keep_position` listed images stay until a queue is
        chosen, so that nothing moves while a person works."""
        grid = self.queue.grid
        ids = self.queues.ids(*self._shown_queue, also=grid.ids() if keep_position else None)
        self.queue.show_ids(ids, keep_position)
        for part in (self.queue, self.side, self.header.controls):
            part.setVisible(self.queues.images > 0)
        self._show_counts()
        if not len(ids):
            self.model.set_image(None)
            self.stage.show_empty(*empty_text(self.queues, self._shown_queue[0]))
        elif grid.current() is None:
            grid.set_current(int(ids[0]))
        elif not keep_position:
            grid.set_current(grid.current())
        elif grid.current() != self.model.image:
            self._open_image(int(grid.current() or 0))

    def _open_image(self, image: int) -> None:
        if self.queue.grid.current() is None:
            return
        self._advance.stop()
        rows = self.context.session.images.rows([image, *self.queue.around(image)])
        self.stage.show_image(rows[0], rows[1:])
        self.model.set_image(image, (rows[0].width, rows[0].height))

    def _selected(self) -> list[int]:
        return [int(image) for image in self.queue.grid.selected()]

    def step(self, by: int) -> None:
        """Go to the next (1) or the previous (-1) image of the queue."""
        self._advance.stop()
        image = self.queue.neighbour(self.model.image, by)
        if image is not None:
            self.queue.grid.set_current(image)
        elif by > 0 and self.model.image is not None:
            self.context.notify(tr("This is the last image of the queue."), "info")

    def _show_next_mouth(self) -> None:
        """Go to the next mouth to review in this image, else to the next image."""
        self._advance.stop()
        if len(self._selected()) > 1:
            return
        unreviewed = first_to_do(self.model.crops, self.model.labels, self.model.current)
        if unreviewed is not None:
            self.model.choose(unreviewed)
        else:
            self.step(1)

    def _end_flash(self) -> None:
        """Go to the next mouth now: a key pressed while a label flashes is meant for that one."""
        if self._advance.isActive():
            self._show_next_mouth()

    # commands, in the order of the menu

    def has_image(self) -> bool:
        """Whether an image is shown."""
        return self.model.image is not None

    def can_find(self) -> bool:
        """Whether there are images not searched yet."""
        return self.finding.can_find()

    @command(
        mark("Find mouths"),
        id="find",
        key="Ctrl+M",
        menu=Menu.MOUTHS,
        when=can_find,
        edits=True,
    )
    def find_mouths(self) -> None:
        """Find mouths in the images not searched yet."""
        self.finding.find()

    @command(mark("Save mouth crops…"), id="save", menu=Menu.MOUTHS)
    def save_crops(self) -> None:
        """Save all usable mouths as image files, with a folder for each expression."""
        self.model.save_crops(self)

    @command(
        mark("Next image"),
        id="next",
        key="Right",
        menu=Menu.MOUTHS,
        when=has_image,
        repeats=True,
    )
    def show_next(self) -> None:
        """Show the next image of the queue."""
        self.step(1)

    @command(
        mark("Previous image"),
        id="previous",
        key="Left",
        menu=Menu.MOUTHS,
        when=has_image,
        repeats=True,
    )
    def show_previous(self) -> None:
        """Show the previous image of the queue."""
        self.step(-1)

    @command(
        mark("Next face"),
        id="next-face",
        key=".",
        menu=Menu.MOUTHS,
        when=has_image,
        repeats=True,
    )
    def next_face(self) -> None:
        """Go to the next face of the image."""
        self._end_flash()
        self.model.step(1)

    @command(
        mark("Previous face"),
        id="previous-face",
        key=",",
        menu=Menu.MOUTHS,
        when=has_image,
        repeats=True,
    )
    def previous_face(self) -> None:
        """Go to the previous face of the image."""
        self._end_flash()
        self.model.step(-1)

    @command(
        mark("Accept mouth"),
        key="Return",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def accept(self) -> None:
        """Accept the current mouth and go to the next one."""
        self._end_flash()
        self.model.accept()

    @command(mark("Reject mouth"), key="X", menu=Menu.MOUTHS, when=has_image, edits=True)
    def reject(self) -> None:
        """Reject the current mouth and go to the next one."""
        self._end_flash()
        self.model.reject()

    @command(
        mark("Keep only this face"),
        id="only",
        key="K",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def keep_only(self) -> None:
        """Keep the current face and reject the others of the image."""
        self._end_flash()
        self.model.keep_only()

    @command(
        mark("Draw mouth box"),
        id="draw",
        key="D",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def toggle_drawing(self) -> None:
        """Start or stop drawing a mouth box by hand."""
        self._end_flash()
        self.stage.toggle_drawing()

    @command(
        mark("Clear label"),
        id="clear",
        key="Backspace",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def clear_label(self) -> None:
        """Remove the label of the current mouth."""
        self.label(None)

    @command(mark("Larger box"), key="]", menu=Menu.MOUTHS, when=has_image, edits=True)
    def larger(self) -> None:
        """Enlarge the current box."""
        self.model.resize(SCALE)

    @command(mark("Smaller box"), key="[", menu=Menu.MOUTHS, when=has_image, edits=True)
    def smaller(self) -> None:
        """Shrink the current box."""
        self.model.resize(1 / SCALE)

    @command(
        mark("Move box left"),
        id="left",
        key="Alt+Left",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def nudge_left(self) -> None:
        """Move the current box left."""
        self.model.nudge(-1, 0)

    @command(
        mark("Move box right"),
        id="right",
        key="Alt+Right",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def nudge_right(self) -> None:
        """Move the current box right."""
        self.model.nudge(1, 0)

    @command(
        mark("Move box up"),
        id="up",
        key="Alt+Up",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def nudge_up(self) -> None:
        """Move the current box up."""
        self.model.nudge(0, -1)

    @command(
        mark("Move box down"),
        id="down",
        key="Alt+Down",
        menu=Menu.MOUTHS,
        when=has_image,
        edits=True,
    )
    def nudge_down(self) -> None:
        """Move the current box down."""
        self.model.nudge(0, 1)

    @command(
        mark("Show landmarks and boxes"),
        id="marks",
        key="M",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def toggle_marks(self) -> None:
        """Show or hide landmarks and boxes."""
        self.header.toggle_marks()

    # labels

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Assign the label of a key; other keys are the actions of the page."""
        label_set = self.queues.label_set
        plain = not event.modifiers() & _CHORD
        label = label_set.label_for_key(event.text()) if label_set and event.text() else None
        keys = {int(Qt.Key.Key_Delete): self.reject, int(Qt.Key.Key_Enter): self.accept}
        action = keys.get(event.key())
        if plain and label is not None:
            self.label(label.name)
        elif plain and action is not None:
            action()
        elif event.key() != Qt.Key.Key_Escape or not self.stage.view.cancel():
            super().keyPressEvent(event)

    def label(self, name: str | None) -> None:
        """Label the current mouth and go to the next one; None clears its label."""
        self._end_flash()
        self.model.label(name)

    def _edit_labels(self) -> None:
        if self.queues.label_set is not None and self.context.can_edit():
            dialog = LabelSetsDialog(self.context.session, self.queues.label_set.name, self)
            dialog.exec()
            dialog.deleteLater()

    def _leave_empty(self) -> None:
        if not self.queues.images:
            self.context.go("images")
        self.finding.find()

    # display

    def _show_label_set(self) -> None:
        self.side.set_label_set(self.queues.label_set)
        self.queue.set_entries(queue_entries(self.queues))
        self.queue.choose(*self._shown_queue)

    def _show_counts(self) -> None:
        counts, labelled = self.queues.counts(), self.queues.label_counts()
        self.queue.show_counts(counts)
        total = sum(labelled.values())
        self.header.show_progress(total - labelled[""], total)
        self._show_side()

    def _show_side(self) -> None:
        self.side.show_model(self.model)
        selected = self.queue.grid.selected_count()
        self.header.show_choices(self.queues, selected, self.finding.running)

    def _show_faces(self) -> None:
        model = self.model
        if model.image is not None:
            self.stage.show_faces(model.crops, model.labels, self.queues.label_set, model.current)
        self._show_side()

    # changes and state

    def show_changes(self, changes: Changes) -> None:
        """Redraw what edits changed, and go to the image that an edit made elsewhere touched."""
        self.history.refresh()
        if not self.queues.refresh(changes):
            return
        touched = changes.cropped | changes.labelled
        if changes.label_sets:
            self._show_label_set()
        self._tiles.forget(None if changes.label_sets else touched | changes.removed)
        if self.model.editing:
            self.model.reload()
            self._show_counts()
            return
        self._show_ids()
        only = next(iter(touched)) if len(touched) == 1 else None
        if only is not None and not self.finding.running and self.queue.position(only) >= 0:
            self.queue.grid.set_current(only)  # show what was undone
        self.model.reload()

    def show_target(self, **what: Unpack[PageTarget]) -> None:
        """Show the queue `queue`, or the first of the images `ids`; both are optional."""
        if "queue" in what:
            self.set_queue(Queue(what["queue"]))
        if ids := what.get("ids"):
            self.set_queue(Queue.ALL)
            self.queue.grid.set_current(int(ids[0]))

    def save_state(self) -> dict[str, Any]:
        """Queue, image, splitter sizes, and whether landmarks and boxes are shown."""
        queue, label = self._shown_queue
        return {
            "queue": queue.value,
            "label": label,
            "image": self.model.image,
            "sizes": self.splitter.sizes(),
            "marks": self.header.marks.isChecked(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `save_state` returned."""
        queue = state.get("queue")
        if queue in list(Queue) and (queue, state.get("label", -1)) in list(self.queues.keys()):
            self.set_queue(Queue(queue), state.get("label", -1))
        image = state.get("image")
        if isinstance(image, int) and self.queue.position(image) >= 0:
            self.queue.grid.set_current(image)
        sizes = state.get("sizes")
        if isinstance(sizes, list) and [type(size) for size in sizes] == [int, int, int]:
            self.splitter.setSizes(sizes)
        self.header.marks.setChecked(state.get("marks") is not False)

    def closing(self) -> None:
        """End the threads that read images, and the flash."""
        self._advance.stop()
        self._tiles.close()
        self.stage.close_reader()
