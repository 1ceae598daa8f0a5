"""What the formats of published datasets share: heartbeats, paths, losses and numbers."""

import json

import pytest

from tests.formats.reading import write_files
from workbench.domain.datasets import Carry, Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, ReadOptions
from workbench.formats.csv_rows import read_table
from workbench.formats.matlab import cells, structs, write_mat
from workbench.formats.published import (
    ImageDraft,
    Unlisted,
    box_of,
    finish,
    in_line,
    losses,
    main_set,
    plain,
    read_rows,
    read_voc_boxes,
    whole,
    writable,
)

MANY = 1025  # one more than twice the records between two heartbeats


def beats(reading):
    """Number of heartbeats."""
    return sum(1 for _ in reading)


def test_rows_and_records_have_heartbeats(tmp_path):
    dataset = Dataset(tmp_path)
    write_files(tmp_path, {"a.txt": "x\n" * MANY, "a.csv": "h\n" + "x\n" * MANY})
    assert beats(read_rows(dataset, tmp_path / "a.txt", lambda *_: None)) == 3
    assert beats(read_table(dataset, tmp_path / "a.csv", lambda *_: None)) == 3
    assert beats(finish(dataset, (ImageDraft(str(at)) for at in range(MANY)))) == 3
    assert len(dataset.images) == MANY


def test_entries_of_matlab_files_have_heartbeats(tmp_path):
    rows = ({"fname": f"{at}.jpg"} for at in range(MANY))
    write_mat(tmp_path / "cars_train_annos.mat", {"annotations": structs(rows, ("fname",))})
    assert beats(FORMATS["cars"].read(tmp_path, ReadOptions())) == 3
    write_mat(tmp_path / "file_list.mat", {"file_list": cells(["a/1.jpg"] * MANY)})
    # Three of the list, one of its only image's box and one of its record.
    assert beats(FORMATS["dogs"].read(tmp_path, ReadOptions())) == 5


def test_records_of_metadata_have_heartbeats(tmp_path):
    records = {"field": {"name": "image"}, "data": [{"image": "1.jpg"}] * MANY}
    text = json.dumps({"conformsTo": "http://mlcommons.org/croissant/1.0", "recordSet": records})
    write_files(tmp_path, {"croissant.json": text})
    assert beats(FORMATS["croissant"].read(tmp_path, ReadOptions())) == 3


def test_files_of_boxes_have_more_heartbeats(tmp_path):
    images = [(tmp_path / f"{at}.xml", ImageDraft(str(at))) for at in range(129)]
    assert beats(read_voc_boxes(Dataset(tmp_path), images)) == 3


def test_rows_about_other_images_are_only_counted(tmp_path):
    def use(line, _text):
        raise Unlisted if line < 3 else ValueError("no")

    dataset = Dataset(tmp_path)
    write_files(tmp_path, {"a.txt": "x\n\n \nx\n" + "x\n" * 2})
    list(read_rows(dataset, tmp_path / "a.txt", use))
    assert dataset.remarks == ["1 row of a.txt is ignored: its image is not listed."]
    assert [one.path for one in dataset.rejected] == [f"a.txt, line {line}" for line in (4, 5, 6)]
    list(read_rows(dataset, tmp_path / "absent.txt", use))
    assert len(dataset.rejected) == 3


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b c.jpg", True),
        ("ä 🦉.jpg", True),
        ("..a/b..jpg", True),
        ("../a.jpg", False),
        ("a/../b.jpg", False),
        ("/a.jpg", False),
        ("", False),
        (" a.jpg", False),
        ("a\n.jpg", False),
        ("a\r.jpg", False),
        ("\udcff.jpg", False),
    ],
)
def test_paths_that_can_be_written(path, expected):
    assert writable(path) is expected


def test_numbers_and_lines():
    assert (plain(60), plain(0.1 + 0.2), plain(1 / 3)) == ("60.0", "0.3", "0.333")
    assert in_line(" a\nb\r\nc ") == "a b c"
    assert whole("-3") == -3
    with pytest.raises(ValueError, match=r"“3\.0” is not a whole number"):
        whole("3.0")
    for edges in ((0, 0, 0, 1), (0, 0, 1, 0), (2, 0, 1, 1), (0, 2, 1, 1)):
        with pytest.raises(ValueError, match="the box is empty"):
            box_of(*edges)


def test_the_main_set(tmp_path):
    dataset = Dataset(tmp_path)
    assert main_set(dataset, "view") == "view"
    dataset.sets = dict.fromkeys(("category", "view"))
    assert [main_set(dataset, name) for name in ("view", "")] == ["view", "category"]


def test_what_is_lost():
    one, two = GivenLabel("", "a", confidence=0.5), GivenLabel("", "b")
    box = Region((0, 0, 1, 1), (one,), ((0, 0),))
    image = ImageRecord("1.jpg", (one, two, GivenLabel("v", "c")), Part.TEST, (box, box))
    assert losses([image], frozenset(Carry), region_labels=True) == []
    assert losses([image, image], frozenset(), ("",)) == [
        "2 labels of “v” are not written.",
        "2 further labels of images are not written.",
        "The parts of 2 images are not written.",
        "The confidences of 2 labels are not written.",
        "4 boxes are not written.",
        "The landmarks of 4 boxes are not written.",
        "4 labels of boxes are not written.",
    ]
    boxes = {Carry.BOXES, Carry.POINTS, Carry.PARTS}
    assert losses([image], boxes, free=("",), most_regions=1, region_labels=True) == [
        "1 box is not written."
    ]
