"""CVAT for images as CVAT writes it, and malformed files."""

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

FILE = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>4</id><name>cars</name><labels>
    <label><name>car</name><color>#c06060</color><type>any</type><attributes>
      <attribute><name>colour</name><mutable>False</mutable><input_type>select</input_type>
        <default_value>red</default_value><values>red
blue
grey</values></attribute>
      <attribute><name>age</name><mutable>False</mutable><input_type>number</input_type>
        <default_value>0</default_value><values>0;100;1</values></attribute>
    </attributes></label>
    <label><name>night</name><color>#fff</color><type>tag</type><attributes/></label>
    <label><name>face</name><type>skeleton</type><attributes/></label>
    <label><name>eye</name><type>points</type><parent>face</parent></label>
  </labels></task></meta>
  <image id="0" name="a/1.jpg" subset="Train" task_id="4" width="640" height="480">
    <tag label="night" source="manual"></tag>
    <box label="car" source="manual" occluded="1" xtl="1.50" ytl="2.00" xbr="30.25" ybr="40.00"
      z_order="0"><attribute name="colour">blue</attribute><attribute name="age">7</attribute></box>
    <points label="car" source="manual" occluded="0" points="10.5,20.5;11,21" z_order="0"></points>
    <polygon label="car" source="file" occluded="0" points="5,5;9,5;9,8" z_order="0"></polygon>
    {more}
  </image>
  <image id="1" name="2.jpg" subset="default" width="10" height="20">
    <skeleton label="face"><points label="eye" outside="0" points="3,4"/>
      <points label="eye" outside="1" points="0,0"/></skeleton>
    <box label="car" xtl="4" ytl="4" xbr="6" ybr="6" rotation="90.0" group_id="3"/>
    <points label="car" points="5,5" group_id="3"/>
  </image>
