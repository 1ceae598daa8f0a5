"""Tables in CSV, TSV and Excel: columns, malformed rows, formulas, limits, and round trips."""

from __future__ import annotations

import csv
import datetime
import zipfile
from collections.abc import Sequence
from pathlib import Path

import hypothesis
import openpyxl
import pytest
from hypothesis import strategies as st

from tests.fixtures.read_datasets import any_text, read, round_trips, written
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError
from workbench.domain.label_names import tidied
from workbench.domain.splits import Part
from workbench.domain.spreadsheets import unguarded
from workbench.formats import FORMATS, WriteOptions, recognised
from workbench.formats import rows as rows_module
from workbench.formats import sheets as sheets_module
from workbench.formats.rows import TextKind, kind_of, write_rows

TABLE = FORMATS["table"]


def labels_of(dataset: Dataset) -> list[tuple[int, str, dict[str, str]]]:
    return [
        (one.line, one.path, {label.set: label.label for label in one.labels})
        for one in dataset.images
    ]


def rejected(dataset: Dataset) -> list[tuple[str, str]]:
    return [(str(one.path), str(one.reason)) for one in dataset.rejected]


# which files are tables


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.txt", "a.png owl", TextKind.LIST),
        ("a.txt", "a.png\towl", TextKind.LIST),
        ("a.txt", "a.png,red, dark", TextKind.LIST),
        ("a.txt", "filename,label\na.png,owl", TextKind.TABLE),
        ("a.txt", "filename\tlabel\na.png\towl", TextKind.TABLE),
        ("a.txt", "image\n", TextKind.LIST),
        ("a.unknown", "a.png owl", TextKind.LIST),
        ("a.csv", "path,category", TextKind.TABLE),
        ("a.csv", "Image Path;Art", TextKind.TABLE),
        ("a.csv", "a,b", TextKind.TABLE),
        ("a.csv", "a.png,owl\nb.png,auk", TextKind.LIST),
        ("a.csv", "a.png;owl", TextKind.LIST),
        ("a.csv", "a.png,owl,left", TextKind.TABLE),
        ("a.csv", "a.png;owl;left", TextKind.TABLE),
        ("a.csv", "", TextKind.TABLE),
        ("a.tsv", "a.png\towl", TextKind.LIST),
        ("a.tsv", "IMG_1\towl", TextKind.LIST),
        ("a.tsv", "a.png\towl\tleft", TextKind.TABLE),
        ("a.txt", "a.png\towl\tleft", TextKind.LIST),
        ("a.tsv", "\n\npath\tview", TextKind.TABLE),
        ("a.tsv", "path\tcategory\na.png\towl", TextKind.TABLE),
        ("a.tsv", "x\ty\tz", TextKind.TABLE),
        ("a.tsv", "x,y", TextKind.TABLE),
        ("a.tsv", "a.png owl", TextKind.LIST),
        ("a.tsv", "", TextKind.LIST),
        ("a.csv", "path,set,label\na.png,view,left", TextKind.LABELS),
        ("a.tsv", "hash\tset\tlabel\nab\tview\tleft", TextKind.LABELS),
        ("a.csv", "path,set,label\na.png,train,owl\nb.png,TEST,auk", TextKind.TABLE),
        ("a.csv", "path,set,label\na.png,train,owl\nb.png,extra,auk", TextKind.TABLE),
        ("a.csv", "path,hash,set,label\na.png,,test,owl\nb.png,,view,auk", TextKind.LABELS),
    ],
)
def test_extension_and_first_lines_decide(
    tmp_path: Path, name: str, text: str, kind: TextKind
) -> None:
    path = written(tmp_path, name, text)
    assert kind_of(path) is kind
    names = {TextKind.LIST: "list", TextKind.TABLE: "table", TextKind.LABELS: "label-file"}
    assert [one.name for one in recognised(path)][:1] == ([names[kind]] if text else [])


def test_formats_that_know_the_content_come_before_general_ones() -> None:
    assert [one for one in ("label-file", "list", "table") if FORMATS[one].specific] == [
        "label-file"
    ]


def test_other_files_are_none(tmp_path: Path) -> None:
    written(tmp_path, "a.png", "path,label")
    written(tmp_path, "a.csv", "a\0b,c")
    written(tmp_path, "a.xlsx", "path,label")
    (tmp_path / "d.csv").mkdir()
    for name in ("a.png", "a.csv", "a.xlsx", "gone.xlsx", "gone.csv", "d.csv"):
        assert not TABLE.recognises(tmp_path / name)


# columns


