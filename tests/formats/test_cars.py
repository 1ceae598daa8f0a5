"""Stanford Cars: its MATLAB files as published, malformed entries, and round trips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.formats.published_sets import datasets, labels_of, regions, thorough
from tests.formats.reading import by_path, read, rejects, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised
from workbench.formats.cars import EDGES, FIELDS
from workbench.formats.matlab import cells, structs, write_mat

TRAIN, VALIDATION, TEST = Part
NAMES = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012"]


def row(edges, **values):
    """Fields of an image, in the small types of the published files."""
    return {**dict(zip(EDGES, map(np.uint16, edges), strict=True)), **values}


def write_annotations(path, rows, names=None):
    fields = list(rows[0]) if rows else FIELDS
    values = {"annotations": structs(rows, fields)}
    write_mat(path, values | ({} if names is None else {"class_names": cells(names)}))


@pytest.fixture
def whole(tmp_path):
    rows = [
        row((112, 7, 853, 717), **{"relative_im_path": "car_ims/000001.jpg"}),
        row((48, 24, 441, 202), **{"relative_im_path": "car_ims/000002.jpg"}),
    ]
    rows[0] |= {"class": np.uint8(1), "test": np.uint8(0)}
    rows[1] |= {"class": np.uint8(2), "test": np.uint8(1)}
    write_annotations(tmp_path / "cars_annos.mat", rows, NAMES)
    return tmp_path


@pytest.fixture
def devkit(tmp_path):
    training = [row((39, 116, 569, 375), **{"class": np.uint8(2), "fname": "00001.jpg"})]
    test = [row((30, 52, 246, 147), fname="00001.jpg")]
    write_annotations(tmp_path / "devkit/cars_train_annos.mat", training)
    write_annotations(tmp_path / "devkit/cars_test_annos.mat", test)
    write_mat(tmp_path / "devkit/cars_meta.mat", {"class_names": cells(NAMES)})
    return tmp_path


def test_one_file_with_all_images(whole):
    assert recognised(whole)[0].name == "cars"
    dataset = read("cars", whole)
    assert dataset.images == [
        ImageRecord(
            "car_ims/000001.jpg",
            (GivenLabel("", NAMES[0]),),
            TRAIN,
            (Region((111.0, 6.0, 853.0, 717.0)),),
            line=1,
            file="cars_annos.mat",
        ),
        ImageRecord(
            "car_ims/000002.jpg",
            (GivenLabel("", NAMES[1]),),
            TEST,
            (Region((47.0, 23.0, 441.0, 202.0)),),
            line=2,
            file="cars_annos.mat",
        ),
    ]
    assert dataset.sets == {"": DeclaredSet(tuple(NAMES))}
    assert dataset.rejected == []


def test_the_devkit_has_test_images_without_labels(devkit):
    assert recognised(devkit)[0].name == "cars"
    dataset = read("cars", devkit)
    assert by_path(dataset) == {
        "cars_train/00001.jpg": ImageRecord(
            "cars_train/00001.jpg",
            (GivenLabel("", NAMES[1]),),
            TRAIN,
            (Region((38.0, 115.0, 569.0, 375.0)),),
        ),
        "cars_test/00001.jpg": ImageRecord(
            "cars_test/00001.jpg", (), TEST, (Region((29.0, 51.0, 246.0, 147.0)),)
        ),
    }
    assert dataset.sets[""].labels == tuple(NAMES)
    write_annotations(
        devkit / "cars_test_annos_withlabels.mat",
        [row((30, 52, 246, 147), **{"class": np.uint8(1), "fname": "00001.jpg"})],
    )
    assert by_path(read("cars", devkit))["cars_test/00001.jpg"].labels[0].label == NAMES[0]


def test_the_devkit_is_read_where_only_its_images_are(whole, devkit):
    assert len(read("cars", whole).images) == 2
    assert read("cars", whole).images[0].path == "car_ims/000001.jpg"
    (whole / "cars_train").mkdir()
    assert read("cars", whole).images[0].path == "cars_train/00001.jpg"
    (whole / "car_ims").mkdir()
    assert read("cars", whole).images[0].path == "car_ims/000001.jpg"


def test_classes_without_names_have_their_numbers(devkit):
    (devkit / "devkit/cars_meta.mat").unlink()
    dataset = read("cars", devkit)
    assert dataset.images[0].labels == (GivenLabel("", "2"),)
    assert dataset.sets[""].labels == ("2",)


def test_malformed_entries_are_rejected_and_the_others_kept(tmp_path):
    fields = ("fname", *EDGES, "class")
    good = dict(zip(fields, ("2.jpg", 1, 1, 2, 2, 1), strict=True))
    rows = [
        {**good, "fname": np.array([])},
        {**good, "class": 3},
        {**good, "bbox_x2": 0},
        {**good, "bbox_y2": "x"},
        {**good, "class": np.array([])},
        good,
    ]
    write_annotations(tmp_path / "cars_train_annos.mat", rows)
    write_mat(tmp_path / "cars_meta.mat", {"class_names": cells(NAMES)})
    dataset = read("cars", tmp_path)
    assert rejects(dataset) == [
        ("cars_train_annos.mat, entry 1", "the entry has no text where one is needed"),
        ("cars_train_annos.mat, entry 2", "class 3 has no name"),
        ("cars_train_annos.mat, entry 3", "the box is empty"),
        ("cars_train_annos.mat, entry 4", "“x” is not a number"),
        ("cars_train_annos.mat, entry 5", "“[]” is not a number"),
    ]
    assert [image.line for image in dataset.images] == [6]
    write_mat(tmp_path / "cars_train_annos.mat", {"annotations": np.eye(2)})
    assert [reason for _, reason in rejects(read("cars", tmp_path))] == [
        "the entry has no fields"
    ] * 4


def test_a_damaged_file_is_refused(whole):
    write_files(whole, {"cars_annos.mat": (whole / "cars_annos.mat").read_bytes()[:400]})
    with pytest.raises(KnownError, match=r"cars_annos\.mat cannot be read"):
        read("cars", whole)


def test_losses_are_counted(tmp_path):
    box = Region((0, 0, 5, 5), points=((1, 1),))
    images = [
        ImageRecord("1.jpg", (GivenLabel("", "a"), GivenLabel("v", "b")), VALIDATION, (box, box)),
        ImageRecord("2.jpg", part=TEST),
        ImageRecord("3.jpg"),
    ]
    assert FORMATS["cars"].write(tmp_path, Dataset(tmp_path, images), WriteOptions()) == [
        "1 label of “v” is not written.",
        "1 box is not written.",
        "The landmarks of 2 boxes are not written.",
        "1 validation image is written as a training image.",
        "1 image without a part is written as a training image.",
    ]
    assert [image.part for image in read("cars", tmp_path).images] == [TRAIN, TEST, TRAIN]


drawn = datasets(
    labels_of([""]),
    parts=(TRAIN, TEST),
    regions=st.lists(regions(), max_size=1).map(tuple),
)


@thorough
@given(drawn)
def test_what_is_written_is_read_again(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("cars")
    dataset.images = [replace(image, part=image.part or TEST) for image in dataset.images]
    assert FORMATS["cars"].write(folder, dataset, WriteOptions()) == []
    assert by_path(read("cars", folder)) == by_path(dataset)
