"""COCO as its tools write it, malformed files, and what a format cannot describe."""

from __future__ import annotations

import copy
import json
from pathlib import Path

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
from workbench.domain.splits import Part
from workbench.formats import FORMATS, ReadOptions, WriteOptions

INSTANCES = {
    "info": {"description": "COCO 2017 Dataset", "year": 2017},
    "licenses": [{"url": "http://creativecommons.org/licenses/by/2.0/", "id": 4}],
    "images": [
        {"license": 4, "file_name": "000000397133.jpg", "coco_url": "http://images/397133.jpg",
         "height": 427, "width": 640, "date_captured": "2013-11-14 17:02:52", "id": 397133},
        {"license": 1, "file_name": "000000037777.jpg", "height": 230, "width": 352, "id": 37777},
    ],
    "annotations": [
        {"segmentation": [[217.6, 240.5, 239.0, 303.9, 224.4, 301.5]], "area": 3528.1,
         "iscrowd": 0, "image_id": 397133, "bbox": [217.62, 240.54, 38.99, 57.75],
         "category_id": 44, "id": 82445},
        {"segmentation": {"counts": [1, 2], "size": [427, 640]}, "area": 10, "iscrowd": 1,
         "image_id": 397133, "bbox": [1, 2, 30, 40], "category_id": 1, "id": 82446,
         "num_keypoints": 1, "keypoints": [0, 0, 0, 10, 20, 2, 0, 0, 0],
         "attributes": {"occluded": False, "rotation": 0.0, "keyframe": "yes",
                        "colour": "red", "parked": True, "wheels": 4}},
        {"image_id": 37777, "category_id": 67, "id": 3},
        {"image_id": 37777, "category_id": 1, "bbox": [], "segmentation": [], "id": 4},
    ],
    "categories": [
        {"supercategory": "furniture", "id": 67, "name": "dining table"},
        {"supercategory": "person", "id": 1, "name": "person", "keypoints": ["a", "b", "c"]},
        {"supercategory": "kitchen", "id": 44, "name": "bottle"},
        {"supercategory": "kitchen", "id": 2, "name": "unused"},
    ],
}  # fmt: skip


def coco(tmp_path: Path, content: object = INSTANCES) -> Path:
    return write_files(tmp_path, {"coco.json": json.dumps(content)}) / "coco.json"


def changed(place: str, number: int, **values: object) -> dict[str, list[dict[str, object]]]:
    content = copy.deepcopy(INSTANCES)
    content[place][number] |= values
    return content


def test_boxes_labels_and_attributes_of_a_file_are_read(tmp_path):
    read = read_dataset("coco", coco(tmp_path))
    first, second = by_path(read).values()
    assert (first.path, first.width, first.height) == ("000000397133.jpg", 640, 427)
    assert (first.line, first.file, first.part, read.base) == (1, "", None, tmp_path)
    bottle, person = first.regions
    assert bottle.box == pytest.approx((217.62, 240.54, 256.61, 298.29))
    assert bottle.labels == (GivenLabel(MAIN_SET, "bottle"),)
    assert bottle.points == ()
    assert person.box == (1, 2, 31, 42)
    assert person.points == ((0, 0), (10, 20)), "a missing key point keeps its place"
    assert given_pairs(person.labels) == [
        (MAIN_SET, "person"), ("keyframe", "yes"), ("colour", "red"),
        ("parked", "true"), ("wheels", "4"),
    ]  # fmt: skip
    assert given_pairs(second.labels) == [(MAIN_SET, "dining table"), (MAIN_SET, "person")]
    assert second.regions == ()
    labels = ("dining table", "person", "bottle", "unused")
    assert read.sets[MAIN_SET] == DeclaredSet(labels, exclusive=False)
    assert read.sets["colour"] == DeclaredSet(("red",))
    assert read.rejected == []
    assert read.remarks == [
        "Landmarks of “person” keep their order, but not their names (a, b, c)."
    ]


def test_key_points_keep_their_places_and_what_is_lost_of_them_is_reported(tmp_path):
    content = copy.deepcopy(INSTANCES)
    person = content["annotations"][1]
    content["annotations"].append({**person, "id": 9, "bbox": [5, 6, 30, 40],
                                   "keypoints": [7, 8, 2, 10, 10, 1, 0, 0, 0]})  # fmt: skip
    read = read_dataset("coco", coco(tmp_path, content))
    assert read.remarks[0] == (
        "1 landmark is marked as covered: its place is imported, but not the mark."
    )
    path = tmp_path / "new.json"
    assert FORMATS["coco"].write(path, read, WriteOptions()) == []
    written = json.loads(path.read_bytes())["annotations"]
    flat = [0, 0, 0, 10, 20, 2], [7, 8, 2, 10, 10, 2]
    assert [one["keypoints"] for one in written if "keypoints" in one] == list(flat)
    assert [one["num_keypoints"] for one in written if "keypoints" in one] == [1, 2]
    again = read_dataset("coco", path)
    assert by_path(again)["000000397133.jpg"].regions == by_path(read)["000000397133.jpg"].regions
    assert again.remarks == []


