"""However a file is damaged, it is read without the damaged entries or refused by name."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats import (
    test_coco,
    test_cvat,
    test_label_studio,
    test_labelme,
    test_megadetector,
    test_voc,
    test_yolo,
)
from tests.formats.strategies import EXAMPLES, read_dataset, write_files
from workbench.domain.datasets import Dataset
from workbench.domain.errors import KnownError

BOX = test_label_studio.rectangle("r", "cat", rotation=10)
POINT = {"x": 1, "y": 2, "keypointlabels": ["nose"]}
RESULTS = [test_label_studio.choice("view", "front"), BOX, {**BOX, "parentID": "r", "id": "k",
           "type": "keypointlabels", "value": POINT}]  # fmt: skip
SHORT = {"image": "b.jpg", "id": 2, "view": {"choices": ["a"]}, "label": [BOX["value"]]}
SHAPES = [
    test_labelme.shape("cat", "rectangle", [1, 2], [3, 4], group_id=1),
    test_labelme.shape("nose", "point", [2, 3], group_id=1),
    test_labelme.shape("dog", "circle", [5, 5], [6, 6], flags={"hidden": True}),
]
JSON_FILES: dict[str, Any] = {
    "coco": test_coco.INSTANCES,
    "labelme": test_labelme.file(*SHAPES, flags={"day": True}),
    "label-studio": [test_label_studio.task("a.jpg", *RESULTS), SHORT],
    "megadetector": test_megadetector.FILE,
}
ODD_VALUES = (
    None, True, 0, -1, 10**30, 1.5, "", "x", "\x00", "../" * 9, [], [[]], [None], [1, 2], {},
    {"x": 1}, "nan", "C:\\", "http://[", "\ud800", [["a", "b"]], {"choices": 3}, 1e308, "/",
    "data:,",
)  # fmt: skip


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in some JSON with each of its keys."""
    keys = range(len(content)) if isinstance(content, list) else list(content)
    for key in keys:
        yield content, key
        if isinstance(content[key], list | dict):
            yield from places(content[key])


@pytest.mark.parametrize("name", JSON_FILES)
@given(data=st.data())
@settings(max_examples=2 * EXAMPLES)
def test_json_with_odd_values_is_read_or_refused(name, data):
    content = copy.deepcopy(JSON_FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        if found := list(places(content)):
            container, key = data.draw(st.sampled_from(found))
            if data.draw(st.booleans()):
                container[key] = copy.deepcopy(data.draw(st.sampled_from(ODD_VALUES)))
            elif isinstance(container, dict):
                del container[key]
    read_or_refused(name, {"a.json": json.dumps(content)}, "a.json")


OTHER_FILES: dict[str, tuple[dict[str, str | bytes], str, str]] = {
    "cvat": ({"a.xml": test_cvat.FILE}, "a.xml", "a.xml"),
    "voc": (
        {
            "Annotations/1.xml": test_voc.annotation("1.jpg", test_voc.one("cat", 1, 2, 3, 4)),
            "ImageSets/Main/train.txt": "1\n",
        },
        "Annotations/1.xml",
        "",
    ),
    "yolo": (dict(test_yolo.FILES), "data.yaml", ""),
    "yolo boxes": (dict(test_yolo.FILES), "labels/train/a.txt", ""),
    "coco": ({"a.json": json.dumps(test_coco.INSTANCES)}, "a.json", "a.json"),
}


@pytest.mark.parametrize("name", OTHER_FILES)
@given(data=st.data())
@settings(max_examples=2 * EXAMPLES)
def test_files_with_odd_bytes_are_read_or_refused(name, data):
    files, damaged, chosen = OTHER_FILES[name]
    content = files[damaged]
    content = content if isinstance(content, bytes) else content.encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        until = min(len(content), at + data.draw(st.integers(0, 12)))
        content = content[:at] + data.draw(st.binary(max_size=6)) + content[until:]
    read_or_refused(name.split(" ")[0], {**files, damaged: content}, chosen)


def read_or_refused(name: str, files: dict[str, Any], chosen: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_files(Path(folder), files) / chosen
        refused = ""
        try:
            read = read_dataset(name, path)
        except KnownError as error:
            read, refused = Dataset(path), error.message
        assert not refused or folder in refused
        assert all(image.path for image in read.images)
        assert all(one.path and one.reason for one in read.rejected)