def test_columns_may_have_any_order_case_and_spaces(tmp_path: Path) -> None:
    text = (
        "Note, View ,FILE,category\nx, left ,a.png,owl\n\ny,,b.png,\n,right,,auk\nz,top, c.png ,\n"
    )
    found = read(written(tmp_path, "t.csv", text))
    assert labels_of(found) == [
        (2, "a.png", {"Note": "x", "view": "left", "category": "owl"}),
        (4, "b.png", {"Note": "y"}),
        (6, "c.png", {"Note": "z", "view": "top"}),
    ]
    assert rejected(found) == [("t.csv, line 5", "the line has no image path")]
    assert found.sets == {
        "Note": DeclaredSet(("x", "y", "z")),
        "view": DeclaredSet(("left", "top")),
        "category": DeclaredSet(("owl",)),
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_delimiters_line_ends_and_encodings(
    tmp_path: Path, delimiter: str, end: str, encoding: str
) -> None:
    rows = (("path", "label"), ('"a,b;c|d.png"', "猫头鹰"), ("x.png", '"the ""red"" 鸟"'))
    text = end.join(map(delimiter.join, rows))
    found = read(written(tmp_path, "t.csv", text, encoding))
    assert labels_of(found) == [
        (2, "a,b;c|d.png", {"label": "猫头鹰"}),
        (3, "x.png", {"label": 'the "red" 鸟'}),
    ]
    assert found.guessed == (encoding == "gb18030")


def test_a_short_table_of_western_europe_keeps_its_umlauts(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "filename,label\nMüller.jpg,Häher\n", "cp1252")
    found = read(path)
    assert labels_of(found) == [(2, "Müller.jpg", {"label": "Häher"})]
    assert (found.encoding, found.guessed) == ("cp1252", True)
    assert not read(path, encoding="latin-1").guessed


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("filename,label", "a.jpg,owl"),
        ("image,category", "a.jpg,owl"),
        ("id,breed", "000bec18,owl"),
        ("image_id,label", "a,owl"),
        ("Image Name,Klasse", "a.jpg,owl"),
        ("img-path,Klasse", "a.jpg,owl"),
        ("name,species", "a.jpg,owl"),
        (",path,label", "0,a.jpg,owl"),
        ("Unnamed: 0,path,label", "0,a.jpg,owl"),
        ("path,width,height,label", "a.jpg,640,480,owl"),
        ("id,path,label", "7,a.jpg,owl"),
        ("path,md5,label,url", "a.jpg,d41d8c,owl,https://x.org/a.jpg"),
        ("path,mask,label", "a.jpg,a_mask.png,owl"),
        ("id,photo_url,label", "a,https://x.org/a.jpg,owl"),
    ],
)
def test_label_columns_that_nobody_named_are_offered(tmp_path: Path, header: str, row: str) -> None:
    found = read(written(tmp_path, "t.csv", f"{header}\n{row}\n"))
    (name,) = found.sets
    assert name in header.split(",")
    assert found.sets[name] == DeclaredSet(("owl",))
    (image,) = found.images
    assert image.path in ("a.jpg", "a", "000bec18")
    assert image.labels == (GivenLabel(name, "owl"),)
    assert found.remarks == []


def test_numbers_that_are_no_labels_are_not_offered(tmp_path: Path) -> None:
    rows = [f"{i}.jpg,{i % 3},{i},{0.5 + i / 7},{i % 5},{(i % 2) / 2},human" for i in range(40)]
    rows.append("x.jpg,1,99,nan,0,0.5,model")
    text = "\n".join(["path,grade,serial,sharpness,fold,exposure,author", *rows])
    assert list(read(written(tmp_path, "t.csv", text)).sets) == ["grade", "fold", "exposure"]


def test_two_columns_of_one_name_are_two_sets(tmp_path: Path) -> None:
    found = read(written(tmp_path, "t.csv", "path,label,label\na.jpg,owl,left\n"))
    assert labels_of(found) == [(2, "a.jpg", {"label": "owl", "label 2": "left"})]


def test_labels_are_tidied_and_not_divided(tmp_path: Path) -> None:
    text = "path,label\na.jpg, cafe\u0301 \nb.jpg,red/dark; wet 🦉\nc.jpg,nan\nd.jpg,\u3000\n"
    found = labels_of(read(written(tmp_path, "t.csv", text)))
    assert [tuple(one.values()) for *_, one in found] == [
        ("café",),
        ("red/dark; wet 🦉",),
        ("nan",),
        (),
    ]


def test_the_surest_name_of_the_path_column_counts(tmp_path: Path) -> None:
    found = read(written(tmp_path, "t.csv", "image,filename,path\na,b,c\n"))
    assert [one.path for one in found.images] == ["c"]
    found = read(written(tmp_path, "t.csv", "name,foto\nGreat auk,a.jpg\n"))
    assert [one.path for one in found.images] == ["a.jpg"]
    assert list(found.sets) == ["name"]
    assert [str(one) for one in found.remarks] == ["The images are those in the column “foto”."]


