"""Reading projects that cannot be written: on a read-only or full disk, or in a read-only folder.

SQLite reads a database together with its log, for which it makes a file of shared memory. Where
that cannot be made, a database without a log is read as an immutable file; one with a log, or of an
earlier version of the program, is copied to the folder of temporary files and read there.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

from workbench.domain.projects import ReadOnly
from workbench.domain.text import Message
from workbench.storage.database import Database, external_error, primary_code, read_only_uri

_COPY_ELSEWHERE = Message("Copy the project to another disk to edit it.")
_FULL = ReadOnly(
    Message("the disk is full"), Message("Free up disk space, then open the project again.")
)
_DISK = ReadOnly(Message("the disk is read-only"), _COPY_ELSEWHERE)
_FOLDER = ReadOnly(
    Message("its folder is read-only"),
    Message("Change the permissions of the folder, or copy the project elsewhere to edit it."),
)
_FILE = ReadOnly(
    Message("its database is a read-only file"),
    Message("Change the permissions of the file, or copy the project elsewhere to edit it."),
)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_NOT_WRITTEN = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
)
LEAST = 1 << 16  # bytes; a disk with less free space is full: SQLite needs 32 KiB for a log

_copies: dict[Path, Path] = {}  # database → its copy, which is read in its place


def check_file_writable(path: Path) -> None:
    """Raise PermissionError if there is a database that cannot be written: SQLite would open it for
    reading, and refuse only the first edit."""
    if path.is_file() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def why_read_only(path: Path, error: BaseException) -> ReadOnly | None:
    """Why a database could not be opened for writing; None if `error` has another cause."""
    causes = [error, error.__cause__, error.__context__]
    systems = [cause.errno for cause in causes if isinstance(cause, OSError)]
    codes = [primary_code(cause) for cause in causes if isinstance(cause, sqlite3.Error)]
    if not {*systems} & {*_NO_SPACE, *_REFUSED} and not {*codes} & {*_NOT_WRITTEN}:
        return None
    if {*systems} & {*_NO_SPACE} or sqlite3.SQLITE_FULL in codes:
        return _FULL
    return _found(path)


def _found(path: Path) -> ReadOnly | None:
    """Why a database cannot be written, as the system reports it now; None if it is missing."""
    folder = path.parent
    if not path.is_file():
        return None
    if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:
        return _DISK
    if not os.access(folder, os.W_OK):
        return _FOLDER
    if not os.access(path, os.W_OK):
        return _FILE
    return _FULL if shutil.disk_usage(folder).free < LEAST else None


def open_to_read(path: Path) -> Database:
    """Open a database for reading, even if no file can be made beside it.

    Raises sqlite3.Error, or OSError if a copy is needed and cannot be made.
    """
    place = _copies.get(path, path)
    try:
        return _checked(path, read_only_uri(place))
    except sqlite3.OperationalError as error:
        if primary_code(error) not in _NOT_WRITTEN or _found(path) is None:
            raise
    log = path.with_name(path.name + "-wal")
    if log.is_file() and log.stat().st_size:
        return _checked(path, read_only_uri(_copy(path)))
    return _checked(path, read_only_uri(place, immutable=True))


def open_upgraded(path: Path, upgrade: Callable[[Database], None]) -> Database:
    """Open a copy of a database that `upgrade` has changed."""
    place = _copies.get(path) or _copy(path)
    with closing(Database(place)) as db:
        upgrade(db)
    return _checked(path, read_only_uri(place))


def forget_copy(path: Path) -> None:
    """Delete the copy of a database that was read in its place, if there is one."""
    place = _copies.pop(path, None)
    if place is not None:
        shutil.rmtree(place.parent, ignore_errors=True)


def _copy(path: Path) -> Path:
    """Copy a database and its log to the folder of temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="workbench-"))
    _copies[path] = folder / path.name
    try:
        for ending in ("", "-wal"):
            one = path.with_name(path.name + ending)
            if one.is_file():
                shutil.copyfile(one, folder / one.name)
        with closing(sqlite3.connect(_copies[path])) as db:  # with the log in the file
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except BaseException:
        forget_copy(path)
        raise
    return _copies[path]


def _checked(path: Path, place: str) -> Database:
    db = Database(path, place)
    try:
        db.run("PRAGMA temp_store = MEMORY")
        db.value("SELECT count(*) FROM sqlite_master")
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def reading(path: Path) -> Generator[Database, None, None]:
    """A read-only connection of the calling thread to a project's database.

    Raises KnownError if it cannot be read.
    """
    try:
        with closing(open_to_read(path)) as db:
            yield db
    except sqlite3.Error as error:
        known = external_error(error, path)
        if known is None:
            raise
        raise known from error
