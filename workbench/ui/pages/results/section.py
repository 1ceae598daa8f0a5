"""Base of the sections of the Results page, which show a run in a scope."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import TARGET_HEAD, RunResults, Scope
from workbench.domain.text import Message, plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.parts.copying import Notify


@dataclass(frozen=True)
class RunInScope:
    """The run shown, the scope of its predictions, and the current labels of its images."""

    results: RunResults
    scope: Scope
    labels: CurrentLabels

    @property
    def names(self) -> tuple[str, ...]:
        """The labels of the head, as shown."""
        return label_names(self.results, self.scope.head)

    @property
    def several_labels(self) -> bool:
        """Whether the images may have several of the labels shown."""
        return self.results.marked is not None and self.scope.head == TARGET_HEAD

    def title(self, what: str) -> str:
        """The name of a file for `what` of this run and scope."""
        part = str(self.scope.part) if self.scope.part is not None else "all"
        names = (self.results.record.name, what, part, self.scope.view)
        return " ".join(name for name in names if name)


def label_names(results: RunResults, head: str) -> tuple[str, ...]:
    """The labels of a head. Those that are messages ("not …") are translated, names are not."""
    labels = results.label_list(head).labels
    return tuple(tr(label) if isinstance(label, Message) else label for label in labels)


def with_count(title: str, images: int) -> str:
    """The heading of the images behind a number: "Wrong: 3 images"."""
    return plural(images, "{title}: {n:,} image", "{title}: {n:,} images", title=title)


class ResultSection(QWidget):
    """A bar of small controls above the content of a section.

    `rows_requested(title, rows)` is emitted to show the images behind a number.
    """

    rows_requested = Signal(str, object)

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notify = notify
        self.shown: RunInScope | None = None
        self.caption = PlainLabel()
        self.caption.setProperty("role", "caption")
        self.caption.setWordWrap(True)
        self.bar = QHBoxLayout()
        self.bar.setSpacing(8)
        self.bar.addWidget(self.caption, 1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 8, 0, 0)
        self.column.setSpacing(8)
        self.column.addLayout(self.bar)

    def show_run(self, shown: RunInScope | None) -> None:
        """Show this run; None disables the section."""
        self.shown = shown
        self.setEnabled(shown is not None)
        if shown is not None:
            self.fill(shown)

    def file_name(self, what: str) -> str:
        """The name of a file for `what` of the run shown."""
        return self.shown.title(what) if self.shown is not None else what

    def fill(self, shown: RunInScope) -> None:
        """Show this run in this scope; overridden by subclasses."""
