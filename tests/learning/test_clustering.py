"""Clustering: formulas against numpy, and exact resumption."""

import msgspec
import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2

from tests.fixtures.run_folders import draw
from workbench.domain.assessments import REQUEST_FILE, StartRequest
from workbench.domain.clusters import CLUSTERS_FILE, ClusterRequest, Clusters, by_size
from workbench.domain.errors import KnownError
from workbench.domain.reports import Clustered, Progress
from workbench.domain.runs import CHECKPOINT_FILE, SAMPLES_FILE, Sample, encode_samples
from workbench.learning.clustering.deep_cluster import (
    centroid_confidence,
    distances,
    k_means,
    lloyd,
    means,
    moved,
    repaired,
    uniform_rows,
    whitened,
)
from workbench.learning.clustering.iic import joint_of, mutual_information
from workbench.learning.clustering.training import ClusterTraining, cluster
from workbench.learning.protocol.control import Control, ControlRequest
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted


def blobs(per=20, seed=0):
    """Three groups of points in five dimensions, and which is which."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(3, 5)) * 6
    truth = np.repeat(np.arange(3), per)
    return centres[truth] + random.normal(size=(3 * per, 5)), truth


# k-means


def test_lloyd_agrees_with_scipy_from_the_same_centroids():
    points, _ = blobs()
    start = points[[0, 1, 25]]
    found = lloyd(points, start, np.random.default_rng(0))
    centroids, labels = kmeans2(points, start, iter=100, minit="matrix")
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_allclose(found.centroids, centroids, rtol=1e-12)
    assert found.inertia == pytest.approx(((points - centroids[labels]) ** 2).sum())


def test_the_best_of_several_starts_finds_the_groups_and_is_the_same_each_time():
    points, truth = blobs()
    found = k_means(points, 3, seed=4)
    shared = np.zeros((3, 3), int)
    np.add.at(shared, (found.labels, truth), 1)
    assert (np.sort(shared.max(axis=1)) == 20).all()
    again = k_means(points, 3, seed=4)
    np.testing.assert_array_equal(found.labels, again.labels)
    assert found.inertia <= min(k_means(points, 3, seed=s, starts=1).inertia for s in (4,))
    with pytest.raises(ValueError, match="2 points"):
        k_means(points[:2], 3, seed=0)


def test_distances_and_means_are_the_plain_ones(monkeypatch):
    monkeypatch.setattr("workbench.learning.clustering.deep_cluster.BLOCK", 7)
    points, truth = blobs()
    centroids = means(points, truth, 3)
    np.testing.assert_allclose(centroids, [points[truth == i].mean(axis=0) for i in range(3)])
    plain = ((points[:, None] - centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances(points, centroids), plain, atol=1e-9)


def test_an_empty_cluster_gets_part_of_another_one():
    points, truth = blobs()
    labels = np.where(truth == 2, 1, truth)  # clusters 2 and 3 are empty
    found = repaired(points, np.zeros((4, 5)), labels, np.random.default_rng(0))
    assert (np.bincount(found, minlength=4) > 0).all()
    for new in (2, 3):  # all of a new cluster comes from one that was there, split in two
        own = found == new
        assert len(np.unique(labels[own])) == 1
    untouched = (found == labels) | np.isin(found, (2, 3))
    assert untouched.all()
    same = np.zeros((6, 5))  # points that lie on each other cannot be separated by centroids
    alike = repaired(same, np.zeros((3, 5)), np.zeros(6, int), np.random.default_rng(1))
    assert (np.bincount(alike, minlength=3) > 0).all()
    assert (np.bincount(k_means(same, 3, seed=0).labels, minlength=3) > 0).all()


def test_whitened_features_have_unit_covariance_before_they_get_unit_length():
    points, _ = blobs(per=60)
    found = whitened(points, components=4)
    assert found.shape == (180, 4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    x = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    scores = x @ vectors[:, ::-1][:, :4] / np.sqrt(values[::-1][:4])
    np.testing.assert_allclose(scores.T @ scores / len(x), np.eye(4), atol=1e-9)
    expected = scores / np.linalg.norm(scores, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)  # signs are free
    flat = np.concatenate((points[:, :2], np.ones((180, 3))), axis=1)
    assert whitened(flat, components=5).shape == (180, 2)  # no more than there are
    assert whitened(points).shape == (180, 5)
    assert whitened(points[:80]).shape == (80, 3)  # one for 25 images


def test_a_point_between_two_centroids_is_unsure():
    centroids = np.array([[0.0, 0.0], [4.0, 0.0]])
    points = np.array([[0.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    labels = np.array([0, 0, 1])
    np.testing.assert_allclose(
        centroid_confidence(points, centroids, labels), [1.0, 0.0, 2 / 3], rtol=1e-6
    )


def test_every_cluster_is_shown_equally_often():
    labels = np.array([0] * 90 + [1] * 6 + [2] * 24)
    rows = uniform_rows(labels, 3, np.random.default_rng(0))
    assert len(rows) == 120
    assert np.bincount(labels[rows]).tolist() == [40, 40, 40]
    assert len(np.unique(rows[labels[rows] == 0])) == 40  # of large ones each image once at most


def test_moved_images_are_counted_whatever_clusters_are_called():
    before = np.array([0, 0, 0, 1, 1, 2])
    renamed = np.array([2, 2, 2, 0, 0, 1])
    assert moved(before, renamed, 3).sum() == 0
    renamed[0] = 1
    assert moved(before, renamed, 3).sum() == 1


# mutual information


def plain_information(given, changed, weight=1.0):
    joint = np.zeros((given.shape[1],) * 2)
    for a, b in zip(given, changed, strict=True):
        for i in range(len(a)):
            for j in range(len(b)):
                joint[i, j] += a[i] * b[j] / len(given)
    joint = (joint + joint.T) / 2
    total = 0.0
    for i in range(len(joint)):
        for j in range(len(joint)):
            p, pi, pj = joint[i, j], joint[i].sum(), joint[:, j].sum()
            total += p * (np.log(p) - weight * np.log(pi) - weight * np.log(pj))
    return joint, total


@pytest.mark.parametrize("weight", [1.0, 1.5])
def test_information_is_that_of_the_symmetrised_joint(weight):
    random = np.random.default_rng(3)
    given, changed = random.dirichlet(np.ones(4), 30), random.dirichlet(np.ones(4), 30)
    joint, expected = plain_information(given, changed, weight)
    found = joint_of(torch.from_numpy(given), torch.from_numpy(changed))
    np.testing.assert_allclose(found, joint, atol=1e-12)
    assert float(found.sum()) == pytest.approx(1.0)
    assert float(mutual_information(found, weight)) == pytest.approx(expected, abs=1e-9)


def test_information_is_greatest_for_sure_and_even_clusters_and_nothing_for_one():
    even = torch.eye(4, dtype=torch.float64).repeat(5, 1)
    assert float(mutual_information(joint_of(even, even))) == pytest.approx(np.log(4), abs=1e-9)
    one = torch.zeros(20, 4, dtype=torch.float64)
    one[:, 2] = 1
    assert float(mutual_information(joint_of(one, one))) == pytest.approx(0.0, abs=1e-9)
    unrelated = joint_of(even, even.roll(1, 0).flip(0))
    assert float(mutual_information(unrelated)) < np.log(4)


def test_information_rises_along_its_gradient():
    torch.manual_seed(0)
    given = torch.randn(40, 5, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(40, 5, dtype=torch.float64) / 3
    steps = []
    for _ in range(60):
        found = mutual_information(joint_of(given.softmax(1), (given + noise).softmax(1)))
        (slope,) = torch.autograd.grad(found, given)
        given = (given + 20 * slope).detach().requires_grad_()
        steps.append(found.item())
    assert steps[-1] > 0.8 * np.log(5) > steps[0]


# whole trainings


@pytest.fixture
def pictures(tmp_path):
    """Thirty drawn images of three kinds, one of them unreadable."""
    samples = []
    for at in range(30):
        path = tmp_path / f"{at}.png"
        draw(at % 3, at).save(path)
        samples.append(Sample(image=at + 1, hash=f"{at}", path=str(path)))
    (tmp_path / "7.png").write_bytes(b"no image")
    return samples


class Said:
    """Collects reports; asks to stop when the rounds it was given are over."""

    parent_gone = False

    def __init__(self, control=None, rounds=99):
        self.reports, self._control, self._rounds = [], control, rounds

    def __call__(self, report):
        self.reports.append(report)
        if isinstance(report, Progress) and report.text.startswith(f"Round {self._rounds + 1}"):
            self._control.request(ControlRequest.STOP)


def folder_request(tmp_path, samples, name, messages=None, control=None, **order):
    folder = tmp_path / f"order-{name}"
    place = tmp_path / name
    for made in (folder, place):
        made.mkdir(exist_ok=True)
    start = StartRequest(start="none", backbone="simpleconv3")
    fields = {"clusters": 3, "rounds": 3, "batch": 8, "frozen": "conv1", **order}
    whole = ClusterRequest(start=start, folder=str(place), **fields)
    (folder / REQUEST_FILE).write_bytes(msgspec.json.encode(whole))
    (folder / SAMPLES_FILE).write_bytes(encode_samples(samples))
    return FolderRequest(folder, messages or Said(), control or Control())


def result(tmp_path, name):
    with np.load(tmp_path / name / CLUSTERS_FILE) as held:
        return {key: held[key] for key in held}


@pytest.mark.parametrize("method", ["deepcluster", "iic"])
def test_a_stopped_training_resumes_exactly(tmp_path, pictures, method, monkeypatch):
    monkeypatch.setattr("workbench.learning.clustering.training.REPORT_SECONDS", 0.0)
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    messages = Said()
    whole = ClusterTraining(folder_request(tmp_path, pictures, "one", messages, method=method))
    before = {k: v.clone() for k, v in whole.setup.body.state_dict().items()}
    whole.run()
    assert isinstance(messages.reports[-1], Clustered)
    assert sum(messages.reports[-1].sizes) == 29
    found = result(tmp_path, "one")
    assert found["images"].tolist() == [s.image for s in pictures if s.image != 8]
    assert np.bincount(found["clusters"], minlength=3).tolist() == list(messages.reports[-1].sizes)
    assert ((found["confidence"] >= 0) & (found["confidence"] <= 1)).all()
    after = whole.setup.body.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before if k.startswith(("conv1", "bn1")))
    assert not torch.equal(before["conv2.weight"], after["conv2.weight"])

    control = Control()
    stopping = Said(control, rounds=1)
    with pytest.raises(RequestInterrupted):
        cluster(folder_request(tmp_path, pictures, "two", stopping, control, method=method))
    assert (tmp_path / "two" / CHECKPOINT_FILE).is_file()
    again = ClusterTraining(folder_request(tmp_path, pictures, "two", method=method))
    again.run()
    resumed = again.setup.body.state_dict()
    assert all(torch.equal(after[key], resumed[key]) for key in after)
    for key, value in result(tmp_path, "two").items():
        np.testing.assert_array_equal(value, found[key])
    assert not (tmp_path / "two" / CHECKPOINT_FILE).exists()


def test_more_groups_than_images_are_refused_in_a_sentence(tmp_path, pictures):
    with pytest.raises(KnownError, match="29 images are too few for 30 groups"):
        ClusterTraining(folder_request(tmp_path, pictures, "many", clusters=30))


# what a project keeps


def test_clusters_are_numbered_by_size_and_list_the_most_confident_first():
    assert by_size(np.array([2, 2, 2, 0, 0, 1]), 4).tolist() == [0, 0, 0, 1, 1, 2]
    clusters = Clusters(
        images=np.array([5, 6, 7, 7]),
        crops=np.array([1, 2, 3, 4]),
        clusters=np.array([0, 0, 0, 0]),
        confidence=np.array([0.2, 0.9, 0.1, 0.5], np.float32),
    )
    assert clusters.members(0).tolist() == [6, 7, 5]
    assert clusters.members(0, share=0.5).tolist() == [6, 7]
    assert clusters.mean_confidence(0) == pytest.approx(0.425)
    assert clusters.mean_confidence(3) == 0.0
    assert clusters.members(1).tolist() == []
