"""Sampling: class frequencies, augmentation of repeated images, exact resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fixtures.run_folders import TINY, Chances, make_run, train, write_samples
from tests.learning.test_training import assert_equal_weights
from workbench.domain.advice import DataFacts, advise
from workbench.domain.recipes import complete, partial_recipe
from workbench.domain.reports import Epoch, Finished, Note, Paused
from workbench.domain.runs import SAMPLES_FILE, decode_samples
from workbench.learning.images.data import load_images
from workbench.learning.images.sampling import class_quotas, epoch_rows, repeat_counts
from workbench.learning.loop.assembly import assemble
from workbench.learning.loop.batches import Batches
from workbench.learning.loop.distributed import ProcessGroup
from workbench.learning.networks.device import choose_device
from workbench.learning.protocol.control import ControlRequest
from workbench.learning.protocol.folders import read_run_folder

SIZES = (40, 9, 1)
LABELS = np.repeat(np.arange(3), SIZES)
ROWS = 100 + np.arange(50)


def shown(sampling: str, epoch: int, labels: np.ndarray = LABELS) -> np.ndarray:
    recipe = complete({**TINY, "sampling": sampling}, {})
    rows = epoch_rows(recipe, ROWS, labels, epoch)
    assert len(rows) == len(ROWS)
    return rows


def counts(sampling: str, epochs: int) -> np.ndarray:
    return np.array(
        [
            np.bincount(LABELS[shown(sampling, epoch) - 100], minlength=3)
            for epoch in range(1, epochs + 1)
        ]
    )


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [("plain", (40, 9, 1)), ("balanced", (50 / 3,) * 3), ("square-root", (30.63, 14.53, 4.84))],
)
def test_classes_come_as_often_as_reported(sampling: str, shares: tuple[float, ...]) -> None:
    found = counts(sampling, 400)
    assert (np.abs(found - shares) < 1.1).all()
    np.testing.assert_allclose(found.mean(axis=0), shares, atol=0.15)


def test_an_image_repeats_only_after_all_others_of_its_class() -> None:
    rows = shown("balanced", 3)
    often = np.bincount(rows - 100, minlength=50)
    assert set(often[40:49]) <= {1, 2}  # 16 or 17 of 9 images
    assert set(often[:40]) == {0, 1}
    assert often[49] in (16, 17)
    assert not np.array_equal(rows, shown("balanced", 4))
    np.testing.assert_array_equal(rows, shown("balanced", 3))
    assert sorted(shown("plain", 3)) == sorted(ROWS)


def test_images_without_a_label_stay_as_they_are() -> None:
    labels = LABELS.copy()
    labels[:8] = -1
    rows = shown("balanced", 1, labels)
    assert all((rows == row).sum() == 1 for row in ROWS[:8])
    np.testing.assert_array_equal(np.bincount(labels[np.isin(ROWS, rows)] + 1)[0], 8)
    assert np.bincount(labels[rows - 100] + 1)[1:].max() == 14  # 42 left for three classes


def test_quotas_add_up_and_are_even_over_offsets() -> None:
    sizes = np.array([7, 2, 1, 1])
    drawn = np.array([class_quotas(sizes, 0.0, offset) for offset in np.linspace(0, 1, 100, False)])
    assert (drawn.sum(axis=1) == 11).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 11 / 4, atol=0.02)
    np.testing.assert_array_equal(class_quotas(sizes, 1.0, 0.3), sizes)


def test_showings_count_what_stood_before() -> None:
    np.testing.assert_array_equal(repeat_counts(np.array([5, 2, 5, 5, 9, 2])), [0, 0, 1, 2, 0, 1])


def uneven_run(folder: Path, **recipe: object) -> Path:
    """18 images to train, 12 of the first class, 4 of the second, 2 of the third."""
    made = make_run(folder, (("train", 36), ("validation", 6)), **recipe)
    samples, kept = decode_samples((made / SAMPLES_FILE).read_bytes()), []
    for sample in samples:
        own = sum(other.target == sample.target for other in kept)
        if sample.part != "train" or own < (12, 4, 2)[sample.target]:
            kept.append(sample)
    write_samples(made, kept)
    return made


def batches_of(folder: Path) -> Batches:
    run = read_run_folder(folder)
    images = load_images(run.samples, 32, folder, lambda report: None, lambda: False)
    assert images is not None
    return assemble(run, images, choose_device(), fresh=True).loop.batches


@pytest.mark.parametrize("cache", [0, 3])
def test_repeated_images_get_different_augmentations(tmp_path: Path, cache: int) -> None:
    made = batches_of(uneven_run(tmp_path / "run", sampling="balanced", cache=cache))
    shown = made.plan(2)
    rare = int(shown.rows[made.images.targets.numpy()[shown.rows] == 2][0])
    places = np.flatnonzero(shown.rows == rare)
    assert len(places) == 3  # six of the class's two images
    boxes = {tuple(shown.views.boxes[shown.view_rows[place]].tolist()) for place in places}
    assert len(boxes) == 3
    if cache:
        assert set(shown.turns[places]) == {1, 2, 3}
    seen = torch.cat([batch.images for batch in made.of_epoch(2, 0, None)])
    assert not torch.equal(seen[int(places[0])], seen[int(places[1])])
    assert len(seen) == 18


def test_processes_share_out_what_one_alone_would_show(tmp_path: Path) -> None:
    alone = batches_of(uneven_run(tmp_path / "run", sampling="balanced", batch=6))
    whole = list(alone.of_epoch(1, 0, None))
    shared = []
    for rank in range(2):
        alone.group = ProcessGroup(rank, 2)
        shared.append(list(alone.of_epoch(1, 0, None)))
    for one, first, second in zip(whole, *shared, strict=True):
        assert torch.equal(one.images[0::2], first.images)
        assert torch.equal(one.targets[1::2], second.targets)


@pytest.mark.parametrize("more", [{}, {"class_weights": "balanced", "sampling": "square-root"}])
def test_pause_and_resume_end_with_the_very_same_weights(
    tmp_path: Path, more: dict[str, object]
) -> None:
    recipe = {"sampling": "balanced", "epochs": 2, **more}
    whole, parted = (uneven_run(tmp_path / name, **recipe) for name in ("whole", "parted"))
    assert isinstance(train(whole)[-1], Finished)
    assert isinstance(train(parted, Chances(ControlRequest.PAUSE, 4))[-1], Paused)
    assert isinstance(train(parted)[-1], Finished)
    assert_equal_weights(whole, parted)
    other = uneven_run(tmp_path / "plain", epochs=2)
    train(other)
    with pytest.raises(AssertionError):
        assert_equal_weights(whole, other)


def test_repeated_images_cycle_through_cached_augmentations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {
        **{"backbone": "squeezenet1_1", "frozen": "fire4", "image_size": 48, "rotation": 0.0},
        **{"learning_rate": 0.002, "epochs": 2, "cache": 2, "sampling": "balanced"},
        "precision": "bf16",
    }
    monkeypatch.setenv("WORKBENCH_MAPS", str(tmp_path / "maps"))
    kept = uneven_run(tmp_path / "kept", **recipe)
    reports = train(kept)
    assert any("computed from the images" in r.text for r in reports if isinstance(r, Note))
    monkeypatch.setenv("WORKBENCH_MAPS", str(tmp_path / "nothing here"))
    monkeypatch.setenv("WORKBENCH_MAPS_GIB", "0")
    computed = uneven_run(tmp_path / "computed", **recipe)
    again = train(computed)
    assert_equal_weights(kept, computed)
    losses = [[r.train_loss for r in found if isinstance(r, Epoch)] for found in (reports, again)]
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_advice_weighs_or_samples_but_not_both() -> None:
    uneven = DataFacts((300, 40))
    assert advise(uneven).values["class_weights"] == "balanced"
    sampled = advise(uneven, partial_recipe(sampling="balanced"))
    assert sampled.values["class_weights"] == "none"
    assert "class_weights" not in sampled.reasons
    both = advise(uneven, partial_recipe(sampling="square-root", class_weights="balanced"))
    assert "twice" in both.reasons["class_weights"]
    keys = {"target": "category", "sampling": "square-root", "class_weights": "balanced"}
    assert complete(keys, both.values).class_weights == "balanced"  # it is allowed
