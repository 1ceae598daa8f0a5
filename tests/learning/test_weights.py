"""Start weights: all supported formats, and refused ones."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.fixtures.run_folders import CATEGORY, make_run, train
from workbench.domain.errors import KnownError
from workbench.domain.runs import WEIGHTS_FILE, LabelList, RunLabels
from workbench.learning.networks.models import build_network, weights_of
from workbench.learning.networks.tv import models
from workbench.learning.networks.weights import load_start, read_weights

LABELS = RunLabels(CATEGORY)


@pytest.fixture(scope="module")
def given() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return {key: value.clone() for key, value in models.squeezenet1_1().state_dict().items()}


def body_of(folder: Path, name: str = "squeezenet1_1") -> dict[str, torch.Tensor]:
    network = build_network(name, LABELS)
    load_start(network, folder, "file:x", LABELS)
    return weights_of(network)


def assert_taken(found: dict[str, torch.Tensor], given: dict[str, torch.Tensor]) -> None:
    for key, value in given.items():
        if key.startswith("features."):
            assert torch.equal(found[key], value), key


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
@pytest.mark.parametrize("wrapper", [None, "state_dict"])
def test_state_dicts_are_loaded_under_every_name(
    tmp_path: Path, given: dict[str, torch.Tensor], prefix: str, wrapper: str | None
) -> None:
    state: dict[str, object] = {prefix + key: value for key, value in given.items()}
    if wrapper:
        state = {wrapper: state, "epoch": 3}
    torch.save(state, tmp_path / "start.pth")
    assert_taken(body_of(tmp_path), given)


def test_safetensors_are_loaded(tmp_path: Path, given: dict[str, torch.Tensor]) -> None:
    save_file(given, tmp_path / "start.safetensors")
    assert_taken(body_of(tmp_path), given)


def test_another_architecture_is_refused_by_name(
    tmp_path: Path, given: dict[str, torch.Tensor]
) -> None:
    save_file(given, tmp_path / "start.safetensors")
    with pytest.raises(KnownError, match=r"start\.safetensors.*(tensors are|is) missing") as caught:
        body_of(tmp_path, "resnet18")
    assert "backbone" in caught.value.remedy
    other = {**given, "features.0.weight": torch.zeros(96, 3, 7, 7)}
    save_file(other, tmp_path / "start.safetensors")
    with pytest.raises(KnownError, match=r"features\.0\.weight is 96 × 3 × 7 × 7, not 64"):
        body_of(tmp_path)


def test_a_pickle_that_would_run_something_is_not_opened(tmp_path: Path) -> None:
    class Dangerous:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "start.pth").write_bytes(pickle.dumps({"features": Dangerous()}))
    with pytest.raises(KnownError, match=r"start\.pth"):
        body_of(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["start.pth", "start.safetensors"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of use")
    with pytest.raises(KnownError, match=name):
        body_of(tmp_path)


def test_missing_start_weights_are_reported(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match=r"start\.safetensors is missing"):
        body_of(tmp_path)


def test_an_earlier_run_gives_its_head_where_the_labels_are_the_same(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "first", epochs=1)
    train(folder)
    (tmp_path / "next").mkdir()
    start = tmp_path / "next" / "start.safetensors"
    start.write_bytes((folder / WEIGHTS_FILE).read_bytes())
    network = build_network("simpleconv3", LABELS)
    assert load_start(network, start.parent, "run:first", LABELS)
    kept = load_file(folder / WEIGHTS_FILE)
    assert all(torch.equal(value, kept[key]) for key, value in weights_of(network).items())
    others = RunLabels(LabelList("category", ("a", "b", "c"), (0, 1, 2)))
    assert not load_start(build_network("simpleconv3", others), start.parent, "run:first", others)
    assert read_weights(start)[1]
