"""How well people agree about labels: Cohen's and Fleiss' kappa, repeats, and images an hour.

Kappa is the agreement beyond chance, (p_o − p_e) / (1 − p_e): 1 for full agreement, 0 for as much
as chance gives. It is undefined (NaN) where all labels are equal: chance alone agrees fully then.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from workbench.domain.metrics import FloatArray, IntArray, confusion_matrix

BoolArray = NDArray[np.bool_]

PAUSE = 300.0  # seconds between two labels above which a person had a break
BULK = 0.1  # seconds between two accepted suggestions below which no person has looked at both
Z = 1.959964  # two-sided 95 % of the normal distribution
_MICRO = 1e6


@dataclass(frozen=True)
class Opinions:
    """Labels of one set that named people gave, oldest first; arrays with a row for each.

    `subjects` are images, or crops of `images`; `annotators` are ids, `labels` positions in the
    set, `made` microseconds since the epoch; `blind` labels were given without seeing the current
    one.
    """

    images: IntArray
    subjects: IntArray
    annotators: IntArray
    labels: IntArray
    made: IntArray
    blind: BoolArray

    @staticmethod
    def none() -> Opinions:
        """No opinions."""
        empty = np.zeros(0, np.int64)
        return Opinions(empty, empty, empty, empty, empty, np.zeros(0, np.bool_))


@dataclass(frozen=True)
class Moments:
    """When each person labelled which image: annotator ids, image ids, microseconds, whether it was
    by hand, not by an import, and whether a suggestion was accepted."""

    annotators: IntArray
    images: IntArray
    made: IntArray
    by_hand: BoolArray
    accepted: BoolArray


@dataclass(frozen=True)
class Ratings:
    """What each person holds of each subject that at least one person labelled.

    `labels` is subjects × annotators: positions of labels, -1 where a person gave none. `repeats`
    maps an annotator to the pairs (earlier label, label of the blind repeat).
    """

    images: IntArray
    subjects: IntArray
    annotators: tuple[int, ...]
    labels: IntArray
    repeats: dict[int, tuple[tuple[int, int], ...]]

    def disputed(self) -> IntArray:
        """Rows of the subjects that two people labelled differently."""
        highest = self.labels.max(axis=1, initial=-1)
        lowest = np.where(self.labels < 0, highest[:, None], self.labels).min(axis=1, initial=10**9)
        return np.flatnonzero(highest > lowest)

    def shared(self) -> IntArray:
        """Rows of the subjects that at least two people labelled."""
        return np.flatnonzero((self.labels >= 0).sum(axis=1) >= 2)


def ratings(opinions: Opinions) -> Ratings:
    """Reduce opinions to the last label of each person; blind repeats are kept apart."""
    last: dict[tuple[int, int], int] = {}
    repeats: dict[int, list[tuple[int, int]]] = {}
    image_of: dict[int, int] = {}
    columns = (opinions.images, opinions.subjects, opinions.annotators, opinions.labels)
    rows = zip(*(column.tolist() for column in (*columns, opinions.blind)), strict=True)
    for image, subject, person, label, blind in rows:
        image_of[subject] = image
        known = last.get((subject, person))
        if blind and known is not None:
            repeats.setdefault(person, []).append((known, label))
        else:
            last[subject, person] = label
    subjects, people = sorted(image_of), sorted({person for _, person in last})
    row, column = ({id_: at for at, id_ in enumerate(ids)} for ids in (subjects, people))
    labels = np.full((len(subjects), len(people)), -1, np.int64)
    for (subject, person), label in last.items():
        labels[row[subject], column[person]] = label
    return Ratings(
        np.array([image_of[subject] for subject in subjects], np.int64),
        np.array(subjects, np.int64),
        tuple(people),
        labels,
        {person: tuple(pairs) for person, pairs in repeats.items()},
    )


@dataclass(frozen=True)
class Agreement:
    """Agreement on `count` subjects: the share of agreeing pairs of labels in [0, 1], and kappa
    with its 95 % interval (NaN where undefined or not computed).

    `flat` is whether one of two people used only one label: kappa is 0 then, and its interval has
    no width, however few the subjects are.
    """

    count: int
    share: float
    kappa: float
    low: float = nan
    high: float = nan
    flat: bool = False


def cohen(first: IntArray, second: IntArray, labels: int) -> Agreement:
    """Cohen's kappa of two people's labels of the same N subjects (positions below `labels`).

    p_o is the share of equal labels, p_e the sum over labels of the product of both people's shares
    (Cohen 1960, A coefficient of agreement for nominal scales). Subjects where either position is
    negative are left out. The interval is κ ± 1.96 standard errors, with the large-sample variance
    of Fleiss, Cohen and Everitt 1969 (Large sample standard errors of kappa and weighted kappa).
    """
    both = (first >= 0) & (second >= 0)
    count = int(both.sum())
    if not count:
        return Agreement(0, nan, nan)
    p = confusion_matrix(first[both], second[both], labels) / count
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, chance = float(np.trace(p)), float(rows @ columns)
    if chance >= 1.0 - 1e-12:
        return Agreement(count, observed, nan)
    if max(rows.max(), columns.max()) >= 1.0 - 1e-12:
        return Agreement(count, observed, 0.0, 0.0, 0.0, flat=True)
    kappa = (observed - chance) / (1 - chance)
    half = Z * sqrt(max(0.0, _variance(p, kappa, chance)) / count)
    return Agreement(count, observed, kappa, max(-1.0, kappa - half), min(1.0, kappa + half))


def _variance(p: FloatArray, kappa: float, chance: float) -> float:
    """N times the variance of κ, for the shares `p` of each pair of labels (Fleiss, Cohen and
    Everitt 1969)."""
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    both = columns[:, None] + rows[None, :]  # at [i, j]: share of i as a column + of j as a row
    same = np.diag(p) @ (1 - np.diag(both) * (1 - kappa)) ** 2
    different = p * both**2
    off = (1 - kappa) ** 2 * (different.sum() - np.trace(different))
    return float((same + off - (kappa - chance * (1 - kappa)) ** 2) / (1 - chance) ** 2)


def fleiss(labels: IntArray, count: int) -> Agreement:
    """Fleiss' kappa of subjects × people positions of labels below `count`, -1 without a label.

    p_o is the mean over subjects of the share of agreeing pairs of labels, p_e the sum of the
    squared shares of the labels in all ratings (Fleiss 1971, Measuring nominal scale agreement
    among many raters). Subjects with fewer than two labels are left out; where subjects have
    different numbers of labels, each has its own number of pairs. There is no interval.
    """
    given = labels >= 0
    used = labels[given.sum(axis=1) >= 2]
    if not len(used):
        return Agreement(0, nan, nan)
    tally = np.stack([(used == label).sum(axis=1) for label in range(count)], axis=1)
    people = tally.sum(axis=1)
    agreeing = (tally * (tally - 1)).sum(axis=1) / (people * (people - 1))
    share = tally.sum(axis=0) / people.sum()
    observed, chance = float(agreeing.mean()), float(share @ share)
    kappa = (observed - chance) / (1 - chance) if chance < 1.0 - 1e-12 else nan
    return Agreement(len(used), observed, kappa)


def in_bulk(made: IntArray, accepted: BoolArray) -> BoolArray:
    """Mask of the accepted suggestions (`accepted`) that one command accepted together: those made
    (`made`, microseconds) within BULK of another one."""
    chosen = np.flatnonzero(accepted)
    chosen = chosen[np.argsort(made[chosen], kind="stable")]
    near = np.diff(made[chosen]) / _MICRO < BULK
    found = np.zeros(len(made), np.bool_)
    found[chosen[:-1][near]] = True
    found[chosen[1:][near]] = True
    return found


def images_an_hour(made: IntArray, images: IntArray) -> float:
    """Images that a person labels in an hour of work; NaN if no two labels lie within PAUSE.

    `made` are the microseconds of the labels, `images` their images. The time of work is the sum of
    the gaps between labels, without those above PAUSE and those before images that one command
    labelled together, at one moment. An image counts if its label ends a gap that counts, and once
    however often it was labelled.
    """
    made, images = np.unique(np.stack([made, images]), axis=1)
    moments, first, together = np.unique(made, return_index=True, return_counts=True)
    gaps = np.diff(moments) / _MICRO
    counted = (gaps <= PAUSE) & (together[1:] == 1)
    seconds = float(gaps[counted].sum())
    if seconds <= 0:
        return nan
    moment_of = np.repeat(np.arange(len(moments)), np.diff([*first, len(made)]))
    ends = np.concatenate([[False], counted])
    return float(len(np.unique(images[ends[moment_of]])) / seconds * 3600)
