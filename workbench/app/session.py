"""An open project: readers of its parts, edits, and a signal for changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Failed, Job, JobRunner, Outcome, Task, nothing
from workbench.domain.agreement import Moments, Opinions
from workbench.domain.changes import Changes, HistoryEntry
from workbench.domain.clusters import Clustering, Clusters
from workbench.domain.crops import Crop
from workbench.domain.errors import ValueRefused
from workbench.domain.images import ImageFilter, ImageRow, SkippedFile, Sort, Source
from workbench.domain.import_reports import ImportReport
from workbench.domain.label_names import tidied
from workbench.domain.labels import Annotation, LabelSet
from workbench.domain.metrics import IntArray
from workbench.domain.projects import ReadOnly
from workbench.domain.reports import Epoch, Report
from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part, StoredSplit
from workbench.domain.studies import Study
from workbench.domain.text import Message, counted
from workbench.domain.values import Json
from workbench.domain.versions import Version
from workbench.storage.history import Edit
from workbench.storage.project import Project

T = TypeVar("T")


class ImageReader(Protocol):
    """Images and their sources."""

    def ids(self, filter: ImageFilter = ..., sort: Sort = ..., descending: bool = ...) -> IntArray:
        """Ids of the images that match `filter`, sorted."""

    def rows(self, ids: Iterable[int] | IntArray) -> list[ImageRow]:
        """The images with these ids, in their order; unknown ids are omitted."""

    def row(self, id: int) -> ImageRow:
        """One image. Raises KnownError for an unknown id."""

    def count(self) -> int:
        """The number of images."""

    def sources(self) -> list[Source]:
        """All sources, with their numbers of images and skipped files."""

    def skipped(self, source_id: int) -> list[SkippedFile]:
        """Files of a source that could not be imported, with the reasons."""

    def locations(self, id: int) -> list[tuple[int, str]]:
        """Locations of an image: source id and path in the source."""


class LabelReader(Protocol):
    """Label sets, and the labels of images and crops."""

    def sets(self) -> Mapping[str, LabelSet]:
        """All label sets by name, in order of creation."""

    def get(self, name: str) -> LabelSet:
        """One label set. Raises ValueRefused, listing the known ones, if there is none."""

    def counts(self, label_set: str) -> Mapping[str, int]:
        """Number of images (or crops) with each label; "" for those without one."""

    def label_ids(self, ids: Iterable[int] | IntArray, label_set: str) -> IntArray:
        """Position of each image's label in the set, -1 without one."""

    def of_crops(
        self, crop_ids: Iterable[int] | IntArray, label_set: str
    ) -> Mapping[int, tuple[str, ...]]:
        """Labels of each labelled crop, in the order of the set."""

    def history(self, image_id: int) -> list[Annotation]:
        """All current and previous labels of an image and its crops, oldest first."""


class AnnotatorReader(Protocol):
    """The people who label."""

    def names(self) -> Mapping[int, str]:
        """Names by id, in alphabetical order."""

    def opinions(self, label_set: str) -> Opinions:
        """The labels of a set that named people gave, oldest first; cleared ones are left out."""

    def moments(self) -> Moments:
        """When each named person labelled which image, in any set."""


class CropReader(Protocol):
    """Crops of mouths."""

    def of_images(self, ids: Iterable[int] | IntArray) -> Mapping[int, list[Crop]]:
        """Crops by image; images without a crop are omitted."""

    def get(self, ids: Iterable[int] | IntArray) -> list[Crop]:
        """The crops with these ids, in their order; unknown ids are omitted."""


class SplitReader(Protocol):
    """The splits, one of them current."""

    def all(self) -> list[StoredSplit]:
        """All splits, newest first."""

    def current(self) -> StoredSplit | None:
        """The current split; None if there is none."""

    def counts(self, id: int | None = ...) -> Mapping[Part, int]:
        """Number of images in each part of a split (None: the current one)."""

    def parts(self, id: int | None = ...) -> Mapping[int, Part]:
        """Part of each image in a split (None: the current one)."""


class RunReader(Protocol):
    """Runs and their epochs."""

    def get(self, id: str) -> RunRecord:
        """One run. Raises KnownError for an unknown id."""

    def all(self) -> list[RunRecord]:
        """All runs, newest first."""

    def epochs(self, id: str) -> list[Epoch]:
        """Finished epochs of a run, in order."""


class StudyReader(Protocol):
    """Studies and the runs of their cells."""

    def all(self) -> list[Study]:
        """All studies, newest first."""


class ClusteringReader(Protocol):
    """Clusterings of the images."""

    @property
    def folder(self) -> Path:
        """The folder that contains a folder for each clustering, named by its id."""

    def all(self) -> list[Clustering]:
        """Finished clusterings, newest first."""

    def read(self, id: str) -> Clusters:
        """Members of each cluster. Raises KnownError if the file is missing or damaged."""


class HistoryReader(Protocol):
    """The project's edits."""

    def undo_text(self) -> Message | None:
        """Text of the edit that undo would undo, or None."""

    def redo_text(self) -> Message | None:
        """Text of the edit that redo would redo, or None."""

    def entries(self, limit: int = 100) -> list[HistoryEntry]:
        """The last `limit` edits, newest first."""


class ReportReader(Protocol):
    """Reports of imports."""

    def all(self) -> Mapping[int, ImportReport]:
        """The reports by number, newest first."""


class VersionReader(Protocol):
    """Versions of images, labels, mouths and split."""

    def all(self) -> list[Version]:
        """All versions, newest first."""

    def get(self, name: str) -> Version:
        """One version. Raises KnownError if there is none."""


class SettingsReader(Protocol):
    """Named JSON values."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value stored under `key`, or `default`."""


