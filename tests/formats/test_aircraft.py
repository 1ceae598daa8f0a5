"""FGVC-Aircraft: its files as published, malformed rows, and what comes back when written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.formats.published_sets import datasets, labels_of, paths, regions, thorough, word
from tests.formats.reading import by_path, read, rejects, unplaced, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised

TRAIN, VALIDATION, TEST = Part
FILES = {
    "data/variants.txt": "707-320\n737-200\nF-16A/B\n",
    "data/families.txt": "Boeing 707\nBoeing 737\nF-16\n",
    "data/manufacturers.txt": "Boeing\nLockheed Martin\n",
    "data/images_box.txt": "0034309 100 150 1023 700\n1340192 1 1 20 30\n",
}
LABELS = {
    "0034309": ("train", "707-320", "Boeing 707", "Boeing"),
    "1340192": ("val", "F-16A/B", "F-16", "Lockheed Martin"),
    "0056978": ("test", "737-200", "Boeing 737", "Boeing"),
}
for _part in ("train", "val", "test", "trainval"):
    _inside = {key: row for key, row in LABELS.items() if row[0] in _part}
    FILES[f"data/images_{_part}.txt"] = "".join(f"{key}\n" for key in _inside)
    for _n, _level in enumerate(("variant", "family", "manufacturer"), 1):
        _rows = "".join(f"{key} {row[_n]}\n" for key, row in _inside.items())
        FILES[f"data/images_{_level}_{_part}.txt"] = _rows


def given_labels(variant, family, manufacturer):
    return (
        GivenLabel("variant", variant),
        GivenLabel("family", family),
        GivenLabel("manufacturer", manufacturer),
    )


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "fgvc", FILES)


def test_all_files_as_published(folder):
    assert recognised(folder)[0].name == "aircraft"
    dataset = read("aircraft", folder)
    assert (dataset.rejected, dataset.remarks, dataset.base) == ([], [], folder)
    assert by_path(dataset) == {
        record.path: unplaced(record)
        for record in (
            ImageRecord(
                "data/images/0034309.jpg",
                given_labels("707-320", "Boeing 707", "Boeing"),
                TRAIN,
                (Region((99.0, 149.0, 1023.0, 700.0)),),
            ),
            ImageRecord(
                "data/images/1340192.jpg",
                given_labels("F-16A/B", "F-16", "Lockheed Martin"),
                VALIDATION,
                (Region((0.0, 0.0, 20.0, 30.0)),),
            ),
            ImageRecord(
                "data/images/0056978.jpg", given_labels("737-200", "Boeing 737", "Boeing"), TEST
            ),
        )
    }
    assert dataset.sets == {
        "variant": DeclaredSet(("707-320", "737-200", "F-16A/B")),
        "family": DeclaredSet(("Boeing 707", "Boeing 737", "F-16")),
        "manufacturer": DeclaredSet(("Boeing", "Lockheed Martin")),
    }


def test_what_is_written_has_the_published_bytes(folder, tmp_path):
    written = tmp_path / "again"
    assert FORMATS["aircraft"].write(written, read("aircraft", folder), WriteOptions()) == []
    assert {name: (written / name).read_text() for name in FILES} == FILES


def test_the_folder_data_alone(folder):
    assert recognised(folder / "data")[0].name == "aircraft"
    dataset = read("aircraft", folder / "data")
    assert dataset.images[0].path == "images/0034309.jpg"
    assert len(dataset.images) == 3


def test_training_and_validation_images_in_one_file(tmp_path):
    names = ("data/images_variant_trainval.txt", "data/images_variant_test.txt")
    folder = write_files(tmp_path, {name: FILES[name] for name in names})
    dataset = read("aircraft", folder)
    assert {image.path[12:19]: image.part for image in dataset.images} == {
        "0034309": TRAIN,
        "1340192": TRAIN,
        "0056978": TEST,
    }
    assert dataset.sets["variant"].labels == ("737-200", "707-320", "F-16A/B")


def test_malformed_rows_are_rejected_and_the_others_kept(folder):
    write_files(
        folder,
        {
            "data/images_variant_val.txt": "1340192\n1340192 F-16A/B\n0034309 F-16A/B\n",
            "data/images_variant_trainval.txt": "0034309 737-200\n",
            "data/images_box.txt": "0034309 1 1 0 9\n9 1 1 2 2\n1340192 1 1 x 2\n0034309 1 1 1 1\n",
        },
    )
    dataset = read("aircraft", folder)
    assert rejects(dataset) == [
        ("images_variant_val.txt, line 1", "the row has 1 values instead of 2"),
        ("images_variant_val.txt, line 3", "the image is in two parts of the split"),
        ("images_variant_trainval.txt, line 1", "the image has the label “707-320” already"),
        ("images_box.txt, line 1", "the box is empty"),
        ("images_box.txt, line 3", "“x” is not a number"),
    ]
    assert dataset.remarks == ["1 row of images_box.txt is ignored: its image is not listed."]
    found = by_path(dataset)
    assert found["data/images/0034309.jpg"].regions == (Region((0.0, 0.0, 1.0, 1.0)),)
    assert len(found["data/images/1340192.jpg"].labels) == 3


def test_one_label_set_is_written_as_variants_and_losses_are_counted(tmp_path):
    box = Region((0, 0, 1.5, 2), (GivenLabel("x", "y"),))
    images = [
        ImageRecord("1.jpg", (GivenLabel("category", "owl"),), None, (box, box)),
        ImageRecord("2 2.jpg", (GivenLabel("category", "owl"),)),
        ImageRecord("3.png"),
        ImageRecord("/4.jpg"),
        ImageRecord("5.jpg", (GivenLabel("view", "left"),), TEST),
    ]
    options = WriteOptions(label_set="category")
    assert FORMATS["aircraft"].write(tmp_path, Dataset(tmp_path, images), options) == [
        "1 image is not written: its path is not valid in this format.",
        "2 images are not written: they are no .jpg files, or their names have spaces.",
        "1 label of “view” is not written.",
        "1 box is not written.",
        "2 labels of boxes are not written.",
        "1 image without a part is written as a training image.",
    ]
    data = tmp_path / "data"
    assert (data / "images_variant_trainval.txt").read_text() == "1 owl\n"
    assert (data / "images_box.txt").read_text() == "1 1 1 1.5 2\n"
    assert (data / "images_test.txt").read_text() == "5\n"


drawn = datasets(
    labels_of(["variant", "family", "manufacturer"]),
    paths(word.filter(lambda text: not set(text) & set("/\\.")), endings=(".jpg",)),
    regions=st.lists(regions(), max_size=1).map(tuple),
)


@thorough
@given(drawn, st.sampled_from(Part))
def test_what_is_written_is_read_again(tmp_path_factory, dataset, other):
    folder = tmp_path_factory.mktemp("aircraft")
    dataset.images = [replace(image, part=image.part or other) for image in dataset.images]
    assert FORMATS["aircraft"].write(folder, dataset, WriteOptions()) == []
    found = by_path(read("aircraft", folder))
    for image in dataset.images:
        again = found.pop(FORMATS["aircraft"].place(image))
        assert replace(again, path=image.path) == unplaced(image)
    assert found == {}
