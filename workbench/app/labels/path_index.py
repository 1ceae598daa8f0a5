"""Which known file a path in a list, table or label file means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")

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