</annotations>
"""


def cvat(tmp_path: Path, text: str = FILE, more: str = "") -> Path:
    return write_files(tmp_path, {"a.xml": text.replace("{more}", more)}) / "a.xml"


def test_tags_boxes_points_and_attributes_are_read(tmp_path):
    path = cvat(tmp_path)
    assert FORMATS["cvat"].recognises(path)
    read = read_dataset("cvat", path)
    first, second = by_path(read).values()
    assert (first.path, first.part, first.width, first.height) == ("a/1.jpg", Part.TRAIN, 640, 480)
    assert given_pairs(first.labels) == [(MAIN_SET, "night")]
    box, points, polygon = first.regions
    assert box.box == (1.5, 2, 30.25, 40)
    assert given_pairs(box.labels) == [(MAIN_SET, "car"), ("colour", "blue")]
    assert (points.box, points.points) == ((10.5, 20.5, 11, 21), ((10.5, 20.5), (11, 21)))
    assert (polygon.box, polygon.points) == ((5, 5, 9, 8), ((5, 5), (9, 5), (9, 8)))
    assert (second.path, second.part) == ("2.jpg", None)
    face, turned = second.regions
    assert (face.box, face.points) == ((3, 4, 4, 5), ((3, 4),))
    assert turned.box == pytest.approx((4, 4, 6, 6))
    assert turned.points == ((5, 5),)
    assert read.sets == {
        MAIN_SET: DeclaredSet(("car", "night", "face"), of_images=frozenset({"night"})),
        "colour": DeclaredSet(("red", "blue", "grey")),
    }
    assert read.remarks == ["1 outline became a box; its corners are landmarks."]
    assert read.rejected == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ('<box label="car" xtl="1" ytl="2" xbr="x" ybr="4"/>', "“xbr” is not a number"),
        ('<box label="car" xtl="1" ytl="2" xbr="nan" ybr="4"/>', "“xbr” is not a number"),
        ('<box label="car" xtl="1" ytl="2" xbr="3"/>', "“ybr” is not a number"),
        ('<box label="car" xtl="1" ytl="2" xbr="1" ybr="4"/>', "the box is empty"),
        ('<box xtl="1" ytl="2" xbr="3" ybr="4"/>', "the label is missing"),
        ("<tag/>", "the label is missing"),
        ('<points label="car" points="1;2"/>', "“1” is not a point"),
        ('<points label="car" points=""/>', "“” is not a point"),
    ],
)
def test_a_malformed_shape_is_rejected_and_its_neighbours_are_kept(tmp_path, wrong, reason):
    read = read_dataset("cvat", cvat(tmp_path, more=wrong))
    assert rejects(read) == [("a/1.jpg, entry 5 of “image 1”", reason)]
    assert len(by_path(read)["a/1.jpg"].regions) == 3


@pytest.mark.parametrize(
    ("folder", "paths"),
    [
        ("", {"a/1.jpg", "2.jpg"}),
        ("images/", {"images/a/1.jpg", "2.jpg"}),
        ("images/Train/", {"images/Train/a/1.jpg", "2.jpg"}),
    ],
)
def test_images_are_found_where_cvat_exports_them(tmp_path, folder, paths):
    path = cvat(tmp_path)
    write_files(tmp_path, {f"{folder}a/1.jpg": b""})
    assert set(by_path(read_dataset("cvat", path))) == paths


@pytest.mark.parametrize("wrong", ['<image width="3" height="4"/>', '<image name="x" width="a"/>'])
def test_a_malformed_image_is_rejected(tmp_path, wrong):
    read = read_dataset(
        "cvat", cvat(tmp_path, FILE.replace("</annotations>", wrong + "</annotations>"))
    )
    assert [place for place, _ in rejects(read)] == ["a.xml, entry 3 of “image”"]
    assert len(read.images) == 2


def test_other_shapes_are_counted(tmp_path):
    read = read_dataset("cvat", cvat(tmp_path, more='<mask label="car" rle="1" left="0" top="0"/>'))
    assert "1 annotation is ignored: it is neither a label nor a box." in read.remarks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<annotations>",
        "<annotations><track id='0'/></annotations>",
        "<annotation/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>',
    ],
)
def test_another_or_damaged_file_is_refused_by_name(tmp_path, text):
    with pytest.raises(KnownError, match=r"a\.xml"):
        read_dataset("cvat", cvat(tmp_path, text))


def test_a_tool_that_needs_labels_gets_one_for_none(tmp_path):
    region = Region((1, 2, 3, 4), (GivenLabel("view", "front"),))
    image = ImageRecord(
        "a.jpg", (GivenLabel("view", "side"),), Part.TEST, (region,), width=9, height=9
    )
    sets = {MAIN_SET: DeclaredSet(("car",)), "view": DeclaredSet(("side", "front"))}
    path = tmp_path / "new.xml"
    FORMATS["cvat"].write(path, Dataset(tmp_path, [image], sets=sets), WriteOptions())
    text = path.read_text()
    assert '<tag label="(none)" source="manual">' in text
    assert text.count("<name>(none)</name>") == 1
    assert 'subset="Test"' in text
    read = read_dataset("cvat", path)
    assert given_pairs(by_path(read)["a.jpg"].labels) == [("view", "side")]
    assert read.sets == sets


def test_only_projects_have_subsets(tmp_path):
    images = [ImageRecord("a.jpg", (), Part.VALIDATION), ImageRecord("b.jpg")]
    path = tmp_path / "new.xml"
    FORMATS["cvat"].write(path, Dataset(tmp_path, images), WriteOptions())
    read = read_dataset("cvat", path)
    assert {one.path: one.part for one in read.images} == {"a.jpg": Part.VALIDATION, "b.jpg": None}
    assert "<project>" in path.read_text()
    assert "<subset>Validation</subset>" in path.read_text()
    FORMATS["cvat"].write(path, Dataset(tmp_path, images[1:]), WriteOptions())
    assert "<project>" not in path.read_text()
