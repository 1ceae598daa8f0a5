"""Multi-scale windows: positions, strongest window and resulting map."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tests.fixtures.run_folders import make_run, train
from tests.fixtures.tiny_runs import CATEGORY, draw_images, save_run
from workbench.app.explain.explaining import layer_title, save_explanation, trust_sentence
from workbench.app.results.run_images import RunImage
from workbench.domain.advice import DataFacts, advise
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.protocols import WINDOW_SCALES as SCALES
from workbench.domain.protocols import ScoringProtocol
from workbench.domain.recipes import complete, partial_recipe
from workbench.domain.reports import Note
from workbench.domain.requests import WINDOWS, Describe, Explain, ImageInput
from workbench.domain.text import Message
from workbench.learning.evaluation.trained import load_model
from workbench.learning.evaluation.windows import (
    CELLS,
    cut,
    highest_scores,
    localised,
    positions,
    scaled_size,
    views_of_image,
    window_count,
    windows_of,
)
from workbench.learning.networks.device import choose_device
from workbench.learning.serving.explain import describe, explain, window_heat
from workbench.learning.serving.export import properties
from workbench.learning.serving.loaded import NetworkCache
from workbench.vision.overlays import framed
from workbench.vision.reading import read_rgb

SIDE = 48


@pytest.mark.parametrize(("length", "side"), [(48, 48), (49, 48), (72, 48), (144, 48), (333, 31)])
def test_windows_reach_every_pixel_and_overlap_by_half(length: int, side: int) -> None:
    starts = positions(length, side)
    assert starts[0] == 0
    assert starts[-1] == length - side
    assert all(0 < b - a <= side / 2 for a, b in pairwise(starts))
    least = 1 + int(np.ceil((length - side) / (side // 2)))
    assert len(starts) == least  # and no window more than that takes


def test_windows_are_the_pixels_of_the_resized_image() -> None:
    picture = torch.randint(0, 256, (60, 80, 3), dtype=torch.uint8)
    windows = cut(picture, SIDE)
    counts = []
    at = 0
    for number, scale in enumerate(SCALES):
        w, h = scaled_size(80, 60, round(SIDE * scale))
        assert (h, w) == (round(SIDE * scale), round(round(SIDE * scale) * 4 / 3))
        planes = picture.permute(2, 0, 1)[None]
        sized = torch.nn.functional.interpolate(planes, (h, w), mode="bilinear", antialias=True)
        tops = np.linspace(0, h - SIDE, 1 + -(-(h - SIDE) // (SIDE // 2))).round().astype(int)
        lefts = np.linspace(0, w - SIDE, 1 + -(-(w - SIDE) // (SIDE // 2))).round().astype(int)
        for top in tops:
            for left in lefts:
                wanted = sized[0, :, top : top + SIDE, left : left + SIDE]
                assert torch.equal(windows.pixels[at], wanted)
                box = (left / w, top / h, (left + SIDE) / w, (top + SIDE) / h)
                np.testing.assert_allclose(windows.boxes[at], box)
                assert windows.scales[at] == number
                at += 1
        counts.append(len(tops) * len(lefts))
    assert at == len(windows.pixels) == sum(counts)
    assert counts[0] == 2  # as high as the image, two beside each other
    assert windows.shape == (CELLS, round(CELLS * 4 / 3))


def by_hand(boxes, values, rows, columns) -> np.ndarray:
    """Cell by cell: the highest of all windows, of any scale, over its middle."""
    found = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            y, x = (row + 0.5) / rows, (column + 0.5) / columns
            found[row, column] = max(
                value
                for (left, top, right, bottom), value in zip(
                    boxes.tolist(), values.tolist(), strict=True
                )
                if left <= x <= right and top <= y <= bottom
            )
    return found


def test_the_map_is_the_maximum_over_scales_and_windows() -> None:
    windows = cut(torch.zeros(90, 70, 3, dtype=torch.uint8), 32)
    values = np.random.default_rng(0).random(len(windows.pixels))
    wanted = by_hand(windows.boxes, values, *windows.shape)
    np.testing.assert_allclose(localised(values, windows), wanted, rtol=1e-5)
    assert window_count(70, 90, 32) == len(values)


def test_a_window_of_the_whole_image_does_not_flatten_the_map() -> None:
    windows = cut(torch.zeros(64, 64, 3, dtype=torch.uint8), 32)
    values = np.random.default_rng(0).random(len(windows.pixels))
    np.testing.assert_array_equal(windows.boxes[0], (0, 0, 1, 1))
    values[0] = 1.0
    wanted = by_hand(windows.boxes[1:], values[1:], *windows.shape)
    np.testing.assert_allclose(localised(values, windows), wanted, rtol=1e-5)
    assert np.ptp(wanted) > 0
    only = type(windows)(windows.pixels[:1], windows.boxes[:1], windows.scales[:1], (20, 20))
    assert (localised(values[:1], only) == 1).all()


def scores_by_hand(network, inputs: np.ndarray, classes: int) -> np.ndarray:
    """Softmax over the first outputs."""
    with torch.no_grad():
        outputs = network(torch.from_numpy(inputs)).numpy().astype(np.float64)
    logits = outputs[:, :classes]
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("joint", [False, True])
def test_an_answer_holds_the_highest_scores_and_the_strongest_window(
    tmp_path: Path, joint: bool
) -> None:
    run = save_run(tmp_path / "run", joint=joint)
    loaded = NetworkCache(choose_device()).get(str(run))
    assert describe(Describe(run=str(run)), loaded).masks[-1] == WINDOWS
    paths = draw_images(tmp_path / "images", 2)
    gone = tmp_path / "gone.jpg"
    box = (10, 5, 70, 50)
    asked = (ImageInput(str(paths[0])), ImageInput(str(gone)), ImageInput(str(paths[1]), box))
    answer = explain(Explain(run=str(run), images=asked, layer=WINDOWS), loaded)
    assert [unread.index for unread in answer.unread] == [1]
    assert answer.maps[1] is None
    heat = answer.maps[0]

    windows = windows_of(paths[0], None, SIDE)
    card, network = loaded.card, loaded.network
    mean, std = (np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (card.mean, card.std))
    inputs = (windows.pixels.numpy().astype(np.float32) / 255 - mean) / std
    scores = scores_by_hand(network, inputs, len(CATEGORY.labels))
    assert card.test_mirror
    turned = scores_by_hand(network, inputs[..., ::-1].copy(), len(CATEGORY.labels))
    scores = (scores + turned[:, list(card.labels.target.mirror)]) / 2
    highest = scores.max(axis=0)
    scored = highest_scores(loaded.scorer, paths[0], None)[: len(highest)]
    np.testing.assert_allclose(scored, highest, rtol=1e-4)
    label = int(highest.argmax())
    np.testing.assert_allclose(heat.scores, highest, rtol=1e-4)
    assert heat.label == CATEGORY.labels[label]
    assert heat.score == pytest.approx(highest[label], rel=1e-4)
    assert heat.windows == len(scores)
    np.testing.assert_allclose(heat.window, windows.boxes[scores[:, label].argmax()])
    found = by_hand(windows.boxes, scores[:, label], *windows.shape)
    wanted = (found - found.min()) / (found.max() - found.min())
    np.testing.assert_allclose(np.reshape(heat.values, wanted.shape), wanted, atol=2e-3)
    assert len(heat.view_scores) == (2 if joint else 0)

    one = Explain(run=str(run), images=asked[:1], layer=WINDOWS, label="boat", check=True)
    other = explain(one, loaded).maps[0]
    assert other.label == "boat"
    assert other.score == pytest.approx(scores[:, 0].max(), rel=1e-4)
    assert 0 <= other.check.correlation <= 1
    assert f"strongest of {len(scores)} windows" in trust_sentence(other)
    if joint:
        view = Explain(run=str(run), images=asked[:1], layer=WINDOWS, label="right")
        assert explain(view, loaded).label_set == "view"


class _Bright(torch.nn.Module):
    """Says that a window shows label 1 the more, the brighter it is."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1.0), requires_grad=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images.mean(dim=(1, 2, 3)) * self.scale
        return torch.stack([torch.zeros_like(bright), bright, -10 - bright], dim=1)


