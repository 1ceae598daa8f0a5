"""What window, commands and demo read of a project: its parts by their reading methods alone.

The stored parts have these methods, so nothing stands between; mypy refuses what is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from workbench.domain.changes import HistoryEntry
from workbench.domain.clusters import Clustering, Clusters
from workbench.domain.crops import Crop
from workbench.domain.images import ImageFilter, ImageRow, SkippedFile, Sort, Source
from workbench.domain.labels import Annotation, LabelSet
from workbench.domain.metrics import IntArray
from workbench.domain.reports import Epoch
from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.studies import Study


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

    def of_crops(self, crop_ids: Iterable[int] | IntArray, label_set: str) -> Mapping[int, str]:
        """The label of each crop that has one."""

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

    def undo_text(self) -> str | None:
        """The edit that undo would take back, or None."""

    def redo_text(self) -> str | None:
        """The edit that redo would make again, or None."""

    def entries(self, limit: int = 100) -> list[HistoryEntry]:
        """The newest edits first."""


class SettingsReader(Protocol):
    """Values that JSON can hold, by name."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value stored under `key`, or `default`."""
