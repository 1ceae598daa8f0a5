"""Mouth crops as files: a folder for each expression, names that every system allows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog, QWidget

from tests.fixtures.page_host import PageHost
from tests.fixtures.stored_images import MTIME
from workbench.app.jobs import Done, run_here
from workbench.app.mouths.crop_files import save_crops_task, write_crops
from workbench.app.mouths.mouth_queues import MouthQueues
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.images import FoundImage
from workbench.domain.labels import Label, LabelSet, Subject
from workbench.domain.reports import Note, Progress
from workbench.ui.pages.mouths.model import MouthModel

COLOURS = ((200, 0, 0), (0, 180, 0), (0, 0, 220))


@pytest.fixture
def crops(session: Session, tmp_path: Path) -> list[int]:
    """Ids of four crops: one of each of two images, and of the third a rejected and a found one."""
    names = ("a.b.png", "in folder/ sun: moon?.png", "third.png")
    root = tmp_path / "people"
    (root / "in folder").mkdir(parents=True)
    found = []
    for name, colour in zip(names, COLOURS, strict=True):
        Image.fromarray(np.full((200, 300, 3), colour, np.uint8)).save(root / name)
        size = (root / name).stat().st_size
        found.append(FoundImage(name, name, 300, 200, size, MTIME, ()))
    ids = session.store.images.add(session.store.images.add_source(str(root)), found)
    square, states = Rect(10, 20, 60, 70), (CropState.FOUND, CropState.ADJUSTED)
    made = [Crop(None, i, 0, state, square) for i, state in zip(ids[:2], states, strict=True)]
    made += [Crop(None, ids[2], 0, CropState.REJECTED, square)]
    made += [Crop(None, ids[2], 1, CropState.FOUND, square)]
    return [session.store.crops.save(crop).id or 0 for crop in made]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_each_usable_crop_is_a_file_in_the_folder_of_its_label(
    session: Session, crops: list[int], tmp_path: Path
) -> None:
    one, two, rejected, last = crops
    session.store.labels.assign_crops([two, rejected], "expression", "smile")
    outcome = run_here(save_crops_task(session, tmp_path / "out"))
    assert outcome == Done(3)
    assert files(tmp_path / "out") == [
        f"smile/sun_ moon__{two}.png",
        f"unlabelled/a.b_{one}.png",
        f"unlabelled/third_{last}.png",
    ]
    with Image.open(tmp_path / "out" / f"smile/sun_ moon__{two}.png") as picture:
        assert (picture.size, picture.convert("RGB").getpixel((64, 64))) == ((128, 128), COLOURS[1])


def test_labels_become_names_of_folders_that_every_system_allows(
    session: Session, crops: list[int], tmp_path: Path
) -> None:
    labels = ("a/b", "..", "w" * 120)
    several = LabelSet("marks", tuple(map(Label, labels)), subject=Subject.CROP, exclusive=False)
    session.store.labels.save_set(several, {})
    session.store.labels.assign_crops(crops[:1], "marks", "a/b")
    session.store.labels.assign_crops(crops[:2], "marks", "..")
    session.store.labels.assign_crops(crops[3:], "marks", "w" * 120)
    run_here(save_crops_task(session, tmp_path / "out", "marks"))
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert folders == ["_", "a_b,", "w" * 100]


def test_an_image_that_cannot_be_read_is_reported_and_the_rest_is_written(
    session: Session, crops: list[int], tmp_path: Path
) -> None:
    (tmp_path / "people" / "a.b.png").unlink()
    reports: list[object] = []
    outcome = run_here(save_crops_task(session, tmp_path / "out"), reports.append)
    assert outcome == Done(2)
    (warning,) = (report for report in reports if isinstance(report, Note))
    assert warning.warning
    assert "a.b.png" in warning.text
    assert [(r.done, r.total) for r in reports if isinstance(r, Progress)] == [(3, 3)]


def test_written_crops_are_counted_and_a_folder_that_cannot_be_made_is_reported(
    session: Session, crops: list[int], tmp_path: Path
) -> None:
    assert write_crops(session, tmp_path / "out") == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(KnownError, match="file"):
        write_crops(session, tmp_path / "file")


def test_progress_goes_in_steps_of_sixteen(
    session: Session, crops: list[int], tmp_path: Path
) -> None:
    image = session.store.images.ids().tolist()[0]
    for face in range(1, 18):
        session.store.crops.save(Crop(None, image, face, CropState.FOUND, Rect(0, 0, 9, 9)))
    reports: list[object] = []
    assert run_here(save_crops_task(session, tmp_path), reports.append) == Done(20)
    assert [(r.done, r.total) for r in reports if isinstance(r, Progress)] == [(16, 20), (20, 20)]


def test_the_window_saves_the_crops_to_a_chosen_folder(
    session: Session, crops: list[int], qtbot, tmp_path: Path, monkeypatch
) -> None:
    host = PageHost(session)
    model = MouthModel(host.context, MouthQueues(session), list)
    parent = QWidget()
    qtbot.addWidget(parent)
    for chosen in ("", str(tmp_path / "out")):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, to=chosen: to)
        model.save_crops(parent)
    qtbot.waitUntil(lambda: bool(host.messages), timeout=60_000)
    assert host.messages == [(f"3 mouth crops saved in {tmp_path / 'out'}.", "info")]
    assert len(files(tmp_path / "out")) == 3
    host.close()
