"""Sampling of images and image pairs for the cohesion domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
SHARE = 0.05


def source_counts(c: int, source_sizes: Sequence[int], target_sizes: Sequence[int]) -> list[int]:
    """Number of images to draw from each source class for c images per target class: c × (source
    class size / mean target class size), clipped to [1, class size].

    Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro datasets".
    """
    mean = sum(target_sizes) / len(target_sizes)
    return [min(size, max(1, round(c * size / mean))) for size in source_sizes]


def target_counts(c: int, target_sizes: Sequence[int]) -> list[int]:
    """Draw c images of each target class, or all of them in smaller classes."""
    return [min(c, size) for size in target_sizes]


def share_count(target_images: int, share: float = SHARE) -> int:
    """Alternative rule of the paper: a fixed share of the target, and the same number from each
    source."""
    return max(1, round(share * target_images))


def draw_per_class(labels: Ints, counts: Sequence[int], random: np.random.Generator) -> Ints:
    """Draw `counts[c]` rows of each class c without replacement, in ascending order. Labels are 0
    to C − 1, −1 unknown."""
    drawn = [
        random.choice(np.flatnonzero(labels == label), count, replace=False)
        for label, count in enumerate(counts)
        if count
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


@dataclass(frozen=True)
class SamplePairs:
    """Rows of the first and second image of each pair, and `different`: 0 for the same kind, 1
    otherwise."""

    first: Ints
    second: Ints
    different: Ints


def draw_pairs(kinds: Ints, domains: Ints, count: int, random: np.random.Generator) -> SamplePairs:
    """Draw `count` pairs of images, half of them of the same kind if the labels allow it.

    `kinds` are label numbers, equal for equal names in all domains, −1 unknown (never drawn first);
    `domains` gives each image's domain. Half of the partners of a different kind come from another
    domain, since domains without common labels have same-kind pairs only within themselves.
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
