"""Checkpoints in the background: what was committed moves from the log into the database file."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

CHANGES = 4000  # rows changed between two checkpoints: some 30 MB of log where they lie far apart


class Checkpoints:
    """Moves a database's write-ahead log into its file without holding up who commits.

    A commit is on the disk with the log; SQLite's own checkpoint runs inside the commit that finds
    the log long, and takes as long again as a bulk edit itself. This one has a thread and a
    connection of its own, writes no row, and waits for no one (PASSIVE). Where it fails, the log
    stays, and SQLite's own limit (`wal_autocheckpoint`) holds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done_at = 0
        self._thread: threading.Thread | None = None

    def committed(self, changes: int) -> None:
        """Tell that a transaction ended; `changes` counts the connection's changed rows."""
        if changes - self._done_at < CHANGES or (self._thread and self._thread.is_alive()):
            return
        self._done_at = changes
        self._thread = threading.Thread(target=self._copy, name="checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the checkpoint under way, if any."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _copy(self) -> None:
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(self._path, timeout=0)) as connection,
        ):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
