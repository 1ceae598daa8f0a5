"""Trainings with every head: exact resume, reload and ONNX export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from tests.fixtures.run_folders import CATEGORY, VIEW, Chances, make_run, train
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import Recipe
from workbench.domain.reports import Finished, Note, Paused
from workbench.domain.runs import MODEL_FILE, PREDICTIONS_FILE, WEIGHTS_FILE, RunLabels
from workbench.files import DIGESTS_FILE
from workbench.learning.evaluation.trained import load_model
from workbench.learning.heads import HEADS, find_head
from workbench.learning.loop.assembly import check_options
from workbench.learning.networks.backbones import build_body
from workbench.learning.networks.models import build_network, card_of, save_model, weights_of
from workbench.learning.optimizers import freeze
from workbench.learning.protocol.control import ControlRequest
from workbench.learning.serving.export import Probabilities, write

OPTIONS = {
    "linear": {},
    "bilinear": {"channels": 16},
    "compact-bilinear": {"dimension": 64, "seed": 5},
    "fusion": {"n": 6, "m": 4, "variant": "3x3"},
    "adaptation": {"hidden": 16},
    "parts": {"parts": 3, "images": 10},
}


def recipe_of(name: str) -> dict[str, object]:
    options = {name: OPTIONS[name]} if OPTIONS[name] else {}
    return {"head": name, "options": options, "epochs": 2}


def assert_equal_weights(one: Path, other: Path) -> None:
    first, second = load_file(one / WEIGHTS_FILE), load_file(other / WEIGHTS_FILE)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_head_trains_and_resumes_bit_for_bit(tmp_path: Path, name: str) -> None:
    whole = make_run(tmp_path / "whole", **recipe_of(name))
    train(whole)
    parted = make_run(tmp_path / "parted", **recipe_of(name))
    assert isinstance(train(parted, Chances(ControlRequest.PAUSE, 3))[-1], Paused)
    assert isinstance(train(parted)[-1], Finished)
    assert_equal_weights(whole, parted)


def test_every_head_is_tried_here() -> None:
    assert set(OPTIONS) == set(HEADS)


@pytest.mark.parametrize("name", OPTIONS)
def test_joint_training_works_with_every_head(tmp_path: Path, name: str) -> None:
    folder = make_run(tmp_path / "run", views=True, **{**recipe_of(name), "epochs": 1})
    train(folder)
    network, card = load_model(folder)
    assert (card.head, card.options.get(name, {})) == (name, OPTIONS[name])
    assert type(network.head.transform) is find_head(name)
    with np.load(folder / PREDICTIONS_FILE, allow_pickle=False) as arrays:
        assert arrays["scores"].shape == (36, 3)
        assert arrays["view_scores"].shape == (36, 3)


def test_parts_are_found_on_the_train_part_before_the_first_step(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", **{**recipe_of("parts"), "learning_rate": 1e-12})
    train(folder)
    network, _ = load_model(folder)
    inside = network.head.transform.member.bias.reshape(3, 48) > 0
    assert inside.sum(0).tolist() == [1] * 48
    dealt = torch.arange(48) % 3 == torch.arange(3)[:, None]  # before anything was seen
    assert not torch.equal(inside, dealt)


def test_a_head_of_another_kind_starts_afresh_on_the_earlier_body(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", epochs=1)
    train(first)
    for name, taken in (("bilinear", False), ("linear", True)):
        folder = make_run(tmp_path / name, start=f"run:{first}", **recipe_of(name))
        weights = load_file(first / WEIGHTS_FILE)
        (folder / "start.safetensors").write_bytes((first / WEIGHTS_FILE).read_bytes())
        notes = [r.text for r in train(folder) if isinstance(r, Note)]
        assert any("head of the earlier run" in text for text in notes) == taken
        assert load_file(folder / WEIGHTS_FILE)["conv1.weight"].shape == (
            weights["conv1.weight"].shape
        )


def test_cards_from_before_heads_could_be_chosen_still_load(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=1)
    train(folder)
    network, _ = load_model(folder)
    card = json.loads((folder / MODEL_FILE).read_bytes())
    for added in ("options", "method"):
        card.pop(added)
    (folder / MODEL_FILE).write_text(json.dumps({**card, "head": "class"}))
    (folder / DIGESTS_FILE).unlink()
    again, _ = load_model(folder)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(again(images), network(images))


def test_unknown_heads_and_options_of_other_heads_are_refused() -> None:
    with pytest.raises(ValueRefused, match="adaptation, bilinear"):
        build_network("simpleconv3", RunLabels(CATEGORY), "trilinear")
    other = Recipe(target="category", options={"fusion": {"n": 8}})
    with pytest.raises(ValueRefused, match=r"options\.fusion"):
        check_options(other)


def test_stages_missing_from_a_map_based_body_can_be_frozen() -> None:
    with torch.device("meta"):
        body, _ = build_body("alexnet", maps=True)
    frozen = freeze(body, ("features.0", "features.10", "classifier.1"))
    assert len(frozen) == 2
    assert not body.features[0].weight.requires_grad


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the exporter's own
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        *(("simpleconv3", name) for name in OPTIONS),
        ("mobilenet_v2", "bilinear"),  # with fewer channels
        ("lenet5", "compact-bilinear"),
    ],
)
def test_the_onnx_file_of_every_head_scores_as_torch_does(
    tmp_path: Path, backbone: str, name: str
) -> None:
    torch.manual_seed(6)
    labels = RunLabels(CATEGORY, VIEW if name == "bilinear" else None)
    options = {name: OPTIONS[name]} if OPTIONS[name] else {}
    network = build_network(backbone, labels, name, options).eval()
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter)
    recipe = Recipe(target="category", backbone=backbone, image_size=48, head=name, options=options)
    card = card_of(recipe, labels, network)
    save_model(tmp_path, weights_of(network), card)
    loaded, card = load_model(tmp_path)
    module = Probabilities(loaded, card).eval()
    write(module, card, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(
        str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"]
    )
    images = torch.randn(5, 3, 48, 48)
    with torch.no_grad():
        ours = module(images)
    theirs = session.run(None, {"images": images.numpy()})
    assert len(ours) == len(theirs) == (2 if name == "bilinear" else 1)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other, atol=1e-4)
        assert one.std() > 0.01
