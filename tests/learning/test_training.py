"""Whole trainings on small rendered images: results, exact resume, and what can go wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.fixtures.run_folders import Chances, make_run, reports_of, train
from workbench.domain.errors import KnownError
from workbench.domain.reports import Epoch, Finished, Note, Paused, Started, Stopped
from workbench.domain.runs import (
    CHECKPOINT_FILE,
    LABELS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    SAMPLES_FILE,
    WEIGHTS_FILE,
    decode_samples,
)
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.evaluation.trained import load_model
from workbench.learning.images.pixels import decode_image, working_side
from workbench.learning.protocol.control import ControlRequest

SQUEEZED = {"backbone": "squeezenet1_1", "learning_rate": 0.002, "rotation": 0.0, "epochs": 2}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / WEIGHTS_FILE)


def assert_equal_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_training_learns_and_leaves_everything_in_the_folder(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run", (("train", 90), ("validation", 15), ("test", 15)), epochs=12
    )
    reports = train(folder)
    started = next(report for report in reports if isinstance(report, Started))
    assert started.images == {"train": 90, "validation": 15, "test": 15}
    epochs = [report for report in reports if isinstance(report, Epoch)]
    assert [epoch.epoch for epoch in epochs] == list(range(1, 13))
    assert epochs[-1].train_loss < epochs[0].train_loss
    finished = reports[-1]
    assert isinstance(finished, Finished)
    assert finished.parts["test"].top1 > 0.6
    assert finished.parts["test"].top5 == 1.0
    with np.load(folder / PREDICTIONS_FILE, allow_pickle=False) as arrays:
        assert arrays["scores"].shape == (120, 3)
        np.testing.assert_allclose(arrays["scores"].sum(axis=1), 1, rtol=1e-4)
        test = arrays["parts"] == 2
        right = arrays["scores"].argmax(1)[test] == arrays["truth"][test]
        assert right.mean() == pytest.approx(finished.parts["test"].top1)
    assert list(folder.glob("events.out.tfevents.*"))
    assert not (folder / CHECKPOINT_FILE).exists()


def test_the_loaded_model_has_the_same_scores(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", views=True, epochs=1, test_resize=40, **{"rotation": 0.0})
    train(folder)
    network, card = load_model(folder)
    assert card.head == "linear"
    assert card.labels.view is not None
    samples = decode_samples((folder / SAMPLES_FILE).read_bytes())
    side = working_side(card.image_size, card.test_resize)
    squares = torch.stack([decode_image(Path(sample.path), None, side) for sample in samples])
    from workbench.learning.networks.device import choose_device

    scores = Scorer(network, card, choose_device())(squares).numpy()
    with np.load(folder / PREDICTIONS_FILE, allow_pickle=False) as arrays:
        kept = np.concatenate((arrays["scores"], arrays["view_scores"]), axis=1)
    np.testing.assert_allclose(scores, kept, atol=1e-4)


@pytest.mark.parametrize(
    ("chances", "recipe"),
    [
        (3, {}),
        (9, {"schedule": "cosine"}),
        (5, SQUEEZED),
        (7, {"optimizer": "adamw", "averaging": 0.3}),
    ],
)
def test_pause_and_resume_end_with_the_very_same_weights(
    tmp_path: Path, chances: int, recipe: dict[str, object]
) -> None:
    whole = make_run(tmp_path / "whole", **recipe)
    train(whole)
    parted = make_run(tmp_path / "parted", **recipe)
    reports = train(parted, Chances(ControlRequest.PAUSE, chances))
    assert isinstance(reports[-1], Paused)
    assert not (parted / WEIGHTS_FILE).exists()
    reports = train(parted, Chances(ControlRequest.PAUSE, 2))
    assert isinstance(reports[-1], Paused)
    saved = torch.load(parted / CHECKPOINT_FILE, weights_only=False)
    before = saved["state"]
    assert 0 < before["epoch_seconds"] < before["seconds"]
    before["epoch_seconds"] += 1000  # as if the epoch had been long before the pause
    before["seconds"] += 1000
    torch.save(saved, parted / CHECKPOINT_FILE)
    reports = train(parted)
    assert isinstance(reports[-1], Finished)
    resumed = next(r for r in reports if isinstance(r, Epoch) and r.epoch == before["epoch"])
    assert resumed.seconds > before["epoch_seconds"], "the time before the pause counts, too"
    others = [r.seconds for r in reports if isinstance(r, Epoch) and r.epoch > before["epoch"]]
    assert all(seconds < 1000 for seconds in others)
    assert reports[-1].memory >= resumed.memory > 0
    assert resumed.device_memory == 0
    assert_equal_weights(whole, parted)
    losses = [
        {r.epoch: r.train_loss for r in reports_of(run) if isinstance(r, Epoch)}
        for run in (whole, parted)
    ]
    assert losses[0] == losses[1]


def test_the_best_weights_are_kept_by_default_and_survive_a_pause(tmp_path: Path) -> None:
    recipe = {"epochs": 4, "learning_rate": 0.3, "schedule": "constant"}
    whole = make_run(tmp_path / "whole", **recipe)
    finished = train(whole)[-1]
    parted = make_run(tmp_path / "parted", **recipe)
    train(parted, Chances(ControlRequest.PAUSE, 11))
    again = train(parted)[-1]
    assert isinstance(finished, Finished)
    assert isinstance(again, Finished)
    assert again.kept_epoch == finished.kept_epoch
    best = [r.epoch for r in reports_of(whole) if isinstance(r, Epoch) and r.best]
    assert finished.kept_epoch == best[-1] < 4
    assert_equal_weights(whole, parted)


@pytest.mark.parametrize(
    ("validation", "keep"), [(0, "best"), (6, "last")], ids=["no validation part", "last"]
)
def test_the_last_weights_are_kept_without_a_validation_part_or_on_request(
    tmp_path: Path, validation: int, keep: str
) -> None:
    parts = (("train", 24), ("validation", validation), ("test", 6))
    recipe = {"epochs": 4, "learning_rate": 0.1, "schedule": "constant"}
    finished = train(make_run(tmp_path / "run", parts, keep=keep, **recipe))[-1]
    assert isinstance(finished, Finished)
    assert finished.kept_epoch == 4


def test_early_stopping_waits_exactly_the_given_number_of_epochs(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run", epochs=60, early_stopping=2, learning_rate=0.1, schedule="constant"
    )
    reports = train(folder)
    finished = reports[-1]
    assert isinstance(finished, Finished)
    assert finished.epochs < 60
    better = [report.epoch for report in reports if isinstance(report, Epoch) and report.best]
    assert finished.epochs == better[-1] + 2


def test_stop_keeps_the_weights_so_far(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    reports = train(folder, Chances(ControlRequest.STOP, 6))
    assert isinstance(reports[-1], Stopped)
    load_model(folder)
    assert not (folder / CHECKPOINT_FILE).exists()


def test_flips_swap_left_and_right(tmp_path: Path) -> None:
    from tests.fixtures.run_folders import VIEW
    from workbench.domain.runs import RunLabels
    from workbench.learning.images.data import load_images
    from workbench.learning.loop.assembly import assemble
    from workbench.learning.networks.device import choose_device
    from workbench.learning.protocol.folders import read_run_folder

    folder = make_run(tmp_path / "run", views=True)
    run = read_run_folder(folder)
    assert run.labels == RunLabels(run.labels.target, VIEW)
    images = load_images(run.samples, 32, folder, lambda report: None, lambda: False)
    assert images is not None
    made = assemble(run, images, choose_device(), fresh=True).loop.batches
    shown = made.plan(1)
    flips = torch.from_numpy(shown.views.flips[shown.view_rows])
    known = images.views[torch.from_numpy(shown.rows)]
    seen = list(made.of_epoch(1, 0, None))
    expected = torch.where(flips, torch.tensor([0, 2, 1])[known], known)
    assert torch.equal(torch.cat([batch.views for batch in seen]), expected)
    targets = images.targets[torch.from_numpy(shown.rows)]
    assert torch.equal(torch.cat([batch.targets for batch in seen]), targets)
    assert flips.any()


def test_an_unreadable_image_is_named_and_left_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=1)
    broken = tmp_path / "run-images" / "004.png"
    broken.write_bytes(broken.read_bytes()[:60])
    reports = train(folder)
    warnings = [r.text for r in reports if isinstance(r, Note) and r.warning]
    assert any("004.png" in text for text in warnings)
    assert isinstance(reports[-1], Finished)
    assert len(np.load(folder / PREDICTIONS_FILE)["images"]) == 35


def test_no_readable_image_is_the_world_s_error(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    for path in (tmp_path / "run-images").iterdir():
        path.unlink()
    with pytest.raises(KnownError, match="None of the 36 images"):
        train(folder)


def test_no_training_part_is_the_world_s_error(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match="no labelled images"):
        train(make_run(tmp_path / "run", (("test", 6),)))


def test_a_training_that_diverges_in_its_last_step_has_no_scores(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=1, batch=64, learning_rate=1e30, schedule="constant")
    with pytest.raises(KnownError, match="not finite: training diverged"):
        train(folder)
    assert not (folder / PREDICTIONS_FILE).exists()


def test_a_diverging_training_reports_a_remedy(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run", learning_rate=1e30, epochs=30, schedule="constant", label_smoothing=0.0
    )
    with pytest.raises(KnownError) as caught:
        train(folder)
    assert "diverged" in caught.value.sentence
    assert "learning rate" in caught.value.remedy


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / LABELS_FILE).write_text("{")
    with pytest.raises(KnownError, match="damaged"):
        train(folder)
    (folder / LABELS_FILE).unlink()
    with pytest.raises(KnownError, match=r"labels\.json"):
        train(folder)
    with pytest.raises(KnownError, match=MODEL_FILE.replace(".", r"\.")):
        load_model(folder)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    train(folder, Chances(ControlRequest.PAUSE, 3))
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 3", "epochs = 4"))
    with pytest.raises(KnownError, match="another recipe"):
        train(folder)


def test_a_damaged_checkpoint_is_refused_and_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / CHECKPOINT_FILE).write_bytes(b"PK\3\4 nothing of use")
    with pytest.raises(KnownError, match=r"last\.ckpt"):
        train(folder)
