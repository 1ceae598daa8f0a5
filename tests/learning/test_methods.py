"""Every method and penalty trains, resumes exactly and reloads."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.fixtures.run_folders import CATEGORY, Chances, add_unlabelled, make_run, train
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.methods import WITH_HEAD, Spec
from workbench.domain.reports import Finished, Paused
from workbench.domain.runs import PREDICTIONS_FILE, START_FILE, WEIGHTS_FILE, RunLabels
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.evaluation.trained import load_model
from workbench.learning.images.pixels import decode_image, working_side
from workbench.learning.methods import METHODS
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import build_network, weights_of
from workbench.learning.penalties import PENALTIES
from workbench.learning.protocol.control import ControlRequest
from workbench.learning.protocol.folders import read_run_folder


def head_for(spec: Spec) -> dict[str, str]:
    """The head that something needs."""
    names = [need.removeprefix(WITH_HEAD) for need in spec.needs if need.startswith(WITH_HEAD)]
    return {"head": names[0]} if names else {}


CHOICES = [
    *({"method": name} for name in METHODS),
    *({"penalty": name, **head_for(kind.spec)} for name, kind in PENALTIES.items()),
    {"penalty": "l2-sp+bss", "projection": True},
    {"mix": "mixup"},
    {"mix": "cutmix", "loss": "focal"},
]
NAMES = ["-".join(str(value) for value in choice.values()) for choice in CHOICES]


def started_run(folder: Path, **recipe: object) -> Path:
    """A run that starts from weights of another one, which had a classifier of five classes."""
    made = make_run(folder, epochs=2, start="file:other", **recipe)
    torch.manual_seed(5)
    other = build_network("simpleconv3", RunLabels(CATEGORY))
    weights = weights_of(other)
    weights["head.target.weight"] = torch.randn(5, 128) * 0.1
    weights["head.target.bias"] = torch.zeros(5)
    save_file(weights, made / START_FILE)
    if "unlabelled" in METHODS.get(str(recipe.get("method")), METHODS["fine-tune"]).spec.needs:
        add_unlabelled(made, 6)
    return made


@pytest.mark.parametrize("recipe", CHOICES, ids=NAMES)
def test_it_trains_resumes_exactly_and_reloads(tmp_path: Path, recipe: dict[str, object]) -> None:
    whole = started_run(tmp_path / "whole", **recipe)
    finished = train(whole)[-1]
    assert isinstance(finished, Finished)
    parted = started_run(tmp_path / "parted", **recipe)
    assert isinstance(train(parted, Chances(ControlRequest.PAUSE, 4))[-1], Paused)
    assert isinstance(train(parted)[-1], Finished)
    first, second = load_file(whole / WEIGHTS_FILE), load_file(parted / WEIGHTS_FILE)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    network, card = load_model(whole)
    samples = read_run_folder(whole).samples
    side = working_side(card.image_size, card.test_resize)
    squares = torch.stack([decode_image(Path(sample.path), None, side) for sample in samples])
    scores = Scorer(network, card, choose_device())(squares).numpy()
    with np.load(whole / PREDICTIONS_FILE, allow_pickle=False) as arrays:
        np.testing.assert_allclose(scores, arrays["scores"], atol=1e-4)


@pytest.mark.parametrize("choice", ["delta", "l2-sp", "spottune", "multitune", "at-cnn"])
def test_methods_work_on_map_based_bodies(tmp_path: Path, choice: str) -> None:
    part = {"penalty": choice} if choice in PENALTIES else {"method": choice}
    recipe = {"backbone": "alexnet", "image_size": 64, "epochs": 1, "frozen": "conv3", **part}
    options = {"fusion": {"n": 4, "m": 4}}
    folder = make_run(
        tmp_path / "run",
        (("train", 6), ("test", 3)),
        start="file:other",
        head="fusion",
        options=options,
        **recipe,
    )
    torch.manual_seed(5)
    network = build_network("alexnet", RunLabels(CATEGORY), "fusion", options)
    save_file(weights_of(network), folder / START_FILE)
    assert isinstance(train(folder)[-1], Finished)
    again, _ = load_model(folder)
    assert again(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize("spec", [kind.spec for kind in (*METHODS.values(), *PENALTIES.values())])
def test_what_is_reported_of_each_is_whole(spec: Spec) -> None:
    assert spec.title
    assert spec.description.endswith(".")
    assert any(part.isdigit() and len(part) == 4 for part in spec.source.replace(",", " ").split())
    for parameter in spec.parameters:
        assert parameter.check(spec.name, parameter.default) == parameter.default
        assert parameter.description
    assert spec.options({}) == {p.name: p.default for p in spec.parameters}


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"method": "magic"}, "fine-tune"),
        ({"penalty": "magic"}, "l2-sp"),
        ({"penalty": "l2-sp", "options": {"l2-sp": {"alpa": 1.0}}}, "alpha"),
        ({"penalty": "l2-sp", "options": {"l2-sp": {"alpha": -1.0}}}, "≥ 0"),
        ({"options": {"delta": {"alpha": 1.0}}}, "fine-tune"),
        ({"penalty": "l2-sp", "options": {"l2-sp": {"up_to": "fire99"}}}, "conv1"),
    ],
)
def test_a_wrong_choice_names_what_is_allowed(
    tmp_path: Path, recipe: dict[str, object], words: str
) -> None:
    folder = started_run(tmp_path / "run", **recipe)
    with pytest.raises(KnownError, match=words):
        train(folder)


def test_co_tuning_without_a_classifier_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", method="co-tuning")
    with pytest.raises(KnownError, match="classifier"):
        train(folder)


@pytest.mark.parametrize("frozen", ["none", "conv2"])
def test_the_second_copy_of_multitune_learns_in_another_way_than_the_first(
    tmp_path: Path, frozen: str
) -> None:
    folder = started_run(tmp_path / "run", method="multitune", frozen=frozen, averaging=0.0)
    train(folder)
    start, end = load_file(folder / START_FILE), load_file(folder / WEIGHTS_FILE)
    for name in ("conv1.weight", "conv3.weight", "fc1.weight"):
        first = (end[f"first.{name}"] - start[name]).norm()
        second = (end[f"second.{name}"] - start[name]).norm()
        assert second > 0
        if frozen == "none" or name != "conv1.weight":
            assert second < 0.6 * first
        else:
            assert first == 0


@pytest.mark.parametrize(
    ("recipe", "options", "words"),
    [
        ({}, {"second_frozen": "all", "second_rate": 0.3}, "frozen"),
        ({}, {"second_rate": 0.0}, "would not learn"),
        ({"frozen": "conv1"}, {"second_frozen": "conv1", "second_rate": 1.0}, "same way"),
    ],
)
def test_a_setting_of_multitune_without_effect_is_refused(
    tmp_path: Path, recipe: dict[str, object], options: dict[str, object], words: str
) -> None:
    given = {"method": "multitune", "options": {"multitune": options}, **recipe}
    with pytest.raises(ValueRefused, match=words) as refused:
        train(started_run(tmp_path / "run", **given))
    assert refused.value.key == "options.multitune.second_rate"


def test_multitune_may_freeze_its_second_copy_or_train_both_from_other_stages(
    tmp_path: Path,
) -> None:
    for at, options in enumerate(
        ({"second_frozen": "all"}, {"second_frozen": "conv1", "second_rate": 1.0})
    ):
        recipe = read_run_folder(
            started_run(tmp_path / f"{at}", method="multitune", options={"multitune": options})
        ).recipe
        METHODS["multitune"].check(recipe)


def test_stochastic_norm_needs_normalisation(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run", method="stochastic-norm", backbone="squeezenet1_1", image_size=48
    )
    with pytest.raises(KnownError, match="normalisation"):
        train(folder)


def test_options_are_part_of_the_result(tmp_path: Path) -> None:
    losses = []
    for alpha in (0.0, 10.0):
        options = {"l2-sp": {"alpha": alpha}}
        folder = started_run(tmp_path / f"{alpha}", penalty="l2-sp", options=options, keep="last")
        train(folder)
        start, end = load_file(folder / START_FILE), load_file(folder / WEIGHTS_FILE)
        losses.append(float((start["conv1.weight"] - end["conv1.weight"]).norm()))
    assert math.isfinite(losses[1])
    assert losses[1] < 0.5 * losses[0]