def test_the_user_chooses_the_path_column(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "path,Original File,label\na.jpg,b.jpg,owl\n")
    assert read(path, path_column="original file").images[0].path == "b.jpg"
    with pytest.raises(KnownError, match=r"columns are path, Original File, label\. Choose one"):
        read(path, path_column="gone")


def test_a_table_without_paths_is_refused_with_its_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "colour,label\na,b\n")
    with pytest.raises(KnownError) as refused:
        read(path)
    assert str(refused.value) == (
        f"{path} has no column of image paths; its columns are colour, label."
        " Rename that column to path, filename, file_name or file."
    )
    with pytest.raises(KnownError, match=r"t\.csv has no header: its first line is a\.jpg, x, y"):
        read(written(tmp_path, "t.csv", "a.jpg,x,y\n"))
    with pytest.raises(KnownError, match=r"t\.csv is empty"):
        read(written(tmp_path, "t.csv", "\n \n"), format=TABLE)


@pytest.mark.parametrize("column", ["split", "Part", "set", "subset", "Data Split", "usage"])
def test_a_column_of_parts_becomes_the_split(tmp_path: Path, column: str) -> None:
    words = ("Train", "training", "VAL", "valid", "validation", "dev", "test", " Testing ", "")
    rows = "".join(f"{i}.jpg,owl,{word}\n" for i, word in enumerate(words))
    found = read(written(tmp_path, "t.csv", f"path,label,{column}\n{rows}"), format=TABLE)
    train, validation, test = Part
    assert [one.part for one in found.images] == [
        *[train] * 2, *[validation] * 4, *[test] * 2, None,
    ]  # fmt: skip
    assert list(found.sets) == ["label"]
    assert found.remarks == []


def test_other_words_in_a_column_of_parts_are_remarked(tmp_path: Path) -> None:
    text = "path,split\na.jpg,train\nb.jpg,extra\n\nc.jpg,extra\nd.jpg,holdout\n"
    found = read(written(tmp_path, "t.csv", text))
    assert [one.part for one in found.images] == [Part.TRAIN, None, None, None]
    assert found.sets == {}
    assert [str(one) for one in found.remarks] == [
        "“extra” in the column “split” is no part of a split: 2 images are in no part (lines 3, 5)",
        "“holdout” in the column “split” is no part of a split: 1 image is in no part (line 6)",
    ]


@pytest.mark.parametrize(
    ("column", "values", "parts"),
    [
        ("split", "012", ["train", "validation", "test"]),
        ("part", "312", ["test", "train", "validation"]),
        ("is_train", "101", ["train", "test", "train"]),
        ("Is Training Image", ("True", "", "false"), ["train", None, "test"]),
        ("is_test", "011", ["train", "test", "test"]),
    ],
)
def test_numbers_in_a_column_of_parts_are_read_and_explained(
    tmp_path: Path, column: str, values: Sequence[str], parts: list[str | None]
) -> None:
    rows = "".join(f"{name}.jpg,owl,{value}\n" for name, value in zip("abc", values, strict=True))
    found = read(written(tmp_path, "t.csv", f"path,label,{column}\n{rows}"))
    assert [one.part and one.part.value for one in found.images] == parts
    (remark,) = map(str, found.remarks)
    assert f"“{column}” gives the parts of a split" in remark
    assert f"{values[0].lower()} = {parts[0]}" in remark
    assert list(found.sets) == ["label"]


def test_numbers_that_may_mean_several_parts_are_reported(tmp_path: Path) -> None:
    found = read(written(tmp_path, "t.csv", "path,split\na.jpg,0\nb.jpg,1\n"))
    assert [one.part for one in found.images] == [None, None]
    assert "“split” has numbers (0, 1) whose parts are not known" in str(found.remarks[0])
    found = read(written(tmp_path, "t.csv", "path,fold\na.jpg,0\nb.jpg,1\nc.jpg,2\n"))
    assert [one.part for one in found.images] == [None] * 3
    assert "“fold” has folds (0, 1, 2)" in str(found.remarks[0])


def test_a_column_of_another_name_or_content_has_labels(tmp_path: Path) -> None:
    text = "path,vehicle,set\na.jpg,train,birds\nb.jpg,bus,cars\n"
    found = read(written(tmp_path, "t.csv", text))
    assert [one.part for one in found.images] == [None, None]
    assert list(found.sets) == ["vehicle", "set"]


