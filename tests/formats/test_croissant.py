"""Croissant: metadata over tables and folders, damaged metadata, and round trips."""

import csv
import hashlib
import json
import re

import pytest
from hypothesis import given

from tests.formats.published_sets import datasets, labels_of, line, thorough
from tests.formats.reading import by_path, read, rejects, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised

TRAIN, VALIDATION, TEST = Part
CONFORMS = "http://mlcommons.org/croissant/1.0"


def field(name, kind="sc:Text", **source):
    return {
        "@type": "cr:Field",
        "@id": f"records/{name}",
        "name": name,
        "dataType": kind,
        "source": source,
    }


def column(name, kind="sc:Text", table="birds.csv"):
    return field(name, kind, fileObject={"@id": table}, extract={"column": name})


def metadata(*fields, distribution=(), **more):
    records = {"@type": "cr:RecordSet", "@id": "records", "field": list(fields), **more}
    content = {
        "@type": "sc:Dataset",
        "name": "birds",
        "conformsTo": CONFORMS,
        "distribution": list(distribution),
        "recordSet": [records],
    }
    return json.dumps(content)


TABLE = {
    "@type": "cr:FileObject",
    "@id": "birds.csv",
    "contentUrl": "https://example.org/files/birds.csv",
    "encodingFormat": "text/csv",
}
IMAGES = {
    "@type": "cr:FileSet",
    "@id": "files",
    "encodingFormat": "image/jpeg",
    "includes": ["*.jpg", "*.png"],
}


def test_a_table(tmp_path):
    fields = [column(name) for name in ("image", "split", "label", "view")]
    table = "image,split,label,view\n1.jpg,train,owl,left\na\\2.jpg,val,,top\n3.jpg,extra,owl,\n"
    folder = write_files(
        tmp_path,
        {"metadata.json": metadata(*fields, distribution=[TABLE]), "birds.csv": table},
    )
    assert recognised(folder)[0].name == "croissant"
    dataset = read("croissant", folder)
    assert (dataset.rejected, dataset.remarks, dataset.base) == ([], [], folder)
    assert dataset.images == [
        ImageRecord(
            "1.jpg",
            (GivenLabel("", "owl"), GivenLabel("view", "left")),
            TRAIN,
            line=2,
            file="birds.csv",
        ),
        ImageRecord("a/2.jpg", (GivenLabel("view", "top"),), VALIDATION, line=3, file="birds.csv"),
        ImageRecord(
            "3.jpg",
            (GivenLabel("split", "extra"), GivenLabel("", "owl")),
            line=4,
            file="birds.csv",
        ),
    ]
    assert dataset.sets["view"] == DeclaredSet(("left", "top"))


def test_a_folder_whose_names_are_labels(tmp_path):
    source = {"fileSet": {"@id": "files"}, "extract": {"fileProperty": "fullpath"}}
    label = field("label", **source, transform={"regex": "^(?:.*/)?([^/]+)/[^/]+$"})
    image = field(
        "picture",
        "sc:ImageObject",
        fileSet={"@id": "files"},
        extract={"fileProperty": "content"},
    )
    text = metadata(label, image, distribution=[IMAGES])
    files = dict.fromkeys(("owl/1.jpg", "a/jay/2.png", "owl/3.tif", "owl/notes.txt"), b"x")
    folder = write_files(tmp_path, {"croissant.json": text, **files})
    found = by_path(read("croissant", folder))
    assert {path: one.labels for path, one in found.items()} == {
        "owl/1.jpg": (GivenLabel("", "owl"),),
        "a/jay/2.png": (GivenLabel("", "jay"),),
    }


