"""Frozen-feature cache: the same training, computed once, shared, bounded and repaired."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fixtures.run_folders import Chances, make_run, train
from tests.learning.test_training import assert_equal_weights
from workbench.domain.reports import Epoch, Finished, Note, Paused, Report
from workbench.domain.runs import PREDICTIONS_FILE
from workbench.learning.frozen_cache.store import MAPS_FILE, META_FILE, FeatureStore
from workbench.learning.protocol.control import ControlRequest

RECIPE = {
    "backbone": "squeezenet1_1",
    "frozen": "fire4",
    "image_size": 48,
    "rotation": 0.0,
    "learning_rate": 0.002,
    "epochs": 3,
    "cache": 2,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_MAPS", str(tmp_path / "maps"))
    return tmp_path / "maps"


def notes(reports: list[Report]) -> str:
    return " ".join(report.text for report in reports if isinstance(report, Note))


def losses(reports: list[Report]) -> list[tuple[float, float | None]]:
    found = [report for report in reports if isinstance(report, Epoch)]
    return [(report.train_loss, report.validation_loss) for report in found]


def caches(folder: Path, rows: int = 2 * 24 + 6) -> list[Path]:
    """The kept maps with so many rows: by default those that steps and epochs go on from."""
    found = sorted(folder.glob(f"*/{MAPS_FILE}"))
    return [path for path in found if rows_of(path) == rows]


def rows_of(maps: Path) -> int:
    return int(json.loads((maps.parent / META_FILE).read_text())["shape"][0])


def scores(folder: Path) -> np.ndarray:
    with np.load(folder / PREDICTIONS_FILE, allow_pickle=False) as arrays:
        views = [arrays["view_scores"]] if "view_scores" in arrays else []
        return np.hstack([arrays["scores"], *views])


def test_a_second_training_loads_the_cache_and_gets_the_same_weights(
    tmp_path: Path, folder: Path
) -> None:
    first, second = make_run(tmp_path / "first", **RECIPE), make_run(tmp_path / "second", **RECIPE)
    assert "computed from the images: 24 images, 2 views each" in notes(train(first))
    messages = notes(train(second))
    assert "loaded: 24 images, 2 views each" in messages
    assert "loaded: 36 images, 2 crops each" in messages
    assert_equal_weights(first, second)
    np.testing.assert_array_equal(scores(first), scores(second))
    assert len(caches(folder)) == len(caches(folder, rows=2 * 36)) == 1


@pytest.mark.parametrize("crops", ["centre+whole", "five"])
def test_in_bf16_the_cache_is_bit_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crops: str
) -> None:
    recipe = {**RECIPE, "precision": "bf16", "test_resize": 56, "test_crops": crops}
    kept = make_run(tmp_path / "kept", views=True, **recipe)
    with_maps = train(kept)
    monkeypatch.setenv("WORKBENCH_MAPS", str(tmp_path / "nothing here"))
    monkeypatch.setenv("WORKBENCH_MAPS_GIB", "0")
    computed = make_run(tmp_path / "computed", views=True, **recipe)
    without = train(computed)
    assert "No space" in notes(without)
    assert_equal_weights(kept, computed)
    np.testing.assert_allclose(losses(with_maps), losses(without), rtol=1e-3)
    np.testing.assert_allclose(scores(kept), scores(computed), atol=2e-3)


def test_in_fp32_the_losses_are_those_of_the_whole_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_maps = train(make_run(tmp_path / "kept", **RECIPE))
    monkeypatch.setenv("WORKBENCH_MAPS", str(tmp_path / "nothing here"))
    monkeypatch.setenv("WORKBENCH_MAPS_GIB", "0")
    without = train(make_run(tmp_path / "computed", **RECIPE))
    np.testing.assert_allclose(losses(with_maps), losses(without), rtol=5e-3)


@pytest.mark.parametrize("chances", [2, 6, 9])
def test_pause_and_resume_with_the_cache_give_the_same_weights(
    tmp_path: Path, folder: Path, chances: int
) -> None:
    whole = make_run(tmp_path / "whole", **RECIPE)
    train(whole)
    for cache in caches(folder):
        (cache.parent / META_FILE).unlink()
    parted = make_run(tmp_path / "parted", **RECIPE)
    assert isinstance(train(parted, Chances(ControlRequest.PAUSE, chances))[-1], Paused)
    assert isinstance(train(parted)[-1], Finished)
    assert_equal_weights(whole, parted)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_deeper_split_extends_a_shallower_cache_bit_exactly(
    tmp_path: Path, folder: Path, precision: str
) -> None:
    recipe = {**RECIPE, "precision": precision, "start": "none", "epochs": 2}
    alone = make_run(tmp_path / "alone", **{**recipe, "frozen": "fire6"})
    train(alone)
    for cache in caches(folder):
        cache.parent.rename(tmp_path / cache.parent.name)
    assert "computed from the images" in notes(train(make_run(tmp_path / "fire4", **recipe)))
    deeper = make_run(tmp_path / "fire5", **{**recipe, "frozen": "fire5"})
    assert "a shallower split" in notes(train(deeper))
    deepest = make_run(tmp_path / "fire6", **{**recipe, "frozen": "fire6"})
    assert "a shallower split" in notes(train(deepest))
    assert len(caches(folder)) == 3
    assert_equal_weights(alone, deepest)


def test_what_is_shown_and_with_which_weights_makes_the_key(tmp_path: Path, folder: Path) -> None:
    for at, changed in enumerate(
        ({}, {"seed": 1}, {"crop_scale": 0.9}, {"image_size": 56}, {"cache": 1})
    ):
        train(make_run(tmp_path / f"run{at}", **{**RECIPE, "epochs": 1, **changed}))
        assert len(caches(folder)) + len(caches(folder, rows=24 + 6)) == at + 1
    same = make_run(tmp_path / "same", **{**RECIPE, "epochs": 1, "learning_rate": 0.01})
    train(same)
    assert len(caches(folder)) + len(caches(folder, rows=24 + 6)) == 5


@pytest.mark.parametrize("damage", ["shortened", "changed", "no meta"])
def test_damaged_features_are_recomputed(tmp_path: Path, folder: Path, damage: str) -> None:
    first = make_run(tmp_path / "first", **RECIPE)
    train(first)
    maps = caches(folder)[0]
    whole = maps.read_bytes()
    if damage == "no meta":
        (maps.parent / META_FILE).write_text("{")
    else:
        maps.write_bytes(whole[:-2] if damage == "shortened" else b"\1\1" + whole[2:])
    second = make_run(tmp_path / "second", **RECIPE)
    assert "computed from the images" in notes(train(second))
    assert caches(folder)[0].read_bytes() == whole
    assert_equal_weights(first, second)


def test_the_least_recently_used_go_first_and_nothing_unfinished_stays(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", limit=5000)
    rows = torch.ones(10, 100, dtype=torch.float16)
    for key in ("aa", "bb"):
        assert store.room_for(2000)
        assert store.write(key, (10, 100), [rows]) is not None
    os.utime(store.folder / "aa" / META_FILE, (2e9, 2e9))  # used after the other
    assert store.room_for(2000)
    assert store.find("bb") is None
    assert store.find("aa") is not None
    assert store.used() == 2000
    assert (store.has_free(3000), store.has_free(3001)) == (True, False)
    assert not store.room_for(5001)
    assert store.write("cc", (10, 100), [rows[:5]]) is None
    assert [path.name for path in store.folder.iterdir()] == ["aa"]


def test_methods_that_need_the_images_do_not_use_the_cache(tmp_path: Path, folder: Path) -> None:
    for at, other in enumerate(({"mix": "mixup"}, {"frozen": "none"})):
        reports = train(make_run(tmp_path / f"run{at}", **{**RECIPE, "epochs": 1, **other}))
        assert "cannot be cached" in notes(reports)
        assert isinstance(reports[-1], Finished)
    assert not caches(folder)


def test_without_a_validation_part_only_the_train_part_is_cached(tmp_path: Path) -> None:
    reports = train(make_run(tmp_path / "run", (("train", 12), ("test", 3)), **RECIPE))
    assert "computed from the images" in notes(reports)
    assert isinstance(reports[-1], Finished)