# boxes and confidences


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("left,top,right,bottom", "1,2,31,42.5"),
        ("xmin,ymin,xmax,ymax", "1,2,31,42.5"),
        ("xmin,xmax,ymin,ymax", "1,31,2,42.5"),
        ("x1,y1,x2,y2", "1,2,31,42.5"),
        ("x,y,width,height", "1,2,30,40.5"),
        ("X,Y,W,H", "1,2,30,40.5"),
    ],
)
def test_columns_of_a_box_make_a_region(tmp_path: Path, header: str, cells: str) -> None:
    text = f"filename,{header},class\na.jpg,{cells},owl\nb.jpg,,,,,auk\n"
    first, second = read(written(tmp_path, "t.csv", text)).images
    assert first.regions == (Region((1, 2, 31, 42.5), (GivenLabel("class", "owl"),)),)
    assert (first.labels, second.regions) == ((), ())
    assert second.labels == (GivenLabel("class", "auk"),)


def test_sizes_beside_a_box_are_those_of_the_image(tmp_path: Path) -> None:
    text = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,640,480,owl,.1,.2,.5,1\n"
    (image,) = read(written(tmp_path, "t.csv", text)).images
    (region,) = image.regions
    assert (image.width, image.height, region.relative) == (640, 480, True)
    assert region.in_pixels(640, 480).box == (64, 96, 320, 480)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("1,2,3,", "a box needs four numbers: its sides, or a corner and its size"),
        ("1,2,x,4", "a box needs four numbers: its sides, or a corner and its size"),
        ("1,2,nan,4", "a box needs four numbers: its sides, or a corner and its size"),
        ("9,2,3,4", "the box is empty"),
    ],
)
def test_a_row_with_a_wrong_box_is_rejected(tmp_path: Path, cells: str, reason: str) -> None:
    text = f"path,left,top,right,bottom\na.jpg,{cells}\nb.jpg,1,2,3,4\n"
    found = read(written(tmp_path, "t.csv", text))
    assert [one.path for one in found.images] == ["b.jpg"]
    assert rejected(found) == [("t.csv, line 2", reason)]


def test_confidences_are_numbers_from_0_to_1(tmp_path: Path) -> None:
    values = ("0.25", "", "1", '"0,5"', "nan", "7", "-0.1", "inf", "0_1")
    rows = "".join(f"{i}.jpg,owl,{value}\n" for i, value in enumerate(values))
    found = read(written(tmp_path, "t.csv", f"path,label,confidence\n{rows}"))
    assert [one.labels[0].confidence for one in found.images] == [0.25, 1.0, 1.0]
    assert list(found.sets) == ["label"]
    assert rejected(found) == [
        (
            f"t.csv, line {5 + i}",
            f"the confidence “{text}” is not a number from 0 to 1, such as 0.75",
        )
        for i, text in enumerate(("0,5", "nan", "7", "-0.1", "inf", "0_1"))
    ]


# malformed rows


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('b.jpg,"owl', "the quotation marks do not match"),
        ('b.jpg,owl"', "the quotation marks do not match"),
        ('"b.jpg,owl', "the quotation marks do not match"),
        ('b.jpg,"owl"x', "the quotation marks do not match"),
        ("b.jpg,owl,left", "3 cells, but 2 columns"),
        ("b.jpg", "1 cell, but 2 columns"),
        ("b.jpg,o\0wl", "the line has bytes that are not text"),
        ("\0\0\0\0\0\0", "the line has bytes that are not text"),
        (",owl", "the line has no image path"),
        ("path,label", "the line repeats the header"),
    ],
)
@pytest.mark.parametrize("later", ["", 'd.jpg,"great, auk"\n', 'd.jpg,"x\n', 'd.jpg,x"\n'])
def test_a_malformed_row_is_rejected_alone(
    tmp_path: Path, row: str, reason: str, later: str
) -> None:
    text = f"path,label\na.jpg,owl\n{row}\nc.jpg,auk\n{later}e.jpg,emu\n"
    found = read(written(tmp_path, "t.csv", text))
    assert ("t.csv, line 3", reason) in rejected(found)
    assert {"a.jpg", "c.jpg", "e.jpg"} <= {one.path for one in found.images}
    well_formed = later.count('"') == 2
    assert ("d.jpg" in {one.path for one in found.images}) == well_formed
    assert len(found.rejected) == 1 + (bool(later) and not well_formed)


def test_cells_at_the_end_may_be_missing_without_a_column_or_in_a_workbook(tmp_path: Path) -> None:
    found = read(written(tmp_path, "t.csv", "path,label,,\na.jpg,owl\nb.jpg,auk,,\n"))
    assert [one.path for one in found.images] == ["a.jpg", "b.jpg"]
    sheet = openpyxl.Workbook()
    for row in (["path", "label"], ["a.jpg"], ["b.jpg", "owl"]):
        sheet.active.append(row)
    sheet.save(tmp_path / "t.xlsx")
    found = read(tmp_path / "t.xlsx")
    assert [(one.path, len(one.labels)) for one in found.images] == [("a.jpg", 0), ("b.jpg", 1)]
    assert found.rejected == []


