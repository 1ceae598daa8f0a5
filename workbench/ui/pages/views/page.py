"""The Views page: fast labelling, one large image and one key press at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Unpack

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget

from workbench.app.labels.label_overview import Heading
from workbench.app.similar.suggesting import suggest_task
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter
from workbench.domain.text import mark, tr
from workbench.ui.commands import Menu, ShortcutText, command
from workbench.ui.dialogs.importing import import_folder
from workbench.ui.dialogs.label_sets import LabelSetsDialog
from workbench.ui.page import Context, Page, PageTarget, boxed, column, row
from workbench.ui.pages.views.coverage import CoverageMatrix
from workbench.ui.pages.views.header import NEXT, NEXT_UNLABELLED, LabelSession, ViewsHeader
from workbench.ui.pages.views.stage import LabelStage, PixelFeed
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.filter_bar import FilterBar, cell_filter, from_state, to_state
from workbench.ui.parts.history_list import HistoryList
from workbench.ui.parts.image_grid import ImageGrid, ImageTiles
from workbench.ui.parts.image_menu import pop_up
from workbench.ui.parts.label_keys import LabelKeys
from workbench.ui.parts.side import SidePanel, with_side
from workbench.ui.parts.similar_search import SimilarSearch
from workbench.ui.parts.tiles import badge

_STRIP = 112  # pixels of the filmstrip's height


class ViewsPage(Page):
    """Stage, label keys, filmstrip, coverage and history."""

    name = "views"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.header = ViewsHeader(self.title, context.session)
        self.labelling = LabelSession(context.session, self.header.label_set)
        self.bar = FilterBar(context.session)
        self.tiles = ImageTiles(context, self.header.label_set)
        self.tiles.hides = lambda image: self.labelling.look.hides(image)
        self.strip = ImageGrid(self.tiles, strip=True)
        order = self.header.order
        self.similar = SimilarSearch(context, self.bar, self.labelling.list, self.tiles, order)
        self.stage = LabelStage()
        self.feed = PixelFeed(context, self.stage)
        self.keys = LabelKeys("views.no_label")
        self.coverage = CoverageMatrix()
        self.history = HistoryList(context.session)
        self._history_timer = QTimer(self, singleShot=True, interval=60)  # after the key's frame
        self._history_timer.timeout.connect(self.history.refresh)
        self._accept_shortcut = ""
        ShortcutText(self.stage, self._set_accept_shortcut, "views.accept")
        self.empty = EmptyState("image", "")
        self.empty.button.clicked.connect(self._leave_empty)
        self.stack, self.splitter = self._arrange()
        self._connect()
        self.setFocusProxy(self.strip)
        self.strip.installEventFilter(self)
        self._show_set()
        self.reload()
        self.history.refresh()

    def _arrange(self) -> tuple[QStackedWidget, QSplitter]:
        """Lay out the page. Returns the stack of stage and empty state, and the splitter."""
        stack = QStackedWidget()
        stack.addWidget(boxed(row((self.stage, 1), self.keys, margins=(16, 0, 12, 0), spacing=12)))
        stack.addWidget(self.empty)
        self.strip.setFixedHeight(_STRIP)
        line = boxed(column(self.bar, margins=(16, 0, 12, 0)))
        main = boxed(column(self.header, line, (stack, 1), self.strip, spacing=8))
        side = SidePanel()
        side.add(tr("Coverage"), self.coverage, stretch=3)
        side.add(tr("History"), self.history)
        splitter = with_side(main, side)
        column(splitter, on=self)
        return stack, splitter

    def _connect(self) -> None:
        self.bar.changed.connect(lambda _: self.reload(keep=self.similar.pending))
        self.similar.ranked.connect(lambda: self.reload(keep=False))
        self.header.order_changed.connect(lambda: self.reload(keep=False))
        self.header.set_changed.connect(self._use_set)
        self.strip.current_changed.connect(lambda _: self._show_current())
        self.strip.menu_requested.connect(self._show_menu)
        self.keys.chosen.connect(self.set_label)
        self.keys.edit_requested.connect(self.edit_set)
        self.stage.accepted.connect(self.accept)
        self.stage.flashed.connect(self._advance)
        self.coverage.chosen.connect(self._filter_by_cell)
        self.context.session.annotator_changed.connect(lambda _: self._end_second_look())

    # display

    def reload(self, keep: bool = True) -> None:
        """List the images for the filter bar and the sort order of the header; if they cannot be,
        report why and show the previous filter and order."""
        if self.bar.filter.ids is None:
            self.labelling.look.active = False
        problem = self.labelling.show(self.bar.filter, self.header.sort)
        if problem:
            self.context.notify(problem, "warn")
            self.header.show_sort(self.labelling.list.sort)
            self.bar.show_filter(self.labelling.list.filter)
        self.similar.follow()
        self._show_ids(keep)

    def _show_ids(self, keep: bool = True) -> None:
        ids = self.labelling.list.ids
        self.strip.set_ids(ids, keep_position=keep)
        if len(ids) and (self.strip.current() is None or not keep):
            self.strip.set_current(int(ids[0]))
        total = self.labelling.overview.progress()[1]
        if not len(ids):
            sentence = (
                tr("No images match these filters.")
                if total
                else tr("Import images first, then label each with a single key.")
            )
            button = tr("Clear filters") if total else tr("Import folder…")
            self.empty.set_text(sentence, button)
        self.stack.setCurrentIndex(0 if len(ids) else 1)
        for widget in (self.bar, self.header, self.strip):
            widget.setVisible(bool(total))
        self._show_current()
        self._show_progress()

    def _leave_empty(self) -> None:
        if self.labelling.overview.progress()[1]:
            self.bar.clear()
        else:
            import_folder(self.context, self)

    def _show_set(self) -> None:
        self.tiles.show_set(self.header.label_set)
        self.keys.show_set(self.labelling.label_set)

    def _use_set(self, name: str) -> None:
        self._end_second_look()
        self.labelling.use(name)
        self._show_set()
        self._show_current()
        self._show_progress()

    def _show_current(self) -> None:
        image = self.strip.current()
        if self.labelling.look.repeat not in (None, image):
            self._end_repeat()
        self.feed.show(self.strip.ids(), image)
        if image is None:
            self.stage.show_badges([])
            self.stage.suggest("")
            return
        given = self.labelling.labels_of(image)
        self.keys.show_assigned(frozenset(given))
        self.stage.show_badges([badge(self.labelling.label_set, name) for name in given])
        found = None if given else self.labelling.suggestion(image)
        text = ""
        if found is not None:
            label, confidence = found
            text = (
                tr("Suggestion: {label}  {confidence:.2f}   {shortcut} accepts")
                if self._accept_shortcut
                else tr("Suggestion: {label}  {confidence:.2f}")
            ).format(label=label, confidence=confidence, shortcut=self._accept_shortcut)
        self.stage.suggest(text)

    def _set_accept_shortcut(self, shortcuts: Sequence[str]) -> None:
        (self._accept_shortcut,) = shortcuts
        self._show_current()

    def _show_progress(self) -> None:
        if self.labelling.look.active:
            ids = self.labelling.list.ids
            self.header.show_seen(self.labelling.look.seen(ids), len(ids))
        else:
            self.header.show_progress(*self.labelling.overview.progress())
        overview = self.labelling.overview
        sets = self.context.session.labels.sets()
        self.coverage.show_coverage(overview.coverage(), sets[overview.label_set])

    def show_changes(self, changes: Changes) -> None:
        """Redraw what edits changed."""
        listed = self.labelling.update(changes)
        if changes.label_sets:
            self.header.fill_sets()
            self.labelling.use(self.header.label_set)
            self._show_set()
        touched = changes.labelled | changes.added | changes.removed
        if touched or changes.label_sets or changes.sources:
            self.tiles.forget(touched if touched and not changes.label_sets else None)
        if listed:
            self._show_ids()
        else:
            self._show_current()
            self._show_progress()
        self._history_timer.start()

    def show_target(self, **what: Unpack[PageTarget]) -> None:
        """Apply `filter`, go to `image`, and sort by similarity to the images `similar`; each is
        optional."""
        if "filter" in what:
            self.bar.set_filter(what["filter"])
        image = what.get("image")
        if image is not None:
            if image not in self.labelling.list.ids:
                self.bar.set_filter(ImageFilter())
            self.strip.set_current(image)
        self.similar.find(what.get("similar") or ())

    # labelling

    def set_label(self, label: str | None) -> None:
        """Label the current image, or all selected ones, then show what the header sets as next;
        None clears their labels."""
        self.stage.end_flash()
        selected = self.strip.selected()
        image = self.strip.current()
        if image is None:
            return
        several = len(selected) > 1
        self.labelling.set_label(selected.tolist() if several else [image], label)
        if label is not None and not several:
            self.stage.flash(badge(self.labelling.label_set, label))

    def _step(self, move: str) -> None:
        self.stage.end_flash()
        self.strip.move_to(move)

    def _advance(self) -> None:
        image = self.strip.current()
        if image is None:
            return
        if image == self.labelling.look.repeat:
            self.strip.set_current(self.labelling.before_repeat)
        elif (repeat := self.labelling.repeat_after(image)) is not None:
            self.tiles.forget([repeat])
            self.strip.set_current(repeat)
            return
        if self.header.after_label == NEXT_UNLABELLED:
            self.next_unlabelled()
        elif self.header.after_label == NEXT:
            self.strip.move_to("right")

    def _end_repeat(self) -> None:
        shown, self.labelling.look.repeat = self.labelling.look.repeat, None
        if shown is not None:
            self.tiles.forget([shown])

    def _end_second_look(self) -> None:
        """Show all labels again."""
        self._end_repeat()
        if self.labelling.look.active:
            self.labelling.look.active = False
            self.bar.set_filter(dataclasses.replace(self.bar.filter, ids=None, ids_name=""))
        self.tiles.altered.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go to the next unlabelled image when Tab is pressed on the strip; Shift+Tab leaves it."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
            if event.key() == Qt.Key.Key_Tab and plain:
                self.next_unlabelled()
                return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        label = self.labelling.label_for(event)
        if label is not None:
            self.set_label(label)
        else:
            super().keyPressEvent(event)

    def _filter_by_cell(self, row: Heading, column: Heading, count: int) -> None:
        self.bar.set_filter(cell_filter(self.labelling.overview, row, column, count))

    def _show_menu(self, at: QPoint) -> None:
        if any(self.labelling.look.hides(image) for image in self.strip.selected().tolist()):
            return  # it shows and changes labels
        pop_up(self.context, self, at, self.strip.selected(), self.header.label_set)

    # commands, in the order of the menus

    def has_image(self) -> bool:
        """Whether an image is shown."""
        return self.strip.current() is not None

    @command(
        mark("Accept suggestion"),
        key="Space",
        menu=Menu.LABEL,
        when=has_image,
        edits=True,
    )
    def accept(self) -> None:
        """Accept the suggestion for the current image, or for all selected ones."""
        self.stage.end_flash()
        image = self.strip.current()
        if image is None:
            return
        selected = self.strip.selected()
        several = len(selected) > 1
        found = self.labelling.suggestion(image)
        accepted = self.labelling.accept(selected.tolist() if several else [image])
        if accepted and found and not several:
            self.stage.flash(badge(self.labelling.label_set, found[0]))

    @command(
        mark("Clear label"),
        id="no_label",
        key="Backspace",
        menu=Menu.LABEL,
        when=has_image,
        edits=True,
    )
    def clear_label(self) -> None:
        """Remove the labels of the selected images."""
        self.set_label(None)

    @command(
        mark("Next unlabelled"),
        id="next_open",
        key="N",
        menu=Menu.LABEL,
        when=has_image,
    )
    def next_unlabelled(self) -> None:
        """Go to the next image without a label."""
        image = self.strip.current()
        found = self.labelling.next_unlabelled(image)
        if found is not None:
            self.strip.set_current(found)
        elif len(self.labelling.list.ids):
            self.context.notify(tr("All images here are labelled."), "info")

    @command(
        mark("Next image"),
        id="forward",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def show_next(self) -> None:
        """Show the next image."""
        self._step("right")

    @command(
        mark("Previous image"),
        id="back",
        menu=Menu.VIEW,
        when=has_image,
        repeats=True,
    )
    def show_previous(self) -> None:
        """Show the previous image."""
        self._step("left")

    @command(
        mark("Fit image"),
        key="Ctrl+0",
        menu=Menu.VIEW,
        when=has_image,
    )
    def fit(self) -> None:
        """Fit the image to the stage."""
        self.stage.fit()

    @command(
        mark("Find similar"),
        id="similar",
        key="Ctrl+J",
        menu=Menu.VIEW,
        when=has_image,
    )
    def find_similar(self) -> None:
        """Sort the images by similarity to the selected ones."""
        self.similar.find(self.strip.selected().tolist())

    @command(
        mark("Suggest labels"),
        id="suggest",
        menu=Menu.LABEL,
        when=has_image,
        edits=True,
    )
    def suggest_labels(self) -> None:
        """Predict, with the newest run, all images without a label of the active set."""
        label_set = self.labelling.active
        task = suggest_task(self.context.session, label_set)
        if task is None:
            message = tr(
                "No new suggestions for “{label_set}”: no finished run has learned it, or every "
                "image has a label or a suggestion."
            )
            self.context.notify(message.format(label_set=label_set), "info")
        else:
            self.context.session.start(task)

    def _second_look_title(self) -> str:
        return tr("End second look") if self.labelling.look.active else tr("Second look")

    @command(
        mark("Second look"),
        id="second_look",
        menu=Menu.LABEL,
        when=has_image,
        live_title=_second_look_title,
    )
    def second_look(self) -> None:
        """Label images of other people without seeing their labels, or end this."""
        look = self.labelling.look
        if look.active:
            self._end_second_look()
            return
        images = look.of_others() if look.possible() else ()
        if images:
            look.active = True
            self._end_repeat()
            self.bar.set_filter(ImageFilter(ids=images, ids_name=tr("second look")))
            self.tiles.altered.emit()
            self.next_unlabelled()
        elif look.possible():
            self.context.notify(tr("There are no images that only others have labelled."), "info")
        else:
            message = tr(
                "A second look needs your name (Label → Annotator…) and a label set whose labels "
                "exclude each other."
            )
            self.context.notify(message, "info")

    @command(
        mark("Edit labels…"),
        id="view_labels",
        key="Ctrl+Shift+L",
        menu=Menu.LABEL,
        edits=True,
    )
    def edit_set(self) -> None:
        """Open the label-set editor on the active set."""
        if not self.context.can_edit():
            return
        dialog = LabelSetsDialog(self.context.session, self.header.label_set, self)
        dialog.exec()
        dialog.deleteLater()

    # state

    def save_state(self) -> dict[str, Any]:
        """Filter, sort order, label set, what follows a label, current image and splitter."""
        shown = self.labelling.list.filter
        if self.labelling.look.active:
            shown = dataclasses.replace(shown, ids=None, ids_name="")
        return {
            "filter": to_state(shown),
            "sort": self.header.sort.value,
            "set": self.header.label_set,
            "then": self.header.after_label,
            "current": self.strip.current(),
            "splitter": self.splitter.sizes(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `save_state` returned."""
        if not state:
            return
        self.header.restore(state)
        self.bar.show_filter(from_state(state.get("filter")))
        self.reload(keep=False)
        if isinstance(state.get("current"), int) and state["current"] in self.labelling.list.ids:
            self.strip.set_current(state["current"])
        if len(state.get("splitter") or ()) == 2:
            self.splitter.setSizes(state["splitter"])

    def closing(self) -> None:
        """End the thread that reads images, and the flash."""
        self._history_timer.stop()
        self.stage.drop_flash()
        self.feed.close()
