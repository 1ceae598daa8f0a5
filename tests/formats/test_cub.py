"""CUB-200-2011: its files as published, malformed rows, and what comes back when written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.formats.published_sets import datasets, labels_of, regions, thorough
from tests.formats.reading import by_path, read, rejects, unplaced, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError
from workbench.domain.splits import Part
from workbench.formats import FORMATS, ReadOptions, WriteOptions, recognised

ALBATROSS = "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"
ANI = "004.Groove_billed_Ani/Groove Billed Ani 0002.jpg"
FILES = {
    "images.txt": f"1 {ALBATROSS}\n2 {ANI}\n",
    "classes.txt": (
        "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n3 004.Groove_billed_Ani\n"
    ),
    "image_class_labels.txt": "1 1\n2 3\n",
    "train_test_split.txt": "1 0\n2 1\n",
    "bounding_boxes.txt": "1 60.0 27.0 325.0 304.0\n2 139.0 30.0 153.0 264.0\n",
    "parts/parts.txt": "1 back\n2 beak\n",
    "parts/part_locs.txt": "1 1 0.0 0.0 0\n1 2 312.0 182.0 1\n2 1 128.0 100.5 1\n2 2 0.0 0.0 0\n",
    "attributes/attributes.txt": "1 has_bill_shape::dagger\n2 has_bill_shape::hooked\n",
    "attributes/image_attribute_labels.txt": "1 1 0 3 27.708\n1 2 1 3 27.708\n2 1 1 4 1.5\n",
}


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "CUB_200_2011", FILES)


def test_all_files_as_published(folder):
    assert recognised(folder)[0].name == "cub"
    dataset = read("cub", folder)
    assert dataset.base == folder
    assert dataset.rejected == []
    assert dataset.remarks == []
    first, second = dataset.images
    assert (first.path, first.file, first.line) == (f"images/{ALBATROSS}", "images.txt", 1)
    assert (second.path, second.line) == (f"images/{ANI}", 2)
    assert first.labels == (
        GivenLabel("", "001.Black_footed_Albatross"),
        GivenLabel("attributes", "has_bill_shape::hooked", confidence=0.75),
    )
    assert second.labels == (
        GivenLabel("", "004.Groove_billed_Ani"),
        GivenLabel("attributes", "has_bill_shape::dagger", confidence=1.0),
    )
    assert (first.part, second.part) == (Part.TEST, Part.TRAIN)
    points = ((0.0, 0.0), (312.0, 182.0))
    assert first.regions == (Region((60.0, 27.0, 385.0, 331.0), points=points),)
    assert second.regions[0].points == ((128.0, 100.5), (0.0, 0.0))
    classes = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "004.Groove_billed_Ani")
    assert dataset.sets[""] == DeclaredSet(classes)
    attributes = ("has_bill_shape::dagger", "has_bill_shape::hooked")
    assert dataset.sets["attributes"] == DeclaredSet(attributes, exclusive=False)


def test_what_is_written_has_the_published_bytes(folder, tmp_path):
    written = tmp_path / "again"
    written.mkdir()
    assert FORMATS["cub"].write(written, read("cub", folder), WriteOptions()) == []
    for name in FILES.keys() - {"attributes/image_attribute_labels.txt"}:
        text = (written / name).read_text()
        expected = FILES[name]
        if name == "parts/parts.txt":  # records have no names of landmarks
            expected = "1 landmark 1\n2 landmark 2\n"
        assert text == expected, name
    values = (written / "attributes/image_attribute_labels.txt").read_text()
    assert values == "1 2 1 3 0.0\n2 1 1 4 0.0\n"
    assert by_path(read("cub", written)) == by_path(read("cub", folder))


def test_the_names_of_attributes_may_lie_beside_the_folder(folder):
    (folder / "attributes/attributes.txt").rename(folder.parent / "attributes.txt")
    labels = read("cub", folder).images[1].labels
    assert labels[1].label == "has_bill_shape::dagger"


def test_the_images_and_their_classes_are_enough(tmp_path):
    names = ("images.txt", "image_class_labels.txt")
    folder = write_files(tmp_path, {name: FILES[name] for name in names})
    dataset = read("cub", folder)
    assert [image.labels for image in dataset.images] == [
        (GivenLabel("", "1"),),
        (GivenLabel("", "3"),),
    ]
    assert {(image.part, image.regions) for image in dataset.images} == {(None, ())}
    assert list(dataset.sets) == [""]


def test_malformed_rows_are_rejected_and_the_others_kept(folder):
    bad = {
        "images.txt": f"1 {ALBATROSS}\nx\n2 {ANI}\n2 again.jpg\n",
        "image_class_labels.txt": "1 1\n1 2\n2\n9 1\n2 3\n",
        "train_test_split.txt": "1 2\n2 1\n",
        "bounding_boxes.txt": "1 60.0 27.0 0.0 304.0\n2 nan 1 2 3\n\n2 1 2 3 4\n2 1 2 3 5\n",
        "parts/part_locs.txt": "1 0 1 1 1\n1 x 1 1 1\n2 1 5.0 6.0 1\n2 999999999 1 1 1\n",
        "attributes/image_attribute_labels.txt": "1 1 0 1 0 1.5\n1 1 1 7 1\n2 2 1 2 1.0\n",
    }
    dataset = read("cub", write_files(folder, bad))
    assert rejects(dataset) == [
        ("images.txt, line 2", "the row has 1 values instead of 2"),
        ("images.txt, line 4", "image 2 is listed twice"),
        ("image_class_labels.txt, line 2", "image 1 has a class already"),
        ("image_class_labels.txt, line 3", "the row has 1 values instead of 2"),
        ("train_test_split.txt, line 1", "“2” is not 0 or 1"),
        ("bounding_boxes.txt, line 1", "the box is empty"),
        ("bounding_boxes.txt, line 2", "“nan” is not a number"),
        ("bounding_boxes.txt, line 5", "image 2 has a box already"),
        ("part_locs.txt, line 1", "“0” is not the number of a landmark"),
        ("part_locs.txt, line 2", "“x” is not a whole number"),
        ("part_locs.txt, line 4", "“999999999” is not the number of a landmark"),
        ("image_attribute_labels.txt, line 1", "the row has 6 values instead of 5"),
        ("image_attribute_labels.txt, line 2", "the row has no presence and certainty"),
    ]
    assert dataset.remarks == [
        "1 row of image_class_labels.txt is ignored: its image is not listed."
    ]
    first, second = dataset.images
    assert (first.part, first.regions) == (None, ())
    assert second.part is Part.TRAIN
    assert second.regions == (Region((1.0, 2.0, 4.0, 6.0), points=((5.0, 6.0),)),)
    assert second.labels[1] == GivenLabel("attributes", "has_bill_shape::hooked", confidence=0.5)


def test_a_file_in_latin_1_and_carriage_returns(folder):
    text = FILES["classes.txt"].replace("004.Groove_billed_Ani", "004.Añí").replace("\n", "\r\n")
    write_files(folder, {"classes.txt": text.encode("latin-1")})
    dataset = read("cub", folder)
    assert dataset.images[1].labels[0].label == "004.Añí"
    assert (dataset.encoding, dataset.guessed) == ("cp1252", True)


def test_the_encoding_that_the_user_chose(folder):
    text = FILES["classes.txt"].replace("004.Groove_billed_Ani", "004.カッコウ")
    files = {name: FILES[name].encode("shift_jis") for name in FILES}
    write_files(folder, {**files, "classes.txt": text.encode("shift_jis")})
    dataset = read("cub", folder, ReadOptions(encoding="shift_jis"))
    assert dataset.images[1].labels[0].label == "004.カッコウ"
    assert (dataset.encoding, dataset.guessed) == ("shift_jis", False)
    for wrong in ("ascii", "no such"):
        with pytest.raises(KnownError, match=r"cannot be read as ASCII|no such"):
            read("cub", folder, ReadOptions(encoding=wrong))


def test_a_folder_in_place_of_a_file_is_refused(folder):
    (folder / "classes.txt").unlink()
    (folder / "classes.txt").mkdir()
    with pytest.raises(KnownError, match=r"classes\.txt cannot be read: it is a folder"):
        read("cub", folder)


def test_losses_are_counted(tmp_path):
    box = Region((0, 0, 5, 5), labels=(GivenLabel("", "a"),))
    relative = Region((0.25, 0.5, 0.5, 1.0), relative=True)
    dataset = Dataset(
        tmp_path,
        [
            ImageRecord(
                "a.jpg",
                (GivenLabel("", "a", confidence=0.5), GivenLabel("", "b"), GivenLabel("v", "x")),
                Part.VALIDATION,
                (box, box),
            ),
            ImageRecord("../b.jpg"),
            ImageRecord("c\n1.jpg"),
            ImageRecord("d.jpg", regions=(relative,)),
            ImageRecord("e.jpg", regions=(relative,), width=200, height=100),
        ],
    )
    assert FORMATS["cub"].write(tmp_path, dataset, WriteOptions()) == [
        "2 images are not written: their paths are not valid in this format.",
        "1 box is not written: the size of its image is unknown.",
        "1 label of “v” is not written.",
        "1 further label of an image is not written.",
        "The confidence of 1 label is not written.",
        "1 box is not written.",
        "2 labels of boxes are not written.",
        "1 validation image is written as a training image.",
    ]
    assert (tmp_path / "train_test_split.txt").read_text() == "1 1\n"
    assert (tmp_path / "bounding_boxes.txt").read_text() == (
        "1 0.0 0.0 5.0 5.0\n3 50.0 50.0 50.0 50.0\n"
    )


certainties = st.sampled_from([0.25, 0.5, 0.75, 1.0])
drawn = datasets(
    labels_of(["", "attributes"], several=["attributes"], confidences=certainties),
    parts=(Part.TRAIN, Part.TEST),
    regions=st.integers(0, 3).flatmap(lambda n: st.lists(regions(n), max_size=1).map(tuple)),
)


@thorough
@given(drawn)
def test_what_is_written_is_read_again(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("cub")
    assert FORMATS["cub"].write(folder, dataset, WriteOptions()) == []
    found = by_path(read("cub", folder))
    for image in dataset.images:
        other = found.pop(FORMATS["cub"].place(image))
        assert replace(other, path=image.path) == unplaced(image)
    assert found == {}


def test_an_image_in_two_parts_is_reported_and_keeps_the_first(folder):
    write_files(folder, {"train_test_split.txt": "1 1\n2 0\n2 1\n1 1\n"})
    dataset = read("cub", folder)
    assert rejects(dataset) == [
        ("train_test_split.txt, line 3", "the image is in two parts of the split")
    ]
    assert [image.part for image in dataset.images[:2]] == [Part.TRAIN, Part.TEST]


def test_a_damaged_line_is_rejected_alone(folder):
    text = FILES["classes.txt"].encode().replace(b"004.Groove", b"004.Gr\0ve")
    dataset = read("cub", write_files(folder, {"classes.txt": text}))
    ((place, reason),) = rejects(dataset)
    assert place.startswith("classes.txt, line ")
    assert reason == "the line has bytes that are not text"
