"""Clusters: their members by confidence, their numbers by size, and the batch of a method."""

import msgspec
import numpy as np
import pytest

from tests.fixtures.defaults import defaults_of
from workbench.domain.assessments import StartRequest
from workbench.domain.clusters import (
    CLUSTERINGS,
    DEEP_CLUSTER,
    FEWEST,
    LARGEST_BATCH,
    Clustering,
    ClusteringSpec,
    ClusterRequest,
    Clusters,
    by_size,
)


@pytest.fixture
def clusters():
    """Cluster 0 has images 5, 6, 7 (7 twice, as two crops), cluster 1 has 8."""
    return Clusters(
        images=np.array([5, 7, 6, 7, 8]),
        crops=np.array([1, 2, 3, 4, 5]),
        clusters=np.array([0, 0, 0, 0, 1]),
        confidence=np.array([0.2, 0.9, 0.5, 0.4, 0.7], np.float32),
    )


@pytest.mark.parametrize(
    ("share", "images"),
    [(1.0, [7, 6, 5]), (0.5, [7, 6]), (0.34, [7, 6]), (0.33, [7]), (0.01, [7]), (0.0, [])],
)
def test_the_most_confident_share_of_a_cluster_rounded_up(clusters, share, images):
    assert clusters.members(0, share).tolist() == images


def test_equally_sure_images_stay_in_their_order(clusters):
    clusters.confidence[:] = 0.5
    assert clusters.members(0).tolist() == [5, 7, 6]
    assert clusters.members(1).tolist() == [8]
    assert clusters.members(2).tolist() == []


def test_mean_confidence_is_the_mean_and_0_for_an_empty_cluster(clusters):
    assert clusters.mean_confidence(0) == pytest.approx(0.5)
    assert clusters.mean_confidence(1) == pytest.approx(0.7)
    assert clusters.mean_confidence(2) == 0.0


@pytest.mark.parametrize(
    ("given", "count", "numbers"),
    [
        ([2, 2, 2, 0, 1, 1], 3, [0, 0, 0, 2, 1, 1]),
        ([1, 0], 2, [1, 0]),  # equal sizes keep their order
        ([3, 3, 1], 5, [0, 0, 1]),
        ([], 2, []),
    ],
)
def test_the_largest_cluster_gets_the_first_number(given, count, numbers):
    assert by_size(np.array(given, np.int64), count).tolist() == numbers


@pytest.mark.parametrize(
    ("least", "per_cluster", "count", "batch"),
    [(32, 0, 99, 32), (32, 10, 3, 32), (32, 10, 4, 40), (32, 10, 99, LARGEST_BATCH)],
)
def test_a_batch_has_several_images_of_each_cluster_up_to_a_limit(least, per_cluster, count, batch):
    spec = ClusteringSpec(
        name="x",
        title="X",
        description="",
        source="",
        rounds=1,
        batch=least,
        per_cluster=per_cluster,
    )
    assert spec.batch_for(count) == batch
    assert (LARGEST_BATCH, FEWEST) == (256, 2)


def test_a_batch_has_no_images_for_each_cluster_by_default():
    defaults = defaults_of(
        ClusteringSpec, name="x", title="X", description="", source="", rounds=1, batch=8
    )
    assert (defaults["kind"], defaults["per_cluster"]) == ("clustering", 0)


def test_every_method_passes_over_the_images_more_than_once():
    for name in CLUSTERINGS:
        assert CLUSTERINGS[name].rounds > 1
        assert 1 < CLUSTERINGS[name].batch_for(2) <= LARGEST_BATCH


def test_a_clustering_is_stored_with_the_names_of_earlier_versions():
    stored = {"id": "a", "method": "iic", "words": "ImageNet", "made": 1.0, "sizes": [2, 1]}
    clustering = msgspec.convert(stored, Clustering)
    assert clustering.start_title == "ImageNet"
    assert msgspec.to_builtins(clustering) == {**stored, "sizes": (2, 1)}


def test_ten_clusters_are_learned_by_deep_cluster_without_freezing():
    start = StartRequest(start="none", backbone="simpleconv3")
    assert defaults_of(ClusterRequest, start=start, folder="f") == {
        "method": DEEP_CLUSTER.name,
        "clusters": 10,
        "rounds": DEEP_CLUSTER.rounds,
        "batch": DEEP_CLUSTER.batch,
        "learning_rate": 0.0,
        "frozen": "none",
        "components": 0,
        "seed": 0,
    }
