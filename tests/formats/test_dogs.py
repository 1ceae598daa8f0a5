"""Stanford Dogs: its lists as published, malformed entries, and round trips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.formats.published_sets import datasets, labels_of, paths, regions, stem, thorough
from tests.formats.reading import by_path, read, rejects, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised
from workbench.formats.class_folders import folder_name
from workbench.formats.matlab import cells, write_mat

TRAIN, VALIDATION, TEST = Part
CHIHUAHUA, BOXER = "n02085620-Chihuahua", "n02108089-boxer"
ANNOTATION = """<annotation>
 <folder>02085620</folder><filename>n02085620_5927</filename>
 <object><name>Chihuahua</name>
  <bndbox><xmin>71</xmin><ymin>1</ymin><xmax>192</xmax><ymax>180</ymax></bndbox></object>
 <object><name>Chihuahua</name>
  <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""


def write_list(path, *rows):
    """A list as published: columns of cells, and numbers of labels as doubles."""
    values = {
        "file_list": cells((file for file, _ in rows), column=True),
        "annotation_list": cells((str(file)[:-4] for file, _ in rows), column=True),
        "labels": np.array([[float(number)] for _, number in rows]),
    }
    write_mat(path, values)


@pytest.fixture
def folder(tmp_path):
    first = (f"{CHIHUAHUA}/n02085620_5927.jpg", 1)
    second = (f"{BOXER}/n02108089_1.jpg", 42)
    write_list(tmp_path / "train_list.mat", second)
    write_list(tmp_path / "test_list.mat", first)
    write_list(tmp_path / "file_list.mat", first, second, (f"{BOXER}/n02108089_2.jpg", 42))
    return write_files(tmp_path, {f"Annotation/{CHIHUAHUA}/n02085620_5927": ANNOTATION})


def test_all_files_as_published(folder):
    assert recognised(folder)[0].name == "dogs"
    dataset = read("dogs", folder)
    boxes = (Region((70.0, 0.0, 192.0, 180.0)), Region((0.0, 1.0, 3.0, 4.0)))
    boxer = (GivenLabel("", BOXER),)
    assert dataset.images == [
        ImageRecord(f"Images/{BOXER}/n02108089_1.jpg", boxer, TRAIN, line=1, file="train_list.mat"),
        ImageRecord(
            f"Images/{CHIHUAHUA}/n02085620_5927.jpg",
            (GivenLabel("", CHIHUAHUA),),
            TEST,
            boxes,
            line=1,
            file="test_list.mat",
        ),
        ImageRecord(f"Images/{BOXER}/n02108089_2.jpg", boxer, line=3, file="file_list.mat"),
    ]
    assert dataset.sets == {"": DeclaredSet((CHIHUAHUA, BOXER))}
    assert dataset.rejected == []


def test_lists_in_a_folder_of_their_own(folder):
    (folder / "lists").mkdir()
    for name in ("train_list.mat", "test_list.mat", "file_list.mat"):
        (folder / name).rename(folder / "lists" / name)
    assert recognised(folder)[0].name == "dogs"
    assert len(read("dogs", folder).images) == 3


def test_malformed_entries_are_rejected_and_the_others_kept(folder):
    write_list(
        folder / "test_list.mat",
        ("alone.jpg", 1),
        (np.array([]), 1),
        (f"{BOXER}/n02108089_1.jpg", 42),
        (f"{CHIHUAHUA}/a.jpg", 1),
    )
    write_files(folder, {f"Annotation/{CHIHUAHUA}/a": ANNOTATION[:-5]})
    dataset = read("dogs", folder)
    found = rejects(dataset)
    assert found[:3] == [
        ("test_list.mat, entry 1", "the image is in no folder"),
        ("test_list.mat, entry 2", "the entry has no text where one is needed"),
        ("test_list.mat, entry 3", "the image is in two parts of the split"),
    ]
    assert [place for place, _ in found[3:]] == ["a"]
    parts = {image.path.rpartition("/")[2]: image.part for image in dataset.images}
    assert parts == {
        "n02108089_1.jpg": TRAIN,
        "a.jpg": TEST,
        "n02085620_5927.jpg": None,
        "n02108089_2.jpg": None,
    }


def test_places_and_losses(tmp_path):
    images = [
        ImageRecord("train/1.jpg", (GivenLabel("", "a/b"), GivenLabel("v", "x")), VALIDATION),
        ImageRecord(f"Images/{BOXER}/1.jpg", (GivenLabel("", BOXER),), TEST),
        ImageRecord("2.jpg"),
    ]
    places = [FORMATS["dogs"].place(image) for image in images]
    assert places[:2] == ["Images/a_b/train__1.jpg", f"Images/{BOXER}/1.jpg"]
    assert FORMATS["dogs"].write(tmp_path, Dataset(tmp_path, images), WriteOptions()) == [
        "1 image without a label is not written.",
        "1 label of “v” is not written.",
        "1 label is changed, because its folder cannot have its name: “a/b” → “a_b”.",
        "1 validation image is written as a training image.",
    ]
    dataset = read("dogs", tmp_path)
    assert [(image.path, image.part) for image in dataset.images] == [
        (places[0], TRAIN),
        (places[1], TEST),
    ]
    assert dataset.sets[""].labels == ("a_b", BOXER)


names = stem.filter(lambda text: folder_name(text) == text and "__" not in text)
boxes = st.lists(regions(), max_size=2).map(tuple)


@thorough
@given(
    datasets(
        labels_of([""], names),
        paths(names, folders=1, endings=(".jpg",)),
        parts=(TRAIN, TEST),
        regions=boxes,
    )
)
def test_what_is_written_is_read_again(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("dogs")
    other = (GivenLabel("", "other"),)
    images = [replace(image, labels=image.labels or other) for image in dataset.images]
    assert FORMATS["dogs"].write(folder, Dataset(folder, images), WriteOptions()) == []
    found = by_path(read("dogs", folder))
    for image in images:
        again = found.pop(FORMATS["dogs"].place(image))
        assert replace(again, path=image.path) == image
    assert found == {}
