"""The Mouths page: find mouths, review them, correct squares and label expressions by key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from workbench.app.mouths.mouth_queues import MouthQueues, first_to_do
from workbench.domain.changes import Changes
from workbench.domain.crops import Queue
from workbench.ui.commands import Action
from workbench.ui.dialogs.label_sets import LabelSetsDialog
from workbench.ui.page import Context, Page
from workbench.ui.pages.mouths.header import MouthFinding, MouthHeader
from workbench.ui.pages.mouths.model import MouthModel
from workbench.ui.pages.mouths.queue import MouthQueue, MouthTiles, QueueEntry
from workbench.ui.pages.mouths.side import MouthAction, MouthSide
from workbench.ui.pages.mouths.stage import MouthStage
from workbench.ui.parts.history_list import HistoryList
from workbench.ui.parts.tiles import badge

_MOVES = ("next", "previous", "next-face", "previous-face")


def queue_entries(widget: QWidget, book: MouthQueues) -> list[QueueEntry]:
    """The queues of the page with their names; labels that have none yet come last."""
    tr = widget.tr
    entries = [
        QueueEntry(Queue.ALL, tr("All images"), tr("Every image of the project")),
        QueueEntry(Queue.UNSEEN, tr("Not looked at"), tr("No mouth was looked for here yet")),
        QueueEntry(Queue.REVIEW, tr("To review"), tr("A mouth nobody has accepted or labelled")),
        QueueEntry(Queue.MISSED, tr("Missed"), tr("No mouth was found: draw its square by hand")),
        QueueEntry(Queue.SEVERAL, tr("Several faces"), tr("More than one mouth: choose")),
        QueueEntry(Queue.REJECTED, tr("Rejected"), tr("A square that is no mouth")),
        QueueEntry(Queue.UNLABELLED, tr("Unlabelled"), tr("A mouth without an expression")),
    ]
    label_set = book.label_set
    if label_set is not None:
        for at, name in enumerate(label_set.names):
            letter, colour = badge(label_set, name)
            tip = tr("A mouth labelled {label}").format(label=name)
            entries.append(QueueEntry(Queue.LABELLED, name, tip, at, letter, colour))
    return entries


def empty_sentence(widget: QWidget, book: MouthQueues, queue: Queue) -> tuple[str, str]:
    """What to say where a queue has no image, and the text of the button below ("": none)."""
    if not book.images:
        return (
            widget.tr("Mouths are found in photographs: import some first."),
            widget.tr("Import images"),
        )
    if queue is Queue.UNSEEN:
        return widget.tr("Every image was looked at."), ""
    if not book.looked_at:
        return (
            widget.tr("No mouths yet. They are found in all images at once, on every core."),
            widget.tr("Find mouths"),
        )
    if queue in (Queue.REVIEW, Queue.UNLABELLED):
        return widget.tr("Nothing waits here: every mouth is done."), ""
    return widget.tr("No image is in this queue."), ""


def mouth_commands(page: MouthsPage) -> dict[str, MouthAction]:
    """The buttons of the side panel."""
    tr = page.tr
    return {
        "accept": MouthAction(
            tr("Accept"), "check", tr("Enter"), page.accept, tr("This square is right")
        ),
        "reject": MouthAction(tr("Reject"), "x", "X", page.reject, tr("This square is no mouth")),
        "only": MouthAction(
            tr("Only this"),
            "user-square",
            "K",
            page.settled(page.desk.keep_only),
            tr("Keep this face and reject the others of the image"),
        ),
        "draw": MouthAction(
            tr("Draw"),
            "selection-plus",
            "D",
            page.settled(page.stage.toggle_drawing),
            tr("Draw the square of a mouth by hand"),
            checkable=True,
        ),
    }


def mouth_actions(page: MouthsPage) -> list[Action]:
    """What can be done on the page, as menus, the palette and the keys see it."""
    tr, desk, finding = page.tr, page.desk, page.finding
    menu = tr("Mouths")
    rows: list[tuple[str, str, Callable[[], object], str]] = [
        ("next", tr("Next image"), lambda: page.step(1), "Right"),
        ("previous", tr("Previous image"), lambda: page.step(-1), "Left"),
        ("next-face", tr("Next face"), page.settled(lambda: desk.step(1)), "."),
        ("previous-face", tr("Previous face"), page.settled(lambda: desk.step(-1)), ","),
        ("accept", tr("Accept this mouth"), page.accept, "Return"),
        ("reject", tr("Reject this mouth"), page.reject, "X"),
        ("only", tr("Keep only this face"), page.settled(page.desk.keep_only), "K"),
        ("draw", tr("Draw a square by hand"), page.settled(page.stage.toggle_drawing), "D"),
        ("clear", tr("Take the label away"), lambda: page.label(None), "Backspace"),
        ("larger", tr("Larger square"), lambda: desk.resize(1.06), "]"),
        ("smaller", tr("Smaller square"), lambda: desk.resize(1 / 1.06), "["),
        ("left", tr("Square to the left"), lambda: desk.nudge(-1, 0), "Alt+Left"),
        ("right", tr("Square to the right"), lambda: desk.nudge(1, 0), "Alt+Right"),
        ("up", tr("Square up"), lambda: desk.nudge(0, -1), "Alt+Up"),
        ("down", tr("Square down"), lambda: desk.nudge(0, 1), "Alt+Down"),
        ("marks", tr("Show landmarks and squares"), page.header.toggle_marks, "M"),
    ]

    def some() -> bool:
        return desk.image is not None

    made = [
        Action(name, title, callback, key, some, menu, repeats=name in _MOVES)
        for name, title, callback, key in rows
    ]
    find = Action("find", tr("Find mouths"), finding.find, "Ctrl+M", finding.can_find, menu)
    return [find, *made]


_KEY = Qt.KeyboardModifier
_CHORD = _KEY.ControlModifier | _KEY.AltModifier | _KEY.MetaModifier
FLASH = 130  # milliseconds for which a given label is seen before the next image comes


class MouthsPage(Page):
    """Queues at the left, the photo in the middle, expressions and deeds at the right."""

    name: ClassVar[str] = "mouths"
    title: ClassVar[str] = "Mouths"
    icon_name: ClassVar[str] = "ph.smiley"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.book = MouthQueues(context.session)
        self.desk = MouthModel(context, self.book, self._selected)
        self._which: tuple[Queue, int] = (Queue.ALL, -1)
        self._stale = Changes()  # edits made while the page was hidden
        self._tiles = MouthTiles(context, self.book)
        self.header = MouthHeader(self.tr("Mouths"))
        self.queue = MouthQueue(self._tiles)
        self.stage = MouthStage()
        self.history = HistoryList(context.session)
        self.side = MouthSide(mouth_commands(self), self.history)
        self.finding = MouthFinding(context, self.book, self._selected, self)
        self._advance = QTimer(self, singleShot=True, interval=FLASH)
        self._advance.timeout.connect(self._go_on)
        self._lay_out()
        self._connect()
        self._show_label_set()
        self.set_queue(Queue.REVIEW if len(self.book.ids(Queue.REVIEW)) else Queue.ALL)

    def _lay_out(self) -> None:
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        for widget in (self.queue, self.stage, self.side):
            self.splitter.addWidget(widget)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([216, 720, 280])
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.splitter, 1)
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
        self.side.keys.edit_wanted.connect(self._edit_labels)
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
            self.stage.show_nothing(*empty_sentence(self, self.book, self._which[0]))
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
        rows = self.context.session.store.images.rows([image, *self.queue.around(image)])
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
            self.context.notify(self.tr("This was the last image of the queue."), "info")

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

    # deeds by key and button

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

    def accept(self) -> None:
        """Say that the chosen square is right and go on."""
        self._settle()
        self.desk.accept()

    def reject(self) -> None:
        """Say that the chosen square is no mouth and go on."""
        self._settle()
        self.desk.reject()

    def settled(self, deed: Callable[[], object]) -> Callable[[], None]:
        """`deed`, meant for what comes after a flash that is still to be seen."""

        def after() -> None:
            self._settle()
            deed()

        return after

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
        self.queue.set_entries(queue_entries(self, self.book))
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

    def refresh(self, changes: Changes) -> None:
        self._stale |= changes
        if self.isVisible():
            self._take_stale()

    def _take_stale(self) -> None:
        changes, self._stale = self._stale, Changes()
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

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._take_stale()

    def actions(self) -> list[Action]:  # type: ignore[override]  # ours are data, not QActions
        return mouth_actions(self)

    def opened(self, **what: Any) -> None:
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
