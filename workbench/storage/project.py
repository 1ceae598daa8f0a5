"""A project: its folder, its database, and access to its parts."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from sqlite_utils import Database as SqliteDatabase

from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, ValueRefused, reason_of
from workbench.domain.labels import CATEGORY, EXPRESSIONS, VIEW_PRESETS
from workbench.domain.projects import (
    DATABASE_FILE,
    RUNS_FOLDER,
    SUFFIX,
    DamagedProject,
    PointKind,
    ReadOnly,
    with_suffix,
)
from workbench.domain.text import Message, mark
from workbench.files import PART, make_folder, unusable
from workbench.storage.annotators import Annotators
from workbench.storage.crops import Crops
from workbench.storage.database import Database, external_error
from workbench.storage.features import THUMBNAILS_FILE, Clusterings, FeatureIndexes, Thumbnails
from workbench.storage.going_back import GoingBack
from workbench.storage.history import Edit, History, Recorder
from workbench.storage.images import StoredImages
from workbench.storage.import_reports import ImportReports
from workbench.storage.labels import Labels
from workbench.storage.locks import (
    LOCK_FILE,
    in_use,
    read_lock,
    remove_lock,
    this_process,
    write_lock,
)
from workbench.storage.predictions import Predictions
from workbench.storage.read_only import (
    check_file_writable,
    forget_copy,
    open_to_read,
    open_upgraded,
    reading,
    why_read_only,
)
from workbench.storage.restore_points import has_points, make_point
from workbench.storage.runs import Runs, Studies
from workbench.storage.schema import APPLICATION_ID, migrations
from workbench.storage.searching import Search
from workbench.storage.splits import Splits
from workbench.storage.versions import Versions


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
        self.annotators = Annotators(db, self._recorder)
        predictions = Predictions(db)
        search = Search(db, self.labels, self.annotators, predictions)
        self._recorder.on_changes.append(search.update)
        self.images = StoredImages(db, self._recorder, self.labels, search)
        self.crops = Crops(db, self._recorder)
        self.splits = Splits(db, self._recorder)
        self.versions = Versions(db, self._recorder, self.labels, self.images, self.splits)
        self.going_back = GoingBack(
            db, self._recorder, self.labels, self.images, self.splits, self.versions
        )
        self.runs = Runs(db, predictions)
        self.studies = Studies(db)
        self.history = History(db, self._recorder)
        self.settings = ProjectSettings(db)
        self.import_reports = ImportReports(db)
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
        with contextlib.ExitStack() as undo:
            undo.callback(_empty, folder)
            project = cls._opened(folder)
            undo.callback(project.close)
            with project.edit(Message("New project")):
                for label_set in (CATEGORY, VIEW_PRESETS[views], EXPRESSIONS):
                    project.labels.save_set(label_set)
            project.history.forget()
            undo.pop_all()
        return project

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project; for reading only, if its folder or its disk cannot be written.

        Raises KnownError if the folder is not a project, is damaged, was written by a newer
        version, or is open elsewhere.
        """
        folder = Path(folder).absolute()
        path = folder / DATABASE_FILE
        if not path.is_file() or not path.stat().st_size:
            if has_points(folder):
                raise DamagedProject(folder, Message("its database is missing or empty"))
            raise KnownError(
                "{folder} is not a project: its {database_file} is missing or empty.",
                "Choose a folder whose name ends in {suffix}.",
                folder=folder,
                database_file=DATABASE_FILE,
                suffix=SUFFIX,
            )
        _check_companions(path)
        try:
            return cls._opened(folder)
        except KnownError as error:
            reason = why_read_only(path, error)
            if reason is None:
                raise
            return cls._opened_to_read(folder, reason)

    @classmethod
    def _opened_to_read(cls, folder: Path, reason: ReadOnly) -> Project:
        """Open a project without its lock, so also one that another computer has open."""
        path = folder / DATABASE_FILE
        holder = read_lock(folder)
        if holder is not None and holder.host == this_process().host:
            raise in_use(folder, holder)
        with _known_errors(path), contextlib.ExitStack() as undo:
            undo.callback(forget_copy, path)
            db = open_to_read(path)
            _check_kind(db, folder)
            if _pending(db, folder):
                db.close()
                db = open_upgraded(path, _apply_migrations)
            undo.callback(db.close)
            db.read_only = reason
            project = cls(folder, db)
            undo.pop_all()
            return project

    @classmethod
    def _opened(cls, folder: Path) -> Project:
        path = folder / DATABASE_FILE
        with _known_errors(path), contextlib.ExitStack() as undo:
            check_file_writable(path)
            db = Database(path)
            undo.callback(db.close)
            _claim(db, folder)
            undo.callback(remove_lock, folder)
            with contextlib.suppress(OSError):  # of a restore that was killed
                path.with_name(path.name + PART).unlink()
            _migrate(db, folder)
            project = cls(folder, db)
            undo.pop_all()
            return project

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

    @classmethod
    @contextmanager
    def editing(cls, folder: Path) -> Iterator[Project]:
        """The project in another thread of the process that has it open, for one edit.

        The open project must hold its own edits meanwhile, and `reread` the changes afterwards.
        """
        path = Path(folder).absolute() / DATABASE_FILE
        with _known_errors(path), contextlib.closing(Database(path)) as db:
            db.tune()
            yield cls(path.parent, db)

    def check_writable(self) -> None:
        """Raise KnownError if the project is read-only, or while edits are held."""
        if self.read_only is not None:
            raise self.read_only.refusal(self.name)
        self._recorder.check_held()

    def hold_edits(self, title: Message | None) -> None:
        """Refuse edits while the job called `title` makes one in another thread; None: allow
        them."""
        self._recorder.held = title

    def reread(self, changes: Changes) -> None:
        """Drop what is cached of the rows that an edit in another thread has changed."""
        self._recorder.notify(changes)

    @property
    def name(self) -> str:
        """The folder's name without the suffix."""
        return self.folder.stem

    @property
    def read_only(self) -> ReadOnly | None:
        """Why the project cannot be changed; None if it can."""
        return self._db.read_only if self._db is not None else None

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Thumbnails of the project's images, opened on first access."""
        return Thumbnails(self.folder, writable=self.read_only is None)

    @property
    def runs_folder(self) -> Path:
        """The folder that contains the run folders."""
        return self._made(RUNS_FOLDER)

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
        if self._db.read_only is None:
            remove_lock(self.folder)
        else:
            forget_copy(self._db.path)
        self._db = None

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        if self.read_only is None:
            folder.mkdir(exist_ok=True)
        return folder


