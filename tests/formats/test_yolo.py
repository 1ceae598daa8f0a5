"""YOLO's folders for detection and classification as its tools write them, and malformed ones."""

from __future__ import annotations

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
from workbench.formats import FORMATS, WriteOptions

DATA = """
path: {path}
train: images/train
val: images/val  # a comment
test:
names:
  0: person
  1: no
  2: 1.0
"""
FILES = {
    "data.yaml": DATA.format(path="../datasets/coco8"),
    "images/train/a.jpg": b"",
    "images/train/sub/b.png": b"",
    "images/val/c.jpg": b"",
    "images/val/notes.txt": b"",
    "labels/train/a.txt": "0 0.5 0.5 0.5 0.25\n1 0.25 0.75 0.5 0.5 0.875\r\n",
    "labels/train/sub/b.txt": "2 0.1 0.1 0.5 0.1 0.5 0.3 0.1 0.3\n",
}


def yolo(tmp_path: Path, **files: str | bytes) -> Path:
    return write_files(tmp_path, {**FILES, **files})


def test_boxes_outlines_and_parts_are_read(tmp_path):
    path = yolo(tmp_path)
    assert FORMATS["yolo"].recognises(path)
    assert FORMATS["yolo"].recognises(path / "data.yaml")
    assert not FORMATS["yolo-classes"].recognises(path)
    read = read_dataset("yolo", path)
    images = by_path(read)
    assert {name: image.part for name, image in images.items()} == {
        "images/train/a.jpg": Part.TRAIN,
        "images/train/sub/b.png": Part.TRAIN,
        "images/val/c.jpg": Part.VALIDATION,
    }
    assert images["images/train/a.jpg"].regions == (
        Region((0.25, 0.375, 0.75, 0.625), (GivenLabel(MAIN_SET, "person"),), relative=True),
        Region((0, 0.5, 0.5, 1), (GivenLabel(MAIN_SET, "no", confidence=0.875),), relative=True),
    )
    (outline,) = images["images/train/sub/b.png"].regions
    assert outline.box == (0.1, 0.1, 0.5, 0.3)
    assert outline.points == ((0.1, 0.1), (0.5, 0.1), (0.5, 0.3), (0.1, 0.3))
    assert given_pairs(outline.labels) == [(MAIN_SET, "1.0")]
    assert images["images/val/c.jpg"].regions == ()
    assert read.sets[MAIN_SET].labels == ("person", "no", "1.0"), "names of YAML's other types"
    assert read.remarks == ["1 outline became a box; its corners are landmarks."]
    assert (read.rejected, read.base) == ([], tmp_path)


def test_key_points_of_poses_are_landmarks(tmp_path):
    data = "train: images/train\nval: images/val\nkpt_shape: [2, 3]\nnames: [person]\n"
    line = "0 0.5 0.5 0.5 0.5 0.4 0.4 2 0 0 0\n"
    files = {"data.yaml": data, "labels/train/a.txt": line, "labels/train/sub/b.txt": ""}
    read = read_dataset("yolo", yolo(tmp_path, **files))
    (region,) = by_path(read)["images/train/a.jpg"].regions
    assert region.box == (0.25, 0.25, 0.75, 0.75)
    assert region.points == ((0.4, 0.4),), "a missing one is left out"


def test_lists_and_folders_of_roboflow_are_found(tmp_path):
    files = {
        "data.yaml": "names: ['a', 'b']\nnc: 2\ntrain: ../train/images\nval: [val.txt]\n",
        "train/images/1.jpg": b"",
        "train/labels/1.txt": "1 0.5 0.5 1 1",
        "val.txt": "./x/images/2.jpg\n/elsewhere/3.jpg\n",
        "x/labels/2.txt": "0 0.5 0.5 1 1",
    }
    read = read_dataset("yolo", write_files(tmp_path, files))
    images = by_path(read)
    assert {name: image.part for name, image in images.items()} == {
        "train/images/1.jpg": Part.TRAIN,
        "x/images/2.jpg": Part.VALIDATION,
        "3.jpg": Part.VALIDATION,
    }
    assert given_pairs(images["x/images/2.jpg"].regions[0].labels) == [(MAIN_SET, "a")]


def test_a_list_replaces_a_folder_that_is_missing(tmp_path):
    files = {"data.yaml": "names: [a]\ntrain: images/train\n", "train.txt": "images/train/x.jpg\n"}
    read = read_dataset("yolo", write_files(tmp_path, files))
    assert {one.path: one.part for one in read.images} == {"x.jpg": Part.TRAIN}


