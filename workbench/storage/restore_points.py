"""Restore points: whole copies of a project's database, and going back to one of them.

A copy gets its name once it is complete, checked and on the disk, so that a file with a good name
is always a good file, whenever the process is killed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from workbench.domain.errors import KnownError, reason_of
from workbench.domain.projects import (
    DATABASE_FILE,
    RESTORE_FOLDER,
    DamagedProject,
    PointKind,
    RestorePoint,
)
from workbench.domain.text import Message
from workbench.files import PART, make_folder, replacing, writing
from workbench.storage.database import external_error, read_only_uri
from workbench.storage.locks import in_use, read_lock, remove_lock, write_lock
from workbench.storage.read_only import check_file_writable

MOST = 5  # restore points of each kind that are kept
PAGES = 4096  # copied between two looks at `stopped`: 16 MB
STEPS = 100_000  # of SQLite's machine between two looks at `stopped`
STAMP = "%Y%m%d-%H%M%S"
LATEST = 9000  # year; a later time of a name is a mistake, behind which no name would fit
_NAME = re.compile(rf"(\d{{8}}-\d{{6}})-({'|'.join(PointKind)})\.sqlite")
_OLDER_NAME = re.compile(r"backup-(\d{8}-\d{6})\.sqlite")  # beside the database, by version 1
_DAMAGED = "damaged-"  # beginning of the names of databases that were replaced


class CopyStopped(Exception):
    """A copy was stopped on request; nothing is left of it."""


def never() -> bool:
    """Never stop."""
    return False


def make_point(folder: Path, kind: PointKind, stopped: Callable[[], bool] = never) -> RestorePoint:
    """Copy the database of the project in `folder`, which may be open, as a new restore point.

    The oldest of more than five of a kind are deleted. Raises DamagedProject if the database is
    damaged, KnownError if the copy cannot be written, CopyStopped if `stopped()`.
    """
    place = folder / RESTORE_FOLDER
    make_folder(place)
    with writing(place):
        path = _new_name(place, kind)
        for left in place.glob(f"*{PART}*"):  # of a killed process
            with contextlib.suppress(OSError):  # also a folder, or a file of another user
                left.unlink()
        with replacing(path) as part:
            part.unlink(missing_ok=True)
            part.touch(exist_ok=False)  # SQLite would not name the file that it cannot write
            _copy(folder / DATABASE_FILE, part, stopped)
    for old in [point for point in list_points(folder) if point.kind is kind][MOST:]:
        if old.file.parent == place:
            with contextlib.suppress(OSError):  # the new one is complete
                old.file.unlink()
    made = _read(path, kind, path.name[: len("YYYYMMDD-hhmmss")])
    assert made is not None
    return made


def list_points(folder: Path) -> list[RestorePoint]:
    """The restore points of the project in `folder`, newest first; damaged files are omitted."""
    found = []
    for path in (folder / RESTORE_FOLDER).glob("*.sqlite"):
        if name := _NAME.fullmatch(path.name):
            found.append(_read(path, PointKind(name[2]), name[1]))
    for path in folder.glob("backup-*.sqlite"):
        if name := _OLDER_NAME.fullmatch(path.name):
            found.append(_read(path, PointKind.MIGRATION, name[1]))
    whole = [point for point in found if point is not None]
    return sorted(whole, key=lambda point: (point.made_at, point.name), reverse=True)


def check_readable(folder: Path) -> None:
    """Raise KnownError if restore points of the project in `folder` could not be listed."""
    place = folder / RESTORE_FOLDER
    try:
        os.listdir(place)
    except FileNotFoundError:
        return
    except OSError as error:
        raise KnownError(
            "{path} cannot be read: {reason}.", path=place, reason=reason_of(error)
        ) from error


def count_damaged(folder: Path) -> int:
    """How many files of the project in `folder` have a restore point's name, but cannot be read."""
    names = [(one, _NAME.fullmatch(one.name)) for one in (folder / RESTORE_FOLDER).glob("*.sqlite")]
    stamps = [(one, name[1]) for one, name in names if name]
    return sum(
        one.is_file() and _time_of(stamp) is not None and _read(one, PointKind.DAILY, stamp) is None
        for one, stamp in stamps
    )


def newest_set_aside(folder: Path) -> Path | None:
    """The newest damaged database that a restore has replaced and kept; None without one."""
    kept = (folder / RESTORE_FOLDER).glob(f"{_DAMAGED}*.sqlite")
    return max(kept, default=None, key=lambda one: one.name)


class EarlierRun(NamedTuple):
    """What the newest restore point with a run knows of it that the run's folder does not have.

    `version` is the name of the version that it saw, and when that was made in microseconds since
    the epoch; ("", 0) without one.
    """

    name: str
    created: float
    started: float | None
    finished: float | None
    split: str
    version: tuple[str, int]


def earlier_run(folder: Path, run_id: str) -> EarlierRun | None:
    """A run that restore points of the project in `folder` have; None without one."""
    for point in list_points(folder):
        if run_id not in point.runs:
            continue
        uri = read_only_uri(point.file, immutable=True)
        with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as db:
            name, created, started, finished, split, *version = db.execute(
                "SELECT r.name, r.created, r.started, r.finished, r.split, coalesce(v.name, ''),"
                " coalesce(v.made_at, 0) FROM run r LEFT JOIN version v ON v.name = r.version"
                " WHERE r.id = ?",
                (run_id,),
            ).fetchone()
            return EarlierRun(name, created, started, finished, split, (version[0], version[1]))
    return None


def has_points(folder: Path) -> bool:
    """Whether the folder has one of restore points, whole or not: it is a project's."""
    return os.path.isdir(folder / RESTORE_FOLDER)


