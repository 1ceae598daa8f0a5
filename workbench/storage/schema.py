"""Database schema of a project, as migrations that each run once in one transaction."""

from __future__ import annotations

from sqlite_utils import Database as SqliteDatabase
from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x56575031  # "VWP1" in the file header marks a project database

migrations = Migrations("project")

# Watched tables take part in undo: their rows are stored as JSON, so their columns are integers and
# text (JSON would round a REAL): times are whole microseconds, a file's mtime the bits of its
# double, landmarks JSON text. Exception: confidence, which is rounded to six digits when written.
# Bulk labelling touches images all over the project, so its cost is the number of pages:
# annotations have no foreign key that SQLite would check in the wide rows of image (the narrow
# index image_ids serves that), and the index of current labels covers the query before a
# replacement.
_TABLES = """
CREATE TABLE source (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL
);
CREATE TABLE image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    sort_key TEXT NOT NULL,
    added_at INTEGER NOT NULL
);
CREATE INDEX image_in_order ON image(sort_key, id);
CREATE INDEX image_ids ON image(id);
CREATE TABLE place (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER NOT NULL REFERENCES source(id) DEFERRABLE INITIALLY DEFERRED,
    image INTEGER NOT NULL REFERENCES image(id) DEFERRABLE INITIALLY DEFERRED,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_bits INTEGER NOT NULL,
    UNIQUE (source, path)
);
CREATE INDEX place_of_image ON place(image, source);
CREATE TABLE skipped (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER NOT NULL REFERENCES source(id) DEFERRABLE INITIALLY DEFERRED,
    path TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX skipped_of_source ON skipped(source);
CREATE TABLE label_set (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    exclusive INTEGER NOT NULL
);
CREATE TABLE label (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    label_set INTEGER NOT NULL REFERENCES label_set(id) DEFERRABLE INITIALLY DEFERRED,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    mirror TEXT NOT NULL,
    position INTEGER NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX label_of_set ON label(label_set, removed, position);
CREATE TABLE crop (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    image INTEGER NOT NULL REFERENCES image(id) DEFERRABLE INITIALLY DEFERRED,
    face INTEGER NOT NULL,
    state TEXT NOT NULL,
    left INTEGER, top INTEGER, right INTEGER, bottom INTEGER,
    landmarks TEXT NOT NULL,
    detector TEXT NOT NULL,
    reviewed INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX crop_of_image ON crop(image, face);
CREATE INDEX crop_in_state ON crop(state, reviewed);
CREATE TABLE annotation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    image INTEGER NOT NULL,
    crop INTEGER,
    label_set INTEGER NOT NULL,
    label INTEGER NOT NULL,
    author TEXT NOT NULL,
    confidence REAL NOT NULL,
    made_at INTEGER NOT NULL,
    ended_at INTEGER
);
CREATE INDEX standing_of_images ON annotation(label_set, image, label, author, crop, ended_at)
    WHERE ended_at IS NULL AND crop IS NULL;
CREATE INDEX standing_of_crops ON annotation(crop, label_set, label)
    WHERE ended_at IS NULL AND crop IS NOT NULL;
CREATE INDEX ended_of_image ON annotation(image) WHERE ended_at IS NOT NULL;
CREATE TABLE split (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    standing INTEGER NOT NULL
);
CREATE TABLE membership (
    split INTEGER NOT NULL,
    image INTEGER NOT NULL,
    part INTEGER NOT NULL,
    PRIMARY KEY (split, image)
) WITHOUT ROWID;
"""

_RUNS = """
CREATE TABLE run (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    target TEXT NOT NULL,
    recipe_toml TEXT NOT NULL,
    labels TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    metrics TEXT NOT NULL,
    message TEXT NOT NULL,
    epochs_done INTEGER NOT NULL
);
CREATE TABLE epoch (
    run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (run, epoch)
) WITHOUT ROWID;
CREATE TABLE prediction (
    run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE,
    image INTEGER NOT NULL,
    crop INTEGER NOT NULL,
    part INTEGER NOT NULL,
    truth INTEGER NOT NULL,
    predicted INTEGER NOT NULL,
    confidence REAL NOT NULL,
    view_truth INTEGER NOT NULL,
    view_predicted INTEGER NOT NULL,
    view_confidence REAL NOT NULL,
    true_view TEXT NOT NULL,
    scores BLOB NOT NULL,
    view_scores BLOB,
    PRIMARY KEY (run, image, crop)
) WITHOUT ROWID;
CREATE INDEX prediction_cell ON prediction(run, part, truth, predicted, image);
"""

_RECORD = """
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE edit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    origin INTEGER NOT NULL,
    text TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    undone INTEGER NOT NULL
);
CREATE TABLE change (
    edit INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    row INTEGER NOT NULL,
    step INTEGER NOT NULL,
    image INTEGER NOT NULL,
    state TEXT,
    PRIMARY KEY (edit, kind, row)
) WITHOUT ROWID;
"""


