"""What the formats of annotation tools carry is the same after writing and reading.

`WORKBENCH_EXAMPLES=1000` draws more examples.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.strategies import (
    EXAMPLES,
    Compared,
    Drawn,
    datasets,
    differences,
    read_dataset,
)
from workbench.domain.datasets import MAIN_SET
from workbench.formats import FORMATS, DatasetFormat, WriteOptions
from workbench.formats.megadetector import DETECTION

SETS = (MAIN_SET, "view", "mouth open")


def drawn(name: str, **choices: Any) -> Drawn:
    return Drawn(FORMATS[name].carries, **choices)


def placed(name: str, **choices: Any) -> Compared:
    """Images are where the format has them when they are copied with it."""
    return Compared(place=FORMATS[name].place, **choices)


ROUND_TRIPS = {
    "coco": (drawn("coco", sets=SETS, gaps=True), Compared()),
    "coco-folder": (drawn("coco-folder", sets=SETS, gaps=True), placed("coco-folder")),
    "voc": (drawn("voc"), placed("voc")),
    "yolo": (drawn("yolo", image_labels=False, stems=True, gaps=True), placed("yolo", size=False)),
    "yolo-classes": (drawn("yolo-classes"), placed("yolo-classes", size=False)),
    "cvat": (drawn("cvat", sets=SETS, bare_boxes=True), placed("cvat")),
    "labelme": (drawn("labelme"), Compared()),
    "label-studio": (
        drawn("label-studio", sets=("label", *SETS[1:]), bare_boxes=True),
        Compared(size=False),
    ),
    "megadetector": (
        drawn(
            "megadetector",
            sets=(MAIN_SET, DETECTION),
            confident_sets=(MAIN_SET, DETECTION),
            bare_boxes=True,
        ),
        Compared(),
    ),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
@given(data=st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_what_a_format_carries_is_the_same_after_writing_and_reading(name, data):
    what, compared = ROUND_TRIPS[name]
    written = data.draw(datasets(what))
    format = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dataset"
        if format.is_folder:
            path.mkdir()
        else:
            path = path.with_suffix(format.endings[0])
        notes = format.write(path, written, WriteOptions())
        assert [note for note in notes if "YOLO does not train" not in note] == []
        if not written.images and (format.is_folder or name == "label-studio"):
            return  # nothing is left of such a dataset
        if type(format).place is not DatasetFormat.place:
            for image in written.images:
                copy = (path if path.is_dir() else path.parent) / format.place(image)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.touch()
        read = read_dataset(name, path)
        assert differences(written, read, compared) == []
