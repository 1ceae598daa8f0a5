"""The server answers every line, survives errors and keeps stdout clean."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fixtures.tiny_runs import save_run
from workbench.app.learner import child_environment, learning_command
from workbench.domain.geometry import Rect
from workbench.domain.requests import (
    AnswerLine,
    Describe,
    Description,
    Explain,
    Explained,
    Export,
    Exported,
    Going,
    ImageInput,
    Refused,
    RequestLine,
    Score,
    Scored,
    decode_answer_line,
    encode_line,
)
from workbench.learning.images.data import load_images
from workbench.learning.images.pixels import kept_part
from workbench.learning.networks.device import choose_device
from workbench.learning.serving.loaded import MAX_NETWORKS, NetworkCache


def ask_all(*lines: bytes) -> list[AnswerLine]:
    """What the program answers to these lines, and that it ends well with its stdin."""
    done = subprocess.run(
        [*learning_command(), "--serve"],
        input=b"".join(lines),
        capture_output=True,
        env=child_environment(),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [decode_answer_line(line) for line in done.stdout.splitlines()]


def line_of(number: int, request) -> bytes:
    return encode_line(RequestLine(number, request))


def pictures(paths: Sequence[Path]) -> tuple[ImageInput, ...]:
    return tuple(ImageInput(str(path)) for path in paths)


def test_one_program_answers_every_kind_and_survives_every_error(
    run: Path, images: Sequence[Path], tmp_path: Path
) -> None:
    joint = save_run(tmp_path / "joint", joint=True)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    all_five = pictures(images)
    some = (all_five[0], ImageInput(str(broken)), ImageInput(str(images[1]), (10, 5, 70, 50)))
    answers = ask_all(
        line_of(1, Describe(run=str(joint))),
        b"not even JSON\n",
        b'{"id": 3, "request": {"request": "sing"}}\n',
        line_of(4, Explain(run=str(joint), images=some, check=True)),
        line_of(5, Explain(run=str(joint), images=all_five, label="right", label_set="view")),
        line_of(6, Explain(run=str(run), images=all_five, label="tram")),
        line_of(7, Explain(run=str(run), images=all_five, layer="conv9")),
        line_of(8, Describe(run=str(tmp_path / "nowhere"))),
        line_of(9, Score(run=str(joint), images=some, batch=2)),
        line_of(10, Export(run=str(run), path=str(tmp_path / "net.onnx"), images=all_five)),
    )
    by_id: dict[int, list] = {}
    for answer in answers:
        by_id.setdefault(answer.id, []).append(answer.answer)
    _check_description(by_id[1][0])
    assert isinstance(by_id[-1][0], Refused)
    assert isinstance(by_id[3][0], Refused)
    _check_maps(by_id[4][0], by_id[9])
    assert {heat.label for heat in by_id[5][0].maps} == {"right"}
    for number, word in ((6, "tram"), (7, "conv9"), (8, "nowhere")):
        assert isinstance(by_id[number][0], Refused)
        assert word in by_id[number][0].sentence
        assert not by_id[number][0].traceback
    assert isinstance(by_id[10][0], Going)
    assert isinstance(by_id[10][-1], Exported)
    assert by_id[10][-1].same_predictions
    assert by_id[10][-1].largest_difference < 1e-4
    assert not list(tmp_path.glob("*.part"))


def _check_description(messages: Description) -> None:
    assert messages.labels.target.labels == ("boat", "car", "plane")
    assert messages.layers[-1].endswith("conv3")
    assert messages.image_size == 48
    assert messages.device


def _check_maps(messages: Explained, scored: list[Scored]) -> None:
    first, missing, boxed = messages.maps
    assert missing is None
    assert messages.unread[0].index == 1
    assert "broken.jpg" in messages.unread[0].reason
    for heat in (first, boxed):
        assert len(heat.values) == heat.height * heat.width
        assert max(heat.values) in (0.0, 1.0)
        assert min(heat.values) >= 0.0
        assert heat.score == max(heat.scores)
        assert heat.check is not None
        assert 0 <= heat.check.correlation <= 1
        assert heat.seen == (0.0, 0.0, 1.0, 1.0)  # 80 × 60 is 4 : 3, all of it is seen
    # scores requested separately are the same, unreadable ones are named
    assert [answer.done for answer in scored] == [2, 3]
    assert scored[0].unread[0].index == 1
    np.testing.assert_allclose(scored[0].scores[0], first.scores, atol=1e-6)
    np.testing.assert_allclose(scored[1].view_scores[0], boxed.view_scores, atol=1e-6)


def test_scores_are_those_a_training_would_have_kept(
    run: Path, images: Sequence[Path], tmp_path: Path
) -> None:
    from workbench.domain.runs import Sample
    from workbench.learning.serving.serve import score

    loaded = NetworkCache(choose_device()).get(str(run))
    request = Score(run=str(run), images=pictures(images), batch=2)
    rows = [row for answer in score(request, loaded) for row in answer.scores]
    samples = [Sample(image=0, hash="", path=str(path)) for path in images]
    kept = load_images(samples, 48, tmp_path, lambda _: None, lambda: False)
    assert kept is not None
    np.testing.assert_allclose(rows, loaded.scorer(kept.pixels).numpy(), atol=1e-6)


def test_networks_stay_warm_within_bounds_and_follow_their_file(tmp_path: Path) -> None:
    networks = NetworkCache(choose_device())
    runs = [str(save_run(tmp_path / f"run{i}")) for i in range(MAX_NETWORKS + 1)]
    first = networks.get(runs[0])
    assert networks.get(runs[0]) is first
    for run in runs[1:]:
        networks.get(run)
    assert networks.get(runs[0]) is not first  # the least recently used one is removed
    warm = networks.get(runs[-1])
    shutil.copytree(save_run(tmp_path / "other", joint=True), runs[-1], dirs_exist_ok=True)
    os.utime(Path(runs[-1]) / "weights.safetensors")
    assert networks.get(runs[-1]) is not warm
    assert networks.get(runs[-1]).card.labels.view is not None


def test_the_map_covers_what_the_network_saw(tmp_path: Path) -> None:
    from tests.fixtures.tiny_runs import draw_images
    from workbench.learning.serving.explain import explain

    run = save_run(tmp_path / "run", test_resize=60)
    (wide,) = draw_images(tmp_path, 1, size=(200, 90))
    loaded = NetworkCache(choose_device()).get(str(run))
    heat = explain(Explain(run=str(run), images=(ImageInput(str(wide)),)), loaded).maps[0]
    assert heat is not None
    kept = kept_part(200, 90)
    assert kept == Rect(40, 0, 160, 90)
    margin = (1 - 48 / 60) / 2  # the centre 48 of 60 is scored
    wanted = ((40 + 120 * margin) / 200, margin, (160 - 120 * margin) / 200, 1 - margin)
    assert heat.seen == pytest.approx(wanted)


def test_a_view_is_explained_by_its_own_column(tmp_path: Path, images: Sequence[Path]) -> None:
    from workbench.learning.images.pixels import decode_image, network_input
    from workbench.learning.serving.explain import explain
    from workbench.learning.serving.grad_cam import grad_cam

    run = save_run(tmp_path / "run", joint=True)
    loaded = NetworkCache(choose_device()).get(str(run))
    square = decode_image(images[0], None, 48)[None]
    inputs = network_input(square, loaded.card)
    for at, label in enumerate(("left", "right")):
        request = Explain(run=str(run), images=pictures(images[:1]), label_set="view", label=label)
        (heat,) = explain(request, loaded).maps
        wanted = grad_cam(loaded.network, loaded.layer(""), inputs, torch.tensor([3 + at]))[0]
        wanted = wanted.clip(min=0).ravel() / wanted.max()
        np.testing.assert_allclose(heat.values, wanted, atol=1e-3)
        assert (heat.label, heat.score) == (label, pytest.approx(heat.view_scores[at], abs=1e-4))


def test_an_onnx_file_describes_its_preprocessing(
    run: Path, images: Sequence[Path], tmp_path: Path
) -> None:
    import json

    import onnxruntime

    from workbench.learning.images.pixels import decode_image
    from workbench.learning.serving.export import export

    joint = save_run(tmp_path / "joint", joint=True, test_mirror=False)
    loaded = NetworkCache(choose_device()).get(str(joint))
    path = tmp_path / "net.onnx"
    request = Export(run=str(joint), path=str(path), images=pictures(images[:3]))
    with pytest.warns(FutureWarning, match="LeafSpec"):  # the exporter's own
        messages = list(export(request, loaded))[-1]
    assert isinstance(messages, Exported)
    assert messages.images == 3
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["labels"]) == ["boat", "car", "plane"]
    assert json.loads(known["view_labels"]) == ["left", "right"]
    size, mean, std = int(known["image_size"]), *(json.loads(known[k]) for k in ("mean", "std"))
    square = decode_image(images[0], None, int(known["resize"])).numpy()
    fed = ((square / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    assert fed.shape == (1, 3, size, size)
    scores, views = session.run(None, {"images": fed})
    with torch.inference_mode():
        wanted = loaded.scorer(torch.from_numpy(square)[None]).numpy()
    np.testing.assert_allclose(np.hstack([scores, views]), wanted, atol=1e-5)