class Session(QObject):
    """An open project and its jobs; the signal `changed` carries the Changes of each edit.

    The window and the commands read the project's parts (`images`, `labels`, …) and write with
    functions of app; only app uses `store`, which can write anything.
    """

    changed = Signal(object)
    annotator_changed = Signal(str)
    closed = Signal()  # the store is closed next

    def __init__(self, store: Project, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.images: ImageReader = store.images
        self.labels: LabelReader = store.labels
        self.annotators: AnnotatorReader = store.annotators
        self.crops: CropReader = store.crops
        self.splits: SplitReader = store.splits
        self.runs: RunReader = store.runs
        self.studies: StudyReader = store.studies
        self.clusterings: ClusteringReader = store.clusterings
        self.history: HistoryReader = store.history
        self.settings: SettingsReader = store.settings
        self.import_reports: ReportReader = store.import_reports
        self.versions: VersionReader = store.versions
        self.jobs = JobRunner(self)
        self._depth = 0
        self.repeat_share = 0  # percent

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the project in `folder`. Raises KnownError as `Project.open`."""
        return cls(Project.open(folder))

    @classmethod
    def create(cls, folder: Path, views: str = "cars") -> Self:
        """Create a project and open it. Raises KnownError as `Project.create`."""
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
        """The folder that contains a folder for each run, named by its id."""
        return self.store.runs_folder

    @property
    def read_only(self) -> ReadOnly | None:
        """Why the project cannot be changed; None if it can."""
        return self.store.read_only

    def check_writable(self) -> None:
        """Raise KnownError if the project is read-only, or while a job makes an edit of its own.

        Jobs that end with an edit call this when they are created, so that nobody waits in vain.
        """
        self.store.check_writable()

    @property
    def annotator(self) -> str:
        """Name of the person who labels by hand now; "" without a name."""
        return self.store.labels.annotator

    def set_annotator(self, name: str, repeat_share: int = 0) -> None:
        """Store `name` with all labels given by hand from now on; "" stores no name.

        After `repeat_share` percent of them, an image is shown again without its label.
        """
        self.store.labels.annotator, self.repeat_share = tidied(name), repeat_share
        self.annotator_changed.emit(self.annotator)

    @contextmanager
    def edit(self, text: str, joined_to: int | None = None) -> Generator[Edit, None, None]:
        """One undoable edit, committed and announced at the end of the block.

        An edit within an edit is part of the outer one. `joined_to` is the id of an earlier edit
        that is continued if it is still the newest.
        """
        self._depth += 1
        try:
            with self.store.edit(text, joined_to) as edit:
                yield edit
        finally:
            self._depth -= 1
        if self._depth == 0:
            self.announce(edit.changes)

    def announce(self, changes: Changes) -> None:
        """Emit `changed`, for changes that are not edits (progress of a run)."""
        if changes:
            self.changed.emit(changes)

    def remove_images(self, ids: Iterable[int]) -> None:
        """Remove images from the project (never the files), as one undoable edit."""
        chosen = list(ids)
        with self.edit(counted(len(chosen), "Remove {n:,} image", "Remove {n:,} images")):
            self.store.images.remove(chosen)

    def rename_run(self, run_id: str, name: str) -> None:
        """Rename a run. Raises ValueRefused for a blank name, KnownError for an unknown run."""
        name = " ".join(name.split())  # one line, as tables show it
        if not name:
            allowed = Message("a text with at least one character")
            raise ValueRefused(Message("name of the run"), "", allowed)
        self.store.runs.update(run_id, name=name)
        self.announce(Changes(runs=frozenset({run_id})))

    def remove_run(self, run_id: str) -> None:
        """Delete a run and its folder permanently.

        If there is a training queue, use its `remove` instead. Raises KnownError for an unknown
        run.
        """
        self.store.runs.remove(run_id)
        shutil.rmtree(self.store.runs_folder / run_id, ignore_errors=True)
        self.announce(Changes(runs=frozenset({run_id})))

    def put_study(self, study: Study) -> None:
        """Store a study, replacing an earlier version of it."""
        self.store.studies.put(study)
        self.announce(Changes(studies=True))

    def remember(self, key: str, value: Json) -> None:
        """Store a JSON value in the project's settings; this is not an edit.

        In a read-only project, nothing is stored.
        """
        if self.read_only is None:
            self.store.settings.put(key, value)

    def start(
        self,
        task: Task[T],
        *,
        done: Callable[[T], None] = nothing,
        failed: Callable[[Failed], None] = nothing,
        ended: Callable[[Outcome[T]], None] = nothing,
        reported: Callable[[Report], None] = nothing,
    ) -> Job[T]:
        """Start a task in a separate thread.

        In the owner's thread, `reported` is called with each report, `ended` with the outcome, then
        `done` with the value or `failed` with the Failed; the window shows every failure anyway. If
        the callbacks are methods of a QObject, it may be deleted before the job ends.
        """
        job = self.jobs.start(task)
        job.reported.connect(reported)
        job.ended.connect(ended)
        job.done.connect(done)
        job.failed.connect(failed)
        return job

    def undo(self) -> Message | None:
        """Undo the newest edit; return its text, or None if there is none."""
        return self._announced(self.store.history.undo())

    def redo(self) -> Message | None:
        """Redo the edit undone last; return its text, or None if there is none."""
        return self._announced(self.store.history.redo())

    def close(self) -> None:
        """Stop all jobs, wait for them and close the project. May be called twice."""
        self.jobs.stop_all_and_wait()
        self.closed.emit()
        self.store.close()

    def _announced(self, done: tuple[Message, Changes] | None) -> Message | None:
        if done is None:
            return None
        text, changes = done
        self.announce(changes)
        return text
