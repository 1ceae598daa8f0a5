"""Cropping: real processes on drawn faces, detections folded in, and what a person decides."""

import os
import signal
import sys
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.systems import linux
from workbench.app.images.importing import import_task
from workbench.app.jobs import Cancelled, Done, Failed, run_here
from workbench.app.mouths import cropping
from workbench.app.mouths.crop_files import save_crops_task
from workbench.app.mouths.cropping import search_images
from workbench.demo.faces import draw_scene
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.vision.mouths import LICENCE_NOTE, FaceImage, landmarks_path
from workbench.vision.reading import read_rgb


@pytest.fixture
def faces(session, tmp_path):
    """Ids of: one face, two faces, no face."""
    root = tmp_path / "people"
    root.mkdir()
    two = draw_scene(640, 320, ((40, 40, 220), (360, 30, 240)))
    pictures = {"1one": draw_scene(), "2two": two, "3none": draw_scene(320, 240, ())}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(root / f"{name}.png")
    run_here(import_task(session, [root]))
    return session.store.images.ids().tolist()


def detected(session, ids, **options):
    outcome = run_here(cropping.detection_task(session, ids, **options))
    assert isinstance(outcome, Done), outcome
    return outcome.value


def test_detection_review_and_detection_again(session, faces):
    one, two, none = faces
    result = detected(session, faces)
    assert (result.images, result.found, result.several, result.missed) == (3, 2, 1, 1)
    assert result.faces == 3
    assert [crop.face for crop in session.store.crops.of_image(two)] == [0, 1]
    assert session.store.crops.of_image(none)[0].state is CropState.MISSED

    crop = session.store.crops.of_image(one)[0]
    moved = cropping.adjust(session, crop, Rect(-5, 10, 75, 90))
    assert (moved.state, moved.reviewed, moved.rect) == (
        CropState.ADJUSTED, True, Rect(0, 10, 80, 90),
    )  # fmt: skip
    first, second = session.store.crops.of_image(two)
    session.store.labels.assign_crops([second.id], "expression", "smile")
    cropping.choose(session, first.id)
    states = [crop.state for crop in session.store.crops.of_image(two)]
    assert states == [CropState.FOUND, CropState.REJECTED]

    assert detected(session, faces, again=False).left_out == 3
    detected(session, faces)
    assert session.store.crops.of_image(one) == [moved]
    assert [crop.state for crop in session.store.crops.of_image(two)] == states
    assert session.store.labels.of_crops([second.id], "expression") == {second.id: ("smile",)}
    cropping.accept(session, [second.id])
    assert all(crop.usable for crop in session.store.crops.of_image(two))

    drawn = cropping.add_by_hand(session, none, Rect(100, 100, 180, 180))
    assert session.store.crops.of_image(none) == [drawn]
    cropping.reject(session, [drawn.id])
    cropping.accept(session, [drawn.id])
    assert session.store.crops.of_image(none)[0].state is CropState.ADJUSTED
    detected(session, [none])
    assert [crop.detector for crop in session.store.crops.of_image(none)] == ["hand"]


def test_a_drawn_mouth_is_numbered_after_the_others(session, faces):
    none = faces[2]
    drawn = [
        cropping.add_by_hand(session, none, Rect(at, at, at + 50, at + 50)) for at in (0, 60, 120)
    ]
    assert [crop.face for crop in drawn] == [0, 1, 2]
    assert session.store.crops.of_image(none) == drawn


def test_accepting_keeps_a_moved_mouth_moved_and_moving_keeps_what_was_detected(session, faces):
    points = ((10.0, 10.0), (40.0, 30.0))
    found = Crop(None, faces[0], 0, CropState.FOUND, Rect(0, 0, 60, 60), points, "dlib")
    stored = session.store.crops.save(found)
    moved = cropping.adjust(
        session, replace(stored, landmarks=(), detector="old"), Rect(1, 1, 9, 9)
    )
    assert (moved.landmarks, moved.detector, moved.rect) == (points, "dlib", Rect(1, 1, 9, 9))
    cropping.accept(session, [moved.id])
    assert session.store.crops.of_image(faces[0]) == [moved]
    cropping.reject(session, [moved.id])
    cropping.accept(session, [moved.id])
    assert session.store.crops.of_image(faces[0])[0].state is CropState.FOUND


def test_the_licence_of_the_landmarks_concerns_the_shipped_file_only(session, tmp_path):
    assert cropping.landmarks_licence(session) == LICENCE_NOTE
    own = tmp_path / "own.dat"
    with pytest.raises(KnownError, match=r"own\.dat"):
        cropping.choose_landmarks_file(session, own)
    own.write_bytes(b"points")
    cropping.choose_landmarks_file(session, own)
    assert (cropping.landmarks_file(session), cropping.landmarks_licence(session)) == (own, "")


