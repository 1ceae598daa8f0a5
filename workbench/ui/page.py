"""What every page of the window is: its context, its actions as data, and its life."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QWidget

from workbench.domain.changes import Changes
from workbench.ui.commands import Action

if TYPE_CHECKING:
    from workbench.app.images.thumbnails import ThumbnailLoader
    from workbench.app.service import LearningService
    from workbench.app.session import Session
    from workbench.app.training.training_queue import TrainingQueue


@dataclass(frozen=True)
class Context:
    """What a page is handed: the project, the learning side, thumbnails, and two ways out.

    `go(page, **what)` shows another page and passes `what` to its `opened`; `notify(text, kind)`
    says a sentence without stopping anyone, `kind` being "info", "warn" or "bad".
    """

    session: Session
    service: LearningService
    queue: TrainingQueue
    thumbnails: ThumbnailLoader
    go: Callable[..., None]
    notify: Callable[[str, str], None]


class Page(QWidget):
    """One page: made when first shown, refreshed from `Changes` alone, deciding nothing."""

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    icon_name: ClassVar[str] = ""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def refresh(self, changes: Changes) -> None:
        """Show what `changes` touched; called after every edit, also while the page is hidden."""

    def actions(self) -> list[Action]:  # type: ignore[override]  # ours are data, not QActions
        """What can be done here; asked once, after the page was made."""
        return []

    def opened(self, **what: Any) -> None:
        """The page is being shown, perhaps because another one pointed at `what`."""

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
