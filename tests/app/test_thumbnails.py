"""Thumbnails come first for what is wanted now, once decoded from the cache ever after."""

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.app.images.importing import import_task
from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.jobs import run_here
from workbench.storage.features import THUMBNAILS_FILE, Thumbnails


@pytest.fixture
def images(session, tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(12):
        Image.new("RGB", (600, 300), (20 * i, 100, 50)).save(root / f"{i:02}.png")
    run_here(import_task(session, [root]))
    with contextlib.closing(sqlite3.connect(session.store.folder / THUMBNAILS_FILE)) as db, db:
        assert db.execute("DELETE FROM thumbnail").rowcount == 12  # of the import
    return session.store.images.ids().tolist()


@pytest.fixture
def loader(session):
    made = ThumbnailLoader(session)
    yield made
    made.close()


def test_wanted_thumbnails_come(session, images, loader, qtbot):
    got: dict[int, np.ndarray] = {}
    loader.ready.connect(got.__setitem__)
    loader.request(np.array(images))
    qtbot.waitUntil(lambda: len(got) == 12)
    assert got[images[3]].shape == (128, 256, 3)
    assert abs(int(got[images[3]][60, 100, 0]) - 60) < 8
    assert (loader.get(images[3]) == got[images[3]]).all()


def test_they_are_kept_in_the_project(session, images, loader, qtbot):
    loader.request(images)
    qtbot.waitUntil(lambda: all(loader.get(i) is not None for i in images))
    loader.close()
    for row in session.store.images.rows(images):
        assert row.hash in session.store.thumbnails.get([row.hash])
        Path(row.path).unlink()
    again = ThumbnailLoader(session)
    again.request(images)
    qtbot.waitUntil(lambda: all(again.get(i) is not None for i in images))
    again.close()


def test_a_damaged_kept_thumbnail_is_made_again(session, images, loader, qtbot):
    row = session.store.images.row(images[0])
    session.store.thumbnails.put({row.hash: b"\xff\xd8 damaged"})
    loader.request(images[:1])
    qtbot.waitUntil(lambda: loader.get(images[0]) is not None)
    loader.close()
    assert len(session.store.thumbnails.get([row.hash])[row.hash]) > 100


def test_a_missing_file_fails_once_and_is_tried_again_after_relinking(
    session, images, loader, qtbot
):
    path = Path(session.store.images.row(images[0]).path)
    away = path.rename(path.with_suffix(".away"))
    with qtbot.waitSignal(loader.failed) as failed:
        loader.request(images[:1])
    assert failed.args[0] == images[0]
    assert str(path) in loader.failure(images[0])
    loader.request(images[:1])
    away.rename(path)
    with session.edit("moved"):
        session.store.images.relink(1, path.parent.parent / "elsewhere")
    path.parent.rename(path.parent.parent / "elsewhere")
    loader.request(images[:1])
    qtbot.waitUntil(lambda: loader.get(images[0]) is not None)


def test_the_latest_request_replaces_the_earlier_one(session, images, loader, qtbot):
    loader.request(images[:6])
    loader.request(images[6:])
    qtbot.waitUntil(lambda: all(loader.get(i) is not None for i in images[6:]))
    assert all(loader.get(i) is None for i in images[:6])


def test_removed_images_are_forgotten_and_ids_of_none_ignored(session, images, loader, qtbot):
    loader.request([images[0], 999])
    qtbot.waitUntil(lambda: loader.get(images[0]) is not None)
    with session.edit("remove"):
        session.store.images.remove([images[0]])
    assert loader.get(images[0]) is None
    assert loader.get(999) is None


def test_memory_is_bounded(session, images, loader, qtbot, monkeypatch):
    monkeypatch.setattr("workbench.app.images.thumbnails.MEMORY", 300_000)
    done: list[int] = []
    loader.ready.connect(lambda image, _: done.append(image))
    loader.request(images)
    qtbot.waitUntil(lambda: len(done) == 12)
    assert sum(loader.get(i) is not None for i in images) == 3


def load(loader, qtbot, images):
    """Load some more, one after the other."""
    for image in images:
        loader.request([image])
        qtbot.waitUntil(lambda image=image: loader.get(image) is not None)


def kept(loader, images):
    return [image for image in images if image in loader._memory]


def test_what_was_not_used_for_longest_makes_room(session, images, loader, qtbot, monkeypatch):
    monkeypatch.setattr("workbench.app.images.thumbnails.MEMORY", 3 * 128 * 256 * 3)  # three fit
    load(loader, qtbot, images[:3])
    assert kept(loader, images) == images[:3]
    loader.get(images[0])
    load(loader, qtbot, images[3:4])
    assert kept(loader, images) == [images[0], *images[2:4]]
    with session.edit("remove"):
        session.store.images.remove([images[2]])
    load(loader, qtbot, images[4:5])  # in the room of the removed one
    assert kept(loader, images) == [images[0], *images[3:5]]


def test_the_last_one_is_kept_however_large(session, images, loader, qtbot, monkeypatch):
    monkeypatch.setattr("workbench.app.images.thumbnails.MEMORY", 1)
    load(loader, qtbot, images[:2])
    assert kept(loader, images) == images[1:2]


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_an_image_has_its_thumbnail_once_it_is_imported(session, tmp_path, loader, qtbot, kind):
    file = tmp_path / f"x.{kind}"
    Image.new("RGB", (600, 300), (20, 100, 50)).save(file)
    run_here(import_task(session, [file]))
    file.unlink()
    (image,) = session.store.images.ids().tolist()
    load(loader, qtbot, [image])
    assert loader.get(image).shape == (128, 256, 3)
    assert np.abs(loader.get(image)[60, 100].astype(int) - (20, 100, 50)).max() < 4


def test_thumbnails_of_versions_that_decoded_otherwise_are_made_again(tmp_path):
    kept = Thumbnails(tmp_path)
    kept.put({"a": b"jpeg"})
    kept.close()
    again = Thumbnails(tmp_path)
    assert again.get(["a"]) == {"a": b"jpeg"}
    again.close()
    with contextlib.closing(sqlite3.connect(tmp_path / THUMBNAILS_FILE)) as db:
        db.execute("PRAGMA user_version = 0")
    renewed = Thumbnails(tmp_path)
    assert renewed.get(["a"]) == {}
    renewed.close()
