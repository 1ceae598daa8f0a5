"""Pascal VOC as its tools write it, malformed files, and entities."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.strategies import by_path, given_pairs, read_dataset, rejects, write_files
from workbench.domain.datasets import (
    MAIN_SET,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.errors import KnownError
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions

OBJECT = """
  <object>
    <name>{name}</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
    <bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax>
    </bndbox>{more}
  </object>"""


def annotation(file: str, *objects: str) -> str:
    return f"""<annotation>
  <folder>VOC2007</folder><filename>{file}</filename>
  <source><database>The VOC2007 Database</database></source>
  <size><width>353</width><height>500</height><depth>3</depth></size>
  <segmented>0</segmented>{"".join(objects)}
</annotation>"""


def one(name: str, *box: object, more: str = "") -> str:
    return OBJECT.format(name=name, box=box, more=more)


def voc(tmp_path: Path, **files: str | bytes) -> Path:
    attributes = (
        "<attributes><attribute><name>occluded</name><value>0</value></attribute>"
        "<attribute><name>colour</name><value>brown</value></attribute></attributes>"
    )
    content = {
        "Annotations/000001.xml": annotation(
            "000001.jpg",
            one("dog", 48, 240, 195, 371, more=attributes),
            one("person", 8, 12, 352, 498),
        ),
        "Annotations/000002.xml": annotation("000002.jpg"),
        "ImageSets/Main/train.txt": "000001\n",
        "ImageSets/Main/val.txt": "000002\n\n",
        "ImageSets/Main/trainval.txt": "000001\n000002\n",
        "ImageSets/Main/test.txt": "000009\n",
        "ImageSets/Main/dog_trainval.txt": "000001  1\n000002 -1\n",
        "ImageSets/Main/big cat_trainval.txt": "000001  0\n000002  1\n",
        "JPEGImages/000001.jpg": b"",
    }
    return write_files(tmp_path, content | files)


def test_pixels_parts_and_labels_are_read(tmp_path):
    path = voc(tmp_path)
    assert FORMATS["voc"].recognises(path)
    read = read_dataset("voc", path)
    images = by_path(read)
    assert {name: image.part for name, image in images.items()} == {
        "JPEGImages/000001.jpg": Part.TRAIN,
        "JPEGImages/000002.jpg": Part.VALIDATION,
        "JPEGImages/000009.jpg": Part.TEST,
    }
    first = images["JPEGImages/000001.jpg"]
    assert (first.width, first.height, first.file) == (353, 500, "Annotations/000001.xml")
    dog, person = first.regions
    assert dog.box == (47, 239, 195, 371), "pixels are counted from 1, the last one is inside"
    assert given_pairs(dog.labels) == [(MAIN_SET, "dog"), ("colour", "brown")]
    assert person.box == (7, 11, 352, 498)
    assert given_pairs(first.labels) == [(MAIN_SET, "dog")]
    assert given_pairs(images["JPEGImages/000002.jpg"].labels) == [(MAIN_SET, "big cat")]
    assert set(read.sets[MAIN_SET].labels) == {"dog", "big cat", "person"}
    assert read.rejected == []


def test_xml_files_beside_their_images_are_read(tmp_path):
    files = {
        "train/a.xml": annotation("a.jpg", one("cat", 1, 1, 10, 10)),
        "valid/b.xml": annotation("b.jpg"),
        "c.xml": annotation("c"),
        "notes.xml": "<notes/>",
    }
    root = write_files(tmp_path, files)
    assert FORMATS["voc"].recognises(root)
    read = read_dataset("voc", root)
    assert {name: image.part for name, image in by_path(read).items()} == {
        "train/a.jpg": Part.TRAIN, "valid/b.jpg": Part.VALIDATION, "c.jpg": None,
    }  # fmt: skip
    assert by_path(read)["train/a.jpg"].regions[0].box == (0, 0, 10, 10)
    assert [place for place, _ in rejects(read)] == ["notes.xml"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (one("cat", "x", 1, 2, 3), "“bndbox/xmin” is not a number"),
        (one("cat", "inf", 1, 2, 3), "“bndbox/xmin” is not a number"),
        (one("cat", 5, 1, 2, 3), "the box is empty"),
        (one("", 1, 1, 2, 3), "the name is missing"),
        ("<object><name>cat</name></object>", "“bndbox/xmin” is not a number"),
    ],
)
def test_a_malformed_object_is_rejected_and_its_neighbours_are_kept(tmp_path, wrong, reason):
    xml = annotation("000001.jpg", one("dog", 1, 2, 3, 4), wrong, one("cat", 1, 2, 5, 6))
    read = read_dataset("voc", voc(tmp_path, **{"Annotations/000001.xml": xml}))
    assert rejects(read) == [("Annotations/000001.xml, entry 2 of “object”", reason)]
    boxes = [region.box for region in by_path(read)["JPEGImages/000001.jpg"].regions]
    assert boxes == [(0, 1, 3, 4), (0, 1, 5, 6)]


ENTITIES = '<!DOCTYPE annotation [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><annotation>&b;'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<annotation>",
        b"\x00\x01",
        f"{ENTITIES}</annotation>".encode(),
        f"{ENTITIES}</annotation>".encode("utf-16"),
        b'<!DOCTYPE annotation SYSTEM "http://127.0.0.1/x.dtd"><annotation/>',
        b"<annotations/>",
    ],
)
def test_a_damaged_or_dangerous_file_is_rejected_by_name(tmp_path, data):
    path = voc(tmp_path, **{"Annotations/000001.xml": data})
    read = read_dataset("voc", path)
    assert rejects(read)[0][0] == "Annotations/000001.xml"
    assert "JPEGImages/000002.jpg" in by_path(read)


def test_lines_about_unknown_images_are_rejected(tmp_path):
    labels = "000001  1\n000005  1\n000002 yes\n"
    read = read_dataset("voc", voc(tmp_path, **{"ImageSets/Main/dog_trainval.txt": labels}))
    assert rejects(read) == [
        ("ImageSets/Main/dog_trainval.txt, line 2", "the image has no annotation"),
        ("ImageSets/Main/dog_trainval.txt, line 3", "the line does not end with 1, 0 or -1"),
    ]


def test_a_box_smaller_than_a_pixel_is_one_pixel(tmp_path):
    region = Region((10.2, 20.4, 10.4, 20.45), (GivenLabel(MAIN_SET, "dog"),))
    dataset = Dataset(tmp_path, [ImageRecord("a.jpg", regions=(region,))])
    FORMATS["voc"].write(tmp_path, dataset, WriteOptions())
    assert read_dataset("voc", tmp_path).images[0].regions[0].box == (10, 20, 11, 21)


def test_a_folder_of_another_kind_is_refused_by_name(tmp_path):
    assert not FORMATS["voc"].recognises(tmp_path)
    with pytest.raises(KnownError, match="is not a dataset in Pascal VOC format"):
        read_dataset("voc", tmp_path)


def test_what_is_written_is_as_the_development_kit_has_it(tmp_path):
    region = Region((47, 239, 195, 371), (GivenLabel(MAIN_SET, "dog"),))
    image = ImageRecord(
        "x/a.jpg", (GivenLabel(MAIN_SET, "a/b"),), Part.TRAIN, (region,), width=353, height=500
    )
    sets = {MAIN_SET: DeclaredSet(("dog", "unused", "a/b"))}
    FORMATS["voc"].write(tmp_path, Dataset(tmp_path, [image], sets=sets), WriteOptions())
    xml = (tmp_path / "Annotations/x/a.xml").read_text()
    assert "<filename>x/a.jpg</filename>" in xml
    for edge in ("<xmin>48<", "<ymin>240<", "<xmax>195<", "<ymax>371<"):
        assert edge in xml
    assert (tmp_path / "ImageSets/Main/train.txt").read_text() == "x/a\n"
    assert (tmp_path / "ImageSets/Main/a%2Fb_train.txt").read_text() == "x/a  1\n"
    assert (tmp_path / "labelmap.txt").read_text().splitlines()[1:] == [
        "dog:::",
        "unused:::",
        "a/b:::",
    ]
    assert FORMATS["voc"].place(image) == "JPEGImages/x/a.jpg"


def test_an_image_without_an_ending_is_the_file_there_is(tmp_path):
    folder = write_files(
        tmp_path,
        {
            "Annotations/1.xml": annotation("1"),
            "ImageSets/Main/train.txt": "1\n2\n3\n4\n",
            **{f"JPEGImages/{name}": b"" for name in ("1.png", "2.webp", "3.png", "3.tif")},
        },
    )
    assert sorted(by_path(read_dataset("voc", folder))) == [
        "JPEGImages/1.png",
        "JPEGImages/2.webp",
        "JPEGImages/3.jpg",  # of two files, neither is guessed
        "JPEGImages/4.jpg",
    ]


@pytest.mark.parametrize("inner", ["", ' [<!ENTITY x "cat">]', " SYSTEM 'voc.dtd'"])
def test_files_with_a_document_type_are_refused_by_name(tmp_path, inner):
    text = f'<?xml version="1.0"?>\n<!DOCTYPE annotation{inner}>\n<annotation/>'
    folder = write_files(tmp_path, {"a.xml": text, "b.xml": "<annotation/>"})
    (found,) = rejects(read_dataset("voc", folder))
    assert found[0] == "a.xml"
    assert "document type" in found[1]
    (tmp_path / "b.xml").unlink()
    assert FORMATS["voc"].recognises(folder)  # not silently a folder of images


def test_why_no_file_can_be_read_is_in_the_error(tmp_path):
    write_files(tmp_path, {"a.xml": "<!DOCTYPE annotation><annotation/>"})
    with pytest.raises(KnownError, match=r"no file in Pascal VOC format .*: it has a document"):
        read_dataset("voc", tmp_path)
