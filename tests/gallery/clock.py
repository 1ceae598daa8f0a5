"""Fixed times for everything that a project remembers, so that two galleries can be compared."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from workbench.app.session import Session
from workbench.app.transfer import assessing, transferring
from workbench.domain.projects import DATABASE_FILE

DAY = 1_773_500_000.0  # seconds since the epoch: a day in March 2026
APART, LONG = 1800.0, 65.0  # seconds between two runs, and of one


def stop_clock(session: Session) -> None:
    """Date all edits, runs and answers of a project as if they had been made on that day."""
    store = session.store
    for at, record in enumerate(reversed(store.runs.all())):
        begun = DAY + APART * at
        ended = {} if record.finished is None else {"finished": begun + LONG}
        output = record.message.replace(record.id, f"20260314-1{at:05}-abcd")
        store.runs.update(record.id, created=begun, started=begun, message=output, **ended)
        for epoch in store.runs.epochs(record.id):
            steady = {"seconds": 1.5, "images_per_second": 120.0}
            store.runs.add_epoch(record.id, msgspec.structs.replace(epoch, **steady))
    for clustering in store.clusterings.all():
        store.clusterings.keep(msgspec.structs.replace(clustering, made=DAY))
    for key in (assessing.KEY, assessing.STUDIES_KEY, transferring.KEY):
        known: list[dict[str, Any]] = store.settings.get(key, [])
        if known:
            store.settings.put(key, [{**one, "made": DAY - at} for at, one in enumerate(known)])
    with sqlite3.connect(store.folder / DATABASE_FILE) as database:
        for table in ("edit", "annotation", "version"):
            database.execute(
                f"UPDATE {table} SET made_at = (? + 60 * min(id, 90)) * 1000000", (int(DAY),)
            )
        database.execute("UPDATE version SET author = 'ada'")
    database.close()