@pytest.mark.parametrize("name", ["cvat", "labelme", "label-studio"])
def test_a_format_without_missing_landmarks_reports_them(tmp_path, name):
    points = ((0.0, 0.0), (3, 4), (5, 6))
    region = Region((1, 2, 30, 40), (GivenLabel(MAIN_SET, "owl"),), points)
    image = ImageRecord("a.jpg", (), None, (region,), width=64, height=48)
    path = tmp_path / "new"
    if FORMATS[name].is_folder:
        path.mkdir()
    messages = FORMATS[name].write(path, Dataset(tmp_path, [image]), WriteOptions())
    assert "1 missing landmark is not written: later ones of its box move up." in messages


def test_boxes_without_a_rectangle_are_around_key_points_or_outlines(tmp_path):
    content = copy.deepcopy(INSTANCES)
    del content["annotations"][0]["bbox"], content["annotations"][1]["bbox"]
    read = read_dataset("coco", coco(tmp_path, content))
    outline, person = by_path(read)["000000397133.jpg"].regions
    assert outline.box == (217.6, 240.5, 239.0, 303.9)
    assert outline.points == ((217.6, 240.5), (239.0, 303.9), (224.4, 301.5))
    assert person.box == (10, 20, 11, 21)
    assert read.remarks[0] == "1 outline became a box; its corners are landmarks."


def test_the_score_of_a_result_is_its_confidence(tmp_path):
    read = read_dataset("coco", coco(tmp_path, changed("annotations", 0, score=0.25)))
    (label,) = by_path(read)["000000397133.jpg"].regions[0].labels
    assert label.confidence == 0.25


@pytest.mark.parametrize(
    ("place", "number", "values", "reason"),
    [
        ("images", 1, {"id": None}, "“id” has a wrong type"),
        ("images", 1, {"file_name": 5}, "“file_name” has a wrong type"),
        ("images", 1, {"id": 397133}, "another image has the same id 397133"),
        ("images", 1, {"file_name": ""}, "no path of an image is given"),
        ("categories", 3, {"name": ["a"]}, "“name” has a wrong type"),
        ("annotations", 0, {"bbox": [1, "2", 3, 4]}, "“bbox[1]” has a wrong type"),
        ("annotations", 0, {"bbox": [1, 2, 3]}, "the box does not have four numbers"),
        ("annotations", 0, {"bbox": [1, 2, 0, 4]}, "the box is empty"),
        ("annotations", 0, {"category_id": 99}, "no category has the id 99"),
        ("annotations", 0, {"image_id": 99}, "no image has the id 99"),
        ("annotations", 1, {"keypoints": [1, 2]}, "a coordinate of a landmark is missing"),
        ("annotations", 0, {"score": 7}, "the score is not between 0 and 1"),
    ],
)
def test_a_malformed_entry_is_rejected_and_its_neighbours_are_kept(
    tmp_path, place, number, values, reason
):
    read = read_dataset("coco", coco(tmp_path, changed(place, number, **values)))
    assert rejects(read)[0] == (f"coco.json, entry {number + 1} of “{place}”", reason)
    if place != "images":
        assert len(rejects(read)) == 1
        assert len(read.images) == 2
    assert by_path(read)["000000397133.jpg"].regions[-1].box == (1, 2, 31, 42) or number == 1


def test_numbers_that_json_does_not_have_reject_one_annotation_only(tmp_path):
    content = changed("annotations", 0, bbox=[float("nan"), 2, 3, 4])
    read = read_dataset("coco", coco(tmp_path, content))
    assert rejects(read) == [("coco.json, entry 1 of “annotations”", "“bbox[0]” has a wrong type")]
    assert len(by_path(read)["000000397133.jpg"].regions) == 1