def test_rows_without_names_of_files_are_not_swallowed_either(tmp_path: Path) -> None:
    text = 'id,breed\n1,"pug\n2,husky\n3,"collie\n4,spitz"\n5,chow\n'
    found = read(written(tmp_path, "t.csv", text))
    assert [one.path for one in found.images] == ["2", "5"]
    assert [place for place, _ in rejected(found)] == [f"t.csv, line {n}" for n in (2, 4, 5)]


def test_cells_may_have_lines_quotes_and_spaces_around_them(tmp_path: Path) -> None:
    text = (
        'path,label,view\n"a\nb.jpg","two, or\r\nthree",left\n'
        'c.jpg,5" pipe,"x"\nd.jpg, "great, auk" ,y\ne.jpg,"""red"" one",z\n,,\nf.jpg,,\ng.jpg,,,\n'
    )
    found = read(written(tmp_path, "t.csv", text))
    assert found.rejected == []
    assert labels_of(found) == [
        (2, "a\nb.jpg", {"label": "two, or\r\nthree", "view": "left"}),
        (5, "c.jpg", {"label": '5" pipe', "view": "x"}),
        (6, "d.jpg", {"label": "great, auk", "view": "y"}),
        (7, "e.jpg", {"label": '"red" one', "view": "z"}),
        (9, "f.jpg", {}),
        (10, "g.jpg", {}),
    ]


def test_spaces_after_delimiters_and_the_line_of_excel(tmp_path: Path) -> None:
    found = read(written(tmp_path, "t.csv", 'path, label\na.jpg, "great, auk"\n'))
    assert labels_of(found) == [(2, "a.jpg", {"label": "great, auk"})]
    found = read(written(tmp_path, "t.csv", "sep=;\npath;label\na.jpg;great, auk\n"))
    assert labels_of(found) == [(3, "a.jpg", {"label": "great, auk"})]


def test_a_cell_without_end_is_rejected(tmp_path: Path) -> None:
    text = "path,label\n" + "x" * 200_000 + ",owl\nb.jpg,auk\n" + 'c.jpg,"x\n' * 300
    found = read(written(tmp_path, "t.csv", text))
    assert [one.path for one in found.images] == ["b.jpg"]
    assert len(found.rejected) == 301


@pytest.mark.parametrize(
    ("written_path", "path"),
    [
        ("birds\\a.jpg", "birds/a.jpg"),
        ("C:\\data\\a.jpg", "C:/data/a.jpg"),
        ("\\\\server\\share\\a.jpg", "//server/share/a.jpg"),
        ("file:///C:/my%20data/a.jpg", "C:/my data/a.jpg"),
        ("file:///data/u/a.jpg", "/data/u/a.jpg"),
        ("file://server/share/a.jpg", "//server/share/a.jpg"),
        ("./birds//a.jpg", "./birds//a.jpg"),
        ("/data/u/a.jpg", "/data/u/a.jpg"),
    ],
)
def test_paths_have_forward_slashes(tmp_path: Path, written_path: str, path: str) -> None:
    found = read(written(tmp_path, "t.csv", f"path,label\n{written_path},owl\n"))
    assert [one.path for one in found.images] == [path]
    found = read(written(tmp_path, "t.txt", f"{written_path}\tgreat owl\n"))
    assert [one.path for one in found.images] == [path]


def test_a_backslash_in_the_name_of_a_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a\\b.jpg").touch()
    found = read(written(tmp_path, "t.csv", "path\na\\b.jpg\n"))
    assert [one.path for one in found.images] == ["a\\b.jpg"]
    found = read(written(tmp_path, "t.csv", "path\na\\b.jpg\n"), base=tmp_path / "other")
    assert [one.path for one in found.images] == ["a/b.jpg"]
    assert found.base == tmp_path / "other"


def test_an_image_listed_twice_has_two_records(tmp_path: Path) -> None:
    found = read(written(tmp_path, "t.csv", "path,label\na.jpg,owl\na.jpg,auk\n"))
    assert labels_of(found) == [(2, "a.jpg", {"label": "owl"}), (3, "a.jpg", {"label": "auk"})]
    assert found.sets == {"label": DeclaredSet(("owl", "auk"), exclusive=True)}


# Excel


