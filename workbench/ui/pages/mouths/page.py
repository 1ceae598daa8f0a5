"""The Mouths page: find mouths, review them, correct squares and label expressions by key."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent

from workbench.app.mouths.mouth_queues import MouthQueues, first_to_do
from workbench.domain.changes import Changes
from workbench.domain.crops import Queue
from workbench.domain.text import mark, tr
from workbench.ui.commands import Menu, command
from workbench.ui.dialogs.label_sets import LabelSetsDialog
from workbench.ui.page import Context, Page, column, split
from workbench.ui.pages.mouths.header import MouthFinding, MouthHeader
from workbench.ui.pages.mouths.model import MouthModel
from workbench.ui.pages.mouths.queue import MouthQueue, MouthTiles, empty_sentence, queue_entries
from workbench.ui.pages.mouths.side import MouthAction, MouthSide
from workbench.ui.pages.mouths.stage import MouthStage
from workbench.ui.parts.history_list import HistoryList

_KEY = Qt.KeyboardModifier
_CHORD = _KEY.ControlModifier | _KEY.AltModifier | _KEY.MetaModifier
SCALE = 1.06  # of a square's side at a press of a key
FLASH = 130  # milliseconds for which a given label is seen before the next image comes


class MouthsPage(Page):
    """Queues at the left, the photo in the middle, expressions and deeds at the right."""

    name: ClassVar[str] = "mouths"
    title: ClassVar[str] = "Mouths"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.book = MouthQueues(context.session)
        self.desk = MouthModel(context, self.book, self._selected)
        self._which: tuple[Queue, int] = (Queue.ALL, -1)
        self._tiles = MouthTiles(context, self.book)
        self.header = MouthHeader(tr("Mouths"))
        self.queue = MouthQueue(self._tiles)
        self.stage = MouthStage()
        self.history = HistoryList(context.session)
        self.side = MouthSide(self._side_buttons(), self.history)
        self.finding = MouthFinding(context, self.book, self._selected, self)
        self._advance = QTimer(self, singleShot=True, interval=FLASH)
        self._advance.timeout.connect(self._go_on)
        self._lay_out()
        self._connect()
        self.history.refresh()
        self._show_label_set()
        self.set_queue(Queue.REVIEW if len(self.book.ids(Queue.REVIEW)) else Queue.ALL)

    def _side_buttons(self) -> dict[str, MouthAction]:
        return {
            "accept": MouthAction(
                tr("Accept"), "check", tr("Enter"), self.accept, tr("This square is right")
            ),
            "reject": MouthAction(
                tr("Reject"), "x", "X", self.reject, tr("This square is no mouth")
            ),
            "only": MouthAction(
                tr("Only this"),
                "user-square",
                "K",
                self.keep_only,
                tr("Keep this face and reject the others of the image"),
            ),
            "draw": MouthAction(
                tr("Draw"),
                "selection-plus",
                "D",
                self.toggle_drawing,
                tr("Draw the square of a mouth by hand"),
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
        self.desk.altered.connect(self._show_faces)
        self.desk.decided.connect(self._advance.start)
        self.stage.chosen.connect(self.desk.choose)
        self.stage.adjusted.connect(self.desk.adjust)
        self.stage.drawn.connect(self.desk.draw)
        self.stage.drawing_changed.connect(self.side.buttons["draw"].setChecked)
        self.stage.empty.button.clicked.connect(self._empty_pressed)
        self.side.keys.chosen.connect(self.label)
        self.side.keys.edit_requested.connect(self._edit_labels)
        self.side.other_file_wanted.connect(self.finding.ask_file)
        self.header.find_wanted.connect(self.finding.find)
        self.header.marks_toggled.connect(self.stage.photo.set_marks_shown)
        self.finding.running_changed.connect(self._show_counts)
        self.finding.file_changed.connect(self.side.set_landmarks_file)
        self.finding.tell_file()

    # queues and images

    def set_queue(self, queue: Queue, label: int = -1) -> None:
        """Go through another queue, staying at the present image where it is in it."""
        self._advance.stop()
        self._which = (queue, label)
        self.queue.choose(queue, label)
        self._show_ids(keep_position=False)

    def _show_ids(self, keep_position: bool = True) -> None:
        """The queue as it is now; with `keep_position` nothing leaves it until it is chosen anew,
        so that nothing jumps under the hand."""
        grid = self.queue.grid
        ids = self.book.ids(*self._which, also=grid.ids() if keep_position else None)
        self.queue.show_ids(ids, keep_position)
        for part in (self.queue, self.side, self.header.controls):
            part.setVisible(self.book.images > 0)
        self._show_counts()
        if not len(ids):
            self.desk.put(None)
            self.stage.show_nothing(*empty_sentence(self.book, self._which[0]))
        elif grid.current() is None:
            grid.set_current(int(ids[0]))
        elif not keep_position:
            grid.set_current(grid.current())
        elif grid.current() != self.desk.image:
            self._open_image(int(grid.current() or 0))

    def _open_image(self, image: int) -> None:
        if self.queue.grid.current() is None:
            return
        self._advance.stop()
        rows = self.context.session.images.rows([image, *self.queue.around(image)])
        self.stage.show_image(rows[0], rows[1:])
        self.desk.put(image, (rows[0].width, rows[0].height))

    def _selected(self) -> list[int]:
        return [int(image) for image in self.queue.grid.selected()]

    def step(self, by: int) -> None:
        """The next (1) or the former (-1) image of the queue."""
        self._advance.stop()
        image = self.queue.neighbour(self.desk.image, by)
        if image is not None:
            self.queue.grid.set_current(image)
        elif by > 0 and self.desk.image is not None:
            self.context.notify(tr("This was the last image of the queue."), "info")

    def _go_on(self) -> None:
        """After a decision: the next mouth to do in this image, else the next image."""
        self._advance.stop()
        if len(self._selected()) > 1:
            return
        waiting = first_to_do(self.desk.crops, self.desk.labels, self.desk.current)
        if waiting is not None:
            self.desk.choose(waiting)
        else:
            self.step(1)

    def _settle(self) -> None:
        """A key pressed while a label still flashes is meant for what comes next."""
        if self._advance.isActive():
            self._go_on()

    # commands, in the order of the menu

    def has_image(self) -> bool:
        """Whether an image is shown."""
        return self.desk.image is not None

    def can_find(self) -> bool:
        """Whether there is an image that was not looked at yet."""
        return self.finding.can_find()

    @command(
        mark("Find mouths"),
        id="find",
        key="Ctrl+M",
        menu=Menu.MOUTHS,
        when=can_find,
    )
    def find_mouths(self) -> None:
        """Look for mouths in the images that were not looked at yet."""
        self.finding.find()

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
        """Choose the next face of the image."""
        self._settle()
        self.desk.step(1)

    @command(
        mark("Previous face"),
        id="previous-face",
        key=",",
        menu=Menu.MOUTHS,
        when=has_image,
        repeats=True,
    )
    def previous_face(self) -> None:
        """Choose the previous face of the image."""
        self._settle()
        self.desk.step(-1)

    @command(
        mark("Accept this mouth"),
        key="Return",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def accept(self) -> None:
        """Say that the chosen square is right and go on."""
        self._settle()
        self.desk.accept()

    @command(mark("Reject this mouth"), key="X", menu=Menu.MOUTHS, when=has_image)
    def reject(self) -> None:
        """Say that the chosen square is no mouth and go on."""
        self._settle()
        self.desk.reject()

    @command(
        mark("Keep only this face"),
        id="only",
        key="K",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def keep_only(self) -> None:
        """Keep the chosen face and reject the others of the image."""
        self._settle()
        self.desk.keep_only()

    @command(
        mark("Draw a square by hand"),
        id="draw",
        key="D",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def toggle_drawing(self) -> None:
        """Begin to draw the square of a mouth, or leave it."""
        self._settle()
        self.stage.toggle_drawing()

    @command(
        mark("Take the label away"),
        id="clear",
        key="Backspace",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def clear_label(self) -> None:
        """Remove the label of the chosen mouth."""
        self.label(None)

    @command(mark("Larger square"), key="]", menu=Menu.MOUTHS, when=has_image)
    def larger(self) -> None:
        """Make the chosen square larger."""
        self.desk.resize(SCALE)

    @command(mark("Smaller square"), key="[", menu=Menu.MOUTHS, when=has_image)
    def smaller(self) -> None:
        """Make the chosen square smaller."""
        self.desk.resize(1 / SCALE)

    @command(
        mark("Square to the left"),
        id="left",
        key="Alt+Left",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def nudge_left(self) -> None:
        """Move the chosen square to the left."""
        self.desk.nudge(-1, 0)

    @command(
        mark("Square to the right"),
        id="right",
        key="Alt+Right",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def nudge_right(self) -> None:
        """Move the chosen square to the right."""
        self.desk.nudge(1, 0)

    @command(
        mark("Square up"),
        id="up",
        key="Alt+Up",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def nudge_up(self) -> None:
        """Move the chosen square up."""
        self.desk.nudge(0, -1)

    @command(
        mark("Square down"),
        id="down",
        key="Alt+Down",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def nudge_down(self) -> None:
        """Move the chosen square down."""
        self.desk.nudge(0, 1)

    @command(
        mark("Show landmarks and squares"),
        id="marks",
        key="M",
        menu=Menu.MOUTHS,
        when=has_image,
    )
    def toggle_marks(self) -> None:
        """Show or hide landmarks and squares."""
        self.header.toggle_marks()

    # labels

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys of labels come first; the others are the page's actions."""
        label_set = self.book.label_set
        plain = not event.modifiers() & _CHORD
        label = label_set.label_for_key(event.text()) if label_set and event.text() else None
        keys = {int(Qt.Key.Key_Delete): self.reject, int(Qt.Key.Key_Enter): self.accept}
        deed = keys.get(event.key())
        if plain and label is not None:
            self.label(label.name)
        elif plain and deed is not None:
            deed()
        elif event.key() != Qt.Key.Key_Escape or not self.stage.photo.cancel():
            super().keyPressEvent(event)

    def label(self, name: str | None) -> None:
        """Give the chosen mouth an expression (None: take it away) and go on."""
        self._settle()
        self.desk.label(name)

    def _edit_labels(self) -> None:
        if self.book.label_set is not None:
            dialog = LabelSetsDialog(self.context.session, self.book.label_set.name, self)
            dialog.exec()
            dialog.deleteLater()

    def _empty_pressed(self) -> None:
        if not self.book.images:
            self.context.go("images")
        self.finding.find()

    # showing

    def _show_label_set(self) -> None:
        self.side.set_label_set(self.book.label_set)
        self.queue.set_entries(queue_entries(self.book))
        self.queue.choose(*self._which)

    def _show_counts(self) -> None:
        counts, labelled = self.book.counts(), self.book.label_counts()
        self.queue.show_counts(counts)
        total = sum(labelled.values())
        self.header.show_progress(total - labelled[""], total)
        self._show_side()

    def _show_side(self) -> None:
        self.side.show_desk(self.desk)
        selected = self.queue.grid.selected_count()
        self.header.show_choices(self.book, selected, self.finding.running)

    def _show_faces(self) -> None:
        desk = self.desk
        if desk.image is not None:
            self.stage.show_faces(desk.crops, desk.labels, self.book.label_set, desk.current)
        self._show_side()

    # the page's life

    def show_changes(self, changes: Changes) -> None:
        self.history.refresh()
        if not self.book.refresh(changes):
            return
        touched = changes.cropped | changes.labelled
        if changes.label_sets:
            self._show_label_set()
        self._tiles.forget(None if changes.label_sets else touched | changes.removed)
        if self.desk.editing:
            self.desk.read()
            self._show_counts()
            return
        self._show_ids()
        only = next(iter(touched)) if len(touched) == 1 else None
        if only is not None and not self.finding.running and self.queue.position(only) >= 0:
            self.queue.grid.set_current(only)  # what was taken back is looked at
        self.desk.read()

    def show_target(self, **what: Any) -> None:
        if "queue" in what:
            self.set_queue(Queue(what["queue"]))
        if what.get("ids"):
            self.set_queue(Queue.ALL)
            self.queue.grid.set_current(int(what["ids"][0]))

    def save_state(self) -> dict[str, Any]:
        queue, label = self._which
        return {
            "queue": queue.value,
            "label": label,
            "image": self.desk.image,
            "sizes": self.splitter.sizes(),
            "marks": self.header.marks.isChecked(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        queue = state.get("queue")
        if queue in list(Queue) and (queue, state.get("label", -1)) in list(self.book.keys()):
            self.set_queue(Queue(queue), state.get("label", -1))
        image = state.get("image")
        if isinstance(image, int) and self.queue.position(image) >= 0:
            self.queue.grid.set_current(image)
        sizes = state.get("sizes")
        if isinstance(sizes, list) and [type(size) for size in sizes] == [int, int, int]:
            self.splitter.setSizes(sizes)
        self.header.marks.setChecked(state.get("marks") is not False)

    def closing(self) -> None:
        self._advance.stop()
        self._tiles.close()
        self.stage.close_reader()
