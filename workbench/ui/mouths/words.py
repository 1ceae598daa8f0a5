"""The Mouths page in words: its queues, its empty states, its actions and buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from workbench.app.mouths.mouth_book import MouthBook
from workbench.domain.mouth_queue import Queue
from workbench.ui.mouths.queue import QueueEntry
from workbench.ui.mouths.side import Deed
from workbench.ui.page import Action
from workbench.ui.tiles.tiles import badge

if TYPE_CHECKING:
    from workbench.ui.mouths.page import MouthsPage


def queue_entries(widget: QWidget, book: MouthBook) -> list[QueueEntry]:
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


def empty_sentence(widget: QWidget, book: MouthBook, queue: Queue) -> tuple[str, str]:
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


def mouth_deeds(page: MouthsPage) -> dict[str, Deed]:
    """The buttons of the side panel."""
    tr = page.tr
    return {
        "accept": Deed(tr("Accept"), "check", tr("Enter"), page.accept, tr("This square is right")),
        "reject": Deed(tr("Reject"), "x", "X", page.reject, tr("This square is no mouth")),
        "only": Deed(
            tr("Only this"),
            "user-square",
            "K",
            page.settled(page.desk.keep_only),
            tr("Keep this face and reject the others of the image"),
        ),
        "draw": Deed(
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
    rows: list[tuple[str, str, object, str]] = [
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
        Action(f"mouths.{name}", title, callback, key, some, menu)  # type: ignore[arg-type]
        for name, title, callback, key in rows
    ]
    find = Action("mouths.find", tr("Find mouths"), finding.find, "Ctrl+M", finding.can_find, menu)
    return [find, *made]
