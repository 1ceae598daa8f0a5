"""An evaluation compares scores of the weights with the stored ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures import finished_runs
from workbench.app.results.evaluating import compare, evaluate_task
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.splits import Part
from workbench.domain.text import Message

STORED = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8]], np.float32)
AGAIN = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8]], np.float32)


def test_scores_are_compared_with_the_stored_ones() -> None:
    unread = (SkippedFile("a.png", Message("gone")),)
    found = compare(Part.TEST, np.array([0, 1, 2, 2]), STORED, AGAIN, unread)
    assert (found.part, found.images, found.unread) == (Part.TEST, 4, unread)
    assert (found.top1, found.stored_top1, found.top5) == (0.5, 0.75, 1.0)
    assert found.changed == 1
    assert found.largest_difference == pytest.approx(0.4)
    same = compare(Part.TEST, np.array([0, 1, 2, 2]), STORED, STORED)
    assert (same.changed, same.largest_difference) == (0, 0.0)


def test_images_without_a_truth_count_for_changes_alone() -> None:
    found = compare(Part.TEST, np.array([-1, -1, 2, 2]), STORED, AGAIN)
    assert (found.top1, found.stored_top1) == (0.5, 0.5)
    assert (found.images, found.changed) == (4, 1)
    none = compare(Part.TEST, np.array([], int), STORED[:0], AGAIN[:0])
    assert (none.images, none.largest_difference) == (0, 0.0)
    assert math.isnan(none.top1)


def test_five_labels_are_the_highest() -> None:
    scores = np.array([[0.05, 0.1, 0.15, 0.2, 0.2, 0.3]] * 2, np.float32)
    assert compare(Part.TEST, np.array([0, 1]), scores, scores).top5 == 0.5


def test_an_image_of_several_labels_is_right_with_one_of_them() -> None:
    marks = np.array([[0, 1, 0], [1, 0, 1], [0, 0, 0], [1, 0, 0]], bool)
    found = compare(Part.TEST, np.array([1, 0, -1, 0]), STORED, AGAIN, marks=marks)
    assert (found.top1, found.stored_top1) == (0.25, 0.0)
    assert found.top5 == 0.75


def test_a_part_without_predictions_is_refused(session: Session, tmp_path: Path) -> None:
    images = finished_runs.fill(session.store, tmp_path / "birds")
    run = finished_runs.make_run(session.store, images, "owls")
    assert evaluate_task(session, run.id).title == "Evaluate owls"
    with pytest.raises(KnownError, match="“owls” has no predictions of the validation part"):
        evaluate_task(session, run.id, Part.VALIDATION)
