"""Storage of runs and studies; changes to them are not undoable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from workbench.domain.errors import KnownError
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import JOINT, JOINT_SETS
from workbench.domain.reports import Epoch, decode_report, encode_report
from workbench.domain.runs import RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part
from workbench.domain.studies import Study
from workbench.domain.text import Message, from_stored, stored
from workbench.storage.database import Database, IntArray
from workbench.storage.predictions import Predictions

_COLUMNS = (
    "id",
    "name",
    "status",
    "target",
    "recipe_toml",
    "labels",
    "created",
    "started",
    "finished",
    "metrics",
    "message",
    "epochs_done",
    "split",
    "version",
    "seconds",
    "memory",
    "device_memory",
)
_SUM_SECONDS = (
    "UPDATE run SET seconds = coalesce((SELECT sum(json_extract(report, '$.seconds')) FROM epoch"
    " WHERE epoch.run = run.number), 0) WHERE number = ?"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM run"  # noqa: S608


class Runs:
    """The runs of a project."""

    def __init__(self, db: Database, predictions: Predictions) -> None:
        self._db = db
        self._predictions = predictions

    def create(self, record: RunRecord) -> None:
        """Store a new run. Raises KnownError if its id exists."""
        if self._db.value("SELECT 1 FROM run WHERE id = ?", (record.id,)):
            raise KnownError("A run {id} already exists.", id=record.id)
        values = [_stored(getattr(record, name)) for name in _COLUMNS]
        marks = ", ".join("?" * len(_COLUMNS))
        with self._db.transaction():
            self._db.run(f"INSERT INTO run ({', '.join(_COLUMNS)}) VALUES ({marks})", values)  # noqa: S608

    def get(self, id: str) -> RunRecord:
        """Return a run. Raises KnownError if there is none with this id."""
        row = self._db.row(f"{_SELECT} WHERE id = ?", (id,))
        if row is None:
            raise KnownError(
                "There is no run {id} in this project.",
                "List the runs with: workbench runs.",
                id=id,
            )
        return _record(row)

    def all(self) -> list[RunRecord]:
        """All runs, newest first."""
        return [
            _record(row) for row in self._db.rows(f"{_SELECT} ORDER BY created DESC, number DESC")
        ]

    def update(self, id: str, **fields: Any) -> None:
        """Set fields of a run by their names in RunRecord. Raises KnownError or TypeError."""
        number = self._number(id)
        unknown = set(fields) - set(_COLUMNS[1:])
        if unknown:
            raise TypeError(f"a run has no {', '.join(sorted(unknown))}")
        if not fields:
            return
        settings = ", ".join(f"{name} = ?" for name in fields)
        with self._db.transaction():
            self._db.run(
                f"UPDATE run SET {settings} WHERE number = ?",  # noqa: S608
                [*map(_stored, fields.values()), number],
            )

    def remove(self, id: str) -> None:
        """Remove a run with its epochs and predictions. The caller deletes its folder."""
        with self._db.transaction():
            self._db.run("DELETE FROM run WHERE number = ?", (self._number(id),))

    def add_epoch(self, id: str, epoch: Epoch) -> None:
        """Store a finished epoch, replacing one with the same number."""
        with self._db.transaction():
            number = self._number(id)
            self._db.run(
                "INSERT OR REPLACE INTO epoch (run, epoch, report) VALUES (?, ?, ?)",
                (number, epoch.epoch, encode_report(epoch).decode()),
            )
            self._db.run(
                "UPDATE run SET epochs_done = max(epochs_done, ?) WHERE number = ?",
                (epoch.epoch, number),
            )
            self._db.run(_SUM_SECONDS, (number,))
        self.raise_memory(id, epoch.memory, epoch.device_memory)

    def raise_memory(self, id: str, memory: int, device_memory: int) -> None:
        """Store the peaks of a run's memory in bytes, unless earlier ones are higher."""
        with self._db.transaction():
            self._db.run(
                "UPDATE run SET memory = max(memory, ?), device_memory = max(device_memory, ?)"
                " WHERE number = ?",
                (memory, device_memory, self._number(id)),
            )

    def epochs(self, id: str) -> list[Epoch]:
        """Finished epochs of a run, in order."""
        rows = self._db.rows(
            "SELECT report FROM epoch WHERE run = ? ORDER BY epoch", (self._number(id),)
        )
        reports = [decode_report(row[0]) for row in rows]
        return [report for report in reports if isinstance(report, Epoch)]

    def truncate_epochs(self, id: str, after: int) -> None:
        """Remove the epochs after number `after`, which a resumed run repeats."""
        number = self._number(id)
        with self._db.transaction():
            self._db.run("DELETE FROM epoch WHERE run = ? AND epoch > ?", (number, after))
            self._db.run(
                "UPDATE run SET epochs_done = min(epochs_done, ?) WHERE number = ?",
                (after, number),
            )
            self._db.run(_SUM_SECONDS, (number,))

    def save_predictions(self, id: str, table: PredictionTable) -> None:
        """Store predictions, replacing those of the same images."""
        self._predictions.save(self._number(id), table)

    def predictions(self, id: str, part: Part | None = None) -> PredictionTable:
        """Predictions of a run, of one part or all."""
        return self._predictions.load(self._number(id), part)

    def cell(self, id: str, part: Part, truth: int, predicted: int) -> IntArray:
        """Ids of the images of one confusion cell (label positions of the run)."""
        return self._predictions.cell(self._number(id), part, truth, predicted)

    def newest(self, target_set: str) -> RunRecord | None:
        """Newest finished run that learned this label set, alone or jointly, or None."""
        joint = JOINT if target_set in (*JOINT_SETS, JOINT) else target_set
        row = self._db.row(
            f"{_SELECT} WHERE status = 'finished' AND target IN (?, ?)"
            " ORDER BY created DESC, number DESC",
            (target_set, joint),
        )
        return _record(row) if row is not None else None

    def suggestions(
        self, label_set: str, ids: Iterable[int] | IntArray
    ) -> dict[int, tuple[str, float]]:
        """Label and confidence predicted for these images by the newest run of a set."""
        return self._predictions.suggestions(label_set, ids)

    def _number(self, id: str) -> int:
        number = self._db.value("SELECT number FROM run WHERE id = ?", (id,))
        if number is None:
            raise KnownError(
                "There is no run {id} in this project.",
                "List the runs with: workbench runs.",
                id=id,
            )
        return int(number)


