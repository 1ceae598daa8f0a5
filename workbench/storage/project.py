"""A project: the folder, its database, and the parts through which it is read and edited."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import psutil
from sqlite_utils import Database as SqliteDatabase

from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.labels import CATEGORY, EXPRESSIONS, VIEW_PRESETS
from workbench.domain.projects import DATABASE_FILE, SUFFIX, with_suffix
from workbench.files import PART, make_folder, replacing, write_whole
from workbench.storage.crops import Crops
from workbench.storage.database import Database, reading, world_error
from workbench.storage.features import Clusterings, FeatureIndexes
from workbench.storage.history import Edit, History, Recorder
from workbench.storage.images import StoredImages
from workbench.storage.labels import Labels
from workbench.storage.predictions import Predictions
from workbench.storage.runs import Runs, Studies
from workbench.storage.schema import APPLICATION_ID, migrations
from workbench.storage.searching import Search
from workbench.storage.splits import Splits
from workbench.storage.thumbnails import Thumbnails

LOCK_FILE = "project.lock"


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a project: its id, its computer, and when it started ("" unknown)."""

    pid: int
    host: str
    started: str


def this_process() -> Holder:
    """The holder that this process is."""
    return Holder(os.getpid(), platform.node(), process_started(os.getpid()) or "")


def process_started(pid: int) -> str | None:
    """A mark of the moment process `pid` started, or None when no such process lives. Together
    with the id it names one process: ids are used again, starts at the same tick are not."""
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None  # it holds nothing any more
        created = process.create_time()
    except psutil.Error:  # there is none, or the system tells nothing of it
        return None
    if sys.platform == "linux":  # clock ticks since boot: setting the clock does not move them
        return str(round((created - psutil.boot_time()) * os.sysconf("SC_CLK_TCK")))
    return repr(created)


