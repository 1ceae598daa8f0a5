"""LabelMe as it writes its files, and malformed ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.formats.strategies import by_path, given_pairs, read_dataset, rejects, write_files
from workbench.domain.datasets import (
    MAIN_SET,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.errors import KnownError
from workbench.formats import FORMATS, WriteOptions


def shape(label: Any, kind: str | None, *points: Any, **values: Any) -> dict[str, Any]:
    own = {"label": label, "points": points, "group_id": None, "description": "", "flags": {}}
    return own | {"shape_type": kind, "mask": None} | values


def file(*shapes: Any, **values: Any) -> dict[str, Any]:
    own = {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg"}
    return own | {"imageData": None, "imageHeight": 100, "imageWidth": 200} | values


def test_flags_and_shapes_are_read(tmp_path):
    shapes = [
        shape("cat", "rectangle", [30, 40], [10, 20], group_id=1),
        shape("nose", "point", [15, 25], group_id=1),
        shape("eye", "point", [5, 6]),
        shape("dog", "polygon", [1, 1], [9, 2], [5, 8]),
        shape(7, "circle", [50, 50], [53, 54], flags={"hidden": True, "blurred": False}),
        shape("old", "rectangle", [1, 1], [5, 1], [5, 4], [1, 4]),
    ]
    content = file(*shapes, flags={"day": True, "night": False}, imageData="A" * 300_000)
    path = write_files(
        tmp_path, {"a.json": content, "labels.txt": "__ignore__\n_background_\nfox\n"}
    )
    assert FORMATS["labelme"].recognises(path)
    read = read_dataset("labelme", path)
    (image,) = read.images
    assert (image.path, image.file, image.width, image.height) == ("a.jpg", "a.json", 200, 100)
    assert given_pairs(image.labels) == [(MAIN_SET, "day")]
    cat, eye, dog, circle, old = image.regions
    assert (cat.box, cat.points) == ((10, 20, 30, 40), ((15, 25),))
    assert (eye.box, eye.points) == ((5, 6, 6, 7), ((5, 6),))
    assert (dog.box, len(dog.points)) == ((1, 1, 9, 8), 3)
    assert circle.box == (45, 45, 55, 55)
    assert given_pairs(circle.labels) == [(MAIN_SET, "7"), ("hidden", "true"), ("blurred", "false")]
    assert (old.box, old.points) == ((1, 1, 5, 4), ())
    assert read.sets[MAIN_SET].labels == ("fox", "day", "night", "cat", "eye", "dog", "7", "old")
    assert read.remarks == ["1 outline became a box; its corners are landmarks."]
    assert read.rejected == []


def test_paths_lead_from_each_file_to_its_image(tmp_path):
    files = {
        "json/a.json": file(imagePath="..\\photos\\a.jpg"),
        "json/sub/b.json": file(imagePath="b.jpg"),
        "json/readme.json": {"version": 1},
    }
    path = write_files(tmp_path, files) / "json"
    read = read_dataset("labelme", path)
    assert read.base == tmp_path
    assert set(by_path(read)) == {"photos/a.jpg", "json/sub/b.jpg"}
    assert [place for place, _ in rejects(read)] == ["readme.json"]


def test_a_single_file_is_read(tmp_path):
    path = write_files(tmp_path, {"a.json": file(), "b.json": file(imagePath="b.jpg")}) / "a.json"
    assert FORMATS["labelme"].recognises(path)
    assert set(by_path(read_dataset("labelme", path))) == {"a.jpg"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (shape("cat", "rectangle", [1, "2"], [3, 4]), "“points[0][1]” has a wrong type"),
        (
            shape("cat", "rectangle", [1], [3, 4]),
            "“points[0]” has a wrong type",
        ),
        (shape(None, "rectangle", [1, 2], [3, 4]), "“label” has a wrong type"),
        (shape("", "rectangle", [1, 2], [3, 4]), "the label is empty"),
        (shape("cat", "rectangle"), "no points are given"),
        ("cat", "it has a wrong type"),
    ],
)
def test_a_malformed_shape_is_rejected_and_its_neighbours_are_kept(tmp_path, wrong, reason):
    good = shape("dog", "rectangle", [1, 2], [3, 4])
    read = read_dataset("labelme", write_files(tmp_path, {"a.json": file(good, wrong, good)}))
    ((place, why),) = rejects(read)
    assert place == "a.json, entry 2 of “shapes”"
    assert why == reason
    assert [region.box for region in read.images[0].regions] == [(1, 2, 3, 4)]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"shapes": []}', '{"imagePath": 5, "shapes": []}']
)
def test_another_or_damaged_file_is_refused_by_name(tmp_path, content):
    path = write_files(tmp_path, {"a.json": content}) / "a.json"
    with pytest.raises(KnownError, match=r"a\.json"):
        read_dataset("labelme", path)


def test_an_embedded_image_without_a_path_is_rejected(tmp_path):
    files = {"a.json": file(imagePath=""), "b.json": file(imagePath="b.jpg")}
    read = read_dataset("labelme", write_files(tmp_path, files))
    assert rejects(read) == [("a.json", "no path of an image is given")]


def test_what_is_written_lies_beside_the_images(tmp_path):
    region = Region((1, 2, 3, 4), (GivenLabel(MAIN_SET, "cat"),), ((2, 3),))
    images = [
        ImageRecord("x/a.jpg", (GivenLabel(MAIN_SET, "dog"),), None, (region,), width=9, height=8),
        ImageRecord("x/a.png"),
    ]
    sets = {MAIN_SET: DeclaredSet(("unused", "dog", "cat"))}
    FORMATS["labelme"].write(tmp_path, Dataset(tmp_path, images, sets=sets), WriteOptions())
    content = json.loads((tmp_path / "x/a.jpg.json").read_bytes())
    assert (content["imagePath"], content["imageWidth"], content["imageHeight"]) == ("a.jpg", 9, 8)
    assert content["flags"] == {"dog": True}
    rectangle, point = content["shapes"]
    assert (rectangle["shape_type"], rectangle["points"]) == ("rectangle", [[1, 2], [3, 4]])
    assert (point["shape_type"], point["points"]) == ("point", [[2, 3]])
    assert rectangle["group_id"] == point["group_id"] == 1
    assert (tmp_path / "x/a.png.json").exists()
    assert (tmp_path / "flags.txt").read_text() == "unused\ndog\ncat\n"