@pytest.mark.parametrize("content", [[], {}, {"images": 5}, {"images": {}}, 3, None])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, content):
    with pytest.raises(KnownError, match=r"coco\.json is not a dataset in COCO format"):
        read_dataset("coco", coco(tmp_path, content))


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"{'images': []}"])
def test_a_damaged_file_is_refused_by_name(tmp_path, data):
    (tmp_path / "coco.json").write_bytes(data)
    with pytest.raises(KnownError, match=r"coco\.json"):
        read_dataset("coco", tmp_path / "coco.json")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = coco(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert FORMATS["coco"].recognises(path)
    assert len(read_dataset("coco", path).images) == 2


def test_the_files_of_a_folder_are_parts(tmp_path):
    train = {**INSTANCES, "annotations": INSTANCES["annotations"][:1]}
    persons = {**INSTANCES, "annotations": INSTANCES["annotations"][1:]}
    val = {**INSTANCES, "images": [{"id": 1, "file_name": "v.jpg"}], "annotations": []}
    files = {
        "annotations/instances_train2017.json": train,
        "annotations/person_keypoints_train2017.json": persons,
        "annotations/instances_val2017.json": val,
        "annotations/image_info_test2017.json": {
            "images": [{"id": 5, "file_name": "t.jpg"}],
            "categories": [],
        },
        "val2017/v.jpg": b"",
        "images/000000397133.jpg": b"",
    }
    root = write_files(tmp_path, files)
    for path in (root, root / "annotations"):
        assert FORMATS["coco-folder"].recognises(path)
        read = read_dataset("coco-folder", path)
        images = by_path(read)
        assert {path: image.part for path, image in images.items()} == {
            "images/000000397133.jpg": Part.TRAIN,
            "images/000000037777.jpg": Part.TRAIN,
            "val2017/v.jpg": Part.VALIDATION,
            "t.jpg": Part.TEST,
        }
        assert read.base == root
        assert len(images["images/000000397133.jpg"].regions) == 2, "of two files"
        assert images["val2017/v.jpg"].file == "annotations/instances_val2017.json"


def test_parts_of_roboflow_have_folders_of_their_own(tmp_path):
    image = {"images": [{"id": 0, "file_name": "a.jpg"}], "annotations": [], "categories": []}
    files = {f"{part}/_annotations.coco.json": image for part in ("train", "valid", "test")}
    root = write_files(
        tmp_path, {**files, **{f"{part}/a.jpg": b"" for part in ("train", "valid", "test")}}
    )
    read = read_dataset("coco-folder", root)
    assert {image.path: image.part for image in read.images} == {
        "train/a.jpg": Part.TRAIN, "valid/a.jpg": Part.VALIDATION, "test/a.jpg": Part.TEST,
    }  # fmt: skip


def test_another_base_is_used_if_the_user_chose_one(tmp_path):
    base = write_files(tmp_path / "photos", {"000000397133.jpg": b""})
    read = read_dataset("coco", coco(tmp_path), ReadOptions(base=base))
    assert read.base == base
    assert set(by_path(read)) == {"000000397133.jpg", "000000037777.jpg"}


def test_what_is_written_has_pixels_ids_and_all_categories(tmp_path):
    region = Region((0.25, 0.5, 0.75, 1.0), (GivenLabel("kind", "cat"),), relative=True)
    image = ImageRecord(
        "x/a.jpg",
        (GivenLabel("kind", "dog", confidence=0.5),),
        None,
        (region,),
        width=200,
        height=100,
    )
    sets = {"kind": DeclaredSet(("dog", "bird", "cat"))}
    path = tmp_path / "new.json"
    messages = FORMATS["coco"].write(
        path, Dataset(tmp_path, [image], sets=sets), WriteOptions("kind")
    )
    content = json.loads(path.read_bytes())
    assert messages == []
    assert [one["name"] for one in content["categories"]] == ["dog", "bird", "cat"]
    assert content["images"] == [{"id": 1, "file_name": "x/a.jpg", "width": 200, "height": 100}]
    assert content["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "score": 0.5},
        {"id": 2, "image_id": 1, "category_id": 3, "iscrowd": 0, "bbox": [50, 50, 100, 50],
         "area": 5000},
    ]  # fmt: skip


def test_what_cannot_be_written_is_counted(tmp_path):
    bare = Region((1, 2, 3, 4))
    unsized = Region((0.1, 0.2, 0.3, 0.4), (GivenLabel(MAIN_SET, "cat"),), relative=True)
    labels = (GivenLabel("view", "front", confidence=0.5),)
    other = Region((5, 2, 9, 4), (GivenLabel("view", "front"),))
    image = ImageRecord("a.jpg", labels, Part.TEST, (bare, other, unsized))
    sets = {MAIN_SET: DeclaredSet(("cat",)), "view": DeclaredSet(("front",))}
    messages = FORMATS["coco"].write(
        tmp_path / "new.json", Dataset(tmp_path, [image], sets=sets), WriteOptions()
    )
    assert messages == [
        "The confidence of 1 label is not written.",
        "The part of 1 image is not written.",
        "1 box without a label is not written.",
        "1 box is not written: it has no label of “”, but of other sets.",
        "1 box is not written: the size of its image is unknown.",
    ]


def test_the_second_category_with_an_id_is_rejected(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": name, "supercategory": ""} for name in ("cat", "dog")],
        "annotations": [{"image_id": 1, "category_id": 1}],
    }
    read = read_dataset("coco", coco(tmp_path, content))
    assert rejects(read) == [
        ("coco.json, entry 2 of “categories”", "another category has the same id 1")
    ]
    assert [one.label for one in read.images[0].labels] == ["cat"]
