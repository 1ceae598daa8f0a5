"""The Images page: every image of the project as a grid to look through, filter and label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QPushButton,
    QSlider,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.labels.labelling import assign
from workbench.app.session import Session
from workbench.app.similar.browsing import ImageList
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import LabelSet, Subject
from workbench.ui.commands import Action
from workbench.ui.dialogs.importing import SkippedDialog, ask_for_folder
from workbench.ui.look.icons import icon
from workbench.ui.page import Context, Page, PageHeader
from workbench.ui.pages.images.facts import ImageFacts
from workbench.ui.pages.images.groups import GroupPanel
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.filter_bar import FilterBar, from_state, to_state
from workbench.ui.parts.image_grid import ImageGrid, ImageTiles
from workbench.ui.parts.image_menu import pop_up, remove_images
from workbench.ui.parts.side import with_side
from workbench.ui.parts.similar_search import SimilarSearch
from workbench.ui.parts.tile_view import LARGEST, SMALLEST


class ImagesHeader(PageHeader):
    """Title and controls; the page listens to its signals."""

    sort_changed = Signal()
    set_changed = Signal(str)

    def __init__(self, title: str, session: Session) -> None:
        super().__init__(title)
        self._op = session
        self.counts = QLabel()
        self.counts.setProperty("role", "muted")
        self.skipped = QPushButton()
        self.skipped.setFlat(True)
        self.sets = QComboBox()
        self.sets.setToolTip(self.tr("The label set that keys give labels of"))
        self.order = QComboBox()
        self.order.setToolTip(self.tr("Order"))
        for sort, words in (
            (Sort.NAME, self.tr("by name")),
            (Sort.ADDED, self.tr("by import")),
            (Sort.CATEGORY, self.tr("by category")),
            (Sort.UNCERTAINTY, self.tr("by uncertainty")),
            (Sort.DISAGREEMENT, self.tr("by disagreement")),
        ):
            self.order.addItem(words, sort)
        self.way = QToolButton()
        self.way.setCheckable(True)
        self.way.setIcon(icon("sort-ascending", self))
        self.way.setIconSize(QSize(20, 20))
        self.way.setToolTip(self.tr("Turn the order round"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(SMALLEST, LARGEST)
        self.slider.setValue(160)
        self.slider.setMinimumWidth(48)
        self.slider.setMaximumWidth(112)
        self.slider.setToolTip(self.tr("Thumbnail size (Ctrl+wheel)"))
        self.add(self.counts, self.skipped)
        self.stretch()
        keys = QLabel(self.tr("Keys label"))
        keys.setProperty("role", "muted")
        self.add(keys)
        self.fill_sets()
        self.add_choices(self.sets, self.order)
        self.add(self.way, self.slider)
        self._connect()

    def _connect(self) -> None:
        self.order.currentIndexChanged.connect(lambda _: self.sort_changed.emit())
        self.way.toggled.connect(self._turned)
        self.sets.currentTextChanged.connect(self.set_changed)

    def _turned(self, down: bool) -> None:
        self.way.setIcon(icon("sort-descending" if down else "sort-ascending", self))
        self.sort_changed.emit()

    @property
    def sort(self) -> Sort:
        """The chosen order."""
        return Sort(self.order.currentData())

    @property
    def descending(self) -> bool:
        """Whether the order is turned round."""
        return self.way.isChecked()

    @property
    def label_set(self) -> str:
        """The label set of the keys."""
        return self.sets.currentText()

    def set_sort(self, sort: Sort, descending: bool) -> None:
        """Show an order without telling of it."""
        for widget in (self.order, self.way):
            widget.blockSignals(True)
        self.order.setCurrentIndex(self.order.findData(sort))
        self.way.setChecked(descending)
        self.way.setIcon(icon("sort-descending" if descending else "sort-ascending", self))
        for widget in (self.order, self.way):
            widget.blockSignals(False)

    def fill_sets(self) -> None:
        """List the label sets of images; "view" is chosen first."""
        chosen = self.sets.currentText() or "view"
        sets = self._op.store.labels.sets().values()
        names = [s.name for s in sets if s.subject is Subject.IMAGE]
        self.sets.blockSignals(True)
        self.sets.clear()
        self.sets.addItems(names)
        self.sets.setCurrentIndex(max(0, self.sets.findText(chosen)))
        self.sets.blockSignals(False)

    def say_counts(self, shown: int, total: int, selected: int) -> None:
        """How many of how many, and how many are selected."""
        text = self.tr("{0:,} of {1:,} images").format(shown, total)
        if selected > 1:
            text += " · " + self.tr("{0:,} selected").format(selected)
        self.counts.setText(text if total else "")

    def show_skipped(self) -> None:
        """A button where imports left files out."""
        skipped = sum(source.skipped for source in self._op.store.images.sources())
        self.skipped.setVisible(bool(skipped))
        self.skipped.setText(self.tr("{0:,} skipped files").format(skipped))

    def restore(self, state: dict[str, Any]) -> None:
        """Order, size and label set as they were."""
        sorts = {sort.value for sort in Sort}
        if state.get("sort") in sorts:
            self.set_sort(Sort(state["sort"]), bool(state.get("descending")))
        if isinstance(state.get("size"), int):
            self.slider.setValue(state["size"])
        at = self.sets.findText(str(state.get("set", "")))
        if at >= 0:
            self.sets.setCurrentIndex(at)


def images_actions(page: ImagesPage) -> list[Action]:
    """The page's actions, in the order of the menus."""
    tr = page.tr

    def some() -> bool:
        return len(page.chosen()) > 0

    def similar() -> None:
        page.similar.find(page.chosen().tolist())

    def take_out() -> None:
        remove_images(page.context, page.chosen())

    def zoom(name: str, title: str, step: int, key: str) -> Action:
        return Action(name, title, lambda: _resize(page, step), key, menu="View", repeats=True)

    bar, grid = page.bar, page.grid
    return [
        Action("clear_label", tr("No label"), lambda: page.give(None), "Backspace", some, "Label"),
        Action("select_all", tr("Select all"), grid.select_all, menu="Edit"),
        Action("search", tr("Search"), bar.search.setFocus, "Ctrl+F", menu="Edit"),
        Action("clear", tr("Clear filters"), bar.clear, "Ctrl+Shift+F", menu="View"),
        Action("similar", tr("Find similar"), similar, "Ctrl+J", some, "View"),
        Action("groups", tr("Groups…"), lambda: _groups(page), "Ctrl+G", menu="View"),
        zoom("larger", tr("Larger thumbnails"), 32, "Ctrl++"),
        zoom("smaller", tr("Smaller thumbnails"), -32, "Ctrl+-"),
        Action("skipped", tr("Skipped files…"), page.show_skipped, menu="File"),
        Action("take_out", tr("Take out of the project"), take_out, "Del", some, "Edit"),
        Action("views_of", tr("Find in Views"), lambda: _in_views(page), "V", some, "View"),
    ]


