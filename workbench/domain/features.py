"""Feature indexes and nearest-neighbour search."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.domain.assessments import StartRequest

CARD_FILE = "index.json"
KEYS_FILE = "keys.u64"
ROWS_FILE = "features.f16"
KEY_BYTES = 8  # bytes per key

Box = tuple[int, int, int, int]
Keys = NDArray[np.uint64]


class FeatureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to compute pooled features of its samples and add them to the index in `folder`.

    `start` names the network.
    """

    start: StartRequest
    folder: str
    batch: int = 32


class FeatureCard(msgspec.Struct, frozen=True, kw_only=True):
    """Metadata of a feature index.

    Rows have `dimensions` numbers, computed by a network with square inputs of `image_size` pixels.
    The digests cover the first `rows` rows and keys; data after them was not completely written.
    Indexes of older versions have no digests: all complete rows count.
    """

    backbone: str
    dimensions: int
    image_size: int
    rows: int = 0
    rows_digest: str = ""
    keys_digest: str = ""

    @property
    def row_bytes(self) -> int:
        """Size of one row of float16 numbers, in bytes."""
        return 2 * self.dimensions


def feature_key(hash: str, box: Box | None = None) -> int:
    """The 64-bit key of an image (by its hash) or of a box in it.

    `box` is (left, top, right, bottom) in pixels. Among a million images, two keys collide with
    probability 3 in 10⁸.
    """
    text = hash if box is None else f"{hash} {','.join(map(str, box))}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def positions_of(known: Keys, wanted: Sequence[int] | Keys) -> NDArray[np.int64]:
    """Row of each wanted key among the `known` ones, -1 if missing.

    Of a repeated key the last row counts.
    """
    queries = np.asarray(wanted, np.uint64)
    if not len(known):
        return np.full(len(queries), -1, np.int64)
    order = np.argsort(known, kind="stable")
    at = np.searchsorted(known[order], queries, side="right") - 1
    found = order[np.maximum(at, 0)]
    return np.where((at >= 0) & (known[found] == queries), found, -1).astype(np.int64)


BLOCK = 1024  # rows converted from half precision at a time: they fit in the CPU cache
SIGN_AND_NUMBER = np.int32(-0x70002000)  # bits 31 and 13 to 27
TEMPERATURE = 0.07
QUERIES = 256  # queries of a classification that are compared at a time

Rows = NDArray[np.floating]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def cosines(rows: Rows, queries: Rows) -> Floats:
    """Exact cosine similarities, M × N in [-1, 1], of M queries to N rows of unit length."""
    return _products(rows, unit(queries))


def similarity_to(rows: Rows, queries: Rows) -> Floats:
    """Mean cosine similarity of each of N unit rows to all queries, at the cost of one query."""
    together: Floats = unit(queries).mean(axis=0, keepdims=True)
    found: Floats = _products(rows, together)[0]
    return found


def _products(rows: Rows, vectors: Floats) -> Floats:
    """Scalar products, M × N, computed in blocks, so that a memory-mapped index is not copied.

    Half precision is converted to single by shifting bits; the exponent bias then is 127 instead of
    15, which the vectors compensate by a factor of 2¹¹². Exact for finite numbers, including
    subnormal ones, and an order of magnitude faster than NumPy's own conversion.
    """
    found = np.empty((len(vectors), len(rows)), np.float32)
    half = rows.dtype == np.float16
    queries = (vectors * np.float32(2.0**112) if half else vectors).T.copy()
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        plain = _moved(block) if half else np.asarray(block, np.float32)
        # on a busy machine the threads of a matrix product wait for each other longer than
        # one thread needs for a single row
        one = len(vectors) == 1
        product = np.einsum("ij,j->i", plain, queries[:, 0]) if one else (plain @ queries).T
        found[:, start : start + len(block)] = product
    return found


def _moved(block: Rows) -> Floats:
    """Shift the bits of finite float16 numbers into float32; the result is 2¹¹² times too small."""
    bits = np.ascontiguousarray(block).view(np.int16).astype(np.int32)
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, SIGN_AND_NUMBER, out=bits)
    return bits.view(np.float32)


def unit(rows: Rows) -> Floats:
    """Rows scaled to unit length, as float32; rows of zeros are unchanged."""
    x = np.asarray(rows, np.float32)
    scaled: Floats = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    return scaled


def nearest(similarity: Floats, k: int) -> Indices:
    """Indices of the k highest of N numbers (of each row of M × N), highest first.

    Ties are ordered by index. All indices if k is N or more.
    """
    count = similarity.shape[-1]
    if k >= count:
        return np.argsort(-similarity, axis=-1, kind="stable")
    part = np.argpartition(-similarity, k - 1, axis=-1)[..., :k]
    part.sort(axis=-1)
    own = np.take_along_axis(similarity, part, axis=-1)
    return np.take_along_axis(part, np.argsort(-own, axis=-1, kind="stable"), axis=-1)


@dataclass(frozen=True)
class Votes:
    """For each query the winning label (an index) and its share of the votes in (0, 1]."""

    labels: Indices
    shares: Floats


def vote(
    rows: Rows,
    labels: Indices,
    queries: Rows,
    k: int,
    own: Indices | None = None,
    temperature: float = TEMPERATURE,
) -> Votes:
    """Classify queries by their k nearest of N labelled rows of unit length.

    Neighbour i votes for its label with weight exp(cos_i / temperature) (Wu, Xiong, Yu, Lin 2018,
    "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", section 3.4). `own`
    is, for each query, the row excluded from voting (the query itself), or -1. Raises ValueError if
    no row is left to vote.
    """
    rivals = len(rows) - int(own is not None and bool((own >= 0).any()))
    if rivals < 1 or k < 1:
        raise ValueError(f"k = {k} of {rivals} labelled images")
    classes = int(labels.max()) + 1
    elected, shares = [], []
    for start in range(0, len(queries), QUERIES):
        near = cosines(rows, queries[start : start + QUERIES])
        if own is not None:
            here = own[start : start + QUERIES]
            has = np.flatnonzero(here >= 0)
            near[has, here[has]] = -np.inf
        at = nearest(near, min(k, rivals))
        close = np.take_along_axis(near, at, axis=1)
        weights = np.exp(
            (close - close[:, :1]) / temperature
        )  # shifted by the maximum against overflow
        total = np.zeros((len(near), classes))
        np.add.at(total, (np.arange(len(near))[:, None], labels[at]), weights)
        elected.append(total.argmax(axis=1))
        shares.append(total.max(axis=1) / total.sum(axis=1))
    return Votes(
        np.concatenate(elected).astype(np.int64) if elected else np.empty(0, np.int64),
        np.concatenate(shares).astype(np.float32) if shares else np.empty(0, np.float32),
    )
