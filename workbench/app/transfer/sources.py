"""Sources of a transfer: label sets of this or other projects, by name and folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench.app.project_folders import project_folder
from workbench.app.session import Session
from workbench.app.training.targets import targets
from workbench.app.training.training import recover
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import JOINT
from workbench.domain.text import Message
from workbench.storage.project import Project

MARK = "#"  # separates a project from its label set
SourceLocation = tuple[Path, str]  # folder of a project, and one of its label sets


def named_sources(given: Sequence[str], label_set: str) -> dict[str, SourceLocation]:
    """Map sources written as "PROJECT" or "PROJECT#LABELS" to unique short names, independent of
    the working folder. Raises KnownError if one is not a project, ValueRefused if it has no path.
    """
    found: dict[str, SourceLocation] = {}
    for text in given:
        path, mark, own = text.rpartition(MARK)
        if mark and not path.strip():  # not the current folder
            raise ValueRefused(Message("source"), text, Message("PROJECT or PROJECT#LABELS"))
        folder = project_folder(Path(path if mark else text)).resolve()
        labels = own if mark else label_set
        short = folder.stem + (f"{MARK}{labels}" if labels != label_set else "")
        taken = short in found and found[short] != (folder, labels)
        found[f"{folder}{MARK}{labels}" if taken else short] = (folder, labels)
    return found


@dataclass(frozen=True)
class TransferSource:
    """A listed source: its written form, short name, folder and label set."""

    text: str
    name: str
    folder: Path
    label_set: str


def listed_sources(given: Sequence[str], label_set: str) -> list[TransferSource]:
    """The sources in order; one whose project is missing is named by its folder."""
    found = []
    for text in given:
        path, _, own = text.rpartition(MARK)
        try:
            named = named_sources(given, label_set)
            name = next(n for n, place in named.items() if written_source(*place) == text)
        except (KnownError, StopIteration):
            name = Path(path).stem + (f"{MARK}{own}" if own != label_set else "")
        found.append(TransferSource(text, name, Path(path), own))
    return found


def written_source(folder: Path, label_set: str) -> str:
    """Write a source in the form that `named_sources` reads."""
    return f"{folder}{MARK}{label_set}"


@contextmanager
def opened_beside(session: Session, folder: Path) -> Iterator[Session]:
    """Open another project within the block, or reuse `session` if it is the same project."""
    if folder == session.store.folder.resolve():
        yield session
        return
    other = Session(Project.open(project_folder(folder)))
    try:
        recover(other)
        yield other
    finally:
        other.close()


def one_label(store: Project, label_set: str) -> None:
    """Raise KnownError if images may have several labels of a set."""
    known = store.labels.sets().get(label_set)
    if known is not None and not known.exclusive:
        raise KnownError(
            "Images may have several labels of “{label_set}”, but one is needed here.",
            "Choose a label set whose labels exclude each other.",
            label_set=label_set,
        )


def refuse_target(store: Project, places: Iterable[SourceLocation], label_set: str) -> None:
    """Raise KnownError if `label_set` of the project itself is one of its sources."""
    if (store.folder.resolve(), label_set) in list(places):
        raise KnownError(
            "{name} is the target itself.",
            "Add one of its other label sets instead.",
            name=store.name,
        )


def positions_of(sources: Iterable[str]) -> Iterator[SourceLocation]:
    """Folder and label set of sources that `written_source` wrote."""
    for text in sources:
        path, _, own = text.rpartition(MARK)
        yield Path(path), own


def _ready(session: Session) -> list[str]:
    """Exclusive label sets of a project with at least two labels in use."""
    sets = session.store.labels.sets()
    ready = [target.name for target in targets(session) if target.ready and target.name != JOINT]
    return [name for name in ready if sets[name].exclusive]


def own_sources(session: Session, label_set: str) -> list[str]:
    """Other label sets of a project that can be a source for `label_set`."""
    return [name for name in _ready(session) if name != label_set]


def checked_source(session: Session, folder: Path, label_set: str) -> str:
    """A project as a source for `label_set`: its label set of the same name, else the first that
    can be trained. Raises KnownError if it is not a project, cannot be opened or has none."""
    with opened_beside(session, project_folder(folder).resolve()) as source:
        ready = _ready(source)
        chosen = label_set if label_set in ready else next(iter(ready), "")
        refuse_target(session.store, [(source.store.folder.resolve(), chosen)], label_set)
        name = source.store.name
    if not chosen:
        raise KnownError(
            "{name} has no label set with two labels in use.",
            "Label some of its images first.",
            name=name,
        )
    return written_source(project_folder(folder).resolve(), chosen)
