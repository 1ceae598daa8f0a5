"""Progress and coverage follow each edit and equal a new count; the next open image goes round."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fixtures.stored_images import fill
from workbench.app.labels.label_overview import LabelOverview
from workbench.app.labels.labelling import assign, edit_set
from workbench.app.session import Session
from workbench.domain.labels import Label, LabelSet

KINDS = LabelSet("category", (Label("gull"), Label("tern")))
VIEWS = LabelSet("view", (Label("left"), Label("right")))


@pytest.fixture
def overview(session: Session) -> LabelOverview:
    """Five images: a gull from the left, two from the right, a tern and one without any label."""
    for labels in (KINDS, VIEWS):
        edit_set(session, labels, {})
    fill(session.store, 5)
    assign(session, [1, 2, 3], "category", "gull")
    assign(session, [4], "category", "tern")
    assign(session, [1], "view", "left")
    assign(session, [2, 3], "view", "right")
    made = LabelOverview(session, "view")
    session.changed.connect(made.update)
    return made


def test_coverage_counts_each_pair_and_what_has_no_label_last(overview: LabelOverview) -> None:
    coverage = overview.coverage()
    assert (coverage.rows, coverage.columns) == (("gull", "tern"), ("left", "right"))
    assert coverage.counts.tolist() == [[1, 2, 0], [0, 0, 1], [0, 0, 1]]
    assert overview.progress() == (3, 5)


def test_an_edit_moves_the_counts_of_its_images_only(
    session: Session, overview: LabelOverview
) -> None:
    assign(session, [5, 1], "view", "right")
    assign(session, [4], "category", None)
    assert overview.coverage().counts.tolist() == [[0, 3, 0], [0, 0, 0], [0, 1, 1]]
    assert overview.progress() == (4, 5)
    session.undo()
    assert overview.coverage().counts.tolist() == [[0, 3, 0], [0, 0, 1], [0, 1, 0]]
    assert LabelOverview(session, "view").coverage().counts.tolist() == (
        overview.coverage().counts.tolist()
    )


def test_images_and_labels_that_come_and_go_are_counted_again(
    session: Session, overview: LabelOverview
) -> None:
    session.remove_images([2, 5])
    assert overview.coverage().counts.tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    session.undo()
    assert overview.progress() == (3, 5)
    edit_set(session, LabelSet("view", (Label("left"), Label("right"), Label("top"))), {})
    assert overview.coverage().columns == ("left", "right", "top")
    assert overview.coverage().counts.tolist() == [[1, 2, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_the_coverage_given_out_stays_as_it_was(session: Session, overview: LabelOverview) -> None:
    before = overview.coverage()
    assign(session, [5], "view", "left")
    assert before.counts.tolist() == [[1, 2, 0], [0, 0, 1], [0, 0, 1]]


def test_the_rows_may_be_of_another_set(session: Session, overview: LabelOverview) -> None:
    turned = LabelOverview(session, "category", rows="view")
    assert turned.coverage().rows == ("left", "right")
    assert turned.coverage().counts.tolist() == [[1, 0, 0], [2, 0, 0], [0, 1, 1]]
    assert turned.progress() == (4, 5)


def test_the_next_open_image_is_the_first_behind_and_else_the_first_of_all(
    session: Session, overview: LabelOverview
) -> None:
    order = np.array([4, 1, 5, 2, 3])  # 4 and 5 have no view
    found = [overview.next_unlabelled(order, after) for after in (-1, 0, 1, 2, 3, 4)]
    assert found == [0, 2, 2, 0, 0, 0]
    assign(session, [4], "view", "left")
    assert [overview.next_unlabelled(order, after) for after in (-1, 2, 4)] == [2, 2, 2]
    assign(session, [5], "view", "left")
    assert overview.next_unlabelled(order, 0) is None


def test_open_images_far_behind_are_found(session: Session) -> None:
    ids = np.array(fill(session.store, 9000))
    assign(session, ids, "view", "left")
    far = LabelOverview(session, "view")
    session.changed.connect(far.update)
    assert far.next_unlabelled(ids, 10) is None
    assign(session, ids[[3, 8500]], "view", None)
    found = [far.next_unlabelled(ids, after) for after in (3, 4, 4400, 8500, 8999, 2)]
    assert found == [8500, 8500, 8500, 3, 3, 3]
