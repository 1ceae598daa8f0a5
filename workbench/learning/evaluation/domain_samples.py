"""Which images enter the cohesion domain, and which of them are shown as pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
SHARE = 0.05


def source_counts(c: int, source_sizes: Sequence[int], target_sizes: Sequence[int]) -> list[int]:
    """How many images of each source class are taken beside c of each target class: c × (source
    class size / mean target class size), at least 1 and at most all there are.

    Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro datasets".
    """
    mean = sum(target_sizes) / len(target_sizes)
    return [min(size, max(1, round(c * size / mean))) for size in source_sizes]


def target_counts(c: int, target_sizes: Sequence[int]) -> list[int]:
    """The same number c of each target class, or all where there are fewer."""
    return [min(c, size) for size in target_sizes]


def share_count(target_images: int, share: float = SHARE) -> int:
    """The other rule of the paper: this share of the target, and as many images of each source."""
    return max(1, round(share * target_images))


def draw_per_class(labels: Ints, counts: Sequence[int], random: np.random.Generator) -> Ints:
    """Rows of n labels (0 to C − 1, -1 unknown): `counts[c]` of class c without repetition, in
    ascending order."""
    drawn = [
        random.choice(np.flatnonzero(labels == label), count, replace=False)
        for label, count in enumerate(counts)
        if count
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


@dataclass(frozen=True)
class SamplePairs:
    """Rows of the first and the second image of each pair, and P: 0 the same kind, 1 not."""

    first: Ints
    second: Ints
    different: Ints


def draw_pairs(kinds: Ints, domains: Ints, count: int, random: np.random.Generator) -> SamplePairs:
    """`count` pairs of n images, half of them of the same kind where the labels allow it.

    `kinds` are label numbers, equal for labels of the same name in whatever domain, -1 unknown
    (never drawn); `domains` say where an image is from. An image's partner of another kind is from
    another domain every second time: domains whose label lists have nothing in common have pairs of
    the same kind within each of them alone.
    """
    known = np.flatnonzero(kinds >= 0)
    first = random.choice(known, count)
    second = np.empty(count, dtype=np.int64)
    wanted = random.random(count) < 0.5
    across = random.random(count) < 0.5
    for at, row in enumerate(first):
        same = kinds[known] == kinds[row]
        fits = known[same & (known != row)] if not wanted[at] else known[~same]
        if wanted[at]:
            elsewhere = (domains[fits] != domains[row]) == across[at]
            fits = fits[elsewhere] if elsewhere.any() else fits
        second[at] = random.choice(fits) if len(fits) else row
    return SamplePairs(first, second, (kinds[first] != kinds[second]).astype(np.int64))
