"""Plan of an import: the files in a folder or list, with their labels."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from workbench.app.labels.label_lists import (
    ListedLabels,
    format_of,
    labels_offered,
    locate,
    may_be_both,
    read_listed,
)
from workbench.domain.errors import KnownError, ValueRefused, reason_of
from workbench.domain.formats import (
    FORMATS,
    IMPORTABLE_SETS,
    FileKind,
    Origin,
    enumerated,
    names,
)
from workbench.domain.images import SkippedFile
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.projects import SUFFIX
from workbench.domain.text import Message, counted, mark
from workbench.files import unusable
from workbench.vision.headers import Unreadable, sniff

NO_REMARK = Message("")


@dataclass
class FileSearch:
    """Image files below `root`, as relative paths with forward slashes, and files that cannot be
    imported, with the reasons."""

    root: Path
    images: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def search(root: Path) -> Generator[None, None, FileSearch]:
    """Search the folders below `root`, with a heartbeat for each.

    Hidden files, hidden folders and projects are ignored. A folder that is reached again through a
    symbolic link is read once; an unreadable one is listed as skipped.
    """
    found = FileSearch(root)
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        waiting.extend(reversed(_read_folder(found, folder, seen)))
        yield
    return found


def _read_folder(found: FileSearch, folder: str, seen: set[tuple[int, int]]) -> list[str]:
    """Add the files of one folder; return its subfolders. Both are sorted by name."""
    here = found.root / folder
    try:
        stat = here.stat()
        if (stat.st_dev, stat.st_ino) in seen:
            return []
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(here) as entries:
            inside = sorted((e for e in entries if not e.name.startswith(".")), key=_by_name)
    except OSError as error:
        reason = Message("the folder cannot be read: {reason}", reason=reason_of(error))
        found.skipped.append(SkippedFile(folder or ".", reason))
        return []
    below = []
    for entry in inside:
        relative = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir():
            if not entry.name.endswith(SUFFIX):  # a project contains no new images
                below.append(relative)
        else:
            _add_file(found, entry, relative)
    return below


def _by_name(entry: os.DirEntry[str]) -> tuple[str, str]:
    return entry.name.casefold(), entry.name


def _add_file(found: FileSearch, entry: os.DirEntry[str], relative: str) -> None:
    format = FORMATS.of(entry.name)
    if format is None and not is_image(Path(entry.path)):
        return
    if format is None or format.reads(FileKind.IMAGE):
        found.images.append(relative)
    elif reason := why_unsupported(entry.name):
        found.skipped.append(SkippedFile(relative, reason))


def why_unsupported(name: str) -> str:
    """Why an image file called `name` cannot be imported, if its format is not supported; else
    ""."""
    format = FORMATS.of(name)
    if format is None or format.read:
        return ""
    return Message(
        "{format} is not supported, but {formats} are",
        format=os.path.splitext(name)[1][1:].upper(),
        formats=names(FORMATS.read_as(FileKind.IMAGE)),
    )


def is_image(path: Path) -> bool:
    """Whether a file is an image, by its extension or, without one, by its first bytes.

    This includes unsupported formats; see `why_unsupported`.
    """
    if path.suffix:
        format = FORMATS.of(path)
        return format is not None and FileKind.IMAGE in format.holds
    try:
        if not path.is_file():
            return False  # a pipe would block
        with path.open("rb") as file:
            sniff(file.read(16))
    except (OSError, Unreadable):
        return False
    return True


def origin_offered(path: Path) -> Origin:
    """Origin of the labels in an import of `path`; NONE for an image, or without labels."""
    if path.is_dir():
        return Origin.FOLDER
    return Origin.NONE if is_image(path) or not path.is_file() else labels_offered(path)


Labels = tuple[tuple[str, str], ...]  # label set and label


@dataclass(frozen=True)
class LabelOrigins:
    """Origins of the labels, as a map of importable label set to Origin (or its value), and the
    label names that each set had before the import."""

    origins: Mapping[str, str]
    known: Mapping[str, LabelNames] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, origin in self.origins.items():
            if name not in IMPORTABLE_SETS:
                sentence = Message("Labels of “{name}” cannot be imported.", name=name)
                known = enumerated(IMPORTABLE_SETS, "or")
                raise ValueRefused(Message("label set"), name, known, sentence)
            if origin not in set(Origin):
                known = enumerated([one.value for one in Origin if one is not Origin.NONE], "or")
                sentence = Message(
                    "Labels of “{name}” cannot come from “{origin}”.", name=name, origin=origin
                )
                raise ValueRefused(name, origin, known, sentence)
        if len(self.having(Origin.LIST)) > 1:
            several = enumerated(self.having(Origin.LIST))
            sentence = Message("A list cannot contain the labels of {names}.", names=several)
            raise ValueRefused("list", several, Message("one label set"), sentence)

    def of(self, label_set: str) -> Origin:
        """Origin of the labels of a set."""
        return Origin(self.origins.get(label_set, Origin.NONE))

    def having(self, origin: Origin) -> tuple[str, ...]:
        """Label sets with this origin, the outer folder level first."""
        return tuple(name for name in IMPORTABLE_SETS if self.of(name) is origin)

    def resolve(self, label_set: str, written: str) -> str:
        """The label of the set that is written as `written` in a file, else a new one."""
        known = self.known.get(label_set)
        return known.found_or_new(written) if known is not None else tidied(written)


@dataclass(frozen=True)
class NamedFile:
    """A file to import: path relative to the source's base, and labels by label set."""

    path: str
    labels: Labels = ()


