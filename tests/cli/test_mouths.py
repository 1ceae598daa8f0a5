"""The command `crop`: what it counts, for images it searched now and before."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.fixtures import finished_runs
from workbench.app.session import Session
from workbench.cli.command import run
from workbench.cli.mouths import summary
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.storage.project import Project

FOUND, ADJUSTED, REJECTED, MISSED = CropState
STATES = (
    (FOUND,),
    (ADJUSTED, REJECTED),
    (FOUND, ADJUSTED, FOUND),
    (REJECTED,),
    (MISSED,),
    (MISSED, ADJUSTED),
    (REJECTED, MISSED),
    (),
)


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of thirty images without a face, the first seven of which have crops."""
    monkeypatch.chdir(tmp_path)
    store = Project.create(tmp_path / "People")
    images = finished_runs.fill(store, tmp_path / "photos")
    for image, states in zip(images, STATES, strict=False):
        for face, state in enumerate(states):
            square = None if state is MISSED else Rect(2, 2, 12, 12)
            store.crops.save(Crop(None, image, face, state, square))
    store.close()
    return store.folder


def test_images_are_counted_by_their_mouths(people: Path) -> None:
    session = Session.open(people)
    try:
        ids = session.images.ids().tolist()
        expected = {"found": 4, "missed": 2, "several": 1, "faces": 6}
        assert summary(session, ids) == expected | {"images": 30}
        only = summary(session, ids[2:4])
        assert only == {"found": 1, "missed": 0, "several": 1, "faces": 3, "images": 2}
    finally:
        session.close()


def test_only_images_that_were_not_searched_are_searched_now(people: Path, capsys) -> None:
    started = time.monotonic()
    assert run(["crop", "People", "bird 0", "--json"]) == 0
    passed = time.monotonic() - started
    done = json.loads(capsys.readouterr().out)
    assert 0 <= done["seconds"] <= round(passed, 3)
    assert (done["images"], done["looked_at"], done["found"], done["missed"]) == (10, 3, 4, 5)
    assert "saved" not in done
    assert done["failed"] == []


def test_people_see_a_table_and_what_could_not_be_read(people: Path, tmp_path, capsys) -> None:
    (tmp_path / "photos" / "bird 29.png").write_bytes(b"no image")
    assert run(["crop", "People", "bird 28", "bird 29"]) == 0
    shown = capsys.readouterr()
    rows = dict(line.rsplit(maxsplit=1) for line in shown.out.splitlines())
    assert list(rows) == [
        "images with a mouth",
        "images without a mouth",
        "images with several mouths",
        "mouths",
        "images",
        "images searched now",
        "seconds",
    ]
    assert (rows["images"], rows["images with a mouth"]) == ("2", "0")
    assert "bird 29.png" in shown.err


def test_another_landmark_file_must_exist(people: Path, capsys) -> None:
    assert run(["crop", "People", "bird 00", "--landmarks", "gone.dat"]) == 1
    assert "gone.dat" in capsys.readouterr().err
