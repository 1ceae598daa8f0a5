"""The project that is open: its parts to read, and the edits, told to whoever shows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Failed, Job, JobRunner, Outcome, Task, nothing
from workbench.domain.changes import Changes, HistoryEntry
from workbench.domain.clusters import Clustering, Clusters
from workbench.domain.crops import Crop
from workbench.domain.images import ImageFilter, ImageRow, SkippedFile, Sort, Source
from workbench.domain.labels import Annotation, LabelSet
from workbench.domain.metrics import IntArray
from workbench.domain.reports import Epoch
from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.studies import Study
from workbench.domain.text import Message, counted
from workbench.storage.history import Edit
from workbench.storage.project import Project

T = TypeVar("T")


class ImageReader(Protocol):
    """Images and their sources."""

    def ids(self, filter: ImageFilter = ..., sort: Sort = ..., descending: bool = ...) -> IntArray:
        """Ids of the images that match `filter`, sorted."""

    def rows(self, ids: Iterable[int] | IntArray) -> list[ImageRow]:
        """The images with these ids, in their order; unknown ids are left out."""

    def row(self, id: int) -> ImageRow:
        """One image; raises KnownError when there is none with this id."""

    def count(self) -> int:
        """The number of images."""

    def sources(self) -> list[Source]:
        """All sources, with the numbers of their images and skipped files."""

    def skipped(self, source_id: int) -> list[SkippedFile]:
        """The files of a source that could not be imported, and why."""

    def places(self, id: int) -> list[tuple[int, str]]:
        """Each place of an image: source id and path in the source."""


class LabelReader(Protocol):
    """Label sets, and the labels of images and crops."""

    def sets(self) -> Mapping[str, LabelSet]:
        """All label sets by name, in the order they were made."""

    def get(self, name: str) -> LabelSet:
        """One label set; raises ValueRefused naming those there are."""

    def counts(self, label_set: str) -> Mapping[str, int]:
        """The number of images (or crops) with each label; "" for those without one."""

    def label_ids(self, ids: Iterable[int] | IntArray, label_set: str) -> IntArray:
        """Position of each image's label in its set, -1 without one."""

    def of_crops(
        self, crop_ids: Iterable[int] | IntArray, label_set: str
    ) -> Mapping[int, tuple[str, ...]]:
        """The labels of each crop that has any, in the order of the set."""

    def history(self, image_id: int) -> list[Annotation]:
        """Every label the image or its crops ever had, oldest first."""


class CropReader(Protocol):
    """Crops of mouths."""

    def of_images(self, ids: Iterable[int] | IntArray) -> Mapping[int, list[Crop]]:
        """The crops of each of these images that has any."""

    def get(self, ids: Iterable[int] | IntArray) -> list[Crop]:
        """The crops with these ids, in their order; unknown ids are left out."""


class SplitReader(Protocol):
    """The current split."""

    def current(self) -> tuple[int, SplitPlan] | None:
        """Its id and plan, or None."""

    def counts(self) -> Mapping[Part, int]:
        """The number of images in each part."""


class RunReader(Protocol):
    """Runs and their epochs."""

    def get(self, id: str) -> RunRecord:
        """One run; raises KnownError when there is none with this id."""

    def all(self) -> list[RunRecord]:
        """All runs, newest first."""

    def epochs(self, id: str) -> list[Epoch]:
        """The finished epochs of a run, in order."""


class StudyReader(Protocol):
    """Studies with the runs of their cells."""

    def all(self) -> list[Study]:
        """All studies, newest first."""


class ClusteringReader(Protocol):
    """Groupings of the images."""

    @property
    def folder(self) -> Path:
        """The folder that has a folder of each grouping, by its id."""

    def all(self) -> list[Clustering]:
        """The finished ones, newest first."""

    def read(self, id: str) -> Clusters:
        """The members of each group; raises KnownError where the file is gone or damaged."""


class HistoryReader(Protocol):
    """The project's edits."""

    def undo_text(self) -> Message | None:
        """The edit that undo would take back, or None."""

    def redo_text(self) -> Message | None:
        """The edit that redo would make again, or None."""

    def entries(self, limit: int = 100) -> list[HistoryEntry]:
        """The newest edits first."""


class SettingsReader(Protocol):
    """Values that JSON can hold, by name."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value stored under `key`, or `default`."""


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
        with self.edit(counted(len(chosen), "Remove {n:,} image", "Remove {n:,} images")):
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

    def start(
        self,
        task: Task[T],
        *,
        done: Callable[[T], None] = nothing,
        failed: Callable[[Failed], None] = nothing,
        ended: Callable[[Outcome[T]], None] = nothing,
        reported: Callable[[object], None] = nothing,
    ) -> Job[T]:
        """Begin a task in a thread of its own. Here, in the owner's thread, `reported` takes each
        report, `ended` the outcome whatever it is, then `done` the value of a job that was done, or
        `failed` why it could not be: for a part that shows it in its own place as well, as the
        window shows every failure. A QObject whose methods they are may go before the job ends."""
        job = self.jobs.start(task)
        job.reported.connect(reported)
        job.ended.connect(ended)
        job.done.connect(done)
        job.failed.connect(failed)
        return job

    def undo(self) -> Message | None:
        """Take the newest edit back; its text, or None when there is none."""
        return self._announced(self.store.history.undo())

    def redo(self) -> Message | None:
        """Make the edit last taken back again; its text, or None when there is none."""
        return self._announced(self.store.history.redo())

    def close(self) -> None:
        """Stop the jobs, wait for them, and close the project. Closing twice is harmless."""
        self.jobs.stop_all_and_wait()
        self.closed.emit()
        self.store.close()

    def _announced(self, done: tuple[Message, Changes] | None) -> Message | None:
        if done is None:
            return None
        text, changes = done
        self.announce(changes)
        return text
