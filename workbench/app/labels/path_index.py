"""Which known file a path in a list, table or label file means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from workbench.domain.import_reports import Decision, DecisionKind
from workbench.domain.text import Message, counted

K = TypeVar("K")

SAMPLES = 3  # paths shown of those that are matched in the same way

_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")
# Folders that formats put images in, wherever these come from; in lower case.
_GENERAL = frozenset(
    {"images", "image", "imgs", "img", "data", "photos", "pictures", "jpegimages"}
    | {"img_align_celeba", "img_celeba"}
)


class PathIndex(Generic[K]):
    """Known paths, looked up by a path as written in a file.

    In this order, a written path means: the known path equal to it, from one of the `bases` if it
    is relative; the paths that end with it; if it is absolute, as on another computer, those that
    share the most folders at its end. A written name without a known extension also means the file
    with that name and any extension. If none is found, composed and decomposed characters are the
    same, as systems write names differently.
    """

    def __init__(self, known: Iterable[tuple[str, K]], bases: Iterable[str] = ()) -> None:
        self._bases = [base.replace("\\", "/").rstrip("/") for base in bases]
        self._by_path: dict[str, K] = {}
        self._by_name: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] | None = None
        self._composed: tuple[PathIndex[str], dict[str, list[str]]] | None = None
        for name, key in known:
            path = name.replace("\\", "/")
            if path not in self._by_path:
                self._by_name.setdefault(path.rsplit("/", 1)[-1], []).append(path)
            self._by_path[path] = key

    def at(self, path: str) -> list[K]:
        """The key of the file at a whole known path; none if there is none."""
        clean = _clean(path)
        return [self._by_path[clean]] if clean in self._by_path else []

    def find(self, written: str) -> list[K]:
        """Keys of all files that `written` may mean; more than one if it is ambiguous.

        If it means none as it is written, the folders that formats put images in, such as `images`
        or `data/images`, are left out.
        """
        clean = _clean(written)
        found = self.find_as_written(clean)
        while not found and (inner := _inside_general_folder(clean)):
            clean = inner
            found = self.find_as_written(clean)
        return found

    def find_as_written(self, written: str) -> list[K]:
        """Like `find`, but with all folders as they are written."""
        clean = _clean(written)
        found = self.find_exactly(clean)
        return found if found or clean.isascii() else self._composed_alike(clean)

    def find_exactly(self, clean: str) -> list[K]:
        """`find` for a path with forward slashes, with its characters as they are."""
        if clean in self._by_path:
            return [self._by_path[clean]]
        inside = [f"{base}/{clean}" for base in self._bases]
        if keys := [self._by_path[path] for path in inside if path in self._by_path]:
            return list(dict.fromkeys(keys))
        alike = self._by_name.get(clean.rsplit("/", 1)[-1], [])
        found = _ending(alike, clean) or self._without_extension(clean)
        return list(dict.fromkeys(self._by_path[path] for path in found))

    def _composed_alike(self, clean: str) -> list[K]:
        """Keys of the paths that `find_exactly` would find if all characters were composed."""
        if self._composed is None:
            paths: dict[str, list[str]] = {}
            for path in self._by_path:
                paths.setdefault(unicodedata.normalize("NFC", path), []).append(path)
            bases = [unicodedata.normalize("NFC", base) for base in self._bases]
            self._composed = PathIndex(((path, path) for path in paths), bases), paths
        index, paths = self._composed
        alike = index.find_exactly(unicodedata.normalize("NFC", clean))
        return list(dict.fromkeys(self._by_path[one] for path in alike for one in paths[path]))

    def _without_extension(self, clean: str) -> Sequence[str]:
        if self._by_stem is None:
            self._by_stem = {}
            for name, paths in self._by_name.items():
                stem = name.rpartition(".")[0]
                if stem:
                    self._by_stem.setdefault(stem, []).extend(paths)
        alike = self._by_stem.get(clean.rsplit("/", 1)[-1], [])
        if not alike:
            return ()
        return [path for path in alike if _ending([path.rpartition(".")[0]], clean)]


def _inside_general_folder(clean: str) -> str:
    """A relative path without its first folder, if formats have such folders; else ""."""
    first, _, rest = clean.partition("/")
    return rest if first.lower() in _GENERAL else ""


def _clean(written: str) -> str:
    clean = written.replace("\\", "/")
    while clean.startswith("./"):
        clean = clean[2:]
    return re.sub("(?<!^)/{2,}", "/", clean).replace("/./", "/")


def _ending(paths: Sequence[str], clean: str) -> list[str]:
    """Those of `paths`, which have the same name, that `clean` may mean."""
    found = [path for path in paths if path == clean or path.endswith("/" + clean)]
    if found or not _ABSOLUTE.match(clean):
        return found
    folders = clean.split("/")
    shared = {path: _shared(path.split("/"), folders) for path in paths}
    most = max(shared.values(), default=0)
    return [path for path, count in shared.items() if count == most]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Number of equal parts at the ends of two paths."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


@dataclass
class _Several:
    """The number of paths that are matched in the same way, and the first few, with the files."""

    count: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, written: str, found: str) -> None:
        """Count a path and its file."""
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(f"{written} → {found}")


class LooseMatches:
    """Paths whose file was found although not all that is written agrees, to be reported.

    These are names without a folder, found elsewhere than beside their file; paths of which only
    the last folders agree; and absolute paths of which no folder agrees, so that the file may be
    another one of the same name.
    """

    def __init__(self) -> None:
        self._names, self._ends, self._others = _Several(), _Several(), _Several()

    def add(self, written: str, found: str) -> None:
        """Note how a path as written in a file agrees with the whole path of the file found."""
        clean, found = _clean(written), found.replace("\\", "/")
        if "/" in clean and found.endswith(clean):
            return
        *folders, _ = unicodedata.normalize("NFC", clean).split("/")
        *real, _ = unicodedata.normalize("NFC", found).split("/")
        agreeing = _shared(folders, real)
        if not folders:
            self._names.add(clean, found)
        elif agreeing < len(folders):
            other = not agreeing and _ABSOLUTE.match(clean)
            (self._others if other else self._ends).add(clean, found)

    def decisions(self, about: str) -> list[Decision]:
        """What was decided about the paths of the file `about`, the least certain first."""
        other = counted(
            self._others.count,
            "{n:,} absolute path is matched by its file name alone, none of its folders is found:"
            " {samples}",
            "{n:,} absolute paths are matched by their file names alone, none of their folders is"
            " found: {samples}",
            samples=_samples(self._others),
        )
        ends = counted(
            self._ends.count,
            "{n:,} path is matched by its last folders and name, without those before: {samples}",
            "{n:,} paths are matched by their last folders and names, without those before:"
            " {samples}",
            samples=_samples(self._ends),
        )
        names = counted(
            self._names.count,
            "{n:,} file name without a folder is found in another folder: {samples}",
            "{n:,} file names without a folder are found in other folders: {samples}",
            samples=_samples(self._names),
        )
        found: tuple[tuple[Message, DecisionKind], ...] = (
            (other, DecisionKind.OTHER_FOLDERS),
            (ends, DecisionKind.PATHS),
            (names, DecisionKind.PATHS),
        )
        return [Decision(about, text, kind) for text, kind in found if text.values["n"]]


def _samples(some: _Several) -> str:
    return ", ".join(some.samples) + (", …" if some.count > len(some.samples) else "")
