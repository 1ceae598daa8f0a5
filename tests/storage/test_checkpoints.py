"""Background checkpoints copy the log into the file and lose no commit."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from workbench.storage import database as checkpoints
from workbench.storage.database import Database


@pytest.fixture
def db(tmp_path: Path):
    made = Database(tmp_path / "some.sqlite")
    made.tune()
    with made.transaction():
        made.run("CREATE TABLE number (value INTEGER)")
    yield made
    made.close()


def fill(db: Database, count: int) -> None:
    with db.transaction(durable=True):
        db.run_many("INSERT INTO number VALUES (?)", [(i,) for i in range(count)])


def rows_in_the_file(path: Path, folder: Path) -> int:
    """Rows found without the log, that is, those copied by a checkpoint."""
    folder.mkdir()
    copy = folder / path.name
    shutil.copyfile(path, copy)
    connection = sqlite3.connect(copy)
    try:
        return int(connection.execute("SELECT count(*) FROM number").fetchone()[0])
    except sqlite3.OperationalError:  # not even the table
        return 0
    finally:
        connection.close()


def test_a_bulk_edit_is_moved_into_the_file(db: Database, tmp_path: Path) -> None:
    fill(db, checkpoints.CHANGES)
    db._checkpoints.close()
    assert rows_in_the_file(db.path, tmp_path / "copy") == checkpoints.CHANGES


def test_a_single_edit_stays_in_the_log_and_is_committed(db: Database, tmp_path: Path) -> None:
    fill(db, 1)
    assert rows_in_the_file(db.path, tmp_path / "copy") == 0
    other = sqlite3.connect(db.path)
    assert other.execute("SELECT count(*) FROM number").fetchone() == (1,)
    other.close()


def test_edits_continue_while_a_checkpoint_runs(db: Database) -> None:
    for _ in range(5):
        fill(db, checkpoints.CHANGES)
        fill(db, 1)
    db._checkpoints.close()
    assert db.value("SELECT count(*) FROM number") == 5 * (checkpoints.CHANGES + 1)
    assert not [t for t in threading.enumerate() if t.name == "checkpoint"]


def test_a_checkpoint_that_fails_does_no_harm(db: Database, tmp_path: Path) -> None:
    lost = checkpoints.Checkpoints(tmp_path / "no folder" / "some.sqlite")
    lost.committed(checkpoints.CHANGES)
    lost.close()
    fill(db, 3)
    assert db.value("SELECT count(*) FROM number") == 3
