"""Changes of an edit: the only information from which pages refresh."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.domain.text import Message


@dataclass(frozen=True)
class Changes:
    """The parts of a project changed by one edit (or by its undo or redo).

    `added` and `removed` are image ids; `labelled` are images whose labels (or whose crops' labels)
    changed; `cropped` are images whose crops changed; the flags mark whole lists that changed.
    """

    added: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()
    labelled: frozenset[int] = frozenset()
    cropped: frozenset[int] = frozenset()
    runs: frozenset[str] = frozenset()
    sources: bool = False
    label_sets: bool = False
    split: bool = False
    history: bool = False
    studies: bool = False
    versions: bool = False

    def __or__(self, other: Changes) -> Changes:
        return Changes(
            self.added | other.added,
            self.removed | other.removed,
            self.labelled | other.labelled,
            self.cropped | other.cropped,
            self.runs | other.runs,
            self.sources or other.sources,
            self.label_sets or other.label_sets,
            self.split or other.split,
            self.history or other.history,
            self.studies or other.studies,
            self.versions or other.versions,
        )

    def __bool__(self) -> bool:
        return self != Changes()


@dataclass(frozen=True)
class HistoryEntry:
    """An edit as listed in the history; `made_at` in seconds since the epoch."""

    id: int
    text: Message
    made_at: float
    undone: bool
