"""Groups of a real project's images: learned by the program, labelled in one edit, undone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fixtures.damage import assert_refused, flipped, without_seal
from tests.fixtures.entries import CLUSTERING, added_entries
from tests.fixtures.training_projects import small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.similar.clustering import (
    agreement,
    cluster_label_counts,
    cluster_request,
    cluster_task,
    forget_clusterings,
    label_clusters,
)
from workbench.app.similar.features import FeatureSource, feature_source
from workbench.app.weights import weights_folder
from workbench.cli.command import run
from workbench.domain.assessments import StartRequest
from workbench.domain.backbones import BACKBONES
from workbench.domain.clusters import CLUSTERINGS, CLUSTERS_FILE, Clusters
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.reports import Note
from workbench.learning.networks.backbones import build_body


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    torch.save(build_body("simpleconv3")[0].state_dict(), tmp_path / "weights.pth")
    return f"simpleconv3={tmp_path / 'weights.pth'}"


@pytest.fixture
def small(tmp_path, qapp):
    session = small_project(tmp_path, count=24)
    yield session
    session.close()


def by_hand(session, sure=1.0):
    """Clusters of the 24 images: twelve, eight and four of them."""
    ids = session.store.images.ids()
    confidence = np.full(24, sure, np.float32)
    confidence[::2] = 0.25
    return Clusters(ids, np.full(24, -1), np.repeat([0, 1, 2], [12, 8, 4]), confidence)


def test_groups_are_learned_once_and_kept(small, weights):
    source = feature_source(small, weights)
    request = cluster_request(source, "deepcluster", 3, rounds=1)
    task = cluster_task(small, source, request)
    outcome = run_here(task)
    assert isinstance(outcome, Done), outcome
    made = outcome.value
    assert sum(made.sizes) == 24
    assert list(made.sizes) == sorted(made.sizes, reverse=True)
    assert small.store.clusterings.all() == [made]
    clusters = small.store.clusterings.read(made.id)
    assert sorted(clusters.images.tolist()) == sorted(small.store.images.ids().tolist())
    assert list(small.store.runs_folder.glob(".*")) == []
    messages = []
    again = run_here(cluster_task(small, source, request), messages.append)
    assert again.value == made
    assert len(messages) == 1  # nothing was learned again
    small.store.images.remove([int(clusters.images[0])])
    of_others = run_here(cluster_task(small, source, request)).value
    assert (of_others.id != made.id, sum(of_others.sizes)) == (True, 23)
    assert forget_clusterings(small) == 2
    assert small.store.clusterings.all() == []


def test_damaged_groups_are_refused_and_learned_again_on_request(small, weights):
    source = feature_source(small, weights)
    request = cluster_request(source, "deepcluster", 2, rounds=1)
    made = run_here(cluster_task(small, source, request)).value
    clusterings = small.store.clusterings
    path = clusterings.folder / made.id / CLUSTERS_FILE
    assert_refused(path, lambda: clusterings.read(made.id))
    before, data = clusterings.read(made.id), path.read_bytes()

    path.write_bytes(without_seal(data))  # of a version without digests
    assert clusterings.read(made.id).clusters.tolist() == before.clusters.tolist()
    path.write_bytes(flipped(data, len(data) // 2))
    heard = []
    assert isinstance(run_here(cluster_task(small, source, request), heard.append), Done)
    (note,) = (report for report in heard if isinstance(report, Note) and report.warning)
    assert str(path) in note.text
    assert clusterings.read(made.id).clusters.tolist() == before.clusters.tolist()


def test_a_group_is_labelled_in_one_edit_and_reverted_by_one_undo(small):
    clusters = by_hand(small)
    heard = []
    small.changed.connect(heard.append)
    assert label_clusters(small, clusters, "view", {1: "left"}) == 8
    assert len(heard) == 1
    assert set(small.store.labels.of_images(clusters.members(1), "view").values()) == {("left",)}
    counts = cluster_label_counts(small, clusters, "view")
    left = small.store.labels.get("view").index("left")
    assert counts.sum(axis=1).tolist() == [12, 8, 4]
    assert (counts[:, left].tolist(), counts[:, -1].tolist()) == ([0, 8, 0], [12, 0, 4])
    assert small.undo() == "Label group 2 “left”"
    assert small.store.labels.of_images(clusters.images, "view") == {}

    named = {0: "dark", 2: "light"}
    assert label_clusters(small, clusters, "light", named, share=0.5) == 6 + 2
    assert small.store.labels.get("light").names == ("dark", "light")
    assert small.store.labels.history(int(clusters.members(0)[0]))[-1].confidence == 0.625
    small.undo()
    assert "light" not in small.store.labels.sets()
    small.redo()
    assert small.store.labels.counts("light") == {"dark": 6, "light": 2, "": 16}


def test_what_cannot_be_labelled_changes_nothing(small):
    clusters = by_hand(small)
    with pytest.raises(KnownError, match="mouth crops"):
        label_clusters(small, clusters, "expression", {0: "smile"})
    with pytest.raises(ValueRefused, match="group"):
        label_clusters(small, clusters, "new set", {3: "a"})
    assert "new set" not in small.store.labels.sets()
    small.store.images.remove([int(clusters.images[0])])
    assert label_clusters(small, clusters, "view", {0: "left"}) == 11


def test_agreement_with_labels_is_that_of_its_definition(small):
    clusters = by_hand(small)
    ids = clusters.images
    assert agreement(small, clusters, "view") is None
    for label, own in (("front", ids[:10]), ("back", ids[10:20]), ("left", ids[20:])):
        small.store.labels.assign(own, "view", label)
    nmi, purity, count = agreement(small, clusters, "view")
    assert (count, purity) == (24, pytest.approx((10 + 8 + 4) / 24))
    rows, columns = np.array([12, 8, 4]) / 24, np.array([10, 10, 4]) / 24
    joint = np.array([[10, 2, 0], [0, 8, 0], [0, 0, 4]]) / 24
    information = sum(
        joint[i, j] * np.log(joint[i, j] / rows[i] / columns[j])
        for i in range(3)
        for j in range(3)
        if joint[i, j]
    )
    entropies = sum(-(p * np.log(p)).sum() for p in (rows, columns))
    assert nmi == pytest.approx(2 * information / entropies)


def test_two_labels_are_compared_and_those_not_in_use_do_not_count(small):
    clusters = by_hand(small)
    ids, names = clusters.images, small.store.labels.get("view").names
    small.store.labels.assign(ids[:12], "view", names[0])
    assert agreement(small, clusters, "view") is None
    small.store.labels.assign(ids[12:20], "view", names[2])
    assert agreement(small, clusters, "view") == (pytest.approx(1.0), 1.0, 20)
    small.store.labels.assign(ids[6:12], "view", names[2])
    assert agreement(small, clusters, "view")[1] == pytest.approx(14 / 20)


def test_the_first_label_is_counted_and_all_images_may_have_one(small):
    clusters = by_hand(small)
    names = small.store.labels.get("view").names
    for at, name in ((0, names[0]), (1, names[-1]), (2, names[0])):
        small.store.labels.assign(clusters.members(at), "view", name)
    counts = cluster_label_counts(small, clusters, "view")
    assert counts.shape == (3, len(names) + 1)
    assert counts[:, [0, -2, -1]].tolist() == [[12, 0, 0], [0, 8, 0], [4, 0, 0]]
    assert counts.sum() == 24


def test_damaged_imagenet_weights_are_not_clustered_with(small):
    path = weights_folder() / BACKBONES["resnet18"].weights
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nothing")
    source = feature_source(small, "resnet18")
    outcome = run_here(cluster_task(small, source, cluster_request(source, "deepcluster", 2)))
    assert isinstance(outcome, Failed)
    assert outcome.sentence == f"{path} is damaged: its SHA-256 is not the published one."


def test_an_added_clustering_method_can_be_requested(small, weights):
    source = feature_source(small, weights)
    with added_entries():
        request = cluster_request(source, CLUSTERING.name, 3)
        assert (request.method, request.rounds, request.batch) == ("turns", 1, 8)
    with pytest.raises(ValueRefused, match="deepcluster, iic"):
        cluster_request(source, CLUSTERING.name, 3)


@pytest.mark.parametrize(
    ("backbone", "frozen"), [("resnet18", "layer2"), ("lenet5", "none"), ("vgg16", "none")]
)
def test_only_stages_that_were_measured_are_frozen(backbone, frozen):
    source = FeatureSource("x", "X", StartRequest(start="none", backbone=backbone))
    assert cluster_request(source, "deepcluster", 3).frozen == frozen


def test_the_command_groups_names_and_labels(tmp_path, weights, capsys, qapp):
    small_project(tmp_path, count=24).close()
    words = ["cluster", "Small", "-k", "2", "--rounds", "1", "--start", weights]
    assert run([*words, "--method", "iic", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [one["group"] for one in found["groups"]] == [1, 2]
    assert sum(one["images"] for one in found["groups"]) == 24
    assert 0 <= found["category_nmi"] <= 1
    assert [len(one["surest"]) for one in found["groups"]] == [
        min(5, one["images"]) for one in found["groups"]
    ]
    assert Path(found["file"]).is_file()
    assert found["labelled"] is None

    names = ["--label-set", "kind", "--label", "1=first"]
    assert run([*words, "--method", "iic", *names, "--json"]) == 0
    messages = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert messages["id"] == found["id"]
    assert messages["labelled"] == found["groups"][0]["images"]
    assert run([*words, "--method", "iic", "--label-set", "group"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["labelled in group: 24 images", ""]
    assert lines[2] == f"{CLUSTERINGS['iic'].title} from {found['start']}"
    assert lines[3].split() == ["group", "images", "confidence", "most", "confident", "images"]
    assert [line.split()[:2] for line in lines[4:6]] == [
        [str(one["group"]), str(one["images"])] for one in found["groups"]
    ]
    assert lines[7].startswith("compared with the category of 24 images: ")
    assert run(["undo", "Small"]) == 0
    assert "group" in capsys.readouterr().out
    assert run(["cluster", "Small", "--forget", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"deleted": 1}
    assert run([*words, "--label", "1=a"]) == 2
    for wrong in ("first", "x=first", "1="):
        assert run([*words, "--method", "iic", "--label-set", "kind", "--label", wrong]) == 2
    assert run([*words, "--run", "latest"]) == 2
    capsys.readouterr()
    assert run(["cluster", "Small", "--forget"]) == 0
    assert capsys.readouterr().out == "groupings deleted: 0; labels given from them remain\n"
    assert run([*words, "--method", "kmeans"]) == 2
