"""Versions: creating them, comparing two, and going back to one."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.app.jobs import JobResult, Steps, Task, applying
from workbench.app.results.result_tables import to_csv
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.errors import ValueRefused
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.text import Message
from workbench.domain.versions import (
    CHANGE_HEAD,
    VersionChange,
    VersionContent,
    change_cells,
    compare_versions,
)
from workbench.files import write_whole, writing
from workbench.storage.project import Project
from workbench.storage.versions import VersionDraft

NOW = ""  # names the project as it is, where a version could be named


def user_name() -> str:
    """The name of the user on this computer; "" if it is unknown."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""


@dataclass(frozen=True)
class _Ready(JobResult):
    """A version that is ready to be stored, or the content to go back to."""

    content: VersionDraft | VersionContent


def create_task(session: Session, name: str, note: str = "") -> Task[None]:
    """A job that creates a version of the project as it is now.

    Raises ValueRefused at once if the name is blank or in use, KnownError if the project is
    read-only.
    """
    name = " ".join(name.split())
    if any(known.name == name for known in session.versions.all()):
        sentence = Message("There is already a version “{name}”.", name=name)
        allowed = Message("a name that no version has")
        raise ValueRefused(Message("name of the version"), name, allowed, sentence)
    if not name:
        raise ValueRefused(Message("name of the version"), "", Message("a name"))
    if session.read_only is not None:
        raise session.read_only.refusal(session.name)
    folder = session.folder

    def work() -> Steps[None]:
        with Project.reading(folder) as store:
            yield None
            yield _Ready(store.versions.draft())

    def keep(ready: _Ready) -> None:
        assert isinstance(ready.content, VersionDraft)
        session.store.versions.add(ready.content, name, note, user_name())
        session.announce(Changes(history=True))

    title = Message("Create version “{name}”", name=name)
    return Task(title, work, apply=applying(_Ready, keep), kind="version")


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
    """A job that changes the project back to a version, as one undoable edit.

    Raises KnownError for an unknown name, or if the project is read-only.
    """
    session.versions.get(name)
    if session.read_only is not None:
        raise session.read_only.refusal(session.name)
    folder = session.folder

    def work() -> Steps[None]:
        with Project.reading(folder) as store:
            yield None
            yield _Ready(store.versions.content(name))

    def restore(ready: _Ready) -> None:
        assert isinstance(ready.content, VersionContent)
        with session.edit(Message("Go back to version “{name}”", name=name)):
            session.store.versions.restore(ready.content, name)

    title = Message("Go back to version “{name}”", name=name)
    return Task(title, work, apply=applying(_Ready, restore), kind="version")


def images_of(session: Session, changes: Iterable[VersionChange]) -> list[int]:
    """Ids of the images that the changes name and the project has, each once, in their order."""
    hashes = dict.fromkeys(change.hash for change in changes if change.hash)
    found = (session.store.images.by_hash(hash_) for hash_ in hashes)
    return [id_ for id_ in found if id_ is not None]


def changes_csv(changes: Iterable[VersionChange]) -> str:
    """Differences as CSV text, with the columns of CHANGE_HEAD."""
    return to_csv(CHANGE_HEAD, map(change_cells, changes))


def save_changes(changes: Iterable[VersionChange], path: Path) -> None:
    """Write differences as a CSV file. Raises KnownError if it cannot be written."""
    with writing(path):
        write_whole(path, changes_csv(changes).encode())


def version_of_run(store: Project, draft: VersionDraft | str) -> str:
    """Name of the version that a new run has seen, which is stored unless it is the newest."""
    if isinstance(draft, str):
        return draft
    if draft.same:
        return store.versions.confirm(draft)
    taken = {known.name for known in store.versions.all()}
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
    return newest or store.versions.draft(drawn, plan)