def test_records_in_the_metadata(tmp_path):
    data = [{"records/image": "1.jpg", "records/label": "owl"}, {"image": "2.jpg", "label": 3}, 5]
    text = metadata(field("image", "sc:ImageObject"), field("label"), data=data)
    dataset = read("croissant", write_files(tmp_path, {"birds.json": text}))
    assert [(image.path, image.labels[0].label) for image in dataset.images] == [
        ("1.jpg", "owl"),
        ("2.jpg", "3"),
    ]
    assert rejects(dataset) == [("birds.json, entry 3", "the row has no image")]


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*b", ".*.*.*.*x", "(.)\\1", "(?<=a)b", "a" * 300, "(", "a**"],
)
def test_patterns_that_may_take_long_are_not_used(tmp_path, pattern):
    source = {"fileSet": {"@id": "files"}, "extract": {"fileProperty": "fullpath"}}
    label = field("label", **source, transform={"regex": pattern})
    text = metadata(field("image", **source), label, distribution=[IMAGES])
    folder = write_files(tmp_path, {"croissant.json": text, "a/1.jpg": b"x"})
    ((place, reason),) = rejects(read("croissant", folder))
    assert place == "croissant.json"
    assert reason.startswith("the pattern ")


def test_malformed_rows_are_rejected_and_the_others_kept(tmp_path):
    text = metadata(column("image"), column("label"), distribution=[TABLE])
    table = "image,label\n,owl\n1.jpg\n2.jpg,owl\n"
    folder = write_files(tmp_path, {"croissant.json": text, "birds.csv": table})
    dataset = read("croissant", folder)
    assert [image.path for image in dataset.images] == ["2.jpg"]
    assert rejects(dataset) == [
        ("birds.csv, line 2", "the row has no image"),
        ("birds.csv, line 3", "1 cell, but 2 columns"),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"contentUrl": "other.csv", "@id": "b"}, "“b” is not a CSV table"),
        ({"contentUrl": "birds.parquet", "@id": "birds"}, "“birds” is not a CSV table"),
        ({"contentUrl": "../birds.csv", "@id": "birds"}, "“birds” is not a CSV table"),
        ({}, "“birds.csv” does not exist"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, change, reason):
    table = {**TABLE, **change}
    origin = table["@id"] if change.get("contentUrl") != "other.csv" else "b"
    if change.get("contentUrl") == "other.csv":
        table["contentUrl"] = "other.txt"
    text = metadata(column("image", table=origin), distribution=[table])
    write_files(tmp_path / "inner", {"croissant.json": text})
    write_files(tmp_path, {"birds.csv": "image\n1.jpg\n"})
    dataset = read("croissant", tmp_path / "inner")
    assert rejects(dataset) == [("croissant.json", reason)]
    assert dataset.images == []


def test_record_sets_without_images_are_counted(tmp_path):
    text = metadata(column("name"), column("age"), distribution=[TABLE])
    dataset = read("croissant", write_files(tmp_path, {"croissant.json": text}))
    assert dataset.remarks == ["1 record set has no field with images."]


@pytest.mark.parametrize(
    "text", [f'["{CONFORMS}"]', f'{{"a": "{CONFORMS}"', f'{{"a": "{CONFORMS}", "b": }}']
)
def test_damaged_metadata_are_refused(tmp_path, text):
    folder = write_files(tmp_path, {"croissant.json": text})
    with pytest.raises(KnownError, match=r"croissant\.json cannot be read"):
        read("croissant", folder)


def test_odd_metadata_are_no_fault(tmp_path):
    odd = {
        "conformsTo": CONFORMS,
        "distribution": {"@id": "birds.csv"},
        "recordSet": [3, {"field": [None, {"name": "image", "source": 3, "dataType": None}]}],
    }
    dataset = read("croissant", write_files(tmp_path, {"croissant.json": json.dumps(odd)}))
    assert rejects(dataset) == [("croissant.json", "“image” has no source")]


def test_other_folders_are_refused(tmp_path):
    write_files(tmp_path, {"metadata.json": "{}", "x.json/a": ""})
    assert not FORMATS["croissant"].recognises(tmp_path)
    assert not FORMATS["croissant"].recognises(tmp_path / "metadata.json")
    with pytest.raises(KnownError, match="has no metadata of Croissant"):
        read("croissant", tmp_path)


