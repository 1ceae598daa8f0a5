"""Adding a method, penalty, head or backbone takes one entry and one class."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from tests.fixtures.additions import SmallWeights, Turns, additions
from tests.fixtures.entries import BACKBONE, CLUSTERING
from tests.fixtures.run_folders import draw, make_run, train
from workbench.domain.advice import DataFacts, advise
from workbench.domain.assessments import REQUEST_FILE, StartRequest
from workbench.domain.backbones import BACKBONES, Backbone
from workbench.domain.clusters import CLUSTERINGS, CLUSTERS_FILE, ClusterRequest
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import allowed, complete, partial_recipe
from workbench.domain.registry import Registry
from workbench.domain.reports import Clustered, Finished, Report
from workbench.domain.runs import SAMPLES_FILE, Sample, encode_samples
from workbench.learning.clustering import CLUSTERING_METHODS
from workbench.learning.clustering.training import cluster
from workbench.learning.evaluation.trained import load_model
from workbench.learning.heads import HEADS
from workbench.learning.methods import METHODS
from workbench.learning.networks.backbones import build_body, builder_of
from workbench.learning.penalties import PENALTIES, find_penalties
from workbench.learning.protocol.control import Control
from workbench.learning.protocol.folders import FolderRequest

ADDED = {"method": "target-only", "head": "scaled", "penalty": "small-weights"}


@pytest.fixture
def added() -> Iterator[None]:
    """One more of everything, while a test lasts."""
    with additions():
        yield


@pytest.mark.parametrize("known", BACKBONES.values(), ids=list(BACKBONES))
def test_every_backbone_names_a_builder(known: Backbone) -> None:
    assert callable(builder_of(known))


@pytest.mark.parametrize("builder", ["no.such.module:build", "workbench.domain:build", "a b"])
def test_a_builder_that_does_not_exist_is_reported_with_its_backbone(builder: str) -> None:
    known = replace(BACKBONE, builder=builder)
    missing = pytest.raises(LookupError, match=f"{builder}.*one-layer")
    with BACKBONES.temporarily(known.name, known), missing:
        build_body(known.name)


def test_advised_heads_are_there() -> None:
    assert {known.head for known in BACKBONES.values() if known.head} <= set(HEADS)


def test_every_way_to_cluster_has_an_entry_and_a_class() -> None:
    assert {name: kind.spec for name, kind in CLUSTERING_METHODS.items()} == dict(CLUSTERINGS)


@pytest.mark.parametrize(
    ("known", "kind"), [(METHODS, "method"), (HEADS, "head"), (PENALTIES, "penalty")]
)
def test_specs_are_listed_by_name_and_kind(known: Registry, kind: str) -> None:
    assert [(entry.spec.name, entry.spec.kind) for entry in known.values()] == [
        (name, kind) for name in sorted(known)
    ]


@pytest.mark.usefixtures("added")
def test_a_recipe_can_name_a_backbone_that_was_added() -> None:
    assert BACKBONE.name in allowed("backbone").split(", ")
    for count in (5, 50, 900):
        advice = advise(DataFacts((count,) * 3), partial_recipe(backbone=BACKBONE.name))
        recipe = complete({"target": "category", "backbone": BACKBONE.name}, advice.values)
        assert (recipe.start, recipe.image_size) == ("none", 32)
    body, features = build_body(BACKBONE.name)
    assert body(torch.zeros(2, 3, 32, 32)).shape == (2, features)


@pytest.mark.usefixtures("added")
def test_a_training_runs_with_all_that_was_added(tmp_path: Path) -> None:
    options = {"scaled": {"factor": 3}, "small-weights": {"weight": 0.5}}
    run = make_run(tmp_path / "run", backbone=BACKBONE.name, epochs=1, options=options, **ADDED)
    assert isinstance(train(run)[-1], Finished)
    network, card = load_model(run)
    assert (card.backbone, card.head) == (BACKBONE.name, "scaled")
    assert network.head.transform.number("factor") == 3
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.usefixtures("added")
def test_an_added_penalty_joins_others_and_is_named_where_one_is_refused() -> None:
    assert find_penalties("l2+small-weights") == [PENALTIES["l2"], SmallWeights]
    with pytest.raises(ValueRefused, match=r"none, bss, .*small-weights.* or several"):
        find_penalties("l2+magic")


@pytest.fixture
def request_folder(tmp_path: Path) -> Path:
    """A request to cluster eleven images in three, in turn."""
    samples = []
    for at in range(11):
        path = tmp_path / f"{at}.png"
        draw(at % 3, at).save(path)
        samples.append(Sample(image=at + 1, hash=f"{at}", path=str(path)))
    (tmp_path / "result").mkdir()
    request = ClusterRequest(
        start=StartRequest(start="none", backbone=BACKBONE.name),
        folder=str(tmp_path / "result"),
        method=CLUSTERING.name,
        clusters=3,
        rounds=1,
        batch=8,
    )
    (tmp_path / REQUEST_FILE).write_bytes(msgspec.json.encode(request))
    (tmp_path / SAMPLES_FILE).write_bytes(encode_samples(samples))
    return tmp_path


class Reports(list[Report]):
    """Takes reports as a reporter does."""

    parent_gone = False

    def __call__(self, report: Report) -> None:
        self.append(report)


@pytest.mark.usefixtures("added")
def test_images_are_clustered_in_a_way_that_was_added(request_folder: Path) -> None:
    assert CLUSTERING_METHODS.find(CLUSTERING.name) is Turns
    reports = Reports()
    cluster(FolderRequest(request_folder, reports, Control()))
    assert reports[-1] == Clustered(sizes=(4, 4, 3))
    with np.load(request_folder / "result" / CLUSTERS_FILE) as held:
        assert held["clusters"].tolist() == [0, 1, 2] * 3 + [0, 1]


def test_an_unknown_way_to_cluster_is_refused(request_folder: Path) -> None:
    file = request_folder / REQUEST_FILE
    file.write_bytes(file.read_bytes().replace(CLUSTERING.name.encode(), b"magic"))
    folder_request = FolderRequest(request_folder, Reports(), Control())
    with additions(), pytest.raises(ValueRefused, match="deepcluster, iic, turns"):
        cluster(folder_request)


def test_what_needs_no_torchvision_does_not_wait_for_its_import() -> None:
    code = (
        "import sys; from workbench.learning.questions.specs import all_specs; all_specs();"
        "from workbench.learning.networks.backbones import build_body; build_body('simpleconv3');"
        "assert 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", ["serving.serve", "requests"])
def test_answers_do_not_wait_for_libraries_of_explanations_and_trainings(module: str) -> None:
    code = (
        f"import sys, workbench.learning.{module};"
        "assert not {'captum', 'matplotlib', 'tensorboard'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
