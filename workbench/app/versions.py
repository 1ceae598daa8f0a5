"""Versions: creating them, comparing two, and going back to one."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from workbench.app.jobs import JobResult, Outcome, Steps, Task, applying
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.reports import Progress
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.text import Message, counted
from workbench.domain.versions import (
    CHANGE_HEAD,
    NOW,
    VersionChange,
    VersionContent,
    change_cells,
    checked_version_name,
    compare_versions,
)
from workbench.files import replacing, writing
from workbench.formats.rows import write_rows
from workbench.storage.project import Project
from workbench.storage.versions import VersionDraft

# Jobs that make several edits, between which nothing can go back.
EDITING_JOBS = ("import", "labels", "crop")


def user_name() -> str:
    """The name of the user on this computer; "" if it is unknown."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""


@dataclass(frozen=True)
class _Ready(JobResult):
    """A version that is ready to be stored."""

    draft: VersionDraft


def create_task(session: Session, name: str, note: str = "") -> Task[None]:
    """A job that creates a version of the project as it is now.

    Raises ValueRefused at once if the name is blank or in use, KnownError if the project is
    read-only.
    """
    session.check_writable()
    name = checked_version_name(name, [known.name for known in session.versions.all()])
    folder = session.folder

    def work() -> Steps[None]:
        with Project.reading(folder) as store:
            yield None
            yield _Ready(store.versions.draft())

    def keep(ready: _Ready) -> None:
        session.store.versions.add(ready.draft, name, note, user_name())
        session.announce(Changes(versions=True))

    title = Message("Create version “{name}”", name=name)
    return Task(title, work, apply=applying(_Ready, keep), kind="version")


def rename_version(session: Session, name: str, new: str) -> str:
    """Rename a version, also where runs name it; return the name as it is stored.

    Raises KnownError if it is unknown, ValueRefused if the new name is blank or in use.
    """
    version = session.versions.get(name)
    runs = session.store.versions.rename(name, new)
    session.announce(Changes(versions=True, runs=runs))
    return next(one.name for one in session.versions.all() if one.id == version.id)


def remove_version(session: Session, name: str) -> None:
    """Delete a version for good. Raises KnownError if it is unknown or a run names it."""
    session.store.versions.remove(name)
    session.announce(Changes(versions=True))


def compare_task(session: Session, before: str, after: str = NOW) -> Task[list[VersionChange]]:
    """A job that lists what differs between two versions, or a version and the project now.

    Raises KnownError for an unknown name.
    """
    for name in (before, after):
        if name != NOW:
            session.versions.get(name)
    folder = session.folder

    def work() -> Steps[list[VersionChange]]:
        with Project.reading(folder) as store:
            old, new = yield from _contents(store, before, after)
        found = []
        for change in compare_versions(old, new):
            if change is None:
                yield None
            else:
                found.append(change)
        return found

    return Task(Message("Compare versions"), work, kind="version")


def _contents(
    store: Project, before: str, after: str
) -> Steps[tuple[VersionContent, VersionContent]]:
    named = {name: store.versions.content(name) for name in {before, after} if name != NOW}
    yield None
    base = next(iter(named.values()), None)
    if NOW in (before, after):
        named[NOW] = store.versions.current(base)
    return named[before], named[after]


def go_back_task(session: Session, name: str) -> Task[None]:
    """A job that changes the project back to a version, as one undoable edit in its own thread.

    Other edits are refused until it ends; if it is stopped, nothing has changed. Raises KnownError
    for an unknown name, if the project is read-only, or while it is edited by another job.
    """
    session.check_writable()
    version = session.versions.get(name)
    for job in session.jobs.jobs():
        if job.task.kind in EDITING_JOBS:
            raise KnownError(
                "The project is being changed by “{title}”.",
                "Wait until it has finished, or stop it.",
                title=job.task.title,
            )
    folder, title = session.folder, Message("Go back to version “{name}”", name=name)
    changed: list[Changes] = []

    def work() -> Steps[None]:
        session.store.hold_edits(title)
        yield Progress(done=0, text=Message("Reading the version"))
        with Project.editing(folder) as store:
            target = store.versions.content(name)
            yield Progress(done=0, text=Message("Comparing"))
            plan = store.going_back.plan(version, target)
            steps = store.going_back.run(plan)
            changed.append((yield from _reported(steps, len(plan.images))))

    def finish(_: Outcome[None]) -> None:
        session.store.hold_edits(None)
        for changes in changed:
            session.store.reread(changes)
            session.announce(changes)

    return Task(title, work, finish=finish, kind="version")


def _reported(steps: Generator[int, None, Changes], images: int) -> Steps[Changes]:
    """Report the progress of going back."""
    try:
        while True:
            done = next(steps)
            text = counted(images, "{n:,} image", "{n:,} images")
            yield Progress(done=done, total=images, text=text)
    except StopIteration as end:
        changes: Changes = end.value
        return changes
    finally:
        steps.close()


def images_of(session: Session, changes: Iterable[VersionChange]) -> dict[str, int]:
    """Ids by hash of the images that the changes name and the project has, in their order."""
    known = session.store.images.hashes()
    hashes = dict.fromkeys(change.hash for change in changes if change.hash)
    return {hash_: known[hash_] for hash_ in hashes if hash_ in known}


def save_changes(changes: Iterable[VersionChange], path: Path) -> list[Message]:
    """Write differences with the columns of CHANGE_HEAD, as CSV, TSV or Excel by the extension.

    The file is replaced when complete. Returns notes on what was changed for spreadsheets. Raises
    KnownError if it cannot be written.
    """
    with writing(path), replacing(path) as part:
        return write_rows(part, chain([CHANGE_HEAD], map(change_cells, changes)))


def version_of_run(store: Project, draft: VersionDraft | str) -> str:
    """Name of the version that a new run has seen, which is stored unless it is the newest."""
    if isinstance(draft, str):
        return draft
    if draft.same:
        return store.versions.confirm(draft)
    taken = {known.name.casefold() for known in store.versions.all()}
    number = 1 + len(store.runs.all())
    while (name := f"run {number}") in taken:
        number += 1
    return store.versions.add(draft, name, "", user_name(), automatic=True).name


def draft_for_run(
    store: Project, drawn: Mapping[int, Part] | None, plan: SplitPlan
) -> VersionDraft | str:
    """What a run sees, in the snapshot `store`; the newest version's name if it is that.

    `drawn` is the split that is stored together with the run.
    """
    newest = store.versions.unchanged() if drawn is None else ""
    return newest or store.versions.draft(drawn, plan, find_same=True)
