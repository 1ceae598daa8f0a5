"""Hugging Face's ImageFolder with metadata: columns, boxes, parts, malformed rows, round trips."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.formats.published_sets import datasets, labels_of, line, regions, thorough
from tests.formats.reading import by_path, read, rejects, unplaced, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised
from workbench.formats.image_folder import part_of

TRAIN, VALIDATION, TEST = Part


def test_json_lines_in_the_folders_of_parts(tmp_path):
    rows = [
        {"file_name": "0001.png", "label": "owl", "view": "left", "size": 3, "wild": True},
        {"file_name": "a/0002.png", "label": None, "view": ["left", "top"], "size": 1.5},
    ]
    objects = {"bbox": [[302.0, 109.0, 73.0, 52.0], [1, 2, 3, 4]], "categories": [0, "owl"]}
    folder = write_files(
        tmp_path,
        {
            "train/metadata.jsonl": "\n".join(map(json.dumps, rows)),
            "test/metadata.jsonl": json.dumps({"file_name": "0003.png", "objects": objects}),
        },
    )
    assert recognised(folder)[0].name == "imagefolder"
    dataset = read("imagefolder", folder)
    assert (dataset.rejected, dataset.remarks, dataset.base) == ([], [], folder)
    assert dataset.images == [
        ImageRecord(
            "train/0001.png",
            (
                GivenLabel("", "owl"),
                GivenLabel("view", "left"),
                GivenLabel("size", "3"),
                GivenLabel("wild", "true"),
            ),
            TRAIN,
            line=1,
            file="metadata.jsonl",
        ),
        ImageRecord(
            "train/a/0002.png",
            (GivenLabel("view", "left"), GivenLabel("view", "top"), GivenLabel("size", "1.5")),
            TRAIN,
            line=2,
            file="metadata.jsonl",
        ),
        ImageRecord(
            "test/0003.png",
            part=TEST,
            regions=(
                Region((302.0, 109.0, 375.0, 161.0), (GivenLabel("", "0"),)),
                Region((1.0, 2.0, 4.0, 6.0), (GivenLabel("", "owl"),)),
            ),
            line=1,
            file="metadata.jsonl",
        ),
    ]
    assert dataset.sets["view"] == DeclaredSet(("left", "top"), exclusive=False)
    assert dataset.sets["size"] == DeclaredSet(("3", "1.5"))


def test_one_table_for_all_parts(tmp_path):
    boxes = json.dumps({"bbox": [[1, 2, 3, 4]], "category": ["beak"]}).replace('"', '""')
    table = (
        "file_name,label,empty,objects\r\n"
        f'train/1.jpg,"owl, grey",,"{boxes}"\r\n'
        "valid\\2.jpg,jay,,\r\n"
        "3.jpg,,,\r\n"
    )
    dataset = read("imagefolder", write_files(tmp_path, {"metadata.csv": table}))
    assert dataset.rejected == []
    found = [(image.path, image.part, image.line) for image in dataset.images]
    assert found == [
        ("train/1.jpg", TRAIN, 2),
        ("valid/2.jpg", VALIDATION, 3),
        ("3.jpg", None, 4),
    ]
    assert dataset.images[0].labels == (GivenLabel("", "owl, grey"),)
    beak = Region((1.0, 2.0, 4.0, 6.0), (GivenLabel("", "beak"),))
    assert dataset.images[0].regions == (beak,)
    assert dataset.sets == {
        "": DeclaredSet(("owl, grey", "beak", "jay")),
        "empty": DeclaredSet(),
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "the line is not JSON"),
        ("[" * 100_000, "the line is not JSON"),
        ("3", "the line is not an object of JSON"),
        ("{}", "the row has no file name"),
        ('{"file_name": " "}', "the row has no file name"),
        ('{"file_name": "1.jpg", "objects": 3}', "its objects have no boxes"),
        ('{"file_name": "1.jpg", "objects": "{"}', "its objects are not JSON"),
        (
            '{"file_name": "1.jpg", "objects": {"bbox": [[1, 2, 3]]}}',
            "a box does not have four numbers",
        ),
        (
            '{"file_name": "1.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "categories": []}}',
            "its objects have more boxes than categories, or fewer",
        ),
        (
            '{"file_name": "1.jpg", "objects": {"bbox": [[1, 2, 3, "x"]]}}',
            "“x” is not a number",
        ),
        ('{"file_name": "1.jpg", "objects": {"bbox": [[1, 2, 0, 4]]}}', "the box is empty"),
    ],
)
def test_malformed_lines_are_rejected_and_the_others_kept(tmp_path, row, reason):
    text = f'{{"file_name": "0.jpg"}}\n{row}\n\n{{"file_name": "2.jpg"}}\n'
    dataset = read("imagefolder", write_files(tmp_path, {"metadata.jsonl": text}))
    assert [image.path for image in dataset.images] == ["0.jpg", "2.jpg"]
    assert rejects(dataset) == [("metadata.jsonl, line 2", reason)]


def test_malformed_rows_of_a_table(tmp_path):
    table = f'file_name,label\n1.jpg\n"{"x" * 200_000}",owl\n2.jpg,owl,x\n,owl\n3.jpg,owl\n'
    dataset = read("imagefolder", write_files(tmp_path, {"metadata.csv": table}))
    assert [image.path for image in dataset.images] == ["3.jpg"]
    assert [place for place, _ in rejects(dataset)] == [
        f"metadata.csv, line {line}" for line in (2, 3, 4, 5)
    ]


def test_values_that_are_no_labels_are_named(tmp_path):
    text = '{"file_name": "1.jpg", "exif": {"iso": 100}, "label": "owl"}'
    dataset = read("imagefolder", write_files(tmp_path, {"metadata.jsonl": text}))
    assert dataset.images[0].labels == (GivenLabel("", "owl"),)
    assert dataset.remarks == ["Columns that hold no labels: exif."]
    assert list(dataset.sets) == [""]


def test_folders_without_metadata_are_not_recognised(tmp_path):
    write_files(tmp_path, {"owl/metadata.jsonl": "{}", "metadata.json": "{}"})
    assert not FORMATS["imagefolder"].recognises(tmp_path)
    assert not FORMATS["imagefolder"].recognises(tmp_path / "metadata.json")
    write_files(tmp_path, {"data/train/metadata.csv": "file_name\n1.jpg\n"})
    assert FORMATS["imagefolder"].recognises(tmp_path)
    assert read("imagefolder", tmp_path).images[0].path == "data/train/1.jpg"


def test_the_part_that_a_folder_names():
    paths = ("train/1.jpg", "a/Val/1.jpg", "test.jpg", "a/testing/train/1.jpg", "owl/1.jpg")
    assert [part_of(path) for path in paths] == [TRAIN, VALIDATION, None, TEST, None]


def test_rows_have_the_same_columns(tmp_path):
    several = (GivenLabel("view", "left"), GivenLabel("view", "top"))
    beak = Region((1, 2, 4, 6), (GivenLabel("", "beak"), GivenLabel("x", "y")), ((1, 1),))
    images = [
        ImageRecord("1.jpg", (GivenLabel("", "owl", confidence=0.5), *several), TRAIN),
        ImageRecord("test/2.jpg", (GivenLabel("objects", "?"),), None, (beak,)),
    ]
    dataset = Dataset(tmp_path, images)
    assert FORMATS["imagefolder"].write(tmp_path, dataset, WriteOptions()) == [
        "1 label of “objects” is not written.",
        "The confidence of 1 label is not written.",
        "The landmarks of 1 box are not written.",
        "1 label of a box is not written.",
        "1 image has no part, but lies in a folder that is called after one.",
    ]
    assert json.loads((tmp_path / "train/metadata.jsonl").read_text()) == {
        "file_name": "1.jpg",
        "label": "owl",
        "view": ["left", "top"],
        "objects": {"bbox": [], "categories": []},
    }
    assert json.loads((tmp_path / "test/metadata.jsonl").read_text()) == {
        "file_name": "2.jpg",
        "label": None,
        "view": [],
        "objects": {"bbox": [[1, 2, 3, 4]], "categories": ["beak"]},
    }


box_labels = st.one_of(st.just(()), line.map(lambda text: (GivenLabel("", text),)))
drawn = datasets(
    labels_of(["", "view", "tags"], several=["tags"]),
    regions=st.lists(regions(labels=box_labels), max_size=2).map(tuple),
)


@thorough
@given(drawn)
def test_what_is_written_is_read_again(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("imagefolder")
    dataset.images = [
        replace(image, part=image.part or part_of(image.path)) for image in dataset.images
    ]
    assert FORMATS["imagefolder"].write(folder, dataset, WriteOptions()) == []
    found = by_path(read("imagefolder", folder))
    for image in dataset.images:
        other = found.pop(FORMATS["imagefolder"].place(image))
        assert replace(other, path=image.path) == unplaced(image)
    assert found == {}
