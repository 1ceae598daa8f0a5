"""A project: its folder, its database, and access to its parts."""

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

from workbench.domain.errors import KnownError, ValueRefused, reason_of
from workbench.domain.labels import CATEGORY, EXPRESSIONS, VIEW_PRESETS
from workbench.domain.projects import DATABASE_FILE, SUFFIX, with_suffix
from workbench.domain.text import Message, mark
from workbench.files import PART, make_folder, replacing, write_whole
from workbench.storage.crops import Crops
from workbench.storage.database import Database, external_error, reading
from workbench.storage.features import Clusterings, FeatureIndexes, Thumbnails
from workbench.storage.history import Edit, History, Recorder
from workbench.storage.images import StoredImages
from workbench.storage.labels import Labels
from workbench.storage.predictions import Predictions
from workbench.storage.runs import Runs, Studies
from workbench.storage.schema import APPLICATION_ID, migrations
from workbench.storage.searching import Search
from workbench.storage.splits import Splits

LOCK_FILE = "project.lock"
SHOWN_COMMAND = 80  # characters of a command line in an error


class Holder(msgspec.Struct, frozen=True):
    """The process that has a project open: process id, host name, start time ("" if unknown)."""

    pid: int
    host: str
    started: str


def this_process() -> Holder:
    """The current process as a lock holder."""
    return Holder(os.getpid(), platform.node(), process_started(os.getpid()) or "")


def process_started(pid: int) -> str | None:
    """Start time of process `pid` as a text, or None if there is no such process.

    Together with the id it identifies a process: ids are reused, but not within one clock tick.
    """
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None  # a zombie holds no lock
        created = process.create_time()
    except psutil.Error:  # no such process, or no access
        return None
    if sys.platform == "linux":  # clock ticks since boot: unaffected by clock changes
        return str(round((created - psutil.boot_time()) * os.sysconf("SC_CLK_TCK")))
    return repr(created)


