"""Crops of images of any aspect ratio."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from tests.fixtures.run_folders import CATEGORY
from tests.fixtures.scenes import COLOURS, quarters, swapped_profile, write_scene
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.recipes import Aspect
from workbench.domain.runs import ModelCard, RunLabels
from workbench.learning.images.pixels import (
    BORDER,
    decode_image,
    kept_part,
    network_input,
    normalised,
    seen_part,
    shown_part,
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


@pytest.mark.parametrize("across", [True, False])
def test_a_long_image_is_cut_squeezed_or_padded(tmp_path: Path, across: bool) -> None:
    """Red grows along the longer side from 0 to 255."""
    path = gradient(tmp_path / "a.png", 320, 100) if across else tmp_path / "b.png"
    if not across:
        pixels = np.repeat(np.linspace(0, 255, 320)[:, None, None], 100, axis=1)
        Image.fromarray(np.repeat(pixels, 3, axis=2).astype(np.uint8)).save(path)

    def along(aspect: Aspect) -> list[int]:
        square = decode_image(path, None, 64, aspect)
        assert square.shape == (64, 64, 3)
        line = square[32, :, 0] if across else square[:, 32, 0]
        return [int(line[at]) for at in (0, 32, 63)]

    assert along("centre") == pytest.approx([255 * 94 / 320, 128, 255 * 226 / 320], abs=6)
    assert along("squeeze") == pytest.approx([2, 128, 253], abs=6)
    assert along("pad") == pytest.approx([2, 128, 253], abs=6)
    padded = decode_image(path, None, 64, "pad")
    edges = (padded[0], padded[-1]) if across else (padded[:, 0], padded[:, -1])
    assert all(edge.eq(torch.tensor(BORDER, dtype=torch.uint8)).all() for edge in edges)
    inside = padded[22:42, 30, 1] if across else padded[30, 22:42, 1]
    assert not inside.eq(BORDER[1]).all()
    assert decode_image(path, None, 64).equal(decode_image(path, None, 64, "centre"))


@pytest.mark.parametrize(
    ("aspect", "seen"),
    [
        ("centre", (0.25, 0.0, 0.75, 1.0)),
        ("squeeze", (0.0, 0.0, 1.0, 1.0)),
        ("pad", (0.0, -5 / 6, 1.0, 11 / 6)),
    ],
)
def test_what_is_seen_of_a_long_image(aspect: Aspect, seen: tuple[float, ...]) -> None:
    given = msgspec.structs.replace(card(64, 0), aspect=aspect)
    assert seen_part(800, 300, given) == pytest.approx(seen)


@pytest.mark.parametrize("aspect", ["centre", "squeeze", "pad"])
@pytest.mark.parametrize(("width", "height"), [(800, 300), (100, 500), (64, 64)])
def test_a_map_is_shown_where_the_network_saw(aspect: Aspect, width: int, height: int) -> None:
    """The ends of the map's cells are the same points of the image, with and without a border."""
    given = msgspec.structs.replace(card(48, 60), aspect=aspect)
    cells = (-0.1, 0.2, 1.1, 0.8)
    seen = seen_part(width, height, given)
    shown, moved = shown_part(width, height, given, cells)
    assert all(0 <= edge <= 1 for edge in shown)
    for at, end in enumerate(cells):
        first, last = (at % 2, at % 2 + 2)
        wanted = seen[first] + end * (seen[last] - seen[first])
        assert shown[first] + moved[at] * (shown[last] - shown[first]) == pytest.approx(wanted)
    assert (shown == pytest.approx(seen)) == (aspect != "pad" or width == height)


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


def test_colours_of_a_profile_are_converted_for_the_network(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.png", "PNG", icc_profile=swapped_profile())
    square = decode_image(tmp_path / "a.png", None, 32).numpy()
    assert np.abs(quarters(square) - [(g, r, b) for r, g, b in COLOURS]).max() < 3
