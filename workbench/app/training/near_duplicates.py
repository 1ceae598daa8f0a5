"""The search for near-duplicates among the images of a project, and its result."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.duplicates import (
    Duplicates,
    similar_features,
    similar_hashes,
    similar_keypoints,
    voters,
)
from workbench.domain.errors import KnownError
from workbench.domain.features import feature_key, positions_of
from workbench.domain.images import ImageFile
from workbench.domain.reports import Progress
from workbench.domain.text import Message, counted
from workbench.storage.features import Thumbnails
from workbench.storage.project import Project
from workbench.vision.fingerprints import (
    DESCRIPTOR,
    FINGERPRINT,
    REGISTERED,
    WINDOWS,
    Grey,
    Keypoints,
    both_keypoints,
    common_likeness,
    comparable,
    fingerprint_bytes,
    fit_between,
    overlap,
    read_fingerprint,
)
from workbench.vision.reading import Pixels, decode_thumbnail, make_thumbnail

LIKE_FEATURES = 0.9  # cosine similarity from which the pixels of two images are compared
ALIKE = 0.9  # overlap from which two images are near-duplicates
CHECKED = 20_000  # most pairs whose pixels are compared, the most similar ones first
_AT_ONCE = 64  # images, or pairs, between two chances to stop
_HELD = 4096  # images whose small versions are held at once
_FOUND = "near_duplicates"  # key of the project's settings


class DuplicateSearch(msgspec.Struct, frozen=True):
    """Result of a search: pairs of near-duplicates as (image, image, similarity), the most similar
    first; `newest` is the largest image id it knew. `limited` if not all similar pairs could be
    compared."""

    newest: int
    pairs: list[tuple[int, int, float]]
    limited: bool = False


def duplicates_task(session: Session) -> Task[DuplicateSearch]:
    """A job that finds the near-duplicates among all images, stores them in the project and ends
    Done(DuplicateSearch)."""
    folder = session.store.folder

    def work() -> Steps[DuplicateSearch]:
        with Project.reading(folder) as store:
            return (yield from duplicate_steps(store))

    def keep(found: DuplicateSearch) -> None:
        session.remember(_FOUND, msgspec.to_builtins(found))
        session.announce(Changes(split=True))

    title = Message("Search near-duplicates")
    return Task(title, work, finish=when_done(keep), kind="duplicates")


def duplicate_steps(store: Project) -> Steps[DuplicateSearch]:
    """Find the near-duplicates among all images, yielding progress.

    Copies that were scaled, compressed, made brighter, mirrored, rotated, framed or cropped are
    found; images of the same subject are not. Compared are the pairs with similar keypoints, and at
    most CHECKED pairs with similar hashes, and with similar features in each stored index.
    Unreadable images are left out.
    """
    files = store.images.files(np.sort(store.images.ids()))
    ids = np.array(list(files), np.int64)
    with closing(Thumbnails(store.folder)) as cache:
        hashes, descriptors = yield from _fingerprints(files, cache)
        rows, apart = np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
        limited = False
        for more, bits in similar_hashes(hashes):
            rows, apart, cut = _closest(np.concatenate((rows, more)), np.concatenate((apart, bits)))
            limited = limited or cut
            yield Progress(done=0, text=Message("Comparing hashes"))
        pairs = ids[rows]
        for more, cut in _by_features(store, files):
            pairs = np.concatenate((pairs, more))
            limited = limited or cut
            yield None
        likely = np.zeros((0, 2), np.int64)
        for asked in descriptors:
            for more in similar_keypoints(descriptors[0], asked):
                likely = np.concatenate((likely, ids[np.sort(more, axis=1)]))
                yield Progress(done=0, text=Message("Comparing keypoints"))
        found = yield from _verified(_once(pairs), _once(likely), files, cache)
    newest = int(ids.max(initial=0))
    return DuplicateSearch(
        newest, [(one.first, one.second, one.similarity) for one in found], limited
    )


def _once(pairs: NDArray[np.int64]) -> list[tuple[int, int]]:
    return [(one, other) for one, other in np.unique(pairs, axis=0).tolist()]


def _by_features(
    store: Project, files: Mapping[int, ImageFile]
) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """Pairs of image ids with similar features, at most CHECKED of each index of the project, and
    whether there are more. They include crops that hashes miss, but features must have been
    computed."""
    ids = np.array(list(files), np.int64)
    keys = [feature_key(file.hash) for file in files.values()]
    for name in store.features.sizes():
        index = store.features.read(name)
        at = positions_of(index.keys, keys)
        known = ids[at >= 0]
        left = CHECKED
        for found in similar_features(index.rows[at[at >= 0]], LIKE_FEATURES):
            yield known[found[:left]], len(found) > left
            left -= len(found[:left])


def _closest(
    rows: NDArray[np.int64], apart: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """The CHECKED most similar pairs, each once, the most similar first; whether there are more."""
    order = np.lexsort((rows[:, 1], rows[:, 0], apart))
    rows, apart = rows[order], apart[order]
    _, first = np.unique(rows, axis=0, return_index=True)
    first.sort()
    most = first[:CHECKED]
    return rows[most], apart[most], len(first) > CHECKED


def _fingerprints(
    files: Mapping[int, ImageFile], cache: Thumbnails
) -> Steps[tuple[NDArray[np.uint64], NDArray[np.uint8]]]:
    """Hashes of each image, N × WINDOWS, and descriptors of its keypoints and of those of the
    mirrored image, 2 × N × P × 32, from the cache or its thumbnail; 0 if it is unreadable."""
    every = list(files.values())
    each = voters(len(every))
    made = np.zeros((len(every), WINDOWS), np.uint64)
    points = np.zeros((2, len(every), each, DESCRIPTOR), np.uint8)
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        for start in range(0, len(every), _AT_ONCE):
            some = every[start : start + _AT_ONCE]
            known = cache.fingerprints(file.hash for file in some)
            fresh = [file for file in some if len(known.get(file.hash, b"")) != FINGERPRINT]
            stored = cache.get(file.hash for file in fresh)
            new = pool.map(lambda file: _marks(file, stored.get(file.hash)), fresh)  # noqa: B023
            known |= {file.hash: marks for file, marks in zip(fresh, new, strict=True)}
            cache.put_fingerprints({file.hash: known[file.hash] for file in fresh})
            for at, file in enumerate(some, start):
                if marks := known[file.hash]:
                    made[at], own = read_fingerprint(marks)
                    points[:, at] = own[:, :each, -DESCRIPTOR:]
            text = counted(len(every), "Hashing {n:,} image", "Hashing {n:,} images")
            yield Progress(done=start, total=len(every), text=text)
    return made, points


def _marks(file: ImageFile, stored: bytes | None) -> bytes:
    """The fingerprint of an image; b"" if it cannot be read."""
    pixels = _seen(file, stored)
    return b"" if pixels is None else fingerprint_bytes(pixels)


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
    pairs: list[tuple[int, int]],
    likely: list[tuple[int, int]],
    files: Mapping[int, ImageFile],
    cache: Thumbnails,
) -> Steps[list[Duplicates]]:
    """The near-duplicates among `pairs`, by all their pixels or by those around their keypoints,
    and among those with `likely` keypoints; the most similar first."""
    comparison = _PairComparison(files, cache)
    hashed = set(pairs)
    every = pairs + [pair for pair in likely if pair not in hashed]
    found = []
    for start in range(0, len(every), _AT_ONCE):
        some = every[start : start + _AT_ONCE]
        comparison.load({image for pair in some for image in pair})
        for pair in some:
            score = comparison.by_keypoints(*pair)
            if score < REGISTERED and pair in hashed:
                score = comparison.by_pixels(*pair)
            if score:
                found.append(Duplicates(*pair, round(min(1.0, score), 4)))
        text = counted(len(every), "Comparing {n:,} pair", "Comparing {n:,} pairs")
        yield Progress(done=start, total=len(every), text=text)
    return sorted(found, key=lambda one: (-one.similarity, one))


class _PairComparison:
    """Similarity of two images by their thumbnails, which are read when they are needed."""

    def __init__(self, files: Mapping[int, ImageFile], cache: Thumbnails) -> None:
        self._files, self._cache = files, cache
        self._points: dict[int, tuple[Keypoints, Keypoints] | None] = {}
        self._levels: dict[int, Grey | None] = {}

    def load(self, images: Collection[int]) -> None:
        """Read the keypoints of these images, and forget those of others."""
        hashes = {image: self._files[image].hash for image in images}
        known = self._cache.fingerprints(hashes.values())
        self._points = {
            image: both_keypoints(known[hash]) if known.get(hash) else None
            for image, hash in hashes.items()
        }
        if len(self._levels) > _HELD:
            self._levels.clear()

    def by_keypoints(self, first: int, second: int) -> float:
        """Correlation of the part that both show, mirrored or not; 0 if they are not alike."""
        one, other = self._points[first], self._points[second]
        if one is None or other is None:
            return 0.0
        for mirrored, points in enumerate(other):
            fit = fit_between(one[0], points)
            if fit is not None:
                left, right = self._pixels(first), self._pixels(second)
                if left is None or right is None:
                    return 0.0
                score = common_likeness(left, right, fit, bool(mirrored))
                if score >= REGISTERED:
                    return score
        return 0.0

    def by_pixels(self, first: int, second: int) -> float:
        """Similarity of all pixels, mirrored, cropped or not; 0 if they are not alike."""
        for image in (first, second):
            if image not in self._levels:
                pixels = self._pixels(image)
                self._levels[image] = comparable(pixels) if pixels is not None else None
        one, other = self._levels[first], self._levels[second]
        score = overlap(one, other) if one is not None and other is not None else 0.0
        return score if score >= ALIKE else 0.0

    def _pixels(self, image: int) -> Pixels | None:
        file = self._files[image]
        return _seen(file, self._cache.get([file.hash]).get(file.hash))


def known_search(project: Session | Project) -> DuplicateSearch | None:
    """The result of the last search; None if there was none."""
    given = project.settings.get(_FOUND)
    return None if given is None else msgspec.convert(given, DuplicateSearch)


def known_duplicates(project: Session | Project) -> list[Duplicates]:
    """The pairs that the last search found, the most similar first."""
    found = known_search(project)
    return [Duplicates(*pair) for pair in found.pairs] if found is not None else []


def uncompared(project: Session | Project) -> int:
    """The number of images that were added since the last search, or of all if there was none."""
    found = known_search(project)
    ids = project.images.ids()
    return int((ids > found.newest).sum()) if found is not None else len(ids)


def search_notes(project: Session | Project) -> list[Message]:
    """What the last search did not compare, one sentence each."""
    found = known_search(project)
    notes = []
    if number := uncompared(project):
        notes.append(
            counted(
                number,
                "{n:,} image has not been compared for near-duplicates.",
                "{n:,} images have not been compared for near-duplicates.",
            )
        )
    if found is not None and found.limited:
        notes.append(
            Message(
                "More than {n:,} pairs have similar hashes or features; only the most similar "
                "ones were compared.",
                n=CHECKED,
            )
        )
    return notes
