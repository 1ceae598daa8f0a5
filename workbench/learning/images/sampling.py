"""Sampling of train images: which ones an epoch uses, how often and in what order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.domain.recipes import Recipe

Rows = NDArray[np.int64]
POWERS = {"balanced": 0.0, "square-root": 0.5}


def epoch_rows(recipe: Recipe, rows: Rows, labels: Rows, epoch: int) -> Rows:
    """Rows of `epoch` in training order, as many as `rows`; deterministic. `labels` are those of
    `rows`, the first one of several.

    "plain" uses each image once. "balanced" draws equally many images per class (over-sampling:
    Buda, Maki and Mazurowski 2018, "A systematic study of the class imbalance problem"),
    "square-root" in proportion to the root of the class size (Mahajan et al. 2018, "Exploring the
    limits of weakly supervised pretraining"). A class drawn n times its size repeats each image n
    times, and random ones once more. Images without a label are used once.
    """
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, epoch, 0])))
    if recipe.sampling == "plain":
        return rows[draw.permutation(len(rows))]
    known, sizes = np.unique(labels[labels >= 0], return_counts=True)
    wanted = class_quotas(sizes, POWERS[recipe.sampling], draw.random())
    chosen = [rows[labels < 0]]
    for label, count in zip(known, wanted, strict=True):
        chosen.append(repeat_evenly(rows[labels == label], int(count), draw))
    found = np.concatenate(chosen)
    return found[draw.permutation(len(found))]


def unlabelled_rows(recipe: Recipe, rows: Rows, count: int, epoch: int) -> Rows:
    """Draw `count` unlabelled rows for an epoch; counts per image differ by at most one."""
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, epoch, 2])))
    return draw.permutation(repeat_evenly(rows, count, draw))


def class_quotas(sizes: Rows, power: float, offset: float) -> Rows:
    """Number of images to draw from each class, in proportion to size ** power, with the same
    total. `offset` in [0, 1) determines the rounding; averaged over offsets, each class gets its
    exact share."""
    shares = sizes.astype(np.float64) ** power
    ends = np.cumsum(shares) * (sizes.sum() / shares.sum())
    ends[-1] = sizes.sum()  # exact despite rounding
    found: Rows = np.diff(np.floor(ends + offset), prepend=0.0).astype(np.int64)
    return found


def repeat_evenly(rows: Rows, count: int, draw: np.random.Generator) -> Rows:
    """Repeat `rows` up to `count`: all equally often, plus a random remainder."""
    whole, rest = divmod(count, len(rows))
    return np.concatenate([np.tile(rows, whole), draw.choice(rows, rest, replace=False)])


def repeat_counts(rows: Rows) -> Rows:
    """For each position, the number of earlier occurrences of its row."""
    order = np.argsort(rows, kind="stable")
    ranked = rows[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-1))
    before = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    found = np.empty(len(rows), dtype=np.int64)
    found[order] = before
    return found