def read_lock(folder: Path) -> Holder | None:
    """Who holds the project in `folder` and lives, or None (no lock, or a dead one's)."""
    try:
        holder = msgspec.json.decode((folder / LOCK_FILE).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
    if holder.host != platform.node():
        return holder  # nobody here can tell whether it lives
    return holder if process_started(holder.pid) == holder.started else None


def write_lock(folder: Path) -> None:
    """Hold the project in `folder`, in place of whoever held it before."""
    write_whole(folder / LOCK_FILE, msgspec.json.encode(this_process()), flush=False, shared=True)


def remove_lock(folder: Path) -> None:
    """Let the project go, if this process holds it."""
    if read_lock(folder) == this_process():
        (folder / LOCK_FILE).unlink(missing_ok=True)


class ProjectSettings:
    """Named JSON values."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str, default: Any = None) -> Any:
        """The value kept under `key`, or `default`."""
        found = self._db.value("SELECT value FROM setting WHERE key = ?", (key,))
        return msgspec.json.decode(found) if found is not None else default

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        with self._db.transaction():
            self._db.run(
                "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)",
                (key, msgspec.json.encode(value).decode()),
            )

    def push(self, key: str, value: Any, most: int) -> None:
        """Keep a value before the others in the list under `key`, the newest `most` of them."""
        self.put(key, [value, *self.get(key, [])][:most])


class Project:
    """An open project; used by the thread that opened it alone. Close it when done. Jobs look at it
    through `reading`, in their own threads."""

    def __init__(self, folder: Path, db: Database) -> None:
        self.folder = folder
        self._db: Database | None = db
        self._recorder = Recorder(db)
        self.labels = Labels(db, self._recorder)
        predictions = Predictions(db)
        search = Search(db, self.labels, predictions)
        self._recorder.on_changes.append(search.take)
        self.images = StoredImages(db, self._recorder, self.labels, search)
        self.crops = Crops(db, self._recorder)
        self.splits = Splits(db, self._recorder)
        self.runs = Runs(db, predictions)
        self.studies = Studies(db)
        self.history = History(db, self._recorder)
        self.settings = ProjectSettings(db)
        self.features = FeatureIndexes(folder)
        self.clusterings = Clusterings(folder)

    @classmethod
    def create(cls, folder: Path, views: str = "cars") -> Project:
        """Make a project folder (its name gets the suffix) with the label sets category, view (a
        preset: "cars" or "animals") and expression. Raises KnownError when it is there already."""
        if views not in VIEW_PRESETS:
            raise ValueRefused("views", views, ", ".join(VIEW_PRESETS))
        folder = with_suffix(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise KnownError(f"{folder} exists already.", "Open it, or choose another name.")
        make_folder(folder)
        project = cls._opened(folder)
        with project.edit("New project"):
            for label_set in (CATEGORY, VIEW_PRESETS[views], EXPRESSIONS):
                project.labels.save_set(label_set)
        project.history.forget()
        return project

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project. Raises KnownError when the folder is none, is damaged, was written by a
        newer program, or is open elsewhere."""
        folder = Path(folder).absolute()
        path = folder / DATABASE_FILE
        if not path.is_file() or not path.stat().st_size:
            raise KnownError(
                f"{folder} is not a project: it holds no {DATABASE_FILE}, or an empty one.",
                f"A project is a folder whose name ends in {SUFFIX}.",
            )
        return cls._opened(folder)

    @classmethod
    def _opened(cls, folder: Path) -> Project:
        path = folder / DATABASE_FILE
        try:
            with contextlib.ExitStack() as undo:
                db = Database(path)
                undo.callback(db.close)
                _claim(db, folder)
                undo.callback(remove_lock, folder)
                _migrate(db, folder)
                project = cls(folder, db)
                undo.pop_all()
                return project
        except sqlite3.Error as error:
            raise world_error(error, path) or error from error
        except OSError as error:
            raise KnownError(f"{folder} cannot be used: {error.strerror}.") from error

    @classmethod
    @contextmanager
    def reading(cls, folder: Path) -> Iterator[Project]:
        """An open project as it is now, for a thread other than its own: edits made meanwhile are
        not seen, and none can be made. Raises KnownError where it cannot be read."""
        path = Path(folder).absolute() / DATABASE_FILE
        with reading(path) as db:
            db.run("BEGIN")
            db.value("SELECT count(*) FROM sqlite_master")  # what is committed until now
            yield cls(path.parent, db)

    @property
    def name(self) -> str:
        """The folder's name without its suffix."""
        return self.folder.stem

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Small pictures of its images, opened when first asked for."""
        return Thumbnails(self.folder)

    @property
    def runs_folder(self) -> Path:
        """Where run folders lie."""
        return self._made("runs")

    def edit(self, text: str, joined_to: int | None = None) -> AbstractContextManager[Edit]:
        """One durable transaction, recorded as one undoable edit; `joined_to` continues an earlier
        edit where that is still the newest. On an error nothing of it stays."""
        return self._recorder.edit(text, joined_to)

    def damage(self) -> list[str]:
        """What SQLite's own check of the database finds wrong, in its words; empty when sound."""
        assert self._db is not None
        found = [row[0] for row in self._db.rows("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close the files and let the project go. Closing twice is harmless."""
        if self._db is None:
            return
        if "thumbnails" in self.__dict__:
            self.thumbnails.close()
        self._db.close()
        self._db = None
        remove_lock(self.folder)

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder


def _claim(db: Database, folder: Path) -> None:
    """Take the project's lock. The database's own write lock arbitrates between two programs that
    find the same stale lock file at once; it is let go even when its holder is killed."""
    with db.transaction():
        application = db.value("PRAGMA application_id")
        empty = not db.value("SELECT count(*) FROM sqlite_master")
        if application != APPLICATION_ID and not empty:
            raise KnownError(
                f"{folder} is not a project: its {db.path.name} was made by another program."
            )
        holder = read_lock(folder)
        if holder is not None:
            raise KnownError(
                f"{folder.name} is open in another window (process {holder.pid} on {holder.host}).",
                f"Close it there first; if that computer is gone, delete {folder / LOCK_FILE}.",
            )
        write_lock(folder)


def _migrate(db: Database, folder: Path) -> None:
    """Bring the tables up to date, after a backup where there is anything to lose."""
    store = SqliteDatabase(db.connection)
    # sqlite-utils lists what is pending or applied in public, but not all that it was given
    known = {migration.name for migration in migrations._migrations}  # noqa: SLF001
    applied = {migration.name for migration in migrations.applied(store)}
    if applied - known:
        raise KnownError(
            f"{folder.name} was written by a newer version of Vantage Workbench.",
            "Update this program to open it.",
        )
    db.tune()
    if applied == known:
        return
    if applied:
        _back_up(db, folder)
    migrations.apply(store)


def _back_up(db: Database, folder: Path) -> None:
    for left in folder.glob(f"backup-*.sqlite{PART}*"):  # by a program that was killed
        left.unlink()
    needed = db.path.stat().st_size
    if shutil.disk_usage(folder).free < 2 * needed:
        raise KnownError(
            f"{folder.name} must be brought up to date, and the disk has no room for a backup.",
            f"Free {2 * needed / 1e6:.0f} MB and open it again.",
        )
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    with replacing(folder / f"backup-{stamp}.sqlite") as part:
        backup = sqlite3.connect(part)
        try:
            db.connection.backup(backup)
        finally:
            backup.close()
