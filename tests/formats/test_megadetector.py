"""Files of MegaDetector as it writes them, and malformed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.strategies import by_path, read_dataset, rejects, write_files
from workbench.domain.datasets import (
    MAIN_SET,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.errors import KnownError
from workbench.formats import FORMATS, WriteOptions


def detection(category: Any, conf: Any, *box: Any, **values: Any) -> dict[str, Any]:
    return {"category": category, "conf": conf, "bbox": list(box)} | values


FILE: dict[str, Any] = {
    "images": [
        {"file": "site1\\a.jpg", "max_detection_conf": 0.9, "detections": [
            detection("1", 0.9, 0.1, 0.2, 0.3, 0.4, classifications=[["3", 0.8], ["2", 0.1]]),
            detection("3", 0.05, 0.5, 0.5, 0.25, 0.25),
        ]},
        {"file": "site1/b.jpg", "detections": []},
        {"file": "site1/c.jpg", "detections": None, "failure": "Failure image access"},
    ],
    "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
    "classification_categories": {"2": "deer", "3": "fox"},
    "info": {"detection_completion_time": "2023", "format_version": "1.3", "detector": "md_v5a"},
}  # fmt: skip


def detected(tmp_path: Path, content: Any = FILE) -> Path:
    return write_files(tmp_path, {"md.json": json.dumps(content)}) / "md.json"


def test_boxes_confidences_and_species_are_read(tmp_path):
    path = detected(tmp_path)
    assert FORMATS["megadetector"].recognises(path)
    read = read_dataset("megadetector", path)
    images = by_path(read)
    assert set(images) == {"site1/a.jpg", "site1/b.jpg"}
    fox, vehicle = images["site1/a.jpg"].regions
    assert fox.relative
    assert fox.box == pytest.approx((0.1, 0.2, 0.4, 0.6))
    assert fox.labels == (
        GivenLabel("detection", "animal", "model", 0.9),
        GivenLabel(MAIN_SET, "fox", "model", 0.8),
    )
    assert vehicle.labels == (GivenLabel("detection", "vehicle", "model", 0.05),)
    assert images["site1/b.jpg"].regions == ()
    assert read.sets == {
        MAIN_SET: DeclaredSet(("deer", "fox")),
        "detection": DeclaredSet(("animal", "person", "vehicle")),
    }
    assert rejects(read) == [
        ("site1/c.jpg", "the detector could not read it: Failure image access")
    ]
    assert read.remarks == ["1 box has a confidence below 0.2."]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (detection("1", "high", 0, 0, 1, 1), "“conf” has a wrong type"),
        (detection("1", 2, 0, 0, 1, 1), "the confidence is not between 0 and 1"),
        (detection("1", 0.5, 0, 0, 1), "“bbox” has a wrong type"),
        (detection("1", 0.5, 0, 0, 0, 1), "the box is empty"),
        (detection("9", 0.5, 0, 0, 1, 1), "no category has the id 9"),
        (detection("1", 0.5, 0, 0, 1, 1, classifications=[["7", 1]]), "no category has the id 7"),
        (5, "it has a wrong type"),
    ],
)
def test_a_malformed_detection_is_rejected_and_its_neighbours_are_kept(tmp_path, wrong, reason):
    good = detection("1", 0.5, 0, 0, 1, 1)
    images = [{"file": "a.jpg", "detections": [good, wrong, good]}, {"file": "b.jpg"}, {"file": 3}]
    read = read_dataset("megadetector", detected(tmp_path, {**FILE, "images": images}))
    assert rejects(read) == [
        ("a.jpg, entry 2 of “detections”", reason),
        ("md.json, entry 3 of “images”", "“file” has a wrong type"),
    ]
    assert [len(image.regions) for image in read.images] == [1, 0]


@pytest.mark.parametrize(
    "content", [[], {}, {"images": []}, {"images": [], "detection_categories": 3}]
)
def test_another_file_is_refused_by_name(tmp_path, content):
    with pytest.raises(KnownError, match=r"md\.json is not a dataset in MegaDetector format"):
        read_dataset("megadetector", detected(tmp_path, content))


def test_labels_are_written_as_classifications(tmp_path):
    box = Region((20, 20, 80, 60), (GivenLabel("kind", "fox"), GivenLabel("detection", "animal")))
    image = ImageRecord(
        "a.jpg", (GivenLabel("kind", "night"),), None, (box,), width=200, height=100
    )
    sets = {"kind": DeclaredSet(("night", "fox")), "detection": DeclaredSet(("animal",))}
    path = tmp_path / "new.json"
    FORMATS["megadetector"].write(path, Dataset(tmp_path, [image], sets=sets), WriteOptions("kind"))
    content = json.loads(path.read_bytes())
    assert content["detection_categories"] == {"1": "animal", "0": "object"}
    assert content["classification_categories"] == {"0": "night", "1": "fox"}
    assert content["images"][0]["detections"] == [
        {"category": "0", "conf": 1.0, "bbox": [0.0, 0.0, 1.0, 1.0],
         "classifications": [["0", 1.0]], "whole_image": True},
        {"category": "1", "conf": 1.0, "bbox": [0.1, 0.2, pytest.approx(0.3), pytest.approx(0.4)],
         "classifications": [["1", 1.0]]},
    ]  # fmt: skip
    (read,) = read_dataset("megadetector", path).images
    assert read.labels == (GivenLabel(MAIN_SET, "night"),), "by nobody's model"
