"""Features of each stage, and accuracy of linear heads on them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures.run_folders import draw
from tests.fixtures.training_projects import small_project
from workbench.app.jobs import Done, run_here
from workbench.app.transfer.assessing import layer_studies, layers_task
from workbench.domain.assessments import LAST_LAYER, REQUEST_FILE, LayersRequest, StartRequest
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.reports import decode_report
from workbench.domain.runs import REPORTS_FILE, SAMPLES_FILE, Sample, encode_samples
from workbench.learning.evaluation.source_model import of_weights
from workbench.learning.evaluation.transferability import frozen_accuracy
from workbench.learning.networks.backbones import build_body
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.probe import pooled
from workbench.learning.networks.tv import models
from workbench.learning.protocol.control import Control
from workbench.learning.protocol.folders import FolderRequest
from workbench.learning.protocol.reporting import Reporter
from workbench.learning.questions.layers import StageFeatures, _accuracies, study_layers


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


def test_the_last_layer_of_a_weights_file_gives_its_scores_before_the_softmax(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    whole = models.squeezenet1_1(weights=None).eval()
    torch.save(whole.state_dict(), tmp_path / "start.pth")
    model = of_weights("squeezenet1_1", tmp_path / "start.pth", 0, choose_device())
    watch = StageFeatures(model.body, BACKBONES["squeezenet1_1"], model.scores)
    inputs = torch.randn(2, 3, 64, 64)
    found = watch(inputs)
    assert list(found)[-2:] == ["fire9", LAST_LAYER]
    with torch.no_grad():
        wanted = whole(inputs)
    assert found[LAST_LAYER].shape == (2, 1000)
    np.testing.assert_allclose(found[LAST_LAYER].numpy(), wanted.numpy(), atol=1e-4)
    _, probabilities = model(inputs)
    raised = np.exp(wanted.numpy().astype(np.float64))
    np.testing.assert_allclose(probabilities, raised / raised.sum(1, keepdims=True), rtol=1e-3)


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


@pytest.fixture
def study(tmp_path):
    """Study the stages of a fresh network on samples of drawn images; returns the scores."""
    samples = []
    for at in range(14):
        draw(at % 2, at).save(tmp_path / f"{at}.png")
        part = "train" if at < 10 else "test"
        path = str(tmp_path / f"{at}.png")
        samples.append(Sample(image=at, hash="", path=path, target=at % 2, part=part))
    samples[13] = msgspec.structs.replace(samples[13], target=0)

    def ask(samples=tuple(samples), run="", **keys):
        start = StartRequest(start="none", backbone="simpleconv3", run=run)
        request = LayersRequest(start=start, held_out="test", **keys)
        (tmp_path / REQUEST_FILE).write_bytes(msgspec.json.encode(request))
        (tmp_path / SAMPLES_FILE).write_bytes(encode_samples(list(samples)))
        report = Reporter(tmp_path, stdout=False)
        try:
            study_layers(FolderRequest(tmp_path, report, Control()))
        finally:
            report.close()
        return decode_report((tmp_path / REPORTS_FILE).read_bytes().splitlines()[-1]).scores

    ask.samples = samples
    return ask


def test_a_study_counts_its_images_and_classes(study) -> None:
    found = study()
    assert [one.stage for one in found.layers] == list(BACKBONES["simpleconv3"].stage_names)
    assert (found.train_images, found.held_out_images, found.held_out) == (10, 4, "test")
    assert (found.classes, found.chance) == (2, 0.75)
    assert found.seconds > 0
    assert [one.features for one in found.layers] == [12, 24, 48, 512, 128]
    assert all(one.top1 * 4 in range(5) for one in found.layers)
    assert all(round(10 * one.train_top1, 6) in range(11) for one in found.layers)


def test_a_study_of_a_run_ends_with_its_own_last_layer(study, run: Path) -> None:
    found = study(run=str(run))
    stages = [*BACKBONES["simpleconv3"].stage_names, LAST_LAYER]
    assert [one.stage for one in found.layers] == stages
    assert found.layers[-1].features == 3
    assert found.layers[-1].top1 * 4 in range(5)


def test_a_study_takes_at_most_the_requested_images_with_a_label(study) -> None:
    assert study(most=10).train_images == 10
    assert study(most=4).train_images == 4
    study.samples[0] = msgspec.structs.replace(study.samples[0], target=-1)
    assert study(tuple(study.samples)).train_images == 9


def test_a_study_without_readable_or_labelled_images_is_refused(study) -> None:
    with pytest.raises(KnownError, match="train or test part has no labelled images"):
        study(tuple(study.samples[:10]))
    gone = [msgspec.structs.replace(one, path="gone.png") for one in study.samples[10:]]
    with pytest.raises(KnownError, match="None of the 4 images can be read"):
        study((*study.samples[:10], *gone))


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