def test_the_map_is_highest_where_the_object_is(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run")
    loaded = NetworkCache(choose_device()).get(str(run))
    loaded = type(loaded)(_Bright(), loaded.card, loaded.device, 0)  # the card's labels stay
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[70:110, 110:150] = 255
    path = tmp_path / "corner.png"
    cv2.imwrite(str(path), pixels)
    windows = windows_of(path, None, SIDE)
    heat = window_heat(windows, loaded, 0, CATEGORY, "car", check=False)
    values = np.reshape(heat.values, (heat.height, heat.width))
    left, top, right, bottom = heat.window
    y, x = (np.argwhere(values == values.max()) + 0.5).T
    assert values[int(90 / 120 * heat.height), int(130 / 160 * heat.width)] == values.max()
    assert y.min() / heat.height >= 70 / 120 - 1 / max(SCALES)  # as far as the best windows reach
    assert x.min() / heat.width >= 110 / 160 - 1 / max(SCALES)
    assert left <= 130 / 160 <= right
    assert top <= 90 / 120 <= bottom
    assert bottom - top == pytest.approx(1 / max(SCALES))  # the smallest window fits it best
    even = windows_of(path, None, SIDE)
    even = type(even)(torch.zeros_like(even.pixels), even.boxes, even.scales, even.shape)
    flat = window_heat(even, loaded, 0, CATEGORY, "car", check=False)
    assert not any(flat.values)


def test_a_run_can_be_scored_by_windows(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", test_crops="windows", epochs=1, test_mirror=False)
    narrow = tmp_path / "run-images" / "035.png"
    Image.new("RGB", (4, 90)).save(narrow)
    reports = train(folder)
    notes = [report.text for report in reports if isinstance(report, Note) and report.warning]
    assert any("too narrow" in note and "035.png" in note for note in notes)
    network, card = load_model(folder)
    assert card.protocol == ScoringProtocol(test_resize=0, test_crops="windows", test_mirror=False)
    with np.load(folder / "predictions.npz") as arrays:
        images, scores = arrays["images"].tolist(), arrays["scores"]
    assert images == list(range(1, 36))  # without the narrow one
    path = tmp_path / "run-images" / "004.png"
    windows = windows_of(path, None, 32)
    inputs = (windows.pixels.numpy().astype(np.float32) / 255 - 0.5) / 0.5
    wanted = scores_by_hand(network, inputs, 3).max(axis=0)
    np.testing.assert_allclose(scores[4], wanted, atol=1e-5)
    loaded = NetworkCache(choose_device()).get(str(folder))
    asked = Explain(run=str(folder), images=(ImageInput(str(path)), ImageInput(str(narrow))))
    answer = explain(asked, loaded)  # by Grad-CAM, with the scores of the run
    np.testing.assert_allclose(answer.maps[0].scores, scores[4], atol=1e-5)
    assert answer.maps[1] is None
    assert [lost.index for lost in answer.unread] == [1]
    assert "highest score" in properties(card)["averaged"]


def test_windows_need_no_resized_image_and_count_in_the_forecast() -> None:
    chosen = partial_recipe(target="category", backbone="simpleconv3", test_crops="windows")
    advice = advise(DataFacts((50, 50)), chosen)
    recipe = complete(chosen, advice.values)
    assert (recipe.test_resize, "test_resize" in advice.reasons) == (0, True)
    assert views_of_image(recipe) == len(cut(torch.zeros(48, 48, 3, dtype=torch.uint8), 48).boxes)
    with pytest.raises(ValueRefused, match=r"“60”.*test_resize.*0 with test_crops=windows"):
        complete({**chosen, "test_resize": 60}, advice.values)


def test_an_image_that_is_too_narrow_for_windows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), np.zeros((4, 80, 3), np.uint8))
    assert windows_of(path, None, SIDE).scales.max() == len(SCALES) - 1
    cv2.imwrite(str(path), np.zeros((4, 81, 3), np.uint8))
    with pytest.raises(KnownError, match="too narrow for windows"):
        windows_of(path, None, SIDE)
    assert len(windows_of(path, Rect(0, 0, 40, 4), SIDE).pixels)


