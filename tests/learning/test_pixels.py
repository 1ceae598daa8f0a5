"""Crops of images of any aspect ratio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fixtures.run_folders import CATEGORY
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.runs import ModelCard, RunLabels
from workbench.learning.images.pixels import (
    decode_image,
    kept_part,
    network_input,
    normalised,
    seen_part,
    working_side,
)


def card(image_size: int, test_resize: int) -> ModelCard:
    return ModelCard(
        backbone="simpleconv3",
        head="class",
        labels=RunLabels(CATEGORY),
        image_size=image_size,
        test_resize=test_resize,
        test_mirror=False,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.25, 0.5),
    )


def gradient(path: Path, width: int, height: int) -> Path:
    """Red grows to the right, green downwards."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack((255 * x / width, 255 * y / height, 0 * x), axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_moderate_shapes_are_kept_whole_and_long_ones_lose_their_ends() -> None:
    assert kept_part(400, 300) == Rect(0, 0, 400, 300)
    assert kept_part(300, 400) == Rect(0, 0, 300, 400)
    assert kept_part(1600, 300) == Rect(600, 0, 1000, 300)
    assert kept_part(300, 900) == Rect(0, 250, 300, 650)


@pytest.mark.parametrize(("width", "height"), [(400, 300), (90, 300), (64, 64), (20, 30)])
def test_an_image_is_cropped_and_resized_to_a_square(
    tmp_path: Path, width: int, height: int
) -> None:
    square = decode_image(gradient(tmp_path / "a.png", width, height), None, 64)
    assert square.shape == (64, 64, 3)
    assert square.dtype == torch.uint8
    kept = kept_part(width, height)
    middle = square[32, 32].tolist()
    assert middle[0] == pytest.approx(127, abs=8)
    assert middle[1] == pytest.approx(127, abs=8)
    assert square[32, 1, 0].item() == pytest.approx(255 * kept.left / width, abs=16)
    assert square[1, 32, 1].item() == pytest.approx(255 * kept.top / height, abs=16)


def test_a_crop_is_cut_from_the_full_size_image(tmp_path: Path) -> None:
    path = gradient(tmp_path / "a.png", 800, 400)
    square = decode_image(path, Rect(400, 100, 600, 300), 32)
    assert square[0, 0, 0].item() == pytest.approx(128, abs=6)
    assert square[-1, -1, 0].item() == pytest.approx(190, abs=6)
    assert square[0, 0, 1].item() == pytest.approx(64, abs=6)


def test_the_centre_is_scored_and_its_position_reported() -> None:
    side = working_side(48, 60)
    squares = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    squares[:, 6:54, 6:54] = 255
    seen = network_input(squares, card(48, 60))
    assert seen.shape == (1, 3, 48, 48)
    torch.testing.assert_close(seen[0, :, 0, 0], torch.tensor([1.0, 2.0, 1.0]))
    assert seen.is_contiguous(memory_format=torch.channels_last)
    assert seen_part(100, 100, card(48, 60)) == pytest.approx((0.1, 0.1, 0.9, 0.9))
    assert seen_part(400, 100, card(48, 0)) == pytest.approx((0.3325, 0.0, 0.665, 1.0), abs=0.01)
    assert working_side(224, 0) == 224


def test_normalising_leaves_its_input_alone() -> None:
    images = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    normalised(images, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert (images == 255).all()


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    with pytest.raises(KnownError, match=r"broken\.jpg"):
        decode_image(tmp_path / "broken.jpg", None, 32)
