"""Connection to a project's database: one thread, explicit transactions, checkpoints."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import KnownError
from workbench.domain.projects import DamagedProject, ReadOnly
from workbench.domain.text import Message

CHANGES = 4000  # changed rows between two checkpoints: about 30 MB of log if they are scattered


class Checkpoints:
    """Copies a database's write-ahead log into its file without blocking commits.

    A commit is durable once it is in the log. SQLite's own checkpoint runs within the commit that
    finds the log long, and takes as long as a bulk edit itself. This one uses its own thread and
    connection, writes no rows and never waits (PASSIVE). If it fails, the log remains, and SQLite's
    own limit (`wal_autocheckpoint`) applies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done_at = 0
        self._thread: threading.Thread | None = None

    def committed(self, changes: int) -> None:
        """Register a finished transaction; `changes` is the connection's number of changed rows."""
        if changes - self._done_at < CHANGES or (self._thread and self._thread.is_alive()):
            return
        self._done_at = changes
        self._thread = threading.Thread(target=self._copy, name="checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for a running checkpoint."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _copy(self) -> None:
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(self._path, timeout=0)) as connection,
        ):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


IntArray = NDArray[np.int64]

_encode = msgspec.json.Encoder().encode
_EXTERNAL = {
    sqlite3.SQLITE_FULL: Message("the disk is full"),
    sqlite3.SQLITE_IOERR: Message("the disk could not be read or written"),
    sqlite3.SQLITE_READONLY: Message("the folder is read-only"),
    sqlite3.SQLITE_BUSY: Message("another program is using it"),
    sqlite3.SQLITE_CANTOPEN: Message("its database cannot be opened"),
    sqlite3.SQLITE_CORRUPT: Message("its database is damaged"),
    sqlite3.SQLITE_NOTADB: Message("its database was written by another program"),
}


def listed(ids: Iterable[int] | IntArray) -> str:
    """Encode ids as one JSON text for `json_each(?)`: any number of them in one parameter."""
    values = ids.tolist() if isinstance(ids, np.ndarray) else [int(id_) for id_ in ids]
    return _encode(values).decode()


def listed_texts(texts: Iterable[str]) -> str:
    """Encode texts as one JSON text for `json_each(?)`."""
    return _encode(list(texts)).decode()


DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's code of an error without its extension; 0 if it has none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def external_error(error: sqlite3.Error, path: Path) -> KnownError | None:
    """Map an SQLite error with an external cause (disk full, damaged file) to a KnownError, else
    None."""
    code = primary_code(error)
    reason = _EXTERNAL.get(code)
    if reason is None:
        return None
    if code in DAMAGE:
        return DamagedProject(path.parent, reason)
    return KnownError(
        "The project in {parent} cannot be used: {reason}.",
        "Previously saved data is not lost.",
        parent=path.parent,
        reason=reason,
    )


def read_only_uri(path: Path, immutable: bool = False) -> str:
    """Read-only URI of a database file; the server of a network share is part of its path.

    An `immutable` file is read without its log and without locks: nothing may change it meanwhile.
    """
    uri = path.absolute().as_uri()
    on_share = not uri.startswith("file:///")
    given = "?mode=ro&immutable=1" if immutable else "?mode=ro"
    return ("file:////" + uri.removeprefix("file://") if on_share else uri) + given


class Database:
    """A connection for the thread that created it.

    One that is only read can change its own temporary tables, nothing else.
    """

    def __init__(self, path: Path, read_from: str = "") -> None:
        """Open the file `path`, or the read-only URI `read_from` in its place."""
        self.path = path
        self.read_only: ReadOnly | None = None  # set if edits are refused
        self._owner = threading.get_ident()
        self.connection = sqlite3.connect(
            read_from or str(path), isolation_level=None, timeout=5.0, uri=bool(read_from)
        )
        self._checkpoints = Checkpoints(path)

    def tune(self) -> None:
        """Set what a connection does not persist: journal mode, caches, foreign keys."""
        for pragma in (
            "journal_mode = WAL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -65536",
            "wal_autocheckpoint = 65536",  # pages; Checkpoints copies the log much earlier
            "journal_size_limit = 67108864",
        ):
            self.connection.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        """Close the connection; committed data is on disk."""
        self._checkpoints.close()
        self.connection.close()

    def run(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Execute a statement."""
        self._check_thread()
        with self._reporting_damage():
            return self.connection.execute(sql, parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each row."""
        self._check_thread()
        self.connection.executemany(sql, rows)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        with self._reporting_damage():
            return self.run(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """First row of a query as a tuple, or None."""
        with self._reporting_damage():
            return self.run(sql, parameters).fetchone()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """First value of a query, or None."""
        row = self.row(sql, parameters)
        return row[0] if row is not None else None

    def ids(self, sql: str, parameters: Sequence[Any] = ()) -> IntArray:
        """The single integer column of a query, in order."""
        return self.columns(sql, parameters, 1)[0]

    def columns(
        self, sql: str, parameters: Sequence[Any], count: int, dtype: type = np.int64
    ) -> list[NDArray[Any]]:
        """The `count` numeric columns of a query as arrays.

        Five times as fast as fetching rows: SQLite joins each column to one text, which NumPy
        parses.
        """
        names = [f"c{i}" for i in range(count)]
        wanted = ", ".join(f"group_concat({name})" for name in names)
        row = self.row(f"WITH t({', '.join(names)}) AS ({sql}) SELECT {wanted} FROM t", parameters)  # noqa: S608
        return [np.fromstring(text, dtype, sep=",") if text else np.zeros(0, dtype) for text in row]

    @contextmanager
    def transaction(self, durable: bool = False) -> Generator[None, None, None]:
        """Run the block in a transaction, or as part of an open one.

        `durable` transactions are on disk when the block ends; others survive a crash of the
        program, but may be lost in a power failure. Raises KnownError if the project is read-only.
        """
        self._check_thread()
        if self.read_only is not None:
            raise self.read_only.refusal(self.path.parent.stem)
        if self.connection.in_transaction:
            yield
            return
        try:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.rollback()
                raise
        except sqlite3.Error as error:
            known = external_error(error, self.path)
            if known is None:
                raise
            raise known from error
        self._checkpoints.committed(self.connection.total_changes)

    @contextmanager
    def _reporting_damage(self) -> Generator[None, None, None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if primary_code(error) in DAMAGE:
                raise external_error(error, self.path) or error from error
            raise

    def _check_thread(self) -> None:
        if threading.get_ident() != self._owner:
            raise RuntimeError("a project can only be used by the thread that opened it")