def test_boxes_have_as_many_landmarks_as_the_one_with_most(tmp_path):
    label = (GivenLabel(MAIN_SET, "a"),)
    regions = (Region((0, 0, 5, 5), label, ((1, 1), (2, 4))), Region((0, 0, 10, 10), label))
    image = ImageRecord("a.jpg", (), Part.TRAIN, regions, width=10, height=10)
    FORMATS["yolo"].write(tmp_path, Dataset(tmp_path, [image]), WriteOptions())
    assert (tmp_path / "labels/train/a.txt").read_text() == (
        "0 0.25 0.25 0.5 0.5 0.1 0.1 2 0.2 0.4 2\n0 0.5 0.5 1 1 0 0 0 0 0 0\n"
    )


def test_a_list_of_labels_replaces_data_yaml(tmp_path):
    files = {
        "classes.txt": "cat\nno dog\n",
        "notes.json": "{}",
        "images/a.jpg": b"",
        "labels/a.txt": "1 0.5 0.5 1 1\n",
    }
    path = write_files(tmp_path, files)
    assert FORMATS["yolo"].recognises(path)
    read = read_dataset("yolo", path)
    (image,) = read.images
    assert (image.path, image.part) == ("images/a.jpg", None)
    assert given_pairs(image.regions[0].labels) == [(MAIN_SET, "no dog")]
    assert read.sets[MAIN_SET].labels == ("cat", "no dog")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.5", "the line does not have five numbers"),
        ("9 0.5 0.5 0.5 0.5", "data.yaml has no label 9"),
        ("cat 0.5 0.5 0.5 0.5", "data.yaml has no label cat"),
        ("0 0.5 0.5 x 0.5", "“x” is not a number"),
        ("0 0.5 0.5 nan 0.5", "“nan” is not a number"),
        ("0 50 50 20 20", "50 is not a fraction of the image"),
        ("0 0.5 0.5 0 0.5", "the box is empty"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1", "a coordinate of a point is missing"),
    ],
)
def test_a_malformed_line_is_rejected_and_its_neighbours_are_kept(tmp_path, line, reason):
    text = f"0 0.5 0.5 0.5 0.5\n{line}\n1 0.5 0.5 0.25 0.25\n"
    read = read_dataset("yolo", yolo(tmp_path, **{"labels/train/a.txt": text}))
    assert rejects(read) == [("labels/train/a.txt, line 2", reason)]
    assert len(by_path(read)["images/train/a.jpg"].regions) == 2


@pytest.mark.parametrize(
    "data",
    ["", "- a\n", "names: [a]\n", "train: x\n", "a: [\n", "a: &a [*a]\n", "\x00", "[" * 9999],
)
def test_another_yaml_file_is_refused_by_name(tmp_path, data):
    path = yolo(tmp_path, **{"data.yaml": data})
    assert not FORMATS["yolo"].recognises(path)
    with pytest.raises(KnownError, match=r"data\.yaml"):
        read_dataset("yolo", path)


def test_what_is_written_is_as_ultralytics_has_it(tmp_path):
    cat = Region((10, 20, 30, 60), (GivenLabel("kind", "cat"),), ((20, 40),))
    labels = (GivenLabel("kind", "dog"), GivenLabel("view", "front"))
    image = ImageRecord("x/a.jpg", labels, Part.VALIDATION, (cat,), width=100, height=200)
    twin = ImageRecord("x/a.png", (), Part.VALIDATION)
    sets = {"kind": DeclaredSet(("no", "cat")), "view": DeclaredSet()}
    dataset = Dataset(tmp_path, [image, twin], sets=sets)
    messages = FORMATS["yolo"].write(tmp_path, dataset, WriteOptions("kind"))
    assert messages == [
        "1 label of other label sets is not written.",
        "1 label of a whole image is not written.",
        "1 image is not listed: its name differs from another one in the extension only.",
    ]
    text = (tmp_path / "labels/val/x/a.txt").read_text()
    assert text == "1 0.2 0.2 0.2 0.2 0.2 0.2 2\n"
    assert (tmp_path / "data.yaml").read_text() == (
        "train: images/train\nval: images/val\nkpt_shape:\n- 1\n- 3\nnc: 3\n"
        "names:\n  0: 'no'\n  1: cat\n  2: dog\n"
    )
    assert FORMATS["yolo"].place(image) == "images/val/x/a.jpg"


