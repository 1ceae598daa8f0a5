"""What an import will read: files below a folder or in a list, and the labels beside them."""

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
from workbench.domain.errors import KnownError, ValueRefused
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
from workbench.domain.text import Message
from workbench.vision.headers import Unreadable, sniff

NO_REMARK = Message("")


@dataclass
class FileSearch:
    """What lies below `root`: image files as paths relative to it with forward slashes, and files
    that cannot be taken, with the reason."""

    root: Path
    images: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def search(root: Path) -> Generator[None, None, FileSearch]:
    """Look below `root`, with a heartbeat per folder.

    Hidden files and folders and other projects are passed over; a folder that is reached again
    through a symbolic link is looked into once; one that may not be read is listed as skipped.
    """
    found = FileSearch(root)
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        waiting.extend(reversed(_look_into(found, folder, seen)))
        yield
    return found


def _look_into(found: FileSearch, folder: str, seen: set[tuple[int, int]]) -> list[str]:
    """Take in the files of one folder and return its sub-folders, both in the order of names."""
    here = found.root / folder
    try:
        stat = here.stat()
        if (stat.st_dev, stat.st_ino) in seen:
            return []
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(here) as entries:
            inside = sorted((e for e in entries if not e.name.startswith(".")), key=_by_name)
    except OSError as error:
        found.skipped.append(SkippedFile(folder or ".", f"folder cannot be read: {error.strerror}"))
        return []
    below = []
    for entry in inside:
        relative = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir():
            if not entry.name.endswith(SUFFIX):  # the crops a project keeps are no new images
                below.append(relative)
        else:
            _take_file(found, entry, relative)
    return below


def _by_name(entry: os.DirEntry[str]) -> tuple[str, str]:
    return entry.name.casefold(), entry.name


def _take_file(found: FileSearch, entry: os.DirEntry[str], relative: str) -> None:
    format = FORMATS.of(entry.name)
    if format is None and not is_image(Path(entry.path)):
        return
    if format is None or format.reads(FileKind.IMAGE):
        found.images.append(relative)
    elif refused := not_read(entry.name):
        found.skipped.append(SkippedFile(relative, refused))


def not_read(name: str) -> str:
    """Why a file called `name` is left out: it is an image of a kind that is not read; else ""."""
    format = FORMATS.of(name)
    if format is None or format.read:
        return ""
    ending = os.path.splitext(name)[1][1:].upper()
    return f"{ending} is not read ({names(FORMATS.read_as(FileKind.IMAGE))} are)"


def is_image(path: Path) -> bool:
    """Whether a file announces an image, by its ending or, without one, by its first bytes. Images
    of kinds that are not read are among them: see `not_read`."""
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


def origin_offered(place: Path) -> Origin:
    """Where an import of `place` can take labels from; NONE for an image, and where there are
    none."""
    if place.is_dir():
        return Origin.FOLDER
    return Origin.NONE if is_image(place) or not place.is_file() else labels_offered(place)


Labels = tuple[tuple[str, str], ...]  # label set and label


@dataclass(frozen=True)
class LabelOrigins:
    """Where the labels of each importable set come from, a map of label set to Origin (or its
    value), and the label names each set had before the import."""

    origins: Mapping[str, str]
    known: Mapping[str, LabelNames] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, origin in self.origins.items():
            if name not in IMPORTABLE_SETS:
                raise ValueRefused("label set", name, enumerated(IMPORTABLE_SETS, "or"))
            if origin not in set(Origin):
                allowed = [one.value for one in Origin if one is not Origin.NONE]
                raise ValueRefused(f"{name} from", origin, enumerated(allowed, "or"))
        if len(self.having(Origin.LIST)) > 1:
            raise ValueRefused("from list", ", ".join(self.having(Origin.LIST)), "one label set")

    def of(self, label_set: str) -> Origin:
        """Where the labels of a set come from."""
        return Origin(self.origins.get(label_set, Origin.NONE))

    def having(self, origin: Origin) -> tuple[str, ...]:
        """The label sets that come from `origin`, outer folder level first."""
        return tuple(name for name in IMPORTABLE_SETS if self.of(name) is origin)

    def meant(self, label_set: str, written: str) -> str:
        """The label of the set that `written` means, or the new one it makes."""
        known = self.known.get(label_set)
        return known.found_or_new(written) if known is not None else tidied(written)


@dataclass(frozen=True)
class NamedFile:
    """One file to read: path relative to the source's base, and its labels by label set."""

    path: str
    labels: Labels = ()


@dataclass(frozen=True)
class PlacePlan:
    """What an import decided about one place before it read an image: its kind as a source
    (FOLDER, LIST or TABLE), the name of its format ("" for a folder), which label sets it fills
    from where (a column of a table; "" for the label of a list's line or a folder's name), and a
    remark for the user."""

    path: Path
    kind: Origin
    format: str = ""
    fills: tuple[tuple[str, str], ...] = ()
    remark: Message = NO_REMARK


