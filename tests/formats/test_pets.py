"""Oxford-IIIT Pets: its files as published, and malformed ones."""

import pytest

from tests.formats.reading import read, rejects, write_files
from workbench.domain.datasets import DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, recognised

LIST = """#Image CLASS-ID SPECIES BREED ID
#ID: 1:37 Class ids
#SPECIES: 1:Cat 2:Dog
#BREED ID: 1-25:Cat 1:12:Dog
#All images with 1st letter as captial are cat images
#images with small first letter are dog images
Abyssinian_100 1 1 1
american_bulldog_7 2 2 1
Abyssinian_101 1 1 1
"""
XML = """<annotation>
  <folder>OXIIIT</folder><filename>Abyssinian_100.jpg</filename>
  <size><width>600</width><height>400</height><depth>3</depth></size>
  <object><name>cat</name><pose>Frontal</pose>
    <bndbox><xmin>333</xmin><ymin>72</ymin><xmax>425</xmax><ymax>158</ymax></bndbox>
  </object>
</annotation>"""
FILES = {
    "annotations/list.txt": LIST,
    "annotations/trainval.txt": "Abyssinian_100 1 1 1\n",
    "annotations/test.txt": "american_bulldog_7 2 2 1\n",
    "annotations/xmls/Abyssinian_100.xml": XML,
}


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path, FILES)


def test_all_files_as_published(folder):
    assert recognised(folder)[0].name == "pets"
    dataset = read("pets", folder)
    assert (dataset.rejected, dataset.remarks, dataset.base) == ([], [], folder)
    cat, dog = GivenLabel("species", "cat"), GivenLabel("species", "dog")
    assert dataset.images == [
        ImageRecord(
            "images/Abyssinian_100.jpg",
            (GivenLabel("", "Abyssinian"), cat),
            Part.TRAIN,
            (Region((332.0, 71.0, 425.0, 158.0), (cat,)),),
            line=1,
            file="trainval.txt",
        ),
        ImageRecord(
            "images/american_bulldog_7.jpg",
            (GivenLabel("", "american_bulldog"), dog),
            Part.TEST,
            line=1,
            file="test.txt",
        ),
        ImageRecord(
            "images/Abyssinian_101.jpg",
            (GivenLabel("", "Abyssinian"), cat),
            line=9,
            file="list.txt",
        ),
    ]
    assert dataset.sets[""] == DeclaredSet(("Abyssinian", "american_bulldog"))
    assert dataset.sets["species"] == DeclaredSet(("cat", "dog"))
    assert not FORMATS["pets"].written


def test_the_list_alone_is_enough(tmp_path):
    write_files(tmp_path, {"annotations/list.txt": LIST})
    assert recognised(tmp_path)[0].name == "pets"
    assert [image.part for image in read("pets", tmp_path).images] == [None] * 3


def test_malformed_rows_are_rejected_and_the_others_kept(folder):
    rows = (
        "Abyssinian_100 1 1 1\nAbyssinian 1 1 1\nBengal_1 2 1\nBengal_1 x 1 2\nBengal_2 6 3 2\n"
        "Bengal_3 6 1 2\n"
    )
    write_files(
        folder,
        {
            "annotations/trainval.txt": rows,
            "annotations/test.txt": "Abyssinian_100 1 1 1\namerican_bulldog_7 2 2 1\n",
        },
    )
    dataset = read("pets", folder)
    assert rejects(dataset) == [
        ("trainval.txt, line 2", "“Abyssinian” is not a breed with a number"),
        ("trainval.txt, line 3", "the row has 3 values instead of 4"),
        ("trainval.txt, line 4", "“x” is not a whole number"),
        ("trainval.txt, line 5", "“3” is not the number of a species"),
        ("test.txt, line 1", "the image is in two parts of the split"),
    ]
    assert [image.path for image in dataset.images] == [
        "images/Abyssinian_100.jpg",
        "images/Bengal_3.jpg",
        "images/american_bulldog_7.jpg",
        "images/Abyssinian_101.jpg",
    ]
    assert dataset.sets[""].labels == ("Abyssinian", "american_bulldog", "Bengal")


@pytest.mark.parametrize(
    "xml",
    [
        XML.replace("<name>", "<"),
        XML.replace("333", "x"),
        XML.replace("<xmin>333</xmin>", ""),
        XML.replace("333", "426"),
        '<!DOCTYPE a [<!ENTITY b "c">]>' + XML,
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a>' + XML).encode("utf-16"),
        "",
    ],
)
def test_a_damaged_file_of_boxes_is_rejected(folder, xml):
    write_files(folder, {"annotations/xmls/Abyssinian_100.xml": xml})
    dataset = read("pets", folder)
    assert [place for place, _ in rejects(dataset)] == ["Abyssinian_100.xml"]
    assert [image.regions for image in dataset.images] == [()] * 3


def test_entities_are_not_expanded(folder):
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><annotation>&c;'
    write_files(folder, {"annotations/xmls/Abyssinian_100.xml": bomb})
    (_, reason), *_ = rejects(read("pets", folder))
    assert "it has a document type" in reason


def test_other_folders_are_not_recognised(tmp_path):
    write_files(tmp_path, {"annotations/list.txt": "a b c\n", "annotations/test.txt/x": ""})
    assert not FORMATS["pets"].recognises(tmp_path)
    assert not FORMATS["pets"].recognises(tmp_path / "annotations" / "list.txt")
