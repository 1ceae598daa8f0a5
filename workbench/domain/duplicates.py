"""Near-duplicate images: search for similar hashes, and groups of images that are linked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
IntArray = NDArray[np.int64]

NEAR = 12  # bits of 64 in which the hashes of near-duplicates may differ
_KEY_BITS = 16
_TABLES = 12  # a pair that differs in 6 bits is missed by all of them in 1 of 15 cases
_WHOLE = 1500  # up to this many images, all pairs are compared
_QUERIES = 100_000  # looked up at once
_ROWS = 2048  # features multiplied at once
_CROWDED = 200  # hashes that share a key, beyond which the key is not used


@dataclass(frozen=True, order=True)
class Duplicates:
    """Two images, the first with the smaller id, and their similarity in [0, 1]."""

    first: int
    second: int
    similarity: float


def similar_hashes(hashes: Hashes, near: int = NEAR) -> Iterator[tuple[IntArray, IntArray]]:
    """Pairs of rows whose hashes are similar, and in how many bits they differ.

    `hashes` is N × W: the hash of each whole image first, then those of its windows. A pair is
    found if the whole of one and any window of the other differ in at most `near` of 64 bits. Rows
    of zeros are left out. Yields P × 2 rows, smaller first, and P distances, several times and with
    repetitions, so that a job can be stopped. Up to 1,500 images nothing is missed; with more,
    pairs that share no key of 16 bits are.
    """
    used = np.flatnonzero(hashes.any(axis=1))
    whole = hashes[used, 0]
    if len(used) <= _WHOLE:
        for window in range(hashes.shape[1]):
            yield _kept(used, *_every_pair(hashes[used, window], whole, near))
        return
    values, first = np.unique(whole, return_index=True)
    order = np.argsort(whole, kind="stable")
    same = np.flatnonzero(whole[order][1:] == whole[order][:-1])
    nothing = np.zeros(len(same), np.int64)
    yield _kept(used, order[same], order[same + 1], nothing)
    draw = np.random.default_rng(0)
    for _ in range(_TABLES):
        bits = draw.choice(64, _KEY_BITS, replace=False)
        keys = _key(values, bits)
        by_key = np.argsort(keys, kind="stable")
        for window in range(hashes.shape[1]):
            for start in range(0, len(used), _QUERIES):
                rows = np.arange(start, min(len(used), start + _QUERIES))
                queries = hashes[used[rows], window]
                at, found = _lookup(keys[by_key], _key(queries, bits))
                hits = by_key[found]
                apart = np.bitwise_count(queries[at] ^ values[hits]).astype(np.int64)
                close = apart <= near
                yield _kept(used, rows[at[close]], first[hits[close]], apart[close])


def _every_pair(queries: Hashes, whole: Hashes, near: int) -> tuple[IntArray, IntArray, IntArray]:
    apart = np.bitwise_count(queries[:, None] ^ whole[None, :])
    one, other = np.nonzero(apart <= near)
    return one, other, apart[one, other].astype(np.int64)


def _key(hashes: Hashes, bits: IntArray) -> IntArray:
    """The 16 chosen bits of each hash as a number."""
    key = np.zeros(len(hashes), np.int64)
    for place, bit in enumerate(bits.tolist()):
        key |= ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.int64) << place
    return key


def _lookup(
    ordered: IntArray, queries: IntArray, crowded: int = _CROWDED
) -> tuple[IntArray, IntArray]:
    """Positions of queries and of equal entries of `ordered`, each combination once."""
    start = np.searchsorted(ordered, queries, "left")
    count = np.searchsorted(ordered, queries, "right") - start
    count[count > crowded] = 0
    at = np.repeat(np.arange(len(queries)), count)
    within = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    return at, start[at] + within


def _kept(
    used: IntArray, one: IntArray, other: IntArray, apart: IntArray
) -> tuple[IntArray, IntArray]:
    differ = one != other
    pairs = np.sort(np.stack((used[one], used[other]), axis=1)[differ], axis=1)
    return pairs, apart[differ]


def similar_features(rows: NDArray[np.float16], most: float) -> Iterator[IntArray]:
    """Pairs of rows (N × D, of unit length) whose cosine similarity is at least `most`, as P × 2
    positions, smaller first. Yields them in several pieces, so that a job can be stopped."""
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS].astype(np.float32)
        for other in range(start, len(rows), _ROWS):
            cosines = block @ rows[other : other + _ROWS].astype(np.float32).T
            one, two = np.nonzero(cosines >= most)
            pairs = np.stack((one + start, two + other), axis=1)
            yield pairs[pairs[:, 0] < pairs[:, 1]]


Descriptors = NDArray[np.uint8]

_VOTERS = 5_000_000  # descriptors held at once; of more images, fewer of each are used
_FEWEST, _MOST = 32, 128  # of each image
_LISTS = 8  # random keys of each descriptor
_SHARED = 50  # descriptors that share a key, beyond which the key is not used
_VOTES = 4_000_000  # sums held at once
NEIGHBOURS = 4  # images compared with each image
_LEAST = 1.0  # votes; images of other subjects get up to 3


def voters(images: int) -> int:
    """Number of descriptors of each image that `similar_keypoints` uses."""
    return int(np.clip(_VOTERS // max(1, images), _FEWEST, _MOST))


def similar_keypoints(descriptors: Descriptors, asked: Descriptors) -> Iterator[IntArray]:
    """Pairs of images (rows of N × P × 32 bytes, zeros where there are fewer) with similar
    keypoints, as P × 2 rows: the one of `asked` first. Yields them in several pieces.

    A descriptor votes for the images that have a descriptor with an equal key of random bits; the
    fewer share the key, the more its vote counts. Each image is paired with the NEIGHBOURS that get
    the most votes.
    """
    images, each = descriptors.shape[:2]
    size = int(np.clip(np.ceil(np.log2(max(2, images * each))) + 3, 16, 24))
    draw = np.random.default_rng(0)
    chosen = [draw.choice(256, size, replace=False) for _ in range(_LISTS)]
    lists = [_sorted_keys(descriptors, bits) for bits in chosen]
    step = max(1, _VOTES // max(1, images))
    for start in range(0, images, step):
        some = asked[start : start + step]
        votes = np.zeros(len(some) * images, np.float64)
        for bits, (keys, owners) in zip(chosen, lists, strict=True):
            queries, at = _keys_of(some, bits)
            hits, found = _lookup(keys, queries, _SHARED)
            weights = 1 / np.bincount(hits, minlength=1)[hits] if len(hits) else np.zeros(0)
            cells = at[hits] * images + owners[found]
            votes += np.bincount(cells, weights=weights, minlength=len(votes))
        yield _most_votes(votes.reshape(len(some), images), start)


def _most_votes(votes: NDArray[np.float64], start: int) -> IntArray:
    """The images with the most votes of each image, whose numbers begin with `start`."""
    rows = np.arange(len(votes))
    votes[rows, rows + start] = 0
    best = np.argsort(-votes, axis=1, kind="stable")[:, :NEIGHBOURS]
    own = np.repeat(rows, best.shape[1])
    enough = votes[own, best.ravel()] >= _LEAST
    return np.stack((own + start, best.ravel()), axis=1)[enough]


def _sorted_keys(descriptors: Descriptors, bits: IntArray) -> tuple[IntArray, IntArray]:
    keys, owners = _keys_of(descriptors, bits)
    order = np.argsort(keys, kind="stable")
    return keys[order], owners[order]


def _keys_of(descriptors: Descriptors, bits: IntArray) -> tuple[IntArray, IntArray]:
    """The chosen bits of each descriptor as a number, and the row of its image."""
    keys = np.zeros(descriptors.shape[:2], np.int64)
    for place, bit in enumerate(bits.tolist()):
        keys |= ((descriptors[:, :, bit // 8] >> (bit % 8)) & 1).astype(np.int64) << place
    used = descriptors.any(axis=2)
    return keys[used], np.nonzero(used)[0]


def linked(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The group of each image that is linked with another, directly or through others: the smallest
    id of the group."""
    parent: dict[int, int] = {}

    def root(image: int) -> int:
        while (above := parent.setdefault(image, image)) != image:
            parent[image] = parent[above]
            image = above
        return image

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return {image: root(image) for image in parent}