@dataclass
class Place:
    """One source to be: what was decided about it, the folder that paths start from, the files it
    names, and what it names in vain."""

    plan: PlacePlan
    base: Path
    files: list[NamedFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def plan_place(path: Path, origins: LabelOrigins) -> Generator[None, None, Place]:
    """What `path`, a folder, a list file or a table, names; raises KnownError when it is neither.
    Yields heartbeats."""
    if path.is_dir():
        return (yield from _plan_folder(path, origins))
    if not path.is_file():
        raise KnownError(
            "{path} does not exist.", "Choose a folder, a list file or a table.", path=path
        )
    listed = read_listed(path)
    decided = _plan_table if listed.kind is FileKind.TABLE else _plan_list
    place = Place(decided(path, listed, origins), path.parent, skipped=listed.bad)
    yield from _locate_all(place, listed, origins)
    return place


def plan_singles(folder: Path, files: Sequence[Path]) -> Place:
    """Single image files of one folder."""
    place = Place(PlacePlan(folder, Origin.FOLDER), folder)
    for file in files:
        refused = not_read(file.name)
        if refused:
            place.skipped.append(SkippedFile(file.name, refused))
        else:
            place.files.append(NamedFile(file.name))
    return place


def _plan_folder(path: Path, origins: LabelOrigins) -> Generator[None, None, Place]:
    found = yield from search(path)
    sets = origins.having(Origin.FOLDER)
    plan = PlacePlan(path, Origin.FOLDER, fills=tuple((name, "") for name in sets))
    place = Place(plan, path, skipped=found.skipped)
    # A folder chosen by itself names the class of all it holds; beside class folders it does not.
    flat = not any("/" in name for name in found.images)
    for name in found.images:
        levels = PurePosixPath(name).parts[:-1] or ((path.resolve().name,) if flat else ())
        place.files.append(NamedFile(name, _folder_labels(levels, sets, origins)))
    return place


def _folder_labels(levels: Sequence[str], sets: tuple[str, ...], origins: LabelOrigins) -> Labels:
    """The innermost folders as labels: `category/view` where both are asked for."""
    last = levels[-len(sets) :] if sets else ()
    pairs = ((name, origins.meant(name, level)) for name, level in zip(sets, last, strict=False))
    return tuple((name, label) for name, label in pairs if label)


def _plan_table(path: Path, listed: ListedLabels, origins: LabelOrigins) -> PlacePlan:
    """Columns that are labels: those of sets that come from tables or from nowhere else. In a
    format that holds lists too, a set that comes from lists comes from its column.

    Raises KnownError when no column asked for is there.
    """
    asked = origins.having(Origin.TABLE)
    if asked and not set(asked) & set(listed.columns):
        raise KnownError(
            "{path} has no column {asked}.",
            "Name its column so, or read no labels.",
            path=path,
            asked=enumerated(asked, "or"),
        )
    listing = origins.having(Origin.LIST) if may_be_both(path) else ()
    absent = [name for name in listing if name not in listed.columns]
    remark = NO_REMARK
    if absent:
        remark = Message("{file} has no column {name}.", file=path.name, name=absent[0])
    here = {*asked, *origins.having(Origin.NONE), *listing}
    fills = tuple((name, name) for name in listed.columns if name in here)
    return PlacePlan(path, Origin.TABLE, format_of(path).name, fills, remark)


def _plan_list(path: Path, listed: ListedLabels, origins: LabelOrigins) -> PlacePlan:
    """The one set that comes from lists. In a format that holds tables too, it is the one that
    comes from tables where none comes from lists."""
    sets = origins.having(Origin.LIST)
    if not sets and may_be_both(path):
        sets = origins.having(Origin.TABLE)
    fills = ((sets[0], ""),) if len(sets) == 1 else ()
    remark = NO_REMARK
    if not fills and any(entry.labels for entry in listed.entries):
        remark = Message(
            "{file} holds labels; none was chosen to come from the list.", file=path.name
        )
    return PlacePlan(path, Origin.LIST, format_of(path).name, fills, remark)


def _locate_all(
    place: Place, listed: ListedLabels, origins: LabelOrigins
) -> Generator[None, None, None]:
    sets = {column: name for name, column in place.plan.fills}
    by_name: dict[str, list[str]] | None = None
    taken: dict[str, Labels] = {}
    for count, entry in enumerate(listed.entries):
        if count % 512 == 0:
            yield
        labels = tuple((sets[c], origins.meant(sets[c], v)) for c, v in entry.labels if c in sets)
        at = locate(place.base, entry.path)
        if at is None and place.plan.kind is Origin.TABLE and by_name is None:
            by_name = yield from _names_below(place.base)
        found = (by_name or {}).get(PurePosixPath(entry.path).name, []) if at is None else []
        name = _relative(at, place.base) if at is not None else "".join(found[:1])
        line = f"{place.plan.path.name}, line {entry.line}"
        if at is None and len(found) != 1:
            reason = f"{len(found)} files have this name" if found else "no such file"
            place.skipped.append(SkippedFile(entry.path, f"{reason} ({line})"))
        elif taken.setdefault(name, labels) != labels:
            place.skipped.append(
                SkippedFile(entry.path, f"named again with another label ({line})")
            )
    place.files.extend(NamedFile(name, labels) for name, labels in taken.items())


def _names_below(base: Path) -> Generator[None, None, dict[str, list[str]]]:
    names: dict[str, list[str]] = {}
    for name in (yield from search(base)).images:
        names.setdefault(PurePosixPath(name).name, []).append(name)
    return names


def _relative(path: Path, base: Path) -> str:
    """`path` as seen from `base`, with forward slashes; absolute where no relative path exists."""
    try:
        return os.path.relpath(path, base).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.as_posix()
