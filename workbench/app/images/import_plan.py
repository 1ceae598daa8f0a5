"""What an import will read: files below a folder or in a list, and the labels beside them."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from workbench.app.labels.label_lists import ListedLabels, locate, read_csv, read_list
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.images import SkippedFile
from workbench.domain.label_names import LabelNames, tidied
from workbench.vision.headers import Unreadable, sniff

READ = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp")
# Images of kinds that are not read are listed; raw photographs pass for TIFF but hold a preview.
NOT_READ = (".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".psd", ".svg", ".ico")
RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf")
PROJECT_SUFFIX = ".workbench"  # the crops a project keeps are no new images


@dataclass
class FileSearch:
    """What lies below `root`: image files as paths relative to it with forward slashes, files that
    cannot be taken with the reason, and how many folders were looked into."""

    root: Path
    images: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    folders: int = 0


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
    found.folders += 1
    below = []
    for entry in inside:
        relative = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir():
            if not entry.name.endswith(PROJECT_SUFFIX):
                below.append(relative)
        else:
            _take_file(found, entry, relative)
    return below


def _by_name(entry: os.DirEntry[str]) -> tuple[str, str]:
    return entry.name.casefold(), entry.name


def _take_file(found: FileSearch, entry: os.DirEntry[str], relative: str) -> None:
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in READ or (not suffix and is_image(Path(entry.path))):
        found.images.append(relative)
    elif suffix in NOT_READ + RAW:
        kind = suffix[1:].upper()
        found.skipped.append(
            SkippedFile(relative, f"{kind} is not read (JPEG, PNG, BMP, TIFF and WebP are)")
        )


def is_image(path: Path) -> bool:
    """Whether a file announces an image, by its suffix or, without one, by its first bytes."""
    suffix = path.suffix.lower()
    if suffix:
        return suffix in READ
    try:
        if not path.is_file():
            return False  # a pipe would block
        with path.open("rb") as file:
            sniff(file.read(16))
    except (OSError, Unreadable):
        return False
    return True


FROM = ("", "folder", "list", "csv")
LEVELS = ("category", "view", "expression")  # outer to inner, where several come from folders

Labels = tuple[tuple[str, str], ...]  # label set and label


@dataclass(frozen=True)
class LabelOrigins:
    """Where the labels of each set come from: a map of category, view and expression to "folder",
    "list" or "csv", and the label names each set had before the import."""

    origins: Mapping[str, str]
    known: Mapping[str, LabelNames] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, origin in self.origins.items():
            if origin not in FROM:
                raise ValueRefused(f"{name} from", origin, "folder, list or csv")
        if len(self.having("list")) > 1:
            raise ValueRefused("from list", ", ".join(self.having("list")), "one label set")

    def having(self, origin: str) -> tuple[str, ...]:
        """The label sets that come from `origin`, outer folder level first."""
        return tuple(name for name in LEVELS if self.origins.get(name) == origin)

    def meant(self, label_set: str, written: str) -> str:
        """The label of the set that `written` means, or the new one it makes."""
        known = self.known.get(label_set)
        return known.found_or_new(written) if known is not None else tidied(written)


@dataclass(frozen=True)
class NamedFile:
    """One file to read: path relative to the source's base, and its labels by label set."""

    path: str
    labels: Labels = ()


@dataclass
class Place:
    """One source to be: its path and kind ("folder", "list", "csv"), the folder that paths start
    from, the files it names, what it names in vain, and a remark for the user."""

    path: Path
    kind: str
    base: Path
    files: list[NamedFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    remark: str = ""


def plan_place(path: Path, origins: LabelOrigins) -> Generator[None, None, Place]:
    """What `path`, a folder, a list file or a CSV table, names; raises KnownError when it is
    neither. Yields heartbeats."""
    if path.is_dir():
        return (yield from _plan_folder(path, origins))
    if not path.is_file():
        raise KnownError(f"{path} does not exist.", "Choose a folder, a list file or a CSV table.")
    kind = "csv" if path.suffix.lower() in (".csv", ".tsv") else "list"
    place = Place(path, kind, path.parent)
    if kind == "csv":
        listed = read_csv(path)
        sets = _csv_sets(path, listed, origins)
    else:
        listed = read_list(path)
        sets = dict(zip(("",), origins.having("list"), strict=False))
        if not sets and any(entry.labels for entry in listed.entries):
            place.remark = f"{path.name} holds labels; none was chosen to come from the list."
    place.skipped.extend(listed.bad)
    yield from _locate_all(place, listed, sets, origins)
    return place


def _plan_folder(path: Path, origins: LabelOrigins) -> Generator[None, None, Place]:
    found = yield from search(path)
    place = Place(path, "folder", path, skipped=found.skipped)
    sets = origins.having("folder")
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


def _csv_sets(path: Path, listed: ListedLabels, origins: LabelOrigins) -> dict[str, str]:
    """Columns that are labels; raises KnownError when none of those asked for is there."""
    asked = origins.having("csv")
    if asked and not set(asked) & set(listed.columns):
        raise KnownError(
            f"{path} has no column {' or '.join(asked)}.", "Name its column so, or read no labels."
        )
    return {name: name for name in listed.columns if origins.origins.get(name, "") in ("", "csv")}


def _locate_all(
    place: Place, listed: ListedLabels, sets: Mapping[str, str], origins: LabelOrigins
) -> Generator[None, None, None]:
    by_name: dict[str, list[str]] | None = None
    taken: dict[str, Labels] = {}
    for count, entry in enumerate(listed.entries):
        if count % 512 == 0:
            yield
        labels = tuple((sets[c], origins.meant(sets[c], v)) for c, v in entry.labels if c in sets)
        at = locate(place.base, entry.path)
        if at is None and place.kind == "csv" and by_name is None:
            by_name = yield from _names_below(place.base)
        found = (by_name or {}).get(PurePosixPath(entry.path).name, []) if at is None else []
        name = _relative(at, place.base) if at is not None else "".join(found[:1])
        line = f"{place.path.name}, line {entry.line}"
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
