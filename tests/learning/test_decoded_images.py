"""Decoded-image cache: same bytes, no damaged files, within its limit."""

import os
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.domain.recipes import Aspect
from workbench.domain.runs import Sample
from workbench.learning.images.data import DecodedImageCache, load_images
from workbench.learning.images.pixels import decode_image
from workbench.vision.reading import read_rgb

SIDE = 32


def sample(folder: Path, at: int, box: tuple[int, int, int, int] | None = None) -> Sample:
    path = folder / f"{at}.png"
    if not path.exists():
        pixels = np.random.default_rng(at).integers(0, 255, (48, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return Sample(image=at, hash=f"hash {at}", path=str(path), box=box, part="train")


def loaded(samples: list[Sample], folder: Path, cache: DecodedImageCache | None) -> torch.Tensor:
    images = load_images(samples, SIDE, folder, lambda _: None, lambda: False, cache)
    assert images is not None
    assert images.read.all()
    return images.pixels


def test_the_second_time_nothing_is_decoded(tmp_path: Path) -> None:
    samples = [sample(tmp_path, at) for at in range(5)]
    plain = loaded(samples, tmp_path, None)
    first = DecodedImageCache(tmp_path / "kept")
    assert torch.equal(loaded(samples, tmp_path, first), plain)
    assert (first.found, first.added) == (0, 5)
    for one in samples:
        Path(one.path).unlink()
    second = DecodedImageCache(tmp_path / "kept")
    assert torch.equal(loaded(samples, tmp_path, second), plain)
    assert (second.found, second.added) == (5, 0)


def test_another_box_or_side_is_decoded_separately(tmp_path: Path) -> None:
    cache = DecodedImageCache(tmp_path / "kept")
    whole, part = sample(tmp_path, 1), sample(tmp_path, 1, (4, 4, 30, 30))
    squares = loaded([whole, part], tmp_path, cache)
    assert not torch.equal(squares[0], squares[1])
    found = cache.find(part, SIDE)
    assert found is not None
    assert torch.equal(found, squares[1])
    assert cache.find(whole, SIDE + 1) is None
    assert cache.find(whole, SIDE, "squeeze") is None


def test_each_aspect_is_kept_by_itself(tmp_path: Path) -> None:
    cache = DecodedImageCache(tmp_path / "kept")
    given = sample(tmp_path, 1, (0, 0, 40, 16))
    of = {
        aspect: load_images([given], SIDE, tmp_path, lambda _: None, lambda: False, cache, aspect)
        for aspect in get_args(Aspect)
    }
    assert (cache.found, cache.added) == (0, 3)
    for aspect, images in of.items():
        assert torch.equal(cache.find(given, SIDE, aspect), images.pixels[0])
    assert not torch.equal(of["centre"].pixels, of["squeeze"].pixels)
    assert not torch.equal(of["squeeze"].pixels, of["pad"].pixels)


@pytest.mark.parametrize("aspect", ["centre", "squeeze"])
def test_a_panorama_is_seen_with_the_details_it_has(tmp_path: Path, aspect: Aspect) -> None:
    lines = np.zeros((96, 960, 3), np.uint8)
    lines[::6] = lines[1::6] = lines[2::6] = 255  # 16 lines, which a quarter of the height blurs
    Image.fromarray(lines).save(tmp_path / "x.png")
    pixels = decode_image(tmp_path / "x.png", None, SIDE, aspect).float()
    assert pixels.std(dim=(1, 2)).max() < 1
    assert pixels[:, 0, 0].std() > 100
    tall = np.ascontiguousarray(lines.transpose(1, 0, 2))
    Image.fromarray(tall).save(tmp_path / "y.png")
    turned = decode_image(tmp_path / "y.png", None, SIDE, aspect).float()
    assert (turned.transpose(0, 1) - pixels).abs().max() <= 1


def test_a_line_of_pixels_does_not_become_a_large_square(tmp_path: Path) -> None:
    Image.new("RGB", (60_000, 1), (9, 9, 9)).save(tmp_path / "x.png")
    for aspect in get_args(Aspect):
        assert decode_image(tmp_path / "x.png", None, SIDE, aspect).shape == (SIDE, SIDE, 3)
    assert read_rgb(tmp_path / "x.png", 2 * SIDE).shape == (1, 2 * SIDE, 3)


def test_a_damaged_cached_image_is_decoded_again(tmp_path: Path) -> None:
    cache = DecodedImageCache(tmp_path / "kept")
    one = sample(tmp_path, 1)
    wanted = loaded([one], tmp_path, cache)
    (kept,) = (path for path in (tmp_path / "kept").rglob("*") if path.is_file())
    data = bytearray(kept.read_bytes())
    data[100] ^= 1
    kept.write_bytes(data)
    assert cache.find(one, SIDE) is None
    assert torch.equal(loaded([one], tmp_path, cache), wanted)
    kept.write_bytes(b"short")
    assert cache.find(one, SIDE) is None


def test_the_least_recently_used_images_are_evicted_first(tmp_path: Path) -> None:
    size = SIDE * SIDE * 3 + 16
    samples = [sample(tmp_path, at) for at in range(4)]
    generous = DecodedImageCache(tmp_path / "kept")
    for at, one in enumerate(samples):
        generous.store(one, torch.full((SIDE, SIDE, 3), at, dtype=torch.uint8))
        path = generous._path(one, SIDE, "centre")
        assert path is not None
        os.utime(path, (at, at))
    assert generous.find(samples[0], SIDE) is not None  # used just now
    assert DecodedImageCache(tmp_path / "kept", 2 * size).trim() == 2 * size
    assert [generous.find(one, SIDE) is not None for one in samples] == [True, False, False, True]


def test_a_disk_that_refuses_or_a_limit_of_nothing_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    refused = DecodedImageCache(tmp_path / "file" / "below")
    loaded([sample(tmp_path, 1)], tmp_path, refused)
    assert refused.added == 0
    monkeypatch.setenv("WORKBENCH_SQUARES", str(tmp_path / "none"))
    monkeypatch.setenv("WORKBENCH_SQUARES_GIB", "0")
    loaded([sample(tmp_path, 1)], tmp_path, DecodedImageCache.of_user())
    assert not (tmp_path / "none").exists()