def _groups(page: ImagesPage) -> None:
    page.groups.open() if page.groups.isHidden() else page.groups.close_panel()


def _resize(page: ImagesPage, step: int) -> None:
    page.header.slider.setValue(page.header.slider.value() + step)


def _in_views(page: ImagesPage) -> None:
    image = page.grid.current()
    if image is not None:
        page.context.go("views", image=image)


CROWDED = 1100  # pixels of the page under which groups and facts do not stand side by side


class ImagesPage(Page):
    """Grid, filter bar and preview."""

    name = "images"
    title = "Images"
    icon_name = "ph.squares-four"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.list = ImageList(context.session)
        self._total = context.session.store.images.count()
        self.tiles = ImageTiles(context)
        self.grid = ImageGrid(self.tiles)
        self.header = ImagesHeader(self.tr("Images"), context.session)
        self.bar = FilterBar(context.session)
        self.side = ImageFacts(context)
        self.groups = GroupPanel(context, self.bar, self.header.label_set)
        self.similar = SimilarSearch(context, self.bar, self.list, self.tiles, self.header.order)
        self._pending = Changes()
        self._arrange()
        self._connect()
        self.setFocusProxy(self.grid)
        self.header.show_skipped()
        self.reload()

    def _arrange(self) -> None:
        self.none_yet = EmptyState(
            "image",
            self.tr("Drop folders of photographs or list files here, or choose a folder."),
            self.tr("Import folder…"),
            lambda: ask_for_folder(self.context, self),
        )
        self.none_found = EmptyState(
            "funnel",
            self.tr("No image answers these filters."),
            self.tr("Clear filters"),
            self.bar.clear,
        )
        self.stack = QStackedWidget()
        for widget in (self.grid, self.none_yet, self.none_found):
            self.stack.addWidget(widget)
        main = QWidget()
        column = QVBoxLayout(main)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        line = QWidget()
        filters = QVBoxLayout(line)
        filters.setContentsMargins(16, 0, 16, 0)
        filters.addWidget(self.bar)
        column.addWidget(self.header)
        column.addWidget(line)
        column.addWidget(self.stack, 1)
        self.splitter: QSplitter = with_side(main, self.side)
        self.splitter.insertWidget(0, self.groups)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.splitter)

    def _connect(self) -> None:
        self.bar.changed.connect(lambda _: self.reload(keep=self.similar.pending))
        self.similar.ranked.connect(lambda: self.reload(keep=False))
        self.header.sort_changed.connect(lambda: self.reload(keep=True))
        self.header.slider.valueChanged.connect(self.grid.set_tile_size)
        self.header.set_changed.connect(self.tiles.show_set)
        self.header.set_changed.connect(self.groups.show_set)
        self.groups.toggled.connect(self._make_room)
        self.header.skipped.clicked.connect(self.show_skipped)
        self.grid.current_changed.connect(lambda image: self.side.show_image(_known(image)))
        self.grid.selection_changed.connect(self._count)
        self.grid.activated.connect(lambda image: self.context.go("views", image=image))
        self.grid.menu_wanted.connect(self._menu)

    # what is shown

    def reload(self, keep: bool = True) -> None:
        """Ask the project for what the filter bar and the header say."""
        try:
            self.list.show(self.bar.filter, self.header.sort, self.header.descending)
        except KnownError as error:
            self.context.notify(str(error), "warn")
            self.header.set_sort(self.list.sort, self.list.descending)
            self.bar.show_filter(self.list.filter)
            return
        self.similar.follow()
        self.groups.follow()
        self._show_ids(keep)

    def _show_ids(self, keep: bool = True) -> None:
        self.grid.set_ids(self.list.ids, keep_position=keep)
        total = self._total
        empty = self.none_found if total else self.none_yet
        self.stack.setCurrentWidget(self.grid if len(self.list.ids) else empty)
        self.header.setEnabled(bool(total))
        self.bar.setVisible(bool(total))
        self._make_room()
        self._count()

    def _make_room(self) -> None:
        """Where the groups leave too little room, the facts give way to the images."""
        crowded = self.width() < CROWDED and not self.groups.isHidden()
        self.side.setVisible(bool(self._total) and not crowded)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def _count(self) -> None:
        self.header.say_counts(len(self.list.ids), self._total, self.grid.selected_count())

    def refresh(self, changes: Changes) -> None:
        """Draw anew what an edit touched; while the page is hidden, remember it for later."""
        self._pending = self._pending | changes
        if self.isVisible():
            self._take_pending()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._take_pending()

    def _take_pending(self) -> None:
        changes, self._pending = self._pending, Changes()
        if not changes:
            return
        if changes.added or changes.removed:
            self._total = self.context.session.store.images.count()
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

    def opened(self, **what: Any) -> None:
        """`filter` shows these images; `image` also chooses one of them; `similar` are images that
        others are ordered by."""
        wanted = what.get("filter")
        if isinstance(wanted, ImageFilter):
            self.bar.set_filter(wanted)
        if isinstance(what.get("image"), int):
            self.grid.set_current(what["image"])
        self.similar.find(what.get("similar") or ())

    # what is done

    def chosen(self) -> NDArray[np.int64]:
        """The selected images, or the current one."""
        selected = self.grid.selected()
        current = self.grid.current()
        if len(selected) or current is None:
            return selected
        return np.array([current], np.int64)

    def active_set(self) -> LabelSet:
        """The label set that keys give labels of."""
        found: LabelSet = self.context.session.store.labels.get(self.header.label_set)
        return found

    def give(self, label: str | None) -> None:
        """Give the chosen images a label of the active set (None: take it away)."""
        ids = self.chosen()
        if len(ids):
            assign(self.context.session, ids.tolist(), self.header.label_set, label)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.ShiftModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        label = self.active_set().label_for_key(event.text()) if plain and event.text() else None
        if label is not None and len(self.chosen()):
            self.give(label.name)
        else:
            super().keyPressEvent(event)

    def _menu(self, at: QPoint) -> None:
        pop_up(self.context, self, at, self.chosen(), self.header.label_set)

    def show_skipped(self) -> None:
        """The files imports left out, with their reasons."""
        dialog = SkippedDialog(self.context.session, self)
        dialog.exec()
        dialog.deleteLater()

    def actions(self) -> list[Action]:  # type: ignore[override]  # ours are data
        """What can be done on this page."""
        return images_actions(self)

    # a restart

    def save_state(self) -> dict[str, Any]:
        """Filter, order, size, selection, scroll, groups and splitter."""
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
        """Take up what `save_state` gave."""
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
        """End the readers of previews and of samples."""
        self.groups.closing()
        self.side.close_reader()


def _known(image: int) -> int | None:
    return image if image >= 0 else None
