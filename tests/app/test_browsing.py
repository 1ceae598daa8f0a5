"""The list of images that a page shows, after each kind of edit: which ids, in which order."""

import numpy as np
import pytest

from tests.fixtures.stored_images import fill, found
from workbench.app.labels.labelling import assign, edit_set
from workbench.app.similar.browsing import ImageList
from workbench.app.similar.features import FeatureSource
from workbench.app.similar.similarity import Ranking
from workbench.app.training.splitting import split
from workbench.domain.assessments import StartRequest
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter, Similar, Sort
from workbench.domain.labels import Label, LabelSet
from workbench.domain.predictions import PredictionTable
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part, SplitPlan

LEFT = ImageFilter(labels=(("view", "left"),))
OPEN = ImageFilter(labels=(("view", None),))


@pytest.fixture
def images(session):
    """A list that follows its project of eight images, and what each edit did to it."""
    fill(session.store, 8, [("category", "car")])
    followed = ImageList(session)
    followed.reload()
    followed.updates = []
    session.changed.connect(lambda changes: followed.updates.append(followed.update(changes)))
    return followed


def ids(images):
    return images.ids.tolist()


def run_on(session, scores):
    """A finished run that predicted the view of the first images with these scores."""
    labels = RunLabels(LabelList("view", session.labels.get("view").names, (0, 1, 3, 2)))
    record = RunRecord("r1", "r1", RunStatus.FINISHED, "view", "", labels, created=1.0)
    session.store.runs.create(record)
    none = np.full(len(scores), -1)
    table = PredictionTable(
        np.arange(1, len(scores) + 1),
        none,
        np.full(len(scores), 3),
        none,
        np.array(scores, np.float32),
        none,
        None,
        np.full(len(scores), ""),
    )
    session.store.runs.save_predictions("r1", table)


def test_a_label_outside_the_filter_changes_nothing(session, images):
    images.show(ImageFilter(text="image"), Sort.NAME, False)
    assign(session, [1, 2], "view", "left")
    assert images.updates == [False]
    assert ids(images) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_images_are_removed_and_inserted_in_order_as_they_match_the_filter(session, images):
    images.show(OPEN, Sort.NAME, True)
    assign(session, [5, 2], "view", "left")
    assert ids(images) == [8, 7, 6, 4, 3, 1]
    assign(session, [5], "view", "right")
    assert ids(images) == [8, 7, 6, 4, 3, 1]
    session.undo()
    session.undo()
    assert ids(images) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert images.updates == [True, False, False, True]


def test_a_filter_of_selected_images_never_includes_others(session, images):
    images.show(ImageFilter(labels=LEFT.labels, ids=(1, 2, 3)), Sort.NAME, False)
    assign(session, [1, 2, 5], "view", "left")
    assert ids(images) == [1, 2]
    assign(session, [1, 6], "view", "right")
    assert ids(images) == [2]


def test_an_order_by_category_follows_each_label(session, images):
    images.show(ImageFilter(), Sort.CATEGORY, False)
    assign(session, [3], "category", None)
    assert ids(images) == [1, 2, 4, 5, 6, 7, 8, 3]
    session.undo()
    assert ids(images) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_labels_that_are_merged_count_at_once(session, images):
    assign(session, [3], "view", "right")
    assign(session, [1], "view", "left")
    images.show(LEFT, Sort.NAME, False)
    assert ids(images) == [1]
    kept = LabelSet("view", tuple(Label(name) for name in ("front", "back", "left")))
    edit_set(session, kept, {"right": "left"})
    assert ids(images) == [1, 3]


def test_images_come_and_go_with_an_import_a_removal_and_undo(session, images):
    with session.edit("Import"):
        session.store.images.add(1, [found(40), found(9)])
    assert ids(images) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 9]
    session.remove_images([2])
    assert ids(images) == [1, 3, 4, 5, 6, 7, 8, 10, 9]
    session.undo()
    assert ids(images) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 9]
    assert images.updates == [True] * 3


def test_a_split_counts_where_a_part_is_shown(session, images):
    split(session, SplitPlan(0.5, 0.25, 0.25, seed=1))
    assert images.updates == [False]
    images.show(ImageFilter(part=Part.TRAIN.value), Sort.NAME, False)
    assert len(ids(images)) == 4
    split(session, SplitPlan(0.25, 0.25, 0.5, seed=1))
    assert len(ids(images)) == 2
    assert images.updates == [False, True]


def test_a_new_run_matters_only_if_the_order_or_filter_uses_predictions(session, images):
    assign(session, [1, 2, 3], "view", "left")
    assign(session, [4], "view", "front")
    images.updates.clear()

    def announce():
        session.announce(Changes(runs=frozenset({"r1"})))

    announce()
    assert images.updates == [False]
    images.show(ImageFilter(disagreement="view"), Sort.NAME, False)
    assert ids(images) == []
    left, front = [0.1, 0.0, 0.9, 0.0], [0.6, 0.2, 0.1, 0.1]
    run_on(session, [left, front, left, left])
    announce()
    assert ids(images) == [2, 4]
    images.show(ImageFilter(), Sort.UNCERTAINTY, False)
    assert ids(images)[:4] == [2, 1, 3, 4]
    images.uncertain_in = "view"
    images.show(OPEN, Sort.UNCERTAINTY, True)
    assert ids(images) == [8, 7, 6, 5]
    images.show(ImageFilter(ids=(1, 2, 8)), Sort.UNCERTAINTY, False)
    assert ids(images) == [2, 1, 8]
    images.show(ImageFilter(ids=(1, 2, 8)), Sort.UNCERTAINTY, True)
    assert ids(images) == [8, 1, 2]
    announce()
    assert images.updates == [False, True, True]
    images.show(ImageFilter(disagreement="view"), Sort.DISAGREEMENT, False)
    assert ids(images) == [4, 2]
    assign(session, [4], "view", "left")
    assert ids(images) == [2]


def test_the_most_similar_come_first_as_soon_as_they_are_known(session, images):
    source = FeatureSource(
        "resnet18", "ResNet-18", StartRequest(start="imagenet", backbone="resnet18")
    )
    similar = Similar((4,), "image 4", "resnet18")
    wanted = ImageFilter(similar=similar)
    images.show(wanted, Sort.NAME, False)
    assert ids(images) == [1, 2, 3, 4, 5, 6, 7, 8]
    ranking = Ranking(np.array([4, 7, 1]), np.array([1.0, 0.5, 0.2], np.float32), source)
    images.rank(similar, ranking)
    images.show(wanted, Sort.NAME, False)
    assert ids(images) == [4, 7, 1, 2, 3, 5, 6, 8]
    images.show(wanted, Sort.NAME, True)
    assert ids(images) == [8, 6, 5, 3, 2, 1, 7, 4]
    assert images.ranking(ImageFilter()) is None
    assert images.ranking(ImageFilter(similar=Similar((5,), "image 5", "resnet18"))) is None
    scores = ranking.by_id()
    assert scores[[4, 7, 1]].tolist() == pytest.approx([1.0, 0.5, 0.2])
    assert np.isnan(scores[[0, 2, 3, 5, 6]]).all()
