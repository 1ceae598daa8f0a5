"""What every page of the window is: its context, what it shows of a project, and its life."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.text import tr

if TYPE_CHECKING:
    from workbench.app.images.thumbnails import ThumbnailLoader
    from workbench.app.service import LearningService
    from workbench.app.session import Session
    from workbench.app.training.training_queue import TrainingQueue

_Part = QWidget | QLayout
Item = _Part | tuple[_Part, int]  # with its stretch factor, 0 unless given
Margins = tuple[int, int, int, int]  # left, top, right, bottom in pixels


def column(
    *items: Item, on: QWidget | None = None, margins: Margins = (0, 0, 0, 0), spacing: int = 0
) -> QVBoxLayout:
    """A layout of items one under another, installed on the widget `on` where that is given."""
    made = QVBoxLayout() if on is None else QVBoxLayout(on)
    return _filled(made, items, margins, spacing)


def row(
    *items: Item, on: QWidget | None = None, margins: Margins = (0, 0, 0, 0), spacing: int = 0
) -> QHBoxLayout:
    """A layout of items side by side, installed on the widget `on` where that is given."""
    made = QHBoxLayout() if on is None else QHBoxLayout(on)
    return _filled(made, items, margins, spacing)


Box = TypeVar("Box", bound=QBoxLayout)


def _filled(box: Box, items: Iterable[Item], margins: Margins, spacing: int) -> Box:
    box.setContentsMargins(*margins)
    box.setSpacing(spacing)
    for item in items:
        part, stretch = item if isinstance(item, tuple) else (item, 0)
        if isinstance(part, QWidget):
            box.addWidget(part, stretch)
        else:
            box.addLayout(part, stretch)
    return box


def boxed(layout: QLayout) -> QWidget:
    """A widget that holds a layout."""
    made = QWidget()
    made.setLayout(layout)
    return made


def split(
    *parts: QWidget,
    sizes: Sequence[int],
    stretch: Sequence[int],
    handle: int = 4,
    vertical: bool = False,
) -> QSplitter:
    """A splitter whose parts cannot be closed. `sizes` and `handle` are in pixels, `stretch` are
    the shares of the parts in what a larger window adds."""
    made = QSplitter(Qt.Orientation.Vertical if vertical else Qt.Orientation.Horizontal)
    made.setHandleWidth(handle)
    made.setChildrenCollapsible(False)
    for at, (part, share) in enumerate(zip(parts, stretch, strict=True)):
        made.addWidget(part)
        made.setStretchFactor(at, share)
    made.setSizes(sizes)
    return made


@dataclass(frozen=True)
class Context:
    """What a page is handed: the project, the learning side, thumbnails, and two ways out.

    `go(page, **what)` shows another page and passes `what` to its `show_target`;
    `notify(text, kind)` shows a sentence without stopping anyone, `kind` being "info", "warn" or
    "bad".
    """

    session: Session
    service: LearningService
    queue: TrainingQueue
    thumbnails: ThumbnailLoader
    go: Callable[..., None]
    notify: Callable[[str, str], None]

    @contextmanager
    def reporting_errors(self, kind: str = "bad") -> Iterator[None]:
        """Notify of a KnownError that ends the block; everything after the block goes on."""
        try:
            yield
        except KnownError as error:
            self.notify(tr(error.message), kind)


class Page(QWidget):
    """One page: made when first shown, refreshed from `Changes` alone, deciding nothing.

    Its commands are its methods under `@command`. Edits made while it is hidden are collected and
    shown together when it is shown next.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._loaded = False
        self._unseen = Changes()  # edits made since the page was up to date

    def load(self) -> None:
        """Read what is shown, once, when the page is first shown; what `__init__` reads need not
        be read again."""

    def show_changes(self, changes: Changes) -> None:
        """Show what the edits in `changes` touched: one edit, or all those of the time hidden."""

    def refresh(self, changes: Changes) -> None:
        """Show an edit now, or remember it while the page is hidden."""
        self._unseen |= changes
        if self.isVisible():
            self.catch_up()

    def catch_up(self) -> None:
        """Show what happened while the page was hidden; nothing where nothing did."""
        changes, self._unseen = self._unseen, Changes()
        if not self._loaded:
            self._loaded = True
            self.load()
        if changes:
            self.show_changes(changes)

    def showEvent(self, event: QShowEvent) -> None:
        """Come up to date before the page is seen."""
        super().showEvent(event)
        self.catch_up()

    def opened(self, **what: Any) -> None:
        """Come up to date, also in a window that is not shown yet, and show what another page
        pointed at."""
        self.catch_up()
        self.show_target(**what)

    def show_target(self, **what: Any) -> None:
        """Show `what` another page pointed at; nothing where a person opened the page."""

    def save_state(self) -> dict[str, Any]:
        """What must be as it was after a restart, as values JSON can hold."""
        return {}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Take up what `save_state` gave, perhaps in an older version: unknown keys are ignored."""

    def closing(self) -> None:
        """The window closes: end threads and timers of this page."""


class PageHeader(QWidget):
    """The line at the top of a page: its title, then what the page puts beside it."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(16, 12, 16, 8)
        self.row.setSpacing(8)
        label = QLabel(title)
        label.setProperty("role", "title")
        self.row.addWidget(label)

    def add(self, *widgets: QWidget) -> None:
        """Put widgets after what is there."""
        for widget in widgets:
            self.row.addWidget(widget)

    def add_choices(self, *boxes: QComboBox) -> None:
        """Put combo boxes after what is there; they give way where the window is narrow, and leave
        the keys to the page until Tab goes to them."""
        for box in boxes:
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            widest = max((box.itemText(i) for i in range(box.count())), key=len, default="")
            box.setMinimumContentsLength(min(11, len(widest)))
            wanted = box.fontMetrics().horizontalAdvance(widest) + 48
            box.setMaximumWidth(max(96, wanted))
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self.row.addWidget(box, 100)

    def stretch(self) -> None:
        """What is added from here on stands at the right."""
        self.row.addStretch(1)