def test_labels_that_were_exported_without_images_are_read(tmp_path):
    cat = Region((10, 20, 30, 60), (GivenLabel(MAIN_SET, "cat"),))
    images = [
        ImageRecord("x/a.png", (), Part.TRAIN, (cat,), width=100, height=200),
        ImageRecord("b.jpg"),
    ]
    sets = {MAIN_SET: DeclaredSet(("cat",))}
    FORMATS["yolo"].write(tmp_path, Dataset(tmp_path, images, sets=sets), WriteOptions())
    read = by_path(read_dataset("yolo", tmp_path))
    assert read["x/a.png"].regions[0].in_pixels(100, 200).box == pytest.approx((10, 20, 30, 60))
    assert {name: image.part for name, image in read.items()} == {
        "x/a.png": Part.TRAIN,
        "b.jpg": None,
    }


CLASSES = {
    "train/cat/1.jpg": b"",
    "train/cat/more/2.jpg": b"",
    "train/no%20dog/3.png": b"",
    "train/4.jpg": b"",
    "train/cat/notes.txt": b"",
    "train/.hidden/5.jpg": b"",
    "valid/%74rain/6.jpg": b"",
    "test/bird/.keep": b"",
}


def test_folders_of_labels_in_parts_are_read(tmp_path):
    path = write_files(tmp_path, CLASSES)
    assert FORMATS["yolo-classes"].recognises(path)
    assert not FORMATS["yolo"].recognises(path)
    read = read_dataset("yolo-classes", path)
    found = {name: (one.part, given_pairs(one.labels)) for name, one in by_path(read).items()}
    assert found == {
        "train/cat/1.jpg": (Part.TRAIN, [(MAIN_SET, "cat")]),
        "train/cat/more/2.jpg": (Part.TRAIN, [(MAIN_SET, "cat")]),
        "train/no%20dog/3.png": (Part.TRAIN, [(MAIN_SET, "no%20dog")]),
        "train/4.jpg": (Part.TRAIN, []),
        "valid/%74rain/6.jpg": (Part.VALIDATION, [(MAIN_SET, "train")]),
    }
    assert read.sets[MAIN_SET].labels == ("bird", "cat", "no%20dog", "train")


@pytest.mark.parametrize(
    "files",
    [
        {"cat/1.jpg": b""},
        {"train/images/1.jpg": b"", "train/labels/1.txt": b""},
        {"train/1.jpg": b""},
        {"train": b""},
    ],
)
def test_other_folders_are_not_taken_for_it(tmp_path, files):
    assert not FORMATS["yolo-classes"].recognises(write_files(tmp_path, files))


def test_a_file_is_refused(tmp_path):
    path = write_files(tmp_path, {"a.txt": b""}) / "a.txt"
    assert not FORMATS["yolo-classes"].recognises(path)
    with pytest.raises(KnownError, match=r"a\.txt"):
        read_dataset("yolo-classes", path)


def test_an_image_is_placed_by_the_label_of_the_chosen_set(tmp_path):
    labels = (GivenLabel("view", "front"), GivenLabel("kind", "a/b"), GivenLabel("kind", "c"))
    image = ImageRecord("x/1.jpg", labels, Part.TEST)
    format = FORMATS["yolo-classes"]
    assert format.place(image, WriteOptions("kind")) == "test/a%2Fb/x__1.jpg"
    assert format.place(image) == "test/front/x__1.jpg"
    dataset = Dataset(tmp_path, [image], sets={"kind": DeclaredSet(("c", "con", "a/b"))})
    messages = format.write(tmp_path, dataset, WriteOptions("kind"))
    assert messages == [
        "1 label of other label sets is not written.",
        "1 further label of an image or box is not written.",
    ]
    folders = {one.relative_to(tmp_path).as_posix() for one in tmp_path.glob("*/*")}
    assert read_dataset("yolo-classes", tmp_path).sets[MAIN_SET].labels == ("c", "con", "a/b")
    names = ("a%2Fb", "c", "%63on")
    assert folders == {f"{part}/{name}" for part in ("train", "val", "test") for name in names}


def test_boxes_without_names_of_their_labels_are_refused(tmp_path):
    folder = yolo(tmp_path)
    (folder / "data.yaml").unlink()
    assert FORMATS["yolo"].recognises(folder)
    with pytest.raises(KnownError, match="no names of their labels"):
        read_dataset("yolo", folder)
    write_files(folder, {"labels/train/a.txt": "notes\n", "labels/train/sub/b.txt": "1 2\n"})
    assert not FORMATS["yolo"].recognises(folder)


def test_text_files_without_an_image_are_listed(tmp_path):
    read = read_dataset("yolo", yolo(tmp_path, **{"labels/train/gone.txt": "0 .5 .5 .1 .1\n"}))
    assert rejects(read) == [("labels/train/gone.txt", "there is no image of this name")]
    assert len(read.images) == 3