def test_what_is_written_describes_its_table(tmp_path):
    box = Region((0, 0, 1, 1))
    images = [
        ImageRecord(
            "1.jpg",
            (GivenLabel("", "a, b"), GivenLabel("", "c"), GivenLabel("my view", "left")),
            TEST,
            (box,),
        ),
        ImageRecord("2.jpg", (GivenLabel("split", "x"), GivenLabel("label", "y"))),
    ]
    assert FORMATS["croissant"].write(tmp_path, Dataset(tmp_path, images), WriteOptions()) == [
        "1 label of “split” is not written.",
        "1 label of “label” is not written.",
        "1 further label of an image is not written.",
        "1 box is not written.",
    ]
    table = (tmp_path / "data.csv").read_bytes()
    assert table == b'file_name,split,label,my view\r\n1.jpg,test,"a, b",left\r\n2.jpg,,,\r\n'
    content = json.loads((tmp_path / "croissant.json").read_text())
    assert content["conformsTo"] == CONFORMS
    assert content["distribution"][0]["sha256"] == hashlib.sha256(table).hexdigest()
    fields = content["recordSet"][0]["field"]
    assert [one["@id"] for one in fields] == [
        "images/file_name",
        "images/split",
        "images/label",
        "images/my_view-3",
    ]
    assert recognised(tmp_path)[0].name == "croissant"


