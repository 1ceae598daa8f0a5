"""Features of each stage, and accuracy of linear heads on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures.training_projects import small_project
from workbench.app.jobs import Done, run_here
from workbench.app.transfer.assessing import layer_studies, layers_task
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import KnownError, ValueRefused
from workbench.learning.evaluation.transferability import frozen_accuracy
from workbench.learning.networks.backbones import build_body
from workbench.learning.networks.probe import pooled
from workbench.learning.questions.layers import StageFeatures, _accuracies


@pytest.mark.parametrize("name", BACKBONES)
def test_every_stage_of_every_backbone_gives_a_vector(name: str) -> None:
    torch.manual_seed(0)
    known = BACKBONES[name]
    body, features = build_body(name)
    body.eval()
    inputs = torch.randn(2, 3, max(64, known.least), max(64, known.least))
    found = StageFeatures(body, known)(inputs)
    assert tuple(found) == known.stage_names
    assert all(given.shape[0] == 2 and given.ndim == 2 for given in found.values())
    assert found[known.stage_names[-1]].shape[1] == features
    with torch.inference_mode():
        torch.testing.assert_close(found[known.stage_names[-1]], pooled(body(inputs)))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in body.modules())


@torch.no_grad()
def test_a_stage_gives_what_the_next_one_is_given() -> None:
    torch.manual_seed(0)
    body, _ = build_body("squeezenet1_1")
    body.eval()
    inputs = torch.randn(2, 3, 64, 64)
    found = StageFeatures(body, BACKBONES["squeezenet1_1"])(inputs)
    row = body.get_submodule("features")
    assert isinstance(row, nn.Sequential)
    # conv1, ReLU and pooling; fire2; fire3 and pooling
    for stage, end in (("conv1", 3), ("fire2", 4), ("fire3", 6)):
        by_hand = row[:end](inputs.clone()).mean(dim=(2, 3))
        torch.testing.assert_close(found[stage], by_hand)


@torch.no_grad()
def test_maps_before_full_layers_are_pooled_and_not_flattened() -> None:
    torch.manual_seed(0)
    body, _ = build_body("alexnet")
    body.eval()
    found = StageFeatures(body, BACKBONES["alexnet"])(torch.randn(1, 3, 96, 96))
    assert [found[stage].shape[1] for stage in ("conv5", "fc6", "fc7")] == [256, 4096, 4096]
    assert found["fc6"].min() == 0  # behind its ReLU


def test_accuracies_are_those_of_the_frozen_head() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 80) + 2
    centres = draw.normal(size=(3, 5))
    features = (centres[labels - 2] + draw.normal(size=(80, 5))).astype(np.float32)
    train, held = _accuracies(features[:50], labels[:50], features[50:], labels[50:])
    wanted = frozen_accuracy(features[:50], labels[:50], features[50:], labels[50:])
    assert held == wanted
    assert train == frozen_accuracy(features[:50], labels[:50], features[:50], labels[:50])
    assert 0.4 < held < train


def test_a_project_remembers_the_newest_study_of_each_start(tmp_path, monkeypatch, qapp) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    session = small_project(tmp_path)
    try:
        assert layer_studies(session, "category") == []
        for seed in (0, 0):
            outcome = run_here(layers_task(session, "category", "none", "simpleconv3", seed))
            assert isinstance(outcome, Done)
        study = outcome.value
        assert [one.stage for one in study.found.layers] == list(
            BACKBONES["simpleconv3"].stage_names
        )
        assert all(0 <= one.top1 <= 1 for one in study.found.layers)
        assert study.found.best.top1 == max(one.top1 for one in study.found.layers)
        assert study.found.classes == 3
        assert layer_studies(session, "category") == [study]  # seeded alike, the newer one is kept
        assert layer_studies(session, "category", "alexnet") == []
        assert layer_studies(session, "view") == []
        with pytest.raises(ValueRefused, match="imagenet"):
            layers_task(session, "category", "imagenet", "simpleconv3")
        with pytest.raises(KnownError):
            layers_task(session, "view", "none", "simpleconv3")
    finally:
        session.close()
