"""Near-duplicates: the search for them, and those that are in different parts of the split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.duplicates import Duplicates, linked, similar_features, similar_hashes
from workbench.domain.errors import KnownError
from workbench.domain.features import feature_key, positions_of
from workbench.domain.images import ImageFile
from workbench.domain.reports import Progress
from workbench.domain.splits import PARTS, Part
from workbench.domain.text import Message, counted
from workbench.storage.features import Thumbnails
from workbench.storage.project import Project
from workbench.vision.fingerprints import WINDOWS, Grey, comparable, fingerprint, overlap
from workbench.vision.reading import Pixels, decode_thumbnail, make_thumbnail

LIKE_FEATURES = 0.9  # cosine similarity from which the pixels of two images are compared
ALIKE = 0.9  # overlap from which two images are near-duplicates
CHECKED = 20_000  # most pairs whose pixels are compared, the most similar ones first
_AT_ONCE = 64  # images, or pairs, between two chances to stop
_FOUND = "near_duplicates"  # keys of the project's settings
_DISMISSED = "leakage_dismissed"


@dataclass(frozen=True)
class Leak:
    """Near-duplicates in different parts of the current split."""

    pair: Duplicates
    first: Part
    second: Part


class _Stored(msgspec.Struct, frozen=True):
    """Result of the last search; `newest` is the largest image id it knew."""

    newest: int
    pairs: list[tuple[int, int, float]]


def duplicates_task(session: Session) -> Task[list[Duplicates]]:
    """A job that finds the near-duplicates among all images, stores them in the project and ends
    Done(pairs), the most similar first."""
    folder = session.store.folder

    def work() -> Steps[list[Duplicates]]:
        with Project.reading(folder) as store:
            return (yield from duplicate_steps(store))

    def keep(found: list[Duplicates]) -> None:
        newest = int(session.store.images.ids().max(initial=0))
        pairs = [(one.first, one.second, one.similarity) for one in found]
        session.remember(_FOUND, msgspec.to_builtins(_Stored(newest, pairs)))
        session.announce(Changes(split=True))

    title = Message("Search near-duplicates")
    return Task(title, work, finish=when_done(keep), kind="duplicates")


def duplicate_steps(store: Project) -> Steps[list[Duplicates]]:
    """Find the near-duplicates among all images, yielding progress.

    Copies that were scaled, compressed, made brighter, mirrored, or cropped to at least 70 % of the
    sides are found; images of the same subject are not. Of the pairs with similar hashes, and of
    those with similar features in each stored index, at most CHECKED are compared. Unreadable
    images are left out.
    """
    files = store.images.files(np.sort(store.images.ids()))
    ids = np.array(list(files), np.int64)
    with closing(Thumbnails(store.folder)) as cache:
        hashes = yield from _fingerprints(files, cache)
        rows, apart = np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
        for more, bits in similar_hashes(hashes):
            rows, apart = _closest(np.concatenate((rows, more)), np.concatenate((apart, bits)))
            yield Progress(done=0, text=Message("Comparing hashes"))
        pairs = ids[rows]
        for more in _by_features(store, files):
            pairs = np.concatenate((pairs, more))
            yield None
        return (yield from _verified(np.unique(pairs, axis=0), files, cache))


def _by_features(store: Project, files: Mapping[int, ImageFile]) -> Iterator[NDArray[np.int64]]:
    """Pairs of image ids with similar features, at most CHECKED of each index of the project. They
    include crops that hashes miss, but features must have been computed."""
    ids = np.array(list(files), np.int64)
    keys = [feature_key(file.hash) for file in files.values()]
    for name in store.features.sizes():
        index = store.features.read(name)
        at = positions_of(index.keys, keys)
        known = ids[at >= 0]
        left = CHECKED
        for found in similar_features(index.rows[at[at >= 0]], LIKE_FEATURES):
            yield known[found[:left]]
            left -= len(found[:left])


def _closest(
    rows: NDArray[np.int64], apart: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The CHECKED most similar pairs, each once, the most similar first."""
    order = np.lexsort((rows[:, 1], rows[:, 0], apart))
    rows, apart = rows[order], apart[order]
    _, first = np.unique(rows, axis=0, return_index=True)
    first.sort()
    first = first[:CHECKED]
    return rows[first], apart[first]


def _fingerprints(files: Mapping[int, ImageFile], cache: Thumbnails) -> Steps[NDArray[np.uint64]]:
    """Hashes of each image, N × WINDOWS, from the cache or its thumbnail; 0 if it is unreadable."""
    every = list(files.values())
    made = np.zeros((len(every), WINDOWS), np.uint64)
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        for start in range(0, len(every), _AT_ONCE):
            some = every[start : start + _AT_ONCE]
            known = cache.fingerprints(file.hash for file in some)
            fresh = [file for file in some if len(known.get(file.hash, b"")) != 8 * WINDOWS]
            stored = cache.get(file.hash for file in fresh)
            seen = pool.map(lambda file: _seen(file, stored.get(file.hash)), fresh)  # noqa: B023
            new = {
                file.hash: fingerprint(pixels).tobytes()
                for file, pixels in zip(fresh, seen, strict=True)
                if pixels is not None
            }
            cache.put_fingerprints(new)
            for at, file in enumerate(some, start):
                if bits := new.get(file.hash) or known.get(file.hash):
                    made[at] = np.frombuffer(bits, np.uint64)
            text = counted(len(every), "Hashing {n:,} image", "Hashing {n:,} images")
            yield Progress(done=start, total=len(every), text=text)
    return made


