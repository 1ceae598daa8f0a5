"""Folders as labels and parts of a split: all common layouts, odd names, and round trips."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.formats.published_sets import datasets, labels_of, stem, thorough
from tests.formats.reading import by_path, read, write_files
from workbench.domain.datasets import Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, ReadOptions, WriteOptions, recognised
from workbench.formats.class_folders import (
    folder_name,
    folder_names,
    folders_like_parts,
    labels_of_folders,
    part_folders,
    place_in,
)

CUB10 = Path(__file__).resolve().parents[3] / "shared" / "data" / "cub10"
TRAIN, VALIDATION, TEST = Part


def read_paths(folder, *paths, levels=("",)):
    """Path, label and part of each image, of a folder with these files."""
    write_files(folder, dict.fromkeys(paths, b"x"))
    dataset = read("folders", folder, ReadOptions(levels=levels))
    assert [image.path for image in dataset.images] == sorted(paths)
    return {
        image.path: ("/".join(one.label for one in image.labels), image.part)
        for image in dataset.images
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("owl/1.jpg", ("owl", None)),
        ("a/b/owl/1.jpg", ("owl", None)),
        ("train/owl/1.jpg", ("owl", TRAIN)),
        ("Training/owl/1.JPG", ("owl", TRAIN)),
        ("valid/owl/1.png", ("owl", VALIDATION)),
        ("val/owl/1.tif", ("owl", VALIDATION)),
        ("validation/owl/1.tif", ("owl", VALIDATION)),
        ("dev/owl/1.webp", ("owl", VALIDATION)),
        ("test/owl/1.bmp", ("owl", TEST)),
        ("archive/train/owl/1.jpg", ("owl", TRAIN)),
        ("archive/train/1.jpg", ("", TRAIN)),
        ("train/1.jpg", ("train", None)),
    ],
)
def test_one_image(tmp_path, path, expected):
    assert read_paths(tmp_path, path) == {path: expected}


def test_parts_with_images_that_have_no_label(tmp_path):
    assert read_paths(tmp_path, "train/owl/1.jpg", "test/2.jpg") == {
        "train/owl/1.jpg": ("owl", TRAIN),
        "test/2.jpg": ("", TEST),
    }
    assert read_paths(tmp_path / "flat", "train/1.jpg", "test/2.jpg") == {
        "train/1.jpg": ("", TRAIN),
        "test/2.jpg": ("", TEST),
    }


def test_parts_inside_of_labels(tmp_path):
    assert read_paths(tmp_path, "owl/train/1.jpg", "jay/test/1.jpg") == {
        "owl/train/1.jpg": ("owl", TRAIN),
        "jay/test/1.jpg": ("jay", TEST),
    }


def test_a_class_that_is_called_train_among_others(tmp_path):
    assert read_paths(tmp_path, "train/1.jpg", "bus/1.jpg", "train/old/2.jpg") == {
        "train/1.jpg": ("train", None),
        "bus/1.jpg": ("bus", None),
        "train/old/2.jpg": ("old", None),
    }


def test_a_folder_without_folders_is_a_label_and_images_beside_folders_have_none(tmp_path):
    assert read_paths(tmp_path / "owls", "1.jpg") == {"1.jpg": ("owls", None)}
    paths = ("1.jpg", "train/jay/1.jpg")
    assert read_paths(tmp_path / "mixed", *paths) == {
        "1.jpg": ("", None),
        "train/jay/1.jpg": ("jay", TRAIN),
    }


def test_two_levels_of_labels(tmp_path):
    paths = ("train/owl/left/1.jpg", "train/jay/2.jpg")
    assert read_paths(tmp_path, *paths, levels=("category", "view")) == {
        "train/owl/left/1.jpg": ("owl/left", TRAIN),
        "train/jay/2.jpg": ("jay", TRAIN),
    }
    dataset = read("folders", tmp_path, ReadOptions(levels=("category", "view")))
    assert dataset.sets["category"].labels == ("jay", "owl")
    assert dataset.sets["view"].labels == ("left",)


def test_levels_name_the_innermost_folders():
    category, view = GivenLabel("category", "owl"), GivenLabel("view", "left")
    assert labels_of_folders(("x", "owl", "left"), ("category", "view")) == (category, view)
    assert labels_of_folders(("owl",), ("category", "view")) == (category,)
    assert labels_of_folders(("owl",), ()) == ()
    assert labels_of_folders((), ("category",)) == ()


def levels(*folders: tuple[str, ...]) -> list[int]:
    found = part_folders(folders)
    return [] if found is None else [found.levels[one] for one in folders if one]


def test_the_level_of_parts():
    assert levels(("a", "train"), ("b", "test"), ()) == [1, 1]
    assert levels(("a", "train"), ("b",)) == []
    assert levels() == []
    assert levels(("train",), ("training",)) == []


def test_parts_may_be_at_several_levels_if_each_image_has_one():
    assert levels(("seen", "train", "owl"), ("dev", "owl"), ("unseen", "test", "owl")) == [1, 0, 1]
    assert levels(("seen", "train", "owl"), ("train", "owl")) == []
    assert levels(("seen", "train", "owl"), ("dev", "owl"), ("more", "owl")) == []
    assert levels(("a", "train", "test"), ("dev", "owl")) == []


def test_folders_that_look_like_parts_beside_others():
    assert folders_like_parts([("train", "owl"), ("test_set", "jay"), ("extra", "owl")]) == (
        "test_set", "train",
    )  # fmt: skip
    assert folders_like_parts([("train", "owl"), ("bus", "owl")]) == ()


def test_hidden_and_foreign_files_are_left_out(tmp_path):
    for name in (".hidden/1.jpg", "owl/.1.jpg", "owl/notes.txt", "owl/Thumbs.db", "x.vwb/1.jpg"):
        write_files(tmp_path, {name: b"x"})
    assert read_paths(tmp_path / "inner", "owl/1.jpg") == {"owl/1.jpg": ("owl", None)}
    assert [image.path for image in read("folders", tmp_path / "owl").images] == []


def test_a_name_that_is_not_text_is_rejected(tmp_path):
    write_files(tmp_path, {"owl/1.jpg": b"x"})
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/owl/\xff.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("the file system only has names in UTF-8")
    dataset = read("folders", tmp_path)
    assert [image.path for image in dataset.images] == ["owl/1.jpg"]
    assert [one.path for one in dataset.rejected] == ["owl/\ufffd.jpg"]


def test_folders_are_recognised_last(tmp_path):
    write_files(tmp_path, {"train/owl/1.jpg": b"x", "images.txt": "", "classes.txt": ""})
    assert recognised(tmp_path)[-1].name == "folders"
    write_files(tmp_path / "other", {"owl/1.txt": b"x"})
    assert not FORMATS["folders"].recognises(tmp_path / "other")
    assert not FORMATS["folders"].recognises(tmp_path / "images.txt")
    assert not FORMATS["folders"].recognises(tmp_path / "absent")


def test_places_of_images():
    owl = (GivenLabel("", "owl"), GivenLabel("view", "left"))
    image = ImageRecord("train/owl/1.jpg", owl, TRAIN)
    assert FORMATS["folders"].place(image) == "train/owl/1.jpg"
    assert place_in(image, ("", "view")) == "train/owl/left/owl__1.jpg"
    assert place_in(ImageRecord("a/1.jpg", owl, TEST), ("",)) == "test/owl/a__1.jpg"
    assert place_in(ImageRecord("a/1.jpg"), ("",)) == "a__1.jpg"
    assert FORMATS["folders"].place(ImageRecord("1.jpg")) == "1.jpg"
    assert place_in(ImageRecord("1.jpg", owl, VALIDATION), ("",)) == "val/owl/1.jpg"


def test_labels_that_are_no_names_of_folders(tmp_path):
    names = {"a/b": "a_b", "..": "_", ".x": "_.x", "owl. ": "owl", 'q"': "q_", "é": "é", "?": "_"}
    assert {label: folder_name(label) for label in names} == names
    box = Region((0, 0, 1, 1))
    images = [
        ImageRecord("1.jpg", (GivenLabel("", "a/b"), GivenLabel("view", "left")), regions=(box,)),
        ImageRecord("../2.jpg", (GivenLabel("", "owl"),)),
    ]
    assert FORMATS["folders"].write(tmp_path, Dataset(tmp_path, images), WriteOptions()) == [
        "1 image is not written: its path is not valid in this format.",
        "1 label of “view” is not written.",
        "1 box is not written.",
        "1 label is changed, because its folder cannot have its name: “a/b” → “a_b”.",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a_b"]
    images = [ImageRecord("1.jpg", part=TEST), ImageRecord("2.jpg")]
    assert FORMATS["folders"].write(tmp_path, Dataset(tmp_path, images), WriteOptions()) == [
        "1 image has no part of the split: it is in the folder “unassigned”."
    ]


def test_labels_that_differ_have_folders_that_differ():
    labels = ("x/y", "x_y", "q.", "q", "q .", "Owl", "owl", "x_y_2", "x:y")
    names = folder_names(labels)
    assert names == {
        "x_y": "x_y", "q": "q", "x_y_2": "x_y_2", "Owl": "Owl", "owl": "owl_2",
        "x/y": "x_y_3", "q.": "q_2", "q .": "q_3", "x:y": "x_y_4",
    }  # fmt: skip


names = stem.filter(lambda text: folder_name(text) == text and "__" not in text)
names = names.map(lambda text: f"l{text}")  # not a part of a split
labelled = labels_of(["category", "view"], names).map(
    lambda labels: labels if labels and labels[0].set == "category" else ()
)


@thorough
@given(datasets(labelled), st.booleans())
def test_what_is_written_is_read_again(tmp_path_factory, dataset, split):
    folder = tmp_path_factory.mktemp("folders")
    levels = ("category", "view")
    images = [*dataset.images, ImageRecord("last.jpg", (GivenLabel("category", "last"),))]
    images = [replace(image, part=(image.part or TEST) if split else None) for image in images]
    options = WriteOptions(levels=levels)
    assert FORMATS["folders"].write(folder, Dataset(folder, images), options) == []
    places = [place_in(image, levels) for image in images]
    write_files(folder, dict.fromkeys(places, b"x"))
    found = by_path(read("folders", folder, ReadOptions(levels=levels)))
    for place, image in zip(places, images, strict=True):
        other = found.pop(place)
        assert (other.labels, other.part) == (image.labels, image.part)
    assert found == {}


@pytest.mark.shared_data
@pytest.mark.skipif(not CUB10.is_dir(), reason="shared/data/cub10 is absent")
def test_ten_species_of_birds():
    dataset = read("folders", CUB10)
    assert len(dataset.images) == 294
    assert dataset.sets[""].labels[:2] == ("001.Black_footed_Albatross", "002.Laysan_Albatross")
    assert len(dataset.sets[""].labels) == 10
    assert dataset.rejected == []
