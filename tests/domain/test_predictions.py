"""Tables of predictions: what is predicted, and rows of a part or of a mask with all they hold."""

import numpy as np
import pytest

from workbench.domain.predictions import NO_PART, PART_CODES, PredictionTable, part_code
from workbench.domain.splits import PARTS, Part


def table(*, views=False, marks=False):
    """Five rows: two of train, one each of validation, test and no part."""
    numbers = np.arange(5)
    return PredictionTable(
        images=numbers + 11,
        crops=numbers - 1,
        parts=np.array([0, 2, 0, 1, NO_PART]),
        truth=numbers % 3,
        scores=np.eye(5, 3, dtype=np.float32)[[2, 0, 1, 2, 2]],
        view_truth=numbers % 2,
        view_scores=np.eye(5, 2, dtype=np.float32) if views else None,
        true_view=np.array(["a", "b", "c", "d", "e"]),
        marks=np.eye(5, 3, dtype=bool) if marks else None,
    )


def test_the_highest_score_is_predicted_and_the_first_of_equal_ones():
    assert table().predicted.tolist() == [2, 0, 1, 2, 2]
    even = table().where(np.arange(5) < 2)
    even.scores[:] = 0.5
    assert even.predicted.tolist() == [0, 0]
    assert table().where(np.zeros(5, bool)).predicted.tolist() == []


@pytest.mark.parametrize(
    ("part", "images"), [(Part.TRAIN, [11, 13]), (Part.VALIDATION, [14]), (Part.TEST, [12])]
)
def test_rows_of_a_part(part, images):
    found = table().of_part(part)
    assert found.images.tolist() == images
    assert len(found) == len(images)
    assert set(found.parts.tolist()) == {PART_CODES[part]}


def test_the_parts_are_numbered_in_their_order():
    assert [part_code(part) for part in ("train", "validation", "test", "")] == [0, 1, 2, 3]
    assert [PART_CODES[part] for part in PARTS] == [0, 1, 2]


@pytest.mark.parametrize("more", [False, True])
def test_every_column_keeps_the_same_rows(more):
    found = table(views=more, marks=more).where(np.array([False, True, False, False, True]))
    assert found.images.tolist() == [12, 15]
    assert found.crops.tolist() == [0, 3]
    assert found.parts.tolist() == [2, NO_PART]
    assert found.truth.tolist() == [1, 1]
    assert found.scores.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert found.view_truth.tolist() == [1, 0]
    assert found.true_view.tolist() == ["b", "e"]
    if more:
        assert found.view_scores.tolist() == [[0, 1], [0, 0]]
        assert found.marks.tolist() == [[False, True, False], [False] * 3]
    else:
        assert found.view_scores is None
        assert found.marks is None