@migrations()  # type: ignore[untyped-decorator]
def first_tables(db: SqliteDatabase) -> None:
    """Create the tables of the first version."""
    for script in (_TABLES, _RUNS, _RECORD):
        for statement in script.split(";\n"):
            if statement.strip():
                db.conn.execute(statement)
    db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@migrations()  # type: ignore[untyped-decorator]
def studies(db: SqliteDatabase) -> None:
    """Add studies: recipes compared on the same splits and seeds."""
    db.conn.execute(
        "CREATE TABLE study (id TEXT PRIMARY KEY, created REAL NOT NULL, body TEXT NOT NULL) "
        "WITHOUT ROWID"
    )


@migrations()  # type: ignore[untyped-decorator]
def marks(db: SqliteDatabase) -> None:
    """Add multi-label truth to predictions: one byte per label, 1 = present."""
    db.conn.execute("ALTER TABLE prediction ADD COLUMN marks BLOB")


@migrations()  # type: ignore[untyped-decorator]
def split_of_runs(db: SqliteDatabase) -> None:
    """Add the name of the split that a run was prepared with; "" if it is unknown."""
    db.conn.execute("ALTER TABLE run ADD COLUMN split TEXT NOT NULL DEFAULT ''")


@migrations()  # type: ignore[untyped-decorator]
def import_reports(db: SqliteDatabase) -> None:
    """Add the reports of imports."""
    db.conn.execute(
        "CREATE TABLE import_report (number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)"
    )


@migrations()  # type: ignore[untyped-decorator]
def versions(db: SqliteDatabase) -> None:
    """Add versions, and the name of the one that a run saw."""
    db.conn.execute(
        "CREATE TABLE version (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
        " note TEXT NOT NULL, made_at INTEGER NOT NULL, author TEXT NOT NULL,"
        " automatic INTEGER NOT NULL, images INTEGER NOT NULL, labels INTEGER NOT NULL,"
        " body BLOB NOT NULL, moment TEXT NOT NULL)"
    )
    db.conn.execute("ALTER TABLE run ADD COLUMN version TEXT NOT NULL DEFAULT ''")


@migrations()  # type: ignore[untyped-decorator]
def annotators(db: SqliteDatabase) -> None:
    """Add the people who label.

    `annotation.annotator` is null for labels without a name; `role` is null for LABEL, else a value
    of `labels.Role`. Both may be null, because recorded rows of earlier edits do not have them.
    """
    db.conn.execute(
        "CREATE TABLE annotator (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)"
    )
    db.conn.execute("ALTER TABLE annotation ADD COLUMN annotator INTEGER")
    db.conn.execute("ALTER TABLE annotation ADD COLUMN role INTEGER")


@migrations()  # type: ignore[untyped-decorator]
def touched(db: SqliteDatabase) -> None:
    """Add the images that may differ from the newest version, so that the next one reads no others.

    Image 0 means all images; `hash` is that of an image that was removed. `version.split` is the id
    of its split, 0 for none, −1 if it is unknown. A removed version keeps its row, which the later
    ones need.
    """
    db.conn.execute(
        "CREATE TABLE touched (id INTEGER PRIMARY KEY AUTOINCREMENT, image INTEGER NOT NULL UNIQUE,"
        " hash TEXT NOT NULL)"
    )
    db.conn.execute("ALTER TABLE version ADD COLUMN split INTEGER NOT NULL DEFAULT -1")
    db.conn.execute("ALTER TABLE version ADD COLUMN removed INTEGER NOT NULL DEFAULT 0")
    db.conn.execute("INSERT INTO touched (image, hash) VALUES (0, '')")


@migrations()  # type: ignore[untyped-decorator]
def earlier_names(db: SqliteDatabase) -> None:
    """Add the names that labels had until they were renamed or merged.

    `label` is the label that such a name means now; `ended_at` is when it was renamed.
    """
    db.conn.execute(
        "CREATE TABLE earlier_name (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " label_set INTEGER NOT NULL REFERENCES label_set(id) DEFERRABLE INITIALLY DEFERRED,"
        " label INTEGER NOT NULL REFERENCES label(id) DEFERRABLE INITIALLY DEFERRED,"
        " name TEXT NOT NULL, ended_at INTEGER NOT NULL)"
    )


@migrations()  # type: ignore[untyped-decorator]
def time_and_memory(db: SqliteDatabase) -> None:
    """Add the training time of runs, which their epochs have, and the peaks of their memory."""
    db.conn.execute("ALTER TABLE run ADD COLUMN seconds REAL NOT NULL DEFAULT 0")
    db.conn.execute("ALTER TABLE run ADD COLUMN memory INTEGER NOT NULL DEFAULT 0")
    db.conn.execute("ALTER TABLE run ADD COLUMN device_memory INTEGER NOT NULL DEFAULT 0")
    db.conn.execute(
        "UPDATE run SET seconds = coalesce((SELECT sum(json_extract(report, '$.seconds'))"
        " FROM epoch WHERE epoch.run = run.number), 0)"
    )
