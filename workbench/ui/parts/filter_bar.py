"""The filter bar: a search field, a menu of filters, and a chip for each active filter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from workbench.app.labels.label_overview import Heading, LabelOverview
from workbench.app.session import Session
from workbench.domain.images import ImageFilter, Similar
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.splits import PARTS
from workbench.domain.text import plural, tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import plain_text


@dataclasses.dataclass(frozen=True)
class Chip:
    """The text of one condition of a filter, and the filter without that condition."""

    text: str
    without: ImageFilter


def chips(shown: ImageFilter, sources: Mapping[int, str]) -> list[Chip]:
    """A chip per condition, except the search text, which has its own field.

    `sources` are the names of source folders by id.
    """
    found = []
    if shown.similar is not None:
        text = tr("Similar to {name}").format(name=shown.similar.name)
        found.append(Chip(text, _without(shown, similar=None)))
    if shown.source is not None:
        name = sources.get(shown.source, "?")
        found.append(Chip(tr("source: {name}").format(name=name), _without(shown, source=None)))
    for pair in shown.labels:
        label_set, label = pair
        text = tr("no {name}").format(name=label_set) if label is None else f"{label_set}: {label}"
        rest = tuple(other for other in shown.labels if other != pair)
        found.append(Chip(text, _without(shown, labels=rest)))
    if shown.part is not None:
        text = tr("part: {name}").format(name=tr(shown.part)) if shown.part else tr("in no part")
        found.append(Chip(text, _without(shown, part=None)))
    if shown.annotator:
        text = tr("labelled by {name}").format(name=shown.annotator)
        found.append(Chip(text, _without(shown, annotator="")))
    if shown.disagreement is not None:
        text = tr("{name} differs from the model's").format(name=shown.disagreement)
        found.append(Chip(text, _without(shown, disagreement=None)))
    if shown.ids is not None:
        count = plural(len(shown.ids), "{n:,} selected image", "{n:,} selected images")
        text = tr(shown.ids_name) or count
        found.append(Chip(text, _without(shown, ids=None, ids_name="")))
    return found


def _without(shown: ImageFilter, **changes: Any) -> ImageFilter:
    return dataclasses.replace(shown, **changes)


def with_label(shown: ImageFilter, label_set: str, label: str | None) -> ImageFilter:
    """The filter with a condition on `label_set`, replacing any other on this set.

    `label` None means images without a label of the set.
    """
    rest = tuple(pair for pair in shown.labels if pair[0] != label_set)
    return dataclasses.replace(shown, labels=(*rest, (label_set, label)))


def cell_filter(overview: LabelOverview, row: Heading, column: Heading, count: int) -> ImageFilter:
    """The filter for a cell of the coverage matrix that holds `count` images.

    For an empty cell these are the unlabelled images of the row.
    """
    found = ImageFilter()
    if row is not True:
        found = with_label(found, overview.rows, row)
    if column is not True:
        found = with_label(found, overview.label_set, column if count else None)
    return found


def to_state(shown: ImageFilter) -> dict[str, Any]:
    """The filter as JSON values."""
    state = dataclasses.asdict(shown)
    state["labels"] = [list(pair) for pair in shown.labels]
    state["ids"] = None if shown.ids is None else list(shown.ids)
    return state


def from_state(state: Mapping[str, Any] | None) -> ImageFilter:
    """The filter from the result of `to_state`; an empty filter for invalid values."""
    if not isinstance(state, dict):
        return ImageFilter()
    state = {"ids_name": state.get("said", ""), **state}  # as older versions stored it
    known = {field.name for field in dataclasses.fields(ImageFilter)}
    values = {name: value for name, value in state.items() if name in known}
    try:
        values["labels"] = tuple((str(s), label) for s, label in values.get("labels") or ())
        ids = values.get("ids")
        values["ids"] = None if ids is None else tuple(int(image) for image in ids)
        like = values.get("similar")
        values["similar"] = None if like is None else _similar(like)
        return ImageFilter(**values)
    except (TypeError, ValueError, KeyError):
        return ImageFilter()


def _similar(state: Mapping[str, Any]) -> Similar:
    images = tuple(int(image) for image in state["images"])
    return Similar(images, str(state["name"]), str(state["features"]))


_CHIP = 200  # largest width of a chip's text in pixels
_MENU = 60  # largest number of labels in a menu


class FilterBar(QWidget):
    """An editor for an `ImageFilter`; `changed(filter)` is emitted when it changes."""

    changed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._filter = ImageFilter()
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search names and folders"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(96)
        self.search.setMaximumWidth(240)
        self._typing = QTimer(self, singleShot=True, interval=250)
        self._typing.timeout.connect(self._apply_search)
        self.search.textEdited.connect(lambda _: self._typing.start())
        self.search.textChanged.connect(lambda text: None if text else self._typing.start())
        self.add_button = QToolButton()
        self.add_button.setIcon(icon("funnel", self))
        self.add_button.setText(tr("Filter"))
        self.add_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.add_button.setProperty("framed", True)
        self.add_button.setToolTip(tr("Show only some images"))
        self.add_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.add_button.setMenu(self.menu)
        self.clear_button = QPushButton(tr("Clear filters"))
        self.clear_button.setFlat(True)
        self.clear_button.clicked.connect(self.clear)
        self._chips: list[QToolButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self._row.addWidget(self.search, 1)
        self._row.addWidget(self.add_button)
        self._row.addWidget(self.clear_button)
        self._row.addStretch(2)
        self._draw()

    @property
    def filter(self) -> ImageFilter:
        """The current filter."""
        return self._filter

    def set_filter(self, new: ImageFilter) -> None:
        """Change the filter and emit `changed`."""
        self.show_filter(new)
        self.changed.emit(new)

    def show_filter(self, new: ImageFilter) -> None:
        """Change the filter without emitting `changed`."""
        self._filter = new
        if self.search.text() != new.text:
            self.search.blockSignals(True)
            self.search.setText(new.text)
            self.search.blockSignals(False)
        self._draw()

    def add_after_chips(self, widget: QWidget) -> None:
        """Add a widget after the chips."""
        self._row.insertWidget(self._row.indexOf(self.clear_button), widget)

    def clear(self) -> None:
        """Show all images."""
        self.set_filter(ImageFilter())

    def _apply_search(self) -> None:
        text = self.search.text().strip()
        if text != self._filter.text:
            self.set_filter(dataclasses.replace(self._filter, text=text))

    def _sources(self) -> dict[int, str]:
        return {s.id: Path(s.path).name or s.path for s in self._session.images.sources()}

    def _draw(self) -> None:
        for old in self._chips:
            self._row.removeWidget(old)
            old.hide()
            old.deleteLater()
        found = chips(self._filter, self._sources() if self._filter.source is not None else {})
        self._chips = [self._chip(chip) for chip in found]
        for at, drawn in enumerate(self._chips):
            self._row.insertWidget(2 + at, drawn)
        self.clear_button.setVisible(self._filter != ImageFilter())

    def _chip(self, chip: Chip) -> QToolButton:
        drawn = QToolButton(self)
        drawn.setProperty("framed", True)
        metrics = QFontMetrics(drawn.font())
        drawn.setText(metrics.elidedText(chip.text, Qt.TextElideMode.ElideMiddle, _CHIP))
        drawn.setIcon(icon("x", self, "muted"))
        drawn.setIconSize(QSize(14, 14))
        drawn.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        drawn.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        tip = tr("{filter} – click to remove this filter").format(filter=chip.text)
        drawn.setToolTip(plain_text(tip))
        drawn.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        drawn.clicked.connect(lambda: self.set_filter(chip.without))
        return drawn

    def _fill_menu(self) -> None:
        self.menu.clear()
        for label_set in self._session.labels.sets().values():
            if label_set.subject is Subject.IMAGE:
                self._add_set(label_set)
        self._add_parts()
        self._add_sources()
        self._add_annotators()
        self.menu.addSeparator()
        for name, label_set in self._session.labels.sets().items():
            if label_set.subject is Subject.IMAGE and label_set.labels:
                text = tr("{name} differs from the model's").format(name=name.capitalize())
                changed = dataclasses.replace(self._filter, disagreement=name)
                self.menu.addAction(text, partial(self.set_filter, changed))

    def _add_set(self, label_set: LabelSet) -> None:
        counts = self._session.labels.counts(label_set.name)
        menu = self.menu.addMenu(label_set.name.capitalize())
        missing = tr("without a label ({count:,})").format(count=counts.get("", 0))
        menu.addAction(missing, lambda: self._filter_label(label_set.name, None))
        menu.addSeparator()
        for name in label_set.names[:_MENU]:
            text = f"{name} ({counts.get(name, 0):,})"
            menu.addAction(text, partial(self._filter_label, label_set.name, name))
        if len(label_set.names) > _MENU:
            left = len(label_set.names) - _MENU
            more = menu.addAction(plural(left, "{n:,} more label", "{n:,} more labels"))
            more.setEnabled(False)

    def _filter_label(self, label_set: str, label: str | None) -> None:
        self.set_filter(with_label(self._filter, label_set, label))

    def _add_parts(self) -> None:
        counts = self._session.splits.counts()
        menu = self.menu.addMenu(tr("Part of the split"))
        menu.setEnabled(bool(counts))
        for part in PARTS:
            changed = dataclasses.replace(self._filter, part=part.value)
            text = f"{tr(part)} ({counts.get(part, 0):,})"
            menu.addAction(text, partial(self.set_filter, changed))

    def _add_sources(self) -> None:
        menu = self.menu.addMenu(tr("Source folder"))
        for source, name in self._sources().items():
            changed = dataclasses.replace(self._filter, source=source)
            menu.addAction(name, partial(self.set_filter, changed))
        menu.setEnabled(not menu.isEmpty())

    def _add_annotators(self) -> None:
        names = self._session.annotators.names().values()
        menu = self.menu.addMenu(tr("Labelled by"))
        for name in list(names)[:_MENU]:
            changed = dataclasses.replace(self._filter, annotator=name)
            menu.addAction(name, partial(self.set_filter, changed))
        menu.setEnabled(not menu.isEmpty())
