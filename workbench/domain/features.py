"""A project's feature indexes: how images are known in one, and what is asked to be added to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.domain.assessments import StartOrder

CARD_FILE = "index.json"
KEYS_FILE = "keys.u64"
ROWS_FILE = "features.f16"

Box = tuple[int, int, int, int]
Keys = NDArray[np.uint64]


class FeatureOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Pooled features of the samples beside the order by the network of `start`, to be added to the
    index in `folder`."""

    start: StartOrder
    folder: str
    batch: int = 32


class FeatureCard(msgspec.Struct, frozen=True, kw_only=True):
    """What an index holds: rows of `dimensions` numbers by a network that sees squares of
    `image_size` pixels."""

    backbone: str
    dimensions: int
    image_size: int


def feature_key(hash: str, box: Box | None = None) -> int:
    """The 64-bit key of an image known by the hash of its bytes, or of a box in it (left, top,
    right, bottom in pixels). Two of a million images share one with a chance of 3 in 10⁸."""
    text = hash if box is None else f"{hash} {','.join(map(str, box))}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def places_of(known: Keys, wanted: Sequence[int] | Keys) -> NDArray[np.int64]:
    """The row of each wanted key among the `known` ones, -1 where it is not there. Of a key met
    twice the later row counts."""
    asked = np.asarray(wanted, np.uint64)
    if not len(known):
        return np.full(len(asked), -1, np.int64)
    order = np.argsort(known, kind="stable")
    at = np.searchsorted(known[order], asked, side="right") - 1
    found = order[np.maximum(at, 0)]
    return np.where((at >= 0) & (known[found] == asked), found, -1).astype(np.int64)
