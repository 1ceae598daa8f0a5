"""Scoring crops, and how their scores are averaged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from tests.fixtures.run_folders import CATEGORY, TINY, VIEW, make_run, train
from workbench.domain.advice import DataFacts, advise
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import Recipe, check_keys, complete, partial_recipe
from workbench.domain.reports import Epoch
from workbench.domain.runs import ModelCard, RunLabels
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.evaluation.trained import read_card
from workbench.learning.images.pixels import scoring_crops
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import build_network, card_of
from workbench.learning.serving.export import properties

SQUARES = torch.from_numpy(
    np.random.default_rng(4).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
)


def card(**recipe: object) -> ModelCard:
    labels = RunLabels(CATEGORY, VIEW)
    full = complete({**TINY, "target": "category+view", "test_resize": 40, **recipe}, {})
    return card_of(full, labels, network())


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    made = build_network("simpleconv3", RunLabels(CATEGORY, VIEW)).eval()
    with torch.no_grad():
        for parameter in made.head.parameters():
            parameter.normal_()  # so that augmentations and crops differ
    return made


def reported(pixels: np.ndarray) -> np.ndarray:
    """Probabilities of side × side × 3 bytes that are the network's own input."""
    inputs = torch.from_numpy((pixels.transpose(2, 0, 1)[None] / 255 - 0.5) / 0.5).float()
    with torch.no_grad():
        scores = network()(inputs)[0].double().exp().numpy()
    return np.concatenate((scores[:3] / scores[:3].sum(), scores[3:] / scores[3:].sum()))


@pytest.mark.parametrize(("crops", "corners"), [("centre", 0), ("five", 4)])
def test_ten_crop_is_the_mean_over_crops_and_their_mirror_images(crops: str, corners: int) -> None:
    found = Scorer(network(), card(test_crops=crops), choose_device())(SQUARES).numpy()
    places = [(4, 4), (0, 0), (0, 8), (8, 0), (8, 8)][: 1 + corners]
    for row, square in enumerate(SQUARES.numpy()):
        seen = []
        for top, left in places:
            crop = square[top : top + 32, left : left + 32]
            seen.append(reported(crop))
            seen.append(reported(crop[:, ::-1].copy())[[0, 1, 2, 3, 5, 4]])  # left is right in it
        np.testing.assert_allclose(found[row], np.mean(seen, axis=0), atol=1e-5)


def test_quick_scoring_skips_corners_and_mirror_images() -> None:
    cards = [card(test_crops=c) for c in ("centre", "centre+whole", "five", "five+whole")]
    counts = {
        c.test_crops: (len(scoring_crops(40, c)), len(scoring_crops(40, c, True))) for c in cards
    }
    assert counts == {
        "centre": (1, 1),
        "centre+whole": (2, 2),
        "five": (5, 1),
        "five+whole": (6, 2),
    }
    assert (
        len(scoring_crops(32, card(test_crops="five+whole"))) == 1
    )  # there is nothing more to see
    quick = Scorer(network(), card(test_crops="five"), choose_device())(SQUARES, quick=True)
    np.testing.assert_allclose(quick[1], reported(SQUARES[1].numpy()[4:36, 4:36]), atol=1e-5)


def test_a_card_from_before_means_centre_and_whole() -> None:
    kept = msgspec.json.decode(msgspec.json.encode(card(test_crops="five")))
    del kept["test_crops"]
    old = msgspec.json.decode(msgspec.json.encode(kept), type=ModelCard)
    assert old.test_crops == Recipe(target="category").test_crops == "centre+whole"


def test_five_crops_need_a_larger_size_which_is_recommended() -> None:
    five = {**TINY, "test_crops": "five"}
    with pytest.raises(ValueRefused, match="test_resize is 33"):
        complete(five, {})
    with pytest.raises(ValueRefused, match="test_crops"):
        complete({**five, "test_resize": 32}, {})
    advice = advise(DataFacts((50, 50)), check_keys(five))
    assert complete(five, advice.values).test_resize == 60  # simpleconv3's own is large enough
    larger = {**five, "backbone": "resnet18", "image_size": 224}
    advice = advise(DataFacts((50, 50)), check_keys(larger))
    assert complete(larger, advice.values).test_resize == 256
    assert "test_resize" in advice.reasons
    plain = advise(DataFacts((50, 50)), partial_recipe(backbone="resnet18"))
    assert "test_resize" not in plain.values


def test_a_run_keeps_how_it_is_scored_and_validates_by_its_centre(tmp_path: Path) -> None:
    epochs, scores = {}, {}
    for crops in ("centre", "five"):
        folder = make_run(tmp_path / crops, test_resize=40, test_crops=crops)
        reports = train(folder)
        epochs[crops] = [r.validation_loss for r in reports if isinstance(r, Epoch)]
        assert read_card(folder).test_crops == crops
        with np.load(folder / "predictions.npz") as arrays:
            scores[crops] = arrays["scores"]
    assert epochs["centre"] == epochs["five"]
    assert np.abs(scores["centre"] - scores["five"]).max() > 1e-4


def test_an_exported_file_describes_the_averaging() -> None:
    messages = properties(card(test_crops="five+whole"))["averaged"]
    for words in ("scores one crop", "four corners", "whole square", "mirror"):
        assert words in messages
    plain = properties(card(test_resize=0, test_mirror=False))["averaged"]
    assert plain == "The file scores one crop, as the workbench does."
    assert "corners" not in properties(card())["averaged"]
