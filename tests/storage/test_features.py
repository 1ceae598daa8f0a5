"""Feature indexes on disk: complete reads, the size limit, and damage."""

import os
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest

from tests.fixtures.training_projects import small_project
from workbench.domain.clusters import RECORD_FILE, Clustering
from workbench.domain.crops import Crop, CropState, CropUpdate
from workbench.domain.errors import KnownError
from workbench.domain.features import CARD_FILE, KEYS_FILE, ROWS_FILE, FeatureCard, feature_key
from workbench.domain.geometry import Rect
from workbench.domain.projects import DATABASE_FILE
from workbench.storage.features import Clusterings, FeatureIndexes
from workbench.storage.subjects import read_files, read_subjects


def write(indexes, name, rows, keys, when=0):
    place = indexes.folder_of(name)
    place.mkdir(parents=True)
    (place / ROWS_FILE).write_bytes(np.asarray(rows, np.float16).tobytes())
    (place / KEYS_FILE).write_bytes(np.asarray(keys, np.uint64).tobytes())
    card = FeatureCard(backbone="resnet18", dimensions=4, image_size=32)
    (place / CARD_FILE).write_bytes(msgspec.json.encode(card))
    os.utime(place / CARD_FILE, (when, when))
    return place


def test_an_index_is_restored_and_a_truncated_one_up_to_its_complete_rows(tmp_path):
    indexes = FeatureIndexes(tmp_path)
    rows = np.arange(12).reshape(3, 4)
    place = write(indexes, "a", rows, [7, 8, 9])
    found = indexes.read("a")
    np.testing.assert_array_equal(found.rows, rows)
    assert found.keys.tolist() == [7, 8, 9]
    assert found.bytes == 3 * (8 + 8)
    del found
    data = (place / ROWS_FILE).read_bytes()
    (place / ROWS_FILE).write_bytes(data[:-3])
    assert indexes.read("a").keys.tolist() == [7, 8]
    (place / CARD_FILE).write_bytes(b"{")
    assert len(indexes.read("a").keys) == 0
    assert len(indexes.read("none").keys) == 0


def test_the_least_recently_used_index_is_deleted(tmp_path):
    indexes = FeatureIndexes(tmp_path, kept_bytes=1000)
    for when, name in enumerate(("old", "new", "own")):
        write(indexes, name, np.zeros((10, 4)), range(10), when)
    sizes = indexes.sizes()
    assert list(sizes) == ["old", "new", "own"]
    assert indexes.make_room("own", 1000 - sum(sizes.values())) == []
    indexes.read("old")  # now it was used last
    assert indexes.make_room("own", 1000 - sum(sizes.values()) + 1) == ["new"]
    with pytest.raises(KnownError, match="limit of"):
        indexes.make_room("own", 2000)
    assert list(indexes.sizes()) == ["own"]
    assert indexes.forget() == sizes["own"]
    assert indexes.sizes() == {}


def test_a_full_disk_is_reported_before_computing(tmp_path):
    with pytest.raises(KnownError, match="Not enough disk space"):
        FeatureIndexes(tmp_path, kept_bytes=1 << 62).make_room("a", 1 << 60)


def whole(database, crops):
    steps = read_subjects(database, crops)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_images_and_crops_are_read_by_any_thread(tmp_path, qapp):
    session = small_project(tmp_path, count=4)
    try:
        database = session.store.folder / DATABASE_FILE
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(whole, database, False).result()
            files = pool.submit(read_files, database, found, False).result()
        rows = session.store.images.rows(session.store.images.ids())
        assert [(f.image, f.hash, f.path) for f in files] == [(r.id, r.hash, r.path) for r in rows]
        assert found.images.tolist() == [r.id for r in rows]
        assert found.crops.tolist() == [-1] * 4
        assert found.keys.tolist() == [feature_key(r.hash) for r in rows]
        assert len(whole(database, True)) == 0

        box = (1, 2, 21, 22)
        crop = Crop(None, rows[1].id, 0, CropState.FOUND, Rect(*box))
        missed = Crop(None, rows[2].id, 0, CropState.MISSED)
        session.store.crops.apply(rows[1].id, CropUpdate((crop,), ()))
        session.store.crops.apply(rows[2].id, CropUpdate((missed,), ()))
        seen = whole(database, True)
        (file,) = read_files(database, seen, True)
        assert (file.image, file.box, file.path) == (rows[1].id, box, rows[1].path)
        assert seen.keys.tolist() == [feature_key(rows[1].hash, box)]
    finally:
        session.close()


def test_clusterings_come_newest_first_and_damaged_records_not_at_all(tmp_path):
    clusterings = Clusterings(tmp_path)
    assert clusterings.all() == []
    for made, name in ((2.0, "b"), (3.0, "c"), (1.0, "a")):
        one = Clustering(id=name, method="iic", start_title="", made=made, sizes=(2, 1))
        (clusterings.folder_of(name) / RECORD_FILE).write_bytes(msgspec.json.encode(one))
    (clusterings.folder_of("d") / RECORD_FILE).write_bytes(b"{")
    clusterings.folder_of("e")
    assert [one.id for one in clusterings.all()] == ["c", "b", "a"]
    assert clusterings.find("a").made == 1.0
    assert clusterings.find("d") is None