@dataclass(frozen=True)
class SourcePlan:
    """What an import decided about one source before reading its images.

    `kind` is FOLDER, LIST or TABLE; `format` is the name of its format ("" for a folder). `fills`
    pairs each imported label set with a column of the table ("" for a list or folder). `remark` is
    a note for the user.
    """

    path: Path
    kind: Origin
    format: str = ""
    fills: tuple[tuple[str, str], ...] = ()
    remark: Message = NO_REMARK


@dataclass
class PlannedSource:
    """A future source: its plan, the folder that paths are relative to, its files, and the files
    that cannot be imported."""

    plan: SourcePlan
    base: Path
    files: list[NamedFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def plan_source(path: Path, origins: LabelOrigins) -> Generator[None, None, PlannedSource]:
    """Plan the import of a folder, list file or table, yielding heartbeats.

    Raises KnownError if `path` is none of these.
    """
    if path.is_dir():
        return (yield from _plan_folder(path, origins))
    if not path.is_file():
        raise unusable(path, mark("Choose a folder, a list file or a table."))
    listed = read_listed(path)
    decided = _plan_table if listed.kind is FileKind.TABLE else _plan_list
    planned = PlannedSource(decided(path, listed, origins), path.parent, skipped=listed.bad)
    yield from _locate_all(planned, listed, origins)
    return planned


def plan_singles(folder: Path, files: Sequence[Path]) -> PlannedSource:
    """Plan the import of single image files of one folder."""
    planned = PlannedSource(SourcePlan(folder, Origin.FOLDER), folder)
    for file in files:
        reason = why_unsupported(file.name)
        if reason:
            planned.skipped.append(SkippedFile(file.name, reason))
        else:
            planned.files.append(NamedFile(file.name))
    return planned


def _plan_folder(path: Path, origins: LabelOrigins) -> Generator[None, None, PlannedSource]:
    found = yield from search(path)
    sets = origins.having(Origin.FOLDER)
    plan = SourcePlan(path, Origin.FOLDER, fills=tuple((name, "") for name in sets))
    planned = PlannedSource(plan, path, skipped=found.skipped)
    # A folder without subfolders is itself a class folder; one with subfolders is not.
    flat = not any("/" in name for name in found.images)
    for name in found.images:
        levels = PurePosixPath(name).parts[:-1] or ((path.resolve().name,) if flat else ())
        planned.files.append(NamedFile(name, _folder_labels(levels, sets, origins)))
    return planned


def _folder_labels(levels: Sequence[str], sets: tuple[str, ...], origins: LabelOrigins) -> Labels:
    """Labels from the innermost folders: `category/view` for both sets."""
    last = levels[-len(sets) :] if sets else ()
    pairs = ((name, origins.resolve(name, level)) for name, level in zip(sets, last, strict=False))
    return tuple((name, label) for name, label in pairs if label)


def _plan_table(path: Path, listed: ListedLabels, origins: LabelOrigins) -> SourcePlan:
    """Import the columns of sets whose origin is a table, or that have no origin.

    In a format that may also be a list, this includes sets whose origin is a list. Raises
    KnownError if the table has none of the requested columns.
    """
    requested = origins.having(Origin.TABLE)
    if requested and not set(requested) & set(listed.columns):
        raise KnownError(
            "{path} has no column {names}.",
            "Rename the column in the file, or import no labels.",
            path=path,
            names=enumerated(requested, "or"),
        )
    listing = origins.having(Origin.LIST) if may_be_both(path) else ()
    absent = [name for name in listing if name not in listed.columns]
    remark = NO_REMARK
    if absent:
        remark = Message("{file} has no column {name}.", file=path.name, name=absent[0])
    here = {*requested, *origins.having(Origin.NONE), *listing}
    fills = tuple((name, name) for name in listed.columns if name in here)
    return SourcePlan(path, Origin.TABLE, format_of(path).name, fills, remark)


def _plan_list(path: Path, listed: ListedLabels, origins: LabelOrigins) -> SourcePlan:
    """Import the set whose origin is a list, or else a table if the format may be both."""
    sets = origins.having(Origin.LIST)
    if not sets and may_be_both(path):
        sets = origins.having(Origin.TABLE)
    fills = ((sets[0], ""),) if len(sets) == 1 else ()
    remark = NO_REMARK
    if not fills and any(entry.labels for entry in listed.entries):
        remark = Message(
            "{file} has labels, but no label set is imported from the list.", file=path.name
        )
    return SourcePlan(path, Origin.LIST, format_of(path).name, fills, remark)


def _locate_all(
    planned: PlannedSource, listed: ListedLabels, origins: LabelOrigins
) -> Generator[None, None, None]:
    sets = {column: name for name, column in planned.plan.fills}
    by_name: dict[str, list[str]] | None = None
    located: dict[str, Labels] = {}
    for count, entry in enumerate(listed.entries):
        if count % 512 == 0:
            yield
        labels = tuple((sets[c], origins.resolve(sets[c], v)) for c, v in entry.labels if c in sets)
        at = locate(planned.base, entry.path)
        if at is None and planned.plan.kind is Origin.TABLE and by_name is None:
            by_name = yield from _names_below(planned.base)
        found = (by_name or {}).get(PurePosixPath(entry.path).name, []) if at is None else []
        name = _relative(at, planned.base) if at is not None else "".join(found[:1])
        line = {"file": planned.plan.path.name, "line": entry.line}
        if at is None and not found:
            reason = Message("the file does not exist ({file}, line {line})", **line)
            planned.skipped.append(SkippedFile(entry.path, reason))
        elif at is None and len(found) > 1:
            reason = counted(
                len(found),
                "{n:,} file has this name ({file}, line {line})",
                "{n:,} files have this name ({file}, line {line})",
                **line,
            )
            planned.skipped.append(SkippedFile(entry.path, reason))
        elif located.setdefault(name, labels) != labels:
            reason = Message("listed again with another label ({file}, line {line})", **line)
            planned.skipped.append(SkippedFile(entry.path, reason))
    planned.files.extend(NamedFile(name, labels) for name, labels in located.items())


def _names_below(base: Path) -> Generator[None, None, dict[str, list[str]]]:
    names: dict[str, list[str]] = {}
    for name in (yield from search(base)).images:
        names.setdefault(PurePosixPath(name).name, []).append(name)
    return names


def _relative(path: Path, base: Path) -> str:
    """`path` relative to `base`, with forward slashes; absolute if it is on another drive."""
    try:
        return os.path.relpath(path, base).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.as_posix()