def test_one_undo_reverts_a_detection(session, faces, monkeypatch):
    monkeypatch.setattr(cropping, "BATCH_SECONDS", 0.0)
    progress = []
    assert isinstance(run_here(cropping.detection_task(session, faces), progress.append), Done)
    assert [(one.done, one.total) for one in progress] == [(0, 3), (1, 3), (2, 3), (3, 3), (3, 3)]
    assert all(0 <= one.eta < 600 for one in progress[1:])
    assert progress[-1].eta == 0
    assert session.undo() == "Find mouths"
    assert session.store.crops.of_images(faces) == {}
    session.redo()
    assert len(session.store.crops.of_images(faces)) == 3


def test_files_out_of_reach_cost_no_crops(session, faces):
    one, two, _ = faces
    detected(session, [one])
    before = session.store.crops.of_image(one)
    for image in (one, two):
        session.store.images.path(image).unlink()
    result = detected(session, [one, two])
    assert [Path(lost.path).name for lost in result.failed] == ["1one.png", "2two.png"]
    assert all("cannot be read" in lost.reason for lost in result.failed)
    assert session.store.crops.of_image(one) == before
    (missed,) = session.store.crops.of_image(two)
    assert missed.state is CropState.MISSED
    assert "cannot be read" in missed.reason


def test_images_removed_meanwhile_are_passed_over(session, faces):
    task = cropping.detection_task(session, faces)
    with session.edit("remove"):
        session.store.images.remove(faces[:2])
    assert isinstance(run_here(task), Done)
    assert list(session.store.crops.of_images(faces)) == [faces[2]]


def test_it_can_be_stopped_while_its_processes_start(session, faces):
    stop = threading.Event()
    task = cropping.detection_task(session, faces)
    steps = task.work()
    next(steps)  # the processes are being started
    steps.close()
    stop.set()
    assert isinstance(run_here(task, stop=stop), Cancelled)


def test_a_wrong_landmark_file_is_reported(session, faces, tmp_path):
    wrong = tmp_path / "wrong.dat"
    wrong.write_bytes(b"nothing")
    cropping.choose_landmarks_file(session, wrong)
    outcome = run_here(cropping.detection_task(session, faces))
    assert isinstance(outcome, Failed)
    assert str(wrong) in outcome.sentence
    assert outcome.report == ""
    wrong.unlink()
    with pytest.raises(KnownError):
        cropping.detection_task(session, faces)
    cropping.choose_landmarks_file(session, None)
    assert cropping.landmarks_file(session) == landmarks_path()


@linux
def test_a_process_that_dies_costs_one_photograph(tmp_path):
    Image.fromarray(draw_scene()).save(tmp_path / "x.png")
    photos = [FaceImage(i, str(tmp_path / "x.png")) for i in range(12)]
    steps = search_images(photos, landmarks_path(), workers=1)
    next(steps)
    assert len(_children()) == 1
    came = []
    killed = False
    for looked in steps:
        if looked is not None:
            came.append(looked)
        if came and not killed:
            killed = True
            os.kill(_children()[0], signal.SIGKILL)
    assert sorted(looked.image for looked in came) == list(range(12))
    assert sum(bool(looked.failure) for looked in came) <= 1
    assert sum(bool(looked.crops) for looked in came) >= 11


def _children() -> list[int]:
    paths = Path("/proc/self/task").glob("*/children")
    started = [pid for path in paths for pid in path.read_text().split()]
    return [int(p) for p in started if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def test_crops_as_files(session, faces, tmp_path):
    detected(session, faces)
    (crop,) = session.store.crops.of_image(faces[0])
    session.store.labels.assign_crops([crop.id], "expression", "smile")
    out = tmp_path / "out"
    assert cropping.write_crops(session, out) == 3
    saved = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert saved[0] == f"smile/1one_{crop.id}.png"
    assert [name.split("_")[0] for name in saved[1:]] == ["unlabelled/2two"] * 2
    pixels = read_rgb(out / saved[0])
    assert pixels.shape == (128, 128, 3)
    whole = read_rgb(session.store.images.path(faces[0]), rect=crop.rect)
    assert abs(pixels.mean() - whole.mean()) < 2
    session.store.images.path(faces[0]).unlink()
    notes: deque[object] = deque()
    assert run_here(save_crops_task(session, out), notes.append) == Done(2)
    (out / "blocked").write_text("")
    with pytest.raises(KnownError, match="blocked"):
        cropping.write_crops(session, out / "blocked")


def test_choosing_a_crop_that_no_longer_exists(session, faces):
    with pytest.raises(KnownError):
        cropping.choose(session, 999)
    missed = Crop(None, faces[2], 0, CropState.MISSED, reason="no face was found")
    missed = session.store.crops.save(missed)
    cropping.accept(session, [missed.id])
    assert session.store.crops.of_image(faces[2]) == [missed]
    assert np.array_equal(session.store.crops.ids(CropState.MISSED), [missed.id])
    with pytest.raises(KnownError, match="no longer exists"):
        cropping.choose(session, missed.id)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is another signal there")
def test_ctrl_c_at_the_very_start_of_a_process_does_not_end_it(tmp_path):
    worker = cropping._Worker(tmp_path / "no landmarks")
    os.kill(worker.process.pid, signal.SIGINT)  # before Python has started
    sentence, _ = worker.pipe.recv()
    assert "no landmarks" in sentence
    worker.process.join(60)
    assert worker.process.exitcode == 0
