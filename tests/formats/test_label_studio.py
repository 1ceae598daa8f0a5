"""Exports of Label Studio as JSON and JSON-MIN, and malformed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.strategies import by_path, given_pairs, read_dataset, rejects, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions

SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0, "to_name": "image"}


def choice(name: str, *choices: Any) -> dict[str, Any]:
    value = {"choices": list(choices)}
    return {
        "id": f"c{name}",
        "type": "choices",
        "from_name": name,
        "to_name": "image",
        "value": value,
    }


def rectangle(own: str, *labels: Any, **value: Any) -> dict[str, Any]:
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0} | value
    named = box | {"rectanglelabels": list(labels)}
    return {"id": own, "type": "rectanglelabels", "from_name": "label", **SIZE, "value": named}


def task(image: str, *results: Any, number: int = 1, **values: Any) -> dict[str, Any]:
    person = {"id": 7, "email": "ann@example.org", "first_name": "Ann"}
    own = {"id": 3, "completed_by": person, "result": list(results), "was_cancelled": False}
    return {
        "id": number,
        "annotations": [own],
        "data": {"image": image},
        "predictions": [],
    } | values


def export(tmp_path: Path, *tasks: Any) -> Path:
    return write_files(tmp_path, {"export.json": list(tasks)}) / "export.json"


def test_choices_boxes_and_key_points_are_read(tmp_path):
    nose = {"x": 15, "y": 25, "width": 0.5, "keypointlabels": ["nose"]}
    eye = {"x": 50, "y": 50, "width": 0.5, "keypointlabels": ["eye"]}
    point = {"type": "keypointlabels", "from_name": "points", **SIZE}
    outline = {"points": [[1, 2], [5, 2], [5, 8]], "polygonlabels": ["tail"]}
    results = [
        choice("view", "front"),
        choice("parts", "head", "legs"),
        rectangle("r1", "cat", "pet"),
        {"id": "r1", "type": "choices", "from_name": "pose", **SIZE,
         "value": {"x": 10, "y": 20, "width": 30, "height": 40, "choices": ["sits"]}},
        {"id": "k1", **point, "parentID": "r1", "value": nose},
        {"id": "k2", **point, "value": eye},
        {"id": "p", "type": "polygonlabels", "from_name": "shape", **SIZE, "value": outline},
        {"id": "e", "type": "ellipselabels", "from_name": "shape", **SIZE,
         "value": {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["eye"]}},
        {"id": "t", "type": "textarea", "from_name": "note", "value": {"text": ["hello"]}},
    ]  # fmt: skip
    path = export(tmp_path, task("/data/upload/1/0a1b2c3d-my%20cat.jpg", *results))
    assert FORMATS["label-studio"].recognises(path)
    read = read_dataset("label-studio", path)
    (image,) = read.images
    assert (image.path, image.line, image.part) == ("my cat.jpg", 1, None)
    assert image.labels == (
        GivenLabel("view", "front", annotator="ann@example.org"),
        GivenLabel("parts", "head", annotator="ann@example.org"),
        GivenLabel("parts", "legs", annotator="ann@example.org"),
    )
    cat, eye_region, tail, ellipse = image.regions
    assert cat.in_pixels(200, 100).box == pytest.approx((20, 20, 80, 60))
    assert given_pairs(cat.labels) == [("label", "cat"), ("label", "pet"), ("pose", "sits")]
    assert cat.points == ((0.15, 0.25),)
    assert eye_region.in_pixels(200, 100).box == pytest.approx((100, 50, 101, 51))
    assert (tail.box, len(tail.points)) == ((0.01, 0.02, 0.05, 0.08), 3)
    assert ellipse.box == pytest.approx((0.4, 0.3, 0.6, 0.7))
    assert read.sets["parts"] == DeclaredSet(("head", "legs"), exclusive=False)
    assert read.sets["view"] == DeclaredSet(("front",))
    assert read.remarks == [
        "1 outline became a box; its corners are landmarks.",
        "1 annotation is ignored: it is neither a label nor a box.",
    ]


def test_people_who_annotated_the_same_image_have_records_of_their_own(tmp_path):
    both = task("a.jpg", choice("view", "front"))
    both["annotations"] += [
        {"result": [choice("view", "side")], "completed_by": 5},
        {"result": [choice("view", "back")], "completed_by": 6, "was_cancelled": True},
    ]
    both["predictions"] = [{"result": [choice("view", "top")], "score": 0.5}]
    read = read_dataset("label-studio", export(tmp_path, both))
    labels = [one for image in read.images for one in image.labels]
    assert [(one.label, one.annotator) for one in labels] == [
        ("front", "ann@example.org"), ("side", "5"),
    ]  # fmt: skip
    assert read.sets["view"].exclusive, "people may disagree about labels that exclude each other"
    assert read.remarks == [
        "1 prediction is ignored.",
        "1 annotation is ignored: it was skipped in Label Studio.",
    ]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/data/local-files/?d=photos/sub%20folder/a.jpg", "photos/sub folder/a.jpg"),
        ("http://localhost:8080/data/local-files/?d=photos/a.jpg", "photos/a.jpg"),
        ("/data/upload/12/f00dcafe-a-b.jpg", "a-b.jpg"),
        ("http://host:8080/data/upload/1/f00dcafe-a.jpg", "a.jpg"),
        ("s3://bucket/folder/a 1%.jpg", "folder/a 1%.jpg"),
        ("https://example.org/x/a%20b.jpg?size=1#top", "x/a b.jpg"),
        ("a\\b.jpg", "a/b.jpg"),
    ],
)
def test_addresses_of_images_become_paths(tmp_path, written, path):
    read = read_dataset("label-studio", export(tmp_path, task(written)))
    assert [image.path for image in read.images] == [path]


def test_images_without_annotations_and_parts_are_read(tmp_path):
    tasks = [
        {"data": {"photo": "x/a.png", "title": "A", "split": "valid"}, "annotations": []},
        {"data": {"image": "b.jpg"}, "completions": [{"result": [choice("kind", 3)]}]},
    ]
    read = by_path(read_dataset("label-studio", export(tmp_path, *tasks)))
    assert read["x/a.png"].part is Part.VALIDATION
    assert given_pairs(read["b.jpg"].labels) == [("kind", "3")]


def test_the_short_form_is_read(tmp_path):
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0,
           "rectanglelabels": ["cat"], "original_width": 200, "original_height": 100}  # fmt: skip
    own = {"annotator": 2, "annotation_id": 9, "created_at": "2024-01-01", "lead_time": 3.5}
    tasks = [
        {"image": "/data/upload/1/0a1b2c3d-a.jpg", "id": 1, "view": "jpg", "label": [box], **own},
        {"image": "b.jpg", "id": 2, "parts": {"choices": ["head", "legs"]}, **own},
    ]
    path = export(tmp_path, *tasks)
    assert FORMATS["label-studio"].recognises(path)
    read = read_dataset("label-studio", path)
    first, second = by_path(read).values()
    assert first.labels == (GivenLabel("view", "jpg", annotator="2"),)
    assert first.regions[0].in_pixels(200, 100).box == pytest.approx((20, 20, 80, 60))
    assert given_pairs(first.regions[0].labels) == [("label", "cat")]
    assert given_pairs(second.labels) == [("parts", "head"), ("parts", "legs")]
    assert read.rejected == read.remarks == []


def test_a_turned_box_is_enclosed(tmp_path):
    turned = rectangle("r", "cat", x=50, y=20, width=10, height=20, rotation=90)
    read = read_dataset("label-studio", export(tmp_path, task("a.jpg", turned)))
    box = read.images[0].regions[0].in_pixels(200, 100).box
    assert box == pytest.approx((80, 20, 100, 40)), "20 × 20 pixels, turned about (100, 20)"
    turned = rectangle("r", "cat", x=50, y=20, width=10, height=40, rotation=30)
    read = read_dataset("label-studio", export(tmp_path, task("a.jpg", turned)))
    box = read.images[0].regions[0].in_pixels(200, 100).box
    assert box == pytest.approx((80, 20, 117.3205, 64.6410)), "20 × 40 pixels"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (5, "it has a wrong type"),
        ({"data": {"image": "x.jpg"}, "annotations": 4}, "“annotations” has a wrong type"),
        ({"data": {"text": "hello"}, "annotations": []}, "no path of an image is given"),
        ({"data": {"image": "data:image/png;base64,AA"}}, "the image is part of the file"),
        (task("x.jpg", choice("view", None)), "a label is not a text"),
        (task("x.jpg", rectangle("r", "a", x="1")), "a coordinate is not a number"),
        (task("x.jpg", rectangle("r", "a", width=0)), "the box is empty"),
        (
            task("x.jpg", {"type": "choices", "value": {"choices": "a"}}),
            "the labels are not a list",
        ),
    ],
)
def test_a_malformed_task_is_rejected_and_its_neighbours_are_kept(tmp_path, wrong, reason):
    path = export(tmp_path, task("a.jpg"), wrong, task("b.jpg", choice("view", "front")))
    read = read_dataset("label-studio", path)
    assert rejects(read) == [("export.json, entry 2", reason)]
    assert set(by_path(read)) == {"a.jpg", "b.jpg"}


def test_a_malformed_result_is_rejected_by_itself(tmp_path):
    path = export(tmp_path, task("a.jpg", {"type": 5}, choice("view", "front")))
    read = read_dataset("label-studio", path)
    assert rejects(read) == [("export.json, entry 1 of “result 1”", "“type” has a wrong type")]
    assert given_pairs(read.images[0].labels) == [("view", "front")]


@pytest.mark.parametrize("content", ["{}", "", "[", "3"])
def test_another_or_damaged_file_is_refused_by_name(tmp_path, content):
    path = write_files(tmp_path, {"export.json": content}) / "export.json"
    with pytest.raises(KnownError, match=r"export\.json"):
        read_dataset("label-studio", path)


def test_what_is_written_can_be_imported_by_label_studio(tmp_path):
    box = Region((20, 20, 80, 60), (GivenLabel("kind", "cat"),), ((30, 30),))
    labels = (
        GivenLabel("kind", "pet", annotator="ann"),
        GivenLabel("view", "side", annotator="bo"),
    )
    image = ImageRecord("a.jpg", labels, Part.TEST, (box,), width=200, height=100)
    sets = {"kind": DeclaredSet(("unused", "pet", "cat")), "view": DeclaredSet(("side",))}
    path = tmp_path / "new.json"
    dataset = Dataset(tmp_path, [image], sets=sets)
    FORMATS["label-studio"].write(path, dataset, WriteOptions("kind"))
    (written,) = json.loads(path.read_bytes())
    assert written["data"] == {"image": "a.jpg", "part": "test"}
    people = {one.get("completed_by", ""): one["result"] for one in written["annotations"]}
    assert set(people) == {"ann", "bo", ""}
    assert people["bo"][0] == {
        "type": "choices", "from_name": "view", "to_name": "image", "value": {"choices": ["side"]},
    }  # fmt: skip
    rectangle, point = people[""]
    assert rectangle["value"] == {
        "x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["cat"],
    }  # fmt: skip
    assert (point["parentID"], point["value"]["x"]) == (rectangle["id"], 15)
    read = read_dataset("label-studio", path)
    assert read.sets == sets
    assert {one.annotator for image in read.images for one in image.labels} == {"ann", "bo"}
