"""A project's folder, its database file, and the copies of it that it can be restored from."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from workbench.domain.errors import KnownError
from workbench.domain.text import Message, mark

SUFFIX = ".workbench"
DATABASE_FILE = "project.sqlite"
RESTORE_FOLDER = "restore-points"  # in the project's folder
RUNS_FOLDER = "runs"  # in the project's folder


class PointKind(StrEnum):
    """Why a restore point was made; the values are parts of file names."""

    DAILY = "daily"
    MIGRATION = "before-migration"
    RESTORE = "before-restore"

    @property
    def reason(self) -> str:
        """The reason in words, a marked text."""
        return _REASONS[self]


_REASONS = {
    PointKind.DAILY: mark("daily"),
    PointKind.MIGRATION: mark("before an upgrade"),
    PointKind.RESTORE: mark("before a restore"),
}


@dataclass(frozen=True)
class RestorePoint:
    """A whole copy of a project's database.

    `name` is the file's name without its suffix, `made_at` in seconds since the epoch, `size` in
    bytes; `images` and `labels` are the numbers of images and of their current labels, `runs` the
    ids of the runs.
    """

    file: Path
    kind: PointKind
    made_at: float
    size: int
    images: int
    labels: int
    runs: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.file.stem


@dataclass(frozen=True)
class ReadOnly:
    """Why a project can be read, but not changed, and what to do about it."""

    reason: Message
    remedy: Message

    def refusal(self, name: str) -> KnownError:
        """The error for an edit of the project `name`."""
        return KnownError(
            "The project {name} is read-only: {reason}.",
            self.remedy,
            name=name,
            reason=self.reason,
        )


class DamagedProject(KnownError):
    """A project whose database is damaged or missing; it may have restore points."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            "The project in {folder} cannot be used: {reason}.",
            "List its restore points with: workbench restore {quoted} --list",
            folder=folder,
            reason=reason,
            quoted=shlex.quote(str(folder)),
        )
        self.folder = folder


def with_suffix(folder: Path) -> Path:
    """Add the project suffix to a folder's name if it is missing; a path without a name, such as
    "..", names the folder that it leads to."""
    named = Path(os.path.abspath(folder))
    return named if named.suffix == SUFFIX else named.parent / (named.name + SUFFIX)
