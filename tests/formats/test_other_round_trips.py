"""What is written, read by another program, and written by it, is the same; skipped without the
programs (extra `interop`).

`WORKBENCH_EXAMPLES=1000` draws more examples.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from tests.formats.strategies import (
    EXAMPLES,
    Compared,
    Drawn,
    datasets,
    differences,
    given_pairs,
    read_dataset,
)
from workbench.domain.datasets import MAIN_SET, Carry, Dataset, ImageRecord, declared
from workbench.domain.splits import Part
from workbench.formats import FORMATS, DatasetFormat, WriteOptions

pytestmark = pytest.mark.filterwarnings("default")  # of other programs
thorough = settings(
    max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
# Names without what the other programs split at or refuse: each reads its own files with them.
_SIGNS = st.characters(categories=["L", "N"], include_characters="_-")
NAMES = st.text(_SIGNS, min_size=1, max_size=8)
PATHS = NAMES.map("p{}.png".format)
BOXES = Drawn({Carry.BOXES}, image_labels=False, largest=300, stems=True, paths=PATHS, labels=NAMES)

Tool = Callable[[Path, Dataset, Path], list[Path]]  # files read from and written to a folder


def tool(name: str) -> Any:
    """Another program. Skips the test without it."""
    return pytest.importorskip(name)


def written(folder: Path, format: DatasetFormat, dataset: Dataset) -> Path:
    """Write a dataset with its images in a folder."""
    path = folder if format.is_folder else folder / f"annotations{format.endings[0]}"
    assert format.write(path, dataset, WriteOptions()) == []
    for image in dataset.images:
        copy = folder / format.place(image)
        copy.parent.mkdir(parents=True, exist_ok=True)
        Image.new("1", (image.width, image.height)).save(copy)
    return path


def by_pycocotools(path: Path, dataset: Dataset, target: Path) -> list[Path]:
    read = tool("pycocotools.coco").COCO(str(path))
    content = {
        "images": read.loadImgs(read.getImgIds()),
        "categories": read.loadCats(read.getCatIds()),
        "annotations": read.loadAnns(read.getAnnIds()),
    }
    copy = target / "copy.json"
    copy.write_text(json.dumps(content))
    return [copy]


def labelformat_input(name: str, path: Path, dataset: Dataset) -> Any:
    formats = tool("labelformat.formats")
    if name == "coco":
        return formats.COCOObjectDetectionInput(path)
    if name == "voc":
        names = ",".join(dataset.sets[MAIN_SET].labels)
        return formats.PascalVOCObjectDetectionInput(path / "Annotations", names)
    if name == "yolo":
        return formats.YOLOv8ObjectDetectionInput(path / "data.yaml", "train")
    # It reads no files with a declaration, which CVAT writes.
    path.write_text(path.read_text().partition("?>")[2].strip())
    return formats.CVATObjectDetectionInput(path)


def by_labelformat(name: str) -> Tool:
    def copied(path: Path, dataset: Dataset, target: Path) -> list[Path]:
        formats = tool("labelformat.formats")
        read = labelformat_input(name, path, dataset)
        if name == "voc":
            formats.PascalVOCObjectDetectionOutput(target).save(read)
            return [target]
        if name == "cvat":
            formats.CVATObjectDetectionOutput(target, "task").save(read)
            return [target / "annotations.xml"]
        copy = target / "copy.json"
        formats.COCOObjectDetectionOutput(copy).save(read)
        return [copy]

    return copied


DATUMARO = {  # how it reads and writes each format
    "coco-folder": ("coco_instances", "coco_instances"),
    "voc": ("voc_detection", "voc_detection"),
    "yolo": ("yolo", "yolo_ultralytics"),
    "cvat": ("cvat", "cvat"),
}


def by_datumaro(name: str) -> Tool:
    def copied(path: Path, dataset: Dataset, target: Path) -> list[Path]:
        reads, writes = DATUMARO[name]
        folder = path if path.is_dir() else path.parent
        read = tool("datumaro").Dataset.import_from(str(folder), reads)
        read.export(str(target), writes, save_media=True)
        return [target] if FORMATS[name].is_folder else sorted(target.rglob("*.xml"))

    return copied


TOOLS: dict[str, tuple[str, str, Tool]] = {  # format that we write, and read, and the program
    "pycocotools: coco": ("coco", "coco", by_pycocotools),
    **{
        f"labelformat: {name}": (name, "coco" if name == "yolo" else name, by_labelformat(name))
        for name in ("coco", "voc", "yolo", "cvat")
    },
    **{f"datumaro: {name}": (name, name, by_datumaro(name)) for name in DATUMARO},
}


@pytest.mark.parametrize("name", TOOLS)
@given(data=st.data())
@thorough
def test_boxes_are_the_same_after_another_program(name, data):
    writes, reads, copied = TOOLS[name]
    part = Part.TRAIN if Carry.PARTS in FORMATS[writes].carries else None
    drawn = data.draw(datasets(BOXES).filter(lambda one: any(i.regions for i in one.images)))
    drawn.images = [replace(image, part=part) for image in drawn.images]
    if name == "datumaro: yolo":  # it writes no dataset without two parts
        drawn.images.append(ImageRecord("v.png", part=Part.VALIDATION, width=9, height=9))
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder) / "there", Path(folder) / "back"
        there.mkdir()
        back.mkdir()
        files = copied(written(there, FORMATS[writes], drawn), drawn, back)
        read = [read_dataset(reads, file) for file in files]
    compared = Compared(order=False, size=False, tolerance=0.02)
    assert differences(bare(drawn), bare(*read), compared) == []


def bare(*read: Dataset) -> Dataset:
    """All images by file name, without parts and unused labels: programs differ in the folders
    that they write, and in the labels that they add."""
    images = [
        replace(image, path=Path(image.path).name, part=None)
        for one in read
        for image in one.images
    ]
    rejected = [one for some in read for one in some.rejected]
    return Dataset(Path(), images, rejected, declared(images))


WORDS = NAMES.map("w{}".format)  # it reads others as numbers or as missing, as pandas does
ROWS = Drawn({Carry.PARTS, Carry.LABEL_SETS}, sets=(MAIN_SET, "view"), paths=PATHS, labels=WORDS)


@given(dataset=datasets(ROWS).filter(lambda one: one.images))
@thorough
def test_mlcroissant_reads_labels_and_parts(dataset):
    mlcroissant = tool("mlcroissant")
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), FORMATS["croissant"], dataset)
        records = mlcroissant.Dataset(jsonld=f"{folder}/croissant.json").records("images")
        rows = [[value and value.decode() for value in row.values()] for row in records]
    for image in dataset.images:
        labels = dict(given_pairs(image.labels))
        part = image.part and str(image.part)
        assert rows.pop(0) == [image.path, part, *(labels.get(name) for name in dataset.sets)]
    assert rows == []
