"""Restore points of a project: the daily one, and going back to one of them."""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date
from pathlib import Path

from workbench.app.jobs import Steps, Task
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE, RUNS_FOLDER, PointKind, RestorePoint
from workbench.domain.runs import RECIPE_FILE
from workbench.domain.text import Message, counted
from workbench.files import PART
from workbench.storage import restore_points
from workbench.storage.project import Project

ROOM = 3  # a daily point is made if there is room for so many copies
BEAT = 0.05  # seconds between two looks at whether the job is stopped
LISTED = 3  # restore points named in an error

list_points = restore_points.list_points
count_damaged = restore_points.count_damaged
newest_set_aside = restore_points.newest_set_aside
EarlierRun = restore_points.EarlierRun
earlier_run = restore_points.earlier_run


def damaged_note(folder: Path) -> Message | None:
    """How many restore points of the project in `folder` are damaged; None for none."""
    count = count_damaged(folder)
    if not count:
        return None
    return counted(count, "{n:,} restore point is damaged.", "{n:,} restore points are damaged.")


def unrecorded_runs(project: Session | Project) -> list[Path]:
    """The run folders of a project whose runs are not in its list, oldest first."""
    known = {record.id for record in project.runs.all()}
    return [folder for folder in _run_folders(project.folder) if folder.name not in known]


def runs_left_out(project: Path, point: RestorePoint) -> list[Path]:
    """The run folders of a project whose runs are not in a restore point, oldest first."""
    return [folder for folder in _run_folders(project) if folder.name not in point.runs]


def _run_folders(project: Path) -> list[Path]:
    found = (recipe.parent for recipe in (project / RUNS_FOLDER).glob(f"*/{RECIPE_FILE}"))
    return sorted(one for one in found if not one.name.endswith(PART))


def adopting_command(folder: Path) -> str:
    """The command that adds the run of a folder in its project's folder of runs to the list."""
    words = map(shlex.quote, (str(folder), "--into", str(folder.parent.parent)))
    return f"workbench runs adopt {' '.join(words)}"


def readable_points(folder: Path) -> list[RestorePoint]:
    """As `list_points`. Raises KnownError if their folder cannot be read."""
    restore_points.check_readable(folder)
    return list_points(folder)


def newest_points(folder: Path) -> list[RestorePoint]:
    """The newest restore points of a project that cannot be opened, for an error."""
    return list_points(folder)[:LISTED]


def find_point(folder: Path, given: str = "") -> RestorePoint:
    """The restore point with this name, file name or unique beginning of a name; "" is the newest.

    Raises KnownError if there is none, or their folder cannot be read.
    """
    points = readable_points(folder)
    if not points:
        remedy = damaged_note(folder) or ""
        raise KnownError("{folder} has no restore points.", remedy, folder=folder)
    found = [point for point in points if given in (point.name, point.file.name)] or [
        point for point in points if point.name.startswith(given)
    ]
    if not found or (given and len(found) > 1):
        raise KnownError(
            "There is no single restore point “{given}”.",
            "Restore points: {known}.",
            given=given,
            known=", ".join(point.name for point in points),
        )
    return found[0]


def _day_of(point: RestorePoint) -> date:
    """The local day on which a restore point was written; its name is later than that if the clock
    was set back."""
    return date.fromtimestamp(point.file.stat().st_mtime)


def shown_time(point: RestorePoint) -> str:
    """The local time of a restore point, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(point.made_at))


def daily_point_is_due(session: Session) -> bool:
    """Whether today has no daily restore point, there are images to keep, and there is room."""
    if session.read_only is not None or not session.images.count():
        return False
    size = (session.folder / DATABASE_FILE).stat().st_size
    if shutil.disk_usage(session.folder).free < ROOM * size:
        return False
    daily = (point for point in list_points(session.folder) if point.kind is PointKind.DAILY)
    return all(_day_of(point) != date.today() for point in daily)


def daily_task(session: Session) -> Task[RestorePoint]:
    """A job that makes a daily restore point. It fails if the database is damaged."""
    folder = session.folder

    def work() -> Steps[RestorePoint]:
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:  # SQLite's copy cannot yield
            made = pool.submit(restore_points.make_point, folder, PointKind.DAILY, stop.is_set)
            try:
                while not wait([made], BEAT).done:
                    yield None
            finally:
                stop.set()
        return made.result()

    return Task(Message("Restore point"), work, kind="restore point")


def restore_task(folder: Path, point: RestorePoint) -> Task[RestorePoint | None]:
    """A job that restores a project that is not open, as `storage.restore_points.restore`."""

    def work() -> Steps[RestorePoint | None]:
        yield None
        return restore_points.restore(folder, point)

    return Task(Message("Restore"), work, kind="restore")