def _stored(value: Any) -> Any:
    """Column value of a field: structs, dictionaries and messages with values as JSON."""
    if isinstance(value, RunStatus):
        return value.value
    if isinstance(value, RunLabels | dict):
        return msgspec.json.encode(value).decode()
    return stored(value) if isinstance(value, Message) else value


def _record(row: tuple[Any, ...]) -> RunRecord:
    fields = dict(zip(_COLUMNS, row, strict=True))
    fields["status"] = RunStatus(fields["status"])
    fields["labels"] = msgspec.json.decode(fields["labels"], type=RunLabels)
    fields["message"] = from_stored(fields["message"])
    fields["metrics"] = msgspec.json.decode(fields["metrics"])
    return RunRecord(**fields)


class Studies:
    """Studies and the runs of their cells."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, study: Study) -> None:
        """Insert or update a study."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO study (id, created, body) VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (study.id, study.created, msgspec.json.encode(study).decode()),
            )

    def get(self, id: str) -> Study:
        """Return a study. Raises KnownError if there is none with this id."""
        body = self._db.value("SELECT body FROM study WHERE id = ?", (id,))
        if body is None:
            raise KnownError(
                "There is no study {id} in this project.",
                "List the studies with: workbench study.",
                id=id,
            )
        return msgspec.json.decode(body, type=Study)

    def all(self) -> list[Study]:
        """All studies, newest first."""
        rows = self._db.rows("SELECT body FROM study ORDER BY created DESC")
        return [msgspec.json.decode(row[0], type=Study) for row in rows]

    def remove(self, id: str) -> None:
        """Remove a study; its runs are kept."""
        with self._db.transaction():
            self._db.run("DELETE FROM study WHERE id = ?", (id,))