def _claim(db: Database, folder: Path) -> None:
    """Acquire the project's lock.

    The database's write lock arbitrates between two programs that find the same stale lock file at
    once; it is released even if its holder is killed.
    """
    with db.transaction():
        _check_kind(db, folder)
        holder = read_lock(folder)
        if holder is not None:
            raise in_use(folder, holder)
        write_lock(folder)


def _check_kind(db: Database, folder: Path) -> None:
    """Raise KnownError if the database is neither a project's nor empty."""
    application = db.value("PRAGMA application_id")
    empty = not db.value("SELECT count(*) FROM sqlite_master")
    if application != APPLICATION_ID and not empty:
        raise KnownError(
            "{folder} is not a project: its {name} was created by another program.",
            folder=folder,
            name=db.path.name,
        )


def _check_companions(path: Path) -> None:
    """Raise KnownError if what is opened with the database is not a file: reading a pipe never
    ends."""
    opened = (*(path.name + ending for ending in ("-wal", "-shm", "-journal")), LOCK_FILE)
    for beside in (path.with_name(name) for name in (*opened, THUMBNAILS_FILE)):
        if beside.exists() and not beside.is_file():
            raise unusable(beside, mark("Delete it, or choose another project."))


def _empty(folder: Path) -> None:
    """Delete what a project that could not be created has left in its folder."""
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    folder.rmdir()


@contextmanager
def _known_errors(path: Path) -> Iterator[None]:
    """Report errors of the disk and of SQLite as KnownErrors that name the project."""
    try:
        yield
    except sqlite3.Error as error:
        raise external_error(error, path) or error from error
    except OSError as error:
        raise KnownError(
            "{folder} cannot be used: {reason}.", folder=path.parent, reason=reason_of(error)
        ) from error


def _pending(db: Database, folder: Path) -> bool:
    """Whether the database has an older schema. Raises KnownError if it has a newer one."""
    applied, known = _migrations_of(db)
    if applied - known:
        raise KnownError(
            "{name} was written by a newer version of Vantage Workbench.",
            "Update this program to open it.",
            name=folder.name,
        )
    return applied != known


def _migrations_of(db: Database) -> tuple[set[str], set[str]]:
    """Names of the migrations that the database has, and of all."""
    # sqlite-utils has no public list of all registered migrations
    known = {migration.name for migration in migrations._migrations}  # noqa: SLF001
    applied = {migration.name for migration in migrations.applied(SqliteDatabase(db.connection))}
    return applied, known


def _apply_migrations(db: Database) -> None:
    migrations.apply(SqliteDatabase(db.connection))


def _migrate(db: Database, folder: Path) -> None:
    """Migrate the database to the current schema, after a restore point of existing data."""
    pending = _pending(db, folder)
    db.tune()
    if not pending:
        return
    if _migrations_of(db)[0]:
        _back_up(db, folder)
    _apply_migrations(db)


def _back_up(db: Database, folder: Path) -> None:
    needed = db.path.stat().st_size
    if shutil.disk_usage(folder).free < 2 * needed:
        raise KnownError(
            "{name} must be upgraded, but there is not enough disk space for a restore point.",
            "Free up {size:.0f} MB, then open it again.",
            name=folder.name,
            size=2 * needed / 1e6,
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    make_point(folder, PointKind.MIGRATION)