@thorough
@given(datasets(labels_of(["", "view", "a/b"], line)))
def test_what_is_written_is_read_again(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("croissant") / "new"
    notes = FORMATS["croissant"].write(folder, dataset, WriteOptions())
    assert all("as formulas do" in str(note) for note in notes)
    assert by_path(read("croissant", folder)) == by_path(dataset)


def test_formulas_are_guarded_and_a_pattern_brings_them_back(tmp_path):
    texts = ("=1+1", "owl", "'@a", "-1", " \u3000＝x")
    names = ("", "＋set")
    images = [
        ImageRecord(f"{at}.jpg", tuple(GivenLabel(name, text) for name in names))
        for at, text in enumerate(texts)
    ]
    (note,) = FORMATS["croissant"].write(tmp_path, Dataset(tmp_path, images), WriteOptions())
    assert note.values["n"] == 7
    with (tmp_path / "data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    fields = json.loads((tmp_path / "croissant.json").read_text())["recordSet"][0]["field"]
    for field in fields[2:]:
        pattern = field["source"]["transform"]["regex"]
        cells = [row[field["source"]["extract"]["column"]] for row in rows]
        assert cells[0] == "'=1+1"
        found = [re.match(pattern, cell) for cell in cells]
        assert tuple(one[1] if one else cell for one, cell in zip(found, cells, strict=True)) == (
            texts
        )
    assert "transform" not in fields[0]["source"]
    read_again = read("croissant", tmp_path)
    assert set(read_again.sets) == {"", "＋set"}
    assert [one.labels[0].label for one in read_again.images] == [text.strip() for text in texts]


def test_the_reference_implementation_reads_it(tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    images = [ImageRecord("1.jpg", (GivenLabel("", "owl"), GivenLabel("view", "=left")), TRAIN)]
    FORMATS["croissant"].write(tmp_path, Dataset(tmp_path, images), WriteOptions())
    found = mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))
    (record,) = found.records(record_set="images")
    assert {name.rpartition("/")[2]: value.decode() for name, value in record.items()} == {
        "file_name": "1.jpg",
        "split": "train",
        "label": "owl",
        "view": "=left",
    }


LABELS = {"@type": "cr:FileObject", "@id": "labels.csv", "contentUrl": "labels.csv"}
FOLDERS = {"@type": "cr:FileSet", "@id": "files", "includes": "images/*/*.jpg"}
PICTURE = field(
    "image", "sc:ImageObject", fileSet={"@id": "files"}, extract={"fileProperty": "content"}
)
OF_FILES = {"fileSet": {"@id": "files"}, "extract": {"fileProperty": "filename"}}


def joined_folder(path, *fields, table):
    text = metadata(*fields, PICTURE, distribution=[LABELS, FOLDERS])
    pictures = dict.fromkeys(("images/owl/1.jpg", "images/jay/2.jpg"), b"x")
    return write_files(path, {"croissant.json": text, "labels.csv": table, **pictures})


def of_table(name):
    return column(name, table="labels.csv")


def test_labels_of_a_table_are_joined_with_the_files(tmp_path):
    key = of_table("filename") | {"references": OF_FILES}
    table = "filename,label\n2.jpg,jay\n1.jpg,owl\n3.jpg,kite\n1.jpg,barn owl\n"
    dataset = read("croissant", joined_folder(tmp_path, key, of_table("label"), table=table))
    said = [(one.path, one.labels, one.file, one.line) for one in dataset.images if one.labels]
    assert said == [
        ("images/jay/2.jpg", (GivenLabel("", "jay"),), "labels.csv", 2),
        ("images/owl/1.jpg", (GivenLabel("", "owl"),), "labels.csv", 3),
        ("images/owl/1.jpg", (GivenLabel("", "barn owl"),), "labels.csv", 5),
    ]
    assert dataset.sets == {"": DeclaredSet(("jay", "owl", "barn owl"))}
    assert dataset.remarks == ["1 row of labels.csv belongs to no image."]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_join_may_name_a_field_and_have_a_pattern(tmp_path, reverse):
    stems = {**OF_FILES, "transform": {"regex": r"^(.*)\.jpg$"}}
    names = field("file", **stems)
    key = of_table("id")
    if reverse:
        names |= {"references": {"field": {"@id": "records/id"}}}
    else:
        key |= {"references": {"field": {"@id": "records/file"}}}
    table = "id,label\n1,owl\n2,jay\n"
    folder = joined_folder(tmp_path, names, key, of_table("label"), table=table)
    given = {one.path: one.labels for one in read("croissant", folder).images if one.labels}
    assert given == {
        "images/owl/1.jpg": (GivenLabel("", "owl"),),
        "images/jay/2.jpg": (GivenLabel("", "jay"),),
    }


def test_fields_that_nothing_joins_are_left_out_with_a_remark(tmp_path):
    name = field("filename", **OF_FILES)
    folder = joined_folder(tmp_path, name, of_table("label"), table="image,label\n1.jpg,owl\n")
    dataset = read("croissant", folder)
    assert [(one.path, one.labels) for one in dataset.images] == [
        ("images/jay/2.jpg", ()),
        ("images/owl/1.jpg", ()),
    ]
    assert dataset.sets == {}
    assert dataset.remarks == [
        "“label” is not imported: no field joins labels.csv with the images."
    ]


def test_a_column_of_another_table_is_not_taken_for_one_of_this(tmp_path):
    tables = [TABLE, {**LABELS}]
    text = metadata(column("image"), of_table("label"), distribution=tables)
    files = {"birds.csv": "image,label\n1.jpg,wrong\n", "labels.csv": "image,label\n1.jpg,owl\n"}
    dataset = read("croissant", write_files(tmp_path, {"croissant.json": text, **files}))
    assert [one.labels for one in dataset.images] == [()]
    assert dataset.remarks == [
        "“label” is not imported: no field joins labels.csv with the images."
    ]


def test_the_pattern_of_a_column_is_used(tmp_path):
    label = column("label")
    label["source"]["transform"] = {"regex": "([a-z]+)_.*"}
    text = metadata(column("image"), label, distribution=[TABLE])
    table = "image,label\n1.jpg,owl_01\n2.jpg,jay\n"
    dataset = read("croissant", write_files(tmp_path, {"croissant.json": text, "birds.csv": table}))
    assert [one.labels[0].label for one in dataset.images] == ["owl", "jay"]


def test_the_file_with_the_metadata_can_be_chosen(tmp_path):
    text = metadata(column("image"), column("label"), distribution=[TABLE])
    table = "image,label\n1.jpg,owl\n"
    folder = write_files(tmp_path, {"metadata.json": text, "birds.csv": table})
    assert [one.name for one in recognised(folder / "metadata.json")][:1] == ["croissant"]
    dataset = read("croissant", folder / "metadata.json")
    assert (dataset.base, [one.path for one in dataset.images]) == (folder, ["1.jpg"])
