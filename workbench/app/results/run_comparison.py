"""Comparison of two runs image by image, with McNemar's test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from workbench.app.results.results import TARGET_HEAD, RunResults, Scope
from workbench.domain.assessments import MissingRun
from workbench.domain.metrics import mcnemar
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import JOINT, JOINT_SETS, KeyValue
from workbench.domain.run_pairs import (
    Seen,
    differ_only_in,
    unknown_images,
)
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import Part

IntArray = NDArray[np.int64]


class PairOutcome(StrEnum):
    """Which of two runs predicted the same image correctly."""

    BOTH_RIGHT = "both right"
    ONLY_FIRST = "only first right"
    ONLY_SECOND = "only second right"
    BOTH_WRONG = "both wrong"


@dataclass(frozen=True)
class RunComparison:
    """Rows of the first run's table per outcome; `p` is the p-value of McNemar's exact test.

    `left_out` is the number of the first run's images without a prediction of the second, or with
    another true label there.
    """

    first: RunResults
    second: RunResults
    rows: dict[PairOutcome, IntArray]
    p: float
    left_out: int

    @property
    def images(self) -> int:
        """The number of images compared."""
        return sum(len(rows) for rows in self.rows.values())


def compare(first: RunResults, second: RunResults, part: Part | None) -> RunComparison:
    """Match the predictions of two runs for `part` (None: all) by image and crop."""
    scope = Scope(part)
    mine, theirs = first.rows(scope), second.rows(scope)
    at_mine, at_theirs = _matched(first.table, mine, second.table, theirs)
    same = _truth(first, at_mine) == _truth(second, at_theirs)
    at_mine, at_theirs = at_mine[same], at_theirs[same]
    right = _truth(first, at_mine) == _prediction(first, at_mine)
    also = _truth(second, at_theirs) == _prediction(second, at_theirs)
    rows = {
        PairOutcome.BOTH_RIGHT: at_mine[right & also],
        PairOutcome.ONLY_FIRST: at_mine[right & ~also],
        PairOutcome.ONLY_SECOND: at_mine[~right & also],
        PairOutcome.BOTH_WRONG: at_mine[~right & ~also],
    }
    p = mcnemar(len(rows[PairOutcome.ONLY_FIRST]), len(rows[PairOutcome.ONLY_SECOND]))
    return RunComparison(first, second, rows, p, len(mine) - len(at_mine))


def _matched(
    first: PredictionTable, mine: IntArray, second: PredictionTable, theirs: IntArray
) -> tuple[IntArray, IntArray]:
    """Rows of both tables that are the same image and crop, in the order of `mine`."""
    span = int(max(first.crops.max(initial=0), second.crops.max(initial=0))) + 2  # from -1 on

    def keys(table: PredictionTable, rows: IntArray) -> IntArray:
        return table.images[rows].astype(np.int64) * span + table.crops[rows]

    _, at_mine, at_theirs = np.intersect1d(
        keys(first, mine), keys(second, theirs), assume_unique=True, return_indices=True
    )
    order = np.argsort(at_mine)
    return mine[at_mine[order]], theirs[at_theirs[order]]


def _truth(results: RunResults, rows: IntArray) -> NDArray[np.str_]:
    return _label_names(results)[results.outputs(TARGET_HEAD).truth[rows]]


def _prediction(results: RunResults, rows: IntArray) -> NDArray[np.str_]:
    return _label_names(results)[results.outputs(TARGET_HEAD).predicted[rows]]


def _label_names(results: RunResults) -> NDArray[np.str_]:
    return np.array(results.label_list().labels, dtype=np.str_)


@dataclass(frozen=True)
class SinglePair:
    """A run that learned category and view together, and one that learned category alone; they
    differ in nothing else. `single` is None if there is no such run: `missing` is what it would
    be."""

    single: RunRecord | None
    together: RunRecord
    missing: MissingRun | None = None


VIEW_KEYS = ("target",)  # in which the runs of a pair differ


def single_pairs(records: Sequence[RunRecord], seen: Seen = unknown_images) -> list[SinglePair]:
    """The finished runs on category and view, each with the newest on category alone that differs
    in nothing else.

    `records` are ordered from newest to oldest, as are the pairs; of joint runs with the same
    partner only the newest is listed.
    """
    done = [record for record in records if record.status is RunStatus.FINISHED]
    alone = [record for record in done if record.target == JOINT_SETS[0]]
    pairs: list[SinglePair] = []
    taken: set[str] = set()
    for together in (record for record in done if record.target == JOINT):
        alike = (one for one in alone if differ_only_in(together, one, VIEW_KEYS, seen))
        single = next(alike, None)
        if single is None:
            change: dict[str, KeyValue] = {"target": JOINT_SETS[0]}
            pairs.append(SinglePair(None, together, MissingRun(like=together.id, changes=change)))
        elif single.id not in taken:
            taken.add(single.id)
            pairs.append(SinglePair(single, together))
    return pairs
