"""The Images page: all images of the project in a grid, to filter, sort and label them."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget

from workbench.app.labels.labelling import assign
from workbench.app.similar.browsing import ImageList
from workbench.domain.changes import Changes
from workbench.domain.labels import LabelSet
from workbench.domain.text import mark, tr
from workbench.ui.commands import Menu, command
from workbench.ui.dialogs.importing import SkippedDialog, import_folder
from workbench.ui.page import Context, Page, PageTarget, boxed, column
from workbench.ui.pages.images.facts import ImageFacts
from workbench.ui.pages.images.groups import GroupPanel
from workbench.ui.pages.images.header import ImagesHeader
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.filter_bar import FilterBar, from_state, to_state
from workbench.ui.parts.image_grid import ImageGrid, ImageTiles
from workbench.ui.parts.image_menu import pop_up, remove_images
from workbench.ui.parts.side import with_side
from workbench.ui.parts.similar_search import SimilarSearch

ZOOM_STEP = 32  # pixels of a thumbnail's side
CROWDED = 1100  # page width in pixels below which groups and preview are not both shown


class ImagesPage(Page):
    """Grid, filter bar, preview and groups."""

    name = "images"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.list = ImageList(context.session)
        self._total = context.session.images.count()
        self.tiles = ImageTiles(context)
        self.grid = ImageGrid(self.tiles)
        self.header = ImagesHeader(self.title, context.session)
        self.bar = FilterBar(context.session)
        self.side = ImageFacts(context)
        self.groups = GroupPanel(context, self.bar, self.header.label_set)
        self.similar = SimilarSearch(context, self.bar, self.list, self.tiles, self.header.order)
        self._arrange()
        self._connect()
        self.setFocusProxy(self.grid)
        self.header.show_skipped()
        self.reload()

    def _arrange(self) -> None:
        self.no_images = EmptyState(
            "image",
            tr("Drop image folders or list files here, or choose a folder."),
            tr("Import folder…"),
            lambda: import_folder(self.context, self),
        )
        self.no_matches = EmptyState(
            "funnel",
            tr("No images match these filters."),
            tr("Clear filters"),
            self.bar.clear,
        )
        self.stack = QStackedWidget()
        for widget in (self.grid, self.no_images, self.no_matches):
            self.stack.addWidget(widget)
        line = boxed(column(self.bar, margins=(16, 0, 16, 0)))
        main = boxed(column(self.header, line, (self.stack, 1), spacing=8))
        self.splitter: QSplitter = with_side(main, self.side)
        self.splitter.insertWidget(0, self.groups)
        column(self.splitter, on=self)

    def _connect(self) -> None:
        self.bar.changed.connect(lambda _: self.reload(keep=self.similar.pending))
        self.similar.ranked.connect(lambda: self.reload(keep=False))
        self.header.sort_changed.connect(lambda: self.reload(keep=True))
        self.header.slider.valueChanged.connect(self.grid.set_tile_size)
        self.header.set_changed.connect(self.tiles.show_set)
        self.header.set_changed.connect(self.groups.show_set)
        self.groups.toggled.connect(self._fit_panels)
        self.header.skipped.clicked.connect(self.show_skipped)
        self.grid.current_changed.connect(
            lambda image: self.side.show_image(image if image >= 0 else None)
        )
        self.grid.selection_changed.connect(self._show_counts)
        self.grid.activated.connect(lambda image: self.context.go("views", image=image))
        self.grid.menu_requested.connect(self._show_menu)

    # display

    def reload(self, keep: bool = True) -> None:
        """List the images for the filter bar and the sort order of the header; if they cannot be,
        report why and show the previous filter and order."""
        with self.context.reporting_errors("warn"):
            self.list.show(self.bar.filter, self.header.sort, self.header.descending)
            self.similar.follow()
            self.groups.follow()
            self._show_ids(keep)
            return
        self.header.set_sort(self.list.sort, self.list.descending)
        self.bar.show_filter(self.list.filter)

    def _show_ids(self, keep: bool = True) -> None:
        self.grid.set_ids(self.list.ids, keep_position=keep)
        total = self._total
        empty = self.no_matches if total else self.no_images
        self.stack.setCurrentWidget(self.grid if len(self.list.ids) else empty)
        self.header.setEnabled(bool(total))
        self.bar.setVisible(bool(total))
        self._fit_panels()
        self._show_counts()

    def _fit_panels(self) -> None:
        """Hide the preview in an empty project, and where the groups leave it no room."""
        crowded = self.width() < CROWDED and not self.groups.isHidden()
        self.side.setVisible(bool(self._total) and not crowded)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_panels()

    def _show_counts(self) -> None:
        self.header.show_counts(len(self.list.ids), self._total, self.grid.selected_count())

    def show_changes(self, changes: Changes) -> None:
        """Redraw what edits changed."""
        if changes.added or changes.removed:
            self._total = self.context.session.images.count()
        if changes.sources:
            self.header.show_skipped()
        if changes.label_sets:
            self.header.fill_sets()
            self.tiles.show_set(self.header.label_set)
            self.groups.show_set(self.header.label_set)
        self.groups.refresh(changes)
        touched = changes.labelled | changes.added | changes.removed
        everything = changes.split or changes.label_sets or changes.sources
        if touched or everything:
            self.tiles.forget(None if everything else touched)
        if self.list.update(changes):
            self._show_ids()
        if touched or everything:
            self.side.refresh(sources=changes.sources)

    def show_target(self, **what: Unpack[PageTarget]) -> None:
        """Apply `filter`, go to `image`, and sort by similarity to the images `similar`; each is
        optional."""
        if "filter" in what:
            self.bar.set_filter(what["filter"])
        if "image" in what:
            self.grid.set_current(what["image"])
        self.similar.find(what.get("similar") or ())

    # labelling

    def selected(self) -> NDArray[np.int64]:
        """Ids of the selected images, or of the current one."""
        selected = self.grid.selected()
        current = self.grid.current()
        if len(selected) or current is None:
            return selected
        return np.array([current], np.int64)

    def active_set(self) -> LabelSet:
        """The label set whose labels the keys assign."""
        found: LabelSet = self.context.session.labels.get(self.header.label_set)
        return found

    def set_label(self, label: str | None) -> None:
        """Assign a label of the active set to the selected images; None clears their labels."""
        ids = self.selected()
        if len(ids):
            assign(self.context.session, ids.tolist(), self.header.label_set, label)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.ShiftModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        label = self.active_set().label_for_key(event.text()) if plain and event.text() else None
        if label is not None and len(self.selected()):
            self.set_label(label.name)
        else:
            super().keyPressEvent(event)

    def _show_menu(self, at: QPoint) -> None:
        pop_up(self.context, self, at, self.selected(), self.header.label_set)

    # commands, in the order of the menus

    def has_images(self) -> bool:
        """Whether an image is selected or current."""
        return len(self.selected()) > 0

    @command(mark("Clear label"), key="Backspace", menu=Menu.LABEL, when=has_images, edits=True)
    def clear_label(self) -> None:
        """Remove the labels of the selected images."""
        self.set_label(None)

    @command(mark("Select all"), menu=Menu.EDIT)
    def select_all(self) -> None:
        """Select all listed images."""
        self.grid.select_all()

    @command(mark("Search"), key="Ctrl+F", menu=Menu.EDIT)
    def search(self) -> None:
        """Move the focus to the search field."""
        self.bar.search.setFocus()

    @command(
        mark("Clear filters"),
        id="clear",
        key="Ctrl+Shift+F",
        menu=Menu.VIEW,
    )
    def clear_filters(self) -> None:
        """Show all images."""
        self.bar.clear()

    @command(
        mark("Find similar"),
        id="similar",
        key="Ctrl+J",
        menu=Menu.VIEW,
        when=has_images,
    )
    def find_similar(self) -> None:
        """Sort the images by similarity to the selected ones."""
        self.similar.find(self.selected().tolist())

    @command(mark("Groups"), id="groups", key="Ctrl+G", menu=Menu.VIEW)
    def toggle_groups(self) -> None:
        """Open or close the panel of groups."""
        self.groups.open() if self.groups.isHidden() else self.groups.close_panel()

    @command(
        mark("Larger thumbnails"),
        key="Ctrl++",
        menu=Menu.VIEW,
        repeats=True,
    )
    def larger(self) -> None:
        """Enlarge the thumbnails."""
        self.header.slider.setValue(self.header.slider.value() + ZOOM_STEP)

    @command(
        mark("Smaller thumbnails"),
        key="Ctrl+-",
        menu=Menu.VIEW,
        repeats=True,
    )
    def smaller(self) -> None:
        """Shrink the thumbnails."""
        self.header.slider.setValue(self.header.slider.value() - ZOOM_STEP)

    @command(mark("Skipped files…"), id="skipped", menu=Menu.FILE)
    def show_skipped(self) -> None:
        """Show the files that imports skipped, with the reasons."""
        dialog = SkippedDialog(self.context.session, self)
        dialog.exec()
        dialog.deleteLater()

    @command(
        mark("Remove from project"),
        id="take_out",
        key="Del",
        menu=Menu.EDIT,
        when=has_images,
        edits=True,
    )
    def remove_selected(self) -> None:
        """Remove the selected images from the project; their files stay."""
        remove_images(self.context, self.selected())

    @command(
        mark("Find in Views"),
        id="views_of",
        key="V",
        menu=Menu.VIEW,
        when=has_images,
    )
    def show_in_views(self) -> None:
        """Show the current image on the Views page."""
        image = self.grid.current()
        if image is not None:
            self.context.go("views", image=image)

    # state

    def save_state(self) -> dict[str, Any]:
        """Filter, sort order, thumbnail size, selection, scroll position, groups and splitter."""
        return {
            "filter": to_state(self.list.filter),
            "sort": self.list.sort.value,
            "descending": self.list.descending,
            "size": self.grid.tile_size(),
            "set": self.header.label_set,
            "current": self.grid.current(),
            "selected": self.grid.selected()[:1000].tolist(),
            "scroll": self.grid.scroll_position(),
            "groups": not self.groups.isHidden(),
            "splitter": self.splitter.sizes(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `save_state` returned."""
        if not state:
            return
        self.header.restore(state)
        self.bar.show_filter(from_state(state.get("filter")))
        self.reload(keep=False)
        if isinstance(state.get("current"), int):
            self.grid.set_current(state["current"])
        if len(state.get("selected") or ()) > 1:
            self.grid.select(np.array(state["selected"], np.int64))
        if state.get("groups"):
            self.groups.open()
        if len(state.get("splitter") or ()) == self.splitter.count():
            self.splitter.setSizes(state["splitter"])
        self.grid.restore_scroll(int(state.get("scroll") or 0))

    def closing(self) -> None:
        """End the threads that read images for the preview and the groups."""
        self.groups.closing()
        self.side.close_reader()
