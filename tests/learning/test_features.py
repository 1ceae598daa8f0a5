"""Feature index: correct, resumable and incremental."""

import msgspec
import numpy as np
import pytest
import torch

from tests.fixtures.run_folders import Chances, draw
from workbench.domain.assessments import REQUEST_FILE, StartRequest
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError
from workbench.domain.features import (
    KEYS_FILE,
    ROWS_FILE,
    FeatureCard,
    FeatureRequest,
    feature_key,
)
from workbench.domain.runs import SAMPLES_FILE, Sample, encode_samples
from workbench.learning.images.pixels import decode_image, normalised
from workbench.learning.networks.backbones import build_body
from workbench.learning.protocol.control import Control, ControlRequest
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted
from workbench.learning.questions.features import FeatureWriter, write_features
from workbench.storage.features import FeatureIndexes


@pytest.fixture
def pictures(tmp_path):
    """Five drawn images, the last with a box, and one file that is none."""
    samples = []
    for at in range(5):
        path = tmp_path / f"{at}.png"
        draw(at % 3, at).save(path)
        box = (0, 0, 20, 20) if at == 4 else None
        samples.append(Sample(image=at, hash=f"hash{at}", path=str(path), box=box))
    (tmp_path / "broken.png").write_bytes(b"no image")
    samples.append(Sample(image=9, hash="broken", path=str(tmp_path / "broken.png")))
    return samples


def folder_request(tmp_path, samples, messages, control=None, batch=2):
    folder = tmp_path / "order"
    folder.mkdir(exist_ok=True)
    start = StartRequest(start="none", backbone="simpleconv3")
    request = FeatureRequest(start=start, folder=str(tmp_path / "features" / "own"), batch=batch)
    (folder / REQUEST_FILE).write_bytes(msgspec.json.encode(request))
    (folder / SAMPLES_FILE).write_bytes(encode_samples(list(samples)))

    class Said:
        parent_gone = False

        def __call__(self, report):
            messages.append(report)

    return FolderRequest(folder, Said(), control or Control())


def test_features_are_pooled_scaled_to_unit_length_and_known_by_their_images(tmp_path, pictures):
    messages = []
    write_features(folder_request(tmp_path, pictures, messages))
    assert (messages[-1].rows, messages[-1].unread) == (5, 1)
    assert "broken.png" in messages[-2].text
    index = FeatureIndexes(tmp_path).read("own")
    assert index.keys.tolist() == [feature_key(s.hash, s.box) for s in pictures[:5]]

    torch.manual_seed(0)  # the same fresh weights
    body, _ = build_body("simpleconv3")
    body.eval()
    squares = torch.stack(
        [decode_image(tmp_path / f"{i}.png", s.rect, 48) for i, s in enumerate(pictures[:5])]
    )
    with torch.no_grad():
        planes = normalised(squares.permute(0, 3, 1, 2), *backbone("simpleconv3").normalisation)
        features = body(planes).double().numpy()
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(index.rows, expected, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(np.asarray(index.rows, float), axis=1), 1, atol=2e-3)


def test_more_images_are_added_behind_what_a_crash_left_whole(tmp_path, pictures):
    write_features(folder_request(tmp_path, pictures[:3], []))
    indexes = FeatureIndexes(tmp_path)
    before = np.array(indexes.read("own").rows)
    place = indexes.folder_of("own")
    with (place / ROWS_FILE).open("ab") as file:
        file.write(b"\x00" * 7)  # a row that was being written, without its key
    write_features(folder_request(tmp_path, pictures[3:5], []))
    after = indexes.read("own")
    assert len(after.keys) == 5
    np.testing.assert_array_equal(after.rows[:3], before)
    with (place / KEYS_FILE).open("ab") as file:
        file.write(b"\x01" * 8)  # a key without its row
    FeatureWriter(place, FeatureCard(backbone="x", dimensions=128, image_size=48))
    assert (place / KEYS_FILE).stat().st_size == 5 * 8


def test_what_was_computed_before_a_stop_stays(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr("workbench.learning.questions.features.REPORT_SECONDS", 0.0)
    with pytest.raises(RequestInterrupted):
        write_features(
            folder_request(tmp_path, pictures, [], Chances(ControlRequest.STOP, 3), batch=1)
        )
    assert 1 <= len(FeatureIndexes(tmp_path).read("own").keys) < 5


def test_progress_names_the_time_that_is_left(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr("workbench.learning.questions.features.REPORT_SECONDS", 0.0)
    messages = []
    write_features(folder_request(tmp_path, pictures[:4], messages))
    steps = [report for report in messages if hasattr(report, "eta")]
    assert [report.done for report in steps] == [1, 2, 3, 4]
    assert all(report.total == 4 and report.eta >= 0 for report in steps)
    assert steps[-1].eta == 0


def test_a_request_without_its_weights_is_refused(tmp_path, pictures):
    made = folder_request(tmp_path, pictures, [])
    start = StartRequest(start="file", backbone="resnet18", weights=str(tmp_path / "gone.pth"))
    request = FeatureRequest(start=start, folder=str(tmp_path / "features" / "own"))
    (made.folder / REQUEST_FILE).write_bytes(msgspec.json.encode(request))
    with pytest.raises(KnownError, match=r"gone\.pth"):
        write_features(made)


def test_twenty_unreadable_images_are_named_and_the_others_counted(tmp_path, pictures):
    gone = [Sample(image=n, hash=str(n), path=str(tmp_path / f"gone{n:02}.png")) for n in range(22)]
    messages = []
    write_features(folder_request(tmp_path, [*gone, pictures[0]], messages))
    assert (messages[-1].rows, messages[-1].unread) == (1, 22)
    notes = [report for report in messages if hasattr(report, "warning")]
    assert [note.warning for note in notes] == [True] * 21
    assert "gone19.png" in notes[19].text
    assert notes[20].text == "2 more images could not be read."
