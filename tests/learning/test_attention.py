"""Attention masks, AT-CNN with its two optimizers, and masks as explanations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.fixtures.run_folders import CATEGORY, Chances, make_run, train
from tests.fixtures.tiny_runs import draw_images, save_run
from workbench.app.explain.explaining import layer_title, save_explanation, trust_sentence
from workbench.app.results.run_images import RunImage
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import complete
from workbench.domain.reports import Finished, Note, Paused
from workbench.domain.requests import Describe, Explain, ImageInput
from workbench.domain.runs import WEIGHTS_FILE, RunLabels
from workbench.learning.methods import METHODS, Batch, Setup
from workbench.learning.networks.attention import OutputCapture, attention, map_layer, masked
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import build_network, explainable_layers
from workbench.learning.optimizers import PATIENCE, AdamWThenSGD
from workbench.learning.penalties.base import watching
from workbench.learning.protocol.control import ControlRequest
from workbench.learning.serving.explain import describe, explain
from workbench.learning.serving.loaded import NetworkCache

OPTIONS = {"at-cnn": {"channels": 3, "weight": 0.5}}


def by_hand(maps: np.ndarray, channels: int) -> np.ndarray:
    lit = np.maximum(maps, 0)
    masks = []
    for image in lit:
        q = image.mean(axis=(1, 2))
        w = q / np.sqrt(q).sum()
        mask = sum(w[i] * image[i] for i in np.argsort(-w)[:channels])
        masks.append((mask - mask.min()) / (mask.max() - mask.min()))
    return np.array(masks)


def test_mask_adds_up_the_strongest_channels_between_nothing_and_one() -> None:
    maps = np.random.default_rng(1).normal(size=(3, 7, 4, 5)).astype(np.float32)
    for channels in (1, 3, 7, 99):
        mask = attention(torch.from_numpy(maps), channels).numpy()
        np.testing.assert_allclose(mask, by_hand(maps, channels), atol=1e-4)
    assert attention(torch.zeros(2, 4, 3, 3), 2).tolist() == torch.zeros(2, 3, 3).tolist()


def test_masked_images_are_dark_where_nothing_is_attended_to() -> None:
    images = torch.ones(1, 3, 8, 8)
    mask = torch.zeros(1, 2, 2)
    mask[0, 0, 0] = 1
    seen = masked(images, mask)[0]
    assert seen[:, :2, :2].min() == 1
    assert seen[:, 6:, 6:].max() == 0
    assert 0 < float(seen[0, 3, 3]) < 1


@pytest.mark.parametrize("head", ["linear", "fusion"])
def test_the_second_pass_adds_its_loss(head: str) -> None:
    torch.manual_seed(4)
    labels = RunLabels(CATEGORY)
    network = build_network("simpleconv3", labels, head).eval()
    recipe = complete(
        {
            "target": "category",
            "backbone": "simpleconv3",
            "start": "none",
            "image_size": 48,
            "label_smoothing": 0.0,
            "method": "at-cnn",
            "head": head,
            "options": OPTIONS,
        },
        {},
    )
    method = METHODS.find("at-cnn")(Setup(recipe, labels, None, network))
    images, targets = torch.randn(4, 3, 48, 48), torch.tensor([0, 2, 1, 0])
    loss, scores = method.loss(network, Batch(images, targets, targets))
    body = network.body
    maps = body(images) if head == "fusion" else body.conv3(second_map(body, images))
    mask = by_hand(maps.detach().numpy(), 3)
    large = torch.nn.functional.interpolate(
        torch.from_numpy(mask)[:, None].float(), (48, 48), mode="bilinear"
    )
    again = network(images * large)
    expected = nn.functional.cross_entropy(network(images), targets) + (
        0.5 * nn.functional.cross_entropy(again, targets)
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    torch.testing.assert_close(scores, network(images))
    assert not torch.allclose(again, scores)
    loss.backward()
    assert all(p.grad is not None for p in network.parameters())


def second_map(body: nn.Module, images: torch.Tensor) -> torch.Tensor:
    x = torch.relu(body.bn1(body.conv1(body.light(images))))
    return torch.relu(body.bn2(body.conv2(x)))


def test_penalties_use_the_first_pass() -> None:
    labels = RunLabels(CATEGORY)
    network = build_network("simpleconv3", labels, "fusion").eval()
    recipe = complete(
        {"target": "category", "backbone": "simpleconv3", "start": "none", "method": "at-cnn"}, {}
    )
    method = METHODS.find("at-cnn")(Setup(recipe, labels, None, network))
    images, targets = torch.randn(2, 3, 48, 48), torch.tensor([0, 2])
    with watching(network, ("body",), first=True) as seen:
        method.loss(network, Batch(images, targets, targets))
    torch.testing.assert_close(seen["body"], network.body(images))


def steps(
    optimizer: torch.optim.Optimizer, weights: nn.Parameter, count: int, share: float = 1.0
) -> None:
    for step in range(count):
        for group in optimizer.param_groups:
            group["lr"] = share * (0.1 / (step + 1) * group["factor"])
        optimizer.zero_grad()
        (weights**4).sum().backward()
        optimizer.step()


def test_adamw_steps_first_and_sgd_steps_from_the_best_weights() -> None:
    network = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, -2.0, 3.0]]))
    start = network.weight.detach().clone()
    groups = [{"params": [network.weight], "weight_decay": 0.01, "factor": 2.0}]
    both = AdamWThenSGD(groups, 0.1, 0.9, fused=True)
    alone = nn.Parameter(start.clone())
    adamw = torch.optim.AdamW([{**groups[0], "params": [alone]}], lr=0.1, fused=True)
    steps(both, network.weight, 3)
    steps(adamw, alone, 3, share=0.1)
    assert torch.equal(network.weight, alone)
    assert not both.watch(0.5, network)
    best = network.weight.detach().clone()
    for _ in range(PATIENCE):
        assert not both.switched
        steps(both, network.weight, 1)
        switched = both.watch(0.5, network)
    assert switched
    assert torch.equal(network.weight, best)
    alone = nn.Parameter(best.clone())
    sgd = torch.optim.SGD(
        [{**groups[0], "params": [alone]}], lr=0.1, momentum=0.9, nesterov=True, fused=True
    )
    steps(both, network.weight, 3)
    steps(sgd, alone, 3)
    assert torch.equal(network.weight, alone)
    assert not both.watch(0.1, network)  # once and for all


@pytest.mark.parametrize("chances", [4, 14])
def test_two_phases_go_on_bit_for_bit(tmp_path: Path, chances: int) -> None:
    recipe = {
        "method": "at-cnn",
        "head": "fusion",
        "options": {"fusion": {"n": 4, "m": 4}},
        "optimizer": "adamw-then-sgd",
        "learning_rate": 1e-5,  # too low to learn by: accuracy stays where it is, on any processor
        "epochs": 6,
        "schedule": "constant",
    }
    whole = make_run(tmp_path / "whole", **recipe)
    texts = [r.text for r in train(whole) if isinstance(r, Note)]
    assert any("SGD" in text for text in texts)
    parted = make_run(tmp_path / "parted", **recipe)
    assert isinstance(train(parted, Chances(ControlRequest.PAUSE, chances))[-1], Paused)
    assert isinstance(train(parted)[-1], Finished)
    one, other = load_file(whole / WEIGHTS_FILE), load_file(parted / WEIGHTS_FILE)
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("head", ["linear", "parts"])
def test_masks_are_explanations_of_every_run(tmp_path: Path, head: str) -> None:
    options = {"at-cnn": {"channels": 5}} | ({"parts": {"parts": 2}} if head == "parts" else {})
    run = save_run(tmp_path / "run", head=head, method="at-cnn", options=options)
    loaded = NetworkCache(choose_device()).get(str(run))
    texts = describe(Describe(run=str(run)), loaded)
    parts = ("part 1", "part 2") if head == "parts" else ()
    assert texts.masks == ("attention", *parts, "windows")
    pictures = tuple(ImageInput(str(path)) for path in draw_images(tmp_path / "images", 3))
    found = {}
    for mask in loaded.masks:
        answer = explain(Explain(run=str(run), images=pictures, layer=mask, check=True), loaded)
        assert answer.layer == mask
        found[mask] = [np.reshape(heat.values, (heat.height, heat.width)) for heat in answer.maps]
        assert all(heat.label and 0 < heat.score <= 1 for heat in answer.maps)
        assert all(0 <= heat.check.correlation <= 1 and heat.mask for heat in answer.maps)
        assert all("whatever the label" in trust_sentence(heat) for heat in answer.maps)
    assert found["attention"][0].min() == 0
    assert found["attention"][0].max() == 1
    network = loaded.network
    layer = map_layer(network, loaded.card.layers)
    with OutputCapture(network, layer) as watch, torch.no_grad():
        loaded.scorer(torch.zeros(1, 48, 48, 3, dtype=torch.uint8))
    assert watch.output.shape[2:] == found["attention"][0].shape
    with pytest.raises(ValueRefused, match="attention"):
        explain(Explain(run=str(run), images=pictures, layer="part 9"), loaded)


def test_the_caption_of_a_saved_mask_names_the_mask(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run", method="at-cnn", options={"at-cnn": {"channels": 5}})
    loaded = NetworkCache(choose_device()).get(str(run))
    (path,) = draw_images(tmp_path / "images", 1)
    source, captions = ImageInput(str(path)), []
    for layer in ("attention", loaded.card.layers[-1]):
        heat = explain(Explain(run=str(run), images=(source,), layer=layer), loaded).maps[0]
        shown = RunImage(0, 1, None, source, path.name, 64, 64)

        def translate(text: str) -> str:
            captions.append(text)
            return text

        title = layer_title(layer, "simpleconv3")
        save_explanation(tmp_path / "map.png", shown, heat, title, translate=translate)
    mask, label = captions
    assert "attention mask" in mask
    assert "Grad-CAM" not in mask
    assert "Grad-CAM" in label


def test_the_last_map_is_the_body_s_or_the_deepest_layer_s() -> None:
    labels = RunLabels(CATEGORY)
    for head, wanted in (("linear", "body.conv3"), ("bilinear", "body"), ("fusion", "body")):
        network = build_network("simpleconv3", labels, head)
        layers = explainable_layers(network, "simpleconv3", 48)
        assert layers[-1] == "body.conv3"  # not a convolution of the head's own
        assert map_layer(network, layers) == wanted