def _seen(file: ImageFile, stored: bytes | None) -> Pixels | None:
    """The thumbnail of an image; None if it cannot be read."""
    pixels = decode_thumbnail(stored) if stored is not None else None
    if pixels is not None:
        return pixels
    try:
        return make_thumbnail(Path(file.path))
    except KnownError:
        return None


def _verified(
    pairs: NDArray[np.int64], files: Mapping[int, ImageFile], cache: Thumbnails
) -> Steps[list[Duplicates]]:
    """The pairs of images whose pixels are alike, the most similar first."""
    seen: dict[int, Grey | None] = {}
    found = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE].tolist()
        for image in {image for pair in some for image in pair} - set(seen):
            file = files[image]
            pixels = _seen(file, cache.get([file.hash]).get(file.hash))
            seen[image] = comparable(pixels) if pixels is not None else None
        for first, second in some:
            one, other = seen[first], seen[second]
            score = overlap(one, other) if one is not None and other is not None else 0.0
            if score >= ALIKE:
                found.append(Duplicates(first, second, round(min(1.0, score), 4)))
        text = counted(len(pairs), "Comparing {n:,} pair", "Comparing {n:,} pairs")
        yield Progress(done=start, total=len(pairs), text=text)
    return sorted(found, key=lambda one: (-one.similarity, one))


def known_duplicates(project: Session | Project) -> list[Duplicates] | None:
    """The pairs that the last search found; None if there was none, or images were added since."""
    given = project.settings.get(_FOUND)
    if given is None:
        return None
    stored = msgspec.convert(given, _Stored)
    if int(project.images.ids().max(initial=0)) > stored.newest:
        return None
    return [Duplicates(*pair) for pair in stored.pairs]


def leaks(project: Session | Project) -> list[Leak]:
    """Known near-duplicates in different parts of the current split, the most similar first."""
    pairs = known_duplicates(project) or []
    parts = project.splits.parts() if pairs else {}
    found = [(pair, parts.get(pair.first), parts.get(pair.second)) for pair in pairs]
    return [Leak(pair, one, other) for pair, one, other in found if one and other and one != other]


def open_leaks(project: Session | Project) -> list[Leak]:
    """As `leaks`, but nothing if they were dismissed for the current split."""
    current = project.splits.current()
    if current is None or current.id in project.settings.get(_DISMISSED, []):
        return []
    return leaks(project)


def leaks_note(found: Sequence[Leak]) -> Message:
    """A warning that names the number of leaks."""
    return counted(
        len(found),
        "{n:,} pair of near-duplicates is in different parts of the split.",
        "{n:,} pairs of near-duplicates are in different parts of the split.",
    )


def dismiss_leaks(session: Session) -> None:
    """Report the leaks of the current split no more."""
    current = session.splits.current()
    if current is not None:
        known = session.settings.get(_DISMISSED, [])
        session.remember(_DISMISSED, sorted({*known, current.id}))
        session.announce(Changes(split=True))


def move_together(session: Session, chosen: Iterable[Leak], part: Part | None = None) -> int:
    """Move near-duplicates into one part, as one edit; return the number of images moved.

    Each group of linked images moves to `part`; None: to the part that most of them are in, and to
    the train part before the validation part before the test part if several are. The split keeps
    its name.
    """
    current = session.splits.current()
    pairs = [(leak.pair.first, leak.pair.second) for leak in chosen]
    if current is None or not pairs:
        return 0
    parts = session.store.splits.parts()
    every = [(pair.first, pair.second) for pair in known_duplicates(session) or []]
    groups: dict[int, list[int]] = {}
    for image, group in linked([*pairs, *every]).items():
        groups.setdefault(group, []).append(image)
    touched = {image for pair in pairs for image in pair}
    moved: dict[int, Part] = {}
    for images in groups.values():
        inside = [image for image in images if image in parts]
        if touched.intersection(inside):
            to = part or _usual(parts[image] for image in inside)
            moved |= {image: to for image in inside if parts[image] != to}
    title = counted(len(moved), "Move {n:,} near-duplicate", "Move {n:,} near-duplicates")
    with session.edit(title):
        session.store.splits.make(current.plan, parts | moved, current.name)
    return len(moved)


def _usual(parts: Iterable[Part]) -> Part:
    counts = Counter(parts)
    return max(PARTS, key=lambda part: counts[part])


def leak_counts(found: Sequence[Leak]) -> dict[tuple[Part, Part], int]:
    """Number of pairs between each two parts, in the order of the parts."""
    pairs = Counter(tuple(sorted((leak.first, leak.second), key=PARTS.index)) for leak in found)
    return {(one, other): n for (one, other), n in sorted(pairs.items())}