def test_the_strongest_window_is_framed_in_a_saved_image(
    run: Path, images: Sequence[Path], tmp_path: Path
) -> None:
    loaded = NetworkCache(choose_device()).get(str(run))
    asked = Explain(run=str(run), images=(ImageInput(str(images[0])),), layer=WINDOWS)
    heat = explain(asked, loaded).maps[0]
    photo = read_rgb(images[0])
    _, top, right, _ = heat.window
    made = framed(photo, heat.window)
    height, width = photo.shape[:2]
    changed = np.argwhere((made != photo).any(axis=2))
    assert abs(changed[:, 0].min() - top * height) <= 3
    assert abs(changed[:, 1].max() - right * width) <= 4
    assert json.dumps(heat.window)  # plain numbers

    image = RunImage(0, 1, None, asked.images[0], "one.jpg", width, height)
    lines: list[str] = []

    def translate(text: str) -> str:
        lines.append(text)
        return str(text)

    layer = layer_title(WINDOWS, "simpleconv3")
    save_explanation(tmp_path / "one.png", image, heat, layer, translate=translate)
    assert len(lines) == 1  # without a check there is no sentence about it
    assert isinstance(lines[0], Message)
    assert f"{heat.windows} windows, highest score {heat.score:.2f}" in lines[0]
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size[0] > width
