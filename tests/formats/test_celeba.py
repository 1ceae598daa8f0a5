"""CelebA: its files as published, malformed rows, and what comes back when written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.formats.published_sets import datasets, labels_of, regions, thorough, word
from tests.formats.reading import by_path, read, rejects, unplaced, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised

TRAIN, VALIDATION, TEST = Part
HEADING = (
    "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y"
    " rightmouth_x rightmouth_y"
)
FILES = {
    "list_attr_celeba.txt": (
        "3\n5_o_Clock_Shadow Bald Smiling \n"
        "000001.jpg -1  1  1\n000002.jpg -1 -1 -1\n000003.jpg  1 -1 -1\n"
    ),
    "list_eval_partition.txt": "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n",
    "identity_CelebA.txt": "000001.jpg 2880\n000002.jpg 2937\n",
    "list_bbox_celeba.txt": (
        "3\nimage_id x_1 y_1 width height\n000001.jpg    95  71 226 313\n000002.jpg 72 94 221 306\n"
    ),
    "list_landmarks_celeba.txt": (
        f"3\n{HEADING}\n000001.jpg 165  184  244  176  196  249  194  271  266  260\n"
    ),
    "list_landmarks_align_celeba.txt": (
        f"3\n{HEADING}\n000001.jpg 69  109  106  113   77  142   73  152  108  154\n"
    ),
}
WILD_POINTS = ((165.0, 184.0), (244.0, 176.0), (196.0, 249.0), (194.0, 271.0), (266.0, 260.0))
CUT_POINTS = ((69.0, 109.0), (106.0, 113.0), (77.0, 142.0), (73.0, 152.0), (108.0, 154.0))


def attributes(*labels):
    return tuple(GivenLabel("attributes", label) for label in labels)


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "celeba", FILES)


def test_images_that_are_cut_to_faces(folder):
    assert recognised(folder)[0].name == "celeba"
    dataset = read("celeba", folder)
    assert dataset.rejected == []
    assert dataset.remarks == ["The boxes are ignored: they belong to “img_celeba”."]
    assert by_path(dataset) == {
        "img_align_celeba/000001.jpg": ImageRecord(
            "img_align_celeba/000001.jpg",
            (*attributes("Bald", "Smiling"), GivenLabel("identity", "2880")),
            TRAIN,
            (Region((0.0, 0.0, 178.0, 218.0), points=CUT_POINTS),),
        ),
        "img_align_celeba/000002.jpg": ImageRecord(
            "img_align_celeba/000002.jpg", (GivenLabel("identity", "2937"),), VALIDATION
        ),
        "img_align_celeba/000003.jpg": ImageRecord(
            "img_align_celeba/000003.jpg", attributes("5_o_Clock_Shadow"), TEST
        ),
    }
    assert dataset.sets == {
        "attributes": DeclaredSet(("5_o_Clock_Shadow", "Bald", "Smiling"), exclusive=False),
        "identity": DeclaredSet(("2880", "2937")),
    }


def test_whole_images_have_boxes(folder):
    (folder / "img_celeba").mkdir()
    dataset = read("celeba", folder)
    assert (dataset.rejected, dataset.remarks) == ([], [])
    assert [image.path for image in dataset.images] == [
        f"img_celeba/00000{n}.jpg" for n in (1, 2, 3)
    ]
    assert [image.regions for image in dataset.images] == [
        (Region((95.0, 71.0, 321.0, 384.0), points=WILD_POINTS),),
        (Region((72.0, 94.0, 293.0, 400.0)),),
        (),
    ]


def test_the_folders_of_the_publication(tmp_path):
    folder = write_files(
        tmp_path,
        {
            "Anno/list_attr_celeba.txt": FILES["list_attr_celeba.txt"],
            "Eval/list_eval_partition.txt": FILES["list_eval_partition.txt"],
            "Img/img_align_celeba/000001.jpg": b"x",
        },
    )
    assert recognised(folder)[0].name == "celeba"
    dataset = read("celeba", folder)
    assert dataset.images[0].path == "Img/img_align_celeba/000001.jpg"
    assert [image.part for image in dataset.images] == [TRAIN, VALIDATION, TEST]
    (folder / "Img/img_align_celeba/img_align_celeba").mkdir()
    nested = read("celeba", folder).images[0].path
    assert nested == "Img/img_align_celeba/img_align_celeba/000001.jpg"


@pytest.mark.parametrize("images", ["img_align_celeba", "img_celeba"])
def test_what_is_written_has_the_published_values(folder, tmp_path, images):
    (folder / images).mkdir()
    dataset = read("celeba", folder)
    again = tmp_path / "again"
    assert FORMATS["celeba"].write(again, dataset, WriteOptions()) == []
    for file in again.glob("*.txt"):
        words = [line.split() for line in FILES[file.name].splitlines()]
        written = [line.split() for line in file.read_text().splitlines()]
        if file.name.startswith(("list_bbox", "list_land")):
            words[0] = [str(len(words) - 2)]
        assert written == words, file.name
    assert by_path(read("celeba", again)) == by_path(dataset)


def test_malformed_rows_are_rejected_and_the_others_kept(folder):
    (folder / "img_celeba").mkdir()
    write_files(
        folder,
        {
            "list_attr_celeba.txt": (
                "x\nBald Smiling\n1.jpg 1\n2.jpg 1 0\n3.jpg 1 1\n3.jpg 1 1\na b.jpg -1 1\n"
            ),
            "list_eval_partition.txt": "3.jpg 3\n3.jpg\na b.jpg 2\n9.jpg 0\n",
            "identity_CelebA.txt": "3.jpg 7\n3.jpg 8\n",
            "list_bbox_celeba.txt": "2\nimage_id x\n3.jpg 1 1 0 1\n3.jpg 1 1 2 x\n3.jpg 1 1 2 2\n"
            "3.jpg 1 1 2 2\n",
            "list_landmarks_celeba.txt": (
                f"1\n{HEADING}\n3.jpg 1 2 3\na b.jpg 1 2 3 4 5 6 7 8 9 0\n"
            ),
        },
    )
    dataset = read("celeba", folder)
    assert rejects(dataset) == [
        ("list_attr_celeba.txt, line 1", "“x” is not a whole number"),
        ("list_attr_celeba.txt, line 3", "the row has 2 values instead of 3"),
        ("list_attr_celeba.txt, line 4", "a value is neither 1 nor -1"),
        ("list_attr_celeba.txt, line 6", "the image is listed twice"),
        ("list_eval_partition.txt, line 1", "“3” is not 0, 1 or 2"),
        ("list_eval_partition.txt, line 2", "the row has 1 values instead of 2"),
        ("identity_CelebA.txt, line 2", "the image has an identity already"),
        ("list_bbox_celeba.txt, line 3", "the box is empty"),
        ("list_bbox_celeba.txt, line 4", "“x” is not a number"),
        ("list_bbox_celeba.txt, line 6", "the image has a box already"),
        ("list_landmarks_celeba.txt, line 3", "the row has 4 values instead of 11"),
    ]
    assert dataset.remarks == [
        "1 row of list_eval_partition.txt is ignored: its image is not listed.",
        "The landmarks of 1 image are ignored, since it has no box.",
    ]
    assert by_path(dataset) == {
        "img_celeba/3.jpg": ImageRecord(
            "img_celeba/3.jpg",
            (*attributes("Bald", "Smiling"), GivenLabel("identity", "7")),
            None,
            (Region((1.0, 1.0, 3.0, 3.0)),),
        ),
        "img_celeba/a b.jpg": ImageRecord("img_celeba/a b.jpg", attributes("Smiling"), TEST),
    }


def test_losses_are_counted(tmp_path):
    box = Region((0, 0, 5, 5), points=((1, 1),))
    labels = (GivenLabel("expression", "very happy"), GivenLabel("view", "left"))
    images = [
        ImageRecord("1.jpg", labels, TRAIN, (box,)),
        ImageRecord("img_align_celeba/2.jpg"),
    ]
    sets = {"expression": DeclaredSet(("very happy", "sad")), "view": DeclaredSet()}
    dataset = Dataset(tmp_path, images, sets=sets)
    options = WriteOptions(label_set="expression")
    assert FORMATS["celeba"].write(tmp_path, dataset, options) == [
        "1 image is not written, since others are not in “img_align_celeba”.",
        "The landmarks of 1 box are not written: they are not five.",
        "1 label of “view” is not written.",
        "1 label is changed: its spaces are written as “_”.",
    ]
    text = (tmp_path / "list_attr_celeba.txt").read_text()
    assert text == "1\nvery_happy sad\n1.jpg 1 -1\n"
    cut = [replace(images[1], regions=(box,))]
    assert FORMATS["celeba"].write(tmp_path, Dataset(tmp_path, cut), WriteOptions()) == [
        "1 box is not written: its image is cut to another one."
    ]


drawn = datasets(
    labels_of(["attributes", "identity"], word, several=["attributes"]),
    regions=st.sampled_from([0, 5]).flatmap(lambda n: st.lists(regions(n), max_size=1)).map(tuple),
)


@thorough
@given(drawn)
def test_what_is_written_is_read_again(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("celeba")
    (folder / "img_celeba").mkdir()
    assert FORMATS["celeba"].write(folder, dataset, WriteOptions()) == []
    found = by_path(read("celeba", folder))
    for image in dataset.images:
        again = found.pop(FORMATS["celeba"].place(image))
        expected = unplaced(replace(image, labels=tuple(sorted(image.labels, key=repr))))
        again = replace(again, labels=tuple(sorted(again.labels, key=repr)), path=image.path)
        assert again == expected
    assert found == {}
