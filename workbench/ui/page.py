"""The registry of pages, their base class, the context they receive, and layout helpers."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypedDict, TypeVar, Unpack

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
from workbench.domain.registry import Registry
from workbench.domain.text import mark, tr

if TYPE_CHECKING:
    from workbench.app.images.thumbnails import ThumbnailLoader
    from workbench.app.service import LearningService
    from workbench.app.session import Session
    from workbench.app.training.training_queue import TrainingQueue
    from workbench.domain.crops import Queue
    from workbench.domain.images import ImageFilter
    from workbench.domain.recipes import KeyValue

_Part = QWidget | QLayout
Item = _Part | tuple[_Part, int]  # with its stretch factor, 0 unless given
Margins = tuple[int, int, int, int]  # left, top, right, bottom in pixels


def column(
    *items: Item, on: QWidget | None = None, margins: Margins = (0, 0, 0, 0), spacing: int = 0
) -> QVBoxLayout:
    """A vertical layout of `items`, installed on the widget `on` if given; lengths in pixels."""
    made = QVBoxLayout() if on is None else QVBoxLayout(on)
    return _filled(made, items, margins, spacing)


def row(
    *items: Item, on: QWidget | None = None, margins: Margins = (0, 0, 0, 0), spacing: int = 0
) -> QHBoxLayout:
    """A horizontal layout of `items`, installed on the widget `on` if given; lengths in pixels."""
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
    """A widget with the given layout."""
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
    """A splitter whose parts cannot be collapsed.

    `sizes` (initial sizes) and `handle` (width of the handles) are in pixels, `stretch` are the
    stretch factors of the parts."""
    made = QSplitter(Qt.Orientation.Vertical if vertical else Qt.Orientation.Horizontal)
    made.setHandleWidth(handle)
    made.setChildrenCollapsible(False)
    for at, (part, share) in enumerate(zip(parts, stretch, strict=True)):
        made.addWidget(part)
        made.setStretchFactor(at, share)
    made.setSizes(sizes)
    return made


class PageTarget(TypedDict, total=False):
    """What a page is to show when it is opened; each page reads its own keys.

    An image, several images (`ids`), or those that are similar to others, by id; a run or a study,
    by id; runs whose `curves` are compared, by id; and values for the recipe keys `target` and
    `start`.
    """

    image: int
    ids: Sequence[int] | None
    similar: Sequence[int]
    filter: ImageFilter
    queue: Queue
    run: str
    curves: Sequence[str]
    study: str
    target: KeyValue
    start: KeyValue


class Go(Protocol):
    """Show another page, and a target in it."""

    def __call__(self, name: str, /, **what: Unpack[PageTarget]) -> None: ...


class Notify(Protocol):
    """Show a notification; `kind` is "info", "warn" or "bad", `show` shows more about it."""

    def __call__(self, text: str, kind: str, show: Callable[[], None] | None = None) -> None: ...


@dataclass(frozen=True)
class Context:
    """What a page needs: the project, the learning service, thumbnails, and two callbacks.

    `go(page, **what)` shows another page and passes `what` to its `show_target`.
    """

    session: Session
    service: LearningService
    queue: TrainingQueue
    thumbnails: ThumbnailLoader
    go: Go
    notify: Notify

    @contextmanager
    def reporting_errors(self, kind: str = "bad") -> Iterator[None]:
        """Show a KnownError raised in the block as a notification; the code after it continues."""
        try:
            yield
        except KnownError as error:
            self.notify(tr(error.message), kind)

    def can_edit(self) -> bool:
        """Whether the project can be changed; otherwise the reason is shown as a notification."""
        with self.reporting_errors():
            self.session.check_writable()
            return True
        return False


class Page(QWidget):
    """A page, created when it is first shown and updated from `Changes`.

    Its commands are its methods decorated with `@command`. Edits made while it is hidden are
    collected and shown together when it is shown again.
    """

    name: ClassVar[str] = ""  # of its entry in PAGES

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._loaded = False
        self._unseen = Changes()  # edits made since the page was up to date

    @property
    def title(self) -> str:
        """The title of its entry, translated."""
        return PAGES[self.name].title_now()

    def load(self) -> None:
        """Read the data that `__init__` has not read; called once, when the page is first shown."""

    def show_changes(self, changes: Changes) -> None:
        """Update what `changes` affects: one edit, or all edits made while the page was hidden."""

    def refresh(self, changes: Changes) -> None:
        """Show an edit now, or when the page is shown again if it is hidden."""
        self._unseen |= changes
        if self.isVisible():
            self.catch_up()

    def catch_up(self) -> None:
        """Load the page if necessary, and show the edits made while it was hidden."""
        changes, self._unseen = self._unseen, Changes()
        if not self._loaded:
            self._loaded = True
            self.load()
        if changes:
            self.show_changes(changes)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up before the page is visible."""
        super().showEvent(event)
        self.catch_up()

    def opened(self, **what: Unpack[PageTarget]) -> None:
        """Catch up, even if the window is not shown yet, and show the target `what`."""
        self.catch_up()
        self.show_target(**what)

    def show_target(self, **what: Unpack[PageTarget]) -> None:
        """Show the target that another page passed to `Context.go`; empty if the user opened the
        page."""

    def save_state(self) -> dict[str, Any]:
        """The state to restore after a restart, as JSON values."""
        return {}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `save_state`, possibly of an older version; ignore unknown keys."""

    def closing(self) -> None:
        """End threads and timers of this page; called when the window closes."""


@dataclass(frozen=True)
class PageEntry:
    """A page of the window; everything that lists pages reads its entry.

    title: marked text, for rail, header, menus and the list of shortcuts. icon: its name. page:
    "module:class", imported when the page is first shown; the class has the same `name`.
    """

    name: str
    title: str
    icon: str
    page: str

    def title_now(self) -> str:
        """The translated title."""
        return tr(self.title)

    def page_class(self) -> type[Page]:
        """Import the class of the page."""
        found: type[Page] = pkgutil.resolve_name(self.page)
        return found


PAGES: Registry[PageEntry] = Registry("page")  # in the order of the workflow
_AT = "workbench.ui.pages"
PAGES.register(PageEntry("images", mark("Images"), "squares-four", f"{_AT}.images.page:ImagesPage"))
PAGES.register(PageEntry("views", mark("Views"), "cube", f"{_AT}.views.page:ViewsPage"))
PAGES.register(PageEntry("mouths", mark("Mouths"), "smiley", f"{_AT}.mouths.page:MouthsPage"))
PAGES.register(PageEntry("train", mark("Train"), "play", f"{_AT}.train.page:TrainPage"))
PAGES.register(
    PageEntry("results", mark("Results"), "chart-bar", f"{_AT}.results.page:ResultsPage")
)
PAGES.register(
    PageEntry("explain", mark("Explain"), "magnifying-glass", f"{_AT}.explain.page:ExplainPage")
)


class PageHeader(QWidget):
    """The row at the top of a page: its title, then the page's own widgets."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(16, 12, 16, 8)
        self.row.setSpacing(8)
        label = QLabel(title)
        label.setProperty("role", "title")
        self.row.addWidget(label)

    def add(self, *widgets: QWidget) -> None:
        """Append widgets to the row."""
        for widget in widgets:
            self.row.addWidget(widget)

    def add_choices(self, *boxes: QComboBox) -> None:
        """Append combo boxes that shrink in a narrow window and get the keyboard focus only by Tab,
        so that keys go to the page."""
        for box in boxes:
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            widest = max((box.itemText(i) for i in range(box.count())), key=len, default="")
            box.setMinimumContentsLength(min(11, len(widest)))
            width = box.fontMetrics().horizontalAdvance(widest) + 48
            box.setMaximumWidth(max(96, width))
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self.row.addWidget(box, 100)

    def stretch(self) -> None:
        """Align the widgets added from now on to the right."""
        self.row.addStretch(1)