def workbook(path: Path, *sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook_is_read_by_its_first_sheet_with_content(tmp_path: Path) -> None:
    rows = [
        [None, None, None],
        ["filename", "Art", "year"],
        ["a.jpg", "Häher", 1999],
        [None, None],
        ["b.jpg", 7.0, 2001],
        [None, "owl", 1],
    ]
    found = read(workbook(tmp_path / "t.xlsx", [], rows, [["path"], ["x.jpg"]]))
    assert labels_of(found) == [
        (3, "a.jpg", {"Art": "Häher", "year": "1999"}),
        (5, "b.jpg", {"Art": "7", "year": "2001"}),
    ]
    assert rejected(found) == [("t.xlsx, row 6", "the line has no image path")]
    assert [str(one) for one in found.remarks] == ["Only the first of 3 sheets is read."]


def test_cells_are_read_as_people_see_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    noon = datetime.datetime(2024, 5, 1, 12, 30, 5)
    shown = [
        (7, "General", "7"),
        (0.1 + 0.2, "General", "0.3"),
        (7, "000", "007"),
        (1.005, "0.00", "1.01"),
        (-2.5, "0", "-3"),
        (0.5, "0%", "50%"),
        (0.125, "0.0%", "12.5%"),
        (True, "General", "TRUE"),
        (noon, "yyyy-mm-dd", "2024-05-01"),
        (noon, "dd\\.mm\\.yyyy", "01.05.2024"),
        (noon, "[$-407]d\\.m\\.yy;@", "1.5.24"),
        (noon, "yyyy-mm-dd hh:mm:ss", "2024-05-01 12:30:05"),
        (noon.time(), "h:mm", "12:30"),
        (noon.date(), "yyyymmdd", "20240501"),
    ]
    sheet.append(["path", "category", "note"])
    for at, (value, format, _) in enumerate(shown):
        sheet.append([f"{at}.jpg", value, "x"])
        sheet.cell(at + 2, 2).number_format = format
    book.save(tmp_path / "t.xlsx")
    found = read(tmp_path / "t.xlsx")
    labels = [of_image["category"] for _, _, of_image in labels_of(found)]
    assert labels == [text for _, _, text in shown]
    assert found.remarks == []


@pytest.mark.parametrize(
    ("value", "format", "reason"),
    [
        (datetime.date(2024, 5, 1), "mm-dd-yy", "how cell B3 is shown depends on the computer"),
        (datetime.date(2024, 5, 1), "d mmm yyyy", "how cell B3 is shown depends on the computer"),
        (datetime.date(2024, 5, 1), "dd/mm/yyyy", "how cell B3 is shown depends on the computer"),
        (datetime.date(2024, 5, 1), "[$-F800]dddd", "how cell B3 is shown depends on the computer"),
        (datetime.timedelta(hours=30), "[h]:mm", "how cell B3 is shown depends on the computer"),
        (1234.5, "#,##0.0", "how cell B3 is shown depends on the computer"),
        ("=A1&B1", "General", "the formula in cell B3 has no stored value"),
        ("#N/A", "General", "cell B3 has the error #N/A"),
    ],
)
def test_a_cell_that_is_shown_in_an_unknown_way_is_no_label(
    tmp_path: Path, value: object, format: str, reason: str
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["path", "category"], ["a.jpg", "owl"], ["b.jpg", value], ["c.jpg", "auk"]):
        sheet.append(row)
    sheet["B3"].number_format = format
    book.save(tmp_path / "t.xlsx")
    found = read(tmp_path / "t.xlsx")
    assert labels_of(found) == [
        (2, "a.jpg", {"category": "owl"}),
        (3, "b.jpg", {}),
        (4, "c.jpg", {"category": "auk"}),
    ]
    assert [str(one) for one in found.remarks] == [
        f"1 cell of the column “category” is not read as a label: {reason}."
    ]
    for name, column in (("path", "A"), ("set", "B"), ("label", "C")):
        sheet[f"{column}1"] = name
    sheet["B2"], sheet["C2"] = "view", "left"
    sheet["C3"], sheet["C3"].number_format, sheet["B3"] = value, format, "view"
    book.save(tmp_path / "l.xlsx")
    found = read(tmp_path / "l.xlsx")
    assert [str(one.reason) for one in found.rejected][:1] == [reason.replace("B3", "C3")]
    assert len(found.images) == 1


def test_a_formula_is_read_by_its_stored_value(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path", "category"], ["a.jpg", "=1"], ["b.jpg", "=2"]])
    stored = tmp_path / "stored.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(stored, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = data.replace(b'<c r="B2">', b'<c r="B2" t="str">')
                data = data.replace(b'<c r="B3">', b'<c r="B3" t="str">')
                data = data.replace(b"<f>1</f><v />", b"<f>1</f><v>owl</v>")
                assert b"owl" in data
            new.writestr(name, data)
    found = read(stored)
    assert labels_of(found) == [(2, "a.jpg", {"category": "owl"}), (3, "b.jpg", {})]
    assert found.remarks == []


def test_workbooks_are_recognised_by_their_header(tmp_path: Path, monkeypatch) -> None:
    labels = [["path", "set", "label"], ["a.jpg", "view", "left"], ["b.jpg", "kind", "path"]]
    parts = [["path", "set", "label"], ["a.jpg", "train", "owl"], ["b.jpg", "test", "auk"]]
    table = [["path", "label"], ["a.jpg", "owl"]]
    kinds = [kind_of(workbook(tmp_path / "t.xlsx", rows)) for rows in (labels, parts, table)]
    assert kinds == [TextKind.LABELS, TextKind.TABLE, TextKind.TABLE]
    monkeypatch.setattr(rows_module, "SMALL", 0)  # large ones by their first texts
    kinds = [kind_of(workbook(tmp_path / "t.xlsx", rows)) for rows in (labels, table)]
    assert kinds == [TextKind.LABELS, TextKind.TABLE]


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "t.xlsx", "path,label\n")
    with pytest.raises(KnownError, match=r"t\.xlsx is not an Excel workbook.*as CSV"):
        read(path, format=TABLE)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(KnownError, match=r"t\.xlsx cannot be read"):
        read(path, format=TABLE)
    with pytest.raises(KnownError, match="is empty"):
        read(workbook(path, []), format=TABLE)
    with pytest.raises(KnownError, match="does not exist"):
        read(tmp_path / "gone.xlsx", format=TABLE)


def test_written_workbooks_have_their_size(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "t.xlsx"
    write_rows(path, [["path", "kind", "part"], ["a.jpg", "owl", "train"]])
    with zipfile.ZipFile(path) as archive:
        assert b'<dimension ref="A1:C2"' in archive.read("xl/worksheets/sheet1.xml")
    assert openpyxl.load_workbook(path).active.dimensions == "A1:C2"
    monkeypatch.setattr(sheets_module, "MOST_ROWS", 1)
    with pytest.raises(KnownError, match=r"at most 1 rows\. Export to CSV"):
        write_rows(tmp_path / "u.xlsx", [["path"], ["a.jpg"]])


def replaced(path: Path, name: str, content: bytes) -> Path:
    """The workbook with another content of one of its members."""
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, data in (members | {name: content}).items():
            archive.writestr(one, data)
    return path


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch) -> None:
    assert sheets_module.MOST_UNPACKED < 1e9
    path = replaced(
        workbook(tmp_path / "t.xlsx", [["path"]]), "xl/sharedStrings.xml", b" " * 20_000_000
    )
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(sheets_module, "MOST_UNPACKED", 10_000_000)
    with pytest.raises(KnownError, match=r"t\.xlsx is too large: a sheet may have 1,048,576 rows"):
        read(path, format=TABLE)


@pytest.mark.parametrize(
    "row",
    [
        '<row r="10000000"><c r="A10000000"><v>1</v></c></row>',
        '<row r="2"><c r="XFD2"><v>1</v></c></row>',
    ],
)
def test_a_sheet_with_too_many_rows_or_columns_is_refused(tmp_path: Path, row: str) -> None:
    head = '<row r="1"><c r="A1" t="inlineStr"><is><t>path</t></is></c></row>'
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{head}{row}</sheetData></worksheet>'
    path = workbook(tmp_path / "t.xlsx", [["path"]])
    replaced(path, "xl/worksheets/sheet1.xml", sheet.encode())
    with pytest.raises(KnownError, match=r"t\.xlsx is too large"):
        read(path, format=TABLE)


# writing

IMAGES = [
    ImageRecord(
        "birds/a.jpg",
        (GivenLabel("category", "owl"), GivenLabel("view", "left")),
        Part.TRAIN,
    ),
    ImageRecord("b.jpg", (GivenLabel("view", "top"),)),
    ImageRecord("c.jpg", part=Part.TEST),
]


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "tab", "psv"])
def test_a_written_table_is_read_as_it_was(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    assert TABLE.write(path, Dataset(tmp_path, IMAGES), WriteOptions()) == []
    assert [one.name for one in recognised(path)] == ["table"]
    found = read(path)
    assert [(one.path, one.labels, one.part) for one in found.images] == [
        (one.path, one.labels, one.part) for one in IMAGES
    ]


def test_what_a_table_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.part"  # as while a file is replaced
    TABLE.write(path, Dataset(tmp_path, IMAGES), WriteOptions())
    assert path.read_bytes().decode() == (
        "path,category,view,part\r\nbirds/a.jpg,owl,left,train\r\nb.jpg,,top,\r\nc.jpg,,,test\r\n"
    )


def test_boxes_and_confidences_are_written_and_what_is_lost_is_reported(tmp_path: Path) -> None:
    images = [
        ImageRecord(
            "a.jpg",
            (GivenLabel("", "owl", confidence=0.5), GivenLabel("", "auk")),
            regions=(Region((1, 2, 3, 4.5), (GivenLabel("", "beak"),)),),
        ),
        ImageRecord("b.jpg", regions=(Region((0, 0, 0.5, 1), relative=True),)),
        ImageRecord(
            "c.jpg", regions=(Region((0, 0, 0.5, 1), relative=True),), width=100, height=50
        ),
    ]
    path = tmp_path / "t.csv"
    messages = TABLE.write(path, Dataset(tmp_path, images), WriteOptions(label_set="category"))
    assert list(map(str, messages)) == [
        "1 label is not written: a table has one label of a set in each row.",
        "1 box is not written: the size of its image is unknown.",
    ]
    assert path.read_text().splitlines() == [
        "path,category,left,top,right,bottom,confidence",
        "a.jpg,owl,,,,,0.5",
        "a.jpg,beak,1,2,3,4.5,1.0",
        "b.jpg,,,,,,",
        "c.jpg,,0,0,50.0,50,",
    ]
    found = read(path)
    assert found.rejected == []
    assert found.images[1].regions == (Region((1, 2, 3, 4.5), (GivenLabel("category", "beak"),)),)


FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'=1",
    "''=1",
    " =1",
    "\u3000\u200b＝1",
    "-1_0",
    "'quoted",
    "'",
    "plain",
    "",
)


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx"])
def test_formulas_are_written_as_text_and_counted(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    (message,) = write_rows(path, [["a", "b"], *([text, "x"] for text in FORMULAS), [-3, -0.5]])
    assert message.values["n"] == 9  # not the numbers
    assert str(message).startswith("9 cells begin as formulas do.")
    if ending == "xlsx":
        rows = [[one.value for one in row] for row in openpyxl.load_workbook(path).active.rows]
    else:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if ending == "tsv" else ","))
    cells = [row[0] or "" for row in rows[1:-1]]
    begin = tuple("=+-@\t\r＝")
    assert [cell for cell in cells if cell.strip(" \u3000\u200b")[:1] in begin and cell] == [
        "+1",
        "-1",
    ]
    assert [unguarded(cell.replace("_x000D_", "\r")) for cell in cells] == list(FORMULAS)
    assert [str(cell) for cell in rows[-1]] == ["-3", "-0.5"]  # numbers stay numbers
    assert write_rows(path, [["a"], ["b"]]) == []


