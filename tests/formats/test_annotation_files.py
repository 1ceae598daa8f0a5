"""JSON files are told apart by their first keys, and paths of other computers are reduced."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats import test_coco, test_label_studio, test_labelme, test_megadetector
from tests.formats.strategies import label_names, write_files
from workbench.domain.datasets import MAIN_SET, Dataset, GivenLabel, ImageRecord
from workbench.domain.part_words import part_named
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions
from workbench.formats.image_paths import (
    DEEP,
    MOST_GLIMPSED,
    as_file_name,
    cleaned,
    from_file_name,
    glimpsed,
    inside,
    settle,
    stems,
)
from workbench.formats.json_files import OPENING, opening_keys
from workbench.formats.xml_files import has_root, parse_xml

OURS = ("coco", "labelme", "label-studio", "megadetector")
FILLER = {"segmentation": [[0.5] * 9] * (OPENING // 40)}
FILES = {
    "coco": test_coco.INSTANCES,
    "labelme": test_labelme.file(test_labelme.shape("cat", "rectangle", [1, 2], [3, 4])),
    "megadetector": test_megadetector.FILE,
}
LISTS = {
    "label-studio": [test_label_studio.task("a.jpg", test_label_studio.choice("view", "front"))],
    "": [{"path": "a.jpg", "hash": "00", "set": "view", "label": "front", "box": None}],
}


def recognised(path: Path) -> set[str]:
    return {name for name in OURS if FORMATS[name].recognises(path)}


def orders(keys: Iterable[str]) -> list[tuple[str, ...]]:
    """Some orders of keys, every key first in some."""
    found = list(permutations(keys))
    return found[:: max(1, len(found) // 24)]


@pytest.mark.parametrize("name", FILES)
def test_json_files_are_told_apart_whatever_the_order_of_their_keys(tmp_path, name):
    content = FILES[name]
    for order in orders(content):
        path = write_files(tmp_path, {"a.json": {key: content[key] for key in order}}) / "a.json"
        assert recognised(path) == {name}, order


@pytest.mark.parametrize("name", ["images", "annotations", "categories"])
def test_a_file_is_recognised_though_its_first_list_is_long(tmp_path, name):
    content = {name: test_coco.INSTANCES[name] * 5000, **test_coco.INSTANCES}
    path = write_files(tmp_path, {"a.json": content}) / "a.json"
    assert recognised(path) == {"coco"}


def test_an_embedded_image_does_not_hide_the_keys_of_labelme(tmp_path):
    image = {"flags": {}, "imageData": "QUJD" * OPENING}
    path = write_files(tmp_path, {"a.json": {**image, **FILES["labelme"]}}) / "a.json"
    assert recognised(path) == {"labelme"}


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_told_apart_whatever_the_order_of_their_keys(tmp_path, name):
    (content,) = LISTS[name]
    for order in orders(content):
        path = write_files(tmp_path, {"a.json": [{key: content[key] for key in order}]}) / "a.json"
        assert recognised(path) == ({name} if name else set()), order


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\x00", b"{", b'"images"', b"images,label\n", b"[[[["]
)
def test_what_is_no_json_is_not_recognised(tmp_path, data):
    path = write_files(tmp_path, {"a.json": data}) / "a.json"
    assert (
        recognised(path) == recognised(tmp_path / "missing.json") == recognised(tmp_path) == set()
    )


def test_large_folders_are_recognised_by_some_of_their_files(tmp_path):
    for number in range(3):
        folder = tmp_path / f"{number}" / "deep" / "deeper"
        folder.mkdir(parents=True)
        (folder / "a.json").touch()
        (tmp_path / f"{number}" / "b.JSON").touch()
    (tmp_path / ".hidden.json").touch()
    found = {file.relative_to(tmp_path).as_posix() for file in glimpsed(tmp_path, ".json")}
    assert found == {"0/b.JSON", "1/b.JSON", "2/b.JSON"}
    assert (
        list(glimpsed(tmp_path, ".json", 0)) == list(glimpsed(tmp_path / "missing", ".json")) == []
    )
    assert not any(format.recognises(tmp_path / "missing") for format in FORMATS.values())
    assert not any(format.recognises(tmp_path) for format in FORMATS.values())


def test_keys_are_listed_with_those_around_them(tmp_path):
    content = {"a": [{"b": {"c": 1}}, 5, {"d": "e{[:"}], 'x"y': None, "z": {}}
    path = write_files(tmp_path, {"a.json": content}) / "a.json"
    assert opening_keys(path) == {"a", "a[].b", "a[].b.c", "a[].d", 'x\\"y', "z"}
    assert opening_keys(write_files(tmp_path, {"l.json": [[{"a": 1}], {"b": 2}]}) / "l.json") == {
        "[][].a", "[].b",
    }  # fmt: skip


TEXTS = st.text(max_size=3)
VALUES = st.recursive(
    st.none() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=20)
@given(VALUES)
def test_any_json_can_be_looked_at(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(content))
    keys = opening_keys(path)
    if isinstance(content, dict):
        plain = {json.dumps(key)[1:-1].lstrip(".") for key in content}
        assert plain <= keys


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("./a//b/../c.jpg", "a/c.jpg"),
        ("..\\photos\\a.jpg", "../photos/a.jpg"),
        ("C:\\x\\a.jpg", "C:/x/a.jpg"),
        ("file:///data/ann/a%20b.jpg", "/data/ann/a b.jpg"),
        ("file:///C:/x/a.jpg", "C:/x/a.jpg"),
        ("gs://bucket/a?b.jpg", "a?b.jpg"),
        ("https://host/a.jpg", "a.jpg"),
        ("100%.jpg", "100%.jpg"),
        ("a%20b.jpg", "a%20b.jpg"),
        ("", ""),
        (".", ""),
        ("data:image/png;base64,AAAA", ""),
    ],
)
def test_written_paths_are_cleaned(written, path):
    assert cleaned(written) == path


def settled(base: Path, *paths: str, fixed: bool = False) -> tuple[Path, list[str]]:
    dataset = Dataset(base, [ImageRecord(path) for path in paths])
    settle(dataset, fixed=fixed)
    return dataset.base, [image.path for image in dataset.images]


def test_absolute_paths_lose_what_they_share(tmp_path):
    paths = ("/no/such/x/cat/1.jpg", "/no/such/x/dog/1.jpg")
    assert settled(tmp_path, *paths) == (tmp_path, ["cat/1.jpg", "dog/1.jpg"])
    assert settled(tmp_path, "D:/x/a.jpg", "b.jpg") == (tmp_path, ["a.jpg", "b.jpg"])
    assert settled(tmp_path, "D:/a.jpg", "E:/b.jpg") == (tmp_path, ["D:/a.jpg", "E:/b.jpg"])


def test_a_folder_that_absolute_paths_share_becomes_the_base(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = (f"{folder}/cat/1.jpg", f"{folder}/2.jpg")
    assert settled(tmp_path / "other", *paths) == (folder, ["cat/1.jpg", "2.jpg"])
    assert settled(tmp_path / "other", *paths, fixed=True)[0] == tmp_path / "other"
    assert settled(tmp_path, *paths) == (tmp_path, ["photos/cat/1.jpg", "photos/2.jpg"])


def test_paths_that_lead_out_of_the_base_move_it_up(tmp_path):
    base = tmp_path / "x" / "json"
    found = settled(base, "../../photos/a.jpg", "b.jpg")
    assert found == (tmp_path, ["photos/a.jpg", "x/json/b.jpg"])
    assert settled(base, "../" * 9 + "a.jpg", "b.jpg") == (base, ["a.jpg", "b.jpg"])
    assert settled(base, "../a.jpg", fixed=True) == (base, ["a.jpg"])


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("../../a.jpg", "a.jpg"),
        ("/etc/a.jpg", "etc/a.jpg"),
        ("C:\\a.jpg", "a.jpg"),
        ("..", "image"),
    ],
)
def test_written_paths_stay_inside_of_their_folder(path, safe):
    assert inside(path) == safe


@given(label_names)
def test_every_label_is_a_name_of_a_folder(label):
    name = as_file_name(label)
    assert from_file_name(name) == label
    assert not set(name) & set('<>:"/\\|?*')
    assert name.strip(" .") == name


def test_names_of_files_are_different():
    assert stems(["a.jpg", "b.jpg", "b.png", "c", "x/a.jpg"]) == ["a", "b.jpg", "b.png", "c", "x/a"]
    assert stems(["1.jpg", "1.jpg.png"]) == ["1", "1.jpg.png"]


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("<annotations>", True),
        ("\ufeff<?xml version='1.0'?>\n<!-- <x> -->\n<annotations a='b'>", True),
        ("<annotation>", False),
        ("<a><annotations/>", False),
        ("", False),
    ],
)
def test_the_root_of_xml_is_seen_in_its_beginning(text, has):
    assert has_root(text, "annotations") == has


def test_a_document_type_is_refused_in_every_encoding():
    text = '<?xml version="1.0" encoding="{}"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(ValueError, match="it has a document type"):
            parse_xml(text.format(encoding).encode(encoding))


@pytest.mark.parametrize(
    ("word", "part"),
    [("TRAIN", Part.TRAIN), (" valid ", Part.VALIDATION), ("dev", Part.VALIDATION),
     ("Testing", Part.TEST), ("1", None), ("trainval", None)],
)  # fmt: skip
def test_words_name_parts(word, part):
    assert part_named(word) is part


@pytest.mark.parametrize("name", ["labelme", "voc"])
def test_nested_images_are_recognised_in_what_is_written(tmp_path, name):
    image = ImageRecord("ph/s1/day 2/a.jpg", (GivenLabel(MAIN_SET, "owl"),), width=9, height=8)
    FORMATS[name].write(tmp_path, Dataset(tmp_path, [image]), WriteOptions())
    assert FORMATS[name].recognises(tmp_path)


def test_few_folders_are_searched_when_a_folder_is_recognised(tmp_path):
    for at in range(MOST_GLIMPSED):
        (tmp_path / f"{at % 20}" / f"{at}").mkdir(parents=True)
    (tmp_path / "a.json").touch()
    (tmp_path / "0" / "0" / "b.json").touch()
    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert len(folders) > MOST_GLIMPSED
    for folder in folders:
        (folder / "x.json").touch()
    found = list(glimpsed(tmp_path, ".json", DEEP))
    assert found[0] == tmp_path / "a.json"
    assert len({path.parent for path in found}) == MOST_GLIMPSED
