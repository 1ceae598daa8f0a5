"""Which images of the train part an epoch shows, how often each, and in what order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.domain.recipes import Recipe

Rows = NDArray[np.int64]
POWERS = {"balanced": 0.0, "square-root": 0.5}


def epoch_rows(recipe: Recipe, rows: Rows, labels: Rows, epoch: int) -> Rows:
    """The rows to show in `epoch`, in that order, as many as there are; `labels` are those of
    `rows`, the first where there are several. The same whenever and wherever it is drawn.

    "plain" shows each once. "balanced" draws as many of every class (over-sampling: Buda, Maki and
    Mazurowski 2018, "A systematic study of the class imbalance problem"), "square-root" as many as
    the roots of the classes' sizes say (Mahajan et al. 2018, "Exploring the limits of weakly
    supervised pretraining"). A class that is drawn from n times its size shows each of its images
    n times, and by chance some once more. Images without a label are shown once.
    """
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, epoch, 0])))
    if recipe.sampling == "plain":
        return rows[draw.permutation(len(rows))]
    known, sizes = np.unique(labels[labels >= 0], return_counts=True)
    wanted = quotas(sizes, POWERS[recipe.sampling], draw.random())
    chosen = [rows[labels < 0]]
    for label, count in zip(known, wanted, strict=True):
        chosen.append(dealt(rows[labels == label], int(count), draw))
    found = np.concatenate(chosen)
    return found[draw.permutation(len(found))]


def unlabelled_rows(recipe: Recipe, rows: Rows, count: int, epoch: int) -> Rows:
    """`count` of the unlabelled `rows` for an epoch: each as often as any other, give or take
    one."""
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, epoch, 2])))
    return draw.permutation(dealt(rows, count, draw))


def quotas(sizes: Rows, power: float, offset: float) -> Rows:
    """How many to draw of classes of these sizes: in proportion to size ** power, together as many
    as there are. What is rounded up and what down is decided by `offset`, in [0, 1), so that over
    many offsets each class has exactly its share."""
    shares = sizes.astype(np.float64) ** power
    ends = np.cumsum(shares) * (sizes.sum() / shares.sum())
    ends[-1] = sizes.sum()  # whatever the sum was rounded to
    found: Rows = np.diff(np.floor(ends + offset), prepend=0.0).astype(np.int64)
    return found


def dealt(rows: Rows, count: int, draw: np.random.Generator) -> Rows:
    """`count` of `rows`: all of them as often as they fit, and some once more, by chance."""
    whole, rest = divmod(count, len(rows))
    return np.concatenate([np.tile(rows, whole), draw.choice(rows, rest, replace=False)])


def showings(rows: Rows) -> Rows:
    """For each place, how often its row stood before."""
    order = np.argsort(rows, kind="stable")
    ranked = rows[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-1))
    before = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    found = np.empty(len(rows), dtype=np.int64)
    found[order] = before
    return found