def read_lock(folder: Path) -> Holder | None:
    """Return the running process that has locked the project in `folder`, or None."""
    try:
        holder = msgspec.json.decode((folder / LOCK_FILE).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
    if holder.host != platform.node():
        return holder  # on another host: its process cannot be checked
    return holder if process_started(holder.pid) == holder.started else None


def write_lock(folder: Path) -> None:
    """Lock the project in `folder`, replacing any existing lock."""
    write_whole(folder / LOCK_FILE, msgspec.json.encode(this_process()), flush=False, shared=True)


def remove_lock(folder: Path) -> None:
    """Remove the project's lock if this process holds it."""
    if read_lock(folder) == this_process():
        (folder / LOCK_FILE).unlink(missing_ok=True)


class ProjectSettings:
    """Project settings: JSON values by name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, or `default`."""
        found = self._db.value("SELECT value FROM setting WHERE key = ?", (key,))
        return msgspec.json.decode(found) if found is not None else default

    def put(self, key: str, value: Any) -> None:
        """Store a JSON-serialisable value."""
        with self._db.transaction():
            self._db.run(
                "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)",
                (key, msgspec.json.encode(value).decode()),
            )

    def push(self, key: str, value: Any, most: int) -> None:
        """Prepend a value to the list stored under `key`, keeping the first `most` items."""
        self.put(key, [value, *self.get(key, [])][:most])


class Project:
    """An open project, for use by the thread that opened it; close it when done.

    Jobs read it in their own threads through `reading`.
    """

    def __init__(self, folder: Path, db: Database) -> None:
        self.folder = folder
        self._db: Database | None = db
        self._recorder = Recorder(db)
        self.labels = Labels(db, self._recorder)
        predictions = Predictions(db)
        search = Search(db, self.labels, predictions)
        self._recorder.on_changes.append(search.update)
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
        """Create a project folder with the label sets category, view and expression.

        The folder's name gets the suffix; `views` is the preset "cars" or "animals". Raises
        KnownError if the folder exists.
        """
        if views not in VIEW_PRESETS:
            raise ValueRefused("views", views, ", ".join(VIEW_PRESETS))
        folder = with_suffix(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise KnownError(
                "{folder} already exists.", "Open it, or choose another name.", folder=folder
            )
        make_folder(folder)
        project = cls._opened(folder)
        with project.edit(Message("New project")):
            for label_set in (CATEGORY, VIEW_PRESETS[views], EXPRESSIONS):
                project.labels.save_set(label_set)
        project.history.forget()
        return project

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project.

        Raises KnownError if the folder is not a project, is damaged, was written by a newer
        version, or is open elsewhere.
        """
        folder = Path(folder).absolute()
        path = folder / DATABASE_FILE
        if not path.is_file() or not path.stat().st_size:
            raise KnownError(
                "{folder} is not a project: its {database_file} is missing or empty.",
                "Choose a folder whose name ends in {suffix}.",
                folder=folder,
                database_file=DATABASE_FILE,
                suffix=SUFFIX,
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
            raise external_error(error, path) or error from error
        except OSError as error:
            raise KnownError(
                "{folder} cannot be used: {reason}.", folder=folder, reason=reason_of(error)
            ) from error

    @classmethod
    @contextmanager
    def reading(cls, folder: Path) -> Iterator[Project]:
        """A read-only snapshot of the project for another thread.

        Edits made meanwhile are not visible. Raises KnownError if it cannot be read.
        """
        path = Path(folder).absolute() / DATABASE_FILE
        with reading(path) as db:
            db.run("BEGIN")
            db.value("SELECT count(*) FROM sqlite_master")  # starts the snapshot
            yield cls(path.parent, db)

    @property
    def name(self) -> str:
        """The folder's name without the suffix."""
        return self.folder.stem

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Thumbnails of the project's images, opened on first access."""
        return Thumbnails(self.folder)

    @property
    def runs_folder(self) -> Path:
        """The folder that contains the run folders."""
        return self._made("runs")

    def edit(self, text: str, joined_to: int | None = None) -> AbstractContextManager[Edit]:
        """Run the block as one durable transaction, recorded as one undoable edit.

        `joined_to` extends an earlier edit if that is still the newest. On an exception, everything
        is rolled back.
        """
        return self._recorder.edit(text, joined_to)

    def damage(self) -> list[str]:
        """Problems found by SQLite's integrity check; empty if there are none."""
        assert self._db is not None
        found = [row[0] for row in self._db.rows("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close the files and release the lock. Can be called more than once."""
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
    """Acquire the project's lock.

    The database's write lock arbitrates between two programs that find the same stale lock file at
    once; it is released even if its holder is killed.
    """
    with db.transaction():
        application = db.value("PRAGMA application_id")
        empty = not db.value("SELECT count(*) FROM sqlite_master")
        if application != APPLICATION_ID and not empty:
            raise KnownError(
                "{folder} is not a project: its {name} was created by another program.",
                folder=folder,
                name=db.path.name,
            )
        holder = read_lock(folder)
        if holder is not None:
            raise _in_use(folder, holder)
        write_lock(folder)


def _in_use(folder: Path, holder: Holder) -> KnownError:
    """Error for a project that `holder`, a window or a command, has open."""
    values = {"name": folder.name, "pid": holder.pid, "host": holder.host}
    if holder.host != platform.node():
        return KnownError(
            "{name} is in use by another program (process {pid} on {host}).",
            "Close it there first, or delete {lock} if that computer is no longer in use.",
            **values,
            lock=folder / LOCK_FILE,
        )
    command = _command_of(holder.pid)
    sentence = (
        mark("{name} is in use by another program: {command} (process {pid} on {host}).")
        if command
        else mark("{name} is in use by another program (process {pid} on {host}).")
    )
    return KnownError(
        Message(sentence, **values, command=command),
        "Close that program first, or wait until it has finished.",
    )


def _command_of(pid: int) -> str:
    """The beginning of the command line of process `pid`, without the folder of its program; "" if
    it is unknown."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return ""
    text = " ".join((os.path.basename(words[0]), *words[1:])) if words else ""
    return text if len(text) <= SHOWN_COMMAND else f"{text[:SHOWN_COMMAND]}…"


def _migrate(db: Database, folder: Path) -> None:
    """Migrate the database to the current schema, after a backup of existing data."""
    store = SqliteDatabase(db.connection)
    # sqlite-utils has no public list of all registered migrations
    known = {migration.name for migration in migrations._migrations}  # noqa: SLF001
    applied = {migration.name for migration in migrations.applied(store)}
    if applied - known:
        raise KnownError(
            "{name} was written by a newer version of Vantage Workbench.",
            "Update this program to open it.",
            name=folder.name,
        )
    db.tune()
    if applied == known:
        return
    if applied:
        _back_up(db, folder)
    migrations.apply(store)


def _back_up(db: Database, folder: Path) -> None:
    for left in folder.glob(f"backup-*.sqlite{PART}*"):  # left by a killed process
        left.unlink()
    needed = db.path.stat().st_size
    if shutil.disk_usage(folder).free < 2 * needed:
        raise KnownError(
            "{name} must be upgraded, but there is not enough disk space for a backup.",
            "Free up {size:.0f} MB, then open it again.",
            name=folder.name,
            size=2 * needed / 1e6,
        )
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    with replacing(folder / f"backup-{stamp}.sqlite") as part:
        backup = sqlite3.connect(part)
        try:
            db.connection.backup(backup)
        finally:
            backup.close()
