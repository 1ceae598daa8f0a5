"""The project that is open: every edit goes through here and is told to whoever shows it."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import JobRunner
from workbench.app.readers import (
    ClusteringReader,
    CropReader,
    HistoryReader,
    ImageReader,
    LabelReader,
    RunReader,
    SettingsReader,
    SplitReader,
    StudyReader,
)
from workbench.domain.changes import Changes
from workbench.storage.history import Edit
from workbench.storage.project import Project


class Session(QObject):
    """An open project, its jobs, and the signal `changed` that carries what each edit changed.

    The window and the commands read the project's parts (`images`, `labels`, …) and write by the
    methods here and in app; `store`, which can write anything, is for app alone.
    """

    changed = Signal(object)
    closed = Signal()  # its store answers no longer

    def __init__(self, store: Project, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.images: ImageReader = store.images
        self.labels: LabelReader = store.labels
        self.crops: CropReader = store.crops
        self.splits: SplitReader = store.splits
        self.runs: RunReader = store.runs
        self.studies: StudyReader = store.studies
        self.clusterings: ClusteringReader = store.clusterings
        self.history: HistoryReader = store.history
        self.settings: SettingsReader = store.settings
        self.jobs = JobRunner(self)
        self._depth = 0

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the project in `folder`; raises KnownError as `Project.open` does."""
        return cls(Project.open(folder))

    @classmethod
    def create(cls, folder: Path, views: str = "cars") -> Self:
        """Make a project and open it; raises KnownError as `Project.create` does."""
        return cls(Project.create(folder, views))

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.store.folder

    @property
    def name(self) -> str:
        """The folder's name without its suffix."""
        return self.store.name

    @property
    def runs_folder(self) -> Path:
        """The folder that has a folder of each run, by its id."""
        return self.store.runs_folder

    @contextmanager
    def edit(self, text: str, joined_to: int | None = None) -> Generator[Edit, None, None]:
        """One undoable edit: committed when the block ends, then told. An edit inside an edit is
        part of the outer one. `joined_to` continues an earlier edit, if it is still the newest."""
        self._depth += 1
        try:
            with self.store.edit(text, joined_to) as edit:
                yield edit
        finally:
            self._depth -= 1
        if self._depth == 0:
            self.announce(edit.changes)

    def announce(self, changes: Changes) -> None:
        """Tell of a change that is no edit (a run's progress)."""
        if changes:
            self.changed.emit(changes)

    def remove_images(self, ids: Iterable[int]) -> None:
        """Remove images from the project (never the files), as one edit that can be undone."""
        chosen = list(ids)
        with self.edit(f"Remove {len(chosen)} image{'s' * (len(chosen) != 1)}"):
            self.store.images.remove(chosen)

    def rename_run(self, run_id: str, name: str) -> None:
        """Give a run another name; an empty one leaves the former. Raises KnownError where there is
        no such run."""
        if name.strip():
            self.store.runs.update(run_id, name=name.strip())
            self.announce(Changes(runs=frozenset({run_id})))

    def remove_run(self, run_id: str) -> None:
        """Delete a run with its folder, for good. Where a training queue is open, its `remove` does
        this after it has let go of the run. Raises KnownError where there is no such run."""
        self.store.runs.remove(run_id)
        shutil.rmtree(self.store.runs_folder / run_id, ignore_errors=True)
        self.announce(Changes(runs=frozenset({run_id})))

    def remember(self, key: str, value: object) -> None:
        """Store a value that JSON can hold in the project's settings; no edit, shown nowhere."""
        self.store.settings.put(key, value)

    def undo(self) -> str | None:
        """Take the newest edit back; its text, or None when there is none."""
        return self._told(self.store.history.undo())

    def redo(self) -> str | None:
        """Make the edit last taken back again; its text, or None when there is none."""
        return self._told(self.store.history.redo())

    def close(self) -> None:
        """Stop the jobs, wait for them, and close the project. Closing twice is harmless."""
        self.jobs.stop_all_and_wait()
        self.closed.emit()
        self.store.close()

    def _told(self, done: tuple[str, Changes] | None) -> str | None:
        if done is None:
            return None
        text, changes = done
        self.announce(changes)
        return text