def test_cells_that_look_like_rows_come_back(tmp_path: Path) -> None:
    labels = ("owl\nb.jpg,cat\nc.jpg,dog", "0\r,", 'a "b"\nx.jpg,y')
    images = [ImageRecord(f"{i}.jpg", (GivenLabel("kind", one),)) for i, one in enumerate(labels)]
    TABLE.write(tmp_path / "t.csv", Dataset(tmp_path, images), WriteOptions())
    found = read(tmp_path / "t.csv")
    assert [one.labels[0].label for one in found.images] == list(labels)
    assert found.rejected == []


@round_trips
@hypothesis.given(
    st.lists(any_text, min_size=1, max_size=6), st.sampled_from(["csv", "tsv", "xlsx"])
)
def test_any_label_comes_back(tmp_path_factory, labels: list[str], ending: str) -> None:
    path = tmp_path_factory.mktemp("t") / f"t.{ending}"
    images = [
        ImageRecord(f"{i}.jpg", (GivenLabel("category", name),) if (name := tidied(label)) else ())
        for i, label in enumerate(labels)
    ]
    TABLE.write(path, Dataset(path.parent, images), WriteOptions())
    found = read(path, format=TABLE)
    assert found.rejected == []
    assert [(one.path, one.labels) for one in found.images] == [
        (one.path, one.labels) for one in images
    ]


def test_many_words_in_a_column_of_parts_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"{i}.jpg,word {i}\n" for i in range(25))
    found = read(written(tmp_path, "t.csv", f"path,split\na.jpg,test\n{rows}"))
    assert len(found.remarks) == 21
    last = "5 other words in the column “split” are no parts of a split."
    assert str(found.remarks[-1]) == last


@pytest.mark.parametrize("header", ["path,label", "path,set,label", "# path,label"])
def test_comments_before_the_header_are_passed_over(tmp_path, header):
    row = "a.jpg,view,owl" if "set" in header else "a.jpg,owl"
    comments = "" if header[0] == "#" else "# made by hand, 2024\n\n## two\n"
    file = written(tmp_path, "t.csv", f"{comments}{header}\n{row}\n")
    format = "label-file" if "set" in header else "table"
    assert recognised(file)[0].name == format
    found = read(file)
    assert [(one.path, one.labels[0].label) for one in found.images] == [("a.jpg", "owl")]
    assert found.images[0].line == (5 if comments else 2)