def restore(folder: Path, point: RestorePoint) -> RestorePoint | None:
    """Replace the database of a project that is not open by a restore point.

    The present state is a restore point then, which is returned. A damaged database is moved to
    the folder of the restore points, and None is returned. Killed at any moment, this leaves the
    previous database or the restored one, or, after a damaged one, none. Raises KnownError if the
    project is open, or the point is damaged; the project is unchanged then.
    """
    path = folder / DATABASE_FILE
    _claim(folder)
    try:
        with writing(path), replacing(path) as part:
            shutil.copyfile(point.file, part)
            if problem := _problem(part):
                raise KnownError(
                    "The restore point {name} is damaged: {reason}.",
                    "Choose another one.",
                    name=point.name,
                    reason=problem,
                )
            before = _before_restore(folder)  # in vain, it would only drive out an older one
            _empty_log(path) if before is not None else _set_aside(path)
    finally:
        remove_lock(folder)
    return before


def _claim(folder: Path) -> None:
    """Lock a project, as opening it does, under the write lock of its database if that is whole."""
    path = folder / DATABASE_FILE
    with writing(path):
        check_file_writable(path)
    with contextlib.ExitStack() as held:
        if path.is_file() and path.stat().st_size:
            with contextlib.suppress(sqlite3.Error):  # damaged, or in use
                db = held.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
                db.execute("BEGIN IMMEDIATE")
        holder = read_lock(folder)
        if holder is not None:
            raise in_use(folder, holder)
        with writing(folder):
            write_lock(folder)


def _before_restore(folder: Path) -> RestorePoint | None:
    """A restore point of the present state; None if it is damaged, missing or empty."""
    path = folder / DATABASE_FILE
    if not path.is_file() or not path.stat().st_size:
        return None
    try:
        return make_point(folder, PointKind.RESTORE)
    except DamagedProject:
        return None


def _empty_log(path: Path) -> None:
    """Write the log into the database and delete it: it must not meet another database."""
    with _known(path), closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")


def _set_aside(path: Path) -> None:
    """Move a damaged database and its log to the restore points, keeping the newest ones."""
    place = path.parent / RESTORE_FOLDER
    place.mkdir(exist_ok=True)
    stamp = time.strftime(STAMP)
    for ending in ("", "-wal", "-shm", "-journal"):
        one = path.with_name(path.name + ending)
        if one.exists():
            os.replace(one, place / f"{_DAMAGED}{stamp}.sqlite{ending}")
    stamps = sorted({one.name[len(_DAMAGED) :][:15] for one in place.glob(f"{_DAMAGED}*")})
    for old in stamps[:-MOST]:
        for one in place.glob(f"{_DAMAGED}{old}*"):
            one.unlink()


def _new_name(place: Path, kind: PointKind) -> Path:
    """A name later than all others, which are named by second."""
    names = (_NAME.fullmatch(path.name) for path in place.iterdir())
    newest = max((_time_of(name[1]) or 0.0 for name in names if name), default=0.0)
    stamp = time.strftime(STAMP, time.localtime(max(time.time(), newest + 1)))
    return place / f"{stamp}-{kind}.sqlite"


def _time_of(stamp: str) -> float | None:
    """The time that a name has, in seconds since the epoch; None if there is no such time."""
    try:
        found = time.strptime(stamp, STAMP)
        return time.mktime(found) if found.tm_year < LATEST else None
    except (ValueError, OverflowError):
        return None


def _copy(database: Path, part: Path, stopped: Callable[[], bool]) -> None:
    """Copy a database, with what is still in its log, and check the copy."""

    def look(*_: int) -> None:
        if stopped():
            raise CopyStopped

    with (
        _known(database),
        closing(sqlite3.connect(read_only_uri(database), uri=True, isolation_level=None)) as source,
        closing(sqlite3.connect(part, isolation_level=None)) as target,
    ):
        source.execute("BEGIN")  # edits made meanwhile would start the copy over
        source.execute("SELECT count(*) FROM sqlite_master")
        target.execute("PRAGMA synchronous = OFF")  # it is flushed before it gets its name
        target.execute("PRAGMA journal_mode = OFF")
        source.backup(target, pages=PAGES, progress=look)
    if problem := _problem(part, stopped):
        raise DamagedProject(database.parent, Message("its database is damaged")) from (
            sqlite3.DatabaseError(problem)
        )


def _problem(path: Path, stopped: Callable[[], bool] = never) -> str:
    """The first problem of a database file without a log; "" if there is none."""
    try:
        with closing(sqlite3.connect(read_only_uri(path, immutable=True), uri=True)) as db:
            db.set_progress_handler(lambda: int(stopped()), STEPS)
            (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            db.execute("SELECT count(*) FROM image, edit WHERE false").fetchone()
    except sqlite3.Error as error:
        if stopped():
            raise CopyStopped from error
        return str(error)
    return "" if found == "ok" else str(found)


def _read(path: Path, kind: PointKind, stamp: str) -> RestorePoint | None:
    made_at = _time_of(stamp)
    if made_at is None or not path.is_file():  # opening a pipe would wait
        return None
    try:
        with closing(sqlite3.connect(read_only_uri(path, immutable=True), uri=True)) as db:
            (images,) = db.execute("SELECT count(*) FROM image").fetchone()
            (labels,) = db.execute(
                "SELECT count(*) FROM annotation WHERE ended_at IS NULL"
            ).fetchone()
            runs = frozenset(run for (run,) in db.execute("SELECT id FROM run"))
        return RestorePoint(path, kind, made_at, path.stat().st_size, images, labels, runs)
    except (sqlite3.Error, OSError):
        return None


@contextmanager
def _known(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise external_error(error, path) or error from error
