"""What every section of the Results page is: shown a run in a scope, it points at rows."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import TARGET_HEAD, RunResults, Scope
from workbench.ui.parts.copying import Notify


@dataclass(frozen=True)
class RunInScope:
    """The run that is looked at, which of its predictions, and the labels its images have now."""

    results: RunResults
    scope: Scope
    labels: CurrentLabels

    @property
    def names(self) -> tuple[str, ...]:
        return self.results.label_list(self.scope.head).labels

    @property
    def several_labels(self) -> bool:
        """Whether the images may carry several of the labels that are looked at together."""
        return self.results.marked is not None and self.scope.head == TARGET_HEAD

    def title(self, what: str) -> str:
        """A file's name for `what` of this run and scope."""
        part = str(self.scope.part) if self.scope.part is not None else "all"
        return " ".join(
            word for word in (self.results.record.name, what, part, self.scope.view) if word
        )


class ResultSection(QWidget):
    """A bar of small controls over the section's content. `rows_wanted(title, rows)` asks for the
    images behind a number."""

    rows_wanted = Signal(str, object)

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notify = notify
        self.shown: RunInScope | None = None
        self.caption = QLabel()
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
        """Show this; None where there is no run to show."""
        self.shown = shown
        self.setEnabled(shown is not None)
        if shown is not None:
            self.fill(shown)

    def fill(self, shown: RunInScope) -> None:
        """Show this run in this scope; for subclasses."""
