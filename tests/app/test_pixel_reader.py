"""Images decoded in another thread: the latest requests count, the last results are cached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.app.images.pixel_reader import PixelReader, PixelRequest
from workbench.domain.geometry import Rect


@pytest.fixture
def reader(qapp: object) -> Iterator[PixelReader]:
    made = PixelReader(capacity=2)
    yield made
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Four images of 40 × 20 pixels, each with its own colour."""
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((20, 40, 3), 50 * i, np.uint8)).save(path)
    return paths


def read(qtbot, reader: PixelReader, *requests: PixelRequest) -> list[object]:
    """Keys in the order in which they arrived."""
    found: list[object] = []
    reader.ready.connect(lambda key, _: found.append(key))
    reader.request(requests)
    qtbot.waitUntil(lambda: len(found) == len(requests), timeout=10_000)
    reader.ready.disconnect()
    return found


def test_images_arrive_in_their_order_and_the_last_two_are_kept(qtbot, reader, files) -> None:
    requests = [PixelRequest(i, path, 100) for i, path in enumerate(files)]
    assert read(qtbot, reader, *requests) == [0, 1, 2, 3]
    assert [reader.get(i) is not None for i in range(4)] == [False, False, True, True]
    assert (reader.get(3) == 150).all()
    assert reader.get(3).shape == (20, 40, 3)


def test_what_was_used_last_stays_longest(qtbot, reader, files) -> None:
    read(qtbot, reader, PixelRequest(0, files[0], 100), PixelRequest(1, files[1], 100))
    reader.get(0)
    read(qtbot, reader, PixelRequest(2, files[2], 100))
    assert [reader.get(i) is not None for i in range(3)] == [True, False, True]


def test_images_and_parts_are_scaled_to_the_longest_side(qtbot, reader, files) -> None:
    part = PixelRequest("part", files[1], 100, Rect(5, 5, 15, 11))
    read(qtbot, reader, PixelRequest("small", files[1], 20), part)
    assert reader.get("small").shape == (10, 20, 3)
    assert reader.get("part").shape == (6, 10, 3)


def test_a_cached_image_is_not_read_again_until_it_is_forgotten(qtbot, reader, files) -> None:
    request = PixelRequest(0, files[0], 100)
    read(qtbot, reader, request)
    before = reader.get(0)
    assert read(qtbot, reader, PixelRequest(1, files[1], 100)) == [1]
    reader.request([request])
    assert reader.get(0) is before
    reader.forget(0)
    assert reader.get(0) is None
    assert read(qtbot, reader, request) == [0]


def test_a_file_that_cannot_be_read_fails_once_until_it_is_forgotten(
    qtbot, reader, files, tmp_path
) -> None:
    missing = PixelRequest("gone", tmp_path / "gone.png", 100)
    failed: list[tuple[object, str]] = []
    reader.failed.connect(lambda key, text: failed.append((key, text)))
    assert reader.failure("gone") == ""
    with qtbot.waitSignal(reader.failed, timeout=10_000):
        reader.request([missing])
    assert "gone.png" in reader.failure("gone")
    assert failed == [("gone", reader.failure("gone"))]
    reader.request([missing, PixelRequest(0, files[0], 100)])
    qtbot.waitUntil(lambda: reader.get(0) is not None, timeout=10_000)
    assert len(failed) == 1
    reader.forget("gone")
    assert reader.failure("gone") == ""
    with qtbot.waitSignal(reader.failed, timeout=10_000):
        reader.request([missing])


def test_a_closed_reader_reads_nothing_and_may_be_closed_again(qtbot, reader, files) -> None:
    read(qtbot, reader, PixelRequest(0, files[0], 100))
    reader.close()
    reader.request([PixelRequest(1, files[1], 100)])
    reader.close()
    assert reader.get(1) is None
    assert reader.get(0) is not None
