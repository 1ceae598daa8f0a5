"""Explanations as text and images: trust in a heatmap, captions, layers, saved files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures import finished_runs
from workbench.app.explain.explaining import (
    Trust,
    caption,
    explain_request,
    explanation_task,
    heat_array,
    layer_title,
    save_explanation,
    save_wall,
    trust,
    trust_sentence,
)
from workbench.app.results.run_images import RunImage
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.requests import ATTENTION, PART, WINDOWS, Check, Heat, ImageInput


def heat(correlation: float | None = None, **others: object) -> Heat:
    values = {
        "height": 2,
        "width": 3,
        "values": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "seen": (0.0, 0.0, 1.0, 1.0),
        "label": "owl",
        "score": 0.876,
        "scores": (0.876, 0.124),
        "check": None if correlation is None else Check(correlation),
    }
    return Heat(**{**values, **others})


def image(path: Path = Path("bird.png"), **others: object) -> RunImage:
    values = {"row": 0, "image": 1, "crop": None, "input": ImageInput(str(path)), "name": path.name}
    return RunImage(**{**values, "width": 32, "height": 24, **others})


@pytest.mark.parametrize(
    ("correlation", "found"),
    [
        (None, Trust.UNCHECKED),
        (0.0, Trust.LEARNED),
        (0.39, Trust.LEARNED),
        (0.4, Trust.DOUBTFUL),
        (0.69, Trust.DOUBTFUL),
        (0.7, Trust.MEANINGLESS),
        (1.0, Trust.MEANINGLESS),
    ],
)
def test_trust_falls_with_the_likeness_to_random_networks(
    correlation: float | None, found: Trust
) -> None:
    assert trust(heat(correlation)) is found
    assert trust(heat(correlation, values=(0.0,) * 6)) is Trust.EMPTY


def test_the_check_is_put_into_words() -> None:
    assert trust_sentence(heat()) == ""
    assert trust_sentence(heat(0.123)) == (
        "This heatmap shows what was learned: with random weights it looks different"
        " (rank correlation 0.12)."
    )
    empty = trust_sentence(heat(values=(0.0,) * 6))
    assert empty == "Nothing at this layer supports owl: the heatmap is empty."
    assert "Interpret this heatmap with care" in trust_sentence(heat(0.5))
    assert trust_sentence(heat(0.9)).endswith("Try a deeper layer.")


def test_a_mask_is_of_no_label_and_a_window_says_what_its_frame_marks() -> None:
    mask = trust_sentence(heat(0.1, mask=True))
    assert mask.startswith("Where the network looks, whatever the label.")
    frame = (0.0, 0.0, 0.5, 0.5)
    one, many = (trust_sentence(heat(0.9, window=frame, windows=n)) for n in (1, 12))
    assert one.startswith("The frame marks the only window. This heatmap shows the image")
    assert many.startswith("The frame marks the strongest of 12 windows. This heatmap shows")
    assert "deeper layer" not in many
    masked = trust_sentence(heat(0.1, mask=True, window=frame, windows=12))
    assert masked == mask


def test_a_heatmap_is_read_row_by_row() -> None:
    array = heat_array(heat())
    assert array.dtype == np.float32
    assert array.tolist() == pytest.approx(np.array([[0.0, 0.2, 0.4], [0.6, 0.8, 1.0]]))


@pytest.mark.parametrize(
    ("layer", "network", "title"),
    [
        (ATTENTION, "squeezenet1_1", "attention mask"),
        (WINDOWS, "squeezenet1_1", "sliding windows"),
        (f"{PART}3", "squeezenet1_1", "part 3"),
        ("body.features.12.expand3x3", "squeezenet1_1", "fire9 · expand3x3"),
        ("body.features.12", "squeezenet1_1", "fire9"),
        ("body.layer2.0.conv1", "resnet18", "layer2 · 0.conv1"),
        ("body.conv1", "resnet18", "conv1"),
        ("body.bn1", "resnet18", "conv1 · bn1"),
        ("head.up", "resnet18", "head.up"),
    ],
)
def test_layers_are_named_by_their_stage(layer: str, network: str, title: str) -> None:
    assert layer_title(layer, network) == title


def test_a_caption_has_the_prediction_after_the_truth_it_missed() -> None:
    right = image(truth="owl", predicted="owl", score=0.934)
    wrong = image(truth="owl", predicted="puffin", score=0.51)
    unknown = image(truth="", predicted="puffin", score=0.51)
    assert caption(right) == caption(right, heat()) == "owl 0.93"
    assert caption(wrong) == "owl → puffin 0.51"
    assert caption(unknown) == "puffin 0.51"
    assert (caption(image()), caption(image(), heat())) == ("bird.png", "owl 0.88")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "bird.png"
    Image.fromarray(np.full((40, 60, 3), (10, 120, 200), np.uint8)).save(path)
    return path


def test_the_original_stands_left_of_the_overlay_as_it_was(picture: Path, tmp_path: Path) -> None:
    saved = {}
    for opacity in (0.0, 0.7):
        save_explanation(tmp_path / "out.png", image(picture), heat(), "fire9", opacity)
        with Image.open(tmp_path / "out.png") as sheet:
            saved[opacity] = np.asarray(sheet.convert("RGB")).astype(int)
    plain = (np.abs(saved[0.0] - (10, 120, 200)).sum(axis=2) < 9).sum(axis=0)
    (columns,) = np.nonzero(plain >= 320)
    assert len(columns) == 2 * 480  # enlarged to 480 × 320, twice
    covered = (np.abs(saved[0.7] - (10, 120, 200)).sum(axis=2) < 9).sum(axis=0)
    assert (covered[columns[:480]] >= 320).all()
    assert (covered[columns[480:]] < 320).any()


def test_captions_are_translated_and_the_check_has_a_line(picture: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def translate(text: str) -> str:
        asked.append(text)
        return text

    frame = (0.0, 0.0, 0.5, 0.5)
    heights = []
    for one in (heat(), heat(0.1), heat(window=frame, windows=1), heat(window=frame, windows=7)):
        path = tmp_path / "out.png"
        save_explanation(path, image(picture), one, "fire9", translate=translate)
        with Image.open(path) as sheet:
            heights.append(sheet.height)
    assert heights[0] == heights[2] == heights[3] < heights[1]
    assert asked == [
        "Grad-CAM for owl (0.88) at fire9",
        "Grad-CAM for owl (0.88) at fire9",
        trust_sentence(heat(0.1)),
        "Sliding windows for owl: one window, score 0.88",
        "Sliding windows for owl: 7 windows, highest score 0.88",
    ]


def test_only_the_part_that_the_run_sees_is_shown(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:50] = (0, 200, 0)
    Image.fromarray(pixels).save(tmp_path / "bird.png")
    crop = image(input=ImageInput(str(tmp_path / "bird.png"), (20, 10, 50, 30)))
    save_wall(tmp_path / "wall.png", [(crop, heat())] * 2, "Title", opacity=0.0)
    with Image.open(tmp_path / "wall.png") as wall:
        green = (np.asarray(wall.convert("RGB")) == (0, 200, 0)).all(axis=2)
    assert green.sum() == 2 * 240 * 160


@pytest.fixture
def run(session: Session, tmp_path: Path) -> tuple[str, list[int]]:
    images = finished_runs.fill(session.store, tmp_path / "birds")
    return finished_runs.make_run(session.store, images, "first").id, images


def test_a_request_names_the_run_and_its_pictures(session: Session, run) -> None:
    shown = [image(Path("a.png")), image(input=ImageInput("b.png", (1, 2, 3, 4)))]
    request = explain_request(session, run[0], shown, "owl", "category", "body.x", True)
    assert request.run == str(session.store.runs_folder / run[0])
    assert request.images == (ImageInput("a.png"), ImageInput("b.png", (1, 2, 3, 4)))
    assert (request.label, request.label_set, request.layer) == ("owl", "category", "body.x")
    assert request.check
    assert not explain_request(session, run[0], shown).check


def test_a_job_is_named_by_its_images_and_needs_some(session: Session, run, tmp_path) -> None:
    titles = [str(explanation_task(session, run[0], run[1][:n], tmp_path).title) for n in (1, 2)]
    assert titles == ["Explain 1 image", "Explain 2 images"]
    with pytest.raises(KnownError, match="no images to explain"):
        explanation_task(session, run[0], [999], tmp_path)
